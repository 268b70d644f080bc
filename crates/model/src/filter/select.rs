//! Which elements of a list a path selects: `emails[type eq "work" or primary eq true].value`.
//!
//! Enough for paths, less what [`unselectable`] names, which the checks of mappings refuse. Whole filters on whole records are
//! judged by `provost-lang`.

use std::cmp::Ordering;

use super::{Filter, Operator, Term};
use crate::{AttributePath, Value};

pub(crate) fn selects(filter: &Filter, element: &Value) -> bool {
    match filter {
        Filter::And(parts) => parts.iter().all(|part| selects(part, element)),
        Filter::Or(parts) => parts.iter().any(|part| selects(part, element)),
        Filter::Not(inner) => !selects(inner, element),
        Filter::Term(term) => holds(term, part(&term.path, element)),
        Filter::Each { path, filter } => match part(path, element) {
            Some(Value::List(elements)) => elements.iter().any(|inner| selects(filter, inner)),
            Some(inner) => selects(filter, inner),
            None => false,
        },
    }
}

/// The first operator that [`selects`] has no answer to.
pub(crate) fn unselectable(filter: &Filter) -> Option<Operator> {
    use Operator::{GreaterThan, GreaterThanOrEquals, NotRegexMatch, RegexMatch};
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().find_map(unselectable),
        Filter::Not(inner) | Filter::Each { filter: inner, .. } => unselectable(inner),
        Filter::Term(term) => match term.op {
            op @ (RegexMatch | NotRegexMatch | GreaterThan | GreaterThanOrEquals) => Some(op),
            _ => term.path.unselectable(),
        },
    }
}

/// Whether an element has all these sub-attributes.
pub(crate) fn has_all(element: &Value, selector: &[(&str, &Value)]) -> bool {
    let Value::Complex(element) = element else { return false };
    selector.iter().all(|(name, want)| element.find(name).is_some_and(|have| is_same(have, want, true)))
}

/// What a path names in an element; a simple element is its own `value`.
fn part<'e>(path: &AttributePath, element: &'e Value) -> Option<&'e Value> {
    match element {
        Value::Complex(attributes) => path.get(attributes),
        Value::Null | Value::List(_) => None,
        simple => path.name.eq_ignore_ascii_case("value").then_some(simple),
    }
}

fn holds(term: &Term, found: Option<&Value>) -> bool {
    use Operator::*;
    let have = found.filter(|value| !value.is_unassigned());
    let any = |test: &dyn Fn(&Value) -> bool| match have {
        Some(Value::List(values)) => values.iter().any(test),
        Some(value) => test(value),
        None => false,
    };
    let equals = |folded| any(&|value| is_same(value, &term.value, folded));
    let ordered = |wanted: &[Ordering]| any(&|value| order(value, &term.value).is_some_and(|is| wanted.contains(&is)));
    let texts = |folded: bool, test: &dyn Fn(&str, &str) -> bool| {
        let Some(part) = term.value.to_text() else { return false };
        any(&|value| match value.to_text() {
            Some(text) if folded => test(&text.to_lowercase(), &part.to_lowercase()),
            Some(text) => test(&text, &part),
            None => false,
        })
    };
    match term.op {
        Pr | IsNotNull => have.is_some(),
        IsNull => have.is_none(),
        Eq if term.value.is_null() => have.is_none(),
        Ne if term.value.is_null() => have.is_some(),
        Eq => equals(true),
        Ne => !equals(true),
        In => term
            .value
            .as_list()
            .is_some_and(|wanted| wanted.iter().any(|want| any(&|value| is_same(value, want, true)))),
        Equals => equals(false),
        NotEquals => have.is_some() && !equals(false),
        IsTrue => any(&|value| is_same(value, &Value::Boolean(true), true)),
        IsFalse => any(&|value| is_same(value, &Value::Boolean(false), true)),
        Co => texts(true, &|text, part| text.contains(part)),
        Sw => texts(true, &|text, part| text.starts_with(part)),
        Ew => texts(true, &|text, part| text.ends_with(part)),
        Includes => texts(false, &|text, part| text.contains(part)),
        EndsWith => texts(false, &|text, part| text.ends_with(part)),
        Within => texts(false, &|text, whole| whole.contains(text)),
        NotWithin => have.is_some() && !texts(false, &|text, whole| whole.contains(text)),
        Gt => ordered(&[Ordering::Greater]),
        Ge => ordered(&[Ordering::Greater, Ordering::Equal]),
        Lt => ordered(&[Ordering::Less]),
        Le => ordered(&[Ordering::Less, Ordering::Equal]),
        RegexMatch | NotRegexMatch | GreaterThan | GreaterThanOrEquals => false,
    }
}

/// Texts compare without regard to case, as `type` does in SCIM, where `folded`; a Boolean is the text of its name.
fn is_same(have: &Value, want: &Value, folded: bool) -> bool {
    match (have, want) {
        (Value::Text(have), Value::Text(want)) if folded => {
            have.eq_ignore_ascii_case(want) || (!have.is_ascii() && have.to_lowercase() == want.to_lowercase())
        }
        (Value::Text(text), Value::Boolean(is)) | (Value::Boolean(is), Value::Text(text)) => {
            text.eq_ignore_ascii_case(if *is { "true" } else { "false" })
        }
        (have, want) => have == want || order(have, want) == Some(Ordering::Equal) && number(have).is_some(),
    }
}

/// Numbers by value, two texts by their letters.
fn order(have: &Value, want: &Value) -> Option<Ordering> {
    match (have, want) {
        (Value::Text(have), Value::Text(want)) => Some(have.to_lowercase().cmp(&want.to_lowercase())),
        (Value::Integer(have), Value::Integer(want)) => Some(have.cmp(want)),
        (have, want) => number(have)?.partial_cmp(&number(want)?),
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Decimal(number) => Some(*number),
        Value::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}
