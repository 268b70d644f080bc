//! What is started: the interpreter with each script, and whether all of them are what was approved.

use std::fmt;
use std::path::Path;

use provost_connector::{ConnectorError, ErrorCode, Settings};

use super::config::{self, Config};
use crate::program::digest::{Files, of_text};
use crate::program::resolve;

/// What a script is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Job {
    Schema,
    Import,
    Export,
    Password,
    Validate,
    Test,
}

impl Job {
    pub fn as_str(self) -> &'static str {
        match self {
            Job::Schema => "schema",
            Job::Import => "import",
            Job::Export => "export",
            Job::Password => "password",
            Job::Validate => "validate",
            Job::Test => "test",
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The scripts of one connection, approved.
#[derive(Debug, Clone)]
pub(super) struct Scripts {
    pub config: Config,
    /// The interpreter with paths that hold in any folder.
    interpreter: Vec<String>,
}

/// The digest that `approved` has to be for these settings to be used. Reads the scripts and starts none.
pub fn digest_of(settings: &Settings) -> Result<String, ConnectorError> {
    Ok(find(&config::require(settings)?)?.1)
}

fn invalid(at: &str, message: String) -> ConnectorError {
    ConnectorError::new(ErrorCode::InvalidConfig, message).at(at)
}

fn find(config: &Config) -> Result<(Vec<String>, String), ConnectorError> {
    let mut files = Files::new(&config.base);
    // No interpreter: the scripts are programs themselves.
    let interpreter = match config.interpreter.is_empty() {
        true => Vec::new(),
        false => resolve(&config.interpreter, &config.base, &mut files)?,
    };
    let mut list = format!("scripts {:?}\n", config.interpreter);
    for job in [Job::Schema, Job::Import, Job::Export, Job::Password, Job::Validate, Job::Test] {
        let Some(path) = path(config, job) else { continue };
        if !path.is_file() {
            let message = format!("there is no file {} for `{job}`", path.display());
            return Err(invalid(job.as_str(), message).hint("paths start at the configuration's folder"));
        }
        files.add(path)?;
        let name = path.strip_prefix(&config.base).unwrap_or(path);
        list.push_str(&format!("{job} {:?}\n", name.display().to_string()));
    }
    config.files.iter().try_for_each(|path| files.add(path))?;
    Ok((interpreter, of_text(&format!("{list}{}", files.list()?))))
}

fn path(config: &Config, job: Job) -> Option<&Path> {
    let paths = &config.scripts;
    match job {
        Job::Schema => Some(&paths.schema),
        Job::Import => paths.import.as_deref(),
        Job::Export => paths.export.as_deref(),
        Job::Password => paths.password.as_deref(),
        Job::Validate => paths.validate.as_deref(),
        Job::Test => paths.test.as_deref(),
    }
}

impl Scripts {
    /// The scripts, when they are those that an administrator approved. Reads all their files.
    pub fn approve(config: Config) -> Result<Self, ConnectorError> {
        let (interpreter, digest) = find(&config)?;
        let hint = format!("look at what they do, then set `approved: {digest}`");
        match &config.approved {
            None => Err(invalid("approved", "the scripts are not approved".to_owned()).hint(hint)),
            Some(approved) if *approved != digest => {
                let message = "the scripts are not those that were approved: their files have changed".to_owned();
                Err(invalid("approved", message).hint(format!("find out who changed them and why; {hint}")))
            }
            Some(_) => Ok(Self { config, interpreter }),
        }
    }

    /// The same off the asynchronous threads.
    pub async fn approve_aside(config: Config) -> Result<Self, ConnectorError> {
        tokio::task::spawn_blocking(|| Self::approve(config)).await.unwrap_or_else(|error| {
            Err(ConnectorError::new(ErrorCode::Internal, format!("the scripts were not looked at: {error}")))
        })
    }

    pub fn has(&self, job: Job) -> bool {
        path(&self.config, job).is_some()
    }

    /// The command of a script: the interpreter and its path, and nothing of what it works on.
    pub fn argv(&self, job: Job) -> Result<Vec<String>, ConnectorError> {
        let path = path(&self.config, job).ok_or_else(|| {
            ConnectorError::new(ErrorCode::NotSupported, format!("the connection has no script for `{job}`"))
                .hint(format!("name one: {job}: FILE"))
        })?;
        let text = path.to_str().ok_or_else(|| invalid(job.as_str(), format!("{} is not UTF-8", path.display())))?;
        Ok(self.interpreter.iter().cloned().chain([text.to_owned()]).collect())
    }

    /// The script's name for messages.
    pub fn name(&self, job: Job) -> String {
        let name = path(&self.config, job).and_then(Path::file_name);
        name.map_or_else(|| job.to_string(), |name| name.to_string_lossy().into_owned())
    }
}
