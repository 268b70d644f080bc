//! Arbitrary texts never make the parser, the checker, the evaluator or the filters panic, and what compiles prints to a
//! text that compiles to the same. The seed of a failure is in its message; `PROVOST_SEED` repeats it.

// Clippy's permission for tests covers functions marked #[test], not what they call.
#![allow(clippy::panic, clippy::unwrap_used)]

mod properties;

use properties::seeds::{rounds, with_seed};
use properties::{date_holds, expression_holds, filter_holds, record, texts};

/// Runs a property on a generated text; a panic names the text.
fn holds(text: &str, property: impl FnOnce() -> bool) -> bool {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(property)).unwrap_or_else(|_| panic!("failed on {text:?}"))
}

#[test]
fn arbitrary_texts_soak() {
    let record = record();
    with_seed("texts", rounds(), |random| {
        let source = texts::rubble(random);
        holds(&source, || expression_holds(&source, &record));
    });
}

#[test]
fn arbitrary_calls_soak() {
    let record = record();
    let mut compiled = 0;
    with_seed("calls", rounds(), |random| {
        let source = texts::expression(random, 4);
        compiled += usize::from(holds(&source, || expression_holds(&source, &record)));
    });
    println!("{compiled} compiled");
    assert!(compiled > rounds() / 20, "only {compiled} compiled");
}

#[test]
fn arbitrary_filters_soak() {
    let record = record();
    let mut compiled = 0;
    with_seed("filters", rounds() * 4, |random| {
        let text = texts::filter(random);
        compiled += usize::from(holds(&text, || filter_holds(&text, &record)));
    });
    assert!(compiled > 100, "only {compiled} compiled");
}

#[test]
fn arbitrary_dates_soak() {
    let mut read = 0;
    with_seed("dates", rounds(), |random| {
        let (date, pattern) = texts::date_and_pattern(random);
        read += usize::from(holds(&format!("{date} by {pattern}"), || date_holds(&date, &pattern)));
    });
    assert!(read > 20, "only {read} read");
}
