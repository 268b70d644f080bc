//! The decision: a pure function from (rule, source object, link, what is known of the target) to what is to be done and
//! why. The cycle, the plan, provision on demand and explain all call [`decide`]; there is no second copy of it.

mod diff;
mod leave;
mod orphan;
mod project;

use std::borrow::Cow;
use std::sync::Arc;

use provost_model::{
    Action, AttributePath, Attributes, Change, Code, Digest, ObjectId, Record, Reference, Text, Timestamp,
};
use provost_store::{LinkRow, LinkState};

use crate::rule::Rule;
use crate::situation::Situation;

pub use diff::{Sent, drifted, repair, taken, vanished, wants_own};
pub(crate) use diff::{classify, parse_sent, switch};
pub use orphan::orphan;
pub(crate) use project::fit;
pub use project::{Choice, Projected, Projection, project};

/// Everything a decision depends on.
pub struct Subject<'a> {
    pub rule: &'a Rule,
    pub id: &'a ObjectId,
    pub source: Source<'a>,
    pub link: Option<&'a LinkRow>,
    pub target: Target<'a>,
    /// What somebody answered about this object.
    pub answer: Option<&'a Reply>,
    /// The time of the cycle, for `Now()` and grace periods.
    pub now: Timestamp,
}

/// What a person answered, and to what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub answer: Answer,
    /// [`Fault::question`] of what was asked. To another question it is no answer, but for an account that was named.
    pub question: String,
}

impl Reply {
    fn is_to(&self, fault: &Fault) -> bool {
        self.question == fault.question()
    }
}

/// What a person wants done with one object, whatever the rule's table says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// This account is the object's.
    Adopt(ObjectId),
    /// An account of its own, whatever matches.
    Create,
    /// As the rule would do without `ask`.
    Update,
}

/// What the source says about the object.
pub enum Source<'a> {
    Present(&'a Record),
    /// Gone: a tombstone, or missing from a read that was proven complete.
    Absent,
}

/// What is known of the target.
#[derive(Clone, Copy)]
pub enum Target<'a> {
    /// Nobody asked yet.
    Unknown,
    /// What the matching attributes found, for an object without link. Empty: nothing matches.
    Matched(&'a [Record]),
    /// The linked object as it is now (reconcile), or that it is not there.
    Current(Option<&'a Record>),
}

/// What is to be done, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    pub verdict: Verdict,
    /// For people, in full sentences' form without a full stop: `department changed`, `out of scope: status ne "left"`.
    pub reason: Cow<'static, str>,
    /// What people know the object by.
    pub name: Text,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The target has to be asked by the matching attributes first; [`answer`] then goes on from here.
    Ask(Projection),
    /// An account is to be made, and the target has to be asked which of several values is free; [`answer`] goes on with
    /// the values that were chosen.
    Choose(Projection),
    /// Source and target agree; nothing is sent.
    InStep,
    /// Not provisioned, and never was.
    Skip,
    /// The link has no meaning any more: nothing was ever provisioned for an object that is gone.
    Forget,
    Act(Act),
    Fault(Fault),
}

/// An intended operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Act {
    pub action: Action,
    /// None for a create.
    pub target_id: Option<ObjectId>,
    /// The account existed before Provost knew it. Its first operation may be an update without changes.
    pub adopted: bool,
    /// Only such that set or unset.
    pub changes: Vec<Change>,
    /// The references the object should have, when the source was read; the second pass sends them.
    pub references: Option<Wishes>,
    pub state: LinkState,
    /// When the account is to be deleted, for a leaver under a grace period (milliseconds since 1970).
    pub leaves: Option<i64>,
    /// What the target was read to hold of the mapped attributes before the changes; none when the link's record counts.
    pub base: Option<Attributes>,
}

/// The references that an object should have.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wishes {
    pub wanted: Vec<Wish>,
    /// Paths whose other references stay, because the source did not show all of them.
    pub partly: Vec<Text>,
}

/// A reference that an object should have.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    pub path: Arc<AttributePath>,
    pub multi: bool,
    pub to: Reference,
}

/// One object cannot be provisioned as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    pub code: Code,
    pub message: String,
    pub hint: Option<String>,
    /// What is the case, where a person is asked about it.
    pub situation: Option<Situation>,
}

impl Fault {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code: Code::new(code), message: message.into(), hint: None, situation: None }
    }

    /// A question to a person.
    pub fn about(mut self, situation: Situation) -> Self {
        self.situation = Some(situation);
        self
    }

    /// Stands for what is asked: the same words ask the same.
    pub fn question(&self) -> String {
        question(&self.code, &self.message)
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Stands for what is asked with these words.
pub fn question(code: &Code, message: &str) -> String {
    Digest::of_bytes(format!("{} {message}", code.as_str()).as_bytes()).to_string()
}

/// Decides about one object. Pure: the same subject gives the same decision, `Guid` and its like excepted.
pub fn decide(subject: &Subject<'_>) -> Decision {
    match subject.source {
        Source::Absent => leave::gone(subject),
        Source::Present(record) => present(subject, record),
    }
}

fn present(subject: &Subject<'_>, record: &Record) -> Decision {
    let rule = subject.rule;
    if let Some(why) = rule.leaves_out(&record.attributes) {
        return leave::out_of_scope(subject, record, why);
    }
    let projection = match project(rule, record, subject.now) {
        Ok(Some(projection)) => projection,
        Ok(None) => {
            let name = subject.link.map_or_else(|| Text::from(record.id.as_str()), |link| link.name.as_str().into());
            return Decision {
                verdict: Verdict::Skip,
                reason: "the mapping onto `objectFilter` says ignore".into(),
                name,
            };
        }
        Err(fault) => return faulty(subject, fault, record.id.as_str().into()),
    };
    judge(subject, record, projection)
}

/// Goes on with a decision that had to ask the target: `subject` is the same but for what is known of the target now.
pub fn answer(subject: &Subject<'_>, record: &Record, projection: Projection) -> Decision {
    judge(subject, record, projection)
}

fn judge(subject: &Subject<'_>, record: &Record, projection: Projection) -> Decision {
    let name = projection.name(subject.rule, record);
    let (verdict, reason) = match subject.link.and_then(|link| link.target_id.as_ref().map(|id| (link, id))) {
        Some((link, target_id)) => diff::linked(subject, link, target_id, projection),
        None => diff::unlinked(subject, record, projection),
    };
    Decision { verdict, reason, name }
}

fn faulty(subject: &Subject<'_>, fault: Fault, id: Text) -> Decision {
    let name = subject.link.map_or(id, |link| link.name.as_str().into());
    Decision { reason: fault.message.clone().into(), verdict: Verdict::Fault(fault), name }
}
