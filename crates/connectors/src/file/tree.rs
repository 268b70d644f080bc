//! Records that are trees of values, whatever their notation: key, renames and references, as a [`Reader`].
//!
//! A format gives an [`Items`], which knows its notation and nothing of settings about meaning. `write::tree` is the other
//! direction.

use std::sync::Arc;

use provost_connector::{CheckResult, ConnectorError, ErrorCode};
use provost_model::schema::{AttributeSchema, AttributeType, ClassSchema, Mutability};
use provost_model::{AttributePath, Attributes, ClassName, Digest, ObjectId, Record, Text, Value};
use xxhash_rust::xxh3::{Xxh3, xxh3_128_with_seed};

use super::cell;
use super::config::Config;
use super::fault::RowFault;
use super::format::{Reader, Step, item_error};
use super::input::Stamp;
use super::table::push_part;

/// Records that a schema is made from.
const SAMPLE: usize = 1_000;

/// What [`Items::next`] came to.
pub(super) enum Item {
    Record,
    /// Something that is no object of the class: passed over, copied when the file is written.
    Other,
    Fault(RowFault),
    End(Option<String>),
}

/// The records of a notation.
pub(super) trait Items: Send {
    fn next(&mut self) -> Result<Item, ConnectorError>;

    /// Where the record at hand begins, from 1.
    fn line(&self) -> u64;

    /// The bytes of the record at hand.
    fn raw(&self) -> &[u8];

    fn attributes(&self) -> Result<Attributes, Box<RowFault>>;

    /// The names of all attributes that there can be, where the notation has a list of them.
    fn columns(&self) -> Option<Vec<Text>> {
        None
    }

    fn describe(&self) -> Vec<CheckResult>;

    fn stamp(&self) -> &Stamp;

    fn disturbance(&self) -> Option<String>;
}

/// What the settings say of the meaning of any tree.
pub(super) struct Meaning {
    config: Arc<Config>,
    keys: Vec<AttributePath>,
    references: Vec<(AttributePath, ClassName)>,
    /// In the digest of every record: when a setting changes, every record counts as changed.
    seed: u64,
}

impl Meaning {
    pub fn of(config: &Arc<Config>) -> Self {
        let path = |name: &Text| super::path_of(config, name);
        let keys = config.key.iter().map(path).collect();
        let references = config.references.iter().map(|(name, class)| (path(name), class.clone())).collect();
        let mut state = Xxh3::new();
        let mut feed = |text: &str| {
            state.update(&(text.len() as u64).to_le_bytes());
            state.update(text.as_bytes());
        };
        config.key.iter().for_each(|key| feed(key));
        config.rename.iter().flat_map(|(from, to)| [from, to]).for_each(|name| feed(name));
        for (name, class) in &config.references {
            feed(name);
            feed(class);
        }
        let cells = (config.trim, &config.null_values, &config.multi);
        feed(&format!("{:?} {:?} {:?} {cells:?}", config.format, config.lists, config.shape));
        Self { config: config.clone(), keys, references, seed: state.digest() }
    }

    /// Attributes as the notation has them, to attributes as mappings see them.
    pub fn seen(&self, attributes: Attributes) -> Attributes {
        // In XML the paths are no names, and spreadsheets have columns: the notation has put the attributes in place.
        let mut attributes: Attributes = if self.config.rename.is_empty() || !self.config.format.is_renamed() {
            attributes
        } else {
            attributes.into_iter().map(|(name, value)| (self.renamed(name), value)).collect()
        };
        for (path, class) in &self.references {
            refer(&mut attributes, path, class);
        }
        attributes
    }

    /// An attribute that has its name by `columns`, beside one that has it anyway.
    pub fn clash(&self, attributes: &Attributes) -> Option<&Text> {
        let names = self.config.rename.iter().filter(|_| self.config.format.is_renamed()).map(|(_, name)| name);
        names.into_iter().find(|name| attributes.iter().filter(|(have, _)| have.eq_ignore_ascii_case(name)).count() > 1)
    }

    fn renamed(&self, name: Text) -> Text {
        let renamed = self.config.rename.iter().find(|(from, _)| from.eq_ignore_ascii_case(&name));
        renamed.map_or(name, |(_, to)| to.clone())
    }

    /// The way back of [`seen`](Self::seen), but for references, which a notation writes as ids.
    pub fn stored(&self, attributes: Attributes) -> Attributes {
        let stored = |name: Text| {
            let renamed = self.config.rename.iter().find(|(_, to)| to.eq_ignore_ascii_case(&name));
            renamed.map_or(name, |(from, _)| from.clone())
        };
        attributes.into_iter().map(|(name, value)| (stored(name), value)).collect()
    }

    /// The id of a record; otherwise the part of the key that has no single value.
    pub fn id(&self, attributes: &Attributes, id: &mut String) -> Result<(), &AttributePath> {
        id.clear();
        for key in &self.keys {
            let part = key.get(attributes).and_then(cell::plain).filter(|part| !part.is_empty()).ok_or(key)?;
            if self.keys.len() == 1 {
                id.push_str(&part);
            } else {
                push_part(id, &part);
            }
        }
        Ok(())
    }

    pub fn no_key(&self, key: &AttributePath) -> ConnectorError {
        let message = format!("the key `{key}` has no single value");
        item_error(ErrorCode::MissingRequired, message, "every record needs its key; remove the record, or fill it in")
            .at(key.to_string())
    }

    /// The first part of the key; the settings have at least one.
    pub fn first_key(&self) -> &AttributePath {
        static NONE: std::sync::LazyLock<AttributePath> = std::sync::LazyLock::new(AttributePath::default);
        self.keys.first().unwrap_or(&NONE)
    }

    pub fn is_key(&self, path: &AttributePath) -> bool {
        self.keys.iter().any(|key| key.flat_name().eq_ignore_ascii_case(&path.flat_name()))
    }

    pub fn digest(&self, raw: &[u8]) -> Digest {
        Digest(xxh3_128_with_seed(raw, self.seed))
    }
}

/// A name of the settings as a path; what is no path is a plain name.
pub(super) fn path(name: &str) -> AttributePath {
    name.parse().unwrap_or_else(|_| AttributePath::name(name))
}

/// Makes the ids at a place references.
fn refer(attributes: &mut Attributes, path: &AttributePath, class: &ClassName) {
    match &path.sub {
        Some(sub) if attributes.find(&path.flat_name()).is_none() => match attributes.find_mut(&path.name) {
            Some(Value::Complex(inner)) => point(inner.find_mut(sub), class),
            Some(Value::List(elements)) => {
                for element in elements {
                    if let Value::Complex(inner) = element {
                        point(inner.find_mut(sub), class);
                    }
                }
            }
            _ => {}
        },
        _ => point(attributes.find_mut(&path.flat_name()), class),
    }
}

fn point(value: Option<&mut Value>, class: &ClassName) {
    let one = |value: &mut Value| {
        if let Value::Text(_) | Value::Integer(_) = value
            && let Some(id) = value.to_text().filter(|id| !id.is_empty()).map(|id| id.into_owned())
        {
            *value = Value::reference(class.clone(), id);
        }
    };
    match value {
        Some(Value::List(values)) => values.iter_mut().for_each(one),
        Some(value) => one(value),
        None => {}
    }
}

/// A format of trees as a [`Reader`].
pub(super) struct Tree<I> {
    items: I,
    meaning: Meaning,
    now: Attributes,
    wanted: Option<Vec<Text>>,
}

impl<I: Items> Tree<I> {
    pub fn new(config: &Arc<Config>, items: I) -> Self {
        Self { items, meaning: Meaning::of(config), now: Attributes::new(), wanted: None }
    }
}

impl<I: Items> Reader for Tree<I> {
    fn next(&mut self, id: &mut String) -> Result<Step, ConnectorError> {
        loop {
            match self.items.next()? {
                Item::Record => {}
                Item::Other => continue,
                Item::Fault(fault) => return Ok(Step::Fault(fault)),
                Item::End(reason) => return Ok(Step::End(reason)),
            }
            let attributes = match self.items.attributes() {
                Ok(attributes) => attributes,
                Err(fault) => return Ok(Step::Fault(*fault)),
            };
            self.now = self.meaning.seen(attributes);
            if let Some(name) = self.meaning.clash(&self.now) {
                let message = format!("`{name}` is there twice: by its own name and by `columns`");
                let error = item_error(ErrorCode::InvalidValue, message, "rename to a name that no record has");
                return Ok(Step::Fault(self.at_key(error)));
            }
            return Ok(match self.meaning.id(&self.now, id) {
                Ok(()) => Step::Record,
                Err(key) => Step::Fault(self.at_key(self.meaning.no_key(key))),
            });
        }
    }

    fn line(&self) -> u64 {
        self.items.line()
    }

    fn digest(&self) -> Digest {
        self.meaning.digest(self.items.raw())
    }

    fn record(&mut self, id: ObjectId) -> Result<Record, Box<RowFault>> {
        let mut record = Record::new(self.meaning.config.class.clone(), id);
        record.attributes = std::mem::take(&mut self.now);
        provost_connector::scan::project(&mut record.attributes, self.wanted.as_deref());
        record.raw_digest = Some(self.digest());
        Ok(record)
    }

    fn at_key(&self, error: ConnectorError) -> RowFault {
        RowFault { line: self.items.line(), column: None, id: None, error }
    }

    fn want(&mut self, attributes: &[Text]) {
        self.wanted = Some(attributes.to_vec());
    }

    fn resolve(&self, path: &AttributePath) -> Option<(AttributePath, bool)> {
        let config = &self.meaning.config;
        if config.format.is_nested() {
            // Nothing is selected by a pattern, which must not look as if nothing were there.
            if path.unselectable().is_some() {
                return None;
            }
            return Some((path.clone(), self.meaning.is_key(path)));
        }
        let name = super::column_name(path);
        let columns = self.items.columns();
        if columns.is_some_and(|columns| !columns.iter().any(|have| have.eq_ignore_ascii_case(&name))) {
            return None;
        }
        let path = AttributePath::name(name.into_owned());
        let is_key = self.meaning.is_key(&path);
        Some((path, is_key))
    }

    fn class(&mut self) -> Result<ClassSchema, ConnectorError> {
        let mut class = of_settings(&self.meaning);
        if let Some(columns) = self.items.columns() {
            class.open = false;
            columns.iter().for_each(|name| add(&mut class.attributes, name, &Value::Null));
        }
        let mut id = String::new();
        for _ in 0..SAMPLE {
            match self.next(&mut id)? {
                Step::Record => self.now.iter().for_each(|(name, value)| add(&mut class.attributes, name, value)),
                Step::Fault(_) => {}
                Step::End(_) => break,
            }
        }
        Ok(class)
    }

    fn describe(&self) -> Vec<CheckResult> {
        let mut checks = self.items.describe();
        checks.push(CheckResult::ok("key", self.meaning.config.key.join(", ")));
        checks
    }

    fn stamp(&self) -> &Stamp {
        self.items.stamp()
    }

    fn disturbance(&self) -> Option<String> {
        self.items.disturbance()
    }
}

/// The class as far as the settings tell it. It is open: a record may bring any name.
pub(super) fn of_settings(meaning: &Meaning) -> ClassSchema {
    let config = &meaning.config;
    let mut class = ClassSchema { name: config.class.clone(), open: true, ..ClassSchema::default() };
    for key in &meaning.keys {
        let schema = AttributeSchema {
            required: true,
            case_exact: true,
            mutability: Mutability::Immutable,
            unique: meaning.keys.len() == 1,
            ..AttributeSchema::new(key.flat_name(), AttributeType::String)
        };
        class.attributes.push(schema);
    }
    if let [key] = &meaning.keys[..] {
        class.keys.push(key.flat_name().into());
    }
    for (path, reference) in &meaning.references {
        if path.sub.is_none() {
            let mut schema = AttributeSchema::new(path.flat_name(), AttributeType::Reference);
            schema.reference_classes.push(reference.clone());
            class.attributes.push(schema);
        }
    }
    for name in &config.lists {
        if !class.attributes.iter().any(|have| have.name.eq_ignore_ascii_case(name)) {
            class.attributes.push(AttributeSchema::new(name.clone(), AttributeType::String));
        }
    }
    // It is there as soon as somebody is switched, and a mapping may name it before.
    if let Some(enabled) =
        config.enabled.as_ref().filter(|enabled| config.write && !enabled.column.contains(['.', '[']))
    {
        add(&mut class.attributes, &enabled.column, &enabled.on);
    }
    for slot in &config.shape.slots {
        add(&mut class.attributes, &slot.name, &Value::Null);
        class.open = false;
    }
    for attribute in &mut class.attributes {
        attribute.multi_valued = config.lists.iter().any(|name| name.eq_ignore_ascii_case(&attribute.name));
    }
    class
}

/// Adds what a value tells of its attribute.
fn add(attributes: &mut Vec<AttributeSchema>, name: &str, value: &Value) {
    let kind = |value: &Value| match value {
        Value::Boolean(_) => AttributeType::Boolean,
        Value::Integer(_) => AttributeType::Integer,
        Value::Decimal(_) => AttributeType::Decimal,
        Value::Complex(_) => AttributeType::Complex,
        Value::Reference(_) => AttributeType::Reference,
        _ => AttributeType::String,
    };
    let at = match attributes.iter().position(|have| have.name.eq_ignore_ascii_case(name)) {
        Some(at) => at,
        None => {
            let first = value.elements().first().unwrap_or(value);
            attributes.push(AttributeSchema::new(name, kind(first)));
            attributes.len() - 1
        }
    };
    let attribute = &mut attributes[at];
    attribute.multi_valued |= matches!(value, Value::List(_));
    for element in value.elements() {
        // Where records disagree, text is what any of them can be taken for.
        if attribute.kind != kind(element) && attribute.kind != AttributeType::Reference {
            attribute.kind = match (attribute.kind, kind(element)) {
                (AttributeType::Integer | AttributeType::Decimal, AttributeType::Integer | AttributeType::Decimal) => {
                    AttributeType::Decimal
                }
                _ => AttributeType::String,
            };
        }
        if let Value::Complex(inner) = element {
            inner.iter().for_each(|(name, value)| add(&mut attribute.sub_attributes, name, value));
        }
    }
}
