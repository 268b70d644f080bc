//! The export: operations in, one line of result for each out. What has no result may have been done.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use provost_connector::{Applied, ConnectorError, Context, ErrorCode, Outcome};
use provost_model::{Action, AttributePath, ChangeOp, ClassName, ObjectId, Operation, OperationId, Text, Value};
use serde::Serialize;

use super::config::Writes;
use super::scripts::{Job, Scripts};
use super::step::{Request, Step, filled};
use crate::program::LOOK;
use crate::program::secrets::Secrets;

/// How long a script goes on after its caller gave up: its outcome is worth more than the time.
const PATIENCE: Duration = Duration::from_secs(5);

/// A password to set, for the script `password`.
#[derive(Debug, Serialize)]
struct Password {
    operation: OperationId,
    class: ClassName,
    target_id: ObjectId,
    password: Text,
}

#[derive(Debug, Serialize)]
struct Nothing {}

/// Does the operations, and sets the passwords in them where there is a script for that.
pub(super) async fn apply(
    cx: &Context,
    scripts: &Scripts,
    secrets: &Arc<Secrets>,
    operations: &[Operation],
) -> Vec<Applied> {
    let mut results: HashMap<OperationId, Outcome> = HashMap::new();
    let (mut sent, mut passwords) = (Vec::new(), HashMap::new());
    for operation in operations {
        match prepare(scripts, operation) {
            Err(error) => {
                results.insert(operation.id.clone(), Outcome::Failed(error));
            }
            Ok((rest, password)) => {
                if let Some(password) = password {
                    passwords.insert(rest.id.clone(), (rest.class.clone(), password));
                }
                sent.push(rest);
            }
        }
    }
    // An update of a password alone is nothing for the export.
    let is_empty = |operation: &Operation| {
        operation.action == Action::Update && operation.changes.is_empty() && passwords.contains_key(&operation.id)
    };
    let (alone, sent): (Vec<_>, Vec<_>) = sent.into_iter().partition(is_empty);
    results.extend(
        send(cx, scripts, secrets, Job::Export, sent.into_iter().map(|one| (one.id.clone(), one)).collect()).await,
    );
    let mut setting = Vec::new();
    for (id, (class, password)) in passwords {
        let done = match results.get(&id) {
            Some(Outcome::Done(done)) => Some(done.target_id.clone()),
            Some(Outcome::Failed(_)) => None,
            None => alone.iter().find(|one| one.id == id).and_then(|one| one.target_id.clone()),
        };
        if let Some(target_id) = done {
            setting.push((id.clone(), Password { operation: id, class, target_id, password }));
        }
    }
    for (id, outcome) in send(cx, scripts, secrets, Job::Password, setting).await {
        let outcome = match (results.remove(&id), outcome) {
            (Some(Outcome::Done(done)), Outcome::Done(_)) => Outcome::Done(done),
            // The export did its part.
            (Some(Outcome::Done(_)), Outcome::Failed(error)) => Outcome::Failed(ConnectorError {
                code: if error.code == ErrorCode::UnknownOutcome { error.code } else { ErrorCode::Partial },
                message: format!("the object was written, its password was not set: {}", error.message),
                ..error
            }),
            (_, outcome) => outcome,
        };
        results.insert(id, outcome);
    }
    operations
        .iter()
        .filter_map(|one| results.remove(&one.id).map(|outcome| Applied { operation: one.id.clone(), outcome }))
        .collect()
}

/// The operation as the export gets it, and the password that it does not get.
fn prepare(scripts: &Scripts, operation: &Operation) -> Result<(Operation, Option<Text>), ConnectorError> {
    let config = &scripts.config;
    let can = match operation.action {
        Action::Create => config.operations.contains(&Writes::Create),
        Action::Update => config.operations.contains(&Writes::Update),
        Action::Delete => config.operations.contains(&Writes::Delete),
        Action::Enable | Action::Disable => config.enabled.is_some(),
        Action::Unlink => false,
    };
    if !can || !scripts.has(Job::Export) {
        let message = format!("the scripts do not {} objects of class `{}`", operation.action, operation.class);
        return Err(ConnectorError::new(ErrorCode::NotSupported, message));
    }
    let (mut rest, mut password) = (operation.clone(), None);
    if scripts.has(Job::Password) {
        let name = &config.password_attribute;
        rest.changes.retain(|change| !change.path.flat_name().eq_ignore_ascii_case(name));
        for change in operation.changes.iter().filter(|change| change.path.flat_name().eq_ignore_ascii_case(name)) {
            match (change.op, &change.value) {
                (ChangeOp::Set, Value::Text(text)) => password = Some(text.clone()),
                _ => {
                    let message = format!("`{name}` can be set to a text, and no more");
                    return Err(ConnectorError::new(ErrorCode::NotSupported, message).at(name.clone()));
                }
            }
        }
    }
    rest.changes.iter().try_for_each(|change| can_be_told(&change.path))?;
    // Enabled and disabled by an attribute, which the script then need not know as something else.
    if let (Some(enabled), Action::Enable | Action::Disable) = (&config.enabled, operation.action) {
        let value = if operation.action == Action::Enable { &enabled.on } else { &enabled.off };
        let path = Arc::new(AttributePath::name(enabled.attribute.clone()));
        rest.changes.retain(|change| change.path != path);
        rest.changes.push(provost_model::Change::set(path, value.clone()));
    }
    Ok((rest, password))
}

/// A path that reads back as another one would change another attribute.
fn can_be_told(path: &AttributePath) -> Result<(), ConnectorError> {
    if path.to_string().parse::<AttributePath>().as_ref() == Ok(path) {
        return Ok(());
    }
    let message = format!("the attribute `{}` has a name that cannot be told to a script", path.flat_name());
    Err(ConnectorError::new(ErrorCode::NotSupported, message))
}

/// Hands lines to a script and collects what it says of each.
async fn send<T: Serialize>(
    cx: &Context,
    scripts: &Scripts,
    secrets: &Arc<Secrets>,
    job: Job,
    lines: Vec<(OperationId, T)>,
) -> HashMap<OperationId, Outcome> {
    if lines.is_empty() {
        return HashMap::new();
    }
    let ids: Vec<OperationId> = lines.iter().map(|(id, _)| id.clone()).collect();
    let started = async {
        cx.check()?;
        let parameters = filled(&scripts.config.parameters, secrets).await?;
        let mut input = line(&Request { script: job.as_str(), parameters: &parameters, more: Nothing {} })?;
        for (_, one) in &lines {
            input.extend(line(one)?);
        }
        Step::start(scripts, job, input, secrets.clone())
    };
    match started.await {
        // Nothing ran, so nothing was done.
        Err(error) => ids.into_iter().map(|id| (id, Outcome::Failed(error.clone()))).collect(),
        Ok(step) => results(cx, step, ids).await,
    }
}

pub(super) fn line(value: &impl Serialize) -> Result<Vec<u8>, ConnectorError> {
    let mut line = serde_json::to_vec(value).map_err(|error| {
        ConnectorError::new(ErrorCode::Internal, format!("a line cannot be written as JSON: {error}"))
    })?;
    line.push(b'\n');
    Ok(line)
}

async fn results(cx: &Context, mut step: Step, ids: Vec<OperationId>) -> HashMap<OperationId, Outcome> {
    let mut found: HashMap<OperationId, Option<Outcome>> = HashMap::new();
    let mut odd = None;
    let why = loop {
        match read_line(cx, &mut step).await {
            Ok(Some(line)) => match serde_json::from_str::<Applied>(&line) {
                Ok(Applied { operation, outcome }) if ids.contains(&operation) => {
                    // Two words on one operation are none.
                    found.entry(operation).and_modify(|have| *have = None).or_insert(Some(outcome));
                }
                Ok(_) => {
                    odd.get_or_insert(format!("line {} is about an operation that was not asked for", step.at));
                }
                Err(error) => {
                    odd.get_or_insert(format!("line {} is no result: {error}", step.at));
                }
            },
            Ok(None) => break step.end().await.err(),
            Err(error) => break Some(error),
        }
    };
    let why = match (why, odd) {
        (Some(error), _) => error.message,
        (None, Some(odd)) => format!("of what `{}` wrote {}", step.name, step.secrets.mask(&odd)),
        (None, None) => format!("`{}` gave no single result for it", step.name),
    };
    let unknown = || {
        let message = format!("{why}; it may have been done");
        Outcome::Failed(ConnectorError::new(ErrorCode::UnknownOutcome, message).hint(LOOK))
    };
    let masked = |outcome| match outcome {
        Outcome::Failed(error) => Outcome::Failed(step.secrets.mask_error(error)),
        done => done,
    };
    ids.into_iter()
        .map(|id| {
            let outcome = found.remove(&id).flatten().map_or_else(unknown, masked);
            (id, outcome)
        })
        .collect()
}

/// A line, waited for a little longer than the caller does.
async fn read_line(cx: &Context, step: &mut Step) -> Result<Option<String>, ConnectorError> {
    match step.line(cx).await {
        Err(error) if matches!(error.code, ErrorCode::Cancelled | ErrorCode::Timeout) && cx.check().is_err() => {
            step.line(&Context::default().within(PATIENCE)).await.map_err(|_| error)
        }
        line => line,
    }
}
