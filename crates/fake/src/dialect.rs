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
    /// Resources of a page when the client does not say. 0 leaves it to the service.
    pub page_default: usize,
    /// The most resources of a page; larger counts are served as this one. 0 is no limit.
    pub page_max: usize,
    /// Whether `count=0` may be asked for; else it gets 400.
    pub count_zero: bool,
    /// The status of what is not there.
    pub unknown_id: u16,
    /// Whether `true` and `false` come as text.
    pub text_booleans: bool,
    /// Whether the numbers of a list come as text.
    pub text_numbers: bool,
    /// Whether the body of an error has its status.
    pub error_status: bool,
    /// Whether lists come as `resources`, and types in lower case.
    pub lower_case: bool,
    /// Operators that filters may have; all when empty. With some, `or` and `not` are refused too.
    pub operators: Vec<String>,
    /// The most terms of a filter. 0 is no limit.
    pub filter_terms: usize,
    /// Whether a list of values may have one element alone.
    pub single_values: bool,
    /// `Replace` or `replace`: how `op` has to be written.
    pub op_case: OpCase,
    /// How members have to be removed.
    pub member_remove: MemberRemove,
    /// Members of a group that are shown; the rest is left out without a word. 0 shows all.
    pub members_shown: usize,
    /// Whether a DELETE of a user only switches her off.
    pub delete_deactivates: bool,
    /// Whether e-mail addresses are stored in lower case, whatever was sent.
    pub lower_case_emails: bool,
    /// For so many milliseconds queries do not find what was made.
    pub lag_ms: u64,
}

/// How `op` has to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpCase {
    #[default]
    Any,
    Lower,
    Capital,
}

/// How members have to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberRemove {
    #[default]
    Any,
    /// `members[value eq "…"]`
    Filter,
    /// `members` with a list of values.
    ValueList,
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
            page_default: 0,
            page_max: 0,
            count_zero: true,
            unknown_id: 404,
            text_booleans: false,
            text_numbers: false,
            error_status: true,
            lower_case: false,
            operators: Vec::new(),
            filter_terms: 0,
            single_values: false,
            op_case: OpCase::Any,
            member_remove: MemberRemove::Any,
            members_shown: 0,
            delete_deactivates: false,
            lower_case_emails: false,
            lag_ms: 0,
        }
    }
}

impl Dialect {
    /// The names that [`named`](Self::named) knows, with what each is about.
    pub const NAMES: [(&str, &str); 20] = [
        ("rfc", "the letter of the RFCs, and every habit of the field"),
        ("put-only", "no PATCH"),
        ("no-path-filters", "no value filters in paths, as at GitHub's organisations"),
        ("no-discovery", "nothing about itself"),
        ("no-filter", "ignores filters and gives the first page"),
        ("value-list", "members are removed by a list of values alone"),
        ("entra-only", "takes exactly what Entra ID sends by default"),
        ("text", "Booleans and numbers as texts"),
        ("small-pages", "three resources a page, whatever is asked for"),
        ("truncated", "shows two members of a group and says nothing of the others"),
        ("eventual", "queries find what was made after 300 ms"),
        ("normalising", "stores e-mail addresses in lower case"),
        ("aws", "AWS IAM Identity Center: no members in reads, 100 member changes, eq and `and`, single values"),
        ("slack", "Slack: pages of 10, short user names, a DELETE switches off"),
        ("salesforce", "Salesforce: /ServiceProviderConfigs"),
        ("miro", "Miro: 8,000 members a request"),
        ("atlassian", "Atlassian: filters of one eq, a DELETE switches off"),
        ("databricks", "Databricks: filters of 200 terms"),
        ("fortinet", "FortiAuthenticator: text/html, no Location, errors without status, no times"),
        (
            "entra-server",
            "Entra ID's own service: no PUT, 204 for PATCH, count=0 is 400, unknown ids are 400, lower case",
        ),
    ];

    /// A built-in dialect: those ways of its namesake that the fields can tell.
    pub fn named(name: &str) -> Option<Self> {
        let rfc = Self::default();
        let eq = || vec!["eq".to_owned()];
        Some(match name {
            "rfc" => rfc,
            "put-only" => Self { patch: false, ..rfc },
            "no-path-filters" => Self { path_filters: false, ..rfc },
            "no-discovery" => Self { discovery: false, ..rfc },
            "no-filter" => Self { filter: false, ..rfc },
            "value-list" => Self { member_remove: MemberRemove::ValueList, ..rfc },
            "entra-only" => {
                Self { op_case: OpCase::Capital, member_remove: MemberRemove::ValueList, operators: eq(), ..rfc }
            }
            "text" => Self { text_booleans: true, text_numbers: true, ..rfc },
            "small-pages" => Self { page_default: 3, page_max: 3, ..rfc },
            "truncated" => Self { members_shown: 2, ..rfc },
            "eventual" => Self { lag_ms: 300, ..rfc },
            "normalising" => Self { lower_case_emails: true, ..rfc },
            "aws" => Self {
                members_readable: false,
                members_per_request: 100,
                operators: eq(),
                single_values: true,
                page_max: 100,
                ..rfc
            },
            "slack" => Self { user_name_length: 20, page_default: 10, delete_deactivates: true, ..rfc },
            "salesforce" => Self { config_path: "/ServiceProviderConfigs".to_owned(), ..rfc },
            "miro" => Self { members_per_request: 8000, ..rfc },
            "atlassian" => Self { operators: eq(), filter_terms: 1, delete_deactivates: true, ..rfc },
            "databricks" => Self { filter_terms: 200, ..rfc },
            "fortinet" => Self {
                content_type: "text/html".to_owned(),
                location: false,
                error_status: false,
                meta_times: false,
                ..rfc
            },
            "entra-server" => Self {
                put: false,
                empty_patch: true,
                meta_times: false,
                count_zero: false,
                unknown_id: 400,
                lower_case: true,
                ..rfc
            },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_dialect_of_its_own() {
        for (at, (name, _)) in Dialect::NAMES.iter().enumerate() {
            let dialect = Dialect::named(name).expect(name);
            let others = Dialect::NAMES.iter().skip(at + 1);
            for (other, _) in others {
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
