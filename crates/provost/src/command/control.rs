//! `provost pause`, `resume`, `retry`, `ignore` and `restart`: what people say about a job, from beside a running `serve`.

use provost_engine::control::{Fate, RestartScope, Waiting};
use provost_lang::{LangError, ScopeFilter};
use provost_model::{Attributes, JobName, Value};
use serde::Serialize;

use super::{counted, parse_filter};
use crate::cli::{EscrowArgs, Global, IgnoreArgs, JobArgs, PauseArgs, RestartArgs, RetryArgs};
use crate::error::{Error, Exit, Result};
use crate::output::{Output, Table};
use crate::problem::Problem;
use crate::setup::Setup;

#[derive(Serialize)]
struct Paused<'j> {
    job: &'j JobName,
    paused: bool,
}

pub async fn pause(global: &Global, args: PauseArgs, output: Output) -> Result<Exit> {
    let setup = Setup::open(global).await?;
    let (name, _) = setup.configuration.job(&args.job.job)?;
    setup.engine.pause(name, args.reason.as_deref()).await?;
    if output.json {
        output.json(&Paused { job: name, paused: true })?;
    } else {
        output.note(format_args!("job `{name}` is paused; a cycle that runs ends after what is under way"));
        output.hint(format_args!("`provost resume {name}` lets it run again"));
    }
    Ok(Exit::Done)
}

pub async fn resume(global: &Global, args: JobArgs, output: Output) -> Result<Exit> {
    let setup = Setup::open(global).await?;
    let (name, _) = setup.configuration.job(&args.job)?;
    let was_paused = setup.engine.resume(name).await?;
    if output.json {
        output.json(&Paused { job: name, paused: false })?;
    } else if was_paused {
        output.note(format_args!("job `{name}` runs again: by its schedule, or `provost run {name}`"));
    } else {
        output.note(format_args!("job `{name}` was not paused"));
    }
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Settled<'j> {
    job: &'j JobName,
    objects: Vec<Waiting>,
    dry_run: bool,
}

pub async fn retry(global: &Global, args: RetryArgs, output: Output) -> Result<Exit> {
    let filter = args.filter.as_deref().map(compile).transpose()?;
    let meant = |object: &Waiting| {
        args.code.as_ref().is_none_or(|code| object.row.code.as_str().eq_ignore_ascii_case(code))
            && filter.as_ref().is_none_or(|filter| filter.matches(&record(object)))
    };
    settle(global, args.escrow, &meant, Fate::Retry, output).await
}

pub async fn ignore(global: &Global, args: IgnoreArgs, output: Output) -> Result<Exit> {
    let filter = compile(&args.filter)?;
    settle(global, args.escrow, &|object| filter.matches(&record(object)), Fate::Ignore, output).await
}

async fn settle(
    global: &Global,
    args: EscrowArgs,
    meant: &(dyn Fn(&Waiting) -> bool + Sync),
    fate: Fate,
    output: Output,
) -> Result<Exit> {
    let setup = Setup::open(global).await?;
    let (name, _) = setup.configuration.job(&args.job.job)?;
    let mut objects = setup.engine.waiting(name).await?;
    objects.retain(|object| meant(object));
    if !args.dry_run {
        setup.engine.settle(name, &objects, fate).await?;
    }
    let count = counted(objects.len() as u64, "failed object");
    if output.json {
        output.json(&Settled { job: name, objects, dry_run: args.dry_run })?;
        return Ok(Exit::Done);
    }
    if args.dry_run && !objects.is_empty() {
        let mut table = Table::new(["object", "name", "code", "tries", "message"]).right(3);
        for Waiting { name, row } in objects {
            let object = format!("{} {}", row.class, row.source_id);
            table.row([object, name, row.code.to_string(), row.tries.to_string(), row.message]);
        }
        let mut data = output.data();
        data.table(table)?;
        data.end()?;
    }
    match (args.dry_run, fate) {
        (true, _) => output.note(format_args!("{count} of job `{name}`; nothing was changed")),
        (false, Fate::Retry) => output.note(format_args!("{count} of job `{name}`: the next cycle tries again")),
        (false, Fate::Ignore) => {
            output.note(format_args!("{count} of job `{name}`: left alone until the object changes at the source"));
        }
    }
    Ok(Exit::Done)
}

/// What `--where` sees of a failed object.
fn record(object: &Waiting) -> Attributes {
    let row = &object.row;
    let text = |text: &str| Value::text(text);
    [
        ("class", text(&row.class)),
        ("source_id", text(&row.source_id)),
        ("name", text(&object.name)),
        ("code", text(row.code.as_str())),
        ("message", text(&row.message)),
        ("tries", Value::Integer(row.tries)),
    ]
    .into_iter()
    .collect()
}

fn compile(text: &str) -> Result<ScopeFilter> {
    let filter = parse_filter(text, "--where")?;
    ScopeFilter::compile(&filter).map_err(|errors| {
        let problem = |error: &LangError| Problem::of(error);
        Error::Usage(errors.first().map_or_else(|| Problem::new("PRV-0201", "no filter"), problem))
    })
}

#[derive(Serialize)]
struct Restarted<'j> {
    job: &'j JobName,
    #[serde(flatten)]
    scope: RestartScope,
}

pub async fn restart(global: &Global, args: RestartArgs, output: Output) -> Result<Exit> {
    let setup = Setup::open(global).await?;
    let (name, _) = setup.configuration.job(&args.job.job)?;
    let RestartArgs { watermark, escrows, quarantine, links, full, .. } = args;
    let scope = match (RestartScope { watermark, escrows, quarantine, links }) {
        _ if full => RestartScope::FULL,
        named if named == RestartScope::default() => RestartScope::USUAL,
        named => named,
    };
    setup.engine.restart(name, scope).await?;
    if output.json {
        output.json(&Restarted { job: name, scope })?;
    } else {
        output.note(format_args!("job `{name}` begins anew with its next cycle"));
        output.hint(format_args!("under `provost serve` that is at once; by hand `provost run {name}`"));
    }
    Ok(Exit::Done)
}
