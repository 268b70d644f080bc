//! `provost filter`: one filter on one object, or a line of NDJSON each.

use std::collections::HashMap;

use provost_lang::{LangError, ScopeFilter};
use provost_model::Attributes;
use serde::{Deserialize, Serialize};

use super::expr::{Failure, answer_lines};
use super::read_attributes;
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
    #[serde(untagged)]
    Failed(Failure),
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
    let filter = match compile(text) {
        Ok(filter) => filter,
        Err(errors) if output.json => {
            output.json(&Answer::Failed(Failure::from(errors.as_slice())))?;
            return Ok(Exit::Failed);
        }
        Err(errors) => {
            let source = Source::new("FILTER", text);
            let problems = errors.iter().map(|error| Problem::of_language(error, &source));
            return Err(Error::Problems(problems.collect()));
        }
    };
    let matches = filter.matches(&record);
    if output.json {
        output.json(&Answer::Matches(matches))?;
        return Ok(Exit::Done);
    }
    let mut data = output.data();
    data.line(matches)?;
    data.end()?;
    Ok(Exit::Done)
}

fn compile(text: &str) -> Result<ScopeFilter, Vec<LangError>> {
    ScopeFilter::parse(text, &|_| false)
}

#[derive(Default)]
struct Compiled(HashMap<String, Result<ScopeFilter, Vec<LangError>>>);

impl Compiled {
    fn answer(&mut self, line: &[u8]) -> Answer {
        let question: Question = match serde_json::from_slice(line) {
            Ok(question) => question,
            Err(error) => return Answer::Failed(Failure::unread(&error)),
        };
        if self.0.len() >= KEPT && !self.0.contains_key(&question.filter) {
            self.0.clear();
        }
        match self.0.entry(question.filter).or_insert_with_key(|text| compile(text)) {
            Ok(filter) => Answer::Matches(filter.matches(&question.record)),
            Err(errors) => Answer::Failed(Failure::from(errors.as_slice())),
        }
    }
}
