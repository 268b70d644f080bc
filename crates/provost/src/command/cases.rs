//! `provost cases`: what waits for a person, the accounts in question, and the answer.

use provost_engine::cases::{Candidate, Case, CaseTrace, Named};
use provost_engine::decide::Answer;
use provost_model::JobName;
use provost_store::AnswerRow;

use super::hold::user;
use crate::cli::{CasesArgs, CasesCommand, CasesResolveArgs, CasesShowArgs, Global};
use crate::error::{Exit, Result};
use crate::output::{Output, Table, time};
use crate::setup::{Setup, context};

pub async fn run(global: &Global, args: CasesArgs, output: Output) -> Result<Exit> {
    let setup = Setup::open(global).await?;
    match args.command {
        None => list(&setup, args.job.as_deref(), output).await,
        Some(CasesCommand::Show(args)) => show(&setup, &args, output).await,
        Some(CasesCommand::Resolve(args)) => resolve(&setup, args, output).await,
    }
}

async fn list(setup: &Setup, job: Option<&str>, output: Output) -> Result<Exit> {
    let names: Vec<&JobName> = match job {
        Some(job) => vec![setup.configuration.job(job)?.0],
        None => setup.configuration.jobs.keys().collect(),
    };
    let mut cases: Vec<Case> = Vec::new();
    for name in names {
        cases.extend(setup.engine.cases(name).await?);
    }
    if output.json {
        output.json(&cases)?;
        return Ok(Exit::Done);
    }
    if cases.is_empty() {
        output.note("nothing waits for a person");
        return Ok(Exit::Done);
    }
    let mut table = Table::new(["job", "class", "object", "name", "since", "situation", "answer", "what"]);
    for Case { waiting, answer } in cases {
        let row = waiting.row;
        let answer = answer.as_ref().map(words).unwrap_or_default();
        let since = time(row.first_failed);
        let job = row.job.to_string();
        let situation = row.situation.unwrap_or_else(|| row.code.to_string());
        let (class, id) = (row.class.to_string(), row.source_id.to_string());
        table.row([job, class, id, waiting.name, since, situation, answer, row.message]);
    }
    let mut data = output.data();
    data.table(table)?;
    data.end()?;
    output.hint("`provost cases show JOB OBJECT` shows the accounts in question");
    Ok(Exit::Done)
}

fn words(answer: &AnswerRow) -> String {
    let account = answer.target_id.as_ref().map(|id| format!(" {id}")).unwrap_or_default();
    format!("{}{account}, {}", answer.reaction, answer.who)
}

async fn show(setup: &Setup, args: &CasesShowArgs, output: Output) -> Result<Exit> {
    let (name, spec) = setup.job(&args.job)?;
    let trace = setup
        .engine
        .case(name, spec, Named { class: args.class.as_deref(), id: &args.id }, &context(output, name))
        .await;
    let trace = trace.map_err(|error| setup.configuration.explain(error))?;
    if output.json {
        output.json(&trace)?;
        return Ok(Exit::Done);
    }
    let CaseTrace { case, candidates } = trace;
    let row = &case.waiting.row;
    let mut data = output.data();
    data.line(format_args!(
        "{} `{}` ({}), since {}",
        row.class,
        case.waiting.name,
        row.source_id,
        time(row.first_failed)
    ))?;
    data.line(format_args!("[{}] {}", row.code, row.message))?;
    if let Some(answer) = &case.answer {
        data.line(format_args!("answered: {}; the next cycle acts on it", words(answer)))?;
    }
    if candidates.is_empty() {
        data.line("no account at the target matches now")?;
    } else {
        let mut table = Table::new(["account", "likeness", "linked with", "attribute", "source", "target"]).right(1);
        for candidate in &candidates {
            rows(&mut table, candidate);
        }
        data.table(table)?;
    }
    data.end()?;
    output.hint(format_args!(
        "`provost cases resolve {name} {}` with --adopt ACCOUNT, --create or --update answers",
        row.source_id
    ));
    Ok(Exit::Done)
}

/// One line an attribute; the account stands in its first.
fn rows(table: &mut Table, candidate: &Candidate) {
    let likeness = candidate.score.map(|score| score.to_string()).unwrap_or_default();
    let owner = candidate.linked_with.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut head = [candidate.target_id.to_string(), likeness, owner];
    for one in &candidate.attributes {
        let [account, likeness, owner] = std::mem::take(&mut head);
        table.row([account, likeness, owner, one.attribute.to_string(), one.source.clone(), one.target.clone()]);
    }
    if candidate.attributes.is_empty() {
        let [account, likeness, owner] = head;
        table.row([account, likeness, owner, String::new(), String::new(), String::new()]);
    }
}

async fn resolve(setup: &Setup, args: CasesResolveArgs, output: Output) -> Result<Exit> {
    let (name, spec) = setup.job(&args.job)?;
    let answer = match (args.adopt, args.create) {
        (Some(account), _) => Answer::Adopt(account.into()),
        (None, true) => Answer::Create,
        (None, false) => Answer::Update,
    };
    let of = Named { class: args.class.as_deref(), id: &args.id };
    let who = user().unwrap_or_else(|| "somebody".to_owned());
    let case = setup.engine.answer(name, spec, of, answer, &who, &context(output, name)).await;
    let case = case.map_err(|error| setup.configuration.explain(error))?;
    if output.json {
        output.json(&case)?;
    } else {
        let answer = case.answer.as_ref().map(words).unwrap_or_default();
        output.note(format_args!("the case `{}` of job `{name}` is answered: {answer}", args.id));
        let found_by_reading = matches!(case.waiting.row.situation.as_deref(), Some("missing" | "changed"));
        output.hint(match found_by_reading {
            true => format!("the next reconcile acts on it: `provost run {name} --reconcile`"),
            false => format!("the next cycle acts on it: `provost run {name}`, or by its schedule"),
        });
    }
    Ok(Exit::Done)
}
