//! The settings of a connection: from JSON to a checked form. Nothing here starts or reads a script.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use provost_connector::protocol::MAX_LINE;
use provost_connector::{ConnectorError, ErrorCode, SettingProblem, Settings};
use provost_model::{ClassName, Text, Value};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::program::digest::is_digest;
use crate::program::limits::{bytes, hint_of, millis, problem};

/// As written under the connection's name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    interpreter: Vec<String>,
    #[serde(default)]
    schema: Option<PathBuf>,
    #[serde(default)]
    import: Option<PathBuf>,
    #[serde(default)]
    export: Option<PathBuf>,
    #[serde(default)]
    password: Option<PathBuf>,
    #[serde(default)]
    validate: Option<PathBuf>,
    #[serde(default)]
    test: Option<PathBuf>,
    #[serde(default)]
    files: Vec<PathBuf>,
    #[serde(default)]
    approved: Option<String>,
    #[serde(default)]
    parameters: Map<String, Json>,
    #[serde(default)]
    environment: Vec<String>,
    #[serde(default)]
    folder: Option<PathBuf>,
    #[serde(default)]
    csv: Option<Csv>,
    #[serde(default)]
    changes: bool,
    #[serde(default)]
    operations: Option<Vec<Writes>>,
    #[serde(default)]
    enabled: Option<Enabled>,
    #[serde(default)]
    password_attribute: Option<Text>,
    #[serde(default)]
    max_batch: Option<usize>,
    #[serde(default)]
    max_in_flight: Option<usize>,
    #[serde(default)]
    max_line: Json,
    #[serde(default)]
    memory: Json,
    #[serde(default)]
    cpu: Json,
    #[serde(default)]
    timeout: Json,
}

/// The import writes rows with a header.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Csv {
    /// The column that holds the id.
    pub key: Text,
    #[serde(default = "comma")]
    pub delimiter: char,
    /// Columns with several values, and what separates those.
    #[serde(default)]
    pub multi: BTreeMap<Text, Text>,
    /// Columns that hold ids of objects.
    #[serde(default)]
    pub references: BTreeMap<Text, ClassName>,
}

fn comma() -> char {
    ','
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Writes {
    Create,
    Update,
    Delete,
}

/// The attribute that switches an account on and off.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Enabled {
    pub attribute: Text,
    #[serde(default = "yes")]
    pub on: Value,
    #[serde(default = "no")]
    pub off: Value,
}

fn yes() -> Value {
    Value::Boolean(true)
}

fn no() -> Value {
    Value::Boolean(false)
}

/// The scripts by what they do.
#[derive(Debug, Clone)]
pub(super) struct Paths {
    pub schema: PathBuf,
    pub import: Option<PathBuf>,
    pub export: Option<PathBuf>,
    pub password: Option<PathBuf>,
    pub validate: Option<PathBuf>,
    pub test: Option<PathBuf>,
}

/// The settings, checked.
#[derive(Debug, Clone)]
pub(super) struct Config {
    pub base: PathBuf,
    pub interpreter: Vec<String>,
    pub scripts: Paths,
    pub files: Vec<PathBuf>,
    pub approved: Option<String>,
    /// For the scripts, secrets as handles.
    pub parameters: Map<String, Json>,
    pub environment: Vec<String>,
    /// The working folder; a temporary one for each process unless set.
    pub folder: Option<PathBuf>,
    pub csv: Option<Csv>,
    pub changes: bool,
    pub operations: Vec<Writes>,
    pub enabled: Option<Enabled>,
    pub password_attribute: Text,
    pub max_batch: usize,
    pub max_in_flight: usize,
    /// The longest line that a script may write, in bytes.
    pub max_line: usize,
    pub memory: Option<u64>,
    pub cpu: Option<Duration>,
    /// How long a process is waited for in all.
    pub timeout: Duration,
}

/// The longest line that may be configured: a line is held in memory as a whole, some times over.
const LONGEST_LINE: u64 = 1 << 30;

/// Reads the settings; every problem, or the checked form.
pub(super) fn read(settings: &Settings) -> Result<Config, Vec<SettingProblem>> {
    let raw: Raw = settings.read().map_err(|problem| vec![problem])?;
    // Scripts run in another folder than we do.
    let base = std::path::absolute(&settings.base).unwrap_or_else(|_| settings.base.clone());
    let at = |path: PathBuf| base.join(path);
    let mut problems = Vec::new();
    if raw.schema.is_none() {
        let hint = "name the script that lists the classes: schema: schema.py";
        problems.push(problem("schema", "`schema` is missing", hint));
    }
    if raw.import.is_none() && raw.export.is_none() {
        let hint = "name a script that writes the objects, one that takes operations, or both";
        problems.push(problem("import", "neither `import` nor `export` is set", hint));
    }
    if raw.approved.as_ref().is_some_and(|approved| !is_digest(approved)) {
        let hint = "leave it out once: the error tells the scripts' digest";
        problems.push(problem("approved", "`approved` is not `sha256:` and 64 hexadecimal digits", hint));
    }
    for name in &raw.environment {
        if name.is_empty() || name.contains(['=', '\0']) {
            let message = format!("`{}` is no name of a variable", name.escape_debug());
            problems.push(problem("environment", message, "list names alone"));
        } else if name.to_ascii_uppercase().starts_with("PROVOST_") {
            let hint = "give secrets under `parameters`, as {secret: NAME}";
            problems.push(problem("environment", format!("`{name}` is Provost's own and is not handed on"), hint));
        }
    }
    if let Some(csv) = &raw.csv
        && (!csv.delimiter.is_ascii() || ['"', '\n', '\r', '{'].contains(&csv.delimiter))
    {
        problems.push(problem("csv.delimiter", "`csv.delimiter` cannot separate cells", "take `,` `;` `|` or a tab"));
    }
    if raw.enabled.as_ref().is_some_and(|enabled| enabled.on == enabled.off) {
        let message = "`enabled.on` and `enabled.off` are the same value";
        problems.push(problem("enabled", message, "give each state its own value"));
    }
    for (name, count) in [("max_batch", raw.max_batch), ("max_in_flight", raw.max_in_flight)] {
        if count == Some(0) {
            problems.push(problem(name, format!("`{name}` has to be at least 1"), "leave it out"));
        }
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
    let (cpu, timeout) = (time("cpu", &raw.cpu), time("timeout", &raw.timeout));
    let Some(schema) = raw.schema.filter(|_| problems.is_empty()) else { return Err(problems) };
    let paths = Paths {
        schema: at(schema),
        import: raw.import.map(at),
        export: raw.export.map(at),
        password: raw.password.map(at),
        validate: raw.validate.map(at),
        test: raw.test.map(at),
    };
    Ok(Config {
        interpreter: raw.interpreter,
        scripts: paths,
        files: raw.files.into_iter().map(at).collect(),
        approved: raw.approved.map(|digest| digest.to_ascii_lowercase()),
        parameters: raw.parameters,
        environment: raw.environment,
        folder: raw.folder.map(at),
        csv: raw.csv,
        changes: raw.changes,
        operations: raw.operations.unwrap_or_else(|| vec![Writes::Create, Writes::Update, Writes::Delete]),
        enabled: raw.enabled,
        password_attribute: raw.password_attribute.unwrap_or_else(|| "password".into()),
        max_batch: raw.max_batch.unwrap_or(100),
        max_in_flight: raw.max_in_flight.unwrap_or(1),
        max_line: max_line.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(MAX_LINE),
        memory,
        cpu,
        timeout: timeout.unwrap_or(Duration::from_secs(600)),
        base,
    })
}

/// The same as one error, for `configure`.
pub(super) fn require(settings: &Settings) -> Result<Config, ConnectorError> {
    read(settings).map_err(|problems| match problems.into_iter().next() {
        Some(problem) => problem.into(),
        None => ConnectorError::new(ErrorCode::InvalidConfig, "the settings cannot be read"),
    })
}
