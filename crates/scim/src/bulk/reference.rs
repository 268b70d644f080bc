//! `bulkId:x` where the schema says that the id of a resource may stand: in attributes of type `reference` that may name a
//! resource, and in the `value` beside such a `$ref` (members, manager, those of extensions). In a PATCH also inside the
//! filter of a path, `members[value eq "bulkId:x"]`. Anywhere else `bulkId:x` is a text like others.

use std::collections::{BTreeMap, BTreeSet};

use provost_model::{AttributePath, AttributeType, Attributes, Filter, Mutability, Text, Value};

use super::{BulkAction, BulkMethod, PREFIX};
use crate::TypeSchema;
use crate::patch::parse_path;
use crate::schema::{Attribute, Schema, Target};

/// What a POST made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The `id`, which stands in place of a reference.
    pub id: Text,
    /// The absolute address, which does so where a URI belongs.
    pub location: Text,
}

/// The bulkIds that an operation's data refers to. It changes nothing.
pub fn references(types: &TypeSchema, action: &mut BulkAction) -> BTreeSet<Text> {
    let mut found = BTreeSet::new();
    each(types, action, &mut |id, _| {
        found.insert(id.into());
        None
    });
    found
}

/// Puts ids in place of references. What is not in `made` stays.
pub fn resolve(types: &TypeSchema, action: &mut BulkAction, made: &BTreeMap<Text, Made>) {
    each(types, action, &mut |id, is_uri| {
        let made = made.get(id)?;
        Some(if is_uri { made.location.clone() } else { made.id.clone() })
    });
}

/// Takes away every element of a list, and every single value, that holds a reference: what is left can be made before the
/// resource that is referred to. Gives what was taken, to be added when the references are known.
pub fn split_off(types: &TypeSchema, data: &mut Attributes) -> Attributes {
    let mut taken = Attributes::new();
    data.retain(|name, value| match part(types, name) {
        Some(Part::Extension(schema)) => {
            let Value::Complex(container) = value else { return true };
            let mut inner = Attributes::new();
            container.retain(|name, value| {
                schema.attribute(name).is_none_or(|attribute| keeps(attribute, name, value, &mut inner))
            });
            if !inner.is_empty() {
                taken.push(name, inner);
            }
            true
        }
        Some(Part::Attribute(attribute)) => keeps(attribute, name, value, &mut taken),
        None => true,
    });
    taken
}

/// Whether something is left of an attribute after what holds references went to `taken`.
fn keeps(attribute: &Attribute, name: &str, value: &mut Value, taken: &mut Attributes) -> bool {
    let holds = |value: &mut Value| {
        let mut found = false;
        each_value(attribute, value, &mut |_, _| {
            found = true;
            None
        });
        found
    };
    if let Value::List(list) = value {
        let gone: Vec<Value> = list.extract_if(.., |one| holds(one)).collect();
        if !gone.is_empty() {
            taken.push(name, Value::List(gone));
        }
        return true;
    }
    if holds(value) {
        taken.push(name, std::mem::take(value));
        return false;
    }
    true
}

/// Sees a bulkId, with whether a URI belongs there; gives what to put in its place.
type See<'s> = dyn FnMut(&str, bool) -> Option<Text> + 's;

fn each(types: &TypeSchema, action: &mut BulkAction, see: &mut See<'_>) {
    match action.method {
        BulkMethod::Post | BulkMethod::Put => each_attribute(types, &mut action.data, see),
        BulkMethod::Patch => {
            let Some(Value::List(operations)) = action.data.find_mut("Operations") else { return };
            for operation in operations.iter_mut() {
                if let Value::Complex(operation) = operation {
                    each_of_operation(types, operation, see);
                }
            }
        }
        BulkMethod::Delete => {}
    }
}

fn each_of_operation(types: &TypeSchema, operation: &mut Attributes, see: &mut See<'_>) {
    let path = match operation.find("path") {
        None | Some(Value::Null) => None,
        Some(Value::Text(text)) if text.trim().is_empty() => None,
        // What cannot be read is refused later, in PATCH's own words.
        Some(Value::Text(text)) => match parse_path(text) {
            Ok(path) => Some(path),
            Err(_) => return,
        },
        Some(_) => return,
    };
    let Some(mut path) = path else {
        if let Some(Value::Complex(object)) = operation.find_mut("value") {
            each_key(types, object, see);
        }
        return;
    };
    if let Some(value) = operation.find_mut("value") {
        each_at(types, &path, value, see);
    }
    let Some(Target::Attribute(place)) = types.resolve(&path) else { return };
    if let Some(filter) = &mut path.filter
        && each_in_filter(place.attribute, filter, see)
        && let Some(text) = operation.find_mut("path")
    {
        *text = Value::text(path.to_string());
    }
}

/// An object whose keys are paths.
fn each_key(types: &TypeSchema, object: &mut Attributes, see: &mut See<'_>) {
    for (key, value) in object.iter_mut() {
        if let Ok(path) = parse_path(key) {
            each_at(types, &path, value, see);
        }
    }
}

fn each_at(types: &TypeSchema, path: &AttributePath, value: &mut Value, see: &mut See<'_>) {
    match types.resolve(path) {
        Some(Target::Attribute(place)) => match place.sub {
            Some(sub) => each_of_part(place.attribute, sub, value, see),
            None => each_value(place.attribute, value, see),
        },
        Some(Target::Container(None)) => {
            if let Value::Complex(object) = value {
                each_key(types, object, see);
            }
        }
        Some(Target::Container(Some(schema))) => each_of_extension(schema, value, see),
        None => {}
    }
}

/// What a name at the top of a resource stands for.
enum Part<'t> {
    Attribute(&'t Attribute),
    Extension(&'t Schema),
}

fn part<'t>(types: &'t TypeSchema, name: &str) -> Option<Part<'t>> {
    let attribute = types.attribute(name).map(Part::Attribute);
    attribute.or_else(|| types.extension(name).map(Part::Extension))
}

fn each_attribute(types: &TypeSchema, data: &mut Attributes, see: &mut See<'_>) {
    for (name, value) in data.iter_mut() {
        match part(types, name) {
            Some(Part::Attribute(attribute)) => each_value(attribute, value, see),
            Some(Part::Extension(schema)) => each_of_extension(schema, value, see),
            None => {}
        }
    }
}

fn each_of_extension(schema: &Schema, value: &mut Value, see: &mut See<'_>) {
    let Value::Complex(container) = value else { return };
    for (name, value) in container.iter_mut() {
        // A PATCH may write the sub-attribute behind a dot.
        let (name, sub) = name.split_once('.').map_or((name, None), |(name, sub)| (name, Some(sub)));
        let Some(attribute) = schema.attribute(name) else { continue };
        match sub.map(|sub| attribute.sub_attribute(sub)) {
            Some(Some(sub)) => each_of_part(attribute, sub, value, see),
            Some(None) => {}
            None => each_value(attribute, value, see),
        }
    }
}

/// A whole attribute: all its values, or one of them. `value` may be left out around a bare one.
fn each_value(attribute: &Attribute, value: &mut Value, see: &mut See<'_>) {
    // What the service sets is not read.
    if attribute.mutability == Mutability::ReadOnly {
        return;
    }
    match value {
        Value::List(list) => list.iter_mut().for_each(|one| each_value(attribute, one, see)),
        Value::Complex(parts) => {
            for (name, value) in parts.iter_mut() {
                match attribute.sub_attribute(name) {
                    Some(sub) => each_of_part(attribute, sub, value, see),
                    None if !attribute.is_complex() && name.eq_ignore_ascii_case("value") => {
                        each_value(attribute, value, see);
                    }
                    None => {}
                }
            }
        }
        Value::Text(_) if attribute.is_complex() => {
            if let Some(sub) = attribute.sub_attribute("value") {
                each_of_part(attribute, sub, value, see);
            }
        }
        Value::Text(text) if names_resources(attribute) => replace(text, true, see),
        _ => {}
    }
}

/// A sub-attribute.
fn each_of_part(attribute: &Attribute, sub: &Attribute, value: &mut Value, see: &mut See<'_>) {
    if attribute.mutability == Mutability::ReadOnly || sub.mutability == Mutability::ReadOnly {
        return;
    }
    match value {
        Value::Text(text) if holds_id(attribute, sub) => replace(text, sub.kind == AttributeType::Reference, see),
        Value::List(list) => list.iter_mut().for_each(|one| each_of_part(attribute, sub, one, see)),
        Value::Complex(parts) => {
            if let Some(value) = parts.find_mut("value") {
                each_of_part(attribute, sub, value, see);
            }
        }
        _ => {}
    }
}

/// Whether a filter was changed.
fn each_in_filter(attribute: &Attribute, filter: &mut Filter, see: &mut See<'_>) -> bool {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => {
            parts.iter_mut().fold(false, |changed, part| each_in_filter(attribute, part, see) | changed)
        }
        Filter::Not(inner) => each_in_filter(attribute, inner, see),
        Filter::Term(term) if term.path.is_plain() => {
            let Some(sub) = attribute.sub_attribute(&term.path.name) else { return false };
            let before = term.value.clone();
            each_of_part(attribute, sub, &mut term.value, see);
            term.value != before
        }
        Filter::Term(_) | Filter::Each { .. } => false,
    }
}

fn replace(text: &mut Text, is_uri: bool, see: &mut See<'_>) {
    if let Some(id) = text.strip_prefix(PREFIX)
        && let Some(known) = see(id, is_uri)
    {
        *text = known;
    }
}

/// Whether an attribute's values are addresses of resources, at least among others.
fn names_resources(attribute: &Attribute) -> bool {
    let is_resource = |kind: &Text| !["uri", "external"].iter().any(|other| kind.eq_ignore_ascii_case(other));
    attribute.kind == AttributeType::Reference
        && (attribute.reference_types.is_empty() || attribute.reference_types.iter().any(is_resource))
}

fn holds_id(attribute: &Attribute, sub: &Attribute) -> bool {
    names_resources(sub)
        || (sub.name.eq_ignore_ascii_case("value") && attribute.sub_attribute("$ref").is_some_and(names_resources))
}
