//! SCIM 2.0 as data (RFC 7643, 7644, 9865): schemas, resources, filters, PATCH, projection, paging, errors.
//!
//! Pure functions over [`provost_model::Attributes`]: no I/O, no HTTP. The directory uses them as service provider, the
//! SCIM connector as client (module [`client`]). Everything is driven by schema data, so that a resource type that
//! somebody adds tomorrow behaves like `User`.
//! Start with [`schema::Registry`], then [`resource::normalize`], [`patch::Patch`] and [`filter::ResourceFilter`].

#![warn(missing_docs)]

pub mod bulk;
pub mod client;
pub mod collate;
pub mod error;
pub mod filter;
pub mod list;
pub mod patch;
pub mod resource;
pub mod schema;

pub use error::{ScimError, ScimType};
pub use filter::ResourceFilter;
pub use list::{ListResponse, Query};
pub use patch::{MemberChanges, Patch, PatchPlan};
pub use resource::{Policy, Projection, Write, normalize};
pub use schema::{Registry, ResourceType, TypeSchema};

/// The URNs of the RFCs.
pub mod urn {
    /// RFC 7643 section 4.1.
    pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
    /// RFC 7643 section 4.2.
    pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
    /// RFC 7643 section 4.3.
    pub const ENTERPRISE_USER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    /// RFC 7643 section 5.
    pub const SERVICE_PROVIDER_CONFIG: &str = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig";
    /// RFC 7643 section 6.
    pub const RESOURCE_TYPE: &str = "urn:ietf:params:scim:schemas:core:2.0:ResourceType";
    /// RFC 7643 section 7.
    pub const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:Schema";
    /// RFC 7644 section 3.4.2.
    pub const LIST_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
    /// RFC 7644 section 3.4.3.
    pub const SEARCH_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
    /// RFC 7644 section 3.5.2.
    pub const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";
    /// RFC 7644 section 3.7.
    pub const BULK_REQUEST: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
    /// RFC 7644 section 3.7.
    pub const BULK_RESPONSE: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";
    /// RFC 7644 section 3.12.
    pub const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
}
