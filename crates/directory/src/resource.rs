//! One resource as it is read and as it is written down: a row's columns and its attributes as JSON text.

use std::borrow::Cow;
use std::fmt;

use provost_model::{Attributes, ObjectId, Text, Value};
use provost_store::{MemberRow, ResourceRow, StoreError};
use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};

/// A user, a group, or a resource of another type.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// The resource type, `User`.
    pub kind: Text,
    pub id: ObjectId,
    /// 1 for a new resource, one more with each change.
    pub version: i64,
    /// Milliseconds since 1970 UTC.
    pub created: i64,
    /// Milliseconds since 1970 UTC.
    pub modified: i64,
    /// In the schema's spelling, extensions in containers of their own; without `id`, `meta`, `schemas` and `members`.
    pub attributes: Attributes,
    /// By id. None when the type has no members, or they were not asked for.
    pub members: Option<Vec<Member>>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member {
    pub id: ObjectId,
    /// `User` or `Group`. The directory looks itself what an id belongs to; it may be empty in what is written.
    pub kind: Text,
}

impl Member {
    /// A member to be written, whatever it is.
    pub fn new(id: impl Into<ObjectId>) -> Self {
        Self { id: id.into(), kind: Text::default() }
    }
}

/// A group that an object is a member of, directly or through groups in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    pub member: ObjectId,
    pub group: ObjectId,
    /// The group's `displayName`.
    pub display: Text,
    pub direct: bool,
}

impl Membership {
    /// `direct` or `indirect` (RFC 7643 section 4.1.2, `groups.type`).
    pub fn kind(&self) -> &'static str {
        if self.direct { "direct" } else { "indirect" }
    }
}

impl From<MemberRow> for Member {
    fn from(row: MemberRow) -> Self {
        Self { id: row.member_id, kind: row.member_kind.into() }
    }
}

impl Resource {
    /// The resource without its members. A body that is no JSON object is [`StoreError::Corrupt`].
    pub(crate) fn read(row: ResourceRow) -> Result<Self, StoreError> {
        Ok(Self {
            attributes: parse(&row)?,
            kind: row.kind,
            id: row.id,
            version: row.version,
            created: row.created,
            modified: row.modified,
            members: None,
        })
    }

    /// `active`, which counts as true when it is not set.
    pub fn is_active(&self) -> bool {
        self.attributes.find("active").and_then(Value::as_bool) != Some(false)
    }

    /// The weak entity tag of this version, `W/"3"`.
    pub fn etag(&self) -> Text {
        etag(self.version)
    }
}

/// The weak entity tag of a version (RFC 7644 section 3.14).
pub(crate) fn etag(version: i64) -> Text {
    compact_str::format_compact!("W/\"{version}\"")
}

/// The version in an entity tag, weak or strong.
pub(crate) fn version_of(etag: &str) -> Option<i64> {
    let tag = etag.trim();
    tag.strip_prefix("W/").unwrap_or(tag).strip_prefix('"')?.strip_suffix('"')?.parse().ok()
}

pub(crate) fn parse(row: &ResourceRow) -> Result<Attributes, StoreError> {
    serde_json::from_str(&row.body).map_err(|error| corrupt(row, &error))
}

fn corrupt(row: &ResourceRow, error: &serde_json::Error) -> StoreError {
    StoreError::Corrupt { table: "resource", reason: format!("body of {} {}: {error}", row.kind, row.id) }
}

/// The attributes of these names alone.
pub(crate) fn parse_some(row: &ResourceRow, names: &[Text]) -> Result<Attributes, StoreError> {
    let mut deserializer = serde_json::Deserializer::from_str(&row.body);
    let read = Sieve(names).deserialize(&mut deserializer).and_then(|found| deserializer.end().map(|()| found));
    read.map_err(|error| corrupt(row, &error))
}

struct Sieve<'n>(&'n [Text]);

impl<'de> DeserializeSeed<'de> for Sieve<'_> {
    type Value = Attributes;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Attributes, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Sieve<'_> {
    type Value = Attributes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attributes, A::Error> {
        let mut attributes = Attributes::with_capacity(self.0.len());
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            match self.0.iter().find(|wanted| wanted.eq_ignore_ascii_case(&name)) {
                Some(wanted) => attributes.push(wanted.clone(), map.next_value::<Value>()?),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(attributes)
    }
}

pub(crate) fn to_body(attributes: &Attributes) -> String {
    let mut body = Vec::with_capacity(512);
    serde_json::to_writer(&mut body, attributes).expect("attributes are JSON with text keys, written to memory");
    String::from_utf8(body).expect("JSON is UTF-8")
}
