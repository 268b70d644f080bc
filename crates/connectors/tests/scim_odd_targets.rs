//! Targets that answer oddly, played by a server that knows a few canned answers.
#![cfg(feature = "scim")]
#![allow(clippy::unwrap_used)]

mod scim_support;

use std::sync::Arc;

use provost_connector::{Connector, ErrorCode, KnownDigests, LookupRequest, ScanItem, ScanRequest};
use provost_connectors::scim::ScimConnector;
use provost_model::{Action, Digest, Value};
use scim_support::*;
use serde_json::json;

const SECRET: &str = "odd-secret-token";

fn page(from: usize, to: usize, total: Option<usize>) -> String {
    let resources: Vec<_> = (from..to).map(|at| json!({"id": at.to_string(), "userName": format!("u{at}")})).collect();
    match total {
        Some(total) => json!({"totalResults": total, "Resources": resources}),
        None => json!({"itemsPerPage": resources.len(), "Resources": resources}),
    }
    .to_string()
}

fn number(path: &str, name: &str) -> Option<usize> {
    let (_, rest) = path.split_once(&format!("{name}="))?;
    rest.split('&').next()?.parse().ok()
}

async fn session(url: &str, dialect: serde_json::Value) -> Arc<dyn provost_connector::Session> {
    connect(url, SECRET, json!({"discovery": false, "dialect": dialect})).await
}

#[tokio::test]
async fn a_create_without_a_body_is_found_by_its_location_or_its_name() {
    let url = target(|method, path, body| match (method, path) {
        ("POST", _) if body.contains("\"located\"") => {
            (201, vec![("location", "https://inside.example/x/Users/a%2Fb?x".to_owned())], String::new())
        }
        ("POST", _) if body.contains("\"numbered\"") => bare(200, r#"{"ID":7,"meta":null}"#),
        ("POST", _) => bare(201, ""),
        ("GET", path) if path.contains("silent") => {
            bare(200, r#"{"Resources":[{"id":"9","userName":"silent"}],"totalResults":"1"}"#)
        }
        _ => bare(200, r#"{"totalResults":0}"#),
    })
    .await;
    let session = session(&url, json!({})).await;
    for (name, want, requests) in [("located", "a/b", 1), ("numbered", "7", 1), ("silent", "9", 2)] {
        let create = operation(Action::Create, "User", None, vec![set("userName", json!(name))]);
        let done = apply(session.as_ref(), &create).await.unwrap();
        assert_eq!((done.target_id.as_str(), done.requests), (want, requests));
    }
    let create = operation(Action::Create, "User", None, vec![set("userName", json!("lost"))]);
    assert_eq!(apply(session.as_ref(), &create).await.unwrap_err().code, ErrorCode::UnknownOutcome);
}

#[tokio::test]
async fn a_target_that_ignores_filters_is_not_believed() {
    let url = target(|_, path, _| match path {
        // All there is: whoever is not in it does not exist.
        path if path.starts_with("/Groups") => {
            bare(200, r#"{"totalResults":1,"Resources":[{"id":"g","displayName":"G"}]}"#)
        }
        _ => bare(200, page(0, 10, Some(500))),
    })
    .await;
    let session = session(&url, json!({})).await;
    let lookup = |class: &str, path: &str, value: &str| LookupRequest {
        class: class.into(),
        path: path.parse().unwrap(),
        values: vec![Value::text(value)],
    };
    // Also one that is found: another of the 500 may have the name too.
    for name in ["U3", "somebody"] {
        let error = session.lookup(&cx(), lookup("User", "userName", name)).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::NotSupported, "{name}");
    }
    let found = session.lookup(&cx(), lookup("Group", "displayName", "H")).await.unwrap();
    assert!(found[0].is_empty());
}

#[tokio::test]
async fn scans_end_and_say_whether_they_saw_everything() {
    // What the target has: start, count -> a page.
    type Pages = fn(usize, usize) -> String;
    let cases: Vec<(&str, Pages, bool, u64)> = vec![
        ("honest", |start, count| page(start, (start + count).min(26), Some(25)), true, 25),
        ("smaller pages than asked for", |start, _| page(start, (start + 3).min(26), Some(25)), true, 25),
        (
            "more announced than there is",
            |start, count| page(start.min(21), (start + count).min(21), Some(25)),
            false,
            20,
        ),
        (
            "starts again behind its end",
            |start, count| {
                if start > 20 { page(1, 11, Some(25)) } else { page(start, (start + count).min(21), Some(25)) }
            },
            false,
            20,
        ),
        (
            "no total, empty page at the end",
            |start, count| page(start.min(26), (start + count).min(26), None),
            true,
            25,
        ),
        ("no total, repeats its only page", |_, _| page(1, 8, None), false, 7),
        (
            "loses one on the way",
            |start, count| {
                if start == 1 { page(1, 1 + count, Some(25)) } else { page(start, (start + count).min(25), Some(24)) }
            },
            false,
            24,
        ),
        (
            "gains one on the way",
            |start, count| page(start, (start + count).min(27), Some(if start == 1 { 25 } else { 26 })),
            true,
            26,
        ),
        (
            "repeats one of the page before",
            |start, count| {
                let from = if start == 1 { 1 } else { start - 1 };
                page(from, (start + count - 1).min(25), Some(25))
            },
            false,
            24,
        ),
    ];
    for (what, pages, complete, count) in cases {
        let url = target(move |_, path, _| {
            bare(200, pages(number(path, "startIndex").unwrap(), number(path, "count").unwrap()))
        })
        .await;
        let session = session(&url, json!({})).await;
        let (records, _, end) = scan_all(session.as_ref(), "User", 10).await;
        assert_eq!(
            (end.complete, end.count, records.len() as u64),
            (complete, count, count),
            "{what}: {:?}",
            end.reason
        );
        assert_eq!(end.reason.is_some(), !complete, "{what}");
    }
}

#[tokio::test]
async fn cursors_are_followed_to_their_end() {
    let url = target(|_, path, _| match path {
        path if path.contains("cursor=c2") => bare(200, r#"{"Resources":[{"id":"3"}]}"#),
        path if path.contains("cursor=old") => {
            bare(400, r#"{"status":"400","scimType":"expiredCursor","detail":"old"}"#)
        }
        path if path.contains("cursor=&") => bare(200, r#"{"Resources":[{"id":"1"},{"id":"2"}],"nextCursor":"c2"}"#),
        _ => bare(500, ""),
    })
    .await;
    let session = session(&url, json!({"paging": "cursor"})).await;
    let (records, pages, end) = scan_all(session.as_ref(), "User", 10).await;
    assert_eq!((records.len(), pages, end.complete, end.count), (3, 2, true, 3));
    assert!(!session.capabilities().class("User").unwrap().count);

    let url = target(|_, path, _| match path {
        path if path.contains("cursor=old") => {
            bare(400, r#"{"status":"400","scimType":"expiredCursor","detail":"old"}"#)
        }
        _ => bare(200, r#"{"Resources":[{"id":"1"}],"nextCursor":"old"}"#),
    })
    .await;
    let session = self::session(&url, json!({"paging": "cursor"})).await;
    let mut scan = session.scan(&cx(), scan_request("User", 10)).await.unwrap();
    let error = loop {
        match scan.next(&cx()).await {
            Ok(page) => assert!(page.end.is_none()),
            Err(error) => break error,
        }
    };
    assert_eq!(error.code, ErrorCode::CursorExpired, "a target whose cursors always expire is given up");
}

/// The position is lost once, in the middle: the walk starts again, and gives nobody twice.
#[tokio::test]
async fn a_walk_whose_cursor_expired_starts_again() {
    let expired = std::sync::atomic::AtomicBool::new(false);
    let url = target(move |_, path, _| match path {
        path if path.contains("cursor=b") && !expired.swap(true, std::sync::atomic::Ordering::SeqCst) => {
            bare(400, r#"{"status":"400","scimType":"expiredCursor"}"#)
        }
        path if path.contains("cursor=b") => bare(200, r#"{"Resources":[{"id":"3"}]}"#),
        _ => bare(200, r#"{"Resources":[{"id":"1"},{"id":"2"}],"nextCursor":"b"}"#),
    })
    .await;
    let session = session(&url, json!({"paging": "cursor"})).await;
    let (records, _, end) = scan_all(session.as_ref(), "User", 10).await;
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    assert_eq!((ids, end.complete, end.count), (vec!["1", "2", "3"], true, 3));
}

struct Known(Digest);

impl KnownDigests for Known {
    fn is_unchanged(&self, _id: &str, digest: Digest) -> bool {
        digest == self.0
    }
}

#[tokio::test]
async fn times_in_meta_are_no_change() {
    let counter = std::sync::atomic::AtomicUsize::new(0);
    let url = target(move |_, _, _| {
        let time = counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        bare(
            200,
            json!({"totalResults": 1, "Resources": [{"id": "1", "userName": "u", "meta": {"lastModified": time}}]})
                .to_string(),
        )
    })
    .await;
    let session = session(&url, json!({})).await;
    let (records, ..) = scan_all(session.as_ref(), "User", 10).await;
    assert!(records[0].attributes.find("meta").is_some());
    let known: Arc<dyn KnownDigests> = Arc::new(Known(records[0].digest()));
    let request = ScanRequest { known: Some(known), ..scan_request("User", 10) };
    let page = session.scan(&cx(), request).await.unwrap().next(&cx()).await.unwrap();
    assert_eq!(page.items, [ScanItem::Unchanged("1".into())]);
}

#[tokio::test]
async fn members_that_cannot_be_read_are_said_to_be_incomplete() {
    let url = target(|method, _, _| match method {
        "GET" => bare(200, r#"{"totalResults":1,"Resources":[{"id":"g","displayName":"G","members":[]}]}"#),
        _ => bare(204, ""),
    })
    .await;
    let session = session(&url, json!({"members_readable": false, "update_by_class": {"Group": "put"}})).await;
    let (records, ..) = scan_all(session.as_ref(), "Group", 10).await;
    assert!(records[0].is_incomplete("members") && records[0].attributes.find("members").is_none());
    // Writing such a group as a whole would remove everybody.
    let update = operation(Action::Update, "Group", Some(&"g".into()), vec![set("displayName", json!("H"))]);
    let error = apply(session.as_ref(), &update).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotSupported);
}

#[tokio::test]
async fn errors_say_what_the_target_said_but_no_secret() {
    let url = target(|method, path, _| match (method, path) {
        ("POST", "/Users") => bare(409, r#"{"status":"409","scimType":"uniqueness","detail":"userName is taken"}"#),
        ("POST", "/Groups") => bare(404, "<html>no such page</html>"),
        ("PATCH", "/Users/mutability") => bare(400, r#"{"status":400,"scimType":"mutability","detail":"read only"}"#),
        ("PATCH", "/Users/really-404") => bare(500, r#"{"status":"404","detail":"gone"}"#),
        ("PATCH", "/Users/taken") => bare(409, r#"{"scimType":"uniqueness"}"#),
        ("PATCH", "/Users/conflict") => bare(409, ""),
        ("DELETE", "/Users/really-404") => bare(400, r#"{"status":"404"}"#),
        _ => bare(401, format!(r#"{{"detail":"token Bearer {SECRET} is unknown"}}"#)),
    })
    .await;
    let session = session(&url, json!({})).await;
    let session = session.as_ref();
    let taken = apply(session, &user("ada")).await.unwrap_err();
    assert_eq!((taken.code, taken.target_code.as_deref()), (ErrorCode::AlreadyExists, Some("uniqueness")));
    assert!(taken.to_string().contains("userName is taken"));
    let group = operation(Action::Create, "Group", None, vec![set("displayName", json!("G"))]);
    assert_eq!(apply(session, &group).await.unwrap_err().code, ErrorCode::NotSupported);
    for (id, want) in [
        ("mutability", ErrorCode::Constraint),
        ("really-404", ErrorCode::NotFound),
        ("taken", ErrorCode::AlreadyExists),
        ("conflict", ErrorCode::Conflict),
        ("other", ErrorCode::AuthFailed),
    ] {
        let update = operation(Action::Update, "User", Some(&id.into()), vec![set("title", json!("x"))]);
        let error = apply(session, &update).await.unwrap_err();
        assert_eq!(error.code, want, "{id}");
        assert!(!format!("{error} {error:?}").contains(SECRET), "{error:?}");
    }
    let delete = operation(Action::Delete, "User", Some(&"really-404".into()), vec![]);
    apply(session, &delete).await.unwrap();
}

#[tokio::test]
async fn a_target_may_be_told_to_delete_leavers() {
    let url = target(|_, _, _| bare(204, "")).await;
    let session = session(&url, json!({"deprovision": "delete"})).await;
    assert!(session.capabilities().class("User").unwrap().enablement.is_none());
    let disable = operation(Action::Disable, "User", Some(&"1".into()), vec![]);
    assert_eq!(apply(session.as_ref(), &disable).await.unwrap_err().code, ErrorCode::NotSupported);
}

#[tokio::test]
async fn values_that_the_target_altered_are_reported() {
    let url = target(|_, _, _| bare(200, r#"{"id":"1","userName":"ADA","title":"x","active":"true"}"#)).await;
    let session = session(&url, json!({})).await;
    let changes = vec![set("userName", json!("ada")), set("title", json!("x")), set("active", json!("True"))];
    let done = apply(session.as_ref(), &operation(Action::Update, "User", Some(&"1".into()), changes)).await.unwrap();
    assert_eq!(serde_json::to_string(&done.changed).unwrap(), r#"{"userName":"ADA"}"#);
}

#[test]
fn settings_are_checked_without_going_online() {
    let problems = |values: serde_json::Value| {
        let found = ScimConnector::default().validate(&settings(values));
        found.into_iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(problems(json!({"url": "https://a.example/scim", "token": {"secret": "t"}, "timeout": "20s"})), "");
    assert_eq!(problems(json!({"url": "http://127.0.0.1/scim", "dialect": {"members_per_request": 100}})), "");
    assert_eq!(problems(json!({"url": "http://a.example/scim", "allow_http": true})), "");
    for (values, want) in [
        (json!({}), "missing field `url`"),
        (json!({"url": "a"}), "url: "),
        (json!({"url": "http://a.example"}), "url: `url` is not encrypted"),
        (json!({"url": "https://ada:secret@a.example"}), "url: `url` holds a user name"),
        (json!({"url": "https://a.example", "toekn": 1}), "unknown field `toekn`"),
        (json!({"url": "https://a.example", "token": "ada:secret"}), "never with the secret itself"),
        (json!({"url": "https://a.example", "header": "X: ada:secret"}), "never with the secret itself"),
        (
            json!({"url": "https://a.example", "basic": {"username": "a", "password": "ada:secret"}}),
            "never with the secret itself",
        ),
        (json!({"url": "https://a.example", "timeout": "soon"}), "timeout: "),
        (json!({"url": "https://a.example", "timeout": 0}), "timeout: "),
        (json!({"url": "https://a.example", "max_in_flight": 0}), "max_in_flight: "),
        (json!({"url": "https://a.example", "requests_per_second": -1}), "requests_per_second: "),
        (json!({"url": "https://a.example", "ca": "no-such-file.pem"}), "ca: "),
        (json!({"url": "https://a.example", "dialect": {"opcase": "lower"}}), "dialect: "),
        (json!({"url": "https://a.example", "dialect": "no-such-file.yaml"}), "dialect: "),
        (
            json!({"url": "https://a.example", "token": {"secret": "t"}, "basic": {"username": "a", "password": {"secret": "p"}}}),
            "basic: ",
        ),
    ] {
        let found = problems(values.clone());
        assert!(found.contains(want), "{values}: {found}");
        assert!(!found.contains("ada:secret"), "{found}");
    }
}

#[tokio::test]
async fn a_dialect_may_be_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dialect.yaml");
    std::fs::write(&file, "members_per_request: 7\nrequests_per_second: 3\nmax_in_flight: 2\ndiscovery: false\n")
        .unwrap();
    let session = connect("http://127.0.0.1:1/scim", SECRET, json!({"dialect": file.to_str().unwrap()})).await;
    let capabilities = session.capabilities();
    assert_eq!((capabilities.requests_per_second, capabilities.max_in_flight), (Some(3.0), 2));
    assert_eq!(capabilities.class("Group").unwrap().max_values_per_change, Some(7));
}

/// After its cursor expired a target gives the same page again and again, each time with another cursor.
#[tokio::test]
async fn a_walk_in_a_circle_comes_to_an_end() {
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let url = target(move |_, _, _| match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        1 => bare(400, r#"{"status":"400","scimType":"expiredCursor"}"#),
        at => bare(200, format!(r#"{{"Resources":[{{"id":"1"}},{{"id":"2"}}],"nextCursor":"c{at}"}}"#)),
    })
    .await;
    let session = session(&url, json!({"paging": "cursor"})).await;
    let (records, pages, end) = scan_all(session.as_ref(), "User", 10).await;
    assert!((records.len(), end.complete) == (2, false) && pages < 6, "{pages} {end:?}");
}
