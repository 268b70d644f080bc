//! A program of one's own: the card program of the tests, in Python.

use std::sync::Arc;

use provost_connector::Settings;
use provost_connectors::process::{ProcessConnector, digest_of};
use serde_json::json;

use super::Trial;

#[tokio::test]
async fn a_program_in_python() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cards.py"), include_str!("../process/cards.py")).unwrap();
    let store = folder.path().join("cards.json");
    std::fs::write(&store, json!({"1": {"number": "1", "name": "Ada"}}).to_string()).unwrap();
    let mut settings = json!({
        "command": ["python3", "cards.py"],
        "settings": { "store": store },
    });
    let values = settings.as_object().cloned().unwrap();
    settings["approved"] = digest_of(&Settings::new(values, folder.path())).unwrap().into();
    let trial = Trial {
        connector: Arc::new(ProcessConnector::default()),
        base: folder.path(),
        settings,
        secrets: &[],
        sample: json!({ "card": {
            "create": { "number": "kit{n}", "name": "Kit {n}" },
            "key": "number",
            "free": ["note", "name"],
            "many": { "attribute": "zones", "values": ["red", "green", "blue"] },
        }}),
    };
    trial.pass(20).await;
}
