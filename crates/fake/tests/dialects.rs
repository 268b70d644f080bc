//! What the dialects of real applications do otherwise, over real HTTP: a request that is taken and one that is not.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use provost_fake::{Dialect, Rate};
use provost_testkit::http::encode;
use serde_json::{Value, json};
use support::*;

/// Statuses of a search for users.
async fn searches(dialect: &str, filters: &[&str]) -> Vec<u16> {
    let (_target, http) = target(dialect).await;
    let mut seen = Vec::new();
    for filter in filters {
        seen.push(http.get(&find(filter)).await.unwrap().status);
    }
    seen
}

#[tokio::test]
async fn filters() {
    for (dialect, filter, status) in [
        ("atlassian", "userName eq \"a\"", 200),
        ("atlassian", "title eq \"a\"", 400),
        ("hcp-terraform", "externalId eq \"a\"", 200),
        ("hcp-terraform", "emails.value eq \"a\"", 400),
        ("hcp-terraform", "userName co \"a\"", 400),
        ("fuze", "externalId eq \"a\"", 200),
        ("fuze", "userName eq \"a\"", 400),
    ] {
        assert_eq!(searches(dialect, &[filter]).await, [status], "{dialect} {filter}");
    }
    let tree = |terms: usize| vec!["userName eq \"a\""; terms].join(" or ");
    assert_eq!(searches("databricks", &[&tree(200), &tree(201)]).await, [200, 400]);
}

#[tokio::test]
async fn headers() {
    let auth = "Authorization: Bearer {token}";
    let any = ["Accept: application/json", "User-Agent: test/1"];
    for (dialect, line, headers, status) in [
        ("github", "GET /scim/v2/Users", vec![auth, any[0], any[1]], 200),
        ("github", "GET /scim/v2/Users", vec![auth, any[0]], 403),
        ("zoom", "GET /scim/v2/Users", vec![auth, "Accept: application/scim+json"], 200),
        ("zoom", "GET /scim/v2/Users", vec![auth, any[0]], 406),
        ("entra-server", "DELETE /scim/v2/Users/x", vec![auth], 400),
        ("entra-server", "GET /scim/v2/Users", vec![auth, any[0]], 200),
        ("zscaler", "GET /scim/v2/ServiceProviderConfig", vec![], 200),
        ("zscaler", "GET /scim/v2/Users", vec![], 401),
        ("rfc", "GET /scim/v2/Users", vec![], 401),
    ] {
        let (target, _) = target(dialect).await;
        let answer = raw(&target, line, &headers, "").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{dialect} {line} {headers:?}: {answer}");
    }
    let (target, http) = target("entra-server").await;
    let path = format!("/Users/{}", make(&http, &["ada"]).await[0]);
    assert_eq!(http.send("DELETE", &path, None).await.unwrap().status, 400, "it sends Accept");
    let answer = raw(&target, &format!("DELETE /scim/v2{path}"), &[auth], "").await;
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
}

#[tokio::test]
async fn writes() {
    let (_target, http) = target("aws").await;
    let ids = make(&http, &["a", "b"]).await;
    let made = http.send("POST", "/Groups", Some(&group("g", &ids[..1]))).await.unwrap();
    let path = format!("/Groups/{}", made.text("/id"));
    let member = json!([{ "value": ids[1] }]);
    let remove_all = json!({ "schemas": [PATCH], "Operations": [{ "op": "remove", "path": "members" }] });
    for (body, status) in
        [(patch("replace", "members", member.clone()), 400), (remove_all, 400), (patch("add", "members", member), 200)]
    {
        assert_eq!(http.send("PATCH", &path, Some(&body)).await.unwrap().status, status, "{body}");
    }
    let mut body = user("p");
    body["password"] = "Secret-123456".into();
    assert_eq!(http.send("POST", "/Users", Some(&body)).await.unwrap().status, 400);
    let search = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"] });
    assert_eq!(http.send("POST", "/Users/.search", Some(&search)).await.unwrap().status, 404);
    assert_eq!(http.send("POST", "/Bulk", Some(&json!({}))).await.unwrap().status, 404);

    let (_target, http) = target("salesforce").await;
    let ids = make(&http, &["a"]).await;
    let made = http.send("POST", "/Groups", Some(&group("g", &[]))).await.unwrap();
    let nested = patch("add", "members", json!({ "members": [{ "value": ids[0] }] }));
    let answer = http.send("PATCH", &format!("/Groups/{}", made.text("/id")), Some(&nested)).await.unwrap();
    assert_eq!((answer.status, answer.text("/members/0/value")), (200, ids[0].as_str()), "{}", answer.body);

    for (dialect, operation, status) in [
        ("sentry", patch("replace", "active", json!(false)), 200),
        ("sentry", patch("replace", "active", json!("True")), 400),
        (
            "sentry",
            json!({ "schemas": [PATCH], "Operations": [{ "op": "replace", "value": { "active": true } }] }),
            400,
        ),
        ("sentry", patch("replace", "title", json!("x")), 400),
        ("fuze", patch("add", "title", json!("x")), 200),
        ("fuze", patch("add", "entitlements", json!([{ "value": "x" }])), 400),
        ("rfc", patch("add", "entitlements", json!([{ "value": "x" }])), 200),
    ] {
        let (_target, http) = target(dialect).await;
        let path = format!("/Users/{}", make(&http, &["ada"]).await[0]);
        let answer = http.send("PATCH", &path, Some(&operation)).await.unwrap();
        assert_eq!(answer.status, status, "{dialect} {operation}: {}", answer.body);
    }
    let (_target, http) = of(Dialect { required: vec!["displayName".into()], ..Dialect::default() }).await;
    let full = json!({ "schemas": [USER], "userName": "b", "displayName": "B" });
    for (body, status) in [(user("a"), 400), (full, 201)] {
        assert_eq!(http.send("POST", "/Users", Some(&body)).await.unwrap().status, status);
    }
}

#[tokio::test]
async fn groups_and_their_sizes() {
    let (_target, http) = target("airbyte").await;
    let ids = make(&http, &["a", "b"]).await;
    let off = patch("replace", "active", json!(false));
    http.send("PATCH", &format!("/Users/{}", ids[1]), Some(&off)).await.unwrap();
    let made = http.send("POST", "/Groups", Some(&group("g", &ids[..1]))).await.unwrap();
    assert_eq!(made.status, 201, "{}", made.body);
    let path = format!("/Groups/{}", made.text("/id"));
    let other = http.send("POST", "/Groups", Some(&group("h", &[made.text("/id").to_owned()]))).await.unwrap();
    assert_eq!(other.status, 400, "{}", other.body);
    let add = patch("add", "members", json!([{ "value": ids[1] }]));
    assert_eq!(http.send("PATCH", &path, Some(&add)).await.unwrap().status, 400);

    let (_target, http) = target("miro").await;
    let made = http.send("POST", "/Groups", Some(&group("g", &[]))).await.unwrap();
    let path = format!("/Groups/{}", made.text("/id"));
    let long = patch("replace", "displayName", json!("x".repeat(800_001)));
    let many = patch("add", "members", json!(vec![json!({ "value": "x" }); 8001]));
    for body in [long, many] {
        assert_eq!(http.send("PATCH", &path, Some(&body)).await.unwrap().status, 413);
    }
}

#[tokio::test]
async fn lists_and_the_deleted() {
    let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let (_target, http) = target("zoom").await;
    let boss = make(&http, &["boss"]).await;
    let body = json!({ "schemas": [USER, urn], "userName": "ada", "entitlements": [{ "value": "x" }],
        urn: { "manager": { "value": boss[0] }, "department": "d" } });
    let made = http.send("POST", "/Users", Some(&body)).await.unwrap();
    let list = http.get(&find("userName eq \"ada\"")).await.unwrap().body;
    let one = http.get(&format!("/Users/{}", made.text("/id"))).await.unwrap().body;
    let shown = |user: &Value| {
        (user.get("entitlements").is_some(), user[urn].get("manager").is_some(), user[urn]["department"] == "d")
    };
    assert_eq!((shown(&list["Resources"][0]), shown(&one)), ((false, false, true), (true, true, true)));

    let (_target, http) = target("google").await;
    make(&http, &["a", "b", "c"]).await;
    let list = http.get("/Users?startIndex=2&count=1").await.unwrap().body;
    assert_eq!((list["Resources"].as_array().unwrap().len(), list.get("startIndex")), (3, None));

    let (_target, http) = target("atlassian").await;
    let path = format!("/Users/{}", make(&http, &["ada"]).await[0]);
    assert_eq!(http.send("DELETE", &path, None).await.unwrap().status, 204);
    assert_eq!(http.get(&path).await.unwrap().status, 404);
    assert_eq!(http.get("/Users").await.unwrap().body["totalResults"], 0);
    let search = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "filter": "title eq \"x\"" });
    assert_eq!(http.send("POST", "/Users/.search", Some(&search)).await.unwrap().status, 400);
    assert!(!encode("\"").contains('"'));
}

#[tokio::test]
async fn what_targets_bear() {
    let rate =
        |seconds| Rate { methods: vec!["POST".into()], path: "/Users".into(), requests: 2, seconds, exact: false };
    let (target, http) = of(Dialect { rates: vec![rate(1)], ..Dialect::default() }).await;
    make(&http, &["a", "b"]).await;
    assert_eq!(state(&target, "rate").0, "good");
    let refused = http.send("POST", "/Users", Some(&user("c"))).await.unwrap();
    assert_eq!((refused.status, refused.headers["retry-after"].to_str().unwrap()), (429, "1"));
    assert_eq!(http.get("/Users").await.unwrap().status, 200);
    assert_eq!(state(&target, "rate"), ("violated", Some("POST /Users: more than 2 requests in 1 s".to_owned())));
    tokio::time::sleep(std::time::Duration::from_millis(1_050)).await;
    make(&http, &["c"]).await;
    assert_eq!(state(&target, "retry-after").0, "good");

    let (target, http) = of(Dialect { in_flight: 2, ..Dialect::default() }).await;
    target.set_faults(rules(&["slow=300"]));
    let (a, b, c) = tokio::join!(http.get("/Users"), http.get("/Users"), http.get("/Users"));
    let mut seen = [a, b, c].map(|answer| answer.unwrap().status);
    seen.sort();
    assert_eq!(seen, [200, 200, 429]);
    assert_eq!(state(&target, "rate").0, "violated");
}
