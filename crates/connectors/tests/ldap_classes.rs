//! What the settings of a class are good for, and what a server that holds something back comes to.
#![cfg(feature = "ldap")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod ldap_support;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;

use ldap_support::{admin, apply, change, create, cx, get, now, read, set, since, text, try_open, update};
use provost_connector::{ConnectorError, ErrorCode, FindRequest, ScanRequest, Session};
use provost_model::{Action, AttributeType, ChangeOp, Mutability, ObjectId, Value};
use provost_testkit::slapd::{self, Slapd};
use serde_json::{Value as Json, json};

async fn open_as(server: &Slapd, dn: &str, password: &str, more: Json) -> Result<Arc<dyn Session>, ConnectorError> {
    try_open(admin(server.url(), slapd::BASE, dn, more), ".".as_ref(), &[("admin", password)]).await
}

async fn open(server: &Slapd, more: Json) -> Arc<dyn Session> {
    open_as(server, slapd::ADMIN, slapd::PASSWORD, more).await.unwrap()
}

fn people(many: usize) -> String {
    (0..many).fold(String::new(), |mut ldif, at| {
        let _ = writeln!(
            ldif,
            "dn: uid=p{at},{}\nobjectClass: inetOrgPerson\nuid: p{at}\ncn: P {at}\nsn: P\nuserPassword: of-p{at}\n",
            slapd::PEOPLE
        );
        ldif
    })
}

async fn find(session: &dyn Session, class: &str, filter: &str) -> Result<Vec<ObjectId>, ConnectorError> {
    let page = session.find(&cx(), FindRequest::new(class, filter.parse().unwrap())).await?;
    Ok(page.records.into_iter().map(|record| record.id).collect())
}

/// A limit of the server's cuts a read; what came until then is never everything.
#[tokio::test]
async fn a_size_limit_is_no_end() {
    let settings = vec![format!("limits dn.exact=\"uid=p0,{}\" size.soft=7 size.hard=7", slapd::PEOPLE)];
    let server =
        Slapd::start(&slapd::Options { ldif: people(30), settings, ..slapd::Options::default() }).await.unwrap();
    let session = open_as(&server, &format!("uid=p0,{}", slapd::PEOPLE), "of-p0", json!({})).await.unwrap();
    for page_size in [3, 1_000] {
        let request = ScanRequest { page_size, ..ScanRequest::full("person") };
        let error = read(session.as_ref(), request).await.unwrap_err();
        assert_eq!((error.code, error.target_status), (ErrorCode::QuotaExhausted, Some(4)), "{error}");
    }
    // Nor does it find nobody.
    let error = find(session.as_ref(), "person", "sn eq \"P\"").await.unwrap_err();
    assert_eq!(error.code, ErrorCode::QuotaExhausted);
}

#[tokio::test]
async fn a_part_on_another_server_leaves_a_read_incomplete() {
    let ldif = format!(
        "{}dn: ou=far,{}\nobjectClass: referral\nobjectClass: extensibleObject\nou: far\nref: ldap://far.example/\n",
        people(3),
        slapd::PEOPLE
    );
    let server = Slapd::start(&slapd::Options { ldif, ..slapd::Options::default() }).await.unwrap();
    let session = open(&server, json!({})).await;
    let all = read(session.as_ref(), ScanRequest::full("person")).await.unwrap();
    assert!(!all.end.complete && all.end.reason.unwrap().contains("referrals"));
    assert_eq!(all.records.len(), 3);
    // Whoever is not found may be there.
    let error = find(session.as_ref(), "person", "uid eq \"nobody\"").await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotSupported, "{error}");
    assert!(!since(session.as_ref(), "person", None).await.unwrap().end.complete);
}

#[tokio::test]
async fn a_scope_ends_at_the_next_level() {
    let inner = format!("ou=inner,{}", slapd::PEOPLE);
    let ldif = format!(
        "{}dn: {inner}\nobjectClass: organizationalUnit\nou: inner\n\n\
         dn: uid=ada,{inner}\nobjectClass: inetOrgPerson\nuid: ada\ncn: Ada\nsn: L\n",
        people(2)
    );
    let server = Slapd::start(&slapd::Options { ldif, ..slapd::Options::default() }).await.unwrap();
    for (scope, many) in [("one", 2), ("subtree", 3)] {
        let class = json!({ "base": slapd::PEOPLE, "object_classes": ["inetOrgPerson"], "scope": scope });
        let session = open(&server, json!({ "classes": { "person": class } })).await;
        assert_eq!(read(session.as_ref(), ScanRequest::full("person")).await.unwrap().records.len(), many, "{scope}");
        assert_eq!(find(session.as_ref(), "person", "uid eq \"ada\"").await.unwrap().len(), many - 2, "{scope}");
    }
}

#[tokio::test]
async fn a_class_has_the_attributes_that_are_named() {
    let server = Slapd::start(&slapd::Options { ldif: people(1), ..slapd::Options::default() }).await.unwrap();
    let class = json!({ "base": slapd::PEOPLE, "object_classes": ["inetOrgPerson"], "attributes": ["mail", "UID"] });
    let session = open(&server, json!({ "classes": { "person": class } })).await;
    let schema = session.schema(&cx()).await.unwrap();
    let names: Vec<&str> = schema.classes[0].attributes.iter().map(|attribute| attribute.name.as_str()).collect();
    assert_eq!(names, ["dn", "cn", "entryUUID", "mail", "objectClass", "sn", "uid"]);
    let record = read(session.as_ref(), ScanRequest::full("person")).await.unwrap().records.remove(0);
    assert_eq!(record.attributes.find("createTimestamp"), None);
    let error = apply(session.as_ref(), Action::Update, "person", Some(&record.id), vec![set("title", json!("x"))]);
    assert_eq!(error.await.unwrap_err().code, ErrorCode::NotSupported);
    let class = json!({ "object_classes": ["inetOrgPerson"], "attributes": ["noSuchThing"] });
    let settings = json!({ "classes": { "person": class } });
    let error = open_as(&server, slapd::ADMIN, slapd::PASSWORD, settings).await.err().unwrap();
    assert_eq!((error.code, error.path.as_deref()), (ErrorCode::InvalidConfig, Some("classes.person.attributes")));
}

/// Where names are ids, a renamed entry is another one; nothing else is lost.
#[tokio::test]
async fn names_may_be_ids() {
    let server = Slapd::start(&slapd::Options::default()).await.unwrap();
    let person = json!({ "base": slapd::PEOPLE, "object_classes": ["inetOrgPerson"], "id": "dn" });
    let group = json!({ "base": slapd::GROUPS, "object_classes": ["groupOfNames"], "id": "dn" });
    let session = open(&server, json!({ "classes": { "person": person, "group": group } })).await;
    let session = session.as_ref();
    let id = create(session, "person", json!({ "uid": "a,b", "cn": "A", "sn": "B" })).await;
    let group = create(session, "group", json!({ "cn": "Sales" })).await;
    update(session, "group", &group, change(ChangeOp::Add, "member", json!([id.as_str()]))).await;
    let record = get(session, "group", &group).await;
    assert_eq!(record.attributes.find("member"), Some(&Value::reference("person", id.clone())));
    assert!(session.capabilities().classes.iter().all(|class| !class.changes));
    apply(session, Action::Delete, "person", Some(&id), Vec::new()).await.unwrap();
    let error = apply(session, Action::Delete, "person", Some(&id), Vec::new()).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotFound);
}

/// What has no value of its own for an account that is on.
#[tokio::test]
async fn a_mark_switches_accounts_off() {
    let server = Slapd::start(&slapd::Options { ldif: people(3), ..slapd::Options::default() }).await.unwrap();
    let class = json!({ "base": slapd::PEOPLE, "object_classes": ["inetOrgPerson"],
        "enabled": { "attribute": "employeeType", "off": "Locked" } });
    let session = open(&server, json!({ "classes": { "person": class } })).await;
    let session = session.as_ref();
    let schema = session.schema(&cx()).await.unwrap();
    let about = schema.classes[0].attribute("enabled").unwrap();
    assert_eq!((about.kind, about.mutability), (AttributeType::Boolean, Mutability::ReadWrite));
    let id = find(session, "person", "uid eq \"p1\"").await.unwrap().remove(0);
    assert_eq!(get(session, "person", &id).await.attributes.find("enabled"), Some(&Value::Boolean(true)));
    // Also when the flag itself is not among the changes.
    apply(session, Action::Disable, "person", Some(&id), vec![set("title", json!("Gone"))]).await.unwrap();
    let record = get(session, "person", &id).await;
    assert_eq!(record.attributes.find("enabled"), Some(&Value::Boolean(false)));
    assert_eq!((text(&record, "employeeType"), text(&record, "title")), (Some("Locked"), Some("Gone")));
    assert_eq!(find(session, "person", "enabled eq false").await.unwrap(), std::slice::from_ref(&id));
    assert_eq!(find(session, "person", "enabled eq true").await.unwrap().len(), 2);
    assert_eq!(find(session, "person", "not (enabled eq true)").await.unwrap(), std::slice::from_ref(&id));
    assert_eq!(find(session, "person", "enabled sw \"t\"").await.unwrap_err().code, ErrorCode::NotSupported);
    apply(session, Action::Enable, "person", Some(&id), Vec::new()).await.unwrap();
    apply(session, Action::Enable, "person", Some(&id), Vec::new()).await.unwrap();
    let record = get(session, "person", &id).await;
    assert_eq!(record.attributes.find("enabled"), Some(&Value::Boolean(true)));
    assert_eq!(text(&record, "employeeType"), None);
    for wrong in [set("enabled", json!("perhaps")), change(ChangeOp::Unset, "enabled", Json::Null)] {
        let error = apply(session, Action::Update, "person", Some(&id), vec![wrong]).await.unwrap_err();
        assert!(matches!(error.code, ErrorCode::InvalidValue | ErrorCode::NotSupported), "{error:?}");
    }
}

/// `memberUid` points by a value, and is a reference all the same.
#[tokio::test]
async fn members_by_uid_are_references() {
    let server = Slapd::start(&slapd::Options { ldif: people(600), ..slapd::Options::default() }).await.unwrap();
    let classes = json!({ "classes": {
        "person": { "base": slapd::PEOPLE, "object_classes": ["inetOrgPerson"] },
        "group": { "base": slapd::GROUPS, "object_classes": ["posixGroup"], "dn": format!("cn={{cn}},{}", slapd::GROUPS) },
    }});
    let session = open(&server, classes).await;
    let session = session.as_ref();
    let schema = session.schema(&cx()).await.unwrap();
    let about = schema.class("group").unwrap().attribute("memberUid").unwrap();
    assert_eq!((about.kind, about.reference_classes.as_slice()), (AttributeType::Reference, &["person".into()][..]));
    let all = read(session, ScanRequest::full("person")).await.unwrap();
    let ids: Vec<&ObjectId> = all.records.iter().map(|record| &record.id).collect();
    let group = create(session, "group", json!({ "cn": "Sales", "gidNumber": 7 })).await;
    let cursor = now(session, "group").await;
    let one = change(ChangeOp::Add, "memberUid", json!([ids[0].as_str(), ids[1].as_str()]));
    update(session, "group", &group, one).await;
    let told = server.search("(cn=Sales)", &["memberUid"]).await.unwrap();
    let uids = [0, 1].map(|at| text(&all.records[at], "uid").unwrap());
    assert!(uids.iter().all(|uid| told.contains(&format!("memberUid: {uid}\n"))), "{told}");
    let want: HashSet<_> = ids[..2].iter().map(|id| (*id).clone()).collect();
    let feed = since(session, "group", Some(cursor)).await.unwrap().records.remove(0);
    let full = read(session, ScanRequest::full("group")).await.unwrap().records.remove(0);
    for record in [get(session, "group", &group).await, feed, full] {
        let members = record.attributes.find("memberUid").unwrap().elements().iter();
        let members: HashSet<_> = members.map(|member| member.as_reference().unwrap().id.clone()).collect();
        assert_eq!(members, want);
    }
    // All of them, and one less.
    let everybody: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
    update(session, "group", &group, set("memberUid", json!(everybody))).await;
    update(session, "group", &group, change(ChangeOp::Remove, "memberUid", json!([ids[5].as_str()]))).await;
    let record = get(session, "group", &group).await;
    let members = record.attributes.find("memberUid").unwrap().elements();
    assert_eq!(members.len(), 599);
    assert!(members.iter().all(|member| member.as_reference().is_some_and(|member| member.id != *ids[5])));
    // A value that two people have points at neither.
    let inner = format!("ou=more,{}", slapd::PEOPLE);
    let unit = json!({ "base": slapd::PEOPLE, "object_classes": ["organizationalUnit"], "dn": inner });
    let units = open(&server, json!({ "classes": { "unit": unit } })).await;
    create(units.as_ref(), "unit", json!({ "ou": "more" })).await;
    let twin = json!({ "uid": text(&all.records[7], "uid").unwrap(), "cn": "Twin", "sn": "T", "dn": format!("cn=twin,{inner}") });
    create(session, "person", twin).await;
    let full = read(session, ScanRequest::full("group")).await.unwrap().records.remove(0);
    for record in [get(session, "group", &group).await, full] {
        let members = record.attributes.find("memberUid").unwrap().elements();
        let texts: Vec<_> = members.iter().filter_map(Value::as_text).collect();
        assert_eq!(texts, [text(&all.records[7], "uid").unwrap()]);
    }
    let nobody = change(ChangeOp::Add, "memberUid", json!(["00000000-0000-4000-8000-000000000000"]));
    let error = apply(session, Action::Update, "group", Some(&group), vec![nobody]).await.unwrap_err();
    assert_eq!((error.code, error.path.as_deref()), (ErrorCode::Dependency, Some("memberUid")));
    assert_eq!(find(session, "group", "memberUid eq \"p1\"").await.unwrap_err().code, ErrorCode::NotSupported);
}

/// The lock of OpenLDAP's password policy, which has no value for an account that is on.
#[tokio::test]
async fn the_password_policy_locks_accounts() {
    let policy = format!("cn=policy,{}", slapd::BASE);
    let ldif = format!(
        "{}dn: {policy}\nobjectClass: device\nobjectClass: pwdPolicy\ncn: policy\npwdAttribute: userPassword\n\
         pwdLockout: TRUE\n",
        people(2)
    );
    let options = slapd::Options {
        ldif,
        global: vec!["moduleload ppolicy".to_owned()],
        settings: vec![format!("overlay ppolicy\nppolicy_default \"{policy}\"")],
        ..slapd::Options::default()
    };
    let server = Slapd::start(&options).await.unwrap();
    let class = json!({ "base": slapd::PEOPLE, "object_classes": ["inetOrgPerson"],
        "enabled": { "attribute": "pwdAccountLockedTime", "off": "000001010000Z" } });
    let session = open(&server, json!({ "classes": { "person": class } })).await;
    let session = session.as_ref();
    let id = find(session, "person", "uid eq \"p1\"").await.unwrap().remove(0);
    let sign_in = async || open_as(&server, &format!("uid=p1,{}", slapd::PEOPLE), "of-p1", json!({})).await.map(drop);
    sign_in().await.unwrap();
    apply(session, Action::Disable, "person", Some(&id), Vec::new()).await.unwrap();
    assert_eq!(get(session, "person", &id).await.attributes.find("enabled"), Some(&Value::Boolean(false)));
    assert_eq!(sign_in().await.unwrap_err().code, ErrorCode::AuthFailed);
    assert_eq!(find(session, "person", "enabled eq false").await.unwrap(), std::slice::from_ref(&id));
    apply(session, Action::Enable, "person", Some(&id), Vec::new()).await.unwrap();
    sign_in().await.unwrap();
}
