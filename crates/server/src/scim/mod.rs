//! `/scim/v2`: one door for every path, so that what does not exist is refused in SCIM's own form (RFC 7644).
//!
//! [`handle`] authenticates, reads the body and finds the endpoint; [`discovery`], [`collection`], [`root`] and
//! [`resource`] answer. [`operation`] makes writes of requests, also of those in a [`bulk`] request. `/Me` leads to the user
//! that a token was made for.

mod answer;
mod bulk;
mod collection;
mod cursor;
mod discovery;
mod openapi;
mod operation;
mod request;
mod resource;
mod root;
mod shown;

use std::borrow::Cow;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, Request as HttpRequest, Response};
use percent_encoding::percent_decode_str;
use provost_scim::ScimError;

use crate::ServerState;
use crate::auth::{Refused, authenticate};

use answer::Answer;
pub(crate) use cursor::CursorKey;
use request::{Request, Service, accepts_only_json, read};
pub(crate) use request::{is_json, origin};

/// The service for SCIM clients.
pub(crate) async fn handle(State(state): State<ServerState>, request: HttpRequest<Body>) -> Response<Body> {
    respond(state, Service::Public, request).await
}

/// The service with everything the directory has, applications and assignments among it.
pub(crate) async fn handle_all(State(state): State<ServerState>, request: HttpRequest<Body>) -> Response<Body> {
    respond(state, Service::All, request).await
}

async fn respond(state: ServerState, service: Service, request: HttpRequest<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let answer = answer(&state, service, &parts, body).await;
    state.0.metrics.answered(parts.method.as_str(), answer.status());
    answer.into_response(accepts_only_json(&parts.headers))
}

async fn answer(state: &ServerState, service: Service, parts: &axum::http::request::Parts, body: Body) -> Answer {
    let state = &*state.0;
    let path = parts.uri.path();
    // A HEAD is a GET whose body the HTTP library leaves out (RFC 9110 section 9.3.2).
    let method = if parts.method == Method::HEAD { Method::GET } else { parts.method.clone() };
    let writes = method != Method::GET && !path.ends_with("/.search");
    let client = match authenticate(state, &parts.headers).await {
        Ok(client) if client.may(service.side(), writes) => client,
        Ok(_) => return Answer::error(&forbidden()),
        Err(Refused::Stranger) => return Answer::unauthorized(),
        Err(Refused::TooMany(wait)) => return Answer::too_many(wait),
        Err(Refused::Unknown) => {
            return Answer::error(&ScimError::status(503, "the token cannot be checked now; try again"));
        }
    };
    let body = match method {
        Method::POST | Method::PUT | Method::PATCH => read(body).await,
        _ => Ok(Default::default()),
    };
    let result = match body {
        Ok(body) => {
            let query = parts.uri.query().unwrap_or_default();
            let request = Request::new(state, &client, service, method, &parts.headers, query, &body);
            route(&request, path).await
        }
        Err(error) => Err(error),
    };
    let answer = result.unwrap_or_else(|error| Answer::error(&error));
    // The path alone: what is asked for may be somebody's name.
    tracing::debug!(client = %client.name, method = %parts.method, path, status = answer.status(), "answered");
    answer
}

async fn route(request: &Request<'_>, path: &str) -> Result<Answer, ScimError> {
    let path = path.strip_prefix(request.service.path()).unwrap_or(path);
    let segments = segments(path);
    let segments = match segments.as_slice() {
        [version, rest @ ..] if is_version(version) => {
            if !version.eq_ignore_ascii_case("v2") {
                return Err(ScimError::invalid_version(format!("SCIM has no version {version} here; use v2")));
            }
            rest
        }
        all => all,
    };
    let unknown = || ScimError::not_found(path);
    let (endpoint, id) = match segments {
        [] => ("", None),
        [endpoint] => (&**endpoint, None),
        [endpoint, id] => (&**endpoint, Some(&**id)),
        _ => return Err(unknown()),
    };
    if let Some(answer) = discovery::answer(request, endpoint, id) {
        return answer;
    }
    match (endpoint, id) {
        ("", _) => return root::list(request).await,
        (".search", None) => return root::search(request).await,
        ("Bulk", None) if request.method == Method::POST => return bulk::answer(request).await,
        ("Bulk", None) => return Ok(request.refuse_method("POST")),
        ("openapi.json", None) if request.method == Method::GET => return Ok(openapi::answer(request)),
        ("Me", None) => return resource::me(request),
        _ => {}
    }
    let types = request.registry().by_endpoint(endpoint).ok_or_else(unknown)?;
    let writes = request.method != Method::GET && id != Some(".search");
    request.authorize(types.name(), writes)?;
    match id {
        None => collection::all(request, types).await,
        Some(".search") => collection::search(request, types).await,
        Some(id) => resource::one(request, types, id).await,
    }
}

fn forbidden() -> ScimError {
    ScimError::status(403, "the token does not allow this")
}

/// The parts of a path, decoded; empty ones do not count.
fn segments(path: &str) -> Vec<Cow<'_, str>> {
    let filled = path.split('/').filter(|segment| !segment.is_empty());
    filled.map(|segment| percent_decode_str(segment).decode_utf8_lossy()).collect()
}

/// `v` and a number, as in RFC 7644 section 3.13.
fn is_version(segment: &str) -> bool {
    segment.strip_prefix(['v', 'V']).is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}
