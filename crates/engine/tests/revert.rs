//! Cycles and their opposites, over a real store and a real file.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::sync::Arc;

use provost_connector::Context;
use provost_engine::report::CycleKind;
use provost_engine::{CycleReport, CycleStatus, EngineError, Progress, RunOptions};
use provost_model::Explain as _;
use provost_store::EventRow;
use support::{Fixture, person, spec};

async fn revert(fixture: &Fixture, cycle: &str, plan_only: bool) -> Result<CycleReport, EngineError> {
    fixture.clock.advance_ms(60_000);
    let spec_of = |_: &_| Some(fixture.spec.clone());
    let progress = Arc::<Progress>::default();
    fixture.engine.revert(cycle, &spec_of, plan_only, progress, &Context::new("test")).await
}

async fn done(fixture: &Fixture, cycle: &str) -> CycleReport {
    let report = revert(fixture, cycle, false).await.unwrap();
    assert_eq!((report.status, report.kind), (CycleStatus::Done, CycleKind::Revert), "{report:?}");
    report
}

async fn run(fixture: &Fixture) -> CycleReport {
    let report = fixture.run().await.unwrap();
    assert_eq!(report.status, CycleStatus::Done, "{report:?}");
    report
}

/// What the log of a cycle lists as not undone.
async fn left(fixture: &Fixture, cycle: &str) -> Vec<String> {
    let stays = |event: &EventRow| event.cycle == *cycle && event.action == "revert";
    let told = |event: EventRow| {
        assert_eq!(event.code.as_deref(), Some("PRV-0540"));
        format!("{}: {}", event.name, event.reason)
    };
    fixture.events().await.into_iter().filter(stays).map(told).collect()
}

fn set(fixture: &mut Fixture, attribute: &str, expression: &str) {
    let mapping = serde_json::from_value(serde_json::json!(expression)).unwrap();
    fixture.spec.objects[0].attributes.insert(attribute.into(), mapping);
}

#[tokio::test]
async fn a_bad_mapping_is_undone() {
    const PEOPLE: usize = 10_000;
    let mut fixture = Fixture::new().await;
    fixture.write_people(PEOPLE);
    run(&fixture).await;
    let good = fixture.app();
    set(&mut fixture, "dept", "\"nowhere\"");
    let bad = run(&fixture).await;
    assert_eq!(bad.counts.updated, PEOPLE as u64);
    assert_eq!(fixture.app().matches(",nowhere,").count(), PEOPLE);

    let undone = done(&fixture, &bad.cycle).await;
    assert_eq!((undone.counts.updated, undone.counts.failed), (PEOPLE as u64, 0));
    assert_eq!(fixture.app(), good);
    // Whoever is unchanged at the source is left alone, also by the bad mapping.
    assert_eq!(run(&fixture).await.counts.writes(), 0);
    set(&mut fixture, "dept", "[dept]");
    assert_eq!(run(&fixture).await.counts.writes(), 0);
    // The opposite of the opposite.
    assert_eq!(done(&fixture, &undone.cycle).await.counts.updated, PEOPLE as u64);
    assert_eq!(fixture.app().matches(",nowhere,").count(), PEOPLE);
    // Nothing is left of the first one to undo twice.
    assert_eq!(done(&fixture, &undone.cycle).await.counts.writes(), 0);
}

#[tokio::test]
async fn what_was_changed_again_stays() {
    let mut fixture = Fixture::new().await;
    fixture.write_people(30);
    run(&fixture).await;
    set(&mut fixture, "dept", "\"nowhere\"");
    let bad = run(&fixture).await;
    set(&mut fixture, "dept", "IIF([id] = \"p3\", \"elsewhere\", \"nowhere\")");
    assert_eq!(run(&fixture).await.counts.updated, 1);
    let undone = done(&fixture, &bad.cycle).await;
    assert_eq!((undone.counts.updated, undone.counts.failed), (29, 1));
    assert_eq!(left(&fixture, &undone.cycle).await, ["First3 Last3: `dept` stays: it was changed again since"]);
    assert!(fixture.app().contains(",elsewhere,") && !fixture.app().contains(",nowhere,"));
}

#[tokio::test]
async fn accounts_that_were_created_are_switched_off() {
    let fixture = Fixture::new().await;
    fixture.write_people(30);
    run(&fixture).await;
    fixture.write_people(35);
    let five = run(&fixture).await;
    assert_eq!(five.counts.created, 5);
    let undone = done(&fixture, &five.cycle).await;
    assert_eq!((undone.counts.disabled, undone.counts.deleted), (5, 0));
    assert_eq!((fixture.app_lines(), fixture.app().matches(",false").count()), (35, 5));
    assert_eq!(run(&fixture).await.counts.writes(), 0, "nobody changed at the source");
    assert_eq!(fixture.run_with(RunOptions { full: true, reconcile: false }).await.unwrap().counts.enabled, 5);
}

#[tokio::test]
async fn accounts_that_were_let_go_are_linked_again() {
    let mut spec = spec();
    spec.objects[0].situations = serde_json::from_value(serde_json::json!({ "deleted": "unlink" })).unwrap();
    let fixture = Fixture::with(spec).await;
    fixture.write_people(30);
    run(&fixture).await;
    let before = fixture.app();
    fixture.write_hr(fixture.people(30, |at| if at < 3 { None } else { person(at) }));
    let leavers = run(&fixture).await;
    assert_eq!((leavers.counts.unlinked, leavers.counts.writes()), (3, 0));
    // Somebody else has one of the accounts by now.
    let person = |at: usize| (at != 1 && at != 2).then(|| person(at).unwrap());
    fixture.write_hr(fixture.people(30, person) + "x9,First1,Last1,D1,active,\n");
    let spec_of_login = serde_json::from_value(serde_json::json!(r#"IIF([id] = "x9", "p1", [id])"#)).unwrap();
    let mut fixture = fixture;
    fixture.spec.objects[0].attributes.insert("login".into(), spec_of_login);
    fixture.spec.objects[0].matching =
        serde_json::from_value(serde_json::json!([{ "target": "login", "source": r#"IIF([id] = "x9", "p1", [id])"# }]))
            .unwrap();
    let back = run(&fixture).await;
    assert_eq!((back.counts.adopted, back.counts.created), (2, 0), "{back:?}");

    let undone = done(&fixture, &leavers.cycle).await;
    assert_eq!((undone.counts.adopted, undone.counts.writes(), undone.counts.failed), (1, 0, 1), "{undone:?}");
    assert_eq!(
        left(&fixture, &undone.cycle).await,
        ["First1 Last1: the account that was let go is somebody else's by now"]
    );
    assert_eq!(fixture.app(), before);
    let store = fixture.engine.store();
    let links = store.links(&fixture.job, "person", &["p0", "p1", "p2", "x9"]).await.unwrap();
    let told: Vec<String> = links
        .iter()
        .map(|link| format!("{} {} {}", link.source_id, link.target_id.as_ref().unwrap(), link.sent.as_ref().unwrap()))
        .collect();
    assert!(told.len() == 3 && told[1].starts_with("p2 p2 ") && told[1].contains("First2"), "{told:#?}");
    assert_eq!(store.job(&fixture.job).await.unwrap().unwrap().linked["person"], 30);
}

#[tokio::test]
async fn accounts_that_were_deleted_are_made_again() {
    let mut spec = spec();
    spec.objects[0].leavers = serde_json::from_str(r#"{"deleted": "delete"}"#).unwrap();
    let fixture = Fixture::with(spec).await;
    fixture.write_people(30);
    run(&fixture).await;
    let before = fixture.app();
    fixture.write_hr(fixture.people(30, |at| if at < 3 { None } else { person(at) }));
    let leavers = run(&fixture).await;
    assert_eq!((leavers.counts.deleted, fixture.app_lines()), (3, 27));
    let undone = done(&fixture, &leavers.cycle).await;
    assert_eq!((undone.counts.created, undone.counts.failed), (3, 0));
    let sorted = |text: String| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(fixture.app()), sorted(before));
    // The log of the delete says what went.
    let deleted = fixture.events().await.into_iter().find(|event| event.action == "delete").unwrap();
    assert!(deleted.changes.contains(r#"{"path":"dept","before":"D0"}"#), "{}", deleted.changes);
    fixture.write_people(30);
    assert_eq!(run(&fixture).await.counts.writes(), 0);
}

/// The opposite of a first cycle switches everybody off: that is for somebody to confirm.
#[tokio::test]
async fn guards_hold_the_opposite_too() {
    let fixture = Fixture::new().await;
    fixture.write_people(30);
    let first = run(&fixture).await;
    let held = revert(&fixture, &first.cycle, false).await.unwrap();
    assert_eq!((held.status, held.counts.disabled), (CycleStatus::Held, 0), "{held:?}");
    let released = fixture
        .engine
        .release(&fixture.job, &fixture.spec, &Default::default(), Arc::default(), &Context::new("test"))
        .await
        .unwrap();
    assert_eq!((released.status, released.counts.disabled), (CycleStatus::Done, 30));
    assert_eq!(fixture.app().matches(",false").count(), 30);
}

#[tokio::test]
async fn a_plan_of_the_opposite_is_applied_as_shown() {
    let mut fixture = Fixture::new().await;
    fixture.write_people(30);
    run(&fixture).await;
    let good = fixture.app();
    set(&mut fixture, "dept", "\"nowhere\"");
    let bad = run(&fixture).await;
    let plan = revert(&fixture, &bad.cycle, true).await.unwrap();
    assert_eq!((plan.status, plan.planned.len(), plan.planned[0].1), (CycleStatus::Planned, 1, 30), "{plan:?}");
    assert_ne!(fixture.app(), good);
    let apply = async |plan: &str| {
        let spec_of = |_: &_| Some(fixture.spec.clone());
        fixture.engine.apply(plan, &spec_of, false, Arc::default(), &Context::new("test")).await
    };
    let applied = apply(&plan.cycle).await.unwrap();
    assert_eq!((applied.kind, applied.counts.updated), (CycleKind::Revert, 30));
    assert_eq!(fixture.app(), good);
    // The world moves between the plan and its application.
    let again = done(&fixture, &plan.cycle).await;
    assert_eq!(again.counts.updated, 30);
    let stale = revert(&fixture, &bad.cycle, true).await.unwrap();
    fixture.write_hr(
        fixture.people(30, |at| if at == 1 { Some("p1,First1,Maiden,D1,active,".into()) } else { person(at) }),
    );
    run(&fixture).await;
    assert_eq!(apply(&stale.cycle).await.unwrap_err().code().as_str(), "PRV-0504");
}

#[tokio::test]
async fn what_did_nothing_is_refused() {
    let fixture = Fixture::new().await;
    fixture.write_people(3);
    let refused = revert(&fixture, "nothing", false).await.unwrap_err();
    assert_eq!(refused.code().as_str(), "PRV-0507");
    let plan = fixture
        .engine
        .plan(&fixture.job, &fixture.spec, RunOptions::default(), Arc::default(), &Context::new("test"))
        .await
        .unwrap();
    let refused = revert(&fixture, &plan.cycle, false).await.unwrap_err();
    assert!(refused.to_string().contains("it is a plan"), "{refused}");
}
