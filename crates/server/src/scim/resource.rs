//! One resource: read, replace, patch, delete (RFC 7644 sections 3.4.1, 3.5, 3.6), with versions (section 3.14).

use std::sync::Arc;

use axum::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, Method};
use provost_directory::{DirectoryError, Write, Written};
use provost_model::ObjectId;
use provost_scim::{ScimError, TypeSchema, urn};
use provost_store::StoreError;

use super::answer::Answer;
use super::operation::{self, IfVersion};
use super::request::Request;
use super::shown::{Presenter, etag};
use crate::client::Habit;
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
    let query = request.query()?;
    let found = request.state.directory.get(types.name(), id).await.map_err(unavailable)?;
    let resource = found.ok_or_else(|| ScimError::not_found(format_args!("{} {id}", types.name())))?;
    if versions(request.headers, &IF_NONE_MATCH).is_some_and(|known| known.covers(resource.version)) {
        return Ok(Answer::empty(304).header("etag", etag(resource.version)));
    }
    Ok(Answer::resource(200, Presenter::new(request, types, &query).one(resource).await?))
}

/// Where the user is whom the token belongs to (RFC 7644 section 3.11).
pub(super) fn me(request: &Request<'_>) -> Result<Answer, ScimError> {
    if request.method != Method::GET {
        return Ok(request.refuse_method("GET, HEAD"));
    }
    let Some(id) = &request.client.settings.me else {
        return Err(ScimError::status(404, "/Me is nobody: the token belongs to a client, not to a user"));
    };
    // What is asked of /Me, such as `attributes`, is asked of the user.
    let query = if request.raw_query.is_empty() { String::new() } else { format!("?{}", request.raw_query) };
    let location = format!("{}/Users/{id}{query}", request.base);
    Ok(Answer::empty(308).header("location", location))
}

async fn replace(request: &Request<'_>, types: &Arc<TypeSchema>, id: &str) -> Result<Answer, ScimError> {
    let query = request.query()?;
    let write = operation::replace(&request.client.settings, types, id, if_match(request), request.attributes()?)?;
    let written = self::write(request, write).await?;
    Ok(Answer::resource(200, Presenter::new(request, types, &query).one(written.resource).await?))
}

async fn patch(request: &Request<'_>, types: &Arc<TypeSchema>, id: &str) -> Result<Answer, ScimError> {
    let mut query = request.query()?;
    let settings = &request.client.settings;
    let write = operation::patch(settings, types, id, if_match(request), request.json()?)?;
    let written = self::write(request, write).await?;
    // A client that adds one member to 100,000 may not want to read them all.
    if !query.projection.is_explicit() {
        let empty = || Answer::empty(204).header("etag", etag(written.resource.version));
        if request.prefers("return=minimal") {
            return Ok(empty().header("preference-applied", "return=minimal"));
        }
        let is_group = types.core.is(urn::GROUP);
        if settings.has(Habit::EmptyPatch) || (is_group && settings.has(Habit::EmptyGroupPatch)) {
            return Ok(empty());
        }
        if settings.has(Habit::NoMembersInPatch) {
            query.projection.leave_out("members");
        }
    }
    Ok(Answer::resource(200, Presenter::new(request, types, &query).one(written.resource).await?))
}

async fn delete(request: &Request<'_>, types: &TypeSchema, id: &str) -> Result<Answer, ScimError> {
    write(request, operation::delete(types, id, if_match(request))).await?;
    Ok(Answer::empty(204))
}

/// Hands a write to the group commit.
pub(super) async fn write(request: &Request<'_>, write: Write) -> Result<Written, ScimError> {
    check_members(request, members_to_check(request, &write)).await?;
    request.state.writer.write(write).await.map_err(not_written)
}

/// The members that a write adds, for clients that want to be told of those that the directory does not have.
pub(super) fn members_to_check(request: &Request<'_>, write: &Write) -> Vec<ObjectId> {
    match request.client.settings.refuse_unknown_members {
        true => write.added_members().into_iter().cloned().collect(),
        false => Vec::new(),
    }
}

pub(super) async fn check_members(request: &Request<'_>, added: Vec<ObjectId>) -> Result<(), ScimError> {
    if added.is_empty() {
        return Ok(());
    }
    match request.state.directory.unknown_among(&added).await.map_err(unavailable)? {
        Some(id) => Err(refused(DirectoryError::UnknownMember { id })),
        None => Ok(()),
    }
}

pub(super) fn not_written(error: WriteError) -> ScimError {
    match error {
        WriteError::Refused(error) => refused(error),
        WriteError::Store => ScimError::status(503, "the directory cannot write now; try again"),
    }
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

    fn needed(self) -> IfVersion {
        match self {
            Versions::Any => None,
            Versions::These(versions) => Some(versions),
        }
    }
}

fn versions(headers: &HeaderMap, name: &HeaderName) -> Option<Versions> {
    let mut lines = headers.get_all(name).iter().peekable();
    lines.peek()?;
    Some(listed(lines.filter_map(|line| line.to_str().ok())))
}

/// Entity tags, divided by commas, compared weakly: clients drop the `W/`.
fn listed<'l>(lines: impl Iterator<Item = &'l str>) -> Versions {
    let mut versions = Vec::new();
    for tag in lines.flat_map(|line| line.split(',')).map(str::trim) {
        if tag == "*" {
            return Versions::Any;
        }
        versions.extend(tag.trim_start_matches("W/").trim_matches('"').parse::<i64>().ok());
    }
    Versions::These(versions)
}

/// The versions of which a write needs one; `None` when any will do.
fn if_match(request: &Request<'_>) -> IfVersion {
    versions(request.headers, &IF_MATCH)?.needed()
}

/// The same out of an operation's `version`.
pub(super) fn if_version(version: Option<&str>) -> IfVersion {
    listed(std::iter::once(version?)).needed()
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
