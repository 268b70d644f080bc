//! Comparison by value: `1` equals `"1"`, `True` equals `"true"`, dates compare in time; two texts compare exactly.
//!
//! A condition on a null or empty value fails, as Entra documents for IIF, with one exception that makes the published
//! examples work: null and empty equal each other. So `[a] = ""` holds for an absent `a`, `[a] <> "x"` and `[a] < 5` do
//! not, and `[a] <> ""` asks whether `a` has a value.

use std::cmp::Ordering;

use provost_model::Value;

use crate::dates;
use crate::datum::{Datum, Str};
use crate::number::Number;
use crate::syntax::Comparison;

/// Whether the comparison holds. `is_literal` says which sides are constants of the expression.
pub(crate) fn holds(operator: Comparison, left: &Datum<'_>, right: &Datum<'_>, is_literal: [bool; 2]) -> bool {
    let empty = [left.is_unassigned(), right.is_unassigned()];
    if empty[0] || empty[1] {
        return match operator {
            Comparison::Equal => empty[0] && empty[1],
            // The side without value must be the expression's own, as in `[a] <> ""`.
            Comparison::NotEqual => (0..2).all(|side| !empty[side] || is_literal[side]) && empty[0] != empty[1],
            _ => false,
        };
    }
    match operator {
        Comparison::Equal => equal(left, right),
        Comparison::NotEqual => !equal(left, right),
        Comparison::Less => order(left, right) == Some(Ordering::Less),
        Comparison::LessOrEqual => order(left, right).is_some_and(Ordering::is_le),
        Comparison::Greater => order(left, right) == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => order(left, right).is_some_and(Ordering::is_ge),
    }
}

/// Equality as conditions and Switch mean it; null and empty are equal.
pub(crate) fn equal(left: &Datum<'_>, right: &Datum<'_>) -> bool {
    if let (Some(left), Some(right)) = (borrowed_text(left), borrowed_text(right)) {
        return left == right;
    }
    if left.is_unassigned() || right.is_unassigned() {
        return left.is_unassigned() && right.is_unassigned();
    }
    if let (Some(a), Some(b)) = (boolean(left), boolean(right))
        && (is_boolean(left) || is_boolean(right))
    {
        return a == b;
    }
    if is_number(left) || is_number(right) {
        return numbers(left, right) == Some(Ordering::Equal);
    }
    if is_moment(left) || is_moment(right) {
        return order(left, right) == Some(Ordering::Equal);
    }
    match (left.as_value(), right.as_value()) {
        (Some(a), Some(b)) if a == b => true,
        _ => texts(left, right).is_some_and(|(a, b)| *a == *b),
    }
}

/// Numbers when both sides are, dates when both are, else the order of the texts.
fn order(left: &Datum<'_>, right: &Datum<'_>) -> Option<Ordering> {
    if let Some(order) = numbers(left, right) {
        return Some(order);
    }
    if is_number(left) || is_number(right) {
        return None;
    }
    if let (Some(a), Some(b)) = (moment(left), moment(right)) {
        return Some(a.cmp(&b));
    }
    texts(left, right).map(|(a, b)| a.cmp(&b))
}

fn borrowed_text<'d>(datum: &'d Datum<'_>) -> Option<&'d str> {
    match datum {
        Datum::Slice(text) => Some(text),
        other => other.as_value()?.as_text(),
    }
}

fn is_boolean(datum: &Datum<'_>) -> bool {
    matches!(datum.as_value(), Some(Value::Boolean(_)))
}

fn is_number(datum: &Datum<'_>) -> bool {
    matches!(datum.as_value(), Some(Value::Integer(_) | Value::Decimal(_)))
}

fn is_moment(datum: &Datum<'_>) -> bool {
    matches!(datum, Datum::Moment(_))
}

fn texts<'d>(left: &Datum<'d>, right: &Datum<'d>) -> Option<(Str<'d>, Str<'d>)> {
    Some((left.clone().into_str().ok()??, right.clone().into_str().ok()??))
}

fn moment(datum: &Datum<'_>) -> Option<jiff::civil::DateTime> {
    match datum {
        Datum::Moment(moment) => Some(*moment),
        other => dates::parse(borrowed_text(other)?),
    }
}

fn boolean(datum: &Datum<'_>) -> Option<bool> {
    match datum.as_value() {
        Some(Value::Boolean(value)) => Some(*value),
        _ => truth_word(borrowed_text(datum)?),
    }
}

fn truth_word(text: &str) -> Option<bool> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("true") {
        return Some(true);
    }
    text.eq_ignore_ascii_case("false").then_some(false)
}

fn numbers(left: &Datum<'_>, right: &Datum<'_>) -> Option<Ordering> {
    number(left)?.compare(number(right)?)
}

fn number(datum: &Datum<'_>) -> Option<Number> {
    match datum {
        Datum::Slice(text) => Number::parse(text),
        other => Number::of(other.as_value()?),
    }
}

/// The whole number that a text spells; `7.0` is one.
pub(crate) fn whole_number(text: &str) -> Option<i64> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        let number: f64 = text.parse().ok()?;
        (number.fract() == 0.0 && number.abs() < 9.0e15).then_some(number as i64)
    })
}

/// What a condition makes of a value; `None` for what is neither true nor false.
pub(crate) fn truth(datum: &Datum<'_>) -> Option<bool> {
    if datum.is_unassigned() {
        return Some(false);
    }
    boolean(datum).or_else(|| number(datum).map(|number| number.to_real() != 0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_by_value() {
        use Comparison::*;
        let value = |json: &str| Datum::Own(Value::from_json(&serde_json::from_str(json).unwrap()));
        for (left, operator, right, want) in [
            ("1", Equal, "\"1\"", true),
            ("\"01\"", Equal, "1", true),
            ("\"01\"", Equal, "\"1\"", false),
            ("\"a\"", Equal, "\"A\"", false),
            ("true", Equal, "\"TRUE\"", true),
            ("true", Equal, "\"1\"", false),
            ("null", Equal, "\"\"", true),
            ("null", NotEqual, "\"x\"", false),
            ("null", Less, "5", false),
            ("\"10\"", Greater, "\"9\"", true),
            ("\"x\"", Greater, "9", false),
            ("\"2024-01-02\"", Less, "\"1/3/2024\"", true),
            ("1.5", GreaterOrEqual, "\"1.5\"", true),
            ("9007199254740993", Equal, "9007199254740992", false),
        ] {
            assert_eq!(holds(operator, &value(left), &value(right), [false; 2]), want, "{left} {operator:?} {right}");
        }
        assert!(holds(NotEqual, &value("\"x\""), &value("\"\""), [false, true]));
        assert!(!holds(NotEqual, &value("null"), &value("\"\""), [false, true]));
    }
}
