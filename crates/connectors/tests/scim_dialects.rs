//! What a dialect says is done, request by request, against a target that notes what it is sent.
#![cfg(feature = "scim")]
#![allow(clippy::unwrap_used)]

mod scim_support;

use std::sync::{Arc, Mutex};

use provost_connector::{ErrorCode, LookupRequest, Outcome, Session};
use provost_model::{Action, ChangeOp, Mutability, Value};
use scim_support::*;
use serde_json::{Value as Json, json};

type Seen = Arc<Mutex<Vec<(String, String, String)>>>;

/// A session with a target that notes method, path and body of each request.
async fn noted(
    dialect: Json,
    answer: impl Fn(&str, &str, &str) -> Answer + Send + Sync + 'static,
) -> (Arc<dyn Session>, Seen) {
    let seen = Seen::default();
    let notes = seen.clone();
    let url = target(move |method, path, body| {
        notes.lock().unwrap().push((method.to_owned(), path.to_owned(), body.to_owned()));
        answer(method, path, body)
    })
    .await;
    (connect(&url, "t", json!({"discovery": false, "dialect": dialect})).await, seen)
}

fn requests(seen: &Seen) -> Vec<String> {
    seen.lock().unwrap().iter().map(|(method, path, _)| format!("{method} {path}")).collect()
}

fn body(seen: &Seen, at: usize) -> Json {
    serde_json::from_str(&seen.lock().unwrap()[at].2).unwrap()
}

#[tokio::test]
async fn members_are_added_as_the_target_wants_them() {
    let add = |id: &str| {
        let members = vec![change(ChangeOp::Add, "members", json!([id]))];
        operation(Action::Update, "Group", Some(&"g".into()), members)
    };
    for (form, want) in [
        ("list", json!({"op": "add", "path": "members", "value": [{"value": "1"}]})),
        ("pathless", json!({"op": "add", "value": {"members": [{"value": "1"}]}})),
        ("nested", json!({"op": "add", "path": "members", "value": {"members": [{"value": "1"}]}})),
    ] {
        let (session, seen) = noted(json!({"member_add": form}), |_, _, _| bare(204, "")).await;
        apply(session.as_ref(), &add("1")).await.unwrap();
        assert_eq!(body(&seen, 0)["Operations"], json!([want]), "{form}");
    }
}

#[tokio::test]
async fn queries_go_to_search_where_the_target_has_it() {
    let (session, seen) = noted(json!({"search": true}), |_, _, _| {
        bare(200, r#"{"totalResults":1,"Resources":[{"id":"1","userName":"ada@example.org"}]}"#)
    })
    .await;
    let request = LookupRequest {
        class: "User".into(),
        path: "userName".parse().unwrap(),
        values: vec![Value::text("ada@example.org")],
    };
    assert_eq!(session.lookup(&cx(), request).await.unwrap()[0].len(), 1);
    assert_eq!(requests(&seen), ["POST /Users/.search"]);
    let want = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": "userName eq \"ada@example.org\""
    });
    assert_eq!(body(&seen, 0), want);
    // Without a filter there is nobody's data in the address.
    scan_all(session.as_ref(), "User", 10).await;
    assert!(requests(&seen)[1].starts_with("GET /Users?"));
}

#[tokio::test]
async fn a_target_without_patch_gets_put_from_then_on() {
    let (session, seen) = noted(json!({"update": "patch_then_put"}), |method, _, _| match method {
        "PATCH" => bare(501, ""),
        _ => bare(200, r#"{"id":"1","userName":"ada","nickName":"mine"}"#),
    })
    .await;
    let update = operation(Action::Update, "User", Some(&"1".into()), vec![set("title", json!("x"))]);
    apply(session.as_ref(), &update).await.unwrap();
    apply(session.as_ref(), &update).await.unwrap();
    assert_eq!(requests(&seen), ["PATCH /Users/1", "GET /Users/1", "PUT /Users/1", "GET /Users/1", "PUT /Users/1"]);
    assert_eq!(body(&seen, 2)["nickName"], "mine", "what is not managed stays");
}

#[tokio::test]
async fn a_delete_that_only_switches_off_is_a_disable() {
    let (session, seen) = noted(json!({"deprovision": "delete_deactivates"}), |_, _, _| bare(204, "")).await;
    assert!(session.capabilities().class("User").unwrap().enablement.is_some());
    let changes = vec![set("active", json!(false)), set("title", json!("left"))];
    let disable = operation(Action::Disable, "User", Some(&"1".into()), changes);
    assert_eq!(apply(session.as_ref(), &disable).await.unwrap().requests, 2);
    let enable = operation(Action::Enable, "User", Some(&"1".into()), vec![]);
    apply(session.as_ref(), &enable).await.unwrap();
    assert_eq!(requests(&seen), ["PATCH /Users/1", "DELETE /Users/1", "PATCH /Users/1"]);
    assert!(!seen.lock().unwrap()[0].2.contains("active") && seen.lock().unwrap()[2].2.contains("active"));
}

#[tokio::test]
async fn values_that_the_target_would_refuse_are_not_sent() {
    let rules = json!({"attributes": {"User": {
        "userName": {"max_length": 5, "required": true},
        "displayName": {"forbid": "<>@"},
        "userType": {"values": ["Licensed", "On-prem"]},
        "emails": {"max_values": 1},
        "entitlements": {"write": "create"},
        "photos": {"write": "never"},
        "nickName": {"case_exact": true}
    }}});
    let (session, seen) = noted(rules, |_, _, _| bare(201, r#"{"id":"1"}"#)).await;
    let create = |changes| operation(Action::Create, "User", None, changes);
    let ada = || set("userName", json!("ada"));
    for (changes, code, path) in [
        (vec![set("userName", json!("ada.lovelace"))], ErrorCode::InvalidValue, "userName"),
        (vec![set("title", json!("x"))], ErrorCode::MissingRequired, "userName"),
        (vec![ada(), set("displayName", json!("a@b"))], ErrorCode::InvalidValue, "displayName"),
        (vec![ada(), set("userType", json!("Free"))], ErrorCode::InvalidValue, "userType"),
        (
            vec![
                ada(),
                set("emails[type eq \"work\"].value", json!("a")),
                set("emails[type eq \"home\"].value", json!("b")),
            ],
            ErrorCode::InvalidValue,
            "emails",
        ),
    ] {
        let error = apply(session.as_ref(), &create(changes)).await.unwrap_err();
        assert_eq!((error.code, error.path.as_deref()), (code, Some(path)), "{error}");
        assert!(error.hint.is_some() && !error.message.contains("lovelace"));
    }
    assert!(requests(&seen).is_empty(), "nothing of it was sent");
    let fine = vec![ada(), set("userType", json!("LICENSED")), set("emails[type eq \"work\"].value", json!("a"))];
    apply(session.as_ref(), &create(fine)).await.unwrap();
    let schema = session.schema(&cx()).await.unwrap();
    let attribute = |name: &str| schema.class("User").unwrap().attribute(name).unwrap().clone();
    assert_eq!(attribute("entitlements").mutability, Mutability::Immutable);
    assert_eq!(attribute("photos").mutability, Mutability::ReadOnly);
    assert!(attribute("nickName").case_exact && attribute("userName").required);
}

#[tokio::test]
async fn matching_uses_only_what_the_target_can_filter_by() {
    let dialect = json!({"filter_attributes": ["userName", "externalId"], "filter_terms": 1});
    let (session, _) = noted(dialect, |_, _, _| bare(200, r#"{"totalResults":0}"#)).await;
    let class = session.capabilities().class("User").unwrap().clone();
    assert!(class.can_look_up(&"username".parse().unwrap()) && class.can_look_up(&"id".parse().unwrap()));
    assert!(!class.can_look_up(&"emails[type eq \"work\"].value".parse().unwrap()));
    let path = "emails[type eq \"work\"].value".parse().unwrap();
    let request = LookupRequest { class: "User".into(), path, values: vec![Value::text("a")] };
    assert_eq!(session.lookup(&cx(), request).await.unwrap_err().code, ErrorCode::NotSupported);
}

#[tokio::test]
async fn lists_that_leave_attributes_out_are_completed_by_id() {
    let (session, seen) = noted(json!({"lists_whole": false}), |_, path, _| match path {
        "/Users/1" => bare(200, r#"{"id":"1","userName":"a","title":"Dr"}"#),
        "/Users/2" => bare(404, ""),
        _ => bare(200, r#"{"totalResults":2,"Resources":[{"id":"1","userName":"a"},{"id":"2","userName":"b"}]}"#),
    })
    .await;
    let (records, ..) = scan_all(session.as_ref(), "User", 10).await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].attributes.find("title").and_then(Value::as_text), Some("Dr"));
    assert_eq!(requests(&seen).iter().filter(|request| request.starts_with("GET /Users/")).count(), 2);
}

#[test]
fn headers_and_limits_are_checked_without_going_online() {
    let problems = |dialect: Json| {
        let values = json!({"url": "https://a.example", "dialect": dialect});
        let connector = provost_connectors::scim::ScimConnector::default();
        provost_connector::Connector::validate(&connector, &settings(values)).len()
    };
    assert_eq!(problems(json!({"headers": {"X-Tenant": "a"}})), 0);
    assert_eq!(problems(json!({"headers": {"Authorization": "Bearer a"}})), 1, "a secret in the open");
    assert_eq!(problems(json!({"headers": {"bad name": "a"}})), 1);
    assert_eq!(problems(json!({"limits": [{"requests": 0, "seconds": 1}]})), 1);
    assert_eq!(problems(json!({"limits": [{"requests": 1, "seconds": -1}]})), 1);
    assert_eq!(
        problems(json!({"limits": [{"methods": ["post"], "path": "/Users", "requests": 1, "seconds": 0.5}]})),
        0
    );
}

#[tokio::test]
async fn limits_of_the_target_are_kept() {
    let limits = json!({"limits": [{"methods": ["GET"], "path": "/Users", "requests": 2, "seconds": 0.2}]});
    let (session, _) = noted(limits, |_, _, _| bare(200, r#"{"id":"1"}"#)).await;
    let start = std::time::Instant::now();
    for _ in 0..5 {
        session.get(&cx(), "User", &"1".into()).await.unwrap();
    }
    assert!(start.elapsed() >= std::time::Duration::from_millis(400), "{:?}", start.elapsed());
}

/// A group of `shown` members, of whom the target says that it has `users`; it counts none in a group that nobody has.
fn group(shown: usize, users: Option<usize>) -> impl Fn(&str, &str, &str) -> Answer + Send + Sync {
    move |_, path, _| {
        let members: Vec<Json> = (0..shown).map(|at| json!({"value": at.to_string(), "type": "User"})).collect();
        let group = json!({"id": "g", "displayName": "G", "members": members});
        match path {
            path if path.starts_with("/Groups/g") => bare(200, group.to_string()),
            path if path.starts_with("/Groups") => {
                bare(200, json!({"totalResults": 1, "Resources": [group]}).to_string())
            }
            path if path.contains("no-such-group") => bare(200, json!({"totalResults": 0}).to_string()),
            _ => match users {
                Some(users) => bare(200, json!({"totalResults": users}).to_string()),
                None => bare(400, r#"{"status":"400","scimType":"invalidFilter"}"#),
            },
        }
    }
}

#[tokio::test]
async fn lists_of_members_that_were_cut_are_told() {
    // Dialect, shown, what the target counts: whether the list is taken for whole.
    for (dialect, shown, users, whole) in [
        (json!({}), 3, Some(3), true),
        (json!({}), 3, Some(40), false),
        (json!({}), 3, None, true),
        (json!({}), 100, None, false),
        (json!({}), 100, Some(100), true),
        (json!({}), 100, Some(101), false),
        (json!({"members_shown": 0}), 100, None, true),
        (json!({"members_shown": 5}), 5, Some(5), false),
        (json!({"members_shown": 5}), 4, Some(9), true),
    ] {
        let (session, _) = noted(dialect.clone(), group(shown, users)).await;
        let (records, ..) = scan_all(session.as_ref(), "Group", 10).await;
        assert_eq!(!records[0].is_incomplete("members"), whole, "{dialect} {shown} {users:?}");
    }
}

#[tokio::test]
async fn a_target_that_ignores_filters_does_not_make_lists_incomplete() {
    let (session, _) = noted(json!({}), |_, path, _| match path {
        path if path.starts_with("/Groups") => {
            bare(200, r#"{"totalResults":1,"Resources":[{"id":"g","members":[{"value":"1"}]}]}"#)
        }
        _ => bare(200, r#"{"totalResults":500}"#),
    })
    .await;
    let (records, ..) = scan_all(session.as_ref(), "Group", 10).await;
    assert!(!records[0].is_incomplete("members"));
}

/// Written back as a whole, a list that was cut would throw the others out.
#[tokio::test]
async fn a_list_that_was_cut_is_never_written_back() {
    for dialect in [json!({"update": "put"}), json!({"member_remove": "replace"})] {
        let (session, seen) = noted(dialect, group(3, Some(40))).await;
        let remove = vec![change(ChangeOp::Remove, "members", json!(["1"]))];
        let update = operation(Action::Update, "Group", Some(&"g".into()), remove);
        let error = apply(session.as_ref(), &update).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::NotSupported);
        assert!(requests(&seen).iter().all(|request| request.starts_with("GET")), "{:?}", requests(&seen));
    }
}

#[tokio::test]
async fn an_unknown_id_may_be_a_400() {
    let (session, _) = noted(json!({}), |_, _, _| bare(400, r#"{"detail":"no such thing"}"#)).await;
    assert!(session.get(&cx(), "User", &"nobody".into()).await.unwrap().is_none());
}

#[tokio::test]
async fn changes_go_in_bulk_where_the_target_takes_that() {
    let answer = |method: &str, path: &str, body: &str| {
        if (method, path) != ("POST", "/Bulk") {
            return bare(201, r#"{"id":"alone"}"#);
        }
        let request: Json = serde_json::from_str(body).unwrap();
        let operations = request["Operations"].as_array().unwrap();
        if operations.len() > 2 {
            return bare(413, r#"{"detail":"two at most"}"#);
        }
        let results = operations.iter().map(|one| match one["method"].as_str().unwrap() {
            "POST" if one["data"]["userName"] == "taken" => {
                json!({"method": "POST", "bulkId": one["bulkId"], "status": "409",
                    "response": {"scimType": "uniqueness", "detail": "taken", "status": "409"}})
            }
            "POST" => {
                let name = one["data"]["userName"].as_str().unwrap();
                json!({"method": "POST", "bulkId": one["bulkId"], "status": 201, "location": format!("https://a/Users/id-{name}")})
            }
            "DELETE" => json!({"method": "DELETE", "status": "404"}),
            method => json!({"method": method, "status": {"code": "204"}}),
        });
        bare(200, json!({"Operations": results.collect::<Vec<Json>>()}).to_string())
    };
    let answer = move |method: &str, path: &str, body: &str| answer(method, path, body);
    let (session, seen) = noted(json!({"bulk": true}), answer).await;
    assert_eq!(session.capabilities().max_batch, 100);
    let many: Vec<Json> = (0..60).map(|at| json!(at.to_string())).collect();
    let operations = [
        operation(Action::Create, "User", None, vec![set("userName", json!("a"))]),
        operation(Action::Create, "User", None, vec![set("userName", json!("taken"))]),
        operation(Action::Update, "User", Some(&"7".into()), vec![set("title", json!("x"))]),
        operation(Action::Delete, "User", Some(&"8".into()), vec![]),
        // More members than one request takes.
        operation(Action::Update, "Group", Some(&"g".into()), vec![change(ChangeOp::Add, "members", json!(many))]),
    ];
    let applied = session.apply(&cx(), &operations).await;
    let told: Vec<String> = applied
        .into_iter()
        .map(|applied| match applied.outcome {
            Outcome::Done(done) => format!("{} by {}", done.target_id, done.requests),
            Outcome::Failed(error) => format!("{:?}", error.code),
        })
        .collect();
    assert_eq!(told, ["id-a by 1", "AlreadyExists", "7 by 1", "8 by 1", "g by 2"]);
    let paths: Vec<String> = requests(&seen);
    assert_eq!(paths.iter().filter(|path| *path == "POST /Bulk").count(), 3, "four, then by halves: {paths:?}");
}

/// Results in any order, without a word on which operation they are about but the object's address.
#[tokio::test]
async fn results_of_a_bulk_request_are_told_apart() {
    for (results, want) in [
        (
            // As done, last first.
            json!([
                {"method": "DELETE", "location": "https://a/Users/8", "status": "204"},
                {"method": "PATCH", "location": "https://a/Users/7", "status": "400"},
            ]),
            "InvalidValue, 8",
        ),
        (json!([{"method": "PATCH", "status": "400"}, {"method": "DELETE", "status": "204"}]), "InvalidValue, 8"),
        (
            json!([{"method": "DELETE", "status": "204"}, {"method": "PATCH", "status": "400"}]),
            "UnknownOutcome, UnknownOutcome",
        ),
        (json!([{"bulkId": "p1", "status": "204"}, {"bulkId": "p0", "status": "400"}]), "InvalidValue, 8"),
        (json!([{"bulkId": "p1", "status": "204"}]), "UnknownOutcome, 8"),
    ] {
        let answer = json!({"Operations": results}).to_string();
        let (session, _) = noted(json!({"bulk": true}), move |_, _, _| bare(200, answer.clone())).await;
        let operations = [
            operation(Action::Update, "User", Some(&"7".into()), vec![set("title", json!("x"))]),
            operation(Action::Delete, "User", Some(&"8".into()), vec![]),
        ];
        let told = session.apply(&cx(), &operations).await.into_iter().map(|applied| match applied.outcome {
            Outcome::Done(done) => done.target_id.to_string(),
            Outcome::Failed(error) => format!("{:?}", error.code),
        });
        assert_eq!(told.collect::<Vec<_>>().join(", "), want, "{results}");
    }
}

/// Two others write between our read and our write; the third time nobody does.
#[tokio::test]
async fn who_is_overtaken_reads_again() {
    let version = std::sync::atomic::AtomicUsize::new(0);
    let (session, seen) = noted(json!({"update": "put", "etag": true}), move |method, _, _| {
        let at = version.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        match (method, at) {
            ("GET", _) => bare(200, format!(r#"{{"id":"1","userName":"ada","meta":{{"version":"W/\"{at}\""}}}}"#)),
            (_, 0..=4) => bare(412, r#"{"status":"412","detail":"changed meanwhile"}"#),
            _ => bare(200, r#"{"id":"1"}"#),
        }
    })
    .await;
    let update = operation(Action::Update, "User", Some(&"1".into()), vec![set("title", json!("x"))]);
    apply(session.as_ref(), &update).await.unwrap();
    assert_eq!(requests(&seen).len(), 6, "{:?}", requests(&seen));
    // A version that the caller gave is the caller's to give anew.
    let (session, seen) = noted(json!({"update": "put", "etag": true}), |method, _, _| match method {
        "GET" => bare(200, r#"{"id":"1","meta":{"version":"b"}}"#),
        _ => bare(412, ""),
    })
    .await;
    let conditional = provost_model::Operation { if_match: Some("a".into()), ..update };
    assert_eq!(apply(session.as_ref(), &conditional).await.unwrap_err().code, ErrorCode::PreconditionFailed);
    assert_eq!(requests(&seen), ["GET /Users/1", "PUT /Users/1"]);
}
