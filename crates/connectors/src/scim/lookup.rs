//! Objects by the exact value of one attribute: how matching asks whether somebody is there already.
//!
//! Whoever is said to be absent is created, so absence has to be sure, and so has a match to be the only one. Targets that
//! ignore filters and return what they have are common enough to be looked out for every time (checklist C2): one object
//! in an answer that does not have the value is the proof, and then the others have to be seen as well.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use provost_connector::{ConnectorError, Context, ErrorCode, Scope};
use provost_model::filter::Filter;
use provost_model::{AttributePath, AttributeType, ObjectId, Record, Value};
use provost_scim::ResourceFilter;
use provost_scim::client::{ListAnswer, Paging};
use provost_scim::filter::Missing;

use super::find::short;
use super::members::Care;
use super::read::{by_id, get, list, page_size, with_filter, without_members};
use super::session::{Class, Target};
use super::wire::Query;

/// The most pages of an answer that are read for one value.
const MOST_PAGES: u64 = 10;

/// The most objects of an answer that are read by id because they do not show the attribute.
const MOST_READ: usize = 10;

/// The objects that have this value. Members are left out: a look-up asks who it is, not who belongs to it.
pub async fn lookup(
    cx: &Context,
    target: &Target,
    class: &Class,
    path: &AttributePath,
    value: &Value,
) -> Result<Vec<Record>, ConnectorError> {
    if path.is_plain() && path.name.eq_ignore_ascii_case("id") {
        let Some(id) = value.to_text() else { return Ok(Vec::new()) };
        let id = ObjectId::from(&*id);
        return Ok(Box::pin(get(cx, target, class, &id)).await?.into_iter().collect());
    }
    let page = list(cx, target, class, equality(target, class, path, value)?).await?;
    if page.records.is_empty() && page.next_cursor.is_none() && page.total_results.is_none_or(|total| total == 0) {
        return Ok(Vec::new());
    }
    // Apart, so that a look-up that finds nobody, of which there are most, does not carry the state of all this.
    let sought = Sought { cx, target, class, path, value, filter: equals(class, path, value) };
    Box::pin(sought.gather(page)).await
}

struct Sought<'a> {
    cx: &'a Context,
    target: &'a Target,
    class: &'a Class,
    path: &'a AttributePath,
    value: &'a Value,
    filter: Filter,
}

impl Sought<'_> {
    /// Reads on from the first page until it is sure that nobody else has the value.
    async fn gather(&self, first: ListAnswer) -> Result<Vec<Record>, ConnectorError> {
        let limit = page_size(self.target, 0) as u64;
        let mut seen = HashSet::new();
        let mut found = Vec::new();
        let mut cursor = None;
        let mut page = first;
        for at in 1.. {
            let received = page.records.len() as u64;
            page.records.retain(|record| seen.insert(record.id.clone()));
            let fresh = !page.records.is_empty();
            found.extend(self.having(page.records).await?);
            let (have, total) = (seen.len() as u64, page.total_results);
            let doubtful = self.class.ignores_filters.load(Ordering::Relaxed);
            let rest = total.is_some_and(|total| total > have);
            let by_cursor = page.next_cursor.is_some();
            let pages = self.target.dialect.paging == Paging::Index || received == 0;
            let more = by_cursor || (rest && (fresh || at == 1)) || (doubtful && fresh && pages);
            if !more {
                return match total {
                    Some(total) if rest && !doubtful => Err(short(self.class, total, have)),
                    // It repeats itself, and says nothing of how many there are.
                    None if doubtful && received > 0 && !fresh => Err(self.ignored()),
                    _ if rest => Err(self.ignored()),
                    _ => Ok(found),
                };
            }
            let far = total.is_some_and(|total| total > MOST_PAGES * limit);
            if at > MOST_PAGES || (doubtful && far) || (by_cursor && page.next_cursor == cursor) {
                return Err(if doubtful { self.ignored() } else { short(self.class, total.unwrap_or(have + 1), have) });
            }
            let query = equality(self.target, self.class, self.path, self.value)?.with("count", limit);
            let query = match &page.next_cursor {
                Some(next) => query.with("cursor", next),
                None => query.with("startIndex", have + 1),
            };
            cursor = page.next_cursor;
            page = list(self.cx, self.target, self.class, query).await?;
        }
        Ok(found)
    }

    /// The records that really have the value. One that has not proves that the target ignores filters, for good.
    async fn having(&self, records: Vec<Record>) -> Result<Vec<Record>, ConnectorError> {
        let bound = ResourceFilter::compile(&self.filter, &self.class.types, Missing::Refuse).ok();
        let mut having = Vec::new();
        let (mut strangers, mut read) = (0, 0);
        for mut record in records {
            if self.path.get(&record.attributes).is_none() && !self.fits(bound.as_ref(), &record) {
                read += 1;
                if read > MOST_READ {
                    return Err(self.ignored());
                }
                // The list may have left the attribute out.
                if let Some(whole) = by_id(self.cx, self.target, self.class, &record.id, Care::Usual).await? {
                    record = whole;
                }
            }
            if self.fits(bound.as_ref(), &record) {
                having.push(record);
            } else {
                strangers += 1;
            }
        }
        if strangers > 0 && !self.class.ignores_filters.swap(true, Ordering::Relaxed) {
            tracing::warn!(class = %self.class.name, attribute = %self.path, "the target ignores filters");
        }
        Ok(having)
    }

    fn fits(&self, bound: Option<&ResourceFilter>, record: &Record) -> bool {
        bound.is_some_and(|bound| bound.matches(&record.attributes))
            || has_text(self.class, self.path, self.value, record)
    }

    fn ignored(&self) -> ConnectorError {
        let path = self.path;
        ConnectorError::new(ErrorCode::NotSupported, format!("the target ignores filters on `{path}`"))
            .scope(Scope::Class)
            .at(path.to_string())
            .hint("match by another attribute, or set `filter: false` in `dialect` to match by reading everything")
    }
}

/// Whether the object has the value, compared as text and with letter case where the class has it: some targets send
/// numbers for texts, and some attributes no schema tells of.
pub fn has_text(class: &Class, path: &AttributePath, value: &Value, record: &Record) -> bool {
    let exact = class.schema.resolve(path).is_some_and(|attribute| attribute.case_exact);
    let Some(want) = value.to_text() else { return false };
    let is = |have: &Value| {
        let Some(have) = have.to_text() else { return false };
        *have == *want || (!exact && have.to_lowercase() == want.to_lowercase())
    };
    path.read(&record.attributes).is_some_and(|have| have.elements().iter().any(is))
}

/// The query for the objects that have a value.
fn equality(target: &Target, class: &Class, path: &AttributePath, value: &Value) -> Result<Query, ConnectorError> {
    let stands_for_itself = |text: &str| text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
    let kind = class.schema.resolve(path).map(|attribute| attribute.kind);
    match value {
        // The usual case, printed as the filter would be, without making one.
        Value::Text(text)
            if target.dialect.filter
                && path.filter.is_none()
                && !matches!(kind, Some(AttributeType::Boolean | AttributeType::Integer))
                && stands_for_itself(text) =>
        {
            let query = Query::new(&class.endpoint).with("filter", format_args!("{path} eq \"{text}\""));
            Ok(without_members(class, query))
        }
        _ => Ok(without_members(class, with_filter(target, class, &equals(class, path, value))?)),
    }
}

/// `path eq value` as the RFC writes it, with the value in the attribute's type. A value beside a selector goes into the
/// brackets: `emails[type eq "work" and value eq "x"]`.
fn equals(class: &Class, path: &AttributePath, value: &Value) -> Filter {
    let value = match (value, class.schema.resolve(path).map(|attribute| attribute.kind)) {
        (Value::Text(text), Some(AttributeType::Boolean)) if text.eq_ignore_ascii_case("true") => Value::Boolean(true),
        (Value::Text(text), Some(AttributeType::Boolean)) if text.eq_ignore_ascii_case("false") => {
            Value::Boolean(false)
        }
        (Value::Text(text), Some(AttributeType::Integer)) => {
            text.parse().map_or_else(|_| value.clone(), Value::Integer)
        }
        (Value::Text(_) | Value::Boolean(_), _) => value.clone(),
        (Value::Integer(_) | Value::Decimal(_), Some(AttributeType::Integer | AttributeType::Decimal)) => value.clone(),
        (other, _) => other.to_text().map_or_else(|| value.clone(), |text| Value::text(&*text)),
    };
    match (&path.filter, &path.sub) {
        (Some(selector), Some(sub)) => {
            let mut parts = match (**selector).clone() {
                Filter::And(parts) => parts,
                single => vec![single],
            };
            parts.push(Filter::eq(AttributePath::name(sub.clone()), value));
            let path = AttributePath { filter: None, sub: None, ..path.clone() };
            Filter::Each { path, filter: Box::new(Filter::And(parts)) }
        }
        _ => Filter::eq(path.clone(), value),
    }
}
