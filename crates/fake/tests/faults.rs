//! Each fault over real HTTP, switched on by name.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::{Duration, Instant};

use provost_fake::{FakeTarget, Fault, Options};
use provost_testkit::Http;
use serde_json::{Value, json};
use support::*;

#[tokio::test]
async fn answers_that_end_in_their_middle() {
    let (target, http) = target("rfc").await;
    make(&http, &["ada", "bob"]).await;
    target.set_faults(rules(&["cut"]));
    assert!(http.get("/Users").await.is_err());
    let headers = ["Authorization: Bearer {token}"];
    let text = raw(&target, "GET /scim/v2/Users", &headers, "").await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let said: usize =
        head.to_lowercase().split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    assert!(said > body.len() && body.len() > 10, "{said} said, {} came", body.len());
    target.set_faults(rules(&["torn"]));
    let answer = http.get("/Users").await.unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.body.is_string(), "{}", answer.body);
    target.set_faults(rules(&["torn POST"]));
    http.send("POST", "/Users", Some(&user("eve"))).await.unwrap();
    target.set_faults(Vec::new());
    assert_eq!(http.get("/Users").await.unwrap().body["totalResults"], 3);
}

#[tokio::test]
async fn lists_that_do_not_hold_what_they_should() {
    let (target, http) = target("rfc").await;
    make(&http, &["a", "b", "c", "d", "e"]).await;
    let all = http.get("/Users").await.unwrap().body;
    let order = names(&all);
    let pages = async |line: &str| {
        target.set_faults(rules(&[line]));
        let mut pages = Vec::new();
        for start in [1, 3, 5] {
            let page = http.get(&format!("/Users?startIndex={start}&count=2")).await.unwrap().body;
            assert_eq!(page["startIndex"], start, "{line}");
            pages.push((
                names(&page).iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(),
                page["totalResults"].clone(),
            ));
        }
        pages
    };
    let want =
        |names: &[&str], total: u64| (names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), json!(total));
    let (one, two, three) = (want(&order[..2], 5), want(&order[2..4], 5), want(&order[4..], 5));
    assert_eq!(pages("pass").await, [one.clone(), two.clone(), three.clone()]);
    assert_eq!(pages("short-list nth=2").await, [one.clone(), want(&order[2..3], 5), three.clone()]);
    assert_eq!(pages("early-end nth=2").await, [one.clone(), want(&order[2..4], 4), three.clone()]);
    assert_eq!(pages("repeat-page first=1").await, [one.clone(), one.clone(), three.clone()]);
    assert_eq!(pages("skip-page nth=2").await, [one.clone(), three.clone(), three.clone()]);
    let found = |body: &Value| body["totalResults"].as_u64().unwrap();
    target.set_faults(rules(&["ignore-filter nth=1"]));
    assert_eq!(found(&http.get("/Users").await.unwrap().body), 5);
    assert_eq!(found(&http.get(&find("userName eq \"a\"")).await.unwrap().body), 5);
    assert_eq!(found(&http.get(&find("userName eq \"a\"")).await.unwrap().body), 1);
}

#[tokio::test]
async fn walks_by_cursor_that_break() {
    let (target, http) = target("rfc").await;
    make(&http, &["a", "b", "c", "d", "e"]).await;
    let first = http.get("/Users?cursor=&count=2").await.unwrap().body;
    let next = |page: &Value| format!("/Users?count=2&cursor={}", page["nextCursor"].as_str().unwrap());
    let second = http.get(&next(&first)).await.unwrap().body;
    target.set_faults(rules(&["expired-cursor nth=1"]));
    assert_eq!(http.get("/Users?cursor=&count=2").await.unwrap().status, 200);
    let refused = http.get(&next(&first)).await.unwrap();
    assert_eq!((refused.status, refused.text("/scimType")), (400, "expiredCursor"));
    assert_eq!(state(&target, "stale-cursor").0, "not seen");
    assert_eq!(http.get(&next(&first)).await.unwrap().status, 200);
    assert_eq!(state(&target, "stale-cursor").0, "violated");
    target.set_faults(rules(&["skip-page nth=1"]));
    assert_eq!(names(&http.get("/Users?count=2&cursor=").await.unwrap().body), names(&second));
    target.set_faults(rules(&["repeat-page nth=1"]));
    let first = http.get("/Users?count=2&cursor=").await.unwrap().body;
    let repeated = http.get(&next(&first)).await.unwrap().body;
    assert_eq!((names(&repeated), &repeated["nextCursor"]), (names(&first), &first["nextCursor"]));
    target.set_faults(rules(&["early-end"]));
    assert_eq!(http.get("/Users?cursor=&count=2").await.unwrap().body.get("nextCursor"), None);
}

#[tokio::test]
async fn targets_that_cannot_now() {
    let (target, http) = target("rfc").await;
    for (line, status, wait) in [
        ("status=429,7", 429, Some("7")),
        ("status=429,none", 429, None),
        ("status=500", 500, None),
        ("status=502", 502, None),
        ("status=503", 503, Some("1")),
    ] {
        target.set_faults(rules(&[line]));
        let answer = http.get("/Users").await.unwrap();
        let said = answer.headers.get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        assert_eq!((answer.status, said.as_deref()), (status, wait), "{line}");
    }
    target.set_faults(rules(&["status=429,date:60"]));
    let answer = http.get("/Users").await.unwrap();
    let date = answer.headers["retry-after"].to_str().unwrap();
    let until = provost_model::Timestamp::strptime_utc(date);
    let ahead = until - provost_model::Timestamp::now().as_second();
    assert!((55..=60).contains(&ahead), "{date}");
    target.set_faults(rules(&["slow=200"]));
    let begun = Instant::now();
    assert_eq!(http.get("/Users").await.unwrap().status, 200);
    assert!(begun.elapsed() >= Duration::from_millis(200));
}

/// Seconds since the epoch of an HTTP date.
trait HttpDate {
    fn strptime_utc(text: &str) -> i64;
}

impl HttpDate for provost_model::Timestamp {
    fn strptime_utc(text: &str) -> i64 {
        let text = text.replace("GMT", "+0000");
        Self::strptime("%a, %d %b %Y %H:%M:%S %z", text).unwrap().as_second()
    }
}

#[tokio::test]
async fn tokens_that_end() {
    let options = Options { token_life: Duration::from_millis(400), ..Options::default() };
    let target = FakeTarget::start(options).await.unwrap();
    let form = "grant_type=client_credentials&client_id=provost&client_secret=fake";
    let kind = ["Content-Type: application/x-www-form-urlencoded"];
    let ask = async || {
        let text = raw(&target, "POST /-/token", &kind, form).await;
        let body: Value = serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(body["token_type"], "Bearer");
        body["access_token"].as_str().unwrap().to_owned()
    };
    let status = async |token: &str| Http::new(target.url(), Some(token)).get("/Users").await.unwrap().status;
    let first = ask().await;
    assert_eq!((status(&first).await, status("made-up").await), (200, 401));
    tokio::time::sleep(Duration::from_millis(450)).await;
    assert_eq!(status(&first).await, 401);
    let second = ask().await;
    target.set_faults(rules(&["expired-token nth=2"]));
    let seen = [status(&second).await, status(&second).await, status(&second).await, status(&ask().await).await];
    assert_eq!(seen, [200, 401, 401, 200]);
    // The token of the target itself cannot be renewed.
    target.set_faults(rules(&["expired-token nth=1"]));
    assert_eq!((status("fake").await, status("fake").await), (401, 200));
    let wrong = raw(&target, "POST /-/token", &kind, "grant_type=client_credentials&client_id=x&client_secret=y").await;
    assert!(wrong.starts_with("HTTP/1.1 401") && wrong.contains("invalid_client"), "{wrong}");
    assert_eq!(state(&target, "token-in-url").0, "good");
    Http::new(target.url(), Some("fake")).get(&format!("/Users?access={second}")).await.unwrap();
    assert_eq!(state(&target, "token-in-url").0, "violated");
}

#[tokio::test]
async fn reads_that_lag() {
    let (target, http) = target("rfc").await;
    let ids = make(&http, &["ada", "bob"]).await;
    let (ada, bob) = (format!("/Users/{}", ids[0]), format!("/Users/{}", ids[1]));
    let counts = async || http.get("/Users").await.unwrap().body["totalResults"].as_u64().unwrap();
    target.set_faults(rules(&["lag=3"]));
    let made = make(&http, &["eve"]).await;
    let eve = format!("/Users/{}", made[0]);
    assert_eq!(http.get(&eve).await.unwrap().status, 404);
    assert_eq!(counts().await, 2);
    assert_eq!(http.get(&find("userName eq \"eve\"")).await.unwrap().body["totalResults"], 0);
    assert_eq!((http.get(&eve).await.unwrap().status, counts().await), (200, 3));
    http.send("PATCH", &ada, Some(&patch("replace", "userName", json!("ada2")))).await.unwrap();
    assert_eq!(http.get(&ada).await.unwrap().text("/userName"), "ada");
    let old = http.get(&find("userName eq \"ada\"")).await.unwrap().body;
    let new = http.get(&find("userName eq \"ada2\"")).await.unwrap().body;
    assert_eq!((names(&old), names(&new)), (vec!["ada"], vec![]));
    assert_eq!(http.get(&ada).await.unwrap().text("/userName"), "ada2");
    assert_eq!(http.send("DELETE", &bob, None).await.unwrap().status, 204);
    assert_eq!((http.get(&bob).await.unwrap().status, counts().await), (200, 3));
    assert_eq!(counts().await, 3);
    assert_eq!((counts().await, http.get(&bob).await.unwrap().status), (2, 404));

    target.set_faults(rules(&["lag-ms=250 GET /Users"]));
    make(&http, &["zoe"]).await;
    assert_eq!(counts().await, 2);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(counts().await, 3);
}

#[tokio::test]
async fn values_that_are_stored_otherwise() {
    let (target, http) = target("rfc").await;
    let body = |name: &str| {
        json!({ "schemas": [USER], "userName": name, "title": " T ", "nickName": "N",
        "phoneNumbers": [{ "type": "work", "value": "+49 (30) 12-3" }] })
    };
    for (line, pointer, stored) in [
        ("pass", "/title", json!(" T ")),
        ("lower-user-name", "/userName", json!("ada1")),
        ("trim", "/title", json!("T")),
        ("phones", "/phoneNumbers/0/value", json!("+4930123")),
        ("drop-attribute=nickName", "/nickName", Value::Null),
    ] {
        target.set_faults(rules(&[line]));
        let made = http.send("POST", "/Users", Some(&body(&format!("Ada{}", u8::from(line != "pass"))))).await.unwrap();
        assert_eq!(made.body.pointer(pointer).unwrap_or(&Value::Null), &stored, "{line}: {}", made.body);
        let path = format!("/Users/{}", made.text("/id"));
        assert_eq!(http.get(&path).await.unwrap().body.pointer(pointer).unwrap_or(&Value::Null), &stored, "{line}");
        if stored.is_null() {
            let answer = http.send("PATCH", &path, Some(&patch("add", "nickName", json!("M")))).await.unwrap();
            assert_eq!((answer.status, answer.body.get("nickName")), (200, None), "{}", answer.body);
        }
        http.send("DELETE", &path, None).await.unwrap();
    }
}

#[tokio::test]
async fn members_that_are_not_shown() {
    let (target, http) = target("rfc").await;
    let ids = make(&http, &["a", "b", "c"]).await;
    let made = http.send("POST", "/Groups", Some(&group("g", &ids))).await.unwrap();
    let path = format!("/Groups/{}", made.text("/id"));
    let shown = |body: &Value| body["members"].as_array().map(Vec::len);
    for (line, count) in [("members=2", Some(2)), ("members=0", Some(0)), ("pass", Some(3))] {
        target.set_faults(rules(&[line]));
        let list = http.get("/Groups").await.unwrap().body;
        assert_eq!(
            (shown(&http.get(&path).await.unwrap().body), shown(&list["Resources"][0])),
            (count, count),
            "{line}"
        );
        for (filter, found) in [
            (format!("members.value eq \"{}\"", ids[2]), 1),
            (format!("members[value eq \"{}\"]", ids[2]), 1),
            (format!("id eq \"{}\" and members.value eq \"{}\"", made.text("/id"), ids[2]), 1),
            ("members.value eq \"nobody\"".to_owned(), 0),
        ] {
            let query = format!("/Groups?filter={}", provost_testkit::http::encode(&filter));
            let list = http.get(&query).await.unwrap();
            assert_eq!(list.body["totalResults"], found, "{line} {filter}: {}", list.body);
        }
    }
}

#[tokio::test]
async fn faults_change_while_it_runs() {
    let (target, http) = target("rfc").await;
    let admin = Http::new(target.url().replace("/scim/v2", ""), None);
    assert_eq!(admin.get("/-/faults").await.unwrap().body, json!({ "faults": [] }));
    let wanted = json!({ "faults": ["status=503 first=1 GET /Users", "drop-after 5% POST"], "seed": 7 });
    assert_eq!(admin.send("PUT", "/-/faults", Some(&wanted)).await.unwrap().status, 200);
    assert_eq!(http.get("/Users").await.unwrap().status, 503);
    assert_eq!(http.get("/Users").await.unwrap().status, 200);
    let shown = admin.get("/-/faults").await.unwrap().body;
    let first = json!({ "fault": "status=503,1 first=1 GET /Users", "seen": 2, "fired": 1 });
    assert_eq!((&shown["faults"][0], &shown["faults"][1]["fault"]), (&first, &json!("drop-after 5% POST")));
    for wrong in [json!(["drop"]), json!({ "fault": "cut" }), json!("cut")] {
        assert_eq!(admin.send("PUT", "/-/faults", Some(&wrong)).await.unwrap().status, 400, "{wrong}");
    }
    assert_eq!(admin.send("PUT", "/-/faults", Some(&json!(["status=500"]))).await.unwrap().status, 200);
    assert_eq!(http.get("/Users").await.unwrap().status, 500);
    assert_eq!(admin.send("DELETE", "/-/faults", None).await.unwrap().status, 200);
    assert_eq!(http.get("/Users").await.unwrap().status, 200);
    let report = admin.get("/-/report").await.unwrap().body;
    assert_eq!(report["checks"].as_array().unwrap().len(), target.report().len());
    let begun = admin.send("DELETE", "/-/report", None).await.unwrap().body;
    assert!(begun["checks"].as_array().unwrap().iter().all(|check| check["state"] == "not seen"));
    assert_eq!(admin.get("/-/nothing").await.unwrap().status, 404);
    assert_eq!(target.requests().iter().filter(|request| request.fault != Fault::None).count(), 2);
}
