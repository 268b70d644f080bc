//! One JSON object as attributes, exactly or not at all: a name that stands twice, a number that 64 bits cannot hold and a
//! text that is too long are errors, not guesses (RFC 8259 leaves all three to the reader).

use std::fmt;

use provost_model::{Attributes, Text, Value};
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

/// Members of one object; an object with more is refused.
const MAX_MEMBERS: usize = 20_000;
/// From here on, a number with a fraction's notation is not exact in 64 bits.
const INEXACT: f64 = 9_007_199_254_740_992.0;

/// Why a text is no object, and the byte of the line where that shows, from 0. The message holds no values.
#[derive(Debug)]
pub(super) struct JsonError {
    pub message: String,
    pub column: usize,
}

/// Reads one object; nothing but blanks may follow it. Nesting ends at 128 levels.
pub(super) fn read(text: &str, max_text: usize) -> Result<Attributes, JsonError> {
    let mut from = serde_json::Deserializer::from_str(text);
    let read = Exact { max_text }.deserialize(&mut from).and_then(|value| from.end().map(|()| value));
    match read {
        Ok(Value::Complex(attributes)) => Ok(attributes),
        Ok(other) => Err(JsonError { message: format!("the line holds no object but {}", kind(&other)), column: 0 }),
        Err(error) => {
            let message = error.to_string();
            let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
            Err(JsonError { message: message.to_owned(), column: error.column().saturating_sub(1) })
        }
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        other => format!("a {}", other.kind()),
    }
}

#[derive(Clone, Copy)]
struct Exact {
    max_text: usize,
}

impl<'de> DeserializeSeed<'de> for Exact {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Exact {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        i64::try_from(value).map(Value::Integer).map_err(|_| E::custom("a number is too large to be held exactly"))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        if value.abs() >= INEXACT {
            return Err(E::custom("a number is too large to be held exactly"));
        }
        Ok(Value::Decimal(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        if text.len() > self.max_text {
            return Err(E::custom(format!("a text has {} bytes, more than {}", text.len(), self.max_text)));
        }
        Ok(Value::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = from.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut attributes = Attributes::new();
        let mut names = std::collections::HashSet::new();
        while let Some(name) = from.next_key::<Text>()? {
            if names.len() == MAX_MEMBERS {
                return Err(A::Error::custom(format!("an object has more than {MAX_MEMBERS} members")));
            }
            if !names.insert(name.to_ascii_lowercase()) {
                return Err(A::Error::custom(format!("`{}` stands twice in one object", name.escape_debug())));
            }
            attributes.push(name, from.next_value_seed(self)?);
        }
        Ok(Value::Complex(attributes))
    }
}

/// References become the ids they hold, at any depth: JSON has no word for them.
pub(super) fn without_references(value: Value) -> Value {
    match value {
        Value::Reference(reference) => Value::text(reference.id.as_str()),
        Value::List(values) => Value::List(values.into_iter().map(without_references).collect()),
        Value::Complex(attributes) => Value::Complex(bare(attributes)),
        other => other,
    }
}

pub(super) fn bare(attributes: Attributes) -> Attributes {
    attributes.into_iter().map(|(name, value)| (name, without_references(value))).collect()
}
