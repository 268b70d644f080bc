//! Numbers as expressions and filters compare them: by value, whether they came as numbers or as texts. Two whole numbers
//! compare exactly, beyond the 53 bits that a decimal has.

use std::cmp::Ordering;

use provost_model::Value;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Number {
    Whole(i64),
    Real(f64),
}

impl Number {
    /// The number that a value is or spells.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(number) => Some(Number::Whole(*number)),
            Value::Decimal(number) => Some(Number::Real(*number)),
            Value::Text(text) => Self::parse(text),
            _ => None,
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        // Spares `nan` and `infinity`, which Rust reads as numbers.
        if !text.ends_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        text.parse().map(Number::Whole).or_else(|_| text.parse().map(Number::Real)).ok()
    }

    pub(crate) fn to_real(self) -> f64 {
        match self {
            Number::Whole(number) => number as f64,
            Number::Real(number) => number,
        }
    }

    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        match (self, other) {
            (Number::Whole(a), Number::Whole(b)) => Some(a.cmp(&b)),
            (a, b) => a.to_real().partial_cmp(&b.to_real()),
        }
    }
}
