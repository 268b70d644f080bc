//! Reading many: filters, index paging, sorting, walks from a position, always a page of rows at a time.
//!
//! Terms on indexed columns and on memberships narrow down what is read ([`access`]); everything else is asked of each
//! resource by [`ResourceFilter`], which sees what it asks about and nothing else of a body ([`needs`]). Memory is bounded by
//! a page of resources and, when sorting, by [`SORT_MAX`] keys.

pub(crate) mod access;
pub(crate) mod needs;

use std::collections::HashMap;

use provost_model::{Filter, ObjectId};
use provost_scim::ScimError;
use provost_scim::filter::{Missing, ResourceFilter};
use provost_scim::list::{Sort, SortKey};
use provost_store::{Lookup, ResourceRow, StoreError};

use crate::kind::Kind;
use crate::{Directory, DirectoryError, Member, Resource};

use access::{Access, Rows};
use needs::Needs;

/// Rows that are read at once.
pub(crate) const PAGE: usize = 1000;

/// A sorted query cannot start deeper than this.
const SORT_MAX: usize = 100_000;

/// Which part of the matches is wanted, counted from 1; by id, or sorted.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryPage {
    pub start_index: u64,
    /// 0 for the total alone.
    pub count: u64,
    pub sort: Option<Sort>,
    /// Whether groups come with their members.
    pub members: bool,
}

impl Default for QueryPage {
    fn default() -> Self {
        Self { start_index: 1, count: 100, sort: None, members: true }
    }
}

/// What a query found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// All matches.
    pub total: u64,
    pub resources: Vec<Resource>,
}

/// A page of a walk.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// By id, or sorted.
    pub resources: Vec<Resource>,
    /// After what the next page starts; none on the last one.
    pub next: Option<Position>,
}

/// A place among the matches of a query: behind this resource, whether it still is there or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Position {
    pub id: ObjectId,
    /// In a sorted walk, what it was sorted by.
    pub key: Option<SortKey>,
}

/// How to go through the matches of a query from a position on: neither repeats nor hides any when others are created or
/// deleted meanwhile.
#[derive(Debug, Clone, PartialEq)]
pub struct Walk {
    pub after: Option<Position>,
    /// Resources of one page; at least 1.
    pub count: usize,
    pub sort: Option<Sort>,
    /// Whether groups come with their members.
    pub members: bool,
}

impl Walk {
    /// By id, from this one on.
    pub fn by_id(after: Option<ObjectId>, count: usize, members: bool) -> Self {
        Self { after: after.map(|id| Position { id, key: None }), count, sort: None, members }
    }
}

/// A filter bound to a resource type, and how to get at its candidates.
struct Bound<'d> {
    kind: &'d Kind,
    access: Access,
    filter: Option<ResourceFilter>,
    needs: Needs,
}

impl Directory {
    /// The resources of a type that satisfy the filter, by id or as the page says. Fails with `invalidFilter` for what SCIM
    /// filters cannot say about the type, `invalidPath` for what cannot be sorted by, `tooMany` for a sorted page beyond
    /// 100,000.
    pub async fn query(&self, kind: &str, filter: Option<&Filter>, page: QueryPage) -> Result<Found, DirectoryError> {
        let bound = self.bind(kind, filter).await?;
        let kind = bound.kind;
        let skip = page.start_index.saturating_sub(1);
        if let Some(sort) = &page.sort {
            return self.sorted(bound, sort, &page).await;
        }
        if bound.is_all() {
            let total = self.store().count_resources(&kind.name).await? as u64;
            let rows = match page.count.min(total.saturating_sub(skip)) {
                0 => Vec::new(),
                count => self.store().resource_slice(&kind.name, skip as i64, count as i64).await?,
            };
            return Ok(Found { total, resources: self.with_members(kind, rows, page.members).await? });
        }
        let mut rows = bound.rows(None);
        let (mut total, mut kept) = (0, Vec::new());
        while let Some(found) = rows.next(self).await? {
            for (row, _) in bound.matching(self, found).await? {
                if total >= skip && total - skip < page.count {
                    kept.push(row);
                }
                total += 1;
            }
        }
        Ok(Found { total, resources: self.with_members(kind, kept, page.members).await? })
    }

    /// The next page of a walk over the resources that satisfy the filter.
    pub async fn walk(&self, kind: &str, filter: Option<&Filter>, walk: Walk) -> Result<Page, DirectoryError> {
        let bound = self.bind(kind, filter).await?;
        let count = walk.count.max(1);
        if let Some(sort) = &walk.sort {
            return self.walk_sorted(bound, sort, &walk, count).await;
        }
        let mut rows = bound.rows(walk.after.as_ref().map(|after| after.id.as_str()));
        let mut kept: Vec<ResourceRow> = Vec::new();
        let mut next = None;
        'pages: while let Some(found) = rows.next(self).await? {
            for (row, _) in bound.matching(self, found).await? {
                if kept.len() == count {
                    next = kept.last().map(|row| Position { id: row.id.clone(), key: None });
                    break 'pages;
                }
                kept.push(row);
            }
        }
        Ok(Page { resources: self.with_members(bound.kind, kept, walk.members).await?, next })
    }

    /// Reads all matches for each page, and holds the keys of one page.
    async fn walk_sorted(
        &self,
        bound: Bound<'_>,
        sort: &Sort,
        walk: &Walk,
        count: usize,
    ) -> Result<Page, DirectoryError> {
        let key = sort.key(&bound.kind.types)?;
        let bound = Bound { needs: bound.needs.and(Needs::of_path(bound.kind, &sort.by)), ..bound };
        let compare = |one: &(SortKey, ObjectId), other: &(SortKey, ObjectId)| {
            sort.order.compare(&one.0, &other.0).then_with(|| one.1.cmp(&other.1))
        };
        let after = walk.after.as_ref().map(|after| (after.key.clone().unwrap_or(SortKey::Missing), after.id.clone()));
        let mut rows = bound.rows(None);
        let mut keys: Vec<(SortKey, ObjectId)> = Vec::new();
        while let Some(found) = rows.next(self).await? {
            for (row, attributes) in bound.matching(self, found).await? {
                let place = (key(&attributes), row.id);
                if after.as_ref().is_none_or(|after| compare(&place, after).is_gt()) {
                    keys.push(place);
                }
            }
            if keys.len() > 2 * (count + PAGE) {
                keys.sort_unstable_by(compare);
                keys.truncate(count + 1);
            }
        }
        keys.sort_unstable_by(compare);
        let more = keys.len() > count;
        keys.truncate(count);
        let next = keys.last().filter(|_| more).cloned().map(|(key, id)| Position { id, key: Some(key) });
        let ids: Vec<ObjectId> = keys.into_iter().map(|(_, id)| id).collect();
        Ok(Page { resources: self.in_order(bound.kind, &ids, walk.members).await?, next })
    }

    /// These resources, in this order; those that are gone by now are left out.
    async fn in_order(&self, kind: &Kind, ids: &[ObjectId], members: bool) -> Result<Vec<Resource>, StoreError> {
        let mut rows = self.store().resources_by(&kind.name, Lookup::Id, ids).await?;
        let place: HashMap<&str, usize> = ids.iter().enumerate().map(|(at, id)| (id.as_str(), at)).collect();
        rows.sort_unstable_by_key(|row| place.get(row.id.as_str()).copied());
        self.with_members(kind, rows, members).await
    }

    async fn bind(&self, kind: &str, filter: Option<&Filter>) -> Result<Bound<'_>, DirectoryError> {
        self.prepare().await?;
        let kind = self.kind(kind).ok_or_else(|| DirectoryError::UnknownKind { kind: kind.into() })?;
        let (access, rest) = filter.map_or((Access::All, None), |filter| access::split(kind, filter));
        // The whole filter is checked, also what the index answers.
        if let Some(filter) = filter {
            ResourceFilter::compile(filter, &kind.types, Missing::Refuse)?;
        }
        let needs = rest.as_ref().map(|rest| Needs::of(kind, rest)).unwrap_or_default();
        let filter = match rest {
            Some(rest) => Some(ResourceFilter::compile(&rest, &kind.types, Missing::Refuse)?),
            None => None,
        };
        Ok(Bound { kind, access, filter, needs })
    }

    async fn sorted(&self, bound: Bound<'_>, sort: &Sort, page: &QueryPage) -> Result<Found, DirectoryError> {
        let last = page.start_index.saturating_sub(1).saturating_add(page.count);
        let last = usize::try_from(last).ok().filter(|last| *last <= SORT_MAX);
        let last = last.ok_or_else(|| ScimError::too_many(format!("a sorted page ends at {SORT_MAX}")))?;
        let key = sort.key(&bound.kind.types)?;
        let bound = Bound { needs: bound.needs.and(Needs::of_path(bound.kind, &sort.by)), ..bound };
        let compare = |one: &(SortKey, ObjectId), other: &(SortKey, ObjectId)| {
            sort.order.compare(&one.0, &other.0).then_with(|| one.1.cmp(&other.1))
        };
        let mut rows = bound.rows(None);
        let (mut total, mut keys) = (0, Vec::new());
        while let Some(found) = rows.next(self).await? {
            for (row, attributes) in bound.matching(self, found).await? {
                total += 1;
                keys.push((key(&attributes), row.id));
            }
            // Only what can still be on the page is kept.
            if keys.len() > 2 * last.max(PAGE) {
                keys.sort_unstable_by(compare);
                keys.truncate(last);
            }
        }
        keys.sort_unstable_by(compare);
        keys.truncate(last);
        let first = (page.start_index.saturating_sub(1) as usize).min(keys.len());
        let ids: Vec<ObjectId> = keys.drain(first..).map(|(_, id)| id).collect();
        Ok(Found { total, resources: self.in_order(bound.kind, &ids, page.members).await? })
    }

    /// Rows as resources, groups with their members if that is asked for.
    pub(crate) async fn with_members(
        &self,
        kind: &Kind,
        rows: Vec<ResourceRow>,
        members: bool,
    ) -> Result<Vec<Resource>, StoreError> {
        let mut lists = HashMap::new();
        if members && kind.has_members && !rows.is_empty() {
            let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
            for row in self.store().members_of(&ids).await? {
                lists.entry(row.group_id.clone()).or_insert_with(Vec::new).push(Member::from(row));
            }
        }
        let read = |row: ResourceRow| {
            let mut resource = Resource::read(row)?;
            if members && kind.has_members {
                resource.members = Some(lists.remove(&resource.id).unwrap_or_default());
            }
            Ok(resource)
        };
        rows.into_iter().map(read).collect()
    }
}

impl Bound<'_> {
    fn is_all(&self) -> bool {
        self.filter.is_none() && matches!(self.access, Access::All)
    }

    fn rows(&self, after: Option<&str>) -> Rows {
        self.access.rows(self.kind, after)
    }

    /// Those of a page of rows that satisfy the filter, with their attributes.
    async fn matching(
        &self,
        directory: &Directory,
        rows: Vec<ResourceRow>,
    ) -> Result<Vec<(ResourceRow, provost_model::Attributes)>, StoreError> {
        if self.filter.is_none() && self.needs == Needs::default() {
            return Ok(rows.into_iter().map(|row| (row, provost_model::Attributes::new())).collect());
        }
        let all = self.needs.attributes(directory, rows).await?;
        let matches = |attributes: &_| self.filter.as_ref().is_none_or(|filter| filter.matches(attributes));
        Ok(all.into_iter().filter(|(_, attributes)| matches(attributes)).collect())
    }
}
