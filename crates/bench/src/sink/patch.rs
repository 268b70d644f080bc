//! PATCH on a value tree (RFC 7644 §3.5.2), lenient where real clients are: operations in any case, no path with an
//! object of paths, a condition that selects nothing creates the element, null removes. Members of groups are not here
//! but in `table`, which keeps them as a map because there may be many.

use serde_json::{Map, Value};

use super::path::{self, Path, holds, spelled};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Add,
    Replace,
    Remove,
}

#[derive(Debug, Clone)]
pub struct Step {
    pub verb: Verb,
    pub path: Path,
    pub value: Value,
}

/// The steps of a PATCH body, with operations without path taken apart into one step an attribute.
pub fn steps(body: &[u8]) -> Result<Vec<Step>, String> {
    let body: Value = serde_json::from_slice(body).map_err(|e| format!("body is no JSON: {e}"))?;
    let operations = body.get("Operations").and_then(Value::as_array).ok_or("Operations is missing")?;
    let mut steps = Vec::with_capacity(operations.len());
    for operation in operations {
        let verb = match operation.get("op").and_then(Value::as_str).map(str::to_ascii_lowercase).as_deref() {
            Some("add") => Verb::Add,
            Some("replace") => Verb::Replace,
            Some("remove") => Verb::Remove,
            other => return Err(format!("unknown op {other:?}")),
        };
        let value = operation.get("value").cloned().unwrap_or(Value::Null);
        let parse = |text: &str| path::parse(text).ok_or_else(|| format!("path {text:?} is not understood"));
        match (operation.get("path").and_then(Value::as_str), value) {
            (Some(text), value) => steps.push(Step { verb, path: parse(text)?, value }),
            (None, Value::Object(map)) if verb != Verb::Remove => {
                for (name, value) in map {
                    steps.push(Step { verb, path: parse(&name)?, value });
                }
            }
            (None, _) => return Err("an operation needs a path or an object as value".to_owned()),
        }
    }
    Ok(steps)
}

/// Carries out one step.
pub fn apply(resource: &mut Map<String, Value>, step: Step) {
    let Step { verb, path, value } = step;
    let verb = if value.is_null() { Verb::Remove } else { verb };
    let Some(urn) = &path.urn else {
        return apply_in(resource, verb, &path, value);
    };
    let key = spelled(resource, urn);
    if path.attribute.is_none() {
        return set(resource, &key, verb, value);
    }
    let extension = resource.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()));
    if let Some(map) = extension.as_object_mut() {
        apply_in(map, verb, &path, value);
        if map.is_empty() {
            resource.remove(&key);
        }
    }
}

fn apply_in(map: &mut Map<String, Value>, verb: Verb, path: &Path, value: Value) {
    let Some(attribute) = &path.attribute else { return };
    let key = spelled(map, attribute);
    if !path.conditions.is_empty() {
        return selected(map, &key, verb, path, value);
    }
    let Some(sub) = &path.sub else {
        return set(map, &key, verb, value);
    };
    if verb != Verb::Remove {
        map.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()));
    }
    let mut emptied = false;
    match map.get_mut(&key) {
        Some(Value::Object(inner)) => {
            set(inner, &spelled(inner, sub), verb, value);
            emptied = inner.is_empty();
        }
        Some(Value::Array(elements)) => {
            for inner in elements.iter_mut().filter_map(Value::as_object_mut) {
                set(inner, &spelled(inner, sub), verb, value.clone());
            }
        }
        _ => {}
    }
    if emptied {
        map.remove(&key);
    }
}

/// `attribute[conditions]` with or without a sub-attribute.
fn selected(map: &mut Map<String, Value>, key: &str, verb: Verb, path: &Path, value: Value) {
    if verb == Verb::Remove && !map.contains_key(key) {
        return;
    }
    let entry = map.entry(key.to_owned()).or_insert_with(|| Value::Array(Vec::new()));
    let Some(elements) = entry.as_array_mut() else { return };
    if verb == Verb::Remove && path.sub.is_none() {
        elements.retain(|e| !holds(e, &path.conditions));
    } else {
        if verb != Verb::Remove && !elements.iter().any(|e| holds(e, &path.conditions)) {
            elements.push(Value::Object(path.conditions.iter().map(|c| (c.path.clone(), c.value.clone())).collect()));
        }
        for element in elements.iter_mut().filter(|e| holds(e, &path.conditions)).filter_map(Value::as_object_mut) {
            match (&path.sub, &value) {
                (Some(sub), _) => set(element, &spelled(element, sub), verb, value.clone()),
                (None, Value::Object(parts)) => {
                    parts.iter().for_each(|(name, part)| set(element, &spelled(element, name), verb, part.clone()));
                }
                (None, _) => {}
            }
        }
    }
    if elements.is_empty() {
        map.remove(key);
    }
}

fn set(map: &mut Map<String, Value>, key: &str, verb: Verb, value: Value) {
    match (verb, map.get_mut(key), value) {
        (Verb::Remove, Some(Value::Array(elements)), Value::Array(gone)) if !gone.is_empty() => {
            elements.retain(|e| !gone.iter().any(|g| identity(g) == identity(e)));
            if elements.is_empty() {
                map.remove(key);
            }
        }
        (Verb::Remove, _, _) => {
            map.remove(key);
        }
        (Verb::Add, Some(Value::Array(elements)), value) => {
            let new = if let Value::Array(new) = value { new } else { vec![value] };
            for element in new {
                if !elements.contains(&element) {
                    elements.push(element);
                }
            }
        }
        (_, Some(Value::Object(inner)), Value::Object(parts)) => {
            for (name, part) in parts {
                let name = spelled(inner, &name);
                set(inner, &name, if part.is_null() { Verb::Remove } else { verb }, part);
            }
        }
        (_, _, value) => {
            map.insert(key.to_owned(), value);
        }
    }
}

/// What makes an element of a list itself: its `value`, or all of it.
fn identity(element: &Value) -> &Value {
    element.get("value").unwrap_or(element)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn patched(before: Value, operations: Value) -> Value {
        let Value::Object(mut map) = before else { panic!("an object") };
        let body = serde_json::to_vec(&json!({ "Operations": operations })).unwrap();
        steps(&body).unwrap().into_iter().for_each(|s| apply(&mut map, s));
        Value::Object(map)
    }

    #[test]
    fn operations() {
        let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        let table = [
            (
                json!({"a": 1}),
                json!([{"op": "Replace", "path": "active", "value": false}]),
                json!({"a": 1, "active": false}),
            ),
            (json!({"title": "x"}), json!([{"op": "remove", "path": "TITLE"}]), json!({})),
            (json!({"title": "x"}), json!([{"op": "replace", "path": "title", "value": null}]), json!({})),
            (
                json!({}),
                json!([{"op": "add", "path": "name.familyName", "value": "L"}]),
                json!({"name": {"familyName": "L"}}),
            ),
            (json!({"name": {"a": 1}}), json!([{"op": "remove", "path": "name.a"}]), json!({})),
            (
                json!({"emails": [{"type": "work", "value": "a"}, {"type": "home", "value": "b"}]}),
                json!([{"op": "replace", "path": "emails[type eq \"work\"].value", "value": "c"}]),
                json!({"emails": [{"type": "work", "value": "c"}, {"type": "home", "value": "b"}]}),
            ),
            (
                json!({}),
                json!([{"op": "add", "path": "emails[type eq \"work\"].value", "value": "c"}]),
                json!({"emails": [{"type": "work", "value": "c"}]}),
            ),
            (
                json!({"emails": [{"type": "work", "value": "a"}]}),
                json!([{"op": "remove", "path": "emails[type eq \"work\"]"}]),
                json!({}),
            ),
            (
                json!({}),
                json!([{"op": "replace", "value": {"title": "t", "name.givenName": "G", (format!("{urn}:department")): "D"}}]),
                json!({"title": "t", "name": {"givenName": "G"}, urn: {"department": "D"}}),
            ),
            (
                json!({urn: {"department": "D"}}),
                json!([{"op": "remove", "path": format!("{urn}:department")}]),
                json!({}),
            ),
            (
                json!({"l": [{"value": "1"}]}),
                json!([{"op": "add", "path": "l", "value": [{"value": "1"}, {"value": "2"}]}]),
                json!({"l": [{"value": "1"}, {"value": "2"}]}),
            ),
            (
                json!({"l": [{"value": "1"}, {"value": "2"}]}),
                json!([{"op": "remove", "path": "l", "value": [{"value": "1"}]}]),
                json!({"l": [{"value": "2"}]}),
            ),
        ];
        for (before, operations, after) in table {
            assert_eq!(patched(before.clone(), operations.clone()), after, "{before} with {operations}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for body in
            ["", "{}", r#"{"Operations":[{"op":"move","path":"a"}]}"#, r#"{"Operations":[{"op":"add","value":1}]}"#]
        {
            assert!(steps(body.as_bytes()).is_err(), "{body}");
        }
    }
}
