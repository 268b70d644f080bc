//! Applications and who is assigned to them. Both are resource types like others; here is what the directory adds: an
//! assignment names things that exist, there is one per application, principal and role, and it goes with either of them.
//!
//! To a job, users and groups have an attribute `appRoleAssignments` that is read on request alone: their assignments and, for
//! users, those of the groups they are in, however deep. `appRoleAssignments[application eq "Slack"]` asks for those of one
//! application.

use std::collections::{BTreeMap, HashMap};

use provost_model::{AttributePath, AttributeSchema, AttributeType, Attributes, ObjectId, Text, Value};
use provost_scim::Registry;
use provost_scim::filter::ElementFilter;
use provost_scim::schema::{Attribute, ResourceType, Schema};
use provost_store::{Lookup, ResourceRow, StoreError};

use crate::kind::Kind;
use crate::query::PAGE;
use crate::resource::{parse, parse_some};
use crate::{Directory, DirectoryError};

pub(crate) const APPLICATION: &str = "urn:provost:scim:schemas:2.0:Application";
pub(crate) const ASSIGNMENT: &str = "urn:provost:scim:schemas:2.0:Assignment";

/// The computed attribute of users and groups.
pub(crate) const ASSIGNMENTS: &str = provost_model::APP_ROLE_ASSIGNMENTS;

/// The index that keeps an assignment from being there twice.
pub(crate) const IDENTITY: &str = "application, principal, role";

/// Attributes of an assignment that name a resource, with the types it may have.
pub(crate) const ENDS: [(&str, &[&str]); 2] = [("application", &["Application"]), ("principal", &["User", "Group"])];

/// Adds the two types to what a directory holds.
pub(crate) fn add_types(registry: &mut Registry) {
    let texts = [include_str!("../schemas/application.json"), include_str!("../schemas/assignment.json")];
    for (text, endpoint) in texts.into_iter().zip(["/Applications", "/Assignments"]) {
        let schema: Schema = serde_json::from_str(text).expect("the schema is in this crate and was tested");
        let resource_type = ResourceType {
            id: schema.name.clone(),
            name: schema.name.clone(),
            endpoint: endpoint.into(),
            description: schema.description.clone(),
            schema: schema.id.clone(),
            ..ResourceType::default()
        };
        registry.add_schema(schema);
        registry.add_type(resource_type).expect("its schema was just added");
    }
}

/// The id that an assignment names.
pub(crate) fn end<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    attributes.find(name)?.as_complex()?.find("value")?.as_text().filter(|id| !id.is_empty())
}

/// What there is one of.
pub(crate) fn identity(attributes: &Attributes) -> Option<String> {
    let role = attributes.find("role").and_then(Value::as_text).unwrap_or_default();
    Some(format!("{} {} {role}", end(attributes, "application")?, end(attributes, "principal")?))
}

/// The computed attribute as the engine sees it.
pub(crate) fn schema() -> AttributeSchema {
    let part = |name: &str, kind| AttributeSchema::new(name, kind);
    AttributeSchema {
        multi_valued: true,
        mutability: provost_model::Mutability::ReadOnly,
        on_request: true,
        sub_attributes: vec![
            part("value", AttributeType::String),
            part("displayName", AttributeType::String),
            part("application", AttributeType::String),
            part("applicationId", AttributeType::String),
            part("direct", AttributeType::Boolean),
        ],
        ..AttributeSchema::new(ASSIGNMENTS, AttributeType::Complex)
    }
}

/// Which assignments are asked for.
pub(crate) struct Asked(Option<ElementFilter>);

impl Asked {
    /// By the attribute's name alone, or with a filter in brackets; none when it is another attribute.
    pub fn read(requested: &[Text]) -> Result<Option<Self>, DirectoryError> {
        let paths = requested.iter().filter_map(|text| text.parse::<AttributePath>().ok());
        let Some(path) = paths.into_iter().find(|path| path.name.eq_ignore_ascii_case(ASSIGNMENTS)) else {
            return Ok(None);
        };
        let filter = match &path.filter {
            None => None,
            Some(filter) => Some(ElementFilter::compile(filter, &element())?),
        };
        Ok(Some(Self(filter)))
    }
}

fn element() -> Attribute {
    let part = |name: &str| Attribute::new(name, AttributeType::String);
    Attribute {
        multi_valued: true,
        sub_attributes: vec![
            part("value"),
            part("displayName"),
            part("application"),
            part("applicationId"),
            Attribute::new("direct", AttributeType::Boolean),
        ],
        ..Attribute::new(ASSIGNMENTS, AttributeType::Complex)
    }
}

/// What is known of an application.
#[derive(Default)]
struct Application {
    name: Text,
    /// Names for people, by role.
    roles: BTreeMap<Text, Text>,
}

/// The roles of somebody by application and role, and whether each is her own.
type Roles = BTreeMap<(Text, Text), (Attributes, bool)>;

impl Directory {
    /// The assignments of users or groups as values of [`ASSIGNMENTS`], each role of an application once, in their order.
    /// A user has those of the groups it is in, a group its own alone.
    pub(crate) async fn assignments(
        &self,
        kind: &Kind,
        ids: Vec<ObjectId>,
        asked: &Asked,
    ) -> Result<HashMap<ObjectId, Vec<Value>>, StoreError> {
        let mut ways: HashMap<ObjectId, Vec<(ObjectId, bool)>> = HashMap::new();
        if kind.has_groups {
            for membership in self.memberships(&ids).await? {
                ways.entry(membership.group).or_default().push((membership.member, false));
            }
        }
        for id in ids {
            ways.entry(id.clone()).or_default().push((id, true));
        }
        let mut principals: Vec<&ObjectId> = ways.keys().collect();
        principals.sort_unstable();
        let rows = self.assignments_of("principal.value", &principals).await?;
        let applications = self.applications(&rows).await?;
        let mut found: HashMap<ObjectId, Roles> = HashMap::new();
        for row in &rows {
            let attributes = parse(row)?;
            let (Some(principal), Some(application)) = (end(&attributes, "principal"), end(&attributes, "application"))
            else {
                continue;
            };
            let role = attributes.find("role").and_then(Value::as_text).unwrap_or_default();
            let known = applications.get(application);
            for (member, direct) in ways.get(principal).into_iter().flatten() {
                let key = (known.map(|known| known.name.clone()).unwrap_or_default(), Text::from(role));
                let all = found.entry(member.clone()).or_default();
                if all.get(&key).is_none_or(|(_, have)| !have && *direct) {
                    all.insert(key, (value(role, application, known, *direct), *direct));
                }
            }
        }
        let keep = |(parts, _): (Attributes, bool)| {
            let value = Value::Complex(parts);
            asked.0.as_ref().is_none_or(|filter| filter.matches(&value)).then_some(value)
        };
        Ok(found.into_iter().map(|(id, all)| (id, all.into_values().filter_map(keep).collect())).collect())
    }

    /// The assignments that name one of these.
    pub(crate) async fn assignments_of(&self, path: &str, ids: &[&ObjectId]) -> Result<Vec<ResourceRow>, StoreError> {
        let Some(kind) = self.kinds().iter().find(|kind| kind.is_assignment) else { return Ok(Vec::new()) };
        self.prepare().await?;
        let ids: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
        let found = self.store().value_owners(&kind.hashes(path, &ids)).await?;
        let mut found: Vec<ObjectId> = found.into_iter().map(|(_, id)| id).collect();
        found.sort_unstable();
        found.dedup();
        self.store().resources_by(&kind.name, Lookup::Id, &found).await
    }

    async fn applications(&self, assignments: &[ResourceRow]) -> Result<HashMap<Text, Application>, StoreError> {
        let mut ids = Vec::with_capacity(assignments.len());
        for row in assignments {
            let attributes = parse_some(row, &["application".into()])?;
            ids.extend(end(&attributes, "application").map(Text::from));
        }
        ids.sort_unstable();
        ids.dedup();
        let mut found = HashMap::with_capacity(ids.len());
        for kind in self.kinds().iter().filter(|kind| kind.is_application) {
            for page in ids.chunks(PAGE) {
                let page: Vec<&str> = page.iter().map(Text::as_str).collect();
                for row in self.store().resources_by(&kind.name, Lookup::Id, &page).await? {
                    let attributes = parse(&row)?;
                    found.insert(row.id.0, Application::read(&attributes));
                }
            }
        }
        Ok(found)
    }
}

impl Application {
    fn read(attributes: &Attributes) -> Self {
        let name = attributes.find("displayName").and_then(Value::as_text).unwrap_or_default().into();
        let mut roles = BTreeMap::new();
        let list = attributes.find("roles").and_then(Value::as_list).unwrap_or_default();
        for role in list.iter().filter_map(Value::as_complex) {
            let part = |name| role.find(name).and_then(Value::as_text).map(Text::from);
            if let (Some(value), Some(display)) = (part("value"), part("display")) {
                roles.insert(value, display);
            }
        }
        Self { name, roles }
    }
}

fn value(role: &str, id: &str, application: Option<&Application>, direct: bool) -> Attributes {
    let mut parts = Attributes::with_capacity(5);
    if !role.is_empty() {
        parts.push("value", role);
        if let Some(display) = application.and_then(|known| known.roles.get(role)) {
            parts.push("displayName", display.clone());
        }
    }
    if let Some(known) = application {
        parts.push("application", known.name.clone());
    }
    parts.push("applicationId", id);
    parts.push("direct", direct);
    parts
}

#[cfg(test)]
mod tests {
    use provost_scim::schema::check;

    #[test]
    fn the_schemas_have_no_problem() {
        for text in [include_str!("../schemas/application.json"), include_str!("../schemas/assignment.json")] {
            assert_eq!(check::problems(&serde_json::from_str(text).unwrap()), Vec::<String>::new());
        }
    }
}
