//! One resource: read, replace, patch, delete (RFC 7644 sections 3.4.1, 3.5, 3.6), with versions (section 3.14).

use std::sync::Arc;

use axum::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, Method};
use provost_directory::{DirectoryError, MemberEdit, What, Write, Written};
use provost_model::{Attributes, ObjectId};
use provost_scim::{Patch, Policy, Query, ScimError, TypeSchema, normalize};
use provost_store::StoreError;

use super::answer::Answer;
use super::collection::{member, members_of};
use super::request::Request;
use super::shown::{Presenter, etag};
use crate::writer::WriteError;

pub(super) async fn one(request: &Request<'_>, types: &Arc<TypeSchema>, id: &str) -> Result<Answer, ScimError> {
    match request.method {
        Method::GET => read(request, types, id).await,
        Method::PUT => replace(request, types, id).await,
        Method::PATCH => patch(request, types, id).await,
        Method::DELETE => delete(request, types, id).await,
        _ => Ok(request.refuse_method("GET, HEAD, PUT, PATCH, DELETE")),
    }
}

async fn read(request: &Request<'_>, types: &TypeSchema, id: &str) -> Result<Answer, ScimError> {
    let query = Query::from_url(request.query)?;
    let found = request.state.directory.get(types.name(), id).await.map_err(unavailable)?;
    let resource = found.ok_or_else(|| ScimError::not_found(format_args!("{} {id}", types.name())))?;
    if versions(request.headers, &IF_NONE_MATCH).is_some_and(|known| known.covers(resource.version)) {
        return Ok(Answer::empty(304).header("etag", etag(resource.version)));
    }
    Ok(Answer::resource(200, Presenter::new(request, types, &query).one(resource).await?))
}

async fn replace(request: &Request<'_>, types: &Arc<TypeSchema>, id: &str) -> Result<Answer, ScimError> {
    let query = Query::from_url(request.query)?;
    let input = request.attributes()?;
    // Checked once without the stored resource, for its members and for errors that need no transaction.
    let mut checked = normalize(types, input.clone(), provost_scim::Write::Create, &Policy::default())?;
    let members = match types.core.attribute("members") {
        Some(_) => MemberEdit::Replace(members_of(&mut checked)?),
        None => MemberEdit::Keep,
    };
    let known = types.clone();
    let edit = move |attributes: &mut Attributes| {
        let write = provost_scim::Write::Replace(attributes);
        *attributes = normalize(&known, input, write, &Policy::default())?;
        Ok(())
    };
    let written = write(request, edited(request, types, id, Box::new(edit), members)).await?;
    Ok(Answer::resource(200, Presenter::new(request, types, &query).one(written.resource).await?))
}

async fn patch(request: &Request<'_>, types: &Arc<TypeSchema>, id: &str) -> Result<Answer, ScimError> {
    let query = Query::from_url(request.query)?;
    let patch = Patch::from_json(request.json()?)?;
    let policy = Policy::patch();
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
    let written = write(request, edited(request, types, id, Box::new(edit), members)).await?;
    // A client that adds one member to 100,000 may not want to read them all.
    if request.prefers("return=minimal") && !query.projection.is_explicit() {
        let answer = Answer::empty(204).header("etag", etag(written.resource.version));
        return Ok(answer.header("preference-applied", "return=minimal"));
    }
    Ok(Answer::resource(200, Presenter::new(request, types, &query).one(written.resource).await?))
}

fn edited(
    request: &Request<'_>,
    types: &TypeSchema,
    id: &str,
    edit: provost_directory::Edit,
    members: MemberEdit,
) -> Write {
    let what = What::Edit { id: ObjectId::from(id), if_version: if_match(request), edit, members };
    Write { kind: types.name().into(), what }
}

async fn delete(request: &Request<'_>, types: &TypeSchema, id: &str) -> Result<Answer, ScimError> {
    let what = What::Delete { id: ObjectId::from(id), if_version: if_match(request) };
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
        DirectoryError::Store(error) => unavailable(error),
        DirectoryError::AlreadyExists { .. } => ScimError::uniqueness(error.to_string()),
        DirectoryError::NotFound { .. } => ScimError::status(404, error.to_string()),
        DirectoryError::VersionMismatch { .. } => ScimError::version_mismatch(),
        other => ScimError::invalid_value(other.to_string()),
    }
}

pub(super) fn unavailable(error: StoreError) -> ScimError {
    tracing::error!(error = %error, "the directory's store failed");
    ScimError::status(503, "the directory does not answer now; try again")
}

/// The versions in a conditional header.
#[derive(Debug, PartialEq)]
enum Versions {
    Any,
    /// What is no version of ours is not in it, and so matches nothing.
    These(Vec<i64>),
}

impl Versions {
    fn covers(&self, version: i64) -> bool {
        match self {
            Versions::Any => true,
            Versions::These(versions) => versions.contains(&version),
        }
    }
}

fn versions(headers: &HeaderMap, name: &HeaderName) -> Option<Versions> {
    let mut lines = headers.get_all(name).iter().peekable();
    lines.peek()?;
    let mut versions = Vec::new();
    for tag in lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')).map(str::trim) {
        if tag == "*" {
            return Some(Versions::Any);
        }
        // Compared weakly: clients drop the `W/`.
        versions.extend(tag.trim_start_matches("W/").trim_matches('"').parse::<i64>().ok());
    }
    Some(Versions::These(versions))
}

/// The versions of which a write needs one; `None` when any will do.
fn if_match(request: &Request<'_>) -> Option<Vec<i64>> {
    match versions(request.headers, &IF_MATCH)? {
        Versions::Any => None,
        Versions::These(versions) => Some(versions),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly() {
        for (header, want) in [
            ("W/\"3\"", Versions::These(vec![3])),
            ("\"3\" , W/\"4\"", Versions::These(vec![3, 4])),
            ("3", Versions::These(vec![3])),
            ("\"abc\"", Versions::These(vec![])),
            ("W/\"1\", *", Versions::Any),
        ] {
            let headers = HeaderMap::from_iter([(IF_MATCH, header.parse().unwrap())]);
            assert_eq!(versions(&headers, &IF_MATCH), Some(want), "{header}");
            assert_eq!(versions(&headers, &IF_NONE_MATCH), None);
        }
    }
}
