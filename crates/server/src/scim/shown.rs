//! Resources as clients see them: with `id`, `meta`, members and groups, cut to what the request asked for.

use std::collections::HashMap;

use provost_directory::{Member, Membership, Resource};
use provost_model::{Attributes, ObjectId, Text, Timestamp, Value};
use provost_scim::resource::View;
use provost_scim::{Query, Registry, ScimError, TypeSchema, urn};

use super::request::Request;
use super::resource::unavailable;

/// What resources are called, by id.
type Names = HashMap<ObjectId, Text>;

/// Shows resources of one type.
pub(super) struct Presenter<'r> {
    request: &'r Request<'r>,
    types: &'r TypeSchema,
    view: View<'r>,
}

/// A resource that can be sent.
pub(super) struct Shown {
    pub etag: String,
    pub location: String,
    pub body: Attributes,
}

impl<'r> Presenter<'r> {
    pub fn new(request: &'r Request<'r>, types: &'r TypeSchema, query: &Query) -> Self {
        Self { request, types, view: query.projection.view(types) }
    }

    /// Whether there are members to be shown: nobody should read 100,000 of them for nothing.
    pub fn members(&self) -> bool {
        self.shows("members")
    }

    fn shows(&self, attribute: &str) -> bool {
        self.types.core.attribute(attribute).is_some() && self.view.shows(attribute)
    }

    /// A resource that was just made: whoever is new is in no group.
    pub fn created(&self, resource: Resource) -> Shown {
        self.present(resource, Vec::new(), &Names::new())
    }

    /// One resource, completed by what the directory keeps elsewhere.
    pub async fn one(&self, mut resource: Resource) -> Result<Shown, ScimError> {
        let directory = &self.request.state.directory;
        if resource.members.is_none()
            && self.members()
            && let Some(whole) = directory.get(&resource.kind, &resource.id).await.map_err(unavailable)?
        {
            resource = whole;
        }
        let groups = if self.shows("groups") {
            directory.memberships(std::slice::from_ref(&resource.id)).await.map_err(unavailable)?
        } else {
            Vec::new()
        };
        let names = self.names(std::slice::from_ref(&resource)).await?;
        Ok(self.present(resource, groups, &names))
    }

    /// What the members of these are called, where that is asked for.
    async fn names(&self, resources: &[Resource]) -> Result<Names, ScimError> {
        if !self.types.core.is(urn::GROUP) || !self.view.shows_part("members", "display") {
            return Ok(Names::new());
        }
        let members = resources.iter().flat_map(|resource| resource.members.iter().flatten());
        let mut ids: Vec<&str> = members.map(|member| member.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        self.request.state.directory.names(&ids).await.map_err(unavailable)
    }

    /// A page of resources.
    pub async fn page(&self, resources: Vec<Resource>) -> Result<Vec<Attributes>, ScimError> {
        let mut groups: HashMap<ObjectId, Vec<Membership>> = HashMap::new();
        if self.shows("groups") && !resources.is_empty() {
            let ids: Vec<ObjectId> = resources.iter().map(|resource| resource.id.clone()).collect();
            for found in self.request.state.directory.memberships(&ids).await.map_err(unavailable)? {
                groups.entry(found.member.clone()).or_default().push(found);
            }
        }
        let names = self.names(&resources).await?;
        let shown = resources.into_iter().map(|resource| {
            let groups = groups.remove(&resource.id).unwrap_or_default();
            self.present(resource, groups, &names).body
        });
        Ok(shown.collect())
    }

    fn present(&self, resource: Resource, groups: Vec<Membership>, names: &Names) -> Shown {
        let etag = etag(resource.version);
        let location = format!("{}{}/{}", self.request.base, self.types.resource_type.endpoint, resource.id);
        let time = |ms| Timestamp::from_millisecond(ms).unwrap_or_default().to_string();
        let mut meta = Attributes::with_capacity(5);
        meta.push("resourceType", Value::text(resource.kind));
        meta.push("created", time(resource.created));
        meta.push("lastModified", time(resource.modified));
        meta.push("location", location.as_str());
        meta.push("version", etag.as_str());
        let mut attributes = Attributes::with_capacity(resource.attributes.len() + 4);
        attributes.push("id", Value::text(resource.id.0));
        for (name, value) in resource.attributes {
            attributes.push(name, value);
        }
        if let Some(members) = resource.members.filter(|members| !members.is_empty()) {
            let shown = members.into_iter().map(|member| self.member(member, names)).collect();
            attributes.push("members", Value::List(shown));
        }
        if !groups.is_empty() {
            let shown = groups.into_iter().map(|membership| self.membership(membership)).collect();
            attributes.push("groups", Value::List(shown));
        }
        attributes.push("meta", meta);
        Shown { etag, location, body: self.view.present(attributes) }
    }

    fn member(&self, member: Member, names: &Names) -> Value {
        let mut parts = Attributes::with_capacity(4);
        let display = names.get(&member.id).cloned();
        let address = self.address(&member.kind, &member.id);
        parts.push("value", member.id.0);
        // One that the directory does not have.
        if !member.kind.is_empty() {
            parts.push("$ref", address);
            parts.push("type", member.kind);
        }
        if let Some(display) = display {
            parts.push("display", display);
        }
        Value::Complex(parts)
    }

    fn membership(&self, membership: Membership) -> Value {
        let mut parts = Attributes::with_capacity(4);
        let address = self.address("Group", &membership.group);
        let kind = membership.kind();
        parts.push("value", membership.group.0);
        parts.push("$ref", address);
        parts.push("display", membership.display);
        parts.push("type", kind);
        Value::Complex(parts)
    }

    fn address(&self, kind: &str, id: &str) -> String {
        let registry: &Registry = self.request.registry();
        let endpoint = registry.by_name(kind).map_or("", |types| types.resource_type.endpoint.as_str());
        format!("{}{endpoint}/{id}", self.request.base)
    }
}

/// A weak ETag: the version counts changes of content, not of spelling (RFC 7644 section 3.14).
pub(super) fn etag(version: i64) -> String {
    format!("W/\"{version}\"")
}
