//! Collections: list, filter, search, create (RFC 7644 sections 3.3 and 3.4.2).

use axum::http::Method;
use provost_directory::{QueryPage, What, Write};
use provost_model::{Attributes, Value};
use provost_scim::list::Page;
use provost_scim::{ListResponse, Policy, Query, ScimError, TypeSchema, normalize};

use super::Request;
use super::answer::{Answer, shown};
use super::resource::{members_of, refused, write};

/// Resources of one answer at most; the default is a tenth of it.
pub(super) const MAX_RESULTS: u64 = 1000;
const DEFAULT_RESULTS: u64 = 100;

pub(super) async fn collection(request: &Request<'_>, types: &TypeSchema) -> Result<Answer, ScimError> {
    match *request.method {
        Method::GET => list(request, types, Query::from_url(request.query)?).await,
        Method::POST => create(request, types).await,
        _ => Ok(request.refuse_method("GET, POST")),
    }
}

pub(super) async fn search(request: &Request<'_>, types: &TypeSchema) -> Result<Answer, ScimError> {
    if *request.method != Method::POST {
        return Ok(request.refuse_method("POST"));
    }
    request.check_json()?;
    list(request, types, Query::from_json(request.body)?).await
}

async fn list(request: &Request<'_>, types: &TypeSchema, query: Query) -> Result<Answer, ScimError> {
    let start_index = match query.page {
        Page::Index(start) => start,
        _ => return Err(ScimError::invalid_cursor("cursor paging is not supported; use startIndex")),
    };
    let view = query.projection.view(types);
    let page = QueryPage {
        start_index,
        count: query.limit(DEFAULT_RESULTS, MAX_RESULTS),
        with_members: view.shows("members"),
    };
    let found = request.state.directory.query(types.name(), query.filter.as_ref(), page).await.map_err(refused)?;
    let endpoint = &types.resource_type.endpoint;
    let resources: Vec<Attributes> = found
        .resources
        .into_iter()
        .map(|resource| shown(&format!("{}{endpoint}/{}", request.base, resource.id), resource, &view))
        .collect();
    let response = ListResponse::indexed(found.total, start_index, resources);
    Ok(Answer::json(200, serde_json::to_vec(&response).unwrap_or_default()))
}

async fn create(request: &Request<'_>, types: &TypeSchema) -> Result<Answer, ScimError> {
    request.check_json()?;
    let query = Query::from_url(request.query)?;
    let input = body(request)?;
    let mut attributes = normalize(types, input, provost_scim::Write::Create, &Policy::default())?;
    let members = members_of(&mut attributes)?;
    let what = What::Create { attributes, members };
    let written = write(request, Write { kind: types.name().into(), what }).await?;
    let endpoint = &types.resource_type.endpoint;
    let view = query.projection.view(types);
    Ok(Answer::resource(201, &request.base, endpoint, written.resource, &view))
}

/// The body as attributes. Nesting is bounded by the parser, size by the server.
pub(super) fn body(request: &Request<'_>) -> Result<Attributes, ScimError> {
    match serde_json::from_slice::<Value>(request.body) {
        Ok(Value::Complex(attributes)) => Ok(attributes),
        Ok(other) => Err(ScimError::invalid_syntax(format!("the body is {} and has to be an object", other.kind()))),
        Err(error) => Err(ScimError::invalid_syntax(format!("the body is no JSON: {error}"))),
    }
}
