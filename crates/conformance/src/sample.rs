//! What the kit may make at the peer: one entry for each class that it may write.
//!
//! In every text `{n}` stands for a number that no other object of the run has.

use std::collections::BTreeMap;

use provost_model::{Attributes, ClassName, Value};
use serde::{Deserialize, Serialize};

/// The classes that the kit may write, by name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sample {
    pub classes: BTreeMap<ClassName, ClassSample>,
}

/// One object of a class, and what may be tried on it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClassSample {
    /// Attribute or path to value: all that a create needs.
    pub create: BTreeMap<String, Value>,
    /// The attribute that tells one object from all others, readable and set by the create.
    pub key: Option<String>,
    /// The peer takes a second object with the same key.
    pub twins: bool,
    /// Attributes that take any text, such as a description; those are changed, cleared, and given hostile texts.
    pub free: Vec<String>,
    pub many: Option<Many>,
    pub members: Option<Members>,
    /// An attribute that cannot be written.
    pub read_only: Option<String>,
    /// Cases that this peer is known to fail, by number, each with the reason; one that passes by now is a failure.
    pub known: BTreeMap<u16, String>,
    /// References that a create needs: an attribute, and the class of the sample that gives the object.
    pub references: BTreeMap<String, ClassName>,
}

/// A multi-valued attribute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Many {
    pub attribute: String,
    /// At least three.
    pub values: Vec<Value>,
}

/// A multi-valued attribute that points at objects of another class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Members {
    pub attribute: String,
    pub class: ClassName,
}

impl ClassSample {
    /// The values of a new object.
    pub fn object(&self, number: u64) -> Vec<(String, Value)> {
        self.create.iter().map(|(path, value)| (path.clone(), numbered(value, number))).collect()
    }
}

/// The value with the number in place of `{n}`.
pub(crate) fn numbered(value: &Value, number: u64) -> Value {
    match value {
        Value::Text(text) if text.contains("{n}") => Value::text(text.replace("{n}", &number.to_string())),
        Value::List(values) => Value::List(values.iter().map(|value| numbered(value, number)).collect()),
        Value::Complex(parts) => {
            let mut made = Attributes::new();
            parts.iter().for_each(|(name, value)| made.push(name, numbered(value, number)));
            Value::Complex(made)
        }
        other => other.clone(),
    }
}
