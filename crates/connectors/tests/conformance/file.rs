//! Files, in a folder of the test's own.

use std::sync::Arc;

use provost_connectors::file::FileConnector;
use serde_json::json;

use super::Trial;

#[tokio::test]
async fn delimited_text() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("people.csv"), "id,login,mail,note,active\np1,ada,ada@example.org,first,yes\n")
        .unwrap();
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
