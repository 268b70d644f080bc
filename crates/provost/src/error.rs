//! Why a command ends early, and the exit status that scripts rely on.

use std::io;
use std::process::ExitCode;

use provost_connector::ConnectorError;
use provost_engine::error::EngineError;
use provost_store::StoreError;

use crate::problem::Problem;

/// The exit status of `provost`; stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done,
    /// Also a source that was not read to a proven end.
    Failed,
    /// `plan --exit-code`: the plan has changes.
    Changes,
    /// A guard holds the job.
    Held,
    /// sysexits.h: EX_USAGE.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Changes => 2,
            Exit::Held => 3,
            Exit::Usage => 64,
        })
    }
}

/// What ends a command.
#[derive(Debug)]
pub enum Error {
    /// Printed one after the other; the status is [`Exit::Failed`].
    Problems(Vec<Problem>),
    /// The command line itself makes no sense.
    Usage(Problem),
    /// Whoever read our output went away (`provost log | head`): the end, but no failure.
    BrokenPipe,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Error::Problems(vec![problem])
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Problem::of(&error).into()
    }
}

impl From<ConnectorError> for Error {
    fn from(error: ConnectorError) -> Self {
        Problem::of(&error).into()
    }
}

impl From<EngineError> for Error {
    fn from(error: EngineError) -> Self {
        Problem::of(&error).into()
    }
}

/// Of writing to stdout or stderr; other I/O says what it was on.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Error::BrokenPipe;
        }
        Problem::new("PRV-0704", format!("cannot write the output: {error}"))
            .hint("check that the disk or pipe behind the output takes more")
            .into()
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        match error.io_error_kind() {
            Some(kind) => io::Error::from(kind).into(),
            None => Problem::new("PRV-0704", format!("cannot write the output as JSON: {error}")).into(),
        }
    }
}
