//! The resources of one type: list, filter, search, create (RFC 7644 sections 3.3 and 3.4.2).

use axum::http::Method;
use provost_directory::{QueryPage, Walk};
use provost_model::Attributes;
use provost_scim::list::Page;
use provost_scim::{ListResponse, Query, ScimError, TypeSchema};

use super::answer::Answer;
use super::cursor::{self, Place};
use super::operation;
use super::request::Request;
use super::resource::{refused, write};
use super::shown::Presenter;

/// Resources of one answer.
pub(super) const MAX_RESULTS: u64 = 1000;
pub(super) const DEFAULT_RESULTS: u64 = 100;

pub(super) async fn all(request: &Request<'_>, types: &TypeSchema) -> Result<Answer, ScimError> {
    match request.method {
        Method::GET => list(request, types, request.query()?).await,
        Method::POST => create(request, types).await,
        _ => Ok(request.refuse_method("GET, HEAD, POST")),
    }
}

pub(super) async fn search(request: &Request<'_>, types: &TypeSchema) -> Result<Answer, ScimError> {
    if request.method != Method::POST {
        return Ok(request.refuse_method("POST"));
    }
    list(request, types, Query::from_json(request.json()?)?).await
}

async fn list(request: &Request<'_>, types: &TypeSchema, query: Query) -> Result<Answer, ScimError> {
    let presenter = Presenter::new(request, types, &query);
    let count = query.limit(DEFAULT_RESULTS, MAX_RESULTS);
    let start_index = match &query.page {
        Page::Index(start) => *start,
        Page::Cursor(cursor) => return walk(request, types, &query, cursor, &presenter).await,
    };
    let page = QueryPage { start_index, count, sort: query.sort, members: presenter.members() };
    let found = request.state.directory.query(types.name(), query.filter.as_ref(), page).await.map_err(refused)?;
    Ok(listed(found.total, start_index, presenter.page(found.resources).await?))
}

/// A page of a walk by cursor (RFC 9865).
async fn walk(
    request: &Request<'_>,
    types: &TypeSchema,
    query: &Query,
    cursor: &str,
    presenter: &Presenter<'_>,
) -> Result<Answer, ScimError> {
    let count = query.limit(DEFAULT_RESULTS, MAX_RESULTS);
    let place = match cursor {
        "" => None,
        cursor => Some(cursor::read(request.state, query, count, cursor).await?),
    };
    if place.as_ref().is_some_and(|place| place.kind != types.name()) {
        return Err(ScimError::invalid_cursor("the cursor belongs to another endpoint"));
    }
    let directory = &request.state.directory;
    let total = match &place {
        Some(place) => place.total,
        // Counting the matches of a filter may mean to read everything.
        None if query.filter.is_some() && count > 0 => None,
        None => {
            let page = QueryPage { count: 0, ..QueryPage::default() };
            Some(directory.query(types.name(), query.filter.as_ref(), page).await.map_err(refused)?.total)
        }
    };
    if count == 0 {
        return Ok(answer(ListResponse::at_cursor(total, Vec::new(), None)));
    }
    let first = place.is_none();
    let walk = Walk {
        after: place.map(|place| place.after),
        count: count as usize,
        sort: query.sort.clone(),
        members: presenter.members(),
    };
    let found = directory.walk(types.name(), query.filter.as_ref(), walk).await.map_err(refused)?;
    let total = total.or_else(|| (first && found.next.is_none()).then_some(found.resources.len() as u64));
    let next = match found.next {
        Some(after) => {
            let place = Place { kind: types.name().into(), after, total };
            Some(cursor::write(request.state, query, count, place).await?)
        }
        None => None,
    };
    Ok(answer(ListResponse::at_cursor(total, presenter.page(found.resources).await?, next)))
}

pub(super) fn listed(total: u64, start_index: u64, resources: Vec<Attributes>) -> Answer {
    answer(ListResponse::indexed(total, start_index, resources))
}

pub(super) fn answer(response: ListResponse<Attributes>) -> Answer {
    Answer::json(200, serde_json::to_vec(&response).expect("attributes are JSON with text keys, written to memory"))
}

async fn create(request: &Request<'_>, types: &TypeSchema) -> Result<Answer, ScimError> {
    let query = request.query()?;
    let written = write(request, operation::create(&request.client.settings, types, request.attributes()?)?).await?;
    Ok(Answer::resource(201, Presenter::new(request, types, &query).created(written.resource)))
}
