//! All types and schemas that a service offers, and the discovery answers made of them (RFC 7644 section 4).

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::{BUILT_IN, ResourceType, Schema, TypeSchema};
use crate::{ScimError, urn};

/// The types and schemas of one service. A custom type is data: add its schemas, then the type.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    schemas: Vec<Arc<Schema>>,
    types: Vec<Arc<TypeSchema>>,
}

impl Registry {
    /// Nothing at all, to be filled.
    pub fn new() -> Self {
        Self::default()
    }

    /// `User` with the enterprise extension, and `Group`.
    pub fn core() -> Self {
        Self {
            schemas: vec![BUILT_IN.user.clone(), BUILT_IN.enterprise_user.clone(), BUILT_IN.group.clone()],
            types: vec![Arc::new(TypeSchema::user()), Arc::new(TypeSchema::group())],
        }
    }

    /// Adds a schema, or puts it in place of the one with its URN. Types that are there already keep what they had: add
    /// them again to give them an extension.
    pub fn add_schema(&mut self, schema: Schema) {
        self.schemas.retain(|have| !have.is(&schema.id));
        self.schemas.push(Arc::new(schema));
    }

    /// Adds a type, or puts it in place of the one with its name. Fails when a schema it names is not there.
    pub fn add_type(&mut self, resource_type: ResourceType) -> Result<(), ScimError> {
        let added = Arc::new(TypeSchema::new(resource_type, &self.schemas)?);
        match self.types.iter_mut().find(|have| have.name().eq_ignore_ascii_case(added.name())) {
            Some(have) => *have = added,
            None => self.types.push(added),
        }
        Ok(())
    }

    /// The same without these schemas and the types that they are the core of.
    pub fn without(&self, urns: &[&str]) -> Self {
        let is_left_out = |schema: &Schema| urns.iter().any(|urn| schema.is(urn));
        Self {
            schemas: self.schemas.iter().filter(|schema| !is_left_out(schema)).cloned().collect(),
            types: self.types.iter().filter(|types| !is_left_out(&types.core)).cloned().collect(),
        }
    }

    /// Every type, in the order they were added.
    pub fn types(&self) -> &[Arc<TypeSchema>] {
        &self.types
    }

    /// Every schema, in the order they were added.
    pub fn schemas(&self) -> &[Arc<Schema>] {
        &self.schemas
    }

    /// The type of this name, in any letter case.
    pub fn by_name(&self, name: &str) -> Option<&Arc<TypeSchema>> {
        self.types.iter().find(|known| known.name().eq_ignore_ascii_case(name))
    }

    /// The type at this endpoint (`Users` or `/Users`).
    pub fn by_endpoint(&self, endpoint: &str) -> Option<&Arc<TypeSchema>> {
        let wanted = endpoint.trim_matches('/');
        self.types.iter().find(|known| known.resource_type.endpoint.trim_matches('/') == wanted)
    }

    /// The answer to `GET /Schemas`. `base` is the absolute base address without a slash at its end.
    pub fn schemas_json(&self, base: &str) -> Value {
        list(self.schemas.iter().map(|schema| schema_json(schema, base)).collect())
    }

    /// The answer to `GET /Schemas/{urn}`, or 404.
    pub fn schema_json(&self, base: &str, id: &str) -> Result<Value, ScimError> {
        let schema = self.schemas.iter().find(|schema| schema.is(id));
        schema.map(|schema| schema_json(schema, base)).ok_or_else(|| ScimError::not_found(format!("schema {id}")))
    }

    /// The answer to `GET /ResourceTypes`.
    pub fn resource_types_json(&self, base: &str) -> Value {
        list(self.types.iter().map(|known| type_json(&known.resource_type, base)).collect())
    }

    /// The answer to `GET /ResourceTypes/{id}`, or 404.
    pub fn resource_type_json(&self, base: &str, id: &str) -> Result<Value, ScimError> {
        let known = self.by_name(id).ok_or_else(|| ScimError::not_found(format!("resource type {id}")))?;
        Ok(type_json(&known.resource_type, base))
    }
}

fn schema_json(schema: &Schema, base: &str) -> Value {
    described(schema, urn::SCHEMA, "Schema", &format!("{base}/Schemas/{}", schema.id))
}

fn type_json(resource_type: &ResourceType, base: &str) -> Value {
    let location = format!("{base}/ResourceTypes/{}", resource_type.name);
    described(resource_type, urn::RESOURCE_TYPE, "ResourceType", &location)
}

/// The data with the `schemas` and `meta` of a discovery resource around it.
pub(super) fn described(data: &impl Serialize, schema: &str, kind: &str, location: &str) -> Value {
    let mut json = json!({ "schemas": [schema] });
    if let (Value::Object(all), Ok(Value::Object(data))) = (&mut json, serde_json::to_value(data)) {
        all.extend(data);
        all.insert("meta".into(), json!({ "resourceType": kind, "location": location }));
    }
    json
}

fn list(resources: Vec<Value>) -> Value {
    json!({
        "schemas": [urn::LIST_RESPONSE],
        "totalResults": resources.len(),
        "startIndex": 1,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}
