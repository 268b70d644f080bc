//! `provost gallery`: the applications that are known by name.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::{GalleryCheckArgs, GalleryShowArgs, Global};
use crate::config::Configuration;
use crate::error::{Error, Exit, Result};
use crate::gallery::{self, Application};
use crate::output::{Output, Table};
use crate::problem::{Problem, Source};

#[derive(Serialize)]
struct Listed {
    name: String,
    title: String,
    connector: String,
    /// The classes of its job.
    objects: Vec<String>,
    as_of: String,
}

#[derive(Serialize)]
struct Checked {
    name: String,
    ok: bool,
    problems: Vec<Problem>,
}

/// The folder that applications of one's own are looked for in.
fn base(global: &Global) -> PathBuf {
    match global.config.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

pub fn list(global: &Global, output: Output) -> Result<Exit> {
    let base = base(global);
    let mut listed = Vec::new();
    for name in gallery::names(&base) {
        let (_, application) = read(&name, &base)?;
        let objects = application.objects.iter().filter_map(|rule| Some(rule.get("to")?.as_str()?.to_owned()));
        let objects = objects.collect();
        let Application { title, connector, as_of, .. } = application;
        listed.push(Listed { name, title, connector: connector.to_string(), objects, as_of });
    }
    if output.json {
        output.json(&listed)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(["application", "what", "connector", "objects", "as of"]);
    for one in listed {
        table.row([one.name, one.title, one.connector, one.objects.join(", "), one.as_of]);
    }
    let mut data = output.data();
    data.table(table)?;
    data.end()?;
    Ok(Exit::Done)
}

pub fn show(global: &Global, args: &GalleryShowArgs, output: Output) -> Result<Exit> {
    let (text, application) = read(&args.application, &base(global))?;
    if output.json {
        output.json(&application)?;
        return Ok(Exit::Done);
    }
    let name = args.name.as_deref().unwrap_or(&args.application);
    let shown = if args.file { text } else { snippet(&args.application, name, &application, &text) };
    let mut data = output.data();
    for line in shown.lines() {
        data.line(line)?;
    }
    data.end()?;
    Ok(Exit::Done)
}

pub fn check(global: &Global, args: &GalleryCheckArgs, output: Output) -> Result<Exit> {
    let base = base(global);
    let names = if args.applications.is_empty() { gallery::names(&base) } else { args.applications.clone() };
    let mut all = Vec::new();
    for name in names {
        let problems = problems(&name, &base);
        all.push(Checked { ok: !problems.iter().any(Problem::is_error), name, problems });
    }
    let ok = all.iter().all(|one| one.ok);
    if output.json {
        output.json(&all)?;
        return Ok(if ok { Exit::Done } else { Exit::Failed });
    }
    let count = all.len() as u64;
    for problem in all.iter().flat_map(|one| &one.problems) {
        output.problem(problem);
    }
    let mut data = output.data();
    data.line(match all.iter().filter(|one| !one.ok).count() {
        0 => format!("{}, no problems", super::counted(count, "application")),
        bad => format!("{bad} of {} cannot be used", super::counted(count, "application")),
    })?;
    data.end()?;
    Ok(if ok { Exit::Done } else { Exit::Failed })
}

/// The text of an application, and what it says.
fn read(name: &str, base: &Path) -> Result<(String, Application)> {
    let Some(text) = gallery::text(name, base) else {
        let (message, hint) = gallery::unknown(name, base);
        return Err(Error::Usage(Problem::new("PRV-0112", message).hint(hint)));
    };
    let unusable = |reason: String| {
        let message = format!("the gallery's file `{name}` cannot be used: {reason}");
        Error::from(Problem::new("PRV-0113", message).hint("docs/gallery.md says what such a file holds"))
    };
    let text = text.map_err(unusable)?;
    let application = Application::parse(&text).map_err(unusable)?;
    Ok((text, application))
}

/// Whatever is wrong with an application: what it shows has to be a configuration without problems.
fn problems(name: &str, base: &Path) -> Vec<Problem> {
    let (text, application) = match read(name, base) {
        Ok(read) => read,
        Err(Error::Problems(problems)) => return problems,
        Err(Error::Usage(problem)) => return vec![problem],
        Err(Error::BrokenPipe) => return Vec::new(),
    };
    let source = Source { name: format!("gallery show {name}"), text: snippet(name, name, &application, &text) };
    let (configuration, mut problems) = Configuration::parse(source, base.to_owned());
    if let Some(configuration) = configuration {
        problems.extend(configuration.check(&provost_connectors::builtin()));
    }
    problems
}

/// A configuration with a connection to the application and a job, and above it what is to be known.
fn snippet(application: &str, name: &str, what: &Application, text: &str) -> String {
    let mut out = format!("# {}\n", what.title);
    let mut list = |head: &str, items: &[String]| {
        if !items.is_empty() {
            let _ = writeln!(out, "#\n# {head}");
            items.iter().for_each(|item| {
                let _ = writeln!(out, "# - {item}");
            });
        }
    };
    list("Before:", &what.prepare);
    list("To know:", &what.notes);
    let _ = writeln!(out, "\nconnections:\n  {name}:\n    gallery: {application}");
    let as_json = |(key, value): (&String, &serde_json::Value)| format!("  {key}: {value}");
    for line in lines(text, "ask", what.ask.iter().map(as_json)) {
        let _ = writeln!(out, "  {}", line.replace("NAME", name));
    }
    if !what.objects.is_empty() {
        let _ = writeln!(out, "\njobs:\n  directory-to-{name}:\n    source: directory\n    target: {name}");
        let _ = writeln!(out, "    schedule: {{ on: change, every: 40m }}\n    objects:");
        for line in lines(text, "objects", what.objects.iter().map(|rule| format!("  - {rule}"))) {
            let indent = if line.is_empty() { "" } else { "    " };
            let _ = writeln!(out, "{indent}{line}");
        }
    }
    out
}

/// The lines under a key of the first level as they stand there, comments included; `otherwise` where the file has another
/// style.
fn lines(text: &str, key: &str, otherwise: impl Iterator<Item = String>) -> Vec<String> {
    let head = format!("{key}:");
    let lines = text.lines().skip_while(|line| line.trim_end() != head).skip(1);
    let found: Vec<String> =
        lines.take_while(|line| line.is_empty() || line.starts_with([' ', '#'])).map(str::to_owned).collect();
    if found.is_empty() { otherwise.collect() } else { found }
}
