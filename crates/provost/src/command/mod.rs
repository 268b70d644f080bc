//! What each command does, one file each: read what is asked, call one thing, print what it answers.

mod apply;
mod cases;
mod config;
mod conformance;
mod connector;
mod control;
mod cycle;
mod doctor;
mod explain;
mod expr;
mod fake;
mod filter;
mod gallery;
mod hold;
mod log;
mod plan;
mod plans;
mod probe;
mod provision;
mod prune;
mod quickstart;
mod revert;
mod schema;
mod secret;
mod serve;
mod skeleton;
mod status;
mod test;
mod token;
mod trace;

use std::io::{self, Read};

use provost_model::{Attributes, Filter};

use crate::cli::{
    Cli, Command, ConfigCommand, ConnectorCommand, FakeCommand, GalleryCommand, GuardCommand, SchemaCommand,
    SchemaExportCommand, SchemaImportCommand, SecretCommand, TokenCommand,
};
use crate::error::{Error, Exit, Result};
use crate::logging::{self, LogFormat};
use crate::output::Output;
use crate::problem::{Problem, Source};

/// Runs a command to its end.
pub async fn run(cli: Cli, output: Output) -> Result<Exit> {
    let global = &cli.global;
    let format = match &cli.command {
        Command::Serve(args) => args.log_format,
        _ => LogFormat::Text,
    };
    logging::start(global.verbose, format, output);
    match cli.command {
        Command::Quickstart(args) => quickstart::run(global, args, output).await,
        Command::Serve(args) => serve::run(global, args, output).await,
        Command::Config(ConfigCommand::Check(args)) => config::check(global, args, output),
        Command::Test(args) => test::run(global, args, output),
        Command::Plan(args) => plan::run(global, args, output).await,
        Command::Plans(args) => plans::run(global, args, output).await,
        Command::Cases(args) => cases::run(global, args, output).await,
        Command::Apply(args) => apply::run(global, args, output).await,
        Command::Run(args) => cycle::run(global, args, output).await,
        Command::Provision(args) => provision::run(global, args, output).await,
        Command::Explain(args) => explain::run(global, args, output).await,
        Command::Log(args) => log::run(global, args, output).await,
        Command::Release(args) => hold::release(global, args, output).await,
        Command::Discard(args) => hold::discard(global, args, output).await,
        Command::Guard(GuardCommand::Reset(args)) => hold::reset(global, args, output).await,
        Command::Pause(args) => control::pause(global, args, output).await,
        Command::Resume(args) => control::resume(global, args, output).await,
        Command::Retry(args) => control::retry(global, args, output).await,
        Command::Ignore(args) => control::ignore(global, args, output).await,
        Command::Restart(args) => control::restart(global, args, output).await,
        Command::Revert(args) => revert::run(global, args, output).await,
        Command::Status => status::run(global, output).await,
        Command::Expr(args) => expr::run(args, output),
        Command::Filter(args) => filter::run(args, output),
        Command::Schema(SchemaCommand::Import(SchemaImportCommand::Entra(args))) => {
            schema::import(global, args, output)
        }
        Command::Schema(SchemaCommand::Export(SchemaExportCommand::Entra(args))) => {
            schema::export(global, args, output).await
        }
        Command::Token(TokenCommand::Create(args)) => token::create(global, args, output).await,
        Command::Token(TokenCommand::List) => token::list(global, output).await,
        Command::Token(TokenCommand::Rotate(args)) => token::rotate(global, args, output).await,
        Command::Token(TokenCommand::Revoke(args)) => token::revoke(global, args, output).await,
        Command::Token(TokenCommand::Audit(args)) => token::audit(global, args, output).await,
        Command::Secret(SecretCommand::Set(args)) => secret::set(global, args, output).await,
        Command::Connector(ConnectorCommand::List) => connector::list(output),
        Command::Connector(ConnectorCommand::Test(args)) => probe::test(global, args, output).await,
        Command::Connector(ConnectorCommand::New(args)) => skeleton::new(&args, output),
        Command::Connector(ConnectorCommand::Serve(args)) => connector::serve(&args).await,
        Command::Gallery(GalleryCommand::List) => gallery::list(global, output),
        Command::Gallery(GalleryCommand::Show(args)) => gallery::show(global, &args, output),
        Command::Gallery(GalleryCommand::Check(args)) => gallery::check(global, &args, output),
        Command::Connector(ConnectorCommand::Fake(FakeCommand::Scim(args))) => fake::scim(args, output).await,
        Command::Prune(args) => prune::run(global, args, output).await,
        Command::Doctor => doctor::run(global, output).await,
    }
}

/// A filter from the command line.
fn parse_filter(text: &str, option: &str) -> Result<Filter> {
    text.parse().map_err(|error: provost_model::filter::FilterError| {
        let place = Source::new(option, text).place(error.span.clone());
        let problem = Problem::new("PRV-0201", error.message).at(place);
        Error::Usage(Problem { hint: error.hint, ..problem })
    })
}

/// An object's attributes from the command line, or from stdin where it says `-`.
fn read_attributes(text: &str, option: &str) -> Result<Attributes> {
    let text = match text {
        "-" => {
            let mut all = String::new();
            io::stdin().lock().read_to_string(&mut all).map_err(|error| {
                Error::Usage(Problem::new("PRV-0706", format!("cannot read {option} from stdin: {error}")))
            })?;
            all
        }
        text => text.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| {
        let source = Source::new(option, text.as_str());
        let line_start: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let at = line_start + error.column().saturating_sub(1);
        let message = format!("{option} is no JSON object: {}", without_place(&error));
        let problem = Problem::new("PRV-0706", message).at(source.place(at..at));
        Error::Usage(problem.hint("write for example '{\"login\": \"ada\"}'; the shell needs the single quotes"))
    })
}

/// `1 rule`, `2 rules`.
fn counted(count: u64, word: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {word}{plural}", crate::output::number(count))
}

/// How much room the store takes, and since when it has a log.
fn room(size: &provost_store::Size) -> String {
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let free = size.free_bytes.map_or_else(String::new, |free| format!(", of which {} free", mib(free)));
    let log = size.log_since.map_or_else(String::new, |since| format!(", log since {}", crate::output::time(since)));
    format!("{}{free}{log}", mib(size.bytes))
}

/// serde_json's message without the place, which is shown by other means.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split_once(" at line ").map_or(text.clone(), |(message, _)| message.to_owned())
}
