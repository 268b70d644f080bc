//! What is older than it is kept goes; what somebody still needs stays, and a cycle that is not whole any more is not undone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::collections::BTreeMap;

use provost_connector::Context;
use provost_engine::retention::{Pruned, Records, RetentionSpec};
use provost_engine::{CycleStatus, EngineError};
use provost_lang::{Environment, Table};
use provost_model::{Clock as _, Explain as _, Filter, JobName};
use provost_store::JobRow;
use serde_json::json;
use support::{DAY_MS, Fixture, person};

fn kept(text: &str) -> RetentionSpec {
    serde_json::from_str(text).unwrap()
}

async fn prune(fixture: &Fixture, keep: &str, dry: bool) -> Pruned {
    prune_with(fixture, keep, dry, None).await
}

async fn prune_with(fixture: &Fixture, keep: &str, dry: bool, directory: Option<&str>) -> Pruned {
    let jobs = BTreeMap::from([(fixture.job.clone(), fixture.spec.clone())]);
    let records = Records { spec: kept(keep), jobs, directory: directory.map(Into::into) };
    fixture.engine.prune(&records, dry, &Context::new("test")).await.unwrap()
}

async fn revert(fixture: &Fixture, cycle: &str) -> Result<CycleStatus, EngineError> {
    let spec = fixture.spec.clone();
    let spec_of = move |_: &JobName| Some(spec.clone());
    let report = fixture.engine.revert(cycle, &spec_of, true, Default::default(), &Context::new("test")).await;
    report.map(|report| report.status)
}

#[test]
fn the_defaults_are_as_documented() {
    assert_eq!(kept("{}"), kept(r#"{"log":"400d","plans":"90d","pushes":"90d","deleted":"90d"}"#));
    serde_json::from_str::<RetentionSpec>(r#"{"logs":"1d"}"#).unwrap_err();
}

#[tokio::test]
async fn the_log_goes_but_for_the_last_event_of_each_account() {
    let fixture = Fixture::new().await;
    fixture.write_people(40);
    let first = fixture.run().await.unwrap().cycle;
    fixture.write_hr(
        fixture.people(40, |at| if at < 5 { person(at).map(|row| row.replace("Last", "New")) } else { person(at) }),
    );
    let second = fixture.run().await.unwrap().cycle;
    fixture.clock.advance_ms(20 * DAY_MS);
    // Half of them leave; the job holds.
    fixture.write_hr(fixture.people(40, |at| if at < 20 { None } else { person(at) }));
    assert_eq!(fixture.run().await.unwrap().status, CycleStatus::Held);
    let events = fixture.events().await.len();

    let keep = r#"{"log": "10d"}"#;
    let dry = prune(&fixture, keep, true).await;
    assert_eq!(fixture.events().await.len(), events, "a dry run deletes nothing");
    let gone = prune(&fixture, keep, false).await;
    assert_eq!(gone.events, dry.events);
    // Of the first forty creates those of five people are not the last that is known of them.
    assert!((5..10).contains(&gone.events), "{gone:?}");
    let links = fixture.engine.store().link_page(&fixture.job, "person", None, 100).await.unwrap();
    let left = fixture.events().await;
    assert!(links.iter().all(|link| left.iter().any(|event| Some(event.seq) == link.event)), "{gone:?}");
    let held = fixture.engine.store().job(&fixture.job).await.unwrap().unwrap().held_plan.unwrap();
    assert_eq!(fixture.engine.store().open_events(&held, 0, 100).await.unwrap().len(), 20);

    for cycle in [first.as_str(), second.as_str()] {
        let error = revert(&fixture, cycle).await.unwrap_err();
        assert_eq!(error.code().as_str(), "PRV-0551", "{error}");
        assert!(error.to_string().contains("begins with 2026-12-02T"), "{error}");
    }
    let error = revert(&fixture, "no such cycle").await.unwrap_err();
    assert_eq!(error.code().as_str(), "PRV-0507", "{error}");
    // What waits, however old by now, goes out all the same.
    fixture.clock.advance_ms(30 * DAY_MS);
    prune(&fixture, keep, false).await;
    let cx = Context::new("test");
    let released =
        fixture.engine.release(&fixture.job, &fixture.spec, &Default::default(), Default::default(), &cx).await;
    assert_eq!(released.unwrap().counts.disabled, 20);
    let filter: Filter = "id eq \"p30\"".parse().unwrap();
    let told = fixture.engine.explain(&fixture.job, &fixture.spec, &filter, &cx).await.unwrap();
    assert_eq!(told[0].history.len(), 1, "{told:?}");
}

#[tokio::test]
async fn what_was_discarded_goes_earlier() {
    let fixture = Fixture::new().await;
    fixture.write_people(40);
    fixture.run().await.unwrap();
    fixture.write_hr(fixture.people(40, |at| if at < 20 { None } else { person(at) }));
    assert_eq!(fixture.run().await.unwrap().status, CycleStatus::Held);
    assert_eq!(fixture.engine.discard(&fixture.job).await.unwrap(), 20);
    fixture.clock.advance_ms(100 * DAY_MS);
    assert_eq!(prune(&fixture, "{}", true).await.discarded, 20);
    assert_eq!(prune(&fixture, "{}", false).await, Pruned { discarded: 20, ..Pruned::default() });
    assert_eq!(prune(&fixture, "{}", false).await, Pruned::default());
}

/// What is older than the log is counted once, and what waited while younger plans were thrown away is not forgotten.
#[tokio::test]
async fn what_is_discarded_late_goes_too() {
    let fixture = Fixture::new().await;
    fixture.write_people(40);
    fixture.run().await.unwrap();
    fixture.write_hr(fixture.people(40, |at| if at < 20 { None } else { person(at) }));
    assert_eq!(fixture.run().await.unwrap().status, CycleStatus::Held);
    fixture.clock.advance_ms(95 * DAY_MS);
    assert_eq!(prune(&fixture, "{}", false).await, Pruned::default());
    fixture.engine.discard(&fixture.job).await.unwrap();
    assert_eq!(prune(&fixture, "{}", true).await.discarded, 20);
    fixture.clock.advance_ms(400 * DAY_MS);
    let dry = prune(&fixture, "{}", true).await;
    assert_eq!(dry.discarded, 0, "they are older than the log, and counted there: {dry:?}");
    fixture.clock.advance_ms(-400 * DAY_MS);
    assert_eq!(prune(&fixture, "{}", false).await.discarded, 20);
}

/// The directory forgets the deleted when they are old enough and the job has read past them.
#[tokio::test]
async fn the_deleted_are_forgotten_once_every_job_has_read_that() {
    let fixture = Fixture::new().await;
    let store = fixture.engine.store().clone();
    let class = fixture.spec.objects[0].from.clone();
    let row = |number: i64, kind: &str| provost_store::ResourceRow {
        kind: kind.into(),
        id: format!("r{number}").as_str().into(),
        seq: 0,
        version: 2,
        name_key: String::new(),
        external_id: None,
        manager: None,
        created: 0,
        modified: 0,
        deleted: Some(fixture.clock.now_ms()),
        body: String::new(),
    };
    let mut rows: Vec<_> = (1..=6).map(|number| row(number, &class)).collect();
    rows.push(row(7, "Role"));
    let mut tx = store.begin().await.unwrap();
    tx.insert_resources(&mut rows).await.unwrap();
    tx.commit().await.unwrap();
    let hr = Some(fixture.spec.source.as_str());
    assert_eq!(prune_with(&fixture, "{}", false, hr).await, Pruned::default(), "all are young");
    fixture.clock.advance_ms(91 * DAY_MS);
    // The job has read nothing; of roles nobody reads.
    assert_eq!(prune_with(&fixture, "{}", true, hr).await.deleted, 1);
    for (cursor, gone, begin) in [("4", 4, 4), ("4", 0, 4), ("9", 2, 6)] {
        let mut job = store.job(&fixture.job).await.unwrap().unwrap_or_else(|| JobRow::new(fixture.job.clone()));
        job.cursors.insert(class.clone(), cursor.into());
        let mut tx = store.begin().await.unwrap();
        tx.save_job(&job).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(prune_with(&fixture, "{}", false, None).await.deleted, 0, "its objects are not in this store");
        let roles = u64::from(gone == 4);
        assert_eq!(prune_with(&fixture, "{}", true, hr).await.deleted, gone + roles, "{cursor}");
        assert_eq!(prune_with(&fixture, "{}", false, hr).await.deleted, gone + roles, "{cursor}");
        assert_eq!(store.feed_begin(&class).await.unwrap(), begin);
    }
}

/// The whole trace of an earlier decision, long after rule, person and source have become others; and what is secret in none of it.
#[tokio::test]
async fn a_decision_is_told_months_later_as_it_was() {
    let mut spec = support::spec();
    spec.objects[0].attributes.insert("pin".into(), serde_json::from_value(json!("Redact([last])")).unwrap());
    let name = json!("Lookup(\"names\", [first], [first])");
    spec.objects[0].attributes.insert("name".into(), serde_json::from_value(name).unwrap());
    let table = Table::from([("Ada1".into(), "Countess".into())]);
    spec.shared = Environment::new().with_table("names", table);
    let mut fixture = Fixture::with(spec).await;
    fixture.write_hr(fixture.people(3, |at| Some(format!("p{at},Ada{at},Hidden{at},D7,active,"))));
    let first = fixture.run().await.unwrap();
    assert_eq!((first.status, first.counts.created), (CycleStatus::Done, 3), "{first:?}");
    fixture.clock.advance_ms(100 * DAY_MS);
    fixture.spec.shared = Environment::new().with_table("names", Table::new());
    fixture.spec.objects[0].scope = Some("status eq \"active\" and dept ne \"D7\"".into());
    let left = fixture.run().await.unwrap();
    assert_eq!(left.counts.disabled, 3, "{left:?}");
    fixture.clock.advance_ms(100 * DAY_MS);
    std::fs::remove_file(fixture.path("hr.csv")).unwrap();

    let filter: provost_model::Filter = "id eq \"p1\"".parse().unwrap();
    let cx = Context::new("test");
    let at = async |cycle: &str| {
        let told = fixture.engine.explain_at(&fixture.job, &fixture.spec, &filter, cycle, &cx).await.unwrap();
        told.into_iter().next()
    };
    let made = at(&first.cycle).await.unwrap();
    let as_of = made.as_of.as_ref().unwrap();
    assert_eq!((as_of.cycle.as_str(), &as_of.note), (first.cycle.as_str(), &None));
    assert!(as_of.at.starts_with("2026-11-22T08:"), "{as_of:?}");
    assert_eq!((made.decision.as_str(), made.in_scope), ("create", true));
    let clauses: Vec<(&str, bool)> = made.scope.iter().map(|one| (one.clause.as_str(), one.matched)).collect();
    assert_eq!(clauses, [("status ne \"prospect\"", true)]);
    let source: Vec<String> = made.source.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(source, ["dept=D7", "first=Ada1", "id=p1", "last=[Redact]", "status=active"]);
    let asked = &made.matching[0];
    assert_eq!((asked.target.as_str(), &asked.value, asked.found.len()), ("login", &Some("p1".into()), 0));
    let dept = made.mappings.iter().find(|one| one.target == "dept").unwrap();
    assert_eq!(dept.value, Some("D7".into()));
    // A table is a part of the rules.
    let name = made.mappings.iter().find(|one| one.target == "name").unwrap();
    assert_eq!(name.value, Some("Countess".into()));
    let active = made.mappings.iter().find(|one| one.target == "active").unwrap();
    assert!(!active.steps.is_empty() && active.value == Some("true".into()), "{active:?}");
    assert!(made.changes.iter().any(|one| one.path == "dept" && one.after == Some("D7".into())), "{:?}", made.changes);

    // The newest decision is told without being asked for.
    let newest = fixture.engine.explain(&fixture.job, &fixture.spec, &filter, &cx).await.unwrap().remove(0);
    assert_eq!((newest.decision.as_str(), newest.in_scope), ("disable", false));
    assert_eq!(newest.as_of.as_ref().map(|as_of| as_of.cycle.as_str()), Some(left.cycle.as_str()));
    assert_eq!(newest.scope.iter().filter(|one| !one.matched).count(), 1, "{:?}", newest.scope);
    assert_eq!(at("last").await.unwrap(), newest);
    assert_eq!(at("nonsense").await, None);

    let store = fixture.engine.store();
    let told = serde_json::to_string(&[made, newest]).unwrap();
    let events = serde_json::to_string(&fixture.events().await).unwrap();
    assert!(!told.contains("Hidden") && !events.contains("Hidden"), "{told}");

    // Rules go with the last cycle that had them.
    let digest = store.cycle(&first.cycle).await.unwrap().unwrap().rulebook.unwrap();
    assert!(store.rulebook(&digest).await.unwrap().is_some_and(|text| text.contains("prospect")));
    fixture.clock.advance_ms(1_000 * DAY_MS);
    prune(&fixture, "{}", false).await;
    assert_eq!(store.rulebook(&digest).await.unwrap(), None);
}
