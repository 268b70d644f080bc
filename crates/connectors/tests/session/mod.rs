//! What the tests of all connectors share: secrets by name, settings, changes in one expression, and what came of them.
#![allow(dead_code, clippy::unwrap_used, reason = "each test binary uses its part of this")]

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use provost_connector::{Applied, ConnectorError, Context, Done, ErrorCode, Host, Outcome, Secret, Session, Settings};
use provost_model::{Change, ChangeOp, Operation, Value};
use serde_json::Value as Json;

/// Secrets by name.
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    pub fn of(secrets: &[(&str, &str)]) -> Self {
        Self(secrets.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }
}

#[async_trait]
impl Host for Secrets {
    async fn secret(&self, handle: &str) -> Result<Secret, ConnectorError> {
        let unknown = || ConnectorError::new(ErrorCode::InvalidConfig, format!("no secret `{handle}`"));
        self.0.get(handle).map(Secret::new).ok_or_else(unknown)
    }
}

pub fn settings(values: Json) -> Settings {
    let Json::Object(values) = values else { unreachable!("settings are an object") };
    Settings::new(values, std::env::temp_dir())
}

pub fn cx() -> Context {
    Context::new("test")
}

pub fn change(op: ChangeOp, path: &str, value: Json) -> Change {
    Change::new(Arc::new(path.parse().unwrap()), op, Value::from_json(&value))
}

pub fn set(path: &str, value: Json) -> Change {
    change(ChangeOp::Set, path, value)
}

/// What came of each operation, in their order, each told by its own number.
pub async fn apply_all(session: &dyn Session, operations: &[Operation]) -> Vec<Result<Done, ConnectorError>> {
    let applied = session.apply(&cx(), operations).await;
    assert_eq!(applied.len(), operations.len());
    let one = |(applied, operation): (Applied, &Operation)| {
        assert_eq!(applied.operation, operation.id);
        match applied.outcome {
            Outcome::Done(done) => Ok(done),
            Outcome::Failed(error) => Err(error),
        }
    };
    applied.into_iter().zip(operations).map(one).collect()
}
