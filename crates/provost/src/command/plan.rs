//! `provost plan`: what a job would do, as a summary and object by object.

use std::sync::Arc;

use provost_engine::progress::Progress;
use provost_engine::report::CycleReport;
use provost_store::{EventQuery, EventRow, Store};
use serde::Serialize;

use super::cycle::{self, options};
use super::log::Event;
use super::trace;
use crate::cli::{Global, PlanArgs};
use crate::error::{Exit, Result};
use crate::output::{Data, Output, Style, Table, Watch, number};
use crate::setup::{Setup, context};

/// Events a query fetches.
const PAGE: i64 = 500;

#[derive(Serialize)]
struct Planned<'p> {
    #[serde(flatten)]
    report: &'p CycleReport,
    operations: Vec<Event>,
}

pub async fn run(global: &Global, args: PlanArgs, output: Output) -> Result<Exit> {
    let setup = Setup::open(global).await?;
    let (name, spec) = setup.job(&args.job.job)?;
    let progress = Arc::new(Progress::default());
    let watch = Watch::start(output, format!("plan {name}"), progress.clone());
    let cx = context(output, name);
    let result = setup.engine.plan(name, spec, options(args.depth), progress, &cx).await;
    drop(watch);
    let report = result.map_err(|error| setup.configuration.explain(error))?;
    let total: u64 = report.planned.iter().map(|(_, count)| count).sum();
    if output.json {
        let operations = events(&setup.store, &report, args.limit).await?;
        let operations = operations.into_iter().map(Event::from).collect();
        output.json(&Planned { report: &report, operations })?;
    } else {
        print(&setup.store, &report, total, args.limit, output).await?;
    }
    cycle::explain(&report, output);
    match cycle::exit(&report) {
        Exit::Done if args.exit_code && total > 0 => Ok(Exit::Changes),
        exit => Ok(exit),
    }
}

/// The plan's numbers and its first operations.
pub async fn summary(store: &Store, report: &CycleReport, limit: u64, output: Output) -> Result<()> {
    let total = report.planned.iter().map(|(_, count)| count).sum();
    print(store, report, total, limit, output).await
}

async fn print(store: &Store, report: &CycleReport, total: u64, limit: u64, output: Output) -> Result<()> {
    let mut data = output.data();
    data.line(format_args!("{}: {} plan, {}", report.job, report.kind.as_str(), super::counted(total, "operation")))?;
    if total > 0 {
        let mut table = Table::new(["action", "objects"]).right(1);
        for (action, count) in &report.planned {
            table.row([action.to_string(), number(*count)]);
        }
        data.table(table)?;
    }
    let shown = events(store, report, limit).await?;
    for event in &shown {
        data.line("")?;
        operation(&mut data, event)?;
    }
    let left = total.saturating_sub(shown.len() as u64);
    if left > 0 {
        data.line(format_args!("\n… and {} more", number(left)))?;
    }
    data.line(format_args!("\nplan {}", report.cycle))?;
    data.end()?;
    if left > 0 {
        output.hint(format_args!("`provost log --cycle {} --limit {total}` shows all", report.cycle));
    }
    if total > 0 {
        output.hint(format_args!("`provost apply {}` does exactly this", report.cycle));
    }
    Ok(())
}

/// One operation: `disable  Ada Lovelace (7)  left the scope`, and below it attribute before → after.
pub fn operation(data: &mut Data, event: &EventRow) -> Result<()> {
    let style = match event.action.as_str() {
        "create" | "enable" => Style::Green,
        "disable" | "delete" => Style::Red,
        _ => Style::Yellow,
    };
    let action = data.paint(style, &event.action);
    let name = data.paint(Style::Bold, if event.name.is_empty() { event.source_id.as_str() } else { &event.name });
    data.line(format_args!("{action} {} {name} ({}): {}", event.class, event.source_id, event.reason))?;
    trace::changes(data, &Event::changes_of(event))
}

async fn events(store: &Store, report: &CycleReport, limit: u64) -> Result<Vec<EventRow>> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut events: Vec<EventRow> = Vec::new();
    let mut after_seq = None;
    while events.len() < limit {
        let query = EventQuery {
            cycle: Some(report.cycle.clone()),
            after_seq,
            newest_first: false,
            limit: PAGE.min(i64::try_from(limit - events.len()).unwrap_or(PAGE)),
            ..EventQuery::default()
        };
        let page = store.events(&query).await?;
        let is_last = (page.len() as i64) < query.limit;
        after_seq = page.last().map(|event| event.seq);
        events.extend(page);
        if is_last {
            break;
        }
    }
    Ok(events)
}
