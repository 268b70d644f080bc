//! A folder with one file, a session over it, and scans as text.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use provost_connector::*;
use provost_connectors::file::FileConnector;
use provost_model::{Action, AttributePath, Change, Digest, Explain, Operation, Value};
use serde_json::{Map, Value as Json, json};

pub struct Place {
    pub folder: tempfile::TempDir,
    pub name: &'static str,
}

struct NoSecrets;

#[async_trait::async_trait]
impl Host for NoSecrets {
    async fn secret(&self, handle: &str) -> Result<Secret, ConnectorError> {
        Err(ConnectorError::new(ErrorCode::InvalidConfig, handle))
    }
}

impl Place {
    pub fn new(name: &'static str, content: impl AsRef<[u8]>) -> Self {
        let place = Self::empty(name);
        std::fs::write(place.path(), content).unwrap();
        place
    }

    pub fn empty(name: &'static str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), name }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join(self.name)
    }

    pub fn content(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }

    /// All names in the folder, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub fn settings(&self, settings: Json) -> Settings {
        let mut values: Map<String, Json> = settings.as_object().unwrap().clone();
        values.entry("path").or_insert(json!(self.name));
        values.entry("key").or_insert(json!("id"));
        Settings::new(values, self.folder.path())
    }

    pub async fn session(&self, settings: Json) -> Arc<dyn Session> {
        FileConnector::default().configure(self.settings(settings), Arc::new(NoSecrets)).await.unwrap()
    }
}

pub fn request() -> ScanRequest {
    ScanRequest { page_size: 3, ..ScanRequest::full("person") }
}

/// A whole scan: `id {attributes}`, `= id` unchanged, `! fault`, and the end.
pub async fn shown(session: &dyn Session, request: ScanRequest) -> String {
    let cx = Context::new("test");
    let mut scan = match session.scan(&cx, request).await {
        Ok(scan) => scan,
        Err(error) => return explained(&error),
    };
    let (mut lines, mut faults, mut seen) = (Vec::new(), Vec::new(), 0);
    loop {
        let page = match scan.next(&cx).await {
            Ok(page) => page,
            Err(error) => return explained(&error),
        };
        for item in page.items {
            seen += 1;
            lines.push(match item {
                ScanItem::Upsert(record) => {
                    assert!(record.raw_digest.is_some());
                    format!("{} {}", record.id, serde_json::to_string(&record.attributes).unwrap())
                }
                ScanItem::Unchanged(id) => format!("= {id}"),
                ScanItem::Tombstone(id) => format!("- {id}"),
            });
        }
        for fault in page.faults {
            assert_eq!(fault.error.scope, Scope::Item);
            let whose = fault.id.as_ref().map(|id| format!(" ({id})")).unwrap_or_default();
            seen += u64::from(fault.id.is_some());
            faults.push(format!("! {}{whose} {}", fault.place, explained(&fault.error)));
        }
        if let Some(end) = page.end {
            assert_eq!(end.count, seen, "the connector's count and what was received");
            lines.append(&mut faults);
            lines.push(match end.reason {
                None => format!("complete {}", end.count),
                Some(reason) => format!("incomplete {}: {reason}", end.count),
            });
            assert!(scan.next(&cx).await.is_err(), "no page after the end");
            return lines.join("\n");
        }
    }
}

pub fn explained(error: &ConnectorError) -> String {
    let hint = error.hint().map(|hint| format!(" [{hint}]")).unwrap_or_default();
    format!("{:?}: {error}{hint}", error.code)
}

/// Reads a file with these settings.
pub async fn read(name: &'static str, settings: Json, content: impl AsRef<[u8]>) -> String {
    let place = Place::new(name, content);
    let session = place.session(settings).await;
    shown(&*session, request()).await
}

/// Remembers digests as the engine does.
#[derive(Debug, Default)]
pub struct Known(pub HashMap<String, Digest>);

impl KnownDigests for Known {
    fn is_unchanged(&self, id: &str, digest: Digest) -> bool {
        self.0.get(id) == Some(&digest)
    }
}

/// The digests of all records of a scan.
pub async fn digests(session: &dyn Session) -> Known {
    let cx = Context::new("test");
    let mut known = Known::default();
    let mut scan = session.scan(&cx, request()).await.unwrap();
    loop {
        let page = scan.next(&cx).await.unwrap();
        for item in page.items {
            if let ScanItem::Upsert(record) = item {
                known.0.insert(record.id.to_string(), record.digest());
            }
        }
        if page.end.is_some() {
            return known;
        }
    }
}

pub fn operation(action: Action, id: Option<&str>, changes: &[(&str, Value)]) -> Operation {
    let path = |text: &str| Arc::new(text.parse().unwrap_or_else(|_| AttributePath::name(text)));
    let change = |(name, value): &(&str, Value)| match value {
        Value::Null => Change::unset(path(name)),
        value => Change::set(path(name), value.clone()),
    };
    Operation {
        id: format!("{action}-{}", id.unwrap_or_default()).into(),
        action,
        class: "person".into(),
        target_id: id.map(Into::into),
        changes: changes.iter().map(change).collect(),
        if_match: None,
    }
}

/// Applies and prints the outcomes: `id`, with what was stored otherwise, or the error.
pub async fn apply(session: &dyn Session, operations: &[Operation]) -> String {
    let applied = session.apply(&Context::new("test"), operations).await;
    assert_eq!(applied.len(), operations.len());
    let lines = applied.iter().zip(operations).map(|(applied, operation)| {
        assert_eq!(applied.operation, operation.id);
        match &applied.outcome {
            Outcome::Done(done) if done.changed.is_empty() => done.target_id.to_string(),
            Outcome::Done(done) => format!("{} {}", done.target_id, serde_json::to_string(&done.changed).unwrap()),
            Outcome::Failed(error) => explained(error),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}
