//! `connector: push` of the configuration, and the classes that such a connection has: the directory's resource types, as
//! HR sends them.

use std::collections::BTreeMap;

use provost_connector::{Manifest, SettingProblem};
use provost_model::{AttributeSchema, AttributeType, ClassSchema, Mutability, Schema, Text};
use provost_scim::schema::class_schema;
use provost_scim::{Registry, TypeSchema};
use serde::Deserialize;

use crate::object::{MANAGER, MEMBERS};

/// The word after `connector:`.
pub const CONNECTOR: &str = "push";

/// The settings of a connection.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Further attributes by class, beside those of the schemas: `urn:contoso:employee:HireDate`.
    attributes: BTreeMap<Text, Vec<Declared>>,
}

/// A name alone is that of a text.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
enum Declared {
    Name(Text),
    Full(AttributeSchema),
}

/// What the connector says about itself.
pub fn manifest() -> Manifest {
    Manifest {
        name: CONNECTOR.into(),
        title: "Push".into(),
        description: "What HR systems and others push: SCIM bulk requests to /api/v1/jobs/JOB/bulk".into(),
        source: true,
        target: false,
    }
}

/// Problems of the settings.
pub fn validate(settings: &provost_connector::Settings, registry: &Registry) -> Vec<SettingProblem> {
    let settings: Settings = match settings.read() {
        Ok(settings) => settings,
        Err(problem) => return vec![problem],
    };
    let unknown = settings.attributes.keys().filter(|class| registry.by_name(class).is_none());
    let names = || registry.types().iter().map(|types| types.name()).collect::<Vec<_>>().join(", ");
    unknown
        .map(|class| SettingProblem {
            path: format!("attributes.{class}").into(),
            message: format!("there is no resource type `{class}`"),
            hint: Some(format!("there are: {}", names())),
        })
        .collect()
}

/// The classes of a connection.
pub fn schema(settings: &Settings, registry: &Registry) -> Schema {
    Schema { classes: registry.types().iter().map(|types| class(settings, types)).collect() }
}

fn class(settings: &Settings, types: &TypeSchema) -> ClassSchema {
    let mut class = class_schema(types);
    class.attributes.retain(|attribute| !attribute.sensitive);
    for attribute in &mut class.attributes {
        attribute.on_request = false;
    }
    class.keys = vec!["externalId".into()];
    let reference = |name: &str, classes: Vec<Text>| AttributeSchema {
        reference_classes: classes.into_iter().map(Into::into).collect(),
        ..AttributeSchema::new(name, AttributeType::Reference)
    };
    if crate::object::has_manager(types) {
        class.attributes.retain(|attribute| attribute.name != MANAGER);
        class.attributes.push(reference(MANAGER, vec![types.name().into()]));
    }
    if let Some(members) = class.attributes.iter_mut().find(|attribute| attribute.name == MEMBERS) {
        members.kind = AttributeType::Reference;
        members.sub_attributes.clear();
    }
    let declared = settings.attributes.iter().find(|(name, _)| name.eq_ignore_ascii_case(types.name()));
    for declared in declared.map_or(&[][..], |(_, list)| list) {
        let attribute = match declared {
            Declared::Name(name) => AttributeSchema::new(name.clone(), AttributeType::String),
            Declared::Full(attribute) => attribute.clone(),
        };
        class.attributes.retain(|have| !have.name.eq_ignore_ascii_case(&attribute.name));
        class.attributes.push(AttributeSchema { mutability: Mutability::ReadOnly, ..attribute });
    }
    class
}
