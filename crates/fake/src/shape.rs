//! The layer between the client and the service, on the way out: what answers look like. Pure functions over JSON.

use provost_model::Timestamp;
use serde_json::{Map, Value};

use crate::{Dialect, Fault};

/// Makes an answer this target's own: a resource, a list of them, or an error. `query`: whether it answers one.
pub(crate) fn outbound(dialect: &Dialect, fault: Fault, now: Timestamp, query: bool, body: &mut Value) {
    if let Some(Value::Array(resources)) = body.get_mut("Resources") {
        if query && dialect.lag_ms > 0 {
            let before = resources.len();
            resources.retain(|resource| !is_young(resource, now, dialect.lag_ms));
            let gone = before - resources.len();
            if gone > 0 {
                for name in ["totalResults", "itemsPerPage"] {
                    if let Some(number) = body.get(name).and_then(Value::as_u64) {
                        body[name] = number.saturating_sub(gone as u64).into();
                    }
                }
            }
        }
        for resource in body.get_mut("Resources").and_then(Value::as_array_mut).into_iter().flatten() {
            outbound(dialect, fault, now, false, resource);
            if let Some(resource) = resource.as_object_mut().filter(|_| query) {
                resource.retain(|name, value| keep(dialect, name, value));
            }
        }
        if let Some(list) = body.as_object_mut() {
            if dialect.page_totals {
                let length = list.get("Resources").and_then(Value::as_array).map_or(0, Vec::len);
                list.insert("totalResults".to_owned(), length.into());
            }
            if !dialect.paging {
                list.remove("startIndex");
                list.remove("itemsPerPage");
            }
            list_names(dialect, list);
        }
        return;
    }
    let Some(resource) = body.as_object_mut() else { return };
    if is_error(resource) {
        if !dialect.error_status {
            resource.remove("status");
        }
        return;
    }
    for (feature, supported) in &dialect.advertises {
        // Only a configuration has features that say so.
        if let Some(said) = resource.get_mut(feature).and_then(|feature| feature.get_mut("supported")) {
            *said = (*supported).into();
        }
    }
    if let Some(meta) = resource.get_mut("meta").and_then(Value::as_object_mut)
        && !dialect.meta_times
    {
        meta.remove("created");
        meta.remove("lastModified");
    }
    if is_group(resource) {
        if !dialect.members_readable {
            resource.insert("members".to_owned(), Value::Array(Vec::new()));
        }
        if let Some(Value::Array(members)) = resource.get_mut("members")
            && dialect.members_shown > 0
        {
            members.truncate(dialect.members_shown);
        }
        if let (Fault::Members(shown), Some(Value::Array(members))) = (fault, resource.get_mut("members")) {
            members.truncate(shown);
        }
    }
    if dialect.lower_case
        && let Some(Value::String(kind)) = resource.get_mut("meta").and_then(|meta| meta.get_mut("resourceType"))
    {
        *kind = kind.to_lowercase();
    }
    if dialect.text_booleans {
        resource.values_mut().for_each(text_booleans);
    }
}

/// Whether a list shows an attribute; also one of an extension goes.
fn keep(dialect: &Dialect, name: &str, value: &mut Value) -> bool {
    let gone = |name: &str| dialect.list_without.iter().any(|one| one.eq_ignore_ascii_case(name));
    if name.starts_with("urn:")
        && let Some(parts) = value.as_object_mut()
    {
        parts.retain(|name, _| !gone(name));
    }
    !gone(name)
}

fn list_names(dialect: &Dialect, list: &mut Map<String, Value>) {
    if dialect.text_numbers {
        for name in ["totalResults", "itemsPerPage", "startIndex"] {
            if let Some(number) = list.get_mut(name).filter(|value| value.is_u64()) {
                *number = Value::String(number.to_string());
            }
        }
    }
    if dialect.lower_case
        && let Some(resources) = list.remove("Resources")
    {
        list.insert("resources".to_owned(), resources);
    }
}

fn text_booleans(value: &mut Value) {
    match value {
        Value::Bool(flag) => *value = Value::String(if *flag { "True" } else { "False" }.to_owned()),
        Value::Array(list) => list.iter_mut().for_each(text_booleans),
        Value::Object(parts) => parts.values_mut().for_each(text_booleans),
        _ => {}
    }
}

fn is_young(resource: &Value, now: Timestamp, lag_ms: u64) -> bool {
    let created = resource.get("meta").and_then(|meta| meta.get("created")).and_then(Value::as_str);
    let created = created.and_then(|text| text.parse::<Timestamp>().ok());
    created.is_some_and(|created| now.as_millisecond() - created.as_millisecond() < lag_ms as i64)
}

fn is_error(body: &Map<String, Value>) -> bool {
    let urn = body.get("schemas").and_then(|urns| urns.get(0)).and_then(Value::as_str);
    urn == Some("urn:ietf:params:scim:api:messages:2.0:Error")
}

fn is_group(resource: &Map<String, Value>) -> bool {
    resource.get("meta").and_then(|meta| meta.get("resourceType")).and_then(Value::as_str) == Some("Group")
}
