//! Attributes by name, in the order the system gave them.
//!
//! A vector, not a map: records have some twenty attributes, and a scan over short inline names beats hashing them.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Text, Value};

/// Named values. Names are compared exactly by [`get`](Attributes::get) and without regard to ASCII case by
/// [`find`](Attributes::find), which is what SCIM asks for (RFC 7643 section 2.1).
#[derive(Debug, Clone, Default)]
pub struct Attributes(Vec<(Text, Value)>);

impl Attributes {
    pub fn new() -> Self {
        Self(Vec::new())
    }

    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value under exactly this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(have, _)| have == name).map(|(_, value)| value)
    }

    /// The value under this name in any letter case; an exact match wins.
    pub fn find(&self, name: &str) -> Option<&Value> {
        self.get(name).or_else(|| self.0.iter().find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, v)| v))
    }

    /// Like [`find`](Attributes::find), to change the value in place.
    pub fn find_mut(&mut self, name: &str) -> Option<&mut Value> {
        let at = self.position(name)?;
        Some(&mut self.0[at].1)
    }

    /// Sets the value under this name, keeping the place and spelling of one that is there in any letter case.
    pub fn set(&mut self, name: impl Into<Text>, value: impl Into<Value>) {
        let name = name.into();
        match self.position(&name) {
            Some(at) => self.0[at].1 = value.into(),
            None => self.0.push((name, value.into())),
        }
    }

    /// Appends without looking for the name: for readers that know their names to be distinct.
    pub fn push(&mut self, name: impl Into<Text>, value: impl Into<Value>) {
        self.0.push((name.into(), value.into()));
    }

    /// Takes the value out, in any letter case of the name.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.position(name).map(|at| self.0.remove(at).1)
    }

    /// The value under this name, put there by `make` when missing.
    pub fn entry(&mut self, name: &str, make: impl FnOnce() -> Value) -> &mut Value {
        let at = self.position(name).unwrap_or_else(|| {
            self.0.push((name.into(), make()));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Value)> {
        self.0.iter_mut().map(|(name, value)| (name.as_str(), value))
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&str, &mut Value) -> bool) {
        self.0.retain_mut(|(name, value)| keep(name, value));
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.0
            .iter()
            .position(|(have, _)| have == name)
            .or_else(|| self.0.iter().position(|(have, _)| have.eq_ignore_ascii_case(name)))
    }
}

/// Order has no meaning: two sets of attributes are equal when each name has an equal value.
impl PartialEq for Attributes {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.0.iter().all(|(name, value)| other.get(name) == Some(value))
    }
}

impl<N: Into<Text>, V: Into<Value>> FromIterator<(N, V)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(iter: I) -> Self {
        Self(iter.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl IntoIterator for Attributes {
    type Item = (Text, Value);
    type IntoIter = std::vec::IntoIter<(Text, Value)>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AttributesVisitor)
    }
}

struct AttributesVisitor;

impl<'de> Visitor<'de> for AttributesVisitor {
    type Value = Attributes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attributes, A::Error> {
        let mut attributes = Attributes::with_capacity(map.size_hint().unwrap_or(0).min(1024));
        while let Some((name, value)) = map.next_entry::<Text, Value>()? {
            attributes.push(name, value);
        }
        Ok(attributes)
    }
}
