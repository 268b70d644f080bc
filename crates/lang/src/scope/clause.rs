//! One `attribute operator value`, compiled.

use std::cmp::Ordering;

use provost_model::{Attributes, Operator, Term, Text, Value};
use regex::Regex;

use super::operand::Operand;
use super::place::Place;
use crate::LangError;
use crate::error::code;
use crate::functions::regex_dialect;

#[derive(Debug)]
pub(super) struct Clause {
    pub(super) text: Text,
    pub(super) place: Place,
    check: Check,
}

/// What is asked of the values. "Any" is false without a value, "none" too unless it is SCIM's `ne`.
#[derive(Debug)]
enum Check {
    Assigned(bool),
    Any(Probe),
    /// Entra's negations: a value, and none that passes.
    PresentAndNone(Probe),
    /// SCIM's `ne`.
    None(Probe),
}

/// What is asked of one value.
#[derive(Debug)]
enum Probe {
    Equals(Operand),
    EqualsOneOf(Box<[Operand]>),
    Contains(Operand),
    StartsWith(Operand),
    EndsWith(Operand),
    /// The orders that pass.
    Order(Operand, &'static [Ordering]),
    Truth(bool),
    Exactly(Operand),
    /// Whole numbers on both sides.
    AtLeast(i64),
    Matches(Regex),
    /// The value is a part of the operand.
    Inside(Operand),
    /// An operand that was refused.
    Never,
}

impl Clause {
    /// An operand that cannot be used comes back beside a clause that nothing satisfies, so that the rest is checked too.
    pub(super) fn compile(term: &Term, text: String, place: Place, exact: bool) -> Result<Self, (Self, LangError)> {
        match Check::compile(term, exact) {
            Ok(check) => Ok(Self { text: text.into(), place, check }),
            Err(mut error) => {
                error.message = format!("{} in `{text}`", error.message);
                Err((Self { text: text.into(), place, check: Check::Any(Probe::Never) }, error))
            }
        }
    }

    pub(super) fn matches(&self, attributes: &Attributes) -> bool {
        let any = |probe: &Probe| self.place.any(attributes, |value| probe.passes(value));
        let is_assigned = || self.place.any(attributes, |value| !value.is_unassigned());
        match &self.check {
            Check::Assigned(wanted) => is_assigned() == *wanted,
            Check::Any(probe) => any(probe),
            Check::PresentAndNone(probe) => is_assigned() && !any(probe),
            Check::None(probe) => !any(probe),
        }
    }
}

impl Check {
    fn compile(term: &Term, exact: bool) -> Result<Self, LangError> {
        use Ordering::{Equal, Greater, Less};
        let operand = || Operand::new(&term.value, exact);
        let entra = || Operand::literal(&term.value);
        let order = |orders| Check::Any(Probe::Order(operand(), orders));
        Ok(match term.op {
            Operator::Pr | Operator::IsNotNull => Check::Assigned(true),
            Operator::IsNull => Check::Assigned(false),
            Operator::Eq if term.value.is_null() => Check::Assigned(false),
            Operator::Ne if term.value.is_null() => Check::Assigned(true),
            Operator::Eq => Check::Any(Probe::Equals(operand())),
            Operator::Ne => Check::None(Probe::Equals(operand())),
            Operator::Co => Check::Any(Probe::Contains(operand())),
            Operator::Sw => Check::Any(Probe::StartsWith(operand())),
            Operator::Ew => Check::Any(Probe::EndsWith(operand())),
            Operator::Gt => order(&[Greater]),
            Operator::Ge => order(&[Greater, Equal]),
            Operator::Lt => order(&[Less]),
            Operator::Le => order(&[Less, Equal]),
            Operator::In => {
                let values = term.value.as_list().unwrap_or(std::slice::from_ref(&term.value));
                Check::Any(Probe::EqualsOneOf(values.iter().map(|value| Operand::new(value, exact)).collect()))
            }
            Operator::Equals => Check::Any(Probe::Exactly(entra())),
            Operator::NotEquals => Check::PresentAndNone(Probe::Exactly(entra())),
            Operator::IsTrue => Check::Any(Probe::Truth(true)),
            Operator::IsFalse => Check::Any(Probe::Truth(false)),
            Operator::RegexMatch => Check::Any(Probe::Matches(regex(&term.value)?)),
            Operator::NotRegexMatch => Check::PresentAndNone(Probe::Matches(regex(&term.value)?)),
            Operator::GreaterThan => Check::Any(match whole(&term.value)?.checked_add(1) {
                Some(least) => Probe::AtLeast(least),
                None => Probe::Never,
            }),
            Operator::GreaterThanOrEquals => Check::Any(Probe::AtLeast(whole(&term.value)?)),
            Operator::Includes => Check::Any(Probe::Contains(entra())),
            Operator::EndsWith => Check::Any(Probe::EndsWith(entra())),
            Operator::Within => Check::Any(Probe::Inside(entra())),
            Operator::NotWithin => Check::PresentAndNone(Probe::Inside(entra())),
        })
    }
}

/// Entra shows the operand of REGEX MATCH as matching the whole value (`([1-9][0-9])` is "a number from 10 to 99").
fn regex(value: &Value) -> Result<Regex, LangError> {
    let Some(pattern) = value.as_text() else {
        let error = LangError::new(code::OPERAND, 0..0, "REGEX MATCH takes a text");
        return Err(error.hint("put the pattern in double quotes"));
    };
    regex_dialect::compile_whole(pattern).map_err(|reason| {
        LangError::new(code::REGEX, 0..0, format!("the regular expression is invalid: {reason}"))
            .hint("patterns are those of .NET without look-around and back references")
    })
}

fn whole(value: &Value) -> Result<i64, LangError> {
    whole_number(value).ok_or_else(|| {
        LangError::new(code::OPERAND, 0..0, "Greater_Than takes a whole number")
            .hint("for dates and decimals use `gt` or `ge`")
    })
}

fn whole_number(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

impl Probe {
    fn passes(&self, value: &Value) -> bool {
        if value.is_unassigned() {
            return false;
        }
        match self {
            Probe::Equals(operand) | Probe::Exactly(operand) => operand.equals(value),
            Probe::EqualsOneOf(operands) => operands.iter().any(|operand| operand.equals(value)),
            Probe::Contains(operand) => operand.is_contained_in(value),
            Probe::StartsWith(operand) => operand.starts(value),
            Probe::EndsWith(operand) => operand.ends(value),
            Probe::Order(operand, orders) => operand.order_of(value).is_some_and(|order| orders.contains(&order)),
            Probe::Truth(wanted) => match value {
                Value::Boolean(value) => value == wanted,
                Value::Text(text) => text.trim().eq_ignore_ascii_case(if *wanted { "true" } else { "false" }),
                _ => false,
            },
            Probe::AtLeast(least) => whole_number(value).is_some_and(|number| number >= *least),
            Probe::Matches(regex) => value.to_text().is_some_and(|text| regex.is_match(&text)),
            Probe::Inside(operand) => value.to_text().is_some_and(|text| operand.text().contains(&*text)),
            Probe::Never => false,
        }
    }
}
