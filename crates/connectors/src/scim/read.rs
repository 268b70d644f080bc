//! Objects by id, by value, by filter; how many there are.
//!
//! Targets that ignore filters and return their first page are common enough to be checked every time: what does not have
//! the value is not returned, and absence is claimed only when the target can be believed (checklist C2).

use provost_connector::{ConnectorError, Context, Cursor, ErrorCode, FindRequest, Page, Scope};
use provost_model::filter::Filter;
use provost_model::{AttributePath, AttributeType, Incomplete, ObjectId, Operator, Record, Value};
use provost_scim::ResourceFilter;
use provost_scim::client::{ListAnswer, Paging, parse_list, parse_resource};
use provost_scim::filter::Missing;

use super::members::{Care, judge};
use super::refusal::{Asked, refused};
use super::session::{Class, Target};
use super::wire::{Query, object, unreadable};
use crate::http::{Call, Effect, Method, StatusCode};

/// One object with everything it has; `None` when the target does not have it.
pub async fn get(
    cx: &Context,
    target: &Target,
    class: &Class,
    id: &ObjectId,
) -> Result<Option<Record>, ConnectorError> {
    fetch(cx, target, class, id, Care::Usual).await
}

/// The same, with more or less care about whether members are all there.
pub async fn fetch(
    cx: &Context,
    target: &Target,
    class: &Class,
    id: &ObjectId,
    care: Care,
) -> Result<Option<Record>, ConnectorError> {
    let path = object(&class.endpoint, id);
    let call = Call::get(&path).prepared(&target.reading, None);
    let answer = target.client.send(cx, &call).await?;
    if !answer.is_success() {
        let error = refused(&target.client, &call, Asked::Object, answer);
        // 400 belongs to queries, and there is none: such targets mean an id that they do not know.
        let unknown = error.code == ErrorCode::NotFound || error.target_status == Some(400);
        return if unknown { Ok(None) } else { Err(error) };
    }
    let strange = |why: &str| ConnectorError::new(ErrorCode::Protocol, format!("{}: {why}", target.client.name(&call)));
    let record =
        parse_resource(&answer.body, &class.name).map_err(|error| unreadable(&target.client.name(&call), &error))?;
    let mut record = record.ok_or_else(|| strange("the answer is empty"))?;
    if record.id != *id {
        return Err(strange("the target answered with another object"));
    }
    note_members(target, class, true, &mut record);
    judge(cx, target, class, &mut record, care).await;
    Ok(Some(record))
}

/// One page of a list.
pub async fn list(cx: &Context, target: &Target, class: &Class, query: Query) -> Result<ListAnswer, ConnectorError> {
    let path;
    let searches = target.dialect.search && query.has_filter();
    let call = if searches {
        let (address, body) = query.into_search();
        path = address;
        let mut call = Call::new(Method::POST, &path).prepared(&target.writing, Some(body.into()));
        call.effect = Effect::Read;
        call
    } else {
        path = query.into_path();
        Call::get(&path).prepared(&target.reading, None)
    };
    let answer = target.client.send(cx, &call).await?;
    if !answer.is_success() {
        let error = refused(&target.client, &call, Asked::Class, answer);
        let no_search = searches && matches!(error.target_status, Some(404 | 405 | 501));
        return Err(if no_search {
            error.hint("set `search: false` in `dialect`: the target has no `.search`")
        } else {
            error
        });
    }
    // Some targets answer an empty list with nothing.
    if answer.status == StatusCode::NO_CONTENT {
        return Ok(ListAnswer { total_results: Some(0), ..ListAnswer::default() });
    }
    parse_list(&answer.body, &class.name).map_err(|error| unreadable(&target.client.name(&call), &error))
}

/// Says of a record what its members are: all, none, or not to be relied on.
pub fn note_members(target: &Target, class: &Class, asked_for: bool, record: &mut Record) {
    if !class.has_members || !asked_for || record.is_incomplete("members") {
        return;
    }
    if target.dialect.members_readable {
        // SCIM leaves out what is empty (RFC 7643 section 2.5); here it is known to be.
        if record.attributes.find("members").is_none() {
            record.attributes.push("members", Value::List(Vec::new()));
        }
        return;
    }
    let have = record.attributes.remove("members").as_ref().and_then(Value::as_list).map(|list| list.len() as u64);
    let reason = "the target does not return all members".into();
    record.incomplete.push(Incomplete { attribute: "members".into(), reason, have, total: None });
}

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
    if page.records.is_empty() {
        return Ok(Vec::new());
    }
    let filter = equals(class, path, value);
    let received = page.records.len() as u64;
    let (mut records, strangers) = keep_matching(class, &filter, path, value, page.records);
    let all_received = page.next_cursor.is_none() && page.total_results.is_none_or(|total| total <= received);
    if records.is_empty() && strangers > 0 && !all_received {
        return Err(ConnectorError::new(ErrorCode::NotSupported, format!("the target ignores filters on `{path}`"))
            .scope(Scope::Class)
            .at(path.to_string())
            .hint("match by another attribute, or set `filter: false` in `dialect` to match by reading everything"));
    }
    for record in &mut records {
        note_members(target, class, false, record);
    }
    Ok(records)
}

/// One page of the objects that satisfy a filter.
pub async fn find(cx: &Context, target: &Target, request: FindRequest) -> Result<Page, ConnectorError> {
    let class = target.class(&request.class)?;
    let refuse = |reason: String| ConnectorError::new(ErrorCode::NotSupported, reason);
    if !is_scim(&request.filter) {
        return Err(refuse(format!("SCIM targets cannot evaluate `{}`", operators(&request.filter))));
    }
    let bound = ResourceFilter::compile(&request.filter, &class.types, Missing::Refuse);
    if let (Err(error), false) = (&bound, class.schema.open) {
        return Err(refuse(format!("the filter does not fit class `{}`: {error}", class.name)));
    }
    let count = page_size(target, request.page_size);
    let mut query = with_filter(target, class, &request.filter, true)?.with("count", count);
    let at = request.cursor.as_ref().map(|cursor| cursor.0.as_str());
    let start: u64 = match (target.dialect.paging, at) {
        (Paging::Cursor, at) => {
            query = query.with("cursor", at.unwrap_or_default());
            1
        }
        (_, at) => {
            let start = at.and_then(|at| at.parse().ok()).unwrap_or(1);
            query = query.with("startIndex", start);
            start
        }
    };
    let page = list(cx, target, class, query).await?;
    let received = page.records.len() as u64;
    let next = match target.dialect.paging {
        Paging::Cursor => page.next_cursor.map(Cursor),
        Paging::None => None,
        Paging::Index => {
            let seen = start.saturating_sub(1) + received;
            let more = received > 0 && page.total_results.is_some_and(|total| seen < total);
            more.then(|| Cursor((seen + 1).to_string().into()))
        }
    };
    let mut records = page.records;
    if let Ok(bound) = bound {
        records.retain(|record| bound.matches(&record.attributes));
    }
    for record in &mut records {
        note_members(target, class, true, record);
    }
    Ok(Page { records, next })
}

/// How many objects the class has, by the target's own word.
pub async fn count(cx: &Context, target: &Target, class: &Class) -> Result<u64, ConnectorError> {
    let ask =
        |count: &str| without_members(class, Query::new(&class.endpoint)).with("startIndex", "1").with("count", count);
    let total = match list(cx, target, class, ask("0")).await {
        Ok(page) => page.total_results,
        // Entra ID's own server refuses to count without reading.
        Err(error) if error.target_status == Some(400) => list(cx, target, class, ask("1")).await?.total_results,
        Err(error) => return Err(error),
    };
    total.ok_or_else(|| {
        ConnectorError::new(
            ErrorCode::NotSupported,
            format!("the target does not say how many objects class `{}` has", class.name),
        )
    })
}

/// Objects per page: what the caller wants, within what the target takes.
pub fn page_size(target: &Target, wanted: usize) -> usize {
    let limit = (target.dialect.page_size as usize).max(1);
    if wanted == 0 { limit } else { wanted.min(limit) }
}

/// The query without members, for classes that have them: a hundred thousand are not read by the way.
pub fn without_members(class: &Class, query: Query) -> Query {
    if class.has_members { query.with("excludedAttributes", "members") } else { query }
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
        _ => with_filter(target, class, &equals(class, path, value), false),
    }
}

fn with_filter(target: &Target, class: &Class, filter: &Filter, members: bool) -> Result<Query, ConnectorError> {
    let missing = |what: &str| {
        ConnectorError::new(ErrorCode::NotSupported, format!("the target does not understand {what}"))
            .scope(Scope::Class)
    };
    if !target.dialect.filter {
        return Err(missing("filters"));
    }
    if !target.dialect.filter_and && has_and(filter) {
        return Err(missing("filters with `and`"));
    }
    if target.dialect.filter_terms > 0 && terms(filter) > target.dialect.filter_terms {
        return Err(missing(&format!("filters of more than {} terms", target.dialect.filter_terms)));
    }
    let query = Query::new(&class.endpoint).with("filter", filter);
    Ok(if members { query } else { without_members(class, query) })
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

/// The records that really have the value, and how many do not.
fn keep_matching(
    class: &Class,
    filter: &Filter,
    path: &AttributePath,
    value: &Value,
    mut records: Vec<Record>,
) -> (Vec<Record>, usize) {
    let received = records.len();
    match ResourceFilter::compile(filter, &class.types, Missing::Refuse) {
        Ok(bound) => records.retain(|record| bound.matches(&record.attributes)),
        // An attribute that no schema tells of: compared as text, without regard to case, as SCIM does by default.
        Err(_) => records.retain(|record| {
            let have = path.get(&record.attributes).and_then(Value::to_text);
            have.zip(value.to_text()).is_some_and(|(have, want)| have.eq_ignore_ascii_case(&want))
        }),
    }
    let strangers = received - records.len();
    (records, strangers)
}

fn terms(filter: &Filter) -> usize {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().map(terms).sum(),
        Filter::Not(inner) | Filter::Each { filter: inner, .. } => terms(inner),
        Filter::Term(_) => 1,
    }
}

fn has_and(filter: &Filter) -> bool {
    match filter {
        Filter::And(_) => true,
        Filter::Or(parts) => parts.iter().any(has_and),
        Filter::Not(inner) | Filter::Each { filter: inner, .. } => has_and(inner),
        Filter::Term(_) => false,
    }
}

/// Whether only operators of RFC 7644 are used.
fn is_scim(filter: &Filter) -> bool {
    use Operator::*;
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().all(is_scim),
        Filter::Not(inner) | Filter::Each { filter: inner, .. } => is_scim(inner),
        Filter::Term(term) => matches!(term.op, Eq | Ne | Co | Sw | Ew | Gt | Ge | Lt | Le | Pr),
    }
}

/// The first operator that SCIM does not have.
fn operators(filter: &Filter) -> &'static str {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().find(|part| !is_scim(part)).map_or("", operators),
        Filter::Not(inner) | Filter::Each { filter: inner, .. } => operators(inner),
        Filter::Term(term) => term.op.as_str(),
    }
}
