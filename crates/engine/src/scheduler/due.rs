//! When a job's next cycle is, and what keeps it waiting: from what is stored and the time, without asking anybody. The
//! scheduler acts on it, and `provost status` tells it.

use provost_model::Timestamp;
use provost_store::{ControlRow, CycleRow, CycleStatus, JobRow, QuarantineRow};

use crate::timetable::Timetable;

const SECOND: i64 = 1_000;
/// The longest wait of a job that has neither times nor an interval, and of one that fails.
const DAY: i64 = 24 * 3600 * SECOND;

/// What is stored about a job beside its row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Standing {
    pub control: Option<ControlRow>,
    pub quarantine: Option<QuarantineRow>,
}

impl Standing {
    /// How often somebody has asked for a cycle at once.
    pub fn wakes(&self) -> i64 {
        self.control.as_ref().map_or(0, |row| row.wakes)
    }

    /// Since when the job is paused.
    pub fn paused(&self) -> Option<i64> {
        self.control.as_ref()?.paused
    }
}

/// What keeps a job from running though it is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    Paused,
    /// In quarantine until its next attempt.
    Quarantine,
    /// In quarantine for so long that it does not run by itself any more.
    GivenUp,
    Blackout,
}

/// How a cycle ended, as far as the next one depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Done,
    /// The next one should follow at once: it was paused, or the source has more.
    Unfinished,
    /// So many in a row failed.
    Failed(u32),
}

/// When a job that is due at `due` runs, from `now` on; none when nothing but a person lets it run.
pub fn start(
    table: &Timetable,
    due: Timestamp,
    standing: &Standing,
    now: Timestamp,
) -> (Option<Timestamp>, Option<Wait>) {
    if standing.paused().is_some() {
        return (None, Some(Wait::Paused));
    }
    let (mut at, mut wait) = (due.max(now), None);
    if let Some(row) = &standing.quarantine {
        if row.next_try == i64::MAX {
            return (None, Some(Wait::GivenUp));
        }
        wait = Some(Wait::Quarantine);
        at = at.max(Timestamp::from_millisecond(row.next_try).unwrap_or(Timestamp::MAX));
    }
    if let Some(end) = table.blackout(at) {
        (at, wait) = (end, Some(Wait::Blackout));
    }
    (Some(at), wait)
}

/// When the next cycle is due after one that ran from `started` to `finished`.
pub fn after(table: &Timetable, started: Timestamp, finished: Timestamp, ended: Ended) -> Timestamp {
    let every = table.every_ms.unwrap_or(DAY);
    let in_ms = |ms: i64| finished.checked_add(jiff::SignedDuration::from_millis(ms)).unwrap_or(Timestamp::MAX);
    match ended {
        Ended::Unfinished => finished,
        Ended::Failed(times) => {
            // A failing job is not hammered: it waits longer each time, at most a day.
            let first = every.min(30 * SECOND);
            in_ms(first.saturating_mul(1 << times.min(16)).min(DAY))
        }
        Ended::Done => {
            let time = table.next_time(started);
            // A job with times of the clock alone waits for the next of them.
            if table.every_ms.is_none()
                && let Some(time) = time
            {
                return time;
            }
            time.map_or(in_ms(every), |time| time.min(in_ms(every)))
        }
    }
}

/// When a job is due as `provost serve` starts: one that looks at its source at once, one with times of the clock at the next
/// one, or now when one was missed since its last cycle.
pub fn first(table: &Timetable, row: Option<&JobRow>, last: Option<&CycleRow>, now: Timestamp) -> Timestamp {
    if table.every_ms.is_some() || table.on_change || last.is_some_and(|last| last.status == CycleStatus::Paused) {
        return now;
    }
    let ran = row.filter(|row| row.updated > 0).and_then(|row| Timestamp::from_millisecond(row.updated).ok());
    table.next_time(ran.unwrap_or(now)).map_or(Timestamp::MAX, |time| time.max(now))
}

/// When a job is due by what is stored of it, while `provost serve` runs.
pub fn stored(table: &Timetable, row: &JobRow, last: Option<&CycleRow>, now: Timestamp) -> Timestamp {
    let time = |ms: i64| Timestamp::from_millisecond(ms).unwrap_or(now);
    let Some(last) = last.filter(|_| row.updated > 0) else { return first(table, Some(row), last, now) };
    let failed = Ended::Failed(u32::try_from(row.failures).unwrap_or(0));
    if row.updated > last.finished.unwrap_or(last.started) {
        // The last attempt did not come so far as to be a cycle.
        return after(table, time(row.updated), time(row.updated), failed);
    }
    let ended = match last.status {
        CycleStatus::Paused => Ended::Unfinished,
        CycleStatus::Failed => failed,
        _ => Ended::Done,
    };
    after(table, time(last.started), time(last.finished.unwrap_or(last.started)), ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-23T{text}Z").parse().unwrap()
    }

    fn table(json: serde_json::Value) -> Timetable {
        Timetable::compile(&serde_json::from_value(json).unwrap(), "").unwrap()
    }

    #[test]
    fn what_keeps_a_job_waiting() {
        let table = table(serde_json::json!({ "every": "5m", "blackout": "08:00-12:00" }));
        let quarantined = |next: Option<&str>| QuarantineRow {
            job: "j".into(),
            since: 0,
            code: provost_model::Code::new("PRV-0302"),
            reason: String::new(),
            tries: 1,
            next_try: next.map_or(i64::MAX, |next| at(next).as_millisecond()),
        };
        let paused = ControlRow { job: "j".into(), paused: Some(1), pause_reason: None, wakes: 0 };
        let none = Standing::default();
        let bad = |next| Standing { quarantine: Some(quarantined(next)), ..Standing::default() };
        for (due, standing, now, starts, wait) in [
            ("06:00:00", &none, "05:00:00", Some("06:00:00"), None),
            ("04:00:00", &none, "05:00:00", Some("05:00:00"), None),
            ("09:00:00", &none, "05:00:00", Some("12:00:00"), Some(Wait::Blackout)),
            ("04:00:00", &none, "08:00:00", Some("12:00:00"), Some(Wait::Blackout)),
            ("04:00:00", &bad(Some("06:30:00")), "05:00:00", Some("06:30:00"), Some(Wait::Quarantine)),
            ("04:00:00", &bad(Some("08:30:00")), "05:00:00", Some("12:00:00"), Some(Wait::Blackout)),
            ("04:00:00", &bad(None), "05:00:00", None, Some(Wait::GivenUp)),
            ("04:00:00", &Standing { control: Some(paused), ..bad(None) }, "05:00:00", None, Some(Wait::Paused)),
        ] {
            assert_eq!(start(&table, at(due), standing, at(now)), (starts.map(at), wait), "due {due}, now {now}");
        }
    }

    #[test]
    fn when_the_next_cycle_is_due() {
        let (every, change) = (serde_json::json!({ "every": "5m" }), serde_json::json!({ "on": "change" }));
        let cron = serde_json::json!({ "cron": "0 6 * * *" });
        let both = serde_json::json!({ "cron": "0 6 * * *", "every": "2h" });
        for (spec, started, finished, ended, due) in [
            (&every, "05:00:00", "05:01:00", Ended::Done, "05:06:00"),
            (&every, "05:00:00", "05:01:00", Ended::Unfinished, "05:01:00"),
            (&every, "05:00:00", "05:01:00", Ended::Failed(1), "05:02:00"),
            (&every, "05:00:00", "05:01:00", Ended::Failed(3), "05:05:00"),
            (&change, "00:00:00", "00:00:00", Ended::Failed(11), "17:04:00"),
            (&cron, "05:00:00", "05:01:00", Ended::Done, "06:00:00"),
            // A cycle that ran over its next time: that one follows at once, and those after it do not pile up.
            (&cron, "05:59:00", "06:10:00", Ended::Done, "06:00:00"),
            (&both, "05:00:00", "05:01:00", Ended::Done, "06:00:00"),
            (&both, "06:00:00", "06:01:00", Ended::Done, "08:01:00"),
        ] {
            let due_at = after(&table(spec.clone()), at(started), at(finished), ended);
            assert_eq!(due_at, at(due), "{spec} {ended:?}");
        }
        let table = table(cron);
        let row = |text: &str| JobRow { updated: at(text).as_millisecond(), ..JobRow::new("j".into()) };
        assert_eq!(first(&table, None, None, at("05:00:00")), at("06:00:00"));
        assert_eq!(first(&table, Some(&row("05:00:00")), None, at("05:30:00")), at("06:00:00"));
        assert_eq!(first(&table, Some(&row("05:00:00")), None, at("09:00:00")), at("09:00:00"), "it was missed");
    }
}
