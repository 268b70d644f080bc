//! Reads that say that they are whole and are much smaller than the last one: held, released, and measured anew.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::ops::Range;

use provost_connector::{Context, ScanItem};
use provost_engine::{CycleReport, CycleStatus, JobSpec, RunOptions};
use provost_model::{ObjectId, Record};
use support::{Fixture, person, spec};

fn with(guards: &str) -> JobSpec {
    let mut spec = spec();
    spec.guards = serde_json::from_str(guards).unwrap();
    spec
}

fn write(fixture: &Fixture, people: Range<usize>) {
    fixture.write_hr(fixture.people(people.end, |at| person(at).filter(|_| people.contains(&at))));
}

async fn held(fixture: &Fixture, why: &str) -> CycleReport {
    let before = fixture.app();
    let report = fixture.run().await.unwrap();
    assert_eq!((report.status, report.code.as_deref()), (CycleStatus::Held, Some("PRV-0531")), "{report:?}");
    assert!(report.note.as_deref().unwrap().contains(why), "{report:?}");
    assert_eq!(fixture.app(), before);
    report
}

async fn done(fixture: &Fixture) -> CycleReport {
    let report = fixture.run().await.unwrap();
    assert_eq!(report.status, CycleStatus::Done, "{report:?}");
    report
}

async fn release(fixture: &Fixture) -> CycleReport {
    fixture.clock.advance_ms(60_000);
    let (job, spec, cx) = (&fixture.job, &fixture.spec, Context::new("test"));
    fixture.engine.release(job, spec, &Default::default(), Default::default(), &cx).await.unwrap()
}

/// Of twelve people no share of the linked objects is told: their number is less than 20.
#[tokio::test]
async fn small_classes_are_protected() {
    let fixture = Fixture::new().await;
    fixture.write_people(12);
    done(&fixture).await;
    write(&fixture, 0..5);
    for _ in 0..2 {
        held(&fixture, "7 fewer than at its last whole read").await;
    }
    fixture.write_people(12);
    assert_eq!(done(&fixture).await.counts.writes(), 0);
    // Half of them may leave.
    write(&fixture, 0..6);
    assert_eq!(done(&fixture).await.counts.disabled, 6);
}

/// Once somebody has said that it is right, the smaller source is the measure, also before it is read again.
#[tokio::test]
async fn what_was_released_is_the_new_measure() {
    let fixture = Fixture::new().await;
    fixture.write_people(12);
    done(&fixture).await;
    write(&fixture, 0..5);
    held(&fixture, "`shrink`").await;
    assert_eq!(release(&fixture).await.counts.disabled, 7);
    write(&fixture, 0..4);
    assert_eq!(done(&fixture).await.counts.disabled, 1);
    write(&fixture, 0..5);
    assert_eq!(done(&fixture).await.counts.enabled, 1);
    write(&fixture, 0..2);
    held(&fixture, "the source has 2 objects of class `person`, 3 fewer").await;
}

/// Nobody has to be in scope for a read to be too small.
#[tokio::test]
async fn those_out_of_scope_count() {
    let row = |at: usize| Some(format!("p{at},F{at},L{at},D,{},", if at < 5 { "active" } else { "prospect" }));
    let fixture = Fixture::new().await;
    fixture.write_hr(fixture.people(100, row));
    assert_eq!(done(&fixture).await.counts.created, 5);
    // One of five accounts would leave, with 60 of 100 objects.
    fixture.write_hr(fixture.people(41, |at| row(at).filter(|_| at > 0)));
    held(&fixture, "60 fewer").await;
    // Without a leaver there is nothing to hold.
    fixture.write_hr(fixture.people(40, row));
    assert_eq!(done(&fixture).await.counts.writes(), 0);
}

/// Whoever switches the limit of leavers off keeps this one.
#[tokio::test]
async fn each_guard_is_switched_off_by_itself() {
    for (guards, holds) in [(r#"{"leavers": {}}"#, true), (r#"{"leavers": {}, "shrink": {}}"#, false)] {
        let fixture = Fixture::with(with(guards)).await;
        fixture.write_people(100);
        done(&fixture).await;
        write(&fixture, 0..49);
        if holds {
            held(&fixture, "`shrink`").await;
        } else {
            assert_eq!(done(&fixture).await.counts.disabled, 51);
        }
    }
}

/// A class that grew, and then shrank, by its feed is measured as it is now.
#[tokio::test]
async fn changes_move_the_measure() {
    let full = RunOptions { full: true, reconcile: false };
    let fixture = Fixture::feeding(with(r#"{"leavers": {}}"#)).await;
    fixture.write_people(10);
    done(&fixture).await;
    let upsert = |at: usize| {
        let record = Record::new("person", format!("p{at}"));
        ScanItem::Upsert(
            record.with("id", format!("p{at}")).with("first", format!("First{at}")).with("status", "active"),
        )
    };
    fixture.changes((5..100).map(upsert).collect());
    assert_eq!(done(&fixture).await.counts.created, 90);
    fixture.changes((5..15).map(upsert).collect());
    assert_eq!(done(&fixture).await.counts.created, 0);
    write(&fixture, 0..40);
    let report = fixture.run_with(full).await.unwrap();
    assert_eq!((report.status, report.counts.disabled), (CycleStatus::Held, 0), "{report:?}");
    assert!(report.note.as_deref().unwrap().contains("60 fewer"), "{report:?}");

    let fixture = Fixture::feeding(with(r#"{"leavers": {}}"#)).await;
    fixture.write_people(100);
    done(&fixture).await;
    // The feed says so itself.
    fixture.changes((40..100).map(|at| ScanItem::Tombstone(ObjectId::from(format!("p{at}")))).collect());
    assert_eq!(done(&fixture).await.counts.disabled, 60);
    write(&fixture, 0..30);
    let report = fixture.run_with(full).await.unwrap();
    assert_eq!((report.status, report.counts.disabled), (CycleStatus::Done, 10), "{report:?}");
}
