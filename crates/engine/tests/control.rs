//! Quarantine, escrow and restart: what is stored about a job beside its objects, over cycles.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod peer_support;
mod support;

use peer_support::{Hr, World};
use provost_engine::control::{Fate, RestartScope};
use provost_engine::{CycleKind, CycleStatus, EngineError, RunOptions};
use provost_store::escrow::NEVER;
use serde_json::json;
use support::{DAY_MS, Fixture};

const HOUR_MS: i64 = 3_600_000;

/// Reasons of the events of this kind, oldest first.
async fn told(world: &World, action: &str) -> Vec<String> {
    let events = world.events().await.into_iter().filter(|event| event.action == action);
    events.map(|event| format!("{} {}", event.code.unwrap_or_default(), event.reason)).collect()
}

fn set_faults(world: &World, lines: &[&str]) {
    let faults = lines.iter().map(|line| provost_fake::parse_fault(line, 0).unwrap());
    world.fake.as_ref().unwrap().set_faults(faults.collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_token_is_a_quarantine_at_once_and_a_success_ends_it() {
    let mut world = World::fake("rfc", Vec::new(), Hr::new(6), json!({})).await;
    world.settle("initial").await;
    set_faults(&world, &["status=401"]);
    world.hr.person(1).title = "Moved".into();
    assert!(world.try_run(RunOptions::default()).await.is_err());
    let store = world.engine.store().clone();
    let first = store.quarantine(&world.job).await.unwrap().unwrap();
    assert_eq!((first.code.as_str(), first.tries), ("PRV-0302", 1), "{first:?}");
    assert_eq!(first.next_try - first.since, HOUR_MS / 4);
    assert!(world.try_run(RunOptions::default()).await.is_err());
    let second = store.quarantine(&world.job).await.unwrap().unwrap();
    assert_eq!((second.tries, second.since), (2, first.since));
    // Told once, not with each attempt.
    let events = told(&world, "quarantine").await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert!(events[0].starts_with("PRV-0533 the job is in quarantine: "), "{events:?}");
    // Another reason is news.
    set_faults(&world, &["status=404"]);
    let other = world.try_run(RunOptions::default()).await;
    println!("{other:?}");
    set_faults(&world, &[]);
    world.settle("mended").await;
    assert_eq!(store.quarantine(&world.job).await.unwrap(), None);
    let events = told(&world, "quarantine").await;
    assert_eq!(events.last().unwrap(), " a cycle succeeded: the job is out of quarantine");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_down_counts_after_some_cycles() {
    let mut world = World::fake("rfc", Vec::new(), Hr::new(6), json!({})).await;
    world.settle("initial").await;
    world.hr.person(1).title = "Moved".into();
    set_faults(&world, &["drop-before"]);
    for attempt in 1..=5 {
        let ended = world.try_run(RunOptions::default()).await;
        assert!(ended.is_err(), "{attempt}: {ended:?}");
        let row = world.engine.store().quarantine(&world.job).await.unwrap();
        assert_eq!(row.is_some(), attempt == 5, "{attempt}: {row:?}");
    }
    set_faults(&world, &[]);
    world.settle("mended").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_failed_objects_are_a_quarantine() {
    let mut world = World::fake(
        "rfc",
        vec![provost_fake::parse_fault("status=400 POST /Users", 0).unwrap()],
        Hr::new(12),
        json!({}),
    )
    .await;
    world.spec.quarantine = serde_json::from_value(json!({ "from": 5 })).unwrap();
    let report = world.run().await;
    assert_eq!((report.status, report.counts.failed), (CycleStatus::Done, 12), "{report:?}");
    assert!(report.note.as_deref().unwrap().contains("12 of 15 objects failed: 80 %, more than 40 %"), "{report:?}");
    let row = world.engine.store().quarantine(&world.job).await.unwrap().unwrap();
    assert_eq!(row.code.as_str(), "PRV-0533");
    // Nobody is due yet, so the next cycle fails for nobody.
    world.run().await;
    assert_eq!(world.engine.store().quarantine(&world.job).await.unwrap(), None);
}

/// A department that is no date fails.
async fn failing() -> Fixture {
    let mut spec = support::spec();
    let dept = "FormatDateTime([dept], , \"yyyy-MM-dd\", \"yyyy-MM-dd\")";
    spec.objects[0].attributes.insert("dept".into(), serde_json::from_value(json!(dept)).unwrap());
    let fixture = Fixture::with(spec).await;
    fixture.write_hr(fixture.people(6, |at| match at {
        2 | 4 => Some(format!("p{at},First{at},Last{at},bad,active,")),
        _ => Some(format!("p{at},First{at},Last{at},2026-01-0{},active,", at + 1)),
    }));
    fixture
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_is_given_up_after_four_weeks_and_looked_at_when_it_changes() {
    let fixture = failing().await;
    let report = fixture.run().await.unwrap();
    assert_eq!((report.counts.created, report.counts.failed), (4, 2), "{report:?}");
    let mut tries = 1;
    for _ in 0..40 {
        fixture.clock.advance_ms(DAY_MS);
        tries += i64::try_from(fixture.run().await.unwrap().counts.failed).unwrap() / 2;
    }
    let rows = fixture.engine.store().escrows(&fixture.job).await.unwrap();
    assert!(rows.iter().all(|row| row.next_try == NEVER && row.tries == tries), "{tries}: {rows:?}");
    assert!((28..=32).contains(&tries), "{tries}");
    let gave_up = fixture.events().await.into_iter().filter(|event| event.action == "give-up");
    let gave_up: Vec<_> = gave_up.map(|event| (event.source_id.to_string(), event.code.unwrap().to_string())).collect();
    assert_eq!(gave_up, [("p2".to_owned(), "PRV-0535".to_owned()), ("p4".to_owned(), "PRV-0535".to_owned())]);
    // It changes, and fails again: that is a new failure with all its tries.
    let text = fixture.people(6, |at| match at {
        2 => Some("p2,First2,Last2,2026-02-02,active,".to_owned()),
        4 => Some("p4,First4,Last4,worse,active,".to_owned()),
        _ => Some(format!("p{at},First{at},Last{at},2026-01-0{},active,", at + 1)),
    });
    fixture.write_hr(text);
    let report = fixture.run().await.unwrap();
    assert_eq!((report.counts.created, report.counts.failed, report.escrowed), (1, 1, 1), "{report:?}");
    let row = &fixture.engine.store().escrows(&fixture.job).await.unwrap()[0];
    assert_eq!(row.tries, 1, "{row:?}");
    assert_ne!(row.next_try, NEVER);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry_and_ignore_decide_about_failed_objects() {
    let fixture = failing().await;
    fixture.run().await.unwrap();
    assert_eq!(fixture.run().await.unwrap().counts.failed, 0, "nobody is due");
    let engine = &fixture.engine;
    let waiting = engine.waiting(&fixture.job).await.unwrap();
    assert_eq!(waiting.iter().map(|object| object.row.source_id.as_str()).collect::<Vec<_>>(), ["p2", "p4"]);
    assert_eq!(engine.settle(&fixture.job, &waiting[..1], Fate::Retry).await.unwrap(), 1);
    let report = fixture.run().await.unwrap();
    assert_eq!((report.counts.failed, report.escrowed), (1, 2), "{report:?}");
    engine.settle(&fixture.job, &waiting, Fate::Ignore).await.unwrap();
    for _ in 0..3 {
        fixture.clock.advance_ms(DAY_MS);
        assert_eq!(fixture.run().await.unwrap().counts.failed, 0);
    }
    let wakes = engine.store().control(&fixture.job).await.unwrap().unwrap().wakes;
    assert_eq!(wakes, 1, "a retry is to be soon");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_forgets_what_it_names() {
    let fixture = failing().await;
    let store = fixture.engine.store().clone();
    let job = fixture.job.clone();
    let restart = |scope| fixture.engine.restart(&job, scope);
    fixture.run().await.unwrap();
    let quarantine = provost_store::QuarantineRow {
        job: job.clone(),
        since: 1,
        code: provost_model::Code::new("PRV-0302"),
        reason: String::new(),
        tries: 3,
        next_try: NEVER,
    };
    let mut tx = store.begin().await.unwrap();
    tx.save_quarantine(&quarantine).await.unwrap();
    tx.commit().await.unwrap();

    let only = RestartScope { quarantine: true, ..RestartScope::default() };
    restart(only).await.unwrap();
    assert_eq!(store.quarantine(&job).await.unwrap(), None);
    assert_eq!(store.count_escrows(&job).await.unwrap(), 2);
    let report = fixture.run().await.unwrap();
    assert_eq!((report.kind, report.counts.failed), (CycleKind::Incremental, 0), "{report:?}");

    restart(RestartScope { escrows: true, ..RestartScope::default() }).await.unwrap();
    assert_eq!(store.count_escrows(&job).await.unwrap(), 0);
    assert_eq!(fixture.run().await.unwrap().counts.failed, 0, "forgotten, not tried again");

    restart(RestartScope::USUAL).await.unwrap();
    let report = fixture.run().await.unwrap();
    assert_eq!((report.kind, report.counts.failed, report.counts.created), (CycleKind::Initial, 2, 0), "{report:?}");
    assert_eq!(fixture.app_lines(), 4, "links stay");

    restart(RestartScope::FULL).await.unwrap();
    assert!(store.count_links(&job).await.unwrap().is_empty());
    let report = fixture.run().await.unwrap();
    assert_eq!((report.counts.adopted, report.counts.created, report.counts.failed), (4, 0, 2), "{report:?}");
    assert_eq!(fixture.app_lines(), 4);

    // Not while somebody works on the job.
    let key = format!("job/{job}");
    let lease = store
        .claim(&key, "another-host/1", 60_000, provost_model::Clock::now_ms(&fixture.clock))
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(restart(RestartScope::FULL).await, Err(EngineError::Busy { .. })));
    store.release(lease, 0).await.unwrap();
}
