//! The door for those who push.

use std::sync::Arc;

use provost_model::Clock;
use provost_scim::Registry;
use provost_store::Store;

/// Takes requests and tells what came of them. Cheap to clone.
#[derive(Clone)]
pub struct Inbox {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) registry: Registry,
}

impl Inbox {
    /// `registry` has the resource types that can be pushed.
    pub fn new(store: Store, clock: Arc<dyn Clock>, registry: Registry) -> Self {
        Self { store, clock, registry }
    }
}
