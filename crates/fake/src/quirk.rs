//! The layer between the client and the service, on the way in: what a dialect refuses, and what it asks the service instead.
//! Pure functions over methods, paths, headers and JSON. The way out is in `shape`.

use hyper::header::{ACCEPT, HeaderMap, USER_AGENT};
use percent_encoding::percent_decode_str;
use provost_model::Filter;
use serde_json::{Value, json};

use crate::Dialect;
use crate::dialect::{MemberRemove, OpCase};
use crate::stored::first_name;

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

/// A request as a dialect judges it.
pub(crate) struct Asked<'a> {
    pub method: &'a str,
    /// Below the SCIM base.
    pub path: &'a str,
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    /// Bytes of the body.
    pub length: usize,
    /// Null when there is no body, or when it is not JSON, which the service judges.
    pub body: &'a Value,
}

/// Where the service has what the client asks for, as path and query under the SCIM base; or the dialect's refusal.
pub(crate) fn inbound(dialect: &Dialect, asked: &Asked<'_>) -> Result<String, Refusal> {
    let Asked { method, path, query, body, .. } = *asked;
    headers(dialect, asked)?;
    if !dialect.search && path.ends_with("/.search") || !dialect.bulk && path.starts_with("/Bulk") {
        refuse(404, None, format!("this target has no {path}"))?;
    }
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
    let searches = path.ends_with("/.search");
    if searches && let Some(filter) = field(body, "filter").and_then(Value::as_str) {
        check_filter(dialect, filter)?;
    }
    if !searches && matches!(method, "POST" | "PUT" | "PATCH") {
        attributes(dialect, asked)?;
    }
    if method == "PATCH" {
        if dialect.patch_bytes > 0 && asked.length > dialect.patch_bytes {
            refuse(413, None, format!("{} bytes; this target takes {}", asked.length, dialect.patch_bytes))?;
        }
        operations(dialect, body)?;
    } else if dialect.single_values && matches!(method, "POST" | "PUT") {
        single_values(body)?;
    }
    let query = page(dialect, query)?;
    Ok(if query.is_empty() { path } else { format!("{path}?{query}") })
}

fn headers(dialect: &Dialect, asked: &Asked<'_>) -> Result<(), Refusal> {
    let header = |name| asked.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if dialect.user_agent_required && header(USER_AGENT).is_empty() {
        refuse(403, None, "this target wants a User-Agent")?;
    }
    // The answer to a DELETE has no content to be of any type.
    let typed = asked.method != "DELETE" && !dialect.accept_required.is_empty();
    if typed && !header(ACCEPT).contains(&dialect.accept_required) {
        refuse(406, None, format!("this target wants Accept: {}", dialect.accept_required))?;
    }
    if asked.method == "DELETE" && !dialect.delete_accept && asked.headers.contains_key(ACCEPT) {
        refuse(400, None, "this target takes no Accept on DELETE")?;
    }
    Ok(())
}

/// What a write may set.
fn attributes(dialect: &Dialect, asked: &Asked<'_>) -> Result<(), Refusal> {
    let names = written(asked.body);
    let among = |list: &[String], name: &str| list.iter().any(|one| one.eq_ignore_ascii_case(name));
    if let Some(name) = names.iter().find(|name| among(&dialect.refused, name)) {
        refuse(400, Some("invalidValue"), format!("this target has no {name}"))?;
    }
    match asked.method {
        "POST" if asked.path.trim_matches('/') == "Users" => {
            if let Some(name) = dialect.required.iter().find(|name| !among(&names, name)) {
                refuse(400, Some("invalidValue"), format!("{name} is required"))?;
            }
        }
        "PATCH" => {
            if let Some(name) = names.iter().find(|name| among(&dialect.create_only, name)) {
                refuse(400, Some("mutability"), format!("{name} is set by a create alone"))?;
            }
            let users = asked.path.starts_with("/Users/");
            let allowed = &dialect.patch_attributes;
            if let Some(name) = names.iter().find(|name| users && !allowed.is_empty() && !among(allowed, name)) {
                refuse(400, Some("invalidPath"), format!("this target changes no {name}"))?;
            }
            let activates = |operation: &Value| {
                let value = field(operation, "value").unwrap_or(&Value::Null);
                let path = field(operation, "path").and_then(Value::as_str).unwrap_or_default();
                let value = if path.eq_ignore_ascii_case("active") { Some(value) } else { field(value, "active") };
                value.is_some_and(|value| match value {
                    Value::String(text) => text.eq_ignore_ascii_case("true"),
                    other => *other == true,
                })
            };
            if users && !dialect.patch_activates && operations_of(asked.body).any(activates) {
                refuse(400, Some("invalidValue"), "this target switches nobody on")?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// The attributes that a resource has, or that a PATCH changes.
fn written(body: &Value) -> Vec<String> {
    let keys = |value: &Value| value.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect::<Vec<_>>();
    if field(body, "Operations").is_none() {
        return keys(body);
    }
    let of = |operation: &Value| match field(operation, "path").and_then(Value::as_str) {
        Some(path) => vec![first_name(path).to_owned()],
        None => keys(field(operation, "value").unwrap_or(&Value::Null)),
    };
    operations_of(body).flat_map(of).collect()
}

fn operations_of(body: &Value) -> impl Iterator<Item = &Value> {
    field(body, "Operations").and_then(Value::as_array).into_iter().flatten()
}

/// The query as the service gets it: the page within the dialect's bounds, the filter if it counts.
fn page(dialect: &Dialect, query: &str) -> Result<String, Refusal> {
    let mut kept: Vec<String> = Vec::new();
    let mut counted = false;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name.to_ascii_lowercase().as_str() {
            "filter" if !dialect.filter => {}
            "startindex" | "count" | "cursor" if !dialect.paging => {}
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
    if !dialect.paging {
        // As much as the service gives at once.
        kept.push("count=1000".to_owned());
        return Ok(kept.join("&"));
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
    fn walk(dialect: &Dialect, filter: &Filter, within: bool, terms: &mut usize) -> Result<(), Refusal> {
        let allowed = &dialect.operators;
        match filter {
            Filter::And(parts) => parts.iter().try_for_each(|part| walk(dialect, part, within, terms)),
            Filter::Or(_) | Filter::Not(_) if !allowed.is_empty() => {
                refuse(400, Some("invalidFilter"), "this target joins terms by `and` alone")
            }
            Filter::Or(parts) => parts.iter().try_for_each(|part| walk(dialect, part, within, terms)),
            Filter::Not(inner) => walk(dialect, inner, within, terms),
            Filter::Each { path, filter } => {
                name_allowed(dialect, &path.name)?;
                walk(dialect, filter, true, terms)
            }
            Filter::Term(term) => {
                *terms += 1;
                if !within {
                    name_allowed(dialect, &term.path.name)?;
                }
                let known = allowed.is_empty() || allowed.iter().any(|word| word == term.op.as_str());
                if known { Ok(()) } else { refuse(400, Some("invalidFilter"), "this target has no such operator") }
            }
        }
    }
    walk(dialect, &filter, false, &mut terms)?;
    if dialect.filter_terms > 0 && terms > dialect.filter_terms {
        refuse(400, Some("invalidFilter"), format!("this target takes {} terms", dialect.filter_terms))?;
    }
    Ok(())
}

fn name_allowed(dialect: &Dialect, name: &str) -> Result<(), Refusal> {
    let among = |list: &[String]| list.iter().any(|one| one.eq_ignore_ascii_case(name));
    let known = dialect.filter_attributes.is_empty() || among(&dialect.filter_attributes);
    if known && !among(&dialect.filter_refuses) {
        return Ok(());
    }
    refuse(400, Some("invalidFilter"), format!("this target does not search by {name}"))
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

fn operations(dialect: &Dialect, body: &Value) -> Result<(), Refusal> {
    for operation in operations_of(body) {
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
    }
    let (members, limit) = (member_changes(body), dialect.members_per_request);
    if limit > 0 && members > limit {
        refuse(413, None, format!("{members} member changes in one request; this target takes {limit}"))?;
    }
    let replaces = |operation: &Value| {
        let path = field(operation, "path").and_then(Value::as_str).unwrap_or_default();
        let op = field(operation, "op").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
        let value = field(operation, "value").unwrap_or(&Value::Null);
        let whole = path.eq_ignore_ascii_case("members") || path.is_empty() && field(value, "members").is_some();
        whole && (op == "replace" || op == "remove" && value.is_null())
    };
    if !dialect.members_replace && operations_of(body).any(replaces) {
        refuse(400, Some("invalidValue"), "this target does not replace or remove all members")?;
    }
    Ok(())
}

/// How many members a PATCH adds and removes.
pub(crate) fn member_changes(body: &Value) -> usize {
    let of = |operation: &Value| {
        let path = field(operation, "path").and_then(Value::as_str).unwrap_or_default();
        let value = field(operation, "value").unwrap_or(&Value::Null);
        let listed = if path.eq_ignore_ascii_case("members") { Some(value) } else { field(value, "members") };
        match listed.map(|listed| field(listed, "members").unwrap_or(listed)) {
            Some(Value::Array(list)) => list.len(),
            Some(Value::Object(_)) => 1,
            _ => usize::from(path.to_ascii_lowercase().starts_with("members[")),
        }
    };
    operations_of(body).map(of).sum()
}

/// The ids of the members that a write adds.
pub(crate) fn members_added(body: &Value) -> Vec<String> {
    match field(body, "members") {
        Some(members) => ids(members),
        None => operations_of(body).filter(|operation| !removes(operation)).flat_map(members_of).collect(),
    }
}

/// The ids of the members that a PATCH removes one by one.
pub(crate) fn members_removed(body: &Value) -> Vec<String> {
    operations_of(body).filter(|operation| removes(operation)).flat_map(members_of).collect()
}

fn removes(operation: &Value) -> bool {
    field(operation, "op").and_then(Value::as_str).is_some_and(|op| op.eq_ignore_ascii_case("remove"))
}

/// The ids in an operation on members: in its value, or in `members[value eq "…"]`.
fn members_of(operation: &Value) -> Vec<String> {
    let value = field(operation, "value").unwrap_or(&Value::Null);
    let path = field(operation, "path").and_then(Value::as_str).unwrap_or_default();
    let selected = path.to_ascii_lowercase().starts_with("members[").then(|| path.split('"').nth(1)).flatten();
    match selected {
        Some(id) => vec![id.to_owned()],
        None if path.eq_ignore_ascii_case("members") => ids(value),
        None => field(value, "members").map(ids).unwrap_or_default(),
    }
}

fn ids(value: &Value) -> Vec<String> {
    match value {
        Value::Array(list) => list.iter().flat_map(ids).collect(),
        other => field(other, "value").and_then(Value::as_str).map(str::to_owned).into_iter().collect(),
    }
}

/// `members` in a value that is for `members` becomes the value: Salesforce documents members to be added so.
pub(crate) fn flatten_members(body: &mut Value) {
    for operation in body.get_mut("Operations").and_then(Value::as_array_mut).into_iter().flatten() {
        let is_members = operation.get("path").and_then(Value::as_str) == Some("members");
        if let Some(inner) = operation.pointer("/value/members").filter(|_| is_members).cloned() {
            operation["value"] = json!(inner);
        }
    }
}

/// Names of attributes have no case (RFC 7643 section 2.1).
pub(crate) fn field<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    value.as_object()?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}
