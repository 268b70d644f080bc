//! How the target differs from the RFC: the counterpart, on the target's side, of the SCIM client's dialect.
//!
//! A dialect is data; the named ones are sets of fields after real applications.

use serde::{Deserialize, Serialize};

/// The ways of one target. The default is the RFC's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dialect {
    /// Whether `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas` exist.
    pub discovery: bool,
    /// Where the configuration is.
    pub config_path: String,
    /// Whether PATCH is understood; else it gets 501 (RFC 7644 section 3.5.2).
    pub patch: bool,
    /// Whether PUT is understood; else it gets 405.
    pub put: bool,
    /// Whether a filter counts; else it is ignored and everything is listed.
    pub filter: bool,
    /// Whether paths of a PATCH may have value filters; else they get 400 `invalidPath`.
    pub path_filters: bool,
    /// Whether reading a group gives its members.
    pub members_readable: bool,
    /// The most members in one PATCH; more get 413. 0 is no limit.
    pub members_per_request: usize,
    /// The most characters of a `userName`; longer ones get 400. 0 is no limit.
    pub user_name_length: usize,
    /// `Content-Type` of all answers.
    pub content_type: String,
    /// Whether a 201 has a `Location`.
    pub location: bool,
    /// Whether `meta` tells when a resource was made and changed.
    pub meta_times: bool,
    /// Whether a PATCH is answered with 204 and no body.
    pub empty_patch: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            discovery: true,
            config_path: "/ServiceProviderConfig".to_owned(),
            patch: true,
            put: true,
            filter: true,
            path_filters: true,
            members_readable: true,
            members_per_request: 0,
            user_name_length: 0,
            content_type: "application/scim+json".to_owned(),
            location: true,
            meta_times: true,
            empty_patch: false,
        }
    }
}

impl Dialect {
    /// The names that [`named`](Self::named) knows.
    pub const NAMES: [&str; 11] = [
        "rfc",
        "put-only",
        "no-path-filters",
        "aws",
        "slack",
        "salesforce",
        "miro",
        "fortinet",
        "entra-server",
        "no-discovery",
        "no-filter",
    ];

    /// A built-in dialect. Each has those ways of its namesake that the fields can tell, not all that it has.
    pub fn named(name: &str) -> Option<Self> {
        let rfc = Self::default();
        Some(match name {
            "rfc" => rfc,
            "put-only" => Self { patch: false, ..rfc },
            "no-path-filters" => Self { path_filters: false, ..rfc },
            "aws" => Self { members_readable: false, members_per_request: 100, ..rfc },
            "slack" => Self { user_name_length: 20, ..rfc },
            "salesforce" => Self { config_path: "/ServiceProviderConfigs".to_owned(), ..rfc },
            "miro" => Self { members_per_request: 8000, ..rfc },
            "fortinet" => Self { content_type: "text/html".to_owned(), location: false, meta_times: false, ..rfc },
            "entra-server" => Self { put: false, empty_patch: true, meta_times: false, ..rfc },
            "no-discovery" => Self { discovery: false, ..rfc },
            "no-filter" => Self { filter: false, ..rfc },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_dialect_of_its_own() {
        for (at, name) in Dialect::NAMES.iter().enumerate() {
            let dialect = Dialect::named(name).expect(name);
            let others = Dialect::NAMES.iter().skip(at + 1);
            for other in others {
                assert_ne!(Some(&dialect), Dialect::named(other).as_ref(), "{name} and {other}");
            }
        }
        assert_eq!(Dialect::named("nobody"), None);
    }

    #[test]
    fn a_mistyped_field_is_refused() {
        assert!(serde_json::from_str::<Dialect>(r#"{"patch": false}"#).is_ok_and(|dialect| !dialect.patch));
        assert!(serde_json::from_str::<Dialect>(r#"{"patsh": false}"#).is_err());
    }
}
