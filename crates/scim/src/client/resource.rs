//! Bodies of POST and PUT: changes of a plan folded into one resource.
//!
//! What almost every create is made of is written straight along a [`Skeleton`]; the rest goes through a tree of
//! attributes, which is also what says how a body has to be.

use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock};

use provost_model::{
    AttributePath, AttributeSchema, AttributeType, Attributes, Change, ChangeOp, ClassSchema, Reference, Text, Value,
};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::Dialect;
use super::skeleton::{Skeleton, Unsorted, is_urn};
use crate::resource::value::boolean;
use crate::urn;

/// Makes bodies for the objects of one class of one target. Make it once per class; it is cheap to call per object.
#[derive(Debug, Clone)]
pub struct BodyWriter {
    pub(super) dialect: Arc<Dialect>,
    pub(super) class: Arc<ClassSchema>,
    core: Text,
    extra: Vec<Text>,
    /// Shared by clones. A panic cannot leave it half done but in `learn`, which at worst forgets a path.
    skeleton: Arc<RwLock<Skeleton>>,
}

/// How a value is sent: as which type, and whether in an object with the value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub kind: Option<AttributeType>,
    pub wrap: bool,
}

impl BodyWriter {
    /// `class` is the target's, discovered or declared; it may be without attributes, then values are sent as they are
    /// and only what the RFC fixes is known. `core` is the URN of the core schema; `None` derives it from the class's name.
    pub fn new(dialect: Arc<Dialect>, class: Arc<ClassSchema>, core: Option<&str>) -> Self {
        let core = match core {
            Some(urn) => urn.into(),
            None if class.name.eq_ignore_ascii_case("Group") => urn::GROUP.into(),
            None if class.name.eq_ignore_ascii_case("User") => urn::USER.into(),
            None => format!("urn:ietf:params:scim:schemas:core:2.0:{}", class.name).into(),
        };
        let extra = dialect.extra_schemas.iter().find(|(name, _)| name.eq_ignore_ascii_case(&class.name));
        let extra = extra.map(|(_, urns)| urns.clone()).unwrap_or_default();
        Self { dialect, class, core, extra, skeleton: Arc::default() }
    }

    /// The body of a POST: all changes of a create, folded into one resource. A single work e-mail is made the primary
    /// one, as Entra does.
    pub fn create(&self, changes: &[Change]) -> Vec<u8> {
        self.outlined(changes).unwrap_or_else(|| self.folded(changes))
    }

    /// The general way.
    pub(super) fn folded(&self, changes: &[Change]) -> Vec<u8> {
        let mut resource = Attributes::with_capacity(changes.len() + 1);
        self.fold(&mut resource, changes);
        self.to_body(&resource)
    }

    /// The quick way. `None` for changes that it does not know.
    pub(super) fn outlined(&self, changes: &[Change]) -> Option<Vec<u8>> {
        match self.along(&self.skeleton.read().unwrap_or_else(PoisonError::into_inner), changes) {
            Ok(body) => return Some(body),
            Err(Unsorted::Unusual) => return None,
            Err(Unsorted::New) => {}
        }
        let mut skeleton = self.skeleton.write().unwrap_or_else(PoisonError::into_inner);
        if skeleton.learn(changes, |path| self.form(path)) { self.along(&skeleton, changes).ok() } else { None }
    }

    fn along(&self, skeleton: &Skeleton, changes: &[Change]) -> Result<Vec<u8>, Unsorted> {
        let sorted = skeleton.sort(changes)?;
        let mut body = Vec::with_capacity(1536);
        skeleton.write(&mut body, &sorted, &self.core, &self.extra);
        if self.dialect.send_resource_type {
            body.extend_from_slice(b",\"meta\":{\"resourceType\":");
            serde_json::to_writer(&mut body, self.class.name.as_str()).expect("every text can be a JSON string");
            body.push(b'}');
        }
        // In place of the first member's comma.
        body[0] = b'{';
        body.push(b'}');
        Ok(body)
    }

    /// The body of a PUT: what the target returned, with the changes in it. What Provost does not manage stays; `meta`
    /// and `schemas` are made anew.
    pub fn replace(&self, mut current: Attributes, changes: &[Change]) -> Vec<u8> {
        current.remove("schemas");
        current.remove("meta");
        self.fold(&mut current, changes);
        self.to_body(&current)
    }

    /// Applies changes to a resource. A value filter that is not made of `eq` terms names nothing that could be written, and
    /// is passed over.
    pub(super) fn fold(&self, resource: &mut Attributes, changes: &[Change]) {
        for change in changes {
            let path = &*change.path;
            if path.filter.is_some() && path.selector().is_none() {
                continue;
            }
            match change.op {
                ChangeOp::Unset => cleared(path).put(resource, Value::Null),
                ChangeOp::Set => path.put(resource, self.value(path, &change.value)),
                ChangeOp::Add | ChangeOp::Remove => {
                    let mut list = match path.get(resource) {
                        Some(Value::List(list)) => list.clone(),
                        Some(Value::Null) | None => Vec::new(),
                        Some(single) => vec![single.clone()],
                    };
                    let values = match self.value(path, &change.value) {
                        Value::List(values) => values,
                        single => vec![single],
                    };
                    list.retain(|have| !values.iter().any(|value| same_element(have, value)));
                    if change.op == ChangeOp::Add {
                        list.extend(values);
                    }
                    path.put(resource, Value::List(list));
                }
            }
        }
        drop_empty(resource);
        primary_work_email(resource);
    }

    fn to_body(&self, resource: &Attributes) -> Vec<u8> {
        let mut body = Vec::with_capacity(1024);
        serde_json::to_writer(&mut body, &Body { writer: self, resource }).expect("a resource has only JSON values");
        body
    }

    /// A value in the target's form: booleans and numbers that the mapping left as text, ids where references were.
    pub(super) fn value(&self, path: &AttributePath, value: &Value) -> Value {
        // Most values are texts of a sub-attribute that no type changes: they need no look at the schema.
        if let Value::Text(text) = value
            && (path.sub.is_some() || path.filter.is_some())
            && !may_be_typed(text)
        {
            return value.clone();
        }
        typed(value, self.form(path))
    }

    fn form(&self, path: &AttributePath) -> Form {
        let schema = self.class.resolve(path);
        // `manager.value` holds the id itself, `manager` and `members` an object with it.
        let wrap = path.sub.is_none() && path.filter.is_none() && self.is_reference(path, schema);
        let kind = schema.map(|schema| schema.kind).or_else(|| {
            let name = path.sub.as_ref().unwrap_or(&path.name);
            let known = name.eq_ignore_ascii_case("active") || name.eq_ignore_ascii_case("primary");
            known.then_some(AttributeType::Boolean)
        });
        Form { kind, wrap }
    }

    fn is_reference(&self, path: &AttributePath, schema: Option<&AttributeSchema>) -> bool {
        match schema {
            Some(schema) => schema.kind == AttributeType::Complex && schema.sub_attribute("value").is_some(),
            None => path.name.eq_ignore_ascii_case("members") || path.name.eq_ignore_ascii_case("manager"),
        }
    }
}

/// Whether a text may be a boolean or a number.
fn may_be_typed(text: &str) -> bool {
    let first = text.bytes().next().unwrap_or_default();
    boolean(text).is_some() || first.is_ascii_digit() || matches!(first, b'+' | b'-' | b'.')
}

/// The value as it is sent.
pub(super) fn typed(value: &Value, form: Form) -> Value {
    let Form { kind, wrap } = form;
    let wrapped = |id: Value| Value::Complex([("value", id)].into_iter().collect());
    match (value, kind) {
        (Value::List(values), _) => Value::List(values.iter().map(|value| typed(value, form)).collect()),
        (Value::Reference(reference), _) => {
            let Reference { id, .. } = &**reference;
            if wrap { wrapped(Value::Text(id.0.clone())) } else { Value::Text(id.0.clone()) }
        }
        (Value::Complex(parts), _) => Value::Complex(
            parts.iter().map(|(name, value)| (name, typed(value, Form { kind: None, wrap: false }))).collect(),
        ),
        (Value::Text(text), Some(AttributeType::Boolean)) => {
            boolean(text).map_or_else(|| value.clone(), Value::Boolean)
        }
        (Value::Text(text), Some(AttributeType::Integer)) => {
            text.parse().map_or_else(|_| value.clone(), Value::Integer)
        }
        (Value::Text(text), Some(AttributeType::Decimal)) => match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Value::Decimal(number),
            _ => value.clone(),
        },
        // A number or boolean where the target wants text.
        (Value::Integer(_) | Value::Decimal(_) | Value::Boolean(_), Some(AttributeType::String)) => {
            value.to_text().map_or_else(|| value.clone(), |text| Value::text(&*text))
        }
        (simple, _) if wrap && !simple.is_null() => wrapped(simple.clone()),
        (simple, _) => simple.clone(),
    }
}

/// What a removal names: without its `value`, an element of a list is nothing.
pub(super) fn cleared(path: &AttributePath) -> Cow<'_, AttributePath> {
    match (&path.filter, &path.sub) {
        (Some(_), Some(sub)) if sub.eq_ignore_ascii_case("value") => {
            Cow::Owned(AttributePath { sub: None, ..path.clone() })
        }
        _ => Cow::Borrowed(path),
    }
}

/// Equal, or objects with an equal `value`. A target that counts its objects may give ids as numbers where they are sent
/// as texts.
pub(super) fn same_element(one: &Value, other: &Value) -> bool {
    let same = |one: &Value, other: &Value| {
        one == other || matches!((one.to_text(), other.to_text()), (Some(one), Some(other)) if one == other)
    };
    match (one, other) {
        (Value::Complex(one), Value::Complex(other)) => match (one.find("value"), other.find("value")) {
            (Some(one), Some(other)) => same(one, other),
            _ => one == other,
        },
        (one, other) => same(one, other),
    }
}

/// Containers and elements that a removal left empty.
fn drop_empty(resource: &mut Attributes) {
    resource.retain(|_, value| match value {
        Value::Complex(parts) => !parts.is_empty(),
        _ => true,
    });
}

fn primary_work_email(resource: &mut Attributes) {
    if let Some(Value::List(emails)) = resource.find_mut("emails")
        && let [Value::Complex(only)] = emails.as_mut_slice()
        && only.find("type").and_then(Value::as_text).is_some_and(|kind| kind.eq_ignore_ascii_case("work"))
        && only.find("value").is_some()
        && only.find("primary").is_none()
    {
        only.push("primary", true);
    }
}

struct Body<'a> {
    writer: &'a BodyWriter,
    resource: &'a Attributes,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let extensions = self.resource.iter().filter(|(name, _)| is_urn(name)).map(|(name, _)| name);
        let extra = self.writer.extra.iter().map(Text::as_str);
        let urns: Vec<&str> = std::iter::once(self.writer.core.as_str()).chain(extensions).chain(extra).collect();
        map.serialize_entry("schemas", &urns)?;
        for (name, value) in self.resource.iter() {
            map.serialize_entry(name, value)?;
        }
        if self.writer.dialect.send_resource_type {
            let meta: Attributes = [("resourceType", self.writer.class.name.as_str())].into_iter().collect();
            map.serialize_entry("meta", &meta)?;
        }
        map.end()
    }
}
