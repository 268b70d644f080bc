//! The value in a filter, prepared for comparing with many values of records.

use std::cmp::Ordering;

use jiff::civil::DateTime;
use provost_model::{Text, Value};

use crate::dates;
use crate::number::Number;

#[derive(Debug)]
pub(super) struct Operand {
    kind: Kind,
    text: Text,
    /// The text in lower case; `None` when letter case counts.
    folded: Option<Text>,
    number: Option<Number>,
    /// The date that the text spells.
    moment: Option<DateTime>,
}

/// What the filter's author wrote.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Text,
    Number,
    Boolean(bool),
    Null,
}

impl Operand {
    pub(super) fn new(value: &Value, exact: bool) -> Self {
        let kind = match value {
            Value::Boolean(value) => Kind::Boolean(*value),
            Value::Integer(_) | Value::Decimal(_) => Kind::Number,
            Value::Null => Kind::Null,
            _ => Kind::Text,
        };
        let text: Text = value.to_text().unwrap_or_default().into();
        let folded = (!exact).then(|| text.to_lowercase());
        Self { kind, folded, number: Number::of(value), moment: date(&text), text }
    }

    /// For operators that compare letter by letter: dates are texts like any other.
    pub(super) fn literal(value: &Value) -> Self {
        Self { moment: None, ..Self::new(value, true) }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// By value where the filter has a number or Boolean, else as text, and texts that are dates in time.
    pub(super) fn equals(&self, value: &Value) -> bool {
        match value {
            Value::Text(text) => match self.kind {
                Kind::Text => self.is_same_text(text) || (self.moment.is_some() && dates::parse(text) == self.moment),
                Kind::Boolean(wanted) => text.trim().eq_ignore_ascii_case(if wanted { "true" } else { "false" }),
                Kind::Number => self.order_of(value) == Some(Ordering::Equal),
                Kind::Null => false,
            },
            Value::Boolean(have) => match self.kind {
                Kind::Boolean(wanted) => *have == wanted,
                Kind::Text => self.text.trim().eq_ignore_ascii_case(if *have { "true" } else { "false" }),
                _ => false,
            },
            Value::Integer(_) | Value::Decimal(_) => {
                matches!(self.kind, Kind::Number | Kind::Text) && self.order_of(value) == Some(Ordering::Equal)
            }
            Value::Reference(reference) => self.is_same_text(reference.id.as_str()),
            Value::Null | Value::List(_) | Value::Complex(_) => false,
        }
    }

    /// How the value compares to this operand; `None` where neither is before the other.
    pub(super) fn order_of(&self, value: &Value) -> Option<Ordering> {
        match value {
            Value::Text(text) if self.kind == Kind::Text => {
                // A text that is no date is neither before nor after one.
                if let Some(moment) = self.moment {
                    return dates::parse(text).map(|have| have.cmp(&moment));
                }
                Some(match &self.folded {
                    Some(folded) => lower(text).cmp(folded.chars()),
                    None => text.as_str().cmp(self.text.as_str()),
                })
            }
            Value::Text(_) | Value::Integer(_) | Value::Decimal(_) => Number::of(value)?.compare(self.number?),
            _ => None,
        }
    }

    fn is_same_text(&self, text: &str) -> bool {
        match &self.folded {
            None => self.text == text,
            Some(folded) if text.len() == folded.len() && text.eq_ignore_ascii_case(folded) => true,
            Some(folded) => !(text.is_ascii() && folded.is_ascii()) && lower(text).eq(folded.chars()),
        }
    }

    pub(super) fn is_contained_in(&self, value: &Value) -> bool {
        self.with_text(
            value,
            |text, part| text.contains(part),
            |text, part| part.is_empty() || text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part)),
        )
    }

    pub(super) fn starts(&self, value: &Value) -> bool {
        self.with_text(
            value,
            |text, part| text.starts_with(part),
            |text, part| text.get(..part.len()).is_some_and(|start| start.eq_ignore_ascii_case(part)),
        )
    }

    pub(super) fn ends(&self, value: &Value) -> bool {
        self.with_text(
            value,
            |text, part| text.ends_with(part),
            |text, part| {
                let start = text.len().checked_sub(part.len());
                start.is_some_and(|start| text[start..].eq_ignore_ascii_case(part))
            },
        )
    }

    /// Asks `exact` of texts in one case, `ascii` of bytes in any.
    fn with_text(
        &self,
        value: &Value,
        exact: impl Fn(&str, &str) -> bool,
        ascii: impl Fn(&[u8], &[u8]) -> bool,
    ) -> bool {
        let Some(text) = value.to_text() else { return false };
        match &self.folded {
            None => exact(&text, &self.text),
            Some(folded) if text.is_ascii() && folded.is_ascii() => ascii(text.as_bytes(), folded.as_bytes()),
            Some(folded) => exact(&text.to_lowercase(), folded),
        }
    }
}

fn lower(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

/// The date that the filter's author wrote, in any form that CDate reads and that begins with its number of the year or month:
/// `May` alone would make dates of names. What records hold is read in all forms.
fn date(text: &str) -> Option<DateTime> {
    let is_written_as_date = text.starts_with(|c: char| c.is_ascii_digit()) && text.contains(['-', '/']);
    if is_written_as_date { dates::parse(text) } else { None }
}
