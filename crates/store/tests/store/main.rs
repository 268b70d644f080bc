//! One suite over both engines: each test runs on a new SQLite file and on a new PostgreSQL database.

// Clippy allows these in functions marked as tests only, and ours are called by two of them each.
#![allow(clippy::unwrap_used, clippy::panic)]

mod directory;
mod event;
mod hold;
mod layout;
mod lease;
mod link;
mod open;
mod plans;
mod prune;
mod push;
mod reference;
mod service;
mod state;

use provost_model::JobName;
use provost_store::{EventRow, EventStatus, LinkRow, LinkState, Store};

/// A new store and where it is.
pub struct Place {
    pub store: Store,
    pub url: String,
    pub folder: tempfile::TempDir,
}

pub async fn sqlite() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("provost.db").display());
    Place { store: Store::open(&url).await.unwrap(), url, folder }
}

pub async fn postgres() -> Place {
    let url = provost_testkit::postgres::fresh_database().await.unwrap();
    Place { store: Store::open(&url).await.unwrap(), url, folder: tempfile::tempdir().unwrap() }
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

pub fn job() -> JobName {
    "hr-to-crm".into()
}

pub fn link(number: usize) -> LinkRow {
    LinkRow {
        job: job(),
        class: "User".into(),
        source_id: format!("u{number:06}").into(),
        target_id: Some(format!("t{:06}", number * 7919 % 1_000_003).into()),
        state: LinkState::Linked,
        mark: format!("{number:032x}"),
        leaves: None,
        event: Some(number as i64),
        changed: 1_700_000_000_000,
        name: format!("Person {number}"),
        sent: Some(format!(r#"{{"userName":"p{number}@example.org","active":true}}"#)),
    }
}

pub fn event(number: usize, status: EventStatus) -> EventRow {
    EventRow {
        seq: 0,
        job: job(),
        cycle: "c1".into(),
        class: "User".into(),
        source_id: format!("u{number:06}").into(),
        target_id: None,
        action: "create".into(),
        status,
        code: None,
        created: 1_000 + number as i64,
        finished: None,
        duration_ms: 0,
        name: format!("Person {number}"),
        reason: "in scope, and nobody matches".to_owned(),
        changes: r#"[{"path":"userName","op":"set","after":"p"}]"#.to_owned(),
        seen: None,
        detail: None,
    }
}
