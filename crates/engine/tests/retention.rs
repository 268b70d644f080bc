//! What is older than it is kept goes; what somebody still needs stays, and a cycle that is not whole any more is not undone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::collections::BTreeMap;

use provost_connector::Context;
use provost_engine::retention::{Pruned, Records, RetentionSpec};
use provost_engine::{CycleStatus, EngineError};
use provost_model::{Clock as _, Explain as _, Filter, JobName};
use provost_store::JobRow;
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
