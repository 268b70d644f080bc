//! The contract's methods, each a request to the program.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use provost_connector::protocol::method;
use provost_connector::protocol::params::*;
use provost_connector::{
    Applied, Capabilities, CheckResult, ConnectorError, Context, ErrorCode, FindRequest, LookupRequest, Page, Scan,
    ScanRequest, Session,
};
use provost_model::{AttributePath, Filter, ObjectId, Operation, Record, Schema, Text};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::keeper::Keeper;
use super::link::{Failed, Link};
use super::scan::ProcessScan;

pub(super) struct ProcessSession {
    keeper: Arc<Keeper>,
    capabilities: Capabilities,
}

impl ProcessSession {
    pub fn new(keeper: Arc<Keeper>, capabilities: Capabilities) -> Self {
        Self { keeper, capabilities }
    }

    async fn ask<P: Serialize, R: DeserializeOwned>(
        &self,
        cx: &Context,
        method: &'static str,
        params: &P,
    ) -> Result<R, ConnectorError> {
        let link = self.keeper.link(cx).await?;
        Ok(link.call(cx, method, params, false).await?)
    }
}

/// A path that reads back as another one would change another attribute.
fn can_be_told(path: &AttributePath) -> Result<(), ConnectorError> {
    let odd = !path.is_plain() || path.name.contains(|letter: char| !letter.is_alphanumeric());
    if odd && path.to_string().parse::<AttributePath>().as_ref() != Ok(path) {
        let message = format!("the attribute `{}` has a name that cannot be told to a program", path.flat_name());
        return Err(ConnectorError::new(ErrorCode::NotSupported, message).hint("give it another name at the program"));
    }
    Ok(())
}

/// The same for filters.
fn can_be_asked(filter: &Filter) -> Result<(), ConnectorError> {
    let text = filter.to_string();
    if text.parse::<Filter>().as_ref() == Ok(filter) {
        return Ok(());
    }
    Err(ConnectorError::new(
        ErrorCode::NotSupported,
        format!("the filter `{text}` cannot be told to a program exactly"),
    ))
}

#[async_trait]
impl Session for ProcessSession {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn schema(&self, cx: &Context) -> Result<Schema, ConnectorError> {
        self.ask(cx, method::SCHEMA, &Nothing {}).await
    }

    async fn test(&self, cx: &Context) -> Vec<CheckResult> {
        let link = match self.keeper.link(cx).await {
            Ok(link) => link,
            Err(error) => return vec![CheckResult::fail("program", &error)],
        };
        match link.call::<_, Tested>(cx, method::TEST, &Nothing {}, false).await {
            Ok(Tested { checks }) => {
                let mut all = vec![CheckResult::ok("program", format!("`{}` runs and is configured", link.name))];
                all.extend(checks.into_iter().map(|check| link.secrets.mask_check(check)));
                all
            }
            Err(failed) => vec![CheckResult::fail("program", &failed.into())],
        }
    }

    async fn get(&self, cx: &Context, class: &str, id: &ObjectId) -> Result<Option<Record>, ConnectorError> {
        let asked = Get { class: class.into(), id: id.clone() };
        self.ask(cx, method::GET, &asked).await.map(|got: Got| got.record)
    }

    async fn find(&self, cx: &Context, request: FindRequest) -> Result<Page, ConnectorError> {
        can_be_asked(&request.filter)?;
        self.ask(cx, method::FIND, &request).await
    }

    async fn lookup(&self, cx: &Context, request: LookupRequest) -> Result<Vec<Vec<Record>>, ConnectorError> {
        can_be_told(&request.path)?;
        self.ask(cx, method::LOOKUP, &request).await.map(|found: Found| found.found)
    }

    async fn count(&self, cx: &Context, class: &str) -> Result<u64, ConnectorError> {
        self.ask(cx, method::COUNT, &OfClass { class: class.into() }).await.map(|counted: Counted| counted.count)
    }

    async fn revision(&self, cx: &Context, class: &str) -> Result<Option<Text>, ConnectorError> {
        match self.ask(cx, method::REVISION, &OfClass { class: class.into() }).await {
            Ok(Revision { revision }) => Ok(revision),
            // A program need not have it.
            Err(error) if error.code == ErrorCode::NotSupported => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn scan(&self, cx: &Context, request: ScanRequest) -> Result<Box<dyn Scan>, ConnectorError> {
        let link = self.keeper.link(cx).await?;
        let opened: Opened = link.call(cx, method::SCAN_OPEN, &request, false).await?;
        Ok(Box::new(ProcessScan::new(link, self.keeper.clone(), opened)))
    }

    async fn apply(&self, cx: &Context, operations: &[Operation]) -> Vec<Applied> {
        let mut refused = Vec::new();
        let mut sent = Vec::with_capacity(operations.len());
        for operation in operations {
            match self.refuse(operation) {
                Ok(()) => sent.push(operation),
                Err(error) => refused.push(Applied::failed(operation.id.clone(), error)),
            }
        }
        let mut results = match self.keeper.link(cx).await {
            Err(error) => all_failed(operations, &error),
            Ok(link) if refused.is_empty() => send(cx, &link, operations).await,
            Ok(link) => {
                let sent: Vec<Operation> = sent.into_iter().cloned().collect();
                send(cx, &link, &sent).await
            }
        };
        // In whatever order: the layer around the session pairs them.
        results.extend(refused);
        results
    }
}

impl ProcessSession {
    /// Why an operation is not handed to the program.
    fn refuse(&self, operation: &Operation) -> Result<(), ConnectorError> {
        use provost_model::Action::*;
        if let Some(class) = self.capabilities.class(&operation.class) {
            let can = match operation.action {
                Create => class.create,
                Update => class.update,
                Delete => class.delete,
                Enable | Disable => class.enablement.is_some(),
                Unlink => false,
            };
            if !can {
                let message = format!("the program does not {} objects of class `{}`", operation.action, class.name);
                return Err(ConnectorError::new(ErrorCode::NotSupported, message));
            }
        }
        operation.changes.iter().try_for_each(|change| can_be_told(&change.path))
    }
}

fn all_failed(operations: &[Operation], error: &ConnectorError) -> Vec<Applied> {
    operations.iter().map(|operation| Applied::failed(operation.id.clone(), error.clone())).collect()
}

/// Sends operations; those that do not fit into one line in several, one after the other.
async fn send(cx: &Context, link: &Arc<Link>, operations: &[Operation]) -> Vec<Applied> {
    let mut results = Vec::with_capacity(operations.len());
    let mut waiting = vec![operations];
    while let Some(operations) = waiting.pop() {
        if operations.is_empty() {
            continue;
        }
        let params = Apply { operations: Cow::Borrowed(operations) };
        match link.call::<_, AppliedAll>(cx, method::APPLY, &params, true).await {
            Ok(AppliedAll { results: found }) => results.extend(found.into_iter().map(|result| mask(link, result))),
            Err(Failed::TooLong(_)) if operations.len() > 1 => {
                let (first, second) = operations.split_at(operations.len() / 2);
                waiting.extend([second, first]);
            }
            Err(failed) => results.extend(all_failed(operations, &outcome(failed))),
        }
    }
    results
}

fn mask(link: &Link, mut result: Applied) -> Applied {
    if let provost_connector::Outcome::Failed(error) = result.outcome {
        result.outcome = provost_connector::Outcome::Failed(link.secrets.mask_error(error));
    }
    result
}

/// What is known of writes whose request failed as a whole.
fn outcome(failed: Failed) -> ConnectorError {
    use ErrorCode::*;
    match failed {
        Failed::Before(error) => error,
        Failed::TooLong(_) => ConnectorError::from(failed).hint("the values are too long for the program"),
        // With these a program says that it did nothing; with the others it may have been in the middle.
        Failed::Told(error)
            if !matches!(error.code, UnknownOutcome | Timeout | Cancelled | Partial | Protocol | Internal) =>
        {
            error
        }
        Failed::Told(error) | Failed::Lost(error) => {
            let mut unknown = ConnectorError::new(UnknownOutcome, format!("{}; it may have been done", error.message));
            unknown.hint = error.hint;
            unknown.exchange = error.exchange;
            unknown
        }
    }
}
