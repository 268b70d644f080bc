//! One write made ready: checked, with its columns and its new body. Creates need nothing from the tables and are made ready
//! before the lock is taken, so that one caller's JSON is written while another's rows are.

use std::collections::{HashMap, HashSet};

use provost_model::{Attributes, ObjectId, Value};
use provost_store::{MemberRow, ResourceRow};

use crate::assignment::{ENDS, end};
use crate::index::Index;
use crate::kind::{Columns, Kind};
use crate::resource::{parse, to_body};
use crate::write::{MemberEdit, What, Write};
use crate::{Directory, DirectoryError, Member};

type Result<T, E = DirectoryError> = std::result::Result<T, E>;

/// A write on its way.
pub(super) struct Task<'d> {
    pub kind: &'d Kind,
    job: Job<'d>,
}

enum Job<'d> {
    Create(Step<'d>),
    /// Has to see what is there.
    Later(What),
}

/// A write that could be done if names and members allow it.
pub(super) struct Prepared<'d> {
    pub kind: &'d Kind,
    pub step: Step<'d>,
}

pub(super) enum Step<'d> {
    Create {
        columns: Columns,
        keys: Keys<'d>,
        attributes: Attributes,
        body: String,
        members: Vec<ObjectId>,
    },
    Edit {
        row: ResourceRow,
        columns: Columns,
        /// The keys that the resource gets and loses.
        keys: Keys<'d>,
        lost: Keys<'d>,
        attributes: Attributes,
        body: Option<String>,
        delta: Delta,
    },
    Delete {
        row: ResourceRow,
        lost: Keys<'d>,
        attributes: Attributes,
    },
}

/// Values that have rows of their own.
pub(super) type Keys<'d> = Vec<(&'d Index, String)>;

/// What is added to and removed from a group.
#[derive(Default)]
pub(super) struct Delta {
    pub add: Vec<ObjectId>,
    pub remove: Vec<ObjectId>,
    /// What is there already is not in `add`, what is not there is not in `remove`.
    pub exact: bool,
}

impl<'d> Task<'d> {
    pub fn new(directory: &'d Directory, write: Write) -> Result<Self> {
        let kind = directory.kind(&write.kind).ok_or(DirectoryError::UnknownKind { kind: write.kind })?;
        let job = match write.what {
            What::Create { attributes, members } => Job::Create(create(kind, attributes, members)?),
            what => Job::Later(what),
        };
        Ok(Self { kind, job })
    }

    /// The resource that is meant; none for a create.
    pub fn id(&self) -> Option<&ObjectId> {
        match &self.job {
            Job::Create(_) => None,
            Job::Later(what) => what.id(),
        }
    }

    pub fn is_delete(&self) -> bool {
        matches!(self.job, Job::Later(What::Delete { .. }))
    }

    /// Whether all members of the group have to be known.
    pub fn is_about_all_members(&self) -> bool {
        matches!(self.job, Job::Later(What::Edit { members: MemberEdit::Replace(_) | MemberEdit::Inline, .. }))
    }

    /// The step that does it, with what is there now: rows by id, and the members of groups that wanted all of them.
    pub fn prepare(
        self,
        rows: &mut HashMap<ObjectId, ResourceRow>,
        current: &mut HashMap<ObjectId, Vec<MemberRow>>,
    ) -> Result<Prepared<'d>> {
        let step = match self.job {
            Job::Create(step) => step,
            Job::Later(what) => later(self.kind, what, rows, current)?,
        };
        Ok(Prepared { kind: self.kind, step })
    }
}

fn create<'d>(kind: &'d Kind, mut attributes: Attributes, members: Vec<Member>) -> Result<Step<'d>> {
    kind.clean(&mut attributes);
    let columns = kind.columns(&attributes)?;
    if !members.is_empty() {
        refuse_members(kind)?;
    }
    let members = distinct(members.into_iter().map(|member| member.id));
    Ok(Step::Create { columns, keys: kind.keys(&attributes), body: to_body(&attributes), attributes, members })
}

fn later<'d>(
    kind: &'d Kind,
    what: What,
    rows: &mut HashMap<ObjectId, ResourceRow>,
    current: &mut HashMap<ObjectId, Vec<MemberRow>>,
) -> Result<Step<'d>> {
    match what {
        What::Create { attributes, members } => create(kind, attributes, members),
        What::Delete { id, if_version } => {
            let row = take(kind, id, if_version, rows)?;
            // What cannot be read can be deleted still.
            let attributes = parse(&row).unwrap_or_default();
            Ok(Step::Delete { row, lost: kind.keys(&attributes), attributes })
        }
        What::Edit { id, if_version, edit, members } => {
            let row = take(kind, id, if_version, rows)?;
            let mut attributes = parse(&row)?;
            let mut lost = kind.keys(&attributes);
            let current = current.remove(&row.id).unwrap_or_default();
            let inline = members == MemberEdit::Inline && kind.has_members;
            if inline {
                attributes.push("members", Value::List(current.iter().map(element).collect()));
            }
            edit(&mut attributes)?;
            let delta = match members {
                _ if inline => replace(&current, listed(attributes.remove("members"))?),
                MemberEdit::Keep | MemberEdit::Inline => Delta { exact: true, ..Delta::default() },
                MemberEdit::Replace(members) => {
                    refuse_members(kind)?;
                    replace(&current, members.into_iter().map(|member| member.id).collect())
                }
                MemberEdit::Change { add, remove } => {
                    refuse_members(kind)?;
                    let remove = distinct(remove);
                    let gone: HashSet<&ObjectId> = remove.iter().collect();
                    let add = add.into_iter().map(|member| member.id).filter(|id| !gone.contains(id));
                    Delta { add: distinct(add), remove, exact: false }
                }
            };
            kind.clean(&mut attributes);
            let columns = kind.columns(&attributes)?;
            let body = to_body(&attributes);
            // Equal text is the usual sign of nothing to do; another order of names is the same content still.
            let body = (body != row.body && parse(&row)? != attributes).then_some(body);
            let mut keys = Vec::new();
            if body.is_some() {
                keys = kind.keys(&attributes);
                let had = lost.clone();
                lost.retain(|key| !keys.contains(key));
                keys.retain(|key| !had.contains(key));
            } else {
                lost.clear();
            }
            Ok(Step::Edit { row, columns, keys, lost, attributes, body, delta })
        }
    }
}

fn take(
    kind: &Kind,
    id: ObjectId,
    if_version: Option<Vec<i64>>,
    rows: &mut HashMap<ObjectId, ResourceRow>,
) -> Result<ResourceRow> {
    let Some(row) = rows.remove(&id).filter(|row| row.kind == kind.name) else {
        return Err(DirectoryError::NotFound { kind: kind.name.clone(), id });
    };
    if if_version.is_some_and(|versions| !versions.contains(&row.version)) {
        return Err(DirectoryError::VersionMismatch { kind: kind.name.clone(), id, current: row.version });
    }
    Ok(row)
}

fn refuse_members(kind: &Kind) -> Result<()> {
    if kind.has_members {
        return Ok(());
    }
    Err(DirectoryError::invalid("members", format!("{} has no members", kind.name)))
}

fn element(row: &MemberRow) -> Value {
    let parts = [("value", row.member_id.as_str()), ("type", row.member_kind.as_str())];
    Value::Complex(parts.into_iter().collect())
}

/// The ids in a list of members.
fn listed(value: Option<Value>) -> Result<Vec<ObjectId>> {
    let list = match value {
        Some(Value::List(list)) => list,
        None | Some(Value::Null) => Vec::new(),
        Some(single) => vec![single],
    };
    let id = |member: &Value| match member {
        Value::Complex(parts) => parts.find("value").and_then(Value::as_text).map(ObjectId::from),
        Value::Text(id) => Some(ObjectId(id.clone())),
        _ => None,
    };
    let ids = list.iter().map(|member| id(member).filter(|id| !id.is_empty()));
    ids.collect::<Option<_>>().ok_or_else(|| DirectoryError::invalid("members", "an element has no value"))
}

fn replace(current: &[MemberRow], wanted: Vec<ObjectId>) -> Delta {
    let have: HashSet<&str> = current.iter().map(|row| row.member_id.as_str()).collect();
    let wanted = distinct(wanted);
    let keep: HashSet<&str> = wanted.iter().map(ObjectId::as_str).collect();
    let gone = current.iter().filter(|row| !keep.contains(row.member_id.as_str()));
    let remove = gone.map(|row| row.member_id.clone()).collect();
    let add = wanted.iter().filter(|id| !have.contains(id.as_str())).cloned().collect();
    Delta { add, remove, exact: true }
}

fn distinct(ids: impl IntoIterator<Item = ObjectId>) -> Vec<ObjectId> {
    let mut seen = HashSet::new();
    ids.into_iter().filter(|id| seen.insert(id.clone())).collect()
}

impl Step<'_> {
    /// The ids that become members.
    pub fn added(&self) -> &[ObjectId] {
        match self {
            Step::Create { members, .. } => members,
            Step::Edit { delta, .. } => &delta.add,
            Step::Delete { .. } => &[],
        }
    }

    /// The values to be found by that it brings.
    pub fn keys(&self) -> &[(&Index, String)] {
        match self {
            Step::Create { keys, .. } | Step::Edit { keys, .. } => keys,
            Step::Delete { .. } => &[],
        }
    }

    /// The ids that an assignment names.
    pub fn ends(&self) -> impl Iterator<Item = &str> {
        let attributes = match self {
            Step::Create { attributes, .. } | Step::Edit { attributes, .. } => Some(attributes),
            Step::Delete { .. } => None,
        };
        attributes.into_iter().flat_map(|attributes| ENDS.iter().filter_map(|(name, _)| end(attributes, name)))
    }
}
