//! A JSON-over-HTTP/1.1 client, no more than tests need to look at a peer directly, past the client under test.
//! No redirects, no retries, no TLS, whole bodies. Provost's own client is in the connectors; the tests of that client use
//! this one to see what really arrived.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Request, header};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

use crate::Error;

/// No request of a test may take longer.
const LIMIT: Duration = Duration::from_secs(30);

/// Speaks to one base URL, with one bearer token.
#[derive(Clone, Debug)]
pub struct Http {
    base: String,
    token: Option<String>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// The body as JSON; `Null` when empty, a string when it is not JSON.
    pub body: Value,
}

impl Answer {
    /// The text at a JSON pointer, empty when there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

impl Http {
    /// `base` is prepended to every path, without a trailing slash: `http://127.0.0.1:8080/v2`.
    pub fn new(base: impl Into<String>, token: Option<&str>) -> Self {
        // A connection per request: a pooled one that the peer closes meanwhile would make tests flicker.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Self { base: base.into(), token: token.map(str::to_owned), client }
    }

    pub async fn get(&self, path: &str) -> Result<Answer, Error> {
        self.send("GET", path, None).await
    }

    /// One request; `body` goes out as `application/scim+json`. `path` starts with a slash and is already encoded.
    pub async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, Error> {
        let url = format!("{}{path}", self.base);
        let failed = |reason: String| Error::NoAnswer { method: method.to_owned(), url: url.clone(), reason };
        let mut request = Request::builder().method(method).uri(&url).header(header::ACCEPT, "application/scim+json");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/scim+json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request.body(Full::new(Bytes::from(body))).map_err(|error| failed(error.to_string()))?;
        let exchange = async {
            let answer = self.client.request(request).await.map_err(|error| failed(causes(&error)))?;
            let (parts, body) = answer.into_parts();
            let body = body.collect().await.map_err(|error| failed(causes(&error)))?.to_bytes();
            Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body: read(&body) })
        };
        match tokio::time::timeout(LIMIT, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(failed(format!("timed out after {LIMIT:?}"))),
        }
    }
}

fn read(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

/// An error with what caused it: hyper's outermost error alone says nothing.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// Percent-encodes a query value: everything but letters, digits and `-._~`.
pub fn encode(value: &str) -> String {
    value
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
