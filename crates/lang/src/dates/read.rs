//! Reads dates without a pattern, as CDate does: ISO 8601, US order with slashes, and month names in any usual place.
//!
//! An offset is applied, so that the result is UTC; without one the text is UTC already. Two-digit years mean 1950 to
//! 2049. A bare number is no date.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};

use super::{MONTHS, WEEKDAYS};

/// The date-time in UTC; `None` for what is no date.
pub(crate) fn parse(text: &str) -> Option<DateTime> {
    let mut scanner = Scanner { rest: text.trim() };
    let (date, time, offset) = scanner.date_time()?;
    if !scanner.rest.is_empty() {
        return None;
    }
    to_utc(date.to_datetime(time), offset)
}

/// Local date-time and offset in seconds to UTC.
pub(super) fn to_utc(local: DateTime, offset_seconds: i64) -> Option<DateTime> {
    local.checked_sub(SignedDuration::from_secs(offset_seconds)).ok().filter(|utc| utc.year() >= 1)
}

/// The full year of one written with two digits.
pub(super) fn century(year: i64) -> i64 {
    if year < 50 { 2000 + year } else { 1900 + year }
}

pub(super) struct Scanner<'t> {
    pub(super) rest: &'t str,
}

impl Scanner<'_> {
    pub(super) fn eat(&mut self, prefix: &str) -> bool {
        match self.rest.get(..prefix.len()) {
            Some(start) if start.eq_ignore_ascii_case(prefix) => {
                self.rest = &self.rest[prefix.len()..];
                true
            }
            _ => false,
        }
    }

    pub(super) fn blanks(&mut self) -> bool {
        let before = self.rest.len();
        self.rest = self.rest.trim_start();
        self.rest.len() < before
    }

    /// Up to `most` digits, as number and count.
    pub(super) fn digits(&mut self, most: usize) -> Option<(i64, usize)> {
        let count = self.rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
        let number = self.rest[..count].parse().ok()?;
        self.rest = &self.rest[count..];
        Some((number, count))
    }

    /// The index of the name in the list, whole or by its first three letters.
    pub(super) fn name(&mut self, names: &[&str]) -> Option<usize> {
        names.iter().position(|name| self.eat(name)).or_else(|| names.iter().position(|name| self.eat(&name[..3])))
    }

    fn date_time(&mut self) -> Option<(Date, Time, i64)> {
        if self.name(&WEEKDAYS).is_some() {
            self.eat(".");
            self.eat(",");
            self.blanks();
        }
        let date = self.date()?;
        let needs_time = self.eat("T");
        let is_separated = needs_time || (self.eat(",") | self.blanks());
        let starts_time = is_separated && self.rest.starts_with(|c: char| c.is_ascii_digit());
        let time = if needs_time || starts_time { self.time()? } else { Time::midnight() };
        self.blanks();
        let offset = if self.rest.is_empty() { 0 } else { self.offset()? };
        Some((date, time, offset))
    }

    fn date(&mut self) -> Option<Date> {
        if let Some(month) = self.name(&MONTHS) {
            // June 15, 2009
            self.eat(".");
            self.separator();
            let (day, _) = self.digits(2)?;
            self.separator();
            let year = self.year()?;
            return civil(year, month as i64 + 1, day);
        }
        let (first, length) = self.digits(4)?;
        if length >= 3 {
            // 2009-06-15, 2009/06/15
            let year = first;
            let separator = self.one_of(&["-", "/", "."])?;
            let (month, _) = self.digits(2)?;
            self.eat(separator).then_some(())?;
            let (day, _) = self.digits(2)?;
            return civil(year, month, day);
        }
        let before = self.rest;
        self.separator();
        if let Some(month) = self.name(&MONTHS) {
            // 15 June 2009, 15-Jun-2009
            self.eat(".");
            self.separator();
            let year = self.year()?;
            return civil(year, month as i64 + 1, first);
        }
        // 6/15/2009
        self.rest = before;
        let separator = self.one_of(&["/", "-", "."])?;
        let (day, _) = self.digits(2)?;
        self.eat(separator).then_some(())?;
        let year = self.year()?;
        civil(year, first, day)
    }

    fn one_of(&mut self, separators: &[&'static str]) -> Option<&'static str> {
        separators.iter().copied().find(|separator| self.eat(separator))
    }

    /// What stands between the parts of a date with a month's name.
    fn separator(&mut self) {
        let _ = self.eat(",") | self.eat("-") | self.eat("/");
        self.blanks();
    }

    fn year(&mut self) -> Option<i64> {
        match self.digits(4)? {
            (year, 4) => Some(year),
            (year, 2) => Some(century(year)),
            _ => None,
        }
    }

    /// `1:45`, `13:45:30.25`, `1:45:30 PM`
    fn time(&mut self) -> Option<Time> {
        let (mut hour, _) = self.digits(2)?;
        let (mut minute, mut second, mut nanosecond) = (0, 0, 0);
        let has_minutes = self.eat(":");
        if has_minutes {
            minute = self.digits(2)?.0;
            if self.eat(":") {
                second = self.digits(2)?.0;
                if self.eat(".") || self.eat(",") {
                    nanosecond = self.fraction()?;
                }
            }
        }
        let before = self.rest;
        self.blanks();
        let half = if self.eat("AM") || self.eat("A.M.") {
            Some(0)
        } else if self.eat("PM") || self.eat("P.M.") {
            Some(12)
        } else {
            self.rest = before;
            None
        };
        match half {
            Some(_) if !(1..=12).contains(&hour) => return None,
            Some(half) => hour = hour % 12 + half,
            None if !has_minutes => return None,
            None => {}
        }
        clock(hour, minute, second, nanosecond)
    }

    /// Digits after the point, as nanoseconds; more than nine are cut.
    pub(super) fn fraction(&mut self) -> Option<i64> {
        let count = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let kept = &self.rest[..count.min(9)];
        let number: i64 = kept.parse().ok()?;
        self.rest = &self.rest[count..];
        Some(number * 10i64.pow(9 - kept.len() as u32))
    }

    /// `Z`, `GMT`, `+01`, `+0100`, `-07:00`, in seconds east of Greenwich.
    pub(super) fn offset(&mut self) -> Option<i64> {
        if self.eat("Z") || self.eat("GMT") || self.eat("UTC") {
            return Some(0);
        }
        let sign = if self.eat("+") {
            1
        } else if self.eat("-") || self.eat("−") {
            -1
        } else {
            return None;
        };
        let (hours, _) = self.digits(2)?;
        let has_minutes = self.eat(":") || self.rest.starts_with(|c: char| c.is_ascii_digit());
        let minutes = if has_minutes { self.digits(2)?.0 } else { 0 };
        (hours <= 14 && minutes < 60).then_some(sign * (hours * 3_600 + minutes * 60))
    }
}

pub(super) fn civil(year: i64, month: i64, day: i64) -> Option<Date> {
    let year = i16::try_from(year).ok().filter(|year| *year >= 1)?;
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

pub(super) fn clock(hour: i64, minute: i64, second: i64, nanosecond: i64) -> Option<Time> {
    let small = |number: i64| i8::try_from(number).ok();
    Time::new(small(hour)?, small(minute)?, small(second)?, i32::try_from(nanosecond).ok()?).ok()
}
