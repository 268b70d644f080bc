//! One round: writes of which no two concern the same resource, deletions last. Everything that has to be known is asked
//! for in bulk, then each write is decided in its turn.

use std::collections::{HashMap, HashSet};

use provost_model::{Attributes, ObjectId, Text, Value};
use provost_store::{Lookup, MemberRow, ResourceRow, StoreError, Transaction};

use super::Outcomes;
use super::flush::{self, Flush};
use super::id::Ids;
use crate::kind::{Columns, Kind};
use crate::resource::{parse, to_body};
use crate::write::{MemberEdit, What, Write, Written};
use crate::{Directory, DirectoryError, Member, Resource};

type Result<T, E = DirectoryError> = std::result::Result<T, E>;

/// A write that could be done if names and members allow it.
struct Prepared<'d> {
    kind: &'d Kind,
    step: Step,
}

enum Step {
    Create { columns: Columns, attributes: Attributes, members: Vec<ObjectId> },
    Edit { row: ResourceRow, columns: Columns, attributes: Attributes, body: Option<String>, delta: Delta },
    Delete { row: ResourceRow },
}

/// What is added to and removed from a group.
#[derive(Default)]
struct Delta {
    add: Vec<ObjectId>,
    remove: Vec<ObjectId>,
    /// What is there already is not in `add`, what is not there is not in `remove`.
    exact: bool,
}

/// What the tables say about the writes of a round.
#[derive(Default)]
struct Known {
    /// Who has a name, as far as the round asks.
    names: HashMap<(Text, String), ObjectId>,
    /// What kind the objects are that become members.
    kinds: HashMap<ObjectId, Text>,
    /// Memberships, of those that are added or removed.
    pairs: HashSet<(ObjectId, ObjectId)>,
}

pub(super) async fn run(
    directory: &Directory,
    tx: &mut Transaction,
    batch: Vec<Write>,
    now: i64,
    ids: &mut Ids,
) -> Result<Outcomes, StoreError> {
    let targets = targets(directory, &batch);
    let mut rows = load(tx, &targets).await?;
    let mut current = load_members(tx, &targets).await?;
    let prepared: Vec<Result<Prepared<'_>>> = batch
        .into_iter()
        .map(|write| {
            let kind = directory.kind(&write.kind).ok_or(DirectoryError::UnknownKind { kind: write.kind })?;
            prepare(kind, write.what, &mut rows, &mut current).map(|step| Prepared { kind, step })
        })
        .collect();
    let mut known = learn(directory, tx, &prepared).await?;
    let mut flush = Flush::new(now);
    let outcomes: Outcomes =
        prepared.into_iter().map(|prepared| decide(prepared?, &mut known, &mut flush, ids)).collect();
    flush::run(directory, tx, flush).await?;
    Ok(outcomes)
}

/// What the writes on one type are about.
struct Targets<'d> {
    kind: &'d Kind,
    /// The resources that are edited or deleted.
    ids: Vec<ObjectId>,
    /// The groups whose edit has to know all members.
    whole: Vec<ObjectId>,
}

fn targets<'d>(directory: &'d Directory, batch: &[Write]) -> Vec<Targets<'d>> {
    let of_kind = |kind: &'d Kind| {
        let mut targets = Targets { kind, ids: Vec::new(), whole: Vec::new() };
        for write in batch.iter().filter(|write| kind.name.eq_ignore_ascii_case(&write.kind)) {
            // The store refuses a NUL, and no id has one.
            let Some(id) = write.what.id().filter(|id| !id.contains('\0')) else { continue };
            targets.ids.push(id.clone());
            if let What::Edit { members: MemberEdit::Replace(_) | MemberEdit::Inline, .. } = &write.what {
                targets.whole.push(id.clone());
            }
        }
        targets
    };
    directory.kinds().iter().map(of_kind).filter(|targets| !targets.ids.is_empty()).collect()
}

async fn load(tx: &mut Transaction, targets: &[Targets<'_>]) -> Result<HashMap<ObjectId, ResourceRow>, StoreError> {
    let mut rows = HashMap::new();
    for targets in targets {
        let found = tx.resources_by(&targets.kind.name, Lookup::Id, &targets.ids).await?;
        rows.extend(found.into_iter().map(|row| (row.id.clone(), row)));
    }
    Ok(rows)
}

async fn load_members(
    tx: &mut Transaction,
    targets: &[Targets<'_>],
) -> Result<HashMap<ObjectId, Vec<MemberRow>>, StoreError> {
    let mut members: HashMap<ObjectId, Vec<MemberRow>> = HashMap::new();
    for targets in targets.iter().filter(|targets| targets.kind.has_members) {
        for row in tx.members_of(&targets.whole).await? {
            members.entry(row.group_id.clone()).or_default().push(row);
        }
    }
    Ok(members)
}

fn prepare(
    kind: &Kind,
    what: What,
    rows: &mut HashMap<ObjectId, ResourceRow>,
    current: &mut HashMap<ObjectId, Vec<MemberRow>>,
) -> Result<Step> {
    match what {
        What::Create { mut attributes, members } => {
            kind.clean(&mut attributes);
            let columns = kind.columns(&attributes)?;
            if !members.is_empty() {
                refuse_members(kind)?;
            }
            let members = distinct(members.into_iter().map(|member| member.id));
            Ok(Step::Create { columns, attributes, members })
        }
        What::Delete { id, if_version } => Ok(Step::Delete { row: take(kind, id, if_version, rows)? }),
        What::Edit { id, if_version, edit, members } => {
            let row = take(kind, id, if_version, rows)?;
            let mut attributes = parse(&row)?;
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
            Ok(Step::Edit { row, columns, attributes, body, delta })
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

impl Step {
    fn added(&self) -> &[ObjectId] {
        match self {
            Step::Create { members, .. } => members,
            Step::Edit { delta, .. } => &delta.add,
            Step::Delete { .. } => &[],
        }
    }
}

/// Asks for the names and members that the round is about.
async fn learn(
    directory: &Directory,
    tx: &mut Transaction,
    prepared: &[Result<Prepared<'_>>],
) -> Result<Known, StoreError> {
    let mut known = Known::default();
    for kind in directory.kinds().iter().filter(|kind| kind.unique) {
        let of_kind = prepared.iter().flatten().filter(|prepared| prepared.kind.name == kind.name);
        let mut names: Vec<&str> = of_kind
            .filter_map(|prepared| match &prepared.step {
                Step::Create { columns, .. } => Some(columns.name_key.as_str()),
                Step::Edit { columns, row, .. } if columns.name_key != row.name_key => Some(&columns.name_key),
                _ => None,
            })
            .collect();
        // In order, neighbours of the index are looked at together.
        names.sort_unstable();
        names.dedup();
        let taken = tx.user_names_taken(&names).await?;
        known.names.extend(taken.into_iter().map(|(name, id)| ((kind.name.clone(), name), id)));
    }
    let mut wanted: Vec<&str> =
        prepared.iter().flatten().flat_map(|prepared| prepared.step.added()).map(ObjectId::as_str).collect();
    wanted.sort_unstable();
    wanted.dedup();
    wanted.retain(|id| !id.contains('\0'));
    for kind in directory.kinds() {
        let found = tx.resources_among(&kind.name, &wanted).await?;
        known.kinds.extend(found.into_iter().map(|id| (id, kind.name.clone())));
        wanted.retain(|id| !known.kinds.contains_key(*id));
        if wanted.is_empty() {
            break;
        }
    }
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for prepared in prepared.iter().flatten() {
        if let Step::Edit { row, delta: delta @ Delta { exact: false, .. }, .. } = &prepared.step {
            let ids = delta.add.iter().chain(&delta.remove).filter(|id| !id.contains('\0'));
            pairs.extend(ids.map(|id| (row.id.as_str(), id.as_str())));
        }
    }
    known.pairs = tx.members_among(&pairs).await?.into_iter().collect();
    Ok(known)
}

/// Decides one write as if those before it were done, and notes what is to be written.
fn decide(prepared: Prepared<'_>, known: &mut Known, flush: &mut Flush, ids: &mut Ids) -> Result<Written> {
    let Prepared { kind, step } = prepared;
    if let Some(id) = step.added().iter().find(|id| !known.kinds.contains_key(*id)) {
        return Err(DirectoryError::UnknownMember { id: id.clone() });
    }
    match step {
        Step::Create { columns, attributes, members } => {
            let id = ids.next();
            known.claim(kind, &columns.name_key, &id)?;
            let members: Vec<Member> =
                members.into_iter().map(|id| Member { kind: known.kinds[&id].clone(), id }).collect();
            for member in &members {
                flush.add(&id, &member.id, &member.kind);
            }
            let row = flush.create(kind, id, columns, &attributes);
            let members = kind.has_members.then_some(members);
            Ok(Written { resource: resource(row, attributes, members), changed: true, created: true })
        }
        Step::Edit { mut row, columns, attributes, body, mut delta } => {
            if columns.name_key != row.name_key {
                known.claim(kind, &columns.name_key, &row.id)?;
                known.release(kind, &row.name_key, &row.id);
            }
            if !delta.exact {
                delta.add.retain(|id| !known.pairs.contains(&(row.id.clone(), id.clone())));
                delta.remove.retain(|id| known.pairs.contains(&(row.id.clone(), id.clone())));
            }
            let changed = body.is_some() || !delta.add.is_empty() || !delta.remove.is_empty();
            for id in &delta.add {
                flush.add(&row.id, id, &known.kinds[id]);
            }
            for id in delta.remove {
                flush.remove(&row.id, id);
            }
            if changed {
                row.version += 1;
                row.modified = flush.now;
            }
            let written = resource(&row, attributes, None);
            if changed {
                flush.update(row, columns, body);
            }
            Ok(Written { resource: written, changed, created: false })
        }
        Step::Delete { row } => {
            known.release(kind, &row.name_key, &row.id);
            // What cannot be read can be deleted still.
            let attributes = parse(&row).unwrap_or_default();
            let written = Written { resource: resource(&row, attributes, None), changed: true, created: false };
            flush.delete(row);
            Ok(written)
        }
    }
}

impl Known {
    /// Takes a name, unless somebody has it.
    fn claim(&mut self, kind: &Kind, name_key: &str, id: &ObjectId) -> Result<()> {
        if !kind.unique {
            return Ok(());
        }
        let name = (kind.name.clone(), name_key.to_owned());
        match self.names.get(&name) {
            Some(owner) if owner != id => Err(DirectoryError::AlreadyExists {
                kind: kind.name.clone(),
                attribute: kind.naming.clone(),
                existing_id: owner.clone(),
            }),
            _ => {
                self.names.insert(name, id.clone());
                Ok(())
            }
        }
    }

    fn release(&mut self, kind: &Kind, name_key: &str, id: &ObjectId) {
        let name = (kind.name.clone(), name_key.to_owned());
        if self.names.get(&name) == Some(id) {
            self.names.remove(&name);
        }
    }
}

fn resource(row: &ResourceRow, attributes: Attributes, members: Option<Vec<Member>>) -> Resource {
    Resource {
        kind: row.kind.clone(),
        id: row.id.clone(),
        version: row.version,
        created: row.created,
        modified: row.modified,
        attributes,
        members,
    }
}
