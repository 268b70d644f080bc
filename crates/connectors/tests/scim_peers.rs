//! The connector against two SCIM servers that others wrote: a strict one and a loose one.
#![cfg(feature = "scim")]
#![allow(clippy::unwrap_used)]

mod scim_support;

use std::sync::Arc;

use provost_connector::{CheckStatus, ErrorCode, FindRequest, LookupRequest, Session};
use provost_connectors::scim::probe::{self, State, probe};
use provost_model::{Action, ChangeOp, ObjectId, Value};
use provost_testkit::{CountingProxy, Fault, Peer, Rule, scim2_server, scimmy};
use scim_support::*;
use serde_json::json;

async fn peers() -> Vec<Peer> {
    let (strict, loose) = tokio::join!(scim2_server::start(), scimmy::start());
    vec![strict.unwrap(), loose.unwrap()]
}

async fn create(session: &dyn Session, name: &str) -> ObjectId {
    apply(session, &user(name)).await.unwrap().target_id
}

fn lookup(class: &str, path: &str, values: &[&str]) -> LookupRequest {
    let values = values.iter().map(|value| Value::text(*value)).collect();
    LookupRequest { class: class.into(), path: path.parse().unwrap(), values }
}

#[tokio::test]
async fn a_user_lives_and_ends() {
    for peer in peers().await {
        let session = connect(&peer.base_url(), peer.token(), json!({})).await;
        let session = session.as_ref();
        let done = apply(session, &user("ada@example.org")).await.unwrap();
        assert_eq!((done.requests, done.target_id.is_empty()), (1, false));
        let id = done.target_id;

        let twice = apply(session, &user("ada@example.org")).await.unwrap_err();
        assert_eq!((twice.code, twice.target_status), (ErrorCode::AlreadyExists, Some(409)));

        let request =
            lookup("User", "userName", &["nobody", "ada@example.org", "x\" or userName pr or userName eq \""]);
        let found =
            session.lookup(&cx(), LookupRequest { values: request.values[..2].to_vec(), ..request.clone() }).await;
        let found = found.unwrap();
        assert!(found[0].is_empty() && found[1].len() == 1 && found[1][0].id == id);
        // A value is data: it finds nothing, or the target says that it cannot read it; it never finds everybody.
        match session.lookup(&cx(), LookupRequest { values: request.values[2..].to_vec(), ..request }).await {
            Ok(found) => assert!(found[0].is_empty()),
            Err(error) => assert_eq!(error.code, ErrorCode::NotSupported),
        }
        let by_id = session.lookup(&cx(), lookup("User", "id", &[&id, "nobody"])).await.unwrap();
        assert_eq!((by_id[0].len(), by_id[1].len()), (1, 0));
        let by_mail =
            session.lookup(&cx(), lookup("User", "emails[type eq \"work\"].value", &["ada@example.org"])).await;
        assert_eq!(by_mail.unwrap()[0].len(), 1);

        let changes = vec![
            set("title", json!("Countess")),
            set("name.givenName", json!("Augusta")),
            set("emails[type eq \"work\"].value", json!("augusta@example.org")),
            set("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", json!("Poetry")),
        ];
        let done = apply(session, &operation(Action::Update, "User", Some(&id), changes)).await.unwrap();
        assert!(done.changed.is_empty() && done.requests == 1);
        let record = session.get(&cx(), "user", &id).await.unwrap().unwrap();
        for (path, want) in [
            ("title", "Countess"),
            ("name.givenName", "Augusta"),
            ("name.familyName", "Lovelace"),
            ("emails[type eq \"work\"].value", "augusta@example.org"),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "Poetry"),
        ] {
            let path: provost_model::AttributePath = path.parse().unwrap();
            assert_eq!(path.get(&record.attributes), Some(&Value::text(want)), "{path}");
        }
        assert_eq!(record.attributes.find("emails").unwrap().as_list().unwrap().len(), 1);

        let leaving = vec![set("title", json!("Left")), change(ChangeOp::Unset, "externalId", json!(null))];
        apply(session, &operation(Action::Disable, "User", Some(&id), leaving)).await.unwrap();
        let record = session.get(&cx(), "User", &id).await.unwrap().unwrap();
        assert_eq!(record.attributes.find("active"), Some(&Value::Boolean(false)));
        assert_eq!(record.attributes.find("title"), Some(&Value::text("Left")));
        assert_eq!(record.attributes.find("externalId"), None);
        apply(session, &operation(Action::Enable, "User", Some(&id), vec![])).await.unwrap();
        let record = session.get(&cx(), "User", &id).await.unwrap().unwrap();
        assert_eq!(record.attributes.find("active"), Some(&Value::Boolean(true)));

        apply(session, &operation(Action::Delete, "User", Some(&id), vec![])).await.unwrap();
        assert_eq!(session.get(&cx(), "User", &id).await.unwrap(), None);
        apply(session, &operation(Action::Delete, "User", Some(&id), vec![])).await.unwrap();
        let gone = apply(session, &operation(Action::Disable, "User", Some(&id), vec![])).await.unwrap_err();
        assert_eq!(gone.code, ErrorCode::NotFound);
    }
}

#[tokio::test]
async fn members_come_and_go_in_chunks() {
    for peer in peers().await {
        let proxy = CountingProxy::start(&peer.base_url()).await.unwrap();
        let session = connect(proxy.base_url(), peer.token(), json!({"dialect": {"members_per_request": 2}})).await;
        let session = session.as_ref();
        let mut ids = Vec::new();
        for at in 0..7 {
            ids.push(create(session, &format!("member{at}@example.org")).await);
        }
        let refs = |ids: &[ObjectId]| {
            json!(ids.iter().map(|id| json!({"ref": {"class": "User", "id": id.as_str()}})).collect::<Vec<_>>())
        };
        proxy.reset();
        let changes = vec![set("displayName", json!("Engineers")), set("members", refs(&ids[..5]))];
        let done = apply(session, &operation(Action::Create, "Group", None, changes)).await.unwrap();
        assert_eq!((done.requests, proxy.writes()), (3, 3));
        let group = done.target_id;
        let sorted = |ids: &[ObjectId]| {
            let mut ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            ids.sort();
            ids
        };
        let record = session.get(&cx(), "Group", &group).await.unwrap().unwrap();
        assert_eq!(members(&record), sorted(&ids[..5]));

        let changes = vec![
            change(ChangeOp::Remove, "members", refs(&ids[..3])),
            change(ChangeOp::Add, "members", refs(&ids[5..])),
        ];
        let done = apply(session, &operation(Action::Update, "Group", Some(&group), changes)).await.unwrap();
        assert_eq!(done.requests, 3);
        let record = session.get(&cx(), "Group", &group).await.unwrap().unwrap();
        assert_eq!(members(&record), sorted(&ids[3..]));

        // A later chunk that fails: some of it was done.
        proxy.inject(Rule::new(Fault::Status(500, None)).method("PATCH").nth(2));
        let changes = vec![change(ChangeOp::Remove, "members", refs(&ids[3..7]))];
        let error = apply(session, &operation(Action::Update, "Group", Some(&group), changes)).await.unwrap_err();
        assert_eq!((error.code, error.target_status), (ErrorCode::Partial, Some(500)));
        let record = session.get(&cx(), "Group", &group).await.unwrap().unwrap();
        assert_eq!(members(&record), sorted(&ids[5..]));

        // Members are not read by the way.
        let found = session.lookup(&cx(), lookup("Group", "displayName", &["Engineers"])).await.unwrap();
        assert_eq!(found[0].len(), 1);
        let (groups, _, end) = scan_all(session, "Group", 10).await;
        assert!(end.complete && groups.len() == 1 && members(&groups[0]) == sorted(&ids[5..]));
    }
}

#[tokio::test]
async fn a_scan_walks_all_pages() {
    for peer in peers().await {
        let proxy = CountingProxy::start(&peer.base_url()).await.unwrap();
        let session = connect(proxy.base_url(), peer.token(), json!({"dialect": {"page_size": 100}})).await;
        let session = session.as_ref();
        let (records, pages, end) = scan_all(session, "User", 1000).await;
        assert!(records.is_empty() && pages == 1 && end.complete && end.count == 0);
        for batch in (0..250).collect::<Vec<_>>().chunks(50) {
            let all = batch.iter().map(|at| user(&format!("u{at}@example.org"))).collect::<Vec<_>>();
            futures_util::future::join_all(all.iter().map(|one| apply(session, one))).await.into_iter().for_each(
                |done| {
                    done.unwrap();
                },
            );
        }
        assert_eq!(session.count(&cx(), "User").await.unwrap(), 250);
        proxy.reset();
        let (records, pages, end) = scan_all(session, "User", 1000).await;
        assert_eq!((records.len(), pages, end.complete, end.count), (250, 3, true, 250));
        assert_eq!((proxy.count("GET", ""), proxy.writes()), (3, 0));
        assert!(records.iter().all(|record| record.raw_digest.is_some()));
        let (again, ..) = scan_all(session, "User", 60).await;
        let digests = |records: &[provost_model::Record]| {
            let mut all: Vec<_> = records.iter().map(|record| (record.id.clone(), record.digest())).collect();
            all.sort();
            all
        };
        assert_eq!(digests(&records), digests(&again));

        let mut found = 0;
        let filter = "userName sw \"u1\"".parse().unwrap();
        let mut request = FindRequest { page_size: 50, ..FindRequest::new("User", filter) };
        loop {
            let page = session.find(&cx(), request.clone()).await.unwrap();
            found += page.records.len();
            match page.next {
                Some(next) => request.cursor = Some(next),
                None => break,
            }
        }
        assert_eq!(found, 111);
        let entra = FindRequest { filter: "userName REGEX MATCH \"u\"".parse().unwrap(), ..request };
        assert_eq!(session.find(&cx(), entra).await.unwrap_err().code, ErrorCode::NotSupported);
    }
}

#[tokio::test]
async fn lost_answers_are_told_from_requests_that_were_not_done() {
    for peer in peers().await {
        let proxy = CountingProxy::start(&peer.base_url()).await.unwrap();
        let session = connect(proxy.base_url(), peer.token(), json!({})).await;
        let session = session.as_ref();
        let id = create(session, "first@example.org").await;
        let update = operation(Action::Update, "User", Some(&id), vec![set("title", json!("x"))]);
        let cases = [
            (Fault::DropBefore, ErrorCode::UnknownOutcome, None),
            (Fault::DropAfter, ErrorCode::UnknownOutcome, None),
            (Fault::Status(429, Some(7)), ErrorCode::Throttled, Some(7_000)),
            (Fault::Status(503, None), ErrorCode::Throttled, None),
            (Fault::Status(500, None), ErrorCode::UnknownOutcome, None),
            (Fault::Status(502, None), ErrorCode::UnknownOutcome, None),
            (Fault::Status(401, None), ErrorCode::AuthFailed, None),
            (Fault::Status(403, None), ErrorCode::PermissionDenied, None),
            (Fault::Status(400, None), ErrorCode::InvalidValue, None),
            (Fault::Status(501, None), ErrorCode::NotSupported, None),
        ];
        for (at, (fault, code, after_ms)) in cases.into_iter().enumerate() {
            for one in [&user(&format!("new{at}@example.org")), &update] {
                proxy.clear_faults();
                proxy.reset();
                proxy.inject(Rule::new(fault));
                let error = apply(session, one).await.unwrap_err();
                assert_eq!((error.code, error.after_ms), (code, after_ms), "{fault:?} {error:?}");
                assert_eq!(proxy.writes(), 1, "nothing is tried again here: {fault:?}");
                assert!(!format!("{error:?} {error}").contains(peer.token()));
            }
        }
        // Reads have no doubt.
        for (fault, code) in [
            (Fault::DropBefore, ErrorCode::Unavailable),
            (Fault::DropAfter, ErrorCode::Unavailable),
            (Fault::Status(500, None), ErrorCode::Unavailable),
            (Fault::Status(429, Some(1)), ErrorCode::Throttled),
        ] {
            proxy.clear_faults();
            proxy.inject(Rule::new(fault));
            assert_eq!(session.get(&cx(), "User", &id).await.unwrap_err().code, code, "{fault:?}");
        }
        proxy.clear_faults();
        // The create whose answer was lost was done; the one that was dropped before was not.
        let request = lookup("User", "userName", &["new0@example.org", "new1@example.org"]);
        let found = session.lookup(&cx(), request).await.unwrap();
        assert_eq!((found[0].len(), found[1].len()), (0, 1));
    }
}

#[tokio::test]
async fn a_target_that_is_not_there_is_unavailable() {
    let port = provost_testkit::free_port().unwrap();
    let url = format!("http://127.0.0.1:{port}/scim");
    let error = try_connect(&url, "secret-token", json!({})).await.err().unwrap();
    assert_eq!(error.code, ErrorCode::Unavailable);
    let session = connect(&url, "secret-token", json!({"discovery": false})).await;
    let error = apply(session.as_ref(), &user("ada")).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Unavailable, "nothing was sent");
}

#[tokio::test]
async fn credentials_are_checked_when_the_connection_is_set_up() {
    for peer in peers().await {
        let error = try_connect(&peer.base_url(), "wrong-token", json!({})).await.err().unwrap();
        assert_eq!((error.code, error.target_status), (ErrorCode::AuthFailed, Some(401)));
        let session = connect(&peer.base_url(), "wrong-token", json!({"discovery": false})).await;
        let checks = session.test(&cx()).await;
        assert!(checks.len() == 1 && checks[0].status == CheckStatus::Fail, "{checks:?}");
        assert!(!format!("{checks:?} {error:?}").contains("wrong-token"));
    }
}

#[tokio::test]
async fn a_target_tells_what_it_can() {
    for peer in peers().await {
        let session = connect(&peer.base_url(), peer.token(), json!({})).await;
        let capabilities = session.capabilities();
        assert_eq!(
            (capabilities.max_batch, capabilities.max_in_flight, capabilities.requests_per_second),
            (1, 8, None)
        );
        let (users, groups) = (capabilities.class("user").unwrap(), capabilities.class("Group").unwrap());
        assert!(
            users.enablement.is_some()
                && groups.enablement.is_none()
                && users.can_look_up(&"userName".parse().unwrap())
        );
        assert!(users.create && users.scan && !users.changes && groups.max_values_per_change == Some(50));
        let schema = session.schema(&cx()).await.unwrap();
        let user = schema.class("User").unwrap();
        assert!(!user.open && user.keys.first().is_some_and(|key| key == "userName"));
        let department = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department".parse().unwrap();
        assert!(user.resolve(&department).is_some());
        let checks = session.test(&cx()).await;
        assert!(checks.len() >= 3 && checks.iter().all(|check| check.status == CheckStatus::Ok), "{checks:?}");
    }
}

#[tokio::test]
async fn targets_without_patch_are_written_as_a_whole() {
    for peer in peers().await {
        let proxy = CountingProxy::start(&peer.base_url()).await.unwrap();
        let session = connect(proxy.base_url(), peer.token(), json!({"dialect": {"update": "put"}})).await;
        let session = session.as_ref();
        let id = create(session, "ada@example.org").await;
        proxy.reset();
        let changes = vec![set("title", json!("Countess"))];
        let done = apply(session, &operation(Action::Disable, "User", Some(&id), changes)).await.unwrap();
        assert_eq!((done.requests, proxy.count("PUT", ""), proxy.count("PATCH", "")), (2, 1, 0));
        let record = session.get(&cx(), "User", &id).await.unwrap().unwrap();
        assert_eq!(record.attributes.find("active"), Some(&Value::Boolean(false)));
        let kept: provost_model::AttributePath = "name.familyName".parse().unwrap();
        assert_eq!(kept.get(&record.attributes), Some(&Value::text("Lovelace")));
    }
}

#[tokio::test]
async fn versions_guard_updates_where_the_target_has_them() {
    let peer = scim2_server::start().await.unwrap();
    let session = connect(&peer.base_url(), peer.token(), json!({"dialect": {"etag": true}})).await;
    let session = session.as_ref();
    let done = apply(session, &user("ada@example.org")).await.unwrap();
    assert!(done.etag.is_some() && session.capabilities().class("User").unwrap().preconditions);
    let mut update = operation(Action::Update, "User", Some(&done.target_id), vec![set("title", json!("one"))]);
    update.if_match = done.etag;
    let first = apply(session, &update).await.unwrap();
    assert!(first.etag.is_some() && first.etag != update.if_match);
    update.changes = vec![set("title", json!("two"))];
    let stale = apply(session, &update).await.unwrap_err();
    assert_eq!((stale.code, stale.target_status), (ErrorCode::PreconditionFailed, Some(412)));
}

/// Servers that others wrote are found out too, and left as they were.
#[tokio::test]
async fn a_trial_leaves_nothing_behind() {
    for peer in peers().await {
        let host = Arc::new(Secrets::of(&[("token", peer.token())]));
        let connection = settings(json!({"url": peer.base_url(), "token": {"secret": "token"}}));
        let found = probe(&cx(), &connection, host, &probe::Options::default()).await.unwrap();
        assert!(found.left_behind.is_empty(), "{:?}", found.left_behind);
        let state = |id: &str| found.checks.iter().find(|check| check.id == id).map(|check| check.state);
        for check in &found.checks {
            println!("{:?} {}: {} ({:?})", check.state, check.id, check.found, check.advertised);
        }
        println!("{}", serde_json::Value::Object(found.dialect.clone()));
        assert_eq!(state("create"), Some(State::Fine));
        assert_eq!(state("active"), Some(State::Fine));
        let session = connect(&peer.base_url(), peer.token(), json!({"dialect": found.dialect})).await;
        for class in ["User", "Group"] {
            let (left, _, end) = scan_all(session.as_ref(), class, 100).await;
            assert!(left.is_empty() && end.complete, "{class}: {left:?}");
        }
    }
}
