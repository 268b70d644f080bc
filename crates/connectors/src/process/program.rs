//! What is started: the command with its paths found, the manifest beside it, and whether it is what was approved.

use std::path::{Path, PathBuf};

use provost_connector::protocol::{VERSION, is_spoken};
use provost_connector::{ConnectorError, ErrorCode, Settings};
use serde::Deserialize;

use super::config::{self, Config, What};
use crate::program::digest::{Files, of_text};
use crate::program::resolve;

/// The longest manifest, in bytes.
const MAX_MANIFEST: u64 = 256 << 10;

/// A program that may be started.
#[derive(Debug, Clone)]
pub(super) struct Program {
    /// The manifest's id, or the name of the file that is started.
    pub name: String,
    /// The program and its arguments, with paths that do not depend on the working folder.
    pub argv: Vec<String>,
    pub kind: Kind,
    /// Variables that the manifest asks for.
    pub environment: Vec<String>,
    pub digest: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Source,
    Target,
    #[default]
    Both,
}

/// The file beside a program. What is not said of it here is told to people alone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    id: String,
    #[serde(rename = "version")]
    _version: String,
    protocol: String,
    command: Vec<String>,
    #[serde(default)]
    kind: Kind,
    /// Files and folders of the program beside those that the command names.
    #[serde(default)]
    files: Vec<PathBuf>,
    #[serde(default)]
    environment: Vec<String>,
    /// The digest of the files, which shows whether they came whole.
    #[serde(default)]
    digest: Option<String>,
    #[serde(default, rename = "title")]
    _title: String,
    #[serde(default, rename = "description")]
    _description: String,
    #[serde(default, rename = "vendor")]
    _vendor: String,
    #[serde(default, rename = "licence")]
    _licence: String,
}

fn invalid(at: &str, message: String) -> ConnectorError {
    ConnectorError::new(ErrorCode::InvalidConfig, message).at(at)
}

/// The digest that `approved` has to be for these settings to be used. Reads the program's files and starts nothing.
pub fn digest_of(settings: &Settings) -> Result<String, ConnectorError> {
    Ok(find(&config::require(settings)?)?.digest)
}

/// The program, when it is the one that an administrator approved. Reads all its files.
pub(super) fn approve(config: &Config) -> Result<Program, ConnectorError> {
    let program = find(config)?;
    let digest = &program.digest;
    let hint = format!("look at what it does, then set `approved: {digest}`");
    match &config.approved {
        None => Err(invalid("approved", format!("the program `{}` is not approved", program.name)).hint(hint)),
        Some(approved) if approved != digest => {
            let message =
                format!("the program `{}` is not the one that was approved: its files have changed", program.name);
            Err(invalid("approved", message).hint(format!("find out who changed it and why; {hint}")))
        }
        Some(_) => Ok(program),
    }
}

fn find(config: &Config) -> Result<Program, ConnectorError> {
    match &config.what {
        What::Command(command) => {
            let base = &config.settings.base;
            let mut files = Files::new(base);
            let argv = resolve(command, base, &mut files)?;
            add_all(&mut files, &config.files)?;
            let digest = of_text(&format!("command {command:?}\n{}", files.list()?));
            Ok(Program { name: name(&argv), argv, kind: Kind::Both, environment: Vec::new(), digest })
        }
        What::Manifest(path) => of_manifest(path, &config.files),
    }
}

fn of_manifest(path: &Path, more: &[PathBuf]) -> Result<Program, ConnectorError> {
    let shown = path.display();
    let meta = path.metadata().map_err(|error| invalid("manifest", format!("cannot read {shown}: {error}")))?;
    if meta.len() > MAX_MANIFEST {
        return Err(invalid("manifest", format!("{shown} has more than {MAX_MANIFEST} bytes")));
    }
    let text =
        std::fs::read_to_string(path).map_err(|error| invalid("manifest", format!("cannot read {shown}: {error}")))?;
    let manifest: Manifest = serde_saphyr::from_str(&text).map_err(|error| {
        invalid("manifest", format!("{shown} is no manifest: {error}"))
            .hint("docs/custom-connectors.md lists what it has")
    })?;
    if !is_spoken(&manifest.protocol) {
        let message =
            format!("`{}` speaks version {} of the protocol, this host {VERSION}", manifest.id, manifest.protocol);
        return Err(invalid("manifest", message).hint("get a version of the program that fits"));
    }
    let is_own = |name: &&String| name.to_ascii_uppercase().starts_with("PROVOST_");
    if let Some(name) = manifest.environment.iter().find(is_own) {
        return Err(invalid(
            "manifest",
            format!("{shown} asks for `{name}`, which is Provost's own and is not handed on"),
        ));
    }
    let base = path.parent().unwrap_or(Path::new("."));
    let mut files = Files::new(base);
    let argv = resolve(&manifest.command, base, &mut files)?;
    let own: Vec<PathBuf> = manifest.files.iter().map(|file| base.join(file)).collect();
    add_all(&mut files, &own)?;
    let list = files.list()?;
    let have = of_text(&list);
    if manifest.digest.as_ref().is_some_and(|said| !said.eq_ignore_ascii_case(&have)) {
        let message = format!(
            "the files of `{}` are not those that its manifest was made for: their digest is {have}",
            manifest.id
        );
        return Err(invalid("manifest", message).hint("get the program again from where it came"));
    }
    let mut beside = Files::new(base);
    beside.add(path)?;
    add_all(&mut beside, more)?;
    let digest = of_text(&format!("manifest\n{}files\n{list}", beside.list()?));
    Ok(Program { name: manifest.id, argv, kind: manifest.kind, environment: manifest.environment, digest })
}

fn add_all(files: &mut Files, paths: &[PathBuf]) -> Result<(), ConnectorError> {
    paths.iter().try_for_each(|path| files.add(path))
}

fn name(argv: &[String]) -> String {
    // Of `python3 badges.py` the second says more.
    let last = argv.iter().skip(1).find(|word| word.contains('/')).or(argv.first());
    last.and_then(|word| Path::new(word).file_name())
        .map_or_else(|| "program".to_owned(), |name| name.to_string_lossy().into_owned())
}
