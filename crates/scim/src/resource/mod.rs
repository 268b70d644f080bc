//! A resource on its way in and out: validation against its schema, and what of it is shown.
//!
//! A stored resource is [`Attributes`] in the schema's spelling: core attributes, `externalId`, one complex value per
//! extension, plus what the service sets (`id`, `meta`, readOnly attributes). It has no `schemas`: that is computed from
//! the containers on the way out ([`View::present`]).

mod partial;
mod projection;
pub(crate) mod value;

use provost_model::{Attributes, Mutability, Value};

pub use partial::{merge, partial};
pub use projection::{Projection, View};

use crate::schema::{Attribute, Schema};
use crate::{ScimError, TypeSchema};

/// What is done about attributes that no schema knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unknown {
    /// They are left out, as RFC 7644 section 3.3 advises.
    #[default]
    Ignore,
    /// 400 `invalidSyntax`.
    Refuse,
}

/// How lenient input is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// What is done about unknown attributes.
    pub unknown: Unknown,
    /// `"True"` and `"False"` are booleans where a boolean belongs, as Entra sends them.
    pub string_booleans: bool,
    /// A list of one is its element where a single value belongs, an element is a list of one, a bare value is
    /// `{"value": …}` and the other way round: what clients send in PATCH.
    pub unwrap: bool,
    /// `op` in any letter case, as Entra sends `Replace`. (RFC 7644's own grammar has them in lower case.)
    pub any_op_case: bool,
    /// Objects without path may have keys with dots and URNs, `name.givenName`, as Entra and its validator send them.
    pub dotted_keys: bool,
    /// A `remove` may name what goes by its `value` instead of a filter, as Entra and authentik send it.
    pub remove_by_value: bool,
    /// `schemas` may name the core schema as SCIM 1 called it, `urn:scim:schemas:core:1.0`, as OneLogin does.
    pub old_urns: bool,
}

impl Default for Policy {
    /// For POST and PUT.
    fn default() -> Self {
        Self {
            unknown: Unknown::Ignore,
            string_booleans: true,
            unwrap: false,
            any_op_case: true,
            dotted_keys: true,
            remove_by_value: true,
            old_urns: true,
        }
    }
}

impl Policy {
    /// For PATCH: whatever can be understood is accepted.
    pub fn patch() -> Self {
        Self { unwrap: true, ..Self::default() }
    }

    /// The letter of the RFCs: unknown attributes are left out, everything else has to be as it is written there.
    pub fn strict() -> Self {
        Self {
            string_booleans: false,
            unwrap: false,
            any_op_case: false,
            dotted_keys: false,
            remove_by_value: false,
            old_urns: false,
            ..Self::default()
        }
    }
}

/// Which request a resource came with.
#[derive(Debug, Clone, Copy)]
pub enum Write<'a> {
    /// POST (RFC 7644 section 3.3).
    Create,
    /// PUT over this stored resource (RFC 7644 section 3.5.1).
    Replace(&'a Attributes),
}

/// The resource to store out of a request body.
///
/// Names get the schema's spelling, types are checked, unassigned attributes go, required ones must be there (400
/// `invalidValue`). `id`, `meta` and everything readOnly is ignored; a replace keeps what the stored resource has of it, and
/// its write-only secrets unless the body sets them. An immutable attribute that is set must be repeated (400
/// `mutability`). The body must name the core schema in `schemas` (400 `invalidSyntax`); unknown URNs there do not matter.
pub fn normalize(
    types: &TypeSchema,
    input: Attributes,
    write: Write<'_>,
    policy: &Policy,
) -> Result<Attributes, ScimError> {
    check_schemas(types, &input, policy)?;
    let mut resource = Attributes::with_capacity(input.len() + 2);
    for (name, value) in input {
        if let Some(attribute) = types.attribute(&name) {
            take(&mut resource, attribute, value, policy)?;
        } else if let Some(schema) = types.extension(&name) {
            if let Some(container) = container(schema, value, policy)? {
                resource.set(schema.id.clone(), container);
            }
        } else {
            policy.unknown(&name)?;
        }
    }
    if let Write::Replace(current) = write {
        keep(types, current, &mut resource)?;
    }
    match missing(types, &resource).into_iter().next() {
        Some(name) => Err(ScimError::invalid_value(format!("{name} is required"))),
        None => Ok(resource),
    }
}

fn check_schemas(types: &TypeSchema, input: &Attributes, policy: &Policy) -> Result<(), ScimError> {
    let named = match input.find("schemas") {
        Some(Value::List(urns)) if !urns.is_empty() => urns,
        _ => return Err(ScimError::invalid_syntax("schemas is missing: a resource names its schemas in a list")),
    };
    let is_old = |urn: &str| policy.old_urns && urn.to_ascii_lowercase().starts_with("urn:scim:schemas:core:");
    let is_core = |urn: &str| types.core.is(urn) || is_old(urn);
    if named.iter().filter_map(Value::as_text).any(is_core) {
        return Ok(());
    }
    Err(ScimError::invalid_syntax(format!("schemas does not hold {}", types.core.id)))
}

fn take(into: &mut Attributes, attribute: &Attribute, value: Value, policy: &Policy) -> Result<(), ScimError> {
    if attribute.mutability == Mutability::ReadOnly {
        return Ok(());
    }
    value::check_members(attribute, &value)?;
    match value::attribute_value(attribute, value, policy)? {
        Some(value) => into.set(attribute.name.clone(), value),
        None => drop(into.remove(&attribute.name)),
    }
    Ok(())
}

fn container(schema: &Schema, value: Value, policy: &Policy) -> Result<Option<Value>, ScimError> {
    let input = match value {
        Value::Null => return Ok(None),
        Value::Complex(input) => input,
        other => {
            let found = other.kind();
            return Err(ScimError::invalid_value(format!("{} has to be a complex value, found {found}", schema.id)));
        }
    };
    let mut container = Attributes::with_capacity(input.len());
    for (name, value) in input {
        match schema.attribute(&name) {
            Some(attribute) => {
                take(&mut container, attribute, value, policy).map_err(|error| error.within(&schema.id))?;
            }
            None => policy.unknown(&format!("{}:{name}", schema.id))?,
        }
    }
    Ok((!container.is_empty()).then_some(Value::Complex(container)))
}

/// Carries over what a PUT does not replace, and refuses changes of what is immutable.
fn keep(types: &TypeSchema, current: &Attributes, new: &mut Attributes) -> Result<(), ScimError> {
    keep_in(&TypeSchema::common().attributes, current, new)?;
    keep_in(&types.core.attributes, current, new)?;
    for extension in &types.extensions {
        let urn = &extension.schema.id;
        let Some(Value::Complex(current)) = current.find(urn) else { continue };
        let mut container = match new.remove(urn) {
            Some(Value::Complex(container)) => container,
            _ => Attributes::new(),
        };
        keep_in(&extension.schema.attributes, current, &mut container).map_err(|error| error.within(urn))?;
        if !container.is_empty() {
            new.set(urn.clone(), container);
        }
    }
    Ok(())
}

fn keep_in(attributes: &[Attribute], current: &Attributes, new: &mut Attributes) -> Result<(), ScimError> {
    for attribute in attributes {
        let Some(have) = current.find(&attribute.name).filter(|have| !have.is_null()) else { continue };
        match attribute.mutability {
            Mutability::ReadOnly => new.set(attribute.name.clone(), have.clone()),
            Mutability::WriteOnly if new.find(&attribute.name).is_none() => {
                new.set(attribute.name.clone(), have.clone())
            }
            Mutability::Immutable if !new.find(&attribute.name).is_some_and(|new| is_same(new, have)) => {
                return Err(ScimError::mutability(format!("{} is set and cannot change", attribute.name)));
            }
            Mutability::Immutable => new.set(attribute.name.clone(), have.clone()),
            _ if attribute.is_complex() && !attribute.multi_valued => {
                if let (Value::Complex(have), Some(Value::Complex(parts))) = (have, new.find_mut(&attribute.name)) {
                    keep_in(&attribute.sub_attributes, have, parts).map_err(|error| error.within(&attribute.name))?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether an immutable value is repeated. Its `$ref` says nothing that its `value` does not, and may be left out.
fn is_same(new: &Value, have: &Value) -> bool {
    let without = |parts: &Attributes| -> Attributes {
        parts.iter().filter(|(name, _)| *name != "$ref").map(|(name, value)| (name, value.clone())).collect()
    };
    match (new, have) {
        (Value::Complex(new), Value::Complex(have)) => new == have || without(new) == without(have),
        (new, have) => new == have,
    }
}

/// The required attributes that a resource lacks, by their full names. What only the service can set is not asked for;
/// an attribute of an extension counts when the extension is required or present (RFC 7643 sections 2.2, 6).
pub fn missing(types: &TypeSchema, resource: &Attributes) -> Vec<String> {
    let mut names = Vec::new();
    missing_in(&types.core.attributes, resource, "", &mut names);
    for extension in &types.extensions {
        match resource.find(&extension.schema.id) {
            Some(Value::Complex(container)) => {
                missing_in(&extension.schema.attributes, container, &format!("{}:", extension.schema.id), &mut names);
            }
            _ if extension.required => names.push(extension.schema.id.to_string()),
            _ => {}
        }
    }
    names
}

fn missing_in(attributes: &[Attribute], parts: &Attributes, prefix: &str, names: &mut Vec<String>) {
    for attribute in attributes {
        let value = parts.find(&attribute.name).filter(|value| !value.is_unassigned());
        if attribute.required && attribute.mutability != Mutability::ReadOnly && value.is_none() {
            names.push(format!("{prefix}{}", attribute.name));
        }
        if !attribute.sub_attributes.iter().any(|sub| sub.required) {
            continue;
        }
        let prefix = format!("{prefix}{}.", attribute.name);
        let elements = match value {
            Some(Value::List(elements)) => elements.as_slice(),
            Some(single) => std::slice::from_ref(single),
            None => &[],
        };
        for element in elements.iter().filter_map(Value::as_complex) {
            missing_in(&attribute.sub_attributes, element, &prefix, names);
        }
    }
}

#[cfg(test)]
mod tests;
