//! The store's one error type, codes `PRV-0401` to `PRV-0413`.
//!
//! What matters to a caller is whether trying again can help ([`StoreError::is_transient`]) and whether the job still belongs
//! to this node ([`StoreError::LostLease`]); everything else is for people.

use std::borrow::Cow;

use provost_model::{Code, Explain};

pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// What can go wrong between Provost and its database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot reach the database: {0}")]
    Unavailable(String),
    #[error("the database is busy: {0}")]
    Busy(String),
    #[error("lost the lease on {key}: another owner holds it, or it was released (our fence was {fence})")]
    LostLease { key: String, fence: i64 },
    #[error("cannot read a row of {table}: {reason}")]
    Corrupt { table: &'static str, reason: String },
    #[error("the database has schema version {found}, this program knows versions up to {known}")]
    Newer { found: i64, known: i64 },
    #[error("cannot open database {url}: {reason}")]
    Url { url: String, reason: String },
    /// Refused on both engines alike, because PostgreSQL cannot hold it. Free texts are cleaned instead.
    #[error("a text with a NUL character cannot be stored: {0:?}")]
    Nul(String),
    #[error("the database has no space left: {0}")]
    Full(String),
    #[error("the database refused a statement: {0}")]
    Refused(String),
    #[error("cannot open secret {name}: {reason}")]
    Sealed { name: String, reason: String },
    #[error("cannot use the master key from {origin}: {reason}")]
    MasterKey { origin: String, reason: String },
    #[error("the database file is damaged: {0}")]
    Damaged(String),
    #[error("cannot back up to {path}: {reason}")]
    Backup { path: String, reason: String },
}

impl StoreError {
    /// Whether the same call may succeed when it is made again a little later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Busy(_))
    }

    pub fn corrupt(table: &'static str, reason: impl ToString) -> Self {
        Self::Corrupt { table, reason: reason.to_string() }
    }
}

impl Explain for StoreError {
    fn code(&self) -> Code {
        Code::new(match self {
            Self::Unavailable(_) => "PRV-0401",
            Self::Busy(_) => "PRV-0402",
            Self::LostLease { .. } => "PRV-0403",
            Self::Corrupt { .. } => "PRV-0404",
            Self::Newer { .. } => "PRV-0405",
            Self::Url { .. } => "PRV-0406",
            Self::Nul(_) => "PRV-0407",
            Self::Full(_) => "PRV-0408",
            Self::Refused(_) => "PRV-0409",
            Self::Sealed { .. } => "PRV-0410",
            Self::MasterKey { .. } => "PRV-0411",
            Self::Damaged(_) => "PRV-0412",
            Self::Backup { .. } => "PRV-0413",
        })
    }

    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match self {
            Self::Unavailable(_) => {
                "check that the database runs and that the store's address and credentials are right"
            }
            Self::Busy(_) => {
                "try again; if it stays, look for another program that holds a long transaction on this database"
            }
            Self::LostLease { .. } => "nothing was written; the new owner carries on from the last saved page",
            Self::Corrupt { .. } => "run `provost doctor`; if the row was edited by hand, restore it from a backup",
            Self::Newer { .. } => {
                "start the newer version of provost again, or restore a backup from before the upgrade"
            }
            Self::Url { .. } => "write sqlite:PATH or postgres://user@host/database",
            Self::Nul(_) => "remove the NUL character at the source, or leave the object out with a scoping filter",
            Self::Full(_) => "free space on the database's disk, or shorten the retention of events",
            Self::Refused(_) => "this is a defect of provost; please report it with this text",
            Self::Sealed { .. } => "restore the master key that the secret was sealed with, or set the secret again",
            Self::MasterKey { .. } => {
                "set PROVOST_MASTER_KEY to 32 bytes in base64, or put them into master.key beside the database, mode 0600"
            }
            Self::Damaged(_) => "stop provost, keep a copy of the file, and restore the last backup",
            Self::Backup { .. } => "name a file that does not exist yet, in a folder that provost may write to",
        }))
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let text = error.to_string();
        match error {
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Self::Unavailable(text)
            }
            sqlx::Error::PoolTimedOut => Self::Busy(
                "no connection became free in time: all are in use, or the server does not answer".to_owned(),
            ),
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::corrupt("a table", text),
            sqlx::Error::Database(inner) => {
                let code = inner.code().unwrap_or_default().into_owned();
                from_sqlstate(&code, inner.message().to_owned())
            }
            _ => Self::Refused(text),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::SqliteFailure(inner, message) => {
                from_sqlite(inner.extended_code, message.unwrap_or_else(|| inner.to_string()))
            }
            rusqlite::Error::SqlInputError { error, msg, .. } => from_sqlite(error.extended_code, msg),
            other => Self::Refused(other.to_string()),
        }
    }
}

/// By SQLite's result codes, of which the low byte is the family.
fn from_sqlite(code: i32, message: String) -> StoreError {
    match code & 0xff {
        5 | 6 => StoreError::Busy(message),
        11 | 26 => StoreError::Damaged(message),
        13 => StoreError::Full(message),
        8 | 10 | 14 => StoreError::Unavailable(message),
        _ => StoreError::Refused(format!("{message} ({code})")),
    }
}

/// By PostgreSQL's SQLSTATE classes.
fn from_sqlstate(code: &str, message: String) -> StoreError {
    match code.get(..2).unwrap_or_default() {
        // Deadlock, serialization failure, lock not available, too many connections.
        "40" | "55" => StoreError::Busy(message),
        "53" if code == "53100" => StoreError::Full(message),
        "53" => StoreError::Busy(message),
        // Connection failures, shutdown, credentials, no such database, read-only standby.
        "08" | "57" | "28" | "3D" | "25" => StoreError::Unavailable(message),
        "XX" | "58" => StoreError::Damaged(message),
        _ => StoreError::Refused(format!("{message} ({code})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_codes_become_ours() {
        for (code, ours) in [
            ("40P01", "PRV-0402"),
            ("53100", "PRV-0408"),
            ("53300", "PRV-0402"),
            ("57P01", "PRV-0401"),
            ("28P01", "PRV-0401"),
            ("23505", "PRV-0409"),
        ] {
            assert_eq!(from_sqlstate(code, String::new()).code().as_str(), ours, "{code}");
        }
        for (code, ours) in [
            (5, "PRV-0402"),
            (517, "PRV-0402"),
            (13, "PRV-0408"),
            (26, "PRV-0412"),
            (14, "PRV-0401"),
            (2067, "PRV-0409"),
        ] {
            assert_eq!(from_sqlite(code, String::new()).code().as_str(), ours, "{code}");
        }
    }
}
