//! What the target says about itself: ServiceProviderConfig, ResourceTypes, Schemas (RFC 7644 section 4).
//!
//! Hints, no more: many targets lack these or advertise wrongly. What the dialect sets wins; what is missing or cannot be
//! read is as if the target were silent, and the RFC's own schemas take its place. Only a target that cannot be reached or
//! refuses the credentials is an error.

use std::collections::BTreeSet;
use std::sync::Arc;

use provost_connector::{ConnectorError, Context, ErrorCode};
use provost_scim::TypeSchema;
use provost_scim::client::{Dialect, Paging, UpdateMethod};
use provost_scim::schema::{ServiceProviderConfig, parse_resource_types, parse_schemas};
use serde::Deserialize;
use serde_json::Value as Json;

use super::refusal::{Asked, refused};
use super::wire::ACCEPTED;
use crate::http::{Call, Client, StatusCode};

/// The largest page asked for where the target announces room for more.
const MAX_PAGE: u64 = 1_000;

/// The most operations in a request to `/Bulk` where the target announces room for more: an answer that is lost leaves so
/// many outcomes unknown.
const MAX_BULK: usize = 200;

/// What is known of a target after set-up.
#[derive(Debug, Clone)]
pub struct Discovered {
    /// The dialect with the target's hints in it.
    pub dialect: Dialect,
    pub types: Vec<Arc<TypeSchema>>,
    /// Whether the schemas are the target's own; else it may have attributes that nobody told of.
    pub published: bool,
}

/// Asks, where the dialect allows it, and lays the hints under what the dialect sets.
pub async fn discover(
    cx: &Context,
    client: &Client,
    mut dialect: Dialect,
    given: &BTreeSet<String>,
) -> Result<Discovered, ConnectorError> {
    if !dialect.discovery {
        return Ok(Discovered { dialect, types: built_in(), published: false });
    }
    let config_path = dialect.config_path.clone();
    let (config, types, schemas) =
        tokio::join!(ask(cx, client, &config_path), ask(cx, client, "/ResourceTypes"), ask(cx, client, "/Schemas"),);
    take_hints(&mut dialect, &config?, given);
    let schemas = parse_schemas(&schemas?);
    // What cannot be put together counts as absent.
    let types = parse_resource_types(&types?, &schemas).unwrap_or_default();
    let types: Vec<_> = types.into_iter().filter(|known| known.resource_type.endpoint.len() > 1).collect();
    if types.is_empty() {
        return Ok(Discovered { dialect, types: built_in(), published: false });
    }
    Ok(Discovered { dialect, types, published: !schemas.is_empty() })
}

fn built_in() -> Vec<Arc<TypeSchema>> {
    vec![Arc::new(TypeSchema::user()), Arc::new(TypeSchema::group())]
}

/// One discovery document; null when the target does not have it.
async fn ask(cx: &Context, client: &Client, path: &str) -> Result<Json, ConnectorError> {
    let call = Call::get(path).headers(&ACCEPTED);
    let answer = client.send(cx, &call).await?;
    if answer.is_success() {
        return Ok(serde_json::from_slice(&answer.body).unwrap_or_default());
    }
    let status = answer.status;
    let error = refused(client, &call, Asked::Object, answer);
    match error.code {
        ErrorCode::AuthFailed | ErrorCode::Throttled => Err(error),
        // A gateway without its target says nothing about the target. 500 is what some answer where 404 belongs.
        ErrorCode::Unavailable if status != StatusCode::INTERNAL_SERVER_ERROR => Err(error),
        _ => {
            tracing::debug!(path, status = status.as_u16(), "target has no such discovery document");
            Ok(Json::Null)
        }
    }
}

fn take_hints(dialect: &mut Dialect, json: &Json, given: &BTreeSet<String>) {
    // Silence about a feature is no denial.
    let said = |name: &str| json.get(name).is_some_and(|said| !said.is_null());
    let open = |name: &str| !given.contains(name);
    let Ok(config) = ServiceProviderConfig::deserialize(json) else { return };
    if said("patch") && !config.patch.supported && open("update") {
        dialect.update = UpdateMethod::Put;
    }
    if said("filter") && open("filter") {
        dialect.filter = config.filter.supported;
    }
    if said("etag") && open("etag") {
        dialect.etag = config.etag.supported;
    }
    // `/Bulk` is used only where the dialect says so; how much it takes the target knows best.
    if said("bulk") && open("bulk_operations") && config.bulk.max_operations > 0 {
        dialect.bulk_operations =
            usize::try_from(config.bulk.max_operations).unwrap_or(dialect.bulk_operations).min(MAX_BULK);
    }
    if said("bulk") && open("bulk_bytes") && config.bulk.max_payload_size > 0 {
        dialect.bulk_bytes = usize::try_from(config.bulk.max_payload_size).unwrap_or(dialect.bulk_bytes);
    }
    let pagination = config.pagination.unwrap_or_default();
    if said("pagination") && open("paging") && pagination.cursor && !pagination.index {
        dialect.paging = Paging::Cursor;
    }
    if open("page_size") {
        let advertised = pagination.max_page_size.filter(|size| *size > 0).unwrap_or(config.filter.max_results);
        if advertised > 0 {
            dialect.page_size = u32::try_from(advertised.min(MAX_PAGE)).unwrap_or(dialect.page_size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hinted(json: &str, given: &[&str]) -> Dialect {
        let mut dialect = Dialect::default();
        let given = given.iter().map(|name| (*name).to_owned()).collect();
        take_hints(&mut dialect, &serde_json::from_str(json).unwrap(), &given);
        dialect
    }

    #[test]
    fn hints_fill_what_the_dialect_leaves_open() {
        let json = r#"{"patch":{"supported":false},"filter":{"supported":false,"maxResults":5000},"etag":{"supported":true},
            "pagination":{"cursor":true,"index":false}}"#;
        let dialect = hinted(json, &[]);
        assert_eq!((dialect.update, dialect.paging, dialect.page_size), (UpdateMethod::Put, Paging::Cursor, 1_000));
        assert!(!dialect.filter && dialect.etag);
        let given = ["update", "filter", "etag", "paging", "page_size"];
        assert_eq!(hinted(json, &given), Dialect::default());
    }

    #[test]
    fn silence_is_no_denial() {
        for json in ["null", "[]", "{}", r#"{"patch":null}"#, r#""text""#] {
            assert_eq!(hinted(json, &[]), Dialect::default(), "{json}");
        }
    }
}
