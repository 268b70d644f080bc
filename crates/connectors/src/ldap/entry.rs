//! An entry as a record.

use std::collections::BTreeSet;

use ldap3::SearchEntry;
use provost_model::{Attributes, Incomplete, Record, Text, Value};

use super::catalogue::{Attribute, Kind};
use super::names::Owners;
use super::shape::ClassShape;
use super::switch::{self, How, Switch};
use super::{range, template, value};

/// What is asked for: what the caller wants, or everything, and the id in any case.
pub fn wanted(shape: &ClassShape, attributes: Option<&[Text]>) -> Vec<String> {
    let mut wanted: Vec<String> = match attributes {
        Some(names) => {
            let can_read = |name: &&Text| shape.attribute(name).is_some_and(|about| !about.secret);
            names.iter().filter(can_read).map(ToString::to_string).collect()
        }
        None => std::iter::once("*".to_owned()).chain(shape.operational.iter().map(ToString::to_string)).collect(),
    };
    if let Some(switch) = &shape.switch {
        wanted.push(switch.attribute.to_string());
    }
    match shape.id.attribute() {
        Some(id) => wanted.push(id.to_owned()),
        None if wanted.is_empty() => wanted.push("1.1".to_owned()),
        None => {}
    }
    wanted
}

/// Whether an entry points at others.
pub fn points(entry: &SearchEntry, shape: &ClassShape) -> bool {
    let is_pointer = |name: &String| {
        shape.attribute(base_name(name)).is_some_and(|about| matches!(about.kind, Kind::Name | Kind::Key))
    };
    entry
        .attrs
        .iter()
        .any(|(name, values)| is_pointer(name) && values.iter().any(|value| !is_placeholder(value, shape)))
}

/// The names that an entry points at.
pub fn pointers(entry: &SearchEntry, shape: &ClassShape, into: &mut BTreeSet<String>) {
    for (name, values) in &entry.attrs {
        if shape.attribute(base_name(name)).is_some_and(|about| about.kind == Kind::Name) {
            into.extend(values.iter().filter(|value| !is_placeholder(value, shape)).cloned());
        }
    }
}

/// The record; none when the entry does not show its id. Who is behind a name that nobody knows stays a name.
pub fn record(entry: SearchEntry, shape: &ClassShape, owners: &Owners) -> Option<Record> {
    let id = value::id(&entry, shape.id)?;
    let mut record = Record::new(shape.class.name.clone(), id);
    record.attributes.push(value::NAME, Value::text(&entry.dn));
    match &shape.switch {
        Some(switch) if switch.is_virtual() => record.attributes.push(switch::ENABLED, switch.is_on(&entry)),
        // An account without the value is on.
        Some(Switch { attribute, how: How::Values { on, .. } }) if value::find(&entry, attribute).is_none() => {
            if let Some(about) = shape.attribute(attribute) {
                record.attributes.push(about.name.clone(), value::read(about.kind, on));
            }
        }
        _ => {}
    }
    for (name, texts) in entry.attrs {
        let (plain, range) = range::parse(&name).map_or((name.as_str(), false), |(plain, _)| (plain, true));
        let Some(about) = known(shape, plain) else { continue };
        let read = |text: &String| match about.kind {
            Kind::Name => pointer(&template::normal(text), text, owners),
            Kind::Key => match shape.key(&about.name) {
                Some(key) => pointer(&key.place(text), text, owners),
                None => Value::text(text),
            },
            kind => value::read(kind, text),
        };
        let kept = texts.iter().filter(|text| !value::is_never(about.kind, &about.name, text));
        let kept = kept.filter(|text| about.kind != Kind::Name || !is_placeholder(text, shape));
        put(&mut record.attributes, about, kept.map(read).collect());
        if range {
            let have = Some(texts.len() as u64);
            let reason = "the server gives a part of the values at a time".into();
            record.incomplete.push(Incomplete { attribute: about.name.clone(), reason, have, total: None });
        }
    }
    for (name, values) in entry.bin_attrs {
        if let Some(about) = known(shape, &name) {
            put(&mut record.attributes, about, values.iter().map(|bytes| value::read_bytes(bytes)).collect());
        }
    }
    Some(record)
}

fn known<'s>(shape: &'s ClassShape, name: &str) -> Option<&'s Attribute> {
    shape.attribute(base_name(name)).map(|about| &**about).filter(|about| !about.secret)
}

/// `userCertificate;binary` is a `userCertificate`; in another language or a part it is something else.
fn base_name(name: &str) -> &str {
    name.strip_suffix(";binary").unwrap_or(name)
}

fn put(attributes: &mut Attributes, about: &Attribute, mut values: Vec<Value>) {
    let value = match values.len() {
        0 => return,
        1 => values.remove(0),
        _ => Value::List(values),
    };
    if attributes.find(&about.name).is_none() {
        attributes.push(about.name.clone(), value);
    }
}

/// Whoever `place` has; who is nobody stays a text.
fn pointer(place: &str, name: &str, owners: &Owners) -> Value {
    match owners.get(place) {
        Some((class, id)) => Value::reference(class.clone(), id.clone()),
        None => Value::text(name),
    }
}

pub fn is_placeholder(name: &str, shape: &ClassShape) -> bool {
    template::normal(name) == shape.class.nobody
}
