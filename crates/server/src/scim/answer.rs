//! An answer before it is HTTP.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use provost_scim::ScimError;

use super::shown::Shown;

/// Status, body and the headers that SCIM cares for.
pub(super) struct Answer {
    status: u16,
    headers: Vec<(HeaderName, String)>,
    body: Vec<u8>,
}

impl Answer {
    pub fn json(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    pub fn empty(status: u16) -> Self {
        Self::json(status, Vec::new())
    }

    pub fn error(error: &ScimError) -> Self {
        Self::json(error.status, error.to_json())
    }

    /// The same for a missing, malformed, unknown or expired token (RFC 7644 section 2).
    pub fn unauthorized() -> Self {
        Self::error(&ScimError::status(401, "a valid bearer token is needed"))
            .header("www-authenticate", "Bearer realm=\"provost\"")
    }

    /// With the seconds until the next request is welcome (RFC 6585 section 4).
    pub fn too_many(wait_ms: i64) -> Self {
        let seconds = (wait_ms + 999) / 1000;
        let error = ScimError::status(429, format!("more requests than this token may send; try again in {seconds} s"));
        Self::error(&error).header("retry-after", seconds.to_string())
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((HeaderName::from_static(name), value.into()));
        self
    }

    /// A resource with its version and address in body and headers.
    pub fn resource(status: u16, shown: Shown) -> Self {
        let body = serde_json::to_vec(&shown.body).expect("attributes are JSON with text keys, written to memory");
        Self { status, headers: vec![(ETAG, shown.etag), (LOCATION, shown.location)], body }
    }

    pub fn status(&self) -> u16 {
        self.status
    }

    /// As HTTP; with the plain name of JSON for a client that does not take SCIM's.
    pub fn into_response(self, plain_json: bool) -> Response<Body> {
        let has_body = !self.body.is_empty();
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if has_body {
            let media = if plain_json { "application/json" } else { "application/scim+json" };
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
        response
    }
}
