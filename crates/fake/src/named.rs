//! The built-in dialects: those ways of real applications that vendors' documents and issue threads tell of, as far as the
//! fields have words for them. Data only.

use std::collections::BTreeMap;

use crate::Dialect;
use crate::dialect::{MemberRemove, OpCase, Rate};

impl Dialect {
    /// The names that [`named`](Self::named) knows, with what each is about.
    pub const NAMES: [(&str, &str); 32] = [
        ("rfc", "the letter of the RFCs, and every habit of the field"),
        ("put-only", "no PATCH"),
        ("no-path-filters", "no value filters in paths, as at GitHub's organisations"),
        ("no-discovery", "nothing about itself"),
        ("no-filter", "ignores filters and gives the first page"),
        ("value-list", "members are removed by a list of values alone"),
        ("entra-only", "takes exactly what Entra ID sends by default"),
        ("text", "Booleans and numbers as texts"),
        ("small-pages", "three resources a page, whatever is asked for"),
        ("page-totals", "four resources a page, and says that these are all"),
        ("strict-members", "refuses members whom it does not know, and removals of who is no member"),
        ("truncated", "shows two members of a group and says nothing of the others"),
        ("eventual", "queries find what was made after 300 ms"),
        ("normalising", "stores e-mail addresses in lower case"),
        ("aws", "AWS IAM Identity Center: no members in reads, 100 member changes, eq and `and`, single values"),
        ("slack", "Slack: pages of 10, short user names, a DELETE switches off"),
        ("salesforce", "Salesforce: /ServiceProviderConfigs, members also in an object"),
        ("miro", "Miro: 8,000 members and 800,000 bytes a request, windows of 30 seconds"),
        ("atlassian", "Atlassian: filters of one eq, a DELETE switches off for good"),
        ("databricks", "Databricks: filters of 200 terms"),
        ("fortinet", "FortiAuthenticator: text/html, no Location, errors without status, no times"),
        (
            "entra-server",
            "Entra ID's own service: no PUT, 204 for PATCH, count=0 and Accept on DELETE are 400, unknown ids are 400",
        ),
        ("github", "GitHub, managed users: wants a User-Agent, 1,000 users an hour"),
        ("zoom", "Zoom: wants Accept: application/scim+json, lists without licence and manager"),
        ("google", "Google Cloud Identity: no pages"),
        ("hcp-terraform", "HCP Terraform: filters of userName or externalId, pages of 100, at most 200"),
        ("sentry", "Sentry: a PATCH can switch off, and nothing else"),
        ("zscaler", "Zscaler: 50 requests a second, discovery without a token"),
        ("airbyte", "Airbyte: members are active users, pages of 100, at most 200"),
        ("fuze", "Fuze: no filter on userName, entitlements only on create, 10 requests a second"),
        ("snowflake", "Snowflake: 500 requests at once"),
        ("deel", "Deel: 5 requests a second"),
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
            "page-totals" => Self { page_default: 4, page_max: 4, page_totals: true, ..rfc },
            "strict-members" => Self { absent_member: 400, ..rfc },
            "truncated" => Self { members_shown: 2, ..rfc },
            "eventual" => Self { lag_ms: 300, ..rfc },
            "normalising" => Self { lower_case_emails: true, ..rfc },
            "aws" => Self {
                members_readable: false,
                members_per_request: 100,
                operators: eq(),
                single_values: true,
                page_max: 100,
                search: false,
                bulk: false,
                advertises: advertises(&[("bulk", false), ("changePassword", false)]),
                cursor_total: false,
                members_replace: false,
                refused: words(&["password", "photos", "ims", "entitlements", "x509Certificates"]),
                ..rfc
            },
            "slack" => Self {
                user_name_length: 20,
                page_default: 10,
                page_max: 1000,
                delete_deactivates: true,
                advertises: advertises(&[("filter", false)]),
                rates: vec![rate(&WRITES, "", 180, 60), rate(&["GET"], "", 300, 60)],
                ..rfc
            },
            "salesforce" => Self { config_path: "/ServiceProviderConfigs".to_owned(), nested_member_add: true, ..rfc },
            "miro" => Self {
                members_per_request: 8000,
                patch_bytes: 800_000,
                rates: vec![
                    rate(&["DELETE"], "/Users", 20, 30),
                    rate(&[], "/Users", 200, 30),
                    Rate { exact: true, ..rate(&["GET"], "/Groups", 5, 30) },
                ],
                ..rfc
            },
            "atlassian" => Self {
                operators: eq(),
                filter_terms: 1,
                filter_attributes: words(&["userName", "externalId", "displayName"]),
                delete_deactivates: true,
                deleted_readable: false,
                ..rfc
            },
            "databricks" => Self { filter_terms: 200, ..rfc },
            "fortinet" | "fortiauthenticator" => Self {
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
                delete_accept: false,
                ..rfc
            },
            "github" => Self { user_agent_required: true, rates: vec![rate(&["POST"], "/Users", 1000, 3600)], ..rfc },
            "zoom" => Self {
                accept_required: "application/scim+json".to_owned(),
                list_without: words(&["entitlements", "manager"]),
                ..rfc
            },
            "google" => {
                let no = advertises(&[("bulk", false), ("sort", false), ("etag", false)]);
                Self { paging: false, bulk: false, advertises: no, ..rfc }
            }
            "hcp-terraform" => Self {
                operators: eq(),
                filter_attributes: words(&["userName", "externalId", "displayName"]),
                page_default: 100,
                page_max: 200,
                ..rfc
            },
            "sentry" => Self { patch_attributes: words(&["active"]), patch_activates: false, ..rfc },
            "zscaler" => Self { open_discovery: true, rates: vec![rate(&[], "", 50, 1)], ..rfc },
            "airbyte" => {
                Self { groups_in_groups: false, members_active: true, page_default: 100, page_max: 200, ..rfc }
            }
            "fuze" => Self {
                filter_refuses: words(&["userName"]),
                create_only: words(&["entitlements"]),
                rates: vec![rate(&[], "", 10, 1)],
                ..rfc
            },
            "snowflake" => Self { in_flight: 500, ..rfc },
            "deel" => Self { rates: vec![rate(&[], "", 5, 1)], ..rfc },
            _ => return None,
        })
    }
}

const WRITES: [&str; 4] = ["POST", "PUT", "PATCH", "DELETE"];

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn advertises(features: &[(&str, bool)]) -> BTreeMap<String, bool> {
    features.iter().map(|(name, supported)| ((*name).to_owned(), *supported)).collect()
}

fn rate(methods: &[&str], path: &str, requests: usize, seconds: u32) -> Rate {
    Rate { methods: words(methods), path: path.to_owned(), requests, seconds, exact: false }
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
