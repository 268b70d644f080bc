//! What works: reading, finding and writing, with whatever values.

use std::time::{Duration, Instant};

use provost_connector::{Connector, Context, ErrorCode, FindRequest, LookupRequest};
use provost_model::{Action, AttributePath, ChangeOp, Filter, Value};
use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn a_card_is_made_read_changed_switched_off_and_taken_away() {
    let place = Place::new();
    let session = place.open(json!({})).await.unwrap();
    assert_eq!(session.capabilities().class("card").unwrap().lookup, ["number"]);
    assert_eq!(session.schema(&cx()).await.unwrap().class("card").unwrap().attributes.len(), 4);
    assert_eq!(apply_one(&*session, create("7")).await.unwrap(), "7");
    let again = apply_one(&*session, create("7")).await.unwrap_err();
    assert_eq!((again.code, again.existing_id), (ErrorCode::AlreadyExists, Some("7".into())));
    let zones = |op, values: &[&str]| change("zones", op, values.iter().map(|v| Value::text(*v)).collect::<Vec<_>>());
    for (step, changes, want) in [
        (1, vec![zones(ChangeOp::Add, &["lab", "roof"])], json!(["lab", "roof"])),
        (2, vec![zones(ChangeOp::Remove, &["lab"]), zones(ChangeOp::Add, &["door"])], json!(["roof", "door"])),
        (3, vec![change("zones", ChangeOp::Unset, Value::Null)], json!(null)),
    ] {
        apply_one(&*session, operation(&step.to_string(), Action::Update, Some("7"), changes)).await.unwrap();
        let record = session.get(&cx(), "card", &"7".into()).await.unwrap().unwrap();
        assert_eq!(record.attributes.get("zones").map_or(json!(null), Value::to_json), want);
    }
    for (action, active) in [(Action::Disable, false), (Action::Enable, true)] {
        apply_one(&*session, operation("a", action, Some("7"), Vec::new())).await.unwrap();
        assert_eq!(place.stored()["7"]["active"], active);
    }
    assert_eq!(session.count(&cx(), "card").await.unwrap(), 1);
    let delete = operation("d", Action::Delete, Some("7"), Vec::new());
    apply_one(&*session, delete.clone()).await.unwrap();
    assert_eq!(apply_one(&*session, delete).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(session.get(&cx(), "card", &"7".into()).await.unwrap(), None);
}

#[tokio::test]
async fn pages_of_any_size_make_the_same_whole() {
    let place = Place::new();
    let cards =
        (0..25).map(|n| (format!("{n:02}"), json!({"number": format!("{n:02}")}))).collect::<serde_json::Map<_, _>>();
    place.put(cards.into());
    let session = place.open(json!({})).await.unwrap();
    for size in [1, 7, 25, 1000] {
        let (records, end) = read(&*session, "card", size).await.unwrap();
        assert_eq!(records.len(), 25);
        assert_eq!(end.gap(25), None);
    }
    place.put(json!({}));
    let (records, end) = read(&*session, "card", 10).await.unwrap();
    assert_eq!((records.len(), end.gap(0)), (0, None));
}

#[tokio::test]
async fn values_of_every_kind_come_back_equal() {
    let place = Place::new();
    let session = place.open(json!({})).await.unwrap();
    let long = "ä\u{1f600}".repeat(100_000);
    let hostile = [
        "",
        " leading",
        "trailing ",
        "a\"b",
        "a\\b",
        "a,b;c",
        "line\nbreak\r\n",
        "\u{0}\u{1}\u{7f}",
        "\u{2028}\u{2029}",
        "Zoë \u{1f469}\u{200d}\u{1f680}",
        "مرحبا",
        "{\"jsonrpc\":\"2.0\"}",
        "'; DROP TABLE cards; --",
        "$(reboot) `id`",
        &long,
    ];
    for (at, text) in hostile.iter().enumerate() {
        let number = format!("{at} {}", text.chars().take(40).collect::<String>());
        let mut card = create(&number);
        card.changes.push(change(
            "zones",
            ChangeOp::Set,
            vec![Value::text(*text), Value::Integer(i64::MIN), Value::Null],
        ));
        card.changes.push(change("odd name", ChangeOp::Set, *text));
        let id = apply_one(&*session, card).await.unwrap();
        assert_eq!(id, number);
        let record = session.get(&cx(), "card", &id.clone().into()).await.unwrap().unwrap();
        assert_eq!(record.id, number.as_str());
        let zones = record.attributes.get("zones").unwrap().as_list().unwrap();
        assert_eq!(zones, [Value::text(*text), Value::Integer(i64::MIN), Value::Null]);
        assert_eq!(record.attributes.get("[odd name]"), Some(&Value::text(*text)));
        let asked = LookupRequest {
            class: "card".into(),
            path: AttributePath::name("number"),
            values: vec!["?".into(), id.into()],
        };
        let found = session.lookup(&cx(), asked).await.unwrap();
        assert_eq!(found, [vec![], vec![record]]);
    }
    let (records, end) = read(&*session, "card", 4).await.unwrap();
    assert_eq!((records.len(), end.gap(hostile.len() as u64)), (hostile.len(), None));
}

#[tokio::test]
async fn a_name_that_would_read_back_as_another_is_refused() {
    let place = Place::new();
    let session = place.open(json!({})).await.unwrap();
    apply_one(&*session, create("7")).await.unwrap();
    let odd = operation("odd", Action::Update, Some("7"), vec![change("a[b\"]c", ChangeOp::Set, "x")]);
    let good = operation("good", Action::Update, Some("7"), vec![change("name", ChangeOp::Set, "Bob")]);
    let results = apply(&*session, &[odd, good]).await;
    assert_eq!(results[0].as_ref().unwrap_err().code, ErrorCode::NotSupported);
    assert_eq!(results[1].as_ref().unwrap(), "7");
    assert_eq!(place.stored()["7"], json!({"number": "7", "name": "Bob"}));
}

#[tokio::test]
async fn requests_run_beside_each_other_and_are_given_up() {
    let place = Place::new();
    place.put(json!({"1": {"number": "1"}}));
    let session = place.open(json!({})).await.unwrap();
    let slow_cx = Context::new("slow");
    let id = "slow".into();
    let slow = session.get(&slow_cx, "card", &id);
    let quick = async {
        for _ in 0..5 {
            assert!(session.get(&cx(), "card", &"1".into()).await.unwrap().is_some());
        }
        slow_cx.cancel.cancel();
    };
    let begin = Instant::now();
    let (given_up, ()) = tokio::join!(slow, quick);
    assert_eq!(given_up.unwrap_err().code, ErrorCode::Cancelled);
    let late = session.get(&Context::new("late").within(Duration::from_millis(200)), "card", &"slow".into()).await;
    assert_eq!(late.unwrap_err().code, ErrorCode::Timeout);
    assert!(begin.elapsed() < Duration::from_secs(20));
    // Its late answers were no reason to end it.
    assert!(session.get(&cx(), "card", &"1".into()).await.unwrap().is_some());
}

#[tokio::test]
async fn what_it_does_not_have_is_not_supported() {
    let place = Place::new();
    let session = place.open(json!({})).await.unwrap();
    let request = FindRequest::new("card", Filter::eq(AttributePath::name("name"), "x"));
    let error = session.find(&cx(), request).await.unwrap_err();
    assert_eq!((error.code, &*error.message), (ErrorCode::NotSupported, "no method find"));
    assert_eq!(session.revision(&cx(), "card").await.unwrap(), None);
}

#[tokio::test]
async fn its_settings_are_checked_by_itself() {
    let place = Place::new();
    assert_eq!(place.connector.validate(&place.settings(json!({}))), []);
    let problems = place.connector.validate(&place.settings(json!({"settings": null})));
    assert_eq!(
        (problems.len(), &*problems[0].path, &*problems[0].message),
        (1, "settings.store", "`store` is missing")
    );
    for (more, path) in [
        (json!({"command": null}), "command"),
        (json!({"manifest": "x.yaml"}), "manifest"),
        (json!({"max_line": "4 parsec"}), "max_line"),
        (json!({"memory": 7}), "memory"),
        (json!({"request_timeout": "soon"}), "request_timeout"),
        (json!({"max_in_flight": 0}), "max_in_flight"),
        (json!({"environment": ["PROVOST_SECRET_X"]}), "environment"),
        (json!({"approved": "yes"}), "approved"),
        (json!({"command": ["no-such-program-7"]}), "command"),
        (json!({"command": ["./missing.py"]}), ""),
    ] {
        let problems = place.connector.validate(&place.raw(more.clone()));
        assert_eq!(problems.iter().map(|problem| &*problem.path).collect::<Vec<_>>(), [path], "{more}");
    }
}
