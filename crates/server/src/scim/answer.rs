//! An answer before it is HTTP.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ETAG, LOCATION, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use provost_model::{Attributes, Timestamp, Value};
use provost_scim::ScimError;
use provost_scim::resource::View;

/// Status, body and the headers that SCIM cares for.
pub(crate) struct Answer {
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

    pub fn error(error: ScimError) -> Self {
        Self::json(error.status, error.to_json())
    }

    /// The same for a missing, malformed, unknown or expired token (RFC 7644 section 2).
    pub fn unauthorized() -> Self {
        let mut answer = Self::error(ScimError::status(401, "a valid bearer token is needed"));
        answer.headers.push((WWW_AUTHENTICATE, "Bearer realm=\"provost\"".into()));
        answer
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((HeaderName::from_static(name), value.into()));
        self
    }

    /// A resource with its version and address in body and headers.
    pub fn resource(status: u16, base: &str, endpoint: &str, resource: Resource, view: &View<'_>) -> Self {
        let etag = etag(resource.version);
        let location = format!("{base}{endpoint}/{}", resource.id);
        let shown = shown(&location, resource, view);
        let body = serde_json::to_vec(&shown).unwrap_or_default();
        let headers = vec![(ETAG, etag), (LOCATION, location)];
        Self { status, headers, body }
    }

    pub fn status(&self) -> u16 {
        self.status
    }

    pub fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if self.status != 204 && self.status != 304 {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

use provost_directory::Resource;

/// A weak ETag: the version counts changes of content, not of spelling (RFC 7644 section 3.14).
pub(crate) fn etag(version: i64) -> String {
    format!("W/\"{version}\"")
}

/// The resource as clients see it: with id, meta and members.
pub(crate) fn shown(location: &str, resource: Resource, view: &View<'_>) -> Attributes {
    let time = |ms| Timestamp::from_millisecond(ms).unwrap_or_default().to_string();
    let meta: Attributes = [
        ("resourceType", Value::text(resource.kind.as_str())),
        ("created", time(resource.created).into()),
        ("lastModified", time(resource.modified).into()),
        ("location", location.into()),
        ("version", etag(resource.version).into()),
    ]
    .into_iter()
    .collect();
    let members_base = location.rsplit_once('/').and_then(|(kind, _)| kind.rsplit_once('/')).map_or("", |(base, _)| base);
    let mut attributes = Attributes::with_capacity(resource.attributes.len() + 3);
    attributes.push("id", Value::text(resource.id.as_str()));
    for (name, value) in resource.attributes {
        attributes.push(name, value);
    }
    if let Some(members) = resource.members.filter(|members| !members.is_empty()) {
        let shown = members.into_iter().map(|member| {
            let address = format!("{members_base}/{}s/{}", member.kind, member.id);
            Value::Complex(
                [
                    ("value", Value::text(member.id.as_str())),
                    ("$ref", address.into()),
                    ("type", Value::text(member.kind.as_str())),
                ]
                .into_iter()
                .collect(),
            )
        });
        attributes.push("members", Value::List(shown.collect()));
    }
    attributes.push("meta", meta);
    view.present(attributes)
}
