//! A pause in the middle of a cycle: what is under way ends and is recorded, nothing is taken away, and the next cycle ends
//! in the same state as one that nobody disturbed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod peer_support;
mod support;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use peer_support::{Hr, World};
use provost_connector::Context;
use provost_engine::{CycleReport, CycleStatus, EngineError, Progress, RunOptions};
use provost_model::Explain;
use provost_store::{CycleStatus as StoredStatus, JobState};
use serde_json::json;
use support::Fixture;

const PEOPLE: u32 = 60;

/// A target that takes its time, so that there is always something under way.
async fn slow(hr: Hr) -> World {
    let mut world = World::fake("rfc", Vec::new(), hr, json!({ "max_in_flight": 4 })).await;
    world.engine = world.engine.looking_every(Duration::from_millis(1));
    set_slow(&world, true);
    world
}

fn set_slow(world: &World, is_slow: bool) {
    let faults = if is_slow { vec![provost_fake::parse_fault("slow=8", 0).unwrap()] } else { Vec::new() };
    world.fake.as_ref().unwrap().set_faults(faults);
}

fn seen(world: &World) -> usize {
    world.fake.as_ref().unwrap().requests().len()
}

/// Runs, and pauses as soon as the target has seen so many more requests.
async fn run_and_pause(world: &World, after: usize) -> CycleReport {
    let from = seen(world);
    let run = world.try_run(RunOptions::default());
    let pause = async {
        while seen(world) < from + after {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        world.engine.store().pause(&world.job, Some("audit"), 1).await.unwrap();
    };
    let (report, ()) = tokio::join!(run, pause);
    report.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_first_cycle_is_taken_up_again() {
    for after in [1, 5, 20, 50, 80, 120] {
        let world = slow(Hr::new(PEOPLE)).await;
        let report = run_and_pause(&world, after).await;
        assert_eq!(report.status, CycleStatus::Paused, "{after}: {report:?}");
        assert_eq!(report.code.as_deref(), Some("PRV-0532"));
        let row = world.engine.store().job(&world.job).await.unwrap().unwrap();
        assert_eq!((row.state, row.last_success, row.failures), (JobState::Active, None, 0), "{after}");
        let cycle = &world.engine.store().cycles(&world.job, 1).await.unwrap()[0];
        assert_eq!((cycle.status, cycle.finished.is_some()), (StoredStatus::Paused, true), "{after}");
        // Everything that was answered is known.
        let fake = world.fake.as_ref().unwrap();
        let made = |path: &str| {
            fake.requests()
                .iter()
                .filter(|seen| seen.method == "POST" && seen.target.ends_with(path) && seen.status == Some(201))
                .count()
        };
        let users = made("/Users");
        let linked = world.links("person").await.iter().filter(|link| link.target_id.is_some()).count();
        assert_eq!(users, linked, "{after}");
        // The target notes an answer when it has sent it, which on a busy machine is after the client has it.
        let broken_off = || fake.requests().iter().filter(|seen| seen.status.is_none()).count();
        for _ in 0..500 {
            if broken_off() == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(broken_off(), 0, "{after}: broken off");
        assert!(world.failures().await.is_empty(), "{after}: {:?}", world.failures().await);

        let refused = world.try_run(RunOptions::default()).await.unwrap_err();
        assert_eq!(refused.code().as_str(), "PRV-0532", "{refused}");
        assert!(refused.to_string().contains("audit"), "{refused}");
        world.engine.store().resume(&world.job).await.unwrap();
        set_slow(&world, false);
        world.settle(&format!("paused after {after}")).await;
        assert_eq!((made("/Users"), made("/Groups")), (PEOPLE as usize, 3), "{after}: made once");
        let (_, writes) = world.settle("silent").await;
        assert_eq!(writes, 0, "{after}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_leaves_in_a_paused_cycle() {
    for after in [1, 10, 30] {
        let mut world = slow(Hr::new(PEOPLE)).await;
        set_slow(&world, false);
        world.settle("initial").await;
        set_slow(&world, true);
        for at in 10..50 {
            world.hr.person(at).title = "Moved".into();
        }
        for at in [51, 52, 53] {
            world.hr.remove(at);
        }
        world.hr.person(54).active = false;
        let from = seen(&world);
        let report = run_and_pause(&world, after).await;
        assert_eq!(report.status, CycleStatus::Paused, "{after}: {report:?}");
        let requests = world.fake.as_ref().unwrap().requests().split_off(from);
        assert!(requests.iter().all(|seen| seen.method != "DELETE"), "{after}: {requests:?}");
        assert_eq!((report.counts.deleted, report.counts.disabled), (0, 0), "{after}");
        world.engine.store().resume(&world.job).await.unwrap();
        set_slow(&world, false);
        let (report, _) = world.settle(&format!("paused after {after}")).await;
        assert_eq!((report.counts.deleted, report.counts.disabled), (3, 1), "{after}: {report:?}");
        let ids: BTreeSet<_> = world.links("person").await.into_iter().filter_map(|link| link.target_id).collect();
        assert_eq!(ids.len(), 57, "{after}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_is_paused_runs_by_hand_alone() {
    let mut fixture = Fixture::new().await;
    fixture.engine = fixture.engine.clone().looking_every(Duration::from_millis(1));
    fixture.write_people(30);
    let store = fixture.engine.store().clone();
    store.pause(&fixture.job, None, 5).await.unwrap();
    assert!(matches!(fixture.run().await, Err(EngineError::Paused { since_ms: 5, .. })));
    assert!(store.cycles(&fixture.job, 1).await.unwrap().is_empty(), "nothing began");
    let cx = Context::new("test");
    let by_hand = || {
        fixture.engine.run_even_paused(
            &fixture.job,
            &fixture.spec,
            RunOptions::default(),
            Arc::<Progress>::default(),
            &cx,
        )
    };
    let report = by_hand().await.unwrap();
    assert_eq!((report.status, report.counts.created), (CycleStatus::Done, 30), "{report:?}");
    // A plan sends nothing, and undoing something is what a pause may be for.
    let plan = fixture.engine.plan(&fixture.job, &fixture.spec, RunOptions::default(), Arc::default(), &cx).await;
    assert_eq!(plan.unwrap().status, CycleStatus::Planned);
    let spec = |_: &provost_model::JobName| Some(fixture.spec.clone());
    let undone = fixture.engine.revert(&report.cycle, &spec, false, Arc::default(), &cx).await.unwrap();
    assert_ne!(undone.status, CycleStatus::Paused, "{undone:?}");
}

/// Whoever takes everything up anew and is interrupted must not go on with the source's changes alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_rules_reach_everybody_after_an_interruption() {
    let mut fixture = Fixture::feeding(support::spec()).await;
    fixture.write_people(30);
    assert_eq!(fixture.run().await.unwrap().counts.created, 30);
    fixture.spec.objects[0].attributes.insert("dept".into(), serde_json::from_value(json!("\"all\"")).unwrap());
    let cx = Context::new("test");
    cx.cancel.cancel();
    let broken = fixture.engine.run(&fixture.job, &fixture.spec, RunOptions::default(), Arc::default(), &cx).await;
    assert!(broken.is_err(), "{broken:?}");
    let report = fixture.run().await.unwrap();
    assert_eq!(report.counts.updated, 30, "{report:?}");
}
