//! Values that a target stores otherwise than they were sent. Pure functions over the bodies of writes: resources, and
//! PATCH requests whose operations name attributes by path or hold them in one object.

use serde_json::{Map, Value};

use crate::{Dialect, Fault};

/// Attributes that can be left out: those of RFC 7643 section 4, by their first name.
pub(crate) const ATTRIBUTES: [&str; 23] = [
    "name",
    "displayName",
    "nickName",
    "profileUrl",
    "title",
    "userType",
    "preferredLanguage",
    "locale",
    "timezone",
    "active",
    "password",
    "emails",
    "phoneNumbers",
    "ims",
    "photos",
    "addresses",
    "entitlements",
    "roles",
    "x509Certificates",
    "externalId",
    "members",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    "enterprise",
];

/// What is stored otherwise than it was sent.
pub(crate) fn stored(dialect: &Dialect, fault: Fault, body: &mut Value) {
    if dialect.lower_case_emails {
        change(body, &|name, value| {
            if name.eq_ignore_ascii_case("emails") {
                texts(value, &|text| text.to_lowercase());
            }
            true
        });
    }
    match fault {
        Fault::LowerUserName => change(body, &|name, value| {
            if name.eq_ignore_ascii_case("userName") {
                texts(value, &|text| text.to_lowercase());
            }
            true
        }),
        Fault::Trim => change(body, &|name, value| {
            if !name.eq_ignore_ascii_case("schemas") {
                texts(value, &|text| text.trim().to_owned());
            }
            true
        }),
        Fault::Phones => change(body, &|name, value| {
            if name.eq_ignore_ascii_case("phoneNumbers") {
                texts(value, &|text| match text.bytes().any(|byte| byte.is_ascii_digit()) {
                    true => text.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect(),
                    // The type of a number, not a number.
                    false => text.to_owned(),
                });
            }
            true
        }),
        Fault::DropAttribute(gone) => {
            let gone = if gone == "enterprise" { ATTRIBUTES[21] } else { gone };
            change(body, &|name, _| !name.eq_ignore_ascii_case(gone));
        }
        _ => {}
    }
}

/// Shows each attribute of a resource, or of what a PATCH sets, by its first name; those for which it is false go.
fn change(body: &mut Value, each: &dyn Fn(&str, &mut Value) -> bool) {
    let Some(fields) = body.as_object_mut() else { return };
    let key = fields.keys().find(|key| key.eq_ignore_ascii_case("Operations")).cloned();
    let Some(Value::Array(operations)) = key.and_then(|key| fields.get_mut(&key)) else {
        return object(fields, each);
    };
    operations.retain_mut(|operation| {
        let Some(parts) = operation.as_object_mut() else { return true };
        let text = |name: &str| parts.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let path = text("path").and_then(Value::as_str).unwrap_or_default().to_owned();
        let value = parts.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case("value")).map(|(_, value)| value);
        match (path.as_str(), value) {
            ("", Some(Value::Object(fields))) => {
                object(fields, each);
                !fields.is_empty()
            }
            ("", _) => true,
            (path, Some(value)) => each(first_name(path), value),
            (path, None) => each(first_name(path), &mut Value::Null),
        }
    });
}

fn object(fields: &mut Map<String, Value>, each: &dyn Fn(&str, &mut Value) -> bool) {
    fields.retain(|name, value| each(first_name(name), value));
}

/// `emails` of `emails[type eq "work"].value`; an extension keeps its whole URN.
pub(crate) fn first_name(path: &str) -> &str {
    if path.to_ascii_lowercase().starts_with("urn:") {
        let (at, core) = (ATTRIBUTES[21], "urn:ietf:params:scim:schemas:core:2.0:");
        return match path.get(..at.len()) {
            Some(start) if start.eq_ignore_ascii_case(at) => start,
            _ => match path.get(..core.len()).filter(|start| start.eq_ignore_ascii_case(core)) {
                Some(_) => path[core.len()..].split_once(':').map_or(path, |(_, rest)| first_name(rest)),
                None => path,
            },
        };
    }
    path.split(['.', '[']).next().unwrap_or(path)
}

/// Changes every text in a value.
fn texts(value: &mut Value, change: &dyn Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = change(text),
        Value::Array(list) => list.iter_mut().for_each(|value| texts(value, change)),
        Value::Object(parts) => parts.values_mut().for_each(|value| texts(value, change)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_stored_otherwise() {
        let title = Fault::DropAttribute("title");
        let enterprise = Fault::DropAttribute("enterprise");
        let urn = ATTRIBUTES[21];
        let whole = json!({ "schemas": [" a"], "username": " Ada", "title": "T ", "emails": [{ "value": "A@x " }],
            "phoneNumbers": [{ "type": "work", "value": "+49 (30) 12-3" }] });
        for (fault, pointer, want) in [
            (Fault::None, "/username", json!(" Ada")),
            (Fault::LowerUserName, "/username", json!(" ada")),
            (Fault::Trim, "/username", json!("Ada")),
            (Fault::Trim, "/schemas/0", json!(" a")),
            (Fault::Trim, "/emails/0/value", json!("A@x")),
            (Fault::Phones, "/phoneNumbers/0/value", json!("+493012 3".replace(' ', ""))),
            (Fault::Phones, "/phoneNumbers/0/type", json!("work")),
        ] {
            let mut body = whole.clone();
            stored(&Dialect::default(), fault, &mut body);
            assert_eq!(body.pointer(pointer), Some(&want), "{fault} {pointer}");
        }
        let op = |path: &str, value: Value| json!({ "Operations": [{ "op": "add", "path": path, "value": value }] });
        let bare = |value: Value| json!({ "Operations": [{ "op": "add", "value": value }] });
        for (fault, before, after) in [
            (Fault::LowerUserName, op("userName", json!("A")), op("userName", json!("a"))),
            (Fault::LowerUserName, bare(json!({ "userName": "A" })), bare(json!({ "userName": "a" }))),
            (
                Fault::Phones,
                op("phoneNumbers[type eq \"w\"].value", json!("1 2")),
                op("phoneNumbers[type eq \"w\"].value", json!("12")),
            ),
            (title, op("urn:ietf:params:scim:schemas:core:2.0:User:title", json!("x")), json!({ "Operations": [] })),
            (title, bare(json!({ "title": "x", "active": true })), bare(json!({ "active": true }))),
            (title, json!({ "title": "x" }), json!({})),
            (enterprise, op(&format!("{urn}:department"), json!("x")), json!({ "Operations": [] })),
            (enterprise, json!({ urn: { "department": "x" } }), json!({})),
        ] {
            let mut body = before.clone();
            stored(&Dialect::default(), fault, &mut body);
            assert_eq!(body, after, "{fault} {before}");
        }
    }
}
