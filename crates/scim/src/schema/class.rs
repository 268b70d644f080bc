//! Between SCIM schemas and [`provost_model::ClassSchema`], the form in which the engine knows every target.
//!
//! Attributes of extensions are entries named `URN:name`, which is where [`ClassSchema::resolve`] looks first.

use std::sync::Arc;

use provost_model::{AttributeSchema, AttributeType, ClassName, ClassSchema, Mutability, Schema as ModelSchema, Text};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Attribute, ResourceType, Returned, Schema, SchemaExtension, TypeSchema, Uniqueness};
use crate::ScimError;

/// The class of a resource type: core attributes, `id`, `externalId`, then those of each extension.
pub fn class_schema(types: &TypeSchema) -> ClassSchema {
    let common =
        TypeSchema::common().attributes.iter().filter(|common| common.name == "id" || common.name == "externalId");
    let core = types.core.attributes.iter().filter(|attribute| !attribute.name.is_empty());
    // A target may list id and externalId in its own schema; its word wins.
    let mut attributes: Vec<AttributeSchema> =
        common.filter(|common| types.core.attribute(&common.name).is_none()).chain(core).map(to_model).collect();
    for extension in &types.extensions {
        attributes.extend(extension.schema.attributes.iter().map(|attribute| AttributeSchema {
            name: format!("{}:{}", extension.schema.id, attribute.name).into(),
            // An attribute is required only where its extension is.
            required: attribute.required && extension.required,
            ..to_model(attribute)
        }));
    }
    ClassSchema { name: types.name().into(), keys: keys(&attributes), attributes, open: false }
}

/// The classes of all types.
pub fn model_schema(types: &[Arc<TypeSchema>]) -> ModelSchema {
    ModelSchema { classes: types.iter().map(|known| class_schema(known)).collect() }
}

/// Attributes to match by: unique ones, then required texts, then `externalId`; never what only the target can set.
fn keys(attributes: &[AttributeSchema]) -> Vec<Text> {
    let texts = || {
        attributes.iter().filter(|attribute| {
            attribute.kind == AttributeType::String
                && !attribute.multi_valued
                && attribute.mutability != Mutability::ReadOnly
        })
    };
    let mut keys: Vec<Text> =
        texts().filter(|attribute| attribute.unique).map(|attribute| attribute.name.clone()).collect();
    if keys.is_empty() {
        keys.extend(texts().filter(|attribute| attribute.required).map(|attribute| attribute.name.clone()));
    }
    let external = texts().map(|attribute| &attribute.name).find(|name| name.eq_ignore_ascii_case("externalId"));
    if let Some(name) = external.filter(|name| !keys.contains(name)) {
        keys.push(name.clone());
    }
    keys
}

fn to_model(attribute: &Attribute) -> AttributeSchema {
    let classes = |types: &[Text]| -> Vec<ClassName> {
        let resources = types.iter().filter(|name| !matches!(name.to_ascii_lowercase().as_str(), "uri" | "external"));
        resources.map(|name| ClassName::from(name.as_str())).collect()
    };
    // `members` and `manager` point at what their `$ref` says; their `value` holds the id.
    let pointed =
        attribute.sub_attribute("$ref").map(|reference| classes(&reference.reference_types)).unwrap_or_default();
    let sub_attributes = attribute.sub_attributes.iter().map(|sub| {
        let mut model = to_model(sub);
        if sub.name.eq_ignore_ascii_case("value") {
            model.reference_classes.clone_from(&pointed);
        }
        model
    });
    AttributeSchema {
        name: attribute.name.clone(),
        kind: attribute.kind,
        multi_valued: attribute.multi_valued,
        required: attribute.required,
        case_exact: attribute.is_exact(),
        mutability: attribute.mutability,
        unique: attribute.uniqueness != Uniqueness::None,
        sensitive: attribute.is_secret(),
        on_request: attribute.returned == Returned::Request,
        sub_attributes: sub_attributes.collect(),
        reference_classes: if pointed.is_empty() { classes(&attribute.reference_types) } else { pointed },
    }
}

/// A resource type and its schemas out of a class, so that any connection can be served as SCIM. Entries named
/// `URN:name` become extensions; everything else is in the core schema `urn`. The first schema is the core one.
pub fn from_class(class: &ClassSchema, urn: &str, endpoint: &str) -> (ResourceType, Vec<Schema>) {
    let mut schemas = vec![Schema { id: urn.into(), name: class.name.0.clone(), ..Schema::default() }];
    for attribute in &class.attributes {
        if TypeSchema::common().attribute(&attribute.name).is_some() {
            continue;
        }
        let (schema, name) = match attribute.name.rsplit_once(':') {
            Some((extension, name)) if extension.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:")) => {
                (if extension.eq_ignore_ascii_case(urn) { urn } else { extension }, name)
            }
            _ => (urn, attribute.name.as_str()),
        };
        let at = schemas.iter().position(|have| have.is(schema)).unwrap_or_else(|| {
            schemas.push(Schema { id: schema.into(), name: schema.into(), ..Schema::default() });
            schemas.len() - 1
        });
        schemas[at].attributes.push(Attribute { name: name.into(), ..from_model(attribute) });
    }
    let extensions =
        schemas[1..].iter().map(|schema| SchemaExtension { schema: schema.id.clone(), required: false }).collect();
    let resource_type = ResourceType {
        id: class.name.0.clone(),
        name: class.name.0.clone(),
        endpoint: endpoint.into(),
        description: Text::default(),
        schema: urn.into(),
        schema_extensions: extensions,
    };
    (resource_type, schemas)
}

fn from_model(attribute: &AttributeSchema) -> Attribute {
    Attribute {
        name: attribute.name.clone(),
        kind: attribute.kind,
        multi_valued: attribute.multi_valued,
        required: attribute.required,
        case_exact: attribute.case_exact,
        mutability: attribute.mutability,
        returned: match (attribute.sensitive, attribute.on_request) {
            (true, _) => Returned::Never,
            (false, true) => Returned::Request,
            (false, false) => Returned::Default,
        },
        uniqueness: if attribute.unique { Uniqueness::Server } else { Uniqueness::None },
        reference_types: attribute.reference_classes.iter().map(|class| class.0.clone()).collect(),
        sub_attributes: attribute.sub_attributes.iter().map(from_model).collect(),
        ..Attribute::default()
    }
}

/// The schemas in a target's answer to `GET /Schemas`: a ListResponse, a bare list, or one schema. Entries without a URN
/// are left out.
pub fn parse_schemas(json: &Value) -> Vec<Schema> {
    entries::<Schema>(json).into_iter().filter(|schema| !schema.id.is_empty()).collect()
}

/// The types in a target's answer to `GET /ResourceTypes`, with those schemas that it published. A target without the
/// endpoint (`json` null) gets its types from the names of its schemas: `…:core:2.0:User` makes `User`.
pub fn parse_resource_types(json: &Value, schemas: &[Schema]) -> Result<Vec<Arc<TypeSchema>>, ScimError> {
    let mut types: Vec<ResourceType> = entries(json);
    types.retain(|known| !known.name.is_empty() && !known.schema.is_empty());
    if types.is_empty() {
        types = guess_types(schemas);
    }
    let mut shared: Vec<Arc<Schema>> = schemas.iter().cloned().map(Arc::new).collect();
    for built_in in [TypeSchema::user(), TypeSchema::group()] {
        let known = built_in.extensions.into_iter().map(|extension| extension.schema).chain([built_in.core]);
        shared.extend(known.filter(|schema| !schemas.iter().any(|have| have.is(&schema.id))));
    }
    for known in &mut types {
        known.schema_extensions.retain(|extension| shared.iter().any(|schema| schema.is(&extension.schema)));
    }
    types.into_iter().map(|known| TypeSchema::new(known, &shared).map(Arc::new)).collect()
}

fn guess_types(schemas: &[Schema]) -> Vec<ResourceType> {
    let is_extension = |urn: &str| urn.to_ascii_lowercase().contains(":extension:");
    let last = |urn: &str| urn.rsplit(':').next().unwrap_or_default().to_owned();
    ["User", "Group"]
        .iter()
        .filter_map(|name| {
            let core = schemas
                .iter()
                .find(|schema| !is_extension(&schema.id) && last(&schema.id).eq_ignore_ascii_case(name))?;
            let extends = |schema: &&Schema| is_extension(&schema.id) && last(&schema.id).eq_ignore_ascii_case(name);
            let extension = |schema: &Schema| SchemaExtension { schema: schema.id.clone(), required: false };
            Some(ResourceType {
                id: (*name).into(),
                name: (*name).into(),
                endpoint: format!("/{name}s").into(),
                description: Text::default(),
                schema: core.id.clone(),
                schema_extensions: schemas.iter().filter(extends).map(extension).collect(),
            })
        })
        .collect()
}

fn entries<T: DeserializeOwned>(json: &Value) -> Vec<T> {
    let list = match json {
        Value::Array(list) => list.as_slice(),
        Value::Object(object) => match object.iter().find(|(name, _)| name.eq_ignore_ascii_case("resources")) {
            Some((_, Value::Array(list))) => list.as_slice(),
            Some(_) => &[],
            None => std::slice::from_ref(json),
        },
        _ => &[],
    };
    list.iter().filter_map(|entry| serde_json::from_value(entry.clone()).ok()).collect()
}
