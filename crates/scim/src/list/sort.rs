//! Sorting (RFC 7644 section 3.4.2.3): a key per resource that compares by the attribute's type.

use std::cmp::Ordering;

use jiff::Timestamp;
use provost_model::{AttributePath, AttributeType, Attributes, Value};
use serde::{Deserialize, Serialize};

use crate::resource::value::is_primary;
use crate::schema::{Attribute, Target};
use crate::{ScimError, TypeSchema, collate};

/// `sortBy` and `sortOrder`.
#[derive(Debug, Clone, PartialEq)]
pub struct Sort {
    /// The attribute, by its path.
    pub by: AttributePath,
    /// Ascending unless said otherwise.
    pub order: SortOrder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
/// `sortOrder`.
pub enum SortOrder {
    #[default]
    /// Smallest first, missing values last.
    Ascending,
    /// Greatest first, missing values before all.
    Descending,
}

impl SortOrder {
    /// Compares two keys in this order.
    pub fn compare(self, one: &SortKey, other: &SortKey) -> Ordering {
        match self {
            SortOrder::Ascending => one.cmp(other),
            SortOrder::Descending => other.cmp(one),
        }
    }
}

/// What a resource is sorted by. A missing value is the greatest: last ascending, first descending.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum SortKey {
    /// False before true.
    Boolean(bool),
    /// Integers and decimals.
    Number(f64),
    /// Chronological.
    Time(Timestamp),
    /// Folded where letter case does not count; the first 400 bytes.
    Text(String),
    /// The resource has no value.
    Missing,
}

impl Eq for SortKey {}

impl Ord for SortKey {
    fn cmp(&self, other: &Self) -> Ordering {
        let rank = |key: &SortKey| match key {
            SortKey::Boolean(_) => 0,
            SortKey::Number(_) => 1,
            SortKey::Time(_) => 2,
            SortKey::Text(_) => 3,
            SortKey::Missing => 4,
        };
        match (self, other) {
            (SortKey::Boolean(one), SortKey::Boolean(other)) => one.cmp(other),
            (SortKey::Number(one), SortKey::Number(other)) => one.total_cmp(other),
            (SortKey::Time(one), SortKey::Time(other)) => one.cmp(other),
            (SortKey::Text(one), SortKey::Text(other)) => one.cmp(other),
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

impl PartialOrd for SortKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Sort {
    /// The key of a resource, a function to call per resource. An attribute that the type lacks, or a secret one, is 400
    /// `invalidPath`. Of several values the primary one counts, else the first; of a complex one its `value`.
    pub fn key<'a>(&self, types: &'a TypeSchema) -> Result<impl Fn(&Attributes) -> SortKey + use<'a>, ScimError> {
        let place = match types.resolve(&self.by) {
            Some(Target::Attribute(place)) if !place.attribute.is_secret() && self.by.filter.is_none() => place,
            _ => return Err(ScimError::invalid_path(format!("sortBy: {} cannot be sorted by", self.by))),
        };
        let leaf = match place.leaf() {
            complex if complex.is_complex() => complex.sub_attribute("value"),
            simple => Some(simple),
        };
        Ok(move |resource: &Attributes| {
            let holder = match place.extension {
                Some(schema) => resource.find(&schema.id).and_then(Value::as_complex),
                None => Some(resource),
            };
            let value = match holder.and_then(|holder| holder.find(&place.attribute.name)) {
                Some(Value::List(elements)) => elements.iter().find(|e| is_primary(e)).or_else(|| elements.first()),
                single => single,
            };
            let value = match (value, leaf) {
                (Some(Value::Complex(parts)), Some(leaf)) => parts.find(&leaf.name),
                (value, _) => value,
            };
            value.zip(leaf).map_or(SortKey::Missing, |(value, leaf)| key_of(leaf, value))
        })
    }
}

/// What texts are sorted by at most, bytes: a cursor carries the key of the last resource in an address.
const KEY_MAX: usize = 400;

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(KEY_MAX));
    text
}

fn key_of(attribute: &Attribute, value: &Value) -> SortKey {
    match value {
        Value::Boolean(value) => SortKey::Boolean(*value),
        Value::Integer(number) => SortKey::Number(*number as f64),
        Value::Decimal(number) => SortKey::Number(*number),
        Value::Text(text) if attribute.kind == AttributeType::DateTime => {
            collate::instant(text).map_or(SortKey::Missing, SortKey::Time)
        }
        Value::Text(text) => SortKey::Text(cut(collate::fold(text, attribute.is_exact()).into_owned())),
        Value::Reference(reference) => SortKey::Text(reference.id.as_str().to_owned()),
        Value::Null | Value::List(_) | Value::Complex(_) => SortKey::Missing,
    }
}
