//! The resource types of a directory: `User` and `Group`, and what the configuration adds: types, extensions, attributes to
//! be found by. All of it is schemas as data (RFC 7643 sections 6 and 7).

use std::collections::BTreeMap;
use std::sync::Arc;

use provost_model::{AttributePath, Schema, Text};
use provost_scim::Registry;

use crate::assignment::{APPLICATION, ASSIGNMENT};
use crate::kind::Kind;

/// What a directory holds. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Types(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    /// Without applications and assignments.
    public: Registry,
    kinds: Vec<Kind>,
}

impl Types {
    /// What every directory has.
    pub fn core() -> Self {
        Self::new(Self::core_registry(), &BTreeMap::new())
    }

    /// What every directory has: `User` with the enterprise extension, `Group`, `Application` and `Assignment`.
    pub fn core_registry() -> Registry {
        let mut registry = Registry::core();
        crate::assignment::add_types(&mut registry);
        registry
    }

    /// These types. `indexes` names attributes, by resource type, that resources are looked up by: those are found at once,
    /// others by reading. `userName`, `externalId`, e-mail addresses, display names, members, and whatever a schema wants
    /// to be unique are found in any case. Only texts, references, binary values and whole numbers can have an index.
    pub fn new(registry: Registry, indexes: &BTreeMap<Text, Vec<AttributePath>>) -> Self {
        let more = |name: &str| {
            let found = indexes.iter().find(|(kind, _)| kind.eq_ignore_ascii_case(name));
            found.map_or(&[][..], |(_, paths)| paths.as_slice())
        };
        let kinds = registry.types().iter().map(|types| Kind::new(types.clone(), more(types.name()))).collect();
        let public = registry.without(&[APPLICATION, ASSIGNMENT]);
        Self(Arc::new(Inner { registry, public, kinds }))
    }

    /// The classes that the engine sees.
    pub fn schema(&self) -> Schema {
        crate::session::schema::all(self.kinds())
    }

    /// The resource types and their schemas.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// The same for SCIM clients: applications and who is assigned to them are Provost's own affair.
    pub fn public_registry(&self) -> &Registry {
        &self.0.public
    }

    pub(crate) fn kinds(&self) -> &[Kind] {
        &self.0.kinds
    }
}
