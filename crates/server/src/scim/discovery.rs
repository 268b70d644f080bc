//! What the service says about itself (RFC 7644 section 4). What is advertised works.

use axum::http::Method;
use provost_scim::ScimError;
use provost_scim::schema::{AuthenticationScheme, Filtering, ServiceProviderConfig, Supported};

use super::Request;
use super::answer::Answer;
use super::query::MAX_RESULTS;

/// The answer of a discovery endpoint; `None` when the path is none.
pub(super) fn answer(request: &Request<'_>, endpoint: &str, id: Option<&str>) -> Option<Answer> {
    let is = |name: &str| endpoint.eq_ignore_ascii_case(name);
    let registry = request.state.directory.registry();
    let base = &request.base;
    let found = match id {
        None if is("ServiceProviderConfig") => Ok(config().to_json(base)),
        None if is("ResourceTypes") => Ok(registry.resource_types_json(base)),
        None if is("Schemas") => Ok(registry.schemas_json(base)),
        Some(id) if is("ResourceTypes") => registry.resource_type_json(base, id),
        Some(id) if is("Schemas") => registry.schema_json(base, id),
        Some(_) if is("ServiceProviderConfig") => Err(ScimError::not_found("ServiceProviderConfig of that name")),
        _ => return None,
    };
    if *request.method != Method::GET {
        return Some(request.refuse_method("GET"));
    }
    let filtered = request.query.split('&').any(|pair| pair.starts_with("filter="));
    if filtered && id.is_none() && !is("ServiceProviderConfig") {
        return Some(Answer::error(ScimError::status(403, "discovery endpoints cannot be filtered")));
    }
    Some(match found {
        Ok(json) => Answer::json(200, json.to_string().into_bytes()),
        Err(error) => Answer::error(error),
    })
}

fn config() -> ServiceProviderConfig {
    ServiceProviderConfig {
        patch: Supported { supported: true },
        filter: Filtering { supported: true, max_results: MAX_RESULTS },
        etag: Supported { supported: true },
        authentication_schemes: vec![AuthenticationScheme::bearer()],
        ..ServiceProviderConfig::default()
    }
}
