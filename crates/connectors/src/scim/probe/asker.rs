//! Requests of a trial, and their answers as they are. What fails in passing is tried again: all that is written are objects of
//! the trial's own.

use std::cell::Cell;
use std::time::Duration;

use provost_connector::layers::RetryPolicy;
use provost_connector::{ConnectorError, Context, ErrorCode};
use serde_json::Value as Json;

use super::super::wire::{ACCEPTED, SCIM_JSON};
use crate::http::header::{HeaderName, HeaderValue};
use crate::http::{Answer, Call, Client, Method, StatusCode, status};

/// An answer, whatever its status. The body is null where it is none or no JSON.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub status: u16,
    pub body: Json,
    pub etag: Option<String>,
    pub location: Option<String>,
    pub media_type: Option<String>,
}

impl Reply {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The resources of a list, in any spelling.
    pub fn resources(&self) -> &[Json] {
        let list = match &self.body {
            Json::Object(parts) => {
                parts.iter().find(|(name, _)| name.eq_ignore_ascii_case("Resources")).map(|(_, v)| v)
            }
            list => Some(list),
        };
        list.and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    /// `totalResults`, as number or text.
    pub fn total(&self) -> Option<u64> {
        match self.body.get("totalResults")? {
            Json::String(text) => text.parse().ok(),
            number => number.as_u64(),
        }
    }

    /// The id of the resource, as text.
    pub fn id(&self) -> Option<String> {
        id_of(&self.body)
    }

    /// The target's own words on a refusal.
    pub fn words(&self) -> String {
        let detail = ["detail", "message", "error_description", "error"]
            .iter()
            .find_map(|name| self.body.get(name).and_then(Json::as_str))
            .unwrap_or_default();
        let detail: String = detail.chars().filter(|c| !c.is_control()).take(160).collect();
        if detail.is_empty() {
            format!("refused with {}", self.status)
        } else {
            format!("refused with {}: {detail}", self.status)
        }
    }
}

pub fn id_of(resource: &Json) -> Option<String> {
    match resource.get("id").or_else(|| resource.get("ID"))? {
        Json::String(id) if !id.is_empty() => Some(id.clone()),
        Json::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

pub struct Asker<'a> {
    cx: &'a Context,
    client: &'a Client,
    requests: Cell<u32>,
}

impl<'a> Asker<'a> {
    pub fn new(cx: &'a Context, client: &'a Client) -> Self {
        Self { cx, client, requests: Cell::new(0) }
    }

    pub fn requests(&self) -> u32 {
        self.requests.get()
    }

    pub async fn get(&self, path: &str) -> Result<Reply, ConnectorError> {
        self.send(Method::GET, path, None).await
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<&Json>) -> Result<Reply, ConnectorError> {
        self.with(method, path, body, None).await
    }

    /// With one header more.
    pub async fn with(
        &self,
        method: Method,
        path: &str,
        body: Option<&Json>,
        header: Option<(HeaderName, HeaderValue)>,
    ) -> Result<Reply, ConnectorError> {
        let headers: Vec<(HeaderName, HeaderValue)> = match method {
            Method::DELETE => header.into_iter().collect(),
            _ => ACCEPTED.iter().cloned().chain(header).collect(),
        };
        let policy = RetryPolicy::default();
        let answer = policy
            .repeat(self.cx, || async {
                let mut call = Call::new(method.clone(), path).headers(&headers);
                if let Some(body) = body {
                    call = call.body(&SCIM_JSON, body.to_string());
                }
                self.requests.set(self.requests.get() + 1);
                let answer = self.client.send(self.cx, &call).await.map_err(passing)?;
                self.judge(&call, answer)
            })
            .await?;
        let text = |name| answer.header(name).map(str::to_owned);
        use crate::http::header::{CONTENT_TYPE, ETAG, LOCATION};
        Ok(Reply {
            status: answer.status.as_u16(),
            body: serde_json::from_slice(&answer.body).unwrap_or_default(),
            etag: text(ETAG),
            location: text(LOCATION),
            media_type: text(CONTENT_TYPE),
        })
    }

    /// Waits for targets whose queries lag behind.
    pub async fn pause(&self, time: Duration) -> Result<(), ConnectorError> {
        self.cx.sleep(time).await
    }

    /// Credentials that are not taken end the trial; a target that is overloaded is asked again.
    fn judge(&self, call: &Call<'_>, answer: Answer) -> Result<Answer, ConnectorError> {
        match answer.status {
            StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Err(status::refusal(&answer, call.effect, &self.client.name(call), ""))
            }
            _ => Ok(answer),
        }
    }
}

/// A write whose answer was lost is sent again: it is on an object that the trial made, or makes one more.
fn passing(error: ConnectorError) -> ConnectorError {
    match error.code {
        ErrorCode::UnknownOutcome => ConnectorError { code: ErrorCode::Unavailable, ..error },
        _ => error,
    }
}
