//! What a SCIM request can fail with, as the client sees it (RFC 7644 section 3.12, RFC 9865 section 2.1).
//!
//! `detail` is for people and reaches the client: never put SQL, file names or secrets into it.

use std::borrow::Cow;

use provost_model::{Code, Explain};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::urn;

/// A SCIM error: serialises as the body of an error answer, with `status` as a string.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ScimError {
    /// The HTTP status.
    pub status: u16,
    /// The keyword that tells a client what kind of 400 or 409 this is.
    pub scim_type: Option<ScimType>,
    /// What failed and on what, lower case, no full stop.
    pub detail: String,
}

macro_rules! scim_types {
    ($($(#[$doc:meta])* $name:ident $word:literal $status:literal $code:literal $make:ident,)*) => {
        /// `scimType` keywords of RFC 7644 table 9 and RFC 9865.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ScimType { $($(#[$doc])* $name,)* }

        impl ScimType {
            /// Every keyword.
            pub const ALL: &'static [ScimType] = &[$(ScimType::$name,)*];

            /// The keyword on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(ScimType::$name => $word,)* }
            }

            fn code(self) -> &'static str {
                match self { $(ScimType::$name => $code,)* }
            }
        }

        impl ScimError {
            $($(#[$doc])*
            pub fn $make(detail: impl Into<String>) -> Self {
                Self { status: $status, scim_type: Some(ScimType::$name), detail: detail.into() }
            })*
        }
    };
}

scim_types! {
    /// The filter cannot be read, or compares in a way the attribute does not allow.
    InvalidFilter "invalidFilter" 400 "PRV-0601" invalid_filter,
    /// The query would touch more resources than the service is willing to compute.
    TooMany "tooMany" 400 "PRV-0602" too_many,
    /// A value that has to be unique is taken.
    Uniqueness "uniqueness" 409 "PRV-0603" uniqueness,
    /// The attribute is readOnly, immutable or required, so that it cannot be changed this way.
    Mutability "mutability" 400 "PRV-0604" mutability,
    /// The body is no JSON object, or not the message that belongs here.
    InvalidSyntax "invalidSyntax" 400 "PRV-0605" invalid_syntax,
    /// The path of a PATCH operation is malformed or names no attribute of the type.
    InvalidPath "invalidPath" 400 "PRV-0606" invalid_path,
    /// A PATCH operation needs a target and there is none.
    NoTarget "noTarget" 400 "PRV-0607" no_target,
    /// A value is missing, or not of the attribute's type.
    InvalidValue "invalidValue" 400 "PRV-0608" invalid_value,
    /// The protocol version in the address is not supported.
    InvalidVers "invalidVers" 400 "PRV-0609" invalid_version,
    /// A sensitive filter belongs into `.search`, not into an address.
    Sensitive "sensitive" 403 "PRV-0610" sensitive,
    /// The cursor is unknown, forged or belongs to another query.
    InvalidCursor "invalidCursor" 400 "PRV-0611" invalid_cursor,
    /// The cursor is older than `cursorTimeout`.
    ExpiredCursor "expiredCursor" 400 "PRV-0612" expired_cursor,
    /// The count changed between two pages, or is out of range.
    InvalidCount "invalidCount" 400 "PRV-0613" invalid_count,
}

impl ScimError {
    /// An error with a status and no keyword: 401, 403, 405, 415, 501 ...
    pub fn status(status: u16, detail: impl Into<String>) -> Self {
        Self { status, scim_type: None, detail: detail.into() }
    }

    /// 404 for a resource, schema or endpoint that does not exist.
    pub fn not_found(what: impl std::fmt::Display) -> Self {
        Self::status(404, format!("{what} does not exist"))
    }

    /// 412: the version named in `If-Match` is not the current one (RFC 7644 section 3.14).
    pub fn version_mismatch() -> Self {
        Self::status(412, "the resource has changed since the version in If-Match")
    }

    /// 413: `limit` names the limit that the request is over (RFC 7644 section 3.7.4).
    pub fn too_large(limit: impl std::fmt::Display) -> Self {
        Self::status(413, format!("the request is larger than {limit}"))
    }

    /// The body of the error answer as JSON text.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an error is texts alone")
    }

    /// The same error with `prefix: ` in front of its detail, to say which operation of many it is about.
    pub fn within(mut self, prefix: impl std::fmt::Display) -> Self {
        self.detail = format!("{prefix}: {}", self.detail);
        self
    }
}

impl Serialize for ScimError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("schemas", &[urn::ERROR])?;
        map.serialize_entry("status", &self.status.to_string())?;
        if let Some(scim_type) = self.scim_type {
            map.serialize_entry("scimType", scim_type.as_str())?;
        }
        map.serialize_entry("detail", &self.detail)?;
        map.end()
    }
}

impl Explain for ScimError {
    fn code(&self) -> Code {
        Code::new(match (self.scim_type, self.status) {
            (Some(scim_type), _) => scim_type.code(),
            (None, 401 | 403) => "PRV-0620",
            (None, 404) => "PRV-0621",
            (None, 412) => "PRV-0622",
            (None, 413) => "PRV-0623",
            (None, _) => "PRV-0624",
        })
    }

    fn hint(&self) -> Option<Cow<'_, str>> {
        let hint = match self.scim_type? {
            ScimType::InvalidFilter => "write `attribute operator \"value\"`; texts stand in double quotes",
            ScimType::InvalidPath => "a path is `name`, `name.sub`, `name[type eq \"work\"].sub` or `urn:…:name`",
            ScimType::NoTarget => "use `add` to create the element, or correct the value filter",
            ScimType::Mutability => "leave out attributes that the service computes or that cannot change",
            ScimType::Uniqueness => "look for the resource that has the value, and update it instead",
            ScimType::InvalidSyntax => "send one JSON object with its `schemas`",
            ScimType::TooMany => "ask for less with a narrower filter",
            ScimType::InvalidCursor | ScimType::ExpiredCursor => "start again with an empty cursor",
            ScimType::InvalidCount => "repeat the count of the first page",
            ScimType::Sensitive => "send the filter in the body of a POST to `.search`",
            ScimType::InvalidVers => "use `/v2`",
            ScimType::InvalidValue => return None,
        };
        Some(Cow::Borrowed(hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_carries_its_status_as_text() {
        assert_eq!(
            String::from_utf8(ScimError::uniqueness("userName `ada` is taken").to_json()).unwrap(),
            "{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:Error\"],\"status\":\"409\",\
             \"scimType\":\"uniqueness\",\"detail\":\"userName `ada` is taken\"}"
        );
        let error = ScimError::not_found("User 7");
        assert!(!String::from_utf8(error.to_json()).unwrap().contains("scimType"));
        assert_eq!(error.code().as_str(), "PRV-0621");
    }

    #[test]
    fn codes_are_distinct() {
        let mut codes: Vec<_> = ScimType::ALL.iter().map(|scim_type| scim_type.code()).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), ScimType::ALL.len());
    }
}
