//! `bulkId:x` wherever the id of a resource may stand: the values of `value` and of simple attributes, in the data and in the
//! values of a PATCH, and inside the filter of a PATCH's path (`members[value eq "bulkId:x"]`).

use std::collections::BTreeMap;

use provost_model::{Attributes, Text, Value};

use super::PREFIX;

/// The bulkIds that some data refers to, each once.
pub fn references(data: &Attributes) -> Vec<Text> {
    let mut found = Vec::new();
    each_text(data, &mut |text| {
        for id in ids_in(text) {
            if !found.iter().any(|have: &Text| have == id) {
                found.push(id.into());
            }
        }
    });
    found
}

/// Puts ids in place of references. What is not in `ids` stays.
pub fn resolve(data: &mut Attributes, ids: &BTreeMap<Text, Text>) {
    change_texts(data, &mut |text| {
        if let Some(id) = text.strip_prefix(PREFIX) {
            return ids.get(id).cloned();
        }
        let mut changed = None;
        for id in ids_in(text) {
            if let Some(known) = ids.get(id) {
                let whole = changed.as_deref().unwrap_or(text);
                changed = Some(whole.replace(&format!("\"{PREFIX}{id}\""), &format!("\"{known}\"")));
            }
        }
        changed.map(Text::from)
    });
}

/// Takes away every value that is a reference, with the element that holds it: what is left can be created before the
/// resource that is referred to.
pub fn strip(data: &mut Attributes) {
    data.retain(|_, value| {
        strip_value(value);
        !is_reference(value)
    });
}

/// What [`strip`] takes away, and nothing else: to be added when the references are known.
pub fn stripped(data: &Attributes) -> Attributes {
    let mut rest = Attributes::new();
    for (name, value) in data.iter() {
        match value {
            Value::List(list) => {
                let kept: Vec<Value> = list.iter().filter(|element| is_reference(element)).cloned().collect();
                if !kept.is_empty() {
                    rest.push(name, kept);
                }
            }
            Value::Complex(parts) if !is_reference_holder(parts) => {
                let inner = stripped(parts);
                if !inner.is_empty() {
                    rest.push(name, inner);
                }
            }
            value if is_reference(value) => rest.push(name, value.clone()),
            _ => {}
        }
    }
    rest
}

fn strip_value(value: &mut Value) {
    match value {
        Value::List(list) => {
            list.retain(|element| !is_reference(element));
            list.iter_mut().for_each(strip_value);
        }
        Value::Complex(parts) if !is_reference_holder(parts) => strip(parts),
        _ => {}
    }
}

fn is_reference(value: &Value) -> bool {
    match value {
        Value::Text(text) => text.starts_with(PREFIX),
        Value::Complex(parts) => is_reference_holder(parts),
        _ => false,
    }
}

fn is_reference_holder(parts: &Attributes) -> bool {
    parts.find("value").and_then(Value::as_text).is_some_and(|text| text.starts_with(PREFIX))
}

/// The ids in a text that is a reference, or that holds some in quotes.
fn ids_in(text: &str) -> impl Iterator<Item = &str> {
    let whole = text.strip_prefix(PREFIX);
    let quoted =
        whole.is_none().then(|| text.split('"').skip(1).step_by(2).filter_map(|quoted| quoted.strip_prefix(PREFIX)));
    whole.into_iter().chain(quoted.into_iter().flatten())
}

fn each_text(data: &Attributes, see: &mut dyn FnMut(&str)) {
    fn each(value: &Value, see: &mut dyn FnMut(&str)) {
        match value {
            Value::Text(text) => see(text),
            Value::List(list) => list.iter().for_each(|element| each(element, see)),
            Value::Complex(parts) => each_text(parts, see),
            _ => {}
        }
    }
    data.iter().for_each(|(_, value)| each(value, see));
}

fn change_texts(data: &mut Attributes, change: &mut dyn FnMut(&str) -> Option<Text>) {
    fn each(value: &mut Value, change: &mut dyn FnMut(&str) -> Option<Text>) {
        match value {
            Value::Text(text) => {
                if let Some(other) = change(text) {
                    *text = other;
                }
            }
            Value::List(list) => list.iter_mut().for_each(|element| each(element, change)),
            Value::Complex(parts) => change_texts(parts, change),
            _ => {}
        }
    }
    data.iter_mut().for_each(|(_, value)| each(value, change));
}
