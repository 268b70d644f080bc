//! What a filter or sort key asks about: which attributes of the body, and what is not in it (`id`, `meta`, `members`,
//! `groups`). The rest of a body is passed over without being built, which is most of the cost of reading one.

use std::collections::HashMap;

use provost_model::{AttributePath, Attributes, Filter, ObjectId, Text, Timestamp, Value};
use provost_scim::schema::Target;
use provost_store::{ResourceRow, StoreError};

use crate::Directory;
use crate::kind::Kind;
use crate::resource::{etag, parse_some};

/// What has to be known of a resource before it is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Needs {
    /// Attributes and extensions in the body.
    names: Vec<Text>,
    id: bool,
    meta: bool,
    members: bool,
    groups: bool,
}

impl Needs {
    pub fn of(kind: &Kind, filter: &Filter) -> Self {
        let mut needs = Self::default();
        filter.for_each_path(&mut |path| needs = std::mem::take(&mut needs).and(Self::of_path(kind, path)));
        needs
    }

    pub fn of_path(kind: &Kind, path: &AttributePath) -> Self {
        let Some(Target::Attribute(place)) = kind.types.resolve(path) else { return Self::default() };
        let name = if place.extension.is_none() { place.attribute.name.as_str() } else { "" };
        let names = match (place.extension, name) {
            (Some(schema), _) => vec![schema.id.clone()],
            // Which extensions there are.
            (None, "schemas") => kind.types.extensions.iter().map(|extension| extension.schema.id.clone()).collect(),
            (None, name) => vec![name.into()],
        };
        Self {
            names,
            id: name == "id",
            meta: name == "meta",
            members: name == "members" && kind.has_members,
            groups: name == "groups" && !kind.has_members,
        }
    }

    pub fn and(mut self, other: Self) -> Self {
        self.names.extend(other.names);
        Self {
            names: self.names,
            id: self.id || other.id,
            meta: self.meta || other.meta,
            members: self.members || other.members,
            groups: self.groups || other.groups,
        }
    }

    /// The rows with the attributes that are needed, in bulk.
    pub async fn attributes(
        &self,
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
                let kind = found.kind().into();
                let parts = [("value", found.group.0), ("display", found.display), ("type", kind)];
                lists.entry(found.member).or_default().push(Value::Complex(parts.into_iter().collect()));
            }
        }
        let complete = |row: ResourceRow| {
            let mut attributes = parse_some(&row, &self.names)?;
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
