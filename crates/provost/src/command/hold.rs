//! `provost release` and `provost discard`: what becomes of the operations that a guard held.

use std::sync::Arc;

use provost_engine::Approval;
use provost_engine::guard;
use provost_engine::progress::Progress;
use provost_engine::spec::JobSpec;
use provost_model::JobName;
use provost_store::ExceptionRow;
use serde::Serialize;

use super::cycle;
use crate::cli::{Global, JobArgs, ReleaseArgs};
use crate::error::{Exit, Result};
use crate::output::{Output, Watch, time};
use crate::setup::{Setup, context};

#[derive(Serialize)]
struct Discarded<'j> {
    job: &'j JobName,
    discarded: u64,
}

pub async fn release(global: &Global, args: ReleaseArgs, output: Output) -> Result<Exit> {
    let setup = Setup::open(global).await?;
    let (name, spec) = setup.job(&args.job.job)?;
    let approval = Approval { plan: args.plan, by: user(), always: args.always };
    let progress = Arc::new(Progress::default());
    let watch = Watch::start(output, format!("release {name}"), progress.clone());
    let cx = context(output, name);
    let result = setup.engine.release(name, spec, &approval, progress, &cx).await;
    drop(watch);
    cycle::finish(result.map_err(|error| setup.configuration.explain(error))?, output)
}

#[derive(Serialize)]
struct Reset<'j> {
    job: &'j JobName,
    ended: u64,
}

/// Ends what was released always.
pub async fn reset(global: &Global, args: JobArgs, output: Output) -> Result<Exit> {
    let setup = Setup::open(global).await?;
    let (name, _) = setup.configuration.job(&args.job)?;
    let ended = setup.engine.reset_guards(name, user().as_deref()).await?;
    if output.json {
        output.json(&Reset { job: name, ended })?;
    } else {
        output.note(format_args!("ended for job `{name}`: {}", super::counted(ended, "exception")));
    }
    Ok(Exit::Done)
}

/// An exception from a guard, as `status` and `plans` show it.
#[derive(Debug, Clone, Serialize)]
pub struct Exception {
    pub guard: String,
    pub class: Option<String>,
    pub operations: i64,
    pub linked: i64,
    pub plan: String,
    pub by: Option<String>,
    pub since: String,
    /// The guard is configured otherwise by now, so that it has ended.
    pub ended: bool,
    #[serde(skip)]
    words: String,
}

impl Exception {
    pub fn new(row: &ExceptionRow, spec: Option<&JobSpec>) -> Self {
        Self {
            guard: row.guard.to_string(),
            class: (!row.class.is_empty()).then(|| row.class.to_string()),
            operations: row.operations,
            linked: row.linked,
            plan: row.plan.to_string(),
            by: row.granted_by.clone(),
            since: time(row.created),
            ended: spec.is_some_and(|spec| !guard::is_in_force(&spec.guards, row)),
            words: guard::words(row),
        }
    }

    pub fn tell(&self, job: &str, output: Output) {
        output.note(format_args!("{job}: {self}"));
        output.hint(format_args!("`provost guard reset {job}` ends it"));
    }
}

impl std::fmt::Display for Exception {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let by = self.by.as_ref().map_or_else(String::new, |by| format!(" by {by}"));
        let ended = if self.ended { "; ended, the guard is configured otherwise by now" } else { "" };
        write!(f, "released always since {}{by}: up to {}{ended}", self.since, self.words)
    }
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
