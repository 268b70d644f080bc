//! Tokens by OAuth 2.0 client credentials (RFC 6749 section 4.4): asked for when the first request needs one, kept, renewed
//! before it expires, and once more when the target does not take it.
//!
//! However many requests wait, one asks. The token endpoint is spoken to by a client of its own, over TLS like the target.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use hyper::Method;
use hyper::header::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use provost_connector::{ConnectorError, Context, ErrorCode, Secret};
use serde::Deserialize;
use serde_json::Value as Json;
use tokio::sync::Mutex;

use super::client::{Call, Client};
use super::failure::Effect;

/// How long a token is taken to last when the endpoint does not say.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(300);

/// A token is renewed so long before its end, or after nine tenths of a short life.
const MARGIN: Duration = Duration::from_secs(60);

/// What a form leaves as it is (`application/x-www-form-urlencoded`).
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'*').remove(b'-').remove(b'.').remove(b'_');

/// Asks for tokens and keeps the one that is good.
pub struct Grant {
    client: Client,
    /// The form, secrets included.
    form: Secret,
    held: RwLock<Option<Arc<Held>>>,
    /// Whoever asks.
    asking: Mutex<()>,
}

/// A token that the endpoint gave.
pub struct Held {
    /// `Bearer …`, marked sensitive.
    pub header: HeaderValue,
    token: Secret,
    renew: Instant,
}

#[derive(Deserialize)]
struct Given {
    access_token: String,
    #[serde(default)]
    expires_in: Json,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Refusal {
    error: String,
    error_description: String,
}

impl Grant {
    /// `client` speaks to the token endpoint, with what authenticates it there.
    pub fn new(client: Client, fields: &[(&str, &str)]) -> Self {
        let pair = |(name, value): &(&str, &str)| format!("{}={}", encode(name), encode(value));
        let form: Vec<String> = [("grant_type", "client_credentials")].iter().chain(fields).map(pair).collect();
        Self { client, form: Secret::new(form.join("&")), held: RwLock::default(), asking: Mutex::default() }
    }

    /// A token that is good for a while: the one at hand, or a new one.
    pub async fn token(&self, cx: &Context) -> Result<Arc<Held>, ConnectorError> {
        if let Some(held) = self.fresh(None) {
            return Ok(held);
        }
        self.ask(cx, None).await
    }

    /// Another token than this one, which the target did not take.
    pub async fn another(&self, cx: &Context, refused: &Arc<Held>) -> Result<Arc<Held>, ConnectorError> {
        self.ask(cx, Some(refused)).await
    }

    /// The text of the token at hand, to be masked wherever it is repeated.
    pub fn mask(&self) -> Option<Secret> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(|held| held.token.clone())
    }

    fn fresh(&self, refused: Option<&Arc<Held>>) -> Option<Arc<Held>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner).clone()?;
        let other = refused.is_none_or(|refused| !Arc::ptr_eq(refused, &held));
        (other && Instant::now() < held.renew).then_some(held)
    }

    async fn ask(&self, cx: &Context, refused: Option<&Arc<Held>>) -> Result<Arc<Held>, ConnectorError> {
        let _one = self.asking.lock().await;
        // Somebody may have asked while this one waited.
        if let Some(held) = self.fresh(refused) {
            return Ok(held);
        }
        let media = HeaderValue::from_static("application/x-www-form-urlencoded");
        let mut call = Call::new(Method::POST, "");
        // A token that nobody got does no harm: asking again is no second write.
        call.effect = Effect::Read;
        let call = call.body(&media, self.form.expose().as_bytes().to_vec());
        // Boxed: it is the same function that waits for this one.
        let answer = Box::pin(self.client.send(cx, &call)).await.map_err(|error| told(error, "cannot be asked"))?;
        if !answer.is_success() {
            return Err(self.refused(answer.status.as_u16(), &answer.body));
        }
        let given: Given = serde_json::from_slice(&answer.body).map_err(|_| {
            ConnectorError::new(ErrorCode::Protocol, "the token endpoint's answer has no `access_token`")
                .at("oauth.token_url")
                .hint("check that `token_url` is the token endpoint, not the page where people sign in")
        })?;
        let mut header = HeaderValue::try_from(format!("Bearer {}", given.access_token)).map_err(|_| {
            ConnectorError::new(ErrorCode::Protocol, "the token endpoint gave a token that no header can carry")
        })?;
        header.set_sensitive(true);
        let lifetime = lifetime(&given.expires_in);
        let margin = MARGIN.min(lifetime / 10);
        let held = Arc::new(Held {
            header,
            token: Secret::new(given.access_token),
            renew: Instant::now() + lifetime.saturating_sub(margin),
        });
        tracing::debug!(lifetime_s = lifetime.as_secs(), trace = %cx.trace, "a token was granted");
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(held.clone());
        Ok(held)
    }

    /// What RFC 6749 section 5.2 has for refusals, as far as the endpoint keeps to it.
    fn refused(&self, status: u16, body: &[u8]) -> ConnectorError {
        let refusal: Refusal = serde_json::from_slice(body).unwrap_or_default();
        let words = [refusal.error.as_str(), refusal.error_description.as_str()];
        let words: Vec<&str> = words.into_iter().filter(|text| !text.is_empty()).collect();
        let words = match words.as_slice() {
            [] => String::new(),
            words => format!(": {}", self.client.presentable(&words.join(": "))),
        };
        let (code, hint) = match status {
            429 | 503 => (ErrorCode::Throttled, "wait; the token endpoint limits how often it is asked"),
            500.. => (ErrorCode::Unavailable, "look at the state of the token endpoint"),
            _ => (
                ErrorCode::AuthFailed,
                "check `client_id`, the secret, and `scope` or `audience`; renew the secret if it ended",
            ),
        };
        let message = format!("the token endpoint refuses with {status}{words}");
        ConnectorError::new(code, message).at("oauth").status(status).hint(hint)
    }
}

impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Grant").field("client", &self.client).finish_non_exhaustive()
    }
}

/// Encodes a part of a form, or of the name and secret in a Basic header (RFC 6749 section 2.3.1).
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, FORM).to_string()
}

/// Seconds, as a number or, as some endpoints have it, as text.
fn lifetime(said: &Json) -> Duration {
    let seconds = said.as_f64().or_else(|| said.as_str()?.trim().parse().ok());
    let seconds = seconds.filter(|seconds| *seconds > 0.0 && *seconds < 31_622_400.0);
    seconds.map_or(DEFAULT_LIFETIME, Duration::from_secs_f64)
}

fn told(error: ConnectorError, what: &str) -> ConnectorError {
    let message = format!("the token endpoint {what}: {}", error.message);
    ConnectorError { message, ..error }.at("oauth.token_url")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lifetimes_are_read_as_endpoints_say_them() {
        for (said, want) in [
            (json!(3600), 3600),
            (json!("3599"), 3599),
            (json!(0), 300),
            (json!(-1), 300),
            (json!(null), 300),
            (json!("soon"), 300),
            (json!(1e300), 300),
        ] {
            assert_eq!(lifetime(&said).as_secs(), want, "{said}");
        }
        assert_eq!(encode("a b+c/é:&="), "a%20b%2Bc%2F%C3%A9%3A%26%3D");
    }
}
