//! Resource types (RFC 7643 section 6), and one type together with its schemas: what a path means in it.

use std::sync::Arc;

use provost_model::{AttributePath, Text};
use serde::{Deserialize, Serialize};

use super::keyword::{flag, or_default};
use super::{Attribute, BUILT_IN, Schema};
use crate::ScimError;

/// What `/ResourceTypes` says about one type.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceType {
    /// Same as the name.
    #[serde(deserialize_with = "or_default")]
    pub id: Text,
    /// `User`; what `meta.resourceType` says.
    pub name: Text,
    /// Relative to the base address: `/Users`.
    pub endpoint: Text,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Text::is_empty")]
    /// For people.
    pub description: Text,
    /// The URN of the core schema.
    pub schema: Text,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Vec::is_empty")]
    /// In the order they are published.
    pub schema_extensions: Vec<SchemaExtension>,
}

/// An extension of a resource type.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SchemaExtension {
    /// The URN.
    pub schema: Text,
    /// Whether every resource of the type has it.
    #[serde(deserialize_with = "flag")]
    pub required: bool,
}

/// A resource type with the schemas it names. Cheap to clone.
#[derive(Debug, Clone)]
pub struct TypeSchema {
    /// What `/ResourceTypes` says.
    pub resource_type: Arc<ResourceType>,
    /// The core schema.
    pub core: Arc<Schema>,
    /// In the order the type names them.
    pub extensions: Vec<Extension>,
}

/// One extension of a [`TypeSchema`].
#[derive(Debug, Clone)]
pub struct Extension {
    /// Its schema.
    pub schema: Arc<Schema>,
    /// Whether every resource of the type has it.
    pub required: bool,
}

/// The attribute that a path names, and the container it sits in.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The extension; none for attributes of the core schema and those of every resource.
    pub extension: Option<&'a Schema>,
    /// The attribute itself.
    pub attribute: &'a Attribute,
    /// The sub-attribute, when the path named one.
    pub sub: Option<&'a Attribute>,
}

/// What a path names.
#[derive(Debug, Clone, Copy)]
pub enum Target<'a> {
    /// A whole schema: an extension's container, or the resource itself for the core schema's URN.
    Container(Option<&'a Schema>),
    /// One attribute or sub-attribute.
    Attribute(Place<'a>),
}

impl<'a> Place<'a> {
    /// The attribute whose values a comparison sees: the sub-attribute, else the attribute.
    pub fn leaf(&self) -> &'a Attribute {
        self.sub.unwrap_or(self.attribute)
    }

    /// `userName`, or `urn:…:User:department`: the attribute in the schema's spelling, without the sub-attribute.
    pub fn attribute_name(&self) -> Text {
        match self.extension {
            Some(schema) => format!("{}:{}", schema.id, self.attribute.name).into(),
            None => self.attribute.name.clone(),
        }
    }

    /// The whole path in the schema's spelling.
    pub fn full_name(&self) -> String {
        match self.sub {
            Some(sub) => format!("{}.{}", self.attribute_name(), sub.name),
            None => self.attribute_name().to_string(),
        }
    }

    /// The sub-attribute of this name, in any letter case. Simple values have an implied `value` (RFC 7643 section 2.4).
    fn with_sub(self, sub: Option<&Text>) -> Option<Self> {
        match sub {
            None => Some(self),
            Some(sub) if !self.attribute.is_complex() => sub.eq_ignore_ascii_case("value").then_some(self),
            Some(sub) => Some(Self { sub: Some(self.attribute.sub_attribute(sub)?), ..self }),
        }
    }
}

impl TypeSchema {
    /// A type with the schemas it names, looked for among `schemas`; 404 names the one that is missing.
    pub fn new(resource_type: ResourceType, schemas: &[Arc<Schema>]) -> Result<Self, ScimError> {
        let find = |urn: &str| {
            let found = schemas.iter().find(|schema| schema.is(urn)).cloned();
            found.ok_or_else(|| ScimError::not_found(format!("schema {urn} of resource type {}", resource_type.name)))
        };
        let core = find(&resource_type.schema)?;
        let extensions = resource_type
            .schema_extensions
            .iter()
            .map(|extension| Ok(Extension { schema: find(&extension.schema)?, required: extension.required }))
            .collect::<Result<_, ScimError>>()?;
        Ok(Self { resource_type: Arc::new(resource_type), core, extensions })
    }

    /// `User` and the enterprise extension.
    pub fn user() -> Self {
        Self {
            resource_type: Arc::new(ResourceType {
                id: "User".into(),
                name: "User".into(),
                endpoint: "/Users".into(),
                description: "User account".into(),
                schema: BUILT_IN.user.id.clone(),
                schema_extensions: vec![SchemaExtension {
                    schema: BUILT_IN.enterprise_user.id.clone(),
                    required: false,
                }],
            }),
            core: BUILT_IN.user.clone(),
            extensions: vec![Extension { schema: BUILT_IN.enterprise_user.clone(), required: false }],
        }
    }

    /// `Group` without extensions.
    pub fn group() -> Self {
        Self {
            resource_type: Arc::new(ResourceType {
                id: "Group".into(),
                name: "Group".into(),
                endpoint: "/Groups".into(),
                description: "Group".into(),
                schema: BUILT_IN.group.id.clone(),
                schema_extensions: Vec::new(),
            }),
            core: BUILT_IN.group.clone(),
            extensions: Vec::new(),
        }
    }

    /// The name of the type, `User`.
    pub fn name(&self) -> &str {
        &self.resource_type.name
    }

    /// The attributes of every resource: `schemas`, `id`, `externalId`, `meta` (RFC 7643 section 3.1).
    pub fn common() -> &'static Schema {
        &BUILT_IN.common
    }

    /// The attribute outside of extensions with this name, in any letter case.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.core.attribute(name).or_else(|| Self::common().attribute(name))
    }

    /// The extension of this URN, in any letter case.
    pub fn extension(&self, urn: &str) -> Option<&Schema> {
        self.extensions.iter().map(|extension| &*extension.schema).find(|schema| schema.is(urn))
    }

    /// What a path names; `None` when nothing of the type has this name. The path's filter is not looked at.
    ///
    /// An unqualified name that the core schema lacks is looked for in the extensions too: Entra writes `manager`. A dot
    /// instead of the colon after an extension's URN is understood, as old clients write it.
    pub fn resolve(&self, path: &AttributePath) -> Option<Target<'_>> {
        let Some(urn) = &path.schema else {
            if let Some(attribute) = self.attribute(&path.name) {
                return Place { extension: None, attribute, sub: None }
                    .with_sub(path.sub.as_ref())
                    .map(Target::Attribute);
            }
            return self
                .extensions
                .iter()
                .find_map(|extension| in_schema(&extension.schema, &path.name, path.sub.as_ref()));
        };
        if self.core.is(urn) || Self::common().is(urn) {
            let attribute = self.attribute(&path.name)?;
            return Place { extension: None, attribute, sub: None }.with_sub(path.sub.as_ref()).map(Target::Attribute);
        }
        if let Some(schema) = self.extension(urn) {
            return in_schema(schema, &path.name, path.sub.as_ref());
        }
        // `urn:…:2.0:User` alone parses as attribute `User` of `urn:…:2.0`.
        let whole = format!("{urn}:{}", path.name);
        match &path.sub {
            None if self.core.is(&whole) => Some(Target::Container(None)),
            None => self.extension(&whole).map(|schema| Target::Container(Some(schema))),
            Some(name) => in_schema(self.extension(&whole)?, name, None),
        }
    }

    /// The URNs of the core schema and of each extension that a resource has attributes of, in that order: its
    /// `schemas` (RFC 7643 section 3).
    pub fn schemas_of(&self, resource: &provost_model::Attributes) -> Vec<Text> {
        let mut urns = vec![self.core.id.clone()];
        for extension in &self.extensions {
            if resource.find(&extension.schema.id).is_some_and(|container| !container.is_unassigned()) {
                urns.push(extension.schema.id.clone());
            }
        }
        urns
    }
}

fn in_schema<'a>(schema: &'a Schema, name: &str, sub: Option<&Text>) -> Option<Target<'a>> {
    let place = Place { extension: Some(schema), attribute: schema.attribute(name)?, sub: None };
    place.with_sub(sub).map(Target::Attribute)
}
