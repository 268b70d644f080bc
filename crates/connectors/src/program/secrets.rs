//! The secrets of one child: which it may have, and what must not show in anything it writes.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use provost_connector::{CheckResult, ConnectorError, ErrorCode, Host, Secret};
use provost_model::Text;
use serde_json::Value as Json;

/// Shorter secrets are not masked: they would make every text unreadable, and are none.
const SHORTEST: usize = 4;

pub(crate) struct Secrets {
    host: Arc<dyn Host>,
    /// The handles that the settings name. A program gets no others, or it could read the secrets of all connections.
    allowed: BTreeSet<String>,
    /// Texts that were given out, and the forms in which programs print them.
    given: Mutex<Vec<Secret>>,
}

impl Secrets {
    pub fn new<'a>(host: Arc<dyn Host>, settings: impl IntoIterator<Item = &'a Json>) -> Self {
        let mut allowed = BTreeSet::new();
        settings.into_iter().for_each(|value| handles(value, &mut allowed));
        Self { host, allowed, given: Mutex::default() }
    }

    pub async fn give(&self, handle: &str) -> Result<Secret, ConnectorError> {
        if !self.allowed.contains(handle) {
            let message = format!("the settings of this connection do not name a secret `{}`", handle.escape_debug());
            return Err(ConnectorError::new(ErrorCode::PermissionDenied, message)
                .hint("a program gets the secrets under its `settings:` alone"));
        }
        let secret = self.host.secret(handle).await?;
        self.remember(&secret);
        Ok(secret)
    }

    fn remember(&self, secret: &Secret) {
        let text = secret.expose();
        let escaped = Json::from(text).to_string();
        // A key of several lines is printed line by line.
        let lines = text.lines().filter(|line| line.len() >= 2 * SHORTEST);
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        for form in [text, escaped.trim_matches('"')].into_iter().chain(lines) {
            if form.len() >= SHORTEST && !given.iter().any(|have| have.expose() == form) {
                given.push(Secret::new(form));
            }
        }
        // The longest first: a part must not be taken out of a whole.
        given.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
    }

    /// The text without any secret that was given out.
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let mut masked = Cow::Borrowed(text);
        for secret in given.iter() {
            if masked.contains(secret.expose()) {
                masked = Cow::Owned(masked.replace(secret.expose(), "***"));
            }
        }
        masked
    }

    fn mask_text(&self, text: &mut Text) {
        if let Cow::Owned(masked) = self.mask(text) {
            *text = masked.into();
        }
    }

    fn mask_string(&self, text: &mut String) {
        if let Cow::Owned(masked) = self.mask(text) {
            *text = masked;
        }
    }

    /// The error as it may be shown.
    pub fn mask_error(&self, mut error: ConnectorError) -> ConnectorError {
        self.mask_string(&mut error.message);
        if let Some(hint) = &mut error.hint {
            self.mask_string(hint);
        }
        for text in [&mut error.target_code, &mut error.path].into_iter().flatten() {
            self.mask_text(text);
        }
        if let Some(exchange) = &mut error.exchange {
            self.mask_text(&mut exchange.request);
        }
        error
    }

    pub fn mask_check(&self, mut check: CheckResult) -> CheckResult {
        self.mask_string(&mut check.message);
        if let Some(hint) = &mut check.hint {
            self.mask_string(hint);
        }
        check
    }
}

/// Every `{secret: NAME}` in a value.
fn handles(value: &Json, found: &mut BTreeSet<String>) {
    match value {
        Json::Array(values) => values.iter().for_each(|value| handles(value, found)),
        Json::Object(map) => {
            if let Some(Json::String(handle)) = map.get("secret") {
                found.insert(handle.clone());
            }
            map.values().for_each(|value| handles(value, found));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One;

    #[async_trait::async_trait]
    impl Host for One {
        async fn secret(&self, handle: &str) -> Result<Secret, ConnectorError> {
            Ok(Secret::new(match handle {
                "key" => "-----BEGIN\nabcdefghij\nEND",
                "quoted" => "a\"b\\cd",
                _ => "hunter2",
            }))
        }
    }

    #[tokio::test]
    async fn secrets_are_given_by_the_settings_and_masked_in_all_forms() {
        let settings = serde_json::json!({"a": [{"token": {"secret": "token"}}], "k": {"secret": "key"}, "q": {"secret": "quoted"}});
        let secrets = Secrets::new(Arc::new(One), [&settings]);
        assert_eq!(secrets.give("other").await.unwrap_err().code, ErrorCode::PermissionDenied);
        for handle in ["token", "key", "quoted"] {
            secrets.give(handle).await.unwrap();
        }
        assert_eq!(secrets.mask("is hunter2, hunter2!"), "is ***, ***!");
        assert_eq!(secrets.mask("line abcdefghij of it"), "line *** of it");
        assert_eq!(secrets.mask(r#"{"p":"a\"b\\cd"} a"b\cd"#), r#"{"p":"***"} ***"#);
        assert!(matches!(secrets.mask("nothing of it"), Cow::Borrowed(_)));
    }
}
