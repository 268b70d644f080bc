//! What targets answer, read tolerantly: the JSON is taken as it comes, whatever its content type (checklist C13).
//!
//! Numbers as texts, members in odd letter case, missing `meta`, `schemas` and `totalResults` are all accepted. What cannot
//! be read is an error that says so without showing the body.

use provost_model::{Attributes, ClassName, Record, Text, Value};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::ScimError;
use crate::resource::value::boolean;

/// One page of a list, as a target sent it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ListAnswer {
    /// In the order of the answer.
    pub records: Vec<Record>,
    /// None when the target does not say, or says nonsense.
    pub total_results: Option<u64>,
    /// Counted from 1.
    pub start_index: Option<u64>,
    /// As told; count the records instead.
    pub items_per_page: Option<u64>,
    /// None on the last page, and with index paging.
    pub next_cursor: Option<Text>,
}

/// The body of an error answer; every part may be missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ErrorAnswer {
    /// The status in the body where it is one, else the one of the answer.
    pub status: u16,
    /// As sent; see [`ErrorAnswer::is`].
    pub scim_type: Option<Text>,
    /// For people. May hold personal data: keep it out of logs.
    pub detail: Option<String>,
}

impl ErrorAnswer {
    /// Whether the body says this `scimType`, in any letter case.
    pub fn is(&self, scim_type: crate::ScimType) -> bool {
        self.scim_type.as_deref().is_some_and(|word| word.eq_ignore_ascii_case(scim_type.as_str()))
    }
}

/// One resource. `None` for an empty body, which some targets send with 200 and 201: read the object then.
pub fn parse_resource(body: &[u8], class: &ClassName) -> Result<Option<Record>, ScimError> {
    let body = trimmed(body);
    if body.is_empty() {
        return Ok(None);
    }
    let resource: Attributes = serde_json::from_slice(body).map_err(unreadable)?;
    record(resource, class).map(Some)
}

/// A ListResponse, or a bare list of resources.
pub fn parse_list(body: &[u8], class: &ClassName) -> Result<ListAnswer, ScimError> {
    let body = trimmed(body);
    // Most look-ups of a first cycle find nothing.
    if let Ok(Nothing { total_results: 0, start_index, items_per_page, .. }) = serde_json::from_slice(body) {
        return Ok(ListAnswer { total_results: Some(0), start_index, items_per_page, ..ListAnswer::default() });
    }
    let mut answer: Value = serde_json::from_slice(body).map_err(unreadable)?;
    let mut page = ListAnswer::default();
    let resources = match &mut answer {
        Value::List(resources) => std::mem::take(resources),
        Value::Complex(parts) => {
            page.total_results = number(parts.find("totalResults"));
            page.start_index = number(parts.find("startIndex"));
            page.items_per_page = number(parts.find("itemsPerPage"));
            page.next_cursor =
                parts.find("nextCursor").and_then(Value::as_text).filter(|c| !c.is_empty()).map(Text::from);
            match parts.remove("Resources") {
                Some(Value::List(resources)) => resources,
                None | Some(Value::Null) => {
                    // Without resources and without a total it is some other message, an error page perhaps.
                    if page.total_results.is_none() && page.items_per_page.is_none() {
                        return Err(not_a_list());
                    }
                    Vec::new()
                }
                Some(_) => return Err(not_a_list()),
            }
        }
        _ => return Err(not_a_list()),
    };
    page.records = resources
        .into_iter()
        .map(|resource| match resource {
            Value::Complex(resource) => record(resource, class),
            other => Err(ScimError::invalid_syntax(format!("the answer lists a resource that is {}", other.kind()))),
        })
        .collect::<Result<_, _>>()?;
    Ok(page)
}

/// An empty list in the RFC's very words, which needs no tree. Whatever else a target says is not read as this.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Nothing {
    #[serde(rename = "schemas")]
    _schemas: Option<IgnoredAny>,
    total_results: u64,
    start_index: Option<u64>,
    items_per_page: Option<u64>,
    #[serde(rename = "Resources")]
    _resources: Option<[IgnoredAny; 0]>,
}

/// An error body. Never fails: what is no SCIM error has at least the status it came with. Understands SCIM 1 (`Errors`),
/// OAuth (`error_description`) and the usual `message`.
pub fn parse_error(status: u16, body: &[u8]) -> ErrorAnswer {
    let mut answer = ErrorAnswer { status, ..ErrorAnswer::default() };
    let Ok(parts) = serde_json::from_slice::<Attributes>(trimmed(body)) else { return answer };
    let inner = match (parts.find("Errors"), parts.find("error")) {
        (Some(Value::List(errors)), _) => errors.first().and_then(Value::as_complex),
        (_, Some(Value::Complex(error))) => Some(error),
        _ => None,
    };
    let text = |name: &str| {
        let found = parts.find(name).or_else(|| inner.and_then(|inner| inner.find(name)));
        found.and_then(Value::as_text).map(str::trim).filter(|text| !text.is_empty())
    };
    let told = number(parts.find("status")).or_else(|| number(inner.and_then(|inner| inner.find("code"))));
    if let Some(told) = told.and_then(|told| u16::try_from(told).ok()).filter(|told| (400..600).contains(told)) {
        answer.status = told;
    }
    answer.scim_type = text("scimType").map(Text::from);
    answer.detail = ["detail", "description", "message", "error_description", "error"]
        .into_iter()
        .find_map(text)
        .map(str::to_owned);
    answer
}

fn record(mut resource: Attributes, class: &ClassName) -> Result<Record, ScimError> {
    let id = match resource.find("id") {
        Some(Value::Text(id)) if !id.is_empty() => id.clone(),
        Some(Value::Integer(id)) => id.to_string().into(),
        _ => return Err(ScimError::invalid_value("the answer has a resource without id")),
    };
    // Booleans as text, where every target means a boolean.
    for (name, value) in resource.iter_mut() {
        let flag = match value {
            Value::Text(text) if name.eq_ignore_ascii_case("active") => boolean(text),
            Value::List(elements) => {
                elements.iter_mut().for_each(primary_boolean);
                None
            }
            _ => None,
        };
        if let Some(flag) = flag {
            *value = Value::Boolean(flag);
        }
    }
    let meta = resource.find("meta").and_then(Value::as_complex);
    let etag = meta.and_then(|meta| meta.find("version")).and_then(Value::as_text).map(Text::from);
    resource.remove("schemas");
    Ok(Record { etag: etag.filter(|etag| !etag.is_empty()), attributes: resource, ..Record::new(class.clone(), id) })
}

fn primary_boolean(element: &mut Value) {
    if let Value::Complex(parts) = element
        && let Some(primary) = parts.find_mut("primary")
        && let Some(flag) = primary.as_text().and_then(boolean)
    {
        *primary = Value::Boolean(flag);
    }
}

fn number(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::Integer(number) => u64::try_from(*number).ok(),
        Value::Decimal(number) if *number >= 0.0 && number.fract() == 0.0 => Some(*number as u64),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Without byte order mark and blanks around.
fn trimmed(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii()
}

fn unreadable(error: serde_json::Error) -> ScimError {
    ScimError::invalid_syntax(format!("the answer is no JSON object: {error}"))
}

fn not_a_list() -> ScimError {
    ScimError::invalid_syntax("the answer is no list of resources")
}
