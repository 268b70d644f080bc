//! How a target's SCIM differs from the RFC's: the knobs, as one flat document that gallery files fill in.
//!
//! Every field has the default for an unknown target. Unknown keys are errors, so that a typo does not go unseen.

use std::collections::BTreeMap;

use provost_model::{ClassName, Text};
use serde::{Deserialize, Serialize};

use super::rule::{AttributeRule, RateRule};

/// The ways of one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dialect {
    /// Whether to read `/ServiceProviderConfig`, `/ResourceTypes` and `/Schemas` when the connection is set up. What they
    /// say are hints; a field that is set here wins.
    pub discovery: bool,
    /// Where the configuration is; some targets have `/ServiceProviderConfigs`.
    pub config_path: Text,
    /// How an object is updated.
    pub update: UpdateMethod,
    /// Classes that are updated in another way, as `Group: put`.
    pub update_by_class: BTreeMap<ClassName, UpdateMethod>,
    /// How a PATCH names what it changes.
    pub patch_style: PatchStyle,
    /// The most operations in one PATCH; 1 sends each change by itself. 0 is no limit.
    pub operations_per_request: usize,
    /// `replace` or `Replace`.
    pub op_case: OpCase,
    /// How booleans look in a PATCH. Resources in POST and PUT always have JSON booleans, as Entra sends them.
    pub booleans: BooleanForm,
    /// The operation that sets a value through a filter (`emails[type eq "work"].value`). `add` creates an element that is
    /// missing; `replace` fails on it at targets that keep to the letter of the RFC.
    pub selector_op: SelectorOp,
    /// Whether paths may have value filters. Without, the whole list is replaced by what is mapped.
    pub path_filters: bool,
    /// How members are added.
    pub member_add: MemberAdd,
    /// How members, and values of other lists, are removed.
    pub member_remove: MemberRemove,
    /// The most members added and removed in one request. 0 is no limit.
    pub members_per_request: usize,
    /// Whether reading a group gives its members.
    pub members_readable: bool,
    /// The most members that reading a group gives: a list of so many is taken for cut short. 0 says that there is no such
    /// limit; null lets Provost judge by the number, and ask where a number looks like a limit.
    pub members_shown: Option<u64>,
    /// Whether lists have all attributes of their objects; else each is read by its id too.
    pub lists_whole: bool,
    /// Resources asked for per page.
    pub page_size: u32,
    /// How lists are paged.
    pub paging: Paging,
    /// Whether the target understands filters at all; else matching reads all objects.
    pub filter: bool,
    /// Whether filters may join terms with `and`.
    pub filter_and: bool,
    /// The attributes that filters may use (`userName`, `emails.value`); any when empty.
    pub filter_attributes: Vec<Text>,
    /// The most terms of a filter. 0 is no limit.
    pub filter_terms: usize,
    /// Whether queries with a filter go to `.search`, so that people's data is in no URL (RFC 7644 section 3.4.3).
    pub search: bool,
    /// What the target wants of attributes beyond its schema, by class and attribute.
    pub attributes: BTreeMap<ClassName, BTreeMap<Text, AttributeRule>>,
    /// What is done to an account that is to go.
    pub deprovision: Deprovision,
    /// Whether `If-Match` may be sent.
    pub etag: bool,
    /// Whether several changes go in one request to `/Bulk` (RFC 7644 section 3.7).
    pub bulk: bool,
    /// The most operations in one request to `/Bulk`.
    pub bulk_operations: usize,
    /// The most bytes in one request to `/Bulk`.
    pub bulk_bytes: usize,
    /// Requests under way at once.
    pub max_in_flight: usize,
    /// Requests a second over all workers; null is no limit of our own.
    pub requests_per_second: Option<f64>,
    /// The target's limits of its own, each for some methods and addresses.
    pub limits: Vec<RateRule>,
    /// Headers that go with every request. Not for secrets.
    pub headers: BTreeMap<Text, Text>,
    /// Seconds that one request may take.
    pub timeout_s: u32,
    /// Whether `meta.resourceType` is sent with a resource, as Entra does.
    pub send_resource_type: bool,
    /// URNs that a resource names beside those of its attributes, by class.
    pub extra_schemas: BTreeMap<ClassName, Vec<Text>>,
    /// Whether the resource must be read again after a write because answers are empty or incomplete.
    pub read_after_write: bool,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            discovery: true,
            config_path: "/ServiceProviderConfig".into(),
            update: UpdateMethod::Patch,
            update_by_class: BTreeMap::new(),
            patch_style: PatchStyle::Path,
            operations_per_request: 0,
            op_case: OpCase::Lower,
            booleans: BooleanForm::Json,
            selector_op: SelectorOp::Add,
            path_filters: true,
            member_add: MemberAdd::List,
            member_remove: MemberRemove::Filter,
            members_per_request: 50,
            members_readable: true,
            members_shown: None,
            lists_whole: true,
            page_size: 100,
            paging: Paging::Index,
            filter: true,
            filter_and: true,
            filter_attributes: Vec::new(),
            filter_terms: 0,
            search: false,
            attributes: BTreeMap::new(),
            deprovision: Deprovision::Deactivate,
            etag: false,
            bulk: false,
            bulk_operations: 100,
            bulk_bytes: 1_000_000,
            max_in_flight: 8,
            requests_per_second: Some(5.0),
            limits: Vec::new(),
            headers: BTreeMap::new(),
            timeout_s: 30,
            send_resource_type: false,
            extra_schemas: BTreeMap::new(),
            read_after_write: false,
        }
    }
}

impl Dialect {
    /// What Entra ID sends by default: capital ops, booleans as text, one operation per attribute, members removed by a
    /// list of values. Targets that were built for Entra alone want exactly this.
    pub fn entra() -> Self {
        Self {
            op_case: OpCase::Capital,
            booleans: BooleanForm::Text,
            member_remove: MemberRemove::ValueList,
            send_resource_type: true,
            ..Self::default()
        }
    }

    /// How objects of this class are updated.
    pub fn update_of(&self, class: &str) -> UpdateMethod {
        let own = self.update_by_class.iter().find(|(name, _)| name.eq_ignore_ascii_case(class));
        own.map_or(self.update, |(_, method)| *method)
    }

    /// What the target wants of this class's attributes.
    pub fn rules_of(&self, class: &str) -> impl Iterator<Item = (&Text, &AttributeRule)> {
        let own = self.attributes.iter().filter(move |(name, _)| name.eq_ignore_ascii_case(class));
        own.flat_map(|(_, rules)| rules)
    }
}

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$word_doc])* $word,)* }
    )*};
}

words! {
    /// The request that updates an object.
    UpdateMethod {
        /// Only what changed.
        Patch,
        /// The whole object: read, changed, written.
        Put,
        /// Only what changed; the whole object once the target has said that it has no PATCH.
        PatchThenPut,
    }
    /// How a PATCH names what it changes.
    PatchStyle {
        /// One operation per attribute, each with its path.
        Path,
        /// One `replace` without path, with an object as a resource has it: `{"name": {"givenName": …}}`. Removals, value
        /// filters and additions to lists keep operations of their own.
        Pathless,
        /// Like `pathless` with paths as keys: `{"name.givenName": …, "urn:…:User:department": …}`, as Entra sends it
        /// under the flag `aadOptscim062020`.
        Dotted,
    }
    /// Letter case of `op`.
    OpCase {
        /// `replace`, the RFC's.
        Lower,
        /// `Replace`, Entra's.
        Capital,
    }
    /// How booleans are written.
    BooleanForm {
        /// `true`.
        Json,
        /// `"True"`.
        Text,
    }
    /// The operation that sets a value through a value filter.
    SelectorOp {
        /// Creates the element where it is missing.
        Add,
        /// The letter of the RFC: fails where the element is missing.
        Replace,
        /// `replace` where the element is there, which is looked up if need be; else the whole element is added to the list.
        Element,
    }
    /// How members are added to a group.
    MemberAdd {
        /// `"path": "members", "value": [{"value": "…"}]`.
        List,
        /// `"value": {"members": [{"value": "…"}]}` without path.
        Pathless,
        /// `"path": "members", "value": {"members": [{"value": "…"}]}`.
        Nested,
    }
    /// How single values are taken out of a list.
    MemberRemove {
        /// `"path": "members[value eq \"…\"]"`, one operation a value.
        Filter,
        /// `"path": "members", "value": [{"value": "…"}]`.
        ValueList,
        /// The target cannot remove one: the whole list is replaced, by whoever knows it.
        Replace,
    }
    /// How lists are paged.
    Paging {
        /// `startIndex` and `count`.
        Index,
        /// RFC 9865.
        Cursor,
        /// One answer has everything.
        None,
    }
    /// What is done to an account that is to go.
    Deprovision {
        /// `active: false`.
        Deactivate,
        /// A DELETE request.
        Delete,
        /// First the one, then the other.
        DeactivateThenDelete,
        /// A DELETE request, which only switches the account off and can be taken back by `active: true`.
        DeleteDeactivates,
    }
}
