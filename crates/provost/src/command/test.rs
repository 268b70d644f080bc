//! `provost test`: the examples of the configuration through scope and mappings, offline.
//!
//! The rules run against classes that have any attribute, so a value keeps the type that its expression gives; `True` and
//! `true`, `7` and `"7"` count as the same here, because the target's type decides between them later.

use std::collections::BTreeMap;

use provost_connector::Capabilities;
use provost_engine::decide::{Projected, project};
use provost_engine::rule::{Job, Rule, compile, nearest};
use provost_engine::spec::{JobSpec, TestSpec};
use provost_model::{Clock, JobName, Record, SystemClock, Timestamp, Value};
use serde::Serialize;

use super::trace::shown;
use crate::cli::{FileArgs, Global};
use crate::config::Configuration;
use crate::error::{Error, Exit, Result};
use crate::output::{Output, Style};
use crate::problem::Place;

#[derive(Serialize)]
struct Report {
    passed: usize,
    failed: usize,
    tests: Vec<Outcome>,
}

#[derive(Serialize)]
struct Outcome {
    job: JobName,
    test: usize,
    passed: bool,
    #[serde(flatten)]
    place: Place,
    problems: Vec<String>,
}

pub fn run(global: &Global, args: FileArgs, output: Output) -> Result<Exit> {
    let file = args.file.as_ref().unwrap_or(&global.config);
    let configuration = Configuration::load(file)?;
    let now = SystemClock.now();
    let mut tests = Vec::new();
    for (name, spec) in &configuration.jobs {
        if spec.tests.is_empty() {
            continue;
        }
        let job = rules(&configuration, name, spec)?;
        for (at, test) in spec.tests.iter().enumerate() {
            let problems = run_one(&job, test, now);
            let place = configuration.place(&format!("jobs.{name}.tests[{at}]"));
            tests.push(Outcome { job: name.clone(), test: at, passed: problems.is_empty(), place, problems });
        }
    }
    let failed = tests.iter().filter(|test| !test.passed).count();
    let report = Report { passed: tests.len() - failed, failed, tests };
    print(&report, output)?;
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}

fn print(report: &Report, output: Output) -> Result<()> {
    if output.json {
        return output.json(report);
    }
    let mut data = output.data();
    for test in &report.tests {
        let word = if test.passed { data.paint(Style::Green, "ok  ") } else { data.paint(Style::Red, "FAIL") };
        data.line(format_args!("{word} {} tests[{}]  {}:{}", test.job, test.test, test.place.file, test.place.line))?;
        for problem in &test.problems {
            data.line(format_args!("       {problem}"))?;
        }
    }
    data.line(format_args!("{} passed, {} failed", report.passed, report.failed))?;
    data.end()?;
    if report.tests.is_empty() {
        output.hint("write examples under `tests:` of a job, each with `given:` and `expect:`");
    }
    Ok(())
}

fn rules(configuration: &Configuration, name: &JobName, spec: &JobSpec) -> Result<Job> {
    let (source, target) = crate::config::check::open_schemas(spec);
    compile(name, spec, &source, &target, &Capabilities::default())
        .map_err(|problems| Error::Problems(problems.iter().map(|problem| configuration.locate(problem)).collect()))
}

/// What is wrong; nothing when the test passes.
fn run_one(job: &Job, test: &TestSpec, now: Timestamp) -> Vec<String> {
    let rule = match &test.class {
        Some(class) => job.rules.iter().find(|rule| rule.from == *class),
        None => job.rules.first(),
    };
    let Some(rule) = rule else {
        let classes: Vec<&str> = job.rules.iter().map(|rule| rule.from.as_str()).collect();
        return vec![format!(
            "no rule reads class `{}`; there are: {}",
            test.class.as_deref().unwrap_or("?"),
            classes.join(", ")
        )];
    };
    let mut record = Record::new(rule.from.clone(), "test");
    record.attributes = test.given.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    if let Some(scope) = &rule.scope
        && !scope.matches(&record.attributes)
    {
        let clauses = scope.clauses(&record.attributes);
        let failed = clauses.iter().filter(|clause| !clause.matched);
        let failed: Vec<String> = failed.map(|c| format!("{} [{}]", c.clause, shown(c.value.as_ref()))).collect();
        return vec![format!("the object is out of scope: {}", failed.join("; "))];
    }
    match project(rule, &record, now) {
        Ok(Some(projection)) => compare(rule, &projection.0, &test.expect),
        Ok(None) => vec!["the rules ignore the object".to_owned()],
        Err(fault) => vec![format!("{}: {}", fault.code, fault.message)],
    }
}

fn compare(rule: &Rule, projected: &[Projected], expect: &BTreeMap<String, Value>) -> Vec<String> {
    let mut problems = Vec::new();
    for (attribute, expected) in expect {
        let Some(at) = rule.mappings.iter().position(|mapping| mapping.key.eq_ignore_ascii_case(attribute)) else {
            let near = nearest(attribute, rule.mappings.iter().map(|mapping| mapping.key.as_str()));
            let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            problems.push(format!("{attribute}: no mapping gives it{hint}"));
            continue;
        };
        let given = match &projected[at] {
            Projected::Value(value) => value.clone(),
            Projected::Null => Value::Null,
            Projected::Ignored => {
                problems.push(format!("{attribute}: expected {}, and the mapping ignores it", shown(Some(expected))));
                continue;
            }
            Projected::References(references) => {
                let ids = references.iter().map(|reference| Value::text(reference.id.as_str())).collect();
                Value::List(ids)
            }
        };
        if !same(&given, expected) {
            problems.push(format!("{attribute}: expected {}, got {}", shown(Some(expected)), shown(Some(&given))));
        }
    }
    problems
}

/// Equal, or equal as texts; an empty value is a null.
fn same(given: &Value, expected: &Value) -> bool {
    if given == expected || (given.is_unassigned() && expected.is_unassigned()) {
        return true;
    }
    match (given, expected) {
        (Value::List(given), Value::List(expected)) => {
            given.len() == expected.len() && given.iter().zip(expected).all(|(given, expected)| same(given, expected))
        }
        (Value::List(given), expected) => given.len() == 1 && same(&given[0], expected),
        (Value::Boolean(value), other) | (other, Value::Boolean(value)) => {
            other.to_text().is_some_and(|text| text.eq_ignore_ascii_case(if *value { "true" } else { "false" }))
        }
        _ => match (given.to_text(), expected.to_text()) {
            (Some(given), Some(expected)) => given == expected,
            _ => false,
        },
    }
}
