//! The one place where SQL text is put together.
//!
//! Text only comes in as `&'static str`, so identifiers are constants by type; every value is bound, with a placeholder that
//! this builder numbers itself. What it does not do: know any table. Bulk statements are in [`super::bulk`].
//!
//! Placeholders are `$1`, `$2`, … in the order of the values. For built statements SQLite gets them as bare `?` in the same
//! order: there a named parameter is found by walking the list of names, for each parameter anew, which makes statements of a
//! thousand values three times slower (examples/throughput.rs).

use std::borrow::Cow;

use provost_model::{ClassName, CycleId, JobName, ObjectId};
use sqlx::Arguments as _;
use sqlx::postgres::PgArguments;

use super::cells::Cells;
use super::sqlite::{Want, Work};
use crate::{Result, StoreError};

/// Which of the two engines a statement is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    Sqlite,
    Postgres,
}

/// Lists are padded to these lengths by repeating the last value, so that few statements are prepared.
const LISTS: [usize; 4] = [1, 16, 128, 512];

/// The longest list that [`Sql::list`] takes; longer ones go in chunks.
pub const LIST_MAX: usize = 512;

/// PostgreSQL's clock in milliseconds; SQLite is told the time, as its first parameter.
const POSTGRES_NOW: &str = "cast(extract(epoch from clock_timestamp()) * 1000 as bigint)";

/// One bound value. Absent ones keep their type, which PostgreSQL wants to know.
#[derive(Debug, Clone)]
pub enum Param<'a> {
    Text(Option<Cow<'a, str>>),
    Int(Option<i64>),
    Real(Option<f64>),
    Blob(Option<Cow<'a, [u8]>>),
}

impl<'a> Param<'a> {
    /// Text for people: a NUL, which PostgreSQL cannot hold, becomes U+FFFD on both engines.
    pub fn free(text: &'a str) -> Self {
        Self::Text(Some(match text.contains('\0') {
            true => Cow::Owned(text.replace('\0', "\u{fffd}")),
            false => Cow::Borrowed(text),
        }))
    }

    /// As [`free`](Self::free), or absent.
    pub fn free_option(text: &'a Option<String>) -> Self {
        text.as_deref().map_or(Self::Text(None), Self::free)
    }
}

/// A statement with its values, for either engine.
#[derive(Debug)]
pub struct Sql<'a> {
    dialect: Dialect,
    text: Cow<'static, str>,
    values: Vec<Param<'a>>,
    cached: bool,
}

impl<'a> Sql<'a> {
    /// An empty statement to be built by [`push`](Self::push), [`bind`](Self::bind) and [`list`](Self::list).
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, text: Cow::Owned(String::new()), values: Vec::new(), cached: true }
    }

    /// A whole statement, usually from a file, with its own `$n`; the values follow by [`value`](Self::value). The word
    /// `{now}` stands for the time in milliseconds: the database's on PostgreSQL, `$1` on SQLite, so bind the caller's first.
    pub fn fixed(dialect: Dialect, text: &'static str) -> Self {
        let text = match (text.contains("{now}"), dialect) {
            (false, _) => Cow::Borrowed(text),
            (true, Dialect::Sqlite) => Cow::Owned(text.replace("{now}", "$1")),
            (true, Dialect::Postgres) => Cow::Owned(text.replace("{now}", POSTGRES_NOW)),
        };
        Self { dialect, text, values: Vec::new(), cached: true }
    }

    /// Prepares the statement for this once: for shapes that hardly come again.
    pub fn uncached(mut self) -> Self {
        self.cached = false;
        self
    }

    /// Binds the next value of a [`fixed`](Self::fixed) statement.
    pub fn value(mut self, value: impl Into<Param<'a>>) -> Self {
        self.values.push(value.into());
        self
    }

    pub fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.to_mut().push_str(text);
        self
    }

    /// Text that was itself put together of constants ([`super::Each`]).
    pub(super) fn append(&mut self, text: &str) {
        self.text.to_mut().push_str(text);
    }

    /// Binds a value and writes its placeholder.
    pub fn bind(&mut self, value: impl Into<Param<'a>>) -> &mut Self {
        self.values.push(value.into());
        let text = self.text.to_mut();
        match self.dialect {
            Dialect::Sqlite => text.push('?'),
            Dialect::Postgres => {
                text.push('$');
                push_number(text, self.values.len());
            }
        }
        self
    }

    /// Writes `(…, …)` with one to [`LIST_MAX`] values, padded to one of a few lengths. An empty list matches nothing.
    pub fn list<V: Copy + Into<Param<'a>>>(&mut self, values: &[V]) -> &mut Self {
        debug_assert!(values.len() <= LIST_MAX, "lists go in chunks");
        let Some(last) = values.last() else { return self.push("(null)") };
        let length = LISTS.into_iter().find(|length| *length >= values.len()).unwrap_or(values.len());
        self.push("(");
        for at in 0..length {
            if at > 0 {
                self.push(", ");
            }
            self.bind(*values.get(at).unwrap_or(last));
        }
        self.push(")")
    }

    /// Writes `a, b, c`.
    pub fn names(&mut self, names: &[&'static str]) -> &mut Self {
        for (at, name) in names.iter().enumerate() {
            self.push(if at > 0 { ", " } else { "" }).push(name);
        }
        self
    }

    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    pub(super) fn into_sqlite(self, want: Want) -> Result<Work> {
        let mut values = Cells::default();
        self.values.iter().try_for_each(|value| values.push_param(value))?;
        Ok(Work::Run { text: self.text, values, cached: self.cached, want })
    }

    pub(super) fn into_postgres(self) -> Result<(String, PgArguments, bool)> {
        let mut arguments = PgArguments::default();
        arguments.reserve(self.values.len(), 0);
        for value in self.values {
            match value {
                Param::Text(text) => {
                    text.as_deref().map(checked).transpose()?;
                    arguments.add(text)
                }
                Param::Int(number) => arguments.add(number),
                Param::Real(number) => arguments.add(number),
                Param::Blob(bytes) => arguments.add(bytes.map(Cow::into_owned)),
            }
            .map_err(sqlx::Error::Encode)?;
        }
        Ok((self.text.into_owned(), arguments, self.cached))
    }
}

/// Refuses what PostgreSQL cannot hold.
pub(super) fn checked(text: &str) -> Result<&str> {
    match text.contains('\0') {
        true => Err(StoreError::Nul(text.chars().take(60).collect())),
        false => Ok(text),
    }
}

fn push_number(text: &mut String, number: usize) {
    if number >= 10 {
        push_number(text, number / 10);
    }
    text.push(char::from(b'0' + (number % 10) as u8));
}

impl<'a> From<&'a str> for Param<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(Cow::Borrowed(text)))
    }
}
impl<'a> From<&'a String> for Param<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Some(Cow::Borrowed(text)))
    }
}
impl From<String> for Param<'_> {
    fn from(text: String) -> Self {
        Self::Text(Some(Cow::Owned(text)))
    }
}
impl<'a> From<Option<&'a str>> for Param<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text.map(Cow::Borrowed))
    }
}
impl<'a> From<&'a Option<String>> for Param<'a> {
    fn from(text: &'a Option<String>) -> Self {
        Self::Text(text.as_deref().map(Cow::Borrowed))
    }
}
impl From<i64> for Param<'_> {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}
impl From<Option<i64>> for Param<'_> {
    fn from(number: Option<i64>) -> Self {
        Self::Int(number)
    }
}
impl From<f64> for Param<'_> {
    fn from(number: f64) -> Self {
        Self::Real(Some(number))
    }
}
impl<'a> From<&'a [u8]> for Param<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Blob(Some(Cow::Borrowed(bytes)))
    }
}

macro_rules! from_id {
    ($($id:ty),*) => {$(
        impl<'a> From<&'a $id> for Param<'a> {
            fn from(id: &'a $id) -> Self {
                Self::from(id.as_str())
            }
        }
        impl<'a> From<&'a Option<$id>> for Param<'a> {
            fn from(id: &'a Option<$id>) -> Self {
                Self::from(id.as_ref().map(<$id>::as_str))
            }
        }
    )*};
}
from_id!(ObjectId, ClassName, JobName, CycleId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered_or_bare() {
        for (dialect, expected) in [
            (Dialect::Postgres, "select a, b from t where a = $1 and b in ($2)"),
            (Dialect::Sqlite, "select a, b from t where a = ? and b in (?)"),
        ] {
            let mut sql = Sql::new(dialect);
            sql.push("select ")
                .names(&["a", "b"])
                .push(" from t where a = ")
                .bind("x'; drop table t")
                .push(" and b in ");
            sql.list(&["1"]);
            assert_eq!(sql.text, expected);
            assert_eq!(sql.values.len(), 2);
        }
    }

    #[test]
    fn lists_have_few_lengths() {
        for (given, padded) in [(1, 1), (2, 16), (16, 16), (17, 128), (300, 512), (512, 512)] {
            let mut sql = Sql::new(Dialect::Postgres);
            sql.list(&vec!["x"; given]);
            assert_eq!(sql.values.len(), padded);
        }
    }

    #[test]
    fn nul_is_refused_in_keys_and_replaced_in_free_text() {
        for dialect in [Dialect::Sqlite, Dialect::Postgres] {
            let sql = Sql::fixed(dialect, "select $1").value("a\0b");
            let result = match dialect {
                Dialect::Sqlite => sql.into_sqlite(Want::Rows).map(drop),
                Dialect::Postgres => sql.into_postgres().map(drop),
            };
            assert!(matches!(result, Err(StoreError::Nul(_))));
        }
        assert!(matches!(Param::free("a\0b"), Param::Text(Some(text)) if text == "a\u{fffd}b"));
    }
}
