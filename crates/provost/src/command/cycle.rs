//! `provost run`, and what every command that runs a cycle says at its end.

use std::sync::Arc;

use provost_engine::RunOptions;
use provost_engine::progress::{Counts, Progress};
use provost_engine::report::{CycleReport, CycleStatus};

use crate::cli::{Depth, Global, RunArgs};
use crate::error::{Exit, Result};
use crate::output::{Output, Table, Watch, duration, number};
use crate::problem::Problem;
use crate::setup::{Setup, context};

pub async fn run(global: &Global, args: RunArgs, output: Output) -> Result<Exit> {
    let setup = Setup::open(global).await?;
    let (name, spec) = setup.job(&args.job.job)?;
    let progress = Arc::new(Progress::default());
    let watch = Watch::start(output, format!("run {name}"), progress.clone());
    let cx = context(output, name);
    let result = match args.even_paused {
        true => setup.engine.run_even_paused(name, spec, options(args.depth), progress, &cx).await,
        false => setup.engine.run(name, spec, options(args.depth), progress, &cx).await,
    };
    drop(watch);
    let report = result.map_err(|error| setup.configuration.explain(error))?;
    finish(report, output)
}

pub fn options(depth: Depth) -> RunOptions {
    RunOptions { full: depth.full, reconcile: depth.reconcile }
}

/// Prints a report; its status is the exit status.
pub fn finish(report: CycleReport, output: Output) -> Result<Exit> {
    if output.json {
        output.json(&report)?;
    } else {
        let mut data = output.data();
        data.line(headline(&report))?;
        let table = counts(&report.counts);
        if !table.is_empty() {
            data.table(table)?;
        }
        data.end()?;
    }
    explain(&report, output);
    Ok(exit(&report))
}

/// Held and incomplete are what they are. Objects that failed wait in escrow and leave the cycle done, unless nothing at
/// all got through.
pub fn exit(report: &CycleReport) -> Exit {
    match report.status {
        CycleStatus::Held => Exit::Held,
        CycleStatus::Incomplete | CycleStatus::Paused => Exit::Failed,
        CycleStatus::Done if report.counts.failed > 0 && report.counts.writes() == 0 => Exit::Failed,
        CycleStatus::Done | CycleStatus::Planned => Exit::Done,
    }
}

fn headline(report: &CycleReport) -> String {
    let status = match report.status {
        CycleStatus::Done => "done",
        CycleStatus::Held => "held",
        CycleStatus::Incomplete => "incomplete",
        CycleStatus::Planned => "planned",
        CycleStatus::Paused => "paused",
    };
    let (job, kind, cycle) = (&report.job, report.kind.as_str(), &report.cycle);
    format!("{job}: {kind} cycle {status} in {} ({cycle})", duration(report.duration_ms))
}

pub fn counts(counts: &Counts) -> Table {
    let mut table = Table::new(["what", "objects"]).right(1);
    for (what, count) in [
        ("read", counts.read),
        ("unchanged", counts.unchanged),
        ("created", counts.created),
        ("updated", counts.updated),
        ("enabled", counts.enabled),
        ("disabled", counts.disabled),
        ("deleted", counts.deleted),
        ("unlinked", counts.unlinked),
        ("adopted", counts.adopted),
        ("skipped", counts.skipped),
        ("failed", counts.failed),
    ] {
        if count > 0 {
            table.row([what.to_owned(), number(count)]);
        }
    }
    table
}

/// Why it is not simply done, and what to do about it; on stderr.
pub fn explain(report: &CycleReport, output: Output) {
    let job = &report.job;
    match (&report.note, &report.code) {
        (Some(note), Some(code)) => {
            let mut problem = Problem::new("", note.clone());
            problem.code.0 = code.clone().into();
            problem.hint = report.hint.clone();
            output.problem(&problem);
        }
        (Some(note), None) => {
            output.note(note);
            if let Some(hint) = &report.hint {
                output.hint(hint);
            }
        }
        (None, _) => {}
    }
    if report.status == CycleStatus::Held {
        for (action, count) in &report.planned {
            output.note(format_args!("  waits: {} {action}", number(*count)));
        }
        if report.hint.is_none() {
            output.hint(format_args!(
                "look at it with `provost log --cycle {}`, then `provost release {job}` or `provost discard {job}`",
                report.cycle
            ));
        }
    }
    if report.more {
        output.note("the source has more changes; the next cycle reads them");
        output.hint(format_args!("`provost run {job}` again; under `provost serve` it follows by itself"));
    }
    if report.counts.failed > 0 || report.escrowed > 0 {
        let (failed, waiting) = (super::counted(report.counts.failed, "object"), number(report.escrowed));
        output.note(format_args!("failed in this cycle: {failed}; waiting for the next try: {waiting}"));
        output.hint(format_args!("provost log --job {job} --where 'status eq \"failed\"'"));
    }
}
