//! Dialects and faults over real HTTP: a request that shows each.
#![allow(clippy::unwrap_used, reason = "tests")]

use provost_fake::{Dialect, FakeTarget, Fault, Options, Rule};
use provost_testkit::Http;
use serde_json::{Value, json};

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
