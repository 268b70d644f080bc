//! The engine's side of a scenario, behind a trait: a working folder with `provost.yaml`, `people.csv` and `data/`, and
//! jobs run in it as child processes. Everything that depends on Provost's command line is in this file. `Provost` runs
//! the real binary; `StandIn` runs the raw client in its place, which shows how far a ratio of equals strays from 1.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use super::child::{Measured, measure, own_command};
use crate::error::{Error, Result};

/// The inbound job of every scenario file: CSV to directory.
pub const IMPORT: &str = "hr-to-directory";
/// The outbound job: directory to sink.
pub const EXPORT: &str = "directory-to-app";
/// The name under which scenario files ask for the sink's token, which may be anything.
const SECRET: (&str, &str) = ("bench-token", "bench");

/// Where in the object that `provost run --json` prints the cycle's own duration is found (milliseconds), so that starting
/// a process is not counted into a cycle of ten milliseconds. Absent: the process's time is taken.
const CYCLE_MS: &str = "/duration_ms";
/// The same for the cycle's CPU, in seconds.
const CYCLE_CPU_SECONDS: &str = "/cpu_seconds";

/// A folder in which jobs run. Paths in its `provost.yaml` are relative, so that it can be copied.
#[derive(Debug, Clone)]
pub struct Folder {
    pub path: PathBuf,
}

impl Folder {
    #[must_use]
    pub fn people(&self) -> PathBuf {
        self.path.join("people.csv")
    }

    /// A copy of the whole folder, to start several runs from one state.
    pub fn copy(&self, to: PathBuf) -> Result<Self> {
        copy_folder(&self.path, &to)?;
        Ok(Self { path: to })
    }
}

/// What one job did.
#[derive(Debug, Clone)]
pub struct Run {
    /// Of the cycle when the engine tells it, else of the process.
    pub seconds: f64,
    pub cpu_seconds: f64,
    pub process: Measured,
    /// What the engine printed with `--json`.
    pub report: Option<Value>,
}

/// What the stand-in does in place of a job.
#[derive(Debug, Clone)]
pub enum Instead {
    /// Arguments of this program.
    Own(Vec<String>),
    Nothing,
    /// The raw client cannot do this.
    Impossible,
}

pub trait Engine {
    fn name(&self) -> String;

    /// The program, where there is one.
    fn binary(&self) -> Option<&Path> {
        None
    }

    /// Makes `folder` ready: configuration, people (a copy), secrets.
    fn prepare(&self, folder: &Path, yaml: &str, people: &Path) -> Result<Folder>;

    /// Runs a job to its end. None when this engine cannot.
    fn run(&self, folder: &Folder, job: &str, instead: &Instead) -> Result<Option<Run>>;
}

/// The binary under test.
#[derive(Debug)]
pub struct Provost {
    pub binary: PathBuf,
}

impl Provost {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).args(["--data", "data"]).env("NO_COLOR", "1");
        command
    }
}

impl Engine for Provost {
    fn name(&self) -> String {
        "provost".to_owned()
    }

    fn binary(&self) -> Option<&Path> {
        Some(&self.binary)
    }

    fn prepare(&self, folder: &Path, yaml: &str, people: &Path) -> Result<Folder> {
        let folder = lay_out(folder, yaml, people)?;
        // The secret's value goes in by standard input: it must not show in a list of processes.
        let (name, value) = SECRET;
        let mut command = self.command(&["secret", "set", name]);
        let mut child = command
            .current_dir(&folder.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .map_err(Error::file("start", &self.binary))?;
        if let Some(mut input) = child.stdin.take() {
            std::io::Write::write_all(&mut input, value.as_bytes()).map_err(Error::io("give provost the secret"))?;
        }
        let status = child.wait().map_err(Error::io("wait for provost"))?;
        if !status.success() {
            return Err(Error::Other(format!("provost secret set {name} ended with {status}")));
        }
        Ok(folder)
    }

    fn run(&self, folder: &Folder, job: &str, _: &Instead) -> Result<Option<Run>> {
        let mut command = self.command(&["run", job, "--json"]);
        command.args(["--config", "provost.yaml"]);
        let process = measure(command, &folder.path)?;
        let report: Option<Value> = serde_json::from_str(&process.stdout).ok();
        let number = |pointer| report.as_ref()?.pointer(pointer)?.as_f64();
        Ok(Some(Run {
            seconds: number(CYCLE_MS).map_or(process.seconds, |ms| ms / 1e3),
            cpu_seconds: number(CYCLE_CPU_SECONDS).unwrap_or(process.cpu.total as f64 / 1e6),
            report,
            process,
        }))
    }
}

/// The raw client and the baselines in the engine's place.
#[derive(Debug)]
pub struct StandIn;

impl Engine for StandIn {
    fn name(&self) -> String {
        "stand-in (the raw client)".to_owned()
    }

    fn prepare(&self, folder: &Path, yaml: &str, people: &Path) -> Result<Folder> {
        lay_out(folder, yaml, people)
    }

    fn run(&self, folder: &Folder, _: &str, instead: &Instead) -> Result<Option<Run>> {
        let command = match instead {
            Instead::Own(arguments) => own_command(arguments)?,
            Instead::Nothing => own_command(&["--version"])?,
            Instead::Impossible => return Ok(None),
        };
        let process = measure(command, &folder.path)?;
        let report: Option<Value> = serde_json::from_str(&process.stdout).ok();
        let number = |name: &str| report.as_ref()?.get(name)?.as_f64();
        let seconds = number("seconds").unwrap_or(process.seconds);
        let each = number("users").or_else(|| number("rows")).zip(number("cpu_us")).map(|(n, us)| n * us / 1e6);
        Ok(Some(Run { seconds, cpu_seconds: each.unwrap_or(process.cpu.total as f64 / 1e6), report, process }))
    }
}

fn lay_out(folder: &Path, yaml: &str, people: &Path) -> Result<Folder> {
    fs::create_dir_all(folder.join("data")).map_err(Error::file("create", folder))?;
    let folder = Folder { path: folder.to_owned() };
    let config = folder.path.join("provost.yaml");
    fs::write(&config, yaml).map_err(Error::file("write", &config))?;
    fs::copy(people, folder.people()).map_err(Error::file("copy", people))?;
    Ok(folder)
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(Error::file("create", to))?;
    for entry in fs::read_dir(from).map_err(Error::file("read", from))? {
        let entry = entry.map_err(Error::file("read", from))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &target)?;
        } else if path.is_file() {
            fs::copy(&path, &target).map_err(Error::file("copy", &path))?;
        }
    }
    Ok(())
}
