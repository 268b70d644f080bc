//! Cron texts of five fields, as `crontab(5)` has them, with cron's own rule for the two nights on which clocks change.

use cronexpr::Crontab;
use jiff::tz::TimeZone;
use provost_model::Timestamp;

use super::{Twice, Wrong, instant};

const FORM: &str = "write minute, hour, day of month, month, day of week: `0 6 * * 1-5` is 06:00 from Monday to Friday";
/// Times of the clock that are skipped in a row because they came before in the hour that comes twice.
const REPEATS: usize = 200;

/// One cron text.
#[derive(Debug, Clone)]
pub(super) struct Cron {
    crontab: Crontab,
    /// A fixed hour and minute: once a day, also on the nights on which clocks change. A `*` in either runs by elapsed
    /// time instead, as in Vixie's cron.
    is_fixed: bool,
}

impl Cron {
    pub fn parse(text: &str, zone: &TimeZone) -> Result<Self, Wrong> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        if text.starts_with('@') {
            return Err(Wrong::new(format!("`{text}` is no cron text"), FORM));
        }
        if fields.len() != 5 {
            let hint = match fields.get(5..).map(|more| more.join(" ")) {
                Some(more) if more.contains(|c: char| c.is_ascii_alphabetic()) => {
                    format!("put the time zone beside it: `timezone: {more}`")
                }
                Some(_) if fields.len() == 6 => format!("seconds cannot be given; {FORM}"),
                _ => FORM.to_owned(),
            };
            return Err(Wrong::new(format!("a cron text has five fields, not {}", fields.len()), hint));
        }
        let is_fixed = !fields[..2].iter().any(|field| field.starts_with('*'));
        // A fixed time is looked for on the clock's face, which never leaves out nor repeats an hour: as if it were UTC.
        let name = if is_fixed { "UTC" } else { zone.iana_name().unwrap_or("UTC") };
        let crontab = cronexpr::parse_crontab(&format!("{text} {name}")).map_err(|error| wrong(text, &error))?;
        if crontab.find_next(cronexpr::MakeTimestamp(Timestamp::UNIX_EPOCH)).is_err() {
            return Err(Wrong::new(format!("`{text}` names a day that never comes"), "look at day and month"));
        }
        Ok(Self { crontab, is_fixed })
    }

    /// The first time after `after`.
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        if !self.is_fixed {
            return self.crontab.find_next(cronexpr::MakeTimestamp(after)).ok().map(|time| time.timestamp());
        }
        let face = after.to_zoned(zone.clone()).datetime();
        let mut face = TimeZone::UTC.to_timestamp(face).ok()?;
        for _ in 0..REPEATS {
            let next = self.crontab.find_next(cronexpr::MakeTimestamp(face)).ok()?;
            let at = instant(next.datetime(), zone, Twice::First)?;
            if at > after {
                return Some(at);
            }
            face = next.timestamp();
        }
        None
    }
}

/// The parser's word on a text, with the place that its caret shows.
fn wrong(text: &str, error: &cronexpr::Error) -> Wrong {
    let said = error.to_string();
    let last = said.lines().last().unwrap_or_default();
    match last.split_once("^ ") {
        Some((before, reason)) => {
            let start = before.len().min(text.len());
            let end = text[start..].find(char::is_whitespace).map_or(text.len(), |length| start + length);
            Wrong::new(format!("`{text}` is no cron text: {reason}"), FORM).at(start..end)
        }
        None => Wrong::new(format!("`{text}` is no cron text: {last}"), FORM),
    }
}
