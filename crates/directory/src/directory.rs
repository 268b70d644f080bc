//! The directory as an object: the store, the clock and the resource types it offers.

use std::fmt;
use std::sync::Arc;

use provost_connector::Session;
use provost_model::Clock;
use provost_scim::Registry;
use provost_store::{Lookup, Store, StoreError};
use tokio::sync::OnceCell;

use crate::kind::Kind;
use crate::session::DirectorySession;
use crate::{DirectoryError, Resource, Types, Write, Written};

/// Users, groups and memberships in a store. Clones share everything.
#[derive(Clone)]
pub struct Directory {
    inner: Arc<Inner>,
    keep_unknown_members: bool,
}

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    types: Types,
    /// Set when the indexes are known to be complete.
    prepared: OnceCell<()>,
}

impl Directory {
    /// The directory in this store, with `User` (and the enterprise extension) and `Group`.
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self::with_types(store, clock, Types::core())
    }

    /// The directory in this store, with these types. Resources of a type that is no longer there stay in the store, and
    /// are there again with their type.
    pub fn with_types(store: Store, clock: Arc<dyn Clock>, types: Types) -> Self {
        let inner = Arc::new(Inner { store, clock, types, prepared: OnceCell::new() });
        Self { inner, keep_unknown_members: false }
    }

    /// The same directory, which takes members that it does not have as they are named, and shows them to SCIM clients
    /// alone: to a job they are nobody. RFC 7643 does not ask a service to know its members, and clients exist that send
    /// members first.
    pub fn keep_unknown_members(self) -> Self {
        Self { keep_unknown_members: true, ..self }
    }

    pub(crate) fn keeps_unknown_members(&self) -> bool {
        self.keep_unknown_members
    }

    /// The resource types and their schemas.
    pub fn registry(&self) -> &Registry {
        self.inner.types.registry()
    }

    /// What it holds.
    pub fn types(&self) -> &Types {
        &self.inner.types
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

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.inner.clock.now_ms()
    }

    pub(crate) fn kinds(&self) -> &[Kind] {
        self.inner.types.kinds()
    }

    pub(crate) fn prepared(&self) -> &OnceCell<()> {
        &self.inner.prepared
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
