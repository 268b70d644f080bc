//! One round: writes of which no two concern the same resource, deletions last. Everything that has to be known is asked
//! for in bulk, then each write is decided in its turn.

use std::collections::{HashMap, HashSet};

use provost_model::{Attributes, ObjectId, Text};
use provost_store::{Lookup, MemberRow, ResourceRow, StoreError, Transaction};

use super::Outcomes;
use super::flush::{self, Flush};
use super::id::Ids;
use super::prepare::{Delta, Keys, Prepared, Step, Task};
use crate::assignment::{ENDS, end};
use crate::kind::{KEY_MAX, Kind};
use crate::resource::parse;
use crate::write::Written;
use crate::{Directory, DirectoryError, Member, Resource};

type Result<T, E = DirectoryError> = std::result::Result<T, E>;

/// What the tables say about the writes of a round.
#[derive(Default)]
struct Known {
    /// Who has a unique value, as far as the round asks: by resource type, attribute and key.
    names: HashMap<(Text, Text, String), ObjectId>,
    /// What kind the objects are that become members.
    kinds: HashMap<ObjectId, Text>,
    /// Memberships, of those that are added or removed.
    pairs: HashSet<(ObjectId, ObjectId)>,
}

pub(super) async fn run(
    directory: &Directory,
    tx: &mut Transaction,
    batch: Vec<Result<Task<'_>>>,
    now: i64,
    ids: &mut Ids,
) -> Result<Outcomes, StoreError> {
    let targets = targets(directory, &batch);
    let mut rows = load(tx, &targets).await?;
    let mut current = load_members(tx, &targets).await?;
    let prepared: Vec<Result<Prepared<'_>>> =
        batch.into_iter().map(|task| task?.prepare(&mut rows, &mut current)).collect();
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

fn targets<'d>(directory: &'d Directory, batch: &[Result<Task<'_>>]) -> Vec<Targets<'d>> {
    let of_kind = |kind: &'d Kind| {
        let mut targets = Targets { kind, ids: Vec::new(), whole: Vec::new() };
        for task in batch.iter().flatten().filter(|task| task.kind.name == kind.name) {
            // The store refuses a NUL, and no id has one.
            let Some(id) = task.id().filter(|id| !id.contains('\0')) else { continue };
            targets.ids.push(id.clone());
            if task.is_about_all_members() {
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
        let naming = kind.naming.clone().unwrap_or_default();
        known.names.extend(taken.into_iter().map(|(name, id)| ((kind.name.clone(), naming.clone(), name), id)));
    }
    learn_values(directory, tx, prepared, &mut known).await?;
    let mut wanted: Vec<&str> =
        prepared.iter().flatten().flat_map(|prepared| prepared.step.added()).map(ObjectId::as_str).collect();
    let assigned = prepared.iter().flatten().filter(|prepared| prepared.kind.is_assignment);
    let ends: HashSet<String> = assigned.flat_map(|prepared| prepared.step.ends()).map(str::to_owned).collect();
    wanted.extend(ends.iter().map(String::as_str));
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
    if directory.keeps_unknown_members() {
        let named = |id: &&str| !ends.contains(*id) && id.len() <= KEY_MAX && !id.starts_with("bulkId:");
        let storable = wanted.into_iter().filter(named);
        known.kinds.extend(storable.map(|id| (ObjectId::from(id), Text::default())));
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

/// Asks who has the values that are to be unique.
async fn learn_values(
    directory: &Directory,
    tx: &mut Transaction,
    prepared: &[Result<Prepared<'_>>],
    known: &mut Known,
) -> Result<(), StoreError> {
    for kind in directory.kinds() {
        for index in kind.indexes.iter().filter(|index| index.unique) {
            let of_kind = prepared.iter().flatten().filter(|prepared| prepared.kind.name == kind.name);
            let mut keys: Vec<&str> = of_kind
                .flat_map(|prepared| prepared.step.keys())
                .filter_map(|(of, key)| (of.path == index.path).then_some(key.as_str()))
                .collect();
            keys.sort_unstable();
            keys.dedup();
            let hashes: Vec<i64> = keys.iter().map(|key| index.hash(key)).collect();
            let owners = tx.value_owners(&hashes).await?;
            if owners.is_empty() {
                continue;
            }
            // Another value may have the same hash.
            let ids: Vec<&str> = owners.iter().map(|(_, id)| id.as_str()).collect();
            for row in tx.resources_by(&kind.name, Lookup::Id, &ids).await? {
                let has = index.keys(&parse(&row)?);
                let of_round = has.into_iter().filter(|key| keys.binary_search(&key.as_str()).is_ok());
                let name = |key| (kind.name.clone(), index.path.clone(), key);
                known.names.extend(of_round.map(|key| (name(key), row.id.clone())));
            }
        }
    }
    Ok(())
}

/// Decides one write as if those before it were done, and notes what is to be written.
fn decide(prepared: Prepared<'_>, known: &mut Known, flush: &mut Flush, ids: &mut Ids) -> Result<Written> {
    let Prepared { kind, step } = prepared;
    if let Some(id) = step.added().iter().find(|id| !known.kinds.contains_key(*id)) {
        return Err(DirectoryError::UnknownMember { id: id.clone() });
    }
    if kind.is_assignment {
        known.check_ends(&step)?;
    }
    match step {
        Step::Create { columns, keys, attributes, body, members } => {
            let id = ids.next();
            known.claim(kind, &columns.name_key, &keys, &id)?;
            let members: Vec<Member> =
                members.into_iter().map(|id| Member { kind: known.kinds[&id].clone(), id }).collect();
            for member in &members {
                flush.add(&id, &member.id, &member.kind);
            }
            flush.keys(&id, Vec::new(), keys);
            flush.assign(kind, &attributes);
            let row = flush.create(kind, id, columns, body);
            let members = kind.has_members.then_some(members);
            Ok(Written { resource: resource(row, attributes, members), changed: true, created: true })
        }
        Step::Edit { mut row, columns, keys, lost, attributes, body, mut delta } => {
            known.claim(kind, &columns.name_key, &keys, &row.id)?;
            if columns.name_key != row.name_key {
                known.release(kind, kind.naming.as_ref(), &row.name_key, &row.id);
            }
            for (index, key) in lost.iter().filter(|(index, _)| index.unique) {
                known.release(kind, Some(&index.path), key, &row.id);
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
            // The key has no letter case, the name has.
            if kind.has_members
                && body.is_some()
                && let Some(naming) = &kind.naming
                && parse(&row).is_ok_and(|before| before.find(naming) != attributes.find(naming))
            {
                flush.rename(&row.id);
            }
            flush.keys(&row.id, lost, keys);
            if body.is_some() {
                flush.assign(kind, &attributes);
                if kind.is_application {
                    flush.change_application(&row.id);
                }
            }
            let written = resource(&row, attributes, None);
            if changed {
                flush.update(row, columns, body);
            }
            Ok(Written { resource: written, changed, created: false })
        }
        Step::Delete { row, lost, attributes } => {
            known.release(kind, kind.naming.as_ref(), &row.name_key, &row.id);
            for (index, key) in lost.iter().filter(|(index, _)| index.unique) {
                known.release(kind, Some(&index.path), key, &row.id);
            }
            flush.keys(&row.id, lost, Vec::new());
            flush.assign(kind, &attributes);
            if kind.is_application {
                flush.change_application(&row.id);
            }
            let written = Written { resource: resource(&row, attributes, None), changed: true, created: false };
            flush.delete(row);
            Ok(written)
        }
    }
}

impl Known {
    /// An assignment names an application and a principal that are there.
    fn check_ends(&self, step: &Step<'_>) -> Result<()> {
        let (Step::Create { attributes, .. } | Step::Edit { attributes, .. }) = step else { return Ok(()) };
        for (name, kinds) in ENDS {
            let Some(id) = end(attributes, name) else {
                return Err(DirectoryError::Required { attribute: format!("{name}.value").into() });
            };
            let kind = self.kinds.get(id).map(Text::as_str);
            if !kind.is_some_and(|kind| kinds.contains(&kind)) {
                let path = format!("{name}.value").into();
                let wanted = kinds.join(" or ").into();
                return Err(DirectoryError::UnknownReference { path, wanted, id: id.into() });
            }
        }
        Ok(())
    }

    /// Takes a name and values, unless somebody has one that is to be unique.
    fn claim(&mut self, kind: &Kind, name_key: &str, keys: &Keys<'_>, id: &ObjectId) -> Result<()> {
        let name = kind.naming.as_ref().filter(|_| kind.unique).map(|naming| (naming, name_key));
        let values = keys.iter().filter(|(index, _)| index.unique).map(|(index, key)| (&index.path, key.as_str()));
        let unique: Vec<_> = name
            .into_iter()
            .chain(values)
            .map(|(path, key)| (kind.name.clone(), path.clone(), key.to_owned()))
            .collect();
        // All or none: a write that is refused takes nothing.
        for name in &unique {
            if let Some(owner) = self.names.get(name).filter(|owner| *owner != id) {
                return Err(DirectoryError::AlreadyExists {
                    kind: kind.name.clone(),
                    attribute: name.1.clone(),
                    existing_id: owner.clone(),
                });
            }
        }
        self.names.extend(unique.into_iter().map(|name| (name, id.clone())));
        Ok(())
    }

    fn release(&mut self, kind: &Kind, path: Option<&Text>, key: &str, id: &ObjectId) {
        let name = (kind.name.clone(), path.cloned().unwrap_or_default(), key.to_owned());
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
