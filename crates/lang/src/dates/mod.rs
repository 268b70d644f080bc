//! Dates as the language knows them: date-times in UTC without a zone, read from the forms that .NET reads, printed
//! `M/d/yyyy h:mm:ss tt`, and counted in Active Directory's ticks.
//!
//! Civil date-times and not timestamps, because `9999-12-31` must be a date: it is what HR systems send for "never".
//! Only the invariant culture: English names, month before day.

mod pattern;
mod print;
mod read;
mod step;

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp};
use provost_model::Text;

pub(crate) use pattern::Pattern;
pub(crate) use read::parse;
pub(crate) use step::{Interval, add, difference};

pub(crate) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(crate) const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// What Active Directory stores where a date never comes.
pub(crate) const NEVER: i64 = i64::MAX;
const TICKS_PER_SECOND: i128 = 10_000_000;
const NANOSECONDS_PER_TICK: i128 = 100;
const TICKS_EPOCH: DateTime = Date::constant(1601, 1, 1).at(0, 0, 0, 0);

/// The UTC date-time of an instant.
pub(crate) fn from_timestamp(timestamp: Timestamp) -> DateTime {
    jiff::tz::Offset::UTC.to_datetime(timestamp)
}

/// `3/16/2020 7:00:00 AM`
pub(crate) fn print(moment: DateTime) -> Text {
    use std::fmt::Write as _;
    let (hour, half) = twelve_hours(moment.hour());
    let mut out = Text::default();
    let (month, day, year) = (moment.month(), moment.day(), moment.year());
    let (minute, second) = (moment.minute(), moment.second());
    // Writing into a text cannot fail.
    let _ = write!(out, "{month}/{day}/{year:04} {hour}:{minute:02}:{second:02} {half}");
    out
}

/// The hour on a clock face and its half of the day.
pub(crate) fn twelve_hours(hour: i8) -> (i8, &'static str) {
    let face = if hour % 12 == 0 { 12 } else { hour % 12 };
    (face, if hour < 12 { "AM" } else { "PM" })
}

/// Ticks of 100 ns since 1601-01-01 UTC.
pub(crate) fn to_ticks(moment: DateTime) -> i64 {
    // All years that jiff knows fit in 63 bits of ticks; earlier than 1601 is negative.
    (TICKS_EPOCH.duration_until(moment).as_nanos() / NANOSECONDS_PER_TICK) as i64
}

/// The date of a tick count; `None` outside of the years 1 to 9999.
pub(crate) fn from_ticks(ticks: i64) -> Option<DateTime> {
    let nanoseconds = i128::from(ticks) * NANOSECONDS_PER_TICK;
    let seconds = i64::try_from(nanoseconds.div_euclid(TICKS_PER_SECOND * NANOSECONDS_PER_TICK)).ok()?;
    let rest = nanoseconds.rem_euclid(TICKS_PER_SECOND * NANOSECONDS_PER_TICK) as i32;
    TICKS_EPOCH.checked_add(SignedDuration::new(seconds, rest)).ok().filter(|date| date.year() >= 1)
}

#[cfg(test)]
mod tests;
