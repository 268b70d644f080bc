//! `provost plans`: the plans that wait, what is in one, how two differ, and one as a file for those who approve it.

mod diff;
mod export;
mod page;
mod sheet;

use provost_lang::ScopeFilter;
use provost_model::JobName;
use provost_store::{CycleRow, CycleStatus, EventCount, EventQuery, EventRow, EventStatus, Store};
use serde::Serialize;

use super::hold::Exception;
use super::{log, plan};
use crate::cli::{Global, PlansArgs, PlansCommand, PlansShowArgs};
use crate::config::Configuration;
use crate::error::{Error, Exit, Result};
use crate::output::{Output, Table, number, time};
use crate::problem::Problem;
use crate::setup::open_store;

/// Events a query fetches.
const PAGE: i64 = 500;

/// One plan as data.
#[derive(Debug, Serialize)]
struct Summary {
    plan: String,
    job: String,
    /// RFC 3339.
    made: String,
    /// `planned`, `held`, or what became of it.
    state: String,
    /// How it was made, or why it is held.
    note: Option<String>,
    operations: Vec<Count>,
    /// What of this job was released always.
    exceptions: Vec<Exception>,
}

#[derive(Debug, Serialize)]
struct Count {
    action: String,
    count: u64,
}

pub async fn run(global: &Global, args: PlansArgs, output: Output) -> Result<Exit> {
    let store = open_store(global).await?;
    match args.command {
        None => {
            let exceptions = exceptions(global, &store, args.job.as_deref()).await?;
            list(&store, args.job.as_deref(), args.limit, &exceptions, output).await
        }
        Some(PlansCommand::Show(args)) => show(&store, &args, output).await,
        Some(PlansCommand::Diff(args)) => diff::run(&store, &args, output).await,
        Some(PlansCommand::Export(args)) => export::run(&store, &args, output).await,
    }
}

/// What was released always, of a job or of all. Where there is no configuration nobody can tell which have ended.
async fn exceptions(global: &Global, store: &Store, job: Option<&str>) -> Result<Vec<(JobName, Exception)>> {
    let configuration = Configuration::load(&global.config).ok();
    let spec = |name: &JobName| configuration.as_ref()?.jobs.get(name);
    let rows = store.exceptions(job).await?;
    Ok(rows.iter().map(|row| (row.job.clone(), Exception::new(row, spec(&row.job)))).collect())
}

async fn list(
    store: &Store,
    job: Option<&str>,
    limit: u64,
    exceptions: &[(JobName, Exception)],
    output: Output,
) -> Result<Exit> {
    let rows = store.plans(job, i64::try_from(limit).unwrap_or(i64::MAX)).await?;
    let mut plans = Vec::with_capacity(rows.len());
    for row in rows {
        let of_job = exceptions.iter().filter(|(name, _)| *name == row.job).map(|(_, exception)| exception.clone());
        let exceptions = of_job.collect();
        plans.push(Summary { exceptions, ..summary(store, row).await? });
    }
    if output.json {
        output.json(&plans)?;
        return Ok(Exit::Done);
    }
    for (name, exception) in exceptions {
        exception.tell(name, output);
    }
    if plans.is_empty() {
        output.note("no plan waits");
        output.hint("`provost plan JOB` makes one");
        return Ok(Exit::Done);
    }
    let mut table = Table::new(["plan", "job", "made", "state", "operations"]);
    for plan in plans {
        let operations = words(&plan.operations);
        table.row([plan.plan, plan.job, plan.made, plan.state, operations]);
    }
    let mut data = output.data();
    data.table(table)?;
    data.end()?;
    Ok(Exit::Done)
}

/// `3 create, 1 disable`.
fn words(counts: &[Count]) -> String {
    let words: Vec<String> = counts.iter().map(|one| format!("{} {}", number(one.count), one.action)).collect();
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}

async fn summary(store: &Store, row: CycleRow) -> Result<Summary> {
    let mut operations: Vec<Count> = Vec::new();
    for EventCount { action, status, count } in store.event_counts(&row.id).await? {
        if !waits(status) {
            continue;
        }
        let count = u64::try_from(count).unwrap_or(0);
        match operations.iter_mut().find(|one| one.action == *action) {
            Some(one) => one.count += count,
            None => operations.push(Count { action: action.to_string(), count }),
        }
    }
    Ok(Summary {
        plan: row.id.to_string(),
        job: row.job.to_string(),
        made: time(row.started),
        state: row.status.to_string(),
        note: row.note,
        operations,
        exceptions: Vec::new(),
    })
}

async fn show(store: &Store, args: &PlansShowArgs, output: Output) -> Result<Exit> {
    let row = find(store, &args.plan).await?;
    let filter = filter(args.filter.as_deref())?;
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let mut data = output.data();
    if !output.json {
        let plan = summary(store, row).await?;
        data.line(format_args!("{}: {} on {}, {}", plan.job, plan.state, plan.made, words(&plan.operations)))?;
        if let Some(note) = &plan.note {
            data.line(note)?;
        }
    }
    let mut operations = Operations::of(store, &args.plan);
    let (mut shown, mut left) = (0, 0u64);
    while let Some(event) = operations.next().await? {
        if !filter.as_ref().is_none_or(|filter| filter.matches(&log::record(&event))) {
            continue;
        }
        if shown == limit {
            left += 1;
            continue;
        }
        shown += 1;
        if output.json {
            data.json_line(&log::Event::from(event))?;
        } else {
            data.line("")?;
            plan::operation(&mut data, &event)?;
        }
    }
    data.end()?;
    if left > 0 {
        output.note(format_args!("… and {} more", number(left)));
        output.hint("--limit shows more of them, --where FILTER some");
    }
    Ok(Exit::Done)
}

/// A plan, or an error that says how to find one.
async fn find(store: &Store, id: &str) -> Result<CycleRow> {
    let missing = || {
        let problem = Problem::new("PRV-0503", format!("there is no plan `{id}`")).hint("`provost plans` lists them");
        Error::Usage(problem)
    };
    let row = store.cycle(id).await?.ok_or_else(missing)?;
    if !matches!(row.status, CycleStatus::Planned | CycleStatus::Held) {
        let problem = Problem::new("PRV-0503", format!("`{id}` waits for nothing: it is {}", row.status));
        return Err(Error::Usage(problem.hint(format!("`provost log --cycle {id}` shows what it did"))));
    }
    Ok(row)
}

/// Whether an event is part of what is still to be done. A held cycle has done the rest, and a plan also tells what it found
/// wrong on the way.
fn waits(status: EventStatus) -> bool {
    matches!(status, EventStatus::Planned | EventStatus::Held)
}

/// The open operations of a plan in their order, read by the page.
struct Operations<'s> {
    store: &'s Store,
    query: EventQuery,
    page: std::vec::IntoIter<EventRow>,
    done: bool,
}

impl<'s> Operations<'s> {
    fn of(store: &'s Store, plan: &str) -> Self {
        let query = EventQuery { cycle: Some(plan.into()), newest_first: false, limit: PAGE, ..EventQuery::default() };
        Self { store, query, page: Vec::new().into_iter(), done: false }
    }

    async fn next(&mut self) -> Result<Option<EventRow>> {
        loop {
            if let Some(event) = self.page.find(|event| waits(event.status)) {
                return Ok(Some(event));
            }
            if self.done {
                return Ok(None);
            }
            let page = self.store.events(&self.query).await?;
            self.done = (page.len() as i64) < PAGE;
            self.query.after_seq = page.last().map(|event| event.seq);
            self.page = page.into_iter();
        }
    }
}

/// What `--where` says.
fn filter(text: Option<&str>) -> Result<Option<ScopeFilter>> {
    text.map(log::compile).transpose()
}
