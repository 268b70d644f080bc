//! Cycles end to end: HR file to account file, over the real connector and store.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use provost_engine::{Approval, CycleKind, CycleStatus, RunOptions};
use support::{DAY_MS, Fixture, person, spec};

#[tokio::test]
async fn joiners_movers_leavers_and_a_silent_second_run() {
    let fixture = Fixture::new().await;
    fixture.write_people(30);
    let first = fixture.run().await.unwrap();
    assert_eq!((first.kind, first.status), (CycleKind::Initial, CycleStatus::Done));
    assert_eq!((first.counts.read, first.counts.created, first.counts.lookups), (30, 30, 0));
    assert_eq!(fixture.app_lines(), 30);
    assert!(fixture.app().contains("p7,"), "{}", fixture.app());

    let second = fixture.run().await.unwrap();
    assert_eq!(second.kind, CycleKind::Incremental);
    assert_eq!((second.counts.unchanged, second.counts.writes()), (30, 0));

    // A mover, a leaver by status, a leaver by absence, a joiner.
    let text = fixture.people(31, |at| match at {
        3 => Some("p3,First3,Married,D0,active,".into()),
        4 => Some("p4,First4,Last4,D1,left,".into()),
        5 => None,
        _ => person(at),
    });
    fixture.write_hr(text);
    let third = fixture.run().await.unwrap();
    assert_eq!(third.status, CycleStatus::Done, "{third:?}");
    assert_eq!((third.counts.created, third.counts.updated, third.counts.disabled), (1, 1, 2), "{third:?}");
    let app = fixture.app();
    assert!(app.contains("First3 Married"), "{app}");
    assert_eq!(app.matches("false").count(), 2, "{app}");

    // Both come back as they were.
    fixture.write_people(31);
    let fourth = fixture.run().await.unwrap();
    assert_eq!((fourth.counts.enabled, fourth.counts.disabled, fourth.counts.updated), (2, 0, 1), "{fourth:?}");
    assert_eq!(fixture.app().matches("false").count(), 0, "{}", fixture.app());
    let fifth = fixture.run().await.unwrap();
    assert_eq!(fifth.counts.writes(), 0, "{fifth:?}");
}

#[tokio::test]
async fn a_new_rule_looks_at_everybody_again() {
    let mut fixture = Fixture::new().await;
    fixture.write_people(5);
    fixture.run().await.unwrap();
    fixture.spec.objects[0].attributes.get_mut("dept").unwrap().value = "Join(\"-\", \"X\", [dept])".into();
    let report = fixture.run().await.unwrap();
    assert_eq!((report.kind, report.counts.updated), (CycleKind::Initial, 5), "{report:?}");
    assert!(fixture.app().contains("X-D1"), "{}", fixture.app());
}

#[tokio::test]
async fn accounts_that_exist_are_adopted_and_not_doubled() {
    let fixture = Fixture::new().await;
    fixture.write_people(4);
    std::fs::write(fixture.path("app.csv"), "login,name,dept,active\np1,Old Name,D1,true\nadmin,The Admin,,true\n")
        .unwrap();
    let report = fixture.run().await.unwrap();
    assert_eq!((report.counts.created, report.counts.adopted, report.counts.updated), (3, 1, 1), "{report:?}");
    assert_eq!(fixture.app_lines(), 5, "{}", fixture.app());
    assert!(fixture.app().contains("p1,First1 Last1"), "{}", fixture.app());
    assert!(fixture.app().contains("The Admin"), "{}", fixture.app());
    let again = fixture.run().await.unwrap();
    assert_eq!(again.counts.writes(), 0);
}

/// Every way in which an HR export goes wrong: nobody is disabled or deleted, the job says why, the next good read goes on.
#[tokio::test]
async fn a_bad_read_takes_nothing_away() {
    let good = |fixture: &Fixture| fixture.people(50, person);
    type Break = fn(&str) -> Vec<u8>;
    let cases: [(&str, Break); 9] = [
        ("empty", |_| Vec::new()),
        ("header only", |text| text.lines().next().unwrap().as_bytes().iter().copied().chain(*b"\n").collect()),
        ("cut in mid-row", |text| text.as_bytes()[..text.len() * 19 / 20].to_vec()),
        ("cut in the last field", |text| text.as_bytes()[..text.len() - 1].to_vec()),
        ("html", |_| b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>\n".to_vec()),
        ("half of the rows", |text| text.lines().take(26).flat_map(|line| format!("{line}\n").into_bytes()).collect()),
        ("utf-16 without its mark", |text| text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("status renamed", |text| text.replacen("status", "state", 1).into_bytes()),
        ("key renamed", |text| text.replacen("id,", "nr,", 1).into_bytes()),
    ];
    for (case, broken) in cases {
        let fixture = Fixture::new().await;
        fixture.write_hr(good(&fixture));
        fixture.run().await.unwrap();
        let before = fixture.app();
        fixture.write_hr(broken(&good(&fixture)));
        let why = match fixture.run().await {
            Ok(report) => {
                assert_ne!(report.status, CycleStatus::Done, "{case}: {report:?}");
                assert_eq!(report.counts.disabled + report.counts.deleted, 0, "{case}: {report:?}");
                report.note.unwrap_or_default()
            }
            Err(error) => error.to_string(),
        };
        assert!(!why.is_empty(), "{case} says why");
        assert_eq!(fixture.app(), before, "{case} changes nothing: {why}");

        // The next good read goes on, with a leaver and a joiner.
        fixture.write_hr(fixture.people(51, |at| if at == 9 { None } else { person(at) }));
        let report = fixture.run().await.unwrap_or_else(|error| panic!("after {case}: {error}"));
        assert_eq!(report.status, CycleStatus::Done, "after {case}: {report:?}");
        assert_eq!((report.counts.created, report.counts.disabled), (1, 1), "after {case}: {report:?}");
    }
}

#[tokio::test]
async fn a_missing_file_is_an_error_and_nothing_else() {
    let fixture = Fixture::new().await;
    fixture.write_people(30);
    fixture.run().await.unwrap();
    let before = fixture.app();
    std::fs::remove_file(fixture.path("hr.csv")).unwrap();
    let error = fixture.run().await.unwrap_err();
    assert!(error.to_string().contains("hr"), "{error}");
    assert_eq!(fixture.app(), before);
}

#[tokio::test]
async fn the_guard_holds_until_somebody_releases() {
    let fixture = Fixture::new().await;
    fixture.write_people(40);
    fixture.run().await.unwrap();
    fixture.write_hr(fixture.people(40, |at| if at < 10 { None } else { person(at) }));
    let held = fixture.run().await.unwrap();
    assert_eq!(held.status, CycleStatus::Held, "{held:?}");
    assert!(held.note.as_ref().unwrap().contains("10 disables and deletes of 40"), "{held:?}");
    assert_eq!(fixture.app().matches("false").count(), 0);

    let cx = provost_connector::Context::new("test");
    let released = fixture
        .engine
        .release(&fixture.job, &fixture.spec, &Default::default(), Default::default(), &cx)
        .await
        .unwrap();
    assert_eq!((released.status, released.counts.disabled), (CycleStatus::Done, 10), "{released:?}");
    assert_eq!(fixture.app().matches("false").count(), 10);
    let after = fixture.run().await.unwrap();
    assert_eq!((after.status, after.counts.writes()), (CycleStatus::Done, 0), "{after:?}");
    fixture
        .engine
        .release(&fixture.job, &fixture.spec, &Default::default(), Default::default(), &cx)
        .await
        .unwrap_err();
}

/// Everything waits where somebody wants to see everything, and what is released is what was seen.
#[tokio::test]
async fn a_plan_waits_for_approval() {
    let mut fixture = Fixture::new().await;
    fixture.spec.approval = serde_json::from_str(r#""always""#).unwrap();
    fixture.write_people(3);
    let seen = fixture.run().await.unwrap();
    assert_eq!((seen.status, seen.code.as_deref(), fixture.app_lines()), (CycleStatus::Held, Some("PRV-0536"), 0));
    fixture.write_people(4);
    let newer = fixture.run().await.unwrap();
    assert_eq!(newer.planned, [(provost_model::Action::Create, 4)]);
    let cx = provost_connector::Context::new("test");
    let approve = async |plan: &str| {
        let approval = Approval { plan: Some(plan.to_owned()), by: Some("ada".into()), always: false };
        fixture.engine.release(&fixture.job, &fixture.spec, &approval, Default::default(), &cx).await
    };
    let refused = approve(&seen.cycle).await.unwrap_err();
    assert!(refused.to_string().contains("holds another plan by now"), "{refused}");
    assert_eq!(approve(&newer.cycle).await.unwrap().counts.created, 4);
    assert_eq!(fixture.app_lines(), 4);
    let told = fixture.events().await.into_iter().find(|event| event.action == "release").unwrap();
    assert_eq!((told.reason.as_str(), &told.cycle), ("released by ada", &newer.cycle));
    let silent = fixture.run().await.unwrap();
    assert_eq!((silent.status, silent.counts.writes()), (CycleStatus::Done, 0), "{silent:?}");
    // Only leavers.
    fixture.spec.approval = serde_json::from_str(r#"["disable", "delete"]"#).unwrap();
    fixture.write_hr(fixture.people(5, |at| if at == 0 { None } else { person(at) }));
    let held = fixture.run().await.unwrap();
    assert_eq!((held.status, held.counts.created, held.counts.disabled), (CycleStatus::Held, 1, 0), "{held:?}");
}

#[tokio::test]
async fn nobody_is_created_who_could_not_be_found_again() {
    let mut spec = spec();
    spec.objects[0].matching[0].source = "[dept]".into();
    let fixture = Fixture::with(spec).await;
    fixture.write_hr(fixture.people(3, |at| Some(format!("p{at},F,L,{},active,", if at == 1 { "" } else { "D" }))));
    let report = fixture.run().await.unwrap();
    assert_eq!((report.counts.created, report.counts.failed), (2, 1), "{report:?}");
    assert!(!fixture.app().contains("p1,"), "{}", fixture.app());
}

#[tokio::test]
async fn provision_on_demand_leaves_what_is_held() {
    let fixture = Fixture::new().await;
    fixture.write_people(40);
    fixture.run().await.unwrap();
    fixture.write_hr(fixture.people(40, |at| if at < 10 { None } else { person(at) }));
    assert_eq!(fixture.run().await.unwrap().status, CycleStatus::Held);
    let cx = provost_connector::Context::new("test");
    let filter = "id eq \"p20\"".parse().unwrap();
    fixture.engine.provision(&fixture.job, &fixture.spec, &filter, false, &cx).await.unwrap();
    let released = fixture
        .engine
        .release(&fixture.job, &fixture.spec, &Default::default(), Default::default(), &cx)
        .await
        .unwrap();
    assert_eq!(released.counts.disabled, 10, "{released:?}");
}

#[tokio::test]
async fn an_empty_source_holds_however_few_there_were() {
    let fixture = Fixture::new().await;
    fixture.write_people(5);
    fixture.run().await.unwrap();
    fixture.write_people(0);
    let held = fixture.run().await.unwrap();
    assert_eq!(held.status, CycleStatus::Held, "{held:?}");
    assert_eq!(fixture.app().matches("false").count(), 0);
}

#[tokio::test]
async fn discarded_operations_never_go_out() {
    let fixture = Fixture::new().await;
    fixture.write_people(40);
    fixture.run().await.unwrap();
    fixture.write_hr(fixture.people(40, |at| if at < 10 { None } else { person(at) }));
    fixture.run().await.unwrap();
    assert_eq!(fixture.engine.discard(&fixture.job).await.unwrap(), 10);
    assert_eq!(fixture.app().matches("false").count(), 0);
    // The cause is still there, so the next cycle holds again.
    assert_eq!(fixture.run().await.unwrap().status, CycleStatus::Held);
}

#[tokio::test]
async fn a_plan_is_applied_as_shown_or_not_at_all() {
    let fixture = Fixture::new().await;
    fixture.write_people(10);
    let cx = provost_connector::Context::new("test");
    let options = RunOptions::default();
    let plan = fixture.engine.plan(&fixture.job, &fixture.spec, options, Default::default(), &cx).await.unwrap();
    assert_eq!(plan.status, CycleStatus::Planned);
    assert_eq!(plan.planned.iter().map(|(_, count)| count).sum::<u64>(), 10, "{plan:?}");
    assert_eq!(fixture.app_lines(), 0, "a plan sends nothing");

    let spec = fixture.spec.clone();
    let spec_of = move |_: &provost_model::JobName| Some(spec.clone());
    fixture.write_people(11);
    let moved = fixture.engine.apply(&plan.cycle, &spec_of, false, Default::default(), &cx).await.unwrap_err();
    assert!(moved.to_string().contains("stale"), "{moved}");
    assert_eq!(fixture.app_lines(), 0, "a stale plan sends nothing");

    fixture.write_people(10);
    let applied = fixture.engine.apply(&plan.cycle, &spec_of, false, Default::default(), &cx).await.unwrap();
    assert_eq!(applied.counts.created, 10, "{applied:?}");
    assert_eq!(fixture.app_lines(), 10);
    let twice = fixture.engine.apply(&plan.cycle, &spec_of, false, Default::default(), &cx).await.unwrap_err();
    assert!(twice.to_string().contains("it is done"), "{twice}");
    let run = fixture.run().await.unwrap();
    assert_eq!((run.counts.writes(), run.counts.unchanged), (0, 10), "{run:?}");
}

#[tokio::test]
async fn a_grace_period_ends_in_a_delete_unless_the_person_returns() {
    let mut spec = spec();
    spec.objects[0].leavers = serde_json::from_str(r#"{"deleted": {"disable": "now", "delete": "30d"}}"#).unwrap();
    let fixture = Fixture::with(spec).await;
    fixture.write_people(30);
    fixture.run().await.unwrap();
    fixture.write_hr(fixture.people(30, |at| if at < 2 { None } else { person(at) }));
    assert_eq!(fixture.run().await.unwrap().counts.disabled, 2);
    fixture.clock.advance_ms(29 * DAY_MS);
    fixture.write_hr(fixture.people(30, |at| if at < 1 { None } else { person(at) }));
    let returned = fixture.run().await.unwrap();
    assert_eq!((returned.counts.enabled, returned.counts.deleted), (1, 0), "{returned:?}");
    fixture.clock.advance_ms(2 * DAY_MS);
    let ended = fixture.run().await.unwrap();
    assert_eq!(ended.counts.deleted, 1, "{ended:?}");
    assert_eq!(fixture.app_lines(), 29);
    assert_eq!(fixture.run().await.unwrap().counts.writes(), 0);
}

#[tokio::test]
async fn bad_rows_are_reported_with_their_place_and_the_others_go_on() {
    let fixture = Fixture::new().await;
    let mut text = fixture.people(28, person);
    text.push_str(
        "p3,Double,Key,D1,active,\n,No,Key,D1,active,\np99,too,few\np28,A,B,D1,active,\np29,A,B,D1,active,\n",
    );
    fixture.write_hr(text);
    let report = fixture.run().await.unwrap();
    assert_eq!(report.status, CycleStatus::Incomplete, "a row without a key may be anybody's: {report:?}");
    assert_eq!((report.counts.created, report.counts.failed), (30, 3), "{report:?}");
    let places: Vec<String> =
        fixture.events().await.into_iter().filter(|event| event.action == "read").map(|event| event.reason).collect();
    assert_eq!(places.len(), 3, "{places:?}");
    assert!(places.iter().all(|place| place.starts_with("hr.csv:3")), "{places:?}");
}

#[tokio::test]
async fn drift_is_repaired_and_missing_accounts_are_made_again() {
    let fixture = Fixture::new().await;
    fixture.write_people(25);
    fixture.run().await.unwrap();
    let changed = fixture.app().replace("First7 Last7", "Somebody Else");
    let without: Vec<&str> = changed.lines().filter(|line| !line.starts_with("p9,")).collect();
    std::fs::write(fixture.path("app.csv"), without.join("\n") + "\n").unwrap();
    assert_eq!(fixture.run().await.unwrap().counts.writes(), 0, "an incremental cycle does not look at the target");
    let report = fixture.run_with(RunOptions { full: false, reconcile: true }).await.unwrap();
    assert_eq!((report.counts.updated, report.counts.created), (1, 1), "{report:?}");
    assert!(fixture.app().contains("First7 Last7"), "{}", fixture.app());
    assert_eq!(fixture.app_lines(), 25);
}

#[tokio::test]
async fn a_value_that_does_not_fit_waits_in_escrow_and_heals() {
    let mut spec = spec();
    spec.objects[0].attributes.insert(
        "hired".into(),
        serde_json::from_value(serde_json::json!("FormatDateTime([dept], , \"yyyy-MM-dd\", \"yyyy\")")).unwrap(),
    );
    let fixture = Fixture::with(spec).await;
    fixture.write_hr(
        fixture.people(3, |at| Some(format!("p{at},F,L,{},active,", if at == 1 { "soon" } else { "2026-01-02" }))),
    );
    let report = fixture.run().await.unwrap();
    assert_eq!((report.counts.created, report.counts.failed, report.escrowed), (2, 1, 1), "{report:?}");
    let again = fixture.run().await.unwrap();
    assert_eq!((again.counts.failed, again.counts.writes()), (0, 0), "nothing changed, so it waits: {again:?}");
    fixture.write_hr(fixture.people(3, |at| Some(format!("p{at},F,L,2026-01-02,active,"))));
    let healed = fixture.run().await.unwrap();
    assert_eq!((healed.counts.created, healed.escrowed), (1, 0), "{healed:?}");
}

#[tokio::test]
async fn explain_tells_the_whole_story() {
    let fixture = Fixture::new().await;
    fixture.write_people(3);
    fixture.run().await.unwrap();
    let filter = "id eq \"p1\"".parse().unwrap();
    let cx = provost_connector::Context::new("test");
    let mut found = fixture.engine.explain(&fixture.job, &fixture.spec, &filter, &cx).await.unwrap();
    let told = found.pop().unwrap();
    assert_eq!((told.source_id.as_str(), told.in_scope, told.decision.as_str()), ("p1", true, "none"), "{told:?}");
    assert_eq!(told.scope.len(), 1);
    assert_eq!(told.mappings.len(), 4);
    assert_eq!(told.history.len(), 1);
    assert_eq!(told.history[0].action, "create");
}

#[tokio::test]
async fn provision_on_demand_takes_one_person() {
    let fixture = Fixture::new().await;
    fixture.write_people(3);
    let filter = "id eq \"p1\"".parse().unwrap();
    let cx = provost_connector::Context::new("test");
    let dry = fixture.engine.provision(&fixture.job, &fixture.spec, &filter, true, &cx).await.unwrap();
    assert_eq!((dry.len(), dry[0].result.as_str(), fixture.app_lines()), (1, "dry run", 0));
    assert_eq!(dry[0].explanation.decision, "create");
    let done = fixture.engine.provision(&fixture.job, &fixture.spec, &filter, false, &cx).await.unwrap();
    assert_eq!(done[0].result, "done", "{done:?}");
    assert_eq!(fixture.app_lines(), 1);
    let report = fixture.run().await.unwrap();
    assert_eq!(report.counts.created, 2, "{report:?}");
}

/// A read of the target that gave less than the connector counted proves nobody missing.
#[tokio::test]
async fn a_short_read_of_the_target_proves_nothing() {
    let fixture = Fixture::lossy(spec()).await;
    fixture.write_people(5);
    assert_eq!(fixture.run().await.unwrap().counts.created, 5);
    let report = fixture.run_with(RunOptions { full: false, reconcile: true }).await.unwrap();
    let counts = report.counts;
    assert_eq!((counts.writes(), counts.adopted, counts.lookups, counts.failed), (0, 0, 0, 0), "{report:?}");
    assert_eq!(fixture.app_lines(), 5);
}

/// A plan that was interrupted while it was made has sent nothing, so that nothing is in doubt.
#[tokio::test]
async fn an_interrupted_plan_leaves_nothing_in_doubt() {
    let mut fixture = Fixture::new().await;
    fixture.write_people(3);
    fixture.run().await.unwrap();
    let good = fixture.spec.clone();
    fixture.spec.objects[0].attributes.insert("dept".into(), serde_json::from_str("\"\\\"elsewhere\\\"\"").unwrap());
    let cx = provost_connector::Context::new("test");
    let options = RunOptions::default();
    let plan = fixture.engine.plan(&fixture.job, &fixture.spec, options, Default::default(), &cx).await.unwrap();
    assert_eq!(plan.planned, [(provost_model::Action::Update, 3)]);
    let store = fixture.engine.store();
    let mut row = store.cycle(&plan.cycle).await.unwrap().unwrap();
    row.status = provost_store::CycleStatus::Running;
    let mut tx = store.begin().await.unwrap();
    tx.save_cycle(&row).await.unwrap();
    tx.commit().await.unwrap();
    fixture.spec = good;
    let report = fixture.run_with(RunOptions { full: true, reconcile: false }).await.unwrap();
    assert_eq!(report.counts.writes(), 0, "{report:?}");
}

/// Of what was released always as much passes again, and no more; until somebody ends it or the guard is another one.
#[tokio::test]
async fn what_is_released_always_passes_from_then_on() {
    let mut fixture = Fixture::new().await;
    fixture.write_people(40);
    fixture.run().await.unwrap();
    let leave = |fixture: &Fixture, from: usize, to: usize| {
        fixture.write_hr(fixture.people(40, |at| if (from..to).contains(&at) { None } else { person(at) }));
    };
    leave(&fixture, 0, 10);
    assert_eq!(fixture.run().await.unwrap().status, CycleStatus::Held);
    let cx = provost_connector::Context::new("test");
    let approval = provost_engine::Approval { by: Some("ada".into()), always: true, ..Default::default() };
    let released = fixture.engine.release(&fixture.job, &fixture.spec, &approval, Default::default(), &cx).await;
    assert_eq!(released.unwrap().counts.disabled, 10);
    let granted = fixture.engine.store().exceptions(Some(fixture.job.as_str())).await.unwrap();
    assert_eq!(granted.len(), 1, "{granted:?}");
    assert_eq!((granted[0].operations, granted[0].linked, granted[0].guard.as_str()), (10, 40, "leavers"));
    assert_eq!(granted[0].granted_by.as_deref(), Some("ada"));
    let told = fixture.events().await.into_iter().find(|event| event.action == "release").unwrap();
    assert!(told.reason.contains("always up to 10 of 40 linked objects (25.0 %)"), "{}", told.reason);

    // All are back; the same number leaves again, then one more.
    leave(&fixture, 0, 0);
    fixture.run().await.unwrap();
    leave(&fixture, 10, 20);
    let report = fixture.run().await.unwrap();
    assert_eq!((report.status, report.counts.disabled), (CycleStatus::Done, 10), "{report:?}");
    leave(&fixture, 0, 0);
    fixture.run().await.unwrap();
    leave(&fixture, 0, 11);
    assert_eq!(fixture.run().await.unwrap().status, CycleStatus::Held);
    leave(&fixture, 0, 10);
    assert_eq!(fixture.engine.reset_guards(&fixture.job, Some("ada")).await.unwrap(), 1);
    assert_eq!(fixture.run().await.unwrap().status, CycleStatus::Held);

    // Granted once more, and ended by another configuration of the guard, also when that is taken back.
    let released = fixture.engine.release(&fixture.job, &fixture.spec, &approval, Default::default(), &cx).await;
    assert_eq!(released.unwrap().counts.disabled, 10);
    fixture.spec.guards.leavers.percent = Some(24.0);
    leave(&fixture, 0, 0);
    fixture.run().await.unwrap();
    assert!(fixture.engine.store().exceptions(None).await.unwrap().is_empty());
    fixture.spec.guards.leavers.percent = Some(20.0);
    leave(&fixture, 0, 10);
    assert_eq!(fixture.run().await.unwrap().status, CycleStatus::Held);

    // What has no number has no exception.
    fixture.write_hr("id,first,last,dept,status,boss\n");
    fixture.spec.guards.leavers = serde_json::from_str("{}").unwrap();
    assert_eq!(fixture.run().await.unwrap().status, CycleStatus::Held);
    let refused = fixture.engine.release(&fixture.job, &fixture.spec, &approval, Default::default(), &cx).await;
    assert_eq!(provost_model::Explain::code(&refused.unwrap_err()).as_str(), "PRV-0550");
    assert!(fixture.engine.store().exceptions(None).await.unwrap().is_empty());
}
