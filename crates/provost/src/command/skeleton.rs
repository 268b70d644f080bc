//! `provost connector new`: a connector of one's own to start from, which works and passes its own tests.
//!
//! The files are those of the folder `skeleton`, with `@NAME@` replaced.

use std::fs;
use std::path::{Path, PathBuf};

use provost_connector::Settings;
use serde::Serialize;
use serde_json::json;

use crate::cli::{ConnectorNewArgs, Language};
use crate::error::{Error, Exit, Result};
use crate::output::Output;
use crate::problem::{Problem, shown};

/// Path in the new folder, and content.
type Files = &'static [(&'static str, &'static str)];

const COMMON: Files = &[
    ("sample.yaml", include_str!("skeleton/sample.yaml")),
    ("provost.yaml", include_str!("skeleton/provost.yaml")),
    ("README.md", include_str!("skeleton/README.md")),
];

const PYTHON: Files = &[
    ("connector.yaml", include_str!("skeleton/python/connector.yaml")),
    ("connector.py", include_str!("skeleton/python/connector.py")),
    ("pcp.py", include_str!("skeleton/python/pcp.py")),
    ("test_connector.py", include_str!("skeleton/python/test_connector.py")),
];

const RUST: Files = &[
    ("connector.yaml", include_str!("skeleton/rust/connector.yaml")),
    ("Cargo.toml", include_str!("skeleton/rust/Cargo.toml")),
    ("src/main.rs", include_str!("skeleton/rust/main.rs")),
    ("src/pcp.rs", include_str!("skeleton/rust/pcp.rs")),
    ("tests/connector.rs", include_str!("skeleton/rust/tests.rs")),
];

const SHELL: Files = &[
    ("connector.yaml", include_str!("skeleton/shell/connector.yaml")),
    ("connector.sh", include_str!("skeleton/shell/connector.sh")),
    ("connector.jq", include_str!("skeleton/shell/connector.jq")),
    ("test.sh", include_str!("skeleton/shell/test.sh")),
];

impl Language {
    fn files(self) -> Files {
        match self {
            Language::Python => PYTHON,
            Language::Rust => RUST,
            Language::Shell => SHELL,
        }
    }

    /// The command that runs its tests.
    fn test(self) -> &'static str {
        match self {
            Language::Python => "python3 -B -m unittest",
            Language::Rust => "cargo test && cargo build --release",
            Language::Shell => "sh test.sh",
        }
    }
}

/// What was made, for `--json`.
#[derive(Debug, Serialize)]
struct Made {
    folder: String,
    files: Vec<&'static str>,
    test: &'static str,
}

pub fn new(args: &ConnectorNewArgs, output: Output) -> Result<Exit> {
    let name = &args.name;
    let starts = name.starts_with(|letter: char| letter.is_ascii_lowercase());
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    if !starts || !name.chars().all(plain) || name.len() > 40 {
        let message = format!("`{name}` cannot be the name of a connector");
        let problem =
            Problem::new("PRV-0707", message).hint("write lower-case letters, digits and dashes: badge-system");
        return Err(Error::Usage(problem));
    }
    let folder = args.dir.clone().unwrap_or_else(|| PathBuf::from(name));
    if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
        let message = format!("the folder `{}` is not empty", shown(&folder));
        return Err(Error::Usage(Problem::new("PRV-0707", message).hint("name another one with --dir")));
    }
    let filled = |text: &str| text.replace("@NAME@", name).replace("@TEST@", args.language.test());
    let common = COMMON.iter().filter(|(path, _)| *path != "provost.yaml");
    for (path, text) in args.language.files().iter().chain(common) {
        write(&folder.join(path), &filled(text))?;
    }
    // What is as we made it needs nobody's look; a program that has to be built first cannot be approved yet.
    let approved = match digest(&folder) {
        Some(digest) => format!("approved: {digest}"),
        None => "# approved: sha256:…   what `provost config check` tells once it is built".to_owned(),
    };
    let configuration = include_str!("skeleton/provost.yaml").replace("@APPROVED@", &approved);
    write(&folder.join("provost.yaml"), &filled(&configuration))?;
    if output.json {
        let files = args.language.files().iter().chain(COMMON).map(|(path, _)| *path).collect();
        output.json(&Made { folder: folder.display().to_string(), files, test: args.language.test() })?;
        return Ok(Exit::Done);
    }
    output.note(format_args!("made a connector in {}; it works as it is:", shown(&folder)));
    output.note(format_args!("  cd {}", shown(&folder)));
    output.note(format_args!("  {}", args.language.test()));
    output.note(format_args!(
        "  provost --config provost.yaml connector test {name} --level standard --sample sample.yaml"
    ));
    output.note("README.md says how it goes on");
    Ok(Exit::Done)
}

fn digest(folder: &Path) -> Option<String> {
    let values = json!({"manifest": "connector.yaml"}).as_object().cloned()?;
    provost_connectors::process::digest_of(&Settings::new(values, folder)).ok()
}

fn write(path: &Path, text: &str) -> Result<()> {
    let put = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(path, text)
    };
    put().map_err(|error| {
        Problem::new("PRV-0709", format!("cannot write `{}`: {error}", shown(path)))
            .hint("name a folder that can be written with --dir")
            .into()
    })
}
