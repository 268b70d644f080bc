//! 389 Directory Server's own ways: its ids, its lock on accounts, and its changelog.
#![cfg(feature = "ldap")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod ldap_support;

use std::collections::BTreeSet;
use std::sync::Arc;

use ldap_support::{admin, apply, change, create, cx, get, now, read, set, since, text, try_open, update};
use provost_connector::{ConnectorError, Cursor, ErrorCode, FindRequest, ScanRequest, Session};
use provost_model::{Action, ChangeOp, ObjectId, Value};
use provost_testkit::ds389::{self, Ds389};
use serde_json::{Value as Json, json};

fn classes() -> Json {
    json!({ "classes": {
        "person": { "base": ds389::PEOPLE, "object_classes": ["inetOrgPerson"] },
        "group": { "base": ds389::GROUPS, "object_classes": ["groupOfNames"] },
        "unit": { "base": ds389::PEOPLE, "object_classes": ["organizationalUnit"], "dn": format!("ou={{ou}},{}", ds389::PEOPLE) },
    }})
}

async fn open_as(server: &Ds389, dn: &str, password: &str) -> Result<Arc<dyn Session>, ConnectorError> {
    try_open(admin(server.url(), ds389::BASE, dn, classes()), ".".as_ref(), &[("admin", password)]).await
}

async fn start(changelog: bool) -> (Ds389, Arc<dyn Session>) {
    let server = Ds389::start(changelog).await.unwrap();
    let session = open_as(&server, ds389::ADMIN, ds389::PASSWORD).await.unwrap();
    (server, session)
}

fn named(uid: &str) -> Json {
    json!({ "uid": uid, "cn": uid, "sn": "Kit" })
}

#[tokio::test]
async fn a_locked_account_is_off() {
    let (server, session) = start(false).await;
    let session = session.as_ref();
    let mut values = named("ada, b");
    values["userPassword"] = json!("Sesame-1");
    let id = create(session, "person", values).await;
    let record = get(session, "person", &id).await;
    assert_eq!(
        (record.attributes.find("enabled"), text(&record, "nsUniqueId")),
        (Some(&Value::Boolean(true)), Some(&*id))
    );
    let dn = text(&record, "dn").unwrap();
    assert!(open_as(&server, dn, "Sesame-1").await.is_ok());
    apply(session, Action::Disable, "person", Some(&id), vec![set("title", json!("Gone"))]).await.unwrap();
    let error = open_as(&server, dn, "Sesame-1").await.err().unwrap();
    assert!(matches!(error.code, ErrorCode::AuthFailed | ErrorCode::Constraint), "{error:?}");
    let record = get(session, "person", &id).await;
    assert_eq!(
        (record.attributes.find("enabled"), text(&record, "title")),
        (Some(&Value::Boolean(false)), Some("Gone"))
    );
    let filter = "enabled eq false".parse().unwrap();
    let found = session.find(&cx(), FindRequest::new("person", filter)).await.unwrap();
    assert_eq!(found.records.iter().map(|record| &record.id).collect::<Vec<_>>(), [&id]);
    apply(session, Action::Enable, "person", Some(&id), Vec::new()).await.unwrap();
    assert!(open_as(&server, dn, "Sesame-1").await.is_ok());
    // Groups and containers have no lock.
    let capabilities = session.capabilities();
    for class in ["group", "unit"] {
        assert_eq!(capabilities.class(class).unwrap().enablement, None, "{class}");
    }
    // Nothing was switched on.
    assert!(capabilities.classes.iter().all(|class| !class.changes));
    assert_eq!(since(session, "person", None).await.unwrap_err().code, ErrorCode::NotSupported);
}

#[tokio::test]
async fn a_zero_byte_ends_no_name() {
    let (_server, session) = start(false).await;
    let session = session.as_ref();
    let changes = vec![set("uid", json!("a\0b")), set("cn", json!("A")), set("sn", json!("B"))];
    let error = apply(session, Action::Create, "person", None, changes).await.unwrap_err();
    assert_eq!((error.code, error.path.as_deref()), (ErrorCode::InvalidValue, Some("dn")));
    let id = create(session, "person", named("ada")).await;
    let error = apply(session, Action::Update, "person", Some(&id), vec![set("uid", json!("x\0"))]).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidValue);
    assert_eq!(read(session, ScanRequest::full("person")).await.unwrap().ids(), [id]);
}

#[tokio::test]
async fn the_changelog_tells_what_changed() {
    let (server, session) = start(true).await;
    let session = session.as_ref();
    let (changed, gone) = (create(session, "person", named("p1")).await, create(session, "person", named("p2")).await);
    let (moved, group) =
        (create(session, "person", named("p3")).await, create(session, "group", json!({ "cn": "Sales" })).await);
    let cursors = (now(session, "person").await, now(session, "group").await);
    let before = session.revision(&cx(), "person").await.unwrap();
    assert!(before.is_some() && before == session.revision(&cx(), "person").await.unwrap());
    update(session, "person", &changed, set("title", json!("Queen"))).await;
    update(session, "person", &changed, set("uid", json!("p1 renamed"))).await;
    update(session, "group", &group, change(ChangeOp::Add, "member", json!([changed.as_str(), gone.as_str()]))).await;
    apply(session, Action::Delete, "person", Some(&gone), Vec::new()).await.unwrap();
    update(session, "person", &moved, set("dn", json!(format!("uid=p3,{}", ds389::GROUPS)))).await;
    assert_ne!(session.revision(&cx(), "person").await.unwrap(), before);
    // Also by another session: nothing has to be remembered.
    let other = open_as(&server, ds389::ADMIN, ds389::PASSWORD).await.unwrap();
    let told = since(other.as_ref(), "person", Some(cursors.0)).await.unwrap();
    assert!(told.end.complete);
    assert_eq!(told.ids(), std::slice::from_ref(&changed));
    assert_eq!(text(&told.records[0], "uid"), Some("p1 renamed"));
    let left: BTreeSet<&ObjectId> = told.gone.iter().collect();
    assert!(left.contains(&gone) && left.contains(&moved), "{left:?}");
    let told = since(other.as_ref(), "group", Some(cursors.1)).await.unwrap();
    let members = told.records[0].attributes.find("member").unwrap().elements();
    assert!(members.contains(&Value::reference("person", changed.clone())), "{members:?}");
    // From the newest place on there is nothing.
    let told = since(other.as_ref(), "group", told.end.cursor).await.unwrap();
    assert_eq!((told.records.len(), told.gone.len()), (0, 0));
}

#[tokio::test]
async fn a_cursor_that_cannot_be_followed_has_expired() {
    let (_server, session) = start(true).await;
    let session = session.as_ref();
    let unit = create(session, "unit", json!({ "ou": "inner" })).await;
    let inner = format!("uid=ada,ou=inner,{}", ds389::PEOPLE);
    let mut values = named("ada");
    values["dn"] = json!(inner);
    let id = create(session, "person", values).await;
    let cursor = now(session, "person").await;
    update(session, "unit", &unit, set("ou", json!("outer"))).await;
    let record = get(session, "person", &id).await;
    assert_eq!(text(&record, "dn"), Some(format!("uid=ada,ou=outer,{}", ds389::PEOPLE).as_str()));
    let error = since(session, "person", Some(cursor.clone())).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::CursorExpired, "{error}");
    // Another log, and a place that this one has not come to.
    let mut json: Json = serde_json::from_str(&cursor.0).unwrap();
    let at = json["at"].as_str().unwrap().to_owned();
    let (log, number) = at.rsplit_once(':').unwrap();
    for other in [format!("00000000-00000000-00000000-00000000:{number}"), format!("{log}:999999"), log.to_owned()] {
        json["at"] = other.clone().into();
        let error = since(session, "person", Some(Cursor(json.to_string().into()))).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::CursorExpired, "{other}: {error}");
    }
}

/// The oldest changes are trimmed first; here by hand, as the server does it by the hour.
#[tokio::test]
async fn a_trimmed_changelog_is_noticed() {
    let (server, session) = start(true).await;
    let session = session.as_ref();
    let id = create(session, "person", named("ada")).await;
    let cursor = now(session, "person").await;
    let number: u64 = {
        let json: Json = serde_json::from_str(&cursor.0).unwrap();
        json["at"].as_str().unwrap().rsplit_once(':').unwrap().1.parse().unwrap()
    };
    for title in ["one", "two", "three"] {
        update(session, "person", &id, set("title", json!(title))).await;
    }
    assert_eq!(since(session, "person", Some(cursor.clone())).await.unwrap().ids(), [id]);
    server.delete(&format!("changeNumber={},cn=changelog", number + 1)).await.unwrap();
    let error = since(session, "person", Some(cursor)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::CursorExpired, "{error}");
}
