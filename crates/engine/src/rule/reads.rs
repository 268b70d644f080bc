//! What a rule reads of a source object, kept with an event so that the decision can be worked out once more later.

use std::borrow::Cow;
use std::sync::Arc;

use provost_lang::REDACTED;
use provost_model::{AttributePath, Attributes, Change, Record, Text, Value};
use provost_store::Layout;

use super::Mapping;

/// Elements and bytes of one value that are kept; of a longer one it is only said that it was long.
const ELEMENTS: usize = 100;
const BYTES: usize = 4_000;
/// In place of a value that is too long to be kept with every event.
pub const LONG: &str = "[too long to be kept]";

/// Attributes of the source, by the names that scope and expressions have for them.
#[derive(Debug)]
pub struct Reads {
    attributes: Vec<Attribute>,
    pub layout: Layout,
}

#[derive(Debug)]
struct Attribute {
    /// A record that has nothing but this name is read by it, too.
    name: Text,
    path: Option<AttributePath>,
    /// What it says is not shown.
    redacted: bool,
    /// Where its value goes as it stands: an event that tells of such a change need not keep the value twice.
    sent: Vec<Arc<AttributePath>>,
}

impl Reads {
    pub fn new<'n>(names: impl Iterator<Item = &'n str>, redacted: &[Text], mappings: &[Mapping]) -> Self {
        let mut attributes: Vec<Attribute> = Vec::new();
        for name in names {
            if attributes.iter().any(|have| have.name.eq_ignore_ascii_case(name)) {
                continue;
            }
            let is_plain = |mapping: &&Mapping| !mapping.sensitive && !mapping.reference && mapping.default.is_none();
            let of_name = |mapping: &&Mapping| mapping.expression.direct_attribute() == Some(name);
            attributes.push(Attribute {
                name: name.into(),
                path: name.parse().ok(),
                redacted: redacted.iter().any(|hidden| hidden.eq_ignore_ascii_case(name)),
                sent: mappings.iter().filter(is_plain).filter(of_name).map(|mapping| mapping.path.clone()).collect(),
            });
        }
        let layout = Layout::new(attributes.iter().map(|attribute| &attribute.name));
        Self { attributes, layout }
    }

    /// The attributes' names.
    pub fn names(&self) -> impl Iterator<Item = &Text> {
        self.attributes.iter().map(|attribute| &attribute.name)
    }

    /// What the object has of it, as text in the layout, without what `changes` tell; none when nothing is left.
    pub fn text(&self, record: &Record, changes: &[Change]) -> Option<String> {
        let kept = self.attributes.iter().map(|attribute| {
            let value = attribute.of(&record.attributes)?;
            let is_told = !attribute.redacted && attribute.told(changes).is_some_and(|told| *told == *value);
            (!is_told).then_some(value)
        });
        let values: Vec<Option<Cow<'_, Value>>> = kept.map(|value| value.map(shown)).collect();
        if values.iter().all(Option::is_none) && changes.is_empty() {
            return None;
        }
        Some(self.layout.write(values.iter().map(Option::as_deref)))
    }

    /// Puts in what the changes of the event tell, and [`Reads::text`] left out for that. `told` gives what an attribute of
    /// the target was set to.
    pub fn complete(&self, seen: &mut Attributes, told: impl Fn(&AttributePath) -> Option<Value>) {
        for attribute in self.attributes.iter().filter(|attribute| !attribute.redacted) {
            if seen.find(&attribute.name).is_none()
                && let Some(value) = attribute.sent.iter().find_map(|path| told(path))
            {
                seen.push(attribute.name.clone(), value);
            }
        }
    }
}

impl Attribute {
    fn of<'r>(&self, attributes: &'r Attributes) -> Option<Cow<'r, Value>> {
        let found = match attributes.find(&self.name) {
            Some(value) => Some(Cow::Borrowed(value)),
            None => self.path.as_ref()?.read(attributes),
        };
        let value = found.filter(|value| !matches!(**value, Value::Null))?;
        Some(if self.redacted { Cow::Owned(Value::text(REDACTED)) } else { value })
    }

    fn told<'c>(&self, changes: &'c [Change]) -> Option<&'c Value> {
        let is_sent = |change: &&Change| self.sent.iter().any(|path| Arc::ptr_eq(path, &change.path));
        if self.sent.is_empty() { None } else { changes.iter().find(is_sent)?.after() }
    }
}

fn shown(value: Cow<'_, Value>) -> Cow<'_, Value> {
    if is_long(&value) { Cow::Owned(Value::text(LONG)) } else { value }
}

fn is_long(value: &Value) -> bool {
    let elements = value.elements();
    elements.len() > ELEMENTS || elements.iter().filter_map(Value::as_text).map(str::len).sum::<usize>() > BYTES
}
