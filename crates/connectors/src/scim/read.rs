//! Objects by id and pages of lists, and what such answers say of members.
//!
//! What a list leaves out is not known to be empty: many targets show members by id alone. Only reading by id tells, and
//! where the schema says that an attribute comes on request, only an answer that names it. Questions for a value are in
//! `lookup` and `find`, those for how many there are in `count`.

use futures_util::{StreamExt, stream};
use provost_connector::layers::RetryPolicy;
use provost_connector::{ConnectorError, Context, ErrorCode, Scope};
use provost_model::filter::Filter;
use provost_model::{Incomplete, ObjectId, Record, Text, Value};
use provost_scim::client::{ListAnswer, parse_list, parse_resource};

use super::members::{Care, judge};
use super::refusal::{Asked, refused};
use super::session::{Class, Target};
use super::wire::{Query, object, unreadable};
use super::write::etag;
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
    match by_id(cx, target, class, id, care).await {
        // 400 belongs to queries, and there is none: such targets mean an id that they do not know.
        Err(error) if error.target_status == Some(400) => Ok(None),
        result => result,
    }
}

/// The same for an id that the target has just told: 400 is an error then.
pub async fn by_id(
    cx: &Context,
    target: &Target,
    class: &Class,
    id: &ObjectId,
    care: Care,
) -> Result<Option<Record>, ConnectorError> {
    let Some(mut record) = ask(cx, target, class, id, None).await? else { return Ok(None) };
    let hidden: Vec<&Text> = class
        .on_request
        .iter()
        .filter(|(_, path)| path.get(&record.attributes).is_none())
        .map(|(name, _)| name)
        .collect();
    if !hidden.is_empty() {
        let names = hidden.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(",");
        match ask(cx, target, class, id, Some(&names)).await {
            Ok(Some(more)) => {
                for (_, path) in class.on_request.iter().filter(|(name, _)| hidden.contains(&name)) {
                    if let Some(value) = path.get(&more.attributes) {
                        path.put(&mut record.attributes, value.clone());
                    }
                }
            }
            Ok(None) => return Ok(None),
            Err(error) if error.scope == Scope::Job => return Err(error),
            Err(error) => {
                for name in hidden {
                    record.incomplete.push(Incomplete {
                        attribute: name.clone(),
                        reason: format!("the target shows it on request alone, and refused that: {error}").into(),
                        have: None,
                        total: None,
                    });
                }
            }
        }
    }
    let shown = shows_members(&record);
    note_members(target, class, true, &mut record);
    judge(cx, target, class, &mut record, care).await;
    if !shown && care == Care::Full && !record.is_incomplete("members") {
        // Whoever writes the object back does not send a list that nobody has seen.
        record.attributes.remove("members");
    }
    Ok(Some(record))
}

/// One object as the target answers, all of it or some of its attributes.
async fn ask(
    cx: &Context,
    target: &Target,
    class: &Class,
    id: &ObjectId,
    attributes: Option<&str>,
) -> Result<Option<Record>, ConnectorError> {
    let mut query = Query::new(&object(&class.endpoint, id));
    if let Some(attributes) = attributes {
        query = query.with("attributes", attributes);
    }
    let path = query.into_path();
    let call = Call::get(&path).prepared(&target.reading, None);
    let answer = target.client.send(cx, &call).await?;
    if !answer.is_success() {
        let error = refused(&target.client, &call, Asked::Object, answer);
        return if error.code == ErrorCode::NotFound { Ok(None) } else { Err(error) };
    }
    // It concerns this object; others may be answered well.
    let strange = |why: &str| {
        ConnectorError::new(ErrorCode::Protocol, format!("{}: {why}", target.client.name(&call))).scope(Scope::Item)
    };
    let record =
        parse_resource(&answer.body, &class.name).map_err(|error| unreadable(&target.client.name(&call), &error))?;
    let mut record = record.ok_or_else(|| strange("the answer is empty"))?;
    if !record.id.eq_ignore_ascii_case(id) {
        return Err(strange("the target answered with another object"));
    }
    // Some write their own ids in another letter case than they were asked for.
    record.id = id.clone();
    record.etag = record.etag.or_else(|| etag(target, &answer));
    Ok(Some(record))
}

/// What became of reading the objects of a list by their ids.
#[derive(Default)]
pub struct Reread {
    pub records: Vec<Record>,
    /// Those that cannot be read, with the reason.
    pub left_out: Vec<(ObjectId, ConnectorError)>,
    /// How many are not there any more.
    pub gone: u64,
}

/// Reads by id what a list does not tell: every object where lists are not whole, else those without the members that
/// were asked for.
pub async fn reread(
    cx: &Context,
    target: &Target,
    class: &Class,
    members: bool,
    records: Vec<Record>,
) -> Result<Reread, ConnectorError> {
    let hides = |record: &Record| members && class.has_members && !shows_members(record);
    let whole = target.dialect.lists_whole;
    let reads = records.into_iter().map(|record| async move {
        if whole && !hides(&record) {
            return (record, None);
        }
        // What has to be read within a page is asked for again here: the page as a whole could not be.
        let read = RetryPolicy::default().repeat(cx, || by_id(cx, target, class, &record.id, Care::Usual)).await;
        (record, Some(read))
    });
    let mut reads = stream::iter(reads).buffered(target.dialect.max_in_flight.max(1));
    let mut reread = Reread::default();
    while let Some((mut listed, read)) = reads.next().await {
        match read {
            None => reread.records.push(listed),
            Some(Ok(Some(record))) => reread.records.push(record),
            Some(Err(error)) if error.scope == Scope::Job => return Err(error),
            Some(Ok(None)) if !whole => reread.gone += 1,
            Some(Err(error)) if !whole => reread.left_out.push((listed.id, error)),
            Some(unread) => {
                let why =
                    unread.err().map_or_else(|| "it is not found by its id".to_owned(), |error| error.to_string());
                let reason = format!("the list does not show members, and the group cannot be read: {why}").into();
                listed.incomplete.push(Incomplete { attribute: "members".into(), reason, have: None, total: None });
                reread.records.push(listed);
            }
        }
    }
    Ok(reread)
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

/// Whether the answer has members, if only an empty list of them.
fn shows_members(record: &Record) -> bool {
    record.attributes.find("members").is_some_and(|members| !matches!(members, Value::Null))
}

/// Says of a record that was read by id what its members are: all, none, or not to be relied on. One out of a list has to
/// go through [`reread`] first.
pub fn note_members(target: &Target, class: &Class, asked_for: bool, record: &mut Record) {
    if !class.has_members || !asked_for || record.is_incomplete("members") {
        return;
    }
    if target.dialect.members_readable {
        // SCIM leaves out what is empty (RFC 7643 section 2.5); here it is known to be.
        if !shows_members(record) {
            record.attributes.set("members", Value::List(Vec::new()));
        }
        return;
    }
    let have = record.attributes.remove("members").as_ref().and_then(Value::as_list).map(|list| list.len() as u64);
    let reason = "the target does not return all members".into();
    record.incomplete.push(Incomplete { attribute: "members".into(), reason, have, total: None });
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

/// The query for all attributes that come by default and those of `requested`; with or without members.
pub fn selecting(class: &Class, requested: &[Text], members: bool, query: Query) -> Query {
    let wanted = |name: &Text| requested.iter().any(|one| one.eq_ignore_ascii_case(name));
    let on_request = |name: &Text| class.on_request.iter().any(|(other, _)| other == name);
    if !class.on_request.iter().any(|(name, _)| wanted(name)) {
        return if members { query } else { without_members(class, query) };
    }
    // Names replace what comes by default (RFC 7644 section 3.9), so that it has to be named too.
    let named = class.schema.attributes.iter().filter(|attribute| !attribute.sensitive);
    let named = named
        .map(|attribute| &attribute.name)
        .filter(|name| (!on_request(name) || wanted(name)) && (members || !name.eq_ignore_ascii_case("members")));
    let names = named.map(Text::as_str).chain(["meta"]).collect::<Vec<_>>().join(",");
    query.with("attributes", names)
}

/// The query for what satisfies a filter, if the target understands it.
pub fn with_filter(target: &Target, class: &Class, filter: &Filter) -> Result<Query, ConnectorError> {
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
    Ok(Query::new(&class.endpoint).with("filter", filter))
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
