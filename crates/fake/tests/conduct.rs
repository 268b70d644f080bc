//! What is held against a client: for each check one that does wrong, and one that does right.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

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

#[tokio::test]
async fn filters_that_others_would_not_read() {
    for (filter, wrong) in [
        (r#"userName eq "a\"b\\c""#, None),
        (r#"userName eq "a"b""#, Some("a quote that is not escaped")),
        (r#"userName eq "a\d""#, Some("a backslash that is not escaped")),
        (r#"userName eq "corp\bob""#, Some("a backslash that is not escaped")),
        (r#"userName eq "R"#, Some("a text without its end")),
    ] {
        let (target, http) = target("rfc", Vec::new()).await;
        http.send("POST", "/Users", Some(&user(r"corp\bob"))).await.unwrap();
        http.get(&format!("/Users?filter={}", provost_testkit::http::encode(filter))).await.unwrap();
        let want = match wrong {
            None => ("good", None),
            Some(wrong) => ("violated", Some(format!("GET /Users: {wrong}"))),
        };
        assert_eq!(state(&target, "filter-quoting"), want, "{filter}");
    }
    // As some clients write it, and hyper alone would refuse it before anybody sees it.
    let (target, _) = target("rfc", Vec::new()).await;
    let headers = ["Authorization: Bearer {token}", "Accept: application/json"];
    let line = "GET /scim/v2/Users?filter=userName+eq+\"a\"";
    let answer = support::raw(&target, line, &headers, "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!((state(&target, "filter-quoting").0, state(&target, "encoding").0), ("good", "violated"));
    support::raw(&target, "GET /scim/v2/Users?filter=userName+eq+\"a\\d\"", &headers, "").await;
    assert_eq!(state(&target, "filter-quoting").0, "violated");
}

#[tokio::test]
async fn what_addresses_tell_of_people() {
    let search =
        |filter: &str| json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": filter });
    for (dialect, want) in [("rfc", "violated"), ("aws", "not seen")] {
        let (target, http) = target(dialect, Vec::new()).await;
        http.get(&find("ada")).await.unwrap();
        assert_eq!(state(&target, "personal-in-url").0, want, "{dialect}");
    }
    let (target, http) = target("rfc", Vec::new()).await;
    http.send("POST", "/Users/.search", Some(&search("userName eq \"ada\""))).await.unwrap();
    assert_eq!((state(&target, "personal-in-url").0, state(&target, "password-in-url").0), ("good", "good"));
    http.send("POST", "/Users/.search", Some(&search("password eq \"x\""))).await.unwrap();
    assert_eq!(state(&target, "password-in-url").0, "violated");
}

#[tokio::test]
async fn refusals_that_are_asked_for_again() {
    for (line, method, again) in [
        ("status=400", "GET", "violated"),
        ("status=403", "GET", "violated"),
        ("status=404", "GET", "not seen"),
        ("status=409", "PATCH", "violated"),
        ("status=412", "PATCH", "violated"),
        ("status=404", "DELETE", "violated"),
        ("status=500", "PATCH", "not seen"),
    ] {
        let (target, http) = target("rfc", support::rules(&[line])).await;
        let body = (method == "PATCH").then(|| support::patch("add", "title", json!("x")));
        for _ in 0..2 {
            http.send(method, "/Users/1", body.as_ref()).await.unwrap();
        }
        assert_eq!(state(&target, "repeat").0, again, "{line} {method}");
    }
    // With another version it is another request.
    let (target, _) = target("rfc", support::rules(&["status=412"])).await;
    let body = support::patch("add", "title", json!("x")).to_string();
    for tag in ["If-Match: \"1\"", "If-Match: \"2\""] {
        support::raw(&target, "PATCH /scim/v2/Users/1", &[tag, "Content-Type: application/scim+json"], &body).await;
    }
    assert_eq!(state(&target, "repeat").0, "good");
}

#[tokio::test]
async fn creates_that_nobody_knows_the_end_of() {
    for line in ["drop-before first=1 POST", "status=502 first=1 POST", "cut first=1 POST", "torn first=1 POST"] {
        let (target, http) = target("rfc", support::rules(&[line])).await;
        let _ = http.send("POST", "/Users", Some(&user("ada"))).await;
        http.send("POST", "/Users", Some(&user("ada"))).await.unwrap();
        assert_eq!(state(&target, "lost-create").0, "violated", "{line}");
    }
    for looks in [false, true] {
        let (target, http) = target("rfc", support::rules(&["slow=5000 first=1 POST"])).await;
        let body = user("ada");
        let create = http.send("POST", "/Users", Some(&body));
        assert!(tokio::time::timeout(Duration::from_millis(300), create).await.is_err());
        tokio::time::sleep(Duration::from_millis(100)).await;
        if looks {
            http.get(&find("ada")).await.unwrap();
        }
        assert_eq!(http.send("POST", "/Users", Some(&body)).await.unwrap().status, 409);
        assert_eq!(state(&target, "lost-create").0, if looks { "good" } else { "violated" });
    }
}

#[tokio::test]
async fn dates_in_retry_after_count() {
    let wait = "status=429,date:30 nth=1 /Groups";
    let (target, http) = target("rfc", support::rules(&[wait])).await;
    http.get("/Groups").await.unwrap();
    http.get("/Groups").await.unwrap();
    assert_eq!(state(&target, "retry-after").0, "violated");
}

#[tokio::test]
async fn who_it_is_and_what_it_sends() {
    let auth = "Authorization: Bearer {token}";
    let good = [auth, "Accept: application/scim+json", "User-Agent: test/1", "Content-Type: application/scim+json"];
    for (headers, bad) in [
        (vec![good[0], good[1], good[2], good[3]], vec![]),
        (vec![auth], vec!["content-type", "accept", "user-agent"]),
        (vec![good[0], good[2], "Accept: text/html", "Content-Type: text/plain"], vec!["content-type", "accept"]),
    ] {
        let (target, _) = target("rfc", Vec::new()).await;
        support::raw(&target, "POST /scim/v2/Users", &headers, &user("ada").to_string()).await;
        let seen: Vec<_> = target.report().iter().filter(|check| check.bad > 0).map(|check| check.id).collect();
        assert_eq!(seen, bad, "{headers:?}");
    }
}

#[tokio::test]
async fn more_members_than_the_target_takes() {
    let (target, http) = target("aws", Vec::new()).await;
    let made = http.send("POST", "/Groups", Some(&support::group("g", &[]))).await.unwrap();
    let path = format!("/Groups/{}", made.text("/id"));
    for (many, want) in [(100, "good"), (101, "violated")] {
        let members = json!(vec![json!({ "value": "x" }); many]);
        http.send("PATCH", &path, Some(&support::patch("add", "members", members))).await.unwrap();
        assert_eq!(state(&target, "members-per-request").0, want);
    }
}
