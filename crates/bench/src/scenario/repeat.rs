//! Nothing has changed: the inbound job against parse + hash + compare of the same file (goal 12's shape), and the
//! outbound job, which must send nothing and cost next to nothing (goal 11).

use super::{
    Context, Outcome,
    child::{self, SinkProcess},
    engine::{EXPORT, IMPORT, Instead},
    numbers::Spread,
    pairs::{self, Sample, Side},
    verdict::{Gate, Goal, exactly},
    yaml,
};
use crate::{baseline::Report, error::Result, sink::Weather};

pub fn run(context: &Context) -> Result<Outcome> {
    let folder = context.scratch("repeat")?;
    let people = context.people(&folder, context.users)?;
    let sink = SinkProcess::start(Weather::default())?;
    let file = people.display().to_string();
    let compare: Vec<String> = ["baseline", "compare", "--before", &file, "--after", &file].map(str::to_owned).to_vec();
    let work = context.prepare(&folder.join("work"), yaml::REPEAT, &sink.url, &people)?;
    context.job(work.as_ref(), IMPORT, &Instead::Nothing)?;
    let create = context.raw("create", &sink.url, context.users, &[]);
    context.job(work.as_ref(), EXPORT, &Instead::Own(create))?;
    sink.reset_counters()?;

    let (mut idle_cpu, mut idle_seconds) = (Vec::new(), Vec::new());
    let pairs = pairs::run(context.pairing, &folder, |side, ready| match side {
        Side::A => {
            ready()?;
            let (report, measured) = child::own::<Report>(&compare, &folder)?;
            Ok(Some(Sample::of_baseline(&report, &measured)))
        }
        Side::B => {
            ready()?;
            let Some(inbound) = context.job(work.as_ref(), IMPORT, &Instead::Own(compare.clone()))? else {
                return Ok(None);
            };
            if let Some(outbound) = context.job(work.as_ref(), EXPORT, &Instead::Nothing)? {
                idle_cpu.push(outbound.cpu_seconds * 1_000.0);
                idle_seconds.push(outbound.seconds);
            }
            Sample::of_run(&inbound, context.users).with_sink(&sink, context.users, false).map(Some)
        }
    })?;
    let mut outcome = Outcome::new("repeat", context.users, "parse + hash + compare", context);
    let last = pairs.all(Side::B).last();
    outcome.checks = vec![
        Goal::at_most(12, "CSV unchanged: time / compare", Gate::Wall, 3.0, 2.0).judge(pairs.ratio(|s| s.seconds)),
        Goal::at_most(11, "nothing changed: CPU ms", Gate::Cpu, 20.0, 5.0)
            .judge_if(context.users >= 1_000_000, Spread::of(&idle_cpu)),
        exactly("requests over all repeats", last.map(|s| s.work_requests()), 0),
        exactly("no-op writes over all repeats", last.map(|s| s.counter("noop_writes")), 0),
    ];
    if let Some(spread) = Spread::of(&idle_seconds) {
        outcome.figure("nothing_changed_seconds", spread.median);
    }
    outcome.pairs = pairs;
    Ok(outcome)
}
