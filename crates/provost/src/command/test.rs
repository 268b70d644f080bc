//! `provost test`: the examples of the configuration through scope and mappings, offline.
//!
//! Where the target's schema is known without going online (Provost's directory) the values get its types. Else the rules run
//! against classes that have any attribute, and a value keeps the type that its expression gives; `True` and `true`, `7` and
//! `"7"` count as the same here, because the target's type decides between them later.

use std::collections::BTreeMap;

use provost_connector::Capabilities;
use provost_engine::decide::{Choice, Fault, Projected, project};
use provost_engine::rule::{Job, Rule, compile, nearest};
use provost_engine::spec::{JobSpec, TestSpec};
use provost_model::{Clock, JobName, Record, SystemClock, Timestamp, Value};
use serde::Serialize;

use super::expr::Taken;
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
            let problems = match &test.domain {
                None => run_one(&job, test, now),
                Some(domain) => {
                    let spec = JobSpec { default_domain: Some(domain.clone()), ..spec.clone() };
                    run_one(&rules(&configuration, name, &spec)?, test, now)
                }
            };
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
    let (source, open) = crate::config::check::open_schemas(spec);
    let target = configuration.known_schema(&spec.target, &provost_connectors::builtin()).unwrap_or(open);
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
    let end = provision(rule, &record, test, now);
    match (&end, expected(test)) {
        (End::Provisioned(projection), Expected::Values) => compare(rule, projection, &test.expect),
        (End::Ignored, Expected::Ignored) | (End::OutOfScope(_), Expected::OutOfScope) => Vec::new(),
        (End::Failed(fault), Expected::Error(part)) if says(fault, part) => Vec::new(),
        (_, Expected::Values) => vec![end.to_string()],
        (_, Expected::Ignored) => vec![format!("expected that the rules ignore the object; {end}")],
        (_, Expected::OutOfScope) => vec![format!("expected that the object is out of scope; {end}")],
        (_, Expected::Error(part)) => vec![format!("expected the error `{part}`; {end}")],
    }
}

/// What a test wants to see.
enum Expected<'t> {
    Values,
    Ignored,
    OutOfScope,
    Error(&'t str),
}

fn expected(test: &TestSpec) -> Expected<'_> {
    match &test.error {
        Some(part) => Expected::Error(part),
        None if test.out_of_scope => Expected::OutOfScope,
        None if test.ignored => Expected::Ignored,
        None => Expected::Values,
    }
}

/// The code, or a part of the message.
fn says(fault: &Fault, part: &str) -> bool {
    fault.code.as_str() == part || fault.message.to_lowercase().contains(&part.to_lowercase())
}

/// What became of the object of a test.
enum End {
    Provisioned(Vec<Projected>),
    Ignored,
    /// With the clauses that failed.
    OutOfScope(String),
    Failed(Fault),
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            End::Provisioned(_) => f.write_str("the object is provisioned"),
            End::Ignored => f.write_str("the rules ignore the object"),
            End::OutOfScope(clauses) => write!(f, "the object is out of scope: {clauses}"),
            End::Failed(fault) => write!(f, "{}: {}", fault.code, fault.message),
        }
    }
}

/// The object as it would be created, if it would.
fn provision(rule: &Rule, record: &Record, test: &TestSpec, now: Timestamp) -> End {
    if let Some(scope) = &rule.scope
        && !scope.matches(&record.attributes)
    {
        let clauses = scope.clauses(&record.attributes);
        let failed = clauses.iter().filter(|clause| !clause.matched);
        let failed: Vec<String> = failed.map(|c| format!("{} [{}]", c.clause, shown(c.value.as_ref()))).collect();
        return End::OutOfScope(failed.join("; "));
    }
    let taken = Taken::new(&test.taken);
    match project(rule, record, test.now.unwrap_or(now)) {
        Ok(Some(projection)) => {
            let chosen: std::result::Result<Vec<Projected>, Fault> = projection
                .0
                .into_iter()
                .map(|projected| match projected {
                    Projected::Choice(Choice { offers, otherwise }) => {
                        let free = offers.into_iter().find(|offer| !taken.has(offer));
                        free.map(|offer| Projected::Value(Value::Text(offer))).ok_or(otherwise)
                    }
                    other => Ok(other),
                })
                .collect();
            chosen.map_or_else(End::Failed, End::Provisioned)
        }
        Ok(None) => End::Ignored,
        Err(fault) => End::Failed(fault),
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
        let given = match projected[at].shown() {
            Projected::Ignored if is_ignored(expected) => continue,
            Projected::Value(value) => value.clone(),
            Projected::Null | Projected::Clear | Projected::Choice(_) | Projected::Partly(_) => Value::Null,
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

/// `{ignored: true}` in the place of a value.
fn is_ignored(expected: &Value) -> bool {
    let Value::Complex(expected) = expected else { return false };
    expected.len() == 1 && expected.get("ignored") == Some(&Value::Boolean(true))
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
