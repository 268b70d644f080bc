//! Provost's SCIM service against two servers that others wrote: `scim2-server` (Python) and `scimmy` (Node). Ours keeps what
//! it is told on disk, theirs in memory. All three get the same requests from the same client, in turn, and turned round.
//!
//! [`server`] starts them, [`load`] sends the [`request`]s to one of them, [`alone`] measures what only ours is asked.

mod alone;
pub mod caller;
pub mod load;
pub mod request;
pub mod server;

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::numbers::Spread;
use super::verdict::{Gate, Goal};
use super::{Context, Outcome};
use crate::error::{Error, Result};
use crate::machine::cpu;
use load::{Load, Measured, Round, Size};
use request::Operation;
use server::Server;

/// Users at each server before anything is measured.
const POPULATION: u64 = 2_000;
/// How long each operation is measured. The slowest of the servers answers some tens of requests a second.
const SPAN: Duration = Duration::from_millis(2_500);

/// In the order in which they are started.
const NAMES: [&str; 3] = ["provost", "scim2-server", "scimmy"];

/// Creates, look-ups and PATCHes, against the server in Python and the one in Node.
const GOALS: [[Goal; 2]; 3] = [
    [
        Goal::at_least(23, "creates/s / scim2-server", Gate::Wall, 10.0, 20.0),
        Goal::at_least(23, "creates/s / scimmy", Gate::Wall, 3.0, 5.0),
    ],
    [
        Goal::at_least(23, "look-ups/s / scim2-server", Gate::Wall, 10.0, 20.0),
        Goal::at_least(23, "look-ups/s / scimmy", Gate::Wall, 3.0, 5.0),
    ],
    [
        Goal::at_least(23, "PATCHes/s / scim2-server", Gate::Wall, 10.0, 20.0),
        Goal::at_least(23, "PATCHes/s / scimmy", Gate::Wall, 3.0, 5.0),
    ],
];

pub fn run(context: &Context) -> Result<Outcome> {
    let mut outcome = Outcome::new("service", context.users, "scim2-server, scimmy", context);
    let Some(binary) = context.engine.as_ref().and_then(|engine| engine.binary()) else {
        outcome.checks.extend(GOALS.iter().flatten().map(|goal| goal.judge(None)));
        outcome.checks.extend(alone::skipped());
        outcome.figure("hint", "only the real binary serves: --engine provost");
        return Ok(outcome);
    };
    let (compared, alone) = (context.scratch("service")?, context.scratch("service-alone")?);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::io("start runtime"))?;
    runtime.block_on(async {
        compare(context, binary, &compared, &mut outcome).await?;
        alone::run(context, binary, &alone, &mut outcome).await
    })?;
    Ok(outcome)
}

/// A server with what was measured at it, round by round.
struct Side {
    server: Server,
    load: Load,
    rounds: Vec<Round>,
}

async fn compare(context: &Context, binary: &Path, folder: &Path, outcome: &mut Outcome) -> Result<()> {
    let size = Size { seed: context.seed, in_flight: context.in_flight, population: POPULATION, span: SPAN };
    // All of them before the first request: a peer that is missing is said at once.
    let servers = [Server::provost(binary, folder, "").await?, Server::scim2_server().await?, Server::scimmy().await?];
    let mut sides = Vec::with_capacity(servers.len());
    for server in servers {
        let load = Load::new(&server.address, size).await?;
        sides.push(Side { server, load, rounds: Vec::new() });
    }
    for round in 0..context.pairing.pairs.max(1) {
        let mut order: Vec<&mut Side> = sides.iter_mut().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for side in order {
            side.rounds.push(side.load.round(|| side.server.cpu()).await?);
        }
    }
    tell(outcome, &sides);
    Ok(())
}

fn tell(outcome: &mut Outcome, sides: &[Side]) {
    let [ours, others @ ..] = sides else { return };
    for (operation, goals) in Operation::ALL.into_iter().zip(&GOALS) {
        for (goal, other) in goals.iter().zip(others) {
            let rounds = ours.rounds.iter().zip(&other.rounds);
            let rate = |round: &Round| round.of(operation).per_second;
            let ratios: Vec<f64> = rounds.map(|(ours, theirs)| rate(ours) / rate(theirs)).collect();
            outcome.checks.push(goal.judge(Spread::of(&ratios)));
        }
        for (side, name) in sides.iter().zip(NAMES) {
            let of = |pick: fn(&Measured) -> Option<f64>| {
                let all: Vec<f64> = side.rounds.iter().filter_map(|round| pick(round.of(operation))).collect();
                Spread::of(&all).map(Spread::rounded)
            };
            outcome.figure(
                &format!("{} {name}", operation.name()),
                json!({
                    "per_second": of(|m| Some(m.per_second)),
                    "cpu_us": of(|m| m.cpu_us),
                    "p50_ms": of(|m| Some(m.p50_ms)),
                    "p99_ms": of(|m| Some(m.p99_ms)),
                    "p99_ms_at_half_load": of(|m| Some(m.half_p99_ms)),
                }),
            );
        }
    }
    // Look-ups of some servers read all users, and the fast ones get more of them.
    for (side, name) in sides.iter().zip(NAMES) {
        outcome.figure(&format!("users at the end {name}"), side.load.users());
    }
    if let Some(kib) = ours.server.pid().and_then(cpu::peak_memory_kib) {
        outcome.figure("peak memory beside the others, MiB", (kib as f64 / 102.4).round() / 10.0);
    }
}
