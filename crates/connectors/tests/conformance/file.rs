//! Files, in a folder of the test's own.

use std::sync::Arc;

use provost_connectors::file::FileConnector;
use serde_json::json;

use super::Trial;

#[tokio::test]
async fn fixed_columns() {
    let column = |name: &str| json!({ "name": name, "width": 200 });
    let columns = ["id", "login", "mail", "note", "active"].map(column);
    let settings = json!({
        "path": "people.dat", "format": "fixed", "class": "person", "key": "id", "write": true, "columns": columns,
        "enabled": { "column": "active", "on": "yes", "off": "no" },
    });
    let line =
        ["p1", "lovelace", "ada@example.org", "first", "yes"].map(|value| format!("{value:200}")).concat() + "\n";
    tree("people.dat", &line, settings, 25).await;
}

#[tokio::test]
async fn ldif() {
    let folder = tempfile::tempdir().unwrap();
    let entry = "dn: uid=p1,dc=example\nobjectClass: account\nuid: lovelace\nmail: ada@example.org\nhost: first\n\n";
    std::fs::write(folder.path().join("people.ldif"), entry).unwrap();
    let trial = Trial {
        connector: Arc::new(FileConnector::default()),
        base: folder.path(),
        settings: json!({
            "path": "people.ldif", "object_class": "account", "write": true,
            "enabled": { "column": "locked", "on": "FALSE", "off": "TRUE" },
        }),
        secrets: &[],
        sample: json!({ "person": {
            "create": { "dn": "uid=p{n},dc=example", "uid": "kit{n}", "mail": "kit{n}@example.org" },
            "key": "dn",
            "free": ["host", "mail"],
        }}),
    };
    trial.pass(25).await;
}

async fn tree(name: &str, content: &str, settings: serde_json::Value, at_least: usize) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), content).unwrap();
    let trial = Trial {
        connector: Arc::new(FileConnector::default()),
        base: folder.path(),
        settings,
        secrets: &[],
        sample: json!({ "person": {
            "create": { "id": "p{n}", "login": "kit{n}", "mail": "kit{n}@example.org" },
            "key": "id",
            "free": ["note", "mail"],
        }}),
    };
    trial.pass(at_least).await;
}

#[tokio::test]
async fn json_lines() {
    let settings = json!({
        "path": "people.jsonl", "class": "person", "key": "id", "write": true, "enabled": { "column": "active" },
    });
    tree(
        "people.jsonl",
        "{\"id\":\"p1\",\"login\":\"lovelace\",\"mail\":\"ada@example.org\",\"active\":true}\n",
        settings,
        27,
    )
    .await;
}

#[tokio::test]
async fn delimited_text() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("people.csv"), "id,login,mail,note\np1,ada,ada@example.org,first\n").unwrap();
    let trial = Trial {
        connector: Arc::new(FileConnector::default()),
        base: folder.path(),
        settings: json!({
            "path": "people.csv", "class": "person", "key": "id", "write": true,
            "enabled": { "column": "active", "on": "yes", "off": "no" },
        }),
        secrets: &[],
        sample: json!({ "person": {
            "create": { "id": "p{n}", "login": "kit{n}", "mail": "kit{n}@example.org", "active": "yes" },
            "key": "id",
            "free": ["note", "mail"],
        }}),
    };
    trial.pass(25).await;
}
