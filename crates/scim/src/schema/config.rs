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
    /// A page for people.
    pub documentation_uri: Text,
    #[serde(deserialize_with = "or_default")]
    /// RFC 7644 section 3.5.2.
    pub patch: Supported,
    #[serde(deserialize_with = "or_default")]
    /// RFC 7644 section 3.7.
    pub bulk: Bulk,
    #[serde(deserialize_with = "or_default")]
    /// RFC 7644 section 3.4.2.2.
    pub filter: Filtering,
    #[serde(deserialize_with = "or_default")]
    /// Whether a user's password can be set.
    pub change_password: Supported,
    #[serde(deserialize_with = "or_default")]
    /// RFC 7644 section 3.4.2.3.
    pub sort: Supported,
    #[serde(deserialize_with = "or_default")]
    /// RFC 7644 section 3.14.
    pub etag: Supported,
    #[serde(deserialize_with = "or_default", skip_serializing_if = "Option::is_none")]
    /// RFC 9865 section 4.
    pub pagination: Option<Pagination>,
    #[serde(deserialize_with = "or_default")]
    /// The ways to authenticate.
    pub authentication_schemes: Vec<AuthenticationScheme>,
}

/// One feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Supported {
    /// Whether it works.
    pub supported: bool,
}

/// Bulk requests (RFC 7644 section 3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Bulk {
    /// Whether it works.
    pub supported: bool,
    /// The most operations in one request.
    pub max_operations: u64,
    /// Bytes.
    pub max_payload_size: u64,
}

/// Queries with a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Filtering {
    /// Whether it works.
    pub supported: bool,
    /// The most resources in one answer.
    pub max_results: u64,
}

/// Paging methods (RFC 9865 section 4).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Pagination {
    /// `cursor` and `nextCursor` work.
    pub cursor: bool,
    /// `startIndex` works.
    pub index: bool,
    /// `index` or `cursor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_pagination_method: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// Resources per page when the client does not say.
    pub default_page_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// The most resources per page.
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
    /// For people.
    pub name: Text,
    /// For people.
    pub description: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// Where the scheme is specified.
    pub spec_uri: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// A page for people.
    pub documentation_uri: Option<Text>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    /// Whether it is the preferred scheme.
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
