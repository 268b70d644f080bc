//! What a rule reads of a source object, kept with an event so that the decision can be worked out once more later.

use std::borrow::Cow;

use provost_lang::REDACTED;
use provost_model::{AttributePath, Attributes, Record, Text, Value};
use provost_store::Layout;

/// Elements and bytes of one value that are kept; of a longer one it is only said that it was long.
const ELEMENTS: usize = 100;
const BYTES: usize = 4_000;
/// In place of a value that is too long to be kept with every event.
pub const LONG: &str = "[too long to be kept]";

/// Attributes of the source.
#[derive(Debug)]
pub struct Reads {
    attributes: Vec<Attribute>,
    pub layout: Layout,
}

/// One attribute of an object, or one extension.
#[derive(Debug)]
struct Attribute {
    key: Text,
    /// Of an extension, what is read of it.
    inside: Vec<Text>,
    /// What it says is not shown.
    redacted: bool,
}

impl Reads {
    /// By the paths of attributes as scope and expressions name them.
    pub fn new<'n>(names: impl Iterator<Item = &'n str>, redacted: &[Text]) -> Self {
        let mut attributes: Vec<Attribute> = Vec::new();
        for name in names {
            let redacted = redacted.iter().any(|hidden| hidden.eq_ignore_ascii_case(name));
            let mut add = |key: &str, inside: Option<&Text>| {
                let at = attributes.iter().position(|have| have.key.eq_ignore_ascii_case(key)).unwrap_or_else(|| {
                    attributes.push(Attribute { key: key.into(), inside: Vec::new(), redacted: false });
                    attributes.len() - 1
                });
                attributes[at].redacted |= redacted;
                attributes[at].inside.extend(inside.cloned());
            };
            // A record may keep the whole path as one name.
            add(name, None);
            if let Ok(path) = name.parse::<AttributePath>() {
                match &path.schema {
                    Some(urn) => add(urn, Some(&path.name)),
                    None => add(&path.name, None),
                }
            }
        }
        let layout = Layout::new(attributes.iter().map(|attribute| &attribute.key));
        Self { attributes, layout }
    }

    /// The attributes' names.
    pub fn names(&self) -> impl Iterator<Item = &Text> {
        self.attributes.iter().map(|attribute| &attribute.key)
    }

    /// What the object has of it, as text in the layout; none when it has nothing.
    pub fn text(&self, record: &Record) -> Option<String> {
        let values: Vec<Option<Cow<'_, Value>>> =
            self.attributes.iter().map(|attribute| attribute.of(&record.attributes)).collect();
        if values.iter().all(Option::is_none) {
            return None;
        }
        Some(self.layout.write(values.iter().map(Option::as_deref)))
    }
}

impl Attribute {
    fn of<'r>(&self, attributes: &'r Attributes) -> Option<Cow<'r, Value>> {
        let value = attributes.find(&self.key).filter(|value| !matches!(value, Value::Null))?;
        if self.redacted {
            return Some(Cow::Owned(Value::text(REDACTED)));
        }
        match value.as_complex() {
            Some(extension) if !self.inside.is_empty() => {
                let mut part = Attributes::new();
                for (name, value) in extension.iter() {
                    if self.inside.iter().any(|read| read.eq_ignore_ascii_case(name)) {
                        part.push(name, value.clone());
                    }
                }
                Some(Cow::Owned(Value::from(part)))
            }
            _ if is_long(value) => Some(Cow::Owned(Value::text(LONG))),
            _ => Some(Cow::Borrowed(value)),
        }
    }
}

fn is_long(value: &Value) -> bool {
    let elements = value.elements();
    elements.len() > ELEMENTS || elements.iter().filter_map(Value::as_text).map(str::len).sum::<usize>() > BYTES
}
