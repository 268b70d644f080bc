//! The configuration file: from `provost.yaml` to connections and jobs, with every problem named by file, line and column.
//!
//! `document` reads the YAML, `reader` makes types of it, `place` finds problems in it again. Whether a rule fits the systems
//! that it connects is the engine's to check ([`check`] asks it what can be known offline).

pub mod check;
mod directory;
mod document;
mod place;
mod reader;
mod scalar;
pub mod tables;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use provost_directory::Types;
use provost_engine::error::{EngineError, RuleProblem};
use provost_engine::retention::{Records, RetentionSpec};
use provost_engine::rule::nearest;
use provost_engine::spec::JobSpec;
use provost_model::{ConnectionName, JobName, Text};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use crate::error::{Error, Result};
use crate::gallery::{self, Application};
use crate::problem::{Place, Problem, Source, shown};
use document::{Entry, Kind, Mark, Node};
use reader::{Fault, What};

/// The name of the connection to Provost's own store of users and groups, which is always there.
pub const DIRECTORY: &str = "directory";

const SECTIONS: [&str; 7] = ["connections", "jobs", "server", "retention", "default_domain", "tables", "directory"];

/// A configuration file that was read.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// The folder that relative paths in it start from.
    pub base: PathBuf,
    /// Without [`DIRECTORY`], unless the file declares it.
    pub connections: BTreeMap<ConnectionName, ConnectionSpec>,
    pub jobs: BTreeMap<JobName, JobSpec>,
    pub server: ServerSpec,
    /// How long the log and what belongs to it is kept.
    pub retention: RetentionSpec,
    /// What the directory holds.
    pub types: Types,
    source: Source,
    tree: Node,
}

/// `connections: NAME: …`.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionSpec {
    pub connector: Text,
    /// All other keys, as they stand there.
    pub settings: Map<String, Json>,
}

/// `server: …`, for `provost serve`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSpec {
    /// `ADDRESS:PORT`.
    pub listen: Option<SocketAddr>,
}

impl Configuration {
    /// Reads a file; all problems of its form come back together.
    pub fn load(file: &Path) -> Result<Self> {
        match Self::read(file)? {
            (Some(configuration), problems) if problems.is_empty() => Ok(configuration),
            (_, problems) => Err(Error::Problems(problems)),
        }
    }

    /// Reads a file as far as it can be read.
    pub fn read(file: &Path) -> Result<(Option<Self>, Vec<Problem>)> {
        let text = std::fs::read_to_string(file).map_err(|error| {
            let (reason, hint) = match error.kind() {
                ErrorKind::NotFound => (
                    "there is no such file".to_owned(),
                    "name the configuration with --config FILE, or let `provost quickstart` make one",
                ),
                ErrorKind::InvalidData => ("it is not UTF-8".to_owned(), "save it as UTF-8"),
                _ => (error.to_string(), "check the file's permissions"),
            };
            Problem::new("PRV-0101", format!("cannot read the configuration `{}`: {reason}", shown(file))).hint(hint)
        })?;
        let base = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        Ok(Self::parse(Source::of_file(file, text), base))
    }

    /// Reads a text as far as it can be read.
    pub fn parse(source: Source, base: PathBuf) -> (Option<Self>, Vec<Problem>) {
        let (tree, error) = document::parse(&source.text);
        let mut reading = Reading { source: &source, problems: Vec::new() };
        if let Some(error) = error {
            reading.syntax(error);
        }
        let Some(tree) = tree else { return (None, reading.problems) };
        let connections = reading.connections(&tree, &base);
        let (mut jobs, server) = (reading.jobs(&tree), reading.server(&tree));
        let retention = reading.retention(&tree);
        let environment = reading.environment(&tree, &base);
        jobs.values_mut().for_each(|job| job.shared = environment.clone());
        let types = reading.directory(&tree, &base);
        reading.sections(&tree);
        let mut problems = reading.problems;
        let configuration = Self { base, connections, jobs, server, retention, types, source, tree };
        configuration.references(&mut problems);
        problems.sort_by_key(|problem| problem.place.as_ref().map(|place| (place.line, place.column)));
        (Some(configuration), problems)
    }

    /// A job, or an error that names the nearest one.
    pub fn job(&self, name: &str) -> Result<(&JobName, &JobSpec)> {
        self.jobs.get_key_value(name).ok_or_else(|| {
            let names = || self.jobs.keys().map(JobName::as_str);
            let hint = match nearest(name, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if self.jobs.is_empty() => format!("`{}` has no jobs yet", self.source.name),
                None => format!("the jobs are: {}", names().collect::<Vec<_>>().join(", ")),
            };
            Error::Usage(Problem::new("PRV-0701", format!("there is no job `{name}`")).hint(hint))
        })
    }

    /// The names of all connections, [`DIRECTORY`] included.
    pub fn connection_names(&self) -> Vec<ConnectionName> {
        let mut names: Vec<ConnectionName> = self.connections.keys().cloned().collect();
        if !names.iter().any(|name| name == DIRECTORY) {
            names.push(DIRECTORY.into());
        }
        names
    }

    /// What is kept how long, and who reads it.
    pub fn records(&self) -> Records {
        let elsewhere = self.connections.get(DIRECTORY).and_then(|spec| self.directory_file(spec)).is_some();
        let directory = (!elsewhere).then(|| DIRECTORY.into());
        Records { spec: self.retention, jobs: self.jobs.clone(), directory }
    }

    /// Where a piece of the document stands.
    pub fn place(&self, path: &str) -> Place {
        place::of_path(&self.source, &self.tree, path)
    }

    /// A problem that the engine found, with its place in the file.
    pub fn locate(&self, problem: &RuleProblem) -> Problem {
        place::locate(&self.source, &self.tree, problem)
    }

    /// An error of the engine; problems of rules get their places.
    pub fn explain(&self, error: EngineError) -> Error {
        match error {
            EngineError::Rules { problems, .. } => {
                Error::Problems(problems.iter().map(|problem| self.locate(problem)).collect())
            }
            EngineError::Connection { connection, error, role } if error.path.is_some() => {
                let path = format!("connections.{connection}.{}", error.path.as_deref().unwrap_or_default());
                let problem = Problem::of(&EngineError::Connection { role, connection, error });
                problem.at(place::of_path(&self.source, &self.tree, &path)).into()
            }
            other => other.into(),
        }
    }

    /// A problem at a path of the document.
    fn problem_at(&self, path: &str, code: &'static str, message: String) -> Problem {
        Problem::new(code, message).at(place::of_path(&self.source, &self.tree, path))
    }

    /// A problem with a key itself, whatever stands behind it.
    fn problem_at_key(&self, path: &str, code: &'static str, message: String) -> Problem {
        Problem::new(code, message).at(place::of_key(&self.source, &self.tree, path))
    }

    /// Jobs name connections that are there.
    fn references(&self, problems: &mut Vec<Problem>) {
        let declared = self.tree.entry("connections").map_or(&[][..], |section| section.value.entries());
        for (name, job) in &self.jobs {
            for (role, connection) in [("source", &job.source), ("target", &job.target)] {
                // One that is declared wrongly has its own problem already.
                if connection == DIRECTORY || declared.iter().any(|entry| entry.key == connection.as_str()) {
                    continue;
                }
                let names = declared.iter().map(|entry| entry.key.as_str()).chain([DIRECTORY]);
                let hint = match nearest(connection, names.clone()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => {
                        format!("declare it under `connections:`; there are: {}", names.collect::<Vec<_>>().join(", "))
                    }
                };
                let message = format!("there is no connection `{connection}`");
                problems.push(self.problem_at(&format!("jobs.{name}.{role}"), "PRV-0107", message).hint(hint));
            }
            if job.source == job.target {
                let message = format!("job `{name}` has the connection `{}` as source and as target", job.source);
                let problem = self.problem_at(&format!("jobs.{name}.target"), "PRV-0110", message);
                problems.push(problem.hint("a job goes from one connection to another"));
            }
        }
    }
}

/// Collects problems while the sections are read.
struct Reading<'s> {
    source: &'s Source,
    problems: Vec<Problem>,
}

impl Reading<'_> {
    fn problem(&mut self, code: &'static str, message: String, mark: &Mark, hint: Option<String>) {
        let mut problem = Problem::new(code, message).at(place::of_mark(self.source, mark));
        problem.hint = hint;
        self.problems.push(problem);
    }

    fn syntax(&mut self, error: document::SyntaxError) {
        let (code, hint) = match &error.duplicate {
            Some(Some(key)) => ("PRV-0103", format!("keep one `{key}`")),
            Some(None) => ("PRV-0103", "keep one of them".to_owned()),
            None => ("PRV-0102", "look at the indentation, quotes and brackets here and in the line above".to_owned()),
        };
        let mark = error.mark.unwrap_or(Mark { line: 1, column: 1, bytes: 0..0 });
        self.problem(code, error.message, &mark, Some(hint));
    }

    fn sections(&mut self, tree: &Node) {
        if !matches!(tree.kind, Kind::Map(_)) {
            let message = format!("a configuration is a mapping of {}, not {}", SECTIONS.join(", "), tree.describe());
            self.problem("PRV-0105", message, &tree.mark, None);
        }
        for entry in tree.entries() {
            if !SECTIONS.contains(&entry.key.as_str()) {
                self.unknown_key(&entry.key, "the configuration", &SECTIONS, &entry.mark);
            }
        }
    }

    fn unknown_key(&mut self, key: &str, place: &str, known: &[&str], mark: &Mark) {
        let hint = match nearest(key, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "remove it".to_owned(),
            None => format!("known keys are: {}", known.join(", ")),
        };
        self.problem("PRV-0104", format!("unknown key `{key}` in {place}"), mark, Some(hint));
    }

    /// The named entries of a section.
    fn named<'n>(&mut self, tree: &'n Node, section: &str) -> &'n [Entry] {
        let Some(entry) = tree.entry(section) else { return &[] };
        if !matches!(entry.value.kind, Kind::Map(_) | Kind::Null) {
            let message = format!("`{section}` is a mapping of names, not {}", entry.value.describe());
            self.problem("PRV-0105", message, &entry.mark, Some(format!("write `{section}:` and below it `NAME: …`")));
        }
        entry.value.entries()
    }

    fn connections(&mut self, tree: &Node, base: &Path) -> BTreeMap<ConnectionName, ConnectionSpec> {
        let mut connections = BTreeMap::new();
        for entry in self.named(tree, "connections") {
            if let Some(connection) = self.connection(entry, base) {
                connections.insert(entry.key.as_str().into(), connection);
            }
        }
        connections
    }

    fn connection(&mut self, entry: &Entry, base: &Path) -> Option<ConnectionSpec> {
        let name = &entry.key;
        if !matches!(entry.value.kind, Kind::Map(_)) {
            let message = format!("connection `{name}` is a mapping of settings, not {}", entry.value.describe());
            self.problem(
                "PRV-0105",
                message,
                &entry.mark,
                Some("for example `{connector: file, path: people.csv}`".into()),
            );
            return None;
        }
        if let Some(gallery) = entry.value.entry("gallery") {
            return self.application(entry, gallery, base);
        }
        let Some(connector) = entry.value.entry("connector") else {
            let hint = "say which one it is, for example `connector: file` (`provost connector list` shows all), or \
                        `gallery: slack` (`provost gallery list`)"
                .to_owned();
            self.problem("PRV-0106", format!("connection `{name}` has no `connector`"), &entry.mark, Some(hint));
            return None;
        };
        let Kind::Text(word) = &connector.value.kind else {
            let message = format!("`connector` of connection `{name}` is a word, not {}", connector.value.describe());
            self.problem("PRV-0105", message, &connector.mark, Some("`provost connector list` shows all".into()));
            return None;
        };
        if name == DIRECTORY && word != DIRECTORY {
            let message = format!("the name `{DIRECTORY}` stands for Provost's own directory");
            self.problem("PRV-0110", message, &entry.mark, Some("give this connection another name".into()));
            return None;
        }
        let mut settings = document::entries_to_json(entry.value.entries());
        settings.remove("connector");
        Some(ConnectionSpec { connector: word.as_str().into(), settings })
    }

    /// A connection to an application of the gallery.
    fn application(&mut self, entry: &Entry, gallery: &Entry, base: &Path) -> Option<ConnectionSpec> {
        let Kind::Text(word) = &gallery.value.kind else {
            let message =
                format!("`gallery` of connection `{}` is a word, not {}", entry.key, gallery.value.describe());
            self.problem("PRV-0105", message, &gallery.mark, Some(gallery::LIST.into()));
            return None;
        };
        let Some(text) = gallery::text(word, base) else {
            let (message, hint) = gallery::unknown(word, base);
            self.problem("PRV-0112", message, &gallery.value.mark, Some(hint));
            return None;
        };
        let application = match text.and_then(|text| Application::parse(&text)) {
            Ok(application) => application,
            Err(reason) => {
                let message = format!("the gallery's file `{word}` cannot be used: {reason}");
                let hint = format!("`provost gallery check {word}` tells more");
                self.problem("PRV-0113", message, &gallery.value.mark, Some(hint));
                return None;
            }
        };
        let mut own = document::entries_to_json(entry.value.entries());
        own.remove("gallery");
        if let Some(other) = entry
            .value
            .entry("connector")
            .filter(|_| own.remove("connector").is_some_and(|word| word != application.connector.as_str()))
        {
            let message = format!("`{word}` of the gallery is reached by the connector `{}`", application.connector);
            self.problem("PRV-0110", message, &other.mark, Some("leave `connector` out".into()));
            return None;
        }
        let settings = application.settings_with(own);
        Some(ConnectionSpec { connector: application.connector, settings })
    }

    fn jobs(&mut self, tree: &Node) -> BTreeMap<JobName, JobSpec> {
        let mut jobs = BTreeMap::new();
        for entry in self.named(tree, "jobs") {
            let place = format!("jobs.{}", reader::segment(&entry.key));
            if let Some(job) = self.read(&entry.value, &entry.mark, &place) {
                jobs.insert(entry.key.as_str().into(), job);
            }
        }
        jobs
    }

    fn server(&mut self, tree: &Node) -> ServerSpec {
        let Some(entry) = tree.entry("server") else { return ServerSpec::default() };
        self.read(&entry.value, &entry.mark, "server").unwrap_or_default()
    }

    fn retention(&mut self, tree: &Node) -> RetentionSpec {
        let Some(entry) = tree.entry("retention") else { return RetentionSpec::default() };
        self.read(&entry.value, &entry.mark, "retention").unwrap_or_default()
    }

    /// Reads a piece. What does not fit is noted and left out, so that the rest is checked too.
    fn read<T: DeserializeOwned>(&mut self, node: &Node, key: &Mark, place: &str) -> Option<T> {
        let mut node = node.clone();
        let mut has_left_out = false;
        loop {
            let fault = match reader::read(&node) {
                Ok(value) => return Some(value),
                Err(fault) => fault,
            };
            let mark = fault.mark.clone().unwrap_or_else(|| key.clone());
            let inner = fault.path();
            let place = match inner.as_str() {
                "" => place.to_owned(),
                _ if inner.starts_with('[') => format!("{place}{inner}"),
                _ => format!("{place}.{inner}"),
            };
            let is_removed = match &fault.what {
                What::UnknownKey { key, known } => {
                    self.unknown_key(key, &format!("`{place}`"), known, &mark);
                    node.remove(&|entry| entry.mark == mark)
                }
                // It may be missing because its value was left out.
                What::Missing(_) if has_left_out => false,
                What::Missing(_) => {
                    self.fault(&fault, &place, &mark);
                    false
                }
                _ => {
                    self.fault(&fault, &place, &mark);
                    node.remove(&|entry| entry.value.mark == mark)
                }
            };
            if !is_removed {
                return None;
            }
            has_left_out = true;
        }
    }

    fn fault(&mut self, fault: &Fault, place: &str, mark: &Mark) {
        let (code, hint) = match &fault.what {
            What::UnknownWord { word, known } => {
                let near = nearest(word, known.iter().copied());
                let hint = near
                    .map_or_else(|| format!("one of: {}", known.join(", ")), |near| format!("did you mean `{near}`?"));
                ("PRV-0105", Some(hint))
            }
            What::Missing(key) => ("PRV-0106", Some(format!("add `{key}: …`"))),
            What::Unfit { expected, .. } if expected == "a text" => {
                ("PRV-0105", Some("put a value that is meant as text in quotes".to_owned()))
            }
            _ => ("PRV-0105", None),
        };
        self.problem(code, format!("`{place}`: {fault}"), mark, hint);
    }
}
