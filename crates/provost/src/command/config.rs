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
    let (problems, summary) = match Configuration::load(file) {
        Ok(configuration) => {
            let problems = configuration.check(&provost_connectors::builtin());
            let (connections, jobs) = (configuration.connections.len(), configuration.jobs.len());
            (problems, format!("{}: {connections} connections and {jobs} jobs, no problems", shown(file)))
        }
        Err(Error::Problems(problems)) => (problems, String::new()),
        Err(other) => return Err(other),
    };
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
