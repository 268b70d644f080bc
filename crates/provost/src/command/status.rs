//! `provost status`: jobs, their state and their last cycle.

use std::collections::BTreeMap;

use provost_engine::scheduler::due::{self, Standing, Wait};
use provost_engine::spec::JobSpec;
use provost_engine::timetable::Timetable;
use provost_model::{Clock, JobName, SystemClock, Text};
use provost_store::{JobRow, JobState, Store};
use serde::Serialize;

use super::hold::Exception;
use crate::cli::Global;
use crate::config::Configuration;
use crate::error::{Exit, Result};
use crate::output::{Output, Table, number, time};
use crate::setup::open_store;

/// One job as data.
#[derive(Serialize)]
struct JobStatus {
    job: JobName,
    source: Option<Text>,
    target: Option<Text>,
    /// `new` when it never ran; `paused`, `quarantined`, `held` or `active`.
    state: String,
    note: Option<String>,
    /// When it runs next by itself, under `provost serve`.
    next_run: Option<String>,
    /// The same for people, in the job's time zone.
    #[serde(skip)]
    next: String,
    /// Why not earlier: `paused`, `quarantined`, `given up` or `blackout`.
    waits_for: Option<&'static str>,
    paused: Option<Pause>,
    quarantine: Option<Quarantine>,
    held_plan: Option<String>,
    exceptions: Vec<Exception>,
    linked: u64,
    escrowed: u64,
    /// Of those, left alone until they change at the source.
    ignored: u64,
    last_cycle: Option<String>,
    last_success: Option<String>,
    failures: i64,
}

#[derive(Serialize)]
struct Pause {
    since: String,
    reason: Option<String>,
}

#[derive(Serialize)]
struct Quarantine {
    since: String,
    code: String,
    reason: String,
    /// Failed attempts.
    tries: i64,
    /// None when it is not tried by itself any more.
    next_attempt: Option<String>,
}

pub async fn run(global: &Global, output: Output) -> Result<Exit> {
    let configuration = Configuration::load(&global.config)?;
    let store = open_store(global).await?;
    let statuses = statuses(&configuration, &store).await?;
    if output.json {
        output.json(&statuses)?;
        return Ok(Exit::Done);
    }
    if statuses.is_empty() {
        output.note("there are no jobs yet");
        output.hint("add one under `jobs:` of the configuration");
        return Ok(Exit::Done);
    }
    let mut data = output.data();
    let mut table =
        Table::new(["job", "from", "to", "state", "linked", "escrow", "last success", "next run"]).right(4).right(5);
    for status in &statuses {
        let end = |text: &Option<Text>| text.as_deref().unwrap_or("(not configured)").to_owned();
        table.row([
            status.job.to_string(),
            end(&status.source),
            end(&status.target),
            status.state.clone(),
            number(status.linked),
            number(status.escrowed),
            status.last_success.clone().unwrap_or_else(|| "never".to_owned()),
            status.next.clone(),
        ]);
    }
    data.table(table)?;
    data.end()?;
    output.note(format_args!("store: {}", super::room(&store.size().await?)));
    for status in &statuses {
        tell(status, output);
        if status.held_plan.is_some() {
            output.hint(format_args!("`provost release {0}` or `provost discard {0}`", status.job));
        }
    }
    Ok(Exit::Done)
}

/// What the table has no room for.
fn tell(status: &JobStatus, output: Output) {
    let job = &status.job;
    if let Some(Pause { since, reason }) = &status.paused {
        let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        output.note(format_args!("{job}: paused since {since}{reason}"));
        output.hint(format_args!("`provost resume {job}`"));
    }
    if let Some(Quarantine { since, code, reason, next_attempt, .. }) = &status.quarantine {
        let next = next_attempt
            .as_ref()
            .map_or_else(|| "it is not tried by itself any more".to_owned(), |next| format!("next attempt {next}"));
        output.note(format_args!("{job}: in quarantine since {since} [{code}]: {reason}; {next}"));
        output.hint(format_args!("mend it, then `provost run {job}`"));
    } else if let Some(note) = &status.note {
        output.note(format_args!("{job}: {note}"));
    }
    for exception in &status.exceptions {
        exception.tell(job, output);
    }
    if status.ignored > 0 {
        let count = super::counted(status.ignored, "failed object");
        output.note(format_args!("{job}: {count} left alone until a change at the source"));
    }
}

/// When the job runs next by itself, in its own time zone, and what it waits for. A schedule that cannot be read is
/// `provost config check`'s to tell.
async fn next_run(spec: &JobSpec, row: &JobRow, standing: &Standing, store: &Store) -> Result<Next> {
    let by_hand = Next { at: None, waits_for: standing.paused().map(|_| "paused"), shown: "by hand".to_owned() };
    let table = match Timetable::compile(&spec.schedule, "") {
        Ok(table) if table.is_scheduled() => table,
        _ => return Ok(by_hand),
    };
    let now = SystemClock.now();
    let last = store.cycles(&row.name, 1).await?.into_iter().next();
    let due = due::stored(&table, row, last.as_ref(), now);
    let (at, wait) = due::start(&table, due, standing, now);
    let wait = wait.map(|wait| match wait {
        Wait::Paused => "paused",
        Wait::Quarantine => "quarantined",
        Wait::GivenUp => "given up",
        Wait::Blackout => "blackout",
    });
    let shown = match (at, wait) {
        (None, wait) => wait.unwrap_or("never").to_owned(),
        (Some(at), Some(wait)) => format!("{} ({wait})", table.tell(at)),
        (Some(at), None) if at <= now => "now".to_owned(),
        (Some(at), None) if table.on_change => format!("on change, or {}", table.tell(at)),
        (Some(at), None) => table.tell(at),
    };
    Ok(Next { at: at.map(|at| time(at.as_millisecond())), waits_for: wait, shown })
}

struct Next {
    at: Option<String>,
    waits_for: Option<&'static str>,
    shown: String,
}

async fn statuses(configuration: &Configuration, store: &Store) -> Result<Vec<JobStatus>> {
    let mut rows: BTreeMap<JobName, JobRow> =
        store.jobs().await?.into_iter().map(|row| (row.name.clone(), row)).collect();
    for name in configuration.jobs.keys() {
        rows.entry(name.clone()).or_insert_with(|| JobRow::new(name.clone()));
    }
    let controls = store.controls().await?;
    let quarantines = store.quarantines().await?;
    let exceptions = store.exceptions(None).await?;
    let mut statuses = Vec::with_capacity(rows.len());
    for (name, row) in rows {
        let spec = configuration.jobs.get(&name);
        let escrowed = store.count_escrows(&name).await?;
        let ignored = store.count_ignored(&name).await?;
        let standing = Standing {
            control: controls.iter().find(|row| row.job == name).cloned(),
            quarantine: quarantines.iter().find(|row| row.job == name).cloned(),
        };
        let Next { at: next_run, waits_for, shown: next } = match spec {
            Some(spec) => next_run(spec, &row, &standing, store).await?,
            None => Next { at: None, waits_for: None, shown: String::new() },
        };
        let of_job = exceptions.iter().filter(|row| row.job == name);
        let of_job = of_job.map(|row| Exception::new(row, spec)).collect();
        let state = match () {
            () if standing.paused().is_some() => JobState::Paused.to_string(),
            () if standing.quarantine.is_some() => JobState::Quarantined.to_string(),
            () if row.updated == 0 => "new".to_owned(),
            () => row.state.to_string(),
        };
        let control = standing.control;
        let paused = control.and_then(|row| Some(Pause { since: time(row.paused?), reason: row.pause_reason }));
        let quarantine = standing.quarantine.map(|row| Quarantine {
            since: time(row.since),
            code: row.code.to_string(),
            reason: row.reason,
            tries: row.tries,
            next_attempt: (row.next_try != i64::MAX).then(|| time(row.next_try)),
        });
        statuses.push(JobStatus {
            source: spec.map(|spec| spec.source.0.clone()),
            target: spec.map(|spec| spec.target.0.clone()),
            state,
            note: row.note,
            next_run,
            next,
            waits_for,
            paused,
            quarantine,
            exceptions: of_job,
            held_plan: row.held_plan.map(|plan| plan.to_string()),
            linked: row.linked.values().map(|count| u64::try_from(*count).unwrap_or(0)).sum(),
            escrowed: u64::try_from(escrowed).unwrap_or(0),
            ignored: u64::try_from(ignored).unwrap_or(0),
            last_cycle: row.last_cycle.map(|cycle| cycle.to_string()),
            last_success: row.last_success.map(time),
            failures: row.failures,
            job: name,
        });
    }
    Ok(statuses)
}
