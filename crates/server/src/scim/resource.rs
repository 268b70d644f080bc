//! One resource: read, replace, patch, delete (RFC 7644 sections 3.4.1, 3.5, 3.6), with versions (section 3.14).

use axum::http::Method;
use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use provost_directory::{DirectoryError, Member, MemberEdit, What, Write, Written};
use provost_model::{Attributes, ObjectId, Text, Value};
use provost_scim::patch::MemberChanges;
use provost_scim::{Patch, Policy, Query, ScimError, TypeSchema, normalize};

use super::Request;
use super::answer::{Answer, etag};
use super::query::body;
use crate::writer::WriteError;

pub(super) async fn one(request: &Request<'_>, types: &TypeSchema, id: &str) -> Result<Answer, ScimError> {
    match *request.method {
        Method::GET => read(request, types, id).await,
        Method::PUT => replace(request, types, id).await,
        Method::PATCH => patch(request, types, id).await,
        Method::DELETE => delete(request, types, id).await,
        _ => Ok(request.refuse_method("GET, PUT, PATCH, DELETE")),
    }
}

async fn read(request: &Request<'_>, types: &TypeSchema, id: &str) -> Result<Answer, ScimError> {
    let query = Query::from_url(request.query)?;
    let found = request.state.directory.get(types.name(), id).await.map_err(|error| refused(error.into()))?;
    let resource = found.ok_or_else(|| ScimError::not_found(format_args!("{} {id}", types.name())))?;
    let current = etag(resource.version);
    let known = request.headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|one| one.trim() == "*" || one.trim() == current)) {
        return Ok(Answer::empty(304).header("etag", current));
    }
    Ok(Answer::resource(200, &request.base, &types.resource_type.endpoint, resource, &query.projection.view(types)))
}

async fn replace(request: &Request<'_>, types: &TypeSchema, id: &str) -> Result<Answer, ScimError> {
    request.check_json()?;
    let query = Query::from_url(request.query)?;
    let input = body(request)?;
    // Checked once without the stored resource, for its members and for errors that need no transaction.
    let mut checked = normalize(types, input.clone(), provost_scim::Write::Create, &Policy::default())?;
    let members = members_of(&mut checked)?;
    let types_of_edit = request.state.directory.registry().by_name(types.name()).cloned();
    let edit = move |attributes: &mut Attributes| {
        let Some(types) = types_of_edit.as_deref() else { return Ok(()) };
        let write = provost_scim::Write::Replace(attributes);
        let mut new = normalize(types, input, write, &Policy::default()).map_err(DirectoryError::Scim)?;
        new.remove("members");
        *attributes = new;
        Ok(())
    };
    let what = What::Edit {
        id: ObjectId::from(id),
        if_version: if_match(request)?,
        edit: Box::new(edit),
        members: MemberEdit { replace_all: Some(members), ..MemberEdit::default() },
    };
    let written = write(request, Write { kind: types.name().into(), what }).await?;
    Ok(Answer::resource(200, &request.base, &types.resource_type.endpoint, written.resource, &query.projection.view(types)))
}

async fn patch(request: &Request<'_>, types: &TypeSchema, id: &str) -> Result<Answer, ScimError> {
    request.check_json()?;
    let query = Query::from_url(request.query)?;
    let patch = Patch::from_json(request.body)?;
    let policy = Policy::patch();
    let (patch, changes) = match patch.split_members(types, &policy)? {
        Some(plan) => (plan.attribute_ops, plan.member_changes),
        None => (patch, MemberChanges::default()),
    };
    let types_of_edit = request.state.directory.registry().by_name(types.name()).cloned();
    let edit = move |attributes: &mut Attributes| {
        let Some(types) = types_of_edit.as_deref() else { return Ok(()) };
        patch.apply(types, &policy, attributes).map(drop).map_err(DirectoryError::Scim)
    };
    let members = MemberEdit {
        replace_all: changes.replace_all.map(|list| list.iter().filter_map(member).collect()),
        add: changes.add.iter().filter_map(member).collect(),
        remove: changes.remove.into_iter().map(ObjectId::from).collect(),
    };
    let what =
        What::Edit { id: ObjectId::from(id), if_version: if_match(request)?, edit: Box::new(edit), members };
    let written = write(request, Write { kind: types.name().into(), what }).await?;
    Ok(Answer::resource(200, &request.base, &types.resource_type.endpoint, written.resource, &query.projection.view(types)))
}

async fn delete(request: &Request<'_>, types: &TypeSchema, id: &str) -> Result<Answer, ScimError> {
    let what = What::Delete { id: ObjectId::from(id), if_version: if_match(request)? };
    write(request, Write { kind: types.name().into(), what }).await?;
    Ok(Answer::empty(204))
}

/// Hands a write to the group commit.
pub(super) async fn write(request: &Request<'_>, write: Write) -> Result<Written, ScimError> {
    request.state.writer.write(write).await.map_err(|error| match error {
        WriteError::Refused(error) => refused(error),
        WriteError::Store => ScimError::status(503, "the directory cannot write now; try again"),
    })
}

/// A directory's error as the client sees it: never the store's words.
pub(super) fn refused(error: DirectoryError) -> ScimError {
    match error {
        DirectoryError::Scim(error) => error,
        DirectoryError::AlreadyExists { .. } => ScimError::uniqueness(error.to_string()),
        DirectoryError::NotFound { .. } => ScimError::status(404, error.to_string()),
        DirectoryError::VersionMismatch { .. } => ScimError::version_mismatch(),
        DirectoryError::Store(error) => {
            tracing::error!(error = %error, "the directory's store failed");
            ScimError::status(503, "the directory does not answer now; try again")
        }
        other => ScimError::invalid_value(other.to_string()),
    }
}

/// The versions named in `If-Match`; `None` when any will do.
fn if_match(request: &Request<'_>) -> Result<Option<Vec<i64>>, ScimError> {
    let Some(header) = request.headers.get(IF_MATCH) else { return Ok(None) };
    let text = header.to_str().map_err(|_| ScimError::invalid_syntax("If-Match is no text"))?;
    if text.trim() == "*" {
        return Ok(None);
    }
    // What is no version of ours matches nothing, which is 412 and not a syntax error.
    let number = |one: &str| one.trim().trim_start_matches("W/").trim_matches('"').parse().ok();
    Ok(Some(text.split(',').filter_map(number).collect()))
}

/// Takes the members out of a resource's attributes.
pub(super) fn members_of(attributes: &mut Attributes) -> Result<Vec<Member>, ScimError> {
    match attributes.remove("members") {
        Some(Value::List(list)) => Ok(list.iter().filter_map(Value::as_complex).filter_map(member).collect()),
        _ => Ok(Vec::new()),
    }
}

fn member(element: &Attributes) -> Option<Member> {
    let id = element.find("value")?.as_text()?;
    let kind = element.find("type").and_then(Value::as_text).unwrap_or_default();
    Some(Member { id: ObjectId::from(id), kind: Text::from(kind) })
}
