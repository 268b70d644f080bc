//! Rows of any driver. PostgreSQL and MySQL are asked for texts (the select list casts), SQLite for what the cell holds.

use std::borrow::Cow;

use sqlx::mysql::MySqlRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column as _, Error, Row as _, TypeInfo as _, ValueRef as _};

pub(super) enum Row {
    Postgres(PgRow),
    MySql(MySqlRow),
    Sqlite(SqliteRow),
}

/// What one cell holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'r> {
    Null,
    Text(Cow<'r, str>),
    Int(i64),
    Real(f64),
    Bytes(Cow<'r, [u8]>),
}

impl Row {
    pub(super) fn cell(&self, at: usize) -> Result<Cell<'_>, Error> {
        let text = |text: Option<&'_ str>| text.map_or(Cell::Null, |text| Cell::Text(Cow::Owned(text.to_owned())));
        Ok(match self {
            Row::Postgres(row) => {
                row.try_get_unchecked::<Option<&str>, _>(at)?.map_or(Cell::Null, |text| Cell::Text(Cow::Borrowed(text)))
            }
            Row::MySql(row) => text(row.try_get_unchecked::<Option<&str>, _>(at)?),
            Row::Sqlite(row) => {
                let raw = row.try_get_raw(at)?;
                if raw.is_null() {
                    return Ok(Cell::Null);
                }
                let kind = raw.type_info().name().to_owned();
                match kind.as_str() {
                    "INTEGER" | "BOOLEAN" => Cell::Int(row.try_get_unchecked(at)?),
                    "REAL" => Cell::Real(row.try_get_unchecked(at)?),
                    "BLOB" => Cell::Bytes(Cow::Owned(row.try_get_unchecked::<Vec<u8>, _>(at)?)),
                    _ => Cell::Text(Cow::Owned(row.try_get_unchecked::<String, _>(at)?)),
                }
            }
        })
    }

    /// The cell of a statement that is the administrator's own, which does not cast. None for what has no plain text.
    pub(super) fn native(&self, at: usize) -> Option<String> {
        match self {
            Row::Postgres(row) => {
                let raw = row.try_get_raw(at).ok().filter(|raw| !raw.is_null())?;
                let kind = raw.type_info().name().to_owned();
                match kind.as_str() {
                    "INT2" => row.try_get::<i16, _>(at).ok().map(|number| number.to_string()),
                    "INT4" => row.try_get::<i32, _>(at).ok().map(|number| number.to_string()),
                    "INT8" => row.try_get::<i64, _>(at).ok().map(|number| number.to_string()),
                    "UUID" => raw.as_bytes().ok().and_then(uuid),
                    "TEXT" | "VARCHAR" | "CHAR" | "NAME" => row.try_get::<String, _>(at).ok(),
                    _ => None,
                }
            }
            Row::MySql(row) => {
                let number = row.try_get::<i64, _>(at).ok().map(|number| number.to_string());
                number.or_else(|| row.try_get::<String, _>(at).ok())
            }
            Row::Sqlite(_) => self.text(at).ok().flatten(),
        }
    }

    /// The place of a column.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        let names: Vec<&str> = match self {
            Row::Postgres(row) => row.columns().iter().map(|column| column.name()).collect(),
            Row::MySql(row) => row.columns().iter().map(|column| column.name()).collect(),
            Row::Sqlite(row) => row.columns().iter().map(|column| column.name()).collect(),
        };
        names.iter().position(|have| have.eq_ignore_ascii_case(name))
    }

    /// The cell as text; numbers in decimal.
    pub(super) fn text(&self, at: usize) -> Result<Option<String>, Error> {
        Ok(match self.cell(at)? {
            Cell::Null => None,
            Cell::Text(text) => Some(text.into_owned()),
            Cell::Int(number) => Some(number.to_string()),
            Cell::Real(number) => Some(number.to_string()),
            Cell::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        })
    }

    /// A text that must be there.
    pub(super) fn word(&self, at: usize) -> Result<String, Error> {
        Ok(self.text(at)?.unwrap_or_default())
    }

    /// A count or flag.
    pub(super) fn number(&self, at: usize) -> Result<i64, Error> {
        match self.cell(at)? {
            Cell::Int(number) => Ok(number),
            Cell::Text(text) => text.trim().parse().map_err(|_| Error::Decode("a number was expected".into())),
            _ => Ok(0),
        }
    }
}

fn uuid(bytes: &[u8]) -> Option<String> {
    let bytes: [u8; 16] = bytes.try_into().ok()?;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    Some(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}
