//! A folder with the program and its store, and connections to it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use provost_connector::{
    Connector, ConnectorError, Context, End, ErrorCode, Host, Outcome, ScanItem, ScanRequest, Secret, Session, Settings,
};
use provost_connectors::process::{ProcessConnector, digest_of};
use provost_model::{Action, Change, ChangeOp, Operation, Record, Value};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

pub const PASSWORD: &str = "correct horse\"battery";

pub struct Place {
    pub folder: TempDir,
    pub connector: ProcessConnector,
}

/// Secrets by handle.
pub struct Keyring(pub HashMap<&'static str, &'static str>);

#[async_trait]
impl Host for Keyring {
    async fn secret(&self, handle: &str) -> Result<Secret, ConnectorError> {
        let secret = self.0.get(handle).map(|secret| Secret::new(*secret));
        secret.ok_or_else(|| ConnectorError::new(ErrorCode::InvalidConfig, format!("there is no secret `{handle}`")))
    }
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cards.py"), include_str!("cards.py")).unwrap();
        Self { folder, connector: ProcessConnector::default() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Settings with `more` over the usual ones, not approved yet.
    pub fn raw(&self, more: Json) -> Settings {
        let mut values = json!({
            "command": ["python3", "cards.py"],
            "settings": {"store": self.path("cards.json"), "token": {"secret": "card-token"}},
            "stop_timeout": 2,
        });
        for (name, value) in more.as_object().unwrap() {
            match (values.get_mut(name), value) {
                (Some(Json::Object(have)), Json::Object(more)) => have.extend(more.clone()),
                _ => values[name] = value.clone(),
            }
        }
        let Json::Object(mut values) = values else { unreachable!() };
        values.retain(|_, value| !value.is_null());
        Settings::new(values, self.folder.path())
    }

    pub fn settings(&self, more: Json) -> Settings {
        let mut settings = self.raw(more);
        let digest = digest_of(&settings).unwrap();
        settings.values.insert("approved".into(), digest.into());
        settings
    }

    pub async fn open(&self, more: Json) -> Result<Arc<dyn Session>, ConnectorError> {
        let keyring = Keyring([("card-token", PASSWORD), ("other", "not for them")].into());
        self.connector.configure(self.settings(more), Arc::new(keyring)).await
    }

    /// A connection whose program goes wrong at this method.
    pub async fn faulty(&self, on: &str, what: &str) -> Arc<dyn Session> {
        self.open(json!({"settings": {"fault": {"on": on, "do": what}}})).await.unwrap()
    }

    pub fn put(&self, cards: Json) {
        std::fs::write(self.path("cards.json"), cards.to_string()).unwrap();
    }

    pub fn stored(&self) -> Json {
        serde_json::from_str(&std::fs::read_to_string(self.path("cards.json")).unwrap_or("{}".into())).unwrap()
    }
}

pub fn cx() -> Context {
    Context::new("test").within(std::time::Duration::from_secs(60))
}

pub fn operation(id: &str, action: Action, target: Option<&str>, changes: Vec<Change>) -> Operation {
    Operation {
        id: id.into(),
        action,
        class: "card".into(),
        target_id: target.map(Into::into),
        changes,
        if_match: None,
    }
}

pub fn change(path: &str, op: ChangeOp, value: impl Into<Value>) -> Change {
    Change::new(Arc::new(provost_model::AttributePath::name(path)), op, value.into())
}

pub fn create(number: &str) -> Operation {
    let changes = vec![change("number", ChangeOp::Set, number), change("name", ChangeOp::Set, "Ada")];
    operation(&format!("create-{number}"), Action::Create, None, changes)
}

pub async fn apply(session: &dyn Session, operations: &[Operation]) -> Vec<Result<String, ConnectorError>> {
    let results = session.apply(&cx(), operations).await;
    assert_eq!(results.len(), operations.len());
    let told = results.into_iter().zip(operations).map(|(result, operation)| {
        assert_eq!(result.operation, operation.id);
        match result.outcome {
            Outcome::Done(done) => Ok(done.target_id.to_string()),
            Outcome::Failed(error) => Err(error),
        }
    });
    told.collect()
}

pub async fn apply_one(session: &dyn Session, operation: Operation) -> Result<String, ConnectorError> {
    apply(session, &[operation]).await.remove(0)
}

/// Everything that a full read gives.
pub async fn read(session: &dyn Session, class: &str, page_size: usize) -> Result<(Vec<Record>, End), ConnectorError> {
    let request = ScanRequest { page_size, ..ScanRequest::full(class) };
    let mut scan = session.scan(&cx(), request).await?;
    let mut records = Vec::new();
    loop {
        let page = scan.next(&cx()).await?;
        assert!(page.faults.is_empty(), "{:?}", page.faults);
        records.extend(page.items.into_iter().map(|item| match item {
            ScanItem::Upsert(record) => record,
            other => panic!("{other:?}"),
        }));
        if let Some(end) = page.end {
            return Ok((records, end));
        }
    }
}
