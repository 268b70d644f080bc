//! A row of either engine, read column by column in the order of the select list.

use provost_model::Text;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column as _, Row as _};

use crate::words::Word;
use crate::{Result, StoreError};

/// A row and how far it has been read.
pub struct Row {
    inner: Inner,
    at: usize,
}

enum Inner {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// A value that a row can give.
trait Cell: for<'r> sqlx::Decode<'r, sqlx::Sqlite> + for<'r> sqlx::Decode<'r, sqlx::Postgres> {}
impl<T> Cell for T where T: for<'r> sqlx::Decode<'r, sqlx::Sqlite> + for<'r> sqlx::Decode<'r, sqlx::Postgres> {}

impl Row {
    fn next<T>(&mut self) -> Result<T>
    where
        T: Cell + sqlx::Type<sqlx::Sqlite> + sqlx::Type<sqlx::Postgres>,
    {
        let at = self.at;
        self.at += 1;
        let read = match &self.inner {
            Inner::Sqlite(row) => row.try_get(at),
            Inner::Postgres(row) => row.try_get(at),
        };
        read.map_err(|error| match error {
            sqlx::Error::ColumnDecode { source, .. } => {
                StoreError::corrupt("a table", format!("column {}: {source}", self.column(at)))
            }
            other => other.into(),
        })
    }

    fn column(&self, at: usize) -> &str {
        match &self.inner {
            Inner::Sqlite(row) => row.try_column(at).map_or("?", |column| column.name()),
            Inner::Postgres(row) => row.try_column(at).map_or("?", |column| column.name()),
        }
    }

    pub fn text(&mut self) -> Result<String> {
        self.next()
    }

    pub fn text_option(&mut self) -> Result<Option<String>> {
        self.next()
    }

    /// A text as an identifier or other short text.
    pub fn id<T: From<Text>>(&mut self) -> Result<T> {
        Ok(T::from(Text::from(self.text()?)))
    }

    pub fn id_option<T: From<Text>>(&mut self) -> Result<Option<T>> {
        Ok(self.text_option()?.map(|text| T::from(Text::from(text))))
    }

    pub fn int(&mut self) -> Result<i64> {
        self.next()
    }

    pub fn int_option(&mut self) -> Result<Option<i64>> {
        self.next()
    }

    pub fn real(&mut self) -> Result<f64> {
        self.next()
    }

    pub fn blob(&mut self) -> Result<Vec<u8>> {
        self.next()
    }

    pub(crate) fn word<T: Word>(&mut self) -> Result<T> {
        T::parse(&self.text()?)
    }

    /// A column of JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&mut self, table: &'static str) -> Result<T> {
        let text = self.text()?;
        serde_json::from_str(&text)
            .map_err(|error| StoreError::corrupt(table, format!("column {}: {error}", self.column(self.at - 1))))
    }
}

impl From<SqliteRow> for Row {
    fn from(row: SqliteRow) -> Self {
        Self { inner: Inner::Sqlite(row), at: 0 }
    }
}
impl From<PgRow> for Row {
    fn from(row: PgRow) -> Self {
        Self { inner: Inner::Postgres(row), at: 0 }
    }
}
