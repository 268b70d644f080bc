//! `provost connector fake scim`: a target to try a provisioning client against. It serves until Ctrl-C, then says what it saw.

use std::path::Path;
use std::time::Duration;

use provost_fake::{Check, Dialect, FAULTS, FakeTarget, Options, parse_fault};
use provost_store::NewToken;
use serde::Serialize;

use crate::cli::FakeArgs;
use crate::error::{Error, Exit, Result};
use crate::output::{Output, Table};
use crate::problem::{Problem, shown};
use crate::setup::context;

#[derive(Serialize)]
struct Started<'s> {
    url: &'s str,
    token: &'s str,
    dialect: &'s str,
    seed: u64,
}

#[derive(Serialize)]
struct Seen<'s> {
    #[serde(flatten)]
    check: &'s Check,
    state: &'static str,
}

pub async fn scim(args: FakeArgs, output: Output) -> Result<Exit> {
    if args.list_dialects {
        return list("dialect", &Dialect::NAMES, output);
    }
    if args.list_faults {
        return list("fault", &FAULTS, output);
    }
    let dialect = dialect(&args.dialect)?;
    let seed = args.seed.unwrap_or_else(|| u64::from(std::process::id()));
    let faults = args.faults.iter().map(|text| parse_fault(text, seed).map_err(|reason| fault(text, &reason)));
    let faults = faults.collect::<Result<Vec<_>>>()?;
    let token = match args.token {
        Some(token) => token,
        None => NewToken::generate()?.text.to_string(),
    };
    let token_life = Duration::from_secs(args.token_life.into());
    let options = Options { listen: args.listen, dialect, faults, token, token_life, remote_admin: args.remote_admin };
    let target = FakeTarget::start(options).await.map_err(|error| {
        Problem::new("PRV-0708", error.to_string())
            .hint("name another address with --listen, or stop what uses this one")
    })?;
    let started = Started { url: target.url(), token: target.token(), dialect: &args.dialect, seed };
    if output.json {
        output.json(&started)?;
    } else {
        let mut data = output.data();
        data.line(started.url)?;
        data.line(started.token)?;
        data.end()?;
        output.note(format_args!("dialect {}, seed {seed}; Ctrl-C ends it and shows the report", args.dialect));
    }
    let cx = context(output, "fake");
    cx.cancel.cancelled().await;
    report(&target, output)
}

fn report(target: &FakeTarget, output: Output) -> Result<Exit> {
    let checks = target.report();
    let requests = target.requests().len();
    let is_bad = checks.iter().any(|check| check.must && check.bad > 0);
    if output.json {
        let seen: Vec<Seen<'_>> = checks.iter().map(|check| Seen { state: check.state(), check }).collect();
        output.json(&serde_json::json!({ "requests": requests, "checks": seen }))?;
    } else {
        let mut data = output.data();
        let mut table =
            Table::new(["check", "state", "good", "bad", "a good client …", "first seen"]).right(2).right(3);
        for check in &checks {
            table.row([
                check.id.to_owned(),
                if check.must || check.bad == 0 { check.state() } else { "advice" }.to_owned(),
                check.good.to_string(),
                check.bad.to_string(),
                check.about.to_owned(),
                check.evidence.clone().unwrap_or_default(),
            ]);
        }
        data.table(table)?;
        data.end()?;
        output.note(format_args!("{requests} requests"));
    }
    Ok(if is_bad { Exit::Failed } else { Exit::Done })
}

fn list(kind: &str, names: &[(&str, &str)], output: Output) -> Result<Exit> {
    if output.json {
        let all: Vec<_> = names.iter().map(|(name, what)| serde_json::json!({ "name": name, "what": what })).collect();
        output.json(&all)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new([kind, "what"]);
    for (name, what) in names {
        table.row([(*name).to_owned(), (*what).to_owned()]);
    }
    let mut data = output.data();
    data.table(table)?;
    data.end()?;
    Ok(Exit::Done)
}

/// A built-in dialect, or one in a file.
fn dialect(name: &str) -> Result<Dialect> {
    if let Some(dialect) = Dialect::named(name) {
        return Ok(dialect);
    }
    let path = Path::new(name);
    if !path.is_file() {
        let names = Dialect::NAMES.iter().map(|(name, _)| *name);
        let hint = match provost_engine::rule::nearest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "--list-dialects shows all; or name a YAML or JSON file".to_owned(),
        };
        return Err(usage(format!("--dialect: there is no dialect and no file `{name}`"), hint));
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string());
    // JSON is YAML, too.
    let read = text.and_then(|text| serde_saphyr::from_str(&text).map_err(|error| error.to_string()));
    read.map_err(|error| {
        let hint = "docs/fake-target.md lists what a dialect can say".to_owned();
        usage(format!("--dialect: cannot read `{}`: {error}", shown(path)), hint)
    })
}

fn fault(text: &str, reason: &str) -> Error {
    usage(format!("--fault '{text}': {reason}"), "for example --fault 'drop-after 5% POST /Users'".to_owned())
}

fn usage(message: String, hint: String) -> Error {
    Error::Usage(Problem::new("PRV-0707", message).hint(hint))
}
