//! Lenient reading of schemas: keywords in any letter case, null for absent, text for boolean.
//!
//! Targets publish schemas with all of these; a schema that reads strangely is still better than none.

use provost_model::{AttributeType, Mutability};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Returned, Uniqueness};

pub(super) trait Keyword: Sized + Copy + Default + 'static {
    const WORDS: &'static [(&'static str, Self)];
}

impl Keyword for AttributeType {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("string", AttributeType::String),
        ("boolean", AttributeType::Boolean),
        ("integer", AttributeType::Integer),
        ("decimal", AttributeType::Decimal),
        ("dateTime", AttributeType::DateTime),
        ("binary", AttributeType::Binary),
        ("reference", AttributeType::Reference),
        ("complex", AttributeType::Complex),
    ];
}

impl Keyword for Mutability {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("readOnly", Mutability::ReadOnly),
        ("readWrite", Mutability::ReadWrite),
        ("immutable", Mutability::Immutable),
        ("writeOnly", Mutability::WriteOnly),
    ];
}

impl Keyword for Returned {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("always", Returned::Always),
        ("never", Returned::Never),
        ("default", Returned::Default),
        ("request", Returned::Request),
    ];
}

impl Keyword for Uniqueness {
    const WORDS: &'static [(&'static str, Self)] =
        &[("none", Uniqueness::None), ("server", Uniqueness::Server), ("global", Uniqueness::Global)];
}

/// A keyword in any letter case; anything else is the default.
pub(super) fn keyword<'de, D: Deserializer<'de>, T: Keyword>(deserializer: D) -> Result<T, D::Error> {
    let found = match Value::deserialize(deserializer)? {
        Value::String(word) => T::WORDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(&word)),
        _ => None,
    };
    Ok(found.map_or_else(T::default, |(_, value)| *value))
}

/// A value of the wanted shape; anything else, null included, is the default.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(de: D) -> Result<T, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(de)?).unwrap_or_default())
}

/// A boolean, also as text.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Bool(value) => value,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        _ => false,
    })
}
