//! `provost revert`: the opposite of a cycle.

use std::sync::Arc;

use provost_engine::progress::Progress;
use provost_engine::report::CycleStatus;

use super::{cycle, plan};
use crate::cli::{Global, RevertArgs};
use crate::error::{Exit, Result};
use crate::output::{Output, Watch, number};
use crate::setup::{Setup, context};

/// Operations of a plan that are shown.
const SHOWN: u64 = 50;

pub async fn run(global: &Global, args: RevertArgs, output: Output) -> Result<Exit> {
    let setup = Setup::open(global).await?;
    let progress = Arc::new(Progress::default());
    let watch = Watch::start(output, "revert".to_owned(), progress.clone());
    let cx = context(output, &args.cycle);
    let spec_of = |name: &provost_model::JobName| setup.configuration.jobs.get(name).cloned();
    let result = setup.engine.revert(&args.cycle, &spec_of, args.dry_run, progress, &cx).await;
    drop(watch);
    let mut report = result.map_err(|error| setup.configuration.explain(error))?;
    // Nothing failed: these are what a cycle cannot take back.
    let stays = if args.dry_run { std::mem::take(&mut report.counts.failed) } else { 0 };
    let exit = if !args.dry_run {
        cycle::finish(report.clone(), output)?
    } else if output.json {
        output.json(&report)?;
        cycle::exit(&report)
    } else {
        plan::summary(&setup.store, &report, SHOWN, output).await?;
        cycle::explain(&report, output);
        cycle::exit(&report)
    };
    if stays > 0 || report.counts.failed > 0 {
        output.hint(format_args!(
            "what stays as it is, and why: provost log --cycle {} --where 'action eq \"revert\"'{}",
            report.cycle,
            if stays > 0 { format!(" ({})", number(stays)) } else { String::new() }
        ));
    }
    if report.status == CycleStatus::Done {
        output.hint(format_args!(
            "mend what the cycle did wrong before `{}` changes again: a rule that is still wrong does it once more",
            report.job
        ));
    }
    Ok(exit)
}
