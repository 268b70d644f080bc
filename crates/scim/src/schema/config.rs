//! ServiceProviderConfig (RFC 7643 section 5, `pagination` of RFC 9865): what a service can do, as data.
//!
//! A service writes it with [`to_json`](ServiceProviderConfig::to_json); a client reads a target's with serde, leniently:
//! what is missing is not supported.

use provost_model::Text;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::keyword::or_default;
use super::registry::described;
use crate::urn;

/// What a service can do. The default supports nothing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceProviderConfig {
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Text::is_empty")]
    pub documentation_uri: Text,
    #[serde(deserialize_with = "or_default")]
    pub patch: Supported,
    #[serde(deserialize_with = "or_default")]
    pub bulk: Bulk,
    #[serde(deserialize_with = "or_default")]
    pub filter: Filtering,
    #[serde(deserialize_with = "or_default")]
    pub change_password: Supported,
    #[serde(deserialize_with = "or_default")]
    pub sort: Supported,
    #[serde(deserialize_with = "or_default")]
    pub etag: Supported,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    pub pagination: Option<Pagination>,
    #[serde(deserialize_with = "or_default")]
    pub authentication_schemes: Vec<AuthenticationScheme>,
}

/// One feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Supported {
    pub supported: bool,
}

/// Bulk requests (RFC 7644 section 3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Bulk {
    pub supported: bool,
    pub max_operations: u64,
    /// Bytes.
    pub max_payload_size: u64,
}

/// Queries with a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Filtering {
    pub supported: bool,
    /// The most resources in one answer.
    pub max_results: u64,
}

/// Paging methods (RFC 9865 section 4).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pagination {
    pub cursor: bool,
    pub index: bool,
    /// `index` or `cursor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_pagination_method: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_page_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_page_size: Option<u64>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor_timeout: Option<u64>,
}

/// One way to authenticate.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuthenticationScheme {
    /// `oauthbearertoken`, `httpbasic`, `oauth2` ...
    #[serde(rename = "type")]
    pub kind: Text,
    pub name: Text,
    pub description: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec_uri: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documentation_uri: Option<Text>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub primary: bool,
}

impl AuthenticationScheme {
    /// Bearer tokens (RFC 6750).
    pub fn bearer() -> Self {
        Self {
            kind: "oauthbearertoken".into(),
            name: "Bearer token".into(),
            description: "A token in the Authorization header".into(),
            spec_uri: Some("https://www.rfc-editor.org/info/rfc6750".into()),
            documentation_uri: None,
            primary: true,
        }
    }
}

impl ServiceProviderConfig {
    /// The answer to `GET /ServiceProviderConfig`: one object, not a list. `base` is the absolute base address.
    pub fn to_json(&self, base: &str) -> Value {
        described(self, urn::SERVICE_PROVIDER_CONFIG, "ServiceProviderConfig", &format!("{base}/ServiceProviderConfig"))
    }
}
