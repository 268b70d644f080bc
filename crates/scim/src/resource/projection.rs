//! What of a resource an answer shows: `attributes`, `excludedAttributes` (RFC 7644 section 3.9) and the characteristic
//! `returned` (RFC 7643 section 2.2), in canonical form.

use provost_model::{AttributePath, Attributes, Text, Value};

use crate::schema::{Attribute, Returned, Schema, Target};
use crate::{ScimError, TypeSchema};

/// What a request asked to see, before a resource type is known. The default shows what is returned by default.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Projection {
    include: Option<Vec<AttributePath>>,
    exclude: Vec<AttributePath>,
}

impl Projection {
    /// From the names in `attributes` and `excludedAttributes`; both at once are 400 `invalidValue`. Names may be
    /// sub-attribute paths, qualified by a URN, or a whole extension's URN. What is no name at all is passed over, as is
    /// later what no schema knows.
    pub fn new<'a>(
        attributes: impl IntoIterator<Item = &'a str>,
        excluded: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, ScimError> {
        let read = |text: &str| text.trim().parse::<AttributePath>().ok();
        let include: Vec<_> = attributes.into_iter().filter_map(read).collect();
        let exclude: Vec<_> = excluded.into_iter().filter_map(read).collect();
        if !include.is_empty() && !exclude.is_empty() {
            return Err(ScimError::invalid_value("attributes and excludedAttributes exclude each other"));
        }
        Ok(Self { include: (!include.is_empty()).then_some(include), exclude })
    }

    /// From the two query parameters, names separated by commas.
    pub fn parse(attributes: Option<&str>, excluded: Option<&str>) -> Result<Self, ScimError> {
        Self::new(attributes.unwrap_or_default().split(','), excluded.unwrap_or_default().split(','))
    }

    /// Whether the request named the attributes it wants; such a PATCH is always answered with a body.
    pub fn is_explicit(&self) -> bool {
        self.include.is_some()
    }

    /// Leaves out one attribute more, unless the request named those that it wants.
    pub fn leave_out(&mut self, name: &str) {
        self.exclude.push(AttributePath::name(name));
    }

    /// The projection for resources of one type; resolve once, use for every resource of a page.
    pub fn view<'a>(&self, types: &'a TypeSchema) -> View<'a> {
        View {
            types,
            include: self.include.as_ref().map(|paths| wanted(types, paths)),
            exclude: wanted(types, &self.exclude),
            written: Vec::new(),
        }
    }
}

/// One attribute (or extension, with an empty name) that a projection names.
#[derive(Debug, Clone, PartialEq)]
struct Name<'a> {
    extension: Option<&'a str>,
    /// Empty for the whole container.
    attribute: &'a str,
    sub: Option<&'a str>,
}

fn wanted<'a>(types: &'a TypeSchema, paths: &[AttributePath]) -> Vec<Name<'a>> {
    let name = |path| match types.resolve(path)? {
        Target::Container(schema) => Some(Name { extension: schema.map(|s| s.id.as_str()), attribute: "", sub: None }),
        Target::Attribute(place) => Some(Name {
            extension: place.extension.map(|schema| schema.id.as_str()),
            attribute: &place.attribute.name,
            sub: place.sub.map(|sub| sub.name.as_str()),
        }),
    };
    paths.iter().filter_map(name).collect()
}

/// A projection bound to a resource type.
#[derive(Debug, Clone)]
pub struct View<'a> {
    types: &'a TypeSchema,
    include: Option<Vec<Name<'a>>>,
    exclude: Vec<Name<'a>>,
    written: Vec<Text>,
}

impl<'a> View<'a> {
    /// For the answer to a write: attributes that are returned on request are shown when the write set them (RFC 7643
    /// section 7). Names as [`crate::schema::Place::attribute_name`] spells them.
    pub fn written(mut self, names: impl IntoIterator<Item = Text>) -> Self {
        self.written.extend(names);
        self
    }

    /// Whether a core attribute would be shown at all, to not even read 100,000 members that nobody sees.
    pub fn shows(&self, attribute: &str) -> bool {
        self.types.attribute(attribute).is_none_or(|attribute| self.keeps(None, attribute).is_some())
    }

    /// Whether this part of a core attribute would be shown.
    pub fn shows_part(&self, attribute: &str, sub: &str) -> bool {
        let Some(attribute) = self.types.attribute(attribute) else { return false };
        let parts = self.keeps(None, attribute);
        parts.zip(attribute.sub_attribute(sub)).is_some_and(|(parts, sub)| parts.keeps(sub))
    }

    /// The resource as it is shown: `schemas` computed, then `id`, the attributes, `meta`. Unassigned and secret
    /// attributes are left out; names that no schema knows are shown only when everything is.
    pub fn present(&self, resource: Attributes) -> Attributes {
        let mut shown = Attributes::with_capacity(resource.len() + 1);
        shown.push("schemas", Value::Null);
        let mut meta = None;
        for (name, value) in resource {
            if name == "schemas" || value.is_null() {
                continue;
            }
            let (name, value) = if let Some(attribute) = self.types.attribute(&name) {
                (&attribute.name, self.cut(None, attribute, value))
            } else if let Some(schema) = self.types.extension(&name) {
                (&schema.id, self.cut_container(schema, value))
            } else {
                if self.include.is_none() && !value.is_unassigned() {
                    shown.push(name, value);
                }
                continue;
            };
            match value {
                Some(value) if name == "meta" => meta = Some(value),
                Some(value) => shown.push(name.clone(), value),
                None => {}
            }
        }
        if let Some(meta) = meta {
            shown.push("meta", meta);
        }
        let schemas: Vec<Value> = self.types.schemas_of(&shown).into_iter().map(Value::Text).collect();
        shown.set("schemas", schemas);
        shown
    }

    fn cut_container(&self, schema: &Schema, value: Value) -> Option<Value> {
        let Value::Complex(container) = value else { return None };
        let mut kept = Attributes::with_capacity(container.len());
        for (name, value) in container {
            if let Some(attribute) = schema.attribute(&name)
                && let Some(value) = self.cut(Some(schema), attribute, value)
            {
                kept.push(attribute.name.clone(), value);
            }
        }
        (!kept.is_empty()).then_some(Value::Complex(kept))
    }

    fn cut(&self, extension: Option<&Schema>, attribute: &Attribute, value: Value) -> Option<Value> {
        let subs = self.keeps(extension, attribute)?;
        let value = if attribute.is_complex() { subs.cut(attribute, value)? } else { value };
        // An empty text is a value; null, [] and {} are not (RFC 7643 section 2.5).
        (matches!(value, Value::Text(_)) || !value.is_unassigned()).then_some(value)
    }

    /// Which parts of an attribute are shown; none when it is not shown at all.
    fn keeps(&self, extension: Option<&Schema>, attribute: &Attribute) -> Option<Subs<'_>> {
        let named = |names: &[Name<'a>]| -> Named<'a> {
            let mut subs = Vec::new();
            for name in names.iter().filter(|name| name.extension == extension.map(|schema| schema.id.as_str())) {
                match (name.attribute, name.sub) {
                    ("", _) => return Named::Whole,
                    (have, None) if have == attribute.name => return Named::Whole,
                    (have, Some(sub)) if have == attribute.name => subs.push(sub),
                    _ => {}
                }
            }
            if subs.is_empty() { Named::Not } else { Named::Subs(subs) }
        };
        match (attribute.returned, &self.include) {
            (Returned::Never, _) => None,
            (Returned::Always, _) => Some(Subs::All),
            (_, Some(names)) => match named(names) {
                Named::Whole => Some(Subs::All),
                Named::Subs(subs) => Some(Subs::Only(subs)),
                // A sub-attribute that is always returned drags nothing with it: its parent was not asked for.
                Named::Not => None,
            },
            (Returned::Request, None) => {
                let place = crate::schema::Place { extension, attribute, sub: None };
                self.written.contains(&place.attribute_name()).then_some(Subs::All)
            }
            (Returned::Default, None) => match named(&self.exclude) {
                Named::Whole => None,
                Named::Subs(subs) => Some(Subs::Without(subs)),
                Named::Not => Some(Subs::All),
            },
        }
    }
}

enum Named<'a> {
    Whole,
    Subs(Vec<&'a str>),
    Not,
}

enum Subs<'a> {
    All,
    Only(Vec<&'a str>),
    Without(Vec<&'a str>),
}

impl Subs<'_> {
    fn keeps(&self, sub: &Attribute) -> bool {
        let listed = |names: &[&str]| names.contains(&sub.name.as_str());
        match (sub.returned, self) {
            (Returned::Never, _) => false,
            (Returned::Always, _) => true,
            (_, Subs::Only(names)) => listed(names),
            (Returned::Request, _) => false,
            (_, Subs::All) => true,
            (_, Subs::Without(names)) => !listed(names),
        }
    }

    fn cut(&self, attribute: &Attribute, value: Value) -> Option<Value> {
        match value {
            Value::Complex(mut parts) => {
                parts.retain(|name, value| {
                    !value.is_null() && attribute.sub_attribute(name).is_none_or(|sub| self.keeps(sub))
                });
                (!parts.is_empty()).then_some(Value::Complex(parts))
            }
            Value::List(elements) => {
                let elements: Vec<_> =
                    elements.into_iter().filter_map(|element| self.cut(attribute, element)).collect();
                (!elements.is_empty()).then_some(Value::List(elements))
            }
            other => Some(other),
        }
    }
}
