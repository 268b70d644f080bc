//! Content synchronisation of OpenLDAP: who is gone is told, or the cursor has expired; never is anybody passed over.
#![cfg(feature = "ldap")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod ldap_support;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use ldap_support::{admin, apply, change, create, cx, now, read, set, since, text, try_open, update};
use provost_connector::{ErrorCode, ScanMode, ScanRequest, Session};
use provost_model::{Action, ChangeOp, ObjectId, Value};
use provost_testkit::slapd::{self, Slapd};
use serde_json::{Value as Json, json};

fn classes() -> Json {
    json!({ "classes": {
        "person": { "base": slapd::PEOPLE, "object_classes": ["inetOrgPerson"] },
        "group": { "base": slapd::GROUPS, "object_classes": ["groupOfNames"] },
    }})
}

async fn open(server: &Slapd, more: Json) -> Arc<dyn Session> {
    let settings = admin(server.url(), slapd::BASE, slapd::ADMIN, more);
    try_open(settings, ".".as_ref(), &[("admin", slapd::PASSWORD)]).await.unwrap()
}

/// People by number, loaded before the server starts.
fn crowd(many: usize) -> String {
    (0..many).fold(String::new(), |mut ldif, at| {
        let _ = writeln!(
            ldif,
            "dn: uid=p{at},{}\nobjectClass: inetOrgPerson\nuid: p{at}\ncn: P {at}\nsn: P\n",
            slapd::PEOPLE
        );
        ldif
    })
}

async fn start(options: slapd::Options) -> (Slapd, Arc<dyn Session>) {
    let server = Slapd::start(&options).await.unwrap();
    let session = open(&server, classes()).await;
    (server, session)
}

fn named(uid: &str) -> Json {
    json!({ "uid": uid, "cn": uid, "sn": "Kit" })
}

async fn delete(session: &dyn Session, class: &str, id: &ObjectId) {
    apply(session, Action::Delete, class, Some(id), Vec::new()).await.unwrap();
}

async fn by_uid(session: &dyn Session, uid: &str) -> ObjectId {
    let filter = format!("uid eq \"{uid}\"").parse().unwrap();
    let found = session.find(&cx(), provost_connector::FindRequest::new("person", filter)).await.unwrap();
    found.records[0].id.clone()
}

/// Few ids travel with the cursor, so that another session goes on from it.
#[tokio::test]
async fn a_small_class_needs_no_memory() {
    let (server, session) = start(slapd::Options { ldif: crowd(20), ..slapd::Options::default() }).await;
    let cursor = now(session.as_ref(), "person").await;
    let made = create(session.as_ref(), "person", named("ada")).await;
    let (gone, changed) = (by_uid(session.as_ref(), "p3").await, by_uid(session.as_ref(), "p4").await);
    delete(session.as_ref(), "person", &gone).await;
    update(session.as_ref(), "person", &changed, set("title", json!("Queen"))).await;
    let other = open(&server, classes()).await;
    let told = since(other.as_ref(), "person", Some(cursor)).await.unwrap();
    assert!(told.end.complete);
    assert_eq!(told.gone, std::slice::from_ref(&gone));
    assert_eq!(told.ids().into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([made.clone(), changed]));
    // And on from there, in a third.
    let next = told.end.cursor;
    delete(session.as_ref(), "person", &made).await;
    let told = since(open(&server, classes()).await.as_ref(), "person", next).await.unwrap();
    assert_eq!((told.gone, told.records.len()), (vec![made], 0));
}

/// The ids of many are in the memory of the session that read them; without it nobody can say who is gone.
#[tokio::test]
async fn a_large_class_expires_with_its_session() {
    let (server, session) = start(slapd::Options { ldif: crowd(1_500), ..slapd::Options::default() }).await;
    let cursor = now(session.as_ref(), "person").await;
    assert!(cursor.0.len() <= 16 << 10, "{} bytes", cursor.0.len());
    let gone = by_uid(session.as_ref(), "p1000").await;
    delete(session.as_ref(), "person", &gone).await;
    let told = since(session.as_ref(), "person", Some(cursor.clone())).await.unwrap();
    assert_eq!((told.gone, told.records.len()), (vec![gone], 0));
    let error = since(open(&server, classes()).await.as_ref(), "person", Some(cursor)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::CursorExpired, "{error}");
}

/// With a log of the deleted the server names them itself.
#[tokio::test]
async fn a_session_log_spares_the_memory() {
    let options = slapd::Options {
        ldif: crowd(1_500),
        sync: vec!["syncprov-sessionlog 1000".to_owned()],
        ..slapd::Options::default()
    };
    let (server, session) = start(options).await;
    // The log begins with the first write.
    let first = create(session.as_ref(), "person", named("ada")).await;
    let cursor = now(session.as_ref(), "person").await;
    let gone = by_uid(session.as_ref(), "p1000").await;
    delete(session.as_ref(), "person", &gone).await;
    delete(session.as_ref(), "person", &first).await;
    let other = open(&server, classes()).await;
    let told = since(other.as_ref(), "person", Some(cursor)).await.unwrap();
    assert!(told.end.complete);
    assert_eq!(told.gone.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([gone, first]));
    assert_eq!(told.records, []);
}

#[tokio::test]
async fn who_leaves_the_filter_is_gone_and_who_enters_is_there() {
    let (server, session) = start(slapd::Options { ldif: crowd(5), ..slapd::Options::default() }).await;
    let staff = json!({ "classes": { "person": {
        "base": slapd::PEOPLE, "object_classes": ["inetOrgPerson"], "filter": "(employeeType=staff)" } } });
    let id = by_uid(session.as_ref(), "p1").await;
    let few = open(&server, staff).await;
    let cursor = now(few.as_ref(), "person").await;
    update(session.as_ref(), "person", &id, set("employeeType", json!("staff"))).await;
    let told = since(few.as_ref(), "person", Some(cursor)).await.unwrap();
    assert_eq!((told.ids(), told.gone.len()), (vec![id.clone()], 0));
    update(session.as_ref(), "person", &id, change(ChangeOp::Unset, "employeeType", Json::Null)).await;
    let told = since(few.as_ref(), "person", told.end.cursor).await.unwrap();
    assert_eq!((told.ids().len(), told.gone), (0, vec![id]));
    // The cursor of one filter says nothing of another.
    let cursor = now(few.as_ref(), "person").await;
    let error = since(session.as_ref(), "person", Some(cursor)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::CursorExpired);
}

/// Everybody below has another name by that, of which no feed tells.
#[tokio::test]
async fn a_renamed_container_ends_the_feed() {
    let inner = format!("ou=inner,{}", slapd::PEOPLE);
    let ldif = format!(
        "dn: {inner}\nobjectClass: organizationalUnit\nou: inner\n\n\
         dn: uid=ada,{inner}\nobjectClass: inetOrgPerson\nuid: ada\ncn: Ada\nsn: L\n"
    );
    let options = slapd::Options { ldif, sync: vec!["syncprov-sessionlog 100".to_owned()], ..Default::default() };
    let server = Slapd::start(&options).await.unwrap();
    let mut settings = classes();
    settings["classes"]["unit"] = json!({
        "base": slapd::PEOPLE, "object_classes": ["organizationalUnit"], "dn": format!("ou={{ou}},{}", slapd::PEOPLE) });
    let session = open(&server, settings).await;
    let session = session.as_ref();
    let cursor = now(session, "person").await;
    let unit = format!("dn eq \"{inner}\"").parse().unwrap();
    let found = session.find(&cx(), provost_connector::FindRequest::new("unit", unit)).await.unwrap();
    update(session, "unit", &found.records[0].id, set("ou", json!("outer"))).await;
    let error = since(session, "person", Some(cursor)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::CursorExpired, "{error}");
    // From then on it goes on.
    let cursor = now(session, "person").await;
    let bob = create(session, "person", named("bob")).await;
    assert_eq!(since(session, "person", Some(cursor)).await.unwrap().ids(), [bob]);
    let all = read(session, ScanRequest::full("person")).await.unwrap();
    assert!(
        all.records.iter().any(|record| text(record, "dn") == Some(&format!("uid=ada,ou=outer,{}", slapd::PEOPLE)))
    );
}

#[tokio::test]
async fn members_are_told_by_their_ids_and_only_what_was_asked_for() {
    let (_server, session) = start(slapd::Options { ldif: crowd(3), ..slapd::Options::default() }).await;
    let session = session.as_ref();
    let (one, group) = (by_uid(session, "p1").await, create(session, "group", json!({ "cn": "Sales" })).await);
    let cursor = now(session, "group").await;
    let before = session.revision(&cx(), "group").await.unwrap().unwrap();
    assert_eq!(session.revision(&cx(), "group").await.unwrap().unwrap(), before);
    update(session, "group", &group, change(ChangeOp::Add, "member", json!([one.as_str()]))).await;
    assert_ne!(session.revision(&cx(), "group").await.unwrap().unwrap(), before);
    let request = ScanRequest {
        mode: ScanMode::Changes { cursor: Some(cursor) },
        attributes: Some(vec!["member".into()]),
        ..ScanRequest::full("group")
    };
    let told = read(session, request).await.unwrap();
    assert_eq!(told.records[0].attributes.find("member"), Some(&Value::reference("person", one)));
    assert_eq!(told.records[0].attributes.find("cn"), None);
}

#[tokio::test]
async fn a_page_at_a_time_gives_all_of_them() {
    let (_server, session) = start(slapd::Options { ldif: crowd(1), ..slapd::Options::default() }).await;
    let session = session.as_ref();
    let cursor = now(session, "person").await;
    let mut made = BTreeSet::new();
    for at in 0..7 {
        made.insert(create(session, "person", named(&format!("new{at}"))).await);
    }
    let gone = by_uid(session, "p0").await;
    delete(session, "person", &gone).await;
    let request =
        ScanRequest { mode: ScanMode::Changes { cursor: Some(cursor) }, page_size: 2, ..ScanRequest::full("person") };
    let told = read(session, request).await.unwrap();
    assert_eq!(told.ids().into_iter().collect::<BTreeSet<_>>(), made);
    assert_eq!((told.gone, told.end.count), (vec![gone], 8));
}

/// A server without the overlay has no feed, and does not claim one.
#[tokio::test]
async fn no_overlay_no_feed() {
    let options = slapd::Options { plain: true, ..slapd::Options::default() };
    let (_server, session) = start(options).await;
    assert!(session.capabilities().classes.iter().all(|class| !class.changes));
    assert_eq!(since(session.as_ref(), "person", None).await.unwrap_err().code, ErrorCode::NotSupported);
    assert_eq!(session.revision(&cx(), "person").await.unwrap(), None);
}
