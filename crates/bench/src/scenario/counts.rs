//! Exact counts and digests, testable on any machine however busy: an initial cycle, the same again, changes, and an
//! initial cycle under 5 % faults that must end in the same state. Small, once, and nothing is timed.

use super::{
    Context, Outcome,
    child::{self, SinkProcess},
    engine::{EXPORT, Folder, IMPORT, Instead},
    pairs::Sample,
    verdict::{at_most, exactly, same_digest},
    yaml,
};
use crate::{
    error::{Error, Result},
    people, raw,
    sink::Weather,
};

const USERS: u64 = 10_000;
const FAULTS: f64 = 0.05;

pub fn run(context: &Context) -> Result<Outcome> {
    let users = context.users.min(USERS);
    let changes = context.changes.min(users / 10);
    let folder = context.scratch("counts")?;
    let people = context.people(&folder, users)?;
    let mut outcome = Outcome::new("counts", users, "what is expected", context);

    let sink = SinkProcess::start(Weather::default())?;
    let work = context.prepare(&folder.join("work"), yaml::COUNTS, &sink.url, &people)?;
    let counted = |work: Option<&Folder>, sink: &SinkProcess, instead: Instead| -> Result<Option<Sample>> {
        context.job(work, IMPORT, &Instead::Nothing)?;
        sink.reset_counters()?;
        let Some(run) = context.job(work, EXPORT, &instead)? else { return Ok(None) };
        Sample::of_run(&run, users).with_sink(sink, users, true).map(Some)
    };
    let create = |sink: &SinkProcess| Instead::Own(context.raw("lookup-create", &sink.url, users, &[]));

    // What the target must hold is the raw client's word, not the engine's: an engine that does nothing twice agrees
    // with itself.
    let judge = SinkProcess::start(Weather::default())?;
    child::own::<raw::Report>(&context.raw("create", &judge.url, users, &[]), &folder)?;
    let wanted = judge.digest()?;

    let initial = counted(work.as_ref(), &sink, create(&sink))?;
    let of = |sample: &Option<Sample>, figure: &dyn Fn(&Sample) -> u64| sample.as_ref().map(figure);
    outcome.checks.extend([
        exactly("initial: creates", of(&initial, &|s| s.requests("POST /Users", None)), users),
        at_most("initial: lookups", of(&initial, &|s| s.requests("GET /Users?filter", None)), users),
        exactly("initial: users in the target", of(&initial, &|s| s.counter("users")), users),
        exactly("initial: no-op writes", of(&initial, &|s| s.counter("noop_writes")), 0),
    ]);

    let repeated = counted(work.as_ref(), &sink, Instead::Nothing)?;
    outcome.checks.push(exactly("repeated: requests", of(&repeated, &|s| s.work_requests()), 0));

    if let Some(work) = &work {
        let next = work.path.join("next.csv");
        people::mutate(&work.people(), &next, users, changes, 1)?;
        std::fs::rename(&next, work.people()).map_err(Error::file("replace", &next))?;
    }
    // The raw client must look ids up before it patches, so that it cannot stand in where all requests are counted.
    let changed = counted(work.as_ref(), &sink, Instead::Impossible)?;
    outcome.checks.extend([
        exactly("changes: PATCHes", of(&changed, &|s| s.requests("PATCH /Users/id", None)), changes),
        exactly("changes: requests", of(&changed, &|s| s.work_requests()), changes),
        exactly("changes: no-op writes", of(&changed, &|s| s.counter("noop_writes")), 0),
    ]);

    let stormy = SinkProcess::start(Weather { fault_rate: FAULTS, fault_seed: context.seed, ..Weather::default() })?;
    let weathered = context.prepare(&folder.join("faults"), yaml::COUNTS, &stormy.url, &people)?;
    let faults = counted(weathered.as_ref(), &stormy, Instead::Impossible)?;
    let calm = of(&initial, &|s| s.work_requests()).unwrap_or(2 * users);
    let digest = |sample: &Option<Sample>| sample.as_ref().and_then(|s| s.digest.clone());
    outcome.checks.extend([
        same_digest("initial: digest", digest(&initial).as_deref(), Some(&wanted)),
        same_digest("5 % faults: digest", digest(&faults).as_deref(), Some(&wanted)),
        at_most("5 % faults: requests", of(&faults, &|s| s.work_requests()), calm * 115 / 100),
        exactly("5 % faults: users in the target", of(&faults, &|s| s.counter("users")), users),
    ]);
    for (name, sample) in [("initial", initial), ("repeated", repeated), ("changed", changed), ("faults", faults)] {
        if let Some(sample) = sample {
            outcome.figure(name, sample.sink);
        }
    }
    Ok(outcome)
}
