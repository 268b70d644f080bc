//! Runs jobs by themselves: every so often, and as soon as the source is seen to have changed.
//!
//! One task per job; a cycle takes no argument but its job, so a signal that is missed costs time and nothing else. The
//! job's lease keeps two nodes from running one job at once; a job that another node ran lately is left alone.

use std::sync::Arc;
use std::time::Duration;

use provost_connector::Context;
use provost_model::{JobName, Text};
use tokio::task::JoinSet;

use crate::engine::{Engine, RunOptions};
use crate::error::EngineError;
use crate::progress::Progress;
use crate::report::CycleReport;
use crate::spec::{JobSpec, Trigger};

/// How often a source is asked whether it changed.
const LOOK: Duration = Duration::from_secs(2);
/// The longest wait after failures in a row.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Hears how each cycle ended.
pub type Listener = Arc<dyn Fn(&JobName, &Result<CycleReport, EngineError>) + Send + Sync>;

/// Runs all jobs that have a schedule until `cx` is cancelled.
pub async fn run(engine: Engine, jobs: Vec<(JobName, JobSpec)>, listener: Listener, cx: Context) {
    let mut tasks = JoinSet::new();
    for (name, spec) in jobs {
        if spec.schedule.every.is_some() || spec.schedule.on.is_some() {
            tasks.spawn(keep(engine.clone(), name, spec, listener.clone(), cx.clone()));
        }
    }
    while tasks.join_next().await.is_some() {}
}

async fn keep(engine: Engine, name: JobName, spec: JobSpec, listener: Listener, cx: Context) {
    let every = spec.schedule.every.map_or(LONGEST, |period| Duration::from_millis(period.ms.unsigned_abs()));
    let mut failures = 0u32;
    let mut seen: Option<Vec<Text>> = None;
    let mut wait = Duration::ZERO;
    loop {
        // Looked at before the cycle: what changes while it runs is seen as a change afterwards.
        seen = pause(&engine, &spec, wait, seen, &cx).await;
        if cx.cancel.is_cancelled() {
            return;
        }
        let result = engine.run(&name, &spec, RunOptions::default(), Arc::<Progress>::default(), &cx).await;
        listener(&name, &result);
        failures = if result.is_ok() { 0 } else { failures.saturating_add(1) };
        wait = match failures {
            0 if result.as_ref().is_ok_and(|report| report.more) => Duration::ZERO,
            0 => every,
            // A failing job is not hammered: it waits longer each time, at most a day.
            failed => (every.min(LOOK * 15) * 2u32.saturating_pow(failed.min(16))).min(LONGEST),
        };
    }
}

/// Waits for the time, or for a change of the source where the job asks for that. Returns what was seen last.
async fn pause(
    engine: &Engine,
    spec: &JobSpec,
    wait: Duration,
    seen: Option<Vec<Text>>,
    cx: &Context,
) -> Option<Vec<Text>> {
    let end = tokio::time::Instant::now() + wait;
    let watches = spec.schedule.on == Some(Trigger::Change);
    loop {
        let now = if watches { revision(engine, spec, cx).await } else { None };
        let changed = now.is_some() && seen.is_some() && now != seen;
        if changed || tokio::time::Instant::now() >= end {
            return now.or(seen);
        }
        let until = if watches { end.min(tokio::time::Instant::now() + LOOK) } else { end };
        tokio::select! {
            () = cx.cancel.cancelled() => return now.or(seen),
            () = tokio::time::sleep_until(until) => {}
        }
    }
}

/// The revisions of all classes that the job reads; `None` when the source cannot tell, or not now.
async fn revision(engine: &Engine, spec: &JobSpec, cx: &Context) -> Option<Vec<Text>> {
    let session = engine.connections.session(&spec.source).await.ok()?;
    let mut revisions = Vec::with_capacity(spec.objects.len());
    for rule in &spec.objects {
        revisions.push(session.revision(cx, &rule.from).await.ok()??);
    }
    Some(revisions)
}
