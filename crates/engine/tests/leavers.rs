//! The end of a grace period, in the cycles where it meets something else.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use provost_engine::{CycleReport, CycleStatus};
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
    assert_eq!(report.status, CycleStatus::Done, "{report:?}");
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
