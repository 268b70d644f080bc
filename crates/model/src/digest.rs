//! Digests for change detection: fast, 128 bits, not for secrets or forgery.
//!
//! xxh3 is twelve times faster than SHA-256 on inputs this short; nobody gains by forging a digest of their own record.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::{Attributes, Value};

/// A 128-bit digest, printed as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub u128);

impl Digest {
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(xxh3_128(bytes))
    }

    /// Over all names and values; the order of names does not matter, the order of list elements does.
    pub fn of_attributes(attributes: &Attributes) -> Self {
        let mut sum = 0u128;
        for (name, value) in attributes.iter() {
            let mut state = Xxh3::new();
            state.update(name.as_bytes());
            state.update(&[0]);
            feed(&mut state, value);
            sum = sum.wrapping_add(state.digest128());
        }
        Self(sum)
    }

    pub fn of_value(value: &Value) -> Self {
        let mut state = Xxh3::new();
        feed(&mut state, value);
        Self(state.digest128())
    }
}

/// Feeds a value with a tag and a length before each variable part, so that `["ab"]` and `["a","b"]` differ.
fn feed(state: &mut Xxh3, value: &Value) {
    match value {
        Value::Null => state.update(b"n"),
        Value::Boolean(flag) => state.update(if *flag { b"t" } else { b"f" }),
        Value::Integer(number) => {
            state.update(b"i");
            state.update(&number.to_le_bytes());
        }
        Value::Decimal(number) => {
            state.update(b"d");
            state.update(&number.to_bits().to_le_bytes());
        }
        Value::Text(text) => feed_bytes(state, b"s", text.as_bytes()),
        Value::List(values) => {
            state.update(b"[");
            state.update(&(values.len() as u64).to_le_bytes());
            for value in values {
                feed(state, value);
            }
        }
        Value::Complex(attributes) => {
            state.update(b"{");
            state.update(&Digest::of_attributes(attributes).0.to_le_bytes());
        }
        Value::Reference(reference) => {
            feed_bytes(state, b"r", reference.class.as_bytes());
            feed_bytes(state, b":", reference.id.as_bytes());
        }
    }
}

fn feed_bytes(state: &mut Xxh3, tag: &[u8], bytes: &[u8]) {
    state.update(tag);
    state.update(&(bytes.len() as u64).to_le_bytes());
    state.update(bytes);
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_any_order_give_one_digest() {
        let ab: Attributes = [("a", "1"), ("b", "2")].into_iter().collect();
        let ba: Attributes = [("b", "2"), ("a", "1")].into_iter().collect();
        let swapped: Attributes = [("a", "2"), ("b", "1")].into_iter().collect();
        assert_eq!(Digest::of_attributes(&ab), Digest::of_attributes(&ba));
        assert_ne!(Digest::of_attributes(&ab), Digest::of_attributes(&swapped));
    }

    #[test]
    fn lengths_separate_neighbours() {
        let one = Value::List(vec!["ab".into()]);
        let two = Value::List(vec!["a".into(), "b".into()]);
        assert_ne!(Digest::of_value(&one), Digest::of_value(&two));
        assert_ne!(Digest::of_value(&"1".into()), Digest::of_value(&Value::Integer(1)));
    }
}
