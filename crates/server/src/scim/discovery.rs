//! What the service says about itself (RFC 7644 section 4). What is advertised works.

use axum::http::Method;
use provost_scim::ScimError;
use provost_scim::schema::{AuthenticationScheme, Bulk, Filtering, Pagination, ServiceProviderConfig, Supported};

use super::answer::Answer;
use super::bulk::{MAX_OPERATIONS, MAX_PAYLOAD};
use super::collection::{DEFAULT_RESULTS, MAX_RESULTS};
use super::cursor::TIMEOUT_S;
use super::request::Request;

/// The answer of a discovery endpoint; `None` when the path is none.
pub(super) fn answer(request: &Request<'_>, endpoint: &str, id: Option<&str>) -> Option<Result<Answer, ScimError>> {
    let registry = request.registry();
    let base = &request.base;
    let found = match (endpoint, id) {
        ("ServiceProviderConfig", None) => Ok(config().to_json(base)),
        ("ResourceTypes", None) => Ok(registry.resource_types_json(base)),
        ("Schemas", None) => Ok(registry.schemas_json(base)),
        ("ResourceTypes", Some(id)) => registry.resource_type_json(base, id),
        ("Schemas", Some(id)) => registry.schema_json(base, id),
        ("ServiceProviderConfig", Some(_)) => Err(ScimError::not_found("what is below ServiceProviderConfig")),
        _ => return None,
    };
    if request.method != Method::GET {
        return Some(Ok(request.refuse_method("GET, HEAD")));
    }
    let is_filter = |pair: &str| pair.split('=').next().is_some_and(|name| name.eq_ignore_ascii_case("filter"));
    if id.is_none() && endpoint != "ServiceProviderConfig" && request.raw_query.split('&').any(is_filter) {
        return Some(Err(ScimError::status(403, "discovery endpoints cannot be filtered")));
    }
    Some(found.map(|json| Answer::json(200, json.to_string().into_bytes())))
}

/// Without `securityEvents` (RFC 9967): nothing is emitted and no request is answered later, which silence says too, and
/// scim2-client refuses a configuration with an attribute that RFC 7643 and RFC 9865 do not have.
fn config() -> ServiceProviderConfig {
    let yes = Supported { supported: true };
    ServiceProviderConfig {
        patch: yes,
        bulk: Bulk { supported: true, max_operations: MAX_OPERATIONS as u64, max_payload_size: MAX_PAYLOAD as u64 },
        filter: Filtering { supported: true, max_results: MAX_RESULTS },
        sort: yes,
        etag: yes,
        pagination: Some(Pagination {
            cursor: true,
            index: true,
            default_pagination_method: Some("index".into()),
            default_page_size: Some(DEFAULT_RESULTS),
            max_page_size: Some(MAX_RESULTS),
            cursor_timeout: Some(TIMEOUT_S),
        }),
        authentication_schemes: vec![AuthenticationScheme::bearer()],
        ..ServiceProviderConfig::default()
    }
}
