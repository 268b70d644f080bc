//! `provost prune`: throws away what is older than `retention:` keeps it.

use provost_engine::retention::Pruned;
use serde::Serialize;

use super::counted;
use crate::cli::{Global, PruneArgs};
use crate::error::{Exit, Result};
use crate::output::Output;
use crate::setup::{Setup, context};

#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    pruned: Pruned,
    dry_run: bool,
}

pub async fn run(global: &Global, args: PruneArgs, output: Output) -> Result<Exit> {
    let setup = Setup::open(global).await?;
    let keep = &setup.configuration.retention;
    let cx = context(output, "prune");
    let pruned = setup.engine.prune(&setup.configuration.records(), args.dry_run, &cx).await?;
    if output.json {
        output.json(&Told { pruned, dry_run: args.dry_run })?;
        return Ok(Exit::Done);
    }
    let verb = if args.dry_run { "would go" } else { "gone" };
    for (count, what, age) in [
        (pruned.events, "event", keep.log),
        (pruned.discarded, "discarded operation", keep.plans),
        (pruned.pushed, "pushed operation", keep.pushes),
        (pruned.push_requests, "pushed request", keep.pushes),
        (pruned.deleted, "deleted object of the directory", keep.deleted),
        (pruned.cycles, "cycle", keep.log),
    ] {
        if count > 0 {
            output.note(format_args!("{verb}: {} older than {age}", counted(count, what)));
        }
    }
    if pruned.is_nothing() {
        output.note(format_args!(
            "nothing is older than it is kept (log {}, plans {}, pushes {}, deleted {})",
            keep.log, keep.plans, keep.pushes, keep.deleted
        ));
    }
    Ok(Exit::Done)
}
