//! What a write that fails half way leaves behind: nothing. Here, because the failure has to be made inside.

use std::fs::TryLockError;
use std::path::PathBuf;

use provost_connector::{Applied, Context, ErrorCode, Outcome, Settings};
use provost_model::{Action, Operation};
use serde_json::json;

use super::super::config::{self, Config};
use super::{Lock, merge};

fn place(content: &str) -> (tempfile::TempDir, PathBuf, std::sync::Arc<Config>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    std::fs::write(&path, content).unwrap();
    let values = json!({"path": "a.csv", "key": "id", "write": true});
    let config = config::read(&Settings::new(values.as_object().unwrap().clone(), folder.path())).unwrap();
    (folder, path, config.into())
}

fn deletion(id: &str) -> Operation {
    Operation {
        id: id.into(),
        action: Action::Delete,
        class: "person".into(),
        target_id: Some(id.into()),
        changes: Vec::new(),
        if_match: None,
    }
}

fn names(folder: &tempfile::TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn codes(applied: &[Applied]) -> Vec<Option<ErrorCode>> {
    let code = |applied: &Applied| match &applied.outcome {
        Outcome::Failed(error) => Some(error.code),
        Outcome::Done(_) => None,
    };
    applied.iter().map(code).collect()
}

#[test]
fn a_full_disk_leaves_the_old_file_whole() {
    let content = (0..2000).fold(String::from("id,a\n"), |text, n| format!("{text}{n},some text\n"));
    let whole = content.len();
    for room in [0, 3, 5, whole / 2, whole - 30] {
        let (folder, path, config) = place(&content);
        let bad = Operation { class: "group".into(), ..deletion("2") };
        let applied = merge::run_with(&Context::new("test"), &config, &path, &[deletion("1"), bad], |draft| {
            draft.room = Some(room)
        });
        assert_eq!(codes(&applied), [Some(ErrorCode::Unavailable), Some(ErrorCode::NotSupported)], "room {room}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
        assert_eq!(names(&folder), [".a.csv.lock", "a.csv"], "no draft stays");
        // The next try works.
        let applied = merge::run(&Context::new("test"), &config, &path, &[deletion("1")]);
        assert_eq!(codes(&applied), [None]);
        assert!(!std::fs::read_to_string(&path).unwrap().contains("\n1,"));
    }
}

#[test]
fn a_file_that_somebody_else_writes_meanwhile_is_left_to_them() {
    let (folder, path, config) = place("id,a\n1,x\n");
    let applied = merge::run_with(&Context::new("test"), &config, &path, &[deletion("1")], |_| {
        std::fs::write(&path, "id,a\n1,x\n2,theirs\n").unwrap();
    });
    assert_eq!(codes(&applied), [Some(ErrorCode::Conflict)]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "id,a\n1,x\n2,theirs\n");
    assert_eq!(names(&folder), [".a.csv.lock", "a.csv"]);
}

#[test]
fn a_new_file_that_somebody_else_begins_meanwhile_is_left_to_them() {
    let (folder, path, config) = place("");
    std::fs::remove_file(&path).unwrap();
    let path_of = |draft: &str| folder.path().join(draft);
    let create = Operation {
        action: Action::Create,
        target_id: None,
        changes: vec![provost_model::Change::set(
            std::sync::Arc::new(provost_model::AttributePath::name("id")),
            "1".into(),
        )],
        ..deletion("1")
    };
    let applied = merge::run_with(&Context::new("test"), &config, &path, &[create], |_| {
        std::fs::write(path_of("a.csv"), "theirs").unwrap();
    });
    assert_eq!(codes(&applied), [Some(ErrorCode::Conflict)]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs");
}

#[test]
fn cancelled_half_way_nothing_is_renamed() {
    let (folder, path, config) = place("id,a\n1,x\n");
    let cx = Context::new("test");
    let applied = merge::run_with(&cx, &config, &path, &[deletion("1")], |_| cx.cancel.cancel());
    assert_eq!(codes(&applied), [Some(ErrorCode::Cancelled)]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "id,a\n1,x\n");
    assert_eq!(names(&folder), [".a.csv.lock", "a.csv"]);
}

#[test]
fn drafts_of_a_killed_process_are_removed_and_only_those() {
    let (folder, path, config) = place("id,a\n1,x\n");
    for name in [".a.csv.AbC123.draft", ".a.csv.old.AbC123.draft", ".b.csv.AbC123.draft", "a.csv.draft"] {
        std::fs::write(folder.path().join(name), "x").unwrap();
    }
    assert_eq!(codes(&merge::run(&Context::new("test"), &config, &path, &[deletion("1")])), [None]);
    assert_eq!(
        names(&folder),
        [".a.csv.lock", ".a.csv.old.AbC123.draft", ".b.csv.AbC123.draft", "a.csv", "a.csv.draft"]
    );
}

#[test]
fn another_process_waits_at_the_lock_file() {
    let (_folder, path, _) = place("id\n");
    let held = Lock::take(&Context::new("test"), &path).unwrap();
    let other = std::fs::File::open(super::lock_path(&path)).unwrap();
    assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
    let late = Context::new("test").within(std::time::Duration::from_millis(120));
    assert_eq!(Lock::take(&late, &path).err().map(|error| error.code), Some(ErrorCode::Timeout));
    drop(held);
    other.try_lock().unwrap();
}
