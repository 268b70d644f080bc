//! One comparison against the values at its place. A multi-valued attribute matches when any of its values does.

use std::cmp::Ordering;

use jiff::Timestamp;
use provost_model::{Attributes, Operator, Value};

use super::{ResourceFilter, Slot};
use crate::collate::{self, Collation};
use crate::resource::value::boolean;

/// What a comparison looks at.
pub(super) enum Scope<'a> {
    Resource { attributes: &'a Attributes, filter: &'a ResourceFilter },
    Element(&'a Value),
}

#[derive(Debug, Clone)]
pub(super) struct Test {
    pub slot: Slot,
    pub op: Operator,
    pub operand: Operand,
    pub collation: Collation,
}

/// The operand, ready to compare: texts are folded already.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    Null,
    Text(String),
    Boolean(bool),
    Integer(i64),
    Decimal(f64),
    Time(Timestamp),
}

impl Scope<'_> {
    /// Whether any value at this place satisfies `test`. Lists are opened; null is no value.
    pub(super) fn any(&self, slot: &Slot, test: &mut dyn FnMut(&Value) -> bool) -> bool {
        match (self, slot) {
            (Scope::Resource { attributes, .. }, Slot::Attribute { extension, name, sub }) => {
                let holder = match extension {
                    Some(urn) => attributes.find(urn).and_then(Value::as_complex),
                    None => Some(*attributes),
                };
                holder.and_then(|holder| holder.find(name)).is_some_and(|value| any_value(value, sub.as_deref(), test))
            }
            (Scope::Resource { attributes, filter }, Slot::Schemas) => {
                let present = |urn: &&provost_model::Text| {
                    attributes.find(urn).is_some_and(|container| !container.is_unassigned())
                };
                let urns = std::iter::once(&filter.core).chain(filter.extensions.iter().filter(present));
                urns.into_iter().any(|urn| test(&Value::Text(urn.clone())))
            }
            (Scope::Resource { filter, .. }, Slot::ResourceType) => test(&Value::Text(filter.type_name.clone())),
            (Scope::Element(element), Slot::Itself) => any_value(element, None, test),
            (Scope::Element(element), Slot::Attribute { name, .. }) => any_value(element, Some(name), test),
            _ => false,
        }
    }
}

fn any_value(value: &Value, sub: Option<&str>, test: &mut dyn FnMut(&Value) -> bool) -> bool {
    match (value, sub) {
        (Value::Null, _) => false,
        (Value::List(elements), sub) => elements.iter().any(|element| any_value(element, sub, test)),
        (Value::Complex(parts), Some(sub)) => parts.find(sub).is_some_and(|value| any_value(value, None, test)),
        (Value::Reference(_), Some(sub)) if sub.eq_ignore_ascii_case("value") => test(value),
        (_, Some(_)) => false,
        (single, None) => test(single),
    }
}

impl Test {
    pub(super) fn holds(&self, scope: &Scope<'_>) -> bool {
        let mut assigned = false;
        let found = scope.any(&self.slot, &mut |value| {
            assigned = true;
            self.compare(value)
        });
        match (self.op, &self.operand) {
            // Nothing there equals null, and differs from everything else.
            (Operator::Eq, Operand::Null) => !assigned,
            (Operator::Ne, Operand::Null) => assigned,
            (Operator::Ne, _) => found || !assigned,
            _ => found,
        }
    }

    fn compare(&self, value: &Value) -> bool {
        match self.op {
            Operator::Pr => !value.is_unassigned(),
            Operator::Co => self.text(value, |have, want| have.contains(want)),
            Operator::Sw => self.text(value, |have, want| have.starts_with(want)),
            Operator::Ew => self.text(value, |have, want| have.ends_with(want)),
            Operator::Eq => self.order(value) == Some(Ordering::Equal),
            Operator::Ne => self.order(value) != Some(Ordering::Equal),
            Operator::Gt => self.order(value) == Some(Ordering::Greater),
            Operator::Ge => self.order(value).is_some_and(Ordering::is_ge),
            Operator::Lt => self.order(value) == Some(Ordering::Less),
            Operator::Le => self.order(value).is_some_and(Ordering::is_le),
            _ => false,
        }
    }

    fn text(&self, value: &Value, holds: impl Fn(&str, &str) -> bool) -> bool {
        match (value, &self.operand) {
            (Value::Text(have), Operand::Text(want)) => holds(&self.collation.key(have), want),
            (Value::Reference(have), Operand::Text(want)) => holds(&self.collation.key(&have.id), want),
            _ => false,
        }
    }

    /// How the value compares with the operand; none when they cannot be compared.
    fn order(&self, value: &Value) -> Option<Ordering> {
        match (value, &self.operand) {
            (Value::Text(have), Operand::Text(want)) => Some(self.collation.key(have).as_ref().cmp(want)),
            (Value::Text(have), Operand::Time(want)) => Some(collate::instant(have)?.cmp(want)),
            (Value::Reference(have), Operand::Text(want)) => Some(self.collation.key(&have.id).as_ref().cmp(want)),
            (Value::Boolean(have), Operand::Boolean(want)) => Some(have.cmp(want)),
            // What others send in another type than they say: a number for a text, a text for a number or a flag.
            (Value::Integer(have), Operand::Text(want)) => Some(have.to_string().as_str().cmp(want)),
            (Value::Text(have), Operand::Integer(want)) => Some(have.trim().parse::<i64>().ok()?.cmp(want)),
            (Value::Text(have), Operand::Boolean(want)) => Some(boolean(have)?.cmp(want)),
            (Value::Integer(have), Operand::Integer(want)) => Some(have.cmp(want)),
            (Value::Integer(have), Operand::Decimal(want)) => (*have as f64).partial_cmp(want),
            (Value::Decimal(have), Operand::Integer(want)) => have.partial_cmp(&(*want as f64)),
            (Value::Decimal(have), Operand::Decimal(want)) => have.partial_cmp(want),
            _ => None,
        }
    }
}
