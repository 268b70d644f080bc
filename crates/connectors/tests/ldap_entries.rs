//! What the conformance kit does not ask of an LDAP directory: names that change, references, times and bytes, and who is let in.
#![cfg(feature = "ldap")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod session;

use std::sync::Arc;

use provost_connector::{Connector as _, ConnectorError, Done, ErrorCode, ScanItem, ScanRequest, Session};
use provost_connectors::ldap::LdapConnector;
use provost_model::{Action, Change, ChangeOp, ObjectId, Operation, Record, Value};
use provost_testkit::slapd::{self, Slapd};
use serde_json::{Value as Json, json};
use session::*;

async fn open(server: &Slapd, more: Json, password: &'static str) -> Result<Arc<dyn Session>, ConnectorError> {
    let mut values = json!({
        "url": server.url(), "base": slapd::BASE,
        "bind": { "dn": slapd::ADMIN, "password": { "secret": "admin" } },
    });
    values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    LdapConnector::default().configure(settings(values), Arc::new(Secrets::of(&[("admin", password)]))).await
}

fn classes() -> Json {
    json!({ "classes": {
        "person": { "base": slapd::PEOPLE, "object_classes": ["inetOrgPerson"] },
        "group": { "base": slapd::GROUPS, "object_classes": ["groupOfNames"] },
    }})
}

async fn start() -> (Slapd, Arc<dyn Session>) {
    let server = Slapd::start(&slapd::Options::default()).await.unwrap();
    let session = open(&server, classes(), slapd::PASSWORD).await.unwrap();
    (server, session)
}

async fn apply(
    session: &dyn Session,
    action: Action,
    class: &str,
    id: Option<&ObjectId>,
    changes: Vec<Change>,
) -> Result<Done, ConnectorError> {
    let operation =
        Operation { id: "op".into(), action, class: class.into(), target_id: id.cloned(), changes, if_match: None };
    apply_all(session, &[operation]).await.pop().unwrap()
}

async fn person(session: &dyn Session, uid: &str) -> ObjectId {
    let changes = vec![set("uid", json!(uid)), set("cn", json!(uid)), set("sn", json!("Kit"))];
    apply(session, Action::Create, "person", None, changes).await.unwrap().target_id
}

async fn get(session: &dyn Session, class: &str, id: &ObjectId) -> Record {
    session.get(&cx(), class, id).await.unwrap().unwrap()
}

fn dn(record: &Record) -> &str {
    record.attributes.find("dn").and_then(Value::as_text).unwrap()
}

#[tokio::test]
async fn an_entry_is_the_same_under_another_name() {
    let (_server, session) = start().await;
    let session = session.as_ref();
    let id = person(session, "ada").await;
    // The attribute in the name, with others beside it.
    let changes = vec![set("uid", json!("ada, b+c")), set("title", json!("Queen"))];
    let done = apply(session, Action::Update, "person", Some(&id), changes).await.unwrap();
    assert_eq!(done.target_id, id);
    let record = get(session, "person", &id).await;
    assert_eq!(dn(&record), format!("uid=ada\\2C b\\2Bc,{}", slapd::PEOPLE));
    assert_eq!(record.attributes.find("uid"), Some(&Value::text("ada, b+c")));
    assert_eq!(record.attributes.find("title"), Some(&Value::text("Queen")));
    // Another place altogether.
    let moved = format!("uid=ada,{}", slapd::GROUPS);
    apply(session, Action::Update, "person", Some(&id), vec![set("dn", json!(moved))]).await.unwrap();
    let found = session.get(&cx(), "person", &id).await.unwrap();
    assert!(found.is_none(), "outside of the class's base it is not of the class any more: {found:?}");
}

/// The name in memory is another entry's by now: nothing happens to that one.
#[tokio::test]
async fn a_name_that_was_given_to_somebody_else_is_noticed() {
    let (server, session) = start().await;
    let one = person(session.as_ref(), "ada").await;
    let other = open(&server, classes(), slapd::PASSWORD).await.unwrap();
    apply(other.as_ref(), Action::Update, "person", Some(&one), vec![set("uid", json!("lovelace"))]).await.unwrap();
    let two = person(other.as_ref(), "ada").await;
    apply(session.as_ref(), Action::Update, "person", Some(&one), vec![set("title", json!("Queen"))]).await.unwrap();
    assert_eq!(get(session.as_ref(), "person", &one).await.attributes.find("title"), Some(&Value::text("Queen")));
    assert_eq!(get(session.as_ref(), "person", &two).await.attributes.find("title"), None);
    apply(session.as_ref(), Action::Delete, "person", Some(&one), Vec::new()).await.unwrap();
    assert_eq!(dn(&get(session.as_ref(), "person", &two).await), format!("uid=ada,{}", slapd::PEOPLE));
}

#[tokio::test]
async fn names_point_at_entries() {
    let (_server, session) = start().await;
    let session = session.as_ref();
    let (ada, bob) = (person(session, "ada").await, person(session, "bob").await);
    let changes = vec![set("manager", json!(ada.as_str()))];
    apply(session, Action::Update, "person", Some(&bob), changes).await.unwrap();
    let pointer = Value::reference("person", ada.clone());
    assert_eq!(get(session, "person", &bob).await.attributes.find("manager"), Some(&pointer));
    let group = apply(session, Action::Create, "group", None, vec![set("cn", json!("Sales"))]).await.unwrap().target_id;
    assert_eq!(get(session, "group", &group).await.attributes.find("member"), None, "the placeholder is nobody");
    let members = change(ChangeOp::Add, "member", json!([ada.as_str(), bob.as_str()]));
    apply(session, Action::Update, "group", Some(&group), vec![members]).await.unwrap();
    let mut scan = session.scan(&cx(), ScanRequest::full("group")).await.unwrap();
    let page = scan.next(&cx()).await.unwrap();
    let ScanItem::Upsert(record) = &page.items[0] else { panic!("{page:?}") };
    assert_eq!(record.attributes.find("member").unwrap().elements().len(), 2);
    let nobody = vec![set("manager", json!("00000000-0000-4000-8000-000000000000"))];
    let error = apply(session, Action::Update, "person", Some(&bob), nobody).await.unwrap_err();
    assert_eq!((error.code, error.path.as_deref()), (ErrorCode::Dependency, Some("manager")));
    // A renamed member is one still.
    apply(session, Action::Update, "person", Some(&ada), vec![set("uid", json!("lovelace"))]).await.unwrap();
}

#[tokio::test]
async fn bytes_and_times_have_one_form_outside() {
    let (_server, session) = start().await;
    let session = session.as_ref();
    let id = person(session, "ada").await;
    let changes = vec![set("jpegPhoto", json!("/9j/4AAA")), set("userPassword", json!("Sesame"))];
    apply(session, Action::Update, "person", Some(&id), changes).await.unwrap();
    let record = get(session, "person", &id).await;
    assert_eq!(record.attributes.find("jpegPhoto"), Some(&Value::text("/9j/4AAA")));
    assert_eq!(record.attributes.find("userPassword"), None);
    let made = record.attributes.find("createTimestamp").and_then(Value::as_text).unwrap();
    assert!(made.parse::<provost_model::Timestamp>().is_ok(), "{made}");
    let error = apply(session, Action::Update, "person", Some(&id), vec![set("jpegPhoto", json!("no base64!"))]).await;
    assert_eq!(error.unwrap_err().code, ErrorCode::InvalidValue);
    // LDAP has no empty text: to set one is to clear.
    for title in ["Queen", ""] {
        apply(session, Action::Update, "person", Some(&id), vec![set("title", json!(title))]).await.unwrap();
    }
    assert_eq!(get(session, "person", &id).await.attributes.find("title"), None);
}

#[tokio::test]
async fn nobody_is_let_in_without_a_password() {
    let server = Slapd::start(&slapd::Options::default()).await.unwrap();
    // The server itself would take this for somebody who wants to be anonymous.
    let error = open(&server, json!({}), "").await.err().unwrap();
    assert_eq!((error.code, error.path.as_deref()), (ErrorCode::AuthFailed, Some("bind.password")));
    let error = open(&server, json!({}), "wrong").await.err().unwrap();
    assert_eq!((error.code, error.target_status), (ErrorCode::AuthFailed, Some(49)));
    assert!(!format!("{error:?}").contains("wrong"), "{error:?}");
    let error =
        open(&server, json!({ "classes": { "x": { "object_classes": ["noSuchClass"] } } }), slapd::PASSWORD).await;
    assert_eq!(error.err().unwrap().code, ErrorCode::InvalidConfig);
}

/// A part that is on another server: whoever is not found may be there.
#[tokio::test]
async fn what_is_on_another_server_leaves_a_read_unproven() {
    let ldif = format!(
        "dn: uid=ada,{0}\nobjectClass: inetOrgPerson\nuid: ada\ncn: Ada\nsn: A\n\n\
         dn: ou=far,{0}\nobjectClass: referral\nobjectClass: extensibleObject\nou: far\nref: ldap://far.example/\n",
        slapd::PEOPLE
    );
    let server = Slapd::start(&slapd::Options { ldif, ..slapd::Options::default() }).await.unwrap();
    let session = open(&server, classes(), slapd::PASSWORD).await.unwrap();
    let cx = cx();
    let mut scan = session.scan(&cx, ScanRequest::full("person")).await.unwrap();
    let page = scan.next(&cx).await.unwrap();
    let end = page.end.unwrap();
    assert!(page.items.len() == 1 && !end.complete, "{end:?}");
    assert!(end.reason.unwrap().contains("referrals"));
    let nobody = "title eq \"nobody has this\"".parse().unwrap();
    let error = session.find(&cx, provost_connector::FindRequest::new("person", nobody)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotSupported, "{error}");
}
