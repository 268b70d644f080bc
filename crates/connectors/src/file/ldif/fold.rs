//! A file of changes: what becomes of the objects when all of them are done, in their order, and what changed after a place
//! in the file. The file has to hold every change since the objects began; what it does not tell is a fault, never a guess.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use provost_connector::{CheckResult, ConnectorError, Cursor, End, ErrorCode, ScanItem, ScanPage, Scope};
use provost_model::{Attributes, ObjectId, Record, Text, Value};
use xxhash_rust::xxh3::Xxh3;

use super::super::config::Config;
use super::super::fault::RowFault;
use super::super::format::item_error;
use super::super::input::Stamp;
use super::super::tree::{Item, Items, Meaning};
use super::record::{self, Entry, Kind, Modification, Verb, listed};
use super::{Block, Blocks};

/// One object after the changes so far.
#[derive(Clone)]
struct Object {
    dn: Text,
    attributes: Attributes,
    /// Why the file does not tell all of it.
    gap: Option<String>,
    /// Where it was first named since it exists, and last.
    first: u64,
    line: u64,
}

/// The changes of a file, one after the other.
struct Fold {
    config: Arc<Config>,
    blocks: Blocks,
    objects: HashMap<String, Object>,
    faults: Vec<RowFault>,
    cut: Option<String>,
    /// Over all bytes up to `offset`, the end of the last whole record.
    hash: Xxh3,
    offset: u64,
    meaning: Meaning,
    /// Whether [`Touched::before`] is asked for.
    watch: bool,
}

/// An object that a change was about.
struct Touched {
    key: String,
    /// Its id before the change.
    before: Option<ObjectId>,
    line: u64,
}

/// Names compare without regard to letter case and to blanks beside separators.
pub(in crate::file) fn same_name(dn: &str) -> String {
    let mut key = String::with_capacity(dn.len());
    let mut rest = dn;
    loop {
        let (rdn, more) = split(rest);
        let (name, value) = rdn.split_once('=').unwrap_or((rdn, ""));
        if !key.is_empty() {
            key.push(',');
        }
        key.push_str(&name.trim().to_lowercase());
        key.push('=');
        key.push_str(&value.trim().to_lowercase());
        if more.is_empty() {
            return key;
        }
        rest = more;
    }
}

impl Fold {
    fn open(config: &Arc<Config>) -> Result<Self, ConnectorError> {
        Ok(Self {
            config: config.clone(),
            blocks: Blocks::open(config)?,
            objects: HashMap::new(),
            faults: Vec::new(),
            cut: None,
            hash: Xxh3::new(),
            offset: 0,
            meaning: Meaning::of(config),
            watch: false,
        })
    }

    /// Does the next record; the names it is about, or none at the end.
    fn step(&mut self) -> Result<Option<Vec<Touched>>, ConnectorError> {
        loop {
            let block = self.blocks.next()?;
            if !matches!(block, Block::End) {
                self.cut = None;
            }
            let entry = match block {
                Block::End => return Ok(None),
                Block::Aside => {
                    self.cut = self.blocks.ends_early();
                    None
                }
                Block::TooLong => Some(Err(record::Fault::too_long())),
                Block::Lines if !self.blocks.closed && self.config.final_newline => {
                    self.cut = Some(self.blocks.cut());
                    return Ok(None);
                }
                Block::Lines if record::search_result(self.blocks.body()).is_some() => None,
                Block::Lines => Some(record::read(self.blocks.body(), &self.config)),
            };
            self.hash.update(&self.blocks.text);
            self.offset = self.blocks.offset;
            let fault = match entry {
                None => continue,
                Some(Ok(entry)) => return Ok(Some(self.change(entry))),
                Some(Err(fault)) => fault,
            };
            // What a change that cannot be read did to its object is not known.
            if let Some(dn) = fault.dn.clone() {
                let key = same_name(&dn);
                let gap = format!("a change of it cannot be read: {}", fault.message);
                let touched = self.touched(&key, &dn);
                self.object(&key, &dn).gap = Some(gap);
                return Ok(Some(vec![touched]));
            }
            self.faults.push(self.blocks.fault(fault));
        }
    }

    fn object(&mut self, key: &str, dn: &Text) -> &mut Object {
        let line = self.blocks.line;
        let object = self.objects.entry(key.to_owned()).or_insert_with(|| {
            let gap = Some("the file does not tell what it was before".to_owned());
            Object { dn: dn.clone(), attributes: Attributes::new(), gap, first: line, line }
        });
        object.line = line;
        object
    }

    fn change(&mut self, entry: Entry) -> Vec<Touched> {
        let key = same_name(&entry.dn);
        let touched = self.touched(&key, &entry.dn);
        match entry.kind {
            Kind::Content(attributes) | Kind::Add(attributes) => {
                let object = self.object(&key, &entry.dn);
                *object = Object { dn: entry.dn, attributes, gap: None, ..object.clone() };
            }
            Kind::Delete => {
                self.objects.remove(&key);
            }
            Kind::Modify(modifications) => {
                let config = self.config.clone();
                let object = self.object(&key, &entry.dn);
                for modification in modifications {
                    if let Err(gap) = modify(object, modification, &config) {
                        object.gap.get_or_insert(gap);
                    }
                }
            }
            Kind::Rename { rdn, delete_old, superior } => {
                let (old_rdn, parent) = split(&entry.dn);
                let parent = superior.as_deref().unwrap_or(parent).trim();
                let dn = if parent.is_empty() { rdn.clone() } else { Text::from(format!("{rdn},{parent}")) };
                let new = same_name(&dn);
                let object = self.object(&key, &entry.dn).clone();
                self.objects.remove(&key);
                let line = self.blocks.line;
                let mut object = Object { dn: dn.clone(), line, ..object };
                if let Err(gap) = rename(&mut object, old_rdn, &rdn, delete_old, &self.config) {
                    object.gap.get_or_insert(gap);
                }
                let touched_new = self.touched(&new, &dn);
                self.objects.insert(new, object);
                return vec![touched, touched_new];
            }
        }
        vec![touched]
    }

    fn touched(&self, key: &str, dn: &Text) -> Touched {
        let is_dn = self.config.key.len() == 1 && self.config.key[0].eq_ignore_ascii_case("dn");
        let before = match self.objects.get(key) {
            _ if !self.watch => None,
            Some(object) => self.id(object),
            None => is_dn.then(|| ObjectId::from(dn.as_str())),
        };
        Touched { key: key.to_owned(), before, line: self.blocks.line }
    }
}

fn modify(object: &mut Object, change: Modification, config: &Config) -> Result<(), String> {
    let name = change.name.as_str();
    let known = object.gap.is_none() || object.attributes.find(name).is_some();
    let mut values = object.attributes.find(name).map(Value::elements).unwrap_or_default().to_vec();
    let unknown = || format!("the file does not tell what `{name}` was before");
    match change.verb {
        Verb::Replace => values = change.values,
        Verb::Delete if change.values.is_empty() => values.clear(),
        _ if !known => return Err(unknown()),
        Verb::Add => {
            for value in change.values {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
        }
        Verb::Delete => {
            for value in change.values {
                // Most attributes compare without regard to letter case; which ones, a file does not say.
                let like = |have: &Value| match (have.as_text(), value.as_text()) {
                    (Some(have), Some(value)) => have.to_lowercase() == value.to_lowercase(),
                    _ => false,
                };
                let at = values.iter().position(|have| *have == value).or_else(|| values.iter().position(like));
                match at {
                    Some(at) => drop(values.remove(at)),
                    None => return Err(format!("a value that `{name}` does not have was taken away")),
                }
            }
        }
    }
    object.attributes.remove(name);
    if !values.is_empty() {
        object.attributes.push(change.name.clone(), listed(&change.name, values, config));
    } else if object.gap.is_some() {
        object.attributes.push(change.name.clone(), Value::Null);
    }
    Ok(())
}

/// The first part of a name and the rest.
pub(in crate::file) fn split(dn: &str) -> (&str, &str) {
    let mut escaped = false;
    for (at, character) in dn.char_indices() {
        if matches!(character, ',' | ';') && !escaped {
            return (&dn[..at], &dn[at + 1..]);
        }
        escaped = character == '\\' && !escaped;
    }
    (dn, "")
}

fn rename(object: &mut Object, old: &str, new: &str, delete_old: bool, config: &Config) -> Result<(), String> {
    let simple = |rdn: &str| -> Option<(Text, Text)> {
        let (name, value) = rdn.split_once('=')?;
        let plain = !value.contains(['+', '\\', '"']) && !value.trim().starts_with('#') && record::is_name(name.trim());
        plain.then(|| (Text::from(name.trim()), Text::from(value.trim())))
    };
    let (Some((old_name, old_value)), Some((new_name, new_value))) = (simple(old), simple(new)) else {
        return Err("it was renamed by a name with escapes or several parts, which is not followed".to_owned());
    };
    let one = |verb, name: &Text, value: &Text| Modification {
        verb,
        name: name.clone(),
        values: vec![Value::Text(value.clone())],
    };
    if delete_old && !(old_name.eq_ignore_ascii_case(&new_name) && old_value == new_value) {
        modify(object, one(Verb::Delete, &old_name, &old_value), config)?;
    }
    let has = object.attributes.find(&new_name).map(Value::elements).unwrap_or_default();
    if has.iter().any(|have| have.as_text() == Some(&new_value)) {
        return Ok(());
    }
    modify(object, one(Verb::Add, &new_name, &new_value), config)
}

impl Object {
    fn all(&self) -> Attributes {
        let mut all: Attributes = [("dn", self.dn.clone())].into_iter().collect();
        self.attributes.iter().for_each(|(name, value)| all.push(name, value.clone()));
        all
    }

    fn is_of(&self, config: &Config) -> bool {
        config.shape.object_class.as_ref().is_none_or(|class| super::is_a(&self.attributes, class))
    }

    /// Why this object cannot be handed over. A target that writes changes shows what it has told so far.
    fn fault(&self, config: &Config, id: Option<ObjectId>) -> Option<RowFault> {
        let gap = self.gap.as_ref().filter(|_| !config.shape.write_changes)?;
        let hint = "let the file begin with the object as a whole, as a content record or an add";
        let error = item_error(ErrorCode::InvalidValue, gap.clone(), hint);
        Some(RowFault { line: self.line, column: None, id, error })
    }
}

/// The objects that a file of changes comes to.
pub(in crate::file) struct LdifChanges {
    fold: Fold,
    /// The objects that are not yet handed over, the last one first; none until all changes are done.
    left: Option<Vec<Object>>,
    now: Attributes,
    line: u64,
    raw: Vec<u8>,
}

impl LdifChanges {
    pub fn open(config: &Arc<Config>) -> Result<Self, ConnectorError> {
        let fold = Fold::open(config)?;
        Ok(Self { fold, left: None, now: Attributes::new(), line: 0, raw: Vec::new() })
    }
}

impl Items for LdifChanges {
    fn next(&mut self) -> Result<Item, ConnectorError> {
        if self.left.is_none() {
            while self.fold.step()?.is_some() {}
            let mut left: Vec<Object> = std::mem::take(&mut self.fold.objects).into_values().collect();
            left.sort_by_key(|object| std::cmp::Reverse(object.first));
            self.left = Some(left);
        }
        if let Some(fault) = self.fold.faults.pop() {
            return Ok(Item::Fault(fault));
        }
        let Some(object) = self.left.as_mut().and_then(Vec::pop) else {
            return Ok(Item::End(self.fold.cut.take()));
        };
        let is_dn = self.fold.config.key.first().is_some_and(|key| key.eq_ignore_ascii_case("dn"));
        if let Some(fault) = object.fault(&self.fold.config, is_dn.then(|| ObjectId::from(object.dn.as_str()))) {
            return Ok(Item::Fault(fault));
        }
        if !object.is_of(&self.fold.config) {
            return Ok(Item::Other);
        }
        self.now = object.all();
        self.line = object.line;
        self.raw = serde_json::to_vec(&self.now).unwrap_or_default();
        Ok(Item::Record)
    }

    fn line(&self) -> u64 {
        self.line
    }

    fn raw(&self) -> &[u8] {
        &self.raw
    }

    fn attributes(&self) -> Result<Attributes, Box<RowFault>> {
        Ok(self.now.clone())
    }

    fn describe(&self) -> Vec<CheckResult> {
        vec![self.fold.blocks.input().describe()]
    }

    fn stamp(&self) -> &Stamp {
        self.fold.blocks.input().stamp()
    }

    /// That the file grows is what such files do.
    fn disturbance(&self) -> Option<String> {
        let input = self.fold.blocks.input();
        input.disturbance(&self.fold.config.path).filter(|_| !input.has_grown(&self.fold.config.path))
    }
}

/// What changed after a place in the file; without one, the place where the file ends now.
pub(in crate::file) fn changes(config: &Arc<Config>, cursor: Option<&Cursor>) -> Result<ScanPage, ConnectorError> {
    let mut fold = Fold::open(config)?;
    let (from, print) = match cursor {
        None => (u64::MAX, 0),
        Some(cursor) => place(cursor).ok_or_else(|| moved(config, "the place is none of this connector's"))?,
    };
    let mut touched: Vec<Touched> = Vec::new();
    let mut reached = false;
    loop {
        if !reached && fold.offset >= from {
            if fold.offset != from || fold.hash.digest128() != print {
                return Err(moved(config, "it no longer begins with the changes that were read"));
            }
            reached = true;
            fold.watch = true;
            fold.faults.clear();
        }
        match fold.step()? {
            None => break,
            Some(names) if reached => touched.extend(names),
            Some(_) => {}
        }
    }
    if cursor.is_some() && !reached {
        return Err(moved(config, "it is shorter than what was read"));
    }
    Ok(fold.page(if cursor.is_some() { touched } else { Vec::new() }))
}

impl Fold {
    /// What became of the objects that were touched.
    fn page(self, touched: Vec<Touched>) -> ScanPage {
        let mut page = ScanPage::default();
        let mut told: HashSet<ObjectId> = HashSet::new();
        let mut gone: Vec<ObjectId> = Vec::new();
        let mut keys: HashSet<&str> = HashSet::new();
        let file = &self.config.file;
        let mut faults: Vec<RowFault> = Vec::new();
        for touch in &touched {
            gone.extend(touch.before.clone());
            if !keys.insert(&touch.key) {
                continue;
            }
            let Some(object) = self.objects.get(&touch.key) else {
                if touch.before.is_none() {
                    let message = "an object was deleted whose key the file does not tell";
                    let error =
                        item_error(ErrorCode::MissingRequired, message, "use `key: dn`, or begin the file anew");
                    faults.push(RowFault { line: touch.line, column: None, id: None, error });
                }
                continue;
            };
            let id = self.id(object);
            if let Some(fault) = object.fault(&self.config, id.clone()) {
                told.extend(id);
                faults.push(fault);
            } else if object.is_of(&self.config) {
                match id {
                    None => {
                        let error = self.meaning.no_key(self.meaning.first_key());
                        faults.push(RowFault { line: object.line, column: None, id: None, error });
                    }
                    Some(id) => {
                        told.insert(id.clone());
                        page.items.push(ScanItem::Upsert(self.record(object, id)));
                    }
                }
            }
        }
        for id in gone {
            if told.insert(id.clone()) {
                page.items.push(ScanItem::Tombstone(id));
            }
        }
        faults.extend(self.faults);
        page.faults = faults.into_iter().map(|fault| fault.into_scan_fault(file)).collect();
        let cursor = Cursor(format!("ldif:{}:{:032x}", self.offset, self.hash.digest128()).into());
        page.end = Some(End { cursor: Some(cursor), ..End::complete(page.received()) });
        page
    }

    fn id(&self, object: &Object) -> Option<ObjectId> {
        let mut id = String::new();
        let attributes = self.meaning.seen(object.all());
        self.meaning.id(&attributes, &mut id).ok().map(|()| ObjectId::from(id))
    }

    fn record(&self, object: &Object, id: ObjectId) -> Record {
        let all = object.all();
        let mut record = Record::new(self.config.class.clone(), id);
        record.raw_digest = Some(self.meaning.digest(&serde_json::to_vec(&all).unwrap_or_default()));
        record.attributes = self.meaning.seen(all);
        record
    }
}

fn place(cursor: &Cursor) -> Option<(u64, u128)> {
    let (offset, print) = cursor.0.strip_prefix("ldif:")?.split_once(':')?;
    Some((offset.parse().ok()?, u128::from_str_radix(print, 16).ok()?))
}

/// The error of a file that does not go on where it was read to. Not an expired cursor: a full read of a file that was begun
/// anew would take everybody for gone whom it does not name.
fn moved(config: &Config, why: &str) -> ConnectorError {
    ConnectorError::new(ErrorCode::Unreadable, format!("{} was replaced since it was read: {why}", config.file))
        .scope(Scope::Job)
        .hint("bring back the file with all its changes; or, to take it as it is now, run the job with --full")
}
