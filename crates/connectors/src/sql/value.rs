//! Between what a column holds and a value, both ways. Writing refuses what would not read back as it was meant.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::civil::{Date, DateTime};
use provost_model::{Timestamp, Value};

use super::row::Cell;
use super::statement::{Dialect, Param, Sql};
use super::table::{Column, Kind};

/// The value of a cell. `Err` tells what is wrong with it, without the value itself.
pub(super) fn read(cell: Cell<'_>, column: &Column) -> Result<Value, String> {
    Ok(match cell {
        Cell::Null => Value::Null,
        Cell::Int(number) => match (column.kind, number) {
            (Kind::Boolean, 0) => Value::Boolean(false),
            (Kind::Boolean, 1) => Value::Boolean(true),
            _ => Value::Integer(number),
        },
        Cell::Real(number) if number.is_finite() => Value::Decimal(number),
        Cell::Real(number) => Value::text(number.to_string()),
        Cell::Bytes(bytes) => Value::text(BASE64.encode(bytes)),
        Cell::Text(text) if column.array => elements(&text, column)?,
        Cell::Text(text) => one(&text, column)?,
    })
}

fn one(text: &str, column: &Column) -> Result<Value, String> {
    Ok(match column.kind {
        Kind::Boolean => match text {
            "true" | "t" | "1" => Value::Boolean(true),
            "false" | "f" | "0" => Value::Boolean(false),
            other => other.parse().map_or_else(|_| Value::text(other), Value::Integer),
        },
        Kind::Integer => text.parse().map_or_else(|_| Value::text(text), Value::Integer),
        Kind::Number => number(text, column),
        Kind::Float { .. } => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Value::Decimal(number),
            _ => Value::text(text),
        },
        Kind::Timestamp => Value::text(rfc3339(text).unwrap_or_else(|| text.to_owned())),
        Kind::Binary => match unhex(text) {
            Some(bytes) => Value::text(BASE64.encode(bytes)),
            None => return Err("its bytes cannot be read".to_owned()),
        },
        Kind::Text | Kind::Date | Kind::Uuid | Kind::Json | Kind::Other => Value::text(text),
    })
}

/// PostgreSQL's `to_json` of an array.
fn elements(text: &str, column: &Column) -> Result<Value, String> {
    let json: Vec<serde_json::Value> = serde_json::from_str(text).map_err(|_| "its array cannot be read".to_owned())?;
    let element = |json: &serde_json::Value| match json {
        serde_json::Value::String(text) => one(text, column),
        other => Ok(Value::from_json(other)),
    };
    Ok(Value::List(json.iter().map(element).collect::<Result<_, _>>()?))
}

/// A number that fits; as text where a float would change it.
fn number(text: &str, column: &Column) -> Value {
    if column.scale.is_none_or(|scale| scale == 0)
        && let Ok(whole) = text.parse()
    {
        return Value::Integer(whole);
    }
    match text.parse::<f64>() {
        Ok(float) if float.is_finite() && plain_number(&float.to_string()) == plain_number(text) => {
            Value::Decimal(float)
        }
        _ => Value::text(text),
    }
}

/// Without zeros that say nothing.
fn plain_number(text: &str) -> &str {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    }
}

/// `2024-01-02 03:04:05.1200+00` as RFC 3339; none for what is no such time (infinity, years before Christ).
fn rfc3339(text: &str) -> Option<String> {
    let text = text.strip_suffix("+00").unwrap_or(text);
    let time: DateTime = text.parse().ok()?;
    (text.len() >= 19).then(|| format!("{time}Z"))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

/// The parameter for a value of this column, or why the column cannot hold it; never with the value in it.
pub(super) fn bind(value: &Value, column: &Column) -> Result<Param, String> {
    match value {
        Value::Null => Ok(Param::Null),
        Value::List(values) if column.array => array(values, column),
        Value::List(values) if column.kind != Kind::Json => match values.as_slice() {
            [] => Ok(Param::Null),
            [value] => bind(value, column),
            many => Err(format!("it holds one value, not {}", many.len())),
        },
        single if column.array => array(std::slice::from_ref(single), column),
        Value::Complex(_) | Value::List(_) if column.kind == Kind::Json => Ok(Param::Text(value.to_json().to_string())),
        Value::Complex(_) => Err("it holds one plain value, none with parts".to_owned()),
        Value::Reference(reference) => bind(&Value::text(reference.id.as_str()), column),
        single => plain(single, column),
    }
}

fn plain(value: &Value, column: &Column) -> Result<Param, String> {
    let text = match value {
        Value::Boolean(flag) => flag.to_string(),
        other => other.to_text().map(|text| text.into_owned()).unwrap_or_default(),
    };
    if text.contains('\0') {
        return Err("its value has a NUL character".to_owned());
    }
    match column.kind {
        Kind::Text => text_for(text, column),
        Kind::Integer => match value {
            Value::Boolean(_) => Err("it holds whole numbers, not a boolean".to_owned()),
            _ => text.trim().parse().map(Param::Int).map_err(|_| "it holds whole numbers".to_owned()),
        },
        Kind::Boolean => match (value, text.to_ascii_lowercase().as_str()) {
            (_, "true" | "1") => Ok(Param::Int(1)),
            (_, "false" | "0") => Ok(Param::Int(0)),
            _ => Err("it holds true or false".to_owned()),
        },
        Kind::Number => decimal(text.trim(), column),
        Kind::Float { single } => match text.trim().parse::<f64>() {
            Ok(number) if keeps(number, single, text.trim()) => Ok(Param::Real(number)),
            Ok(_) => Err("it cannot hold the number exactly".to_owned()),
            Err(_) => Err("it holds numbers".to_owned()),
        },
        Kind::Timestamp => moment(&text, column),
        Kind::Date => match text.parse::<Date>() {
            Ok(date) if text.len() <= 11 => Ok(Param::Text(date.to_string())),
            _ => Err("it holds dates such as 2024-12-31".to_owned()),
        },
        Kind::Binary => {
            BASE64.decode(text.as_bytes()).map(Param::Bytes).map_err(|_| "it holds bytes, as base64".to_owned())
        }
        Kind::Uuid => {
            let sound = text.len() == 36
                && text.bytes().enumerate().all(|(at, byte)| match at {
                    8 | 13 | 18 | 23 => byte == b'-',
                    _ => byte.is_ascii_hexdigit(),
                });
            if sound { Ok(Param::Text(text.to_ascii_lowercase())) } else { Err("it holds UUIDs".to_owned()) }
        }
        Kind::Json => match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
            Ok(_) => Ok(Param::Text(text)),
            Err(_) => Err("it holds JSON".to_owned()),
        },
        Kind::Other => Ok(Param::Text(text)),
    }
}

fn text_for(text: String, column: &Column) -> Result<Param, String> {
    // The standard cuts blanks at the end of what is too long, silently.
    if let Some(max) = column.max_chars {
        let length = text.chars().count();
        if length > max {
            return Err(format!("its value has {length} characters, more than {max}"));
        }
    }
    if column.trims && text.ends_with(' ') {
        return Err("it loses blanks at the end of a value".to_owned());
    }
    Ok(Param::Text(text))
}

/// Whether the column gives back the digits that it was given.
fn keeps(number: f64, single: bool, digits: &str) -> bool {
    let printed = if single { (number as f32).to_string() } else { number.to_string() };
    number.is_finite() && plain_number(&printed) == plain_number(digits)
}

/// A decimal number in plain digits that keeps all its digits in the column.
fn decimal(text: &str, column: &Column) -> Result<Param, String> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) || text.len() > 200 {
        return Err("it holds decimal numbers".to_owned());
    }
    if column.scale.is_some_and(|scale| fraction.trim_end_matches('0').len() > scale) {
        return Err(format!("it keeps {} digits behind the point", column.scale.unwrap_or_default()));
    }
    Ok(Param::Text(text.to_owned()))
}

/// A moment in UTC, as the databases read it.
fn moment(text: &str, column: &Column) -> Result<Param, String> {
    let time = match text.parse::<Timestamp>() {
        Ok(moment) => jiff::tz::Offset::UTC.to_datetime(moment),
        Err(_) => text.parse::<DateTime>().map_err(|_| "it holds times such as 2024-12-31T23:59:59Z".to_owned())?,
    };
    let printed = time.to_string();
    let fraction = printed.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    match column.scale {
        Some(scale) if fraction > scale => Err(format!("it keeps {scale} digits behind the seconds")),
        _ => Ok(Param::Text(printed.replacen('T', " ", 1))),
    }
}

/// An array in PostgreSQL's own notation.
fn array(values: &[Value], column: &Column) -> Result<Param, String> {
    let element = Column { array: false, ..column.clone() };
    let mut text = String::from("{");
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        match bind(value, &element)? {
            Param::Null => text.push_str("null"),
            Param::Text(part) => {
                text.push('"');
                text.push_str(&part.replace('\\', "\\\\").replace('"', "\\\""));
                text.push('"');
            }
            Param::Int(number) if column.kind == Kind::Boolean => text.push_str(if number == 1 { "t" } else { "f" }),
            Param::Int(number) => text.push_str(&number.to_string()),
            Param::Real(number) => text.push_str(&number.to_string()),
            Param::Bytes(_) | Param::Texts(_) => return Err("arrays of bytes are not supported".to_owned()),
        }
    }
    text.push('}');
    Ok(Param::Text(text))
}

/// The parameter as the one text that PostgreSQL casts; others bind it as it is.
pub(super) fn as_text(param: &Param, column: &Column) -> Option<String> {
    match param {
        Param::Null | Param::Texts(_) => None,
        Param::Text(text) => Some(text.clone()),
        Param::Int(number) if column.kind == Kind::Boolean && !column.array => Some((*number == 1).to_string()),
        Param::Int(number) => Some(number.to_string()),
        Param::Real(number) => Some(number.to_string()),
        Param::Bytes(bytes) => {
            let mut text = String::with_capacity(bytes.len() * 2 + 2);
            text.push_str("\\x");
            for byte in bytes {
                text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
                text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
            }
            Some(text)
        }
    }
}

/// Writes the placeholder of a parameter, with the cast that the database needs to take it for the column's type.
pub(super) fn place(sql: &mut Sql, param: Param, column: &Column) {
    match sql.dialect {
        Dialect::Postgres => {
            let param = match param {
                Param::Text(text) => Param::Text(text),
                other => as_text(&other, column).map_or(Param::Null, Param::Text),
            };
            match &column.cast {
                Some(cast) => sql.push("cast(").bind(param).push(" as ").verbatim(cast).push(")"),
                None => sql.bind(param),
            };
        }
        // A text is compared to a decimal as a float.
        Dialect::MySql if column.kind == Kind::Number => {
            sql.push("cast(").bind(param).push(" as decimal(65, 30))");
        }
        Dialect::MySql => {
            sql.bind(param);
        }
        // Affinity makes numbers of texts by itself, except where a decimal would turn into a float: then it stays text.
        Dialect::Sqlite => {
            sql.bind(param);
        }
    }
}

/// Writes the column, of the row called `t`, as [`super::row::Row::cell`] reads it.
pub(super) fn select(sql: &mut Sql, column: &Column) {
    show(sql, column, "t.");
}

/// The same behind another name of the row, or none, as `returning` wants it.
pub(super) fn show(sql: &mut Sql, column: &Column, row: &'static str) {
    let (before, after) = match (sql.dialect, column.kind) {
        (Dialect::Postgres, _) if column.array => ("cast(to_json(cast(", " as text[])) as text)"),
        (Dialect::Postgres, Kind::Text) if column.cast.is_none() && !column.trims => ("", ""),
        (Dialect::Postgres, Kind::Binary) => ("encode(", ", 'hex')"),
        (Dialect::Postgres, _) => ("cast(", " as text)"),
        (Dialect::MySql, Kind::Text | Kind::Json) => ("", ""),
        (Dialect::MySql, Kind::Binary) => ("hex(", ")"),
        (Dialect::MySql, Kind::Boolean) => ("cast(", " + 0 as char)"),
        (Dialect::MySql, _) => ("cast(", " as char)"),
        (Dialect::Sqlite, _) => ("", ""),
    };
    sql.push(before).push(row).name(&column.name).push(after);
}

/// A value as the column gives it back; none where it cannot hold it.
pub(super) fn settle(value: &Value, column: &Column) -> Option<Value> {
    let param = bind(value, column).ok()?;
    let cell = match param {
        Param::Real(number) => Cell::Real(number),
        param => as_text(&param, column).map_or(Cell::Null, |text| match text.strip_prefix("\\x") {
            Some(hex) if column.kind == Kind::Binary => Cell::Text(hex.to_owned().into()),
            _ => Cell::Text(text.into()),
        }),
    };
    read(cell, column).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: Kind) -> Column {
        Column::plain("c", kind)
    }

    #[test]
    fn numbers_keep_every_digit() {
        let money = Column { scale: Some(2), ..column(Kind::Number) };
        for (text, value) in [
            ("5.00", Value::Decimal(5.0)),
            ("1234.5", Value::Decimal(1234.5)),
            ("12345678901234567890.12", Value::text("12345678901234567890.12")),
            ("NaN", Value::text("NaN")),
        ] {
            assert_eq!(read(Cell::Text(text.into()), &money), Ok(value), "{text}");
        }
        assert_eq!(read(Cell::Text("42".into()), &column(Kind::Number)), Ok(Value::Integer(42)));
        for (text, sound) in
            [("1.23", true), ("1.230", true), ("1.234", false), ("1e3", false), ("", false), ("-.5", false)]
        {
            assert_eq!(bind(&Value::text(text), &money).is_ok(), sound, "{text}");
        }
        let single = column(Kind::Float { single: true });
        assert!(bind(&Value::Decimal(0.1), &single).is_ok() && bind(&Value::Decimal(0.123456789), &single).is_err());
    }

    #[test]
    fn times_are_told_in_utc() {
        let time = Column { scale: Some(3), ..column(Kind::Timestamp) };
        for (stored, told) in [
            ("2024-01-02 03:04:05", "2024-01-02T03:04:05Z"),
            ("2024-01-02 03:04:05.120000", "2024-01-02T03:04:05.12Z"),
            ("2024-01-02 03:04:05.5+00", "2024-01-02T03:04:05.5Z"),
            ("infinity", "infinity"),
        ] {
            assert_eq!(read(Cell::Text(stored.into()), &time), Ok(Value::text(told)));
        }
        for (given, bound) in [
            ("2024-01-02T03:04:05+01:00", Some("2024-01-02 02:04:05")),
            ("2024-01-02T03:04:05.125Z", Some("2024-01-02 03:04:05.125")),
            ("2024-01-02T03:04:05.1234Z", None),
            ("soon", None),
        ] {
            assert_eq!(
                bind(&Value::text(given), &time).ok(),
                bound.map(|text| Param::Text(text.to_owned())),
                "{given}"
            );
        }
    }

    #[test]
    fn what_would_be_cut_is_refused() {
        let short = Column { max_chars: Some(3), ..column(Kind::Text) };
        assert!(bind(&Value::text("äöü"), &short).is_ok());
        assert!(bind(&Value::text("abc "), &short).is_err());
        let char = Column { trims: true, ..column(Kind::Text) };
        assert!(bind(&Value::text("a "), &char).is_err() && bind(&Value::text(" a"), &char).is_ok());
        assert!(bind(&Value::text("a\0b"), &column(Kind::Text)).is_err());
    }

    #[test]
    fn bytes_travel_as_base64() {
        let bytes = column(Kind::Binary);
        assert_eq!(read(Cell::Text("00FFa1".into()), &bytes), Ok(Value::text("AP+h")));
        assert_eq!(bind(&Value::text("AP+h"), &bytes), Ok(Param::Bytes(vec![0, 255, 161])));
        assert!(read(Cell::Text("0".into()), &bytes).is_err() && bind(&Value::text("!"), &bytes).is_err());
    }
}
