//! `/api/v1`: the mapping language over HTTP.

use std::sync::Arc;

use provost_model::SystemClock;
use provost_server::Token;
use provost_store::Store;
use provost_testkit::Answer;
use serde_json::{Value, json};

use crate::{Service, header, sqlite};

async fn ask(service: &Service, path: &str, body: &Value) -> Answer {
    let headers = [("content-type", "application/json")];
    service.raw("POST", &format!("/api/v1{path}"), &headers, body.to_string()).await
}

#[tokio::test]
async fn every_mistake_comes_with_its_place() {
    let service = sqlite().await;
    let text = "Join(\"é\",\n  ToLowr([a]), Mid([b], \"x\", 1))";
    let answer = ask(&service, "/expressions/check", &json!({ "expression": text })).await;
    assert_eq!((answer.status, header(&answer, "content-type")), (200, "application/json"));
    assert_eq!(
        answer.body["errors"][0],
        json!({
            "line": 2, "column": 3, "length": 6, "code": "PRV-0203", "severity": "error",
            "message": "unknown function `ToLowr`", "hint": "did you mean `ToLower`?",
        })
    );
    assert_eq!(answer.body["errors"][1]["column"], 25);
    assert_eq!(answer.body["errors"].as_array().unwrap().len(), 2);

    let good = ask(&service, "/expressions/check", &json!({ "expression": "[anything]" })).await;
    assert_eq!(good.body, json!({ "errors": [] }));
}

#[tokio::test]
async fn a_schema_takes_part_in_the_check() {
    let service = sqlite().await;
    let body = json!({ "expression": "\"é\" & [userNme]", "schema": "User" });
    let answer = ask(&service, "/expressions/check", &body).await;
    let first = &answer.body["errors"][0];
    assert_eq!((&first["code"], &first["column"], &first["length"]), (&json!("PRV-0521"), &json!(7), &json!(9)));
    assert_eq!(first["hint"], "did you mean `[userName]`?");

    let schema = json!([{ "name": "aliases", "multiValued": true }]);
    let body = json!({ "expression": "Mid([aliases], 1, 2) & [aliases]", "schema": schema });
    let answer = ask(&service, "/expressions/check", &body).await;
    let severities: Vec<_> = answer.body["errors"].as_array().unwrap().iter().map(|each| &each["severity"]).collect();
    assert_eq!(severities, ["warning", "warning"], "{:?}", answer.body);

    let answer = ask(&service, "/filters/check", &json!({ "filter": "userNme eq \"a\"", "schema": "User" })).await;
    assert_eq!(answer.body["errors"][0]["code"], "PRV-0521");
    let answer = ask(&service, "/filters/check", &json!({ "filter": "städte is 1" })).await;
    assert_eq!((&answer.body["errors"][0]["column"], &answer.body["errors"][0]["length"]), (&json!(8), &json!(2)));
    let answer = ask(&service, "/expressions/check", &json!({ "expression": "[a]", "schema": "Usr" })).await;
    assert_eq!(answer.status, 400);
    assert!(answer.text("/message").contains("did you mean `User`?"), "{:?}", answer.body);
}

#[tokio::test]
async fn an_expression_is_evaluated_as_a_job_would() {
    let service = sqlite().await;
    for (body, wanted) in [
        (json!({ "expression": "ToUpper([a])", "attributes": { "a": "x" } }), json!({ "value": "X" })),
        (json!({ "expression": "ToUpper([a])" }), json!({ "value": null })),
        (json!({ "expression": "IgnoreAttributeFlow" }), json!({ "ignored": "attribute" })),
        (
            json!({ "expression": "FormatDateTime(Now(), , \"M/d/yyyy h:mm:ss tt\", \"yyyy-MM-dd\")", "now": "2025-02-03T04:05:06Z" }),
            json!({ "value": "2025-02-03" }),
        ),
        (
            json!({ "expression": "SelectUniqueValue([a], [a] & \"1\")", "attributes": { "a": "x" }, "taken": ["X"] }),
            json!({ "value": "x1" }),
        ),
    ] {
        let answer = ask(&service, "/expressions/evaluate", &body).await;
        assert_eq!((answer.status, &answer.body), (200, &wanted), "{body}");
    }
    let body = json!({ "expression": "\"é\" & CDate([a])", "attributes": { "a": "soon" } });
    let answer = ask(&service, "/expressions/evaluate", &body).await;
    let first = &answer.body["errors"][0];
    assert_eq!((&first["code"], &first["column"], &first["length"]), (&json!("PRV-0221"), &json!(13), &json!(3)));
    assert!(!answer.body.to_string().contains("soon"), "a message never holds a value");
}

#[tokio::test]
async fn only_who_may_read_is_answered_and_nothing_too_large() {
    let service = sqlite().await;
    let body = json!({ "expression": "[a]" }).to_string();
    let path = "/api/v1/expressions/check";
    let answer = service.raw("POST", path, &[("authorization", "Bearer wrong")], body.clone()).await;
    assert_eq!((answer.status, answer.text("/code")), (401, "PRV-0802"));
    assert_eq!(header(&answer, "www-authenticate"), "Bearer realm=\"provost\"");
    let stored = Store::open("sqlite::memory:").await.unwrap();
    let stored = Service::start(stored, Arc::new(SystemClock), Token::Stored).await;
    assert_eq!(stored.raw("POST", path, &[], body).await.status, 401);

    let long = json!({ "expression": "x".repeat(2 << 20) });
    assert_eq!(ask(&service, "/expressions/check", &long).await.status, 413);
    for (body, wanted) in [("", 400), ("{}", 400), ("{\"expresion\": \"a\"}", 400), ("[1", 400)] {
        assert_eq!(service.raw("POST", path, &[], body).await.status, wanted, "{body}");
    }
    assert_eq!(service.raw("GET", path, &[], "").await.status, 405);
    let unknown = service.raw("POST", "/api/v1/nothing", &[], "").await;
    assert_eq!((unknown.status, unknown.text("/code")), (404, "PRV-0801"));
}

#[tokio::test]
async fn the_document_names_what_is_there() {
    let service = sqlite().await;
    let answer = service.raw("GET", "/api/v1/openapi.json", &[("authorization", "none")], "").await;
    assert_eq!((answer.status, answer.text("/openapi")), (200, "3.1.0"));
    let paths = answer.body["paths"].as_object().unwrap();
    assert_eq!(paths.len(), 6);
    let asks = |(path, item): &(&String, &Value)| item.get("post").is_some() && !path.starts_with("/jobs");
    for (path, item) in paths.iter().filter(asks) {
        // A body without anything is refused for what it lacks, which must be what the document requires.
        let refused = ask(&service, path, &json!({})).await;
        let required = item["post"]["requestBody"]["content"]["application/json"]["schema"]["required"][0].as_str();
        assert_eq!(refused.status, 400, "{path}");
        assert!(refused.text("/message").contains(&format!("missing field `{}`", required.unwrap())), "{path}");
        let refusal = ask(&service, path, &json!({ "unknown": 1 })).await;
        for name in item["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]
            .as_object()
            .unwrap()
            .keys()
        {
            assert!(refusal.text("/message").contains(&format!("`{name}`")), "{path} knows no `{name}`");
        }
    }
}
