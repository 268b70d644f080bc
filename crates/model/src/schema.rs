//! What classes and attributes a connection has, as discovered or declared. Characteristics follow RFC 7643 section 2.2.

use serde::{Deserialize, Serialize};

use crate::{AttributePath, ClassName, Text};

/// The classes of one connection.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Schema {
    pub classes: Vec<ClassSchema>,
}

impl Schema {
    /// The class of this name, in any letter case.
    pub fn class(&self, name: &str) -> Option<&ClassSchema> {
        self.classes.iter().find(|class| class.name.eq_ignore_ascii_case(name))
    }
}

/// One class of objects.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ClassSchema {
    pub name: ClassName,
    pub attributes: Vec<AttributeSchema>,
    /// Attributes whose value is unique, best for matching first (`userName`, `externalId`).
    #[serde(default)]
    pub keys: Vec<Text>,
    /// Whether the list of attributes is all there is. An open class (a file with free headers) accepts other names.
    #[serde(default)]
    pub open: bool,
}

impl ClassSchema {
    /// The attribute of this name, in any letter case.
    pub fn attribute(&self, name: &str) -> Option<&AttributeSchema> {
        self.attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
    }

    /// The attribute, or sub-attribute, that a path names. A schema URN in the path is part of the attribute's name
    /// where the class lists it so (`urn:…:User:department`).
    pub fn resolve(&self, path: &AttributePath) -> Option<&AttributeSchema> {
        let attribute = match &path.schema {
            Some(urn) => self
                .attribute(&format!("{urn}:{}", path.name))
                .or_else(|| self.attribute(urn).and_then(|e| e.sub_attribute(&path.name)))
                .or_else(|| self.attribute(&path.name))?,
            None => self.attribute(&path.name)?,
        };
        match &path.sub {
            Some(sub) => attribute.sub_attribute(sub),
            None => Some(attribute),
        }
    }
}

/// The attribute of a user or group that tells what applications it is assigned to, by the name that Entra ID's mappings use.
/// A list of complex values with `value` (the role), `displayName`, `application`, `applicationId` and `direct`.
pub const APP_ROLE_ASSIGNMENTS: &str = "appRoleAssignments";

/// One attribute and its characteristics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AttributeSchema {
    pub name: Text,
    #[serde(rename = "type")]
    pub kind: AttributeType,
    pub multi_valued: bool,
    pub required: bool,
    /// Whether a difference in letter case is a difference.
    pub case_exact: bool,
    pub mutability: Mutability,
    /// No two objects of the class share a value.
    pub unique: bool,
    /// Masked in plans, events and logs.
    pub sensitive: bool,
    /// Costs the system something, so that it is read only when it is asked for by name (RFC 7643 section 7, `returned`
    /// `request`).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub on_request: bool,
    /// The classes a reference may point at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reference_classes: Vec<ClassName>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sub_attributes: Vec<AttributeSchema>,
}

impl Default for AttributeSchema {
    fn default() -> Self {
        Self {
            name: Text::default(),
            kind: AttributeType::String,
            multi_valued: false,
            required: false,
            case_exact: false,
            mutability: Mutability::ReadWrite,
            unique: false,
            sensitive: false,
            on_request: false,
            reference_classes: Vec::new(),
            sub_attributes: Vec::new(),
        }
    }
}

impl AttributeSchema {
    pub fn new(name: impl Into<Text>, kind: AttributeType) -> Self {
        Self { name: name.into(), kind, ..Self::default() }
    }

    pub fn sub_attribute(&self, name: &str) -> Option<&AttributeSchema> {
        self.sub_attributes.iter().find(|attribute| attribute.name.eq_ignore_ascii_case(name))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AttributeType {
    #[default]
    String,
    Boolean,
    Integer,
    Decimal,
    DateTime,
    Binary,
    Reference,
    Complex,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mutability {
    ReadOnly,
    #[default]
    ReadWrite,
    /// Settable on create only.
    Immutable,
    WriteOnly,
}
