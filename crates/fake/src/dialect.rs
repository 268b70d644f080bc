//! How the target differs from the RFC: the counterpart, on the target's side, of the SCIM client's dialect.
//!
//! A dialect is data. `quirk` and `answer` do what the fields say; the built-in ones are in `named`.

use std::collections::BTreeMap;

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
    /// Whether `totalResults` is the number of resources on the page.
    pub page_totals: bool,
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
    /// Whether there is `POST …/.search`; else it gets 404.
    pub search: bool,
    /// Whether there is `/Bulk`; else it gets 404.
    pub bulk: bool,
    /// What the configuration says is supported, whatever is: `filter: false`.
    pub advertises: BTreeMap<String, bool>,
    /// Whether lists by cursor tell how many there are.
    pub cursor_total: bool,
    /// Whether lists have pages; else everything comes at once, whatever is asked for.
    pub paging: bool,
    /// Whether requests without a User-Agent get 403.
    pub user_agent_required: bool,
    /// The media type that Accept must name, but for DELETE; else 406. Empty is any.
    pub accept_required: String,
    /// Whether a DELETE may have an Accept header; else it gets 400.
    pub delete_accept: bool,
    /// Whether discovery needs no token.
    pub open_discovery: bool,
    /// The attributes that filters may name; all when empty.
    pub filter_attributes: Vec<String>,
    /// Attributes that filters may not name.
    pub filter_refuses: Vec<String>,
    /// Attributes that lists do not show; a read by id does.
    pub list_without: Vec<String>,
    /// Attributes that a create must have.
    pub required: Vec<String>,
    /// Attributes that are refused in every write.
    pub refused: Vec<String>,
    /// Attributes that a PATCH cannot change (400 `mutability`).
    pub create_only: Vec<String>,
    /// The attributes of users that a PATCH may change; all when empty.
    pub patch_attributes: Vec<String>,
    /// Whether a PATCH may switch users on; else `active: true` gets 400.
    pub patch_activates: bool,
    /// The most bytes of a PATCH; longer ones get 413. 0 is no limit.
    pub patch_bytes: usize,
    /// Whether a PATCH may replace all members or remove all of them; else it gets 400.
    pub members_replace: bool,
    /// Whether members may also be added by a value that again holds `members`.
    pub nested_member_add: bool,
    /// Whether groups may have groups as members; else 400.
    pub groups_in_groups: bool,
    /// Whether members have to be active users; else 400.
    pub members_active: bool,
    /// The status of a write that adds a member whom the target does not know, or removes one whom the group does not have: 400
    /// (`noTarget`) or 404. 0 takes such writes.
    pub absent_member: u16,
    /// Whether a user who was switched off by a DELETE can be read; else she gets 404, and lists are without her.
    pub deleted_readable: bool,
    /// Requests under way at once; more get 429. 0 is no limit.
    pub in_flight: usize,
    /// How many requests of a kind may come in how long; more get 429.
    pub rates: Vec<Rate>,
}

/// A limit of requests by time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rate {
    /// `POST`; all when empty.
    pub methods: Vec<String>,
    /// What the path below the base begins with: `/Users`.
    pub path: String,
    /// Whether the path is no more than this.
    pub exact: bool,
    pub requests: usize,
    /// How long the window is; it slides.
    pub seconds: u32,
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
            page_totals: false,
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
            search: true,
            bulk: true,
            advertises: BTreeMap::new(),
            cursor_total: true,
            paging: true,
            user_agent_required: false,
            accept_required: String::new(),
            delete_accept: true,
            open_discovery: false,
            filter_attributes: Vec::new(),
            filter_refuses: Vec::new(),
            list_without: Vec::new(),
            required: Vec::new(),
            refused: Vec::new(),
            create_only: Vec::new(),
            patch_attributes: Vec::new(),
            patch_activates: true,
            patch_bytes: 0,
            members_replace: true,
            nested_member_add: false,
            groups_in_groups: true,
            members_active: false,
            absent_member: 0,
            deleted_readable: true,
            in_flight: 0,
            rates: Vec::new(),
        }
    }
}
