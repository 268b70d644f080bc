//! `provost connector test --level …`: what a connection promises, tried on its peer.

use std::path::Path;
use std::sync::Arc;

use provost_conformance::{Kit, Level, Report, Sample, State};
use provost_model::{Clock as _, SystemClock};

use super::probe::{self, usage};
use crate::cli::{ConnectorTestArgs, Global};
use crate::config::Configuration;
use crate::error::{Exit, Result};
use crate::output::{Output, Table};
use crate::problem::{Problem, shown};
use crate::secrets::Secrets;
use crate::setup::{context, open_existing};

/// Runs the kit. Exit status 1: something failed, or could not be removed again.
pub async fn run(global: &Global, args: &ConnectorTestArgs, level: Level, output: Output) -> Result<Exit> {
    let sample = match &args.sample {
        Some(file) => read(file)?,
        None if level == Level::Basic => Sample::default(),
        None => {
            let message = format!("level `{}` writes, and nothing says what may be made at the peer", level.as_str());
            return Err(usage(
                &message,
                "name a file with --sample (docs/conformance.md shows one), or take --level basic",
            ));
        }
    };
    let configuration = Configuration::load(&global.config)?;
    let spec = probe::connection(&configuration, &args.name)?;
    let connector = provost_connectors::builtin().into_iter().find(|known| known.manifest().name == spec.connector);
    let Some(connector) = connector else {
        let message = format!("`{}` is a part of Provost itself (`{}`), not a peer", args.name, spec.connector);
        return Err(usage(&message, "name a connection to another system"));
    };
    let store = open_existing(global).await?;
    let kit = Kit {
        connector,
        settings: configuration.settings(spec),
        host: Arc::new(Secrets::new(store.clone())),
        sample,
        level,
        // Seconds, so that two runs make objects of other names.
        first_number: u64::try_from(SystemClock.now().as_second()).unwrap_or_default(),
    };
    let report = kit.run(&context(output, "conformance")).await;
    store.close().await;
    let report = report?;
    show(&report, output)?;
    Ok(if report.passed() { Exit::Done } else { Exit::Failed })
}

fn read(file: &Path) -> Result<Sample> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string());
    let sample = text.and_then(|text| serde_saphyr::from_str(&text).map_err(|error| error.to_string()));
    sample.map_err(|why| {
        Problem::new("PRV-0706", format!("cannot read the sample `{}`: {why}", shown(file)))
            .hint("write what may be made, by class; docs/conformance.md shows one")
            .into()
    })
}

fn show(report: &Report, output: Output) -> Result<()> {
    if output.json {
        return output.json(report);
    }
    let mut table = Table::new(["case", "class", "what must hold", "", "what was seen"]);
    for case in &report.cases {
        let state = match case.state {
            State::Passed => "ok",
            State::Failed => "FAILED",
            State::NotApplicable => "-",
        };
        let message = case.message.clone().unwrap_or_default();
        let class = case.class.clone().unwrap_or_default();
        table.row([case.number.to_string(), class, case.title.to_owned(), state.to_owned(), message]);
    }
    let mut data = output.data();
    data.table(table)?;
    data.end()?;
    let [passed, failed, other] = [State::Passed, State::Failed, State::NotApplicable].map(|state| report.count(state));
    let level = report.level.as_str();
    output.note(format_args!("level {level}: {passed} passed, {failed} failed, {other} do not apply"));
    for left in &report.left_behind {
        output.note(format_args!("left behind: {left}"));
    }
    Ok(())
}
