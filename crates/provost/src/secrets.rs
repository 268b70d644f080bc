//! Where connectors get their secrets: the environment first, so that an operator can override, then the store.

use async_trait::async_trait;
use provost_connector::{ConnectorError, ErrorCode, Host, Secret};
use provost_model::Explain;
use provost_store::Store;

/// Resolves `{secret: NAME}`.
#[derive(Debug, Clone)]
pub struct Secrets {
    store: Store,
}

impl Secrets {
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

#[async_trait]
impl Host for Secrets {
    async fn secret(&self, handle: &str) -> Result<Secret, ConnectorError> {
        let variable = variable(handle);
        match std::env::var(&variable) {
            Ok(value) if !value.is_empty() => return Ok(Secret::new(value)),
            Err(std::env::VarError::NotUnicode(_)) => return Err(broken(handle, &format!("{variable} is not UTF-8"))),
            _ => {}
        }
        let value = self.store.secret(handle).await.map_err(|error| {
            let mut failed = broken(handle, &error.to_string());
            failed.hint = error.hint().map(|hint| hint.into_owned());
            failed
        })?;
        match value {
            None => Err(ConnectorError::new(ErrorCode::InvalidConfig, format!("there is no secret `{handle}`"))
                .hint(format!("set it with `provost secret set {handle}`, or in the environment as {variable}"))),
            Some(bytes) => match std::str::from_utf8(&bytes) {
                Ok(text) => Ok(Secret::new(text)),
                Err(_) => Err(broken(handle, "it is not UTF-8")),
            },
        }
    }
}

fn broken(handle: &str, reason: &str) -> ConnectorError {
    ConnectorError::new(ErrorCode::InvalidConfig, format!("cannot use the secret `{handle}`: {reason}"))
        .hint(format!("set it again with `provost secret set {handle}`"))
}

/// The environment variable of a secret: `slack-token` is `PROVOST_SECRET_SLACK_TOKEN`.
pub fn variable(handle: &str) -> String {
    let name: String = handle
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' })
        .collect();
    format!("PROVOST_SECRET_{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_missing_secret_is_named_by_its_handle() {
        let secrets = Secrets::new(Store::open("sqlite::memory:").await.unwrap());
        let error = secrets.secret("slack-token").await.unwrap_err();
        assert_eq!(error.message, "there is no secret `slack-token`");
        assert_eq!(
            error.hint.as_deref(),
            Some("set it with `provost secret set slack-token`, or in the environment as PROVOST_SECRET_SLACK_TOKEN")
        );
        secrets.store.put_secret("slack-token", b"xoxb-7", 0).await.unwrap();
        assert_eq!(secrets.secret("slack-token").await.unwrap().expose(), "xoxb-7");
    }
}
