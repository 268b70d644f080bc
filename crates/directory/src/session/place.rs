//! Where a change of the engine lands in a resource, resolved by the schema once per path, and how values are put there.
//!
//! Names get the schema's spelling and values are checked against the attribute's type. A path with a selector
//! (`emails[type eq "work"].value`) makes the element it selects; clearing the value takes the element away again.

use provost_model::{AttributePath, AttributeType, Attributes, ChangeOp, Mutability, Text, Value};
use provost_scim::collate;
use provost_scim::filter::ElementFilter;
use provost_scim::schema::{Attribute, Target};

use crate::DirectoryError;
use crate::kind::Kind;

/// What a path means on this side.
#[derive(Debug)]
pub(super) enum Place {
    Manager,
    Members,
    Attribute(Box<Leaf>),
}

/// An attribute, or a sub-attribute of it, in a resource.
#[derive(Debug)]
pub(super) struct Leaf {
    /// As it was written, for errors.
    path: Text,
    extension: Option<Text>,
    attribute: Attribute,
    sub: Option<Attribute>,
    selector: Option<Selector>,
}

/// The brackets of a path.
#[derive(Debug)]
struct Selector {
    filter: ElementFilter,
    /// The sub-attributes of the element to make when none is selected.
    parts: Option<Attributes>,
}

impl Place {
    pub fn resolve(kind: &Kind, path: &AttributePath) -> Result<Self, DirectoryError> {
        let refuse = |reason: String| Err(DirectoryError::invalid(path.to_string(), reason));
        let place = match kind.types.resolve(path) {
            Some(Target::Attribute(place)) => place,
            Some(Target::Container(_)) => return refuse("names a schema, not an attribute".to_owned()),
            None => return refuse(format!("{} has no such attribute", kind.name)),
        };
        let is_id = path.filter.is_none() && place.sub.is_none_or(|sub| sub.name == "value");
        match (place.extension, place.attribute.name.as_str()) {
            (Some(_), "manager") if kind.has_manager && is_id => return Ok(Place::Manager),
            (None, "members") if kind.has_members && is_id => return Ok(Place::Members),
            (None, "members") if kind.has_members => {
                return refuse("members are added and removed by their ids".to_owned());
            }
            _ => {}
        }
        if place.attribute.is_secret() {
            return refuse("is not kept by the directory".to_owned());
        }
        let selector = match &path.filter {
            None => None,
            Some(_) if !place.attribute.multi_valued => return refuse("has a single value".to_owned()),
            Some(filter) => {
                let parts = path.selector().map(|terms| {
                    let spelled = |name: &str| {
                        place.attribute.sub_attribute(name).map_or_else(|| Text::from(name), |sub| sub.name.clone())
                    };
                    terms.into_iter().map(|(name, value)| (spelled(name), value.clone())).collect()
                });
                Some(Selector { filter: ElementFilter::compile(filter, place.attribute)?, parts })
            }
        };
        Ok(Place::Attribute(Box::new(Leaf {
            path: path.to_string().into(),
            extension: place.extension.map(|schema| schema.id.clone()),
            attribute: place.attribute.clone(),
            sub: place.sub.cloned(),
            selector,
        })))
    }
}

impl Leaf {
    /// The attribute whose type values have.
    pub fn target(&self) -> &Attribute {
        let value = || self.attribute.sub_attribute("value").filter(|_| self.attribute.multi_valued);
        self.sub.as_ref().or_else(value).unwrap_or(&self.attribute)
    }

    /// Refuses what only the directory sets.
    pub fn check_writable(&self) -> Result<(), DirectoryError> {
        let leaf = self.sub.as_ref().unwrap_or(&self.attribute);
        if self.attribute.mutability == Mutability::ReadOnly || leaf.mutability == Mutability::ReadOnly {
            return Err(DirectoryError::invalid(self.path.clone(), "is set by the directory alone"));
        }
        Ok(())
    }

    /// Whether a value here is a list.
    fn is_list(&self) -> bool {
        self.attribute.multi_valued && self.sub.is_none() && self.selector.is_none()
    }

    /// The value as it is stored: checked, a list where a list belongs, [`Value::Null`] for nothing.
    pub fn conform(&self, value: Value) -> Result<Value, DirectoryError> {
        let attribute = self.sub.as_ref().unwrap_or(&self.attribute);
        let refuse = |reason| DirectoryError::Invalid { path: self.path.clone(), reason };
        if !self.is_list() {
            return match value {
                Value::List(mut list) if list.len() < 2 => conform_one(attribute, list.pop().unwrap_or_default()),
                other => conform_one(attribute, other),
            }
            .map_err(refuse);
        }
        conform_list(attribute, value).map_err(refuse)
    }

    /// All values at this place.
    pub fn values<'a>(&self, attributes: &'a Attributes) -> Vec<&'a Value> {
        let holder = match &self.extension {
            Some(urn) => attributes.find(urn).and_then(Value::as_complex),
            None => Some(attributes),
        };
        let elements = match holder.and_then(|holder| holder.find(&self.attribute.name)) {
            Some(Value::List(list)) => list.as_slice(),
            Some(single) => std::slice::from_ref(single),
            None => &[],
        };
        let selected =
            elements.iter().filter(|element| self.selector.as_ref().is_none_or(|s| s.filter.matches(element)));
        let sub = self.sub.as_ref().map_or("value", |sub| sub.name.as_str());
        selected
            .filter_map(|element| match element {
                Value::Complex(parts) => parts.find(sub),
                simple => Some(simple),
            })
            .collect()
    }

    /// Makes a change with a value that went through [`conform`](Self::conform).
    pub fn change(&self, attributes: &mut Attributes, op: ChangeOp, value: Value) -> Result<(), DirectoryError> {
        let Some(urn) = &self.extension else { return self.change_in(attributes, op, value) };
        let container = attributes.entry(urn, || Value::Complex(Attributes::new()));
        if !matches!(container, Value::Complex(_)) {
            *container = Value::Complex(Attributes::new());
        }
        let Value::Complex(parts) = container else { return Ok(()) };
        let changed = self.change_in(parts, op, value);
        if parts.is_empty() {
            attributes.remove(urn);
        }
        changed
    }

    fn change_in(&self, holder: &mut Attributes, op: ChangeOp, value: Value) -> Result<(), DirectoryError> {
        let name = &self.attribute.name;
        if !self.attribute.multi_valued {
            return match &self.sub {
                None => self.put(holder, &self.attribute, op, value),
                Some(sub) => {
                    let mut parts = match holder.remove_complex(name) {
                        Some(parts) => parts,
                        None if value.is_null() => return Ok(()),
                        None => Attributes::new(),
                    };
                    let changed = self.put(&mut parts, sub, op, value);
                    put_back(holder, name, Value::Complex(parts));
                    changed
                }
            };
        }
        let mut list = holder.remove_list(name);
        match &self.selector {
            None if self.sub.is_none() => change_list(&self.attribute, &mut list, op, value),
            _ => self.change_elements(&mut list, op, value)?,
        }
        put_back(holder, name, Value::List(list));
        Ok(())
    }

    /// One value in its holder.
    fn put(
        &self,
        holder: &mut Attributes,
        attribute: &Attribute,
        op: ChangeOp,
        value: Value,
    ) -> Result<(), DirectoryError> {
        let have = holder.find(&attribute.name);
        let value = match op {
            ChangeOp::Remove if have.is_some_and(|have| is_same(attribute, have, &value)) => Value::Null,
            ChangeOp::Remove => return Ok(()),
            ChangeOp::Unset => Value::Null,
            ChangeOp::Set | ChangeOp::Add => value,
        };
        if attribute.mutability == Mutability::Immutable && have.is_some_and(|have| *have != value) {
            return Err(DirectoryError::invalid(self.path.clone(), "is set and cannot change"));
        }
        if value.is_null() {
            holder.remove(&attribute.name);
        } else {
            holder.set(attribute.name.clone(), value);
        }
        Ok(())
    }

    /// Elements that the selector selects; without one the first element, as there is nothing that says which.
    fn change_elements(&self, list: &mut Vec<Value>, op: ChangeOp, value: Value) -> Result<(), DirectoryError> {
        let clears = op == ChangeOp::Unset || value.is_null();
        let mut hits: Vec<usize> = match &self.selector {
            Some(selector) => (0..list.len()).filter(|&at| selector.filter.matches(&list[at])).collect(),
            None if clears => (0..list.len()).collect(),
            None => (0..list.len()).take(1).collect(),
        };
        if hits.is_empty() {
            if clears || op == ChangeOp::Remove {
                return Ok(());
            }
            let parts = match &self.selector {
                None => Attributes::new(),
                Some(Selector { parts: Some(parts), .. }) => parts.clone(),
                Some(_) => {
                    let reason = "selects no element, and does not say which one to make";
                    return Err(DirectoryError::invalid(self.path.clone(), reason));
                }
            };
            list.push(Value::Complex(parts));
            hits.push(list.len() - 1);
        }
        let mut empty = Vec::new();
        for &at in &hits {
            let Value::Complex(parts) = &mut list[at] else {
                list[at] = value.clone();
                continue;
            };
            match (&self.sub, &value) {
                (Some(sub), _) => self.put(parts, sub, op, value.clone())?,
                (None, Value::Complex(new)) if op != ChangeOp::Remove => {
                    new.iter().for_each(|(name, value)| parts.set(name, value.clone()));
                }
                (None, _) => *parts = Attributes::new(),
            }
            let made = self.selector.as_ref().and_then(|selector| selector.parts.as_ref());
            // What only says which element it was is no content.
            let selecting =
                |name: &str| matches!(name, "type" | "primary") || made.is_some_and(|parts| parts.find(name).is_some());
            if (clears || op == ChangeOp::Remove) && parts.iter().all(|(name, _)| selecting(name)) {
                empty.push(at);
            }
        }
        if !clears {
            settle_primary(list, hits[hits.len() - 1]);
        }
        for at in empty.into_iter().rev() {
            list.remove(at);
        }
        Ok(())
    }
}

/// At most one element is primary: the one just written (RFC 7643 section 2.4).
fn settle_primary(list: &mut [Value], written: usize) {
    if !is_primary(&list[written]) {
        return;
    }
    for (at, element) in list.iter_mut().enumerate() {
        if let Value::Complex(parts) = element
            && at != written
            && parts.find("primary").is_some()
        {
            parts.set("primary", false);
        }
    }
}

fn is_primary(element: &Value) -> bool {
    element.as_complex().and_then(|parts| parts.find("primary")) == Some(&Value::Boolean(true))
}

fn change_list(attribute: &Attribute, list: &mut Vec<Value>, op: ChangeOp, value: Value) {
    let values = match value {
        Value::List(values) => values,
        _ => Vec::new(),
    };
    match op {
        ChangeOp::Unset => list.clear(),
        ChangeOp::Set => *list = values,
        ChangeOp::Remove => list.retain(|have| !values.iter().any(|value| is_same(attribute, have, value))),
        ChangeOp::Add => {
            for value in values {
                if !list.iter().any(|have| is_same(attribute, have, &value)) {
                    let at = list.len();
                    list.push(value);
                    settle_primary(list, at);
                }
            }
        }
    }
}

/// Whether two values of an attribute are the same one: equal, or elements with equal `value` and, where both have one,
/// `type`.
fn is_same(attribute: &Attribute, have: &Value, want: &Value) -> bool {
    let equal = |name: &str, one: &Value, other: &Value| match (one, other) {
        (Value::Text(one), Value::Text(other)) => {
            collate::same_text(one, other, attribute.sub_attribute(name).unwrap_or(attribute).is_exact())
        }
        _ => one == other,
    };
    match (have, want) {
        (Value::Complex(have), Value::Complex(want)) => match (have.find("value"), want.find("value")) {
            (Some(one), Some(other)) => {
                let types = have.find("type").zip(want.find("type"));
                equal("value", one, other) && types.is_none_or(|(one, other)| equal("type", one, other))
            }
            _ => have == want,
        },
        _ => equal("", have, want),
    }
}

fn put_back(holder: &mut Attributes, name: &Text, value: Value) {
    if !value.is_unassigned() {
        holder.set(name.clone(), value);
    }
}

/// Takes a value out to work on it.
trait TakeOut {
    fn remove_complex(&mut self, name: &str) -> Option<Attributes>;
    fn remove_list(&mut self, name: &str) -> Vec<Value>;
}

impl TakeOut for Attributes {
    fn remove_complex(&mut self, name: &str) -> Option<Attributes> {
        match self.remove(name)? {
            Value::Complex(parts) => Some(parts),
            _ => None,
        }
    }

    fn remove_list(&mut self, name: &str) -> Vec<Value> {
        match self.remove(name) {
            Some(Value::List(list)) => list,
            None | Some(Value::Null) => Vec::new(),
            Some(single) => vec![single],
        }
    }
}

fn conform_list(attribute: &Attribute, value: Value) -> Result<Value, String> {
    let list = match value {
        Value::Null => return Ok(Value::Null),
        Value::List(list) => list,
        single => vec![single],
    };
    let mut kept = Vec::with_capacity(list.len());
    for value in list {
        match conform_one(attribute, value)? {
            Value::Null => {}
            value => kept.push(value),
        }
    }
    if kept.iter().filter(|element| is_primary(element)).count() > 1 {
        return Err("more than one value is primary".to_owned());
    }
    Ok(if kept.is_empty() { Value::Null } else { Value::List(kept) })
}

fn conform_one(attribute: &Attribute, value: Value) -> Result<Value, String> {
    match (attribute.kind, value) {
        (_, Value::Null) => Ok(Value::Null),
        (AttributeType::Complex, Value::Complex(parts)) => {
            let mut kept = Attributes::with_capacity(parts.len());
            for (name, value) in parts {
                let Some(sub) = attribute.sub_attribute(&name) else {
                    return Err(format!("{} has no sub-attribute `{name}`", attribute.name));
                };
                let conform = if sub.multi_valued { conform_list } else { conform_one };
                match conform(sub, value).map_err(|reason| format!("{}: {reason}", sub.name))? {
                    Value::Null => {}
                    value => kept.set(sub.name.clone(), value),
                }
            }
            Ok(if kept.is_empty() { Value::Null } else { Value::Complex(kept) })
        }
        // A bare value where `{"value": …}` belongs.
        (AttributeType::Complex, bare) => match attribute.sub_attribute("value") {
            Some(sub) if attribute.multi_valued && !matches!(bare, Value::List(_)) => {
                let value = conform_one(sub, bare)?;
                Ok(Value::Complex([(sub.name.clone(), value)].into_iter().collect()))
            }
            _ => Err(wrong_type("a complex value", &bare)),
        },
        (AttributeType::String | AttributeType::Binary, Value::Text(text)) => Ok(Value::Text(text)),
        (AttributeType::Reference, Value::Text(text)) if !text.contains(char::is_whitespace) => Ok(Value::Text(text)),
        (AttributeType::DateTime, Value::Text(text)) if collate::instant(&text).is_some() => Ok(Value::Text(text)),
        (AttributeType::Boolean, Value::Boolean(flag)) => Ok(Value::Boolean(flag)),
        // How the mapping language prints booleans.
        (AttributeType::Boolean, Value::Text(text)) if text.eq_ignore_ascii_case("true") => Ok(Value::Boolean(true)),
        (AttributeType::Boolean, Value::Text(text)) if text.eq_ignore_ascii_case("false") => Ok(Value::Boolean(false)),
        (AttributeType::Integer, Value::Integer(number)) => Ok(Value::Integer(number)),
        (AttributeType::Decimal, number @ (Value::Integer(_) | Value::Decimal(_))) => Ok(number),
        (kind, other) => Err(wrong_type(
            match kind {
                AttributeType::String => "a text",
                AttributeType::Boolean => "a boolean",
                AttributeType::Integer => "an integer",
                AttributeType::Decimal => "a number",
                AttributeType::DateTime => "a date and time such as 2026-01-31T09:30:00Z",
                AttributeType::Binary => "base64",
                AttributeType::Reference => "a URI",
                AttributeType::Complex => "a complex value",
            },
            &other,
        )),
    }
}

/// The kind alone: a value may be a secret.
fn wrong_type(wanted: &str, found: &Value) -> String {
    format!("has to be {wanted}, found {}", found.kind())
}
