//! A request, taken apart: base address, media types, body.

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, HeaderValue, Method};
use bytes::Bytes;
use provost_model::{Attributes, Value};
use provost_scim::{Query, Registry, ScimError};

use super::answer::Answer;
use crate::auth::{Client, Side};
use crate::body::{self, BodyError};
use crate::client::Habit;
use crate::state::Inner;
use crate::wire;

/// Bytes of one request body; a group of 100,000 members fits.
const MAX_BODY: usize = 16 << 20;

/// One set of resource types under one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Service {
    /// `/scim/v2`
    Public,
    /// `/api/v1/scim`
    All,
}

impl Service {
    /// What paths begin with, but for the version.
    pub fn path(self) -> &'static str {
        match self {
            Service::Public => "/scim",
            Service::All => "/api/v1/scim",
        }
    }

    /// What rights have to be for.
    pub fn side(self) -> Side {
        match self {
            Service::Public => Side::Scim,
            Service::All => Side::Api,
        }
    }

    fn base(self) -> &'static str {
        match self {
            Service::Public => "/scim/v2",
            Service::All => "/api/v1/scim",
        }
    }
}

pub(super) struct Request<'a> {
    pub state: &'a Inner,
    pub client: &'a Client,
    pub service: Service,
    /// GET for a HEAD.
    pub method: Method,
    pub headers: &'a HeaderMap,
    /// Still encoded.
    pub raw_query: &'a str,
    body: &'a [u8],
    /// The absolute base address of the service, without a slash at its end.
    pub base: String,
}

impl<'a> Request<'a> {
    pub fn new(
        state: &'a Inner,
        client: &'a Client,
        service: Service,
        method: Method,
        headers: &'a HeaderMap,
        raw_query: &'a str,
        body: &'a [u8],
    ) -> Self {
        let base = format!("{}{}", origin(state, headers), service.base());
        Self { state, client, service, method, headers, raw_query, body, base }
    }

    /// Whether the client may do this with resources of the type.
    pub fn may(&self, kind: &str, writes: bool) -> bool {
        self.client.may_at(self.service.side(), kind, writes)
    }

    /// 403 unless the client may do this with resources of the type.
    pub fn authorize(&self, kind: &str, writes: bool) -> Result<(), ScimError> {
        if self.may(kind, writes) { Ok(()) } else { Err(super::forbidden()) }
    }

    /// The types that this service has.
    pub fn registry(&self) -> &'a Registry {
        let types = self.state.directory.types();
        match self.service {
            Service::Public => types.public_registry(),
            Service::All => types.registry(),
        }
    }

    /// 405 with the methods that work.
    pub fn refuse_method(&self, allowed: &'static str) -> Answer {
        let error = ScimError::status(405, format!("{} does not work here; allowed: {allowed}", self.method));
        Answer::error(&error).header("allow", allowed)
    }

    /// The body as it was sent; 415 when it is declared as something else than JSON.
    pub fn json(&self) -> Result<&'a [u8], ScimError> {
        let Some(declared) = self.headers.get(CONTENT_TYPE) else { return Ok(self.body) };
        match is_json(declared) {
            Ok(()) => Ok(self.body),
            Err(media) => Err(ScimError::status(415, format!("`{media}` is not accepted; send application/scim+json"))),
        }
    }

    /// The body as attributes. Its nesting is bounded by the parser, its size by [`read`].
    pub fn attributes(&self) -> Result<Attributes, ScimError> {
        match serde_json::from_slice::<Value>(self.json()?) {
            Ok(Value::Complex(attributes)) => Ok(attributes),
            Ok(other) => {
                Err(ScimError::invalid_syntax(format!("the body is {} and has to be an object", other.kind())))
            }
            Err(error) => Err(ScimError::invalid_syntax(format!("the body is no JSON: {error}"))),
        }
    }

    /// What the address asks for. Refuses what is not encoded as it should be, unless the client has that habit.
    pub fn query(&self) -> Result<Query, ScimError> {
        if !self.client.settings.has(Habit::LooseQuery) {
            let wrong = if self.headers.contains_key(wire::MENDED) {
                Some("quotes, < and > have to be encoded: %22, %3C, %3E")
            } else if self.raw_query.contains('+') {
                Some("a blank has to be encoded as %20, a plus as %2B")
            } else if !self.raw_query.is_empty() && self.raw_query.split('&').any(str::is_empty) {
                Some("there is an & without a parameter")
            } else {
                None
            };
            if let Some(wrong) = wrong {
                return Err(ScimError::invalid_syntax(format!("the query of the address: {wrong}")));
            }
        }
        Query::from_url(self.raw_query)
    }

    /// Whether a header's list of words, divided by commas, has this one; each line of it counts.
    pub fn prefers(&self, word: &str) -> bool {
        let lines = self.headers.get_all("prefer").iter().filter_map(|line| line.to_str().ok());
        lines.flat_map(|line| line.split([',', ';'])).any(|one| one.trim().eq_ignore_ascii_case(word))
    }
}

/// The address the client used: the configured one, else that of its Host header.
pub(crate) fn origin(state: &Inner, headers: &HeaderMap) -> String {
    if let Some(url) = &state.public_url {
        return url.clone();
    }
    let is_host = |text: &&str| text.bytes().all(|c| c.is_ascii_alphanumeric() || b".-:[]_".contains(&c));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).filter(is_host).unwrap_or("localhost");
    format!("http://{host}")
}

/// Whether a body is declared as JSON, under SCIM's name or its own; if not, as what.
pub(crate) fn is_json(declared: &HeaderValue) -> Result<(), &str> {
    let media = declared.to_str().unwrap_or("?").split(';').next().unwrap_or_default().trim();
    let is_known = ["application/scim+json", "application/json"].iter().any(|known| media.eq_ignore_ascii_case(known));
    if is_known { Ok(()) } else { Err(media) }
}

/// Whether a client takes JSON, but not by SCIM's name.
pub(super) fn accepts_only_json(headers: &HeaderMap) -> bool {
    let accepts = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepts.contains("application/json") && !accepts.contains("scim+json") && !accepts.contains('*')
}

/// The whole body, or 413.
pub(super) async fn read(body: Body) -> Result<Bytes, ScimError> {
    body::read(body, MAX_BODY).await.map_err(|error| match error {
        BodyError::TooLarge => ScimError::too_large(format_args!("{} MiB", MAX_BODY >> 20)),
        BodyError::Broken => ScimError::invalid_syntax("the body could not be read to its end"),
    })
}
