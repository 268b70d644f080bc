//! The directory as an object: the store, the clock and the resource types it offers.

use std::fmt;
use std::sync::Arc;

use provost_connector::Session;
use provost_model::{Clock, ObjectId, Schema};
use provost_scim::Registry;
use provost_store::{Lookup, Store, StoreError};

use crate::kind::Kind;
use crate::session::DirectorySession;
use crate::{DirectoryError, Membership, Resource, Write, Written};

/// Users, groups and memberships in a store. Clones share everything.
#[derive(Clone)]
pub struct Directory {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    registry: Registry,
    kinds: Vec<Kind>,
}

impl Directory {
    /// The directory in this store, with `User` (and the enterprise extension) and `Group`.
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        let registry = Registry::core();
        let kinds = registry.types().iter().map(|types| Kind::new(types.clone())).collect();
        Self { inner: Arc::new(Inner { store, clock, registry, kinds }) }
    }

    /// The classes and attributes of every directory, for checks without a store.
    pub fn schema() -> Schema {
        let registry = Registry::core();
        let kinds: Vec<Kind> = registry.types().iter().map(|types| Kind::new(types.clone())).collect();
        crate::session::schema(&kinds)
    }

    /// The resource types and their schemas.
    pub fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    /// The directory as a connection of the engine.
    pub fn session(&self) -> Arc<dyn Session> {
        Arc::new(DirectorySession::new(self.clone()))
    }

    /// Does all writes in one transaction and tells for each what came of it, in their order; one that fails does not stop
    /// the others. An error means that nothing was written.
    pub async fn write(&self, writes: Vec<Write>) -> Result<Vec<Result<Written, DirectoryError>>, StoreError> {
        self.execute(writes).await.map_err(|failure| failure.error)
    }

    /// One resource with all its members; none when it does not exist.
    pub async fn get(&self, kind: &str, id: &str) -> Result<Option<Resource>, StoreError> {
        let Some(kind) = self.kind(kind) else { return Ok(None) };
        let rows = self.store().resources_by(&kind.name, Lookup::Id, storable(&[id])).await?;
        Ok(self.with_members(kind, rows, true).await?.pop())
    }

    /// The groups that these objects are direct members of, by object and group.
    pub async fn memberships(&self, ids: &[ObjectId]) -> Result<Vec<Membership>, StoreError> {
        let rows = self.store().memberships_of(ids).await?;
        let mut groups: Vec<&str> = rows.iter().map(|row| row.group_id.as_str()).collect();
        groups.sort_unstable();
        groups.dedup();
        let mut names = std::collections::HashMap::with_capacity(groups.len());
        for kind in self.kinds().iter().filter(|kind| kind.has_members) {
            for row in self.store().resources_by(&kind.name, Lookup::Id, &groups).await? {
                let attributes = crate::resource::parse(&row)?;
                let name = attributes.find(&kind.naming).and_then(|name| name.as_text()).unwrap_or_default();
                names.insert(row.id, provost_model::Text::from(name));
            }
        }
        let membership = |row: provost_store::MemberRow| Membership {
            display: names.get(&row.group_id).cloned().unwrap_or_default(),
            member: row.member_id,
            group: row.group_id,
        };
        Ok(rows.into_iter().map(membership).collect())
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.inner.clock.now_ms()
    }

    pub(crate) fn kinds(&self) -> &[Kind] {
        &self.inner.kinds
    }

    /// The resource type of this name, in any letter case.
    pub(crate) fn kind(&self, name: &str) -> Option<&Kind> {
        self.kinds().iter().find(|kind| kind.name.eq_ignore_ascii_case(name))
    }
}

/// Nothing for a value that no row can have: the store refuses a NUL character.
pub(crate) fn storable<'s, 'a>(values: &'s [&'a str]) -> &'s [&'a str] {
    if values.iter().any(|value| value.contains('\0')) { &[] } else { values }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("store", &self.inner.store).finish_non_exhaustive()
    }
}
