//! What the tests of `ldap` share: a session on any server, and operations in one expression.
#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use provost_connector::{
    Connector as _, ConnectorError, Context, Cursor, Done, End, ErrorCode, Host, Outcome, ScanItem, ScanMode,
    ScanRequest, Secret, Session, Settings,
};
use provost_connectors::ldap::LdapConnector;
use provost_model::{Action, Change, ChangeOp, ObjectId, Operation, Record, Value};
use serde_json::{Value as Json, json};

/// Secrets by name.
pub struct Secrets(pub BTreeMap<&'static str, String>);

#[async_trait]
impl Host for Secrets {
    async fn secret(&self, handle: &str) -> Result<Secret, ConnectorError> {
        let unknown = || ConnectorError::new(ErrorCode::InvalidConfig, format!("no secret `{handle}`"));
        self.0.get(handle).map(Secret::new).ok_or_else(unknown)
    }
}

/// A session with these settings; files are looked for in `folder`.
pub async fn try_open(
    settings: Json,
    folder: &Path,
    secrets: &[(&'static str, &str)],
) -> Result<Arc<dyn Session>, ConnectorError> {
    let Json::Object(values) = settings else { panic!("settings are an object") };
    let secrets = secrets.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    LdapConnector::default().configure(Settings::new(values, folder), Arc::new(Secrets(secrets))).await
}

/// The settings of an administrator by name and password, with more laid over them.
pub fn admin(url: &str, base: &str, dn: &str, more: Json) -> Json {
    let mut values = json!({ "url": url, "base": base, "bind": { "dn": dn, "password": { "secret": "admin" } } });
    values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    values
}

pub fn cx() -> Context {
    Context::new("test").within(std::time::Duration::from_secs(60))
}

pub fn change(op: ChangeOp, path: &str, value: Json) -> Change {
    Change::new(Arc::new(path.parse().unwrap()), op, Value::from_json(&value))
}

pub fn set(path: &str, value: Json) -> Change {
    change(ChangeOp::Set, path, value)
}

pub async fn apply(
    session: &dyn Session,
    action: Action,
    class: &str,
    id: Option<&ObjectId>,
    changes: Vec<Change>,
) -> Result<Done, ConnectorError> {
    let operation =
        Operation { id: "op".into(), action, class: class.into(), target_id: id.cloned(), changes, if_match: None };
    match session.apply(&cx(), &[operation]).await.pop().unwrap().outcome {
        Outcome::Done(done) => Ok(done),
        Outcome::Failed(error) => Err(error),
    }
}

pub async fn create(session: &dyn Session, class: &str, values: Json) -> ObjectId {
    let changes = values.as_object().unwrap().iter().map(|(path, value)| set(path, value.clone())).collect();
    apply(session, Action::Create, class, None, changes).await.unwrap().target_id
}

pub async fn update(session: &dyn Session, class: &str, id: &ObjectId, change: Change) {
    apply(session, Action::Update, class, Some(id), vec![change]).await.unwrap();
}

pub async fn get(session: &dyn Session, class: &str, id: &ObjectId) -> Record {
    session.get(&cx(), class, id).await.unwrap().unwrap()
}

pub fn text<'r>(record: &'r Record, name: &str) -> Option<&'r str> {
    record.attributes.find(name).and_then(Value::as_text)
}

/// What a read gave.
#[derive(Debug)]
pub struct Read {
    pub records: Vec<Record>,
    pub gone: Vec<ObjectId>,
    pub end: End,
}

impl Read {
    pub fn ids(&self) -> Vec<ObjectId> {
        self.records.iter().map(|record| record.id.clone()).collect()
    }
}

pub async fn read(session: &dyn Session, request: ScanRequest) -> Result<Read, ConnectorError> {
    let mut scan = session.scan(&cx(), request).await?;
    let (mut records, mut gone, mut received) = (Vec::new(), Vec::new(), 0);
    loop {
        let page = scan.next(&cx()).await?;
        assert_eq!(page.faults, []);
        received += page.received();
        for item in page.items {
            match item {
                ScanItem::Upsert(record) => records.push(record),
                ScanItem::Tombstone(id) => gone.push(id),
                ScanItem::Unchanged(id) => panic!("{id} cannot be unchanged"),
            }
        }
        if let Some(end) = page.end {
            assert!(!end.complete || end.count == received, "{end:?} and {received} received");
            return Ok(Read { records, gone, end });
        }
    }
}

pub async fn since(session: &dyn Session, class: &str, cursor: Option<Cursor>) -> Result<Read, ConnectorError> {
    read(session, ScanRequest { mode: ScanMode::Changes { cursor }, ..ScanRequest::full(class) }).await
}

/// The newest cursor.
pub async fn now(session: &dyn Session, class: &str) -> Cursor {
    since(session, class, None).await.unwrap().end.cursor.unwrap()
}
