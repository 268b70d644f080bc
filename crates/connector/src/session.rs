//! The traits of a connector and the requests they take.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use provost_model::{AttributePath, ClassName, Filter, ObjectId, Operation, Record, Schema, Text, Value};
use serde::{Deserialize, Serialize};

use crate::{
    Applied, Capabilities, ConnectorError, Context, Cursor, ErrorCode, Page, Rerouted, Scan, ScanRequest, Secret,
    SettingProblem, Settings,
};

/// A kind of system that Provost can connect to. Stateless; one instance serves all connections of its kind.
#[async_trait]
pub trait Connector: Send + Sync {
    fn manifest(&self) -> &Manifest;

    /// Problems of the settings, found without going online.
    fn validate(&self, settings: &Settings) -> Vec<SettingProblem>;

    /// The classes of a connection, where they are known without going online: from a file that is there, or because the
    /// settings name them. Checks of a configuration use it; what a session says later counts.
    fn known_schema(&self, settings: &Settings) -> Option<Schema> {
        let _ = settings;
        None
    }

    /// The same settings by way of another address, for a proxy that breaks things on purpose. None when the connection has
    /// no network peer, or several.
    fn rerouted(&self, settings: &Settings, to: SocketAddr) -> Option<Rerouted> {
        let _ = (settings, to);
        None
    }

    /// Opens a session. May go online for what the capabilities depend on; errors are job-scoped.
    async fn configure(&self, settings: Settings, host: Arc<dyn Host>) -> Result<Arc<dyn Session>, ConnectorError>;
}

/// What a connector says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The word after `connector:` in the configuration.
    pub name: Text,
    pub title: Text,
    pub description: Text,
    pub source: bool,
    pub target: bool,
}

/// What a connector may ask of the program that runs it.
#[async_trait]
pub trait Host: Send + Sync {
    /// The secret behind a handle. The error names the handle, never the value.
    async fn secret(&self, handle: &str) -> Result<Secret, ConnectorError>;
}

/// Objects of a class that satisfy a filter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FindRequest {
    pub class: ClassName,
    pub filter: Filter,
    /// As in [`ScanRequest::requested`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requested: Vec<Text>,
    /// Objects a page should have; a hint.
    pub page_size: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
}

impl FindRequest {
    /// The first few objects that satisfy the filter.
    pub fn new(class: impl Into<ClassName>, filter: Filter) -> Self {
        Self { class: class.into(), filter, requested: Vec::new(), page_size: 10, cursor: None }
    }
}

/// Objects by the exact values of one attribute: how matching asks. At most [`Capabilities::max_lookup`] values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LookupRequest {
    pub class: ClassName,
    pub path: AttributePath,
    pub values: Vec<Value>,
}

/// A configured connection. All methods may be called concurrently, within [`Capabilities::max_in_flight`].
#[async_trait]
pub trait Session: Send + Sync {
    /// What this connection can do, after configuration.
    fn capabilities(&self) -> &Capabilities;

    /// The classes and attributes as they are now; for a file, its header of today.
    async fn schema(&self, cx: &Context) -> Result<Schema, ConnectorError>;

    /// Ordered checks: reachable, credentials, permissions, shape. Never writes.
    async fn test(&self, cx: &Context) -> Vec<CheckResult>;

    /// One object by id; `None` when it is not there.
    async fn get(&self, cx: &Context, class: &str, id: &ObjectId) -> Result<Option<Record>, ConnectorError>;

    /// Objects that satisfy the filter exactly. A filter that the target cannot evaluate is
    /// [`ErrorCode::NotSupported`], never approximated.
    async fn find(&self, cx: &Context, request: FindRequest) -> Result<Page, ConnectorError>;

    /// For each value the objects that have it, in the order of the values. A returned object really has the value:
    /// the connector checks answers of targets that ignore filters.
    async fn lookup(&self, cx: &Context, request: LookupRequest) -> Result<Vec<Vec<Record>>, ConnectorError> {
        let mut found = Vec::with_capacity(request.values.len());
        for value in &request.values {
            let filter = Filter::eq(request.path.clone(), value.clone());
            let request = FindRequest::new(request.class.clone(), filter);
            found.push(self.find(cx, request).await?.records);
        }
        Ok(found)
    }

    /// How many objects the class has, exactly.
    async fn count(&self, _cx: &Context, class: &str) -> Result<u64, ConnectorError> {
        Err(ConnectorError::new(
            ErrorCode::NotSupported,
            format!("the target does not count objects of class `{class}`"),
        ))
    }

    /// A text that is another one whenever the class may have changed, as cheap as a look at a file's date; `None` when
    /// the system has no such thing. Only ever makes a job run sooner.
    async fn revision(&self, _cx: &Context, _class: &str) -> Result<Option<Text>, ConnectorError> {
        Ok(None)
    }

    /// Waits until the class may have another revision than `seen`, at most for `patience`; whoever comes back asks for the
    /// revision. The default knows no better than to wait; a system that can be listened to answers at once.
    async fn changed(&self, cx: &Context, _class: &str, _seen: &str, patience: Duration) -> Result<(), ConnectorError> {
        tokio::select! {
            () = cx.cancel.cancelled() => cx.check(),
            () = tokio::time::sleep(patience) => Ok(()),
        }
    }

    /// Starts reading a class.
    async fn scan(&self, cx: &Context, request: ScanRequest) -> Result<Box<dyn Scan>, ConnectorError>;

    /// Does the operations and tells for each what came of it, in their order; one that fails does not stop the others.
    /// At most [`Capabilities::max_batch`] operations. A job-scoped failure is the outcome of every operation that was
    /// not sent.
    async fn apply(&self, cx: &Context, operations: &[Operation]) -> Vec<Applied>;
}

/// One check of [`Session::test`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    pub name: Text,
    pub status: CheckStatus,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    Ok,
    Warn,
    Fail,
}

impl CheckResult {
    pub fn ok(name: &str, message: impl Into<String>) -> Self {
        Self { name: name.into(), status: CheckStatus::Ok, message: message.into(), hint: None }
    }

    pub fn fail(name: &str, error: &ConnectorError) -> Self {
        Self { name: name.into(), status: CheckStatus::Fail, message: error.to_string(), hint: error.hint.clone() }
    }
}
