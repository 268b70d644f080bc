//! From names to places: resolves paths by the schema and checks operator and operand against the attribute's type.

use provost_model::{AttributePath, AttributeType, Filter, Operator, Term, Value};

use super::test::{Operand, Test};
use super::{Missing, Node, Slot};
use crate::collate::Collation;
use crate::resource::value::boolean;
use crate::schema::{Attribute, Target};
use crate::{ScimError, TypeSchema, collate, urn};

/// What names in a filter are relative to.
pub(super) enum Compiler<'a> {
    Resource(&'a TypeSchema, Missing),
    Element(&'a Attribute),
}

impl<'a> Compiler<'a> {
    pub(super) fn filter(&self, filter: &Filter) -> Result<Node, ScimError> {
        Ok(match filter {
            Filter::And(parts) => Node::And(parts.iter().map(|part| self.filter(part)).collect::<Result<_, _>>()?),
            Filter::Or(parts) => Node::Or(parts.iter().map(|part| self.filter(part)).collect::<Result<_, _>>()?),
            Filter::Not(inner) => Node::Not(Box::new(self.filter(inner)?)),
            Filter::Term(term) => self.term(term)?,
            Filter::Each { path, filter } => self.each(path, filter)?,
        })
    }

    fn each(&self, path: &AttributePath, filter: &Filter) -> Result<Node, ScimError> {
        if matches!(self, Compiler::Element(_)) {
            return Err(ScimError::invalid_filter(format!("{path}: value filters do not nest")));
        }
        let Some((slot, attribute)) = self.place(path)? else { return Ok(Node::Never) };
        let inner = Compiler::Element(attribute).filter(filter)?;
        Ok(Node::Each(slot, Box::new(inner)))
    }

    fn term(&self, term: &Term) -> Result<Node, ScimError> {
        let Some((mut slot, mut attribute)) = self.place(&term.path)? else { return Ok(Node::Never) };
        // A complex attribute named alone compares its `value` (RFC 7644 section 3.4.2.2).
        if attribute.is_complex() && term.op != Operator::Pr {
            let Some(value) = attribute.sub_attribute("value") else {
                let detail = format!("{} is complex: compare one of its sub-attributes", term.path);
                return Err(ScimError::invalid_filter(detail));
            };
            if let Slot::Attribute { sub, .. } = &mut slot {
                *sub = Some(value.name.clone());
            }
            attribute = value;
        }
        let collation = match self {
            // The name that is unique, and compares in the same way everywhere (RFC 7644 section 5).
            Compiler::Resource(types, _) if types.core.is(urn::USER) && slot.is_user_name() => Collation::UserName,
            _ if attribute.is_exact() => Collation::Exact,
            _ => Collation::AnyCase,
        };
        let operand = operand(attribute, term, collation)?;
        Ok(Node::Test(Test { slot, op: term.op, operand, collation }))
    }

    /// Where the value sits and the attribute it belongs to; none when the type lacks it and that may be.
    fn place(&self, path: &AttributePath) -> Result<Option<(Slot, &'a Attribute)>, ScimError> {
        let found = match self {
            Compiler::Resource(types, _) => match types.resolve(path) {
                Some(Target::Attribute(place)) => {
                    let slot = match (
                        place.extension,
                        place.attribute.name.as_str(),
                        place.sub.map(|sub| sub.name.as_str()),
                    ) {
                        (None, "schemas", _) => Slot::Schemas,
                        (None, "meta", Some("resourceType")) => Slot::ResourceType,
                        _ => Slot::Attribute {
                            extension: place.extension.map(|schema| schema.id.clone()),
                            name: place.attribute.name.clone(),
                            sub: place.sub.map(|sub| sub.name.clone()),
                        },
                    };
                    if place.attribute.is_secret() {
                        return Err(ScimError::invalid_filter(format!("{path} cannot be filtered by")));
                    }
                    Some((slot, place.leaf()))
                }
                _ => None,
            },
            Compiler::Element(attribute) if !path.is_plain() => {
                let detail = format!("{path} is no sub-attribute of {}", attribute.name);
                return Err(ScimError::invalid_filter(detail));
            }
            Compiler::Element(attribute) if !attribute.is_complex() => {
                path.name.eq_ignore_ascii_case("value").then_some((Slot::Itself, *attribute))
            }
            Compiler::Element(attribute) => attribute
                .sub_attribute(&path.name)
                .map(|sub| (Slot::Attribute { extension: None, name: sub.name.clone(), sub: None }, sub)),
        };
        match (found, self) {
            (None, Compiler::Resource(_, Missing::NoMatch)) => Ok(None),
            (None, Compiler::Resource(types, Missing::Refuse)) => {
                Err(ScimError::invalid_filter(format!("{path} is no attribute of {}", types.name())))
            }
            (None, Compiler::Element(attribute)) => {
                Err(ScimError::invalid_filter(format!("{path} is no sub-attribute of {}", attribute.name)))
            }
            (found, _) => Ok(found),
        }
    }
}

/// The operand in the attribute's type, if operator and operand fit it (RFC 7644 table 3).
fn operand(attribute: &Attribute, term: &Term, collation: Collation) -> Result<Operand, ScimError> {
    let refuse = |why: &str| Err(ScimError::invalid_filter(format!("{} {}: {why}", term.path, term.op.as_str())));
    let (ordering, part) = match term.op {
        Operator::Pr => return Ok(Operand::Null),
        Operator::Eq | Operator::Ne => (false, false),
        Operator::Gt | Operator::Ge | Operator::Lt | Operator::Le => (true, false),
        Operator::Co | Operator::Sw | Operator::Ew => (false, true),
        _ => return refuse("SCIM has no such operator"),
    };
    if term.value.is_null() {
        return if ordering || part { refuse("null has no order and no parts") } else { Ok(Operand::Null) };
    }
    let text = |text: &str| Operand::Text(collation.key(text).into());
    match (attribute.kind, &term.value) {
        (AttributeType::Boolean, _) if ordering || part => refuse("booleans have no order and no parts"),
        (AttributeType::Binary, _) if ordering => refuse("binary values have no order"),
        (AttributeType::Integer | AttributeType::Decimal, _) if part => refuse("numbers have no parts"),
        (AttributeType::String | AttributeType::Reference | AttributeType::Binary, Value::Text(value)) => {
            Ok(text(value))
        }
        (AttributeType::DateTime, Value::Text(value)) if part => Ok(text(value)),
        (AttributeType::DateTime, Value::Text(value)) => match collate::instant(value) {
            Some(time) => Ok(Operand::Time(time)),
            None => refuse("the value is no date and time"),
        },
        (AttributeType::Boolean, Value::Boolean(value)) => Ok(Operand::Boolean(*value)),
        // Entra writes roles[primary eq "True"].
        (AttributeType::Boolean, Value::Text(value)) if boolean(value).is_some() => {
            Ok(Operand::Boolean(boolean(value) == Some(true)))
        }
        (AttributeType::Integer | AttributeType::Decimal, Value::Integer(number)) => Ok(Operand::Integer(*number)),
        (AttributeType::Integer | AttributeType::Decimal, Value::Decimal(number)) => Ok(Operand::Decimal(*number)),
        (_, other) => refuse(&format!("the attribute cannot be compared with a value of kind {}", other.kind())),
    }
}
