//! `/scim/v2`: one door for every path, so that what does not exist is refused in SCIM's own form (RFC 7644).

mod answer;
mod discovery;
mod query;
mod resource;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use provost_scim::ScimError;

use crate::ServerState;
use crate::auth::{Caller, authenticate};
use crate::state::Inner;

use answer::Answer;

/// A request, taken apart.
pub(crate) struct Request<'a> {
    pub state: &'a Inner,
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
    pub query: &'a str,
    pub body: &'a [u8],
    /// The absolute base address of the service, without a slash at its end.
    pub base: String,
}

pub(crate) async fn handle(
    State(state): State<ServerState>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Response {
    let inner = &state.0;
    let answer = match body {
        Err(rejection) if rejection.status().as_u16() == 413 => Answer::error(ScimError::too_large("16 MiB")),
        Err(_) => Answer::error(ScimError::invalid_syntax("the body could not be read")),
        Ok(body) => {
            let request = Request {
                state: inner,
                method: &method,
                headers: &headers,
                query: uri.query().unwrap_or_default(),
                body: &body,
                base: base(inner, &headers),
            };
            route(&request, uri.path()).await
        }
    };
    inner.metrics.answered(method.as_str(), answer.status());
    answer.into_response()
}

async fn route(request: &Request<'_>, path: &str) -> Answer {
    let writes = !matches!(*request.method, Method::GET | Method::HEAD) && !path.ends_with("/.search");
    match authenticate(request.state, request.headers, writes).await {
        Caller::Granted => {}
        Caller::Refused => return Answer::unauthorized(),
        Caller::Forbidden => return Answer::error(ScimError::status(403, "the token may read, not write")),
        Caller::Unknown => return Answer::error(ScimError::status(503, "the token cannot be checked now")),
    }
    let path = path.strip_prefix("/scim/v2").unwrap_or(path).trim_matches('/');
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    let (endpoint, id, more) = (segments.next().unwrap_or_default(), segments.next(), segments.next());
    if more.is_some() {
        return Answer::error(ScimError::not_found(format_args!("/{path}")));
    }
    if let Some(answer) = discovery::answer(request, endpoint, id) {
        return answer;
    }
    if endpoint.eq_ignore_ascii_case("Me") {
        return Answer::error(ScimError::status(501, "/Me is not supported: tokens belong to clients, not to people"));
    }
    let Some(types) = request.state.directory.registry().by_endpoint(&format!("/{endpoint}")).cloned() else {
        return Answer::error(ScimError::not_found(format_args!("/{path}")));
    };
    let result = match id {
        None => query::collection(request, &types).await,
        Some(".search") => query::search(request, &types).await,
        Some(id) => resource::one(request, &types, id).await,
    };
    result.unwrap_or_else(Answer::error)
}

/// The address the client used: the configured one, else that of its Host header.
fn base(state: &Inner, headers: &HeaderMap) -> String {
    if let Some(url) = &state.public_url {
        return format!("{url}/scim/v2");
    }
    let host = headers.get(axum::http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let is_host = |c: char| c.is_ascii_alphanumeric() || ".-:[]_".contains(c);
    let host = if host.chars().all(is_host) { host } else { "localhost" };
    format!("http://{host}/scim/v2")
}

impl Request<'_> {
    /// 405 with the methods that work.
    fn refuse_method(&self, allowed: &'static str) -> Answer {
        let error = ScimError::status(405, format!("{} does not work here; allowed: {allowed}", self.method));
        Answer::error(error).header("allow", allowed)
    }

    /// 415 for a body that is declared as something else than JSON.
    fn check_json(&self) -> Result<(), ScimError> {
        let declared = self.headers.get(axum::http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media = declared.map(|text| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        match media.as_deref() {
            None | Some("" | "application/scim+json" | "application/json") => Ok(()),
            Some(other) => Err(ScimError::status(415, format!("`{other}` is not accepted; send application/scim+json"))),
        }
    }
}
