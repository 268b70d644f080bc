//! What is older than it is kept goes; what somebody still needs stays, and a cycle that is not whole any more is not undone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::collections::BTreeMap;

use provost_connector::Context;
use provost_engine::retention::{Pruned, RetentionSpec};
use provost_engine::{CycleStatus, EngineError};
use provost_model::{Explain as _, Filter, JobName};
use support::{DAY_MS, Fixture, person};

fn kept(text: &str) -> RetentionSpec {
    serde_json::from_str(text).unwrap()
}

async fn prune(fixture: &Fixture, keep: &str, dry: bool) -> Pruned {
    let jobs = BTreeMap::from([(fixture.job.clone(), fixture.spec.clone())]);
    fixture.engine.prune(&kept(keep), &jobs, dry, &Context::new("test")).await.unwrap()
}

async fn revert(fixture: &Fixture, cycle: &str) -> Result<CycleStatus, EngineError> {
    let spec = fixture.spec.clone();
    let spec_of = move |_: &JobName| Some(spec.clone());
    let report = fixture.engine.revert(cycle, &spec_of, true, Default::default(), &Context::new("test")).await;
    report.map(|report| report.status)
}

#[test]
fn the_defaults_are_as_documented() {
    assert_eq!(kept("{}"), kept(r#"{"log":"400d","plans":"90d","pushes":"90d"}"#));
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
