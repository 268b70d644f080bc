//! Provost's SCIM service against two servers that others wrote: `scim2-server` (Python) and `scimmy` (Node). Ours keeps what
//! it is told on disk, theirs in memory. All three get the same requests from the same client, in turn, and turned round.
//!
//! [`server`] starts them, [`load`] sends to one of them, [`alone`] measures what only ours is asked.

mod alone;
mod caller;
mod load;
mod server;

use std::collections::BTreeMap;

use serde_json::json;

use super::numbers::Spread;
use super::verdict::{Gate, Goal};
use super::{Context, Outcome};
use crate::error::{Error, Result};
use load::{Operation, Round};
use server::Server;

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
    let Some(engine) = &context.engine else { return Ok(outcome) };
    let folder = context.scratch("service")?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::io("start runtime"))?;
    runtime.block_on(async {
        let servers = vec![
            Server::provost(engine.binary(), &folder).await?,
            Server::scim2_server().await?,
            Server::scimmy().await?,
        ];
        let rounds = compare(context, &servers).await?;
        tell(&mut outcome, &rounds);
        let [ours, ..] = servers.as_slice() else { return Ok(()) };
        let figures = alone::measure(context, ours).await?;
        figures.tell(&mut outcome);
        Ok(())
    })?;
    Ok(outcome)
}

/// What each server did in each round, by its place.
type Rounds = BTreeMap<usize, Vec<Round>>;

async fn compare(context: &Context, servers: &[Server]) -> Result<Rounds> {
    let mut rounds: Rounds = BTreeMap::new();
    let mut loads = Vec::new();
    for server in servers {
        loads.push(load::Load::new(server, context.seed, context.in_flight).await?);
    }
    for round in 0..context.pairing.pairs.max(1) {
        let mut order: Vec<usize> = (0..servers.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for at in order {
            let measured = loads[at].round().await?;
            rounds.entry(at).or_default().push(measured);
        }
    }
    Ok(rounds)
}

fn tell(outcome: &mut Outcome, rounds: &Rounds) {
    let names = ["provost", "scim2-server", "scimmy"];
    let rate = |at: usize, round: usize, operation: Operation| rounds[&at][round].of(operation).per_second;
    for (operation, goals) in Operation::ALL.into_iter().zip(&GOALS) {
        for (goal, other) in goals.iter().zip([1, 2]) {
            let ratios: Vec<f64> =
                (0..rounds[&0].len()).map(|round| rate(0, round, operation) / rate(other, round, operation)).collect();
            outcome.checks.push(goal.judge(Spread::of(&ratios)));
        }
        for (at, name) in names.iter().enumerate() {
            let of = |pick: &dyn Fn(&load::Measured) -> f64| {
                let all: Vec<f64> = rounds[&at].iter().map(|round| pick(round.of(operation))).collect();
                Spread::of(&all).map(|spread| (spread.median * 10.0).round() / 10.0)
            };
            outcome.figure(
                &format!("{} {name}", operation.name()),
                json!({
                    "per_second": of(&|m| m.per_second),
                    "p50_ms": of(&|m| m.p50_ms),
                    "p99_ms": of(&|m| m.p99_ms),
                    "p99_ms_at_half_load": of(&|m| m.half_p99_ms),
                }),
            );
        }
    }
}
