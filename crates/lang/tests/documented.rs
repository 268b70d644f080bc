//! The published examples of Entra's documentation, read from `documented.tsv`. All of them are reproduced; those whose
//! published result contradicts the documented rules are not in the file.

use provost_lang::{Context, Expression, Outcome};
use provost_model::{Attributes, Timestamp, Value};

/// What one line gives, as JSON; `Err` says why it gives nothing.
fn run(expression: &str, given: &str) -> Result<serde_json::Value, String> {
    let mut attributes: Attributes = serde_json::from_str(given).map_err(|error| error.to_string())?;
    let now = attributes.remove("$now").and_then(|now| now.as_text()?.parse::<Timestamp>().ok());
    let taken = attributes.remove("$taken").unwrap_or_default();
    let is_taken = |name: &str| taken.as_list().is_some_and(|names| names.contains(&Value::text(name)));
    let expression = Expression::compile(expression).map_err(|errors| format!("{errors:?}"))?;
    let context = Context::new(&attributes, now.unwrap_or(Timestamp::UNIX_EPOCH)).with_taken(&is_taken);
    match expression.eval(&context).map_err(|error| error.to_string())? {
        Outcome::Value(value) => Ok(value.to_json()),
        Outcome::Clear => Ok(serde_json::Value::Null),
        Outcome::IgnoreAttribute | Outcome::IgnoreObject => Ok(serde_json::json!({ "$ignored": true })),
    }
}

#[test]
fn published_examples_give_their_published_results() {
    let lines = include_str!("documented.tsv").lines().filter(|line| !line.starts_with('#'));
    let (mut total, mut wrong) = (0, Vec::new());
    for line in lines {
        let [page, function, expression, given, want] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("a line has five columns: {line}");
        };
        total += 1;
        let have = run(expression, given);
        if have != Ok(serde_json::from_str(want).unwrap()) {
            wrong.push(format!("{page} {function}: {expression}\n  given {given}\n  want {want}\n  have {have:?}"));
        }
    }
    assert!(total > 70, "only {total} examples");
    assert!(wrong.is_empty(), "{} of {total} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn printed_examples_read_back_to_the_same_tree() {
    for line in include_str!("documented.tsv").lines().filter(|line| !line.starts_with('#')) {
        let expression = Expression::compile(line.split('\t').nth(2).unwrap()).unwrap();
        let printed = expression.to_string();
        assert_eq!(Expression::compile(&printed).unwrap().to_string(), printed);
    }
}
