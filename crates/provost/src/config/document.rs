//! A YAML document as a tree in which every key and value knows its place, read by serde-saphyr.
//!
//! Knows nothing of what the keys mean; `reader` turns a piece of the tree into a type, `place` finds a piece by its path.

use std::fmt;
use std::ops::Range;

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value as Json};
use serde_saphyr::{DuplicateKeyPolicy, Location, Options, Spanned};

/// A place in the text, all counted from one but the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mark {
    pub line: usize,
    /// In characters.
    pub column: usize,
    /// What is meant, as bytes of the whole text; the empty range when only the start is known.
    pub bytes: Range<usize>,
}

/// One value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub kind: Kind,
    pub mark: Mark,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Null,
    Boolean(bool),
    Integer(i64),
    Decimal(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub key: String,
    pub mark: Mark,
    pub value: Node,
}

/// Why a text is no YAML document, or which key it says twice.
#[derive(Debug)]
pub struct SyntaxError {
    pub message: String,
    pub mark: Option<Mark>,
    /// Set when the text can be read, but says this key twice; the tree with its last value is there as well.
    pub duplicate: Option<Option<String>>,
}

/// Reads a text. An empty one is an empty mapping. A tree comes back beside an error where the error is a key that stands
/// there twice, so that the rest can be checked too.
pub fn parse(text: &str) -> (Option<Node>, Option<SyntaxError>) {
    match read(text, DuplicateKeyPolicy::Error) {
        Ok(node) => (Some(node), None),
        Err(error) => match error.without_snippet() {
            serde_saphyr::Error::DuplicateMappingKey { key, location } => {
                let mark = Some(mark(*location));
                let message = match key {
                    Some(key) => format!("the key `{key}` stands here a second time"),
                    None => "a key stands here a second time".to_owned(),
                };
                let node = read(text, DuplicateKeyPolicy::LastWins).ok();
                (node, Some(SyntaxError { message, mark, duplicate: Some(key.clone()) }))
            }
            other => {
                let location = other.location();
                let message = plain(&other.to_string());
                (None, Some(SyntaxError { message, mark: location.map(mark), duplicate: None }))
            }
        },
    }
}

fn read(text: &str, duplicate_keys: DuplicateKeyPolicy) -> Result<Node, serde_saphyr::Error> {
    // `on` is a key and `no` a country: only YAML 1.2's words are Booleans. `007` is an employee number.
    let mut options = Options::default();
    options.duplicate_keys = duplicate_keys;
    options.strict_booleans = true;
    options.leading_zero_numbers_as_strings = true;
    options.underscored_numbers_as_strings = true;
    options.with_snippet = false;
    let node = serde_saphyr::from_str_with_options::<Option<Node>>(text, options)?;
    Ok(node.unwrap_or(Node { kind: Kind::Map(Vec::new()), mark: Mark { line: 1, column: 1, bytes: 0..0 } }))
}

/// The message alone: the place is shown by our own renderer.
fn plain(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let cut = first.find(" at line ").or_else(|| first.find(" (line ")).unwrap_or(first.len());
    let text = first[..cut].trim_end_matches(['.', ':', ',']);
    let mut letters = text.chars();
    match letters.next() {
        Some(letter) => letter.to_lowercase().chain(letters).collect(),
        None => "no YAML document".to_owned(),
    }
}

fn mark(location: Location) -> Mark {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let span = location.span();
    let start = span.byte_offset().map_or(0, number);
    let length = span.byte_len().map_or(0, number);
    Mark {
        line: number(location.line()),
        column: number(location.column()),
        bytes: start..start.saturating_add(length),
    }
}

impl Node {
    /// The entries of a mapping; none for anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The entry under this key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// Takes out the outermost entry that is meant, however deep it is.
    pub fn remove(&mut self, is_meant: &dyn Fn(&Entry) -> bool) -> bool {
        match &mut self.kind {
            Kind::Map(entries) => {
                let before = entries.len();
                entries.retain(|entry| !is_meant(entry));
                entries.len() < before || entries.iter_mut().any(|entry| entry.value.remove(is_meant))
            }
            Kind::List(items) => items.iter_mut().any(|item| item.remove(is_meant)),
            _ => false,
        }
    }

    /// The same tree without places.
    pub fn to_json(&self) -> Json {
        match &self.kind {
            Kind::Null => Json::Null,
            Kind::Boolean(value) => Json::Bool(*value),
            Kind::Integer(value) => Json::from(*value),
            Kind::Decimal(value) => Number::from_f64(*value).map_or(Json::Null, Json::Number),
            Kind::Text(text) => Json::String(text.clone()),
            Kind::List(items) => items.iter().map(Node::to_json).collect(),
            Kind::Map(entries) => Json::Object(entries_to_json(entries)),
        }
    }

    /// For error messages: `a list`, `the number 7`.
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".to_owned(),
            Kind::Boolean(value) => format!("`{value}`"),
            Kind::Integer(value) => format!("the number {value}"),
            Kind::Decimal(value) => format!("the number {value}"),
            Kind::Text(text) if text.chars().count() <= 40 && !text.contains('\n') => format!("the text `{text}`"),
            Kind::Text(_) => "a text".to_owned(),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a mapping".to_owned(),
        }
    }
}

/// Entries as a JSON object.
pub fn entries_to_json(entries: &[Entry]) -> Map<String, Json> {
    entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect()
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Kind>::deserialize(deserializer)?;
        Ok(Node { kind: spanned.value, mark: mark(spanned.referenced) })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }
    fn visit_unit<E: de::Error>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }
    fn visit_none<E: de::Error>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        deserializer.deserialize_any(self)
    }
    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Boolean(value))
    }
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Integer(value))
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Kind, E> {
        Ok(i64::try_from(value).map_or(Kind::Decimal(value as f64), Kind::Integer))
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Kind, E> {
        Ok(Kind::Decimal(value))
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Kind, E> {
        Ok(Kind::Text(text.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Kind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Kind::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut entries: Vec<Entry> = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            // Only where the refused second key is read over, to check the rest.
            entries.retain(|entry| entry.key != key.value);
            entries.push(Entry { key: key.value, mark: mark(key.referenced), value: map.next_value()? });
        }
        Ok(Kind::Map(entries))
    }
}
