//! What a filter or sort key asks about that is not in a resource's body: `id`, `meta`, `members`, `groups`.

use std::collections::HashMap;

use provost_model::{AttributePath, Attributes, Filter, ObjectId, Timestamp, Value};
use provost_scim::schema::Target;
use provost_store::{ResourceRow, StoreError};

use crate::Directory;
use crate::kind::Kind;
use crate::resource::{etag, parse};

/// What has to be added to the body before a resource is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Needs {
    id: bool,
    meta: bool,
    members: bool,
    groups: bool,
}

impl Needs {
    pub fn of(kind: &Kind, filter: &Filter) -> Self {
        let mut needs = Self::default();
        filter.for_each_path(&mut |path| needs = needs.and(Self::of_path(kind, path)));
        needs
    }

    pub fn of_path(kind: &Kind, path: &AttributePath) -> Self {
        let Some(Target::Attribute(place)) = kind.types.resolve(path) else { return Self::default() };
        let name = if place.extension.is_none() { place.attribute.name.as_str() } else { "" };
        Self {
            id: name == "id",
            meta: name == "meta",
            members: name == "members" && kind.has_members,
            groups: name == "groups" && !kind.has_members,
        }
    }

    pub fn and(self, other: Self) -> Self {
        Self {
            id: self.id || other.id,
            meta: self.meta || other.meta,
            members: self.members || other.members,
            groups: self.groups || other.groups,
        }
    }

    /// The rows with their attributes, completed by what is needed, in bulk.
    pub async fn attributes(
        self,
        directory: &Directory,
        rows: Vec<ResourceRow>,
    ) -> Result<Vec<(ResourceRow, Attributes)>, StoreError> {
        let mut lists: HashMap<ObjectId, Vec<Value>> = HashMap::new();
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        if self.members {
            for row in directory.store().members_of(&ids).await? {
                let parts = [("value", row.member_id.0), ("type", row.member_kind.into())];
                lists.entry(row.group_id).or_default().push(Value::Complex(parts.into_iter().collect()));
            }
        }
        if self.groups {
            for found in directory.memberships(&ids.iter().map(|id| ObjectId::from(*id)).collect::<Vec<_>>()).await? {
                let parts = [("value", found.group.0), ("display", found.display), ("type", "direct".into())];
                lists.entry(found.member).or_default().push(Value::Complex(parts.into_iter().collect()));
            }
        }
        let complete = |row: ResourceRow| {
            let mut attributes = parse(&row)?;
            if self.id {
                attributes.push("id", row.id.0.clone());
            }
            if self.meta {
                attributes.push("meta", meta(&row));
            }
            if let Some(list) = lists.remove(&row.id) {
                attributes.push(if self.members { "members" } else { "groups" }, list);
            }
            Ok((row, attributes))
        };
        rows.into_iter().map(complete).collect()
    }
}

fn meta(row: &ResourceRow) -> Value {
    let time = |ms| Timestamp::from_millisecond(ms).unwrap_or_default().to_string();
    let mut meta = Attributes::with_capacity(4);
    meta.push("resourceType", row.kind.clone());
    meta.push("created", time(row.created));
    meta.push("lastModified", time(row.modified));
    meta.push("version", etag(row.version));
    Value::Complex(meta)
}
