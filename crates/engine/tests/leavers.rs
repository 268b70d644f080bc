//! The end of a grace period, in the cycles where it meets something else.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use provost_engine::{CycleReport, RunOptions};
use provost_store::{CycleStatus, EventStatus};
use support::{DAY_MS, Fixture, person, spec};

/// Thirty people, of whom `p0` has left; tomorrow his grace period is over.
async fn one_left(leavers: &str) -> Fixture {
    let mut spec = spec();
    spec.objects[0].leavers = serde_json::from_str(leavers).unwrap();
    spec.objects[0].attributes.insert(
        "year".into(),
        serde_json::from_str(r#""IIF([dept] = \"broken\", Item(Split([dept], \"-\"), 9), \"2026\")""#).unwrap(),
    );
    let fixture = Fixture::with(spec).await;
    fixture.write_people(30);
    fixture.run().await.unwrap();
    fixture.write_hr(fixture.people(30, |at| if at == 0 { None } else { person(at) }));
    assert_eq!(fixture.run().await.unwrap().counts.disabled, 1);
    fixture.clock.advance_ms(31 * DAY_MS);
    fixture
}

async fn run(fixture: &Fixture) -> CycleReport {
    let report = fixture.run().await.unwrap();
    assert_eq!(report.status, provost_engine::CycleStatus::Done, "{report:?}");
    report
}

const GRACE: &str = r#"{"deleted": {"disable": "now", "delete": "30d"}}"#;

#[tokio::test]
async fn who_returns_in_the_cycle_of_the_end_stays() {
    let fixture = one_left(GRACE).await;
    fixture.write_people(30);
    let report = run(&fixture).await;
    assert_eq!((report.counts.enabled, report.counts.deleted), (1, 0), "{report:?}");
    assert_eq!(fixture.app_lines(), 30);
    assert_eq!(run(&fixture).await.counts.writes(), 0);
}

#[tokio::test]
async fn who_returns_with_a_fault_stays() {
    let fixture = one_left(GRACE).await;
    let broken = |at| if at == 0 { Some("p0,First0,Last0,broken,active,".into()) } else { person(at) };
    fixture.write_hr(fixture.people(30, broken));
    for _ in 0..3 {
        let report = run(&fixture).await;
        assert_eq!((report.counts.deleted, report.escrowed), (0, 1), "{report:?}");
    }
    assert_eq!(fixture.app_lines(), 30);
    fixture.write_people(30);
    assert_eq!(run(&fixture).await.counts.enabled, 1);
}

#[tokio::test]
async fn a_question_about_a_leavers_account_ends_no_grace_period() {
    let mut spec = spec();
    spec.objects[0].leavers = serde_json::from_str(GRACE).unwrap();
    spec.objects[0].situations = serde_json::from_str(r#"{"changed": "ask"}"#).unwrap();
    let fixture = Fixture::with(spec).await;
    fixture.write_people(30);
    fixture.run().await.unwrap();
    fixture.write_hr(fixture.people(30, |at| if at == 0 { None } else { person(at) }));
    assert_eq!(run(&fixture).await.counts.disabled, 1);
    // Somebody switches the account on behind Provost's back.
    std::fs::write(fixture.path("app.csv"), fixture.app().replace("false", "true")).unwrap();
    fixture.clock.advance_ms(DAY_MS);
    let report = fixture.run_with(RunOptions { full: false, reconcile: true }).await.unwrap();
    assert_eq!((report.counts.failed, report.counts.deleted), (1, 0), "{report:?}");
    fixture.clock.advance_ms(30 * DAY_MS);
    assert_eq!(run(&fixture).await.counts.deleted, 1);
    assert_eq!(fixture.app_lines(), 29);
}

#[tokio::test]
async fn a_leave_that_failed_is_tried_again_though_the_feed_names_it_no_more() {
    let mut spec = spec();
    spec.objects[0].leavers = serde_json::from_str(r#"{"deleted": "delete"}"#).unwrap();
    let fixture = Fixture::feeding(spec).await;
    fixture.write_people(30);
    fixture.run().await.unwrap();
    let whole = fixture.app();
    // The target cannot be written for a while.
    let gone = || vec![provost_connector::ScanItem::Tombstone("p7".into())];
    fixture.write_hr(fixture.people(30, |at| if at == 7 { None } else { person(at) }));
    fixture.changes(gone());
    fixture.refuse_writes(true);
    let report = fixture.run().await.unwrap();
    assert_eq!((report.counts.failed, report.counts.deleted), (1, 0), "{report:?}");
    assert_eq!(fixture.app(), whole);
    fixture.refuse_writes(false);
    fixture.clock.advance_ms(DAY_MS);
    let report = run(&fixture).await;
    assert_eq!((report.counts.deleted, fixture.app_lines(), report.escrowed), (1, 29, 0), "{report:?}");
    assert_eq!(run(&fixture).await.counts.writes(), 0);
}

#[tokio::test]
async fn who_is_back_before_the_end_of_the_feed_has_not_left() {
    let fixture = Fixture::feeding(spec()).await;
    fixture.write_people(30);
    fixture.run().await.unwrap();
    let whole = fixture.app();
    // More than a page lies between the two.
    let record = |id: &str, first: &str| {
        let record = provost_model::Record::new("person", id).with("id", id).with("first", first).with("last", "Last7");
        provost_connector::ScanItem::Upsert(record.with("dept", "D1").with("status", "active"))
    };
    let mut changes = vec![provost_connector::ScanItem::Tombstone("p7".into())];
    changes.extend((100..400).map(|at| record(&format!("p{at}"), "New")));
    changes.push(record("p7", "First7"));
    fixture.pages(changes, 100);
    let report = run(&fixture).await;
    assert_eq!((report.counts.created, report.counts.disabled, report.counts.updated), (300, 0, 0), "{report:?}");
    assert!(fixture.app().starts_with(whole.trim_end()), "{}", fixture.app());
    let events = fixture.events().await;
    let of_him: Vec<_> = events.iter().filter(|e| e.source_id.as_str() == "p7").map(|e| e.status).collect();
    assert_eq!(of_him, [EventStatus::Done, EventStatus::Discarded]);
}

#[tokio::test]
async fn who_stays_away_is_deleted_once() {
    let fixture = one_left(GRACE).await;
    let report = run(&fixture).await;
    assert_eq!((report.counts.deleted, fixture.app_lines()), (1, 29), "{report:?}");
    let deletes = fixture.events().await.into_iter().filter(|event| event.action == "delete").count();
    assert_eq!(deletes, 1);
    assert_eq!(run(&fixture).await.counts.writes(), 0);
}

/// Out of scope with a grace period, then gone altogether in the cycle of the end: one delete, not two.
#[tokio::test]
async fn out_of_scope_and_then_gone_is_one_delete() {
    let mut spec = spec();
    spec.objects[0].leavers = serde_json::from_str(
        r#"{"out_of_scope": {"disable": "now", "delete": "30d"}, "deleted": {"disable": "now", "delete": "30d"}}"#,
    )
    .unwrap();
    for changed in ["gone", "prospect", "moved"] {
        let fixture = Fixture::with(spec.clone()).await;
        fixture.write_people(30);
        run(&fixture).await;
        let out = |at| if at == 0 { Some("p0,First0,Last0,D0,prospect,".into()) } else { person(at) };
        fixture.write_hr(fixture.people(30, out));
        assert_eq!(run(&fixture).await.counts.disabled, 1);
        fixture.clock.advance_ms(31 * DAY_MS);
        fixture.write_hr(fixture.people(30, |at| match (at, changed) {
            (0, "gone") => None,
            (0, "moved") => Some("p0,First0,Last0,D9,prospect,".into()),
            _ => out(at),
        }));
        let report = run(&fixture).await;
        assert_eq!((report.counts.deleted, fixture.app_lines()), (1, 29), "{changed}: {report:?}");
        let deletes = fixture.events().await.into_iter().filter(|event| event.action == "delete").count();
        assert_eq!(deletes, 1, "{changed}");
    }
}

/// The rule was changed in the meantime: nobody is deleted by a rule that does not say so.
#[tokio::test]
async fn a_rule_that_only_disables_by_now_deletes_nobody() {
    for leavers in [r#"{"deleted": "disable"}"#, r#"{"deleted": "keep"}"#] {
        let mut fixture = one_left(GRACE).await;
        fixture.spec.objects[0].leavers = serde_json::from_str(leavers).unwrap();
        for _ in 0..2 {
            let report = run(&fixture).await;
            assert_eq!(report.counts.deleted, 0, "{leavers}: {report:?}");
        }
        assert_eq!(fixture.app_lines(), 30, "{leavers}");
    }
}

/// `p0` has left and is switched off. Then a cycle was interrupted that had planned this for him.
async fn interrupted(action: &str) -> Fixture {
    let fixture = Fixture::new().await;
    fixture.write_people(30);
    run(&fixture).await;
    fixture.write_hr(fixture.people(30, |at| if at == 0 { None } else { person(at) }));
    let left = run(&fixture).await;
    assert_eq!(left.counts.disabled, 1);
    let store = fixture.engine.store();
    let mut cycle = store.cycle(&left.cycle).await.unwrap().unwrap();
    (cycle.id, cycle.status, cycle.finished) = ("interrupted".into(), CycleStatus::Running, None);
    let mut event = fixture.events().await.into_iter().find(|event| event.action == "disable").unwrap();
    (event.seq, event.cycle, event.status) = (0, cycle.id.clone(), EventStatus::Planned);
    event.action = action.into();
    let mut tx = store.begin().await.unwrap();
    tx.save_cycle(&cycle).await.unwrap();
    tx.append_events(&mut [event]).await.unwrap();
    tx.commit().await.unwrap();
    fixture
}

/// Nobody knows whether it was done; that is no reason to write the doubt to the target.
#[tokio::test]
async fn a_leaver_in_doubt_stays_off() {
    for action in ["update", "disable", "enable"] {
        let fixture = interrupted(action).await;
        for reconcile in [true, false, true] {
            let report = fixture.run_with(RunOptions { full: false, reconcile }).await.unwrap();
            assert_eq!(report.counts.failed, 0, "{report:?}");
            assert_eq!(fixture.app().matches(",false").count(), 1, "{action}: {report:?}\n{}", fixture.app());
        }
        assert_eq!(run(&fixture).await.counts.writes(), 0, "{action}");
    }
}

/// He was being switched on when Provost died, which was done and not recorded; by now he is gone again.
#[tokio::test]
async fn a_leaver_who_may_be_on_is_switched_off() {
    for reconcile in [false, true] {
        let fixture = interrupted("enable").await;
        std::fs::write(fixture.path("app.csv"), fixture.app().replace(",false", ",true")).unwrap();
        let report = fixture.run_with(RunOptions { full: false, reconcile }).await.unwrap();
        assert_eq!((report.counts.disabled, report.counts.writes()), (1, 1), "{report:?}");
        assert_eq!(fixture.app().matches(",false").count(), 1, "{}", fixture.app());
        assert_eq!(run(&fixture).await.counts.writes(), 0);
    }
}
