//! Between a cell's text and a value, both ways: null texts, references, several values in a cell, formulas.
//!
//! Writing refuses what would not read back as it was meant; nothing is approximated.

use std::borrow::Cow;

use provost_connector::{ConnectorError, ErrorCode};
use provost_model::{Text, Value};

use super::config::Config;
use super::table::Column;

/// The value of a cell. An empty cell is known to be empty: [`Value::Null`].
pub(super) fn read(text: &str, column: &Column, config: &Config) -> Value {
    if is_null(text, config) {
        return Value::Null;
    }
    let text = config.formulas.read(text);
    match &column.separator {
        None => one(text, column),
        Some(separator) => {
            let parts = text.split(separator.as_str()).map(|part| if config.trim { part.trim() } else { part });
            let values: Vec<Value> = parts.filter(|part| !part.is_empty()).map(|part| one(part, column)).collect();
            if values.is_empty() { Value::Null } else { Value::List(values) }
        }
    }
}

pub(super) fn is_null(text: &str, config: &Config) -> bool {
    text.is_empty() || config.null_values.iter().any(|null| null == text)
}

fn one(text: &str, column: &Column) -> Value {
    match &column.class {
        Some(class) => Value::reference(class.clone(), text),
        None => Value::text(text),
    }
}

/// The text of a value for this column, such that [`read`] gives the value back.
pub(super) fn write(value: &Value, column: &Column, config: &Config) -> Result<String, ConnectorError> {
    let refuse = |message: String, hint: &str| {
        Err(ConnectorError::new(ErrorCode::InvalidValue, message).hint(hint).at(column.name.clone()))
    };
    let parts: Vec<Cow<'_, str>> = match value {
        _ if value.is_unassigned() => return Ok(String::new()),
        Value::List(values) => {
            let parts: Option<Vec<_>> = values.iter().map(plain).collect();
            match parts {
                Some(parts) => parts,
                None => {
                    return refuse(format!("column `{}` cannot hold nested values", column.name), "map single values");
                }
            }
        }
        single => match plain(single) {
            Some(part) => vec![part],
            None => {
                let message = format!("column `{}` cannot hold a {} value", column.name, single.kind());
                return refuse(message, "map its sub-attributes to columns of their own");
            }
        },
    };
    let text = match (&column.separator, parts.as_slice()) {
        (_, [part]) => part.to_string(),
        (Some(separator), parts) => parts.join(separator.as_str()),
        (None, parts) => {
            let message = format!("column `{}` holds one value, not {}", column.name, parts.len());
            return refuse(message, "set `multi: { column: separator }`, or map one value");
        }
    };
    let text = match config.formulas {
        Formulas::Keep => text,
        formulas if !formulas.is_formula(&text) => text,
        Formulas::Escape | Formulas::EscapeAll => format!("'{text}"),
        Formulas::Refuse => {
            return refuse(
                format!("a spreadsheet would run the value of `{}` as a formula", column.name),
                "change it in the mapping, or set formulas: escape; `keep` when no spreadsheet ever opens the file",
            );
        }
    };
    if text.contains('\0') {
        return refuse(format!("the value of `{}` holds a NUL character", column.name), "remove it in the mapping");
    }
    if text.len() > config.max_field_bytes {
        let message =
            format!("the value of `{}` has {} bytes, more than {}", column.name, text.len(), config.max_field_bytes);
        return refuse(message, "raise `max_field_bytes`, or shorten the value in the mapping");
    }
    if config.quote.is_none() && text.contains(['\n', '\r']) {
        return refuse(
            format!("the value of `{}` has a line break, and the file has no quoting", column.name),
            "remove line breaks in the mapping, or set `quote`",
        );
    }
    let wanted = match &column.separator {
        Some(_) => Value::List(parts.iter().map(|part| one(part, column)).collect()),
        None => one(&parts[0], column),
    };
    let as_read = if config.trim { text.trim() } else { &text };
    if read(as_read, column, config) != wanted {
        return refuse(
            format!("the value of `{}` would read back as another one", column.name),
            "blanks at its ends (with `trim`), texts of `null_values` and separators of `multi` cannot be part of a value",
        );
    }
    Ok(text)
}

/// The text of a single value; booleans in lower case, as most files have them.
pub(super) fn plain(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::Boolean(true) => Some(Cow::Borrowed("true")),
        Value::Boolean(false) => Some(Cow::Borrowed("false")),
        other => other.to_text(),
    }
}

/// What is done about texts that a spreadsheet would take for formulas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Formulas {
    Keep,
    /// An apostrophe stands in front, and is taken away when the file is read.
    Escape,
    /// The same, for numbers with a sign as well: what `formula_guard: true` says.
    EscapeAll,
    Refuse,
}

impl Formulas {
    pub fn is_escaped(self) -> bool {
        matches!(self, Formulas::Escape | Formulas::EscapeAll)
    }

    /// Whether a spreadsheet would run the text: `=`, `+`, `-`, `@`, tab or a line break in front, also behind apostrophes,
    /// so that escaping and reading are each other's inverse. A sign in front of digits alone is a number or a telephone
    /// number, and does nothing.
    fn is_formula(self, text: &str) -> bool {
        let text = text.trim_start_matches('\'');
        if self == Formulas::EscapeAll {
            return text.starts_with(['=', '+', '-', '@', '\t', '\r']);
        }
        let digits = |text: &str| {
            text.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '.' | ',' | '(' | ')' | '/' | '-'))
        };
        match text.strip_prefix(['+', '-']) {
            Some(rest) => !digits(rest),
            // The wide forms are signs as well where people write Chinese or Japanese.
            None => text.starts_with(['=', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']),
        }
    }

    /// The text without the apostrophe that escaping put there.
    pub fn read(self, text: &str) -> &str {
        match text.strip_prefix('\'') {
            Some(rest) if self.is_escaped() && self.is_formula(rest) => rest,
            _ => text,
        }
    }
}

/// Appends a cell to a line, in quotes where they are needed. The delimiter in a file without quoting is an error.
pub(super) fn append(
    line: &mut Vec<u8>,
    text: &str,
    delimiter: u8,
    quote: Option<u8>,
    name: &Text,
) -> Result<(), ConnectorError> {
    let edge = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let bytes = text.as_bytes();
    let special = |byte: &u8| *byte == delimiter || Some(*byte) == quote || matches!(byte, b'\n' | b'\r');
    match quote {
        Some(quote) if bytes.iter().any(special) || edge(bytes.first()) || edge(bytes.last()) => {
            line.push(quote);
            for &byte in bytes {
                if byte == quote {
                    line.push(quote);
                }
                line.push(byte);
            }
            line.push(quote);
        }
        None if bytes.iter().any(special) => {
            let message = format!("the value of `{name}` holds the delimiter, and the file has no quoting");
            return Err(ConnectorError::new(ErrorCode::InvalidValue, message)
                .hint("remove the delimiter in the mapping, or set `quote`")
                .at(name.clone()));
        }
        _ => line.extend_from_slice(bytes),
    }
    Ok(())
}
