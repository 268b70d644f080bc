//! What a source object should look like at the target: every mapping evaluated and brought to the target's type.

use std::cell::RefCell;

use provost_lang::{Context, Outcome, code};
use provost_model::{AttributeType, Code, Record, Reference, Text, Timestamp, Value};

use super::Fault;
use crate::rule::{Mapping, Rule};

/// One result per mapping of the rule, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Projection(pub Vec<Projected>);

#[derive(Debug, Clone, PartialEq)]
pub enum Projected {
    /// `IgnoreAttributeFlow`: leave the attribute alone.
    Ignored,
    Null,
    /// The constant `Null`: take the value away, whatever the mapping says of nulls.
    Clear,
    Value(Value),
    /// `SelectUniqueValue` of an object without account: the target decides.
    Choice(Choice),
    /// Sent by the second pass.
    References(Vec<Reference>),
    /// The source cut an attribute short that this was made from: what is there counts, what is missing says nothing.
    Partly(Box<Projected>),
}

/// The values of which an object gets the first that is free.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub offers: Vec<Text>,
    /// What is wrong when none of them is.
    pub otherwise: Fault,
}

impl Projected {
    /// What there is, whether or not it is all.
    pub fn shown(&self) -> &Projected {
        match self {
            Projected::Partly(inner) => inner,
            whole => whole,
        }
    }
}

impl Projection {
    /// Whether some value is still to be chosen.
    pub fn is_open(&self) -> bool {
        self.0.iter().any(|projected| matches!(projected, Projected::Choice(_)))
    }

    /// What people know the object by: the display name, else the source's id.
    pub fn name(&self, rule: &Rule, record: &Record) -> Text {
        match rule.name_mapping.map(|at| self.0[at].shown()) {
            Some(Projected::Value(Value::Text(name))) if !name.is_empty() => name.clone(),
            _ => Text::from(record.id.as_str()),
        }
    }
}

/// Evaluates all mappings; `None` when the rule says to ignore the object.
pub fn project(rule: &Rule, record: &Record, now: Timestamp) -> Result<Option<Projection>, Fault> {
    let context = Context::new(&record.attributes, now);
    if let Some(filter) = &rule.object_filter {
        let outcome = filter.eval(&context).map_err(|error| failed("objectFilter", &error))?;
        if outcome == Outcome::IgnoreObject {
            return Ok(None);
        }
    }
    let mut results = Vec::with_capacity(rule.mappings.len());
    for mapping in &rule.mappings {
        if mapping.choice {
            results.push(offers(mapping, &context));
            continue;
        }
        let projected = match mapping.expression.eval(&context).map_err(|error| failed(&mapping.key, &error))? {
            Outcome::IgnoreObject => return Ok(None),
            Outcome::IgnoreAttribute => Projected::Ignored,
            Outcome::Clear if mapping.reference => Projected::References(Vec::new()),
            Outcome::Clear => Projected::Clear,
            Outcome::Value(value) if mapping.reference => references(mapping, value)?,
            Outcome::Value(value) => fit(mapping, value)?,
        };
        let partly = record.incomplete.iter().any(|cut| reads(mapping, &cut.attribute));
        results.push(if partly { Projected::Partly(Box::new(projected)) } else { projected });
    }
    Ok(Some(Projection(results)))
}

/// Whether the mapping reads this attribute, or a part of it.
fn reads(mapping: &Mapping, attribute: &str) -> bool {
    mapping.expression.attributes().iter().any(|name| {
        let rest = name
            .get(attribute.len()..)
            .filter(|_| name.get(..attribute.len()).is_some_and(|start| start.eq_ignore_ascii_case(attribute)));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    })
}

/// Everything that the mapping would try, in its order: each value is said to be taken, so that it goes on to the next.
fn offers(mapping: &Mapping, context: &Context<'_>) -> Projected {
    let offered = RefCell::new(Vec::new());
    let note = |value: &str| {
        offered.borrow_mut().push(Text::from(value));
        true
    };
    let outcome = mapping.expression.eval(&context.with_taken(&note));
    let offers = offered.into_inner();
    let otherwise = match outcome {
        Err(error) => failed(&mapping.key, &error),
        Ok(_) if offers.is_empty() => return Projected::Ignored,
        Ok(_) => Fault::new(code::ALL_TAKEN, format!("every value that `{}` may have is taken", mapping.key)),
    };
    Projected::Choice(Choice { offers, otherwise })
}

fn failed(attribute: &str, error: &provost_lang::EvalError) -> Fault {
    Fault {
        situation: None,
        code: Code::clone(&error.code),
        message: format!("the mapping of `{attribute}` failed: {error}"),
        hint: match &error.hint {
            Some(hint) if error.code.as_str() == code::ALL_TAKEN => Some(hint.clone()),
            _ => Some("try it with `provost expr --trace` and the object's attributes".into()),
        },
    }
}

/// What the values point at; where none of them is a reference after all, the values themselves.
fn references(mapping: &Mapping, value: Value) -> Result<Projected, Fault> {
    let found: Vec<Reference> = value.elements().iter().filter_map(|value| mapping.points_to(value)).collect();
    if found.is_empty() && !value.is_unassigned() && mapping.points_at.is_empty() {
        return fit(mapping, value);
    }
    Ok(Projected::References(found))
}

/// Brings a value to the type of the target attribute. Texts of booleans and numbers are read, nothing is guessed.
pub fn fit(mapping: &Mapping, value: Value) -> Result<Projected, Fault> {
    if value.is_unassigned() {
        // An empty text at a target means nothing that null does not say better (RFC 7643 section 2.5).
        return Ok(Projected::Null);
    }
    let value = match (value, mapping.multi) {
        (Value::List(values), true) => {
            let fitted: Result<Vec<Value>, Fault> = values.into_iter().map(|value| fit_one(mapping, value)).collect();
            Value::List(fitted?)
        }
        (Value::List(mut values), false) if mapping.kind.is_some() => match values.len() {
            1 => fit_one(mapping, values.remove(0))?,
            several => {
                let message = format!("`{}` takes one value and the mapping gives {several}", mapping.key);
                return Err(Fault::new("PRV-0513", message).hint("use Item(…, 1) or Join(…)"));
            }
        },
        (Value::Complex(complex), true) => Value::List(vec![Value::Complex(complex)]),
        (value, true) => Value::List(vec![fit_one(mapping, value)?]),
        (value, false) => fit_one(mapping, value)?,
    };
    Ok(Projected::Value(value))
}

fn fit_one(mapping: &Mapping, value: Value) -> Result<Value, Fault> {
    let Some(kind) = mapping.kind else { return Ok(value) };
    let wrong = |value: &Value| {
        // The message goes to the log, so it names the kind and not the value.
        let message =
            format!("`{}` takes {}, and the mapping gives {} that is none", mapping.key, word(kind), value.kind());
        Fault::new("PRV-0513", message).hint("`provost explain` shows the value")
    };
    match (kind, value) {
        (AttributeType::Boolean, Value::Text(text)) => match text.as_str() {
            "1" => Ok(Value::Boolean(true)),
            "0" => Ok(Value::Boolean(false)),
            word if word.eq_ignore_ascii_case("true") => Ok(Value::Boolean(true)),
            word if word.eq_ignore_ascii_case("false") => Ok(Value::Boolean(false)),
            _ => Err(wrong(&Value::Text(text))),
        },
        (AttributeType::Boolean, Value::Integer(number @ (0 | 1))) => Ok(Value::Boolean(number == 1)),
        (AttributeType::Boolean, value @ Value::Boolean(_)) => Ok(value),
        (AttributeType::Boolean, value) => Err(wrong(&value)),
        (AttributeType::Integer, Value::Text(text)) => {
            text.trim().parse().map(Value::Integer).map_err(|_| wrong(&Value::Text(text)))
        }
        (AttributeType::Decimal, Value::Text(text)) => {
            text.trim().parse().map(Value::Decimal).map_err(|_| wrong(&Value::Text(text)))
        }
        (
            AttributeType::String | AttributeType::DateTime | AttributeType::Binary | AttributeType::Reference,
            value @ (Value::Boolean(_) | Value::Integer(_) | Value::Decimal(_) | Value::Reference(_)),
        ) => Ok(value.to_text().map_or(Value::Null, |text| Value::text(text.as_ref()))),
        (_, value) => Ok(value),
    }
}

fn word(kind: AttributeType) -> &'static str {
    match kind {
        AttributeType::String => "a text",
        AttributeType::Boolean => "a boolean",
        AttributeType::Integer => "an integer",
        AttributeType::Decimal => "a number",
        AttributeType::DateTime => "a date",
        AttributeType::Binary => "binary data",
        AttributeType::Reference => "a reference",
        AttributeType::Complex => "a complex value",
    }
}
