//! Settings that several connectors have, read alike: secrets by name, certificates, spans of time.

use std::path::PathBuf;
use std::time::Duration;

use provost_connector::SettingProblem;
use provost_model::Text;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;

/// `{secret: NAME}`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretHandle {
    pub secret: Text,
}

/// A certificate that the client shows of itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// A PEM file, from the configuration's folder.
    pub cert: PathBuf,
    pub key: SecretHandle,
}

/// Reads a setting with a secret in it (`deserialize_with`). serde's own errors quote what they found, which is the secret
/// itself where somebody wrote it in place of its name; so they are not passed on.
pub fn secret<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    match Json::deserialize(deserializer)? {
        Json::Null => Ok(None),
        json => serde_json::from_value(json).map(Some).map_err(|_| {
            D::Error::custom(
                "`token`, `password`, `bind`, `basic.password`, `header.value`, `oauth.client_secret` and `client_certificate.key` are \
                 written with `{secret: NAME}`, the name of a stored secret, never with the secret itself",
            )
        }),
    }
}

/// The setting `timeout`: seconds, or a text such as `30s`.
pub fn span(setting: &Json) -> Result<Option<Duration>, SettingProblem> {
    let span = match setting {
        Json::Null => return Ok(None),
        Json::Number(seconds) => seconds.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        Json::String(text) => text.parse::<jiff::SignedDuration>().ok().and_then(|span| Duration::try_from(span).ok()),
        _ => None,
    };
    // Two weeks are surely a mistake, and longer spans overflow clocks.
    let sane = span.filter(|span| !span.is_zero() && span.as_secs() <= 14 * 86_400);
    sane.map(Some).ok_or_else(|| {
        problem("timeout", "`timeout` is no time span", "write seconds, or a text such as `30s` or `2m`")
    })
}

/// A problem of one setting.
pub fn problem(path: impl Into<Text>, message: impl Into<String>, hint: impl Into<String>) -> SettingProblem {
    SettingProblem { path: path.into(), message: message.into(), hint: Some(hint.into()) }
}
