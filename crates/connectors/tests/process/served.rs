//! A connector of this build behind lines gives what it gives in process.

use std::path::Path;
use std::sync::Arc;

use provost_connector::protocol::{VARIABLE, serve};
use provost_connector::{Connector, ErrorCode, Session, Settings};
use provost_connectors::file::FileConnector;
use provost_connectors::process::ProcessConnector;
use serde_json::{Value as Json, json};

use crate::support::*;

/// Not a test but the child of those below: the test harness has taken standard output for itself, so the answers go to the
/// third stream, which the shell has made of it.
#[test]
#[ignore = "started by the other tests"]
fn serves_the_file_connector() {
    if std::env::var_os(VARIABLE).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let output = std::fs::OpenOptions::new().write(true).open("/dev/fd/3").unwrap();
    let input = std::fs::File::open("/dev/fd/0").unwrap();
    let [input, output] = [input, output].map(tokio::fs::File::from_std);
    runtime.block_on(serve(Arc::new(FileConnector::default()), input, output)).unwrap();
}

fn settings(folder: &Path, values: &Json, more: Json) -> Settings {
    let child = r#"exec "$0" --exact served::serves_the_file_connector --ignored --nocapture 3>&1 1>/dev/null"#;
    let mut all = json!({
        "command": ["sh", "-c", child, std::env::current_exe().unwrap()],
        "settings": values,
    });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let mut settings = Settings::new(all.as_object().unwrap().clone(), folder);
    let digest = provost_connectors::process::digest_of(&settings).unwrap();
    settings.values.insert("approved".into(), digest.into());
    settings
}

async fn both(folder: &Path, values: Json, more: Json) -> [Arc<dyn Session>; 2] {
    let host = || Arc::new(Keyring(Default::default()));
    let plain = Settings::new(values.as_object().unwrap().clone(), folder);
    let inside = FileConnector::default().configure(plain, host()).await.unwrap();
    let outside = ProcessConnector::default().configure(settings(folder, &values, more), host()).await.unwrap();
    [inside, outside]
}

#[tokio::test]
async fn records_faults_and_ends_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "id,name,boss,tags\n".to_owned();
    for row in 0..3_000 {
        text += &format!("{row},\"Zoë \"\"{row}\"\", {}\",{},a|b c|\n", "x".repeat(row % 50), row / 2);
    }
    text += "7,again,,\n9000,too,many,cells,here\n";
    std::fs::write(folder.path().join("people.csv"), text).unwrap();
    let values = json!({"path": "people.csv", "key": "id", "references": {"boss": "person"}, "multi": {"tags": "|"}});
    // Lines so short that each page comes in several.
    for more in [json!({}), json!({"max_line": 20_000})] {
        let [inside, outside] = both(folder.path(), values.clone(), more).await;
        assert_eq!(inside.capabilities(), outside.capabilities());
        assert_eq!(inside.schema(&cx()).await.unwrap(), outside.schema(&cx()).await.unwrap());
        let mut whole = Vec::new();
        for session in [&inside, &outside] {
            let request =
                provost_connector::ScanRequest { page_size: 500, ..provost_connector::ScanRequest::full("person") };
            let mut scan = session.scan(&cx(), request).await.unwrap();
            let (mut items, mut faults) = (Vec::new(), Vec::new());
            let end = loop {
                let page = scan.next(&cx()).await.unwrap();
                items.extend(page.items);
                faults.extend(page.faults);
                if let Some(end) = page.end {
                    break end;
                }
            };
            whole.push((items, faults, end));
        }
        assert_eq!((whole[0].0.len(), whole[0].1.len()), (3_000, 2));
        assert_eq!(whole[0], whole[1]);
        assert_eq!(inside.revision(&cx(), "person").await.unwrap(), outside.revision(&cx(), "person").await.unwrap());
        let id = "17".into();
        assert_eq!(inside.get(&cx(), "person", &id).await.unwrap(), outside.get(&cx(), "person", &id).await.unwrap());
        let error = outside.get(&cx(), "card", &id).await.unwrap_err();
        assert_eq!(error, inside.get(&cx(), "card", &id).await.unwrap_err());
        assert_eq!(error.code, ErrorCode::NotSupported);
    }
}

#[tokio::test]
async fn problems_of_the_settings_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let problems = ProcessConnector::default().validate(&settings(folder.path(), &json!({"path": "x.csv"}), json!({})));
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert_eq!((&*problems[0].path, &*problems[0].message), ("settings.key", "`key` is missing"));
}

#[tokio::test]
async fn what_is_written_is_the_same() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let values = json!({"path": "cards.csv", "class": "card", "key": "number", "write": true, "columns": null});
    let mut values = values;
    values.as_object_mut().unwrap().remove("columns");
    for folder in &folders {
        std::fs::write(folder.path().join("cards.csv"), "number,name\n1,\"a,b\"\n").unwrap();
    }
    let [inside, _] = both(folders[0].path(), values.clone(), json!({})).await;
    let [_, outside] = both(folders[1].path(), values, json!({})).await;
    let mut told = Vec::new();
    for session in [&inside, &outside] {
        told.push(session.apply(&cx(), &[create("2"), create("1"), create("ä \"q\", \\ \u{1f600}")]).await);
    }
    assert_eq!(told[0], told[1]);
    let written = folders.map(|folder| std::fs::read_to_string(folder.path().join("cards.csv")).unwrap());
    assert_eq!(written[0], written[1]);
    assert!(written[0].contains('\u{1f600}'), "{}", written[0]);
}
