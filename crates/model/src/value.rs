//! One value of one attribute, as every connector, the language and the store see it.
//!
//! Absent, null and empty are three states: an attribute that a record lacks was *not returned*; [`Value::Null`] is *known
//! to be unassigned*; an empty text or list is a value. Dates travel as RFC 3339 text and binary as base64 text, typed by
//! the schema, so that a value is plain JSON on every wire.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Attributes, ClassName, ObjectId, Text};

/// A typed value. Numbers keep their kind: `1` is an [`Value::Integer`], `1.0` a [`Value::Decimal`].
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Known to be unassigned; clears the attribute where a mapping asks for it.
    #[default]
    Null,
    Boolean(bool),
    Integer(i64),
    Decimal(f64),
    Text(Text),
    /// Several values, in the order the system gave them.
    List(Vec<Value>),
    /// Sub-attributes (`name.givenName`), or one element of a complex list.
    Complex(Attributes),
    /// Points at another object of the same system; the engine turns it into the target's id.
    Reference(Box<Reference>),
}

/// A pointer to an object by class and id, resolved through links in the engine's second pass.
/// JSON: `{"ref": {"class": "User", "id": "42"}}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reference {
    pub class: ClassName,
    pub id: ObjectId,
}

impl Value {
    /// A text value; short texts (up to 24 bytes) live inside the value.
    pub fn text(text: impl Into<Text>) -> Self {
        Value::Text(text.into())
    }

    /// A reference value.
    pub fn reference(class: impl Into<ClassName>, id: impl Into<ObjectId>) -> Self {
        Value::Reference(Box::new(Reference { class: class.into(), id: id.into() }))
    }

    /// The text, if this is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Value::Integer(value) => Some(*value),
            _ => None,
        }
    }

    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(values) => Some(values),
            _ => None,
        }
    }

    pub fn as_complex(&self) -> Option<&Attributes> {
        match self {
            Value::Complex(attributes) => Some(attributes),
            _ => None,
        }
    }

    pub fn as_reference(&self) -> Option<&Reference> {
        match self {
            Value::Reference(reference) => Some(reference),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Null, empty text, empty list or empty complex: what SCIM calls unassigned (RFC 7643 section 2.5).
    pub fn is_unassigned(&self) -> bool {
        match self {
            Value::Null => true,
            Value::Text(text) => text.is_empty(),
            Value::List(values) => values.is_empty(),
            Value::Complex(attributes) => attributes.is_empty(),
            _ => false,
        }
    }

    /// The values of a list, or the one value; none where it is unassigned.
    pub fn elements(&self) -> &[Value] {
        match self {
            Value::List(values) => values,
            value if value.is_unassigned() => &[],
            value => std::slice::from_ref(value),
        }
    }

    /// The single value as text, the way the mapping language prints it: booleans as `True` and `False`, numbers in
    /// decimal. Null, lists and complex values have no single text.
    pub fn to_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Value::Text(text) => Some(Cow::Borrowed(text)),
            Value::Boolean(true) => Some(Cow::Borrowed("True")),
            Value::Boolean(false) => Some(Cow::Borrowed("False")),
            Value::Integer(number) => Some(Cow::Owned(number.to_string())),
            Value::Decimal(number) => Some(Cow::Owned(number.to_string())),
            Value::Reference(reference) => Some(Cow::Borrowed(reference.id.as_str())),
            Value::Null | Value::List(_) | Value::Complex(_) => None,
        }
    }

    /// The word for error messages: `text`, `list`, ...
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Boolean(_) => "boolean",
            Value::Integer(_) => "integer",
            Value::Decimal(_) => "decimal",
            Value::Text(_) => "text",
            Value::List(_) => "list",
            Value::Complex(_) => "complex",
            Value::Reference(_) => "reference",
        }
    }

    /// The same value as a JSON tree, for edges that need one.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or(serde_json::Value::Null)
    }

    /// From a JSON tree. Numbers beyond 64 bits become decimals.
    pub fn from_json(json: &serde_json::Value) -> Self {
        Value::deserialize(json).unwrap_or(Value::Null)
    }
}

impl fmt::Display for Value {
    /// Texts bare, everything else as JSON: what plans and logs show.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => f.write_str(text),
            other => f.write_str(&serde_json::to_string(other).map_err(|_| fmt::Error)?),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::text(text)
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::text(text)
    }
}
impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Value::Text(text)
    }
}
impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Boolean(value)
    }
}
impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Integer(value)
    }
}
impl From<Vec<Value>> for Value {
    fn from(values: Vec<Value>) -> Self {
        Value::List(values)
    }
}
impl From<Attributes> for Value {
    fn from(attributes: Attributes) -> Self {
        Value::Complex(attributes)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Boolean(value) => serializer.serialize_bool(*value),
            Value::Integer(value) => serializer.serialize_i64(*value),
            Value::Decimal(value) => serializer.serialize_f64(*value),
            Value::Text(text) => serializer.serialize_str(text),
            Value::List(values) => serializer.collect_seq(values),
            Value::Complex(attributes) => attributes.serialize(serializer),
            Value::Reference(reference) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("ref", reference.as_ref())?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Boolean(value))
    }
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Decimal(value as f64), Value::Integer))
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Decimal(value))
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::text(text))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::with_capacity(seq.size_hint().unwrap_or(0).min(1024));
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(Value::List(values))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut attributes = Attributes::new();
        while let Some((name, value)) = map.next_entry::<Text, Value>()? {
            attributes.push(name, value);
        }
        Ok(as_reference(&attributes).unwrap_or(Value::Complex(attributes)))
    }
}

/// `{"ref": {"class": …, "id": …}}` and nothing beside it is a reference.
fn as_reference(attributes: &Attributes) -> Option<Value> {
    if attributes.len() != 1 {
        return None;
    }
    let inner = attributes.get("ref")?.as_complex()?;
    let (class, id) = (inner.get("class")?.as_text()?, inner.get("id")?.as_text()?);
    (inner.len() == 2).then(|| Value::reference(class, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_json() {
        for text in [
            "null",
            "true",
            "-7",
            "1.5",
            "\"Zoë\"",
            "[1,\"a\",null]",
            "{\"a\":{\"b\":[]}}",
            "{\"ref\":{\"class\":\"User\",\"id\":\"42\"}}",
        ] {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&value).unwrap(), text);
        }
    }

    #[test]
    fn absent_null_and_empty_differ() {
        let attributes: Attributes = serde_json::from_str("{\"a\":null,\"b\":\"\"}").unwrap();
        assert_eq!(attributes.get("a"), Some(&Value::Null));
        assert_eq!(attributes.get("b"), Some(&Value::text("")));
        assert_eq!(attributes.get("c"), None);
    }

    #[test]
    fn a_reference_beside_other_names_is_complex() {
        let value: Value = serde_json::from_str("{\"ref\":{\"class\":\"User\",\"id\":\"4\"},\"x\":1}").unwrap();
        assert_eq!(value.kind(), "complex");
    }
}
