//! Active Directory's own ways, tried on Samba: accounts, passwords, long lists, times, and changes by update numbers.
#![cfg(feature = "ldap")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod ldap_support;

use std::collections::BTreeSet;
use std::sync::Arc;

use ldap_support::{admin, apply, change, create, cx, get, now, read, set, since, text, try_open, update};
use provost_connector::{ConnectorError, ErrorCode, FindRequest, ScanRequest, Session};
use provost_model::{Action, AttributePath, AttributeType, ChangeOp, ObjectId, Value};
use provost_testkit::samba::{self, Samba};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// One for all tests of the process: it takes ten seconds to begin.
static SERVER: OnceCell<(Samba, TempDir)> = OnceCell::const_new();

async fn server() -> &'static (Samba, TempDir) {
    let start = async || {
        let (server, folder) = (Samba::start().await.unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(folder.path().join("ca.pem"), server.authority().pem()).unwrap();
        (server, folder)
    };
    SERVER.get_or_init(start).await
}

fn classes() -> Json {
    json!({
        "person": { "base": samba::USERS, "object_classes": ["user"] },
        "group": { "base": samba::GROUPS, "object_classes": ["group"] },
    })
}

async fn open_as(dn: &str, password: &str, more: Json) -> Result<Arc<dyn Session>, ConnectorError> {
    let (server, folder) = server().await;
    let mut settings = admin(&server.secure_url(), samba::BASE, dn, json!({ "ca": "ca.pem", "classes": classes() }));
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    try_open(settings, folder.path(), &[("admin", password)]).await
}

async fn open() -> Arc<dyn Session> {
    open_as(samba::ADMIN, samba::PASSWORD, json!({})).await.unwrap()
}

fn named(name: &str) -> Json {
    json!({ "cn": name, "sAMAccountName": name, "userPrincipalName": format!("{name}@ad.example.org"), "sn": "Kit" })
}

fn with(mut values: Json, more: Json) -> Json {
    values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    values
}

fn control(record: &provost_model::Record) -> i64 {
    record.attributes.find("userAccountControl").and_then(Value::as_integer).unwrap()
}

/// Two bits of `userAccountControl`: switched off, and a password that never expires.
const OFF: i64 = 0x2;
const KEEPS_PASSWORD: i64 = 0x1_0000;

#[tokio::test]
async fn an_account_is_switched_by_one_bit() {
    let session = open().await;
    let session = session.as_ref();
    let enablement = session.capabilities().class("person").unwrap().enablement.clone().unwrap();
    assert_eq!(enablement.path, AttributePath::name("enabled"));
    let values = with(named("bits"), json!({ "unicodePwd": "Secret-of-bits-1", "enabled": true }));
    let id = create(session, "person", values).await;
    assert_eq!(id.len(), 36, "{id}");
    let record = get(session, "person", &id).await;
    assert_eq!((control(&record), record.attributes.find("enabled")), (0x200, Some(&Value::Boolean(true))));
    update(session, "person", &id, set("userAccountControl", json!(0x200 | KEEPS_PASSWORD))).await;
    for (action, want) in [(Action::Disable, OFF), (Action::Disable, OFF), (Action::Enable, 0), (Action::Enable, 0)] {
        apply(session, action, "person", Some(&id), vec![set("title", json!(action.as_str()))]).await.unwrap();
        let record = get(session, "person", &id).await;
        assert_eq!(control(&record), 0x200 | KEEPS_PASSWORD | want, "{action}");
        assert_eq!(record.attributes.find("enabled"), Some(&Value::Boolean(want == 0)));
        assert_eq!(text(&record, "title"), Some(action.as_str()));
    }
    // Both at once: the number says all bits but the one.
    let both = vec![set("userAccountControl", json!(0x200)), set("enabled", json!(false))];
    apply(session, Action::Update, "person", Some(&id), both).await.unwrap();
    assert_eq!(control(&get(session, "person", &id).await), 0x200 | OFF);
    for (filter, many) in [("enabled eq false", 1), ("enabled eq true", 0), ("not (enabled eq true)", 1)] {
        let filter = format!("sAMAccountName eq \"bits\" and {filter}").parse().unwrap();
        let found = session.find(&cx(), FindRequest::new("person", filter)).await.unwrap();
        assert_eq!(found.records.len(), many);
    }
}

/// Two who turn different bits of one number at the same time: none is lost.
#[tokio::test]
async fn bits_are_turned_side_by_side() {
    let one = open().await;
    let other = json!({ "classes": { "person": { "base": samba::USERS, "object_classes": ["user"],
        "enabled": { "attribute": "userAccountControl", "bit": KEEPS_PASSWORD } } } });
    let other = open_as(samba::ADMIN, samba::PASSWORD, other).await.unwrap();
    let values = with(named("side"), json!({ "unicodePwd": "Secret-of-side-1", "enabled": true }));
    let id = create(one.as_ref(), "person", values).await;
    for round in 0..60 {
        let (action, want) = match round % 2 {
            0 => (Action::Disable, 0x200 | OFF | KEEPS_PASSWORD),
            _ => (Action::Enable, 0x200),
        };
        let turn = |session: &Arc<dyn Session>| {
            let (session, id) = (session.clone(), id.clone());
            tokio::spawn(async move { apply(session.as_ref(), action, "person", Some(&id), Vec::new()).await })
        };
        let (first, second) = (turn(&one), turn(&other));
        first.await.unwrap().unwrap();
        second.await.unwrap().unwrap();
        assert_eq!(control(&get(one.as_ref(), "person", &id).await), want, "in round {round}");
    }
}

#[tokio::test]
async fn passwords_go_over_tls_alone_and_work() {
    let session = open().await;
    let values = with(named("pass"), json!({ "unicodePwd": "Erstes-Passwört-1", "enabled": true }));
    let id = create(session.as_ref(), "person", values).await;
    let principal = "pass@ad.example.org";
    assert!(open_as(principal, "Erstes-Passwört-1", json!({})).await.is_ok());
    update(session.as_ref(), "person", &id, set("unicodePwd", json!("Zweites-\"Passwort\"-2"))).await;
    assert!(open_as(principal, "Zweites-\"Passwort\"-2", json!({})).await.is_ok());
    let error = open_as(principal, "Drittes-Passwort-3", json!({})).await.err().unwrap();
    assert_eq!((error.code, error.target_status), (ErrorCode::AuthFailed, Some(49)));
    let record = get(session.as_ref(), "person", &id).await;
    assert_eq!(record.attributes.find("unicodePwd"), None);
    // One that the domain's policy does not take.
    let error = apply(session.as_ref(), Action::Update, "person", Some(&id), vec![set("unicodePwd", json!("x"))]);
    let error = error.await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Constraint, "{error}");
    // Nothing is sent in plain.
    let (server, _) = server().await;
    let plain = json!({ "url": server.url(), "ca": null });
    let session = open_as(samba::ADMIN, samba::PASSWORD, plain).await.unwrap();
    let change = vec![set("unicodePwd", json!("Viertes-Passwort-4"))];
    let error = apply(session.as_ref(), Action::Update, "person", Some(&id), change).await.unwrap_err();
    assert_eq!((error.code, error.path.as_deref()), (ErrorCode::NotSupported, Some("unicodePwd")));
    assert!(!format!("{error:?}").contains("Viertes"));
}

/// More members than Active Directory gives at once. Samba gives all of them: how parts are put together is tried beside
/// `range`, which asks it for parts.
#[tokio::test]
async fn long_lists_are_read_whole() {
    const MANY: usize = 1_600;
    let session = open().await;
    let session = session.as_ref();
    let mut ids = Vec::new();
    for at in 0..MANY {
        // Groups may be members, and are quicker to make than people.
        ids.push(create(session, "group", json!({ "cn": format!("m{at}"), "sAMAccountName": format!("m{at}") })).await);
    }
    let group = create(session, "group", json!({ "cn": "long", "sAMAccountName": "long" })).await;
    for some in ids.chunks(400) {
        let some: Vec<&str> = some.iter().map(ObjectId::as_str).collect();
        update(session, "group", &group, change(ChangeOp::Add, "member", json!(some))).await;
    }
    let all = read(session, ScanRequest::full("group")).await.unwrap();
    assert!(all.end.complete);
    let scanned = all.records.into_iter().find(|record| record.id == group).unwrap();
    for record in [scanned, get(session, "group", &group).await] {
        assert_eq!(record.incomplete, []);
        let members = record.attributes.find("member").unwrap().elements();
        let members: BTreeSet<&ObjectId> = members.iter().map(|one| &one.as_reference().unwrap().id).collect();
        assert_eq!(members, ids.iter().collect::<BTreeSet<_>>());
    }
    // What is there is added once more, and who is no member is removed, beside one who is.
    let (first, last) = (ids[0].as_str(), ids[MANY - 1].as_str());
    update(session, "group", &group, change(ChangeOp::Add, "member", json!([first, last]))).await;
    update(session, "group", &group, change(ChangeOp::Remove, "member", json!([first]))).await;
    update(session, "group", &group, change(ChangeOp::Remove, "member", json!([first, last]))).await;
    let record = get(session, "group", &group).await;
    assert_eq!(record.attributes.find("member").unwrap().elements().len(), MANY - 2);
}

#[tokio::test]
async fn times_are_times_and_never_is_nothing() {
    let session = open().await;
    let session = session.as_ref();
    let id = create(session, "person", named("times")).await;
    let schema = session.schema(&cx()).await.unwrap();
    let class = schema.class("person").unwrap();
    for (name, kind) in [
        ("accountExpires", AttributeType::DateTime),
        ("whenCreated", AttributeType::DateTime),
        ("uSNChanged", AttributeType::Integer),
        ("objectSid", AttributeType::Binary),
        ("manager", AttributeType::Reference),
        ("mail", AttributeType::String),
    ] {
        assert_eq!(class.attribute(name).unwrap().kind, kind, "{name}");
    }
    assert!(!class.attribute("mail").unwrap().case_exact);
    assert_eq!(get(session, "person", &id).await.attributes.find("accountExpires"), None);
    update(session, "person", &id, set("accountExpires", json!("2031-02-03T04:05:06Z"))).await;
    let record = get(session, "person", &id).await;
    assert_eq!(text(&record, "accountExpires"), Some("2031-02-03T04:05:06Z"));
    assert!(text(&record, "whenCreated").unwrap().parse::<provost_model::Timestamp>().is_ok());
    update(session, "person", &id, change(ChangeOp::Unset, "accountExpires", Json::Null)).await;
    assert_eq!(get(session, "person", &id).await.attributes.find("accountExpires"), None);
    // What ought to change at the next sign-in is a number, and stays one.
    update(session, "person", &id, set("pwdLastSet", json!(0))).await;
    assert_eq!(text(&get(session, "person", &id).await, "pwdLastSet"), Some("0"));
    let error = apply(session, Action::Update, "person", Some(&id), vec![set("accountExpires", json!("soon"))]).await;
    assert_eq!(error.unwrap_err().code, ErrorCode::InvalidValue);
}

/// The domain as a whole, with nothing said about classes: no computers, no other naming contexts, and an end.
#[tokio::test]
async fn url_and_base_are_enough() {
    let made = create(open().await.as_ref(), "person", named("plain")).await;
    let session = open_as(samba::ADMIN, samba::PASSWORD, json!({ "classes": null })).await.unwrap();
    let people = read(session.as_ref(), ScanRequest::full("person")).await.unwrap();
    assert!(people.end.complete, "{:?}", people.end.reason);
    assert!(people.ids().contains(&made));
    let names: Vec<&str> = people.records.iter().filter_map(|record| text(record, "sAMAccountName")).collect();
    assert!(names.contains(&"Administrator") && !names.iter().any(|name| name.ends_with('$')), "{names:?}");
    let groups = read(session.as_ref(), ScanRequest::full("group")).await.unwrap();
    let admins = groups.records.iter().find(|record| text(record, "sAMAccountName") == Some("Domain Admins")).unwrap();
    assert!(admins.attributes.find("member").unwrap().elements()[0].as_reference().is_some());
}

#[tokio::test]
async fn update_numbers_tell_what_changed() {
    let session = open().await;
    let session = session.as_ref();
    let (changed, gone) =
        (create(session, "person", named("usn1")).await, create(session, "person", named("usn2")).await);
    let moved = create(session, "person", named("usn3")).await;
    let cursor = now(session, "person").await;
    update(session, "person", &changed, set("title", json!("Queen"))).await;
    apply(session, Action::Delete, "person", Some(&gone), Vec::new()).await.unwrap();
    let place = format!("CN=usn3,{}", samba::GROUPS);
    update(session, "person", &moved, set("dn", json!(place))).await;
    let made = create(session, "person", named("usn4")).await;
    // Other tests make people at the same time.
    let told = since(session, "person", Some(cursor)).await.unwrap();
    assert!(told.end.complete);
    let ids: BTreeSet<ObjectId> = told.ids().into_iter().collect();
    assert!(ids.contains(&changed) && ids.contains(&made) && !ids.contains(&gone) && !ids.contains(&moved));
    assert!(told.gone.contains(&gone) && told.gone.contains(&moved), "{:?}", told.gone);
    // A cursor of another domain controller, or of one that was restored.
    let mark = told.end.cursor.unwrap();
    let mut json: Json = serde_json::from_str(&mark.0).unwrap();
    let at = json["at"].as_str().unwrap().to_owned();
    let (copy, number) = at.rsplit_once(':').unwrap();
    for other in [format!("00000000-0000-0000-0000-000000000000:{number}"), format!("{copy}:99999999999")] {
        json["at"] = other.into();
        let cursor = provost_connector::Cursor(json.to_string().into());
        assert_eq!(since(session, "person", Some(cursor)).await.unwrap_err().code, ErrorCode::CursorExpired);
    }
    // Who may not see what was deleted has no feed.
    let values = with(named("usn5"), json!({ "unicodePwd": "Secret-of-usn-5", "enabled": true }));
    create(session, "person", values).await;
    let session = open_as("usn5@ad.example.org", "Secret-of-usn-5", json!({})).await.unwrap();
    assert!(session.capabilities().classes.iter().all(|class| !class.changes));
    assert!(read(session.as_ref(), ScanRequest::full("person")).await.unwrap().end.complete);
    let id = &made;
    let error = apply(session.as_ref(), Action::Update, "person", Some(id), vec![set("title", json!("x"))]).await;
    assert_eq!(error.unwrap_err().code, ErrorCode::PermissionDenied);
}
