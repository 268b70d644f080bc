//! Programs of others that connectors start: what they consist of, their surroundings and limits, what they may know and what
//! of it must not show.

pub(crate) mod digest;
pub(crate) mod errors;
pub(crate) mod launch;
pub(crate) mod limits;
pub(crate) mod secrets;

use std::env;
use std::path::{Path, PathBuf};

use provost_connector::{ConnectorError, Context, ErrorCode};

use digest::Files;

fn invalid(at: &str, message: String) -> ConnectorError {
    ConnectorError::new(ErrorCode::InvalidConfig, message).at(at)
}

/// The command with paths that hold in any working folder. What it names in the base folder belongs to the program; an
/// interpreter that is found by its name does not, since the system keeps it up to date.
pub(crate) fn resolve(command: &[String], base: &Path, files: &mut Files) -> Result<Vec<String>, ConnectorError> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(invalid("command", "`command` is empty".to_owned()));
    };
    if command.iter().any(|word| word.contains('\0')) {
        return Err(invalid("command", "`command` holds a NUL character".to_owned()));
    }
    let program = if program.contains(std::path::MAIN_SEPARATOR) || program.contains('/') {
        let path = base.join(program);
        files.add(&path)?;
        path
    } else {
        on_path(program).ok_or_else(|| {
            let hint = "install it, write its whole path, or `./NAME` for a file beside the configuration";
            invalid("command", format!("there is no program `{program}` on the PATH")).hint(hint)
        })?
    };
    let mut argv = vec![text(&program)?];
    for argument in arguments {
        let path = base.join(argument);
        if !argument.is_empty() && path.is_file() {
            files.add(&path)?;
            argv.push(text(&path)?);
        } else {
            argv.push(argument.clone());
        }
    }
    Ok(argv)
}

fn text(path: &Path) -> Result<String, ConnectorError> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| invalid("command", format!("the path {} is not UTF-8", path.display())))
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let names = [name.to_owned(), format!("{name}{}", env::consts::EXE_SUFFIX)];
    env::split_paths(&path).flat_map(|folder| names.clone().map(|name| folder.join(name))).find(|path| path.is_file())
}

/// Waits until the caller no longer does.
pub(crate) async fn overdue(cx: &Context) -> ConnectorError {
    let deadline = async {
        match cx.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = cx.cancel.cancelled() => ConnectorError::new(ErrorCode::Cancelled, "cancelled"),
        () = deadline => ConnectorError::new(ErrorCode::Timeout, "no answer came in time"),
    }
}

/// Where one finds out more.
pub(crate) const LOOK: &str =
    "what it wrote to its standard error is in the log with PROVOST_LOG=info,provost_connectors=debug";
