//! Situations whose reaction is not the usual one, in whole cycles: what is at the target, what the log says, and that a second
//! cycle has nothing to do.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use provost_engine::{CycleStatus, EngineError, RunOptions};
use serde_json::{Value as Json, json};
use support::{Fixture, person};

const RECONCILE: RunOptions = RunOptions { full: false, reconcile: true };

/// The usual job with rows of the table.
fn spec(situations: Json) -> provost_engine::JobSpec {
    let mut spec = support::spec();
    spec.objects[0].situations = serde_json::from_value(situations).unwrap();
    spec
}

/// What the log says of it, in the order of the cycles: action, source id, account, reason.
async fn told(fixture: &Fixture, from: usize) -> Vec<String> {
    let events = fixture.events().await;
    let mut told: Vec<String> = events[from..]
        .iter()
        .map(|e| {
            let account = e.target_id.as_ref().map_or("-", |id| id.as_str());
            format!("{} {} {account} {}: {}", e.action, e.source_id, e.code.as_deref().unwrap_or("-"), e.reason)
        })
        .collect();
    told.sort();
    told
}

fn row(fixture: &Fixture, login: &str) -> Option<String> {
    fixture.app().lines().find(|line| line.split(',').any(|cell| cell == login)).map(str::to_owned)
}

#[tokio::test]
async fn an_account_that_is_let_go_stays_as_it_is() {
    let fixture = Fixture::with(spec(json!({ "out_of_scope": "unlink", "deleted": "unlink" }))).await;
    fixture.write_people(30);
    fixture.run().await.unwrap();
    let before = fixture.app();
    let events = fixture.events().await.len();
    let leave = |at: usize| match at {
        1 => Some("p1,First1,Last1,D1,prospect,".to_owned()),
        2 => None,
        _ => person(at),
    };
    fixture.write_hr(fixture.people(30, leave));
    let report = fixture.run().await.unwrap();
    assert_eq!((report.status, report.counts.disabled + report.counts.deleted), (CycleStatus::Done, 0), "{report:?}");
    assert_eq!(fixture.app(), before);
    let unlinked = ["unlink p1 p1 -: out of scope", "unlink p2 p2 -: gone from the source"];
    assert_eq!(told(&fixture, events).await, unlinked);
    let linked = &fixture.engine.store().job(&fixture.job).await.unwrap().unwrap().linked;
    assert_eq!(linked.values().sum::<i64>(), 28);
    let events = fixture.events().await.len();
    fixture.run().await.unwrap();
    // Whom the source still has is passed over from now on, and told once.
    let after = told(&fixture, events).await;
    assert!(after.iter().all(|line| line.starts_with("skip p1 ")), "{after:?}");
    // Who returns finds the account again.
    fixture.write_people(30);
    let report = fixture.run().await.unwrap();
    assert_eq!((report.counts.adopted, report.counts.created), (2, 0), "{report:?}");
    assert_eq!(fixture.app(), before);
}

#[tokio::test]
async fn nobody_is_created_or_taken_over_where_a_person_is_asked() {
    let fixture = Fixture::with(spec(json!({ "new": "ask", "matched": "report" }))).await;
    std::fs::write(fixture.path("app.csv"), "login,name,dept,active\np1,Somebody,D9,true\n").unwrap();
    fixture.write_people(3);
    let report = fixture.run().await.unwrap();
    assert_eq!((report.counts.failed, report.counts.skipped, report.counts.created), (2, 1, 0), "{report:?}");
    assert_eq!(fixture.app_lines(), 1);
    assert!(row(&fixture, "p1").unwrap().contains("Somebody"));
    let told = told(&fixture, 0).await;
    assert!(told[0].starts_with("evaluate p0 - PRV-0541: ") && told[1].starts_with("evaluate p2 "), "{told:#?}");
    assert!(told[2].starts_with("skip p1 - -: ") && told[2].contains("only reports what is `matched`"), "{told:#?}");
    let events = fixture.events().await.len();
    fixture.run().await.unwrap();
    assert_eq!(fixture.events().await.len(), events, "told once");
}

#[tokio::test]
async fn reconcile_reports_what_it_does_not_repair() {
    let rows = json!({ "changed": "report", "missing": "unlink" });
    let fixture = Fixture::with(spec(rows)).await;
    fixture.write_people(20);
    fixture.run().await.unwrap();
    // p3 was changed, p4 deleted; one account has no owner.
    let meddled: Vec<String> = fixture
        .app()
        .lines()
        .filter(|line| !line.contains("First4 "))
        .map(|line| line.replace("First3 ", "Hacked "))
        .chain(["zoe,Zoe,D7,true".to_owned()])
        .collect();
    let header = fixture.app().lines().next().unwrap().to_owned();
    // The columns are in the order of the mappings.
    let columns: Vec<&str> = header.split(',').collect();
    let zoe = |column: &&str| match *column {
        "login" => "zoe",
        "name" => "Zoe",
        "dept" => "D7",
        _ => "true",
    };
    let mut lines = meddled;
    *lines.last_mut().unwrap() = columns.iter().map(zoe).collect::<Vec<_>>().join(",");
    std::fs::write(fixture.path("app.csv"), lines.join("\n") + "\n").unwrap();
    let before = fixture.app();
    let events = fixture.events().await.len();
    let report = fixture.run_with(RECONCILE).await.unwrap();
    assert_eq!((report.counts.updated, report.counts.created), (0, 0), "{report:?}");
    assert_eq!(fixture.app(), before);
    let told = told(&fixture, events).await;
    let words: Vec<&str> = told.iter().map(|line| &line[..line.find(" -: ").unwrap()]).collect();
    assert_eq!(words, ["orphan  zoe", "report p3 p3", "unlink p4 p4"], "{told:#?}");
    assert!(told[1].contains("the target differs in name"), "{told:#?}");
}

#[tokio::test]
async fn a_reaction_that_is_none_of_the_situations_is_refused() {
    for (rows, leavers, wanted) in [
        (json!({ "new": "delete" }), json!({}), "`delete` is no reaction to `new`"),
        (json!({ "missing": "adopt" }), json!({}), "`adopt` is no reaction to `missing`"),
        (json!({}), json!({ "deleted": "create" }), "`create` is no reaction to `deleted`"),
        (json!({ "deleted": "report" }), json!({ "deleted": "delete" }), "is given as `leavers.deleted` as well"),
    ] {
        let mut spec = spec(rows);
        spec.objects[0].leavers = serde_json::from_value(leavers).unwrap();
        let fixture = Fixture::with(spec).await;
        fixture.write_people(3);
        match fixture.run().await.unwrap_err() {
            EngineError::Rules { problems, .. } => {
                assert_eq!((problems.len(), problems[0].code.as_str()), (1, "PRV-0117"), "{problems:?}");
                assert!(problems[0].message.contains(wanted), "{problems:?}");
            }
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn reconcile_names_two_accounts_of_one_value() {
    let mut spec = support::spec();
    spec.objects[0].matching = serde_json::from_value(json!([{ "target": "name", "source": "[first]" }])).unwrap();
    let fixture = Fixture::with(spec).await;
    fixture.write_people(2);
    fixture.run().await.unwrap();
    let header = fixture.app().lines().next().unwrap().to_owned();
    let twin = |login: &str| {
        let cell = |column: &str| match column {
            "login" => login.to_owned(),
            "name" => "Zoe".to_owned(),
            "dept" => "D7".to_owned(),
            _ => "true".to_owned(),
        };
        header.split(',').map(cell).collect::<Vec<_>>().join(",")
    };
    std::fs::write(fixture.path("app.csv"), format!("{}{}\n{}\n", fixture.app(), twin("zoe1"), twin("zoe2"))).unwrap();
    let events = fixture.events().await.len();
    fixture.run_with(RECONCILE).await.unwrap();
    let told = told(&fixture, events).await;
    assert_eq!(told.len(), 3, "{told:#?}");
    assert_eq!(told[0], "duplicate  zoe2 -: the account `zoe1` has the same name `Zoe`");
}
