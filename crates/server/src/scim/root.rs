//! Queries over all types, at the root of the service (RFC 7644 sections 3.4.2.1 and 3.4.3).
//!
//! Types come one after the other, each by id: an order over resources of different types would say nothing, so `sortBy` is
//! passed over here. What a type lacks never matches.

use std::sync::Arc;

use axum::http::Method;
use provost_directory::{Position, QueryPage, Walk};
use provost_model::{AttributePath, Filter, Term, Value};
use provost_scim::list::Page;
use provost_scim::{ListResponse, Query, ScimError, TypeSchema};

use super::answer::Answer;
use super::collection::{DEFAULT_RESULTS, MAX_RESULTS, answer, listed};
use super::cursor::{self, Place};
use super::request::Request;
use super::resource::refused;
use super::shown::Presenter;

pub(super) async fn list(request: &Request<'_>) -> Result<Answer, ScimError> {
    match request.method {
        Method::GET => every_type(request, request.query()?).await,
        _ => Ok(request.refuse_method("GET, HEAD")),
    }
}

pub(super) async fn search(request: &Request<'_>) -> Result<Answer, ScimError> {
    if request.method != Method::POST {
        return Ok(request.refuse_method("POST"));
    }
    every_type(request, Query::from_json(request.json()?)?).await
}

async fn every_type(request: &Request<'_>, query: Query) -> Result<Answer, ScimError> {
    let count = query.limit(DEFAULT_RESULTS, MAX_RESULTS);
    let start = match &query.page {
        Page::Index(start) => *start,
        Page::Cursor(cursor) => return walk(request, &query, count, cursor).await,
    };
    let directory = &request.state.directory;
    let (mut total, mut resources) = (0, Vec::new());
    for types in visible(request) {
        let presenter = Presenter::new(request, types, &query);
        let filter = query.filter.as_ref().map(|filter| within(filter, types));
        let page = QueryPage {
            // What is left of the page after the types before.
            start_index: start.saturating_sub(total).max(1),
            count: count - resources.len() as u64,
            sort: None,
            members: presenter.members(),
        };
        let found = directory.query(types.name(), filter.as_ref(), page).await.map_err(refused)?;
        resources.extend(presenter.page(found.resources).await?);
        total += found.total;
    }
    Ok(listed(total, start, resources))
}

/// The types that the client may read.
fn visible<'r>(request: &'r Request<'r>) -> impl Iterator<Item = &'r Arc<TypeSchema>> {
    request.registry().types().iter().filter(|types| request.may(types.name(), false))
}

/// The same by cursor: a page may begin in one type and end in another.
async fn walk(request: &Request<'_>, query: &Query, count: u64, cursor: &str) -> Result<Answer, ScimError> {
    let directory = &request.state.directory;
    let mut place = match cursor {
        "" => None,
        cursor => Some(cursor::read(request.state, query, count, cursor).await?),
    };
    let all: Vec<_> = visible(request).collect();
    let first = match &place {
        None => 0,
        Some(place) => all
            .iter()
            .position(|types| types.name() == place.kind)
            .ok_or_else(|| ScimError::invalid_cursor("the cursor's resource type is no longer there"))?,
    };
    let mut resources = Vec::new();
    for (at, types) in all.iter().enumerate().skip(first) {
        let left = count as usize - resources.len();
        if left == 0 {
            break;
        }
        let presenter = Presenter::new(request, types, query);
        let filter = query.filter.as_ref().map(|filter| within(filter, types));
        let after = place.take().filter(|place| place.kind == types.name()).map(|place| place.after.id);
        let walk = Walk::by_id(after, left, presenter.members());
        let found = directory.walk(types.name(), filter.as_ref(), walk).await.map_err(refused)?;
        let last = found.resources.last().map(|resource| resource.id.clone());
        resources.extend(presenter.page(found.resources).await?);
        let after = match (found.next, last) {
            (Some(next), _) => next,
            // The page ends with the type, and there are others.
            (None, Some(id)) if resources.len() == count as usize && at + 1 < all.len() => Position { id, key: None },
            _ => continue,
        };
        let place = Place { kind: types.name().into(), after, total: None };
        let next = cursor::write(request.state, query, count, place).await?;
        return Ok(answer(ListResponse::at_cursor(None, resources, Some(next))));
    }
    Ok(answer(ListResponse::at_cursor(None, resources, None)))
}

/// The filter for one type, with terms on attributes that it lacks replaced by one that nothing satisfies.
fn within(filter: &Filter, types: &TypeSchema) -> Filter {
    let all = |parts: &[Filter]| parts.iter().map(|part| within(part, types)).collect();
    match filter {
        Filter::And(parts) => Filter::And(all(parts)),
        Filter::Or(parts) => Filter::Or(all(parts)),
        Filter::Not(inner) => Filter::Not(Box::new(within(inner, types))),
        Filter::Term(Term { path, .. }) | Filter::Each { path, .. } if types.resolve(path).is_none() => {
            let id = AttributePath::name("id");
            Filter::eq(id, Value::text(""))
        }
        known => known.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_type_lacks_never_matches() {
        for (filter, want) in [
            (r#"userName eq "a""#, r#"id eq """#),
            (r#"displayName eq "a" or userName eq "a""#, r#"displayName eq "a" or id eq """#),
            (r#"not (emails[type eq "work"])"#, r#"not (id eq "")"#),
            (r#"meta.resourceType eq "Group" and nothing pr"#, r#"meta.resourceType eq "Group" and id eq """#),
        ] {
            assert_eq!(within(&filter.parse().unwrap(), &TypeSchema::group()).to_string(), want);
        }
    }
}
