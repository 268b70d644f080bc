//! What a client asks for: the parameters of a GET, or the body of a POST to `.search` (RFC 7644 sections 3.4.2, 3.4.3).

use percent_encoding::percent_decode_str;
use provost_model::{AttributePath, Attributes, Filter, Text, Value};

use super::{Sort, SortOrder};
use crate::{Projection, ScimError, filter, urn};

/// A query before it is bound to a resource type.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    /// Parsed, not bound to a type.
    pub filter: Option<Filter>,
    /// `attributes` and `excludedAttributes`.
    pub projection: Projection,
    /// `sortBy` and `sortOrder`.
    pub sort: Option<Sort>,
    /// `startIndex` or `cursor`.
    pub page: Page,
    /// As sent; see [`Query::limit`].
    pub count: Option<i64>,
    /// All of it but the page and the count, as text: equal for queries that ask for the same (RFC 9865 section 2.1).
    pub identity: String,
}

/// Where a page starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// Counted from 1; what is below counts as 1.
    Index(u64),
    /// The cursor as the client sent it; empty for the first page (RFC 9865 section 2.1).
    Cursor(Text),
}

impl Default for Page {
    fn default() -> Self {
        Page::Index(1)
    }
}

impl Query {
    /// From the query string of an address, still encoded. `+` and `%20` are blanks, stray `&` and raw quotes do no harm,
    /// names match in any letter case, unknown ones are passed over.
    pub fn from_url(query: &str) -> Result<Self, ScimError> {
        let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let pairs = query.split('&').filter(|part| !part.is_empty()).map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(name), decode(value))
        });
        Self::from_pairs(pairs)
    }

    /// From decoded parameters. Of one that is given twice, the last counts.
    pub fn from_pairs<N: AsRef<str>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, ScimError> {
        let mut parts = Parts::default();
        for (name, value) in pairs {
            let value: String = value.into();
            match name.as_ref().to_ascii_lowercase().as_str() {
                "filter" => parts.filter = Some(value),
                "attributes" => parts.attributes = split(&value),
                "excludedattributes" => parts.excluded = split(&value),
                "sortby" => parts.sort_by = Some(value),
                "sortorder" => parts.sort_order = Some(value),
                "startindex" => parts.start_index = Some(number("startIndex", &Value::from(value))?),
                "count" => parts.count = Some(number("count", &Value::from(value))?),
                "cursor" => parts.cursor = Some(value.into()),
                _ => {}
            }
        }
        parts.finish()
    }

    /// From the body of a SearchRequest.
    pub fn from_json(body: &[u8]) -> Result<Self, ScimError> {
        let message: Attributes = serde_json::from_slice(body)
            .map_err(|error| ScimError::invalid_syntax(format!("no JSON object: {error}")))?;
        let is_search =
            |value: &Value| value.as_text().is_some_and(|urn| urn.eq_ignore_ascii_case(urn::SEARCH_REQUEST));
        if !message.find("schemas").and_then(Value::as_list).is_some_and(|urns| urns.iter().any(is_search)) {
            return Err(ScimError::invalid_syntax(format!("schemas does not hold {}", urn::SEARCH_REQUEST)));
        }
        let mut parts = Parts::default();
        for (name, value) in message {
            let text = value.as_text().map(str::to_owned);
            match (name.to_ascii_lowercase().as_str(), value) {
                (_, Value::Null) => {}
                ("filter", _) => parts.filter = Some(text.ok_or_else(|| not_text("filter"))?),
                ("attributes", value) => parts.attributes = names(&value),
                ("excludedattributes", value) => parts.excluded = names(&value),
                ("sortby", _) => parts.sort_by = Some(text.ok_or_else(|| not_text("sortBy"))?),
                ("sortorder", _) => parts.sort_order = text,
                ("startindex", value) => parts.start_index = Some(number("startIndex", &value)?),
                ("count", value) => parts.count = Some(number("count", &value)?),
                ("cursor", _) => parts.cursor = Some(text.ok_or_else(|| not_text("cursor"))?.into()),
                _ => {}
            }
        }
        parts.finish()
    }

    /// How many resources to return: `default` when the client did not say, never more than `max`, 0 for the total alone.
    pub fn limit(&self, default: u64, max: u64) -> u64 {
        self.count.map_or(default, |count| u64::try_from(count).unwrap_or(0)).min(max)
    }
}

#[derive(Default)]
struct Parts {
    filter: Option<String>,
    attributes: Vec<String>,
    excluded: Vec<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    start_index: Option<i64>,
    count: Option<i64>,
    cursor: Option<Text>,
}

impl Parts {
    fn finish(self) -> Result<Query, ScimError> {
        let identity = serde_json::json!([
            self.filter.as_deref().map_or("", str::trim),
            self.sort_by.as_deref().unwrap_or_default(),
            self.sort_order.as_deref().unwrap_or_default().to_ascii_lowercase(),
            self.attributes,
            self.excluded,
        ]);
        let identity = identity.to_string();
        let filter = self.filter.filter(|text| !text.trim().is_empty()).map(|text| filter::parse(&text)).transpose()?;
        let order = match self.sort_order {
            Some(word) if word.eq_ignore_ascii_case("descending") => SortOrder::Descending,
            _ => SortOrder::Ascending,
        };
        let sort = match self.sort_by.filter(|text| !text.trim().is_empty()) {
            Some(text) => {
                let by: AttributePath = crate::patch::parse_path(&text).map_err(|error| error.within("sortBy"))?;
                Some(Sort { by, order })
            }
            None => None,
        };
        let page = match self.cursor {
            Some(cursor) => Page::Cursor(cursor),
            None => Page::Index(self.start_index.map_or(1, |start| u64::try_from(start).unwrap_or(1).max(1))),
        };
        let projection =
            Projection::new(self.attributes.iter().map(String::as_str), self.excluded.iter().map(String::as_str))?;
        Ok(Query { filter, projection, sort, page, count: self.count, identity })
    }
}

fn split(text: &str) -> Vec<String> {
    text.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}

fn names(value: &Value) -> Vec<String> {
    match value {
        Value::List(names) => names.iter().filter_map(Value::as_text).map(str::to_owned).collect(),
        Value::Text(text) => split(text),
        _ => Vec::new(),
    }
}

/// A whole number, also as text; larger ones than 64 bits hold count as the largest.
fn number(name: &str, value: &Value) -> Result<i64, ScimError> {
    let found = match value {
        Value::Integer(number) => Some(*number),
        Value::Text(text) => {
            let digits = text.trim();
            let unsigned = digits.strip_prefix(['-', '+']).unwrap_or(digits);
            let whole = !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit());
            let largest = if digits.starts_with('-') { i64::MIN } else { i64::MAX };
            whole.then(|| digits.parse().unwrap_or(largest))
        }
        _ => None,
    };
    found.ok_or_else(|| ScimError::invalid_value(format!("{name} has to be a whole number")))
}

fn not_text(name: &str) -> ScimError {
    ScimError::invalid_value(format!("{name} has to be a string"))
}
