//! Dialects and faults over real HTTP: a request that shows each.
#![allow(clippy::unwrap_used, reason = "tests")]

use provost_fake::{Dialect, FakeTarget, Fault, Options, Rule};
use provost_testkit::Http;
use serde_json::{Value, json};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

async fn target(dialect: &str) -> (FakeTarget, Http) {
    let dialect = Dialect::named(dialect).unwrap();
    let target = FakeTarget::start(Options { dialect, ..Options::default() }).await.unwrap();
    let http = Http::new(target.url(), Some(target.token()));
    (target, http)
}

fn user(name: &str) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name })
}

fn group(members: &[&str]) -> Value {
    let members: Vec<_> = members.iter().map(|id| json!({ "value": id })).collect();
    json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "g", "members": members })
}

fn patch(path: &str, value: Value) -> Value {
    json!({ "schemas": [PATCH], "Operations": [{ "op": "replace", "path": path, "value": value }] })
}

/// Status of a PATCH, a PUT and a read of the configuration.
async fn ways(dialect: &str) -> (u16, u16, u16) {
    let (_target, http) = target(dialect).await;
    let made = http.send("POST", "/Users", Some(&user("ada"))).await.unwrap();
    assert_eq!(made.status, 201, "{dialect}: {}", made.body);
    let path = format!("/Users/{}", made.text("/id"));
    let patched = http.send("PATCH", &path, Some(&patch("displayName", json!("Ada")))).await.unwrap();
    let put = http.send("PUT", &path, Some(&user("ada"))).await.unwrap();
    (patched.status, put.status, http.get("/ServiceProviderConfig").await.unwrap().status)
}

#[tokio::test]
async fn methods_and_discovery_follow_the_dialect() {
    assert_eq!(ways("rfc").await, (200, 200, 200));
    assert_eq!(ways("put-only").await, (501, 200, 200));
    assert_eq!(ways("entra-server").await, (204, 405, 200));
    assert_eq!(ways("salesforce").await, (200, 200, 404));
    assert_eq!(ways("no-discovery").await, (200, 200, 404));
    let (_target, http) = target("salesforce").await;
    assert_eq!(http.get("/ServiceProviderConfigs").await.unwrap().status, 200);
}

#[tokio::test]
async fn an_ignored_filter_lists_everything() {
    for (dialect, expected) in [("rfc", 0), ("no-filter", 1)] {
        let (_target, http) = target(dialect).await;
        http.send("POST", "/Users", Some(&user("ada"))).await.unwrap();
        let list = http.get("/Users?filter=userName%20eq%20%22bob%22").await.unwrap();
        assert_eq!(list.body["totalResults"], expected, "{dialect}: {}", list.body);
    }
}

#[tokio::test]
async fn members_follow_the_dialect() {
    for (dialect, shown, filtered, many) in
        [("rfc", 1, 200, 200), ("aws", 0, 200, 413), ("no-path-filters", 1, 400, 200)]
    {
        let (target, http) = target(dialect).await;
        let ada = http.send("POST", "/Users", Some(&user("ada"))).await.unwrap();
        let made = http.send("POST", "/Groups", Some(&group(&[ada.text("/id")]))).await.unwrap();
        let path = format!("/Groups/{}", made.text("/id"));
        let read = http.get(&path).await.unwrap();
        assert_eq!(read.body["members"].as_array().map_or(0, Vec::len), shown, "{dialect}: {}", read.body);
        // The same one many times: what counts is how many the request names.
        let value = vec![json!({ "value": ada.text("/id") }); 101];
        let answer = http.send("PATCH", &path, Some(&patch("members", json!(value)))).await.unwrap();
        assert_eq!(answer.status, many, "{dialect}: {}", answer.body);
        let selector = format!("members[value eq \"{}\"]", ada.text("/id"));
        let remove = json!({ "schemas": [PATCH], "Operations": [{ "op": "remove", "path": selector }] });
        let answer = http.send("PATCH", &path, Some(&remove)).await.unwrap();
        assert_eq!(answer.status, filtered, "{dialect}: {}", answer.body);
        assert!(target.requests().iter().all(|request| request.status.is_some()));
    }
}

#[tokio::test]
async fn answers_follow_the_dialect() {
    for (dialect, kind, location, times) in
        [("rfc", "application/scim+json", true, true), ("fortinet", "text/html", false, false)]
    {
        let (_target, http) = target(dialect).await;
        let made = http.send("POST", "/Users", Some(&user("ada"))).await.unwrap();
        assert!(made.headers["content-type"].to_str().unwrap().starts_with(kind), "{dialect}");
        assert_eq!(made.headers.contains_key("location"), location, "{dialect}");
        assert_eq!(made.body["meta"].get("created").is_some(), times, "{dialect}: {}", made.body);
    }
    let (_target, http) = target("slack").await;
    for (name, status) in [("a2345678901234567890", 201), ("a23456789012345678901", 400)] {
        assert_eq!(http.send("POST", "/Users", Some(&user(name))).await.unwrap().status, status, "{name}");
    }
}

#[tokio::test]
async fn odd_answers() {
    let (_target, http) = target("text").await;
    let body = json!({ "schemas": [USER], "userName": "ada", "active": true });
    assert_eq!(http.send("POST", "/Users", Some(&body)).await.unwrap().body["active"], "True");
    assert_eq!(http.get("/Users").await.unwrap().body["totalResults"], "1");
    let (_target, http) = target("entra-server").await;
    let made = http.send("POST", "/Users", Some(&body)).await.unwrap();
    assert_eq!(made.body["meta"]["resourceType"], "user");
    let list = http.get("/Users").await.unwrap();
    assert!(list.body["resources"].is_array() && list.body.get("Resources").is_none(), "{}", list.body);
    assert_eq!(http.get("/Users?count=0").await.unwrap().status, 400);
    assert_eq!(http.get("/Users/nobody").await.unwrap().status, 400);
    let (_target, http) = target("fortinet").await;
    let error = http.get("/Users/nobody").await.unwrap();
    assert_eq!((error.status, error.body.get("status")), (404, None));
    let (_target, http) = target("normalising").await;
    let emails = json!([{ "value": "ADA@X.org", "type": "work" }]);
    let made =
        http.send("POST", "/Users", Some(&json!({ "schemas": [USER], "userName": "a", "emails": emails }))).await;
    assert_eq!(made.unwrap().text("/emails/0/value"), "ada@x.org");
}

#[tokio::test]
async fn odd_wishes() {
    for (dialect, filter, status) in [
        ("rfc", "userName eq \"a\" or title pr", 200),
        ("aws", "userName eq \"a\" or title pr", 400),
        ("aws", "userName eq \"a\" and externalId eq \"b\"", 200),
        ("atlassian", "userName eq \"a\" and externalId eq \"b\"", 400),
        ("entra-only", "userName sw \"a\"", 400),
    ] {
        let (_target, http) = target(dialect).await;
        let query = format!("/Users?filter={}", provost_testkit::http::encode(filter));
        assert_eq!(http.get(&query).await.unwrap().status, status, "{dialect} {filter}");
    }
    for (dialect, op, value, status) in
        [("entra-only", "replace", json!("x"), 400), ("entra-only", "Replace", json!("x"), 200)]
    {
        let (_target, http) = target(dialect).await;
        let made = http.send("POST", "/Users", Some(&user("ada"))).await.unwrap();
        let body = json!({ "schemas": [PATCH], "Operations": [{ "op": op, "path": "title", "value": value }] });
        let answer = http.send("PATCH", &format!("/Users/{}", made.text("/id")), Some(&body)).await.unwrap();
        assert_eq!(answer.status, status, "{dialect} {op}");
    }
    let (_target, http) = target("aws").await;
    let two = json!({ "schemas": [USER], "userName": "a", "emails": [{ "value": "a@x" }, { "value": "b@x" }] });
    assert_eq!(http.send("POST", "/Users", Some(&two)).await.unwrap().status, 400);
}

#[tokio::test]
async fn what_is_shown_late_in_part_or_not_at_all() {
    let (_target, http) = target("eventual").await;
    let made = http.send("POST", "/Users", Some(&user("ada"))).await.unwrap();
    assert_eq!(http.get("/Users").await.unwrap().body["totalResults"], 0);
    assert_eq!(http.get(&format!("/Users/{}", made.text("/id"))).await.unwrap().status, 200);
    tokio::time::sleep(std::time::Duration::from_millis(350)).await;
    assert_eq!(http.get("/Users").await.unwrap().body["totalResults"], 1);
    let (_target, http) = target("truncated").await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(http.send("POST", "/Users", Some(&user(name))).await.unwrap().text("/id").to_owned());
    }
    let made = http.send("POST", "/Groups", Some(&group(&[&ids[0], &ids[1], &ids[2]]))).await.unwrap();
    let read = http.get(&format!("/Groups/{}", made.text("/id"))).await.unwrap();
    assert_eq!(read.body["members"].as_array().unwrap().len(), 2);
    let (_target, http) = target("slack").await;
    let made = http.send("POST", "/Users", Some(&user("ada"))).await.unwrap();
    let path = format!("/Users/{}", made.text("/id"));
    assert_eq!(http.send("DELETE", &path, None).await.unwrap().status, 204);
    assert_eq!(http.get(&path).await.unwrap().body["active"], false);
}

#[tokio::test]
async fn a_lost_answer_leaves_its_work_and_a_lost_request_none() {
    for (fault, left) in [(Fault::DropBefore, 0), (Fault::DropAfter, 1), (Fault::Status(429, Some(7)), 0)] {
        let (target, http) = target("rfc").await;
        target.set_faults(vec![Rule::new(fault).method("POST").path("/scim/v2/Users").first(1)]);
        let answer = http.send("POST", "/Users", Some(&user("ada"))).await;
        match (fault, answer) {
            (Fault::Status(..), Ok(answer)) => {
                assert_eq!((answer.status, answer.headers["retry-after"].to_str().unwrap()), (429, "7"));
            }
            (_, answer) => assert!(answer.is_err(), "{fault:?}: {answer:?}"),
        }
        let list = http.get("/Users").await.unwrap();
        assert_eq!(list.body["totalResults"], left, "{fault:?}");
        assert_eq!(target.requests()[0].fault, fault);
    }
}
