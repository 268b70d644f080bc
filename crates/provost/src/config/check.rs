//! What can be said about a configuration without going online: connectors exist, their settings are possible, expressions
//! and filters can be read, and they fit what is known of both sides without a connection (the directory, files that are
//! there). The rest is asked by `provost doctor`, plans and runs.

use std::path::PathBuf;
use std::sync::Arc;

use provost_connector::{Capabilities, Connector, Manifest, SettingProblem, Settings};
use provost_engine::rule::{compile, nearest};
use provost_engine::spec::JobSpec;
use provost_model::{ClassName, ClassSchema, ConnectionName, JobName, Schema};

use super::{Configuration, ConnectionSpec, DIRECTORY};
use crate::problem::Problem;

/// The settings that a connection to another directory file takes.
const DIRECTORY_SETTINGS: [&str; 1] = ["database"];

impl Configuration {
    /// All problems, in the order of the file.
    pub fn check(&self, connectors: &[Arc<dyn Connector>]) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (name, spec) in &self.connections {
            self.check_connection(name, spec, connectors, &mut problems);
        }
        for (name, spec) in &self.jobs {
            self.check_job(name, spec, connectors, &mut problems);
        }
        problems.sort_by_key(|problem| problem.place.as_ref().map(|place| (place.line, place.column)));
        problems
    }

    /// The problems of one job and its two connections.
    pub fn check_one(&self, name: &JobName, spec: &JobSpec, connectors: &[Arc<dyn Connector>]) -> Vec<Problem> {
        let mut problems = Vec::new();
        for connection in [&spec.source, &spec.target] {
            if let Some(spec) = self.connections.get(connection) {
                self.check_connection(connection, spec, connectors, &mut problems);
            }
        }
        self.check_job(name, spec, connectors, &mut problems);
        problems
    }

    /// The settings of a connection as its connector receives them.
    pub fn settings(&self, spec: &ConnectionSpec) -> Settings {
        Settings::new(spec.settings.clone(), self.base.clone())
    }

    /// The file of a connection to a directory of its own; none for Provost's.
    pub fn directory_file(&self, spec: &ConnectionSpec) -> Option<PathBuf> {
        Some(self.base.join(spec.settings.get("database")?.as_str()?))
    }

    fn check_connection(
        &self,
        name: &ConnectionName,
        spec: &ConnectionSpec,
        connectors: &[Arc<dyn Connector>],
        problems: &mut Vec<Problem>,
    ) {
        let at = format!("connections.{name}");
        if spec.connector == DIRECTORY {
            self.check_directory(name, spec, &at, problems);
            return;
        }
        if spec.connector == provost_push::CONNECTOR {
            for problem in provost_push::validate(&self.settings(spec), self.types.public_registry()) {
                problems.push(self.setting_problem(&at, name, problem));
            }
            self.check_roles(name, spec, &provost_push::manifest(), problems);
            return;
        }
        let Some(connector) = connectors.iter().find(|connector| connector.manifest().name == spec.connector) else {
            let own = [provost_push::CONNECTOR, DIRECTORY];
            let names = connectors.iter().map(|connector| connector.manifest().name.as_str()).chain(own);
            let hint = match nearest(&spec.connector, names.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are: {}", names.collect::<Vec<_>>().join(", ")),
            };
            let message = format!("there is no connector `{}`", spec.connector);
            problems.push(self.problem_at(&format!("{at}.connector"), "PRV-0108", message).hint(hint));
            return;
        };
        for problem in connector.validate(&self.settings(spec)) {
            problems.push(self.setting_problem(&at, name, problem));
        }
        self.check_roles(name, spec, connector.manifest(), problems);
    }

    /// Jobs use the connection as what it can be.
    fn check_roles(
        &self,
        name: &ConnectionName,
        spec: &ConnectionSpec,
        manifest: &Manifest,
        problems: &mut Vec<Problem>,
    ) {
        for (job, rules) in &self.jobs {
            for (role, connection, can) in
                [("source", &rules.source, manifest.source), ("target", &rules.target, manifest.target)]
            {
                if connection == name && !can {
                    let message = format!("the connector `{}` of `{name}` cannot be a {role}", spec.connector);
                    problems.push(self.problem_at(&format!("jobs.{job}.{role}"), "PRV-0110", message));
                }
            }
        }
    }

    fn check_directory(&self, name: &str, spec: &ConnectionSpec, at: &str, problems: &mut Vec<Problem>) {
        for (key, value) in &spec.settings {
            if !DIRECTORY_SETTINGS.contains(&key.as_str()) {
                let hint = match nearest(key, DIRECTORY_SETTINGS.into_iter()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known keys are: connector, {}", DIRECTORY_SETTINGS.join(", ")),
                };
                let problem =
                    self.problem_at_key(&format!("{at}.{key}"), "PRV-0104", format!("unknown key `{key}` in `{at}`"));
                problems.push(problem.hint(hint));
            } else if !value.is_string() {
                let message = format!("`{at}.{key}` is the path of a database file as text");
                problems.push(self.problem_at(&format!("{at}.{key}"), "PRV-0105", message));
            }
        }
        if name != DIRECTORY && !spec.settings.contains_key("database") {
            let message = format!("connection `{name}` is another directory and needs a `database` of its own");
            problems.push(self.problem_at(at, "PRV-0106", message).hint(format!("for example `database: {name}.db`")));
        }
    }

    fn setting_problem(&self, at: &str, name: &ConnectionName, problem: SettingProblem) -> Problem {
        let SettingProblem { path, message, hint } = problem;
        // serde's word for an unknown key carries no path; the key stands in its text.
        let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
        let mut located = match unknown {
            Some((key, rest)) => {
                let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
                let path = if path.is_empty() { format!("{at}.{key}") } else { format!("{at}.{path}.{key}") };
                let problem = self.problem_at_key(&path, "PRV-0104", format!("unknown key `{key}` in `{at}`"));
                match nearest(key, known.iter().copied()) {
                    Some(near) => problem.hint(format!("did you mean `{near}`?")),
                    None => problem.hint(format!("known keys are: {}", known.join(", "))),
                }
            }
            None if message.contains("no setting `") => {
                self.problem_at_key(&format!("{at}.{path}"), "PRV-0104", format!("connection `{name}`: {message}"))
            }
            None if path.is_empty() => self.problem_at(at, "PRV-0109", format!("connection `{name}`: {message}")),
            None => self.problem_at(&format!("{at}.{path}"), "PRV-0109", format!("connection `{name}`: {message}")),
        };
        if let Some(hint) = hint {
            located = located.hint(hint);
        }
        located
    }

    /// The rules, against what is known of both sides. Where nothing is known, classes have any attribute.
    fn check_job(
        &self,
        name: &JobName,
        spec: &JobSpec,
        connectors: &[Arc<dyn Connector>],
        problems: &mut Vec<Problem>,
    ) {
        let (open_source, open_target) = open_schemas(spec);
        let source = self.known_schema(&spec.source, connectors).unwrap_or(open_source);
        let target = self.known_schema(&spec.target, connectors).unwrap_or(open_target);
        let found = match compile(name, spec, &source, &target, &Capabilities::default()) {
            Ok(job) => job.warnings,
            Err(problems) => problems,
        };
        problems.extend(found.iter().map(|problem| self.locate(problem)));
    }

    /// The schema of a connection, where it is known without going online.
    pub fn known_schema(&self, name: &ConnectionName, connectors: &[Arc<dyn Connector>]) -> Option<Schema> {
        let Some(spec) = self.connections.get(name) else { return (name == DIRECTORY).then(|| self.types.schema()) };
        if spec.connector == DIRECTORY {
            return Some(self.types.schema());
        }
        if spec.connector == provost_push::CONNECTOR {
            let settings = self.settings(spec).read().ok()?;
            return Some(provost_push::schema(&settings, self.types.public_registry()));
        }
        let connector = connectors.iter().find(|connector| connector.manifest().name == spec.connector)?;
        connector.known_schema(&self.settings(spec))
    }
}

/// Schemas of a job's source and target whose classes have any attribute.
pub fn open_schemas(spec: &JobSpec) -> (Schema, Schema) {
    let class = |name: &ClassName| ClassSchema { name: name.clone(), open: true, ..ClassSchema::default() };
    let source = spec.objects.iter().map(|rule| class(&rule.from)).collect();
    let target = spec.objects.iter().map(|rule| class(&rule.to)).collect();
    (Schema { classes: source }, Schema { classes: target })
}
