//! Whether a job whose cycles fail as a whole is tried more rarely (entra: application-provisioning-quarantine-status). Pure:
//! what a cycle was like comes in, what becomes of the quarantine goes out.
//!
//! A cycle that the other side refused as a whole puts the job in at once; one that could not get through (a network, a
//! target that is down) only after some in a row; one in which too many objects failed by its share or number. Any cycle
//! that succeeds takes it out.

use provost_connector::ErrorCode;
use provost_model::{Code, Explain, JobName};
use provost_store::{CycleStatus as StoredStatus, EventRow, EventStatus, QuarantineRow};

use crate::error::EngineError;
use crate::progress::Counts;
use crate::spec::QuarantineSpec;

/// Too many objects failed.
pub(crate) const TOO_MANY: &str = "PRV-0533";
/// The job does not run by itself any more.
const GIVEN_UP: &str = "PRV-0534";

/// What a cycle was like, as far as the quarantine goes.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It could not run to its end.
    Failed { code: Code, reason: String, is_fatal: bool, in_row: i64 },
    /// It did.
    Ended { counts: Counts, failed_references: u64 },
    /// It says nothing: somebody ended it, or the fault is our own.
    Neither,
}

impl Outcome {
    pub fn of(error: &EngineError, in_row: i64) -> Self {
        let is_fatal = match error {
            EngineError::Connection { error, .. } => matches!(
                error.code,
                ErrorCode::AuthFailed
                    | ErrorCode::AuthExpired
                    | ErrorCode::PermissionDenied
                    | ErrorCode::InvalidConfig
                    | ErrorCode::Protocol
                    | ErrorCode::NotSupported
            ),
            EngineError::Rules { .. } => false,
            _ => return Self::Neither,
        };
        if matches!(error, EngineError::Connection { error, .. } if error.code == ErrorCode::Cancelled) {
            return Self::Neither;
        }
        Self::Failed { code: error.code(), reason: error.to_string(), is_fatal, in_row }
    }
}

/// What becomes of a job's quarantine.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    Stays,
    /// It is in, or goes on being in; what is told when that is news.
    In {
        row: QuarantineRow,
        news: Option<News>,
    },
    Out,
}

/// What people are told: once, not with every attempt.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct News {
    pub code: &'static str,
    pub text: String,
}

/// Decides about the quarantine after a cycle.
pub(crate) fn judge(
    spec: &QuarantineSpec,
    job: &JobName,
    before: Option<&QuarantineRow>,
    outcome: Outcome,
    now_ms: i64,
) -> Verdict {
    let (code, reason) = match outcome {
        Outcome::Neither => return Verdict::Stays,
        Outcome::Failed { is_fatal: false, in_row, .. } if before.is_none() && in_row < i64::from(spec.failures) => {
            return Verdict::Stays;
        }
        Outcome::Failed { code, reason, .. } => (code, reason),
        Outcome::Ended { counts, failed_references } => match exceeded(spec, &counts, failed_references) {
            Some(reason) => (Code::new(TOO_MANY), reason),
            None => return if before.is_some() { Verdict::Out } else { Verdict::Stays },
        },
    };
    let tries = before.map_or(0, |row| row.tries) + 1;
    let since = before.map_or(now_ms, |row| row.since);
    let next = now_ms.saturating_add(spec.wait_ms(tries));
    let is_over = next > since.saturating_add(spec.give_up.ms);
    let next_try = if is_over { i64::MAX } else { next };
    let was_over = before.is_some_and(|row| row.next_try == i64::MAX);
    let news = if is_over && !was_over {
        Some(News {
            code: GIVEN_UP,
            text: format!("after {} in quarantine the job does not run by itself any more: {reason}", spec.give_up),
        })
    } else if before.is_none() {
        Some(News { code: TOO_MANY, text: format!("the job is in quarantine: {reason}") })
    } else if before.is_some_and(|row| row.code != code) {
        Some(News { code: TOO_MANY, text: format!("the job is in quarantine for another reason now: {reason}") })
    } else {
        None
    };
    let row = QuarantineRow { job: job.clone(), since, code, reason, tries, next_try };
    Verdict::In { row, news }
}

/// Why too many objects failed, if they did. References that failed count only in the last of the three.
fn exceeded(spec: &QuarantineSpec, counts: &Counts, failed_references: u64) -> Option<String> {
    let all = counts.failed;
    let objects = all.saturating_sub(failed_references);
    let events = counts.writes() + counts.adopted + counts.skipped + all;
    if all > spec.all {
        return Some(format!("{all} objects and references failed, more than {}", spec.all));
    }
    if objects > spec.count {
        return Some(format!("{objects} objects failed, more than {}", spec.count));
    }
    #[expect(clippy::cast_precision_loss, reason = "a share of counts far below 2^52")]
    let share = if events == 0 { 0.0 } else { objects as f64 * 100.0 / events as f64 };
    (objects >= spec.from && share > spec.percent)
        .then(|| format!("{objects} of {events} objects failed: {share:.0} %, more than {} %", spec.percent))
}

/// The event that tells of it.
pub(crate) fn event(job: &JobName, cycle: &provost_model::CycleId, verdict: &Verdict, now_ms: i64) -> Option<EventRow> {
    let (code, text, status) = match verdict {
        Verdict::Stays | Verdict::In { news: None, .. } => return None,
        Verdict::In { news: Some(news), .. } => (news.code, news.text.clone(), EventStatus::Failed),
        Verdict::Out => (TOO_MANY, "a cycle succeeded: the job is out of quarantine".to_owned(), EventStatus::Done),
    };
    let event = crate::cycle::verdict(job, cycle, StoredStatus::Failed, code, text, now_ms);
    Some(EventRow {
        action: "quarantine".into(),
        status,
        code: (status == EventStatus::Failed).then(|| code.into()),
        ..event
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use provost_connector::ConnectorError;

    const HOUR: i64 = 3_600_000;
    const DAY: i64 = 24 * HOUR;

    fn ended(failed: u64, failed_references: u64, done: u64) -> Outcome {
        Outcome::Ended {
            counts: Counts { failed: failed + failed_references, updated: done, ..Counts::default() },
            failed_references,
        }
    }

    fn failed(code: ErrorCode, in_row: i64) -> Outcome {
        let error = ConnectorError::new(code, "the target said so");
        Outcome::of(&EngineError::Connection { role: "target", connection: "app".into(), error }, in_row)
    }

    fn decide(before: Option<&QuarantineRow>, outcome: Outcome, now_ms: i64) -> Verdict {
        judge(&QuarantineSpec::default(), &"j".into(), before, outcome, now_ms)
    }

    #[test]
    fn the_documented_cases() {
        for (failures, references, done, is_in) in [
            (4_000, 0, 0, false),
            (45_000, 0, 0, true),
            (45_000, 0, 1_000_000, true),
            (30_000, 0, 5_000, true),
            (20_000, 0, 100_000, false),
            (40_000, 21_000, 1_000_000, true),
            (40_000, 20_000, 1_000_000, false),
            (5_000, 0, 7_499, true),
            (5_000, 0, 7_500, false),
            (0, 50_000, 0, false),
        ] {
            let verdict = decide(None, ended(failures, references, done), 0);
            assert_eq!(
                matches!(verdict, Verdict::In { .. }),
                is_in,
                "{failures} + {references} of {done}: {verdict:?}"
            );
        }
    }

    #[test]
    fn fatal_at_once_passing_after_some() {
        for (code, in_row, is_in) in [
            (ErrorCode::AuthFailed, 1, true),
            (ErrorCode::Protocol, 1, true),
            (ErrorCode::Unavailable, 4, false),
            (ErrorCode::Unavailable, 5, true),
            (ErrorCode::Timeout, 1, false),
            (ErrorCode::Cancelled, 9, false),
        ] {
            let verdict = decide(None, failed(code, in_row), 0);
            assert_eq!(matches!(verdict, Verdict::In { .. }), is_in, "{code:?} {in_row}: {verdict:?}");
        }
        assert_eq!(decide(None, Outcome::of(&EngineError::Cancelled, 9), 0), Verdict::Stays);
    }

    #[test]
    fn attempts_get_rarer_until_nobody_tries_any_more() {
        let mut row = None;
        let (mut now, mut waits, mut told) = (0, Vec::new(), Vec::new());
        loop {
            let code = if now < 20 * DAY { ErrorCode::AuthFailed } else { ErrorCode::Unavailable };
            let Verdict::In { row: next, news } = decide(row.as_ref(), failed(code, 1), now) else { panic!() };
            told.extend(news.map(|news| (now / DAY, news.code)));
            if next.next_try == i64::MAX {
                assert_eq!(next.since, 0);
                row = Some(next);
                break;
            }
            waits.push((next.next_try - now) / (HOUR / 4));
            now = next.next_try;
            row = Some(next);
        }
        assert_eq!(waits[..9], [1, 2, 4, 8, 16, 32, 64, 96, 96]);
        assert_eq!(told, [(0, TOO_MANY), (20, TOO_MANY), (27, GIVEN_UP)]);
        // By hand it can still be run; another failure is no news, a success ends it.
        assert!(matches!(decide(row.as_ref(), failed(ErrorCode::Unavailable, 1), now), Verdict::In { news: None, .. }));
        assert_eq!(decide(row.as_ref(), ended(3, 0, 0), now), Verdict::Out);
        assert_eq!(decide(None, ended(3, 0, 0), now), Verdict::Stays);
    }
}
