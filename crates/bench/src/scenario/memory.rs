//! Peak memory of an initial cycle at a tenth of the users and at all of them: it must not grow with the people (goals 13
//! and 14). One run a size, because memory does not depend on the neighbours.

use serde_json::json;

use super::{
    Context, Outcome,
    child::SinkProcess,
    engine::{EXPORT, IMPORT, Instead},
    numbers::Spread,
    verdict::{Gate, Goal},
    yaml,
};
use crate::{error::Result, sink::Weather};

/// Both goals are about this many users: a smaller run would pass without having shown anything.
const GOAL_USERS: u64 = 1_000_000;

pub fn run(context: &Context) -> Result<Outcome> {
    let folder = context.scratch("memory")?;
    let sizes = [context.users / 10, context.users];
    let mut outcome = Outcome::new("memory", context.users, "a tenth of the users", context);
    let mut peaks = Vec::new();
    for users in sizes {
        let people = context.people(&folder, users)?;
        let sink = SinkProcess::start(Weather::default())?;
        let work = context.prepare(&folder.join(format!("work-{users}")), yaml::MEMORY, &sink.url, &people)?;
        let inbound = context.job(work.as_ref(), IMPORT, &Instead::Nothing)?;
        let create = context.raw("create", &sink.url, users, &[]);
        let outbound = context.job(work.as_ref(), EXPORT, &Instead::Own(create))?;
        if let (Some(inbound), Some(outbound)) = (inbound, outbound) {
            let mib = |kib: u64| kib as f64 / 1024.0;
            let (import, export) = (mib(inbound.process.peak_memory_kib), mib(outbound.process.peak_memory_kib));
            outcome
                .figure(&format!("peak_mib_at_{users}"), json!({"import": import.round(), "export": export.round()}));
            peaks.push(import.max(export));
        }
    }
    let one = |value: f64| Spread::of(&[value]);
    let beyond = peaks.get(1).and_then(|peak| one((peak - context.page_cache_mib as f64).max(0.0)));
    let growth = peaks.first().zip(peaks.get(1)).and_then(|(few, many)| one(many / few));
    let judged = context.users >= GOAL_USERS;
    outcome.checks = vec![
        Goal::at_most(13, "peak MiB beyond page caches", Gate::Cpu, 150.0, 80.0).judge_if(judged, beyond),
        Goal::at_most(14, "peak at all / at a tenth", Gate::Cpu, 1.25, 1.1).judge_if(judged, growth),
    ];
    Ok(outcome)
}
