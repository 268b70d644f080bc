//! `provost`, the binary: the command line, the configuration, and the one place where all parts are put together.
//!
//! Start with [`cli`] (what can be asked for), then [`command`] (what each answer does) and [`setup`] (the wiring).

mod cli;
mod command;
mod config;
mod connections;
mod error;
mod gallery;
mod logging;
mod output;
mod problem;
mod quickstart;
mod secrets;
mod setup;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::cli::Cli;
use crate::error::{Error, Exit};
use crate::output::Output;
use crate::problem::Problem;

// docs/decisions/0005-sqlite-build.md: in a profile of bulk inserts a quarter of the time was the C library's malloc.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // All TLS of the process uses this provider; nothing may ask for one before.
    let installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    debug_assert!(installed.is_ok(), "nobody else installs a provider");
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to stdout and complaints to stderr; when neither takes it there is nobody to tell.
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Done.into(),
                _ => Exit::Usage.into(),
            };
        }
    };
    let output = Output::new(cli.global.json, cli.global.color);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output.problem(&Problem::new("PRV-0702", format!("cannot start the threads: {error}")));
            return Exit::Failed.into();
        }
    };
    let exit = match runtime.block_on(command::run(cli, output)) {
        Ok(exit) => exit,
        Err(error) => report(&error, output),
    };
    // A connection that hangs must not keep the program from ending.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    exit.into()
}

fn report(error: &Error, output: Output) -> Exit {
    match error {
        Error::BrokenPipe => Exit::Done,
        Error::Usage(problem) => {
            output.problem(problem);
            Exit::Usage
        }
        Error::Problems(problems) => {
            for (at, problem) in problems.iter().enumerate() {
                if at > 0 {
                    output.note("");
                }
                output.problem(problem);
            }
            if problems.len() > 1 {
                output.note(format_args!("\n{} problems", problems.len()));
            }
            Exit::Failed
        }
    }
}
