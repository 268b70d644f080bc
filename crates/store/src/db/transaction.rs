//! A transaction that writes. Dropped without [`commit`](Transaction::commit) it is rolled back.
//!
//! The tables' modules add their writes as methods. Reads through a transaction see its own writes.

use sqlx::AssertSqlSafe;

use super::sqlite::{SqliteTransaction, Want, Work};
use super::{Dialect, Row, Rows, Sql, run};
use crate::Result;

/// An open transaction of either engine.
#[derive(Debug)]
#[must_use = "a transaction that is not committed is rolled back"]
pub enum Transaction {
    Sqlite(SqliteTransaction),
    Postgres(sqlx::Transaction<'static, sqlx::Postgres>),
}

impl Transaction {
    pub async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(transaction) => transaction.end(Work::Commit).await?,
            Self::Postgres(transaction) => transaction.commit().await?,
        }
        Ok(())
    }

    /// As dropping it, but waits until it is done.
    pub async fn rollback(self) -> Result<()> {
        match self {
            Self::Sqlite(transaction) => transaction.end(Work::Rollback).await?,
            Self::Postgres(transaction) => transaction.rollback().await?,
        }
        Ok(())
    }

    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// An empty statement to build.
    pub fn sql<'a>(&self) -> Sql<'a> {
        Sql::new(self.dialect())
    }

    /// A statement as it stands in a file.
    pub fn fixed<'a>(&self, text: &'static str) -> Sql<'a> {
        Sql::fixed(self.dialect(), text)
    }

    /// Runs a statement; how many rows it touched.
    pub async fn run(&mut self, sql: Sql<'_>) -> Result<u64> {
        Ok(match self {
            Self::Sqlite(on) => on.call(sql.into_sqlite(Want::Row)?).await?.touched,
            Self::Postgres(on) => run!(sql, execute, &mut **on)?.rows_affected(),
        })
    }

    /// Runs a statement that gives rows: a select, or a write with `returning`.
    pub async fn rows(&mut self, sql: Sql<'_>) -> Result<Rows> {
        Ok(match self {
            Self::Sqlite(on) => on.call(sql.into_sqlite(Want::Rows)?).await?.into(),
            Self::Postgres(on) => run!(sql, fetch_all, &mut **on)?.into(),
        })
    }

    /// Runs a statement that gives at most one row.
    pub async fn row(&mut self, sql: Sql<'_>) -> Result<Option<Row>> {
        Ok(match self {
            Self::Sqlite(on) => Rows::from(on.call(sql.into_sqlite(Want::Row)?).await?).next(),
            Self::Postgres(on) => run!(sql, fetch_optional, &mut **on)?.map(Row::from),
        })
    }

    /// Runs several statements without values, as migrations have them.
    pub(crate) async fn script(&mut self, text: String) -> Result<()> {
        match self {
            Self::Sqlite(on) => on.call(Work::Script(text)).await.map(drop)?,
            Self::Postgres(on) => sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut **on).await.map(|_| ())?,
        }
        Ok(())
    }
}
