//! `provost filter`: one filter on one object, or a line of NDJSON each.

use std::collections::HashMap;

use provost_lang::{LangError, ScopeFilter};
use provost_model::{Attributes, Filter};
use serde::{Deserialize, Serialize};

use super::expr::{answer_lines, listed};
use super::{parse_filter, read_attributes, without_place};
use crate::cli::FilterArgs;
use crate::error::{Error, Exit, Result};
use crate::output::Output;
use crate::problem::{Problem, Source};

const KEPT: usize = 1_000;

/// One line of a batch.
#[derive(Deserialize)]
struct Question {
    filter: String,
    record: Attributes,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Matches(bool),
    Error(String),
}

pub fn run(args: FilterArgs, output: Output) -> Result<Exit> {
    match (args.filter, args.record) {
        (Some(filter), Some(record)) => one(&filter, &record, output),
        _ => {
            let mut compiled = Compiled::default();
            answer_lines(output, |line| compiled.answer(line))
        }
    }
}

fn one(text: &str, record: &str, output: Output) -> Result<Exit> {
    let record = read_attributes(record, "--record")?;
    if output.json {
        let answer = match compile(text) {
            Ok(filter) => Answer::Matches(filter.matches(&record)),
            Err(error) => Answer::Error(error),
        };
        output.json(&answer)?;
        return Ok(if matches!(answer, Answer::Error(_)) { Exit::Failed } else { Exit::Done });
    }
    let parsed = parse_filter(text, "FILTER").map_err(|error| match error {
        // Here the filter is what is examined, not how the command is called.
        Error::Usage(problem) => Error::Problems(vec![problem]),
        other => other,
    })?;
    let filter = ScopeFilter::compile(&parsed).map_err(|errors| {
        let source = Source::new("FILTER", text);
        let located = |error: &LangError| {
            let problem = Problem::new("", error.message.clone()).at(source.place(error.span.clone()));
            Problem { code: error.code.clone(), hint: error.hint.clone(), ..problem }
        };
        Error::Problems(errors.iter().map(located).collect())
    })?;
    let mut data = output.data();
    data.line(filter.matches(&record))?;
    data.end()?;
    Ok(Exit::Done)
}

fn compile(text: &str) -> Result<ScopeFilter, String> {
    let filter: Filter = text.parse().map_err(|error| format!("PRV-0201: {error}"))?;
    ScopeFilter::compile(&filter).map_err(|errors| listed(&errors))
}

#[derive(Default)]
struct Compiled(HashMap<String, Result<ScopeFilter, String>>);

impl Compiled {
    fn answer(&mut self, line: &[u8]) -> Answer {
        let question: Question = match serde_json::from_slice(line) {
            Ok(question) => question,
            Err(error) => {
                return Answer::Error(format!("PRV-0706: the line cannot be read: {}", without_place(&error)));
            }
        };
        if self.0.len() >= KEPT && !self.0.contains_key(&question.filter) {
            self.0.clear();
        }
        match self.0.entry(question.filter).or_insert_with_key(|text| compile(text)) {
            Ok(filter) => Answer::Matches(filter.matches(&question.record)),
            Err(error) => Answer::Error(error.clone()),
        }
    }
}
