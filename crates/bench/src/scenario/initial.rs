//! Initial cycles: an empty sink, everybody is created. The engine starts each run from a copy of a folder whose
//! directory already holds the people, so that only the outbound job is on the clock (goals 1 to 5).

use super::{
    Context, Outcome,
    child::{self, SinkProcess},
    engine::{EXPORT, IMPORT, Instead},
    pairs::{self, Sample, Side},
    verdict::{Gate, Goal, at_most, exactly, same_digest},
    yaml,
};
use crate::{
    error::{Error, Result},
    raw,
    sink::Weather,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Variant {
    Create,
    Lookup,
    /// As Lookup at 20 ms: only concurrency counts.
    Latency,
}

/// More users than this tell nothing new at 20 ms, but take minutes a run.
const LATENCY_USERS: u64 = 20_000;
/// Above this size the digest, at 15 us a user, is taken of each side's first recorded run only.
const DIGEST_EACH: u64 = 100_000;

pub fn run(context: &Context, variant: Variant) -> Result<Outcome> {
    let (name, template, work, latency_ms, users) = match variant {
        Variant::Create => ("initial-create", yaml::INITIAL_CREATE, "create", 0, context.users),
        Variant::Lookup => ("initial-lookup", yaml::INITIAL_LOOKUP, "lookup-create", 0, context.users),
        Variant::Latency => {
            ("initial-latency", yaml::INITIAL_LATENCY, "lookup-create", 20, context.users.min(LATENCY_USERS))
        }
    };
    let folder = context.scratch(name)?;
    let people = context.people(&folder, users)?;
    let sink = SinkProcess::start(Weather { latency_ms, ..Weather::default() })?;
    let full = context.prepare(&folder.join("full"), template, &sink.url, &people)?;
    let imported = context.job(full.as_ref(), IMPORT, &Instead::Nothing)?;
    let raw = context.raw(work, &sink.url, users, &[]);
    let (mut runs, mut digested) = (0_u32, [false; 2]);
    let pairs = pairs::run(context.pairing, &folder, |side, ready| {
        sink.reset()?;
        let sample = match side {
            Side::A => {
                ready()?;
                sink.reset_counters()?;
                let (report, measured) = child::own::<raw::Report>(&raw, &folder)?;
                Some(Sample::of_raw(&report, &measured))
            }
            Side::B => {
                runs += 1;
                let Some(full) = &full else { return Ok(None) };
                let copy = full.copy(folder.join(format!("run-{runs}")))?;
                ready()?;
                sink.reset_counters()?;
                let run = context.job(Some(&copy), EXPORT, &Instead::Own(raw.clone()))?;
                std::fs::remove_dir_all(&copy.path).map_err(Error::file("remove", &copy.path))?;
                run.map(|run| Sample::of_run(&run, users))
            }
        };
        let first = !std::mem::replace(&mut digested[usize::from(side == Side::B)], true);
        sample.map(|s| s.with_sink(&sink, users, users <= DIGEST_EACH || first)).transpose()
    })?;

    let mut outcome = Outcome::new(name, users, &format!("raw {work}"), context);
    outcome.checks = match variant {
        Variant::Create => vec![
            Goal::at_least(3, "throughput / raw", Gate::Wall, 0.40, 0.55).judge(pairs.ratio(|s| s.users_per_second)),
            Goal::at_most(5, "CPU a user / raw", Gate::Cpu, 3.5, 2.5).judge(pairs.ratio(|s| s.cpu_us)),
        ],
        Variant::Lookup => vec![
            Goal::at_least(2, "throughput / raw", Gate::Wall, 0.45, 0.60).judge(pairs.ratio(|s| s.users_per_second)),
            Goal::at_most(4, "CPU a user / raw", Gate::Cpu, 2.5, 2.0).judge(pairs.ratio(|s| s.cpu_us)),
        ],
        Variant::Latency => {
            vec![
                Goal::at_least(1, "throughput / raw at 20 ms", Gate::Wall, 0.95, 0.97)
                    .judge(pairs.ratio(|s| s.users_per_second)),
            ]
        }
    };
    // The worst run of all, noisy or not.
    let most = |figure: &dyn Fn(&Sample) -> u64| pairs.all(Side::B).map(figure).max();
    let least = |figure: &dyn Fn(&Sample) -> u64| pairs.all(Side::B).map(figure).min();
    let creates = |s: &Sample| s.requests("POST /Users", None);
    let lookups = if variant == Variant::Create { 0 } else { users };
    outcome.checks.extend([
        exactly("creates sent, most", most(&creates), users),
        exactly("creates answered 201, least", least(&|s| s.requests("POST /Users", Some("201"))), users),
        at_most("lookups, most", most(&|s| s.requests("GET /Users?filter", None)), lookups),
        exactly("no-op writes, most", most(&|s| s.counter("noop_writes")), 0),
    ]);
    let wanted = pairs.all(Side::A).find_map(|s| s.digest.as_deref());
    let wrong = pairs.all(Side::B).filter_map(|s| s.digest.as_deref()).find(|d| Some(*d) != wanted);
    let digest = wrong.or_else(|| pairs.all(Side::B).find_map(|s| s.digest.as_deref()));
    outcome.checks.push(same_digest("digest of the target, each run", digest, wanted));
    if let Some(run) = imported {
        outcome.figure("import_seconds", run.seconds);
    }
    outcome.figure("sink_peak_memory_mib", sink.peak_memory_kib() / 1024);
    outcome.pairs = pairs;
    Ok(outcome)
}
