//! One object as a connector read it.

use serde::{Deserialize, Serialize};

use crate::{Attributes, ClassName, Digest, ObjectId, Text, Value};

/// An object of a connected system. `attributes` holds what was returned: a name that is missing was *not returned*,
/// [`Value::Null`] is *known to be empty*.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Record {
    pub class: ClassName,
    /// The identifier the system uses for writes and references; immutable where the schema says so.
    pub id: ObjectId,
    pub attributes: Attributes,
    /// The version for optimistic locking, verbatim (an HTTP ETag with its quotes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<Text>,
    /// Attributes that the system cut short; removals are never computed from them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incomplete: Vec<Incomplete>,
    /// Digest of the whole object as read, when the connector has a cheaper one than [`Record::digest`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_digest: Option<Digest>,
}

/// An attribute of which only a part was returned (a member list of 5,321 cut at 100).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incomplete {
    pub attribute: Text,
    pub reason: Text,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub have: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
}

impl Record {
    pub fn new(class: impl Into<ClassName>, id: impl Into<ObjectId>) -> Self {
        Self { class: class.into(), id: id.into(), ..Self::default() }
    }

    /// Sets an attribute, for building records in one expression.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.attributes.set(name, value);
        self
    }

    /// Whether this attribute was cut short by the system.
    pub fn is_incomplete(&self, attribute: &str) -> bool {
        self.incomplete.iter().any(|cut| cut.attribute.eq_ignore_ascii_case(attribute))
    }

    /// The digest for change detection: the connector's own, else one over all attributes, independent of their order.
    pub fn digest(&self) -> Digest {
        self.raw_digest.unwrap_or_else(|| Digest::of_attributes(&self.attributes))
    }
}
