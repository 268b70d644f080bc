//! Only what an administrator approved is started, and only as long as it is that.

use std::os::unix::fs::PermissionsExt as _;

use provost_connector::{Connector, ErrorCode, Session};
use provost_connectors::process::digest_of;
use provost_model::Action;
use serde_json::json;

use crate::support::*;

fn hosts() -> std::sync::Arc<Keyring> {
    std::sync::Arc::new(Keyring([("card-token", PASSWORD)].into()))
}

async fn refusal(place: &Place, settings: provost_connector::Settings) -> (String, String) {
    let error = place.connector.configure(settings.clone(), hosts()).await.err().unwrap();
    assert_eq!(error.code, ErrorCode::InvalidConfig);
    let problems = place.connector.validate(&settings);
    assert_eq!(problems[0].message, error.message);
    (error.message, error.hint.unwrap_or_default())
}

#[tokio::test]
async fn a_program_is_approved_by_its_digest() {
    let place = Place::new();
    let raw = place.raw(json!({}));
    let digest = digest_of(&raw).unwrap();
    let (message, hint) = refusal(&place, raw.clone()).await;
    assert_eq!(message, "the program `cards.py` is not approved");
    assert_eq!(hint, format!("look at what it does, then set `approved: {digest}`"));
    let approved = place.settings(json!({}));
    assert_eq!(approved.values["approved"], digest);
    place.connector.configure(approved.clone(), hosts()).await.unwrap();

    let program = std::fs::read_to_string(place.path("cards.py")).unwrap();
    std::fs::write(place.path("cards.py"), program.replace("signed in", "SIGNED IN")).unwrap();
    let (message, hint) = refusal(&place, approved.clone()).await;
    assert_eq!(message, "the program `cards.py` is not the one that was approved: its files have changed");
    assert!(hint.contains(&digest_of(&raw).unwrap()), "{hint}");
    std::fs::write(place.path("cards.py"), program).unwrap();
    place.connector.configure(approved.clone(), hosts()).await.unwrap();

    // Another command with the same files is another program.
    let mut other = approved;
    other.values.insert("command".into(), json!(["python3", "-v", "cards.py"]));
    refusal(&place, other).await;
}

#[tokio::test]
async fn a_program_that_changes_while_it_runs_is_not_started_again() {
    let place = Place::new();
    let session = place.faulty("count", "exit").await;
    std::fs::write(place.path("cards.py"), "import sys; sys.exit(9)").unwrap();
    assert!(session.schema(&cx()).await.is_ok(), "what runs is what was approved");
    assert_eq!(session.count(&cx(), "card").await.unwrap_err().code, ErrorCode::Unavailable);
    let error = session.count(&cx(), "card").await.unwrap_err();
    assert_eq!(error.code, ErrorCode::InvalidConfig);
    assert!(error.message.contains("is not the one that was approved"), "{error}");
}

#[tokio::test]
async fn files_that_anybody_can_change_are_not_approved() {
    let place = Place::new();
    std::fs::set_permissions(place.path("cards.py"), std::fs::Permissions::from_mode(0o666)).unwrap();
    let error = digest_of(&place.raw(json!({}))).unwrap_err();
    assert!(error.message.contains("can be changed by anybody"), "{error}");
}

fn manifest(more: &str) -> String {
    format!(
        "id: org.example.cards\nversion: 1.2.0\nprotocol: \"1.0\"\ntitle: Cards\ncommand: [python3, cards.py]\nfiles: [lib]\n{more}"
    )
}

#[tokio::test]
async fn a_manifest_tells_what_belongs_to_the_program() {
    let place = Place::new();
    std::fs::create_dir(place.path("lib")).unwrap();
    std::fs::write(place.path("lib/more.py"), "one").unwrap();
    let settings = |place: &Place| place.raw(json!({"command": null, "manifest": "connector.yaml"}));
    let write = |more: &str| std::fs::write(place.path("connector.yaml"), manifest(more)).unwrap();
    write("");
    let first = digest_of(&settings(&place)).unwrap();
    let approved = place.settings(json!({"command": null, "manifest": "connector.yaml"}));
    let session = place.connector.configure(approved.clone(), hosts()).await.unwrap();
    assert!(session.test(&cx()).await[0].message.contains("`org.example.cards`"));
    for change in ["two", "three"] {
        std::fs::write(place.path("lib/more.py"), change).unwrap();
        assert_ne!(digest_of(&settings(&place)).unwrap(), first);
    }
    std::fs::write(place.path("lib/more.py"), "one").unwrap();
    assert_eq!(digest_of(&settings(&place)).unwrap(), first);
    std::fs::write(place.path("lib/new.py"), "").unwrap();
    assert_ne!(digest_of(&settings(&place)).unwrap(), first);
    std::fs::remove_file(place.path("lib/new.py")).unwrap();

    for (more, want) in [
        ("kindd: source\n", "unknown field `kindd`"),
        ("digest: sha256:00\n", "are not those that its manifest was made for"),
        ("environment: [PROVOST_MASTER_KEY]\n", "which is Provost's own and is not handed on"),
        ("files: [../nothing]\n", "duplicate"),
    ] {
        write(more);
        let error = digest_of(&settings(&place)).unwrap_err();
        assert!(error.message.contains(want), "{more}: {error}");
    }
    std::fs::write(place.path("connector.yaml"), manifest("").replace("\"1.0\"", "\"2.1\"")).unwrap();
    let error = digest_of(&settings(&place)).unwrap_err();
    assert!(error.message.contains("speaks version 2.1 of the protocol, this host 1.0"), "{error}");
}

#[tokio::test]
async fn a_program_that_is_a_source_alone_writes_nothing() {
    let place = Place::new();
    std::fs::create_dir(place.path("lib")).unwrap();
    std::fs::write(place.path("connector.yaml"), manifest("kind: source\n")).unwrap();
    let session = place.open(json!({"command": null, "manifest": "connector.yaml"})).await.unwrap();
    let class = session.capabilities().class("card").unwrap();
    assert!(class.scan && !class.create && !class.delete && class.enablement.is_none());
    let disable = operation("d", Action::Disable, Some("7"), Vec::new());
    for result in apply(&*session as &dyn Session, &[create("7"), disable]).await {
        assert_eq!(result.unwrap_err().code, ErrorCode::NotSupported);
    }
    assert_eq!(place.stored(), json!({}));
}

#[test]
fn a_program_is_the_same_from_wherever_it_is_looked_at() {
    let place = Place::new();
    let raw = place.raw(json!({}));
    let mut relative = raw.clone();
    let up = "../".repeat(std::env::current_dir().unwrap().components().count() - 1);
    relative.base =
        std::path::PathBuf::from(format!("{up}{}", place.folder.path().strip_prefix("/").unwrap().display()));
    assert!(relative.base.is_relative() && relative.base.is_dir());
    assert_eq!(digest_of(&relative).unwrap(), digest_of(&raw).unwrap());
    // And a copy elsewhere is the same program.
    let copy = Place::new();
    assert_eq!(digest_of(&copy.raw(json!({}))).unwrap(), digest_of(&raw).unwrap());
}
