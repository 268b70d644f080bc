//! Adding to dates and counting between them, by VB's interval codes.

use jiff::civil::{DateTime, Weekday};
use jiff::{SignedDuration, Span};

/// An interval code: `yyyy m d ww h n s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interval {
    Year,
    Month,
    Day,
    Week,
    Hour,
    Minute,
    Second,
}

impl Interval {
    /// The codes, in the order of the variants.
    pub(crate) const CODES: &[&str] = &["yyyy", "m", "d", "ww", "h", "n", "s"];

    pub(crate) fn parse(code: &str) -> Option<Self> {
        use Interval::*;
        let at = Self::CODES.iter().position(|known| known.eq_ignore_ascii_case(code.trim()))?;
        [Year, Month, Day, Week, Hour, Minute, Second].get(at).copied()
    }

    fn seconds(self) -> i64 {
        match self {
            Interval::Week => 7 * 86_400,
            Interval::Hour => 3_600,
            Interval::Minute => 60,
            Interval::Second => 1,
            Interval::Day | Interval::Month | Interval::Year => 86_400,
        }
    }
}

/// Years and months are calendar steps, which end at the last day of a shorter month. `None` outside of 1 to 9999.
pub(crate) fn add(moment: DateTime, interval: Interval, count: i64) -> Option<DateTime> {
    let sum = match interval {
        Interval::Year => moment.checked_add(Span::new().try_years(count).ok()?),
        Interval::Month => moment.checked_add(Span::new().try_months(count).ok()?),
        other => moment.checked_add(SignedDuration::from_secs(count.checked_mul(other.seconds())?)),
    };
    sum.ok().filter(|sum| sum.year() >= 1)
}

/// Positive when `to` is later. Years and months are differences of the calendar's numbers, weeks count the Sundays
/// between, the others are elapsed time cut toward zero, all as VB's DateDiff does.
pub(crate) fn difference(interval: Interval, from: DateTime, to: DateTime) -> i64 {
    let years = i64::from(to.year()) - i64::from(from.year());
    match interval {
        Interval::Year => years,
        Interval::Month => years * 12 + i64::from(to.month()) - i64::from(from.month()),
        Interval::Week => {
            let start_of_week = |moment: DateTime| {
                let back = i64::from(moment.date().weekday().since(Weekday::Sunday));
                moment.date().checked_sub(Span::new().days(back)).unwrap_or(moment.date())
            };
            start_of_week(from).duration_until(start_of_week(to)).as_secs() / Interval::Week.seconds()
        }
        other => from.duration_until(to).as_secs() / other.seconds(),
    }
}
