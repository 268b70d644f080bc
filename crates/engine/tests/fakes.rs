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
    let left = if dialect.delete_deactivates && dialect.deleted_readable { 4 } else { 0 };
    let fake = FakeTarget::start(Options { dialect, ..Options::default() }).await.unwrap();
    println!("{name}:");
    dialect_of(fake.url(), fake.token(), left).await
}

/// What a trial cannot find out is told by the vendor: how many requests the target bears.
fn told(name: &str, mut found: Value) -> Value {
    let dialect = Dialect::named(name).unwrap();
    let limits: Vec<Value> = dialect
        .rates
        .iter()
        .map(|rate| json!({ "methods": rate.methods, "path": rate.path, "requests": rate.requests, "seconds": rate.seconds }))
        .collect();
    if !limits.is_empty() {
        found["limits"] = json!(limits);
    }
    if dialect.in_flight > 0 {
        found["max_in_flight"] = json!(dialect.in_flight);
    }
    found
}

fn nothing_against(world: &World, what: &str, except: &str) {
    let mut bad = world.fake.as_ref().unwrap().report();
    bad.retain(|check| check.bad > 0 && check.id != except);
    assert!(bad.is_empty(), "{what}: {bad:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_dialect_ends_in_the_same_state() {
    // PROVOST_DIALECT names the only one to look at.
    let only = std::env::var("PROVOST_DIALECT").ok();
    let looked_at = Dialect::NAMES.iter().filter(|(name, _)| only.as_ref().is_none_or(|only| only == name));
    for (dialect, _) in looked_at {
        let settings = told(dialect, probed(dialect).await);
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
    let settings = json!({ "max_in_flight": 8, "dialect": { "search": true } });
    let world = World::fake("rfc", rules.collect(), hr, settings).await;
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

/// What reads say is not true: nobody is deleted or made twice for it, and all is well once they say the truth again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_that_lie_take_nothing_away() {
    for (dialect, line) in [
        ("small-pages", "short-list GET"),
        ("small-pages", "early-end GET"),
        ("small-pages", "repeat-page GET"),
        ("small-pages", "skip-page nth=2 GET /Users"),
        ("small-pages", "cut 30% GET"),
        ("rfc", "torn 30% GET"),
        ("rfc", "ignore-filter"),
        ("small-pages", "ignore-filter"),
        ("rfc", "lag=40"),
        ("rfc", "members=2"),
        ("rfc", "members=0"),
    ] {
        let what = format!("{dialect}, {line}");
        let mut world = World::fake(dialect, Vec::new(), Hr::new(24), json!({})).await;
        world.settle(&format!("{what}: initial")).await;
        let fake = world.fake.as_ref().unwrap();
        fake.set_faults(vec![provost_fake::parse_fault(line, 7).unwrap()]);
        let before = fake.requests().len();
        world.hr.people.insert(24, peer_support::person(24));
        world.hr.person(3).title = "Moved".into();
        world.hr.team(0).members.remove(&6);
        // What cannot be read ends the cycle.
        for reconcile in [false, true] {
            let report = world.try_run(provost_engine::RunOptions { full: false, reconcile }).await;
            println!("{what}: {:?}", report.map(|report| report.counts).map_err(|error| error.to_string()));
        }
        let fake = world.fake.as_ref().unwrap();
        let deleted: Vec<_> = fake.requests().split_off(before);
        assert!(deleted.iter().all(|request| request.method != "DELETE"), "{what}: {deleted:#?}");
        fake.set_faults(Vec::new());
        world.clock.advance_ms(25 * 3_600_000);
        let report = world.reconcile().await;
        assert_eq!(report.counts.failed, 0, "{what}: {report:?}");
        let (report, writes) = world.settle(&format!("{what}: silent")).await;
        assert_eq!((writes, report.counts.failed), (0, 0), "{what}: {report:?}");
    }
}

/// A token that is refused is asked for again, once, and the job goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_end_are_renewed() {
    let fake = provost_fake::FakeTarget::start(provost_fake::Options::default()).await.unwrap();
    for style in ["basic", "body"] {
        let oauth = json!({ "token_url": fake.token_url(), "client_id": "provost", "client_secret": { "secret": "token" },
            "style": style });
        let settings = json!({ "token": null, "oauth": oauth });
        let session = peer_support::scim(fake.url(), fake.token(), &settings).await.unwrap();
        let cx = provost_connector::Context::new("test");
        session.count(&cx, "User").await.unwrap();
        let before = fake.requests().len();
        fake.set_faults(vec![provost_fake::parse_fault("expired-token nth=1", 0).unwrap()]);
        session.count(&cx, "User").await.unwrap();
        let seen: Vec<_> = fake.requests().split_off(before).iter().map(|request| request.status.unwrap()).collect();
        // A class of nobody is counted twice.
        assert_eq!(seen, [401, 200, 200], "{style}");
    }
}
