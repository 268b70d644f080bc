//! Opening, checking and backing up. What is in the store is in the tables' modules.

use std::borrow::Borrow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::bell::Bell;
use crate::db::{Db, Dialect, Transaction, migrate};
use crate::layout::Layouts;
use crate::{MasterKey, Result, StoreError};

/// Settings of a store; the defaults fit a small server.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Page cache of SQLite's writing connection.
    pub writer_cache_mib: u32,
    /// Page cache of each of SQLite's reading connections.
    pub reader_cache_mib: u32,
    pub sqlite_readers: u32,
    pub postgres_connections: u32,
    /// How long to wait for a connection or for SQLite's write lock.
    pub wait: Duration,
    /// Where the master key is when it is not in `PROVOST_MASTER_KEY`; `master.key` beside the SQLite file if none is given.
    pub master_key: Option<PathBuf>,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            writer_cache_mib: 64,
            reader_cache_mib: 4,
            sqlite_readers: 4,
            postgres_connections: 16,
            wait: Duration::from_secs(15),
            master_key: None,
        }
    }
}

/// An open store; clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    db: Db,
    layouts: Layouts,
    bell: Bell,
    master_key: tokio::sync::OnceCell<Arc<MasterKey>>,
    master_key_file: Option<PathBuf>,
    /// The folder of a store in memory, removed with it.
    _folder: Option<tempfile::TempDir>,
}

/// What [`Store::check`] found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Check {
    /// `sqlite` or `postgres`.
    pub engine: &'static str,
    /// The engine's version.
    pub version: String,
    pub schema: i64,
    /// What is wrong, one line each; empty when all is well.
    pub problems: Vec<String>,
}

/// How much room a store takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Size {
    pub bytes: u64,
    /// Of those, free to be used again. PostgreSQL does not tell.
    pub free_bytes: Option<u64>,
    /// When the oldest event of the log was made, in milliseconds; none when there is none.
    pub log_since: Option<i64>,
}

impl Store {
    /// Opens `sqlite:PATH`, `sqlite::memory:` or `postgres://…`, creates the SQLite file and brings the tables up to date.
    ///
    /// `sqlite::memory:` is a temporary file that goes with the store: SQLite's own memory databases either share one
    /// connection or lock readers out while somebody writes, and tests should meet neither.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_with(url, StoreOptions::default()).await
    }

    /// As [`open`](Self::open), with settings.
    pub async fn open_with(url: &str, options: StoreOptions) -> Result<Self> {
        let mut folder = None;
        let mut master_key_file = options.master_key.clone();
        let db = if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Db::open_postgres(url, &options).await?
        } else {
            let wrong = |reason: String| StoreError::Url { url: crate::db::without_password(url), reason };
            let path = match url.strip_prefix("sqlite:") {
                Some(":memory:") => {
                    let made = tempfile::tempdir().map_err(|error| wrong(error.to_string()))?;
                    let path = made.path().join("provost.db");
                    folder = Some(made);
                    path
                }
                Some(path) if !path.is_empty() => PathBuf::from(path.strip_prefix("//").unwrap_or(path)),
                _ => return Err(wrong("it names no known engine".to_owned())),
            };
            master_key_file.get_or_insert_with(|| path.with_file_name("master.key"));
            Db::open_sqlite(&path, folder.is_none(), &options).await?
        };
        let (before, after) = db.migrate().await?;
        if before < after {
            tracing::info!(schema.before = before, schema.after = after, "brought the store up to date");
        }
        let master_key = tokio::sync::OnceCell::new();
        let inner = Inner {
            db,
            layouts: Layouts::default(),
            bell: Bell::default(),
            master_key,
            master_key_file,
            _folder: folder,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    pub fn db(&self) -> &Db {
        &self.inner.db
    }

    pub(crate) fn layouts(&self) -> &Layouts {
        &self.inner.layouts
    }

    pub(crate) fn bell(&self) -> &Bell {
        &self.inner.bell
    }

    /// A transaction for writes that belong to no leased job.
    pub async fn begin(&self) -> Result<Transaction> {
        self.db().begin().await
    }

    /// Waits for running statements and closes all connections.
    pub async fn close(&self) {
        self.db().close().await;
    }

    /// Looks whether the store answers, is whole and has this program's schema. On a large SQLite file this takes a while.
    pub async fn check(&self) -> Result<Check> {
        let mut problems = Vec::new();
        let (engine, version) = match self.db().dialect() {
            Dialect::Sqlite => {
                for mut row in self.db().rows(self.db().fixed("pragma quick_check")).await? {
                    let line = row.text()?;
                    if line != "ok" {
                        problems.push(line);
                    }
                }
                ("sqlite", "select sqlite_version()")
            }
            Dialect::Postgres => ("postgres", "select version()"),
        };
        let version = match self.db().row(self.db().fixed(version)).await? {
            Some(mut row) => row.text()?,
            None => String::new(),
        };
        let schema = self.db().schema_version().await?;
        if schema != migrate::VERSION {
            problems.push(format!("the schema has version {schema}, this program's is {}", migrate::VERSION));
        }
        Ok(Check { engine, version, schema, problems })
    }

    pub async fn size(&self) -> Result<Size> {
        let number = async |text: &'static str| match self.db().row(self.db().fixed(text)).await? {
            Some(mut row) => row.int_option(),
            None => Ok(None),
        };
        let whole = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0);
        let (bytes, free_bytes) = match self.db().dialect() {
            Dialect::Sqlite => {
                let page = whole(number("pragma page_size").await?);
                let free = whole(number("pragma freelist_count").await?);
                (whole(number("pragma page_count").await?) * page, Some(free * page))
            }
            Dialect::Postgres => (whole(number("select pg_database_size(current_database())").await?), None),
        };
        let log_since = number("select created from event order by seq limit 1").await?;
        Ok(Size { bytes, free_bytes, log_since })
    }

    /// Writes a compact copy to a new file while work goes on (SQLite; PostgreSQL has pg_dump). The master key is not in it.
    pub async fn backup_to(&self, path: &Path) -> Result<()> {
        let failed = |reason: String| StoreError::Backup { path: path.display().to_string(), reason };
        if self.db().dialect() == Dialect::Postgres {
            return Err(failed("this store is on PostgreSQL, which has pg_dump for that".to_owned()));
        }
        let target = path.to_str().ok_or_else(|| failed("the path is not valid UTF-8".to_owned()))?;
        if path.exists() {
            return Err(failed("the file exists".to_owned()));
        }
        let copy = self.db().fixed("vacuum into $1").value(target).uncached();
        self.db().write(copy).await.map(drop).map_err(|error| failed(error.to_string()))
    }

    /// The key that secrets and sensitive values are sealed with. It is made on first use, unless there are secrets that another
    /// key sealed.
    pub async fn master_key(&self) -> Result<&Arc<MasterKey>> {
        let inner = &self.inner;
        inner
            .master_key
            .get_or_try_init(async || {
                let may_create = self.secrets().await?.is_empty();
                MasterKey::find(inner.master_key_file.as_deref(), may_create).map(Arc::new)
            })
            .await
    }
}

/// Ids as texts, for [`Sql::list`].
pub(crate) fn texts<T: Borrow<str>>(ids: &[T]) -> Vec<&str> {
    ids.iter().map(Borrow::borrow).collect()
}
