//! Bulk requests into jobs: what is taken, what is refused and how, on both stores. What jobs make of them is tested where
//! jobs are.

use std::collections::BTreeMap;

use provost_model::JobName;
use provost_server::JobEntry;
use provost_testkit::Answer;
use serde_json::{Value, json};

use crate::token::Clients;
use crate::{ENTERPRISE, Service, header, on_both};

const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

on_both!(
    what_is_taken_waits,
    a_name_stands_for_one_operation,
    wrong_operations_do_not_keep_the_others_out,
    wrong_requests_are_refused_whole,
    large_and_deep_requests,
    two_at_once_keep_both,
);

/// One job to push into, one that reads files.
pub fn jobs() -> BTreeMap<JobName, JobEntry> {
    let pushed = JobEntry { pushed: Some("hr".into()), is_scheduled: true, ..JobEntry::default() };
    [("hr".into(), pushed), ("files".into(), JobEntry::default())].into()
}

fn post(bulk_id: &str, data: Value) -> Value {
    json!({ "method": "POST", "bulkId": bulk_id, "path": "/Users", "data": data })
}

fn ada() -> Value {
    json!({ "externalId": "7", "userName": "ada", "title": "Countess" })
}

fn bulk(operations: &[Value]) -> Value {
    json!({ "schemas": [BULK], "Operations": operations })
}

async fn push(service: &Service, body: &Value) -> Answer {
    raw(service, "hr", body.to_string()).await
}

async fn raw(service: &Service, job: &str, body: impl Into<bytes::Bytes>) -> Answer {
    let headers = [("content-type", "application/scim+json")];
    service.raw("POST", &format!("/api/v1/jobs/{job}/bulk"), &headers, body).await
}

/// Nothing was stored.
async fn nothing_taken(service: &Service) {
    assert_eq!(service.store.push_last("hr", "User").await.unwrap(), 0);
}

#[track_caller]
fn is_refused(answer: &Answer, status: u16, code: &str, word: &str) {
    assert_eq!((answer.status, answer.text("/code")), (status, code), "{:?}", answer.body);
    assert!(answer.text("/message").contains(word), "{:?}", answer.body);
    assert!(!answer.text("/hint").is_empty(), "{:?}", answer.body);
}

async fn what_is_taken_waits(service: Service) {
    let answer = push(&service, &bulk(&[post("1", ada())])).await;
    assert_eq!(answer.status, 202, "{:?}", answer.body);
    let location = header(&answer, "location").to_owned();
    let id = answer.text("/id");
    assert_eq!(location, format!("http://{}/api/v1/jobs/hr/bulk/{id}", service.address));
    let status = service.raw("GET", &format!("/api/v1/jobs/hr/bulk/{id}"), &[], "").await;
    assert_eq!((status.status, &status.body), (200, &answer.body));
    assert_eq!(status.text("/status"), "waiting");
    assert_eq!(status.body["counts"], json!({ "accepted": 1, "waiting": 1, "done": 0, "failed": 0 }));
    assert_eq!(status.body["Operations"], json!([{ "method": "POST", "bulkId": "1", "status": "202" }]));
    for path in ["/api/v1/jobs/hr/bulk/none", "/api/v1/jobs/files/bulk/x"] {
        assert_eq!(service.raw("GET", path, &[], "").await.status, 404, "{path}");
    }
    let row = service.store.push_record("hr", "User", "7").await.unwrap().unwrap();
    assert_eq!(serde_json::from_str::<Value>(&row.body).unwrap(), ada());
}

async fn a_name_stands_for_one_operation(service: Service) {
    let two = [post("1", ada()), post("2", json!({ "externalId": "8", "userName": "bob" }))];
    assert_eq!(push(&service, &bulk(&two)).await.status, 202);
    let last = service.store.push_last("hr", "User").await.unwrap();
    // The order of keys says nothing.
    let again = json!({ "title": "Countess", "userName": "ada", "externalId": "7" });
    let answer = push(&service, &bulk(&[post("1", again)])).await;
    assert_eq!((answer.status, &answer.body["Operations"][0]["repeated"]), (202, &json!(true)), "{:?}", answer.body);
    let mut other = ada();
    other["title"] = json!("Duchess");
    let answer = push(&service, &bulk(&[post("1", other.clone())])).await;
    is_refused(&answer, 409, "PRV-0805", "bulkId 1 was used for another operation");
    // Beside others it is that operation's failure alone.
    let answer = push(&service, &bulk(&[post("1", other.clone()), post("3", other)])).await;
    let statuses = |answer: &Answer| {
        [answer.text("/Operations/0/status").to_owned(), answer.text("/Operations/1/status").to_owned()]
    };
    assert_eq!(statuses(&answer), ["409", "202"]);
    assert_eq!(answer.body["counts"], json!({ "accepted": 1, "waiting": 1, "done": 0, "failed": 1 }));
    assert_eq!(service.store.push_last("hr", "User").await.unwrap(), last + 1);
    let row = service.store.push_record("hr", "User", "7").await.unwrap().unwrap();
    assert!(row.body.contains("Duchess") && row.seq == last + 1);
}

async fn wrong_operations_do_not_keep_the_others_out(service: Service) {
    let at = |method: &str, path: &str| json!({ "method": method, "bulkId": format!("{method}{path}"), "path": path, "data": ada() });
    let deep = json!({ "externalId": "1", "name": { "givenName": 7 } });
    for (wrong, status, word) in [
        (at("FETCH", "/Users"), "400", "method has to be"),
        (at("", "/Users"), "400", "method has to be"),
        (json!({ "method": 7, "path": "/Users", "bulkId": "m" }), "400", "method has to be"),
        (at("POST", "/Usrs"), "400", "there is no `/Usrs`"),
        (at("POST", "/Users/7"), "400", "path has to be relative"),
        (at("POST", "http://else/Users"), "400", "path has to be relative"),
        (at("POST", ""), "400", "path has to be relative"),
        (at("PUT", "/Users"), "400", "path has to be relative"),
        (at("PUT", "/Users/8"), "400", "externalId"),
        (at("PATCH", "/Users/9"), "404", "9"),
        (at("DELETE", "/Users/9"), "404", "9"),
        (json!({ "method": "POST", "path": "/Users", "data": ada() }), "400", "bulkId"),
        (json!({ "method": "DELETE", "path": "/Users/7" }), "400", "bulkId is missing"),
        (post("", ada()), "400", "bulkId"),
        (post(&"x".repeat(600), ada()), "400", "bulkId has to be"),
        (post("nul\0", ada()), "400", "bulkId has to be"),
        (post("a", json!({ "userName": "ada" })), "400", "no externalId"),
        (post("a", json!({ "externalId": 7 })), "400", "no externalId"),
        (post("a", json!({ "externalId": "x\0" })), "400", "externalId has to be"),
        (post("a", json!([])), "400", "data has to be an object"),
        (post("a", deep), "400", "givenName"),
        (
            post("a", json!({ "externalId": "1", ENTERPRISE: { "manager": { "value": "bulkId:none" } } })),
            "409",
            "bulkId:none",
        ),
        (
            json!({ "method": "POST", "path": "/Users", "bulkId": "v", "version": "W/\"1\"", "data": ada() }),
            "400",
            "version",
        ),
        (json!(7), "400", "has to be an object"),
    ] {
        let alone = push(&service, &bulk(std::slice::from_ref(&wrong))).await;
        is_refused(&alone, status.parse().unwrap(), "PRV-0805", word);
        nothing_taken(&service).await;
    }
    let answer = push(&service, &bulk(&[at("FETCH", "/Users"), post("1", ada())])).await;
    assert_eq!(
        (answer.status, answer.text("/Operations/0/status"), answer.text("/Operations/1/status")),
        (202, "400", "202")
    );
    assert_eq!(answer.text("/Operations/0/response/scimType"), "invalidSyntax");
}

async fn wrong_requests_are_refused_whole(service: Service) {
    for (body, word) in [
        (json!({}), "schemas"),
        (json!([]), "JSON object"),
        (json!({ "schemas": [BULK] }), "Operations has to be a list"),
        (json!({ "schemas": [BULK], "Operations": {} }), "Operations has to be a list"),
        (json!({ "schemas": [BULK], "Operations": [] }), "empty"),
        (json!({ "schemas": ["urn:else"], "Operations": [post("1", ada())] }), "schemas"),
        (json!({ "schemas": [BULK], "Operations": [post("1", ada())], "failOnErrors": 1 }), "failOnErrors"),
    ] {
        is_refused(&push(&service, &body).await, 400, "PRV-0801", word);
    }
    for body in ["", "{", "null", "\u{feff}{}"] {
        is_refused(&raw(&service, "hr", body).await, 400, "PRV-0801", "JSON");
    }
    let path = "/api/v1/jobs/hr/bulk";
    let text = bulk(&[post("1", ada())]).to_string();
    is_refused(
        &service.raw("POST", path, &[("content-type", "text/csv")], text.clone()).await,
        415,
        "PRV-0801",
        "text/csv",
    );
    is_refused(&raw(&service, "files", text.clone()).await, 409, "PRV-0806", "files");
    is_refused(&raw(&service, "nobody", text.clone()).await, 404, "PRV-0801", "nobody");
    is_refused(&raw(&service, "%FF", text.clone()).await, 400, "PRV-0801", "UTF-8");
    let got = service.raw("GET", path, &[], "").await;
    assert_eq!((got.status, header(&got, "allow")), (405, "POST"));
    let put = service.raw("PUT", "/api/v1/jobs/hr/bulk/x", &[], text).await;
    assert_eq!((put.status, header(&put, "allow")), (405, "GET"));
    nothing_taken(&service).await;
}

async fn large_and_deep_requests(service: Service) {
    let many = |count: usize| {
        bulk(&(0..count).map(|at| post(&at.to_string(), json!({ "externalId": at.to_string() }))).collect::<Vec<_>>())
    };
    is_refused(&push(&service, &many(2001)).await, 413, "PRV-0801", "2000");
    let long = bulk(&[post("1", json!({ "externalId": "1", "title": "x".repeat(9 << 20) }))]);
    is_refused(&push(&service, &long).await, 413, "PRV-0801", "8 MiB");
    for depth in [130, 10_000, 1_000_000] {
        let deep = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        is_refused(&raw(&service, "hr", "[".repeat(depth)).await, 400, "PRV-0801", "JSON");
        let text = bulk(&[post("1", json!({ "externalId": "1", "x": "DEEP" }))]).to_string().replace("\"DEEP\"", &deep);
        is_refused(&raw(&service, "hr", text).await, 400, "PRV-0801", "JSON");
    }
    nothing_taken(&service).await;
    let taken = push(&service, &many(2000)).await;
    assert_eq!((taken.status, &taken.body["counts"]["accepted"]), (202, &json!(2000)), "{:?}", taken.body);
}

async fn two_at_once_keep_both(service: Service) {
    let sent = |name: &str, value: &str| {
        let mut data = json!({ "externalId": "7" });
        data[name] = json!(value);
        bulk(&[post(name, data)])
    };
    let names = ["title", "nickName", "userType", "locale", "timezone", "preferredLanguage", "displayName", "userName"];
    let bodies: Vec<Value> = names.iter().map(|name| sent(name, name)).collect();
    let (a, b, c, d, e, f, g, h) = tokio::join!(
        push(&service, &bodies[0]),
        push(&service, &bodies[1]),
        push(&service, &bodies[2]),
        push(&service, &bodies[3]),
        push(&service, &bodies[4]),
        push(&service, &bodies[5]),
        push(&service, &bodies[6]),
        push(&service, &bodies[7]),
    );
    assert!([a, b, c, d, e, f, g, h].iter().all(|answer| answer.status == 202));
    let row = service.store.push_record("hr", "User", "7").await.unwrap().unwrap();
    let object: Value = serde_json::from_str(&row.body).unwrap();
    assert!(names.iter().all(|name| object[name] == *name), "{object}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rights_are_those_of_the_job() {
    let all = Clients::start().await;
    let body = |id: &str| bulk(&[post(id, ada())]).to_string();
    let send = async |token: &str, body: String| {
        let headers = [("authorization", token), ("content-type", "application/scim+json")];
        all.service.raw("POST", "/api/v1/jobs/hr/bulk", &headers, body).await
    };
    let mut place = String::new();
    for (rights, pushes) in [
        ("all", 202),
        ("write", 202),
        ("jobs:write", 202),
        ("jobs:write:hr", 202),
        ("jobs:write:files", 403),
        ("jobs:read", 403),
        ("read", 403),
        ("scim:write", 403),
        ("scim:write:User", 403),
    ] {
        let token = all.client(rights, json!({})).await;
        let answer = send(&token, body(rights)).await;
        assert_eq!(answer.status, pushes, "{rights}: {:?}", answer.body);
        if pushes == 202 {
            place = format!("/api/v1/jobs/hr/bulk/{}", answer.text("/id"));
        }
    }
    for (rights, reads) in
        [("jobs:read", 200), ("jobs:write:hr", 200), ("read", 200), ("scim:read", 403), ("jobs:read:files", 403)]
    {
        let token = all.client(rights, json!({})).await;
        assert_eq!(all.service.raw("GET", &place, &[("authorization", &token)], "").await.status, reads, "{rights}");
    }
    // A right on a job gives nothing else.
    let feed = all.client("jobs:write", json!({})).await;
    assert_eq!(all.service.raw("GET", "/scim/v2/Users", &[("authorization", &feed)], "").await.status, 403);
    // Who may not know whether a job is there does not hear of it.
    let headers = [("authorization", feed.as_str())];
    assert_eq!(all.service.raw("POST", "/api/v1/jobs/nobody/bulk", &headers, "").await.status, 404);
    let other = all.client("jobs:write:files", json!({})).await;
    assert_eq!(all.service.raw("POST", "/api/v1/jobs/nobody/bulk", &[("authorization", &other)], "").await.status, 403);
    assert_eq!(
        all.service.raw("POST", "/api/v1/jobs/hr/bulk", &[("authorization", "Bearer no")], "").await.status,
        401
    );

    let groups = all.client("write", json!({ "types": ["Group"] })).await;
    is_refused(&send(&groups, body("g")).await, 403, "PRV-0805", "User");
    let slow = all.client("write", json!({ "rate": 0.5, "burst": 1 })).await;
    assert_eq!(send(&slow, body("s")).await.status, 202);
    let answer = send(&slow, body("t")).await;
    assert_eq!((answer.status, header(&answer, "retry-after")), (429, "2"));
}
