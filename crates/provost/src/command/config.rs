//! `provost config check`: everything that is wrong with a configuration, without going online.

use serde::Serialize;

use crate::cli::{FileArgs, Global};
use crate::config::Configuration;
use crate::error::{Error, Exit, Result};
use crate::output::Output;
use crate::problem::{Problem, shown};

#[derive(Serialize)]
struct Report<'r> {
    ok: bool,
    problems: &'r [Problem],
}

pub fn check(global: &Global, args: FileArgs, output: Output) -> Result<Exit> {
    let file = args.file.as_ref().unwrap_or(&global.config);
    let (configuration, mut problems) = match Configuration::read(file) {
        Ok(read) => read,
        Err(Error::Problems(problems)) => (None, problems),
        Err(other) => return Err(other),
    };
    if let Some(configuration) = &configuration {
        problems.extend(configuration.check(&provost_connectors::builtin()));
        problems.sort_by_key(|problem| problem.place.as_ref().map(|place| (place.line, place.column)));
    }
    let (connections, jobs) = configuration.map_or((0, 0), |found| (found.connections.len(), found.jobs.len()));
    let summary = format!("{}: {connections} connections and {jobs} jobs, no problems", shown(file));
    if output.json {
        output.json(&Report { ok: problems.is_empty(), problems: &problems })?;
        return Ok(if problems.is_empty() { Exit::Done } else { Exit::Failed });
    }
    if !problems.is_empty() {
        return Err(Error::Problems(problems));
    }
    let mut data = output.data();
    data.line(summary)?;
    data.end()?;
    Ok(Exit::Done)
}
