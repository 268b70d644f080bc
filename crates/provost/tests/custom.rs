//! Connectors of one's own, from `connector new` to the conformance kit, and built-in ones behind the protocol.
// Clippy's permission for tests covers functions marked #[test], not what they call.
#![allow(clippy::unwrap_used)]

mod run;

use std::path::{Path, PathBuf};
use std::process::Command;

use run::{Folder, provost, provost_with};
use serde_json::Value as Json;

/// A new connector in a folder of the test's own.
fn made(folder: &Folder, language: &str) -> PathBuf {
    let done = folder.run(&["connector", "new", "badges", "--language", language]).ok();
    assert!(done.stderr.contains("made a connector in badges; it works as it is:"), "{}", done.stderr);
    folder.path("badges")
}

/// What the new connector's page says to type, typed.
fn passes_its_tests(folder: &Path, command: &str, environment: &[(&str, &Path)]) {
    let mut shell = Command::new("sh");
    let done = shell.args(["-c", command]).current_dir(folder).envs(environment.iter().copied()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{said}");
}

/// Its configuration is in order, and it keeps the contract.
fn keeps_its_promises(folder: &Folder, level: &str, at_least: usize) {
    let config = folder.path("badges/provost.yaml");
    let config = config.to_str().unwrap();
    folder.run(&["--config", config, "config", "check"]).ok();
    let sample = folder.path("badges/sample.yaml");
    let sample = sample.to_str().unwrap();
    let test = ["--config", config, "connector", "test", "badges", "--level", level, "--sample", sample, "--json"];
    let done = folder.run(&test).ok();
    let report: Json = serde_json::from_str(&done.stdout).unwrap();
    let cases = report["cases"].as_array().unwrap();
    let passed = cases.iter().filter(|case| case["state"] == "passed").count();
    assert!(passed >= at_least, "{passed} passed: {}", done.stdout);
}

#[test]
fn a_new_connector_in_python_works() {
    let folder = Folder::new();
    let badges = made(&folder, "python");
    passes_its_tests(&badges, "python3 -B -m unittest", &[]);
    keeps_its_promises(&folder, "standard", 30);
}

#[test]
fn a_new_connector_in_shell_works() {
    let folder = Folder::new();
    let badges = made(&folder, "shell");
    passes_its_tests(&badges, "sh test.sh", &[]);
    // It passes `standard` as well, a minute long: each request is some processes there.
    let level = if std::env::var_os("PROVOST_SOAK").is_some() { "standard" } else { "basic" };
    keeps_its_promises(&folder, level, 15);
}

#[test]
fn a_new_connector_in_rust_works() {
    let folder = Folder::new();
    let badges = made(&folder, "rust");
    let target = badges.join("target");
    passes_its_tests(&badges, "cargo test --offline && cargo build --offline", &[("CARGO_TARGET_DIR", &target)]);
    // A build for the test alone; what it made is where a release would be.
    std::fs::rename(target.join("debug"), target.join("release")).unwrap();
    let config = badges.join("provost.yaml");
    let refused = folder.run(&["--config", config.to_str().unwrap(), "config", "check"]);
    assert_eq!(refused.status, 1);
    let (_, digest) = refused.stderr.split_once("set `approved: ").expect(&refused.stderr);
    let digest = digest.split('`').next().unwrap();
    let text = std::fs::read_to_string(&config).unwrap();
    let line = text.lines().find(|line| line.contains("approved:")).unwrap();
    std::fs::write(&config, text.replace(line, &format!("    approved: {digest}"))).unwrap();
    keeps_its_promises(&folder, "standard", 30);
}

#[test]
fn what_cannot_be_made_is_said() {
    let folder = Folder::new();
    folder.write("full/file", "");
    for (arguments, want) in [
        (&["Badges"][..], "error[PRV-0707]: `Badges` cannot be the name of a connector"),
        (&["../up"], "cannot be the name of a connector"),
        (&["badges", "--dir", "full"], "error[PRV-0707]: the folder `full` is not empty"),
        (&["badges", "--dir", "full/file/more"], "error[PRV-0709]: cannot write `full/file/more/connector.yaml`"),
    ] {
        let done = folder.run(&[&["connector", "new", "--language", "python"], arguments].concat());
        assert!(done.status != 0 && done.stderr.contains(want), "{}", done.stderr);
    }
    let done = provost(&["connector", "serve", "fiel"]);
    assert_eq!(done.status, 64);
    assert!(done.stderr.contains("there is no connector `fiel` to serve"), "{}", done.stderr);
    assert!(done.stderr.contains("did you mean `file`?"), "{}", done.stderr);
}

#[test]
fn a_built_in_connector_is_served() {
    let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"pcp":"1.0"}}"#;
    let bye = r#"{"jsonrpc":"2.0","id":2,"method":"shutdown"}"#;
    let done = provost_with(&["connector", "serve", "file"], &format!("{hello}\n{bye}\n")).ok();
    let answers: Vec<Json> = done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&answers[0]["result"]["connector"]["name"], &answers[1]["id"]), (&"file".into(), &2.into()));

    // And as a connection, by the binary itself.
    let folder = Folder::new();
    folder.write("people.csv", "id,name\n1,Ada\n2,Bob\n");
    let program = env!("CARGO_BIN_EXE_provost");
    let config = |approved: &str| {
        format!(
            "connections:\n  people:\n    connector: process\n    command: [{program}, connector, serve, file]\n{approved}    \
             settings: {{ path: people.csv, key: id }}\n"
        )
    };
    folder.write("provost.yaml", &config(""));
    let refused = folder.run(&["config", "check"]);
    let (_, digest) = refused.stderr.split_once("set `approved: ").expect(&refused.stderr);
    folder.write("provost.yaml", &config(&format!("    approved: {}\n", digest.split('`').next().unwrap())));
    folder.run(&["config", "check"]).ok();
    let done = folder.run(&["connector", "test", "people", "--level", "basic"]).ok();
    assert!(done.stderr.contains(" 0 failed"), "{}", done.stderr);
}
