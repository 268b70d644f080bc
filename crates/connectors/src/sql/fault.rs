//! What a driver's or database's error means, by its code and never by its text. A database's own words may hold people's
//! data (`Duplicate entry 'ada@…'`), so they are passed on only where they are about names and rights.

use provost_connector::{ConnectorError, ErrorCode};
use provost_model::{Action, Text};
use sqlx::Error;
use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

use super::db::Trouble;
use super::table::Table;

/// What kind of refusal it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Unique,
    NotNull,
    /// A row that is pointed at is missing, or another points here.
    Foreign,
    /// Another row points at this one, where the database says so.
    Referenced,
    Check,
    Value,
    Permission,
    ReadOnly,
    Auth,
    /// A table or column is not there any more.
    Gone,
    /// Lost against another transaction; may succeed when done again.
    Deadlock,
    /// The connection is gone, or the server is going.
    Lost,
    /// No connection could be had.
    Unreachable,
    Full,
    Slow,
    /// The statement itself is wrong.
    Statement,
    /// What stands in the file or comes over the wire makes no sense.
    Unreadable,
    /// A trigger or procedure refused.
    Raised,
    Other,
}

/// An error, taken apart.
#[derive(Debug)]
pub(super) struct Fault {
    pub meaning: Meaning,
    /// SQLSTATE, or the database's own number.
    pub code: Text,
    pub column: Option<String>,
    pub constraint: Option<String>,
    /// The database's own words.
    pub text: String,
}

pub(super) fn examine(error: &Error) -> Fault {
    let plain = |meaning, text: String| Fault { meaning, code: Text::default(), column: None, constraint: None, text };
    match error {
        Error::Database(inner) => of_database(inner.as_ref()),
        Error::Io(_) => plain(Meaning::Lost, "the connection was cut".to_owned()),
        Error::PoolTimedOut => plain(Meaning::Unreachable, "no connection could be had in time".to_owned()),
        Error::PoolClosed | Error::WorkerCrashed => plain(Meaning::Lost, "the connection is closed".to_owned()),
        Error::Tls(error) => plain(Meaning::Unreachable, format!("TLS failed: {error}")),
        Error::Configuration(error) => plain(Meaning::Statement, error.to_string()),
        Error::Protocol(text) if text.contains("RSA") => plain(Meaning::Auth, text.clone()),
        Error::Protocol(_) => plain(Meaning::Lost, "the server broke its protocol".to_owned()),
        Error::Decode(_) | Error::ColumnDecode { .. } => {
            plain(Meaning::Unreadable, "a value cannot be read".to_owned())
        }
        other => plain(Meaning::Other, other.to_string()),
    }
}

fn of_database(error: &dyn DatabaseError) -> Fault {
    let text = error.message().to_owned();
    if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
        return Fault {
            meaning: postgres(error.code()),
            code: error.code().into(),
            column: error.column().map(str::to_owned),
            constraint: error.constraint().map(str::to_owned),
            text,
        };
    }
    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        let meaning = mysql(error.number());
        // `Column 'x' cannot be null`, `Data too long for column 'x' at row 1`, `… for key 'table.index'`.
        let named = |before: &str| between(&text, before, '\'').map(str::to_owned);
        return Fault {
            meaning,
            code: error.number().to_string().into(),
            column: named("column '").or_else(|| named("Column '")).or_else(|| named("Field '")),
            constraint: text
                .rfind("for key '")
                .and_then(|at| between(&text[at..], "for key '", '\''))
                .map(|key| key.rsplit_once('.').map_or(key, |(_, index)| index).to_owned()),
            text,
        };
    }
    if let Some(error) = error.try_downcast_ref::<SqliteError>() {
        let code = error.code().and_then(|code| code.parse().ok()).unwrap_or(1);
        let meaning = sqlite(code, &text);
        // `UNIQUE constraint failed: people.login, people.x`, `NOT NULL constraint failed: people.login`.
        let columns = text.split_once("constraint failed: ").map(|(_, names)| names.to_owned());
        let column = columns.as_deref().and_then(|names| {
            let first = names.split(", ").next()?;
            Some(first.rsplit_once('.').map_or(first, |(_, column)| column).to_owned())
        });
        return Fault { meaning, code: code.to_string().into(), column, constraint: columns, text };
    }
    Fault { meaning: Meaning::Other, code: Text::default(), column: None, constraint: None, text }
}

fn between<'t>(text: &'t str, before: &str, end: char) -> Option<&'t str> {
    let rest = &text[text.find(before)? + before.len()..];
    rest.split(end).next()
}

fn postgres(state: &str) -> Meaning {
    match state {
        "23505" => Meaning::Unique,
        "23502" => Meaning::NotNull,
        "23503" => Meaning::Foreign,
        "23514" | "23P01" | "44000" => Meaning::Check,
        "42501" => Meaning::Permission,
        "25006" => Meaning::ReadOnly,
        "42P01" | "42703" | "42883" | "42704" | "3F000" => Meaning::Gone,
        "40001" | "40P01" | "55P03" => Meaning::Deadlock,
        "57014" => Meaning::Slow,
        "57P01" | "57P02" | "57P05" => Meaning::Lost,
        "57P03" | "53300" => Meaning::Unreachable,
        "P0001" => Meaning::Raised,
        _ => match state.get(..2) {
            Some("22") => Meaning::Value,
            Some("23") => Meaning::Check,
            Some("28") => Meaning::Auth,
            Some("08") => Meaning::Lost,
            Some("53") => Meaning::Full,
            Some("42" | "3D") => Meaning::Statement,
            _ => Meaning::Other,
        },
    }
}

fn mysql(number: u16) -> Meaning {
    match number {
        1022 | 1062 | 1169 | 1586 | 1859 => Meaning::Unique,
        1048 | 1364 => Meaning::NotNull,
        1216 | 1452 => Meaning::Foreign,
        1217 | 1451 => Meaning::Referenced,
        3819 | 4025 => Meaning::Check,
        1264 | 1265 | 1292 | 1366 | 1367 | 1406 | 1411 | 1416 | 3140 | 4038 => Meaning::Value,
        1044 | 1142 | 1143 | 1227 | 1370 => Meaning::Permission,
        1290 | 1792 | 1836 => Meaning::ReadOnly,
        1045 | 1130 | 1251 | 1698 | 1862 => Meaning::Auth,
        1054 | 1146 | 1305 => Meaning::Gone,
        1205 | 1213 | 1020 => Meaning::Deadlock,
        1053 | 1077 | 1927 | 2006 | 2013 | 4031 => Meaning::Lost,
        1040 | 1203 | 1226 => Meaning::Unreachable,
        1021 | 1114 => Meaning::Full,
        1317 | 1969 | 3024 => Meaning::Slow,
        1049 | 1064 | 1149 => Meaning::Statement,
        1644 => Meaning::Raised,
        _ => Meaning::Other,
    }
}

fn sqlite(code: u32, text: &str) -> Meaning {
    match (code, code & 0xff) {
        (1555 | 2067 | 2579, _) => Meaning::Unique,
        (1299, _) => Meaning::NotNull,
        (787, _) => Meaning::Foreign,
        (1811, _) => Meaning::Raised,
        (3091, _) => Meaning::Value,
        (_, 19) => Meaning::Check,
        (_, 5 | 6) => Meaning::Deadlock,
        (_, 8) => Meaning::ReadOnly,
        (_, 3 | 23) => Meaning::Permission,
        (_, 14) => Meaning::Unreachable,
        (_, 11 | 26) => Meaning::Unreadable,
        (_, 13) => Meaning::Full,
        (_, 18 | 20) => Meaning::Value,
        (_, 10) => Meaning::Lost,
        (_, 1)
            if text.starts_with("no such table")
                || text.starts_with("no such column")
                || text.contains("has no column") =>
        {
            Meaning::Gone
        }
        (_, 1) => Meaning::Statement,
        _ => Meaning::Other,
    }
}

/// An error while reading `what`, or connecting.
pub(super) fn read(trouble: Trouble, what: &str) -> ConnectorError {
    match trouble {
        Trouble::Stopped(error) => error,
        Trouble::Db(error) => general(&examine(&error), what),
    }
}

/// What does not depend on an operation.
pub(super) fn general(fault: &Fault, what: &str) -> ConnectorError {
    let text = &fault.text;
    let (code, message, hint) = match fault.meaning {
        Meaning::Permission => {
            (ErrorCode::PermissionDenied, format!("{what}: {text}"), "grant the connection's user what docs.md lists")
        }
        Meaning::ReadOnly => (
            ErrorCode::PermissionDenied,
            format!("{what}: the database takes no writes"),
            "connect to the primary server, or let the service's user write the file and its folder",
        ),
        Meaning::Auth => (
            ErrorCode::AuthFailed,
            format!("{what}: the database refused the user or the password"),
            "check `user`, and store the password again with `provost secret set`",
        ),
        Meaning::Gone => (
            ErrorCode::SchemaChanged,
            format!("{what}: {text}"),
            "a table or column was renamed or dropped; correct `classes`, or run again after the change is done",
        ),
        Meaning::Deadlock => (
            ErrorCode::Conflict,
            format!("{what}: another transaction was in the way, several times"),
            "run again; see what else writes to these tables",
        ),
        Meaning::Lost => (
            ErrorCode::Unavailable,
            format!("{what}: {text}"),
            "see the database's log; the next try opens a new connection",
        ),
        Meaning::Unreachable => (
            ErrorCode::Unavailable,
            format!("{what}: {text}"),
            "check host, port, firewall, TLS and the database's limit of connections",
        ),
        Meaning::Full => {
            (ErrorCode::QuotaExhausted, format!("{what}: the database has no room left"), "free disk or memory there")
        }
        Meaning::Slow => (
            ErrorCode::Timeout,
            format!("{what}: the database stopped the statement for its time limit"),
            "raise the limit of the connection's user, or add an index",
        ),
        Meaning::Statement => (
            ErrorCode::InvalidConfig,
            format!("{what}: {text}"),
            "correct the settings, the query or the statement; try it in the database's own client",
        ),
        Meaning::Unreadable => {
            (ErrorCode::Unreadable, format!("{what}: {text}"), "look at the row or file with the database's own client")
        }
        _ => (
            ErrorCode::Internal,
            format!("{what}: the database answered {}", fault.code),
            "look it up in the database's log",
        ),
    };
    coded(ConnectorError::new(code, message).hint(hint), fault)
}

fn coded(error: ConnectorError, fault: &Fault) -> ConnectorError {
    if fault.code.is_empty() { error } else { error.target_code(fault.code.clone()) }
}

/// The columns that a refused unique value is about.
pub(super) fn unique_columns<'t>(fault: &Fault, table: &'t Table) -> Option<&'t [usize]> {
    let constraint = fault.constraint.as_deref()?;
    if let Some(unique) = table.uniques.iter().find(|unique| unique.name == constraint) {
        return Some(&unique.columns);
    }
    // SQLite names the columns.
    let names: Vec<&str> =
        constraint.split(", ").map(|name| name.rsplit_once('.').map_or(name, |(_, column)| column)).collect();
    let is_it = |columns: &[usize]| {
        columns.len() == names.len()
            && columns.iter().all(|at| names.iter().any(|name| table.columns[*at].name.eq_ignore_ascii_case(name)))
    };
    table.uniques.iter().map(|unique| unique.columns.as_slice()).find(|columns| is_it(columns))
}

/// An error of one operation. `path` is the attribute that is meant, where that is known otherwise.
pub(super) fn write(fault: &Fault, table: &Table, action: Action, path: Option<&Text>) -> ConnectorError {
    let label = table.label();
    let attribute = fault.column.as_deref().and_then(|name| {
        let column = table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name));
        column.map(|column| column.attribute.clone())
    });
    let path = path.cloned().or(attribute);
    let named = path.as_deref().map(|path| format!(" `{path}`")).unwrap_or_default();
    let constraint = fault.constraint.as_deref().map(|name| format!(" (constraint `{name}`)")).unwrap_or_default();
    let (code, message, hint) = match fault.meaning {
        Meaning::Unique => {
            let columns = unique_columns(fault, table).unwrap_or_default();
            let names: Vec<&str> = columns.iter().map(|at| table.columns[*at].attribute.as_str()).collect();
            let what = if names.is_empty() { constraint.clone() } else { format!(": {} is taken", names.join(", ")) };
            let code = if action == Action::Create { ErrorCode::AlreadyExists } else { ErrorCode::Constraint };
            let path = path.or_else(|| names.first().map(|name| Text::from(*name)));
            let error = ConnectorError::new(code, format!("{label} has such a row already{what}"))
                .hint("match by that attribute, or send another value");
            return coded(
                match path {
                    Some(path) => error.at(path),
                    None => error,
                },
                fault,
            );
        }
        Meaning::NotNull => (
            ErrorCode::MissingRequired,
            format!("{label} needs a value for{}", if named.is_empty() { " a column".to_owned() } else { named }),
            "map a value to it, or give the column a default",
        ),
        Meaning::Referenced => (
            ErrorCode::Constraint,
            format!("{label}: other rows still point at this one{constraint}"),
            "remove them first, or let the foreign key cascade",
        ),
        Meaning::Foreign if action == Action::Delete => (
            ErrorCode::Constraint,
            format!("{label}: other rows still point at this one{constraint}"),
            "remove them first, or let the foreign key cascade",
        ),
        Meaning::Foreign => (
            ErrorCode::Dependency,
            format!("{label}: what{named} points at is not there{constraint}"),
            "it is tried again once the other object exists",
        ),
        Meaning::Check => (
            ErrorCode::InvalidValue,
            format!("{label} refused the values by a rule of its own{constraint}"),
            "see the constraint in the database, and correct the mapping",
        ),
        Meaning::Value => (
            ErrorCode::InvalidValue,
            format!(
                "{label} cannot hold the value of{}",
                if named.is_empty() { " a column".to_owned() } else { named }
            ),
            "it is too long, out of range or of another type; correct the mapping or the column",
        ),
        Meaning::Raised => (
            ErrorCode::Constraint,
            format!("a trigger or procedure of {label} refused the change"),
            "see the database's log for its words",
        ),
        _ => return general(fault, &format!("writing to {label}")),
    };
    let error = coded(ConnectorError::new(code, message).hint(hint), fault);
    match path {
        Some(path) => error.at(path),
        None => error,
    }
}
