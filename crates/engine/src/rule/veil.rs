//! Sensitive values in a link's record of what was sent. What is only compared (a password) is kept as a keyed digest, what a
//! repair has to write again (a value that some expression redacts) is sealed, and what is never looked at again is a mask. The
//! key is the store's master key, which the database does not have.
//!
//! A record of another key tells nothing: a digest of it equals no value, and what was sealed counts as never sent. Both are
//! written again.

use std::sync::Arc;

use provost_model::{Attributes, ObjectId, Text, Value};
use provost_store::MasterKey;

use super::{Mapping, Rule};
use crate::spec::ApplySpec;

const DIGEST: &str = "$digest";
const SEALED: &str = "$sealed";
const MASKED: &str = "$masked";

/// The key of a rule's sensitive values. Without one they are masked, and never equal anything.
#[derive(Debug, Default, Clone)]
pub struct Veil(Option<Arc<MasterKey>>);

impl From<Arc<MasterKey>> for Veil {
    fn from(key: Arc<MasterKey>) -> Self {
        Self(Some(key))
    }
}

impl Veil {
    /// For the values of one source object: the same password of two people has two digests.
    pub fn of<'v>(&'v self, id: &'v ObjectId) -> Veiled<'v> {
        Veiled { key: self.0.as_deref(), id }
    }
}

/// The veil over one object.
pub struct Veiled<'v> {
    key: Option<&'v MasterKey>,
    id: &'v ObjectId,
}

impl Veiled<'_> {
    /// What is recorded instead of the value; nothing where it may stand as it is.
    pub fn cover(&self, mapping: &Mapping, value: &Value) -> Option<Value> {
        if !mapping.sensitive || matches!(value, Value::Null) {
            return None;
        }
        if let (Value::List(elements), false) = (value, mapping.readable) {
            return Some(Value::List(elements.iter().map(|element| self.cover_one(mapping, element)).collect()));
        }
        Some(self.cover_one(mapping, value))
    }

    fn cover_one(&self, mapping: &Mapping, value: &Value) -> Value {
        if is_veiled(value) {
            return value.clone();
        }
        let instead = |key: &str, text: String| Value::Complex(Attributes::from_iter([(key, Text::from(text))]));
        let masked = || instead(MASKED, String::new());
        let Some(key) = self.key else { return masked() };
        if mapping.apply == ApplySpec::Create || mapping.random {
            return masked();
        }
        if mapping.readable {
            let text = serde_json::to_vec(value).unwrap_or_default();
            return key.seal(&self.place(mapping), &text).map_or_else(|_| masked(), |text| instead(SEALED, text));
        }
        instead(DIGEST, self.digest(key, mapping, value))
    }

    /// Whether the digest is of this value.
    pub fn is(&self, mapping: &Mapping, have: &Value, want: &Value) -> bool {
        match (have, want) {
            (Value::List(have), Value::List(want)) => {
                have.len() == want.len() && have.iter().zip(want).all(|(have, want)| self.is(mapping, have, want))
            }
            (Value::Complex(have), want) => {
                let (Some(key), Some(digest)) = (self.key, have.find(DIGEST)) else { return false };
                digest.as_text() == Some(&self.digest(key, mapping, want))
            }
            _ => false,
        }
    }

    /// The record with what was sealed as it was.
    pub fn open(&self, rule: &Rule, mut sent: Attributes) -> Attributes {
        for mapping in rule.mappings.iter().filter(|mapping| mapping.sensitive) {
            let Some(Value::Complex(parts)) = sent.find(&mapping.key) else { continue };
            let Some(sealed) = parts.find(SEALED).and_then(Value::as_text) else { continue };
            let open = |key: &MasterKey| key.open(&self.place(mapping), sealed).ok();
            let value = self.key.and_then(open).and_then(|text| serde_json::from_slice::<Value>(&text).ok());
            match value {
                Some(value) => sent.set(mapping.key.clone(), value),
                None => drop(sent.remove(&mapping.key)),
            }
        }
        sent
    }

    fn digest(&self, key: &MasterKey, mapping: &Mapping, value: &Value) -> String {
        key.digest(&self.place(mapping), &serde_json::to_vec(value).unwrap_or_default())
    }

    fn place(&self, mapping: &Mapping) -> String {
        format!("sent\0{}\0{}", mapping.key, self.id)
    }
}

/// Whether this stands for a value, or for the elements of a list.
pub fn is_veiled(value: &Value) -> bool {
    match value {
        Value::Complex(parts) => [DIGEST, SEALED, MASKED].iter().any(|key| parts.find(key).is_some()),
        Value::List(elements) => !elements.is_empty() && elements.iter().any(is_veiled),
        _ => false,
    }
}
