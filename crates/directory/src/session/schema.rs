//! The classes and what can be done with them. The SCIM schemas, with references as attributes of their own.

use provost_connector::{Capabilities, ClassCapabilities, Enablement};
use provost_model::{AttributePath, AttributeSchema, AttributeType, ClassSchema, Schema, Value};
use provost_scim::schema::class_schema;

use super::scan::PAGE;
use crate::kind::{GROUPS, Kind};

/// The classes of all resource types.
pub(crate) fn all(kinds: &[Kind]) -> Schema {
    Schema { classes: kinds.iter().map(class).collect() }
}

/// The class of a resource type: what SCIM says about it, less what the directory does not keep, plus `manager`.
fn class(kind: &Kind) -> ClassSchema {
    let mut class = class_schema(&kind.types);
    class.attributes.retain(|attribute| !attribute.sensitive);
    if kind.has_manager {
        class.attributes.push(AttributeSchema {
            reference_classes: vec![kind.name.as_str().into()],
            ..AttributeSchema::new("manager", AttributeType::Reference)
        });
    }
    if let Some(groups) = class.attributes.iter_mut().find(|attribute| attribute.name == GROUPS) {
        groups.on_request = true;
    }
    if kind.is_assignable {
        class.attributes.push(crate::assignment::schema());
    }
    if kind.has_members
        && let Some(members) = class.attributes.iter_mut().find(|attribute| attribute.name == "members")
    {
        members.kind = AttributeType::Reference;
        members.sub_attributes.clear();
    }
    class
}

pub(super) fn capabilities(kinds: &[Kind]) -> Capabilities {
    Capabilities {
        classes: kinds.iter().map(class_capabilities).collect(),
        max_in_flight: 2,
        max_batch: PAGE,
        max_lookup: PAGE,
        requests_per_second: None,
    }
}

fn class_capabilities(kind: &Kind) -> ClassCapabilities {
    let enablement = kind.types.attribute("active").map(|active| Enablement {
        path: AttributePath::name(active.name.clone()),
        on: Value::Boolean(true),
        off: Value::Boolean(false),
    });
    ClassCapabilities {
        name: kind.name.as_str().into(),
        scan: true,
        changes: true,
        create: true,
        update: true,
        delete: true,
        enablement,
        lookup: kind.naming.iter().cloned().chain(["externalId".into(), "id".into()]).collect(),
        count: true,
        max_values_per_change: Some(PAGE),
        references_in_create: true,
        preconditions: true,
    }
}
