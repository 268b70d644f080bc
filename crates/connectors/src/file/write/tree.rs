//! Trees of values as a [`Writer`]: what an operation makes of a record, in any notation.
//!
//! Exactness is not argued but tried: a record that was edited is printed, read back and compared before it counts.

use std::path::Path;
use std::sync::Arc;

use encoding_rs::Encoding;
use provost_connector::{ConnectorError, Done, ErrorCode};
use provost_model::{Action, AttributePath, Attributes, Change, ChangeOp, ObjectId, Operation, Value};

use super::super::config::Config;
use super::super::fault::RowFault;
use super::super::tree::{Item, Items, Meaning};
use super::draft::Draft;
use super::merge::{Met, Writer};

/// A notation that can be written.
pub(in crate::file) trait Notation: Items + Sized {
    /// Opens the old file.
    fn open(config: &Arc<Config>) -> Result<Self, ConnectorError>;

    fn encoding(old: Option<&Self>, config: &Config) -> &'static Encoding;

    /// What stands before the first record.
    fn begin(old: Option<&Self>, config: &Config, draft: &mut Draft) -> Result<(), ConnectorError>;

    /// A value as the notation holds it, where that is another one; an error when it cannot.
    fn normal(path: &AttributePath, value: Value, config: &Config) -> Result<Value, ConnectorError>;

    /// Gives a record what every one has.
    fn settle(record: &mut Attributes, config: &Config) {
        let _ = (record, config);
    }

    /// A record with its end. `old` stands at the record that it replaces, if there is one.
    fn print(old: Option<&Self>, record: &Attributes, config: &Config) -> Result<Vec<u8>, ConnectorError>;

    /// Reads what [`print`](Self::print) made.
    fn parse(text: &[u8], config: &Config) -> Option<Attributes>;

    /// Writes the record at hand as it stands.
    fn copy(&self, draft: &mut Draft) -> Result<(), ConnectorError>;

    /// Writes what stands after the last record.
    fn finish(old: Option<&Self>, draft: &mut Draft, empty: bool) -> Result<(), ConnectorError>;

    /// Why a broken record keeps the file from being rewritten.
    fn refuse(&self, fault: &RowFault) -> Option<&'static str>;
}

pub(super) struct Trees<N> {
    config: Arc<Config>,
    meaning: Meaning,
    old: Option<N>,
    now: Attributes,
}

/// One operation, ready for its record.
pub(super) struct Edit {
    action: Action,
    id: ObjectId,
    changes: Vec<Change>,
    /// Values that are held otherwise than they were sent.
    changed: Attributes,
}

impl<N: Notation> Trees<N> {
    pub fn open(config: &Arc<Config>, exists: bool) -> Result<Self, ConnectorError> {
        let old = if exists { Some(N::open(config)?) } else { None };
        Ok(Self { config: config.clone(), meaning: Meaning::of(config), old, now: Attributes::new() })
    }

    fn edited(&self, edit: &Edit, mut record: Attributes) -> Result<Attributes, ConnectorError> {
        let old = record.clone();
        for change in &edit.changes {
            change_one(&mut record, change)?;
        }
        N::settle(&mut record, &self.config);
        let record = self.meaning.seen(record);
        let mut id = String::new();
        match self.meaning.id(&record, &mut id) {
            Err(key) => {
                let message = format!("a record needs its key, `{key}`");
                return Err(ConnectorError::new(ErrorCode::MissingRequired, message)
                    .hint(format!("map one value to `{key}`"))
                    .at(key.to_string()));
            }
            Ok(()) if edit.action != Action::Create && id != *edit.id => {
                let message = format!("`{}` is the key of the record and does not change", self.config.key.join(", "));
                return Err(ConnectorError::new(ErrorCode::NotSupported, message)
                    .hint("let the mapping write it on create only"));
            }
            Ok(()) => {}
        }
        if record != old {
            let text = N::print(None, &self.meaning.stored(record.clone()), &self.config)?;
            let back = N::parse(&text, &self.config).map(|back| self.meaning.seen(back));
            if back.as_ref() != Some(&record) {
                let have = back.as_ref().unwrap_or(&old);
                let differs = |(name, value): &(&str, &Value)| have.get(name) != Some(*value);
                let name = record.iter().find(differs).map_or("", |(name, _)| name);
                let message = format!("the value of `{name}` would read back as another one");
                return Err(ConnectorError::new(ErrorCode::InvalidValue, message)
                    .hint(format!("a {} cannot hold it; change it in the mapping", self.config.format.title()))
                    .at(name));
            }
        }
        Ok(record)
    }
}

/// What no file can do.
pub(super) fn refuse_operation(operation: &Operation, config: &Config) -> Result<(), ConnectorError> {
    let refuse = |message: String| Err(ConnectorError::new(ErrorCode::NotSupported, message));
    if !config.class.eq_ignore_ascii_case(&operation.class) {
        return refuse(format!("{} holds objects of class `{}`, not `{}`", config.file, config.class, operation.class));
    }
    if operation.if_match.is_some() {
        return refuse("the records of a file have no versions to compare".into());
    }
    Ok(())
}

/// The change that enable, disable and create make to the flag that `enabled` names.
pub(super) fn switch(config: &Config, action: Action, changes: &mut Vec<Change>) -> Result<(), ConnectorError> {
    let (column, value) = match (&config.enabled, action) {
        (_, Action::Update | Action::Delete | Action::Unlink) | (None, Action::Create) => return Ok(()),
        (None, Action::Enable | Action::Disable) => {
            let message = format!("{} has no attribute that switches an account off", config.file);
            return Err(ConnectorError::new(ErrorCode::NotSupported, message)
                .hint("set `enabled: { column: active, on: …, off: … }`"));
        }
        (Some(enabled), Action::Disable) => (&enabled.column, enabled.off.clone()),
        (Some(enabled), Action::Create | Action::Enable) => (&enabled.column, enabled.on.clone()),
    };
    let path = super::super::path_of(config, &super::super::attribute(config, column));
    let is_flag = |change: &Change| change.path.flat_name().eq_ignore_ascii_case(&path.flat_name());
    if action != Action::Create || !changes.iter().any(is_flag) {
        changes.retain(|change| !is_flag(change));
        changes.push(Change::set(Arc::new(path), value));
    }
    Ok(())
}

/// Does one change to a record; an error when its place cannot be had.
fn change_one(record: &mut Attributes, change: &Change) -> Result<(), ConnectorError> {
    let path = &*change.path;
    let refuse = |message: String, hint: &str| {
        Err(ConnectorError::new(ErrorCode::InvalidValue, message).hint(hint).at(path.to_string()))
    };
    let value = match change.op {
        ChangeOp::Unset => Value::Null,
        ChangeOp::Set => change.value.clone(),
        ChangeOp::Add | ChangeOp::Remove => joined(path.get(record), &change.value, change.op == ChangeOp::Add),
    };
    if value.is_null() {
        path.put(record, Value::Null);
        if path.get(record).is_some_and(|left| !left.is_null()) {
            return refuse(format!("`{path}` cannot be taken away"), "name one value by its path");
        }
        return Ok(());
    }
    path.put(record, value.clone());
    if path.get(record) != Some(&value) {
        return refuse(
            format!("`{path}` names no place that a value can be put at"),
            "use a plain path, or `eq` alone",
        );
    }
    Ok(())
}

/// The values of an attribute with some more, or some less.
fn joined(old: Option<&Value>, value: &Value, add: bool) -> Value {
    let same = |a: &Value, b: &Value| a == b || (a.to_text().is_some() && a.to_text() == b.to_text());
    let mut values = old.map(Value::elements).unwrap_or_default().to_vec();
    for value in value.elements() {
        match values.iter().position(|have| same(have, value)) {
            None if add => values.push(value.clone()),
            Some(at) if !add => drop(values.remove(at)),
            _ => {}
        }
    }
    if values.is_empty() { Value::Null } else { Value::List(values) }
}

impl<N: Notation> Writer for Trees<N> {
    type Edit = Edit;
    type State = Attributes;

    fn encoding(&self) -> &'static Encoding {
        N::encoding(self.old.as_ref(), &self.config)
    }

    fn edit(&mut self, operation: &Operation) -> Result<Edit, ConnectorError> {
        refuse_operation(operation, &self.config)?;
        let mut changed = Attributes::new();
        let mut changes = Vec::with_capacity(operation.changes.len() + 1);
        for change in &operation.changes {
            let path = if self.config.format.is_nested() {
                change.path.clone()
            } else {
                Arc::new(AttributePath::name(super::super::column_name(&change.path).into_owned()))
            };
            let value = N::normal(&path, change.value.clone(), &self.config)?;
            if value != change.value && !value.is_unassigned() && change.op == ChangeOp::Set {
                changed.set(change.path.to_string(), value.clone());
            }
            changes.push(Change { path, value, ..change.clone() });
        }
        switch(&self.config, operation.action, &mut changes)?;
        let id = match (operation.action, &operation.target_id) {
            (Action::Create, _) => {
                let mut record = Attributes::new();
                changes.iter().try_for_each(|change| change_one(&mut record, change))?;
                let mut id = String::new();
                if let Err(key) = self.meaning.id(&self.meaning.seen(record), &mut id) {
                    let message = format!("a new record needs its key, `{key}`");
                    return Err(ConnectorError::new(ErrorCode::MissingRequired, message)
                        .hint(format!("map a value to `{key}`"))
                        .at(key.to_string()));
                }
                ObjectId::from(id)
            }
            (_, Some(id)) if !id.is_empty() => id.clone(),
            (action, _) => {
                let message = format!("the {action} names no record");
                return Err(ConnectorError::new(ErrorCode::MissingRequired, message));
            }
        };
        Ok(Edit { action: operation.action, id, changes, changed })
    }

    fn whose(edit: &Edit) -> &ObjectId {
        &edit.id
    }

    fn apply(&self, edit: &Edit, record: &mut Option<Attributes>) -> Result<Done, ConnectorError> {
        let file = &self.config.file;
        *record = match (edit.action, record.take()) {
            (Action::Create, Some(old)) => {
                *record = Some(old);
                let mut error =
                    ConnectorError::new(ErrorCode::AlreadyExists, format!("{file} has a record `{}`", edit.id));
                error.existing_id = Some(edit.id.clone());
                return Err(error.hint("match it instead of creating it"));
            }
            (Action::Create, None) => Some(self.edited(edit, Attributes::new())?),
            (Action::Delete, _) => None,
            (_, None) => {
                return Err(ConnectorError::new(ErrorCode::NotFound, format!("{file} has no record `{}`", edit.id)));
            }
            (_, Some(old)) => match self.edited(edit, old.clone()) {
                Ok(new) => Some(new),
                Err(error) => {
                    *record = Some(old);
                    return Err(error);
                }
            },
        };
        Ok(Done { target_id: edit.id.clone(), changed: edit.changed.clone(), ..Done::default() })
    }

    fn begin(&mut self, draft: &mut Draft) -> Result<bool, ConnectorError> {
        N::begin(self.old.as_ref(), &self.config, draft)?;
        Ok(self.old.is_none())
    }

    fn next(&mut self) -> Result<Met, ConnectorError> {
        let Some(old) = &mut self.old else { return Ok(Met::End) };
        let fault = match old.next()? {
            Item::Record => match old.attributes() {
                Ok(attributes) => {
                    self.now = self.meaning.seen(attributes);
                    let mut id = String::new();
                    return Ok(match self.meaning.id(&self.now, &mut id) {
                        Ok(()) if self.meaning.clash(&self.now).is_none() => Met::Object(id.into()),
                        _ => Met::Nobody,
                    });
                }
                Err(fault) => *fault,
            },
            Item::Other => return Ok(Met::Nobody),
            Item::Fault(fault) => fault,
            Item::End(Some(reason)) => {
                return Err(ConnectorError::new(
                    ErrorCode::Unreadable,
                    format!("{} is not rewritten: {reason}", self.config.file),
                )
                .hint("repair the file; `provost connector test` shows what is wrong with it"));
            }
            Item::End(None) => return Ok(Met::End),
        };
        match old.refuse(&fault) {
            Some(what) => Err(super::merge::refuse(&self.config, fault.line, what)),
            None => Ok(Met::Broken(Box::new(fault))),
        }
    }

    fn state(&self) -> Result<Attributes, Box<RowFault>> {
        Ok(self.now.clone())
    }

    fn copy(&self, draft: &mut Draft) -> Result<(), ConnectorError> {
        self.old.as_ref().map_or(Ok(()), |old| old.copy(draft))
    }

    fn put(&self, record: &Attributes, draft: &mut Draft) -> Result<(), ConnectorError> {
        let text = N::print(self.old.as_ref(), &self.meaning.stored(record.clone()), &self.config)?;
        draft.write(&text)
    }

    fn finish(&mut self, draft: &mut Draft, empty: bool) -> Result<(), ConnectorError> {
        N::finish(self.old.as_ref(), draft, empty)
    }

    fn disturbance(&self, _: &Path) -> Option<String> {
        self.old.as_ref()?.disturbance()
    }
}
