//! The mapping language beside the same logic written by hand in Rust, over the same people (goals 7 and 8). The measuring is
//! an example of the language's crate, which knows both sides; it is run as a program, beside this one.

use std::process::Command;

use serde::Deserialize;

use super::{
    Context, Outcome, child,
    numbers::Spread,
    verdict::{Check, Gate, Goal},
};
use crate::error::{Error, Result};

/// A goal of the language's own, which has no number.
const READ: Goal = Goal::at_most(0, "seconds to check 10,000 expressions", Gate::Cpu, 1.0, 0.5);

/// What the example prints. Both sides ran by turns in one process.
#[derive(Deserialize)]
struct Report {
    mappings: Sides,
    filter: Sides,
    compile_seconds: Vec<f64>,
}

#[derive(Deserialize)]
struct Sides {
    hand_ns: Vec<f64>,
    language_ns: Vec<f64>,
    ratios: Vec<f64>,
}

pub fn run(context: &Context) -> Result<Outcome> {
    let mut outcome = Outcome::new("language", 1_000, "the same logic by hand", context);
    let report = measure(context)?;
    if report.is_none() {
        outcome.figure("hint", "build it: cargo build --release -p provost-lang --example mapping_speed");
    }
    let of = |pick: fn(&Report) -> &[f64]| report.as_ref().and_then(|report| Spread::of(pick(report)));
    outcome.checks = vec![
        Goal::at_most(7, "19 mappings / by hand", Gate::Cpu, 4.0, 2.0).judge(of(|r| &r.mappings.ratios)),
        Goal::at_most(8, "filter of 5 terms / by hand", Gate::Cpu, 5.0, 3.0).judge(of(|r| &r.filter.ratios)),
        Check { goal: None, ..READ.judge(of(|r| &r.compile_seconds)) },
    ];
    if let Some(Report { mappings, filter, .. }) = &report {
        for (name, sides) in [("mappings", mappings), ("filter", filter)] {
            for (side, values) in [("hand", &sides.hand_ns), ("language", &sides.language_ns)] {
                let median = Spread::of(values).map_or(0.0, |spread| spread.median.round());
                outcome.figure(&format!("{name}_{side}_ns"), median);
            }
        }
    }
    Ok(outcome)
}

/// None where the example is not built, or nothing of the product is to run.
fn measure(context: &Context) -> Result<Option<Report>> {
    let own = std::env::current_exe().map_err(Error::io("find this program"))?;
    let example = own.with_file_name("examples").join("mapping_speed");
    if context.engine.is_none() || !example.is_file() {
        return Ok(None);
    }
    let mut command = Command::new(example);
    command.arg("--json");
    let measured = child::measure(command, &context.scratch("language")?)?;
    serde_json::from_str(measured.stdout.trim()).map(Some).map_err(Error::json("read the example's result"))
}
