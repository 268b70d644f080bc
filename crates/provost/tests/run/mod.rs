//! Runs the built binary and keeps what it said.
#![allow(dead_code, reason = "each test binary uses its part of this")]
// Clippy's permission for tests covers functions marked #[test], not what they call.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// What a run said.
#[derive(Debug)]
pub struct Done {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.status, 0, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provost"));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in ["PROVOST_CONFIG", "PROVOST_DATA", "PROVOST_DATABASE", "PROVOST_LOG", "PROVOST_MASTER_KEY"] {
        command.env_remove(name);
    }
    command
}

/// Starts a command whose last argument is a path, and leaves it running.
pub fn spawn(arguments: &[&str], last: &std::path::Path) -> std::process::Child {
    command(arguments).arg(last).spawn().unwrap()
}

/// As Ctrl-C does.
pub fn interrupt(child: &std::process::Child) {
    let done = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(done.success());
}

fn feed(mut command: Command, input: &str) -> Done {
    let mut child = command.spawn().unwrap();
    // A command that does not read its input closes the pipe; that is its right.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap().into()
}

/// Runs in a folder of its own, with an empty stdin.
pub fn provost(arguments: &[&str]) -> Done {
    provost_with(arguments, "")
}

pub fn provost_with(arguments: &[&str], input: &str) -> Done {
    Folder::new().run_with(arguments, input)
}

/// Runs with a stdout that nobody reads.
pub fn provost_closed(arguments: &[&str]) -> Done {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = command(arguments);
    command.stdout(writer);
    let child = command.spawn().unwrap();
    drop(command);
    child.wait_with_output().unwrap().into()
}

/// A folder that goes with the test.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn run(&self, arguments: &[&str]) -> Done {
        self.run_with(arguments, "")
    }

    pub fn run_with(&self, arguments: &[&str], input: &str) -> Done {
        let mut command = command(arguments);
        command.current_dir(self.0.path());
        feed(command, input)
    }
}
