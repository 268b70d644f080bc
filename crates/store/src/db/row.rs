//! Rows of either engine, each read column by column in the order of the select list.

use std::sync::Arc;

use provost_model::Text;
use rusqlite::types::ValueRef;
use sqlx::postgres::{PgRow, Postgres};
use sqlx::{Column as _, Decode, Row as _, Type};

use super::cells::Cell;
use super::sqlite::Answer;
use crate::words::Word;
use crate::{Result, StoreError};

/// What a statement gave, row by row.
pub struct Rows(Many);

enum Many {
    Sqlite { answer: Arc<Answer>, next: usize },
    Postgres(std::vec::IntoIter<PgRow>),
}

/// A row and how far it has been read.
pub struct Row {
    inner: One,
    /// The next column.
    at: usize,
}

enum One {
    Sqlite { answer: Arc<Answer>, place: usize },
    Postgres(PgRow),
}

impl Iterator for Rows {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        match &mut self.0 {
            Many::Sqlite { answer, next } => {
                let place = *answer.rows.get(*next)?;
                *next += 1;
                Some(Row { inner: One::Sqlite { answer: answer.clone(), place }, at: 0 })
            }
            Many::Postgres(rows) => rows.next().map(Row::from),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = match &self.0 {
            Many::Sqlite { answer, next } => answer.rows.len() - next,
            Many::Postgres(rows) => rows.len(),
        };
        (left, Some(left))
    }
}

impl ExactSizeIterator for Rows {}

impl Row {
    /// The next column: what SQLite gave, made out by `read`, or PostgreSQL's.
    fn next<'r, T>(&'r mut self, read: impl FnOnce(ValueRef<'r>) -> Option<Option<T>>) -> Result<Option<T>>
    where
        T: Decode<'r, Postgres> + Type<Postgres>,
    {
        let at = self.at;
        self.at += 1;
        match &mut self.inner {
            One::Sqlite { answer, place } => match answer.cells.next(place) {
                Some(Cell(value)) => {
                    read(value).ok_or_else(|| unreadable(name(answer, at), &format!("it holds {}", value.data_type())))
                }
                None => Err(unreadable(name(answer, at), "it is missing")),
            },
            One::Postgres(row) => row.try_get(at).map_err(|error| match error {
                sqlx::Error::ColumnDecode { source, .. } => unreadable(postgres_name(row, at), &source.to_string()),
                other => other.into(),
            }),
        }
    }

    fn column(&self, at: usize) -> &str {
        match &self.inner {
            One::Sqlite { answer, .. } => name(answer, at),
            One::Postgres(row) => postgres_name(row, at),
        }
    }

    fn missing(&self) -> StoreError {
        unreadable(self.column(self.at - 1), "it is null")
    }

    /// A text as it stands in the row.
    pub fn str_option(&mut self) -> Result<Option<&str>> {
        self.next(|value| match value {
            ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok().map(Some),
            ValueRef::Null => Some(None),
            _ => None,
        })
    }

    pub fn text_option(&mut self) -> Result<Option<String>> {
        Ok(self.str_option()?.map(str::to_owned))
    }

    pub fn text(&mut self) -> Result<String> {
        self.text_option()?.ok_or_else(|| self.missing())
    }

    /// A text as an identifier or other short text.
    pub fn id<T: From<Text>>(&mut self) -> Result<T> {
        self.id_option()?.ok_or_else(|| self.missing())
    }

    pub fn id_option<T: From<Text>>(&mut self) -> Result<Option<T>> {
        Ok(self.str_option()?.map(|text| T::from(Text::from(text))))
    }

    pub fn int(&mut self) -> Result<i64> {
        self.int_option()?.ok_or_else(|| self.missing())
    }

    pub fn int_option(&mut self) -> Result<Option<i64>> {
        self.next(|value| match value {
            ValueRef::Integer(number) => Some(Some(number)),
            ValueRef::Null => Some(None),
            _ => None,
        })
    }

    pub(crate) fn word<T: Word>(&mut self) -> Result<T> {
        match self.str_option()? {
            Some(word) => T::parse(word),
            None => Err(self.missing()),
        }
    }

    /// A column of JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&mut self, table: &'static str) -> Result<T> {
        let text = self.text()?;
        serde_json::from_str(&text)
            .map_err(|error| StoreError::corrupt(table, format!("column {}: {error}", self.column(self.at - 1))))
    }
}

fn name(answer: &Answer, at: usize) -> &str {
    answer.names.get(at).map_or("?", |name| name)
}

fn postgres_name(row: &PgRow, at: usize) -> &str {
    row.try_column(at).map_or("?", |column| column.name())
}

fn unreadable(column: &str, reason: &str) -> StoreError {
    StoreError::corrupt("a table", format!("column {column}: {reason}"))
}

impl From<Answer> for Rows {
    fn from(answer: Answer) -> Self {
        Self(Many::Sqlite { answer: Arc::new(answer), next: 0 })
    }
}
impl From<Vec<PgRow>> for Rows {
    fn from(rows: Vec<PgRow>) -> Self {
        Self(Many::Postgres(rows.into_iter()))
    }
}
impl From<PgRow> for Row {
    fn from(row: PgRow) -> Self {
        Self { inner: One::Postgres(row), at: 0 }
    }
}
