//! The small things of SCIM over HTTP: media types, paths, queries.

use std::fmt::{Display, Write};

use hyper::header::{ACCEPT, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use provost_connector::{ConnectorError, ErrorCode};
use provost_scim::ScimError;
use provost_scim::urn::SEARCH_REQUEST;
use serde_json::Value as Json;

/// RFC 7644 section 3.1.
pub static SCIM_JSON: HeaderValue = HeaderValue::from_static("application/scim+json");

/// Sent with everything but DELETE, which Entra ID's own server refuses with an `Accept`.
pub static ACCEPTED: [(HeaderName, HeaderValue); 1] =
    [(ACCEPT, HeaderValue::from_static("application/scim+json, application/json;q=0.9"))];

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `/Users/{id}`.
pub fn object(endpoint: &str, id: &str) -> String {
    format!("{endpoint}/{}", utf8_percent_encode(id, RESERVED))
}

/// A query that grows parameter by parameter.
pub struct Query(String);

impl Query {
    pub fn new(endpoint: &str) -> Self {
        let mut path = String::with_capacity(endpoint.len() + 120);
        path.push_str(endpoint);
        Self(path)
    }

    /// Adds a parameter, encoded as it is printed.
    pub fn with(mut self, name: &str, value: impl Display) -> Self {
        self.0.push(if self.0.contains('?') { '&' } else { '?' });
        self.0.push_str(name);
        self.0.push('=');
        write!(Encoded(&mut self.0), "{value}").expect("a text takes everything");
        self
    }

    pub fn into_path(self) -> String {
        self.0
    }

    pub fn has_filter(&self) -> bool {
        self.0.contains("?filter=") || self.0.contains("&filter=")
    }

    /// The same as a SearchRequest (RFC 7644 section 3.4.3): the address and the body.
    pub fn into_search(self) -> (String, Vec<u8>) {
        let (endpoint, query) = self.0.split_once('?').unwrap_or((&self.0, ""));
        let mut body = serde_json::Map::from_iter([("schemas".to_owned(), serde_json::json!([SEARCH_REQUEST]))]);
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let text = percent_decode_str(value).decode_utf8_lossy();
            let value = match name {
                "startIndex" | "count" => text.parse::<u64>().map_or_else(|_| Json::from(&*text), Json::from),
                "attributes" | "excludedAttributes" => text.split(',').collect(),
                _ => Json::from(&*text),
            };
            body.insert(name.to_owned(), value);
        }
        (format!("{endpoint}/.search"), Json::Object(body).to_string().into_bytes())
    }
}

/// Encodes what is written into it.
struct Encoded<'a>(&'a mut String);

impl Write for Encoded<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend(utf8_percent_encode(text, RESERVED));
        Ok(())
    }
}

/// An answer of 2xx whose body is not what SCIM has there.
pub fn unreadable(what: &str, error: &ScimError) -> ConnectorError {
    ConnectorError::new(ErrorCode::Protocol, format!("{what}: {error}"))
        .hint("check that `url` is the SCIM base address of the target, not a page for people")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_encoded_as_a_whole() {
        for (filter, want) in [
            ("userName eq \"ada\"", "/Users?filter=userName%20eq%20%22ada%22"),
            ("a eq \"b&c=d#e+f%\"", "/Users?filter=a%20eq%20%22b%26c%3Dd%23e%2Bf%25%22"),
            ("a eq \"Zoë\"", "/Users?filter=a%20eq%20%22Zo%C3%AB%22"),
        ] {
            assert_eq!(Query::new("/Users").with("filter", filter).into_path(), want);
        }
        let query = Query::new("/Users").with("filter", "a eq \"b&c\"").with("count", 7);
        assert!(query.has_filter());
        let (path, body) = query.into_search();
        let body: Json = serde_json::from_slice(&body).unwrap();
        let want = serde_json::json!({"schemas": [SEARCH_REQUEST], "filter": "a eq \"b&c\"", "count": 7});
        assert_eq!((path.as_str(), body), ("/Users/.search", want));
        assert_eq!(object("/Users", "a/../b?c"), "/Users/a%2F..%2Fb%3Fc");
    }
}
