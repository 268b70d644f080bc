//! `provost doctor`: everything that can be checked, a line each, with what to do about it.

use std::path::Path;

use provost_connector::{CheckStatus, Context};
use provost_engine::Connections;
use provost_store::{JobState, Store};
use serde::Serialize;

use super::hold::Exception;
use crate::cli::Global;
use crate::config::Configuration;
use crate::error::{Error, Exit, Result};
use crate::output::{Output, Style, number};
use crate::problem::{Problem, shown};
use crate::setup::{Setup, context, data_folder, open_store};

/// Below this a data folder is about to be a problem.
const LITTLE_BYTES: u64 = 1 << 30;
const NOTHING_BYTES: u64 = 64 << 20;

#[derive(Serialize)]
struct Report {
    status: CheckStatus,
    checks: Vec<Check>,
}

/// One line.
#[derive(Serialize)]
struct Check {
    name: String,
    status: CheckStatus,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

/// Collects the checks; in text they are printed as they come, because some take a while.
struct Checks {
    output: Output,
    all: Vec<Check>,
}

impl Checks {
    fn ok(&mut self, name: impl Into<String>, message: impl Into<String>) -> Result<()> {
        self.add(name.into(), CheckStatus::Ok, message.into(), None)
    }

    fn problem(&mut self, name: impl Into<String>, problem: &Problem) -> Result<()> {
        let place = problem
            .place
            .as_ref()
            .map_or(String::new(), |place| format!(" ({}:{}:{})", place.file, place.line, place.column));
        let message = format!("{}: {}{place}", problem.code, problem.message);
        let status = if problem.is_error() { CheckStatus::Fail } else { CheckStatus::Warn };
        self.add(name.into(), status, message, problem.hint.clone())
    }

    fn error(&mut self, name: &str, error: Error) -> Result<()> {
        match error {
            Error::Problems(problems) => problems.iter().try_for_each(|problem| self.problem(name, problem)),
            Error::Usage(problem) => self.problem(name, &problem),
            Error::BrokenPipe => Err(Error::BrokenPipe),
        }
    }

    fn add(&mut self, name: String, status: CheckStatus, message: String, hint: Option<String>) -> Result<()> {
        if !self.output.json {
            let mut data = self.output.data();
            let word = match status {
                CheckStatus::Ok => data.paint(Style::Green, "ok  "),
                CheckStatus::Warn => data.paint(Style::Yellow, "warn"),
                CheckStatus::Fail => data.paint(Style::Red, "fail"),
            };
            data.line(format_args!("{word} {name}: {message}"))?;
            if let Some(hint) = &hint {
                data.line(format_args!("     hint: {hint}"))?;
            }
            data.end()?;
        }
        self.all.push(Check { name, status, message, hint });
        Ok(())
    }
}

pub async fn run(global: &Global, output: Output) -> Result<Exit> {
    let mut checks = Checks { output, all: Vec::new() };
    let cx = context(output, "doctor");
    let configuration = configuration(&mut checks, global)?;
    let store = store(&mut checks, global).await?;
    if global.database.is_none() {
        disk(&mut checks, &data_folder(global)).await?;
    }
    if let (Some(configuration), Some(store)) = (configuration, store) {
        let setup = Setup::new(configuration, store);
        connections(&mut checks, &setup, &cx).await?;
        jobs(&mut checks, &setup).await?;
    }
    let worst = |status: CheckStatus| checks.all.iter().any(|check| check.status == status);
    let status = match (worst(CheckStatus::Fail), worst(CheckStatus::Warn)) {
        (true, _) => CheckStatus::Fail,
        (false, true) => CheckStatus::Warn,
        (false, false) => CheckStatus::Ok,
    };
    if output.json {
        output.json(&Report { status, checks: checks.all })?;
    }
    Ok(if status == CheckStatus::Fail { Exit::Failed } else { Exit::Done })
}

fn configuration(checks: &mut Checks, global: &Global) -> Result<Option<Configuration>> {
    let configuration = match Configuration::load(&global.config) {
        Ok(configuration) => configuration,
        Err(error) => {
            checks.error("configuration", error)?;
            return Ok(None);
        }
    };
    let problems = configuration.check(&provost_connectors::builtin());
    for problem in &problems {
        checks.problem("configuration", problem)?;
    }
    if problems.is_empty() {
        let (connections, jobs) = (configuration.connections.len(), configuration.jobs.len());
        let file = shown(&global.config);
        checks.ok("configuration", format!("{file}, {connections} connections, {jobs} jobs"))?;
    }
    Ok(Some(configuration))
}

async fn store(checks: &mut Checks, global: &Global) -> Result<Option<Store>> {
    let store = match open_store(global).await {
        Ok(store) => store,
        Err(error) => {
            checks.error("store", error)?;
            return Ok(None);
        }
    };
    match store.check().await {
        Ok(found) if found.problems.is_empty() => {
            let room = super::room(&store.size().await?);
            checks.ok("store", format!("{} {}, schema {}, {room}", found.engine, found.version, found.schema))?;
        }
        Ok(found) => {
            for problem in found.problems {
                let hint = "stop Provost and restore the store from a backup".to_owned();
                checks.add("store".to_owned(), CheckStatus::Fail, problem, Some(hint))?;
            }
        }
        Err(error) => checks.problem("store", &Problem::of(&error))?,
    }
    match store.sealed_shut().await {
        Ok(shut) if shut.is_empty() => {
            let count = store.secrets().await?.len();
            checks.ok("secrets", format!("{count} kept, all can be opened"))?;
        }
        Ok(shut) => {
            let message = format!("cannot be opened with this master key: {}", shut.join(", "));
            let hint = "start Provost with the master key they were sealed with, or set them again".to_owned();
            checks.add("secrets".to_owned(), CheckStatus::Fail, message, Some(hint))?;
        }
        Err(error) => checks.problem("secrets", &Problem::of(&error))?,
    }
    Ok(Some(store))
}

async fn connections(checks: &mut Checks, setup: &Setup, cx: &Context) -> Result<()> {
    for name in setup.configuration.connection_names() {
        let label = format!("connection {name}");
        let session = match setup.connections.session(&name).await {
            Ok(session) => session,
            Err(error) => {
                checks.problem(label, &Problem::of(&error))?;
                continue;
            }
        };
        for result in session.test(cx).await {
            checks.add(format!("{label}, {}", result.name), result.status, result.message, result.hint)?;
        }
    }
    Ok(())
}

async fn jobs(checks: &mut Checks, setup: &Setup) -> Result<()> {
    for (name, spec) in &setup.configuration.jobs {
        let label = format!("job {name}");
        match setup.engine.check(name, spec).await {
            Ok(job) => checks.ok(
                &label,
                format!("{} checked against both connections", super::counted(job.rules.len() as u64, "rule")),
            )?,
            Err(error) => checks.error(&label, setup.configuration.explain(error))?,
        }
        let Some(row) = setup.store.job(name).await? else { continue };
        let note = row.note.map_or(String::new(), |note| format!(": {note}"));
        match row.state {
            JobState::Active => {}
            JobState::Held => {
                let hint = format!("`provost release {name}` or `provost discard {name}`");
                checks.add(label.clone(), CheckStatus::Warn, format!("held{note}"), Some(hint))?;
            }
            state => checks.add(label.clone(), CheckStatus::Warn, format!("{state}{note}"), None)?,
        }
        if setup.store.control(name).await?.is_some_and(|row| row.paused.is_some()) {
            let hint = Some(format!("provost resume {name}"));
            checks.add(label.clone(), CheckStatus::Warn, "paused".to_owned(), hint)?;
        }
        if let Some(row) = setup.store.quarantine(name).await? {
            let message = format!("in quarantine since {}: {}", crate::output::time(row.since), row.reason);
            checks.add(label.clone(), CheckStatus::Fail, message, Some("provost status".to_owned()))?;
        }
        for row in setup.store.exceptions(Some(name.as_str())).await? {
            let hint = Some(format!("`provost guard reset {name}` ends it"));
            checks.add(label.clone(), CheckStatus::Warn, Exception::new(&row, Some(spec)).to_string(), hint)?;
        }
        let escrowed = u64::try_from(setup.store.count_escrows(name).await?).unwrap_or(0);
        if escrowed > 0 {
            let hint = format!("provost log --job {name} --where 'status eq \"failed\"'");
            let message = format!("waiting for their next try: {}", super::counted(escrowed, "failed object"));
            checks.add(label, CheckStatus::Warn, message, Some(hint))?;
        }
    }
    Ok(())
}

async fn disk(checks: &mut Checks, folder: &Path) -> Result<()> {
    let Some(free) = free_bytes(folder) else { return Ok(()) };
    let message = format!("{} MiB free for `{}`", number(free >> 20), shown(folder));
    let status = match free {
        0..NOTHING_BYTES => CheckStatus::Fail,
        NOTHING_BYTES..LITTLE_BYTES => CheckStatus::Warn,
        _ => CheckStatus::Ok,
    };
    let hint = (status != CheckStatus::Ok).then(|| "make room, or keep the data elsewhere with --data DIR".to_owned());
    checks.add("disk".to_owned(), status, message, hint)
}

fn free_bytes(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}
