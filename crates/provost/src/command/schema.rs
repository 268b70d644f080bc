//! `provost schema`: Microsoft Entra's synchronization schema to a job of the configuration, and back.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use provost_connector::Capabilities;
use provost_engine::Connections;
use provost_engine::spec::JobSpec;
use provost_entra::{Fault, Known, MAX_BYTES, Names, Note, NoteKind};
use provost_model::{JobName, Schema, Severity};
use serde::Serialize;

use crate::cli::{Global, SchemaExportArgs, SchemaImportArgs};
use crate::config::Configuration;
use crate::error::{Error, Exit, Result};
use crate::output::Output;
use crate::problem::{Problem, Source, shown};
use crate::setup::{Setup, context};

/// Labels are told in one line a property beyond so many.
const LABELS_SHOWN: usize = 3;

#[derive(Serialize)]
struct Imported<'i> {
    jobs: BTreeMap<&'i str, &'i JobSpec>,
    notes: &'i [Note],
}

#[derive(Serialize)]
struct Exported<'e> {
    schema: &'e serde_json::Value,
    notes: &'e [Note],
}

pub fn import(global: &Global, args: SchemaImportArgs, output: Output) -> Result<Exit> {
    let text = read(&args.file)?;
    let names = Names {
        job: args.job.as_str().into(),
        source: args.source.as_deref().map(Into::into),
        target: args.target.as_deref().map(Into::into),
    };
    let imported = provost_entra::import(&text, &names).map_err(|faults| {
        let source = Source::of_file(&args.file, text.clone());
        Error::Problems(faults.into_iter().map(|fault| problem(fault, &source)).collect())
    })?;
    if imported.jobs.is_empty() {
        tell(&imported.notes, output);
        let problem = Problem::new("PRV-0902", format!("`{}` has nothing that makes a job", shown(&args.file)));
        return Err(problem.hint("the list above says why").into());
    }
    if let Some(file) = &args.into {
        add(file, &imported.jobs)?;
        let names: Vec<&str> = imported.jobs.iter().map(|(name, _)| name.as_str()).collect();
        output.note(format_args!("{}: added {}", shown(file), names.join(", ")));
    }
    if output.json {
        let jobs = imported.jobs.iter().map(|(name, spec)| (name.as_str(), spec)).collect();
        output.json(&Imported { jobs, notes: &imported.notes })?;
    } else {
        if args.into.is_none() {
            let mut data = output.data();
            data.line(provost_entra::jobs_yaml(&imported.jobs).map_err(unprintable)?.trim_end())?;
            data.end()?;
        }
        tell(&imported.notes, output);
    }
    let file = args.into.as_ref().unwrap_or(&global.config);
    output.hint(format_args!("`provost config check {}` says what the jobs still need", shown(file)));
    Ok(Exit::Done)
}

pub async fn export(global: &Global, args: SchemaExportArgs, output: Output) -> Result<Exit> {
    let configuration = Configuration::load(&global.config)?;
    let (name, spec) = configuration.job(&args.job)?;
    let (name, spec) = (name.clone(), spec.clone());
    let systems =
        if args.offline { Systems::default() } else { discover(global, configuration, &spec, output).await? };
    let known = Known {
        source: systems.source.as_ref(),
        target: systems.target.as_ref(),
        capabilities: systems.capabilities.as_ref(),
    };
    let exported = provost_entra::export(&name, &spec, &known);
    if args.file == Path::new("-") {
        if output.json {
            output.json(&Exported { schema: &exported.schema, notes: &exported.notes })?;
        } else {
            output.json(&exported.schema)?;
        }
    } else {
        let text = serde_json::to_string_pretty(&exported.schema)? + "\n";
        replace(&args.file, &text)?;
        if output.json {
            output.json(&Exported { schema: &exported.schema, notes: &exported.notes })?;
        }
    }
    if !output.json {
        tell(&exported.notes, output);
    }
    Ok(Exit::Done)
}

/// What the two connections say of themselves.
#[derive(Default)]
struct Systems {
    source: Option<Schema>,
    target: Option<Schema>,
    capabilities: Option<Capabilities>,
}

/// A system that does not answer is described by the job alone.
async fn discover(global: &Global, configuration: Configuration, spec: &JobSpec, output: Output) -> Result<Systems> {
    let setup = Setup::new(configuration, crate::setup::open_store(global).await?);
    let cx = context(output, "schema");
    let mut systems = Systems::default();
    for (connection, is_target) in [(&spec.source, false), (&spec.target, true)] {
        let found = match setup.connections.session(connection).await {
            Ok(session) => session.schema(&cx).await.map(|schema| (schema, session.capabilities().clone())),
            Err(error) => Err(error),
        };
        match found {
            Ok((schema, capabilities)) if is_target => {
                systems.target = Some(schema);
                systems.capabilities = Some(capabilities);
            }
            Ok((schema, _)) => systems.source = Some(schema),
            Err(error) => {
                output.note(format_args!(
                    "`{connection}` is described by what the job names, since it did not answer: {error}"
                ));
            }
        }
    }
    Ok(systems)
}

fn read(file: &Path) -> Result<String> {
    let failed = |error: std::io::Error| {
        let message = format!("cannot read the schema `{}`: {error}", shown(file));
        Error::from(Problem::new("PRV-0901", message).hint("name a file that Entra exported, or `-` for stdin"))
    };
    let mut bytes = Vec::new();
    // One byte more than is read tells that there is more.
    let limit = MAX_BYTES as u64 + 1;
    if file == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        fs::File::open(file).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(failed)?;
    }
    provost_entra::decode(&bytes).map_err(|fault| problem(fault, &Source::of_file(file, String::new())).into())
}

fn problem(fault: Fault, source: &Source) -> Problem {
    let message = fault.to_string();
    let place = source.place(fault.offset..fault.offset);
    Problem { code: fault.code, severity: Severity::Error, message, place: Some(place), hint: fault.hint }
}

/// The notes in three lists, what matters most first.
fn tell(notes: &[Note], output: Output) {
    for (kind, title) in [
        (NoteKind::Lost, "Not carried over:"),
        (NoteKind::Changed, "Carried over in another form:"),
        (NoteKind::Label, "Without effect, and left out:"),
    ] {
        let listed: Vec<&Note> = notes.iter().filter(|note| note.kind == kind).collect();
        if listed.is_empty() {
            continue;
        }
        output.note(title);
        let shown = if kind == NoteKind::Label { listed.len().min(LABELS_SHOWN) } else { listed.len() };
        listed[..shown].iter().for_each(|note| output.note(format_args!("  {note}")));
        if shown < listed.len() {
            output.note(format_args!("  and {} more, which --json lists", listed.len() - shown));
        }
    }
}

fn unprintable(reason: String) -> Problem {
    Problem::new("PRV-0704", format!("cannot write the jobs as YAML: {reason}"))
}

/// Adds the jobs to a configuration and leaves everything else in it as it stands, comments included.
fn add(file: &Path, jobs: &[(JobName, JobSpec)]) -> Result<()> {
    let refused = |reason: String| {
        Error::from(
            Problem::new("PRV-0903", format!("cannot add the jobs to `{}`: {reason}", shown(file)))
                .hint("leave out --into, and put the jobs that are printed where you want them"),
        )
    };
    let old = fs::read_to_string(file).map_err(|error| refused(error.to_string()))?;
    let base = file.parent().map_or_else(PathBuf::new, Path::to_owned);
    let (before, _) = Configuration::parse(Source::of_file(file, old.clone()), base.clone());
    let before = before.ok_or_else(|| refused("it is no YAML document".to_owned()))?;
    if let Some((name, _)) = jobs.iter().find(|(name, _)| before.jobs.contains_key(name.as_str())) {
        return Err(refused(format!("it has a job `{name}` already")));
    }
    let new = extended(&old, &provost_entra::jobs_yaml(jobs).map_err(unprintable)?);
    // The result counts, not how the text was put together.
    let (after, _) = Configuration::parse(Source::of_file(file, new.clone()), base);
    let is_whole = after.is_some_and(|after| {
        let is_there = |(name, spec): &(JobName, JobSpec)| {
            let there = after.jobs.get(name.as_str());
            // What all jobs share comes from the configuration, not from the schema.
            there.is_some_and(|there| *there == JobSpec { shared: there.shared.clone(), ..spec.clone() })
        };
        jobs.iter().all(is_there)
            && before.jobs.iter().all(|(name, spec)| after.jobs.get(name) == Some(spec))
            && before.connections == after.connections
    });
    if !is_whole {
        return Err(refused("its `jobs:` are not written as a block".to_owned()));
    }
    replace(file, &new)
}

/// The text with the jobs behind the last one of its section `jobs:`, or with a section of their own at the end.
fn extended(old: &str, yaml: &str) -> String {
    let lines: Vec<&str> = old.split_inclusive('\n').collect();
    let Some(head) = lines.iter().position(|line| line.trim_end() == "jobs:") else {
        let gap = if old.is_empty() || old.ends_with('\n') { "" } else { "\n" };
        return format!("{old}{gap}\n{yaml}");
    };
    let is_inside = |line: &&str| line.starts_with([' ', '\t']) || line.trim().is_empty() || line.starts_with('#');
    let section = &lines[head + 1..];
    let length = section.iter().position(|line| !is_inside(line)).unwrap_or(section.len());
    let used = section[..length].iter().rposition(|line| line.starts_with([' ', '\t']) && !line.trim().is_empty());
    let end = head + 1 + used.map_or(0, |at| at + 1);
    let first = section[..length].iter().find(|line| line.starts_with(' ') && !line.trim_start().starts_with('#'));
    let indent = first.map_or(2, |line| line.len() - line.trim_start().len());
    let mut body = String::new();
    for line in yaml.lines().skip(1) {
        body.push_str(&" ".repeat(indent));
        body.push_str(line.strip_prefix("  ").unwrap_or(line));
        body.push('\n');
    }
    let start: String = lines[..end].concat();
    let gap = if start.ends_with('\n') { "" } else { "\n" };
    format!("{start}{gap}{body}{}", lines[end..].concat())
}

/// Writes beside the file and puts it in its place, so that no crash leaves half of it.
fn replace(file: &Path, text: &str) -> Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = tempfile::NamedTempFile::new_in(folder).and_then(|mut new| {
        new.write_all(text.as_bytes())?;
        if let Ok(old) = fs::metadata(file) {
            new.as_file().set_permissions(old.permissions())?;
        }
        new.as_file().sync_all()?;
        new.persist(file).map_err(|error| error.error)
    });
    written
        .map(|_| ())
        .map_err(|error| Problem::new("PRV-0704", format!("cannot write `{}`: {error}", shown(file))).into())
}
