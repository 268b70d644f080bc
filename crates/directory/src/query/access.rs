//! How a filter's candidates are found: by indexes of the store, merged where a filter says `or`, or by reading all.
//!
//! An index gives candidates in the order of their ids, a page at a time, so that a query never holds more than a page of
//! resources, whatever it finds. Where an index is exact its part of the filter is done; else each candidate is asked.

use provost_model::{AttributePath, Filter, ObjectId, Operator, Term, Text, Value};
use provost_scim::schema::Target;
use provost_store::{Candidates, Column, Lookup, ResourceRow, StoreError};

use super::PAGE;
use crate::Directory;
use crate::index::Index;
use crate::kind::Kind;

/// Where candidates come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Access {
    All,
    /// Those that any of these finds, each once.
    Any(Vec<Candidates>),
}

/// A way to get at what satisfies a part of a filter.
struct Way {
    finds: Vec<Candidates>,
    /// Whether all that it finds satisfies the part.
    exact: bool,
}

/// The best way in, and what remains to be asked of each candidate.
pub(crate) fn split(kind: &Kind, filter: &Filter) -> (Access, Option<Filter>) {
    match way(kind, filter) {
        Some(Way { finds, exact }) => (Access::Any(finds), (!exact).then(|| filter.clone())),
        None => match best(kind, filter) {
            Some((finds, rest)) => (Access::Any(finds), rest),
            None => (Access::All, Some(filter.clone())),
        },
    }
}

/// Of parts that all have to hold, the one whose way finds least, and the others.
fn best(kind: &Kind, filter: &Filter) -> Option<(Vec<Candidates>, Option<Filter>)> {
    let Filter::And(parts) = filter else { return None };
    let ways = parts.iter().enumerate().filter_map(|(at, part)| Some((at, way(kind, part)?)));
    let (at, Way { finds, exact }) = ways.min_by_key(|(_, way)| way.finds.iter().map(rank).max())?;
    if !exact {
        return Some((finds, Some(filter.clone())));
    }
    let mut rest = parts.clone();
    rest.remove(at);
    let rest = if rest.len() == 1 { rest.pop() } else { Some(Filter::And(rest)) };
    Some((finds, rest))
}

/// How much is found, as a guess.
fn rank(finds: &Candidates) -> usize {
    match finds {
        Candidates::Keys(Column::Id, _) => 0,
        Candidates::Keys(..) | Candidates::Values(_) => 1,
        Candidates::GroupsOf(_) => 2,
        Candidates::Prefix(..) => 3,
        Candidates::MembersOf(_) => 4,
    }
}

fn way(kind: &Kind, filter: &Filter) -> Option<Way> {
    match filter {
        Filter::Term(term) => term_way(kind, term),
        Filter::Each { path, filter } => element_way(kind, path, filter),
        Filter::Or(parts) => {
            let mut all = Way { finds: Vec::new(), exact: true };
            for part in parts {
                let Way { finds, exact } = way(kind, part)?;
                finds.into_iter().for_each(|one| join(&mut all.finds, one));
                all.exact &= exact;
            }
            (!all.finds.is_empty()).then_some(all)
        }
        Filter::And(parts) if parts.len() == 1 => way(kind, &parts[0]),
        _ => None,
    }
}

/// Adds to what is looked for: several keys of one column are one statement.
fn join(finds: &mut Vec<Candidates>, more: Candidates) {
    if let Candidates::Keys(column, keys) = &more {
        for one in finds.iter_mut() {
            if let Candidates::Keys(have, list) = one
                && have == column
                && list.len() + keys.len() <= Candidates::KEYS_MAX
            {
                list.extend(keys.iter().filter(|key| !list.contains(key)).cloned().collect::<Vec<_>>());
                return;
            }
        }
    }
    if let Candidates::Values(hashes) = &more {
        for one in finds.iter_mut() {
            if let Candidates::Values(list) = one
                && list.len() + hashes.len() <= Candidates::KEYS_MAX
            {
                list.extend(hashes);
                return;
            }
        }
    }
    if !finds.contains(&more) {
        finds.push(more);
    }
}

fn term_way(kind: &Kind, term: &Term) -> Option<Way> {
    if term.op == Operator::Eq
        && let Some(found) = term.value.as_text().and_then(|value| membership(kind, &term.path, value))
    {
        return Some(Way { finds: vec![found], exact: true });
    }
    if let Some(column) = column(kind, &term.path) {
        let value = term.value.as_text()?;
        return match term.op {
            Operator::Eq => {
                // Names that are not unique compare by letter case alone, and are found by a wider key.
                let exact = column != Lookup::NameKey || kind.unique;
                Some(Way { finds: vec![Candidates::Keys(stored(column), vec![key(kind, column, value)])], exact })
            }
            Operator::Sw => {
                let prefix = match column {
                    // The last letter may be composed with a mark that follows it.
                    Lookup::NameKey if value.is_ascii() => value[..value.len().saturating_sub(1)].to_ascii_lowercase(),
                    Lookup::NameKey => return None,
                    Lookup::Id | Lookup::ExternalId => value.to_owned(),
                };
                let finds = vec![Candidates::Prefix(stored(column), prefix)];
                (value.len() > 1).then_some(Way { finds, exact: false })
            }
            _ => None,
        };
    }
    by_index(index(kind, &term.path)?, term.op, &term.value)
}

/// `emails[type eq "work" and value eq "x"]`: found by the one part that has an index.
fn element_way(kind: &Kind, path: &AttributePath, filter: &Filter) -> Option<Way> {
    let (parts, alone) = match filter {
        Filter::And(parts) => (parts.as_slice(), parts.len() == 1),
        part => (std::slice::from_ref(part), true),
    };
    parts.iter().find_map(|part| {
        let Filter::Term(term) = part else { return None };
        if !term.path.is_plain() {
            return None;
        }
        if term.op == Operator::Eq
            && term.path.name.eq_ignore_ascii_case("value")
            && let Some(found) = term.value.as_text().and_then(|value| membership(kind, path, value))
        {
            return Some(Way { finds: vec![found], exact: alone });
        }
        let path = AttributePath { sub: Some(term.path.name.clone()), ..path.clone() };
        by_index(index(kind, &path)?, term.op, &term.value)
    })
}

fn by_index(index: &Index, op: Operator, value: &Value) -> Option<Way> {
    if op != Operator::Eq {
        return None;
    }
    let hash = index.hash(&index.key(value)?);
    Some(Way { finds: vec![Candidates::Values(vec![hash])], exact: false })
}

/// The index on the values of this attribute. A complex attribute named alone means its `value`.
pub(crate) fn index<'k>(kind: &'k Kind, path: &AttributePath) -> Option<&'k Index> {
    let Some(Target::Attribute(place)) = kind.types.resolve(path) else { return None };
    let mut name = place.full_name();
    if place.sub.is_none() && place.attribute.is_complex() {
        name.push_str(".value");
    }
    kind.indexes.iter().find(|index| index.path == name)
}

/// The column that holds this attribute, if one does.
pub(crate) fn column(kind: &Kind, path: &AttributePath) -> Option<Lookup> {
    let Some(Target::Attribute(place)) = kind.types.resolve(path) else { return None };
    if place.extension.is_some() || place.sub.is_some() || path.filter.is_some() {
        return None;
    }
    match place.attribute.name.as_str() {
        "id" => Some(Lookup::Id),
        "externalId" => Some(Lookup::ExternalId),
        name if kind.naming.as_deref() == Some(name) => Some(Lookup::NameKey),
        _ => None,
    }
}

fn stored(column: Lookup) -> Column {
    match column {
        Lookup::Id => Column::Id,
        Lookup::NameKey => Column::NameKey,
        Lookup::ExternalId => Column::ExternalId,
    }
}

/// A value as the column holds it.
pub(crate) fn key(kind: &Kind, by: Lookup, value: &str) -> String {
    match by {
        Lookup::NameKey => kind.name_key(value),
        Lookup::Id | Lookup::ExternalId => value.to_owned(),
    }
}

fn membership(kind: &Kind, path: &AttributePath, value: &str) -> Option<Candidates> {
    let Some(Target::Attribute(place)) = kind.types.resolve(path) else { return None };
    if place.extension.is_some() || path.filter.is_some() || place.sub.is_some_and(|sub| sub.name != "value") {
        return None;
    }
    match place.attribute.name.as_str() {
        "members" if kind.has_members => Some(Candidates::GroupsOf(value.to_owned())),
        "groups" if !kind.has_members => Some(Candidates::MembersOf(value.to_owned())),
        _ => None,
    }
}

/// Candidates in the order of their ids, page by page.
pub(crate) enum Rows {
    Scan { kind: Text, after: ObjectId, done: bool },
    Found { kind: Text, streams: Vec<Stream> },
}

/// The ids that one index gives, of which a page is at hand.
pub(crate) struct Stream {
    wanted: Candidates,
    /// In descending order, so that the next is the last.
    page: Vec<ObjectId>,
    after: ObjectId,
    done: bool,
}

impl Access {
    pub fn rows(&self, kind: &Kind, after: Option<&str>) -> Rows {
        let (kind, after) = (kind.name.clone(), ObjectId::from(after.unwrap_or_default()));
        match self {
            Access::All => Rows::Scan { kind, after, done: false },
            Access::Any(finds) => {
                let stream = |wanted: &Candidates| {
                    let (wanted, after) = (wanted.clone(), after.clone());
                    Stream { wanted, after, page: Vec::new(), done: false }
                };
                Rows::Found { kind, streams: finds.iter().map(stream).collect() }
            }
        }
    }
}

impl Rows {
    /// The next page; none after the last.
    pub async fn next(&mut self, directory: &Directory) -> Result<Option<Vec<ResourceRow>>, StoreError> {
        let store = directory.store();
        match self {
            Rows::Scan { done: true, .. } => Ok(None),
            Rows::Scan { kind, after, done } => {
                let page = store.resource_page(kind, Some(after), PAGE as i64).await?;
                *done = page.len() < PAGE;
                if let Some(last) = page.last() {
                    *after = last.id.clone();
                }
                Ok(Some(page))
            }
            Rows::Found { kind, streams } => {
                let ids = merge(directory, kind, streams).await?;
                if ids.is_empty() {
                    return Ok(None);
                }
                let mut rows = store.resources_by(kind, Lookup::Id, &ids).await?;
                rows.sort_unstable_by(|one, other| one.id.cmp(&other.id));
                Ok(Some(rows))
            }
        }
    }
}

/// The next ids of all streams, ascending, each once.
async fn merge(directory: &Directory, kind: &str, streams: &mut [Stream]) -> Result<Vec<ObjectId>, StoreError> {
    let mut ids: Vec<ObjectId> = Vec::new();
    while ids.len() < PAGE {
        let mut least: Option<ObjectId> = None;
        for stream in streams.iter_mut() {
            if let Some(id) = stream.peek(directory, kind).await?
                && least.as_ref().is_none_or(|least| id < least)
            {
                least = Some(id.clone());
            }
        }
        let Some(least) = least else { break };
        for stream in streams.iter_mut().filter(|stream| stream.page.last() == Some(&least)) {
            stream.page.pop();
        }
        ids.push(least);
    }
    Ok(ids)
}

impl Stream {
    async fn peek(&mut self, directory: &Directory, kind: &str) -> Result<Option<&ObjectId>, StoreError> {
        if self.page.is_empty() && !self.done {
            self.page = directory.store().candidates(kind, &self.wanted, &self.after, PAGE as i64).await?;
            self.done = self.page.len() < PAGE;
            if let Some(last) = self.page.last() {
                self.after = last.clone();
            }
            self.page.reverse();
        }
        Ok(self.page.last())
    }
}

/// `path eq value` as a value that can be looked up.
pub(crate) fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        Value::Reference(reference) => Some(&reference.id),
        _ => None,
    }
}
