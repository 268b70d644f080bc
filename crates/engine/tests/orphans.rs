//! Accounts that nobody is linked with, where the rule does more than to name them: what goes, what stays because somebody may be
//! meant to have it, what a guard holds, and what of it can be undone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::sync::Arc;

use provost_connector::Context;
use provost_engine::{Approval, CycleReport, CycleStatus, EngineError, JobSpec, Progress, RunOptions};
use provost_store::{EventRow, EventStatus};
use serde_json::{Value as Json, json};
use support::{Fixture, person};

const RECONCILE: RunOptions = RunOptions { full: false, reconcile: true };

fn spec(situations: Json) -> JobSpec {
    let mut spec = support::spec();
    spec.objects[0].situations = serde_json::from_value(situations).unwrap();
    spec
}

/// Accounts that the target has besides: `login,name,dept,active` each.
fn add(fixture: &Fixture, accounts: &[&str]) {
    let text = fixture.app();
    let columns: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let mut text = text.clone();
    for account in accounts {
        let cells: Vec<&str> = account.split(',').collect();
        let cell = |column: &&str| cells[["login", "name", "dept", "active"].iter().position(|c| c == column).unwrap()];
        text += &(columns.iter().map(cell).collect::<Vec<_>>().join(",") + "\n");
    }
    std::fs::write(fixture.path("app.csv"), text).unwrap();
}

fn has(fixture: &Fixture, login: &str) -> Option<String> {
    fixture.app().lines().find(|line| line.split(',').any(|cell| cell == login)).map(str::to_owned)
}

async fn linked(people: usize, situations: Json) -> Fixture {
    let fixture = Fixture::with(spec(situations)).await;
    fixture.write_people(people);
    fixture.run().await.unwrap();
    fixture
}

async fn reconcile(fixture: &Fixture) -> CycleReport {
    fixture.run_with(RECONCILE).await.unwrap()
}

/// How many deletes a plan would have.
async fn planned(fixture: &Fixture) -> u64 {
    let (cx, progress) = (Context::new("test"), Arc::<Progress>::default());
    let plan = fixture.engine.plan(&fixture.job, &fixture.spec, RECONCILE, progress, &cx).await.unwrap();
    plan.planned.iter().filter(|(action, _)| action.as_str() == "delete").map(|(_, count)| count).sum()
}

/// What the log says of accounts without owner, since some event.
async fn told(fixture: &Fixture, from: usize) -> Vec<EventRow> {
    let of_account =
        |e: &EventRow| e.source_id.is_empty() && e.action == "orphan" || e.source_id.starts_with("account:");
    fixture.events().await.split_off(from).into_iter().filter(of_account).collect()
}

#[tokio::test]
async fn an_account_without_owner_goes_where_the_rule_says_so_and_nobody_else() {
    let fixture = linked(30, json!({ "orphan": "delete" })).await;
    let before = fixture.app();
    add(&fixture, &["zoe,Zoe,D7,true", "yan,Yan,D8,false"]);
    assert_eq!(planned(&fixture).await, 2);
    // A usual cycle does not look.
    let report = fixture.run().await.unwrap();
    assert_eq!((report.counts.deleted, has(&fixture, "zoe").is_some()), (0, true));
    let events = fixture.events().await.len();
    let report = reconcile(&fixture).await;
    assert_eq!((report.status, report.counts.deleted, report.counts.failed), (CycleStatus::Done, 2, 0), "{report:?}");
    assert_eq!(fixture.app(), before);
    let told = told(&fixture, events).await;
    assert_eq!(told.len(), 2, "{told:#?}");
    let zoe = told.iter().find(|e| e.target_id.as_deref() == Some("zoe")).unwrap();
    assert_eq!((zoe.action.as_str(), zoe.status, zoe.source_id.as_str()), ("delete", EventStatus::Done, "account:zoe"));
    assert!(zoe.reason.contains("no source object is linked with this account"), "{zoe:?}");
    assert!(zoe.changes.contains("Zoe") && zoe.changes.contains("D7"), "what went with it: {}", zoe.changes);
    let links = fixture.engine.store().count_links(&fixture.job).await.unwrap();
    assert_eq!(links.values().sum::<i64>(), 30, "no link for nobody");
    let linked = fixture.engine.store().job(&fixture.job).await.unwrap().unwrap().linked;
    assert_eq!(linked.values().sum::<i64>(), 30);
    let report = reconcile(&fixture).await;
    assert_eq!((report.counts.deleted, fixture.app()), (0, before));
}

#[tokio::test]
async fn an_account_without_owner_is_switched_off_once() {
    let fixture = linked(30, json!({ "orphan": "disable" })).await;
    add(&fixture, &["zoe,Zoe,D7,true"]);
    let report = reconcile(&fixture).await;
    assert_eq!((report.counts.disabled, report.counts.deleted), (1, 0), "{report:?}");
    assert!(has(&fixture, "zoe").unwrap().contains("false"));
    let after = fixture.app();
    let again = reconcile(&fixture).await;
    assert_eq!((again.counts.disabled, fixture.app()), (0, after));
    // Who comes later finds it, and is linked with it.
    fixture.write_hr(fixture.people(30, person) + "zoe,Zoe,Last,D7,active,\n");
    let report = fixture.run().await.unwrap();
    assert_eq!((report.counts.adopted, report.counts.created), (1, 0), "{report:?}");
    assert!(has(&fixture, "zoe").unwrap().contains("true"));
    // The cycle that switched it off is undone for whom that still holds: nobody.
    let left = revert(&fixture, &again.cycle).await;
    assert!(left.is_empty(), "{left:?}");
}

/// Undoes a cycle; what could not be undone.
async fn revert(fixture: &Fixture, cycle: &str) -> Vec<String> {
    fixture.clock.advance_ms(60_000);
    let spec_of = |_: &_| Some(fixture.spec.clone());
    let cx = Context::new("test");
    let report = fixture.engine.revert(cycle, &spec_of, false, Arc::<Progress>::default(), &cx).await.unwrap();
    let events = fixture.events().await.into_iter();
    events.filter(|e| e.cycle == *report.cycle && e.action == "revert").map(|e| e.reason).collect()
}

#[tokio::test]
async fn what_was_switched_off_is_switched_on_again_and_what_was_deleted_is_not_made_for_nobody() {
    let fixture = linked(30, json!({ "orphan": "disable" })).await;
    add(&fixture, &["zoe,Zoe,D7,true"]);
    let before = fixture.app();
    let report = reconcile(&fixture).await;
    assert_eq!(revert(&fixture, &report.cycle).await, Vec::<String>::new());
    assert_eq!(fixture.app(), before);

    let fixture = linked(30, json!({ "orphan": "delete" })).await;
    add(&fixture, &["zoe,Zoe,D7,true"]);
    let report = reconcile(&fixture).await;
    let left = revert(&fixture, &report.cycle).await;
    assert!(left.len() == 1 && left[0].contains("nobody was linked with"), "{left:?}");
    assert_eq!(has(&fixture, "zoe"), None);
    let links = fixture.engine.store().count_links(&fixture.job).await.unwrap();
    assert_eq!(links.values().sum::<i64>(), 30);
}

#[tokio::test]
async fn many_accounts_without_owner_wait_for_the_guard() {
    let many: Vec<String> = (0..40).map(|at| format!("z{at},Zoe,D7,true")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    // A fifth of those who are linked; and where few are linked, the accounts themselves are enough to count by.
    for people in [30, 3] {
        let fixture = linked(people, json!({ "orphan": "delete" })).await;
        add(&fixture, &many);
        let report = reconcile(&fixture).await;
        assert_eq!((report.status, report.counts.deleted), (CycleStatus::Held, 0), "{people}: {report:?}");
        assert_eq!(fixture.app_lines(), people + 40);
        if people == 3 {
            continue;
        }
        let cx = Context::new("test");
        let progress = Arc::<Progress>::default();
        let released =
            fixture.engine.release(&fixture.job, &fixture.spec, &Approval::default(), progress, &cx).await.unwrap();
        assert_eq!((released.status, released.counts.deleted), (CycleStatus::Done, 40), "{released:?}");
        assert_eq!(fixture.app_lines(), people);
    }
}

#[tokio::test]
async fn an_account_that_got_an_owner_since_the_plan_was_made_stays() {
    let fixture = linked(30, json!({ "orphan": "delete" })).await;
    let many: Vec<String> = (0..40).map(|at| format!("z{at},Zoe,D7,true")).collect();
    add(&fixture, &many.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(reconcile(&fixture).await.status, CycleStatus::Held);
    // Somebody links it without the cycle's knowing: another job at the same target does that.
    let store = fixture.engine.store();
    let mut link = store.link_page(&fixture.job, "person", None, 1).await.unwrap().remove(0);
    (link.job, link.source_id, link.target_id) = ("other".into(), "x".into(), Some("z7".into()));
    let mut other = provost_store::JobRow::new("other".into());
    other.linked.insert("person".into(), 1);
    let mut tx = store.begin().await.unwrap();
    tx.save_job(&other).await.unwrap();
    tx.save_links(&[link]).await.unwrap();
    tx.commit().await.unwrap();
    let (cx, progress) = (Context::new("test"), Arc::<Progress>::default());
    let released =
        fixture.engine.release(&fixture.job, &fixture.spec, &Approval::default(), progress, &cx).await.unwrap();
    assert_eq!(released.counts.deleted, 39, "{released:?}");
    assert!(has(&fixture, "z7").is_some());
    // And it is no orphan from then on.
    let events = fixture.events().await.len();
    reconcile(&fixture).await;
    assert!(told(&fixture, events).await.is_empty() && has(&fixture, "z7").is_some());
}

#[tokio::test]
async fn nothing_is_taken_while_somebody_without_account_may_be_meant_to_have_it() {
    // p1 matches both by department, and nobody knows which is his: neither may go.
    let mut spec = spec(json!({ "orphan": "delete" }));
    spec.objects[0].matching = serde_json::from_value(json!([{ "target": "dept", "source": "[dept]" }])).unwrap();
    let fixture = Fixture::with(spec).await;
    let accounts = "login,name,dept,active\notto,Otto,D1,true\nfirst1,First,D1,true\nzoe,Zoe,D7,true\n";
    std::fs::write(fixture.path("app.csv"), accounts).unwrap();
    fixture.write_hr(fixture.people(2, |at| (at == 1).then(|| person(1).unwrap())));
    // Not in a plan either, which leaves no trace of who failed.
    assert_eq!(planned(&fixture).await, 0);
    for _ in 0..2 {
        let events = fixture.events().await.len();
        let report = reconcile(&fixture).await;
        assert_eq!((report.counts.deleted, fixture.app_lines()), (0, 3), "{report:?}");
        let told = told(&fixture, events).await;
        assert!(told.len() == 3 && told.iter().all(|e| e.reason.contains("1 object(s)")), "{told:#?}");
    }
    // Left alone is not settled.
    let waiting = fixture.engine.waiting(&fixture.job).await.unwrap();
    fixture.engine.settle(&fixture.job, &waiting, provost_engine::control::Fate::Ignore).await.unwrap();
    assert_eq!((reconcile(&fixture).await.counts.deleted, fixture.app_lines()), (0, 3));
}

#[tokio::test]
async fn an_account_that_is_about_to_be_taken_over_is_nobodys_no_more() {
    // Everything waits for approval, also the takeover: the links do not know of it yet.
    let mut spec = spec(json!({ "orphan": "delete" }));
    spec.approval = serde_json::from_value(json!("always")).unwrap();
    let fixture = Fixture::with(spec).await;
    std::fs::write(fixture.path("app.csv"), "login,name,dept,active\np1,Somebody,D9,true\nzoe,Zoe,D7,true\n").unwrap();
    fixture.write_people(3);
    let report = reconcile(&fixture).await;
    assert_eq!(report.status, CycleStatus::Held, "{report:?}");
    let deletes: Vec<EventRow> = fixture.events().await.into_iter().filter(|e| e.action == "delete").collect();
    assert!(deletes.iter().all(|e| e.target_id.as_deref() == Some("zoe")) && deletes.len() == 1, "{deletes:#?}");
}

#[tokio::test]
async fn a_read_that_proves_nothing_takes_nothing() {
    // A row of the source without its key may be anybody's.
    let fixture = linked(30, json!({ "orphan": "delete" })).await;
    add(&fixture, &["zoe,Zoe,D7,true"]);
    fixture.write_hr(fixture.people(30, person) + ",Nobody,Last,D7,active,\n");
    let report = reconcile(&fixture).await;
    assert_eq!((report.counts.deleted, has(&fixture, "zoe").is_some()), (0, true), "{report:?}");

    // Nor does one that lost somebody on the way, in a plan as little as in a cycle: p0 is there, and was not read.
    let fixture = Fixture::torn(spec(json!({ "orphan": "delete" }))).await;
    fixture.write_people(30);
    fixture.run().await.unwrap();
    add(&fixture, &["p0,First0,D0,true"]);
    assert_eq!((planned(&fixture).await, reconcile(&fixture).await.counts.deleted), (0, 0));
    assert!(has(&fixture, "p0").is_some());

    // And a target that lost some of what it read does not know what it has.
    let fixture = Fixture::lossy(spec(json!({ "orphan": "delete" }))).await;
    fixture.write_people(30);
    fixture.run().await.unwrap();
    add(&fixture, &["zoe,Zoe,D7,true"]);
    let events = fixture.events().await.len();
    reconcile(&fixture).await;
    assert!(has(&fixture, "zoe").is_some());
    let told = told(&fixture, events).await;
    assert!(told.len() == 1 && told[0].reason.contains("not read to its end"), "{told:#?}");
}

#[tokio::test]
async fn what_is_let_go_must_not_be_taken_for_nobodys() {
    for rows in [
        json!({ "orphan": "delete", "deleted": "unlink" }),
        json!({ "orphan": "disable", "out_of_scope": "unlink" }),
        json!({ "orphan": "delete", "matched": "report" }),
        json!({ "orphan": "delete", "ambiguous": "report" }),
    ] {
        let fixture = Fixture::with(spec(rows.clone())).await;
        fixture.write_people(3);
        match fixture.run().await.unwrap_err() {
            EngineError::Rules { problems, .. } => {
                assert_eq!((problems.len(), problems[0].code.as_str()), (1, "PRV-0117"), "{rows}: {problems:?}");
                assert!(problems[0].message.contains("`situations.orphan`"), "{problems:?}");
            }
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn what_the_rule_does_not_do_it_does_not_do_to_orphans() {
    for (orphan, flow, why) in
        [("delete", "delete", "the rule does not delete"), ("disable", "update", "the rule does not update")]
    {
        let mut spec = spec(json!({ "orphan": orphan }));
        spec.objects[0].flows = serde_json::from_value(json!({ flow: false })).unwrap();
        let fixture = Fixture::with(spec).await;
        fixture.write_people(30);
        fixture.run().await.unwrap();
        add(&fixture, &["zoe,Zoe,D7,true"]);
        let (before, events) = (fixture.app(), fixture.events().await.len());
        reconcile(&fixture).await;
        assert_eq!(fixture.app(), before);
        let told = told(&fixture, events).await;
        assert!(told.len() == 1 && told[0].reason.ends_with(why), "{told:#?}");
    }
}
