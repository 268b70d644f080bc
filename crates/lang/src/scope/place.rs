//! Where a clause looks in a record: a path prepared for many records, names in any letter case.

use provost_model::{AttributePath, Attributes, Text, Value};

use super::{Setting, Test};
use crate::LangError;
use crate::program::Hint;

/// A name with the position where it was found last.
#[derive(Debug)]
struct Name {
    text: Text,
    hint: Hint,
}

impl Name {
    fn new(text: impl Into<Text>) -> Self {
        Self { text: text.into(), hint: Hint::default() }
    }

    fn find<'v>(&self, attributes: &'v Attributes) -> Option<&'v Value> {
        self.hint.find(attributes, &self.text)
    }
}

#[derive(Debug)]
pub(super) struct Place {
    /// The URN of an extension, whose attributes sit in a container of their own (RFC 7643 section 3.3).
    container: Option<Name>,
    name: Name,
    sub: Option<Name>,
    /// Which elements count.
    selector: Option<Box<Test>>,
    /// The whole path as one name, for flat records such as files; absent for a plain path.
    whole: Option<Name>,
}

const CORE: &str = "urn:ietf:params:scim:schemas:core:2.0:";

impl Place {
    pub(super) fn compile(path: &AttributePath, setting: Setting<'_>, errors: &mut Vec<LangError>) -> Self {
        let is_core = |urn: &Text| urn.get(..CORE.len()).is_some_and(|start| start.eq_ignore_ascii_case(CORE));
        let selector = path.filter.as_ref().map(|filter| {
            let parent = AttributePath { filter: None, ..path.clone() };
            Box::new(Test::compile(filter, Some(&parent), setting, errors))
        });
        Self {
            container: path.schema.clone().filter(|urn| !is_core(urn)).map(Name::new),
            name: Name::new(path.name.clone()),
            sub: path.sub.clone().map(Name::new),
            selector,
            whole: (!path.is_plain()).then(|| Name::new(path.flat_name())),
        }
    }

    /// The attribute itself, before its sub-attribute is picked.
    fn attribute<'v>(&self, attributes: &'v Attributes) -> Option<&'v Value> {
        match &self.container {
            Some(urn) => self.name.find(urn.find(attributes)?.as_complex()?),
            None => self.name.find(attributes),
        }
    }

    fn flat<'v>(&self, attributes: &'v Attributes) -> Option<&'v Value> {
        self.whole.as_ref()?.find(attributes)
    }

    /// What the record holds here, as far as it is one value; the whole list for several.
    pub(super) fn value<'v>(&self, attributes: &'v Attributes) -> Option<&'v Value> {
        let Some(value) = self.attribute(attributes) else { return self.flat(attributes) };
        match (&self.sub, value) {
            (Some(sub), Value::Complex(inner)) => sub.find(inner),
            _ => Some(value),
        }
    }

    /// Whether any single value here passes. A list gives each element, a complex value its `value`.
    pub(super) fn any(&self, attributes: &Attributes, mut test: impl FnMut(&Value) -> bool) -> bool {
        match self.attribute(attributes) {
            Some(value) => self.any_of(value, &mut test),
            None => self.flat(attributes).is_some_and(|value| any_leaf(value, &mut test)),
        }
    }

    fn any_of(&self, value: &Value, test: &mut impl FnMut(&Value) -> bool) -> bool {
        if self.sub.is_none() && self.selector.is_none() {
            return any_leaf(value, test);
        }
        match value {
            Value::List(elements) => elements.iter().any(|element| self.any_of(element, test)),
            element if self.selector.as_ref().is_some_and(|selector| !selector.matches_element(element)) => false,
            Value::Complex(inner) => match &self.sub {
                Some(sub) => sub.find(inner).is_some_and(|value| any_leaf(value, test)),
                None => any_leaf(value, test),
            },
            // A simple value, or a reference, is its own `value`.
            simple => self.sub.as_ref().is_none_or(|sub| sub.text.eq_ignore_ascii_case("value")) && test(simple),
        }
    }

    /// Whether any element here passes, taken as a whole.
    pub(super) fn any_element(&self, attributes: &Attributes, mut test: impl FnMut(&Value) -> bool) -> bool {
        match self.attribute(attributes).or_else(|| self.flat(attributes)) {
            Some(Value::List(elements)) => elements.iter().any(test),
            Some(element) => test(element),
            None => false,
        }
    }
}

fn any_leaf(value: &Value, test: &mut impl FnMut(&Value) -> bool) -> bool {
    match value {
        Value::List(elements) => elements.iter().any(|element| any_leaf(element, test)),
        Value::Complex(inner) => match inner.find("value") {
            Some(value @ (Value::List(_) | Value::Complex(_))) => test(value),
            Some(simple) => test(simple),
            None => test(value),
        },
        simple => test(simple),
    }
}
