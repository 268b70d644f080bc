//! The service as an OpenAPI 3.1 document, made of the resource types that it has: for generators of clients and for testers.
//!
//! Schemas say what answers look like. Requests may say less and more: names in any letter case, what is unknown is left out.

use provost_model::{AttributeType, Mutability};
use provost_scim::schema::{Attribute, Returned};
use provost_scim::{TypeSchema, urn};
use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::collection::MAX_RESULTS;
use super::request::Request;

const MEDIA: &str = "application/scim+json";

/// Errors that any request may get.
const ANYWHERE: [(&str, &str); 6] = [
    ("400", "The request cannot be understood; `scimType` says how"),
    ("401", "No token, or none that works"),
    ("403", "The token does not allow it"),
    ("413", "The body is too large"),
    ("429", "More requests than the token may send"),
    ("503", "The store does not answer now"),
];

pub(super) fn answer(request: &Request<'_>) -> Answer {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for types in request.registry().types() {
        describe(types, &mut paths);
        schemas.insert(types.name().to_owned(), resource(types));
        schemas.insert(format!("{}Input", types.name()), input(types));
        let list = list_of(json!({ "$ref": reference(types.name()) }));
        schemas.insert(format!("{}List", types.name()), list);
    }
    service(&mut paths);
    schemas.insert("Error".into(), error());
    schemas.insert("List".into(), list_of(json!({ "type": "object" })));
    schemas.insert("Patch".into(), patch());
    schemas.insert("Search".into(), search());
    schemas.insert("BulkRequest".into(), bulk_request());
    schemas.insert("BulkResponse".into(), bulk_response());
    let document = json!({
        "openapi": "3.1.0",
        "info": { "title": "Provost: SCIM 2.0", "version": "2.0", "description": "RFC 7643, RFC 7644, RFC 9865" },
        "servers": [{ "url": request.base }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    });
    Answer::json(200, document.to_string().into_bytes())
}

fn reference(name: &str) -> String {
    format!("#/components/schemas/{name}")
}

/// The paths of one resource type.
fn describe(types: &TypeSchema, paths: &mut Map<String, Value>) {
    let (name, endpoint) = (types.name(), types.resource_type.endpoint.as_str());
    let one = reference(name);
    let list = reference(&format!("{name}List"));
    let body = body(&reference(&format!("{name}Input")));
    let mut create = operation(
        &format!("create{name}"),
        &projection(),
        Some(&body),
        &[("201", "Made", Some(&one)), ("409", "A unique value is taken", None), ("415", "Another media type", None)],
    );
    let link =
        |what: &str| json!({ "operationId": format!("{what}{name}"), "parameters": { "id": "$response.body#/id" } });
    create["responses"]["201"]["links"] =
        ["get", "replace", "patch", "delete"].into_iter().map(|what| (what.to_owned(), link(what))).collect();
    let read = operation(&format!("list{name}"), &query(), None, &[("200", "A page", Some(&list))]);
    paths.insert(endpoint.to_owned(), json!({ "get": read, "post": create }));
    paths.insert(
        format!("{endpoint}/.search"),
        json!({ "post": operation(&format!("search{name}"), &[], Some(&self::body(&reference("Search"))),
            &[("200", "A page", Some(&list)), ("415", "Another media type", None)]) }),
    );
    let id = json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } });
    let with = |more: &[Value]| [std::slice::from_ref(&id), more].concat();
    let none: (&str, &str, Option<&str>) = ("404", "Not there", None);
    let moved: (&str, &str, Option<&str>) = ("412", "The version is another one", None);
    let media: (&str, &str, Option<&str>) = ("415", "Another media type", None);
    let clash: (&str, &str, Option<&str>) = ("409", "A unique value is taken", None);
    let guarded = with(&[projection(), vec![header("If-Match")]].concat());
    let patch = self::body(&reference("Patch"));
    paths.insert(
        format!("{endpoint}/{{id}}"),
        json!({
            "get": operation(&format!("get{name}"), &with(&[projection(), vec![header("If-None-Match")]].concat()), None,
                &[("200", "The resource", Some(&one)), ("304", "As it was", None), none]),
            "put": operation(&format!("replace{name}"), &guarded, Some(&body),
                &[("200", "Replaced", Some(&one)), none, clash, moved, media]),
            "patch": operation(&format!("patch{name}"), &guarded, Some(&patch),
                &[("200", "Changed", Some(&one)), ("204", "Changed", None), none, clash, moved, media]),
            "delete": operation(&format!("delete{name}"), &with(&[header("If-Match")]), None,
                &[("204", "Deleted", None), none, moved]),
        }),
    );
}

/// The paths of the service itself.
fn service(paths: &mut Map<String, Value>) {
    let list = reference("List");
    let media: (&str, &str, Option<&str>) = ("415", "Another media type", None);
    let any: Value = json!({ "type": "object" });
    let object = |description: &str| json!({ "description": description, "content": { MEDIA: { "schema": any } } });
    for (path, name) in [("/ServiceProviderConfig", "config"), ("/ResourceTypes", "types"), ("/Schemas", "schemas")] {
        let mut get = operation(name, &[], None, &[]);
        get["responses"]["200"] = object("What the service can do");
        paths.insert(path.to_owned(), json!({ "get": get }));
    }
    for (path, name) in [("/ResourceTypes/{id}", "type"), ("/Schemas/{id}", "schema")] {
        let id =
            json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } });
        let mut get = operation(name, &[id], None, &[("404", "Not there", None)]);
        get["responses"]["200"] = object("One of them");
        paths.insert(path.to_owned(), json!({ "get": get }));
    }
    paths.insert("/".to_owned(), json!({ "get": operation("all", &query(), None, &[("200", "A page", Some(&list))]) }));
    paths.insert(
        "/.search".to_owned(),
        json!({ "post": operation("search", &[], Some(&body(&reference("Search"))),
            &[("200", "A page", Some(&list)), media]) }),
    );
    paths.insert(
        "/Bulk".to_owned(),
        json!({ "post": operation("bulk", &[], Some(&body(&reference("BulkRequest"))),
            &[("200", "What became of each operation", Some(&reference("BulkResponse"))), media]) }),
    );
    paths.insert(
        "/Me".to_owned(),
        json!({ "get": operation("me", &[], None, &[("308", "Where the user is", None), ("404", "Nobody", None)]) }),
    );
}

fn operation(name: &str, parameters: &[Value], body: Option<&Value>, answers: &[(&str, &str, Option<&str>)]) -> Value {
    let mut responses = Map::new();
    for (status, description) in ANYWHERE {
        responses.insert(status.to_owned(), problem(description));
    }
    for (status, description, schema) in answers {
        let answer = match schema {
            Some(schema) => {
                json!({ "description": description, "content": { MEDIA: { "schema": { "$ref": schema } } } })
            }
            None if status.starts_with(['2', '3']) => json!({ "description": description }),
            None => problem(description),
        };
        responses.insert((*status).to_owned(), answer);
    }
    let mut operation = json!({ "operationId": name, "responses": responses });
    if !parameters.is_empty() {
        operation["parameters"] = json!(parameters);
    }
    if let Some(body) = body {
        operation["requestBody"] = body.clone();
    }
    operation
}

fn problem(description: &str) -> Value {
    json!({ "description": description, "content": { MEDIA: { "schema": { "$ref": reference("Error") } } } })
}

fn body(schema: &str) -> Value {
    let content = json!({ "schema": { "$ref": schema } });
    json!({ "required": true, "content": { MEDIA: content, "application/json": content } })
}

fn header(name: &str) -> Value {
    json!({ "name": name, "in": "header", "schema": { "type": "string" } })
}

fn parameter(name: &str, kind: &str) -> Value {
    json!({ "name": name, "in": "query", "schema": { "type": kind } })
}

fn projection() -> Vec<Value> {
    vec![parameter("attributes", "string"), parameter("excludedAttributes", "string")]
}

fn query() -> Vec<Value> {
    let mut all = projection();
    all.extend(["filter", "sortBy", "sortOrder", "cursor"].map(|name| parameter(name, "string")));
    all.extend(["startIndex", "count"].map(|name| parameter(name, "integer")));
    all
}

fn resource(types: &TypeSchema) -> Value {
    let mut properties = Map::new();
    properties.insert("schemas".into(), json!({ "type": "array", "items": { "type": "string" } }));
    properties.insert("id".into(), json!({ "type": "string", "readOnly": true }));
    properties.insert("externalId".into(), json!({ "type": "string" }));
    properties.insert("meta".into(), json!({ "type": "object", "readOnly": true }));
    for attribute in &types.core.attributes {
        properties.insert(attribute.name.to_string(), schema_of(attribute));
    }
    for extension in &types.extensions {
        let inner: Map<String, Value> =
            extension.schema.attributes.iter().map(|each| (each.name.to_string(), schema_of(each))).collect();
        properties.insert(extension.schema.id.to_string(), json!({ "type": "object", "properties": inner }));
    }
    json!({ "type": "object", "required": ["schemas"], "properties": properties })
}

/// The least that a POST or PUT says.
fn input(types: &TypeSchema) -> Value {
    let mut schema = resource(types);
    schema["properties"]["schemas"] = json!({ "const": [types.core.id] });
    let required = types.core.attributes.iter().filter(|each| each.required).map(|each| each.name.as_str());
    schema["required"] = std::iter::once("schemas").chain(required).collect();
    schema
}

fn schema_of(attribute: &Attribute) -> Value {
    let mut schema = match attribute.kind {
        AttributeType::Boolean => json!({ "type": "boolean" }),
        AttributeType::Integer => json!({ "type": "integer" }),
        AttributeType::Decimal => json!({ "type": "number" }),
        AttributeType::DateTime => json!({ "type": "string", "format": "date-time" }),
        AttributeType::Complex => {
            let parts = &attribute.sub_attributes;
            let parts: Map<String, Value> = parts.iter().map(|each| (each.name.to_string(), schema_of(each))).collect();
            json!({ "type": "object", "properties": parts })
        }
        _ => json!({ "type": "string" }),
    };
    if attribute.multi_valued {
        schema = json!({ "type": "array", "items": schema });
    }
    if !attribute.description.is_empty() {
        schema["description"] = json!(attribute.description);
    }
    if attribute.mutability == Mutability::ReadOnly {
        schema["readOnly"] = json!(true);
    }
    if attribute.mutability == Mutability::WriteOnly || attribute.returned == Returned::Never {
        schema["writeOnly"] = json!(true);
    }
    schema
}

fn list_of(element: Value) -> Value {
    json!({
        "type": "object",
        "required": ["schemas", "Resources"],
        "properties": {
            "schemas": { "const": [urn::LIST_RESPONSE] },
            "totalResults": { "type": "integer", "minimum": 0 },
            "startIndex": { "type": "integer", "minimum": 1 },
            "itemsPerPage": { "type": "integer", "minimum": 0, "maximum": MAX_RESULTS },
            "nextCursor": { "type": "string" },
            "Resources": { "type": "array", "items": element },
        },
    })
}

fn error() -> Value {
    json!({
        "type": "object",
        "required": ["schemas", "status"],
        "properties": {
            "schemas": { "const": [urn::ERROR] },
            "status": { "type": "string", "pattern": "^[45][0-9][0-9]$" },
            "scimType": { "type": "string" },
            "detail": { "type": "string" },
        },
    })
}

fn patch() -> Value {
    json!({
        "type": "object",
        "required": ["schemas", "Operations"],
        "properties": {
            "schemas": { "const": [urn::PATCH_OP] },
            "Operations": { "type": "array", "minItems": 1, "items": {
                "type": "object",
                "required": ["op"],
                "properties": {
                    "op": { "enum": ["add", "remove", "replace"] },
                    "path": { "type": "string" },
                    "value": {},
                },
            } },
        },
    })
}

fn search() -> Value {
    let text = json!({ "type": "string" });
    let names = json!({ "type": "array", "items": text });
    json!({
        "type": "object",
        "required": ["schemas"],
        "properties": {
            "schemas": { "const": [urn::SEARCH_REQUEST] },
            "attributes": names, "excludedAttributes": names,
            "filter": text, "sortBy": text, "cursor": text,
            "sortOrder": { "enum": ["ascending", "descending"] },
            "startIndex": { "type": "integer" }, "count": { "type": "integer" },
        },
    })
}

fn bulk_request() -> Value {
    json!({
        "type": "object",
        "required": ["schemas", "Operations"],
        "properties": {
            "schemas": { "const": [urn::BULK_REQUEST] },
            "failOnErrors": { "type": "integer", "minimum": 1 },
            "Operations": { "type": "array", "items": {
                "type": "object",
                "required": ["method", "path"],
                "properties": {
                    "method": { "enum": ["POST", "PUT", "PATCH", "DELETE"] },
                    "bulkId": { "type": "string" },
                    "version": { "type": "string" },
                    "path": { "type": "string" },
                    "data": { "type": "object" },
                },
            } },
        },
    })
}

fn bulk_response() -> Value {
    json!({
        "type": "object",
        "required": ["schemas", "Operations"],
        "properties": {
            "schemas": { "const": [urn::BULK_RESPONSE] },
            "Operations": { "type": "array", "items": {
                "type": "object",
                "required": ["method", "status"],
                "properties": {
                    "location": { "type": "string" },
                    "method": { "type": "string" },
                    "bulkId": { "type": "string" },
                    "version": { "type": "string" },
                    "status": { "type": "string" },
                    "response": { "$ref": reference("Error") },
                },
            } },
        },
    })
}
