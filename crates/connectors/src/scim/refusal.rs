//! What a SCIM error means: the status by [`crate::http::status`], refined by its `scimType` and by what was asked.

use hyper::StatusCode;
use provost_connector::{ConnectorError, ErrorCode, Scope};
use provost_scim::ScimType;
use provost_scim::client::{ErrorAnswer, parse_error};

use crate::http::{Answer, Call, Client, Effect, Method, status};

/// What a request was for, where the same status means different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A list of a class, or a create: 404 is about the endpoint.
    Class,
    /// One object: 404 is about the object.
    Object,
}

/// An answer that is no success, as an error.
pub fn refused(client: &Client, call: &Call<'_>, asked: Asked, mut answer: Answer) -> ConnectorError {
    let exchange = client.told(call, Some(&answer));
    let said = parse_error(answer.status.as_u16(), &answer.body);
    // The body's word counts: some targets answer 400 or 500 and mean 404.
    if let Ok(told) = StatusCode::from_u16(said.status) {
        answer.status = told;
    }
    let detail = said.detail.as_deref().map(|detail| client.presentable(detail)).unwrap_or_default();
    let coarse = status::refusal(&answer, call.effect, &client.name(call), &detail);
    let mut error = match refine(&said, &coarse, call, asked) {
        Some((code, hint)) => {
            let mut finer = ConnectorError::new(code, coarse.message).status(answer.status.as_u16());
            finer.hint = hint.map(str::to_owned).or(coarse.hint);
            finer
        }
        None => coarse,
    };
    if let Some(scim_type) = said.scim_type {
        error.target_code = Some(client.presentable(&scim_type).into());
    }
    if asked == Asked::Class && matches!(error.code, ErrorCode::NotFound | ErrorCode::NotSupported) {
        error = error.scope(Scope::Class);
    }
    error.during(exchange)
}

fn refine(
    said: &ErrorAnswer,
    coarse: &ConnectorError,
    call: &Call<'_>,
    asked: Asked,
) -> Option<(ErrorCode, Option<&'static str>)> {
    use ErrorCode::*;
    let write = call.effect == Effect::Write;
    let create = call.method == Method::POST && asked == Asked::Class;
    let is = |scim_type| said.is(scim_type);
    let taken = Some("look for the object that has the value, and match by it");
    let found = if is(ScimType::Uniqueness) && write {
        (AlreadyExists, taken)
    } else if is(ScimType::InvalidCursor) || is(ScimType::ExpiredCursor) {
        (CursorExpired, Some("the read is started again in the next cycle"))
    } else if is(ScimType::InvalidVers) {
        (InvalidConfig, Some("set `url` to the address of version 2"))
    } else if !write && (is(ScimType::InvalidFilter) || is(ScimType::TooMany) || is(ScimType::Sensitive)) {
        (
            NotSupported,
            Some("match by another attribute, or set `filter: false` in `dialect` to match by reading everything"),
        )
    } else if write && (is(ScimType::Mutability) || is(ScimType::NoTarget) || is(ScimType::TooMany)) {
        (Constraint, None)
    } else if write && (is(ScimType::InvalidPath) || is(ScimType::InvalidSyntax) || is(ScimType::InvalidFilter)) {
        (
            InvalidValue,
            Some(
                "the target may want another form of update: see `patch_style`, `path_filters` and `update` in `dialect`",
            ),
        )
    } else {
        match (coarse.code, asked) {
            (Conflict, _) if create => (AlreadyExists, taken),
            (NotFound, Asked::Class) => {
                (NotSupported, Some("the target has no such endpoint: check the path in `url`, or leave the class out"))
            }
            (NotSupported, _) if call.method == Method::PATCH => {
                (NotSupported, Some("set `update: put` in `dialect` if the target has no PATCH"))
            }
            _ => return None,
        }
    };
    Some(found)
}
