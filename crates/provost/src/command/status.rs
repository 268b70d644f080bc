//! `provost status`: jobs, their state and their last cycle.

use std::collections::BTreeMap;

use provost_model::{JobName, Text};
use provost_store::{JobRow, JobState, Store};
use serde::Serialize;

use crate::cli::Global;
use crate::config::Configuration;
use crate::error::{Exit, Result};
use crate::output::{Output, Table, number, time};
use crate::setup::open_store;

/// One job as data.
#[derive(Serialize)]
struct JobStatus {
    job: JobName,
    source: Option<Text>,
    target: Option<Text>,
    /// `new` when it never ran; else the store's word.
    state: String,
    note: Option<String>,
    held_plan: Option<String>,
    linked: u64,
    escrowed: u64,
    last_cycle: Option<String>,
    last_success: Option<String>,
    failures: i64,
}

pub async fn run(global: &Global, output: Output) -> Result<Exit> {
    let configuration = Configuration::load(&global.config)?;
    let store = open_store(global).await?;
    let statuses = statuses(&configuration, &store).await?;
    if output.json {
        output.json(&statuses)?;
        return Ok(Exit::Done);
    }
    if statuses.is_empty() {
        output.note("there are no jobs yet");
        output.hint("add one under `jobs:` of the configuration");
        return Ok(Exit::Done);
    }
    let mut data = output.data();
    let mut table = Table::new(["job", "from", "to", "state", "linked", "escrow", "last success"]).right(4).right(5);
    for status in &statuses {
        let end = |text: &Option<Text>| text.as_deref().unwrap_or("(not configured)").to_owned();
        table.row([
            status.job.to_string(),
            end(&status.source),
            end(&status.target),
            status.state.clone(),
            number(status.linked),
            number(status.escrowed),
            status.last_success.clone().unwrap_or_else(|| "never".to_owned()),
        ]);
    }
    data.table(table)?;
    data.end()?;
    for status in &statuses {
        if let Some(note) = &status.note {
            output.note(format_args!("{}: {note}", status.job));
        }
        if status.state == JobState::Held.as_str() {
            output.hint(format_args!("`provost release {0}` or `provost discard {0}`", status.job));
        }
    }
    Ok(Exit::Done)
}

async fn statuses(configuration: &Configuration, store: &Store) -> Result<Vec<JobStatus>> {
    let mut rows: BTreeMap<JobName, JobRow> =
        store.jobs().await?.into_iter().map(|row| (row.name.clone(), row)).collect();
    for name in configuration.jobs.keys() {
        rows.entry(name.clone()).or_insert_with(|| JobRow::new(name.clone()));
    }
    let mut statuses = Vec::with_capacity(rows.len());
    for (name, row) in rows {
        let spec = configuration.jobs.get(&name);
        let escrowed = store.count_escrows(&name).await?;
        statuses.push(JobStatus {
            source: spec.map(|spec| spec.source.0.clone()),
            target: spec.map(|spec| spec.target.0.clone()),
            state: if row.updated == 0 { "new".to_owned() } else { row.state.to_string() },
            note: row.note,
            held_plan: row.held_plan.map(|plan| plan.to_string()),
            linked: row.linked.values().map(|count| u64::try_from(*count).unwrap_or(0)).sum(),
            escrowed: u64::try_from(escrowed).unwrap_or(0),
            last_cycle: row.last_cycle.map(|cycle| cycle.to_string()),
            last_success: row.last_success.map(time),
            failures: row.failures,
            job: name,
        });
    }
    Ok(statuses)
}
