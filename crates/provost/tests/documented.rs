//! Every published example of Entra's documentation through the binary, as a script would ask: a line of NDJSON each.
// Clippy's permission for tests covers functions marked #[test], not what they call.
#![allow(clippy::unwrap_used, clippy::panic)]

mod run;

use std::fmt::Write as _;

use serde_json::{Value, json};

/// Page, function, expression, source attributes, result; the first lines of the file say what the letters mean.
const EXAMPLES: &str = include_str!("../../lang/tests/documented.tsv");

struct Row {
    line: usize,
    document: &'static str,
    question: Value,
    wanted: Value,
}

fn document(letter: &str) -> &'static str {
    match letter {
        "F" => "functions-for-customizing-application-data",
        "C" => "cloud sync reference-expressions",
        "G" => "Graph parseExpression",
        "W" => "workday-expression-mapping-functions-guide",
        "S" => "successfactors-expression-mapping-functions-guide",
        other => panic!("no document has the letter {other}"),
    }
}

fn rows() -> Vec<Row> {
    let lines = EXAMPLES.lines().enumerate().filter(|(_, line)| !line.starts_with('#'));
    let row = |(at, line): (usize, &str)| {
        let [letter, _, expression, given, wanted] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("line {} has no five columns", at + 1);
        };
        let mut attributes: serde_json::Map<String, Value> = serde_json::from_str(given).unwrap();
        let (now, taken) = (attributes.remove("$now"), attributes.remove("$taken"));
        let mut question = json!({ "expression": expression, "attributes": attributes });
        for (key, value) in [("now", now), ("taken", taken)] {
            if let Some(value) = value {
                question[key] = value;
            }
        }
        let wanted: Value = serde_json::from_str(wanted).unwrap();
        let is_ignored = wanted == json!({ "$ignored": true });
        let wanted = if is_ignored { json!({ "ignored": "attribute" }) } else { json!({ "value": wanted }) };
        Row { line: at + 1, document: document(letter), question, wanted }
    };
    lines.map(row).collect()
}

#[test]
fn published_examples_pass_through_a_batch() {
    let rows = rows();
    assert!(rows.len() >= 80, "only {} examples", rows.len());
    let input: String = rows.iter().map(|row| format!("{}\n", row.question)).collect();
    let done = run::provost_with(&["expr", "--batch"], &input).ok();
    let answers: Vec<&str> = done.stdout.lines().collect();
    assert_eq!(answers.len(), rows.len(), "a line is answered with a line");
    let mut wrong = String::new();
    for (row, answer) in rows.iter().zip(answers) {
        let answer: Value = serde_json::from_str(answer).unwrap();
        if answer != row.wanted {
            writeln!(
                wrong,
                "row {} ({}): {}\n  is {answer}\n not {}",
                row.line, row.document, row.question, row.wanted
            )
            .unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
