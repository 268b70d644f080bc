//! One suite over both engines: each test runs on a new SQLite file and on a new PostgreSQL database.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod assignments;
mod indexes;
mod members;
mod model;
mod query;
mod session;
mod write;

use std::sync::Arc;

use provost_connector::{Applied, ConnectorError, Context, Done, Outcome, Session};
use provost_directory::{Directory, DirectoryError, Resource, Types, Write, Written};
use provost_model::clock::ManualClock;
use provost_model::{Action, Attributes, Change, ChangeOp, Clock as _, ObjectId, Operation, Timestamp, Value};
use provost_store::Store;

pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// A new directory, empty, with a clock that stands still.
pub struct Place {
    pub directory: Directory,
    pub session: Arc<dyn Session>,
    pub clock: ManualClock,
    pub store: Store,
}

async fn place(url: &str) -> Place {
    let clock = ManualClock::at(Timestamp::from_second(1_700_000_000).unwrap());
    let store = Store::open(url).await.unwrap();
    let directory = Directory::new(store.clone(), Arc::new(clock.clone()));
    assert_eq!(clock.now_ms(), 1_700_000_000_000);
    Place { session: directory.session(), directory, clock, store }
}

pub async fn sqlite() -> Place {
    place("sqlite::memory:").await
}

pub async fn postgres() -> Place {
    place(&provost_testkit::postgres::fresh_database().await.unwrap()).await
}

/// Runs each function on both engines.
#[macro_export]
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::sqlite().await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::postgres().await).await;
            })*
        }
    };
}

pub fn cx() -> Context {
    Context::default()
}

/// Attributes from JSON text.
pub fn json(text: &str) -> Attributes {
    serde_json::from_str(text).unwrap()
}

pub fn user(name: &str) -> Attributes {
    [("userName", name)].into_iter().collect()
}

pub fn group(name: &str) -> Attributes {
    [("displayName", name)].into_iter().collect()
}

impl Place {
    /// The same store with other types.
    pub fn with_types(&self, types: Types) -> Place {
        let directory = Directory::with_types(self.store.clone(), Arc::new(self.clock.clone()), types);
        Place { session: directory.session(), directory, clock: self.clock.clone(), store: self.store.clone() }
    }

    pub async fn write(&self, writes: Vec<Write>) -> Vec<Result<Written, DirectoryError>> {
        self.directory.write(writes).await.unwrap()
    }

    pub async fn one(&self, write: Write) -> Result<Written, DirectoryError> {
        self.write(vec![write]).await.pop().unwrap()
    }

    pub async fn create(&self, kind: &str, attributes: Attributes) -> ObjectId {
        self.one(Write::create(kind, attributes)).await.unwrap().resource.id
    }

    pub async fn get(&self, kind: &str, id: &str) -> Option<Resource> {
        self.directory.get(kind, id).await.unwrap()
    }

    pub async fn apply(&self, operations: &[Operation]) -> Vec<Result<Done, ConnectorError>> {
        let outcome = |applied: Applied| match applied.outcome {
            Outcome::Done(done) => Ok(done),
            Outcome::Failed(error) => Err(error),
        };
        self.session.apply(&cx(), operations).await.into_iter().map(outcome).collect()
    }
}

pub fn operation(action: Action, class: &str, target: Option<&ObjectId>, changes: Vec<Change>) -> Operation {
    let target_id = target.cloned();
    Operation { id: "o1".into(), action, class: class.into(), target_id, changes, if_match: None }
}

pub fn set(path: &str, value: impl Into<Value>) -> Change {
    change(path, ChangeOp::Set, value)
}

pub fn change(path: &str, op: ChangeOp, value: impl Into<Value>) -> Change {
    Change::new(Arc::new(path.parse().unwrap()), op, value.into())
}

/// A list of ids as the engine sends it.
pub fn texts<'a>(ids: impl IntoIterator<Item = &'a ObjectId>) -> Value {
    Value::List(ids.into_iter().map(|id| Value::Text(id.0.clone())).collect())
}
