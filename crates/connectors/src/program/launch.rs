//! The surroundings of a child: an environment of few names, a folder of its own, limits, and streams that are ours.

use std::process::Stdio;

use provost_connector::{ConnectorError, ErrorCode};
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// What a child gets of our own environment: where programs are, language, time zone, and where certificates are.
const HANDED_ON: [&str; 9] =
    ["PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "SYSTEMROOT", "WINDIR"];

/// Sets limits that the program inherits and cannot raise, then becomes the program. No core is written: it would hold
/// secrets. Arguments: address space in KiB and processor time in seconds, each `-` for none, then the command.
#[cfg(unix)]
const WRAPPER: &str = r#"
memory=$1 cpu=$2
shift 2
ulimit -c 0
[ "$memory" = - ] || ulimit -v "$memory" || exit 126
[ "$cpu" = - ] || ulimit -t "$cpu" || exit 126
exec "$@"
"#;

/// A child that runs, and its folder where that is a temporary one.
pub(crate) struct Launched {
    pub child: Child,
    pub group: Group,
    pub folder: Option<TempDir>,
}

/// How a child is started.
pub(crate) struct Launch<'a> {
    pub name: &'a str,
    pub argv: &'a [String],
    pub environment: Vec<&'a str>,
    /// Set beside those: how the program knows who starts it.
    pub set: (&'a str, &'a str),
    pub folder: Option<&'a std::path::Path>,
    pub memory: Option<u64>,
    pub cpu: Option<std::time::Duration>,
}

/// Starts a program.
pub(crate) fn launch(what: &Launch<'_>) -> Result<Launched, ConnectorError> {
    let cannot = |why: &str, error: std::io::Error| {
        let message = format!("the program `{}` was not started: {why}: {error}", what.name);
        ConnectorError::new(ErrorCode::InvalidConfig, message)
    };
    let (path, folder) = match what.folder {
        Some(path) => {
            std::fs::create_dir_all(path).map_err(|error| cannot(&format!("its folder {}", path.display()), error))?;
            (path.to_owned(), None)
        }
        None => {
            let folder = tempfile::Builder::new().prefix("provost-connector-").tempdir();
            let folder = folder.map_err(|error| cannot("a temporary folder", error))?;
            (folder.path().to_owned(), Some(folder))
        }
    };
    let mut command = command(what)?;
    command.env_clear().current_dir(&path).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in HANDED_ON.iter().chain(&what.environment) {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command.env("HOME", &path).env("TMPDIR", &path);
    // Python would write beside the program, which is then another one than was approved.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command.env(what.set.0, what.set.1);
    let child = command.spawn().map_err(|error| cannot(&what.argv.join(" "), error))?;
    Ok(Launched { group: Group::of(&child), child, folder })
}

#[cfg(unix)]
fn command(what: &Launch<'_>) -> Result<Command, ConnectorError> {
    // In a group of its own, so that what it starts ends with it, and so that Ctrl-C in a terminal is for us alone.
    let mut command = Command::new("/bin/sh");
    let text = |limit: Option<u64>| limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
    let (memory, cpu) = (what.memory.map(|bytes| bytes >> 10), what.cpu.map(|time| time.as_secs().max(1)));
    command.args(["-c", WRAPPER, "sh", &text(memory), &text(cpu)]).args(what.argv).process_group(0);
    Ok(command)
}

#[cfg(not(unix))]
fn command(what: &Launch<'_>) -> Result<Command, ConnectorError> {
    if what.memory.is_some() || what.cpu.is_some() {
        let message = "`memory` and `cpu` cannot be limited on this system";
        return Err(ConnectorError::new(ErrorCode::InvalidConfig, message).hint("leave them out"));
    }
    let (program, arguments) =
        what.argv.split_first().ok_or_else(|| ConnectorError::new(ErrorCode::InvalidConfig, "`command` is empty"))?;
    let mut command = Command::new(program);
    command.args(arguments);
    Ok(command)
}

/// The group of a child, of which it is the first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Group(#[cfg(unix)] Option<rustix::process::Pid>);

impl Group {
    #[cfg(unix)]
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw))
    }

    #[cfg(not(unix))]
    fn of(_: &Child) -> Self {
        Self()
    }

    /// Ends everything in it, also when the child itself has ended: its number is not given out again while it is that of a
    /// group.
    pub fn kill(self) {
        #[cfg(unix)]
        if let Some(group) = self.0 {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

/// Ends a child and everything that it started and that did not leave its group.
pub(crate) fn kill(child: &mut Child, group: Group) {
    group.kill();
    let _ = child.start_kill();
}

/// How a child ended, for people.
pub(crate) fn ending(status: std::io::Result<std::process::ExitStatus>) -> String {
    match status {
        Err(error) => format!("it ended, and how is not known: {error}"),
        Ok(status) => {
            #[cfg(unix)]
            if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
                return format!("it was ended by signal {signal}");
            }
            match status.code() {
                Some(code) => format!("it ended with status {code}"),
                None => "it ended".to_owned(),
            }
        }
    }
}
