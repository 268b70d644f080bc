//! How a filter's candidates are found: by a column's index, by memberships, or by reading all.

use provost_model::{AttributePath, Filter, ObjectId, Operator, Term, Text, Value};
use provost_scim::schema::Target;
use provost_store::{Lookup, ResourceRow, StoreError};

use super::PAGE;
use crate::Directory;
use crate::directory::storable;
use crate::kind::Kind;

/// Where candidates come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Access {
    All,
    /// Those with one of these values in the column, ready to compare.
    Column(Lookup, Vec<String>),
    /// The groups that have this object as a member.
    GroupsOf(String),
    /// The members of this group.
    MembersOf(String),
}

/// The best way in, and what remains to be asked of each candidate.
pub(crate) fn split(kind: &Kind, filter: &Filter) -> (Access, Option<Filter>) {
    if let Some(access) = answer(kind, filter) {
        return (access, None);
    }
    let Filter::And(parts) = filter else { return (Access::All, Some(filter.clone())) };
    let rank = |access: &Access| match access {
        Access::Column(Lookup::Id, _) => 0,
        Access::Column(..) => 1,
        Access::GroupsOf(_) => 2,
        Access::MembersOf(_) => 3,
        Access::All => 4,
    };
    let ways = parts.iter().enumerate().filter_map(|(at, part)| Some((at, answer(kind, part)?)));
    let Some((at, access)) = ways.min_by_key(|(_, access)| rank(access)) else {
        return (Access::All, Some(filter.clone()));
    };
    let mut rest = parts.clone();
    rest.remove(at);
    let rest = if rest.len() == 1 { rest.pop() } else { Some(Filter::And(rest)) };
    (access, rest)
}

/// How to find exactly what satisfies this part, when an index can.
fn answer(kind: &Kind, filter: &Filter) -> Option<Access> {
    match filter {
        Filter::Term(term) => term_access(kind, term),
        Filter::Each { path, filter } => {
            let Filter::Term(term) = &**filter else { return None };
            let is_value =
                term.op == Operator::Eq && term.path.is_plain() && term.path.name.eq_ignore_ascii_case("value");
            membership(kind, path, term.value.as_text().filter(|_| is_value)?)
        }
        // Several values of one column, as some clients ask.
        Filter::Or(parts) => {
            let mut all: Option<(Lookup, Vec<String>)> = None;
            for part in parts {
                let Access::Column(by, values) = answer(kind, part)? else { return None };
                match &mut all {
                    Some((have, list)) if *have == by => list.extend(values),
                    Some(_) => return None,
                    None => all = Some((by, values)),
                }
            }
            let (by, mut values) = all?;
            values.sort_unstable();
            values.dedup();
            Some(Access::Column(by, values))
        }
        _ => None,
    }
}

fn term_access(kind: &Kind, term: &Term) -> Option<Access> {
    if term.op != Operator::Eq {
        return None;
    }
    let value = term.value.as_text()?;
    column(kind, &term.path)
        .map(|by| Access::Column(by, vec![key(kind, by, value)]))
        .or_else(|| membership(kind, &term.path, value))
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
        name if name == kind.naming => Some(Lookup::NameKey),
        _ => None,
    }
}

/// A value as the column holds it.
pub(crate) fn key(kind: &Kind, by: Lookup, value: &str) -> String {
    match by {
        Lookup::NameKey => kind.name_key(value),
        Lookup::Id | Lookup::ExternalId => value.to_owned(),
    }
}

fn membership(kind: &Kind, path: &AttributePath, value: &str) -> Option<Access> {
    let Some(Target::Attribute(place)) = kind.types.resolve(path) else { return None };
    if place.extension.is_some() || path.filter.is_some() || place.sub.is_some_and(|sub| sub.name != "value") {
        return None;
    }
    match place.attribute.name.as_str() {
        "members" if kind.has_members => Some(Access::GroupsOf(value.to_owned())),
        "groups" if !kind.has_members => Some(Access::MembersOf(value.to_owned())),
        _ => None,
    }
}

/// Candidates in the order of their ids, page by page.
pub(crate) enum Rows {
    Scan { kind: Text, after: ObjectId, done: bool },
    Ids { kind: Text, ids: Vec<ObjectId>, at: usize },
    Loaded(Vec<ResourceRow>),
}

impl Access {
    pub async fn rows(&self, directory: &Directory, kind: &Kind, after: Option<&str>) -> Result<Rows, StoreError> {
        let after = after.unwrap_or_default();
        let store = directory.store();
        Ok(match self {
            Access::All => Rows::Scan { kind: kind.name.clone(), after: after.into(), done: false },
            Access::Column(by, values) => {
                let values: Vec<&str> = values.iter().map(String::as_str).filter(|text| !text.contains('\0')).collect();
                let mut rows = store.resources_by(&kind.name, *by, &values).await?;
                rows.sort_unstable_by(|one, other| one.id.cmp(&other.id));
                rows.dedup_by(|one, other| one.id == other.id);
                rows.retain(|row| row.id.as_str() > after);
                Rows::Loaded(rows)
            }
            Access::GroupsOf(member) => {
                let found = store.memberships_of(storable(&[member])).await?;
                Rows::ids(kind, found.into_iter().map(|row| row.group_id), after)
            }
            Access::MembersOf(group) => {
                let found = store.members_of(storable(&[group])).await?;
                Rows::ids(kind, found.into_iter().map(|row| row.member_id), after)
            }
        })
    }
}

impl Rows {
    fn ids(kind: &Kind, ids: impl Iterator<Item = ObjectId>, after: &str) -> Self {
        let mut ids: Vec<ObjectId> = ids.filter(|id| id.as_str() > after).collect();
        ids.sort_unstable();
        Rows::Ids { kind: kind.name.clone(), ids, at: 0 }
    }

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
            Rows::Loaded(rows) if rows.is_empty() => Ok(None),
            Rows::Loaded(rows) => Ok(Some(std::mem::take(rows))),
            Rows::Ids { kind, ids, at } => {
                if *at >= ids.len() {
                    return Ok(None);
                }
                let chunk = &ids[*at..(*at + PAGE).min(ids.len())];
                *at += chunk.len();
                let mut rows = store.resources_by(kind, Lookup::Id, chunk).await?;
                rows.sort_unstable_by(|one, other| one.id.cmp(&other.id));
                Ok(Some(rows))
            }
        }
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
