//! The resources of one type: list, filter, search, create (RFC 7644 sections 3.3 and 3.4.2).

use axum::http::Method;
use provost_directory::{Member, QueryPage, What, Write};
use provost_model::{Attributes, ObjectId, Text, Value};
use provost_scim::list::Page;
use provost_scim::{ListResponse, Policy, Query, ScimError, TypeSchema, normalize};

use super::answer::Answer;
use super::request::Request;
use super::resource::{refused, write};
use super::shown::Presenter;

/// Resources of one answer.
pub(super) const MAX_RESULTS: u64 = 1000;
pub(super) const DEFAULT_RESULTS: u64 = 100;

pub(super) async fn all(request: &Request<'_>, types: &TypeSchema) -> Result<Answer, ScimError> {
    match request.method {
        Method::GET => list(request, types, Query::from_url(request.query)?).await,
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
    let start_index = start_index(&query)?;
    let presenter = Presenter::new(request, types, &query);
    let page = QueryPage {
        start_index,
        count: query.limit(DEFAULT_RESULTS, MAX_RESULTS),
        sort: query.sort,
        members: presenter.members(),
    };
    let found = request.state.directory.query(types.name(), query.filter.as_ref(), page).await.map_err(refused)?;
    Ok(listed(found.total, start_index, presenter.page(found.resources).await?))
}

/// Where the page starts, from 1.
pub(super) fn start_index(query: &Query) -> Result<u64, ScimError> {
    match &query.page {
        Page::Index(start) => Ok(*start),
        Page::Cursor(_) => Err(ScimError::invalid_cursor("cursor paging is not supported; use startIndex")),
    }
}

pub(super) fn listed(total: u64, start_index: u64, resources: Vec<Attributes>) -> Answer {
    let response = ListResponse::indexed(total, start_index, resources);
    Answer::json(200, serde_json::to_vec(&response).expect("attributes are JSON with text keys, written to memory"))
}

async fn create(request: &Request<'_>, types: &TypeSchema) -> Result<Answer, ScimError> {
    let query = Query::from_url(request.query)?;
    let mut attributes = normalize(types, request.attributes()?, provost_scim::Write::Create, &Policy::default())?;
    let members = members_of(&mut attributes)?;
    let what = What::Create { attributes, members };
    let written = write(request, Write { kind: types.name().into(), what }).await?;
    Ok(Answer::resource(201, Presenter::new(request, types, &query).created(written.resource)))
}

/// Takes the members out of a resource's attributes.
pub(super) fn members_of(attributes: &mut Attributes) -> Result<Vec<Member>, ScimError> {
    match attributes.remove("members") {
        Some(Value::List(list)) => list.iter().filter_map(Value::as_complex).map(member).collect(),
        _ => Ok(Vec::new()),
    }
}

/// A member as a request names it.
pub(super) fn member(element: &Attributes) -> Result<Member, ScimError> {
    let id = element.find("value").and_then(Value::as_text).filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| ScimError::invalid_value("members: an element has no value"))?;
    let kind = element.find("type").and_then(Value::as_text).unwrap_or_default();
    Ok(Member { id: ObjectId::from(id), kind: Text::from(kind) })
}
