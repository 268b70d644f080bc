//! What the tests of `sql` share: three real databases behind one face, and operations in one expression.
#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../session/mod.rs"]
pub mod session;
pub mod wire;

use std::path::PathBuf;
use std::sync::Arc;

use provost_connector::{Connector, ConnectorError, Done, End, Scan, ScanItem, ScanRequest, Session};
use provost_connectors::sql::SqlConnector;
use provost_model::{Action, Change, ObjectId, Operation, Record, Value};
use provost_testkit::{mariadb, postgres};
use serde_json::{Value as Json, json};
pub use session::*;
use sqlx::{AssertSqlSafe, Connection as _};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Postgres,
    MariaDb,
    Sqlite,
}

/// An empty database of its own.
pub struct Peer {
    pub kind: Kind,
    pub url: String,
    folder: tempfile::TempDir,
}

pub async fn peer(kind: Kind) -> Peer {
    let folder = tempfile::tempdir().unwrap();
    let url = match kind {
        Kind::Postgres => postgres::fresh_database().await.unwrap(),
        Kind::MariaDb => mariadb::shared().await.unwrap().fresh_database().await.unwrap(),
        Kind::Sqlite => {
            let path = folder.path().join("test.db");
            std::fs::File::create(&path).unwrap();
            format!("sqlite:{}", path.display())
        }
    };
    Peer { kind, url, folder }
}

impl Peer {
    /// One of three texts, for what the databases spell otherwise.
    pub fn pick<'t>(&self, postgres: &'t str, mariadb: &'t str, sqlite: &'t str) -> &'t str {
        match self.kind {
            Kind::Postgres => postgres,
            Kind::MariaDb => mariadb,
            Kind::Sqlite => sqlite,
        }
    }

    /// Statements by a connection of the test's own.
    pub async fn run(&self, statements: &str) {
        let sql = AssertSqlSafe(statements.to_owned());
        match self.kind {
            Kind::Postgres => {
                let mut on = sqlx::PgConnection::connect(&self.url).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut on).await.unwrap();
            }
            Kind::MariaDb => {
                let mut on = sqlx::MySqlConnection::connect(&self.url).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut on).await.unwrap();
            }
            Kind::Sqlite => {
                let mut on = sqlx::SqliteConnection::connect(&self.url).await.unwrap();
                sqlx::raw_sql(sql).execute(&mut on).await.unwrap();
            }
        }
    }

    /// One number by a connection of the test's own.
    pub async fn number(&self, query: &str) -> i64 {
        let sql = AssertSqlSafe(query.to_owned());
        match self.kind {
            Kind::Postgres => {
                let mut on = sqlx::PgConnection::connect(&self.url).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&mut on).await.unwrap()
            }
            Kind::MariaDb => {
                let mut on = sqlx::MySqlConnection::connect(&self.url).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&mut on).await.unwrap()
            }
            Kind::Sqlite => {
                let mut on = sqlx::SqliteConnection::connect(&self.url).await.unwrap();
                sqlx::query_scalar(sql).fetch_one(&mut on).await.unwrap()
            }
        }
    }

    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub async fn try_session(&self, classes: Json) -> Result<Arc<dyn Session>, ConnectorError> {
        configure(json!({"url": self.url, "classes": classes, "timeout": 20})).await
    }

    pub async fn session(&self, classes: Json) -> Arc<dyn Session> {
        self.try_session(classes).await.unwrap()
    }
}

pub const PASSWORD: &str = "s3cret-'\"\\€";

pub async fn configure(values: Json) -> Result<Arc<dyn Session>, ConnectorError> {
    SqlConnector::default()
        .configure(settings(values), Arc::new(Secrets::of(&[("password", PASSWORD), ("wrong", "not-it")])))
        .await
}

pub fn operation(action: Action, class: &str, id: Option<&str>, changes: Vec<Change>) -> Operation {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let target_id = id.map(ObjectId::from);
    Operation { id: format!("op-{number}").into(), action, class: class.into(), target_id, changes, if_match: None }
}

pub async fn apply(session: &dyn Session, operation: Operation) -> Result<Done, ConnectorError> {
    apply_all(session, std::slice::from_ref(&operation)).await.pop().unwrap()
}

/// A scan to its end.
pub async fn drain(mut scan: Box<dyn Scan>) -> (Vec<ScanItem>, End) {
    let mut items = Vec::new();
    loop {
        let page = scan.next(&cx()).await.unwrap();
        assert!(page.faults.is_empty(), "{:?}", page.faults);
        items.extend(page.items);
        if let Some(end) = page.end {
            return (items, end);
        }
    }
}

pub async fn scan(session: &dyn Session, class: &str, page_size: usize) -> (Vec<Record>, End) {
    let request = ScanRequest { page_size, ..ScanRequest::full(class) };
    let (items, end) = drain(session.scan(&cx(), request).await.unwrap()).await;
    let records = items.into_iter().map(|item| match item {
        ScanItem::Upsert(record) => record,
        other => panic!("{other:?}"),
    });
    (records.collect(), end)
}

pub fn text(record: &Record, name: &str) -> Option<String> {
    record.attributes.get(name).and_then(Value::to_text).map(|text| text.into_owned())
}

pub fn json_of(record: &Record, name: &str) -> Json {
    record.attributes.get(name).map(Value::to_json).unwrap_or(json!("absent"))
}

/// What values are full of.
pub const HOSTILE: [&str; 18] = [
    "plain",
    "O'Brien",
    "say \"hi\"",
    "back\\slash \\' \\\" \\n",
    "a,b;c|d",
    " leading and trailing ",
    "\u{1f600} \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
    "Zoë Ñandú İstanbul ẞ",
    "e\u{301} is not \u{e9}",
    "שלום عالم",
    "%_like*?",
    "'; drop table people; --",
    "$1 ? :name @x {{y}}",
    "tab\tline\nreturn\r\nend",
    "`backtick` [bracket]",
    "\u{200b}zero\u{feff}width",
    "NULL",
    "\u{1}\u{7f}control",
];
