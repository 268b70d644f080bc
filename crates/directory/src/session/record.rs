//! Rows as records: the body parsed straight into attributes, with `id` and the references beside it.

use std::collections::HashMap;

use provost_connector::ConnectorError;
use provost_model::{Attributes, Digest, ObjectId, Record, Text, Value};
use provost_store::{MemberRow, ResourceRow, StoreError};
use xxhash_rust::xxh3::Xxh3;

use super::error::{store_error, to_connector};
use crate::assignment::{ASSIGNMENTS, Asked};
use crate::kind::{GROUPS, Kind, manager};
use crate::resource::{Resource, etag, parse};
use crate::{Directory, Member, Membership};

/// What is kept beside the rows of a page. A list is there for types that have it, and the groups only on request.
pub(super) struct Lists {
    members: Option<HashMap<ObjectId, Vec<MemberRow>>>,
    groups: Option<HashMap<ObjectId, Vec<Membership>>>,
    assignments: Option<HashMap<ObjectId, Vec<Value>>>,
}

/// What is kept beside one row.
#[derive(Default)]
pub(super) struct Beside {
    members: Option<Vec<MemberRow>>,
    groups: Option<Vec<Membership>>,
    assignments: Option<Vec<Value>>,
}

impl Lists {
    /// Two or three statements for a page at most, none for types without lists.
    pub async fn load(
        directory: &Directory,
        kind: &Kind,
        rows: &[ResourceRow],
        requested: &[Text],
    ) -> Result<Self, ConnectorError> {
        let living = || rows.iter().filter(|row| row.deleted.is_none()).map(|row| row.id.clone());
        let mut lists = Self { members: None, groups: None, assignments: None };
        if kind.has_members {
            let ids: Vec<ObjectId> = living().collect();
            let members = lists.members.insert(HashMap::new());
            for row in directory.store().members_of(&ids).await.map_err(|error| store_error(&error))? {
                members.entry(row.group_id.clone()).or_default().push(row);
            }
        }
        if wants_groups(kind, requested) {
            lists.groups = Some(groups(directory, living().collect()).await?);
        }
        lists.assignments = assignments(directory, kind, || living().collect(), requested).await?;
        Ok(lists)
    }

    pub fn take(&mut self, id: &ObjectId) -> Beside {
        Beside {
            members: self.members.as_mut().map(|members| members.remove(id).unwrap_or_default()),
            groups: self.groups.as_mut().map(|groups| groups.remove(id).unwrap_or_default()),
            assignments: self.assignments.as_mut().map(|all| all.remove(id).unwrap_or_default()),
        }
    }
}

/// What some resources are assigned to, if that is asked for.
async fn assignments(
    directory: &Directory,
    kind: &Kind,
    ids: impl FnOnce() -> Vec<ObjectId>,
    requested: &[Text],
) -> Result<Option<HashMap<ObjectId, Vec<Value>>>, ConnectorError> {
    if !kind.is_assignable || requested.is_empty() {
        return Ok(None);
    }
    match Asked::read(requested).map_err(|error| to_connector(&error))? {
        None => Ok(None),
        Some(asked) => directory.assignments(kind, ids(), &asked).await.map(Some).map_err(|error| store_error(&error)),
    }
}

fn wants_groups(kind: &Kind, requested: &[Text]) -> bool {
    kind.has_groups && requested.iter().any(|name| name.eq_ignore_ascii_case(GROUPS))
}

/// The groups of some resources by their names, as people expect to find them in a list.
async fn groups(
    directory: &Directory,
    ids: Vec<ObjectId>,
) -> Result<HashMap<ObjectId, Vec<Membership>>, ConnectorError> {
    let mut groups: HashMap<ObjectId, Vec<Membership>> = HashMap::new();
    for membership in directory.memberships(&ids).await.map_err(|error| store_error(&error))? {
        groups.entry(membership.member.clone()).or_default().push(membership);
    }
    for list in groups.values_mut() {
        list.sort_unstable_by(|a, b| (&a.display, &a.group).cmp(&(&b.display, &b.group)));
    }
    Ok(groups)
}

/// What tells whether a resource is as it was: its body, the members' ids, the groups with their names.
pub(super) fn digest(row: &ResourceRow, beside: &Beside) -> Digest {
    if let Beside { members: None, groups: None, assignments: None } = beside {
        return Digest::of_bytes(row.body.as_bytes());
    }
    let mut state = Xxh3::new();
    let mut put = |text: &str| {
        state.update(text.as_bytes());
        state.update(&[0]);
    };
    put(&row.body);
    for member in beside.members.iter().flatten() {
        put(&member.member_id);
    }
    for membership in beside.groups.iter().flatten() {
        put(&membership.group);
        put(&membership.display);
        put(membership.kind());
    }
    for assignment in beside.assignments.iter().flatten() {
        put(&assignment.to_json().to_string());
    }
    Digest(state.digest128())
}

/// The record of a row.
pub(super) fn record(row: &ResourceRow, beside: Beside) -> Result<Record, StoreError> {
    let digest = digest(row, &beside);
    let members = beside.members.map(|members| members.into_iter().map(Member::from).collect());
    let parts = Parts {
        id: row.id.clone(),
        kind: &row.kind,
        version: row.version,
        attributes: parse(row)?,
        manager: row.manager.clone(),
        members,
        groups: beside.groups,
        assignments: beside.assignments,
    };
    Ok(Record { raw_digest: Some(digest), ..build(parts) })
}

/// The records of some rows, with their members.
pub(super) async fn records(
    directory: &Directory,
    kind: &Kind,
    rows: Vec<ResourceRow>,
) -> Result<Vec<Record>, ConnectorError> {
    let mut lists = Lists::load(directory, kind, &rows, &[]).await?;
    let one = |row: &ResourceRow| record(row, lists.take(&row.id));
    rows.iter().map(one).collect::<Result<_, _>>().map_err(|error: StoreError| store_error(&error))
}

/// Resources as records, without digests of their text.
pub(super) async fn from_resources(
    directory: &Directory,
    kind: &Kind,
    resources: Vec<Resource>,
    requested: &[Text],
) -> Result<Vec<Record>, ConnectorError> {
    let mut lists = match wants_groups(kind, requested) {
        true => Some(groups(directory, resources.iter().map(|resource| resource.id.clone()).collect()).await?),
        false => None,
    };
    let ids = || resources.iter().map(|resource| resource.id.clone()).collect();
    let mut assigned = assignments(directory, kind, ids, requested).await?;
    let one = |resource: Resource| {
        build(Parts {
            assignments: assigned.as_mut().map(|all| all.remove(&resource.id).unwrap_or_default()),
            manager: manager(&resource.attributes).map(ObjectId::from),
            kind: &resource.kind,
            version: resource.version,
            attributes: resource.attributes,
            members: resource.members,
            groups: lists.as_mut().map(|lists| lists.remove(&resource.id).unwrap_or_default()),
            id: resource.id,
        })
    };
    Ok(resources.into_iter().map(one).collect())
}

/// What a record is made of.
struct Parts<'p> {
    id: ObjectId,
    kind: &'p str,
    version: i64,
    attributes: Attributes,
    manager: Option<ObjectId>,
    members: Option<Vec<Member>>,
    groups: Option<Vec<Membership>>,
    assignments: Option<Vec<Value>>,
}

fn build(parts: Parts<'_>) -> Record {
    let Parts { id, kind, version, mut attributes, manager, members, groups, assignments } = parts;
    attributes.push("id", id.0.clone());
    if let Some(manager) = manager {
        attributes.push("manager", Value::reference(kind, manager));
    }
    if let Some(members) = members {
        let reference = |member: Member| Value::reference(member.kind, member.id);
        // One without a kind is not in the directory.
        let known = members.into_iter().filter(|member| !member.kind.is_empty());
        attributes.push("members", known.map(reference).collect::<Vec<_>>());
    }
    if let Some(groups) = groups {
        let group = |membership: Membership| {
            let kind = membership.kind().into();
            let parts = [("value", membership.group.0), ("display", membership.display), ("type", kind)];
            Value::Complex(parts.into_iter().collect())
        };
        attributes.push(GROUPS, groups.into_iter().map(group).collect::<Vec<_>>());
    }
    if let Some(assignments) = assignments {
        attributes.push(ASSIGNMENTS, assignments);
    }
    Record { attributes, etag: Some(etag(version)), ..Record::new(kind, id) }
}
