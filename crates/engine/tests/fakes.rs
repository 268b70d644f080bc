//! Targets with the ways of others, found out by trying: whatever they are like, a job ends in the same state, the second cycle sends nothing, and
//! the target has nothing to hold against the client.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod peer_support;

use peer_support::{Hr, World, dialect_of};
use provost_fake::{Dialect, FakeTarget, Options};
use provost_testkit::{Fault, Rule};
use serde_json::{Value, json};

/// What a trial of such a target says of it. Where a DELETE only switches off, its four users stay.
async fn probed(name: &str) -> Value {
    let dialect = Dialect::named(name).unwrap();
    let left = if dialect.delete_deactivates { 4 } else { 0 };
    let fake = FakeTarget::start(Options { dialect, ..Options::default() }).await.unwrap();
    println!("{name}:");
    dialect_of(fake.url(), fake.token(), left).await
}

fn nothing_against(world: &World, what: &str, except: &str) {
    let mut bad = world.fake.as_ref().unwrap().report();
    bad.retain(|check| check.bad > 0 && check.id != except);
    assert!(bad.is_empty(), "{what}: {bad:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_dialect_ends_in_the_same_state() {
    for (dialect, _) in Dialect::NAMES {
        let settings = probed(dialect).await;
        let mut world = World::fake(dialect, Vec::new(), Hr::new(24), json!({ "dialect": settings })).await;
        let (report, _) = world.settle(&format!("{dialect}: initial")).await;
        assert_eq!((report.counts.created, report.counts.failed), (27, 0), "{dialect}: {report:?}");
        let (report, writes) = world.settle(&format!("{dialect}: again")).await;
        assert_eq!((writes, report.counts.failed), (0, 0), "{dialect}: {report:?}");
        world.hr.person(3).title = "Moved".into();
        world.hr.person(4).active = false;
        world.hr.person(5).boss = None;
        world.hr.team(0).members.remove(&6);
        world.hr.team(1).members.insert(6);
        let (report, _) = world.settle(&format!("{dialect}: movers")).await;
        assert_eq!(report.counts.failed, 0, "{dialect}: {report:?}");
        // Where a DELETE only switches off, nobody ever goes.
        if Dialect::named(dialect).unwrap().delete_deactivates {
            world.hr.person(7).active = false;
        } else {
            world.hr.remove(7);
        }
        let (report, _) = world.settle(&format!("{dialect}: leavers")).await;
        assert_eq!(report.counts.failed, 0, "{dialect}: {report:?}");
        let (report, writes) = world.settle(&format!("{dialect}: silent")).await;
        assert_eq!((writes, report.counts.failed), (0, 0), "{dialect}: {report:?}");
        // Deleting a person took the membership along; a list that is sent whole cannot but say it once more.
        let by_put = world.fake.as_ref().unwrap().requests().iter().any(|seen| seen.method == "PUT");
        let except = if by_put { "noop" } else { "" };
        nothing_against(&world, dialect, except);
    }
}

/// Every fifth request goes wrong, in each of the ways a network knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fifth_of_all_requests_goes_wrong() {
    let seed = std::env::var("PROVOST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("PROVOST_SEED={seed}");
    let faults = [Fault::DropBefore, Fault::DropAfter, Fault::Status(500, None), Fault::Status(503, None)];
    // Each is asked after the one before has let a request pass.
    let rules = (seed..).zip(faults).map(|(seed, fault)| Rule::new(fault).seeded(0.054, seed));
    let mut hr = Hr::new(2_000);
    for at in 0..50 {
        let members = (0..2_000).filter(|person| person % 50 == at).collect();
        hr.teams.insert(at, peer_support::Team { name: format!("Team {at}"), members });
    }
    let world = World::fake("rfc", rules.collect(), hr, json!({ "max_in_flight": 8 })).await;
    let mut cycles = 0;
    loop {
        cycles += 1;
        assert!(cycles <= 60, "it does not come to an end: {:?}", world.failures().await);
        let report = match world.try_run(provost_engine::RunOptions::default()).await {
            Ok(report) => report,
            // Nothing was begun: the target could not be asked what it is like.
            Err(error) => {
                println!("cycle {cycles}: {error}");
                continue;
            }
        };
        println!("cycle {cycles}: {:?}", report.counts);
        if report.counts.failed == 0 && report.escrowed == 0 && report.counts.writes() == 0 {
            break;
        }
        // Long enough for whatever waits.
        world.clock.advance_ms(25 * 3_600_000);
    }
    let fake = world.fake.as_ref().unwrap();
    let seen = fake.requests();
    let share = seen.iter().filter(|request| request.fault != Fault::None).count() as f64 / seen.len() as f64;
    assert!((0.15..0.25).contains(&share), "{share}");
    fake.set_faults(Vec::new());
    let (report, writes) = world.settle("silent").await;
    assert_eq!((writes, report.counts.failed), (0, 0), "{report:?}");
    // A change whose answer was lost is sent once more.
    nothing_against(&world, "a fifth", "noop");
}
