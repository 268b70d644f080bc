//! What reading and checking costs: 10,000 expressions, once those of Entra's documentation in turn and once the eight of
//! them with regular expressions. Run with `cargo run --release -p provost-lang --example compile_speed`. Medians of
//! several rounds; no assertions, since timings belong to the machine they are taken on.
#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

use std::hint::black_box;
use std::time::Instant;

use provost_lang::Expression;

const EXPRESSIONS: usize = 10_000;
const ROUNDS: usize = 7;

/// Milliseconds for all of them, the median of the rounds; each is dropped before the next.
fn measure(texts: &[String]) -> f64 {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for at in 0..EXPRESSIONS {
                black_box(Expression::compile(black_box(&texts[at % texts.len()])).is_ok());
            }
            start.elapsed().as_secs_f64() * 1_000.0
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

fn main() {
    let lines = include_str!("../tests/documented.tsv").lines().filter(|line| !line.starts_with('#'));
    let mut all: Vec<String> = lines.filter_map(|line| line.split('\t').nth(2)).map(str::to_owned).collect();
    all.dedup();
    let with_regex: Vec<String> = all.iter().filter(|text| text.contains("(?<")).cloned().collect();
    // The worst case: no two patterns alike, so that none is shared.
    let distinct: Vec<String> = (0..EXPRESSIONS)
        .map(|at| {
            let text = &with_regex[at % with_regex.len()];
            text.replacen("(?<", &format!("(?<g{at}>x)?(?<"), 1)
        })
        .collect();
    for (name, texts) in [("documented", &all), ("with regular expressions", &with_regex), ("all distinct", &distinct)]
    {
        println!("{name:26} {:4} texts, {EXPRESSIONS} compiled in {:6.0} ms", texts.len(), measure(texts));
    }
}
