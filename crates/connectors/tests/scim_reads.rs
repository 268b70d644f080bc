//! Targets whose answers to reads say less than they seem to, or other than they have: nobody is taken for absent, and
//! nothing for empty, on such a word.
#![cfg(feature = "scim")]
#![allow(clippy::unwrap_used)]

mod scim_support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use provost_connector::{CheckStatus, ErrorCode, FindRequest, LookupRequest, ScanItem, ScanRequest, Scope, Session};
use provost_model::{Action, ChangeOp, Record, Value};
use scim_support::*;
use serde_json::{Value as Json, json};

type Seen = Arc<Mutex<Vec<(String, String, String)>>>;

/// A session with a target that notes method, path and body of each request; without discovery unless there is something.
async fn noted(
    more: Json,
    answer: impl Fn(&str, &str, &str) -> Answer + Send + Sync + 'static,
) -> (Arc<dyn Session>, Seen) {
    let seen = Seen::default();
    let notes = seen.clone();
    let url = target(move |method, path, body| {
        notes.lock().unwrap().push((method.to_owned(), path.to_owned(), body.to_owned()));
        answer(method, path, body)
    })
    .await;
    let settings = if more.get("discovery").is_some() { more } else { json!({"discovery": false, "dialect": more}) };
    let session = connect(&url, "t", settings).await;
    seen.lock().unwrap().clear();
    (session, seen)
}

fn requests(seen: &Seen) -> Vec<String> {
    seen.lock().unwrap().iter().map(|(method, path, _)| format!("{method} {path}")).collect()
}

fn number(path: &str, name: &str) -> Option<usize> {
    let (_, rest) = path.split_once(&format!("{name}="))?;
    rest.split('&').next()?.parse().ok()
}

fn user_json(at: usize) -> Json {
    json!({"id": format!("i{at}"), "userName": format!("u{at}"), "externalId": format!("e{at}")})
}

/// What a list of `all` answers: `startIndex` and `count` are kept to, pages have `most` objects, and `total` is the total.
fn page(path: &str, all: &[Json], most: usize, total: impl Fn(usize) -> Option<usize>) -> Answer {
    let start = number(path, "startIndex").unwrap_or(1).max(1) - 1;
    let count = number(path, "count").unwrap_or(most).min(most);
    let some: Vec<&Json> = all.iter().skip(start).take(count).collect();
    let mut list = json!({"itemsPerPage": some.len()});
    if let Some(total) = total(some.len()) {
        list["totalResults"] = json!(total);
    }
    list["Resources"] = json!(some);
    bare(200, list.to_string())
}

async fn lookup(
    session: &dyn Session,
    path: &str,
    value: &str,
) -> Result<Vec<String>, provost_connector::ConnectorError> {
    let request = LookupRequest { class: "User".into(), path: path.parse().unwrap(), values: vec![Value::text(value)] };
    let found = session.lookup(&cx(), request).await?;
    Ok(found[0].iter().map(|record| record.id.to_string()).collect())
}

fn not_found() -> Answer {
    bare(404, r#"{"status":"404"}"#)
}

async fn groups(session: &dyn Session) -> Vec<Record> {
    scan_all(session, "Group", 10).await.0
}

#[tokio::test]
async fn members_that_a_list_does_not_show_are_read_by_id() {
    // What a list says of members, what reading by id says; how many there are, none when it is not known.
    let two = json!([{"value": "1"}, {"value": "2"}]);
    for (listed, by_id, members) in [
        (None, Some(json!({"id": "g", "members": two})), Some(2)),
        (Some(Json::Null), Some(json!({"id": "g", "members": two})), Some(2)),
        (None, Some(json!({"id": "g"})), Some(0)),
        (Some(json!([])), None, Some(0)),
        (Some(json!([{"value": "1"}])), None, Some(1)),
        (None, None, None),
    ] {
        let mut group = json!({"id": "g", "displayName": "G"});
        if let Some(listed) = &listed {
            group["members"] = listed.clone();
        }
        let what = format!("{listed:?} {by_id:?}");
        let (session, _) = noted(json!({"members_shown": 0}), move |_, path, _| match path {
            path if path.starts_with("/Groups?") => {
                bare(200, json!({"totalResults": 1, "Resources": [group]}).to_string())
            }
            _ => match &by_id {
                Some(group) => bare(200, group.to_string()),
                None => bare(400, r#"{"status":"400"}"#),
            },
        })
        .await;
        let found = FindRequest::new("Group", "displayName eq \"G\"".parse().unwrap());
        let found = session.find(&cx(), found).await.unwrap().records;
        let scanned = groups(session.as_ref()).await;
        // Found or read: the group by id of this test has no name, so that only the list's own record fits a filter.
        for record in scanned.iter().chain(found.iter().filter(|_| members != Some(2))) {
            let have =
                (!record.is_incomplete("members")).then(|| record.attributes.find("members").unwrap().elements().len());
            assert_eq!(have, members, "{what}");
        }
        assert_eq!(scanned.len(), 1, "{what}");
    }
}

fn members_on_request(asked: &Mutex<Vec<String>>, method: &str, path: &str) -> Answer {
    let schema = json!({"id": "urn:ietf:params:scim:schemas:core:2.0:Group", "name": "Group", "attributes": [
        {"name": "displayName", "type": "string", "required": true},
        {"name": "members", "type": "complex", "multiValued": true, "returned": "request", "subAttributes": [
            {"name": "value", "type": "string"}, {"name": "$ref", "type": "reference", "referenceTypes": ["User"]}]}]});
    let kind = json!({"name": "Group", "endpoint": "/Groups", "schema": "urn:ietf:params:scim:schemas:core:2.0:Group"});
    let mut group = json!({"id": "g", "displayName": "G"});
    let named =
        path.split_once("attributes=").is_some_and(|(_, names)| names.split('&').next().unwrap().contains("members"));
    if named && !path.contains("excludedAttributes") {
        group["members"] = json!([{"value": "1"}]);
    }
    asked.lock().unwrap().push(format!("{method} {path}"));
    match path {
        "/Schemas" => bare(200, json!({"Resources": [schema]}).to_string()),
        "/ResourceTypes" => bare(200, json!({"Resources": [kind]}).to_string()),
        path if path.starts_with("/Groups?") => bare(200, json!({"totalResults": 1, "Resources": [group]}).to_string()),
        path if path.starts_with("/Groups/") => bare(200, group.to_string()),
        _ => not_found(),
    }
}

#[tokio::test]
async fn what_comes_on_request_is_asked_for_by_name() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let notes = asked.clone();
    let (session, seen) =
        noted(json!({"discovery": true, "dialect": {"update": "put", "members_shown": 0}}), move |method, path, _| {
            members_on_request(&notes, method, path)
        })
        .await;
    let schema = session.schema(&cx()).await.unwrap();
    assert!(schema.classes[0].attribute("members").unwrap().on_request);
    let scan = async |requested: &[&str]| {
        let requested = requested.iter().map(|name| (*name).into()).collect();
        let request = ScanRequest { requested, ..scan_request("Group", 10) };
        let page = session.scan(&cx(), request).await.unwrap().next(&cx()).await.unwrap();
        let [ScanItem::Upsert(record)] = page.items.as_slice() else { panic!("{page:?}") };
        record.clone()
    };
    let record = scan(&["members"]).await;
    assert!(members(&record) == ["1"] && record.attributes.find("displayName").is_some(), "{record:?}");
    // Nobody asked, and nothing is said of them.
    let record = scan(&[]).await;
    assert!(record.attributes.find("members").is_none() && !record.is_incomplete("members"));
    let found = FindRequest {
        requested: vec!["members".into()],
        ..FindRequest::new("Group", "displayName eq \"G\"".parse().unwrap())
    };
    assert_eq!(members(&session.find(&cx(), found).await.unwrap().records[0]), ["1"]);
    let record = session.get(&cx(), "Group", &"g".into()).await.unwrap().unwrap();
    assert_eq!(members(&record), ["1"]);
    // Written back as a whole, the group keeps them.
    seen.lock().unwrap().clear();
    let rename = operation(Action::Update, "Group", Some(&"g".into()), vec![set("displayName", json!("H"))]);
    apply(session.as_ref(), &rename).await.unwrap();
    let (_, _, body) = seen.lock().unwrap().iter().find(|(method, ..)| method == "PUT").unwrap().clone();
    assert!(body.contains(r#""value":"1""#), "{body}");
}

#[tokio::test]
async fn a_list_of_members_that_nobody_saw_is_not_written() {
    let (session, seen) = noted(json!({"update": "put", "members_shown": 0}), |method, _, _| match method {
        "GET" => bare(200, r#"{"id":"g","displayName":"G"}"#),
        _ => bare(200, r#"{"id":"g"}"#),
    })
    .await;
    for (change, want) in
        [(set("displayName", json!("H")), None), (change(ChangeOp::Add, "members", json!([{"value": "1"}])), Some(1))]
    {
        let update = operation(Action::Update, "Group", Some(&"g".into()), vec![change]);
        apply(session.as_ref(), &update).await.unwrap();
        let (_, _, body) = seen.lock().unwrap().last().unwrap().clone();
        let body: Json = serde_json::from_str(&body).unwrap();
        assert_eq!(body.get("members").map(|members| members.as_array().unwrap().len()), want, "{body}");
    }
}

/// Who is to go from a list that is not there is gone; writing what is left would throw out whoever is not shown.
#[tokio::test]
async fn nobody_is_removed_from_a_list_that_nobody_saw() {
    for dialect in [json!({"update": "put"}), json!({"member_remove": "replace"})] {
        let (session, seen) = noted(dialect, |method, path, _| match (method, path) {
            ("GET", path) if path.starts_with("/Users") => bare(400, ""),
            ("GET", _) => bare(200, r#"{"id":"g","displayName":"G"}"#),
            _ => bare(200, r#"{"id":"g"}"#),
        })
        .await;
        let changes = vec![change(ChangeOp::Remove, "members", json!(["1"]))];
        let update = operation(Action::Update, "Group", Some(&"g".into()), changes);
        apply(session.as_ref(), &update).await.unwrap();
        assert!(requests(&seen).iter().all(|request| request.starts_with("GET")), "{:?}", seen.lock().unwrap());
    }
}

/// Whether a target that cannot be asked for the number of members has a group written back.
#[tokio::test]
async fn a_count_that_failed_is_no_proof() {
    for (status, written) in [(500, false), (429, false), (400, true)] {
        let (session, seen) = noted(json!({"update": "put"}), move |method, path, _| match (method, path) {
            ("GET", path) if path.contains("no-such-group") => bare(200, r#"{"totalResults":0}"#),
            ("GET", path) if path.starts_with("/Users") => bare(status, ""),
            _ => bare(200, r#"{"id":"g","members":[{"value":"1"},{"value":"2"},{"value":"3"}]}"#),
        })
        .await;
        let rename = operation(Action::Update, "Group", Some(&"g".into()), vec![set("displayName", json!("H"))]);
        assert_eq!(apply(session.as_ref(), &rename).await.is_ok(), written, "{status}");
        assert_eq!(requests(&seen).iter().any(|request| request.starts_with("PUT")), written, "{status}");
    }
}

#[tokio::test]
async fn filters_that_are_ignored_are_found_out_by_strangers() {
    let all: Vec<Json> = (1..=25).map(user_json).collect();
    type Total = fn(usize) -> Option<usize>;
    let totals: [(&str, Total); 3] = [("none", |_| None), ("of the page", Some), ("true", |_| Some(25))];
    for (what, total) in totals {
        let all = all.clone();
        let (session, seen) = noted(json!({}), move |_, path, _| page(path, &all, 10, total)).await;
        let session = session.as_ref();
        assert_eq!(lookup(session, "userName", "u17").await.unwrap(), ["i17"], "{what}");
        assert!(lookup(session, "userName", "nobody").await.unwrap().is_empty(), "{what}: {:?}", requests(&seen));
        let checks = session.test(&cx()).await;
        assert!(checks.iter().any(|check| check.status == CheckStatus::Warn), "{checks:?}");
        let filter = "userName eq \"u17\"".parse().unwrap();
        let (mut found, mut request) = (0, FindRequest::new("User", filter));
        loop {
            let page = session.find(&cx(), request.clone()).await.unwrap();
            found += page.records.len();
            let Some(next) = page.next else { break };
            request.cursor = Some(next);
        }
        assert_eq!(found, 1, "{what}");
    }
    // Two have the name, and the first page shows one of them.
    let mut twice = all.clone();
    twice[20]["userName"] = json!("u3");
    let (session, _) = noted(json!({}), move |_, path, _| page(path, &twice, 10, |_| None)).await;
    assert_eq!(lookup(session.as_ref(), "userName", "u3").await.unwrap(), ["i3", "i21"]);
    // More than anybody wants to read for one name.
    let many: Vec<Json> = (1..=2_000).map(user_json).collect();
    for total in [|_| None, |_| Some(2_000)] as [Total; 2] {
        let many = many.clone();
        let (session, seen) = noted(json!({}), move |_, path, _| page(path, &many, 10, total)).await;
        for name in ["nobody", "u3"] {
            let error = lookup(session.as_ref(), "userName", name).await.unwrap_err();
            assert_eq!((error.code, error.scope), (ErrorCode::NotSupported, Scope::Class));
        }
        assert!(requests(&seen).len() <= 22);
    }
}

#[tokio::test]
async fn an_empty_page_is_no_absence_while_the_target_has_more() {
    // The first page is empty; the others are not.
    let (session, _) = noted(json!({}), |_, path, _| match path {
        path if path.contains("startIndex=") => {
            bare(200, r#"{"totalResults":1,"Resources":[{"id":"1","userName":"ada"}]}"#)
        }
        _ => bare(200, r#"{"totalResults":1,"Resources":[]}"#),
    })
    .await;
    assert_eq!(lookup(session.as_ref(), "userName", "ada").await.unwrap(), ["1"]);
    let (session, _) = noted(json!({}), |_, path, _| match path {
        path if path.contains("cursor=c2") => bare(200, r#"{"Resources":[{"id":"1","userName":"ada"}]}"#),
        path if path.starts_with("/Users?startIndex=1") => bare(200, r#"{"Resources":[],"nextCursor":"c1"}"#),
        path if path.contains("cursor=c1") => bare(200, r#"{"Resources":[],"nextCursor":"c2"}"#),
        _ => bare(200, r#"{"totalResults":0,"Resources":[],"nextCursor":"c1"}"#),
    })
    .await;
    assert_eq!(lookup(session.as_ref(), "userName", "ada").await.unwrap(), ["1"]);
    let mut request = FindRequest::new("User", "userName eq \"ada\"".parse().unwrap());
    let mut found = 0;
    for _ in 0..3 {
        let page = session.find(&cx(), request.clone()).await.unwrap();
        found += page.records.len();
        request.cursor = page.next;
    }
    assert!(found == 1 && request.cursor.is_none());
    let (records, _, end) = scan_all(session.as_ref(), "User", 10).await;
    assert!(records.len() == 1 && end.complete, "{end:?}");
    // It never comes.
    let (session, _) = noted(json!({}), |_, _, _| bare(200, r#"{"totalResults":1,"Resources":[]}"#)).await;
    let error = lookup(session.as_ref(), "userName", "ada").await.unwrap_err();
    assert_eq!(error.scope, Scope::Item, "{error:?}");
    let request = FindRequest::new("User", "userName eq \"ada\"".parse().unwrap());
    assert!(session.find(&cx(), request).await.is_err());
    let (session, _) =
        noted(json!({}), |_, _, _| bare(200, r#"{"totalResults":0,"Resources":[],"nextCursor":"c"}"#)).await;
    assert!(lookup(session.as_ref(), "userName", "ada").await.is_err());
}

#[tokio::test]
async fn a_total_that_is_the_length_of_the_page_is_not_believed() {
    for (have, most) in [(0, 10), (1, 10), (7, 10), (10, 10), (25, 10)] {
        let all: Vec<Json> = (0..have).map(user_json).collect();
        let honest = all.clone();
        let (session, _) = noted(json!({}), move |_, path, _| page(path, &all, most, Some)).await;
        let (records, _, end) = scan_all(session.as_ref(), "User", 10).await;
        assert_eq!((records.len(), end.complete, end.count), (have, true, have as u64), "{:?}", end.reason);
        let counted = session.count(&cx(), "User").await;
        assert_eq!(
            counted.map_err(|error| error.code),
            if have > 1 { Err(ErrorCode::NotSupported) } else { Ok(have as u64) }
        );
        let (session, seen) = noted(json!({}), move |_, path, _| page(path, &honest, most, |_| Some(have))).await;
        let (records, _, end) = scan_all(session.as_ref(), "User", 10).await;
        assert_eq!((records.len(), end.complete, end.count), (have, true, have as u64), "{:?}", end.reason);
        seen.lock().unwrap().clear();
        assert_eq!(session.count(&cx(), "User").await.unwrap(), have as u64);
        assert!(requests(&seen).len() <= 3);
    }
    // None on a page of none, and it says so.
    let all: Vec<Json> = (0..3).map(user_json).collect();
    let (session, _) = noted(json!({}), move |_, path, _| match number(path, "count") {
        Some(0) => bare(200, r#"{"totalResults":0}"#),
        _ => page(path, &all, 10, |_| Some(3)),
    })
    .await;
    assert_eq!(session.count(&cx(), "User").await.unwrap(), 3);
}

/// Between two pages somebody of the first is deleted and somebody else created, so that the total stays.
#[tokio::test]
async fn nobody_is_passed_over_when_the_pages_shift() {
    for (at, gone) in [(1, 0), (2, 3), (2, 9), (1, 9)] {
        let all = Mutex::new((0..30).map(user_json).collect::<Vec<Json>>());
        let asked = AtomicUsize::new(0);
        let (session, _) = noted(json!({}), move |_, path, _| {
            let mut all = all.lock().unwrap();
            if asked.fetch_add(1, Ordering::SeqCst) == at {
                all.remove(gone);
                all.push(user_json(99));
            }
            page(path, &all, 10, |_| Some(30))
        })
        .await;
        let (records, _, end) = scan_all(session.as_ref(), "User", 10).await;
        let missing: Vec<String> = (0..30)
            .map(|at| format!("i{at}"))
            .filter(|id| *id != format!("i{gone}") && !records.iter().any(|record| record.id == id.as_str()))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert!(end.complete && end.count == records.len() as u64, "{:?}", end.reason);
    }
}

#[tokio::test]
async fn pages_that_never_hold_still_prove_nothing() {
    let asked = AtomicUsize::new(0);
    let (session, _) = noted(json!({}), move |_, path, _| {
        let turn = asked.fetch_add(1, Ordering::SeqCst);
        let mut all: Vec<Json> = (0..200).map(user_json).collect();
        all.rotate_left(turn * 37 % 200);
        page(path, &all, 10, |_| Some(200))
    })
    .await;
    let (_, _, end) = scan_all(session.as_ref(), "User", 10).await;
    assert!(!end.complete, "{end:?}");
}

/// Places that are rounded to whole pages, downwards or upwards: such pages cannot overlap.
#[tokio::test]
async fn targets_that_count_in_pages_are_read_too() {
    for round in
        [|start: usize| (start - 1) / 10 * 10 + 1, |start: usize| start / 10 * 10 + 1] as [fn(usize) -> usize; 2]
    {
        let (session, _) = noted(json!({}), move |_, path, _| {
            let all: Vec<Json> = (0..25).map(user_json).collect();
            let start = round(number(path, "startIndex").unwrap());
            page(&format!("/Users?startIndex={start}&count=10"), &all, 10, |_| Some(25))
        })
        .await;
        let (records, _, end) = scan_all(session.as_ref(), "User", 10).await;
        assert_eq!((records.len(), end.complete, end.count), (25, true, 25), "{:?}", end.reason);
    }
}

#[tokio::test]
async fn objects_that_cannot_be_read_by_id_are_named() {
    let (session, _) = noted(json!({"lists_whole": false}), |_, path, _| match path {
        "/Users/i1" => bare(400, r#"{"status":"400","detail":"odd"}"#),
        "/Users/i2" => not_found(),
        path if path.starts_with("/Users/") => bare(200, json!({"id": &path[7..], "userName": "whole"}).to_string()),
        path => page(path, &(0..4).map(user_json).collect::<Vec<_>>(), 10, |_| Some(4)),
    })
    .await;
    let mut scan = session.scan(&cx(), scan_request("User", 10)).await.unwrap();
    let (mut items, mut faults) = (0, Vec::new());
    let end = loop {
        let page = scan.next(&cx()).await.unwrap();
        items += page.items.len();
        faults.extend(page.faults);
        if let Some(end) = page.end {
            break end;
        }
    };
    assert_eq!((items, faults.len(), end.complete, end.count), (2, 1, false, 3));
    assert_eq!(faults[0].id.as_deref(), Some("i1"));
    assert!(end.reason.unwrap().contains("i1"));
}

#[tokio::test]
async fn matches_are_seen_through_other_spellings() {
    let one = |user: Json| bare(200, json!({"totalResults": 1, "Resources": [user]}).to_string());
    // Numbers for texts.
    let (session, _) = noted(json!({}), move |_, _, _| one(json!({"id": "1", "externalId": 1001}))).await;
    assert_eq!(lookup(session.as_ref(), "externalId", "1001").await.unwrap(), ["1"]);
    let find = |text: &str| FindRequest::new("User", text.parse().unwrap());
    assert_eq!(session.find(&cx(), find("externalId eq \"1001\"")).await.unwrap().records.len(), 1);
    // A list that leaves the attribute out, whatever the dialect says of it.
    for whole in [true, false] {
        let (session, _) = noted(json!({"lists_whole": whole}), move |_, path, _| match path {
            "/Users/1" => bare(200, r#"{"id":"1","userName":"ada","externalId":"e1"}"#),
            _ => one(json!({"id": "1", "userName": "ada"})),
        })
        .await;
        assert_eq!(lookup(session.as_ref(), "externalId", "e1").await.unwrap(), ["1"], "{whole}");
        assert!(lookup(session.as_ref(), "externalId", "e2").await.unwrap().is_empty(), "{whole}");
    }
    // Letter case that the dialect says does not count, against the schema.
    for (dialect, want) in [(json!({"attributes": {"User": {"externalId": {"case_exact": false}}}}), 1), (json!({}), 0)]
    {
        let (session, _) = noted(dialect, move |_, _, _| one(json!({"id": "1", "externalId": "Ada"}))).await;
        assert_eq!(lookup(session.as_ref(), "externalId", "ADA").await.unwrap().len(), want);
        let found = session.find(&cx(), find("externalId eq \"ADA\"")).await.unwrap();
        assert_eq!(found.records.len(), want);
    }
}

/// Attributes that no schema tells of are compared as texts.
#[tokio::test]
async fn strangers_do_not_fit_a_filter_on_an_unknown_attribute() {
    let (session, _) = noted(json!({}), |_, _, _| {
        let all = json!([{"id": "1", "badge": 7}, {"id": "2", "badge": "8"}, {"id": "3"}]);
        bare(200, json!({"totalResults": 3, "Resources": all}).to_string())
    })
    .await;
    let request = FindRequest::new("User", "badge eq \"7\"".parse().unwrap());
    let found = session.find(&cx(), request).await.unwrap().records;
    assert_eq!(found.iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), ["1"]);
}

#[tokio::test]
async fn an_id_in_another_letter_case_is_the_same_object() {
    let (session, _) = noted(json!({"etag": true}), |_, path, _| match path {
        "/Users/AB" => (200, vec![("etag", "W/\"7\"".to_owned())], r#"{"id":"ab","userName":"ada"}"#.to_owned()),
        _ => bare(200, r#"{"id":"other"}"#),
    })
    .await;
    let record = session.get(&cx(), "User", &"AB".into()).await.unwrap().unwrap();
    assert_eq!((record.id.as_str(), record.etag.as_deref()), ("AB", Some("W/\"7\"")));
    let error = session.get(&cx(), "User", &"x".into()).await.unwrap_err();
    assert_eq!((error.code, error.scope), (ErrorCode::Protocol, Scope::Item));
}

#[tokio::test]
async fn a_walk_of_empty_pages_ends() {
    let asked = AtomicUsize::new(0);
    let (session, _) = noted(json!({"paging": "cursor"}), move |_, _, _| {
        let next = asked.fetch_add(1, Ordering::SeqCst);
        bare(200, json!({"Resources": [], "nextCursor": format!("c{next}")}).to_string())
    })
    .await;
    let (_, pages, end) = scan_all(session.as_ref(), "User", 10).await;
    assert!(!end.complete && pages < 50);
}
