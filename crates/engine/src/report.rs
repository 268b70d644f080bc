//! What a cycle, a plan or an explanation answers. Plain data: the command line, the API and the console render it.

use provost_connector::Exchange;
use provost_model::{Action, ClassName, CycleId, JobName, ObjectId, Text, Value};
use serde::{Deserialize, Serialize};

use crate::progress::Counts;

/// Why a job reads and writes what it does in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CycleKind {
    /// Everything, because nothing was ever done or the rules changed.
    Initial,
    /// What changed since the watermark.
    Incremental,
    /// Everything, and the target is read and compared as well.
    Reconcile,
    /// Named objects.
    OnDemand,
    /// The opposite of another cycle.
    Revert,
}

impl CycleKind {
    pub fn as_str(self) -> &'static str {
        match self {
            CycleKind::Initial => "initial",
            CycleKind::Incremental => "incremental",
            CycleKind::Reconcile => "reconcile",
            CycleKind::OnDemand => "on-demand",
            CycleKind::Revert => "revert",
        }
    }

    pub(crate) fn stored(self) -> provost_store::CycleKind {
        match self {
            CycleKind::Initial => provost_store::CycleKind::Initial,
            CycleKind::Incremental => provost_store::CycleKind::Incremental,
            CycleKind::Reconcile => provost_store::CycleKind::Reconcile,
            CycleKind::OnDemand => provost_store::CycleKind::OnDemand,
            CycleKind::Revert => provost_store::CycleKind::Revert,
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CycleStatus {
    Done,
    /// A guard stopped the disables and deletes; they wait for `release` or `discard`.
    Held,
    /// The source was not read to a proven end: what was read is provisioned, nobody was disabled or deleted.
    Incomplete,
    /// Only computed, not applied.
    Planned,
    /// Somebody paused the job: what was under way ended, the rest is the next cycle's.
    Paused,
}

/// One run of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CycleReport {
    pub job: JobName,
    pub cycle: CycleId,
    pub kind: CycleKind,
    pub status: CycleStatus,
    pub counts: Counts,
    pub duration_ms: u64,
    /// Why the status is what it is, for people: the guard that held, the reason of an incomplete read.
    pub note: Option<String>,
    /// Stable code of that reason.
    pub code: Option<String>,
    pub hint: Option<String>,
    /// Objects that wait in escrow after this cycle.
    pub escrowed: u64,
    /// Operations of a stored plan or a held cycle, by action.
    pub planned: Vec<(Action, u64)>,
    /// The source kept changes back that the next cycle should read at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// One object's outcome of provision on demand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProvisionReport {
    pub explanation: Explanation,
    /// `done`, `failed`, `skipped` or `dry run`.
    pub result: Text,
    pub error: Option<String>,
    pub code: Option<String>,
    pub hint: Option<String>,
}

/// The whole trace of one object: from source value to decision, and what was done before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    pub job: JobName,
    pub class: ClassName,
    pub source_id: ObjectId,
    pub name: Text,
    /// Source attributes that scope, matching and mappings read.
    pub source: Vec<(Text, Value)>,
    pub scope: Vec<ClauseTrace>,
    pub in_scope: bool,
    pub link: Option<LinkTrace>,
    pub matching: Vec<MatchTrace>,
    pub mappings: Vec<MappingTrace>,
    /// `create`, `update`, `disable`, … or `none`.
    pub decision: Text,
    pub reason: String,
    pub changes: Vec<ChangeTrace>,
    /// What waits: an escrow's next try, a grace period's end.
    pub next: Option<String>,
    /// Earlier events of this object, newest first.
    pub history: Vec<HistoryEntry>,
    /// All that will happen next to the object, or keeps it from happening, soonest first where a time is known.
    #[serde(default)]
    pub upcoming: Vec<Upcoming>,
    /// Why only the record is told: source or target could not be asked, or the object is not in the source. Source values, scope,
    /// matching and mappings are then those of [`as_of`](Self::as_of), or empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_only: Option<String>,
    /// The decision that source values, scope, matching, mappings, reason and changes are told of, when it is not today's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<AsOf>,
}

/// An earlier decision, worked out once more from what it saw and by the rules of its cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AsOf {
    /// RFC 3339.
    pub at: String,
    pub cycle: CycleId,
    /// What cannot be told, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Something that will happen, or waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Upcoming {
    /// `retry`, `delete`, `release`, `pause`, `quarantine` or `cycle`.
    pub what: Text,
    /// RFC 3339; none when nothing but a person, or a change at the source, makes it happen.
    pub at: Option<String>,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClauseTrace {
    pub clause: String,
    pub value: Option<Value>,
    pub matched: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkTrace {
    pub target_id: Option<ObjectId>,
    pub state: Text,
    /// RFC 3339.
    pub changed: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MatchTrace {
    pub target: String,
    pub value: Option<Value>,
    /// Ids found at the target.
    pub found: Vec<ObjectId>,
    pub note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MappingTrace {
    pub target: String,
    pub expression: String,
    pub value: Option<Value>,
    pub note: Option<String>,
    /// What the parts of the expression gave, in the order of evaluation; what was not asked for is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepTrace>,
}

/// One part of an expression, and the parts it asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepTrace {
    pub expression: String,
    pub value: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepTrace>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeTrace {
    pub path: String,
    pub op: Text,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryEntry {
    pub at: String,
    pub cycle: CycleId,
    pub action: Text,
    pub status: Text,
    pub code: Option<Text>,
    pub reason: String,
    pub changes: Vec<ChangeTrace>,
    pub target_id: Option<ObjectId>,
    /// RFC 3339.
    pub finished: Option<String>,
    pub duration_ms: i64,
    /// The how manieth try in a row this was; none for what is not tried again.
    pub tries: Option<u32>,
    /// What the target said, cut short.
    pub error: Option<String>,
    pub hint: Option<String>,
    /// The request and its answer, where the connector knows them.
    pub exchange: Option<Exchange>,
}
