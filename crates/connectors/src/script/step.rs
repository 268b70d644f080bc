//! One process of a script: its input is written, its lines are read, and its end is judged.

use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use provost_connector::protocol::{LineError, Lines};
use provost_connector::{ConnectorError, Context, ErrorCode, Secret};
use serde::Serialize;
use serde_json::{Map, Value as Json};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdout};
use tokio::time::{Instant, timeout};

use super::scripts::{Job, Scripts};
use crate::program::errors::log_errors;
use crate::program::launch::{Group, Launch, ending, kill, launch};
use crate::program::secrets::Secrets;
use crate::program::{LOOK, overdue};

/// The environment variable by which a script knows who starts it, and what for.
const VARIABLE: &str = "PROVOST_SCRIPT";

/// How long a script that has closed its output may take to end.
const GOODBYE: Duration = Duration::from_secs(10);

/// The first line of a script's input.
#[derive(Debug, Serialize)]
pub(super) struct Request<'a, P: Serialize> {
    pub script: &'static str,
    /// Secrets in place of their handles.
    pub parameters: &'a Map<String, Json>,
    #[serde(flatten)]
    pub more: P,
}

/// A process under way; ended when it is dropped.
pub(super) struct Step {
    pub name: String,
    pub secrets: Arc<Secrets>,
    child: Child,
    group: Group,
    lines: Lines<ChildStdout>,
    /// Lines that were read.
    pub at: u64,
    /// What is left of the time that it is waited for. Time in which nobody waits is not its own.
    left: Duration,
    last_error: Arc<Mutex<String>>,
    _folder: Option<tempfile::TempDir>,
}

impl Drop for Step {
    fn drop(&mut self) {
        kill(&mut self.child, self.group);
    }
}

/// The parameters with secrets in place of their handles.
pub(super) async fn filled(
    parameters: &Map<String, Json>,
    secrets: &Secrets,
) -> Result<Map<String, Json>, ConnectorError> {
    let mut filled = Map::new();
    for (name, value) in parameters {
        filled.insert(name.clone(), Box::pin(fill(value, secrets)).await?);
    }
    Ok(filled)
}

async fn fill(value: &Json, secrets: &Secrets) -> Result<Json, ConnectorError> {
    Ok(match value {
        Json::Object(map) => match map.get("secret") {
            Some(Json::String(handle)) if map.len() == 1 => {
                let secret: Secret = secrets.give(handle).await?;
                secret.expose().into()
            }
            _ => Json::Object(Box::pin(filled(map, secrets)).await?),
        },
        Json::Array(values) => {
            let mut all = Vec::with_capacity(values.len());
            for value in values {
                all.push(Box::pin(fill(value, secrets)).await?);
            }
            Json::Array(all)
        }
        other => other.clone(),
    })
}

impl Step {
    /// Starts a script. An error means that nothing ran.
    pub fn start(scripts: &Scripts, job: Job, input: Vec<u8>, secrets: Arc<Secrets>) -> Result<Self, ConnectorError> {
        let (config, name) = (&scripts.config, scripts.name(job));
        let launched = launch(&Launch {
            name: &name,
            argv: &scripts.argv(job)?,
            environment: config.environment.iter().map(String::as_str).collect(),
            set: (VARIABLE, job.as_str()),
            folder: config.folder.as_deref(),
            memory: config.memory,
            cpu: config.cpu,
        })?;
        let mut child = launched.child;
        if let Some(mut stdin) = child.stdin.take() {
            tokio::spawn(async move {
                // A script that does not read its input closes it; that is its right.
                let _ = stdin.write_all(&input).await;
                let _ = stdin.shutdown().await;
            });
        }
        let last_error = Arc::new(Mutex::new(String::new()));
        if let Some(errors) = child.stderr.take() {
            let (name, secrets, last) = (name.clone(), secrets.clone(), last_error.clone());
            tokio::spawn(log_errors(errors, move |line| {
                let line = secrets.mask(line).into_owned();
                tracing::debug!(script = name, line, "written to standard error");
                *last.lock().unwrap_or_else(PoisonError::into_inner) = line;
            }));
        }
        let Some(output) = child.stdout.take() else {
            kill(&mut child, launched.group);
            return Err(ConnectorError::new(ErrorCode::Internal, format!("`{name}` has no standard output")));
        };
        let lines = Lines::new(output, config.max_line);
        let left = config.timeout;
        Ok(Self {
            name,
            secrets,
            child,
            group: launched.group,
            lines,
            at: 0,
            left,
            last_error,
            _folder: launched.folder,
        })
    }

    /// The next line, or none at the end of the output.
    pub async fn line(&mut self, cx: &Context) -> Result<Option<String>, ConnectorError> {
        let begin = Instant::now();
        let line = tokio::select! {
            line = timeout(self.left, self.lines.next()) => line,
            error = overdue(cx) => return Err(error),
        };
        self.left = self.left.saturating_sub(begin.elapsed());
        let name = &self.name;
        let refuse = |code, message: String| Err(ConnectorError::new(code, message));
        match line {
            Ok(Ok(None)) => Ok(None),
            Ok(Ok(Some(line))) => {
                self.at += 1;
                // Some interpreters begin their output with a byte order mark.
                let line = if self.at == 1 { line.trim_start_matches('\u{feff}') } else { line };
                Ok(Some(line.trim_end_matches('\r').to_owned()))
            }
            Ok(Err(LineError::TooLong { max })) => {
                refuse(ErrorCode::Protocol, format!("`{name}` wrote a line of more than {max} bytes (`max_line`)"))
            }
            Ok(Err(error @ LineError::NotUtf8)) => {
                refuse(ErrorCode::Protocol, format!("`{name}`, line {}: {error}", self.at + 1))
            }
            Ok(Err(error @ LineError::Cut)) => {
                refuse(ErrorCode::Unreadable, format!("the output of `{name}` is cut: {error}"))
            }
            Ok(Err(LineError::Io(error))) => {
                refuse(ErrorCode::Unavailable, format!("the output of `{name}` cannot be read: {error}"))
            }
            Err(_) => {
                let error =
                    ConnectorError::new(ErrorCode::Timeout, format!("`{name}` did not come to its end in time"));
                Err(error.hint("see what it waits for, or set `timeout` higher"))
            }
        }
    }

    /// After the last line: fails unless the script ended with status 0.
    pub async fn end(&mut self) -> Result<(), ConnectorError> {
        let Ok(status) = timeout(GOODBYE.min(self.left), self.child.wait()).await else {
            let message = format!("`{}` closed its output and did not end", self.name);
            return Err(ConnectorError::new(ErrorCode::Timeout, message));
        };
        if status.as_ref().is_ok_and(std::process::ExitStatus::success) {
            return Ok(());
        }
        let message = format!("`{}` did not do its work: {}", self.name, ending(status));
        Err(ConnectorError::new(ErrorCode::Unreadable, message).hint(LOOK))
    }

    /// What it wrote last to its standard error, where that may be told: before it has seen anybody's data.
    pub fn last_words(&self) -> String {
        let line = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        if line.is_empty() {
            String::new()
        } else {
            format!("; it wrote: {}", line.chars().take(200).collect::<String>())
        }
    }
}
