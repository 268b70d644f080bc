//! The mapping language over HTTP: the same checks as those of a job's rules, with a place for each finding.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use provost_directory::Types;
use provost_engine::rule::{read_expression, read_filter};
use provost_lang::{Context, Environment, Expression, LangError, Outcome, Table, nearest};
use provost_model::{AttributeSchema, Attributes, ClassSchema, Code, Place, Severity, Text, Timestamp, Value};
use serde::{Deserialize, Serialize};

use super::{Refusal, answer, read};
use crate::ServerState;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ExpressionQuestion {
    expression: String,
    #[serde(default)]
    schema: Option<Known>,
    /// What `Lookup` reads: keys and values by the table's name.
    #[serde(default)]
    tables: BTreeMap<Text, Table>,
    /// What `DefaultDomain` gives.
    #[serde(default)]
    domain: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilterQuestion {
    filter: String,
    #[serde(default)]
    schema: Option<Known>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EvaluateQuestion {
    expression: String,
    #[serde(default)]
    attributes: Attributes,
    #[serde(default)]
    now: Option<Timestamp>,
    #[serde(default)]
    taken: Vec<String>,
    /// What `Lookup` reads: keys and values by the table's name.
    #[serde(default)]
    tables: BTreeMap<Text, Table>,
    /// What `DefaultDomain` gives.
    #[serde(default)]
    domain: Option<Text>,
}

/// What a job's configuration would give.
fn environment(tables: BTreeMap<Text, Table>, domain: Option<Text>) -> Environment {
    let environment = Environment::new().with_tables(tables);
    match domain {
        Some(domain) => environment.with_default_domain(domain),
        None => environment,
    }
}

/// What is known of the source. Without it attributes may have any name and kind.
#[derive(Deserialize)]
#[serde(untagged)]
enum Known {
    /// A class of the directory.
    Class(String),
    Attributes(Vec<AttributeSchema>),
}

#[derive(Serialize)]
struct Findings {
    errors: Vec<Finding>,
}

#[derive(Serialize)]
struct Finding {
    #[serde(flatten)]
    place: Place,
    code: Code,
    severity: Severity,
    message: String,
    hint: Option<String>,
}

impl From<LangError> for Finding {
    fn from(error: LangError) -> Self {
        let LangError { code, severity, place, message, hint, .. } = error;
        Self { place, code, severity, message, hint }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Evaluated {
    Value(Value),
    Ignored(&'static str),
    Errors(Vec<Finding>),
}

pub(super) async fn check_expression(State(state): State<ServerState>, body: Body) -> Result<Response, Refusal> {
    let question: ExpressionQuestion = read(body).await?;
    let environment = environment(question.tables, question.domain);
    let (_, found) =
        read_expression(&question.expression, &class(state.0.directory.types(), question.schema)?, &environment);
    Ok(findings(found))
}

pub(super) async fn check_filter(State(state): State<ServerState>, body: Body) -> Result<Response, Refusal> {
    let question: FilterQuestion = read(body).await?;
    let (_, found) = read_filter(&question.filter, &class(state.0.directory.types(), question.schema)?);
    Ok(findings(found))
}

pub(super) async fn evaluate(State(state): State<ServerState>, body: Body) -> Result<Response, Refusal> {
    let question: EvaluateQuestion = read(body).await?;
    let now = question.now.unwrap_or_else(|| state.0.clock.now());
    // An expression of the greatest size may take a while; requests of others need not wait for it.
    match tokio::task::spawn_blocking(move || run(question, now)).await {
        Ok(evaluated) => Ok(answer(StatusCode::OK, &evaluated)),
        Err(error) => {
            tracing::error!(error = %error, "an evaluation ended early");
            Err(Refusal::new(500, "PRV-0803", "the evaluation ended early", "report the expression as a defect"))
        }
    }
}

fn run(question: EvaluateQuestion, now: Timestamp) -> Evaluated {
    let environment = environment(question.tables, question.domain);
    let expression = match Expression::compile_with(&question.expression, &environment) {
        Ok(expression) => expression,
        Err(errors) => return Evaluated::Errors(errors.into_iter().map(Finding::from).collect()),
    };
    let taken: std::collections::HashSet<String> = question.taken.iter().map(|value| value.to_lowercase()).collect();
    let is_taken = |value: &str| taken.contains(&value.to_lowercase());
    match expression.eval(&Context::new(&question.attributes, now).with_taken(&is_taken)) {
        Ok(Outcome::Value(value)) => Evaluated::Value(value),
        Ok(Outcome::Clear) => Evaluated::Value(Value::Null),
        Ok(Outcome::IgnoreAttribute) => Evaluated::Ignored("attribute"),
        Ok(Outcome::IgnoreObject) => Evaluated::Ignored("object"),
        Err(error) => Evaluated::Errors(vec![Finding {
            place: Place::of(&question.expression, &error.span),
            code: error.code,
            severity: Severity::Error,
            message: error.message,
            hint: error.hint,
        }]),
    }
}

fn findings(found: Vec<LangError>) -> Response {
    answer(StatusCode::OK, &Findings { errors: found.into_iter().map(Finding::from).collect() })
}

fn class(types: &Types, known: Option<Known>) -> Result<ClassSchema, Refusal> {
    match known {
        None => Ok(ClassSchema { open: true, ..ClassSchema::default() }),
        Some(Known::Attributes(attributes)) => {
            Ok(ClassSchema { name: "source".into(), attributes, ..ClassSchema::default() })
        }
        Some(Known::Class(name)) => {
            let schema = types.schema();
            if let Some(class) = schema.class(&name) {
                return Ok(class.clone());
            }
            let names = || schema.classes.iter().map(|class| class.name.as_str());
            let there = match nearest(&name, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are: {}", names().collect::<Vec<_>>().join(", ")),
            };
            let message = format!("the directory has no class `{name}`; {there}");
            Err(Refusal::new(400, "PRV-0801", message, "name a class of the directory, or list the attributes"))
        }
    }
}
