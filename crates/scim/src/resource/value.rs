//! One value of one attribute: is it of the attribute's type, and what is it in the schema's spelling?
//!
//! Values themselves stay as they were sent (no trimming, no case folding); only names change, and unassigned parts go
//! (RFC 7643 sections 2.3 to 2.5).

use std::collections::HashSet;

use provost_model::{AttributeType, Attributes, Mutability, Text, Value};

use super::{Policy, Unknown};
use crate::schema::Attribute;
use crate::{ScimError, collate};

/// The value of a whole attribute. `None` when it is unassigned: null, an empty list, a complex value without content.
pub(crate) fn attribute_value(
    attribute: &Attribute,
    input: Value,
    policy: &Policy,
) -> Result<Option<Value>, ScimError> {
    match (attribute.multi_valued, input) {
        (_, Value::Null) => Ok(None),
        (true, Value::List(values)) => list(attribute, values, policy),
        (true, single) if policy.unwrap => list(attribute, vec![single], policy),
        (true, other) => Err(wrong_type(attribute, "a list", &other)),
        (false, Value::List(mut values)) if policy.unwrap && values.len() <= 1 => match values.pop() {
            Some(single) => element(attribute, single, policy),
            None => Ok(None),
        },
        (false, single) => element(attribute, single, policy),
    }
}

/// Refuses members that are named by something else than their `value`: what only the service sets of them, such as `display`,
/// is left out, and the member would go with it unsaid. An element that says nothing at all is no member.
pub(crate) fn check_members(attribute: &Attribute, input: &Value) -> Result<(), ScimError> {
    if attribute.name != "members" || !attribute.multi_valued || attribute.sub_attribute("value").is_none() {
        return Ok(());
    }
    for member in input.as_list().unwrap_or(std::slice::from_ref(input)) {
        match member {
            Value::Complex(parts) if parts.is_empty() => {}
            Value::Complex(parts) => drop(id_of_member(parts)?),
            // A bare id, where those are understood.
            Value::Text(id) if id.is_empty() => return Err(no_id()),
            _ => {}
        }
    }
    Ok(())
}

/// The id of a member.
pub(crate) fn id_of_member(member: &Attributes) -> Result<Text, ScimError> {
    // Of a name that stands there twice, the last counts, as everywhere.
    let value = member.iter().filter(|(name, _)| name.eq_ignore_ascii_case("value")).last();
    let value = value.and_then(|(_, value)| value.as_text()).filter(|value| !value.is_empty());
    value.map(Text::from).ok_or_else(no_id)
}

fn no_id() -> ScimError {
    ScimError::invalid_value("members: an element has no value")
}

/// One value of the attribute: an element of its list, or its only one.
pub(crate) fn element(attribute: &Attribute, input: Value, policy: &Policy) -> Result<Option<Value>, ScimError> {
    match (attribute.is_complex(), input) {
        (_, Value::Null) => Ok(None),
        (true, Value::Complex(parts)) => {
            let parts = complex(attribute, parts, policy)?;
            Ok((!parts.is_empty()).then_some(Value::Complex(parts)))
        }
        // A bare id where `{"value": id}` belongs, as Entra sends for `manager`.
        (true, bare) if policy.unwrap && !matches!(bare, Value::List(_)) => match attribute.sub_attribute("value") {
            Some(sub) => {
                let value = simple(sub, bare, policy)?;
                Ok(Some(Value::Complex([(sub.name.clone(), value)].into_iter().collect())))
            }
            None => Err(wrong_type(attribute, "a complex value", &bare)),
        },
        (true, other) => Err(wrong_type(attribute, "a complex value", &other)),
        // `{"value": x}` where a bare x belongs, as older Entra jobs send it.
        (false, Value::Complex(mut parts)) if policy.unwrap && parts.find("value").is_some() => {
            let bare = parts.remove("value").unwrap_or_default();
            if bare.is_null() { Ok(None) } else { simple(attribute, bare, policy).map(Some) }
        }
        (false, single) => simple(attribute, single, policy).map(Some),
    }
}

fn list(attribute: &Attribute, values: Vec<Value>, policy: &Policy) -> Result<Option<Value>, ScimError> {
    let mut seen = HashSet::new();
    let mut kept = Vec::with_capacity(values.len());
    let mut primaries = 0;
    for value in values {
        let Some(value) = element(attribute, value, policy)? else { continue };
        primaries += usize::from(is_primary(&value));
        // The same (type, value) is not kept twice (RFC 7643 section 2.4).
        if identity(&value).is_none_or(|key| seen.insert(key)) {
            kept.push(value);
        }
    }
    if primaries > 1 {
        return Err(ScimError::invalid_value(format!("{}: more than one value is primary", attribute.name)));
    }
    Ok((!kept.is_empty()).then_some(Value::List(kept)))
}

/// Leaves one element of those with the same value and type, the first (RFC 7643 section 2.4).
pub(crate) fn keep_distinct(list: &mut Vec<Value>) {
    let mut seen = HashSet::new();
    list.retain(|element| identity(element).is_none_or(|key| seen.insert(key)));
}

/// Whether an element has `primary: true`.
pub(crate) fn is_primary(element: &Value) -> bool {
    element.as_complex().and_then(|parts| parts.find("primary")).and_then(Value::as_bool) == Some(true)
}

/// What tells an element from others: its value and type. None for elements without a value (addresses).
fn identity(element: &Value) -> Option<(Text, Text)> {
    let text = |value: &Value| value.to_text().map(|text| Text::from(&*text));
    match element {
        Value::Complex(parts) => {
            let kind = parts.find("type").and_then(Value::as_text).unwrap_or_default();
            Some((text(parts.find("value")?)?, kind.to_lowercase().into()))
        }
        simple => Some((text(simple)?, Text::default())),
    }
}

fn complex(attribute: &Attribute, input: Attributes, policy: &Policy) -> Result<Attributes, ScimError> {
    let mut parts = Attributes::with_capacity(input.len());
    for (name, value) in input {
        let Some(sub) = attribute.sub_attribute(&name) else {
            policy.unknown(&format!("{}.{name}", attribute.name))?;
            continue;
        };
        if sub.mutability == Mutability::ReadOnly {
            continue;
        }
        let value = attribute_value(sub, value, policy).map_err(|error| error.within(&attribute.name))?;
        match value {
            Some(value) => parts.set(sub.name.clone(), value),
            None => drop(parts.remove(&sub.name)),
        }
    }
    Ok(parts)
}

/// A value of a simple type, checked (RFC 7643 section 2.3).
pub(crate) fn simple(attribute: &Attribute, input: Value, policy: &Policy) -> Result<Value, ScimError> {
    match (attribute.kind, input) {
        (AttributeType::String, Value::Text(text)) => Ok(Value::Text(text)),
        (AttributeType::Boolean, Value::Boolean(value)) => Ok(Value::Boolean(value)),
        (AttributeType::Boolean, Value::Text(text)) if policy.string_booleans => match boolean(&text) {
            Some(value) => Ok(Value::Boolean(value)),
            None => Err(wrong_type(attribute, "a boolean", &Value::Text(text))),
        },
        (AttributeType::Integer, Value::Integer(number)) => Ok(Value::Integer(number)),
        (AttributeType::Decimal, number @ (Value::Integer(_) | Value::Decimal(_))) => Ok(number),
        (AttributeType::DateTime, Value::Text(text)) if collate::instant(&text).is_some() => Ok(Value::Text(text)),
        (AttributeType::Binary, Value::Text(text)) if is_base64(&text) => Ok(Value::Text(text)),
        (AttributeType::Reference, Value::Text(text)) if is_uri(&text) => Ok(Value::Text(text)),
        (kind, other) => {
            let wanted = match kind {
                AttributeType::String => "a string",
                AttributeType::Boolean => "a boolean",
                AttributeType::Integer => "an integer",
                AttributeType::Decimal => "a number",
                AttributeType::DateTime => "a date and time such as 2026-01-31T09:30:00Z",
                AttributeType::Binary => "base64",
                AttributeType::Reference => "a URI",
                AttributeType::Complex => "a complex value",
            };
            Err(wrong_type(attribute, wanted, &other))
        }
    }
}

/// `True` and `False` in any letter case.
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Both alphabets of RFC 4648; the padding may be missing.
fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    padding <= 2
        && digits.len() % 4 != 1
        && (padding == 0 || text.len().is_multiple_of(4))
        && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_'))
}

/// Absolute or relative; only what no URI can hold is refused.
fn is_uri(text: &str) -> bool {
    !text.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | '\\' | '^' | '`'))
}

fn wrong_type(attribute: &Attribute, wanted: &str, found: &Value) -> ScimError {
    // The kind alone: a value may be a secret.
    ScimError::invalid_value(format!("{} has to be {wanted}, found {}", attribute.name, found.kind()))
}

impl Policy {
    /// What an unknown name is: nothing, or an error.
    pub(crate) fn unknown(&self, name: &str) -> Result<(), ScimError> {
        match self.unknown {
            Unknown::Ignore => Ok(()),
            Unknown::Refuse => Err(ScimError::invalid_syntax(format!("{name} is in no schema of the resource"))),
        }
    }
}
