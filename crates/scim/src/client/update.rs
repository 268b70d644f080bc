//! Bodies of PATCH: changes of a plan as operations in the target's dialect, cut into requests it accepts.

use std::collections::{BTreeMap, BTreeSet};

use provost_model::{AttributePath, Attributes, Change, ChangeOp, Filter, Value};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};

use super::resource::{cleared, same_element};
use super::{BodyWriter, BooleanForm, Dialect, MemberAdd, MemberRemove, OpCase, PatchStyle, SelectorOp};
use crate::patch::PatchOp;
use crate::urn;

/// The body of one PATCH request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateBody {
    /// The body.
    pub json: Vec<u8>,
    /// Operations in it.
    pub operations: usize,
    /// Members (values of lists) that it adds or removes.
    pub members: usize,
}

struct Operation {
    op: PatchOp,
    path: Option<String>,
    value: Option<Value>,
    /// How many values of a list it adds or removes.
    members: usize,
}

impl BodyWriter {
    /// The PATCH bodies that make these changes, to be sent in order; none when there is nothing to change.
    ///
    /// `current` is the object as the target returned it, for dialects that can only replace whole lists (see
    /// [`needs_current`](BodyWriter::needs_current)); without it the RFC's form is used instead.
    pub fn patch(&self, changes: &[Change], current: Option<&Attributes>) -> Vec<UpdateBody> {
        let mut operations = Vec::with_capacity(changes.len());
        let mut object = Attributes::new();
        let mut whole: BTreeSet<usize> = BTreeSet::new();
        let mut missing: Vec<&Change> = Vec::new();
        for (at, change) in changes.iter().enumerate() {
            if self.makes_element(change) && current.is_some_and(|current| element(change).get(current).is_none()) {
                missing.push(change);
                continue;
            }
            if self.replaces_list(change) && (current.is_some() || matches!(change.op, ChangeOp::Set)) {
                whole.insert(at);
                continue;
            }
            self.operations_of(change, &mut object, &mut operations);
        }
        if !object.is_empty() {
            let merged =
                Operation { op: PatchOp::Replace, path: None, value: Some(Value::Complex(object)), members: 0 };
            operations.insert(0, merged);
        }
        self.new_elements(&missing, &mut operations);
        self.whole_lists(changes, &whole, current, &mut operations);
        pack(operations, &self.dialect)
    }

    /// Whether these changes need the object's current values in this dialect: a list that can only be replaced.
    pub fn needs_current(&self, changes: &[Change]) -> bool {
        let unknown = |change: &Change| self.makes_element(change) && change.before.is_none();
        changes.iter().any(|change| self.replaces_list(change) || unknown(change))
    }

    /// Whether the change sets a value of an element that has to be made first where it is missing.
    fn makes_element(&self, change: &Change) -> bool {
        let Dialect { selector_op, path_filters, .. } = &*self.dialect;
        *selector_op == SelectorOp::Element
            && *path_filters
            && change.op == ChangeOp::Set
            && !change.value.is_unassigned()
            && change.path.selector().is_some()
    }

    /// Elements that are missing, each with all of its parts.
    fn new_elements(&self, missing: &[&Change], operations: &mut Vec<Operation>) {
        let mut after = Attributes::new();
        let mut paths: Vec<AttributePath> = Vec::new();
        for change in missing {
            let mut value = self.value(&change.path, &change.value);
            if self.dialect.booleans == BooleanForm::Text {
                boolean_texts(&mut value);
            }
            change.path.put(&mut after, value);
            let list = list(change);
            if !paths.contains(&list) {
                paths.push(list);
            }
        }
        for path in paths {
            let value = path.get(&after).cloned();
            operations.push(Operation { op: PatchOp::Add, path: Some(path.to_string()), value, members: 0 });
        }
    }

    fn replaces_list(&self, change: &Change) -> bool {
        match change.op {
            ChangeOp::Add | ChangeOp::Remove => self.dialect.member_remove == MemberRemove::Replace,
            ChangeOp::Set | ChangeOp::Unset => change.path.filter.is_some() && !self.dialect.path_filters,
        }
    }

    fn operations_of(&self, change: &Change, object: &mut Attributes, operations: &mut Vec<Operation>) {
        let path = &*change.path;
        let mut value = self.value(path, &change.value);
        if self.dialect.booleans == BooleanForm::Text {
            boolean_texts(&mut value);
        }
        match change.op {
            ChangeOp::Unset => operations.push(remove(cleared(path).to_string())),
            ChangeOp::Set if value.is_null() || matches!(&value, Value::List(list) if list.is_empty()) => {
                operations.push(remove(cleared(path).to_string()));
            }
            ChangeOp::Set if path.filter.is_none() && self.dialect.patch_style == PatchStyle::Pathless => {
                path.put(object, value);
            }
            ChangeOp::Set if path.filter.is_none() && self.dialect.patch_style == PatchStyle::Dotted => {
                object.set(path.to_string(), value);
            }
            ChangeOp::Set => {
                let creates = self.dialect.selector_op == SelectorOp::Add && path.selector().is_some();
                let op = if creates { PatchOp::Add } else { PatchOp::Replace };
                operations.push(Operation { op, path: Some(path.to_string()), value: Some(value), members: 0 });
            }
            ChangeOp::Add => {
                let list = listed(value);
                let members = list.len();
                let value = Some(Value::List(list));
                operations.push(Operation { op: PatchOp::Add, path: Some(path.to_string()), value, members });
            }
            ChangeOp::Remove if self.dialect.member_remove == MemberRemove::ValueList => {
                let list = listed(value);
                let members = list.len();
                let value = Some(Value::List(list));
                operations.push(Operation { op: PatchOp::Remove, path: Some(path.to_string()), value, members });
            }
            ChangeOp::Remove => {
                for element in listed(value) {
                    let id = match &element {
                        Value::Complex(parts) => parts.find("value").cloned(),
                        simple => Some(simple.clone()),
                    };
                    let Some(id) = id else { continue };
                    let filter = Filter::eq(AttributePath::name("value"), id);
                    let path = AttributePath { filter: Some(Box::new(filter)), ..path.clone() };
                    operations.push(Operation { members: 1, ..remove(path.to_string()) });
                }
            }
        }
    }

    /// Lists that the dialect can only replace: folded over what the target has.
    fn whole_lists(
        &self,
        changes: &[Change],
        whole: &BTreeSet<usize>,
        current: Option<&Attributes>,
        operations: &mut Vec<Operation>,
    ) {
        let touched: Vec<Change> = whole.iter().map(|&at| changes[at].clone()).collect();
        let mut paths: Vec<AttributePath> = Vec::new();
        for change in &touched {
            let list = list(change);
            if !paths.contains(&list) {
                paths.push(list);
            }
        }
        let mut after = Attributes::new();
        for path in &paths {
            if let Some(have) = current.and_then(|current| path.get(current)) {
                path.put(&mut after, have.clone());
            }
        }
        self.fold(&mut after, &touched);
        for path in paths {
            let mut value = path.get(&after).cloned().unwrap_or_else(|| Value::List(Vec::new()));
            if self.dialect.booleans == BooleanForm::Text {
                boolean_texts(&mut value);
            }
            let op = PatchOp::Replace;
            operations.push(Operation { op, path: Some(path.to_string()), value: Some(value), members: 0 });
        }
    }
}

/// The list that a change is about, and the element of it.
fn list(change: &Change) -> AttributePath {
    AttributePath { filter: None, sub: None, ..(*change.path).clone() }
}

fn element(change: &Change) -> AttributePath {
    AttributePath { sub: None, ..(*change.path).clone() }
}

fn remove(path: String) -> Operation {
    Operation { op: PatchOp::Remove, path: Some(path), value: None, members: 0 }
}

fn listed(value: Value) -> Vec<Value> {
    let list = match value {
        Value::List(list) => list,
        Value::Null => Vec::new(),
        single => vec![single],
    };
    let mut distinct: Vec<Value> = Vec::with_capacity(list.len());
    // A plan has no doubles; looking for them in a long list would cost its square.
    if list.len() > 64 {
        return list;
    }
    for value in list {
        if !distinct.iter().any(|have| same_element(have, &value)) {
            distinct.push(value);
        }
    }
    distinct
}

fn boolean_texts(value: &mut Value) {
    match value {
        Value::Boolean(flag) => *value = Value::text(if *flag { "True" } else { "False" }),
        Value::List(list) => list.iter_mut().for_each(boolean_texts),
        Value::Complex(parts) => parts.iter_mut().for_each(|(_, value)| boolean_texts(value)),
        _ => {}
    }
}

/// Cuts operations into requests: at most so many operations and so many members in each.
fn pack(operations: Vec<Operation>, dialect: &Dialect) -> Vec<UpdateBody> {
    let limit = |limit: usize| if limit == 0 { usize::MAX } else { limit };
    let (most_operations, most_members) = (limit(dialect.operations_per_request), limit(dialect.members_per_request));
    let mut bodies = Vec::new();
    let mut batch: Vec<Operation> = Vec::new();
    let mut members = 0;
    let mut flush = |batch: &mut Vec<Operation>, members: &mut usize| {
        if !batch.is_empty() {
            bodies.push(UpdateBody { json: to_json(batch, dialect), operations: batch.len(), members: *members });
        }
        batch.clear();
        *members = 0;
    };
    for operation in operations {
        let mut rest = Some(operation);
        while let Some(mut operation) = rest.take() {
            let full = batch.len() >= most_operations || (operation.members > 0 && members >= most_members);
            if full {
                flush(&mut batch, &mut members);
            }
            let room = most_members - members;
            if operation.members > room
                && let Some(Value::List(list)) = &mut operation.value
            {
                let value = Some(Value::List(list.split_off(room)));
                let later = operation.members - room;
                rest = Some(Operation { op: operation.op, path: operation.path.clone(), value, members: later });
                operation.members = room;
            }
            // An operation that adds nothing is not sent.
            if operation.members == 0
                && matches!(&operation.value, Some(Value::List(list)) if list.is_empty())
                && operation.op != PatchOp::Replace
            {
                continue;
            }
            members += operation.members;
            batch.push(operation);
        }
    }
    flush(&mut batch, &mut members);
    bodies
}

fn to_json(operations: &[Operation], dialect: &Dialect) -> Vec<u8> {
    let mut json = Vec::with_capacity(128 + 96 * operations.len());
    serde_json::to_writer(&mut json, &Message { operations, dialect }).expect("operations are JSON values");
    json
}

struct Message<'a> {
    operations: &'a [Operation],
    dialect: &'a Dialect,
}

impl Serialize for Message<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("schemas", &[urn::PATCH_OP])?;
        map.serialize_entry("Operations", &Operations(self))?;
        map.end()
    }
}

struct Operations<'a>(&'a Message<'a>);

impl Serialize for Operations<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.operations.len()))?;
        for operation in self.0.operations {
            list.serialize_element(&One(operation, self.0.dialect))?;
        }
        list.end()
    }
}

struct One<'a>(&'a Operation, &'a Dialect);

impl Serialize for One<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let One(operation, dialect) = self;
        let word = match (dialect.op_case, operation.op) {
            (OpCase::Lower, op) => op.as_str(),
            (OpCase::Capital, PatchOp::Add) => "Add",
            (OpCase::Capital, PatchOp::Remove) => "Remove",
            (OpCase::Capital, PatchOp::Replace) => "Replace",
        };
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("op", word)?;
        let adds_members = operation.op == PatchOp::Add
            && operation.path.as_deref().is_some_and(|path| path.eq_ignore_ascii_case("members"));
        let form = if adds_members { dialect.member_add } else { MemberAdd::List };
        if let Some(path) = operation.path.as_ref().filter(|_| form != MemberAdd::Pathless) {
            map.serialize_entry("path", path)?;
        }
        match &operation.value {
            Some(value) if form == MemberAdd::List => map.serialize_entry("value", value)?,
            Some(value) => map.serialize_entry("value", &BTreeMap::from([("members", value)]))?,
            None => {}
        }
        map.end()
    }
}
