//! What a cycle did to one object: its events, folded.

use provost_model::{AttributePath, ChangeOp, ObjectId, Text, Value};
use provost_store::EventRow;

use super::super::planned::Stored;
use crate::rule::Rule;

/// What was there before the cycle, and what it left.
#[derive(Debug, Default)]
pub(super) struct Deed {
    /// What people know the object by.
    pub name: String,
    /// The account after the cycle.
    pub target_id: Option<ObjectId>,
    /// There was no account before.
    pub created: bool,
    /// There is none any more.
    pub deleted: bool,
    /// The account is there, and was let go.
    pub unlinked: bool,
    pub attributes: Vec<Touched>,
    /// References that were sent, by path and target id.
    pub joined: Vec<(Text, ObjectId)>,
    /// References that were taken away.
    pub left: Vec<(Text, ObjectId)>,
}

/// An attribute that the cycle wrote.
#[derive(Debug, PartialEq)]
pub(super) struct Touched {
    pub path: AttributePath,
    /// By the record of what was there; none for no value.
    pub was: Option<Value>,
    pub is: Option<Value>,
}

impl Deed {
    /// Adds what an event tells, which is the next one on the object. An error says why it cannot be read.
    pub fn add(&mut self, rule: &Rule, event: &EventRow) -> Result<(), String> {
        match event.action.as_str() {
            "create" => self.created = true,
            "delete" => self.deleted = true,
            "unlink" => self.unlinked = true,
            "update" | "enable" | "disable" => {}
            // What only changed links.
            _ => return Ok(()),
        }
        if !event.name.is_empty() {
            self.name.clone_from(&event.name);
        }
        self.target_id = event.target_id.clone().or(self.target_id.take());
        let changes: Vec<Stored> = serde_json::from_str(&event.changes)
            .map_err(|error| format!("the log's record of its changes cannot be read: {error}"))?;
        for change in changes {
            self.change(rule, change);
        }
        Ok(())
    }

    fn change(&mut self, rule: &Rule, change: Stored) {
        let key = change.path.to_string();
        let Stored { path, before, op, after } = change;
        if let Some(mapping) = rule.mapping(&key).filter(|mapping| mapping.reference) {
            let added = if op == Some(ChangeOp::Remove) { None } else { after.as_ref() };
            let removed = if op == Some(ChangeOp::Remove) { after.as_ref() } else { before.as_ref() };
            for id in ids(added) {
                toggle(&mut self.left, &mut self.joined, &mapping.key, id);
            }
            for id in ids(removed) {
                toggle(&mut self.joined, &mut self.left, &mapping.key, id);
            }
            return;
        }
        let is = match op {
            Some(ChangeOp::Add) => {
                let have = before.as_ref().map(Value::elements).unwrap_or_default();
                let added = after.as_ref().map(Value::elements).unwrap_or_default();
                Some(Value::List(have.iter().chain(added).cloned().collect()))
            }
            _ => after,
        };
        match self.attributes.iter_mut().find(|touched| touched.path == path) {
            Some(touched) => touched.is = is,
            None => self.attributes.push(Touched { path, was: before, is }),
        }
    }
}

/// The target ids of references, as changes hold them.
fn ids(value: Option<&Value>) -> Vec<ObjectId> {
    let id = |value: &Value| value.to_text().map(|text| ObjectId::from(&*text));
    value.map(Value::elements).unwrap_or_default().iter().filter_map(id).collect()
}

/// Notes one side of a reference's life; it cancels the other.
fn toggle(other: &mut Vec<(Text, ObjectId)>, this: &mut Vec<(Text, ObjectId)>, path: &Text, id: ObjectId) {
    let entry = (path.clone(), id);
    match other.iter().position(|have| *have == entry) {
        Some(at) => drop(other.remove(at)),
        None if this.contains(&entry) => {}
        None => this.push(entry),
    }
}
