//! One database behind one enum: run a statement, get rows; begin, commit, go back.
//!
//! Each call ends when the caller's deadline, cancellation or the connection's `timeout` comes first. A transaction that
//! is dropped is rolled back.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use provost_connector::{ConnectorError, Context, ErrorCode};
use sqlx::mysql::{MySql, MySqlPool};
use sqlx::postgres::{PgPool, Postgres};
use sqlx::sqlite::{Sqlite, SqlitePool};
use sqlx::{Error, Transaction};

use super::row::Row;
use super::statement::{Dialect, Sql};

#[derive(Debug, Clone)]
pub(super) enum Pool {
    Postgres(PgPool),
    MySql(MySqlPool),
    Sqlite(SqlitePool),
}

/// An open database.
#[derive(Debug, Clone)]
pub(super) struct Db {
    pub pool: Pool,
    /// For one statement.
    pub timeout: Duration,
    /// Whether an INSERT may return rows (not so in MySQL itself).
    pub returning: bool,
}

/// A transaction.
pub(super) struct Tx {
    inner: Inner,
    timeout: Duration,
    pub returning: bool,
    /// A statement was left behind: whatever comes next on the connection waits for it.
    interrupted: bool,
}

enum Inner {
    Postgres(Transaction<'static, Postgres>),
    MySql(Transaction<'static, MySql>),
    Sqlite(Transaction<'static, Sqlite>),
}

/// Why a statement gave nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The driver's or the database's word.
    Db(Error),
    /// The caller stopped waiting, or the time was up. The database may still be at it.
    Stopped(ConnectorError),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Db(error)
    }
}

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// One consistent view; nothing is written.
    Snapshot,
    Write,
}

macro_rules! fetch {
    ($sql:expr, $prepare:ident, $on:expr, $row:path) => {{
        let (text, arguments, cached) = $sql.$prepare()?;
        let rows = sqlx::query_with(text, arguments).persistent(cached).fetch($on);
        rows.map_ok($row).try_collect().await
    }};
}

macro_rules! execute {
    ($sql:expr, $prepare:ident, $on:expr) => {{
        let (text, arguments, cached) = $sql.$prepare()?;
        sqlx::query_with(text, arguments).persistent(cached).execute($on).await?.rows_affected()
    }};
}

impl Db {
    pub(super) fn dialect(&self) -> Dialect {
        match self.pool {
            Pool::Postgres(_) => Dialect::Postgres,
            Pool::MySql(_) => Dialect::MySql,
            Pool::Sqlite(_) => Dialect::Sqlite,
        }
    }

    pub(super) fn sql(&self, text: &'static str) -> Sql {
        Sql::new(self.dialect(), text)
    }

    /// Reads by one statement that sees one moment.
    pub(super) async fn rows(&self, cx: &Context, sql: Sql) -> Result<Vec<Row>, Trouble> {
        let work = async {
            match &self.pool {
                Pool::Postgres(pool) => fetch!(sql, postgres, pool, Row::Postgres),
                Pool::MySql(pool) => fetch!(sql, mysql, pool, Row::MySql),
                Pool::Sqlite(pool) => fetch!(sql, sqlite, pool, Row::Sqlite),
            }
        };
        within(cx, self.timeout, work).await
    }

    pub(super) async fn begin(&self, cx: &Context, purpose: Purpose) -> Result<Tx, Trouble> {
        let work = async {
            Ok(match (&self.pool, purpose) {
                (Pool::Postgres(pool), Purpose::Snapshot) => {
                    Inner::Postgres(pool.begin_with("begin isolation level repeatable read read only").await?)
                }
                (Pool::Postgres(pool), Purpose::Write) => Inner::Postgres(pool.begin_with("begin").await?),
                (Pool::MySql(pool), Purpose::Snapshot) => {
                    Inner::MySql(pool.begin_with("start transaction with consistent snapshot, read only").await?)
                }
                (Pool::MySql(pool), Purpose::Write) => Inner::MySql(pool.begin_with("start transaction").await?),
                (Pool::Sqlite(pool), Purpose::Snapshot) => Inner::Sqlite(pool.begin_with("begin").await?),
                // At once: a transaction that reads first fails as soon as somebody else has written.
                (Pool::Sqlite(pool), Purpose::Write) => Inner::Sqlite(pool.begin_with("begin immediate").await?),
            })
        };
        let inner = within(cx, self.timeout, work).await?;
        Ok(Tx { inner, timeout: self.timeout, returning: self.returning, interrupted: false })
    }

    pub(super) async fn close(&self) {
        match &self.pool {
            Pool::Postgres(pool) => pool.close().await,
            Pool::MySql(pool) => pool.close().await,
            Pool::Sqlite(pool) => pool.close().await,
        }
    }
}

impl Tx {
    pub(super) fn dialect(&self) -> Dialect {
        match self.inner {
            Inner::Postgres(_) => Dialect::Postgres,
            Inner::MySql(_) => Dialect::MySql,
            Inner::Sqlite(_) => Dialect::Sqlite,
        }
    }

    pub(super) fn sql(&self, text: &'static str) -> Sql {
        Sql::new(self.dialect(), text)
    }

    pub(super) async fn rows(&mut self, cx: &Context, sql: Sql) -> Result<Vec<Row>, Trouble> {
        let timeout = self.timeout;
        let work = async {
            match &mut self.inner {
                Inner::Postgres(tx) => fetch!(sql, postgres, &mut **tx, Row::Postgres),
                Inner::MySql(tx) => fetch!(sql, mysql, &mut **tx, Row::MySql),
                Inner::Sqlite(tx) => fetch!(sql, sqlite, &mut **tx, Row::Sqlite),
            }
        };
        let done = within(cx, timeout, work).await;
        self.note(done)
    }

    /// How many rows a statement touched; for an UPDATE those that it found, also where nothing changed.
    pub(super) async fn run(&mut self, cx: &Context, sql: Sql) -> Result<u64, Trouble> {
        let timeout = self.timeout;
        let work = async {
            Ok(match &mut self.inner {
                Inner::Postgres(tx) => execute!(sql, postgres, &mut **tx),
                Inner::MySql(tx) => execute!(sql, mysql, &mut **tx),
                Inner::Sqlite(tx) => execute!(sql, sqlite, &mut **tx),
            })
        };
        let done = within(cx, timeout, work).await;
        self.note(done)
    }

    /// A word such as `savepoint provost`, which MySQL takes only without preparing it.
    pub(super) async fn word(&mut self, cx: &Context, word: &'static str) -> Result<(), Trouble> {
        let timeout = self.timeout;
        let work = async {
            match &mut self.inner {
                Inner::Postgres(tx) => sqlx::raw_sql(word).execute(&mut **tx).await.map(drop),
                Inner::MySql(tx) => sqlx::raw_sql(word).execute(&mut **tx).await.map(drop),
                Inner::Sqlite(tx) => sqlx::raw_sql(word).execute(&mut **tx).await.map(drop),
            }
        };
        let done = within(cx, timeout, work).await;
        self.note(done)
    }

    /// Not cut short by the caller's cancellation, since its answer is what tells whether everything was done.
    pub(super) async fn commit(self) -> Result<(), Trouble> {
        let work = async {
            match self.inner {
                Inner::Postgres(tx) => tx.commit().await,
                Inner::MySql(tx) => tx.commit().await,
                Inner::Sqlite(tx) => tx.commit().await,
            }
        };
        within(&Context::default(), self.timeout, work).await
    }

    fn note<T>(&mut self, done: Result<T, Trouble>) -> Result<T, Trouble> {
        self.interrupted |= matches!(done, Err(Trouble::Stopped(_)));
        done
    }

    pub(super) async fn rollback(self) {
        if self.interrupted {
            // Dropped, it is rolled back as soon as the database is through; the caller does not wait for that.
            return;
        }
        let work = async {
            match self.inner {
                Inner::Postgres(tx) => tx.rollback().await,
                Inner::MySql(tx) => tx.rollback().await,
                Inner::Sqlite(tx) => tx.rollback().await,
            }
        };
        // Where this fails the connection is gone, and the transaction with it.
        let _ = tokio::time::timeout(self.timeout, work).await;
    }
}

/// Waits for the work as long as the caller does, at most for the limit.
async fn within<T>(cx: &Context, limit: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Trouble> {
    cx.check().map_err(Trouble::Stopped)?;
    let cx = cx.within(limit);
    let deadline = cx.deadline.map(tokio::time::Instant::from_std);
    let over = async {
        match deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        done = work => done.map_err(Trouble::Db),
        () = cx.cancel.cancelled() => Err(Trouble::Stopped(ConnectorError::new(ErrorCode::Cancelled, "cancelled"))),
        () = over => Err(Trouble::Stopped(
            ConnectorError::new(ErrorCode::Timeout, "the database did not answer in time")
                .hint("raise `timeout`, or see what the database is waiting for"),
        )),
    }
}
