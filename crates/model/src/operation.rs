//! What a plan wants done to one object of a target, in the form every connector receives it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{AttributePath, ClassName, ObjectId, OperationId, Text, Value};

/// What is done about an object. Guards count each kind apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Create,
    Update,
    Enable,
    Disable,
    Delete,
    /// The account is let go: it stays as it is, and is nobody's any more. No connector receives it.
    Unlink,
}

impl Action {
    pub const ALL: [Action; 6] =
        [Action::Create, Action::Update, Action::Enable, Action::Disable, Action::Delete, Action::Unlink];

    /// Whether the action takes something away, be it only that somebody looks after the account: such operations wait for a
    /// complete read and the guard.
    pub fn is_destructive(self) -> bool {
        matches!(self, Action::Disable | Action::Delete | Action::Unlink)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Action::Create => "create",
            Action::Update => "update",
            Action::Enable => "enable",
            Action::Disable => "disable",
            Action::Delete => "delete",
            Action::Unlink => "unlink",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Action {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|action| action.as_str() == text).ok_or(())
    }
}

/// How a change acts on the values that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeOp {
    /// The attribute has exactly this value afterwards.
    Set,
    /// These values are there afterwards, others stay.
    Add,
    /// These values are gone afterwards, others stay.
    Remove,
    /// The attribute has no value afterwards.
    Unset,
}

/// One change to one attribute. `value` is [`Value::Null`] for [`ChangeOp::Unset`] and a list for several values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Shared by all operations of one mapping: a path is parsed once per job, not once per person.
    pub path: Arc<AttributePath>,
    pub op: ChangeOp,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub value: Value,
    /// What the attribute held before, where that is known: plans and the log show it, and a target that replaces a value by
    /// naming the old one needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
}

impl Change {
    pub fn new(path: Arc<AttributePath>, op: ChangeOp, value: Value) -> Self {
        Self { path, op, value, before: None }
    }

    pub fn set(path: Arc<AttributePath>, value: Value) -> Self {
        Self::new(path, ChangeOp::Set, value)
    }

    pub fn unset(path: Arc<AttributePath>) -> Self {
        Self::new(path, ChangeOp::Unset, Value::Null)
    }

    /// The same change of an attribute that held this.
    pub fn was(self, before: Option<Value>) -> Self {
        Self { before, ..self }
    }

    /// What the attribute holds afterwards, when that is one value that the change names.
    pub fn after(&self) -> Option<&Value> {
        (self.op == ChangeOp::Set).then_some(&self.value)
    }
}

/// One operation on one object. References in `changes` already hold the target's ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Stable over retries: the idempotency key at targets that take one.
    pub id: OperationId,
    pub action: Action,
    pub class: ClassName,
    /// The target's id; none for a create.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_id: Option<ObjectId>,
    /// Ordered. All attributes for a create; the differences otherwise. A disable may carry attribute changes (a leaver's
    /// new display name) beside the flag itself, which the connector sets in the way the target knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The version that must still be current at the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_match: Option<Text>,
}
