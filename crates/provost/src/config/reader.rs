//! From a piece of the tree to any serde type, with the place and the path of whatever does not fit.
//!
//! serde's own messages speak of Rust ("invalid type: unit value"); here they are put into the words of a YAML author.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, EnumAccess, Expected, IntoDeserializer, MapAccess, SeqAccess,
};
use serde::de::{Unexpected, VariantAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::document::{Entry, Kind, Mark, Node};

/// Why a piece of the tree is not what it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub what: What,
    /// Empty until the error has left the innermost value that has a place.
    pub mark: Option<Mark>,
    /// From the piece that was read down to the value that is meant, in reverse.
    path: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum What {
    UnknownKey { key: String, known: &'static [&'static str] },
    UnknownWord { word: String, known: &'static [&'static str] },
    Missing(&'static str),
    Unfit { expected: String, found: Option<String> },
    Other(String),
}

impl Fault {
    fn new(what: What) -> Self {
        Self { what, mark: None, path: Vec::new() }
    }

    fn at(mut self, mark: &Mark) -> Self {
        self.mark.get_or_insert_with(|| mark.clone());
        self
    }

    fn inside(mut self, segment: String) -> Self {
        self.path.push(segment);
        self
    }

    /// `objects[0].attributes."name.familyName"`.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for segment in self.path.iter().rev() {
            if !path.is_empty() && !segment.starts_with('[') {
                path.push('.');
            }
            path.push_str(segment);
        }
        path
    }
}

/// A key as part of a path, in quotes where it holds a dot or bracket itself.
pub fn segment(key: &str) -> String {
    if key.contains(['.', '[', ']', '"', ' ']) { format!("\"{key}\"") } else { key.to_owned() }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::UnknownKey { key, .. } => write!(f, "unknown key `{key}`"),
            What::UnknownWord { word, .. } => write!(f, "`{word}` is not a word that is known here"),
            What::Missing(key) => write!(f, "the key `{key}` is missing"),
            What::Unfit { expected, found: Some(found) } => write!(f, "expected {expected}, found {found}"),
            What::Unfit { expected, found: None } => write!(f, "expected {expected}"),
            What::Other(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::new(What::Other(text.to_string()))
    }
    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        // What was found is said by `describe`, in YAML's words.
        Self::new(What::Unfit { expected: yaml_words(&expected.to_string()), found: None })
    }
    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(What::Unfit { expected: yaml_words(&expected.to_string()), found: None })
    }
    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::new(What::UnknownKey { key: key.to_owned(), known })
    }
    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::new(What::UnknownWord { word: word.to_owned(), known })
    }
    fn missing_field(key: &'static str) -> Self {
        Self::new(What::Missing(key))
    }
}

fn yaml_words(expected: &str) -> String {
    match expected {
        "a string" | "a borrowed string" | "str" => "a text".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a mapping".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "u64" | "u32" | "u16" | "usize" => "a whole number".to_owned(),
        "i64" | "i32" => "a whole number".to_owned(),
        "f64" | "f32" => "a number".to_owned(),
        other if other.starts_with("struct ") => "a mapping".to_owned(),
        other => other.to_owned(),
    }
}

/// Reads a piece of the tree as a type.
pub fn read<T: DeserializeOwned>(node: &Node) -> Result<T, Fault> {
    T::deserialize(NodeReader(node))
}

#[derive(Clone, Copy)]
struct NodeReader<'n>(&'n Node);

impl NodeReader<'_> {
    /// Gives the error its place and says what stands there. A missing key is marked by its owner, at the key above.
    fn place(self, mut fault: Fault) -> Fault {
        if fault.mark.is_some() {
            return fault;
        }
        match &mut fault.what {
            What::Missing(_) => return fault,
            What::Unfit { found, .. } => {
                found.get_or_insert_with(|| self.0.describe());
            }
            _ => {}
        }
        fault.at(&self.0.mark)
    }
}

impl<'de> de::Deserializer<'de> for NodeReader<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let result = match &self.0.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Boolean(value) => visitor.visit_bool(*value),
            Kind::Integer(value) => visitor.visit_i64(*value),
            Kind::Decimal(value) => visitor.visit_f64(*value),
            Kind::Text(text) => visitor.visit_str(text),
            Kind::List(items) => visitor.visit_seq(Items { items, next: 0 }),
            Kind::Map(entries) => visitor.visit_map(Entries { entries, next: 0 }),
        };
        result.map_err(|fault| self.place(fault))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.0.kind {
            Kind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    /// A key that is there with nothing behind it (`guards:`) is an empty mapping.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.0.kind {
            Kind::Null => visitor.visit_map(Entries { entries: &[], next: 0 }).map_err(|fault| self.place(fault)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let result = match &self.0.kind {
            Kind::Text(word) => visitor.visit_enum(IntoDeserializer::<Fault>::into_deserializer(word.as_str())),
            Kind::Map(entries) if entries.len() == 1 => visitor.visit_enum(Variant(&entries[0])),
            _ => Err(Fault::new(What::Unfit { expected: "a word".to_owned(), found: None })),
        };
        result.map_err(|fault| self.place(fault))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier ignored_any
    }
}

struct Items<'n> {
    items: &'n [Node],
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(item) = self.items.get(self.next) else { return Ok(None) };
        let at = self.next;
        self.next += 1;
        let reader = NodeReader(item);
        let result = seed.deserialize(reader).map(Some);
        result.map_err(|fault| reader.place(fault).at(&item.mark).inside(format!("[{at}]")))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len() - self.next)
    }
}

struct Entries<'n> {
    entries: &'n [Entry],
    next: usize,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some(entry) = self.entries.get(self.next) else { return Ok(None) };
        let key: StrDeserializer<'_, Fault> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|fault| fault.at(&entry.mark))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some(entry) = self.entries.get(self.next) else { return Err(de::Error::custom("a key without a value")) };
        self.next += 1;
        let reader = NodeReader(&entry.value);
        let result = seed.deserialize(reader);
        result.map_err(|fault| reader.place(fault).at(&entry.mark).inside(segment(&entry.key)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len() - self.next)
    }
}

/// `{word: content}` for enums whose variants hold something.
struct Variant<'n>(&'n Entry);

impl<'de, 'n> EnumAccess<'de> for Variant<'n> {
    type Error = Fault;
    type Variant = NodeVariant<'n>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, NodeVariant<'n>), Fault> {
        let key: StrDeserializer<'_, Fault> = self.0.key.as_str().into_deserializer();
        let word = seed.deserialize(key).map_err(|fault| fault.at(&self.0.mark))?;
        Ok((word, NodeVariant(&self.0.value)))
    }
}

struct NodeVariant<'n>(&'n Node);

impl<'de> VariantAccess<'de> for NodeVariant<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Ok(())
    }
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(NodeReader(self.0))
    }
    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        de::Deserializer::deserialize_any(NodeReader(self.0), visitor)
    }
    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        de::Deserializer::deserialize_any(NodeReader(self.0), visitor)
    }
}
