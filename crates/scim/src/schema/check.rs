//! What is wrong with a schema that somebody wrote for this service. Schemas of other services are read leniently; one of
//! our own that says `"type": "strng"` should not silently be about texts.

use provost_model::{AttributeType, Mutability};
use serde_json::{Map, Value};

use super::keyword::Keyword;
use super::{Returned, Uniqueness};
use crate::TypeSchema;

const SCHEMA_KEYS: [&str; 6] = ["schemas", "id", "name", "description", "attributes", "meta"];
const ATTRIBUTE_KEYS: [&str; 12] = [
    "name",
    "type",
    "multiValued",
    "description",
    "required",
    "caseExact",
    "mutability",
    "returned",
    "uniqueness",
    "canonicalValues",
    "referenceTypes",
    "subAttributes",
];

/// Every problem of a schema (RFC 7643 section 7), each with the place it is at: `attributes[2].type: …`.
pub fn problems(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let Some(schema) = schema.as_object() else {
        return vec!["a schema is an object with `id`, `name` and `attributes`".to_owned()];
    };
    keys(schema, &SCHEMA_KEYS, "", &mut found);
    match schema.get("id").and_then(Value::as_str) {
        Some(id) if is_urn(id) => {}
        Some(id) => found.push(format!("id: `{id}` is no URN such as `urn:example:scim:Badge`")),
        None => found.push("id: the schema's URN is missing".to_owned()),
    }
    match schema.get("attributes") {
        Some(Value::Array(attributes)) if !attributes.is_empty() => {
            attribute_list(attributes, "attributes", false, &mut found);
        }
        _ => found.push("attributes: a list of attributes is missing".to_owned()),
    }
    found
}

fn is_urn(id: &str) -> bool {
    let parts: Vec<&str> = id.split(':').collect();
    let is_plain = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    parts.len() >= 3 && parts[0].eq_ignore_ascii_case("urn") && parts.iter().all(is_plain)
}

fn attribute_list(attributes: &[Value], place: &str, inside: bool, found: &mut Vec<String>) {
    let mut names: Vec<String> = Vec::new();
    for (at, attribute) in attributes.iter().enumerate() {
        let place = format!("{place}[{at}]");
        let Some(attribute) = attribute.as_object() else {
            found.push(format!("{place}: an attribute is an object with `name` and `type`"));
            continue;
        };
        keys(attribute, &ATTRIBUTE_KEYS, &format!("{place}."), found);
        self::attribute(attribute, &place, inside, found);
        let Some(name) = attribute.get("name").and_then(Value::as_str) else { continue };
        if names.iter().any(|have| have.eq_ignore_ascii_case(name)) {
            found.push(format!("{place}.name: there are two attributes `{name}`"));
        }
        if !inside && TypeSchema::common().attribute(name).is_some() {
            found.push(format!("{place}.name: every resource has `{name}` already"));
        }
        names.push(name.to_owned());
    }
}

fn attribute(attribute: &Map<String, Value>, place: &str, inside: bool, found: &mut Vec<String>) {
    match attribute.get("name").and_then(Value::as_str) {
        Some(name) if is_name(name) => {}
        // RFC 9944 nests extensions of an extension under their URNs.
        Some(name) if !inside && is_urn(name) => {}
        Some(name) => found.push(format!(
            "{place}.name: `{name}` is no attribute name: a letter, then letters, digits, `-`, `_` (RFC 7643 section 2.1)"
        )),
        None => found.push(format!("{place}.name: the name is missing")),
    }
    word::<AttributeType>(attribute, "type", place, found);
    word::<Mutability>(attribute, "mutability", place, found);
    word::<Returned>(attribute, "returned", place, found);
    word::<Uniqueness>(attribute, "uniqueness", place, found);
    for flag in ["multiValued", "required", "caseExact"] {
        if attribute.get(flag).is_some_and(|value| !value.is_boolean()) {
            found.push(format!("{place}.{flag}: true or false"));
        }
    }
    for list in ["canonicalValues", "referenceTypes"] {
        let is_texts = |value: &Value| value.as_array().is_some_and(|all| all.iter().all(Value::is_string));
        if attribute.get(list).is_some_and(|value| !is_texts(value)) {
            found.push(format!("{place}.{list}: a list of texts"));
        }
    }
    let is_complex =
        attribute.get("type").and_then(Value::as_str).is_some_and(|word| word.eq_ignore_ascii_case("complex"));
    match attribute.get("subAttributes") {
        Some(Value::Array(parts)) if is_complex && !inside && !parts.is_empty() => {
            attribute_list(parts, &format!("{place}.subAttributes"), true, found);
        }
        _ if is_complex && inside => {
            found.push(format!("{place}.type: a complex attribute holds no complex one (RFC 7643 section 2.3.8)"));
        }
        _ if is_complex => found.push(format!("{place}.subAttributes: a complex attribute needs a list of them")),
        Some(Value::Array(parts)) if !parts.is_empty() => {
            found.push(format!("{place}.subAttributes: only complex attributes have them"));
        }
        _ => {}
    }
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'$');
    first && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn word<T: Keyword>(attribute: &Map<String, Value>, key: &str, place: &str, found: &mut Vec<String>) {
    let Some(value) = attribute.get(key) else { return };
    let is_known = |word: &str| T::WORDS.iter().any(|(known, _)| known.eq_ignore_ascii_case(word));
    if !value.as_str().is_some_and(is_known) {
        let words: Vec<&str> = T::WORDS.iter().map(|(word, _)| *word).collect();
        found.push(format!("{place}.{key}: {value} is none of {}", words.join(", ")));
    }
}

fn keys(object: &Map<String, Value>, known: &[&str], place: &str, found: &mut Vec<String>) {
    for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
        found.push(format!("{place}{key}: unknown; known are {}", known.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schemas_of_the_rfc_have_no_problem() {
        for text in [
            include_str!("../../schemas/user.json"),
            include_str!("../../schemas/group.json"),
            include_str!("../../schemas/enterprise_user.json"),
        ] {
            assert_eq!(problems(&serde_json::from_str(text).unwrap()), Vec::<String>::new());
        }
    }

    #[test]
    fn problems_have_their_place() {
        for (attributes, want) in [
            (r#"{"name":"a","type":"strng"}"#, "attributes[0].type: \"strng\" is none of string"),
            (r#"{"name":"1a"}"#, "attributes[0].name: `1a`"),
            (r#"{"type":"string"}"#, "attributes[0].name: the name is missing"),
            (r#"{"name":"a"},{"name":"A"}"#, "attributes[1].name: there are two"),
            (r#"{"name":"externalId"}"#, "attributes[0].name: every resource"),
            (r#"{"name":"a","type":"complex"}"#, "attributes[0].subAttributes: a complex"),
            (
                r#"{"name":"a","type":"complex","subAttributes":[{"name":"b","type":"complex"}]}"#,
                "attributes[0].subAttributes[0].type: a complex attribute holds no complex",
            ),
            (r#"{"name":"a","unique":true}"#, "attributes[0].unique: unknown"),
            (r#"{"name":"a","required":"yes"}"#, "attributes[0].required: true or false"),
        ] {
            let text = format!(r#"{{"id":"urn:example:A","attributes":[{attributes}]}}"#);
            let found = problems(&serde_json::from_str(&text).unwrap());
            assert!(found.len() == 1 && found[0].starts_with(want), "{attributes}: {found:?}");
        }
        let nested = r#"{"name":"urn:example:B","type":"complex","subAttributes":[{"name":"b"}]}"#;
        let nested = format!(r#"{{"id":"urn:example:A","attributes":[{nested}]}}"#);
        assert_eq!(problems(&serde_json::from_str(&nested).unwrap()), Vec::<String>::new());
        assert!(problems(&serde_json::json!({"id": "Badge", "attributes": [{"name": "a"}]}))[0].starts_with("id:"));
    }
}
