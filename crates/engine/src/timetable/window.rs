//! Times at which no cycle starts: `Mon-Fri 08:00-12:00`, `22:00-05:00`, `Sat,Sun`, `2026-12-24..2027-01-02`.
//!
//! Both ends are times of the clock. In the hour that comes twice a window begins with the first and ends with the second
//! one; what lies in the hour that is left out does not happen.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};
use provost_model::Timestamp;

use super::{Twice, Wrong, instant};

const FORM: &str = "for example `Mon-Fri 08:00-12:00`, `22:00-05:00`, `Sat,Sun` or `2026-12-24..2027-01-02`";
const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Window {
    /// From the first to the last day, both with all their hours.
    Dates { first: Date, last: Date },
    /// On the days that are true, Monday first; minutes of the day. An end that is not after the start is on the next day.
    Weekly { days: [bool; 7], start: i16, end: i16 },
}

impl Window {
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let wrong = |why: String| Wrong::new(format!("`{text}` is no window: {why}"), FORM);
        let parts: Vec<&str> = text.split_whitespace().collect();
        match parts[..] {
            [dates] if dates.contains("..") || dates.len() == 10 && dates.starts_with(|c: char| c.is_ascii_digit()) => {
                let (first, last) = dates.split_once("..").unwrap_or((dates, dates));
                let date = |text: &str| text.parse::<Date>().map_err(|_| wrong(format!("`{text}` is no date")));
                let (first, last) = (date(first)?, date(last)?);
                if last < first {
                    return Err(wrong("its end is before its start".to_owned()));
                }
                Ok(Self::Dates { first, last })
            }
            [times] if times.starts_with(|c: char| c.is_ascii_digit()) => {
                let (start, end) = times_of(times).map_err(wrong)?;
                Ok(Self::Weekly { days: [true; 7], start, end })
            }
            [days] => Ok(Self::Weekly { days: days_of(days).map_err(wrong)?, start: 0, end: 24 * 60 }),
            [days, times] => {
                let (start, end) = times_of(times).map_err(wrong)?;
                Ok(Self::Weekly { days: days_of(days).map_err(wrong)?, start, end })
            }
            _ => Err(wrong("it has neither days nor times".to_owned())),
        }
    }

    /// When the window that `at` is in ends.
    pub fn end_around(&self, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let holds = |start: DateTime, end: DateTime| {
            let (start, end) = (instant(start, zone, Twice::First)?, instant(end, zone, Twice::Second)?);
            (start <= at && at < end).then_some(end)
        };
        match self {
            Self::Dates { first, last } => {
                holds(first.to_datetime(Time::midnight()), last.tomorrow().ok()?.to_datetime(Time::midnight()))
            }
            Self::Weekly { days, start, end } => {
                let today = at.to_zoned(zone.clone()).date();
                [today.yesterday().ok()?, today]
                    .into_iter()
                    .filter_map(|day| {
                        let on = days[usize::try_from(day.weekday().to_monday_zero_offset()).ok()?];
                        let end = if end > start { *end } else { end + 24 * 60 };
                        let of = |minutes: i16| day.to_datetime(Time::midnight()).checked_add(minutes_of(minutes)).ok();
                        if on { holds(of(*start)?, of(end)?) } else { None }
                    })
                    .max()
            }
        }
    }
}

fn minutes_of(minutes: i16) -> Span {
    i64::from(minutes).minutes()
}

fn times_of(text: &str) -> Result<(i16, i16), String> {
    let (start, end) = text.split_once('-').ok_or_else(|| format!("`{text}` has no end"))?;
    let minutes = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        let (hour, minute): (i16, i16) = (hour.parse().ok()?, minute.parse().ok()?);
        let is_time = (0..24).contains(&hour) && (0..60).contains(&minute) || (hour, minute) == (24, 0);
        is_time.then_some(hour * 60 + minute)
    };
    let start_minutes = minutes(start).filter(|start| *start < 24 * 60);
    let start_minutes = start_minutes.ok_or_else(|| format!("`{start}` is no time of the day"))?;
    let end_minutes = minutes(end).ok_or_else(|| format!("`{end}` is no time of the day"))?;
    if start_minutes == end_minutes {
        return Err("it ends when it starts".to_owned());
    }
    Ok((start_minutes, end_minutes))
}

fn days_of(text: &str) -> Result<[bool; 7], String> {
    let day = |text: &str| {
        let at = DAYS.iter().position(|(name, _)| text.eq_ignore_ascii_case(name));
        at.ok_or_else(|| format!("`{text}` is no day; the days are Mon, Tue, Wed, Thu, Fri, Sat, Sun"))
    };
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (day(first)?, day(last)?),
            None => (day(part)?, day(part)?),
        };
        let mut at = first;
        days[at] = true;
        while at != last {
            at = (at + 1) % 7;
            days[at] = true;
        }
    }
    Ok(days)
}
