//! Values while an expression runs: borrowed from the source or the expression wherever possible.
//!
//! Dates live here alone, as UTC date-times; outside of an expression they are texts.

use std::ops::Deref;

use jiff::civil::DateTime;
use provost_model::{Text, Value};

use crate::dates;

/// A value of one sub-expression.
#[derive(Debug, Clone)]
pub(crate) enum Datum<'a> {
    Ref(&'a Value),
    /// A piece of a borrowed text.
    Slice(&'a str),
    Own(Value),
    /// A date-time in UTC.
    Moment(DateTime),
    /// The constant `Null`: no value like any null, but as the result it takes the value away at the target.
    Clear,
}

pub(crate) const NULL: Datum<'static> = Datum::Ref(&Value::Null);

/// A text, borrowed or short-lived.
#[derive(Debug, Clone)]
pub(crate) enum Str<'a> {
    Slice(&'a str),
    Own(Text),
}

impl Deref for Str<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        match self {
            Str::Slice(text) => text,
            Str::Own(text) => text,
        }
    }
}

impl<'a> Str<'a> {
    pub(crate) fn into_text(self) -> Text {
        match self {
            Str::Slice(text) => Text::from(text),
            Str::Own(text) => text,
        }
    }

    /// A piece of this text; without a copy where the text is borrowed.
    pub(crate) fn piece(self, cut: impl FnOnce(&str) -> &str) -> Str<'a> {
        match self {
            Str::Slice(text) => Str::Slice(cut(text)),
            Str::Own(text) => {
                let piece = cut(&text);
                if piece.len() == text.len() { Str::Own(text) } else { Str::Own(Text::from(piece)) }
            }
        }
    }
}

impl<'a> From<Str<'a>> for Datum<'a> {
    fn from(text: Str<'a>) -> Self {
        match text {
            Str::Slice(text) => Datum::Slice(text),
            Str::Own(text) => Datum::Own(Value::Text(text)),
        }
    }
}

impl<'a> Datum<'a> {
    pub(crate) fn text(text: impl Into<Text>) -> Self {
        Datum::Own(Value::Text(text.into()))
    }

    /// The value inside, unless it is a piece of text or a date.
    pub(crate) fn as_value(&self) -> Option<&Value> {
        match self {
            Datum::Ref(value) => Some(value),
            Datum::Own(value) => Some(value),
            Datum::Clear => Some(&Value::Null),
            Datum::Slice(_) | Datum::Moment(_) => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.as_value().is_some_and(Value::is_null)
    }

    /// Null or empty.
    pub(crate) fn is_unassigned(&self) -> bool {
        match self {
            Datum::Slice(text) => text.is_empty(),
            other => other.as_value().is_some_and(Value::is_unassigned),
        }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Datum::Slice(_) => "text",
            Datum::Moment(_) => "date",
            Datum::Clear => "null",
            Datum::Ref(value) => value.kind(),
            Datum::Own(value) => value.kind(),
        }
    }

    /// The result as the world outside sees it.
    pub(crate) fn into_value(self) -> Value {
        match self {
            Datum::Ref(value) => value.clone(),
            Datum::Slice(text) => Value::text(text),
            Datum::Own(value) => value,
            Datum::Clear => Value::Null,
            Datum::Moment(moment) => Value::Text(dates::print(moment)),
        }
    }

    /// A list of one is its element and an empty list is null; `Err` is the length of a longer list.
    pub(crate) fn single(self) -> Result<Datum<'a>, usize> {
        match self {
            Datum::Ref(Value::List(values)) => match values.as_slice() {
                [] => Ok(NULL),
                [one] => Datum::Ref(one).single(),
                more => Err(more.len()),
            },
            Datum::Own(Value::List(mut values)) => match values.len() {
                0 => Ok(NULL),
                1 => Datum::Own(values.remove(0)).single(),
                more => Err(more),
            },
            other => Ok(other),
        }
    }

    /// The single value as text; `None` for null. `Err` gives back what has no single text.
    pub(crate) fn into_str(self) -> Result<Option<Str<'a>>, Datum<'a>> {
        match self {
            Datum::Slice(text) => Ok(Some(Str::Slice(text))),
            Datum::Moment(moment) => Ok(Some(Str::Own(dates::print(moment)))),
            Datum::Clear => Ok(None),
            Datum::Ref(Value::Text(text)) => Ok(Some(Str::Slice(text))),
            Datum::Own(Value::Text(text)) => Ok(Some(Str::Own(text))),
            Datum::Ref(value) => match scalar_text(value) {
                Some(text) => Ok(text),
                None => Err(Datum::Ref(value)),
            },
            Datum::Own(value) => match scalar_text(&value) {
                Some(text) => Ok(text.map(|text| Str::Own(text.into_text()))),
                None => Err(Datum::Own(value)),
            },
        }
    }
}

/// `Some(None)` for null, `None` for a list or complex value.
fn scalar_text(value: &Value) -> Option<Option<Str<'_>>> {
    Some(match value {
        Value::Null => None,
        Value::Text(text) => Some(Str::Slice(text)),
        Value::Boolean(true) => Some(Str::Slice("True")),
        Value::Boolean(false) => Some(Str::Slice("False")),
        Value::Reference(reference) => Some(Str::Slice(reference.id.as_str())),
        Value::Integer(number) => Some(Str::Own(compact_str::ToCompactString::to_compact_string(number))),
        Value::Decimal(number) => Some(Str::Own(compact_str::format_compact!("{number}"))),
        Value::List(_) | Value::Complex(_) => return None,
    })
}
