//! The layer between the client and the service: what a dialect refuses, changes on the way in and on the way out.
//! Pure functions over methods, paths and JSON.

use serde_json::{Map, Value};

use crate::Dialect;

/// Why a dialect does not take a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub status: u16,
    pub scim_type: Option<&'static str>,
    pub detail: String,
}

fn refuse(status: u16, scim_type: Option<&'static str>, detail: impl Into<String>) -> Result<(), Refusal> {
    Err(Refusal { status, scim_type, detail: detail.into() })
}

/// Where the service has what the client asks for, as path and query under the SCIM base; or the dialect's refusal.
/// `body` is null when there is none, or when it is not JSON, which the service judges.
pub(crate) fn inbound(
    dialect: &Dialect,
    method: &str,
    path: &str,
    query: &str,
    body: &Value,
) -> Result<String, Refusal> {
    let discovery = ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas"];
    let mut path = path.to_owned();
    if path == dialect.config_path {
        path = discovery[0].to_owned();
    } else if path == discovery[0] {
        refuse(404, None, format!("the configuration of this target is at {}", dialect.config_path))?;
    }
    if !dialect.discovery && discovery.iter().any(|prefix| path.starts_with(prefix)) {
        refuse(404, None, "this target has no discovery")?;
    }
    match method {
        "PATCH" if !dialect.patch => refuse(501, None, "this target has no PATCH")?,
        "PUT" if !dialect.put => refuse(405, None, "this target has no PUT")?,
        _ => {}
    }
    let user_name = field(body, "userName").and_then(Value::as_str).unwrap_or_default();
    if dialect.user_name_length > 0 && user_name.chars().count() > dialect.user_name_length {
        let detail = format!("userName has more than {} characters", dialect.user_name_length);
        refuse(400, Some("invalidValue"), detail)?;
    }
    if method == "PATCH" {
        operations(dialect, body)?;
    }
    let kept: Vec<&str> = query.split('&').filter(|pair| dialect.filter || !pair.starts_with("filter=")).collect();
    let query = kept.join("&");
    Ok(if query.is_empty() { path } else { format!("{path}?{query}") })
}

fn operations(dialect: &Dialect, body: &Value) -> Result<(), Refusal> {
    let mut members = 0;
    for operation in field(body, "Operations").and_then(Value::as_array).into_iter().flatten() {
        let path = field(operation, "path").and_then(Value::as_str).unwrap_or_default();
        if !dialect.path_filters && path.contains('[') {
            refuse(400, Some("invalidPath"), format!("this target has no value filters in paths: {path}"))?;
        }
        let value = field(operation, "value").unwrap_or(&Value::Null);
        let listed = if path.eq_ignore_ascii_case("members") { Some(value) } else { field(value, "members") };
        members += match listed {
            Some(Value::Array(list)) => list.len(),
            Some(Value::Object(_)) => 1,
            _ => usize::from(path.to_ascii_lowercase().starts_with("members[")),
        };
    }
    if dialect.members_per_request > 0 && members > dialect.members_per_request {
        let limit = dialect.members_per_request;
        refuse(413, None, format!("{members} member changes in one request; this target takes {limit}"))?;
    }
    Ok(())
}

/// Names of attributes have no case (RFC 7643 section 2.1).
fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Takes out of an answer what this target does not tell: a resource, or a list of them.
pub(crate) fn outbound(dialect: &Dialect, body: &mut Value) {
    if let Some(Value::Array(resources)) = body.get_mut("Resources") {
        resources.iter_mut().for_each(|resource| outbound(dialect, resource));
        return;
    }
    let Some(resource) = body.as_object_mut() else { return };
    if !dialect.meta_times
        && let Some(meta) = resource.get_mut("meta").and_then(Value::as_object_mut)
    {
        meta.remove("created");
        meta.remove("lastModified");
    }
    if !dialect.members_readable && is_group(resource) {
        resource.insert("members".to_owned(), Value::Array(Vec::new()));
    }
}

fn is_group(resource: &Map<String, Value>) -> bool {
    resource.get("meta").and_then(|meta| meta.get("resourceType")).and_then(Value::as_str) == Some("Group")
}
