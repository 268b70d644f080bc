//! One operation on a resource: which place it names, and what may be done there.

use provost_model::{AttributePath, Attributes, Mutability, Value};

use super::{PatchOp, PatchOperation, element};
use crate::filter::ElementFilter;
use crate::resource::value::attribute_value;
use crate::schema::{Attribute, Place, Schema, Target};
use crate::{Policy, ScimError, TypeSchema};

/// Applies one operation; on an error `resource` is in an undefined state.
pub(super) fn operation(
    types: &TypeSchema,
    policy: &Policy,
    resource: &mut Attributes,
    operation: &PatchOperation,
) -> Result<(), ScimError> {
    let PatchOperation { op, path, value } = operation;
    if *op != PatchOp::Remove && value.is_none() {
        return Err(ScimError::invalid_value(format!("{} needs a value", op.as_str())));
    }
    match path {
        Some(path) => {
            let Some(target) = types.resolve(path) else {
                return Err(ScimError::invalid_path(format!("{path} is no attribute of {}", types.name())));
            };
            at_target(types, policy, resource, *op, path, target, value.clone())
        }
        None if *op == PatchOp::Remove => Err(ScimError::no_target("remove needs a path")),
        None => merge(types, policy, resource, *op, value.clone()),
    }
}

/// An object without path: each key is a path of its own. What only the service sets (`id`, `meta`, `schemas`) is passed
/// over here, since clients send back what they read.
fn merge(
    types: &TypeSchema,
    policy: &Policy,
    resource: &mut Attributes,
    op: PatchOp,
    value: Option<Value>,
) -> Result<(), ScimError> {
    let Some(Value::Complex(object)) = value else {
        return Err(ScimError::invalid_value(format!("{} without a path needs an object", op.as_str())));
    };
    for (key, value) in object {
        let path = super::parse_path(&key).ok();
        let resolved = path.as_ref().and_then(|path| Some((path, types.resolve(path)?)));
        let Some((path, target)) = resolved else {
            policy.unknown(&key)?;
            continue;
        };
        if !policy.dotted_keys
            && matches!(target, Target::Attribute(_))
            && (path.schema.is_some() || path.sub.is_some())
        {
            return Err(ScimError::invalid_path(format!("`{key}` is no attribute name: nest objects, or use a path")));
        }
        if let Target::Attribute(place) = target
            && place.extension.is_none()
            && place.attribute.mutability == Mutability::ReadOnly
            && TypeSchema::common().attribute(&place.attribute.name).is_some()
        {
            continue;
        }
        // Nothing to add.
        if op == PatchOp::Add && value.is_null() {
            continue;
        }
        at_target(types, policy, resource, op, path, target, Some(value))?;
    }
    Ok(())
}

fn at_target(
    types: &TypeSchema,
    policy: &Policy,
    resource: &mut Attributes,
    op: PatchOp,
    path: &AttributePath,
    target: Target<'_>,
    value: Option<Value>,
) -> Result<(), ScimError> {
    match target {
        Target::Container(_) if path.filter.is_some() => Err(ScimError::invalid_path(format!("{path} is a schema"))),
        Target::Container(None) if op == PatchOp::Remove => {
            Err(ScimError::no_target(format!("{path} is the resource")))
        }
        Target::Container(None) => merge(types, policy, resource, op, value),
        Target::Container(Some(schema)) => at_extension(types, policy, resource, op, schema, value),
        Target::Attribute(place) => {
            refuse_read_only(&place)?;
            match place.extension {
                Some(schema) => {
                    with_container(resource, schema, |container| at_place(policy, container, op, path, place, value))
                }
                None => at_place(policy, resource, op, path, place, value),
            }
        }
    }
}

/// Runs on the container of an extension; one that is empty afterwards goes, and its URN with it.
fn with_container(
    resource: &mut Attributes,
    schema: &Schema,
    run: impl FnOnce(&mut Attributes) -> Result<(), ScimError>,
) -> Result<(), ScimError> {
    let mut container = match resource.find_mut(&schema.id) {
        Some(Value::Complex(container)) => std::mem::take(container),
        _ => Attributes::new(),
    };
    run(&mut container)?;
    if container.is_empty() {
        resource.remove(&schema.id);
    } else {
        resource.set(schema.id.clone(), container);
    }
    Ok(())
}

/// A whole extension: each key of the object is an attribute of it; a removal takes all of them.
fn at_extension(
    types: &TypeSchema,
    policy: &Policy,
    resource: &mut Attributes,
    op: PatchOp,
    schema: &Schema,
    value: Option<Value>,
) -> Result<(), ScimError> {
    let object = match (op, value) {
        (PatchOp::Remove, _) | (PatchOp::Replace, Some(Value::Null)) => {
            let Some(Value::Complex(container)) = resource.find(&schema.id) else { return Ok(()) };
            let fixed = |attribute: &&Attribute| {
                matches!(attribute.mutability, Mutability::ReadOnly | Mutability::Immutable)
                    && container.find(&attribute.name).is_some()
            };
            if let Some(attribute) = schema.attributes.iter().find(fixed) {
                return Err(ScimError::mutability(format!("{}:{} cannot be removed", schema.id, attribute.name)));
            }
            resource.remove(&schema.id);
            return Ok(());
        }
        (_, Some(Value::Complex(object))) => object,
        (_, other) => {
            let found = other.map_or("nothing", |value| value.kind());
            return Err(ScimError::invalid_value(format!("{} has to be a complex value, found {found}", schema.id)));
        }
    };
    for (key, value) in object {
        let path = super::parse_path(&key).ok().filter(|path| path.schema.is_none());
        let path = path.map(|path| AttributePath { schema: Some(schema.id.clone()), ..path });
        match path.as_ref().and_then(|path| Some((path, types.resolve(path)?))) {
            // Nothing to add.
            Some(_) if op == PatchOp::Add && value.is_null() => {}
            Some((path, target)) => at_target(types, policy, resource, op, path, target, Some(value))?,
            None => policy.unknown(&format!("{}:{key}", schema.id))?,
        }
    }
    Ok(())
}

fn refuse_read_only(place: &Place<'_>) -> Result<(), ScimError> {
    if place.attribute.mutability == Mutability::ReadOnly || place.leaf().mutability == Mutability::ReadOnly {
        return Err(ScimError::mutability(format!("{} is readOnly", place.full_name())));
    }
    Ok(())
}

fn at_place(
    policy: &Policy,
    holder: &mut Attributes,
    op: PatchOp,
    path: &AttributePath,
    place: Place<'_>,
    value: Option<Value>,
) -> Result<(), ScimError> {
    let attribute = place.attribute;
    // Removing all elements may be done by replacing them with nothing.
    let (op, value) = match (op, value) {
        (PatchOp::Replace, Some(value)) if value.is_null() => (PatchOp::Remove, None),
        (PatchOp::Add, Some(value)) if value.is_null() => {
            return Err(ScimError::invalid_value(format!("{path}: add needs a value")));
        }
        other => other,
    };
    if let Some(filter) = &path.filter {
        if !attribute.multi_valued {
            return Err(ScimError::invalid_path(format!("{path}: {} has a single value", attribute.name)));
        }
        let filter = ElementFilter::compile(filter, attribute)?;
        return element::at_elements(policy, holder, op, path, place, Some(&filter), value);
    }
    match (attribute.multi_valued, place.sub) {
        (true, Some(_)) => element::at_elements(policy, holder, op, path, place, None, value),
        (true, None) => element::at_list(policy, holder, op, attribute, value),
        (false, Some(sub)) => {
            let mut parts = match holder.find_mut(&attribute.name) {
                Some(Value::Complex(parts)) => std::mem::take(parts),
                _ => Attributes::new(),
            };
            single(policy, &mut parts, op, sub, value).map_err(|error| error.within(&attribute.name))?;
            put_back(holder, attribute, parts);
            Ok(())
        }
        (false, None) => single(policy, holder, op, attribute, value),
    }
}

/// A single-valued attribute, or a sub-attribute of one value.
pub(super) fn single(
    policy: &Policy,
    holder: &mut Attributes,
    op: PatchOp,
    attribute: &Attribute,
    value: Option<Value>,
) -> Result<(), ScimError> {
    let normalized = match (op, value) {
        (PatchOp::Remove, _) | (_, None) => None,
        // null inside a complex value clears that part (RFC 7643 section 2.5); normalising would lose it.
        (_, Some(Value::Complex(parts))) if attribute.is_complex() => {
            return merge_parts(policy, holder, op, attribute, parts);
        }
        (_, Some(value)) => attribute_value(attribute, value, policy)?,
    };
    let Some(normalized) = normalized else { return remove(holder, attribute, op) };
    if attribute.is_complex() {
        let Value::Complex(parts) = normalized else { return Ok(()) };
        return merge_parts(policy, holder, op, attribute, parts);
    }
    let have = holder.find(&attribute.name).filter(|have| !have.is_unassigned());
    if attribute.mutability == Mutability::Immutable && have.is_some_and(|have| *have != normalized) {
        return Err(ScimError::mutability(format!("{} is set and cannot change", attribute.name)));
    }
    holder.set(attribute.name.clone(), normalized);
    Ok(())
}

/// Sets the named parts of a complex value, others stay (RFC 7644 section 3.5.2.3).
fn merge_parts(
    policy: &Policy,
    holder: &mut Attributes,
    op: PatchOp,
    attribute: &Attribute,
    new: Attributes,
) -> Result<(), ScimError> {
    let mut parts = match holder.find(&attribute.name) {
        Some(Value::Complex(parts)) => parts.clone(),
        _ => Attributes::new(),
    };
    set_parts(policy, &mut parts, op, attribute, new)?;
    if attribute.mutability == Mutability::Immutable
        && holder.find(&attribute.name).is_some_and(|have| have.as_complex() != Some(&parts))
    {
        return Err(ScimError::mutability(format!("{} is set and cannot change", attribute.name)));
    }
    put_back(holder, attribute, parts);
    Ok(())
}

/// Sets the named sub-attributes of one complex value; null takes one away, readOnly ones are passed over.
pub(super) fn set_parts(
    policy: &Policy,
    parts: &mut Attributes,
    op: PatchOp,
    attribute: &Attribute,
    new: Attributes,
) -> Result<(), ScimError> {
    for (name, value) in new {
        let Some(sub) = attribute.sub_attribute(&name) else {
            policy.unknown(&format!("{}.{name}", attribute.name))?;
            continue;
        };
        // Entra sends `"$ref": null` beside every id; null adds nothing.
        if sub.mutability == Mutability::ReadOnly
            || (value.is_null() && (op == PatchOp::Add || parts.find(&name).is_none()))
        {
            continue;
        }
        let op = if value.is_null() { PatchOp::Remove } else { PatchOp::Replace };
        single(policy, parts, op, sub, Some(value)).map_err(|error| error.within(&attribute.name))?;
    }
    Ok(())
}

fn remove(holder: &mut Attributes, attribute: &Attribute, op: PatchOp) -> Result<(), ScimError> {
    if holder.find(&attribute.name).is_none() {
        return Ok(());
    }
    refuse_removal(attribute, op)?;
    holder.remove(&attribute.name);
    Ok(())
}

/// Whether an attribute that has a value may lose it.
pub(super) fn refuse_removal(attribute: &Attribute, op: PatchOp) -> Result<(), ScimError> {
    if attribute.required {
        let detail = format!("{} is required", attribute.name);
        return Err(if op == PatchOp::Remove {
            ScimError::mutability(detail)
        } else {
            ScimError::invalid_value(detail)
        });
    }
    if attribute.mutability == Mutability::Immutable {
        return Err(ScimError::mutability(format!("{} is set and cannot change", attribute.name)));
    }
    Ok(())
}

fn put_back(holder: &mut Attributes, attribute: &Attribute, parts: Attributes) {
    if parts.is_empty() {
        holder.remove(&attribute.name);
    } else {
        holder.set(attribute.name.clone(), parts);
    }
}
