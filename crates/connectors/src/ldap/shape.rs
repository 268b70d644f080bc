//! What the server is like, found out when a session is opened: its kind, its schema, and each class by both.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use ldap3::{Ldap, Scope, SearchEntry};
use provost_connector::{Capabilities, ClassCapabilities, ConnectorError, Context, Enablement, ErrorCode};
use provost_model::{AttributeSchema, AttributeType, ClassName, ClassSchema, Mutability, Schema, Text};

use super::catalogue::{Attribute, Catalogue, Kind};
use super::config::{Class, Config};
use super::fault::Effect;
use super::feed::Feed;
use super::keys::{self, KeyReference};
use super::profile::{self, Profile};
use super::switch::Switch;
use super::wire::{Said, Wire};
use super::{sync, value};

/// Controls that make writing safe in one request, where the server knows them.
pub const PERMISSIVE_MODIFY: &str = "1.2.840.113556.1.4.1413";
pub const ASSERTION: &str = "1.3.6.1.1.12";
pub const POST_READ: &str = "1.3.6.1.1.13.2";

/// Operational attributes that are read without being asked for.
const TOLD: [&str; 5] = ["createTimestamp", "modifyTimestamp", "memberOf", "pwdAccountLockedTime", "nsAccountLock"];

/// What the schema is made of.
const SCHEMA: [&str; 3] = ["attributeTypes", "objectClasses", "dITContentRules"];

/// What all sessions know.
#[derive(Debug)]
pub struct Shape {
    pub classes: Vec<ClassShape>,
    /// The names that the server's databases begin at.
    pub contexts: Vec<String>,
    pub profile: Profile,
    pub permissive: bool,
    pub assertion: bool,
    pub post_read: bool,
}

/// One class.
#[derive(Debug)]
pub struct ClassShape {
    pub class: Class,
    pub switch: Option<Switch>,
    /// Attributes that point at others by a value.
    pub keys: Vec<KeyReference>,
    /// How the server tells what changed.
    pub feed: Option<Feed>,
    /// The attribute that never changes, and is the id.
    pub id: Identifier,
    pub attributes: Vec<Arc<Attribute>>,
    /// The same by their names as servers write them, which spares nearly every search.
    by_name: HashMap<Text, Arc<Attribute>>,
    /// Those of them that every entry has.
    pub must: BTreeSet<Text>,
    /// Those that are asked for when everything is.
    pub operational: Vec<Text>,
}

/// How an entry is told from all others, also after it was renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identifier {
    /// `entryUUID` (RFC 4530), `nsUniqueId`.
    Text(&'static str),
    /// `objectGUID`: sixteen bytes.
    Guid(&'static str),
    /// The server has nothing better than the name.
    Name,
}

impl Identifier {
    pub fn attribute(self) -> Option<&'static str> {
        match self {
            Identifier::Text(name) | Identifier::Guid(name) => Some(name),
            Identifier::Name => None,
        }
    }
}

impl ClassShape {
    pub fn attribute(&self, name: &str) -> Option<&Arc<Attribute>> {
        self.by_name.get(name).or_else(|| self.attributes.iter().find(|one| one.name.eq_ignore_ascii_case(name)))
    }

    /// What an attribute points at by its value.
    pub fn key(&self, name: &str) -> Option<&KeyReference> {
        self.keys.iter().find(|key| key.attribute.eq_ignore_ascii_case(name))
    }

    /// Takes these attributes for references.
    fn point(&mut self, keys: Vec<KeyReference>) {
        for attribute in &mut self.attributes {
            if keys.iter().any(|key| key.attribute.eq_ignore_ascii_case(&attribute.name)) {
                *attribute = Arc::new(Attribute { kind: Kind::Key, ..(**attribute).clone() });
            }
        }
        self.by_name = self.attributes.iter().map(|one| (one.name.clone(), one.clone())).collect();
        self.keys = keys;
    }

    pub fn enablement(&self) -> Option<Enablement> {
        let switch = self.switch.as_ref()?;
        Some(switch.enablement(self.attribute(&switch.attribute)?))
    }

    /// Members that a new group needs and has not.
    pub fn needs_placeholder(&self) -> Option<&Arc<Attribute>> {
        let must = |attribute: &&Arc<Attribute>| attribute.kind == Kind::Name && self.must.contains(&attribute.name);
        self.attributes.iter().find(must)
    }
}

/// Asks the server what it is like.
pub async fn discover(cx: &Context, wire: &Wire, config: &Config) -> Result<Shape, ConnectorError> {
    let root = read(wire, cx, String::new(), vec!["*", "+"], "read the root entry").await?;
    let Some(root) = root else {
        let message = format!("{} shows no root entry", config.server);
        return Err(ConnectorError::new(ErrorCode::PermissionDenied, message)
            .hint("let the user that signs in read the root entry (RFC 4512 section 5.1)"));
    };
    let values = |entry: &SearchEntry, name: &str| value::find(entry, name).cloned().unwrap_or_default();
    let controls = values(&root, "supportedControl");
    let has = |oid: &str| controls.iter().any(|have| have == oid);
    let profile = Profile::of(&root, config.profile);
    if profile == Profile::Ad {
        wire.stay_in_one_context();
    }
    let subschema = values(&root, "subschemaSubentry").into_iter().next().unwrap_or_else(|| "cn=Subschema".into());
    let entry = read(wire, cx, subschema.clone(), SCHEMA.to_vec(), "read the schema").await?;
    let catalogue = entry.map(|entry| {
        let [types, classes, rules] = SCHEMA.map(|name| values(&entry, name));
        Catalogue::read(&types, &classes, &rules, profile == Profile::Ad)
    });
    let Some(catalogue) = catalogue.filter(|catalogue| catalogue.has_class("top")) else {
        let message = format!("{} shows no schema at `{subschema}`", config.server);
        return Err(ConnectorError::new(ErrorCode::PermissionDenied, message)
            .hint("let the user that signs in read the subschema entry (RFC 4512 section 4.2)"));
    };
    let mut classes = Vec::new();
    let usual = (profile == Profile::Ad && !config.named).then(|| config.usual_of_ad());
    for class in usual.as_ref().unwrap_or(&config.classes) {
        if let Some(unknown) = class.object_classes.iter().find(|name| !catalogue.has_class(name)) {
            if !config.named {
                continue;
            }
            let message = format!("{} has no object class `{unknown}`", config.server);
            return Err(ConnectorError::new(ErrorCode::InvalidConfig, message)
                .at(format!("classes.{}.object_classes", class.name))
                .hint("take one that the server's schema has, or extend the schema"));
        }
        let mut shape = shape(class, &catalogue, profile)?;
        shape.feed = profile::feed(cx, wire, &shape, profile, has(sync::CONTROL)).await?;
        classes.push(shape);
    }
    let keys: Vec<Vec<KeyReference>> = classes.iter().map(|shape| keys::of_class(shape, &classes)).collect();
    for (at, keys) in keys.into_iter().enumerate() {
        for key in &keys {
            let class = classes.iter().find(|other| other.class.name == key.class);
            let is_text =
                class.and_then(|class| class.attribute(&key.key)).is_some_and(|about| about.kind == Kind::Text);
            if !is_text || classes[at].attribute(&key.attribute).is_none_or(|about| about.kind != Kind::Text) {
                let name = &classes[at].class.name;
                let message = format!("`{}` cannot point at `{}` of `{}`", key.attribute, key.key, key.class);
                return Err(ConnectorError::new(ErrorCode::InvalidConfig, message)
                    .at(format!("classes.{name}.references"))
                    .hint("name a class of the connection, and attributes of both that hold texts"));
            }
        }
        classes[at].point(keys);
    }
    if classes.is_empty() {
        let message = format!("{} has neither `inetOrgPerson` nor `groupOfNames`", config.server);
        return Err(
            ConnectorError::new(ErrorCode::InvalidConfig, message).hint("name the `classes:` of the connection")
        );
    }
    Ok(Shape {
        classes,
        contexts: values(&root, "namingContexts"),
        profile,
        permissive: has(PERMISSIVE_MODIFY),
        assertion: has(ASSERTION),
        post_read: has(POST_READ),
    })
}

async fn read(
    wire: &Wire,
    cx: &Context,
    name: String,
    attributes: Vec<&'static str>,
    what: &str,
) -> Result<Option<SearchEntry>, ConnectorError> {
    let talk = move |mut ldap: Ldap| async move { one(&mut ldap, &name, "(objectClass=*)", attributes).await };
    wire.converse(cx, what, Effect::Reads, talk).await
}

/// The entry of a name; none when there is none.
pub async fn one(ldap: &mut Ldap, name: &str, filter: &str, attributes: Vec<&str>) -> Said<Option<SearchEntry>> {
    let result = ldap.search(name, Scope::Base, filter, attributes).await?;
    if result.1.rc == 32 {
        return Ok(None);
    }
    let (entries, _) = result.success()?;
    Ok(entries.into_iter().find(|entry| !entry.is_ref() && !entry.is_intermediate()).map(SearchEntry::construct))
}

fn shape(class: &Class, catalogue: &Catalogue, profile: Profile) -> Result<ClassShape, ConnectorError> {
    let (mut attributes, mut must) = catalogue.attributes_of(&class.object_classes);
    if profile == Profile::Ad {
        // Of what its schema asks for, the server makes up all but the name.
        must.retain(|name| name == "cn");
    }
    let id = profile::identifier(class, catalogue, profile)?;
    let own = class.enabled.as_ref().and_then(Switch::of);
    if let Some(unknown) = own.as_ref().filter(|own| catalogue.attribute(&own.attribute).is_none()) {
        let message = format!("the server has no attribute `{}`", unknown.attribute);
        return Err(
            ConnectorError::new(ErrorCode::InvalidConfig, message).at(format!("classes.{}.enabled", class.name))
        );
    }
    let switch = own.or_else(|| profile::usual_switch(&attributes, catalogue, profile));
    let by = switch.as_ref().map(|switch| switch.attribute.as_str());
    let mut operational: Vec<Text> = Vec::new();
    for name in TOLD.into_iter().chain(by).chain(id.attribute()) {
        let Some(attribute) = catalogue.attribute(name) else { continue };
        if attribute.operational {
            operational.push(attribute.name.clone());
        }
        if !attributes.contains(attribute) && (attribute.operational || Some(name) == by) {
            attributes.push(attribute.clone());
        }
    }
    if let Some(only) = &class.attributes {
        let named = |attribute: &Arc<Attribute>| only.iter().any(|name| name.eq_ignore_ascii_case(&attribute.name));
        let needed = |attribute: &Arc<Attribute>| {
            must.contains(&attribute.name)
                || [by, id.attribute()].into_iter().flatten().any(|name| name.eq_ignore_ascii_case(&attribute.name))
        };
        if let Some(unknown) =
            only.iter().find(|name| !attributes.iter().any(|one| one.name.eq_ignore_ascii_case(name)))
        {
            let message = format!("entries of class `{}` have no attribute `{unknown}`", class.name);
            return Err(
                ConnectorError::new(ErrorCode::InvalidConfig, message).at(format!("classes.{}.attributes", class.name))
            );
        }
        attributes.retain(|attribute| named(attribute) || needed(attribute));
    }
    attributes.sort_by(|one, other| one.name.cmp(&other.name));
    let by_name = attributes.iter().map(|attribute| (attribute.name.clone(), attribute.clone())).collect();
    Ok(ClassShape {
        class: class.clone(),
        switch,
        keys: Vec::new(),
        feed: None,
        id,
        attributes,
        by_name,
        must,
        operational,
    })
}

impl Shape {
    pub fn class(&self, name: &str) -> Option<&ClassShape> {
        self.classes.iter().find(|shape| shape.class.name.eq_ignore_ascii_case(name))
    }

    /// The schema as the contract has it.
    pub fn schema(&self) -> Schema {
        Schema { classes: self.classes.iter().map(|shape| self.class_schema(shape)).collect() }
    }

    fn class_schema(&self, shape: &ClassShape) -> ClassSchema {
        let all: Vec<ClassName> = self.classes.iter().map(|shape| shape.class.name.clone()).collect();
        let placeholder = shape.needs_placeholder().map(|attribute| attribute.name.clone());
        let name = AttributeSchema {
            name: value::NAME.into(),
            unique: true,
            mutability: Mutability::ReadWrite,
            ..AttributeSchema::new(value::NAME, AttributeType::String)
        };
        let described = shape.attributes.iter().map(|attribute| {
            let secret = attribute.secret;
            let required = shape.must.contains(&attribute.name)
                && !attribute.name.eq_ignore_ascii_case("objectClass")
                && placeholder.as_ref() != Some(&attribute.name);
            AttributeSchema {
                kind: match attribute.kind {
                    Kind::Text => AttributeType::String,
                    Kind::Boolean => AttributeType::Boolean,
                    Kind::Integer => AttributeType::Integer,
                    Kind::Time | Kind::FileTime => AttributeType::DateTime,
                    Kind::Name | Kind::Key => AttributeType::Reference,
                    Kind::Bytes if secret => AttributeType::String,
                    Kind::Bytes => AttributeType::Binary,
                },
                multi_valued: attribute.multi && !secret,
                required,
                case_exact: attribute.case_exact,
                mutability: match (secret, attribute.read_only) {
                    (true, _) => Mutability::WriteOnly,
                    (_, true) => Mutability::ReadOnly,
                    _ => Mutability::ReadWrite,
                },
                sensitive: secret,
                reference_classes: match attribute.kind {
                    Kind::Name => all.clone(),
                    Kind::Key => shape.key(&attribute.name).map(|key| key.class.clone()).into_iter().collect(),
                    _ => Vec::new(),
                },
                ..AttributeSchema::new(attribute.name.clone(), AttributeType::String)
            }
        });
        let keys = ["uid", "mail", "cn", "sAMAccountName", "userPrincipalName"];
        let keys = keys.into_iter().filter(|key| shape.attribute(key).is_some()).map(Text::from);
        ClassSchema {
            name: shape.class.name.clone(),
            attributes: std::iter::once(name)
                .chain(shape.switch.as_ref().and_then(Switch::schema))
                .chain(described)
                .collect(),
            keys: keys.chain([value::NAME.into()]).collect(),
            open: false,
        }
    }

    pub fn capabilities(&self, config: &Config) -> Capabilities {
        let classes = self.classes.iter().map(|shape| {
            let enablement = shape.enablement();
            let switch = enablement.as_ref().map(|switch| switch.path.to_string());
            let can_ask = |attribute: &&Arc<Attribute>| {
                matches!(attribute.kind, Kind::Text | Kind::Integer)
                    && !attribute.secret
                    && switch.as_deref() != Some(attribute.name.as_str())
            };
            let lookup = shape.attributes.iter().filter(can_ask).map(|attribute| attribute.name.clone());
            ClassCapabilities {
                name: shape.class.name.clone(),
                scan: true,
                changes: shape.feed.is_some(),
                create: true,
                update: true,
                delete: true,
                enablement,
                lookup: lookup.chain([value::NAME.into(), "id".into()]).collect(),
                max_values_per_change: Some(1_000),
                // A name that is not there yet can be no member.
                references_in_create: false,
                ..ClassCapabilities::default()
            }
        });
        Capabilities {
            classes: classes.collect(),
            max_in_flight: config.max_in_flight,
            max_batch: 1,
            max_lookup: 50,
            ..Capabilities::default()
        }
    }
}
