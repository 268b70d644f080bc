//! What a program gets, and how much.

use provost_connector::{ErrorCode, Session};
use serde_json::json;

use crate::support::*;

async fn check(session: &dyn Session, name: &str) -> String {
    let checks = session.test(&cx()).await;
    checks.iter().find(|check| check.name == name).unwrap_or_else(|| panic!("{checks:?}")).message.clone()
}

#[tokio::test]
async fn the_environment_is_what_is_listed() {
    let place = Place::new();
    let session = place.open(json!({})).await.unwrap();
    let names = check(&*session, "environment").await;
    let names: Vec<&str> = names.split(' ').collect();
    assert!(names.contains(&"PROVOST_PCP") && names.contains(&"PATH"), "{names:?}");
    // Cargo sets a dozen of these for every test.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    assert!(!names.iter().any(|name| name.starts_with("CARGO")), "{names:?}");
    let session = place.open(json!({"environment": ["CARGO_MANIFEST_DIR"]})).await.unwrap();
    assert!(check(&*session, "environment").await.contains("CARGO_MANIFEST_DIR"));
}

#[tokio::test]
async fn the_folder_is_its_own_or_the_one_that_is_set() {
    let place = Place::new();
    let (one, two) = (place.open(json!({})).await.unwrap(), place.open(json!({})).await.unwrap());
    assert_ne!(check(&*one, "folder").await, check(&*two, "folder").await);
    let session = place.open(json!({"folder": "work"})).await.unwrap();
    assert_eq!(check(&*session, "folder").await, place.path("work").canonicalize().unwrap().display().to_string());
}

#[tokio::test]
async fn memory_and_processor_time_have_an_end() {
    let place = Place::new();
    let fault = json!({"settings": {"fault": {"on": "count", "do": "memory"}}, "memory": "600 MiB"});
    let session = place.open(fault).await.unwrap();
    let error = session.count(&cx(), "card").await.unwrap_err();
    assert!(error.message.contains("it ended with status 7"), "there was no more memory: {error}");
    let fault = json!({"settings": {"fault": {"on": "count", "do": "spin"}}, "cpu": 1});
    let session = place.open(fault).await.unwrap();
    let error = session.count(&cx(), "card").await.unwrap_err();
    assert_eq!(error.code, ErrorCode::Unavailable);
    assert!(error.message.contains("it was ended by signal"), "{error}");
}

#[tokio::test]
async fn operations_beyond_a_line_are_sent_in_several() {
    let place = Place::new();
    std::fs::write(
        place.path("short.py"),
        include_str!("cards.py").replace("\"connector\": manifest", "\"max_line\": 2000, \"connector\": manifest"),
    )
    .unwrap();
    let session = place.open(json!({"command": ["python3", "short.py"]})).await.unwrap();
    let mut operations: Vec<_> = (0..30).map(|n| create(&n.to_string())).collect();
    operations[7].changes.push(change("name", provost_model::ChangeOp::Set, "x".repeat(5_000)));
    let results = apply(&*session, &operations).await;
    for (at, result) in results.iter().enumerate() {
        match result {
            Ok(id) => assert_eq!(*id, at.to_string()),
            Err(error) => assert_eq!((at, error.code), (7, ErrorCode::InvalidValue), "{error}"),
        }
    }
    assert_eq!(place.stored().as_object().unwrap().len(), 29);
}
