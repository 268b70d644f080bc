//! Prints a UTC date-time by a pattern.

use std::fmt::Write as _;

use jiff::civil::DateTime;
use provost_model::Text;

use super::pattern::{Part, Pattern};
use super::{MONTHS, WEEKDAYS, twelve_hours};

impl Pattern {
    /// The text of a date-time in UTC, whose offset is `+00:00` and whose zone is `Z`.
    pub(crate) fn print(&self, moment: DateTime) -> Text {
        let mut out = Text::default();
        for part in &self.parts {
            // Writing into a text cannot fail.
            let _ = print_part(&mut out, part, moment);
        }
        out
    }
}

fn print_part(out: &mut Text, part: &Part, moment: DateTime) -> std::fmt::Result {
    let weekday = WEEKDAYS[moment.date().weekday().to_monday_zero_offset() as usize];
    let month = MONTHS[(moment.month() - 1) as usize];
    let (face, half) = twelve_hours(moment.hour());
    let two = |out: &mut Text, number: i8, count: usize| write!(out, "{number:0width$}", width = count.min(2));
    match part {
        Part::Literal(text) => out.write_str(text),
        Part::Year(1) => write!(out, "{}", moment.year() % 100),
        Part::Year(2) => write!(out, "{:02}", moment.year() % 100),
        Part::Year(count) => write!(out, "{:0width$}", moment.year(), width = (*count).min(16)),
        Part::Month(3) => out.write_str(&month[..3]),
        Part::Month(count) if *count > 3 => out.write_str(month),
        Part::Month(count) => two(out, moment.month(), *count),
        Part::Day(3) => out.write_str(&weekday[..3]),
        Part::Day(count) if *count > 3 => out.write_str(weekday),
        Part::Day(count) => two(out, moment.day(), *count),
        Part::Hour12(count) => two(out, face, *count),
        Part::Hour24(count) => two(out, moment.hour(), *count),
        Part::Minute(count) => two(out, moment.minute(), *count),
        Part::Second(count) => two(out, moment.second(), *count),
        Part::Fraction(count) => out.write_str(&fraction(moment)[..*count]),
        Part::ShortFraction { count, has_point } => {
            let digits = fraction(moment);
            let digits = digits[..*count].trim_end_matches('0');
            out.write_str(if *has_point && !digits.is_empty() { "." } else { "" })?;
            out.write_str(digits)
        }
        Part::Half(1) => out.write_str(&half[..1]),
        Part::Half(_) => out.write_str(half),
        Part::Offset(1) => out.write_str("+0"),
        Part::Offset(2) => out.write_str("+00"),
        Part::Offset(_) => out.write_str("+00:00"),
        Part::Zone => out.write_str("Z"),
        Part::Era => out.write_str("A.D."),
    }
}

/// Nine digits.
fn fraction(moment: DateTime) -> String {
    format!("{:09}", moment.subsec_nanosecond())
}
