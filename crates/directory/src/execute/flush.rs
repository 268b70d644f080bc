//! What a round writes, in bulk, and what follows from it: with a deletion groups lose the member and reports lose their
//! manager, and members move in the feed when they join or leave a group, or it gets another name.
//!
//! All follow at once rather than on the next read, so that the change feed shows every resource whose content changed.
//! They go in pages of [`PAGE`], so that memory stays bounded whoever is deleted.

use provost_model::{Attributes, ObjectId, Text};
use provost_store::{Lookup, MemberRow, ResourceRow, StoreError, Transaction, ValueRow};

use super::prepare::Keys;
use crate::Directory;
use crate::assignment::{ENDS, end};
use crate::index::{Index, value_row};
use crate::kind::{Columns, Kind, set_manager};
use crate::resource::{parse, to_body};

const PAGE: usize = 1000;

/// The rows of a round.
pub(super) struct Flush {
    pub now: i64,
    creates: Vec<ResourceRow>,
    /// Tombstones among them, in the order of the writes: a name is given up before somebody else takes it.
    updates: Vec<ResourceRow>,
    /// Those of which only the content changed.
    bodies: Vec<ResourceRow>,
    /// Values that resources are found by.
    values: Vec<ValueRow>,
    lost: Vec<ValueRow>,
    adds: Vec<MemberRow>,
    removes: Vec<(ObjectId, ObjectId)>,
    deleted: Vec<ObjectId>,
    /// Groups that got another name, which shows at their members.
    renamed: Vec<ObjectId>,
    /// Users and groups whose assignments change.
    assigned: Vec<ObjectId>,
    /// Applications of which something changes that shows at those who are assigned.
    applications: Vec<ObjectId>,
}

impl Flush {
    pub fn new(now: i64) -> Self {
        Self {
            now,
            creates: Vec::new(),
            updates: Vec::new(),
            bodies: Vec::new(),
            values: Vec::new(),
            lost: Vec::new(),
            adds: Vec::new(),
            removes: Vec::new(),
            deleted: Vec::new(),
            renamed: Vec::new(),
            assigned: Vec::new(),
            applications: Vec::new(),
        }
    }

    pub fn create(&mut self, kind: &Kind, id: ObjectId, columns: Columns, body: String) -> &ResourceRow {
        self.creates.push(ResourceRow {
            kind: kind.name.clone(),
            id,
            seq: 0,
            version: 1,
            name_key: columns.name_key,
            external_id: columns.external_id,
            manager: columns.manager,
            created: self.now,
            modified: self.now,
            deleted: None,
            body,
        });
        &self.creates[self.creates.len() - 1]
    }

    /// A row with its new version, new columns, and a new body if that changed.
    pub fn update(&mut self, row: ResourceRow, columns: Columns, body: Option<String>) {
        let Columns { name_key, external_id, manager } = columns;
        let same = name_key == row.name_key && external_id == row.external_id && manager == row.manager;
        let rows = if same { &mut self.bodies } else { &mut self.updates };
        let body = body.unwrap_or(row.body);
        rows.push(ResourceRow { name_key, external_id, manager, body, ..row });
    }

    /// Gives a resource values to be found by, after it lost others.
    pub fn keys(&mut self, id: &ObjectId, lost: Keys<'_>, keys: Keys<'_>) {
        let row = |(index, key): (&Index, String)| value_row(index, &key, id);
        self.lost.extend(lost.into_iter().map(row));
        self.values.extend(keys.into_iter().map(row));
    }

    /// Notes whom an assignment is about.
    pub fn assign(&mut self, kind: &Kind, attributes: &Attributes) {
        if kind.is_assignment {
            self.assigned.extend(end(attributes, "principal").map(ObjectId::from));
        }
    }

    pub fn change_application(&mut self, id: &ObjectId) {
        self.applications.push(id.clone());
    }

    pub fn rename(&mut self, group: &ObjectId) {
        self.renamed.push(group.clone());
    }

    pub fn delete(&mut self, row: ResourceRow) {
        self.deleted.push(row.id.clone());
        self.updates.push(tombstone(row, self.now));
    }

    pub fn add(&mut self, group: &ObjectId, member: &ObjectId, kind: &Text) {
        let (group_id, member_id) = (group.clone(), member.clone());
        self.adds.push(MemberRow { group_id, member_id, member_kind: kind.to_string() });
    }

    pub fn remove(&mut self, group: &ObjectId, member: ObjectId) {
        self.removes.push((group.clone(), member));
    }
}

pub(super) async fn run(directory: &Directory, tx: &mut Transaction, mut flush: Flush) -> Result<(), StoreError> {
    tx.update_resources(&mut flush.updates).await?;
    tx.update_bodies(&mut flush.bodies).await?;
    tx.insert_resources(&mut flush.creates).await?;
    tx.remove_values(&flush.lost).await?;
    tx.add_values(&flush.values).await?;
    let gone = follow_assignments(directory, tx, &mut flush).await?;
    move_members(directory, tx, &flush).await?;
    let removes: Vec<(&str, &str)> =
        flush.removes.iter().map(|(group, member)| (group.as_str(), member.as_str())).collect();
    tx.remove_members(&removes).await?;
    tx.add_members(&flush.adds).await?;
    delete_assignments(tx, gone, flush.now).await?;
    if !flush.deleted.is_empty() {
        leave_groups(directory, tx, &flush).await?;
        leave_reports(tx, &flush).await?;
    }
    Ok(())
}

/// An assignment that goes with what it names.
struct Gone {
    row: ResourceRow,
    values: Vec<ValueRow>,
}

/// Finds who is assigned to applications that change, and the assignments that go with what is deleted.
async fn follow_assignments(
    directory: &Directory,
    tx: &mut Transaction,
    flush: &mut Flush,
) -> Result<Vec<Gone>, StoreError> {
    let Some(kind) = directory.kinds().iter().find(|kind| kind.is_assignment) else { return Ok(Vec::new()) };
    let deleted: Vec<&str> = flush.deleted.iter().map(ObjectId::as_str).collect();
    let changed: Vec<&str> = flush.applications.iter().map(ObjectId::as_str).collect();
    let mut ids: Vec<ObjectId> = Vec::new();
    for (path, of) in [("principal.value", &deleted), ("application.value", &changed)] {
        let hashes = kind.hashes(path, of);
        ids.extend(tx.value_owners(&hashes).await?.into_iter().map(|(_, id)| id));
    }
    ids.sort_unstable();
    ids.dedup();
    let mut gone = Vec::new();
    for page in ids.chunks(PAGE) {
        for row in tx.resources_by(&kind.name, Lookup::Id, page).await? {
            let attributes = parse(&row).unwrap_or_default();
            flush.assign(kind, &attributes);
            let ends = ENDS.iter().filter_map(|(name, _)| end(&attributes, name));
            if ends.into_iter().any(|id| flush.deleted.iter().any(|deleted| deleted == id)) {
                let values = kind.keys(&attributes).into_iter();
                let values = values.map(|(index, key)| value_row(index, &key, &row.id)).collect();
                gone.push(Gone { row, values });
            }
        }
    }
    Ok(gone)
}

async fn delete_assignments(tx: &mut Transaction, gone: Vec<Gone>, now: i64) -> Result<(), StoreError> {
    let (mut rows, mut values) = (Vec::with_capacity(gone.len()), Vec::new());
    for one in gone {
        rows.push(tombstone(one.row, now));
        values.extend(one.values);
    }
    tx.update_resources(&mut rows).await?;
    tx.remove_values(&values).await
}

/// What is left of a deleted resource.
fn tombstone(row: ResourceRow, now: i64) -> ResourceRow {
    ResourceRow {
        version: row.version + 1,
        name_key: String::new(),
        external_id: None,
        manager: None,
        modified: now,
        deleted: Some(now),
        body: String::new(),
        ..row
    }
}

/// Gives new places in the feed to those whose attribute `groups` changes, or what they are assigned to, members of groups in groups among them: before
/// the memberships are gone.
async fn move_members(directory: &Directory, tx: &mut Transaction, flush: &Flush) -> Result<(), StoreError> {
    let mut changed: Vec<&str> = flush.adds.iter().map(|member| member.member_id.as_str()).collect();
    changed.extend(flush.removes.iter().map(|(_, member)| member.as_str()));
    changed.extend(flush.renamed.iter().chain(&flush.deleted).chain(&flush.assigned).map(ObjectId::as_str));
    changed.sort_unstable();
    changed.dedup();
    let moved = tx.members_below(&changed).await?;
    for kind in directory.kinds() {
        if kind.has_groups {
            tx.move_resources(&kind.name, &moved).await?;
        } else if kind.is_assignable {
            tx.move_resources(&kind.name, &flush.assigned).await?;
        }
    }
    Ok(())
}

/// Takes the deleted out of their groups, which get a new version each, also those that the round has just written.
async fn leave_groups(directory: &Directory, tx: &mut Transaction, flush: &Flush) -> Result<(), StoreError> {
    let mut groups = tx.groups_with(&flush.deleted).await?;
    tx.forget_members(&flush.deleted).await?;
    groups.sort_unstable();
    groups.dedup();
    for kind in directory.kinds().iter().filter(|kind| kind.has_members) {
        for page in groups.chunks(PAGE) {
            let mut rows = tx.resources_by(&kind.name, Lookup::Id, page).await?;
            for row in &mut rows {
                row.version += 1;
                row.modified = flush.now;
            }
            tx.update_bodies(&mut rows).await?;
        }
    }
    Ok(())
}

/// Clears the manager of those who reported to somebody deleted.
async fn leave_reports(tx: &mut Transaction, flush: &Flush) -> Result<(), StoreError> {
    loop {
        let mut rows = tx.reports_of(&flush.deleted, PAGE as i64).await?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in &mut rows {
            // A body that cannot be read must not keep its manager from being deleted.
            if let Ok(mut attributes) = parse(row) {
                set_manager(&mut attributes, None);
                row.body = to_body(&attributes);
            }
            row.manager = None;
            row.version += 1;
            row.modified = flush.now;
        }
        tx.update_resources(&mut rows).await?;
    }
}
