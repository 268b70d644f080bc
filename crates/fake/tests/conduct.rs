//! What is held against a client: for each check one that does wrong, and one that does right.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use provost_fake::{Dialect, FakeTarget, Fault, Options, Rule};
use provost_testkit::Http;
use serde_json::{Value, json};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

async fn target(dialect: &str, faults: Vec<Rule>) -> (FakeTarget, Http) {
    let dialect = Dialect::named(dialect).unwrap();
    let target = FakeTarget::start(Options { dialect, faults, ..Options::default() }).await.unwrap();
    let http = Http::new(target.url(), Some(target.token()));
    (target, http)
}

fn user(name: &str) -> Value {
    json!({ "schemas": [USER], "userName": name })
}

fn state(target: &FakeTarget, id: &str) -> (&'static str, Option<String>) {
    let check = target.report().into_iter().find(|check| check.id == id).unwrap();
    (check.state(), check.evidence)
}

fn find(name: &str) -> String {
    format!("/Users?filter={}", provost_testkit::http::encode(&format!("userName eq \"{name}\"")))
}

#[tokio::test]
async fn a_create_whose_answer_was_lost() {
    for looks in [false, true] {
        let lost = Rule::new(Fault::DropAfter).method("POST").first(1);
        let (target, http) = target("rfc", vec![lost]).await;
        assert!(http.send("POST", "/Users", Some(&user("ada"))).await.is_err());
        if looks {
            assert_eq!(http.get(&find("ada")).await.unwrap().body["totalResults"], 1);
            assert_eq!(state(&target, "lost-create").0, "not seen");
        }
        assert_eq!(http.send("POST", "/Users", Some(&user("ada"))).await.unwrap().status, 409);
        let want = if looks { "good" } else { "violated" };
        assert_eq!(state(&target, "lost-create").0, want);
        assert_eq!(state(&target, "retry-after").0, "not seen");
    }
}

#[tokio::test]
async fn an_object_that_does_not_match() {
    for trusts in [true, false] {
        let (target, http) = target("no-filter", Vec::new()).await;
        http.send("POST", "/Users", Some(&user("ada"))).await.unwrap();
        let found = http.get(&find("bob")).await.unwrap();
        let id = found.text("/Resources/0/id").to_owned();
        let patch = json!({ "schemas": [PATCH], "Operations": [{ "op": "add", "path": "title", "value": "x" }] });
        if trusts {
            http.send("PATCH", &format!("/Users/{id}"), Some(&patch)).await.unwrap();
        } else {
            http.send("POST", "/Users", Some(&user("bob"))).await.unwrap();
            // Asked for by her own name she is no stranger.
            http.get(&find("ada")).await.unwrap();
            http.send("PATCH", &format!("/Users/{id}"), Some(&patch)).await.unwrap();
        }
        assert_eq!(state(&target, "verify-match").0, if trusts { "violated" } else { "good" });
    }
}

#[tokio::test]
async fn what_is_refused_and_what_has_to_wait() {
    let wait = Rule::new(Fault::Status(429, Some(1))).path("/scim/v2/Groups").nth(1);
    let (target, http) = target("rfc", vec![wait]).await;
    let wrong = json!({ "schemas": [USER] });
    http.send("POST", "/Users", Some(&wrong)).await.unwrap();
    http.send("POST", "/Users", Some(&user("ada"))).await.unwrap();
    http.send("POST", "/Users", Some(&wrong)).await.unwrap();
    assert_eq!(state(&target, "repeat").0, "good", "something has changed in between");
    http.send("POST", "/Users", Some(&wrong)).await.unwrap();
    assert_eq!(state(&target, "repeat"), ("violated", Some("POST /Users again, as it was refused".to_owned())));

    http.get("/Groups").await.unwrap();
    http.get("/Groups").await.unwrap();
    assert_eq!(state(&target, "retry-after").0, "violated");
    target.set_faults(vec![Rule::new(Fault::Status(429, Some(1))).path("/scim/v2/Schemas").nth(1)]);
    http.get("/Schemas").await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_050)).await;
    http.get("/Schemas").await.unwrap();
    assert_eq!(target.report().iter().find(|check| check.id == "retry-after").unwrap().good, 1);
}

#[tokio::test]
async fn writes_for_nothing_and_lists_that_go_on() {
    let (target, http) = target("small-pages", Vec::new()).await;
    for name in ["a", "b", "c", "d"] {
        http.send("POST", "/Users", Some(&user(name))).await.unwrap();
    }
    let list = http.get("/Users").await.unwrap();
    assert_eq!(list.body["Resources"].as_array().unwrap().len(), 3);
    assert_eq!(state(&target, "next-page"), ("violated", Some("GET /Users: stopped before 4 of 4".to_owned())));
    http.get("/Users?startIndex=4").await.unwrap();
    assert_eq!(state(&target, "next-page").0, "good");
    let path = format!("/Users/{}", list.text("/Resources/0/id"));
    let title =
        |text: &str| json!({ "schemas": [PATCH], "Operations": [{ "op": "replace", "path": "title", "value": text }] });
    http.send("PATCH", &path, Some(&title("x"))).await.unwrap();
    http.send("PATCH", &path, Some(&title("y"))).await.unwrap();
    assert_eq!(state(&target, "noop").0, "good");
    http.send("PATCH", &path, Some(&title("y"))).await.unwrap();
    assert_eq!(state(&target, "noop").0, "violated");
    assert_eq!(state(&target, "token-in-url").0, "good");
    http.get(&format!("/Users?token={}", target.token())).await.unwrap();
    assert_eq!(state(&target, "token-in-url").0, "violated");
    assert_eq!((state(&target, "accept").0, state(&target, "content-type").0), ("good", "good"));
    // The same over HTTP, for whoever has no handle.
    let report = Http::new(target.url().replace("/scim/v2", ""), None).get("/fake/report").await.unwrap();
    assert_eq!(report.body["checks"].as_array().unwrap().len(), target.report().len());
}
