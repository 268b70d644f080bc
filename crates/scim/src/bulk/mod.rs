//! Bulk requests (RFC 7644 section 3.7): what one says, in which order its operations are done, and what `bulkId:` stands
//! for. Who does the operations is the service's affair.
//!
//! An operation that cannot be read is the failure of that operation alone; what is wrong with the request as a whole is an
//! error. Start with [`BulkRequest::from_json`], then [`Order`].

mod order;
mod reference;

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use provost_model::{Attributes, Text, Value};
use serde::Serialize;
use serde::ser::SerializeMap;

pub use order::{Order, Step};
pub use reference::{Made, resolve, split_off};

use crate::{Registry, ScimError, urn};

/// What a reference to the result of a POST begins with.
pub const PREFIX: &str = "bulkId:";

/// A bulk request.
#[derive(Debug, Clone)]
pub struct BulkRequest {
    /// After so many errors the rest is not done; none for never.
    pub fail_on_errors: Option<u64>,
    /// In the order of the request.
    pub operations: Vec<BulkOperation>,
}

/// One operation, as far as it could be read.
#[derive(Debug, Clone)]
pub struct BulkOperation {
    /// As it was sent, for the answer.
    pub method: Text,
    /// The client's name for the operation; for a POST, also for what it makes.
    pub bulk_id: Option<Text>,
    /// What to do, or why that cannot be told.
    pub what: Result<BulkAction, ScimError>,
    /// The bulkIds that its path and its data refer to.
    pub references: BTreeSet<Text>,
}

/// What an operation is to do.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkAction {
    /// As in HTTP.
    pub method: BulkMethod,
    /// `Users`
    pub endpoint: Text,
    /// Empty for a POST. Perhaps a reference, `bulkId:x`.
    pub id: Text,
    /// The versions of which the resource has to have one, as in `If-Match`.
    pub version: Option<Text>,
    /// Empty for a DELETE.
    pub data: Attributes,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkMethod {
    /// Makes a resource.
    Post,
    /// Replaces one.
    Put,
    /// Changes one.
    Patch,
    /// Deletes one.
    Delete,
}

/// What became of one operation.
#[derive(Debug, Clone)]
pub struct BulkResult {
    /// As it was sent.
    pub method: Text,
    /// As it was sent.
    pub bulk_id: Option<Text>,
    /// The resource's address; none for a POST that failed.
    pub location: Option<String>,
    /// The resource's entity tag.
    pub version: Option<String>,
    /// The status, or why it was not done.
    pub outcome: Result<u16, ScimError>,
}

impl BulkRequest {
    /// From a request's body. Fails with `invalidSyntax` for what is no BulkRequest, and with 413 for more operations than
    /// `max_operations`: nothing of those is done. The types tell where a reference may stand.
    pub fn from_json(body: &[u8], max_operations: usize, types: &Registry) -> Result<Self, ScimError> {
        let mut message: Attributes = serde_json::from_slice(body)
            .map_err(|error| ScimError::invalid_syntax(format!("the body is no JSON object: {error}")))?;
        let is_bulk = |value: &Value| value.as_text().is_some_and(|text| text.eq_ignore_ascii_case(urn::BULK_REQUEST));
        if !message.find("schemas").and_then(Value::as_list).is_some_and(|urns| urns.iter().any(is_bulk)) {
            return Err(ScimError::invalid_syntax(format!("schemas does not hold {}", urn::BULK_REQUEST)));
        }
        let fail_on_errors = match message.find("failOnErrors") {
            None | Some(Value::Null) => None,
            Some(Value::Integer(count)) if *count > 0 => u64::try_from(*count).ok(),
            Some(_) => return Err(ScimError::invalid_value("failOnErrors has to be a whole number above 0")),
        };
        let Some(Value::List(operations)) = message.remove("Operations") else {
            return Err(ScimError::invalid_syntax("Operations has to be a list"));
        };
        if operations.len() > max_operations {
            return Err(ScimError::status(
                413,
                format!("the request has {} operations; maxOperations is {max_operations}", operations.len()),
            ));
        }
        let mut operations: Vec<BulkOperation> = operations.into_iter().map(|each| operation(each, types)).collect();
        let mut named = BTreeSet::new();
        for operation in operations.iter_mut().filter(|operation| operation.is_post()) {
            if let Some(id) = &operation.bulk_id
                && !named.insert(id.clone())
            {
                operation.what = Err(ScimError::invalid_value(format!("the bulkId {id} stands there a second time")));
                operation.references.clear();
            }
        }
        Ok(Self { fail_on_errors, operations })
    }
}

impl BulkOperation {
    fn is_post(&self) -> bool {
        self.what.as_ref().is_ok_and(|what| what.method == BulkMethod::Post)
    }
}

fn operation(value: Value, types: &Registry) -> BulkOperation {
    let Value::Complex(mut parts) = value else {
        let what = Err(ScimError::invalid_syntax("an operation has to be an object"));
        return BulkOperation { method: Text::default(), bulk_id: None, what, references: BTreeSet::new() };
    };
    let text = |parts: &Attributes, name: &str| parts.find(name).and_then(Value::as_text).map(Text::from);
    let method = text(&parts, "method").unwrap_or_default();
    let bulk_id = text(&parts, "bulkId").filter(|id| !id.is_empty());
    let mut what = action(&method, bulk_id.is_some(), &mut parts);
    let references = what.as_mut().map_or_else(|_| BTreeSet::new(), |action| references(types, action));
    BulkOperation { method, bulk_id, what, references }
}

fn references(types: &Registry, action: &mut BulkAction) -> BTreeSet<Text> {
    let mut found = match types.by_endpoint(&action.endpoint) {
        Some(types) => reference::references(types, action),
        None => BTreeSet::new(),
    };
    found.extend(action.id.strip_prefix(PREFIX).map(Text::from));
    found
}

fn action(method: &str, named: bool, parts: &mut Attributes) -> Result<BulkAction, ScimError> {
    let methods = [
        ("POST", BulkMethod::Post),
        ("PUT", BulkMethod::Put),
        ("PATCH", BulkMethod::Patch),
        ("DELETE", BulkMethod::Delete),
    ];
    let method = methods.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(method));
    let method = method.ok_or_else(|| ScimError::invalid_syntax("method has to be POST, PUT, PATCH or DELETE"))?.1;
    let path = parts.find("path").and_then(Value::as_text).unwrap_or_default();
    // A part of an address, encoded as one.
    let decode = |segment: &str| Text::from(&*percent_decode_str(segment).decode_utf8_lossy());
    let mut segments = path.split('/').filter(|segment| !segment.is_empty()).map(decode);
    let (endpoint, id) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    let wanted = match method {
        BulkMethod::Post => "/Users",
        _ => "/Users/ID",
    };
    if endpoint.is_empty() || segments.next().is_some() || (method == BulkMethod::Post) != id.is_empty() {
        return Err(ScimError::invalid_path(format!("path has to be relative to the base address, such as {wanted}")));
    }
    if method == BulkMethod::Post && !named {
        return Err(ScimError::invalid_value("a POST needs a bulkId"));
    }
    let version = match parts.find("version") {
        None | Some(Value::Null) => None,
        Some(Value::Text(version)) => Some(version.clone()),
        // A condition that cannot be read is no reason to write without one.
        Some(other) => {
            let found = other.kind();
            return Err(ScimError::invalid_value(format!("version has to be a text such as W/\"3\", found {found}")));
        }
    };
    let data = match parts.remove("data") {
        Some(Value::Complex(data)) => data,
        None | Some(Value::Null) if method == BulkMethod::Delete => Attributes::new(),
        _ if method == BulkMethod::Delete => Attributes::new(),
        _ => return Err(ScimError::invalid_syntax("data has to be an object")),
    };
    Ok(BulkAction { method, endpoint, id, version, data })
}

impl Serialize for BulkResult {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(location) = &self.location {
            map.serialize_entry("location", location)?;
        }
        map.serialize_entry("method", &self.method)?;
        if let Some(bulk_id) = &self.bulk_id {
            map.serialize_entry("bulkId", bulk_id)?;
        }
        if let Some(version) = &self.version {
            map.serialize_entry("version", version)?;
        }
        match &self.outcome {
            Ok(status) => map.serialize_entry("status", &status.to_string())?,
            Err(error) => {
                map.serialize_entry("status", &error.status.to_string())?;
                let body: serde_json::Value = serde_json::from_slice(&error.to_json()).unwrap_or_default();
                map.serialize_entry("response", &body)?;
            }
        }
        map.end()
    }
}

/// The body of the answer.
pub fn response(results: &[BulkResult]) -> Vec<u8> {
    let body = serde_json::json!({ "schemas": [urn::BULK_RESPONSE], "Operations": results });
    body.to_string().into_bytes()
}

#[cfg(test)]
mod tests;
