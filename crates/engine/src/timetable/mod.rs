//! When a job may run: the schedule of its configuration as instants. Pure: the time comes in, a time goes out.
//!
//! [`cron`] reads cron texts, [`window`] the times at which nothing starts. What else keeps a job from running (paused, in
//! quarantine, held) is the scheduler's to ask.

mod cron;
mod window;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use provost_model::{Code, Timestamp};

use crate::error::RuleProblem;
use crate::rule::nearest;
use crate::spec::{ScheduleSpec, Trigger};
use cron::Cron;
use window::Window;

/// Problems of `schedule:`.
pub(crate) const SCHEDULE: Code = Code::new("PRV-0116");
/// Windows that follow each other without a gap; more than this and they leave no time at all.
const CHAINED: usize = 2_000;

/// A job's schedule, compiled.
#[derive(Debug, Clone)]
pub struct Timetable {
    /// Milliseconds from the end of a cycle to the next one.
    pub every_ms: Option<i64>,
    /// A change of the source starts a cycle.
    pub on_change: bool,
    crons: Vec<Cron>,
    windows: Vec<Window>,
    zone: TimeZone,
}

impl Timetable {
    /// Reads a schedule that stands at `at` of the configuration. All problems come back together.
    pub fn compile(spec: &ScheduleSpec, at: &str) -> Result<Self, Vec<RuleProblem>> {
        let mut problems = Vec::new();
        let mut problem = |path: String, text: &str, wrong: Wrong| {
            problems.push(RuleProblem {
                hint: Some(wrong.hint),
                source: wrong.span.map(|span| (text.to_owned(), span)),
                ..RuleProblem::new(SCHEDULE, path, wrong.message)
            });
        };
        let zone = match spec.timezone.as_deref().map(zone) {
            None => TimeZone::UTC,
            Some(Ok(zone)) => zone,
            Some(Err(wrong)) => {
                problem(format!("{at}.timezone"), spec.timezone.as_deref().unwrap_or_default(), wrong);
                TimeZone::UTC
            }
        };
        let mut crons = Vec::new();
        for (index, text) in spec.cron.iter().enumerate() {
            match Cron::parse(text, &zone) {
                Ok(cron) => crons.push(cron),
                Err(wrong) => problem(format!("{at}.cron[{index}]"), text, wrong),
            }
        }
        let mut windows = Vec::new();
        for (index, text) in spec.blackout.iter().enumerate() {
            match Window::parse(text) {
                Ok(window) => windows.push(window),
                Err(wrong) => problem(format!("{at}.blackout[{index}]"), text, wrong),
            }
        }
        let every_ms = spec.every.map(|period| period.ms);
        let table = Self { every_ms, on_change: spec.on == Some(Trigger::Change), crons, windows, zone };
        // A week of a year that no date of a configuration is in: what repeats is seen, what is over is not.
        let sample = Timestamp::from_second(0).unwrap_or(Timestamp::UNIX_EPOCH);
        if table.blackout_end(sample).is_err() {
            let wrong =
                Wrong::new("the windows leave no time at which a cycle could start", "make one of them smaller");
            problem(format!("{at}.blackout"), "", wrong);
        }
        if problems.is_empty() { Ok(table) } else { Err(problems) }
    }

    /// Whether the job runs by itself at all.
    pub fn is_scheduled(&self) -> bool {
        self.every_ms.is_some() || self.on_change || !self.crons.is_empty()
    }

    /// The first time of the clock after `after`; none without a cron text.
    pub fn next_time(&self, after: Timestamp) -> Option<Timestamp> {
        self.crons.iter().filter_map(|cron| cron.next(after, &self.zone)).min()
    }

    /// When the blackout that `at` is in ends; none outside of one. Windows that touch count as one.
    pub fn blackout(&self, at: Timestamp) -> Option<Timestamp> {
        self.blackout_end(at).unwrap_or(Some(Timestamp::MAX))
    }

    fn blackout_end(&self, at: Timestamp) -> Result<Option<Timestamp>, ()> {
        let mut until = at;
        for _ in 0..CHAINED {
            match self.windows.iter().filter_map(|window| window.end_around(until, &self.zone)).max() {
                Some(end) => until = end,
                None => return Ok((until > at).then_some(until)),
            }
        }
        Err(())
    }

    /// A time as people read it in the job's time zone.
    pub fn tell(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M %Z").to_string()
    }
}

/// What is wrong with a text, and which bytes of it.
#[derive(Debug, PartialEq)]
struct Wrong {
    message: String,
    hint: String,
    span: Option<std::ops::Range<usize>>,
}

impl Wrong {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into(), span: None }
    }

    fn at(mut self, span: std::ops::Range<usize>) -> Self {
        self.span = Some(span);
        self
    }
}

fn zone(name: &str) -> Result<TimeZone, Wrong> {
    TimeZone::get(name).map_err(|_| {
        let names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        let hint = match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name one of the IANA database, such as Europe/Zurich or UTC".to_owned(),
        };
        Wrong::new(format!("there is no time zone `{name}`"), hint)
    })
}

/// Which of two instants a time of the clock means in the hour that comes twice.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Twice {
    First,
    Second,
}

/// The instant of a time of the clock. In the hour that is left out in spring it is the moment of the change.
fn instant(time: DateTime, zone: &TimeZone, twice: Twice) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(time);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(time).ok(),
        AmbiguousOffset::Fold { before, after } => {
            let offset = if twice == Twice::First { before } else { after };
            offset.to_timestamp(time).ok()
        }
        // Read with the later offset the time lies before the change.
        AmbiguousOffset::Gap { after, .. } => {
            let before_change = after.to_timestamp(time).ok()?;
            zone.following(before_change).next().map(|transition| transition.timestamp())
        }
    }
}

#[cfg(test)]
mod tests;
