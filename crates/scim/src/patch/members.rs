//! Membership as a delta: what a PATCH adds and removes, without the members that are there.
//!
//! The result does not depend on the members a group has: an added member is there afterwards, a removed one is not.
//! Operations that do depend on them (`members[type eq "User"]`, `members[value eq "1"].display`) are not split.

use std::collections::HashMap;

use provost_model::{Attributes, Filter, Operator, Text, Value};

use super::{Patch, PatchOp, PatchOperation};
use crate::resource::value::{attribute_value, check_members, element, id_of_member};
use crate::schema::{Attribute, Target};
use crate::{Policy, ScimError, TypeSchema};

/// What becomes of a group's members. Values are compared exactly: they are ids.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MemberChanges {
    /// These are all members afterwards; `add` and `remove` are empty then.
    pub replace_all: Option<Vec<Attributes>>,
    /// There afterwards, each with its `value` and perhaps `type`, `$ref`, `display`; in the order they were sent, no
    /// value twice.
    pub add: Vec<Attributes>,
    /// The values that are not there afterwards; none of them is in `add`.
    pub remove: Vec<Text>,
}

impl MemberChanges {
    /// Whether the PATCH says nothing about members.
    pub fn is_empty(&self) -> bool {
        self.replace_all.is_none() && self.add.is_empty() && self.remove.is_empty()
    }
}

/// A PATCH taken apart.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PatchPlan {
    /// Everything but members, to be applied to the resource without them. May have no operations.
    pub attribute_ops: Patch,
    /// What becomes of the members.
    pub member_changes: MemberChanges,
}

impl Patch {
    /// Takes what concerns `members` out of the operations. `None` when that takes knowing the current members: then
    /// load them and [`apply`](Patch::apply) the whole. Errors are those of `apply`.
    pub fn split_members(&self, types: &TypeSchema, policy: &Policy) -> Result<Option<PatchPlan>, ScimError> {
        let Some(members) =
            types.core.attribute("members").filter(|members| members.multi_valued && members.is_complex())
        else {
            return Ok(None);
        };
        let mut plan = PatchPlan::default();
        let mut delta = Delta::default();
        for (at, operation) in (1..).zip(&self.operations) {
            let (rest, mine) = separate(types, operation);
            plan.attribute_ops.operations.extend(rest);
            for mine in mine {
                match delta.take(members, &mine, policy) {
                    Ok(true) => {}
                    Ok(false) => return Ok(None),
                    Err(error) => return Err(error.within(format_args!("operation {at}"))),
                }
            }
        }
        plan.member_changes = delta.finish();
        Ok(Some(plan))
    }
}

/// The operation without what it says about members, and that as operations with path `members`.
fn separate(types: &TypeSchema, operation: &PatchOperation) -> (Option<PatchOperation>, Vec<PatchOperation>) {
    let is_members = |path: &provost_model::AttributePath| match types.resolve(path) {
        Some(Target::Attribute(place)) => place.extension.is_none() && place.attribute.name == "members",
        _ => false,
    };
    if let Some(path) = &operation.path {
        return match types.resolve(path) {
            // The core schema's URN as path is an object without path.
            Some(Target::Container(None)) if path.filter.is_none() && operation.op != PatchOp::Remove => {
                separate(types, &PatchOperation { path: None, ..operation.clone() })
            }
            _ if is_members(path) => (None, vec![operation.clone()]),
            _ => (Some(operation.clone()), Vec::new()),
        };
    }
    let Some(Value::Complex(object)) = &operation.value else { return (Some(operation.clone()), Vec::new()) };
    let (mut rest, mut mine) = (Attributes::new(), Vec::new());
    for (key, value) in object.iter() {
        match super::parse_path(key) {
            Ok(path) if is_members(&path) && !(operation.op == PatchOp::Add && value.is_null()) => {
                mine.push(PatchOperation { op: operation.op, path: Some(path), value: Some(value.clone()) });
            }
            Ok(path) if is_members(&path) => {}
            _ => rest.push(key, value.clone()),
        }
    }
    if mine.is_empty() {
        return (Some(operation.clone()), mine);
    }
    let rest = (!rest.is_empty()).then(|| PatchOperation { value: Some(Value::Complex(rest)), ..operation.clone() });
    (rest, mine)
}

#[derive(Default)]
struct Delta {
    cleared: bool,
    /// What each value that was mentioned is in the end, in the order of first mention: a member, or gone.
    last: Vec<(Text, Option<Attributes>)>,
    index: HashMap<Text, usize>,
}

impl Delta {
    /// Adds one operation on members. False when it cannot be told without the current ones.
    fn take(&mut self, members: &Attribute, operation: &PatchOperation, policy: &Policy) -> Result<bool, ScimError> {
        let path = operation.path.as_ref().expect("operations on members have a path");
        if path.sub.is_some() {
            return Ok(false);
        }
        let value = operation.value.as_ref();
        if let Some(filter) = &path.filter {
            let Some(values) = selected(filter) else { return Ok(false) };
            if operation.op != PatchOp::Remove {
                return Ok(false);
            }
            values.into_iter().for_each(|value| self.put(value, None));
            return Ok(true);
        }
        match (operation.op, value) {
            (PatchOp::Remove, None | Some(Value::Null)) | (PatchOp::Replace, Some(Value::Null)) => self.clear(),
            (PatchOp::Remove, Some(value)) => {
                let unwrap = Policy { unwrap: true, ..*policy };
                let values: Vec<Value> = match value.clone() {
                    Value::List(values) => values,
                    single => vec![single],
                };
                for value in values {
                    if let Some(Value::Complex(member)) = element(members, value, &unwrap)? {
                        self.put(id_of_member(&member)?, None);
                    }
                }
            }
            (op, Some(value)) => {
                if op == PatchOp::Replace {
                    self.clear();
                } else if value.is_null() {
                    return Err(ScimError::invalid_value("members: add needs a value"));
                }
                check_members(members, value)?;
                if let Some(Value::List(new)) = attribute_value(members, value.clone(), policy)? {
                    for member in new {
                        let Value::Complex(member) = member else { continue };
                        self.put(id_of_member(&member)?, Some(member));
                    }
                }
            }
            (op, None) => return Err(ScimError::invalid_value(format!("{} needs a value", op.as_str()))),
        }
        Ok(true)
    }

    fn clear(&mut self) {
        *self = Self { cleared: true, ..Self::default() };
    }

    fn put(&mut self, value: Text, member: Option<Attributes>) {
        match self.index.get(&value) {
            // Added twice: the first sight of it stays, as for any list.
            Some(&at) if member.is_some() && self.last[at].1.is_some() => {}
            Some(&at) => self.last[at].1 = member,
            None => {
                self.index.insert(value.clone(), self.last.len());
                self.last.push((value, member));
            }
        }
    }

    fn finish(self) -> MemberChanges {
        let mut changes = MemberChanges::default();
        for (value, member) in self.last {
            match member {
                Some(member) => changes.add.push(member),
                None if !self.cleared => changes.remove.push(value),
                None => {}
            }
        }
        if self.cleared {
            changes.replace_all = Some(std::mem::take(&mut changes.add));
        }
        changes
    }
}

/// The ids of `value eq "a"`, and of several such terms joined by `or`.
fn selected(filter: &Filter) -> Option<Vec<Text>> {
    match filter {
        Filter::Or(parts) => {
            let parts: Option<Vec<_>> = parts.iter().map(selected).collect();
            Some(parts?.concat())
        }
        Filter::Term(term) if term.op == Operator::Eq && term.path.is_plain() => {
            let is_value = term.path.name.eq_ignore_ascii_case("value");
            term.value.as_text().filter(|_| is_value).map(|id| vec![id.into()])
        }
        _ => None,
    }
}
