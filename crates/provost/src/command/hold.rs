//! `provost release` and `provost discard`: what becomes of the operations that a guard held.

use std::sync::Arc;

use provost_engine::Approval;
use provost_engine::progress::Progress;
use provost_model::JobName;
use serde::Serialize;

use super::cycle;
use crate::cli::{Global, JobArgs, ReleaseArgs};
use crate::error::{Exit, Result};
use crate::output::{Output, Watch};
use crate::setup::{Setup, context};

#[derive(Serialize)]
struct Discarded<'j> {
    job: &'j JobName,
    discarded: u64,
}

pub async fn release(global: &Global, args: ReleaseArgs, output: Output) -> Result<Exit> {
    let setup = Setup::open(global).await?;
    let (name, spec) = setup.job(&args.job.job)?;
    let approval = Approval { plan: args.plan, by: user() };
    let progress = Arc::new(Progress::default());
    let watch = Watch::start(output, format!("release {name}"), progress.clone());
    let cx = context(output, name);
    let result = setup.engine.release(name, spec, &approval, progress, &cx).await;
    drop(watch);
    cycle::finish(result.map_err(|error| setup.configuration.explain(error))?, output)
}

/// Who is at the keyboard, as the system says.
pub(super) fn user() -> Option<String> {
    ["SUDO_USER", "USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .filter(|name| !name.is_empty())
}

pub async fn discard(global: &Global, args: JobArgs, output: Output) -> Result<Exit> {
    let setup = Setup::open(global).await?;
    let (name, _) = setup.configuration.job(&args.job)?;
    let discarded = setup.engine.discard(name).await?;
    if output.json {
        output.json(&Discarded { job: name, discarded })?;
    } else {
        output.note(format_args!("discarded for job `{name}`: {}", super::counted(discarded, "held operation")));
        output.hint("the next cycle computes them anew; change the source, the rules or the guard before it runs");
    }
    Ok(Exit::Done)
}
