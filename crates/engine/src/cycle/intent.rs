//! A decision on its way to the target: the act, whose it is, and what the link will say afterwards.

use std::borrow::Cow;
use std::sync::Arc;

use provost_model::{Action, Attributes, Change, JobName, ObjectId, Operation, OperationId, Record, Text, Value};
use provost_store::{LinkRow, LinkState, ReferenceKey, ReferenceRow, ReferenceState};
use serde::{Deserialize, Serialize};

use super::masked::mask_base;
use super::ownerless::is_ownerless;
use super::turn::Turn;
use crate::decide::Act;
use crate::rule::Rule;

/// An act with everything that sending and recording it needs.
#[derive(Debug, Clone)]
pub(crate) struct Intent {
    /// Index of the rule in the job.
    pub rule: usize,
    pub source_id: ObjectId,
    pub name: Text,
    pub reason: Cow<'static, str>,
    /// The mark of the source object as it was read; empty when it was not read.
    pub mark: String,
    pub link: Option<Box<LinkRow>>,
    pub act: Act,
    /// What has to change in the table of references, along with the link.
    pub references: ReferenceDelta,
    /// The stored row of this intent, when it was planned before.
    pub event: Option<i64>,
    pub turn: Turn,
    /// The source object, kept for creates: a clash at the target is answered by matching again.
    pub record: Option<Box<Record>>,
    /// What the decision saw of the source, for the log.
    pub seen: Option<Box<str>>,
}

/// References that an object gains and loses.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ReferenceDelta {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gained: Vec<ReferenceKey>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<Lost>,
    /// Sent with the operation itself, since the other object has an account already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inline: Vec<Inline>,
    /// Wished but never sent, and not wished any more; or replaced by one that goes out with the operation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<ReferenceKey>,
}

/// A reference that goes out with an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Inline {
    pub key: ReferenceKey,
    /// The target id that is sent.
    pub sent: ObjectId,
    /// The target id that was sent before, and is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<ObjectId>,
}

impl Inline {
    fn change(&self, rule: &Rule) -> Option<Change> {
        let text = |id: &ObjectId| Value::Text(id.0.clone());
        let path = rule.mapping(&self.key.path)?.path.clone();
        Some(Change::set(path, text(&self.sent)).was(self.was.as_ref().map(text)))
    }
}

/// A reference with the target id that stands for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lost {
    pub key: ReferenceKey,
    /// The target id that was sent.
    pub sent: Option<ObjectId>,
}

impl ReferenceDelta {
    pub fn is_empty(&self) -> bool {
        self.gained.is_empty() && self.lost.is_empty() && self.inline.is_empty() && self.dropped.is_empty()
    }
}

impl Intent {
    /// The operation a connector receives. Its id is stable over retries: cycle and source object. The changes go with it,
    /// until [`take_back`](Self::take_back) brings them home to be recorded.
    pub fn operation(&mut self, rule: &Rule, cycle: &str) -> Operation {
        let mut changes = std::mem::take(&mut self.act.changes);
        changes.extend(self.references.inline.iter().filter_map(|with| with.change(rule)));
        Operation {
            id: OperationId::from(format!("{cycle}/{}/{}", rule.from, self.source_id)),
            action: self.act.action,
            class: rule.to.clone(),
            target_id: self.act.target_id.clone(),
            changes,
            if_match: None,
        }
    }

    /// Takes the changes back from the operation that was made of this intent; references are recorded apart.
    pub fn take_back(&mut self, rule: &Rule, operation: Operation) {
        self.act.changes = operation.changes;
        if !self.references.inline.is_empty() {
            let is_reference = |change: &Change| {
                rule.mappings.iter().any(|mapping| mapping.reference && Arc::ptr_eq(&mapping.path, &change.path))
            };
            self.act.changes.retain(|change| !is_reference(change));
        }
    }

    /// All that the operation changes, references included, in the order of the mappings.
    pub fn told(&self, rule: &Rule) -> Cow<'_, [Change]> {
        if self.references.inline.is_empty() {
            return Cow::Borrowed(&self.act.changes);
        }
        let mut changes = self.act.changes.clone();
        changes.extend(self.references.inline.iter().filter_map(|with| with.change(rule)));
        let place = |change: &Change| rule.mappings.iter().position(|mapping| *mapping.path == *change.path);
        changes.sort_by_cached_key(|change| place(change).unwrap_or(usize::MAX));
        Cow::Owned(changes)
    }

    /// References that go out with a change of a linked account, as they have to be written down before: should nobody hear
    /// that they arrived, they may be there all the same. What an account is made or taken over with nobody can tell from what
    /// it had.
    pub fn announced(&self, job: &JobName) -> Vec<ReferenceRow> {
        if self.act.target_id.is_none() || self.act.adopted {
            return Vec::new();
        }
        let row = |key: &ReferenceKey, state, ref_target| ReferenceRow {
            job: job.clone(),
            key: key.clone(),
            state,
            ref_target,
        };
        let inline = &self.references.inline;
        let replaced = self.references.dropped.iter().filter_map(|key| {
            let with = inline.iter().find(|with| with.key.path == key.path)?;
            Some(row(key, ReferenceState::Unwanted, with.was.clone()))
        });
        inline.iter().map(|with| row(&with.key, ReferenceState::Wanted, None)).chain(replaced).collect()
    }

    /// About an account that no object is linked with: there is no link to save, and nobody to try again.
    pub fn is_ownerless(&self) -> bool {
        self.link.is_none() && is_ownerless(&self.source_id, self.act.target_id.as_ref())
    }

    /// Takes an account over that the object is not linked with yet.
    pub fn claims(&self) -> bool {
        self.act.adopted && self.link.as_ref().is_none_or(|link| link.target_id.is_none())
    }

    /// Nothing to send: only the link or the references change.
    pub fn is_silent(&self) -> bool {
        self.act.action == Action::Update && self.act.changes.is_empty()
    }

    /// What a planned row has to remember beside its changes.
    pub fn detail(&self, rule: &Rule) -> Detail {
        Detail {
            mark: self.mark.clone(),
            state: self.act.state,
            leaves: self.act.leaves,
            adopted: self.act.adopted,
            // Nobody's link will say what the account holds; the event has said it.
            base: self.act.base.as_ref().filter(|_| !self.is_ownerless()).map(|base| mask_base(rule, base)),
            references: self.references.clone(),
            link_changed: self.link.as_ref().map(|link| link.changed),
        }
    }
}

/// The part of an intent that a planned row keeps in its detail column.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Detail {
    pub mark: String,
    pub state: LinkState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaves: Option<i64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Attributes>,
    #[serde(default, skip_serializing_if = "ReferenceDelta::is_empty")]
    pub references: ReferenceDelta,
    /// When the link last changed as the plan was made; another value means that the world has moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_changed: Option<i64>,
}
