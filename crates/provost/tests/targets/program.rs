//! A program of one's own, in Python, behind the process protocol.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use provost_connector::Settings;
use provost_connectors::process::digest_of;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use super::{Target, tell};

const RULES: &str = r#"      - from: User
        to: person
        scope: active eq true
        match: [ { target: login, source: "[userName]" } ]
        attributes:
          login: "[userName]"
          title: "[title]"
        leavers: { out_of_scope: disable, deleted: delete }
      - from: Group
        to: team
        match: [ { target: name, source: "[displayName]" } ]
        attributes:
          name: "[displayName]"
          people: "[members]"
"#;

/// What `provost connector new` writes beside a connector in Python.
const PROTOCOL: &str = include_str!("../../src/command/skeleton/python/pcp.py");

struct Program(TempDir);

impl Program {
    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Target for Program {
    fn connection(&self, folder: &Path) -> String {
        let settings = json!({
            "command": ["python3", "-B", self.path("people.py")],
            "files": [self.path("pcp.py")],
            "settings": { "file": self.path("people.json") },
        });
        let digest = digest_of(&Settings::new(settings.as_object().unwrap().clone(), folder)).unwrap();
        let mut target = settings;
        target["connector"] = "process".into();
        target["approved"] = digest.into();
        // JSON is YAML.
        format!("  target: {target}\n")
    }

    fn rules(&self) -> &'static str {
        RULES
    }

    fn password(&self) -> Option<&'static str> {
        None
    }

    async fn state(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("people.json")).unwrap();
        let objects: BTreeMap<String, BTreeMap<String, Json>> = serde_json::from_str(&text).unwrap();
        let of = |class: &'static str| objects.values().filter(move |one| one["class"] == class);
        let text = |one: &BTreeMap<String, Json>, name: &str| one[name].as_str().unwrap().to_owned();
        let person = |one: &BTreeMap<String, Json>| {
            format!(
                "{} {} {}",
                text(one, "login"),
                text(one, "title"),
                if one["active"] == true { "on" } else { "off" }
            )
        };
        let mut people: Vec<String> = of("person").map(person).collect();
        people.sort();
        let team = |one: &BTreeMap<String, Json>| {
            let login = |member: &Json| text(&objects[member["ref"]["id"].as_str().unwrap()], "login");
            let mut logins: Vec<String> = one["people"].as_array().unwrap().iter().map(login).collect();
            logins.sort();
            format!("{}: {}", text(one, "name"), logins.join(","))
        };
        let mut teams: Vec<String> = of("team").map(team).collect();
        teams.sort();
        people.into_iter().chain(teams).collect()
    }
}

#[tokio::test]
async fn a_program_in_python() {
    let program = Program(TempDir::new().unwrap());
    std::fs::write(program.path("people.py"), include_str!("people.py")).unwrap();
    std::fs::write(program.path("pcp.py"), PROTOCOL).unwrap();
    let bob = json!({ "1": { "class": "person", "login": "bob", "title": "old", "active": true } });
    std::fs::write(program.path("people.json"), bob.to_string()).unwrap();
    tell(program).await;
}
