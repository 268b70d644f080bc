//! Objects that satisfy a filter, page by page.
//!
//! What a target gives is checked object by object, and a page is the last only when that is sure: an empty page that the
//! target says is none, a total that is no mere length of a page, or a page that repeats the one before.

use provost_connector::{ConnectorError, Context, Cursor, ErrorCode, FindRequest, Page, Scope};
use provost_model::filter::Filter;
use provost_model::{Digest, Operator};
use provost_scim::ResourceFilter;
use provost_scim::client::{ListAnswer, Paging};
use provost_scim::filter::Missing;

use super::lookup::has_text;
use super::read::{list, note_members, page_size, reread, selecting, with_filter};
use super::session::{Class, Target};

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
    let count = page_size(target, request.page_size) as u64;
    let members = target.dialect.members_readable;
    let query = selecting(class, &request.requested, members, with_filter(target, class, &request.filter)?);
    let place = Place::of(target, request.cursor.as_ref());
    let query = query.with("count", count);
    let query = match &place {
        Place::Index { start, .. } => query.with("startIndex", start),
        Place::Cursor(cursor) => query.with("cursor", cursor),
        Place::Whole => query,
    };
    let page = list(cx, target, class, query).await?;
    let next = place.next(target, class, count, &page)?;
    if let Next::Repeated = next {
        return Ok(Page::default());
    }
    let read = reread(cx, target, class, members, page.records).await?;
    let mut records = read.records;
    if let Some((id, error)) = read.left_out.into_iter().next() {
        let message =
            format!("object `{id}` of class `{}` is listed and cannot be read: {}", class.name, error.message);
        return Err(ConnectorError { message, ..error });
    }
    match (bound, &request.filter) {
        (Ok(bound), _) => records.retain(|record| bound.matches(&record.attributes)),
        (Err(_), Filter::Term(term)) if term.op == Operator::Eq => {
            records.retain(|record| has_text(class, &term.path, &term.value, record));
        }
        // No schema tells of the attribute, and the target's word is all there is.
        (Err(_), _) => {}
    }
    for record in &mut records {
        note_members(target, class, true, record);
    }
    Ok(Page { records, next: next.cursor() })
}

/// Where a page begins.
enum Place {
    /// Counted from 1; with the digest of the last id of the page before.
    Index {
        start: u64,
        last: Option<u64>,
    },
    Cursor(String),
    Whole,
}

enum Next {
    Page(Cursor),
    End,
    /// This page was the one before it once more.
    Repeated,
}

impl Next {
    fn cursor(self) -> Option<Cursor> {
        if let Next::Page(cursor) = self { Some(cursor) } else { None }
    }
}

impl Place {
    /// Ours are `101:DIGEST`, and `@CURSOR` where a target with pages by number gave a cursor all the same.
    fn of(target: &Target, cursor: Option<&Cursor>) -> Self {
        let at = cursor.map(|cursor| cursor.0.as_str()).unwrap_or_default();
        match target.dialect.paging {
            Paging::Cursor => Place::Cursor(at.to_owned()),
            Paging::None => Place::Whole,
            Paging::Index => match at.strip_prefix('@') {
                Some(cursor) => Place::Cursor(cursor.to_owned()),
                None => {
                    let (start, last) = at.split_once(':').unwrap_or((at, ""));
                    Place::Index { start: start.parse().unwrap_or(1), last: u64::from_str_radix(last, 16).ok() }
                }
            },
        }
    }

    fn next(&self, target: &Target, class: &Class, count: u64, page: &ListAnswer) -> Result<Next, ConnectorError> {
        if let Some(next) = &page.next_cursor {
            return Ok(match self {
                Place::Cursor(here) if here == next.as_str() => Next::End,
                _ if target.dialect.paging == Paging::Cursor => Next::Page(Cursor(next.clone())),
                _ => Next::Page(Cursor(format!("@{next}").into())),
            });
        }
        let Place::Index { start, last } = self else { return Ok(Next::End) };
        let (received, total) = (page.records.len() as u64, page.total_results);
        let seen = start - 1 + received;
        let Some(end) = page.records.last().map(|record| Digest::of_bytes(record.id.as_bytes()).0 as u64) else {
            return match total {
                Some(total) if total > seen => Err(short(class, total, seen)),
                _ => Ok(Next::End),
            };
        };
        if *last == Some(end) {
            return match total {
                Some(total) if total >= *start => Err(short(class, total, start - 1)),
                _ => Ok(Next::Repeated),
            };
        }
        let more = match total {
            Some(total) if total > seen => true,
            // The length of a page is no total; a page that is not full is the last all the same.
            Some(total) if total > received => false,
            Some(_) => received >= count,
            None => true,
        };
        Ok(if more { Next::Page(Cursor(format!("{}:{end:x}", seen + 1).into())) } else { Next::End })
    }
}

/// A target that does not give what it says it has.
pub fn short(class: &Class, total: u64, seen: u64) -> ConnectorError {
    let message = format!("the target says that {total} objects of class `{}` fit, and returned {seen}", class.name);
    ConnectorError::new(ErrorCode::Protocol, message)
        .scope(Scope::Item)
        .hint("try `provost connector test`: the target may have pages of another kind (`paging` in `dialect`)")
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
