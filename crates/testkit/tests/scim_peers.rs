//! Both SCIM peers do what a provisioning client needs, and have the oddities that their pages in the documentation claim:
//! a client is written against those claims, so a new version of a peer that changes one should fail here first.
#![allow(clippy::unwrap_used, reason = "tests")]

use provost_testkit::{Answer, CountingProxy, Http, Peer, http::encode, scim2_server, scimmy};
use serde_json::{Value, json};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

fn user(name: &str) -> Value {
    json!({ "schemas": [USER], "userName": name, "externalId": format!("x-{name}"), "active": true })
}

async fn create(http: &Http, name: &str) -> Answer {
    http.send("POST", "/Users", Some(&user(name))).await.unwrap()
}

async fn find(http: &Http, filter: &str) -> Answer {
    http.get(&format!("/Users?filter={}", encode(filter))).await.unwrap()
}

async fn patch(http: &Http, path: &str, operations: Value) -> Answer {
    http.send("PATCH", path, Some(&json!({ "schemas": [PATCH], "Operations": operations }))).await.unwrap()
}

fn names(answer: &Answer) -> Vec<&str> {
    let resources = answer.body["Resources"].as_array().expect("a list has Resources");
    resources.iter().filter_map(|resource| resource["userName"].as_str()).collect()
}

/// What both do alike.
async fn lifecycle(http: &Http) {
    let created = create(http, "Ada@example.org").await;
    assert_eq!(created.status, 201, "{:?}", created.body);
    let id = created.text("/id").to_owned();
    let path = format!("/Users/{id}");
    assert!(created.text("/meta/location").ends_with(&path), "{:?}", created.body);

    let twin = create(http, "ADA@example.org").await;
    assert_eq!((twin.status, twin.text("/scimType")), (409, "uniqueness"));

    for (filter, expected) in [
        (r#"userName eq "Ada@example.org""#, 1),
        (r#"externalId eq "x-Ada@example.org""#, 1),
        (r#"externalId eq "X-ADA@example.org""#, 0),
        (r#"userName eq "nobody""#, 0),
        (r#"active eq true and userName sw "Ada""#, 1),
    ] {
        let found = find(http, filter).await;
        assert_eq!(found.body["totalResults"], expected, "{filter}: {:?}", found.body);
    }

    let changed = patch(http, &path, json!([{ "op": "replace", "path": "active", "value": false }])).await;
    assert!(matches!(changed.status, 200 | 204), "{}", changed.status);
    assert_eq!(http.get(&path).await.unwrap().body["active"], false);

    let replaced = http.send("PUT", &path, Some(&json!({ "schemas": [USER], "userName": "ada2" }))).await.unwrap();
    assert_eq!((replaced.status, &replaced.body["externalId"]), (200, &Value::Null));

    let group = json!({ "schemas": [GROUP], "displayName": "Maths", "members": [{ "value": id }] });
    let group = http.send("POST", "/Groups", Some(&group)).await.unwrap();
    assert_eq!(group.status, 201, "{:?}", group.body);
    let group = format!("/Groups/{}", group.text("/id"));
    let remove = json!([{ "op": "remove", "path": format!(r#"members[value eq "{id}"]"#) }]);
    let removed = patch(http, &group, remove).await;
    assert!(matches!(removed.status, 200 | 204), "{:?}", removed.body);
    let members = http.get(&group).await.unwrap().body["members"].as_array().map_or(0, Vec::len);
    assert_eq!(members, 0);

    for (expected, method) in [(204, "DELETE"), (404, "DELETE"), (404, "GET")] {
        assert_eq!(http.send(method, &path, None).await.unwrap().status, expected, "{method}");
    }
    assert_eq!(http.send("DELETE", &group, None).await.unwrap().status, 204);
}

/// Pages of three over seven users: each once.
async fn pages(http: &Http) {
    for number in 0..7 {
        assert_eq!(create(http, &format!("page{number}")).await.status, 201);
    }
    let mut seen = Vec::new();
    for start in [1, 4, 7] {
        let filter = encode(r#"userName sw "page""#);
        let page = http.get(&format!("/Users?filter={filter}&startIndex={start}&count=3")).await.unwrap();
        assert_eq!((&page.body["totalResults"], &page.body["startIndex"]), (&json!(7), &json!(start)));
        seen.extend(names(&page).into_iter().map(str::to_owned));
    }
    seen.sort();
    assert_eq!(seen, (0..7).map(|number| format!("page{number}")).collect::<Vec<_>>());
}

async fn refuses_strangers(peer: &Peer) {
    for token in [None, Some("wrong")] {
        let http = Http::new(peer.base_url(), token);
        assert_eq!(http.get("/Users").await.unwrap().status, 401);
        assert_eq!(create(&http, "stranger").await.status, 401);
    }
}

#[tokio::test]
async fn scim2_server_serves_and_is_counted() {
    let peer = scim2_server::start().await.unwrap();
    refuses_strangers(&peer).await;
    let proxy = CountingProxy::start(&peer.base_url()).await.unwrap();
    let http = Http::new(proxy.base_url(), Some(peer.token()));
    lifecycle(&http).await;
    let expected = [("POST", 3), ("PATCH", 2), ("PUT", 1), ("DELETE", 3)];
    for (method, count) in expected {
        assert_eq!(proxy.count(method, ""), count, "{method}");
    }
    assert_eq!(proxy.writes(), 9);
    assert_eq!(proxy.count("POST", "/v2/Groups"), 1);
    pages(&http).await;
    proxy.reset();
    http.get("/Users").await.unwrap();
    assert_eq!((proxy.writes(), proxy.count("GET", "/v2/Users")), (0, 1));
}

#[tokio::test]
async fn scimmy_serves_and_counts() {
    let peer = scimmy::start().await.unwrap();
    refuses_strangers(&peer).await;
    scimmy::reset_counts(&peer).await.unwrap();
    lifecycle(&peer.http()).await;
    let counts = scimmy::counts(&peer).await.unwrap();
    let methods = ["POST", "PATCH", "PUT", "DELETE"].map(|method| counts.methods[method]);
    assert_eq!((methods, counts.writes), ([3, 2, 1, 3], 9));
    pages(&peer.http()).await;
    scimmy::reset_counts(&peer).await.unwrap();
    peer.http().get("/Users").await.unwrap();
    assert_eq!(scimmy::counts(&peer).await.unwrap().writes, 0);
}

#[tokio::test]
async fn what_is_odd_about_scim2_server() {
    let peer = scim2_server::start().await.unwrap();
    let http = peer.http();
    let ada = create(&http, "Ada").await;
    let path = format!("/Users/{}", ada.text("/id"));
    assert!(ada.headers.contains_key("location") && ada.headers.contains_key("etag"));
    assert_eq!(find(&http, r#"userName eq "ada""#).await.body["totalResults"], 1);
    let set = json!([{ "op": "Replace", "path": "active", "value": "False" }]);
    assert_eq!(patch(&http, &path, set).await.status, 204);
    let entra = json!([{ "op": "remove", "path": "members", "value": [{ "value": "ghost" }] }]);
    let group = json!({ "schemas": [GROUP], "displayName": "G", "members": [{ "value": "ghost" }] });
    let group = http.send("POST", "/Groups", Some(&group)).await.unwrap();
    assert_eq!(patch(&http, &format!("/Groups/{}", group.text("/id")), entra).await.status, 400);
    let missing = json!([{ "op": "add", "path": "emails[type eq \"home\"].value", "value": "a@x" }]);
    assert_eq!(patch(&http, &path, missing).await.text("/scimType"), "noTarget");
    let unknown = json!({ "schemas": [USER], "userName": "b", "shoeSize": 42 });
    assert_eq!(http.send("POST", "/Users", Some(&unknown)).await.unwrap().status, 400);
    let past = http.get("/Users?startIndex=100&count=5").await.unwrap();
    assert!(names(&past).is_empty());
}

#[tokio::test]
async fn what_is_odd_about_scimmy() {
    let peer = scimmy::start().await.unwrap();
    let http = peer.http();
    let ada = create(&http, "Ada").await;
    let (id, path) = (ada.text("/id").to_owned(), format!("/Users/{}", ada.text("/id")));
    assert!(!ada.headers.contains_key("location"));
    assert_eq!(find(&http, r#"userName eq "ada""#).await.body["totalResults"], 0);
    assert_eq!(create(&http, "ada").await.status, 409);
    assert_eq!(find(&http, r#"emails[type eq "work"].value eq "a@x""#).await.status, 400);
    let set = |value: Value| json!([{ "op": "Replace", "path": "active", "value": value }]);
    for (value, status) in [(json!(false), 200), (json!(false), 204), (json!("False"), 400)] {
        assert_eq!(patch(&http, &path, set(value.clone())).await.status, status, "{value}");
    }
    let past = http.get("/Users?startIndex=100&count=5").await.unwrap();
    assert_eq!((names(&past), &past.body["itemsPerPage"]), (vec!["Ada"], &json!(5)));
    let group = json!({ "schemas": [GROUP], "displayName": "G", "members": [{ "value": "ghost" }] });
    assert_eq!(http.send("POST", "/Groups", Some(&group)).await.unwrap().status, 400);
    let group = json!({ "schemas": [GROUP], "displayName": "G", "members": [{ "value": id }] });
    let group = http.send("POST", "/Groups", Some(&group)).await.unwrap();
    let group = format!("/Groups/{}", group.text("/id"));
    let again = json!([{ "op": "add", "path": "members", "value": [{ "value": id }] }]);
    assert_eq!(patch(&http, &group, again).await.body["members"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn scimmy_caps_its_pages() {
    let peer = scimmy::start_with(Some(2)).await.unwrap();
    let http = peer.http();
    for name in ["a", "b", "c"] {
        create(&http, name).await;
    }
    for path in ["/Users", "/Users?count=50", "/Users?startIndex=1"] {
        let page = http.get(path).await.unwrap();
        assert_eq!((names(&page), &page.body["totalResults"]), (vec!["a", "b"], &json!(3)), "{path}");
    }
}
