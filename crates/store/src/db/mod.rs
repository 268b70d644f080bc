//! SQLite and PostgreSQL behind one enum: run a [`Sql`], get [`Row`]s.
//!
//! Here ends what is different between the engines: options of a connection ([`sqlite`]), placeholders ([`sql`]), type words
//! ([`migrate`]). The tables' modules, and `directory`, know neither. SQLite has one connection that writes and a few that
//! read, so that a write never waits for another of the same process and reads go on beside it (WAL).

pub mod bulk;
mod cells;
pub mod migrate;
pub mod row;
pub mod sql;
pub mod sqlite;
pub mod transaction;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

pub use bulk::{Each, Record, chunks};
pub use row::{Row, Rows};
pub use sql::{Dialect, LIST_MAX, Param, Sql};
pub use sqlite::Lane;
pub use transaction::Transaction;

use sqlite::{SqliteTransaction, Want};

use crate::{Result, StoreError, StoreOptions};

/// An open database.
#[derive(Debug, Clone)]
pub enum Db {
    /// The readers first: so they are closed before the writer, which then closes the file.
    Sqlite {
        readers: Lane,
        writer: Lane,
    },
    Postgres(PgPool),
}

/// Runs a statement on a pool or a connection of PostgreSQL.
macro_rules! run {
    ($sql:expr, $method:ident, $on:expr) => {{
        let (text, arguments, cached) = $sql.into_postgres()?;
        sqlx::query_with(AssertSqlSafe(text), arguments).persistent(cached).$method($on).await
    }};
}
pub(crate) use run;

impl Db {
    pub(crate) async fn open_postgres(url: &str, options: &StoreOptions) -> Result<Self> {
        let wrong = |error: sqlx::Error| StoreError::Url { url: without_password(url), reason: error.to_string() };
        let connect: PgConnectOptions = url.parse().map_err(wrong)?;
        let connect = connect.application_name("provost").disable_statement_logging();
        // The pool tries a refused connection again until its time is up, and then only says that it was; ask once by hand.
        match tokio::time::timeout(options.wait, connect.connect()).await {
            Ok(connection) => connection?.close().await?,
            Err(_) => return Err(StoreError::Unavailable(format!("{} does not answer", without_password(url)))),
        }
        let pool = PgPoolOptions::new()
            .max_connections(options.postgres_connections)
            .acquire_timeout(options.wait)
            .connect_with(connect)
            .await?;
        Ok(Self::Postgres(pool))
    }

    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite { .. } => Dialect::Sqlite,
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

    /// Reads; SQLite refuses to write on this way.
    pub async fn rows(&self, sql: Sql<'_>) -> Result<Rows> {
        Ok(match self {
            Self::Sqlite { readers, .. } => readers.call(sql.into_sqlite(Want::Rows)?).await?.into(),
            Self::Postgres(pool) => run!(sql, fetch_all, pool)?.into(),
        })
    }

    /// Reads at most one row.
    pub async fn row(&self, sql: Sql<'_>) -> Result<Option<Row>> {
        Ok(match self {
            Self::Sqlite { readers, .. } => Rows::from(readers.call(sql.into_sqlite(Want::Row)?).await?).next(),
            Self::Postgres(pool) => run!(sql, fetch_optional, pool)?.map(Row::from),
        })
    }

    /// Writes by one statement that is its own transaction; how many rows it touched.
    pub async fn write(&self, sql: Sql<'_>) -> Result<u64> {
        Ok(match self {
            Self::Sqlite { writer, .. } => writer.call(sql.into_sqlite(Want::Row)?).await?.touched,
            Self::Postgres(pool) => run!(sql, execute, pool)?.rows_affected(),
        })
    }

    /// Writes by one statement that returns rows.
    pub async fn write_returning(&self, sql: Sql<'_>) -> Result<Rows> {
        Ok(match self {
            Self::Sqlite { writer, .. } => writer.call(sql.into_sqlite(Want::Rows)?).await?.into(),
            Self::Postgres(pool) => run!(sql, fetch_all, pool)?.into(),
        })
    }

    /// Begins a transaction that writes: at once on SQLite, so that it never fails half-way for having read first.
    pub async fn begin(&self) -> Result<Transaction> {
        Ok(match self {
            Self::Sqlite { writer, .. } => Transaction::Sqlite(SqliteTransaction::begin(writer).await?),
            Self::Postgres(pool) => Transaction::Postgres(pool.begin().await?),
        })
    }

    /// The file, where there is one.
    pub fn file(&self) -> Option<&std::path::Path> {
        match self {
            Self::Sqlite { writer, .. } => Some(writer.file()),
            Self::Postgres(_) => None,
        }
    }

    pub async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// The URL as it may be shown: `postgres://user:…@host/db`.
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.split_once('@') {
        Some((login, place)) => match login.split_once(':') {
            Some((user, _)) => format!("{scheme}://{user}:…@{place}"),
            None => url.to_owned(),
        },
        None => url.to_owned(),
    }
}
