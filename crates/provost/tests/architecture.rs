//! The repository against its own documents: imports against the table in ARCHITECTURE.md, error numbers against the pages
//! in docs/errors/, files against the house rules. The documents are the rules; nothing is listed here a second time.

// Clippy's permission for tests covers functions marked #[test], not what they call.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

const LONG: usize = 800;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path.as_ref()).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// Crate -> the crates it may import, from the table under "Allowed edges".
fn allowed(document: &str) -> BTreeMap<String, BTreeSet<String>> {
    let section =
        document.split("\n## ").find(|part| part.starts_with("Allowed edges")).expect("a section of that name");
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let imports = cells[1].split(", ").filter(|name| *name != "none").map(str::to_owned).collect();
        (cells[0].to_owned(), imports)
    })
    .collect()
}

/// Crate -> the crates of the workspace it imports outside of its tests, from cargo.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Json = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let short = |name: &str| name.strip_prefix("provost-").unwrap_or(name).to_owned();
    let members: BTreeSet<String> = packages.iter().map(|package| short(package["name"].as_str().unwrap())).collect();
    let imports_of = |package: &Json| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let product = dependencies.filter(|dependency| dependency["kind"] != "dev" && dependency["path"].is_string());
        product
            .map(|dependency| short(dependency["name"].as_str().unwrap()))
            .filter(|name| members.contains(name))
            .collect()
    };
    packages.iter().map(|package| (short(package["name"].as_str().unwrap()), imports_of(package))).collect()
}

/// Every file of these folders with this ending.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "node_modules" && name != "target") {
                files(&path, ending, found);
            }
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
}

fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let source = entry.unwrap().path().join("src");
        if source.is_dir() {
            files(&source, ".rs", &mut found);
        }
    }
    assert!(found.len() > 50, "only {} source files were found", found.len());
    found
}

/// The error numbers in a text.
fn numbers(text: &str) -> BTreeSet<String> {
    let digits = |rest: &str| rest.len() >= 4 && rest.bytes().take(4).all(|byte| byte.is_ascii_digit());
    text.split("PRV-").skip(1).filter(|rest| digits(rest)).map(|rest| format!("PRV-{}", &rest[..4])).collect()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[test]
fn crates_import_what_architecture_draws() {
    let allowed = allowed(&read(root().join("ARCHITECTURE.md")));
    let imports = imports();
    let names = |map: &BTreeMap<String, BTreeSet<String>>| map.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&allowed), names(&imports), "the table in ARCHITECTURE.md (left) has every crate (right)");
    let mut wrong = Vec::new();
    for (name, imported) in &imports {
        wrong.extend(imported.difference(&allowed[name]).map(|other| format!("{name} -> {other}")));
    }
    assert!(wrong.is_empty(), "edges that ARCHITECTURE.md does not draw: {}", wrong.join(", "));
}

#[test]
fn the_table_is_read_as_it_is_written() {
    let table = "# X\n\n## Allowed edges\nText.\n\n| crate | may | not |\n| --- | --- | --- |\n| a | none | b |\n| b | a, c | |\n\n## Y\n";
    let allowed = allowed(table);
    assert!(allowed["a"].is_empty());
    assert_eq!(allowed["b"].iter().collect::<Vec<_>>(), ["a", "c"]);
}

#[test]
fn long_files_say_why() {
    let mut all = sources();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let tests = entry.unwrap().path().join("tests");
        if tests.is_dir() {
            files(&tests, ".rs", &mut all);
        }
    }
    let excused = |text: &str| text.lines().take(10).any(|line| line.starts_with("//! Long because"));
    let wrong: Vec<String> = all
        .iter()
        .map(|path| (path, read(path)))
        .filter(|(_, text)| text.lines().count() > LONG && !excused(text))
        .map(|(path, text)| format!("{} ({} lines)", shown(path), text.lines().count()))
        .collect();
    assert!(wrong.is_empty(), "over {LONG} lines without `//! Long because …`: {}", wrong.join(", "));
}

#[test]
fn nothing_is_left_to_do() {
    let wrong: Vec<String> =
        sources().iter().filter(|path| read(path).contains("todo!(")).map(|path| shown(path)).collect();
    assert!(wrong.is_empty(), "unfinished: {}", wrong.join(", "));
}

#[test]
fn every_error_number_has_a_page_and_every_page_a_number() {
    let mut pages = Vec::new();
    files(&root().join("docs/errors"), ".md", &mut pages);
    pages.retain(|path| path.file_name().is_some_and(|name| name != "README.md"));
    let list = read(root().join("docs/errors/README.md"));
    let mut documented = BTreeSet::new();
    for path in &pages {
        let number = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = read(path);
        assert!(text.starts_with(&format!("# {number} ")), "{} begins with its number and title", shown(path));
        for section in ["## Meaning", "## Usual causes", "## What to do"] {
            assert!(text.contains(section), "{} has no section `{section}`", shown(path));
        }
        let title =
            text.lines().next().and_then(|line| line.split_once(&format!("{number} "))).map_or("", |(_, title)| title);
        assert!(
            list.contains(&format!("[{number}]({number}.md) {title}\n")),
            "docs/errors/README.md lists {number} {title}"
        );
        documented.insert(number);
    }
    let mentioned: BTreeSet<String> = sources().iter().flat_map(|path| numbers(&read(path))).collect();
    let missing: Vec<_> = mentioned.difference(&documented).cloned().collect();
    let unused: Vec<_> = documented.difference(&mentioned).cloned().collect();
    assert!(missing.is_empty(), "without a page in docs/errors/: {}", missing.join(", "));
    assert!(unused.is_empty(), "pages of numbers that no source mentions: {}", unused.join(", "));
}
