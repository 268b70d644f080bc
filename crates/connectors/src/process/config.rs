//! The settings of a connection: from JSON to a checked form. Nothing here starts or reads the program.

use std::path::PathBuf;
use std::time::Duration;

use provost_connector::protocol::MAX_LINE;
use provost_connector::{ConnectorError, ErrorCode, SettingProblem, Settings};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::program::limits::{bytes, hint_of, millis, problem};

/// As written under the connection's name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    manifest: Option<PathBuf>,
    /// Beside the files that the command names.
    #[serde(default)]
    files: Vec<PathBuf>,
    #[serde(default)]
    approved: Option<String>,
    #[serde(default)]
    settings: Map<String, Json>,
    #[serde(default)]
    environment: Vec<String>,
    #[serde(default)]
    folder: Option<PathBuf>,
    #[serde(default)]
    max_line: Json,
    #[serde(default)]
    memory: Json,
    #[serde(default)]
    cpu: Json,
    #[serde(default)]
    start_timeout: Json,
    #[serde(default)]
    request_timeout: Json,
    #[serde(default)]
    stop_timeout: Json,
    #[serde(default)]
    max_in_flight: Option<usize>,
}

/// The settings, checked.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub what: What,
    pub files: Vec<PathBuf>,
    pub approved: Option<String>,
    /// For the program, secrets as handles.
    pub settings: Settings,
    /// Names that are handed on besides the usual ones.
    pub environment: Vec<String>,
    /// The working folder; a temporary one for each child unless set.
    pub folder: Option<PathBuf>,
    pub limits: Limits,
}

/// What to start.
#[derive(Debug, Clone)]
pub(super) enum What {
    Command(Vec<String>),
    Manifest(PathBuf),
}

#[derive(Debug, Clone)]
pub(super) struct Limits {
    /// The longest line that the program may write, in bytes.
    pub max_line: usize,
    /// Address space, in bytes.
    pub memory: Option<u64>,
    /// Processor time of one child from start to end.
    pub cpu: Option<Duration>,
    pub start_timeout: Duration,
    pub request_timeout: Duration,
    /// How long a program may take to end, or to answer what nobody waits for any more.
    pub stop_timeout: Duration,
    pub max_in_flight: Option<usize>,
}

/// The longest line that may be configured: a line is held in memory as a whole, some times over.
const LONGEST_LINE: u64 = 1 << 30;

/// Reads the settings; every problem, or the checked form.
pub(super) fn read(settings: &Settings) -> Result<Config, Vec<SettingProblem>> {
    let raw: Raw = settings.read().map_err(|problem| vec![problem])?;
    // The program runs in another folder than we do, and what it is made of must not depend on ours.
    let base = std::path::absolute(&settings.base).unwrap_or_else(|_| settings.base.clone());
    let settings = &Settings::new(Default::default(), base);
    let mut problems = Vec::new();
    let what = match (raw.command.is_empty(), raw.manifest) {
        (false, None) => Some(What::Command(raw.command)),
        (true, Some(path)) => Some(What::Manifest(settings.path(path))),
        (true, None) => {
            let hint =
                "name the program: command: [python3, badges.py]; or its manifest: manifest: badges/connector.yaml";
            problems.push(problem("command", "neither `command` nor `manifest` is set", hint));
            None
        }
        (false, Some(_)) => {
            problems.push(problem("manifest", "`command` and `manifest` are both set", "keep one of the two"));
            None
        }
    };
    if let Some(approved) = &raw.approved
        && !crate::program::digest::is_digest(approved)
    {
        let hint = "leave it out once: the error tells the program's digest";
        problems.push(problem("approved", "`approved` is not `sha256:` and 64 hexadecimal digits", hint));
    }
    for name in &raw.environment {
        if name.is_empty() || name.contains(['=', '\0']) {
            problems.push(problem(
                "environment",
                format!("`{}` is no name of a variable", name.escape_debug()),
                "list names alone",
            ));
        } else if name.to_ascii_uppercase().starts_with("PROVOST_") {
            let hint = "give secrets under `settings`, as {secret: NAME}";
            problems.push(problem("environment", format!("`{name}` is Provost's own and is not handed on"), hint));
        }
    }
    if raw.max_in_flight == Some(0) {
        let hint = "leave it out for what the program says";
        problems.push(problem("max_in_flight", "`max_in_flight` has to be at least 1", hint));
    }
    let mut take = |name: &str, found: Result<Option<u64>, String>| {
        found.unwrap_or_else(|why| {
            problems.push(problem(name, format!("`{name}` {why}"), hint_of(name)));
            None
        })
    };
    let max_line = take("max_line", bytes(&raw.max_line, 1_000, LONGEST_LINE));
    let memory = take("memory", bytes(&raw.memory, 1 << 20, u64::MAX));
    let mut time = |name: &str, found: &Json| take(name, millis(found)).map(Duration::from_millis);
    let limits = Limits {
        max_line: max_line.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(MAX_LINE),
        memory,
        cpu: time("cpu", &raw.cpu),
        start_timeout: time("start_timeout", &raw.start_timeout).unwrap_or(Duration::from_secs(30)),
        request_timeout: time("request_timeout", &raw.request_timeout).unwrap_or(Duration::from_secs(120)),
        stop_timeout: time("stop_timeout", &raw.stop_timeout).unwrap_or(Duration::from_secs(10)),
        max_in_flight: raw.max_in_flight,
    };
    match what {
        Some(what) if problems.is_empty() => Ok(Config {
            what,
            files: raw.files.iter().map(|file| settings.path(file)).collect(),
            approved: raw.approved.map(|digest| digest.to_ascii_lowercase()),
            settings: Settings::new(raw.settings, settings.base.clone()),
            environment: raw.environment,
            folder: raw.folder.map(|folder| settings.path(folder)),
            limits,
        }),
        _ => Err(problems),
    }
}

/// The same as one error, for `configure`.
pub(super) fn require(settings: &Settings) -> Result<Config, ConnectorError> {
    read(settings).map_err(|problems| match problems.into_iter().next() {
        Some(problem) => problem.into(),
        None => ConnectorError::new(ErrorCode::InvalidConfig, "the settings cannot be read"),
    })
}
