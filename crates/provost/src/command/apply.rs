//! `provost apply`: exactly what a stored plan says.

use std::sync::Arc;

use provost_engine::progress::Progress;

use super::cycle;
use crate::cli::{ApplyArgs, Global};
use crate::error::{Exit, Result};
use crate::output::{Output, Watch};
use crate::setup::{Setup, context};

pub async fn run(global: &Global, args: ApplyArgs, output: Output) -> Result<Exit> {
    let setup = Setup::open(global).await?;
    let progress = Arc::new(Progress::default());
    let watch = Watch::start(output, "apply".to_owned(), progress.clone());
    let cx = context(output, &args.plan);
    let spec_of = |name: &provost_model::JobName| setup.configuration.jobs.get(name).cloned();
    let result = setup.engine.apply(&args.plan, &spec_of, args.over_guard, progress, &cx).await;
    drop(watch);
    let report = result.map_err(|error| setup.configuration.explain(error))?;
    cycle::finish(report, output)
}
