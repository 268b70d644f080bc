//! A connection's schema as a directory definition: what was discovered, and what the mappings name beside it.

use std::collections::BTreeMap;

use provost_model::{AttributeSchema, AttributeType, ClassSchema, Mutability, Schema};
use serde_json::{Value as Json, json};

pub(crate) struct Directory<'a> {
    pub name: &'a str,
    known: Option<&'a Schema>,
    /// Class -> attribute -> its definition, and whether its nulls flow.
    classes: BTreeMap<String, BTreeMap<String, (AttributeSchema, bool)>>,
}

impl<'a> Directory<'a> {
    pub(crate) fn new(name: &'a str, known: Option<&'a Schema>) -> Self {
        Self { name, known, classes: BTreeMap::new() }
    }

    /// The class, with all that is known of it.
    pub(crate) fn class(&mut self, name: &str) {
        if self.classes.contains_key(name) {
            return;
        }
        let mut attributes = BTreeMap::new();
        for attribute in self.known.and_then(|known| known.class(name)).iter().flat_map(|class| &class.attributes) {
            flatten(attribute, &mut attributes);
        }
        self.classes.insert(name.to_owned(), attributes);
    }

    /// An attribute that a mapping names.
    pub(crate) fn attribute(&mut self, class: &str, name: &str, flows_null: bool) {
        let known = self.known.and_then(|known| known.class(class)).and_then(|class| resolve(class, name)).cloned();
        let Some(attributes) = self.classes.get_mut(class) else { return };
        let made = || (AttributeSchema { name: name.into(), ..known.unwrap_or_default() }, false);
        attributes.entry(name.to_owned()).or_insert_with(made).1 |= flows_null;
    }

    pub(crate) fn to_json(&self, id: String) -> Json {
        let objects: Vec<Json> = self.classes.iter().map(|(name, attributes)| self.object(name, attributes)).collect();
        json!({
            "id": id,
            "name": self.name,
            "version": "v1",
            "discoverabilities": if self.known.is_some() { "AttributeNames, AttributeDataTypes" } else { "None" },
            "discoveryDateTime": null,
            "objects": objects,
            "metadata": [],
        })
    }

    /// Exactly one attribute is the anchor: the id that a target gives.
    fn object(&self, name: &str, attributes: &BTreeMap<String, (AttributeSchema, bool)>) -> Json {
        let id = attributes.keys().find(|name| name.eq_ignore_ascii_case("id"));
        let mut all: Vec<Json> = Vec::with_capacity(attributes.len() + 1);
        if id.is_none() {
            all.push(definition(
                &AttributeSchema { case_exact: true, ..AttributeSchema::new("id", AttributeType::String) },
                true,
                false,
            ));
        }
        all.extend(
            attributes
                .iter()
                .map(|(name, (attribute, flows_null))| definition(attribute, Some(name) == id, *flows_null)),
        );
        json!({"name": name, "attributes": all, "metadata": []})
    }
}

fn resolve<'s>(class: &'s ClassSchema, name: &str) -> Option<&'s AttributeSchema> {
    class.attribute(name).or_else(|| class.resolve(&name.parse().ok()?))
}

/// Entra's lists are flat: a complex attribute is there with its parts, one of several values only as mappings select it.
fn flatten(attribute: &AttributeSchema, into: &mut BTreeMap<String, (AttributeSchema, bool)>) {
    if attribute.kind != AttributeType::Complex {
        into.insert(attribute.name.to_string(), (attribute.clone(), false));
        return;
    }
    if attribute.multi_valued {
        return;
    }
    let separator = if attribute.name.contains(':') { ':' } else { '.' };
    for part in &attribute.sub_attributes {
        let name = format!("{}{separator}{}", attribute.name, part.name);
        flatten(&AttributeSchema { name: name.into(), ..part.clone() }, into);
    }
}

fn definition(attribute: &AttributeSchema, is_anchor: bool, flows_null: bool) -> Json {
    let references =
        |class: &provost_model::ClassName| json!({"referencedObjectName": class, "referencedProperty": ""});
    let kind = match attribute.kind {
        _ if !attribute.reference_classes.is_empty() => "Reference",
        AttributeType::Reference => "Reference",
        AttributeType::Boolean => "Boolean",
        AttributeType::Integer => "Integer",
        AttributeType::DateTime => "DateTime",
        AttributeType::Binary => "Binary",
        AttributeType::String | AttributeType::Decimal | AttributeType::Complex => "String",
    };
    let mutability = match attribute.mutability {
        Mutability::ReadOnly => "ReadOnly",
        Mutability::ReadWrite => "ReadWrite",
        Mutability::Immutable => "Immutable",
        Mutability::WriteOnly => "WriteOnly",
    };
    json!({
        "name": attribute.name,
        "type": kind,
        "anchor": is_anchor,
        "caseExact": attribute.case_exact,
        "defaultValue": null,
        "flowNullValues": flows_null,
        "multivalued": attribute.multi_valued,
        "mutability": mutability,
        "required": attribute.required,
        "referencedObjects": attribute.reference_classes.iter().map(references).collect::<Vec<_>>(),
        "apiExpressions": [],
        "metadata": [],
    })
}
