//! `provost connector test`: what a target is like, found out by trying it.

use std::io::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use provost_conformance::Level;
use provost_connector::{ConnectorError, ErrorCode, Host, Secret, Settings};
use provost_connectors::scim::probe::{Options, Probe, State, probe};
use provost_engine::rule::nearest;
use serde_json::{Map, Value as Json, json};

use crate::cli::{ConnectorTestArgs, Global};
use crate::config::{Configuration, ConnectionSpec};
use crate::error::{Error, Exit, Result};
use crate::output::{Output, Table};
use crate::problem::{Problem, shown};
use crate::secrets::{Secrets, variable};
use crate::setup::{context, open_existing};

/// The name that stands for no connection.
const SCIM: &str = "scim";

/// Secrets of a target that no configuration knows.
struct Environment;

#[async_trait]
impl Host for Environment {
    async fn secret(&self, handle: &str) -> Result<Secret, ConnectorError> {
        let name = variable(handle);
        std::env::var(&name).map(Secret::new).map_err(|_| {
            ConnectorError::new(ErrorCode::InvalidConfig, format!("{name} is not in the environment"))
                .hint("put the target's token there, or declare a connection and name that")
        })
    }
}

pub async fn test(global: &Global, args: ConnectorTestArgs, output: Output) -> Result<Exit> {
    // Whoever says what may be made wants it made.
    let level = args.level.or(args.sample.as_ref().map(|_| Level::Standard));
    if let Some(level) = level {
        return super::conformance::run(global, &args, level, output).await;
    }
    let options = Options { domain: args.domain.clone(), user: args.user.clone().unwrap_or_default() };
    let cx = context(output, "probe");
    let found = match &args.url {
        Some(url) if args.name == SCIM => {
            let values = [("url", json!(url)), ("token", json!({ "secret": "token" }))];
            let values = values.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
            probe(&cx, &Settings::new(values, "."), Arc::new(Environment), &options).await?
        }
        Some(_) => {
            let hint = "write `provost connector test scim --url URL`, or name a connection without --url";
            return Err(usage("--url goes with `scim`, not with a connection", hint));
        }
        None => {
            let configuration = Configuration::load(&global.config)?;
            let settings = settings(&configuration, &args.name)?;
            let store = open_existing(global).await?;
            let found = probe(&cx, &settings, Arc::new(Secrets::new(store.clone())), &options).await;
            store.close().await;
            found?
        }
    };
    let dialect = yaml(&found.dialect);
    if let Some(file) = &args.write {
        let head = "# What this target does otherwise, found by `provost connector test`.\n";
        let written =
            std::fs::File::create(file).and_then(|mut out| out.write_all(format!("{head}{dialect}").as_bytes()));
        written.map_err(|error| {
            Problem::new("PRV-0704", format!("cannot write `{}`: {error}", shown(file)))
                .hint("name another file with --write")
        })?;
    }
    show(&found, &dialect, output)?;
    if let Some(file) = &args.write {
        output.note(format_args!(
            "the dialect is in {}: `dialect: {}` in the connection uses it",
            shown(file),
            shown(file)
        ));
    }
    let works = found.checks.iter().all(|check| check.state != State::Missing || !NEEDED.contains(&check.id));
    Ok(if works && found.left_behind.is_empty() { Exit::Done } else { Exit::Failed })
}

/// What no job can do without.
const NEEDED: [&str; 2] = ["create", "active"];

/// The connection that is tried.
pub(super) fn connection<'c>(configuration: &'c Configuration, name: &str) -> Result<&'c ConnectionSpec> {
    configuration.connections.get(name).ok_or_else(|| {
        let names = || configuration.connections.keys().map(|name| name.as_str());
        let hint = match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if name == SCIM => "`scim` goes with --url".to_owned(),
            None => format!("the connections are: {}", names().collect::<Vec<_>>().join(", ")),
        };
        usage(&format!("there is no connection `{name}`"), &hint)
    })
}

/// The settings of a SCIM target that is tried.
fn settings(configuration: &Configuration, name: &str) -> Result<Settings> {
    let spec = connection(configuration, name)?;
    if spec.connector != SCIM {
        let message =
            format!("`{name}` is reached by the connector `{}`, which has no dialect to find out", spec.connector);
        return Err(usage(&message, "`--level basic` tries what it promises without writing"));
    }
    Ok(configuration.settings(spec))
}

fn show(found: &Probe, dialect: &str, output: Output) -> Result<()> {
    if output.json {
        return output.json(found);
    }
    let mut table = Table::new(["what", "advertised", "found", ""]);
    for check in &found.checks {
        let state = match check.state {
            State::Fine => "",
            State::Other => "other than the RFCs",
            State::Differs => "other than advertised",
            State::Missing => "missing",
        };
        let advertised = check.advertised.clone().unwrap_or_default();
        table.row([check.about.to_owned(), advertised, check.found.clone(), state.to_owned()]);
    }
    let mut data = output.data();
    data.table(table)?;
    data.line("")?;
    data.line(if found.dialect.is_empty() { "# as the RFCs have it: no dialect is needed" } else { "dialect:" })?;
    for line in dialect.lines() {
        data.line(format_args!("  {line}"))?;
    }
    data.end()?;
    output.note(format_args!("{} requests", found.requests));
    for left in &found.left_behind {
        output.note(format_args!("left behind: {left}"));
    }
    Ok(())
}

/// One setting a line; what is deeper as JSON, which is YAML too.
fn yaml(dialect: &Map<String, Json>) -> String {
    dialect.iter().map(|(key, value)| format!("{key}: {value}\n")).collect()
}

pub(super) fn usage(message: &str, hint: &str) -> Error {
    Error::Usage(Problem::new("PRV-0707", message.to_owned()).hint(hint.to_owned()))
}
