//! The layer between the client and the service: what a dialect refuses, changes on the way in and on the way out.
//! Pure functions over methods, paths and JSON.

use percent_encoding::percent_decode_str;
use provost_model::{Filter, Timestamp};
use serde_json::{Map, Value};

use crate::Dialect;
use crate::dialect::{MemberRemove, OpCase};

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
    } else if dialect.single_values && matches!(method, "POST" | "PUT") {
        single_values(body)?;
    }
    let query = page(dialect, query)?;
    Ok(if query.is_empty() { path } else { format!("{path}?{query}") })
}

/// The query as the service gets it: the page within the dialect's bounds, the filter if it counts.
fn page(dialect: &Dialect, query: &str) -> Result<String, Refusal> {
    let mut kept: Vec<String> = Vec::new();
    let mut counted = false;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name.to_ascii_lowercase().as_str() {
            "filter" if !dialect.filter => {}
            "filter" => {
                let text = percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned();
                check_filter(dialect, &text)?;
                kept.push(pair.to_owned());
            }
            "count" => {
                counted = true;
                let count: usize = value.parse().unwrap_or(usize::MAX);
                if count == 0 && !dialect.count_zero {
                    refuse(400, Some("invalidValue"), "this target has no count=0")?;
                }
                match dialect.page_max {
                    max if max > 0 && count > max => kept.push(format!("count={max}")),
                    _ => kept.push(pair.to_owned()),
                }
            }
            _ => kept.push(pair.to_owned()),
        }
    }
    let default = if dialect.page_default > 0 { dialect.page_default } else { dialect.page_max };
    if !counted && default > 0 {
        kept.push(format!("count={default}"));
    }
    Ok(kept.join("&"))
}

/// What the service would understand, and this target does not.
fn check_filter(dialect: &Dialect, text: &str) -> Result<(), Refusal> {
    let Ok(filter) = text.parse::<Filter>() else { return Ok(()) };
    let mut terms = 0;
    fn walk(filter: &Filter, allowed: &[String], terms: &mut usize) -> Result<(), Refusal> {
        match filter {
            Filter::And(parts) => parts.iter().try_for_each(|part| walk(part, allowed, terms)),
            Filter::Or(_) | Filter::Not(_) if !allowed.is_empty() => {
                refuse(400, Some("invalidFilter"), "this target joins terms by `and` alone")
            }
            Filter::Or(parts) => parts.iter().try_for_each(|part| walk(part, allowed, terms)),
            Filter::Not(inner) => walk(inner, allowed, terms),
            Filter::Each { filter, .. } => walk(filter, allowed, terms),
            Filter::Term(term) => {
                *terms += 1;
                let known = allowed.is_empty() || allowed.iter().any(|word| word == term.op.as_str());
                if known { Ok(()) } else { refuse(400, Some("invalidFilter"), "this target has no such operator") }
            }
        }
    }
    walk(&filter, &dialect.operators, &mut terms)?;
    if dialect.filter_terms > 0 && terms > dialect.filter_terms {
        refuse(400, Some("invalidFilter"), format!("this target takes {} terms", dialect.filter_terms))?;
    }
    Ok(())
}

fn single_values(body: &Value) -> Result<(), Refusal> {
    for (name, value) in body.as_object().into_iter().flatten() {
        let is_list = !matches!(name.as_str(), "schemas" | "members");
        if is_list && value.as_array().is_some_and(|list| list.len() > 1) {
            refuse(400, Some("invalidValue"), format!("{name}: this target keeps one value"))?;
        }
    }
    Ok(())
}

/// What is stored otherwise than it was sent.
pub(crate) fn stored(dialect: &Dialect, body: &mut Value) {
    if !dialect.lower_case_emails {
        return;
    }
    fn lower(value: &mut Value) {
        match value {
            Value::String(text) => *text = text.to_lowercase(),
            Value::Array(list) => list.iter_mut().for_each(lower),
            Value::Object(parts) => parts.get_mut("value").into_iter().for_each(lower),
            _ => {}
        }
    }
    if let Some(emails) = body.get_mut("emails") {
        lower(emails);
    }
    for operation in body.get_mut("Operations").and_then(Value::as_array_mut).into_iter().flatten() {
        let path = field(operation, "path").and_then(Value::as_str).unwrap_or_default();
        if path.to_ascii_lowercase().starts_with("emails") {
            operation.get_mut("value").into_iter().for_each(lower);
        }
    }
}

fn operations(dialect: &Dialect, body: &Value) -> Result<(), Refusal> {
    let mut members = 0;
    for operation in field(body, "Operations").and_then(Value::as_array).into_iter().flatten() {
        let path = field(operation, "path").and_then(Value::as_str).unwrap_or_default();
        if !dialect.path_filters && path.contains('[') {
            refuse(400, Some("invalidPath"), format!("this target has no value filters in paths: {path}"))?;
        }
        let value = field(operation, "value").unwrap_or(&Value::Null);
        let op = field(operation, "op").and_then(Value::as_str).unwrap_or_default();
        let is_capital = op.starts_with(|first: char| first.is_ascii_uppercase());
        if dialect.op_case == OpCase::Lower && is_capital || dialect.op_case == OpCase::Capital && !is_capital {
            refuse(400, Some("invalidSyntax"), format!("this target does not know the op {op}"))?;
        }
        if op.eq_ignore_ascii_case("remove") {
            let by_filter = path.to_ascii_lowercase().starts_with("members[");
            let by_list = path.eq_ignore_ascii_case("members") && !value.is_null();
            let wrong = match dialect.member_remove {
                MemberRemove::Any => false,
                MemberRemove::Filter => by_list,
                MemberRemove::ValueList => by_filter,
            };
            if wrong {
                refuse(400, Some("invalidPath"), "this target wants members to be removed in another way")?;
            }
        }
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

/// Makes an answer this target's own: a resource, a list of them, or an error.
pub(crate) fn outbound(dialect: &Dialect, now: Timestamp, query: bool, body: &mut Value) {
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
            outbound(dialect, now, false, resource);
        }
        if let Some(list) = body.as_object_mut() {
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
