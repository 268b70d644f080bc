//! The deepest and the longest expression that are allowed pass through everything on a thread with a stack of 1 MiB:
//! reading, checking, evaluating, tracing, printing and dropping. Servers run requests on stacks of 2 MiB.

use provost_lang::{Context, Expression, MAX_CHARACTERS, MAX_DEPTH};
use provost_model::{Attributes, Timestamp};

const STACK_BYTES: usize = 1 << 20;

/// `before` so many times, then the innermost, then `after` as often.
fn nested(before: &str, inner: &str, after: &str, times: usize) -> String {
    format!("{}{inner}{}", before.repeat(times), after.repeat(times))
}

/// As much of a chain as one expression may have.
fn chain(first: &str, link: &str) -> String {
    format!("{first}{}", link.repeat((MAX_CHARACTERS - first.len()) / link.len()))
}

fn expressions() -> Vec<String> {
    let calls = [
        ("Trim(", ")"),
        ("IIF([a] = \"x\", \"y\", ", ")"),
        ("IIF(", ", 1, 0)"),
        ("Switch(", ", \"d\", \"k\", \"v\")"),
        ("Switch([a], ", ", \"k\", \"v\")"),
        ("Join(\"\", \"x\", ", ")"),
        ("Replace(", ", \"x\", , , \"y\", , )"),
        ("Replace(", ", , \"x\", , \"y\", , )"),
        ("Coalesce(Null, ", ")"),
        ("DateAdd(\"d\", 1, ", ")"),
        ("Item(", ", 1)"),
        ("Not(", ")"),
        ("Or(", ")"),
        ("Redact(", ")"),
        ("(", ")"),
        ("(\"x\" = ", ")"),
        ("(\"x\" & ", ")"),
    ];
    let mut all: Vec<String> = Vec::new();
    for (before, after) in calls {
        for inner in ["[a]", "\"x\"", "[b]", "Now()"] {
            all.push(nested(before, inner, after, MAX_DEPTH - usize::from(inner == "Now()")));
        }
        // Deeper ones and unclosed ones are refused.
        all.push(nested(before, "[a]", after, (MAX_CHARACTERS - 3) / (before.len() + after.len())));
        all.push(before.repeat(MAX_CHARACTERS / before.len()));
    }
    all.extend([
        chain("[a]", "&[a]"),
        chain("[a]", " = [a]"),
        chain("Join(\"\"", ",[a]"),
        chain("\"x", "x"),
        chain("", "["),
        chain("", ")"),
        chain("", ","),
        chain("", "&"),
        chain("Switch([a],\"d\"", ",\"k\",\"v\""),
    ]);
    all
}

#[test]
fn the_deepest_and_longest_fit_a_small_stack() {
    let work = || {
        let source: Attributes = [("a", "x"), ("b", "2024-01-31")].into_iter().collect();
        let context = Context::new(&source, Timestamp::UNIX_EPOCH);
        let (mut compiled, mut refused) = (0, 0);
        for text in expressions() {
            assert!(text.chars().count() <= MAX_CHARACTERS);
            drop(Expression::parse(&text).tree.to_string());
            match Expression::compile(&text) {
                Ok(expression) => {
                    compiled += 1;
                    let outcome = expression.eval(&context);
                    let trace = expression.trace(&context);
                    assert!(!trace.to_string().is_empty());
                    assert!(serde_json::to_string(&trace).is_ok());
                    assert_eq!(trace.clone(), trace);
                    let tree = expression.tree().clone();
                    assert_eq!(tree, *expression.tree());
                    let printed = Expression::parse(&expression.to_string());
                    assert!(!format!("{printed:?}").is_empty());
                    drop((outcome, trace, tree));
                }
                Err(errors) => {
                    refused += 1;
                    assert!(!errors.is_empty());
                }
            }
        }
        (compiled, refused)
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work).unwrap();
    let (compiled, refused) = thread.join().unwrap();
    assert!(compiled > 40 && refused > 25, "{compiled} compiled, {refused} refused");
}
