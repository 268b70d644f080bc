//! `directory:` of the configuration: resource types, extensions and indexes beyond `User` and `Group`, as schemas in the form
//! of RFC 7643 section 7, in the configuration itself or in files beside it.

use std::collections::BTreeMap;
use std::path::Path;

use provost_directory::Types;
use provost_engine::rule::nearest;
use provost_model::{AttributePath, Text};
use provost_scim::Registry;
use provost_scim::schema::{ResourceType, Schema, SchemaExtension, Target, check};
use serde::Deserialize;
use serde_json::Value as Json;

use super::Reading;
use super::document::{Entry, Kind, Mark, Node};

/// Endpoints of the service itself.
const RESERVED: [&str; 6] = ["Schemas", "ResourceTypes", "ServiceProviderConfig", "Bulk", "Me", "connections"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypeSpec {
    name: Text,
    /// `/Badges`.
    endpoint: Text,
    /// The URN of the core schema.
    schema: Text,
    #[serde(default)]
    description: Text,
    #[serde(default)]
    extensions: Vec<ExtensionSpec>,
}

/// A URN, or one with a word on whether every resource has it.
#[derive(Deserialize)]
#[serde(untagged)]
enum ExtensionSpec {
    Urn(Text),
    Full {
        schema: Text,
        #[serde(default)]
        required: bool,
    },
}

impl From<ExtensionSpec> for SchemaExtension {
    fn from(spec: ExtensionSpec) -> Self {
        match spec {
            ExtensionSpec::Urn(schema) => Self { schema, required: false },
            ExtensionSpec::Full { schema, required } => Self { schema, required },
        }
    }
}

const KEYS: [&str; 4] = ["schemas", "resource_types", "extensions", "indexes"];

impl Reading<'_> {
    /// The types of the directory. What has a problem is left out, so that the rest is checked too.
    pub(super) fn directory(&mut self, tree: &Node, base: &Path) -> Types {
        let Some(section) = tree.entry("directory") else { return Types::core() };
        for entry in section.value.entries() {
            if !KEYS.contains(&entry.key.as_str()) {
                self.unknown_key(&entry.key, "`directory`", &KEYS, &entry.mark);
            }
        }
        let part = |key: &str| section.value.entry(key);
        let mut registry = Types::core_registry();
        for node in part("schemas").map_or(&[][..], items) {
            self.schemas(node, base, &mut registry);
        }
        for node in part("resource_types").map_or(&[][..], items) {
            if let Some(spec) = self.read::<TypeSpec>(node, &node.mark, "directory.resource_types") {
                self.resource_type(spec, &node.mark, &mut registry);
            }
        }
        for entry in part("extensions").map_or(&[][..], |entry| entry.value.entries()) {
            self.extend(entry, &mut registry);
        }
        let mut indexes = BTreeMap::new();
        for entry in part("indexes").map_or(&[][..], |entry| entry.value.entries()) {
            if let Some(paths) = self.indexes(entry, &registry) {
                indexes.insert(Text::from(entry.key.as_str()), paths);
            }
        }
        Types::new(registry, &indexes)
    }

    /// One schema, a list of them, a ListResponse as `GET /Schemas` gives it, or a file with any of these.
    fn schemas(&mut self, node: &Node, base: &Path, registry: &mut Registry) {
        let (json, name) = match &node.kind {
            Kind::Text(file) => {
                let path = base.join(file);
                let read = std::fs::read_to_string(&path).map_err(|error| error.to_string());
                // JSON is YAML, too.
                match read.and_then(|text| serde_saphyr::from_str::<Json>(&text).map_err(|error| error.to_string())) {
                    Ok(json) => (json, format!("{file}: ")),
                    Err(error) => {
                        let message = format!("cannot read the schema `{file}`: {error}");
                        let hint = "give the path of a JSON or YAML file, from the configuration's folder".to_owned();
                        self.problem("PRV-0111", message, &node.mark, Some(hint));
                        return;
                    }
                }
            }
            _ => (node.to_json(), String::new()),
        };
        let all = match json {
            Json::Array(all) => all,
            Json::Object(mut list) if list.contains_key("Resources") => match list.remove("Resources") {
                Some(Json::Array(all)) => all,
                _ => Vec::new(),
            },
            one => vec![one],
        };
        for json in all {
            let found = check::problems(&json);
            for problem in &found {
                let message = format!("schema: {name}{problem}");
                self.problem("PRV-0111", message, &node.mark, None);
            }
            if found.is_empty()
                && let Ok(schema) = serde_json::from_value::<Schema>(json)
            {
                registry.add_schema(schema);
            }
        }
    }

    fn resource_type(&mut self, spec: TypeSpec, mark: &Mark, registry: &mut Registry) {
        let refuse = |reading: &mut Self, message: String, hint: &str| {
            reading.problem("PRV-0111", message, mark, Some(hint.to_owned()));
        };
        let endpoint = spec.endpoint.trim_matches('/').to_owned();
        let is_word = |text: &str| {
            text.starts_with(|first: char| first.is_ascii_alphabetic())
                && text.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        if !is_word(&spec.name) || !is_word(&endpoint) {
            let message = format!("resource type `{}` at `{}`: letters and digits only", spec.name, spec.endpoint);
            return refuse(self, message, "for example `name: Badge` and `endpoint: /Badges`");
        }
        if RESERVED.contains(&endpoint.as_str()) || registry.by_endpoint(&endpoint).is_some() {
            return refuse(self, format!("the endpoint `/{endpoint}` is taken"), "choose another one");
        }
        if registry.by_name(&spec.name).is_some() {
            let hint = "to give it more attributes, name an extension under `extensions:`";
            return refuse(self, format!("there is a resource type `{}` already", spec.name), hint);
        }
        let added = registry.add_type(ResourceType {
            id: spec.name.clone(),
            name: spec.name,
            endpoint: format!("/{endpoint}").into(),
            description: spec.description,
            schema: spec.schema,
            schema_extensions: spec.extensions.into_iter().map(SchemaExtension::from).collect(),
        });
        if let Err(error) = added {
            refuse(self, error.detail.to_string(), "declare it under `schemas:`");
        }
    }

    /// `User: [urn:…]`.
    fn extend(&mut self, entry: &Entry, registry: &mut Registry) {
        let Some(specs) = self.read::<Vec<ExtensionSpec>>(&entry.value, &entry.mark, "directory.extensions") else {
            return;
        };
        let Some(known) = self.known_type(entry, registry) else { return };
        let mut resource_type = (*known.resource_type).clone();
        resource_type.schema_extensions.extend(specs.into_iter().map(SchemaExtension::from));
        if let Err(error) = registry.add_type(resource_type) {
            let hint = "declare it under `schemas:`".to_owned();
            self.problem("PRV-0111", error.detail.to_string(), &entry.value.mark, Some(hint));
        }
    }

    /// `User: [nickName, emails.value]`.
    fn indexes(&mut self, entry: &Entry, registry: &Registry) -> Option<Vec<AttributePath>> {
        let names = self.read::<Vec<Text>>(&entry.value, &entry.mark, "directory.indexes")?;
        let known = self.known_type(entry, registry)?;
        let mut paths = Vec::with_capacity(names.len());
        for name in names {
            let path = name.parse::<AttributePath>().ok();
            match path.filter(|path| matches!(known.resolve(path), Some(Target::Attribute(_)))) {
                Some(path) => paths.push(path),
                None => {
                    let message = format!("`directory.indexes`: {} has no attribute `{name}`", entry.key);
                    self.problem("PRV-0111", message, &entry.value.mark, None);
                }
            }
        }
        Some(paths)
    }

    fn known_type(&mut self, entry: &Entry, registry: &Registry) -> Option<std::sync::Arc<provost_scim::TypeSchema>> {
        let found = registry.by_name(&entry.key).cloned();
        if found.is_none() {
            let names = || registry.types().iter().map(|types| types.name());
            let hint = match nearest(&entry.key, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are: {}", names().collect::<Vec<_>>().join(", ")),
            };
            let message = format!("the directory has no resource type `{}`", entry.key);
            self.problem("PRV-0111", message, &entry.mark, Some(hint));
        }
        found
    }
}

/// The elements of a list; something else stands for a list of one.
fn items(entry: &Entry) -> &[Node] {
    match &entry.value.kind {
        Kind::List(items) => items,
        Kind::Null => &[],
        _ => std::slice::from_ref(&entry.value),
    }
}
