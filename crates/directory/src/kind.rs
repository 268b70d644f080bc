//! What the directory knows about one resource type beyond its schema: which attribute names a resource, whether that name
//! is unique, what it is found by, whether there are members and a manager, and what is never kept.

use std::sync::Arc;

use provost_model::{AttributePath, Attributes, Mutability, ObjectId, Text, Value};
use provost_scim::schema::{Attribute, Secrets};
use provost_scim::{TypeSchema, collate, urn};

use crate::DirectoryError;
use crate::assignment::{APPLICATION, ASSIGNMENT};
use crate::index::{self, Index};

/// Longer names and external ids are refused: PostgreSQL's indexes end at some 2,700 bytes.
pub(crate) const KEY_MAX: usize = 1024;

/// The place of `manager.value` inside the enterprise extension.
const MANAGER: &str = "manager";

/// The computed attribute of those who may belong to groups (RFC 7643 section 4.1.2).
pub(crate) const GROUPS: &str = "groups";

/// One resource type.
#[derive(Debug)]
pub(crate) struct Kind {
    pub types: Arc<TypeSchema>,
    /// `User`.
    pub name: Text,
    /// The attribute that a resource is called by: `userName`, `displayName`; none where the type has neither.
    pub naming: Option<Text>,
    /// No two living resources have the same name.
    pub unique: bool,
    /// What else it is found by.
    pub indexes: Vec<Index>,
    pub has_members: bool,
    pub has_manager: bool,
    /// Those that are assigned to applications: users and groups.
    pub is_assignable: bool,
    pub is_application: bool,
    pub is_assignment: bool,
    /// There is an attribute `groups`, which tells what the resource is a direct member of.
    pub has_groups: bool,
    /// In the schema, but never stored: what is computed.
    dropped: Vec<Text>,
    /// Never stored either: nobody signs in here.
    secrets: Secrets,
}

/// The columns that are cut out of a resource's attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns {
    pub name_key: String,
    pub external_id: Option<String>,
    pub manager: Option<ObjectId>,
}

/// The name of those that have none: a column tells the living by it.
const NAMELESS: &str = "-";

impl Kind {
    /// A type, with attributes to be found by beside those that are always indexed.
    pub fn new(types: Arc<TypeSchema>, indexes: &[AttributePath]) -> Self {
        let unique = types.core.is(urn::USER);
        let naming = if unique { "userName" } else { "displayName" };
        let naming = types.core.attribute(naming).map(|attribute| attribute.name.clone());
        let not_kept =
            |attribute: &&Attribute| attribute.mutability == Mutability::ReadOnly && !attribute.name.is_empty();
        let mut dropped: Vec<Text> =
            types.core.attributes.iter().filter(not_kept).map(|attribute| attribute.name.clone()).collect();
        dropped.extend(["schemas", "id", "meta", "members"].map(Text::from));
        Self {
            name: types.name().into(),
            indexes: index::of(&types, naming.as_ref(), indexes),
            naming,
            unique,
            has_members: types.core.is(urn::GROUP),
            has_manager: types.extension(urn::ENTERPRISE_USER).is_some(),
            is_assignable: types.core.is(urn::USER) || types.core.is(urn::GROUP),
            is_application: types.core.is(APPLICATION),
            is_assignment: types.core.is(ASSIGNMENT),
            has_groups: types.attribute(GROUPS).is_some(),
            dropped,
            secrets: Secrets::of(&types),
            types,
        }
    }

    /// The form in which names are compared.
    pub fn name_key(&self, name: &str) -> String {
        collate::username_key(name)
    }

    /// Takes away what is not stored: secrets, computed attributes, nulls, empty lists and containers.
    pub fn clean(&self, attributes: &mut Attributes) {
        self.secrets.strip(attributes);
        attributes.retain(|name, value| {
            let empty = match value {
                Value::Null => true,
                Value::List(list) => list.is_empty(),
                Value::Complex(parts) => parts.is_empty(),
                _ => false,
            };
            !empty && !self.dropped.iter().any(|dropped| dropped.eq_ignore_ascii_case(name))
        });
    }

    /// The columns of a resource with these attributes, and whether it may be stored at all.
    pub fn columns(&self, attributes: &Attributes) -> Result<Columns, DirectoryError> {
        let name_key = match &self.naming {
            None => NAMELESS.to_owned(),
            Some(naming) => match attributes.find(naming) {
                Some(Value::Text(name)) if !name.is_empty() => self.name_key(checked(naming, name)?),
                None | Some(Value::Text(_)) if self.needs_name(naming) => {
                    return Err(DirectoryError::Required { attribute: naming.clone() });
                }
                None | Some(Value::Text(_)) => NAMELESS.to_owned(),
                Some(_) => return Err(DirectoryError::invalid(naming.clone(), "has to be a text")),
            },
        };
        let external_id = match attributes.find("externalId") {
            Some(Value::Text(id)) => Some(checked("externalId", id)?.to_owned()),
            None => None,
            Some(_) => return Err(DirectoryError::invalid("externalId", "has to be a text")),
        };
        let manager = match manager(attributes).filter(|_| self.has_manager) {
            Some(id) => Some(checked(MANAGER, id)?.into()),
            None => None,
        };
        Ok(Columns { name_key, external_id, manager })
    }

    fn needs_name(&self, naming: &str) -> bool {
        self.unique || self.types.core.attribute(naming).is_some_and(|attribute| attribute.required)
    }
}

/// The id of the one that a user reports to.
pub(crate) fn manager(attributes: &Attributes) -> Option<&str> {
    let manager = attributes.find(urn::ENTERPRISE_USER)?.as_complex()?.find(MANAGER)?.as_complex()?;
    manager.find("value")?.as_text().filter(|id| !id.is_empty())
}

/// Makes a user report to somebody, or to nobody.
pub(crate) fn set_manager(attributes: &mut Attributes, id: Option<Text>) {
    let extension = attributes.entry(urn::ENTERPRISE_USER, || Value::Complex(Attributes::new()));
    if !matches!(extension, Value::Complex(_)) {
        *extension = Value::Complex(Attributes::new());
    }
    let Value::Complex(parts) = extension else { return };
    match id {
        Some(id) => parts.set(MANAGER, Value::Complex([("value", id)].into_iter().collect())),
        None => drop(parts.remove(MANAGER)),
    }
    if parts.is_empty() {
        attributes.remove(urn::ENTERPRISE_USER);
    }
}

fn checked<'a>(path: &str, text: &'a str) -> Result<&'a str, DirectoryError> {
    if text.len() > KEY_MAX {
        return Err(DirectoryError::invalid(path, format!("is longer than {KEY_MAX} bytes")));
    }
    if text.contains('\0') {
        return Err(DirectoryError::invalid(path, "holds a NUL character"));
    }
    Ok(text)
}
