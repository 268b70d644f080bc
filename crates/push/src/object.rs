//! A pushed object: as it is stored, and as the record that jobs read, with references as values of their own.

use provost_model::{Attributes, Digest, ObjectId, Record, Value};
use provost_scim::{TypeSchema, urn};
use provost_store::StoreError;

/// The reference that stands beside `urn:…:enterprise:2.0:User:manager`.
pub(crate) const MANAGER: &str = "manager";
pub(crate) const MEMBERS: &str = "members";

/// Whether objects of the type have somebody they report to.
pub(crate) fn has_manager(types: &TypeSchema) -> bool {
    types.extension(urn::ENTERPRISE_USER).is_some_and(|schema| schema.attribute(MANAGER).is_some())
}

/// The attributes of a stored object.
pub(crate) fn parse(body: &str) -> Result<Attributes, StoreError> {
    serde_json::from_str(body)
        .map_err(|error| StoreError::corrupt("push_record", format!("a body cannot be read: {error}")))
}

/// The text under which an object is stored.
pub(crate) fn text(attributes: &Attributes) -> String {
    serde_json::to_string(attributes).expect("attributes are JSON with text keys, written to memory")
}

/// What tells whether an object is as it was.
pub(crate) fn digest(body: &str) -> Digest {
    Digest::of_bytes(body.as_bytes())
}

/// The record of a stored object. Others are referred to by what they were pushed under, their `externalId`.
pub(crate) fn record(types: &TypeSchema, id: &ObjectId, body: &str) -> Result<Record, StoreError> {
    let mut attributes = parse(body)?;
    attributes.set("id", id.0.clone());
    if has_manager(types)
        && let Some(manager) = manager(&attributes)
    {
        attributes.set(MANAGER, Value::reference(types.name(), manager));
    }
    if types.core.attribute(MEMBERS).is_some()
        && let Some(Value::List(members)) = attributes.find_mut(MEMBERS)
    {
        *members = members.iter().filter_map(|member| reference(member.as_complex()?)).collect();
    }
    Ok(Record { attributes, raw_digest: Some(digest(body)), ..Record::new(types.name(), id.clone()) })
}

fn manager(attributes: &Attributes) -> Option<ObjectId> {
    let manager = attributes.find(urn::ENTERPRISE_USER)?.as_complex()?.find(MANAGER)?.as_complex()?;
    manager.find("value")?.as_text().filter(|id| !id.is_empty()).map(ObjectId::from)
}

/// A member of a group; a user unless it says otherwise.
fn reference(member: &Attributes) -> Option<Value> {
    let id = member.find("value")?.as_text().filter(|id| !id.is_empty())?;
    let kind = member.find("type").and_then(Value::as_text).filter(|kind| !kind.is_empty()).unwrap_or("User");
    Some(Value::reference(kind, ObjectId::from(id)))
}
