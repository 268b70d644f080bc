//! SCIM schemas as data (RFC 7643 section 7): attributes with all their characteristics.
//!
//! The core schemas are JSON files beside this crate; schemas of other parties are read leniently, since many targets
//! publish odd ones. [`Registry`] holds what a service offers, [`TypeSchema`] answers questions about one resource type.

pub mod check;
mod class;
mod config;
mod keyword;
mod registry;
mod secrets;
mod types;

use std::sync::{Arc, LazyLock};

use provost_model::{AttributeType, Mutability, Text};
use serde::{Deserialize, Serialize};

pub use class::{class_schema, from_class, model_schema, parse_resource_types, parse_schemas};
pub use config::{AuthenticationScheme, Bulk, Filtering, Pagination, ServiceProviderConfig, Supported};
pub use registry::Registry;
pub use secrets::Secrets;
pub use types::{Extension, Place, ResourceType, SchemaExtension, Target, TypeSchema};

/// When an attribute is part of an answer (RFC 7643 section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Returned {
    /// Always, whatever the request excludes.
    Always,
    /// Never, whatever the request asks for.
    Never,
    /// Unless excluded.
    #[default]
    Default,
    /// Only when asked for by name.
    Request,
}

/// Where no two resources may share a value (RFC 7643 section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Uniqueness {
    #[default]
    /// Anywhere any number of times.
    None,
    /// Within one endpoint.
    Server,
    /// Everywhere.
    Global,
}

/// One schema: a named set of attributes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Schema {
    /// The URN.
    pub id: Text,
    #[serde(deserialize_with = "keyword::or_default")]
    /// For people.
    pub name: Text,
    #[serde(deserialize_with = "keyword::or_default", skip_serializing_if = "Text::is_empty")]
    /// For people.
    pub description: Text,
    #[serde(deserialize_with = "keyword::or_default")]
    /// In the order they are published.
    pub attributes: Vec<Attribute>,
}

impl Schema {
    /// The attribute of this name, in any letter case.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        find(&self.attributes, name)
    }

    /// Whether this is the schema of that URN; URNs compare without regard to case.
    pub fn is(&self, urn: &str) -> bool {
        self.id.eq_ignore_ascii_case(urn)
    }
}

/// One attribute with its characteristics (RFC 7643 section 7); what is not stated has the defaults of section 2.2.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attribute {
    /// The name; compared without regard to case.
    pub name: Text,
    #[serde(rename = "type", deserialize_with = "keyword::keyword")]
    /// The type, `type` on the wire.
    pub kind: AttributeType,
    #[serde(deserialize_with = "keyword::flag")]
    /// Whether the value is a list.
    pub multi_valued: bool,
    #[serde(deserialize_with = "keyword::or_default", skip_serializing_if = "Text::is_empty")]
    /// For people.
    pub description: Text,
    #[serde(deserialize_with = "keyword::flag")]
    /// Whether a resource must have it.
    pub required: bool,
    #[serde(deserialize_with = "keyword::flag")]
    /// Whether letter case makes a difference; ask [`Attribute::is_exact`].
    pub case_exact: bool,
    #[serde(deserialize_with = "keyword::keyword")]
    /// Who may set it, and when.
    pub mutability: Mutability,
    #[serde(deserialize_with = "keyword::keyword")]
    /// When it is part of an answer.
    pub returned: Returned,
    #[serde(deserialize_with = "keyword::keyword")]
    /// Where its value may occur once only.
    pub uniqueness: Uniqueness,
    #[serde(deserialize_with = "keyword::or_default", skip_serializing_if = "Vec::is_empty")]
    /// Suggested values; others are accepted.
    pub canonical_values: Vec<Text>,
    #[serde(deserialize_with = "keyword::or_default", skip_serializing_if = "Vec::is_empty")]
    /// What a reference may point at: resource types, `uri`, `external`.
    pub reference_types: Vec<Text>,
    #[serde(deserialize_with = "keyword::or_default", skip_serializing_if = "Vec::is_empty")]
    /// Of a complex attribute.
    pub sub_attributes: Vec<Attribute>,
}

impl Attribute {
    /// An attribute with the default characteristics.
    pub fn new(name: impl Into<Text>, kind: AttributeType) -> Self {
        Self { name: name.into(), kind, ..Self::default() }
    }

    /// The sub-attribute of this name, in any letter case.
    pub fn sub_attribute(&self, name: &str) -> Option<&Attribute> {
        find(&self.sub_attributes, name)
    }

    /// Whether texts of this attribute compare by letter case. References and binary always do (RFC 7643 sections 2.3.6,
    /// 2.3.7), whatever their schema says.
    pub fn is_exact(&self) -> bool {
        self.case_exact || matches!(self.kind, AttributeType::Reference | AttributeType::Binary)
    }

    /// Whether the value is a secret: it is never returned, and cannot be tested by a filter.
    pub fn is_secret(&self) -> bool {
        self.returned == Returned::Never || self.mutability == Mutability::WriteOnly
    }

    /// Whether the attribute is complex.
    pub fn is_complex(&self) -> bool {
        self.kind == AttributeType::Complex
    }
}

fn find<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a Attribute> {
    attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// The schemas that are built in.
pub(crate) struct BuiltIn {
    /// `schemas`, `id`, `externalId`, `meta` (RFC 7643 section 3.1): part of every resource, of no published schema.
    pub common: Arc<Schema>,
    pub user: Arc<Schema>,
    pub group: Arc<Schema>,
    pub enterprise_user: Arc<Schema>,
}

pub(crate) static BUILT_IN: LazyLock<BuiltIn> = LazyLock::new(|| {
    let read = |text| Arc::new(serde_json::from_str(text).expect("the embedded schemas are read by a test"));
    BuiltIn {
        common: read(include_str!("../../schemas/common.json")),
        user: read(include_str!("../../schemas/user.json")),
        group: read(include_str!("../../schemas/group.json")),
        enterprise_user: read(include_str!("../../schemas/enterprise_user.json")),
    }
});

#[cfg(test)]
mod tests;
