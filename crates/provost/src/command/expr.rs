//! `provost expr`: one expression on one object, or a line of NDJSON each.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, BufRead, BufReader};

use clap::CommandFactory as _;
use provost_lang::{Context, Environment, EvalError, Expression, LangError, Outcome, Trace, Traced, functions};
use provost_model::{Attributes, Clock, Code, Place, SystemClock, Text, Timestamp, Value};
use serde::{Deserialize, Serialize};

use super::{read_attributes, without_place};
use crate::cli::{Cli, ExprArgs};
use crate::config::tables;
use crate::error::{Error, Exit, Result};
use crate::output::{Output, Style, Table};
use crate::problem::{Problem, Source};

/// Compiled expressions that a batch keeps; a batch usually tries few expressions on many objects.
const KEPT: usize = 1_000;

/// One line of a batch.
#[derive(Deserialize)]
struct Question {
    expression: String,
    #[serde(default)]
    attributes: Attributes,
    #[serde(default)]
    now: Option<Timestamp>,
    #[serde(default)]
    taken: Vec<String>,
    #[serde(default)]
    domain: Option<String>,
    #[serde(default)]
    tables: BTreeMap<Text, provost_lang::Table>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Value(Value),
    Ignored(&'static str),
    #[serde(untagged)]
    Failed(Failure),
}

/// All that is wrong, in one line for people and one by one for programs.
#[derive(Serialize)]
pub(super) struct Failure {
    error: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Finding>,
}

/// One mistake and its place in the text that was asked about.
#[derive(Serialize)]
struct Finding {
    code: Code,
    #[serde(flatten)]
    place: Place,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl Failure {
    /// Of a line that is no question.
    pub(super) fn unread(error: &serde_json::Error) -> Self {
        let error = format!("PRV-0706: the line cannot be read: {}", without_place(error));
        Self { error, errors: Vec::new() }
    }

    fn of_evaluation(error: &EvalError, source: &str) -> Self {
        let finding = Finding {
            code: error.code.clone(),
            place: Place::of(source, &error.span),
            message: error.message.clone(),
            hint: error.hint.clone(),
        };
        Self { error: format!("{}: {error}", error.code), errors: vec![finding] }
    }
}

impl From<&[LangError]> for Failure {
    fn from(errors: &[LangError]) -> Self {
        let listed: Vec<String> = errors.iter().map(|error| format!("{}: {error}", error.code)).collect();
        let finding = |error: &LangError| Finding {
            code: error.code.clone(),
            place: error.place,
            message: error.message.clone(),
            hint: error.hint.clone(),
        };
        Self { error: listed.join("; "), errors: errors.iter().map(finding).collect() }
    }
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Value(value) => Answer::Value(value),
            Outcome::Clear => Answer::Value(Value::Null),
            Outcome::IgnoreAttribute => Answer::Ignored("attribute"),
            Outcome::IgnoreObject => Answer::Ignored("object"),
        }
    }
}

pub fn run(mut args: ExprArgs, output: Output) -> Result<Exit> {
    if let Some(name) = &args.help {
        return match name {
            Some(name) => help(Some(name), output),
            None => usage(output),
        };
    }
    let environment = environment(&args)?;
    match (args.expression.take(), &args.help_function) {
        (_, Some(name)) => help(name.as_deref(), output),
        (Some(expression), None) => one(&expression, &args, &environment, output),
        (None, None) => batch(environment, output),
    }
}

/// The domain and the tables of the command line.
fn environment(args: &ExprArgs) -> Result<Environment> {
    let environment = match &args.tables {
        None => Environment::new(),
        Some(file) => {
            let wrong = |why: String| {
                Problem::new("PRV-0706", format!("cannot read the tables of `{}`: {why}", file.display()))
                    .hint("write a JSON object of tables, such as {\"countries\": {\"DE\": \"Germany\"}}")
            };
            let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
            tables::of_json(&text).map_err(|error| wrong(error.to_string()))?
        }
    };
    Ok(match &args.domain {
        Some(domain) => environment.with_default_domain(domain.as_str()),
        None => environment,
    })
}

fn one(text: &str, args: &ExprArgs, environment: &Environment, output: Output) -> Result<Exit> {
    let attributes = match &args.attributes {
        Some(json) => read_attributes(json, "--attributes")?,
        None => Attributes::new(),
    };
    let source = Source::new("EXPR", text);
    let expression = match Expression::compile_with(text, environment) {
        Ok(expression) => expression,
        Err(errors) if output.json => {
            output.json(&Answer::Failed(Failure::from(errors.as_slice())))?;
            return Ok(Exit::Failed);
        }
        Err(errors) => {
            let problems = errors.iter().map(|error| Problem::of_language(error, &source));
            return Err(Error::Problems(problems.collect()));
        }
    };
    let taken = Taken::new(&args.taken);
    let is_taken = |value: &str| taken.has(value);
    let context = Context::new(&attributes, args.now.unwrap_or_else(|| SystemClock.now())).with_taken(&is_taken);
    let failure = if args.trace {
        // The trace ends with the outcome; evaluating once more would give another Guid.
        let trace = expression.trace(&context);
        print_trace(&trace, output)?;
        match trace.result {
            Traced::Error(error) => error,
            _ => return Ok(Exit::Done),
        }
    } else {
        match expression.eval(&context) {
            Ok(outcome) => {
                print(outcome, output)?;
                return Ok(Exit::Done);
            }
            Err(error) => error,
        }
    };
    report(failure, &source, args.trace, output)
}

fn print_trace(trace: &Trace, output: Output) -> Result<()> {
    if output.json {
        return output.json(trace);
    }
    let mut data = output.data();
    data.line(trace.to_string().trim_end())?;
    data.end()
}

fn report(error: EvalError, source: &Source, is_traced: bool, output: Output) -> Result<Exit> {
    if output.json {
        if !is_traced {
            output.json(&Answer::Failed(Failure::of_evaluation(&error, &source.text)))?;
        }
        return Ok(Exit::Failed);
    }
    let mut message = error.message.clone();
    if let Some(found) = &error.found {
        message = format!("{message}: `{found}`");
    }
    let problem = Problem::new("", message).at(source.place(error.span.clone()));
    Err(Problem { code: error.code, hint: error.hint, ..problem }.into())
}

/// Values that others have, compared without letter case.
pub(super) struct Taken(HashSet<String>);

impl Taken {
    pub fn new(values: &[String]) -> Self {
        Self(values.iter().map(|value| value.to_lowercase()).collect())
    }

    pub fn has(&self, value: &str) -> bool {
        self.0.contains(&value.to_lowercase())
    }
}

fn print(outcome: Outcome, output: Output) -> Result<()> {
    if output.json {
        return output.json(&Answer::from(outcome));
    }
    let mut data = output.data();
    match outcome {
        Outcome::Value(value) => data.line(value)?,
        Outcome::Clear => data.line(Value::Null)?,
        Outcome::IgnoreAttribute => data.line("IgnoreAttributeFlow")?,
        Outcome::IgnoreObject => data.line("IgnoreObjectFlow")?,
    }
    data.end()
}

fn batch(environment: Environment, output: Output) -> Result<Exit> {
    let now = SystemClock.now();
    let mut compiled = Compiled { environment, kept: HashMap::new() };
    answer_lines(output, |line| compiled.answer(line, now))
}

/// Answers every line of stdin that is not blank. What was answered is written as soon as no more lines wait.
pub(super) fn answer_lines<A: Serialize>(output: Output, mut answer: impl FnMut(&[u8]) -> A) -> Result<Exit> {
    // Our own buffer, because std's does not tell whether another line waits in it.
    let mut input = BufReader::with_capacity(64 << 10, io::stdin());
    let mut data = output.data();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input.read_until(b'\n', &mut line).map_err(|error| {
            Problem::new("PRV-0706", format!("cannot read stdin: {error}")).hint("check what is piped into the command")
        })?;
        if read == 0 {
            data.end()?;
            return Ok(Exit::Done);
        }
        if !line.trim_ascii().is_empty() {
            data.json_line(&answer(line.trim_ascii()))?;
        }
        if input.buffer().is_empty() {
            data.flush()?;
        }
    }
}

struct Compiled {
    /// What the command line gives.
    environment: Environment,
    kept: HashMap<String, Result<Expression, Vec<LangError>>>,
}

impl Compiled {
    fn answer(&mut self, line: &[u8], now: Timestamp) -> Answer {
        let question: Question = match serde_json::from_slice(line) {
            Ok(question) => question,
            Err(error) => return Answer::Failed(Failure::unread(&error)),
        };
        let own;
        let expression = if question.tables.is_empty() {
            self.get(question.expression)
        } else {
            let environment = self.environment.clone().with_tables(question.tables);
            own = Expression::compile_with(&question.expression, &environment);
            own.as_ref()
        };
        let expression = match expression {
            Ok(expression) => expression,
            Err(errors) => return Answer::Failed(Failure::from(errors.as_slice())),
        };
        let taken = Taken::new(&question.taken);
        let is_taken = |value: &str| taken.has(value);
        let mut context = Context::new(&question.attributes, question.now.unwrap_or(now)).with_taken(&is_taken);
        if let Some(domain) = &question.domain {
            context = context.with_default_domain(domain);
        }
        match expression.eval(&context) {
            Ok(outcome) => outcome.into(),
            Err(error) => Answer::Failed(Failure::of_evaluation(&error, expression.source())),
        }
    }

    fn get(&mut self, text: String) -> Result<&Expression, &Vec<LangError>> {
        if self.kept.len() >= KEPT && !self.kept.contains_key(&text) {
            self.kept.clear();
        }
        let compile = |text: &String| Expression::compile_with(text, &self.environment);
        self.kept.entry(text).or_insert_with_key(compile).as_ref()
    }
}

/// What clap prints for `--help`, whose flag takes a function's name here.
fn usage(output: Output) -> Result<Exit> {
    let mut cli = Cli::command();
    cli.build();
    let mut data = output.data();
    if let Some(command) = cli.find_subcommand_mut("expr") {
        data.line(command.render_help().to_string().trim_end())?;
    }
    data.end()?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct FunctionHelp {
    name: &'static str,
    signature: String,
    about: &'static str,
    edges: &'static [&'static str],
    examples: Vec<ExampleHelp>,
}

#[derive(Serialize)]
struct ExampleHelp {
    expression: &'static str,
    given: &'static str,
    /// What it depends on, a line each.
    surroundings: Vec<String>,
    result: &'static str,
}

fn help(name: Option<&str>, output: Output) -> Result<Exit> {
    let asked: Vec<FunctionHelp> = match name {
        None => functions().map(describe).collect(),
        Some(name) => match provost_lang::function(name) {
            Some(function) => vec![describe(function)],
            None => {
                let near = provost_engine::rule::nearest(name, functions().map(|function| function.name));
                let problem = Problem::new("PRV-0203", format!("there is no function `{name}`"));
                return Err(Error::Usage(match near {
                    Some(near) => problem.hint(format!("did you mean `{near}`?")),
                    None => problem.hint("`provost expr --help-function` lists all"),
                }));
            }
        },
    };
    if output.json {
        output.json(&asked)?;
        return Ok(Exit::Done);
    }
    let mut data = output.data();
    match name {
        None => {
            let mut table = Table::new(["function", "what it does"]);
            for function in &asked {
                let first = function.about.split_once(". ").map_or(function.about, |(first, _)| first);
                table.row([function.signature.clone(), first.trim_end_matches('.').to_owned()]);
            }
            data.table(table)?;
        }
        Some(_) => {
            for function in &asked {
                let signature = data.paint(Style::Bold, &function.signature);
                data.line(signature)?;
                data.line(format_args!("\n{}\n", function.about))?;
                for edge in function.edges {
                    data.line(format_args!("- {edge}"))?;
                }
                for example in &function.examples {
                    data.line(format_args!("\n  {}", example.expression))?;
                    for line in &example.surroundings {
                        data.line(format_args!("    {line}"))?;
                    }
                    data.line(format_args!("    = {}", example.result))?;
                }
            }
        }
    }
    data.end()?;
    Ok(Exit::Done)
}

fn describe(function: &'static provost_lang::Function) -> FunctionHelp {
    let example = |example: &'static provost_lang::Example| ExampleHelp {
        expression: example.expression,
        given: example.given,
        surroundings: example.surroundings(),
        result: example.result,
    };
    FunctionHelp {
        name: function.name,
        signature: function.signature(),
        about: function.about,
        edges: function.edges,
        examples: function.examples.iter().map(example).collect(),
    }
}
