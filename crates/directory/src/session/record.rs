//! Rows as records: the body parsed straight into attributes, with `id` and the references beside it.

use std::collections::HashMap;

use provost_connector::ConnectorError;
use provost_model::{Attributes, Digest, ObjectId, Record, Value};
use provost_store::{MemberRow, ResourceRow, StoreError};
use xxhash_rust::xxh3::Xxh3;

use super::error::store_error;
use crate::kind::{Kind, manager};
use crate::resource::{Resource, etag, parse};
use crate::{Directory, Member};

/// The members of some groups.
pub(super) type Lists = HashMap<ObjectId, Vec<MemberRow>>;

/// The members of the groups among these rows; nothing is asked for other types.
pub(super) async fn members(directory: &Directory, kind: &Kind, rows: &[ResourceRow]) -> Result<Lists, ConnectorError> {
    let mut lists = Lists::new();
    if kind.has_members {
        let living = rows.iter().filter(|row| row.deleted.is_none());
        let ids: Vec<&str> = living.map(|row| row.id.as_str()).collect();
        for row in directory.store().members_of(&ids).await.map_err(|error| store_error(&error))? {
            lists.entry(row.group_id.clone()).or_default().push(row);
        }
    }
    Ok(lists)
}

/// What tells whether a resource is as it was: its body, and the members' ids.
pub(super) fn digest(row: &ResourceRow, members: Option<&[MemberRow]>) -> Digest {
    let Some(members) = members else { return Digest::of_bytes(row.body.as_bytes()) };
    let mut state = Xxh3::new();
    state.update(row.body.as_bytes());
    for member in members {
        state.update(&[0]);
        state.update(member.member_id.as_bytes());
    }
    Digest(state.digest128())
}

/// The record of a row. Members are given for types that have them.
pub(super) fn record(row: &ResourceRow, members: Option<Vec<MemberRow>>) -> Result<Record, StoreError> {
    let digest = digest(row, members.as_deref());
    let members = members.map(|members| members.into_iter().map(Member::from).collect());
    let mut record = build(row.id.clone(), row.kind.as_str(), row.version, parse(row)?, row.manager.clone(), members);
    record.raw_digest = Some(digest);
    Ok(record)
}

/// The records of some rows, with their members.
pub(super) async fn records(
    directory: &Directory,
    kind: &Kind,
    rows: Vec<ResourceRow>,
) -> Result<Vec<Record>, ConnectorError> {
    let mut lists = members(directory, kind, &rows).await?;
    let one = |row: &ResourceRow| record(row, kind.has_members.then(|| lists.remove(&row.id).unwrap_or_default()));
    rows.iter().map(one).collect::<Result<_, _>>().map_err(|error: StoreError| store_error(&error))
}

/// A resource as a record, without digest of its text.
pub(super) fn from_resource(resource: Resource) -> Record {
    let manager = manager(&resource.attributes).map(ObjectId::from);
    build(resource.id, &resource.kind, resource.version, resource.attributes, manager, resource.members)
}

fn build(
    id: ObjectId,
    kind: &str,
    version: i64,
    mut attributes: Attributes,
    manager: Option<ObjectId>,
    members: Option<Vec<Member>>,
) -> Record {
    attributes.push("id", id.0.clone());
    if let Some(manager) = manager {
        attributes.push("manager", Value::reference(kind, manager));
    }
    if let Some(members) = members {
        let reference = |member: Member| Value::reference(member.kind, member.id);
        attributes.push("members", members.into_iter().map(reference).collect::<Vec<_>>());
    }
    Record { attributes, etag: Some(etag(version)), ..Record::new(kind, id) }
}
