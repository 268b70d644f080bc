//! A hundred people change, among few (A) and among many (B): the time must not depend on how many did not (goal 9).
//! Beside the ladder: the same number of PATCHes by the raw client (goal 10) and parse + hash + compare of the large file
//! (goal 12). Each population has its own sink, filled by an initial cycle before anything is timed.

use std::path::Path;

use serde_json::json;

use super::{
    Context, Outcome,
    child::{self, SinkProcess},
    engine::{EXPORT, Folder, IMPORT, Instead},
    numbers::Spread,
    pairs::{self, Sample, Side},
    verdict::{Gate, Goal, exactly},
    yaml,
};
use crate::{
    baseline,
    error::{Error, Result},
    people, raw,
    sink::Weather,
};

struct Population {
    users: u64,
    sink: SinkProcess,
    folder: Option<Folder>,
    round: u64,
}

impl Population {
    fn new(context: &Context, folder: &Path, users: u64) -> Result<Self> {
        let people = context.people(folder, users)?;
        let sink = SinkProcess::start(Weather::default())?;
        let work = context.prepare(&folder.join(format!("work-{users}")), yaml::INCREMENTAL, &sink.url, &people)?;
        context.job(work.as_ref(), IMPORT, &Instead::Nothing)?;
        let create = context.raw("create", &sink.url, users, &[]);
        context.job(work.as_ref(), EXPORT, &Instead::Own(create))?;
        Ok(Self { users, sink, folder: work, round: 0 })
    }

    /// Changes people, imports them, exports them. Gives the outbound run as a sample and the inbound run's seconds.
    fn change(&mut self, context: &Context, ready: &mut pairs::Ready<'_>) -> Result<Option<(Sample, f64)>> {
        let Some(folder) = &self.folder else { return Ok(None) };
        self.round += 1;
        let (current, next) = (folder.people(), folder.path.join("next.csv"));
        people::mutate(&current, &next, self.users, context.changes, self.round)?;
        std::fs::rename(&next, &current).map_err(Error::file("replace", &current))?;
        let Some(inbound) = context.job(Some(folder), IMPORT, &Instead::Nothing)? else { return Ok(None) };
        ready()?;
        self.sink.reset_counters()?;
        let more = [("--population", self.users), ("--round", self.round)];
        let patch = context.raw("patch", &self.sink.url, context.changes, &more);
        let Some(outbound) = context.job(Some(folder), EXPORT, &Instead::Own(patch))? else { return Ok(None) };
        let sample = Sample::of_run(&outbound, context.changes).with_sink(&self.sink, context.changes, false)?;
        Ok(Some((sample, inbound.seconds)))
    }
}

pub fn run(context: &Context) -> Result<Outcome> {
    let folder = context.scratch("incremental")?;
    let mut small = Population::new(context, &folder, context.small)?;
    let mut large = Population::new(context, &folder, context.users)?;
    let reference = Reference::new(context, &folder)?;
    let (mut patches, mut reads) = (Vec::new(), Vec::new());
    let (mut over_patches, mut over_reads) = (Vec::new(), Vec::new());
    let pairs = pairs::run(context.pairing, &folder, |side, ready| {
        if side == Side::A {
            return Ok(small.change(context, ready)?.map(|(sample, _)| sample));
        }
        let changed = large.change(context, ready)?;
        let round = patches.len() as u64 + 1;
        let (patch, read) = (reference.patch(context, &folder, round)?, reference.read(&folder)?);
        if let Some((sample, inbound)) = &changed {
            over_patches.push(sample.seconds / patch);
            over_reads.push(inbound / read);
        }
        patches.push(patch);
        reads.push(read);
        Ok(changed.map(|(sample, _)| sample))
    })?;
    // The warm-up's figures came first.
    let recorded = |values: &[f64]| Spread::of(values.get(usize::from(context.pairing.warm_up)..).unwrap_or_default());

    let a = format!("{} changed of {}", context.changes, context.small);
    let mut outcome = Outcome::new("incremental", context.users, &a, context);
    outcome.checks = vec![
        Goal::at_most(9, "time among many / among few", Gate::Wall, 1.5, 1.25)
            .judge_if(context.users >= 100 * context.small, pairs.ratio(|s| s.seconds)),
        Goal::at_most(10, "time / raw PATCHes", Gate::Wall, 5.0, 3.0).judge(recorded(&over_patches)),
        Goal::at_most(12, "CSV: time / parse, hash, compare", Gate::Wall, 3.0, 2.0).judge(recorded(&over_reads)),
    ];
    // The stand-in has to ask for ids before it patches; requests in all are only the engine's to answer for.
    let engine_only = context.engine.as_ref().is_some_and(|e| e.name() == "provost");
    let both = || pairs.all(Side::A).chain(pairs.all(Side::B));
    outcome.checks.extend([
        exactly("PATCHes, least", both().map(|s| s.requests("PATCH /Users/id", Some("200"))).min(), context.changes),
        exactly("PATCHes, most", both().map(|s| s.requests("PATCH /Users/id", None)).max(), context.changes),
        exactly("requests, most", both().map(|s| s.work_requests()).max().filter(|_| engine_only), context.changes),
        exactly("no-op writes, most", both().map(|s| s.counter("noop_writes")).max(), 0),
    ]);
    outcome.figure("raw_patches_seconds", json!(recorded(&patches)));
    outcome.figure("parse_hash_compare_seconds", json!(recorded(&reads)));
    outcome.pairs = pairs;
    Ok(outcome)
}

/// The divisors that are not a side of the ladder.
struct Reference {
    sink: SinkProcess,
    before: String,
    after: String,
}

impl Reference {
    fn new(context: &Context, folder: &Path) -> Result<Self> {
        let sink = SinkProcess::start(Weather::default())?;
        child::own::<raw::Report>(&context.raw("create", &sink.url, context.small, &[]), folder)?;
        let (before, after) = (context.people(folder, context.users)?, folder.join("changed.csv"));
        people::mutate(&before, &after, context.users, context.changes, 1)?;
        Ok(Self { sink, before: before.display().to_string(), after: after.display().to_string() })
    }

    fn patch(&self, context: &Context, folder: &Path, round: u64) -> Result<f64> {
        let more = [("--population", context.small), ("--round", round)];
        let arguments = context.raw("patch", &self.sink.url, context.changes, &more);
        Ok(child::own::<raw::Report>(&arguments, folder)?.0.seconds)
    }

    fn read(&self, folder: &Path) -> Result<f64> {
        let arguments = ["baseline", "compare", "--before", &self.before, "--after", &self.after].map(str::to_owned);
        Ok(child::own::<baseline::Report>(&arguments, folder)?.0.seconds)
    }
}
