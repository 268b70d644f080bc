//! Results for people (tables) and for machines (one JSON object a line).

use comfy_table::{Table, presets::ASCII_MARKDOWN};
use serde_json::{Value, json};

use super::{
    Outcome,
    pairs::{Sample, Side},
    verdict::{Check, Verdict},
};
use crate::machine::facts::Facts;

/// One line for the machine at the top of a report.
#[must_use]
pub fn head(facts: &Facts) -> String {
    format!(
        "commit {}, {}, {} cores ({}), {} MiB, Linux {}",
        facts.commit, facts.date, facts.cores, facts.cpu, facts.memory_mib, facts.kernel
    )
}

/// The scenario's object, self-contained: it names commit and machine too.
#[must_use]
pub fn json(outcome: &Outcome, facts: &Facts) -> Value {
    let side = |side| {
        json!({
            "seconds": outcome.pairs.of(side, |s| s.seconds), "users_per_second": outcome.pairs.of(side, |s| s.users_per_second),
            "cpu_us": outcome.pairs.of(side, |s| s.cpu_us), "sink_cpu_us": outcome.pairs.of(side, |s| s.sink_cpu_us),
            "peak_memory_kib": outcome.pairs.of(side, |s| s.peak_memory_kib as f64),
        })
    };
    json!({
        "scenario": outcome.scenario, "users": outcome.users, "machine": facts, "a": outcome.a, "b": outcome.b,
        "pair_count": outcome.pairs.pairs.len(), "quiet_pairs": outcome.pairs.quiet_count(),
        "a_figures": side(Side::A), "b_figures": side(Side::B), "checks": outcome.checks, "figures": outcome.figures,
        "pairs": outcome.pairs.pairs,
    })
}

/// The scenario for people.
#[must_use]
pub fn text(outcome: &Outcome) -> String {
    let pairs = &outcome.pairs;
    let mut out = format!("\n## {}, {} users\n", outcome.scenario, outcome.users);
    if outcome.b.starts_with("stand-in") {
        out += "B is a stand-in: the verdicts test the harness and say nothing about the engine.\n";
    }
    if !pairs.pairs.is_empty() {
        let over = if pairs.quiet_count() >= 3 { "the quiet ones" } else { "all, too few being quiet" };
        out += &format!("{} pairs, {} quiet; medians over {over}.\n", pairs.pairs.len(), pairs.quiet_count());
        out += &format!("{}\n", sides(outcome));
    }
    out += &format!("{}\n", checks(&outcome.checks));
    for (name, value) in &outcome.figures {
        out += &format!("{name}: {value}\n");
    }
    out
}

fn sides(outcome: &Outcome) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header([
        "side",
        "seconds",
        "users/s (min to max)",
        "CPU us",
        "sink us",
        "p50/p95/p99 us",
        "peak MiB",
        "written MiB",
    ]);
    for (side, name) in [(Side::A, &outcome.a), (Side::B, &outcome.b)] {
        let of = |figure: fn(&Sample) -> f64| outcome.pairs.of(side, figure);
        let number = |figure: fn(&Sample) -> f64| of(figure).map_or("-".to_owned(), |s| short(s.median));
        let rate = of(|s| s.users_per_second);
        let rate =
            rate.map_or("-".to_owned(), |s| format!("{} ({} to {})", short(s.median), short(s.min), short(s.max)));
        table.add_row([
            format!("{side:?}: {name}"),
            number(|s| s.seconds),
            rate,
            number(|s| s.cpu_us),
            number(|s| s.sink_cpu_us),
            format!("{}/{}/{}", number(|s| s.p50_us.into()), number(|s| s.p95_us.into()), number(|s| s.p99_us.into())),
            number(|s| s.peak_memory_kib as f64 / 1024.0),
            number(|s| s.written_bytes as f64 / 1_048_576.0),
        ]);
    }
    table
}

fn checks(checks: &[Check]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header(["goal", "check", "median", "min", "max", "wanted", "gate", "verdict"]);
    for check in checks {
        let number =
            |pick: fn(&super::numbers::Spread) -> f64| check.value.as_ref().map_or("-".to_owned(), |v| short(pick(v)));
        table.add_row([
            check.goal.map_or(String::new(), |n| n.to_string()),
            check.name.clone(),
            number(|v| v.median),
            number(|v| v.min),
            number(|v| v.max),
            check.wanted.clone(),
            format!("{:?}", check.gate).to_lowercase(),
            match check.verdict {
                Verdict::Miss | Verdict::Fail => format!("{:?}", check.verdict).to_uppercase(),
                other => format!("{other:?}").to_lowercase(),
            },
        ]);
    }
    table
}

/// Three figures that matter; whole numbers from 100 on.
fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        v if v >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}
