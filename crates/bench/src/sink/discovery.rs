//! The three discovery documents (RFC 7644 §4), as short as a client can live with.

use serde_json::{Value, json};

use crate::people::user::{CORE, ENTERPRISE};

pub const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";

/// The document under a path, or None.
#[must_use]
pub fn document(path: &str, max_results: usize) -> Option<Value> {
    match path {
        "/ServiceProviderConfig" => Some(json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
            "patch": {"supported": true},
            "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
            "filter": {"supported": true, "maxResults": max_results},
            "changePassword": {"supported": false}, "sort": {"supported": false}, "etag": {"supported": false},
            "authenticationSchemes": [{"type": "oauthbearertoken", "name": "token", "description": "any token is accepted"}],
        })),
        "/ResourceTypes" => Some(list(vec![
            json!({"id": "User", "name": "User", "endpoint": "/Users", "schema": CORE,
                "schemaExtensions": [{"schema": ENTERPRISE, "required": false}]}),
            json!({"id": "Group", "name": "Group", "endpoint": "/Groups", "schema": GROUP}),
        ])),
        "/Schemas" => Some(list(vec![
            schema(
                CORE,
                "User",
                &[
                    "userName",
                    "externalId",
                    "displayName",
                    "nickName",
                    "title",
                    "userType",
                    "preferredLanguage",
                    "timezone",
                ],
                &[("name", &["formatted", "familyName", "givenName"])],
                &[
                    ("emails", &["type", "value"]),
                    ("phoneNumbers", &["type", "value"]),
                    ("addresses", &["type", "locality", "country"]),
                ],
            ),
            schema(
                ENTERPRISE,
                "EnterpriseUser",
                &["employeeNumber", "costCenter", "organization", "division", "department"],
                &[("manager", &["value"])],
                &[],
            ),
            schema(GROUP, "Group", &["displayName", "externalId"], &[], &[("members", &["value", "type"])]),
        ])),
        _ => None,
    }
}

fn list(resources: Vec<Value>) -> Value {
    json!({"schemas": [LIST], "totalResults": resources.len(), "startIndex": 1, "itemsPerPage": resources.len(), "Resources": resources})
}

type Complex<'a> = (&'a str, &'a [&'a str]);

fn schema(id: &str, name: &str, simple: &[&str], complex: &[Complex<'_>], lists: &[Complex<'_>]) -> Value {
    let attribute = |name: &str, kind: &str, multi: bool| {
        let key = matches!(name, "userName");
        json!({"name": name, "type": kind, "multiValued": multi, "required": key, "caseExact": false, "mutability": "readWrite",
            "returned": "default", "uniqueness": if key { "server" } else { "none" }})
    };
    let nested = |(name, subs): &Complex<'_>, multi| {
        let mut outer = attribute(name, "complex", multi);
        let mut inner: Vec<Value> = subs.iter().map(|s| attribute(s, "string", false)).collect();
        if matches!(*name, "emails") {
            inner.push(attribute("primary", "boolean", false));
        }
        outer["subAttributes"] = Value::Array(inner);
        outer
    };
    let mut attributes: Vec<Value> = simple.iter().map(|s| attribute(s, "string", false)).collect();
    if name == "User" {
        attributes.push(attribute("active", "boolean", false));
    }
    attributes.extend(complex.iter().map(|c| nested(c, false)));
    attributes.extend(lists.iter().map(|c| nested(c, true)));
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"], "id": id, "name": name, "attributes": attributes})
}
