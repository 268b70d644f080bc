//! Tokens by OAuth 2.0 client credentials (RFC 6749 section 4.4): who may ask, which are good and for how long. The service
//! behind knows one token only; who brings a good one gets that in its place.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::address::parameter;

/// Who asks for tokens; the secret is the target's token.
pub(crate) const CLIENT_ID: &str = "provost";

/// Tokens that were given.
#[derive(Default)]
pub(crate) struct Tokens(HashMap<String, Instant>);

/// What a token that was sent is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Not one of these.
    Unknown,
    Good,
    Over,
}

impl Tokens {
    pub fn give(&mut self, token: &str, life: Duration) {
        self.0.insert(token.to_owned(), Instant::now() + life);
    }

    /// From now on it is refused, if it was given here.
    pub fn revoke(&mut self, token: &str) {
        if let Some(until) = self.0.get_mut(token) {
            *until = Instant::now();
        }
    }

    pub fn standing(&self, token: &str) -> Standing {
        match self.0.get(token) {
            None => Standing::Unknown,
            Some(until) if Instant::now() < *until => Standing::Good,
            Some(_) => Standing::Over,
        }
    }
}

/// Whether the form, or the header, is that of a client with this secret; else status and body of the refusal.
pub(crate) fn judge(form: &str, authorization: Option<&str>, secret: &str) -> Result<(), (u16, Value)> {
    let refuse = |status, error| Err((status, json!({ "error": error })));
    if parameter(form, "grant_type").as_deref() != Some("client_credentials") {
        return refuse(400, "unsupported_grant_type");
    }
    let (id, given) = match authorization.and_then(|header| header.strip_prefix("Basic ")) {
        Some(pair) => {
            let pair = STANDARD.decode(pair.trim()).unwrap_or_default();
            let pair = String::from_utf8_lossy(&pair).into_owned();
            let (id, secret) = pair.split_once(':').unwrap_or((&pair, ""));
            // Each half is form-encoded before (RFC 6749 section 2.3.1).
            let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
            (decoded(id), decoded(secret))
        }
        None => {
            let field = |name| parameter(form, name).unwrap_or_default();
            (field("client_id"), field("client_secret"))
        }
    };
    if id == CLIENT_ID && given == secret { Ok(()) } else { refuse(401, "invalid_client") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_known_by_header_or_form() {
        let basic = format!("Basic {}", STANDARD.encode("provost:s%2Fx"));
        let status = |form, header| judge(form, header, "s/x").err().map_or(200, |(status, _)| status);
        assert_eq!(status("grant_type=client_credentials", Some(basic.as_str())), 200);
        assert_eq!(status("grant_type=client_credentials&client_id=provost&client_secret=s%2Fx", None), 200);
        assert_eq!(status("grant_type=client_credentials&client_id=provost&client_secret=no", None), 401);
        assert_eq!(status("grant_type=password&client_id=provost&client_secret=s%2Fx", None), 400);
    }

    #[test]
    fn tokens_end() {
        let mut tokens = Tokens::default();
        tokens.give("a", Duration::from_secs(60));
        tokens.give("b", Duration::ZERO);
        assert_eq!(tokens.standing("a"), Standing::Good);
        tokens.revoke("a");
        assert_eq!(
            ["a", "b", "c"].map(|token| tokens.standing(token)),
            [Standing::Over, Standing::Over, Standing::Unknown]
        );
    }
}
