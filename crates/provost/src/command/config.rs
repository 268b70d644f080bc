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
    let what = match problems.len() {
        0 => "no problems".to_owned(),
        count => super::counted(count as u64, "warning"),
    };
    let summary = format!("{}: {connections} connections and {jobs} jobs, {what}", shown(file));
    let ok = !problems.iter().any(Problem::is_error);
    if output.json {
        output.json(&Report { ok, problems: &problems })?;
        return Ok(if ok { Exit::Done } else { Exit::Failed });
    }
    if !ok {
        return Err(Error::Problems(problems));
    }
    for warning in &problems {
        output.problem(warning);
    }
    let mut data = output.data();
    data.line(summary)?;
    data.end()?;
    Ok(Exit::Done)
}
