//! The service's answer, as the dialect and the faults of lists, reads and values have it.

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::response;
use hyper::service::Service as _;
use hyper::{Method, Response, StatusCode};
use provost_model::Timestamp;
use serde_json::{Value, json};

use crate::address::parameter;
use crate::answer::{dressed, refusal};
use crate::pages;
use crate::quirk::{Asked, Refusal, field, flatten_members, inbound, members_added, members_removed};
use crate::sending::{Dropped, Sending};
use crate::shape::outbound;
use crate::stored::stored;
use crate::target::{BASE, Shared, lock};
use crate::{Dialect, Fault};

const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// What the service said, before the dialect.
#[derive(Default)]
pub(crate) struct Inner {
    pub body: Value,
    pub etag: Option<String>,
}

/// The service's answer, as the dialect has it.
pub(crate) async fn serve(
    shared: &Shared,
    request: hyper::Request<Bytes>,
    json: &Value,
    fault: Fault,
    inner: &mut Inner,
) -> Result<Response<Sending>, Dropped> {
    let dialect = &shared.dialect;
    let (parts, mut body) = request.into_parts();
    let (mut method, mut headers) = (parts.method, parts.headers);
    headers.remove(header::CONTENT_LENGTH);
    let asked_query = parts.uri.query().unwrap_or_default();
    let query =
        if fault == Fault::IgnoreFilter { pages::without(asked_query, "filter") } else { asked_query.to_owned() };
    let Some(path) = parts.uri.path().strip_prefix(BASE) else {
        let (mut parts, body) = ask(shared, method, &parts.uri.to_string(), &headers, body).await?;
        parts.headers.remove(header::CONTENT_LENGTH);
        return Ok(dressed(dialect, Response::from_parts(parts, Sending::new(body))));
    };
    let was = method.clone();
    let asked = Asked { method: was.as_str(), path, query: &query, headers: &headers, length: body.len(), body: json };
    let place = match inbound(dialect, &asked) {
        Ok(place) => format!("{BASE}{place}"),
        Err(reason) => return Ok(dressed(dialect, refusal(&reason))),
    };
    if let Err(reason) = judge(shared, was.as_str(), path, &headers, json).await? {
        return Ok(dressed(dialect, refusal(&reason)));
    }
    let is_query = matches!(path.trim_matches('/').split('/').count(), 0 | 1) || path.ends_with("/.search");
    let mut changed = json.clone();
    if dialect.nested_member_add {
        flatten_members(&mut changed);
    }
    stored(dialect, fault, &mut changed);
    if changed != *json {
        let nothing = was == Method::PATCH && changed["Operations"].as_array().is_some_and(Vec::is_empty);
        if nothing {
            // Nothing of it is kept, and that is not said.
            method = Method::GET;
        }
        body = changed.to_string().into();
    }
    if was == Method::DELETE && dialect.delete_deactivates && path.starts_with("/Users/") {
        method = Method::PATCH;
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
        let operation = json!({ "op": "replace", "path": "active", "value": false });
        body = json!({ "schemas": [PATCH], "Operations": [operation] }).to_string().into();
    }
    let lags = lock(&shared.faults).iter().any(|rule| matches!(rule.fault(), Fault::Lag(_) | Fault::LagMs(_)));
    let writes = was != Method::GET && !path.ends_with("/.search");
    let mut before = None;
    if lags && writes && was != Method::POST {
        let (old, body) = ask(shared, Method::GET, &format!("{BASE}{path}"), &headers, Bytes::new()).await?;
        before = serde_json::from_slice(&body).ok().filter(|_| old.status.is_success());
    }
    let (mut parts, mut bytes) = ask(shared, method, &place, &headers, body.clone()).await?;
    if fault == Fault::SkipPage
        && let Some(after) = pages::after(&place, &bytes)
    {
        let (_, next) = ask(shared, Method::GET, &after, &headers, Bytes::new()).await?;
        bytes = pages::in_place_of(&bytes, &next);
    }
    inner.etag = parts.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
    let answered = serde_json::from_slice::<Value>(&bytes).ok();
    if lags && path.starts_with("/Bulk") {
        let operations = answered.as_ref().and_then(|body| body.get("Operations")?.as_array());
        for made in operations.into_iter().flatten().filter(|one| one.get("method").is_some_and(|one| one == "POST")) {
            let location = made.get("location").and_then(Value::as_str).unwrap_or_default();
            if let Some((_, at)) = location.split_once(BASE) {
                lock(&shared.history).wrote(at, None, false);
            }
        }
    } else if lags && writes && parts.status.is_success() {
        let id = answered.as_ref().and_then(|body| body.get("id")).and_then(Value::as_str);
        let at = if was == Method::POST { format!("{path}/{}", id.unwrap_or_default()) } else { path.to_owned() };
        lock(&shared.history).wrote(&at, before, was == Method::DELETE);
    }
    if was == Method::DELETE && parts.status.is_success() && !dialect.deleted_readable {
        lock(&shared.deleted).extend(path.rsplit('/').next().map(str::to_owned));
    }
    if let Some(mut json) = answered {
        inner.body = json.clone();
        let filter = parameter(&query, "filter");
        if matches!(fault, Fault::Lag(_) | Fault::LagMs(_)) {
            let status = lock(&shared.history).rewind(fault, path, filter.as_deref(), parts.status.as_u16(), &mut json);
            parts.status = StatusCode::from_u16(status).unwrap_or(parts.status);
            parts.headers.remove(header::ETAG);
        }
        pages::broken(shared, fault, &place, &mut json);
        without_deleted(shared, &mut json);
        if parts.status == StatusCode::NOT_FOUND {
            parts.status = StatusCode::from_u16(dialect.unknown_id).unwrap_or(StatusCode::NOT_FOUND);
        }
        if !parts.status.is_success() && json.get("status").is_some() {
            json["status"] = parts.status.as_u16().to_string().into();
        }
        if !dialect.cursor_total
            && parameter(&query, "cursor").is_some()
            && let Some(list) = json.as_object_mut()
        {
            list.remove("totalResults");
        }
        outbound(dialect, fault, Timestamp::now(), is_query, &mut json);
        bytes = json.to_string().into();
    }
    let without_body = was == Method::PATCH && dialect.empty_patch || was == Method::DELETE;
    if without_body && parts.status == StatusCode::OK {
        parts.status = StatusCode::NO_CONTENT;
        bytes = Bytes::new();
    }
    // Its length may have changed; hyper computes it.
    parts.headers.remove(header::CONTENT_LENGTH);
    Ok(dressed(dialect, Response::from_parts(parts, Sending::new(bytes))))
}

/// Asks the service. `place`: path and query.
async fn ask(
    shared: &Shared,
    method: Method,
    place: &str,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<(response::Parts, Bytes), Dropped> {
    let mut request =
        hyper::Request::builder().method(method).uri(place).body(Body::from(body)).map_err(|_| Dropped)?;
    *request.headers_mut() = headers.clone();
    let answer = shared.service.call(request).await.map_err(|never| match never {})?;
    let (parts, body) = answer.into_parts();
    Ok((parts, body.collect().await.map_err(|_| Dropped)?.to_bytes()))
}

/// What a dialect refuses for what there is, and not for what the request is like.
async fn judge(
    shared: &Shared,
    method: &str,
    path: &str,
    headers: &HeaderMap,
    body: &Value,
) -> Result<Result<(), Refusal>, Dropped> {
    let Dialect { members_active, groups_in_groups, unknown_id, absent_member, .. } = shared.dialect;
    let refuse = |status, detail| Ok(Err(Refusal { status, scim_type: None, detail }));
    if let Some(id) = path.strip_prefix("/Users/")
        && lock(&shared.deleted).iter().any(|gone| gone == id)
    {
        return refuse(unknown_id, format!("{path} was deleted"));
    }
    let writes = matches!(method, "POST" | "PUT" | "PATCH") && !path.ends_with("/.search");
    if !writes || !path.starts_with("/Groups") {
        return Ok(Ok(()));
    }
    if absent_member > 0
        && let Some(detail) = absent(shared, path, headers, body).await?
    {
        let scim_type = (absent_member == 400).then_some("noTarget");
        return Ok(Err(Refusal { status: absent_member, scim_type, detail }));
    }
    if !members_active && groups_in_groups {
        return Ok(Ok(()));
    }
    for id in members_added(body) {
        let (parts, body) = ask(shared, Method::GET, &format!("{BASE}/Users/{id}"), headers, Bytes::new()).await?;
        let user: Value = serde_json::from_slice(&body).unwrap_or_default();
        if !parts.status.is_success() && !groups_in_groups {
            return refuse(400, format!("{id} is no user; this target has no groups in groups"));
        }
        if members_active && user.get("active") == Some(&Value::Bool(false)) {
            return refuse(400, format!("{id} is not active"));
        }
    }
    Ok(Ok(()))
}

/// What is wrong with the members of a write: one is added whom nobody knows, or removed who is none.
async fn absent(shared: &Shared, path: &str, headers: &HeaderMap, body: &Value) -> Result<Option<String>, Dropped> {
    for id in members_added(body) {
        let (parts, _) = ask(shared, Method::GET, &format!("{BASE}/Users/{id}"), headers, Bytes::new()).await?;
        if !parts.status.is_success() {
            return Ok(Some(format!("nobody is {id}")));
        }
    }
    let removed = members_removed(body);
    if removed.is_empty() {
        return Ok(None);
    }
    let (_, group) = ask(shared, Method::GET, &format!("{BASE}{path}"), headers, Bytes::new()).await?;
    let group: Value = serde_json::from_slice(&group).unwrap_or_default();
    let members = field(&group, "members").and_then(Value::as_array).into_iter().flatten();
    let has: Vec<&str> = members.filter_map(|member| field(member, "value")?.as_str()).collect();
    let stranger = removed.into_iter().find(|id| !has.contains(&id.as_str()));
    Ok(stranger.map(|id| format!("{id} is no member")))
}

/// Lists do not show whom a DELETE switched off for good.
fn without_deleted(shared: &Shared, body: &mut Value) {
    let deleted = lock(&shared.deleted);
    if deleted.is_empty() {
        return;
    }
    let Some(resources) = body.get_mut("Resources").and_then(Value::as_array_mut) else { return };
    let before = resources.len();
    resources.retain(|resource| !deleted.iter().any(|gone| resource.get("id").and_then(Value::as_str) == Some(gone)));
    let gone = before - resources.len();
    for name in ["totalResults", "itemsPerPage"] {
        if let Some(number) = body.get(name).and_then(Value::as_u64) {
            body[name] = number.saturating_sub(gone as u64).into();
        }
    }
}
