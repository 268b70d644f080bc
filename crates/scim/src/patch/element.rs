//! Operations on multi-valued attributes: the whole list, or those elements that a value filter selects.

use std::collections::HashMap;

use provost_model::{AttributePath, Attributes, Mutability, Value};

use super::PatchOp;
use super::apply::{refuse_removal, set_parts, single};
use crate::filter::ElementFilter;
use crate::resource::value::{attribute_value, check_members, element, is_primary, keep_distinct};
use crate::schema::{Attribute, Place};
use crate::{Policy, ScimError, collate};

/// `emails`, without filter and sub-attribute.
pub(super) fn at_list(
    policy: &Policy,
    holder: &mut Attributes,
    op: PatchOp,
    attribute: &Attribute,
    value: Option<Value>,
) -> Result<(), ScimError> {
    let mut list = take(holder, attribute);
    let before = list.len();
    let original = (attribute.mutability == Mutability::Immutable && before > 0).then(|| list.clone());
    if let (PatchOp::Add | PatchOp::Replace, Some(value)) = (op, &value) {
        check_members(attribute, value)?;
    }
    match (op, value) {
        (PatchOp::Remove, None | Some(Value::Null)) => list.clear(),
        // Entra and others name the elements to remove in `value`; an empty list removes nothing.
        (PatchOp::Remove, Some(value)) => {
            let unwanted = elements(attribute, value, &Policy { unwrap: true, ..*policy })?;
            list.retain(|have| !unwanted.iter().any(|want| is_same(attribute, have, want)));
        }
        (PatchOp::Replace, Some(value)) => list = elements(attribute, value, policy)?,
        (PatchOp::Add, Some(value)) => add(policy, &mut list, attribute, elements(attribute, value, policy)?)?,
        (_, None) => {}
    }
    if before > 0 && list.is_empty() && attribute.required {
        refuse_removal(attribute, op)?;
    }
    refuse_change(attribute, original, &list)?;
    put_back(holder, attribute, list);
    Ok(())
}

/// An immutable list that had values keeps them.
fn refuse_change(attribute: &Attribute, original: Option<Vec<Value>>, list: &[Value]) -> Result<(), ScimError> {
    match original {
        Some(original) if original != list => {
            Err(ScimError::mutability(format!("{} is set and cannot change", attribute.name)))
        }
        _ => Ok(()),
    }
}

/// `emails[type eq "work"]`, `emails[type eq "work"].value`, or `emails.value` for all elements (no filter).
pub(super) fn at_elements(
    policy: &Policy,
    holder: &mut Attributes,
    op: PatchOp,
    path: &AttributePath,
    place: Place<'_>,
    filter: Option<&ElementFilter>,
    value: Option<Value>,
) -> Result<(), ScimError> {
    let attribute = place.attribute;
    let mut list = take(holder, attribute);
    let original = (attribute.mutability == Mutability::Immutable && !list.is_empty()).then(|| list.clone());
    let mut hit: Vec<usize> =
        (0..list.len()).filter(|&at| filter.is_none_or(|filter| filter.matches(&list[at]))).collect();
    let created = hit.is_empty() && op != PatchOp::Remove;
    if hit.is_empty() {
        match op {
            // What is not there is removed already.
            PatchOp::Remove => {}
            PatchOp::Add => {
                list.push(new_element(policy, path, attribute)?);
                hit.push(list.len() - 1);
            }
            PatchOp::Replace if filter.is_none() => {
                list.push(Value::Complex(Attributes::new()));
                hit.push(list.len() - 1);
            }
            PatchOp::Replace => return Err(ScimError::no_target(format!("{path} matches nothing"))),
        }
    }
    match (op, place.sub, value) {
        (PatchOp::Remove, None, _) => {
            if attribute.required && !hit.is_empty() && hit.len() == list.len() {
                refuse_removal(attribute, op)?;
            }
            let mut at = 0;
            list.retain(|_| {
                at += 1;
                hit.binary_search(&(at - 1)).is_err()
            });
        }
        (_, Some(sub), value) => {
            for &at in &hit {
                let Value::Complex(parts) = &mut list[at] else { continue };
                single(policy, parts, op, sub, value.clone()).map_err(|error| error.within(&attribute.name))?;
            }
        }
        (_, None, Some(Value::Complex(new))) if attribute.is_complex() => {
            for &at in &hit {
                let Value::Complex(parts) = &mut list[at] else { continue };
                set_parts(policy, parts, op, attribute, new.clone())?;
            }
        }
        (_, None, Some(value)) => {
            let Some(new) = first(attribute, value, policy)? else {
                put_back(holder, attribute, list);
                return Ok(());
            };
            for &at in &hit {
                match (&mut list[at], &new) {
                    (Value::Complex(parts), Value::Complex(new)) => {
                        set_parts(policy, parts, op, attribute, new.clone())?;
                    }
                    (have, new) => *have = new.clone(),
                }
            }
        }
        (_, None, None) => {}
    }
    // A created element may be primary by its filter: `emails[primary eq true].value`.
    if op != PatchOp::Remove && (created || place.sub.is_none_or(|sub| sub.name == "primary")) {
        settle_primary(&mut list, &hit, attribute)?;
    }
    list.retain(|element| !matches!(element, Value::Complex(parts) if parts.is_empty()));
    if created && let Some(new) = list.last() {
        check_members(attribute, new)?;
    }
    // What was written may have made some alike.
    if op != PatchOp::Remove {
        keep_distinct(&mut list);
    }
    refuse_change(attribute, original, &list)?;
    put_back(holder, attribute, list);
    Ok(())
}

/// At most one element is primary: those just written win over the others (RFC 7643 section 2.4).
fn settle_primary(list: &mut [Value], written: &[usize], attribute: &Attribute) -> Result<(), ScimError> {
    let winners: Vec<usize> = written.iter().copied().filter(|&at| is_primary(&list[at])).collect();
    if winners.len() > 1 {
        return Err(ScimError::invalid_value(format!("{}: more than one value is primary", attribute.name)));
    }
    let Some(&winner) = winners.first() else { return Ok(()) };
    for (at, element) in list.iter_mut().enumerate() {
        if at != winner
            && is_primary(element)
            && let Value::Complex(parts) = element
        {
            parts.set("primary", false);
        }
    }
    Ok(())
}

/// The element that an `add` creates when its filter, made of `eq` terms alone, selects none; what Entra relies on.
fn new_element(policy: &Policy, path: &AttributePath, attribute: &Attribute) -> Result<Value, ScimError> {
    if path.filter.is_none() {
        return Ok(Value::Complex(Attributes::new()));
    }
    let Some(selector) = path.selector() else {
        return Err(ScimError::no_target(format!("{path} matches nothing, and does not say what to create")));
    };
    if !attribute.is_complex() {
        let value = selector.into_iter().next().map(|(_, value)| value.clone()).unwrap_or_default();
        return Ok(element(attribute, value, policy)?.unwrap_or_default());
    }
    let mut parts = Attributes::new();
    let terms = selector.into_iter().map(|(name, value)| (name, value.clone())).collect();
    set_parts(policy, &mut parts, PatchOp::Add, attribute, terms)?;
    Ok(Value::Complex(parts))
}

fn elements(attribute: &Attribute, value: Value, policy: &Policy) -> Result<Vec<Value>, ScimError> {
    Ok(match attribute_value(attribute, value, policy)? {
        Some(Value::List(elements)) => elements,
        _ => Vec::new(),
    })
}

fn first(attribute: &Attribute, value: Value, policy: &Policy) -> Result<Option<Value>, ScimError> {
    Ok(elements(attribute, value, &Policy { unwrap: true, ..*policy })?.into_iter().next())
}

/// Appends what is not there, and completes what is (RFC 7644 section 3.5.2.1).
fn add(policy: &Policy, list: &mut Vec<Value>, attribute: &Attribute, new: Vec<Value>) -> Result<(), ScimError> {
    // Long lists are looked up by value; the comparison that decides stays `is_same`.
    let mut index: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, have) in list.iter().enumerate() {
        index.entry(key(have)).or_default().push(at);
    }
    let mut written = Vec::new();
    for value in new {
        let slot = index.entry(key(&value)).or_default();
        let Some(&at) = slot.iter().find(|&&at| is_same(attribute, &list[at], &value)) else {
            slot.push(list.len());
            if is_primary(&value) {
                written.push(list.len());
            }
            list.push(value);
            continue;
        };
        if let (Value::Complex(have), Value::Complex(mut value)) = (&mut list[at], value) {
            let settled = |name: &str| {
                let sub = attribute.sub_attribute(name);
                sub.is_some_and(|sub| sub.mutability == Mutability::Immutable && have.find(name).is_some())
            };
            value.retain(|name, _| !settled(name));
            let primary = value.find("primary").and_then(Value::as_bool) == Some(true);
            set_parts(policy, have, PatchOp::Add, attribute, value)?;
            if primary {
                written.push(at);
            }
        }
    }
    settle_primary(list, &written, attribute)
}

/// The text by which an element is found: its `value`, in lower case; the same for all elements without one.
fn key(element: &Value) -> String {
    let value = match element {
        Value::Complex(parts) => parts.find("value"),
        simple => Some(simple),
    };
    value.and_then(Value::to_text).map(|text| text.to_lowercase()).unwrap_or_default()
}

/// Whether two elements are the same one: equal `value`, and equal `type` where both have one. Elements without a value
/// are the same when all that `want` says is so.
fn is_same(attribute: &Attribute, have: &Value, want: &Value) -> bool {
    let equal = |name: &str, have: &Value, want: &Value| match (have, want) {
        (Value::Text(have), Value::Text(want)) => {
            collate::same_text(have, want, attribute.sub_attribute(name).unwrap_or(attribute).is_exact())
        }
        _ => have == want,
    };
    match (have, want) {
        (Value::Complex(have), Value::Complex(want)) => match (have.find("value"), want.find("value")) {
            (Some(one), Some(other)) => {
                let types = have.find("type").zip(want.find("type"));
                equal("value", one, other) && types.is_none_or(|(one, other)| equal("type", one, other))
            }
            (None, None) => want.iter().all(|(name, want)| have.find(name).is_some_and(|have| equal(name, have, want))),
            // A removal by type alone.
            (Some(_), None) => {
                want.iter().all(|(name, want)| have.find(name).is_some_and(|have| equal(name, have, want)))
            }
            (None, Some(_)) => false,
        },
        (have, want) => equal("", have, want),
    }
}

fn take(holder: &mut Attributes, attribute: &Attribute) -> Vec<Value> {
    match holder.find_mut(&attribute.name).map(std::mem::take) {
        Some(Value::List(list)) => list,
        None | Some(Value::Null) => Vec::new(),
        Some(single) => vec![single],
    }
}

fn put_back(holder: &mut Attributes, attribute: &Attribute, list: Vec<Value>) {
    if list.is_empty() {
        holder.remove(&attribute.name);
    } else {
        holder.set(attribute.name.clone(), list);
    }
}
