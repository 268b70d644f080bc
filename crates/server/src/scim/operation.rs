//! What a client asks for as a write of the directory: the same for single requests and for those of a bulk request.

use std::sync::Arc;

use provost_directory::{Member, MemberEdit, What, Write};
use provost_model::{Attributes, ObjectId, Text, Value};
use provost_scim::{Patch, ScimError, TypeSchema, normalize};

use crate::client::ClientSettings;

/// The versions of which a resource has to have one; none for any.
pub(super) type IfVersion = Option<Vec<i64>>;

pub(super) fn create(
    settings: &ClientSettings,
    types: &TypeSchema,
    attributes: Attributes,
) -> Result<Write, ScimError> {
    let mut attributes = normalize(types, attributes, provost_scim::Write::Create, &settings.policy())?;
    let members = members_of(&mut attributes)?;
    Ok(Write { kind: types.name().into(), what: What::Create { attributes, members } })
}

pub(super) fn replace(
    settings: &ClientSettings,
    types: &Arc<TypeSchema>,
    id: &str,
    if_version: IfVersion,
    input: Attributes,
) -> Result<Write, ScimError> {
    // Checked once without the stored resource, for its members and for errors that need no transaction.
    let mut checked = normalize(types, input.clone(), provost_scim::Write::Create, &settings.policy())?;
    let members = match types.core.attribute("members") {
        Some(_) => MemberEdit::Replace(members_of(&mut checked)?),
        None => MemberEdit::Keep,
    };
    let (known, policy) = (types.clone(), settings.policy());
    let edit = move |attributes: &mut Attributes| {
        let write = provost_scim::Write::Replace(attributes);
        *attributes = normalize(&known, input, write, &policy)?;
        Ok(())
    };
    Ok(edited(types, id, if_version, Box::new(edit), members))
}

pub(super) fn patch(
    settings: &ClientSettings,
    types: &Arc<TypeSchema>,
    id: &str,
    if_version: IfVersion,
    body: &[u8],
) -> Result<Write, ScimError> {
    let policy = settings.patch_policy();
    let patch = Patch::from_json(body, &policy)?;
    let (patch, members) = match patch.split_members(types, &policy)? {
        Some(plan) => {
            let changes = plan.member_changes;
            let listed = |list: &[Attributes]| list.iter().map(member).collect::<Result<Vec<_>, _>>();
            let members = match &changes.replace_all {
                Some(all) => MemberEdit::Replace(listed(all)?),
                None if changes.is_empty() => MemberEdit::Keep,
                None => MemberEdit::Change {
                    add: listed(&changes.add)?,
                    remove: changes.remove.into_iter().map(ObjectId::from).collect(),
                },
            };
            (plan.attribute_ops, members)
        }
        None if types.core.attribute("members").is_some() => (patch, MemberEdit::Inline),
        None => (patch, MemberEdit::Keep),
    };
    let known = types.clone();
    let edit = move |attributes: &mut Attributes| Ok(patch.apply(&known, &policy, attributes).map(drop)?);
    Ok(edited(types, id, if_version, Box::new(edit), members))
}

pub(super) fn delete(types: &TypeSchema, id: &str, if_version: IfVersion) -> Write {
    Write { kind: types.name().into(), what: What::Delete { id: ObjectId::from(id), if_version } }
}

fn edited(
    types: &TypeSchema,
    id: &str,
    if_version: IfVersion,
    edit: provost_directory::Edit,
    members: MemberEdit,
) -> Write {
    let what = What::Edit { id: ObjectId::from(id), if_version, edit, members };
    Write { kind: types.name().into(), what }
}

/// Takes the members out of a resource's attributes.
fn members_of(attributes: &mut Attributes) -> Result<Vec<Member>, ScimError> {
    match attributes.remove("members") {
        Some(Value::List(list)) => list.iter().filter_map(Value::as_complex).map(member).collect(),
        _ => Ok(Vec::new()),
    }
}

/// A member as a request names it.
fn member(element: &Attributes) -> Result<Member, ScimError> {
    let id = element.find("value").and_then(Value::as_text).filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| ScimError::invalid_value("members: an element has no value"))?;
    let kind = element.find("type").and_then(Value::as_text).unwrap_or_default();
    Ok(Member { id: ObjectId::from(id), kind: Text::from(kind) })
}
