//! Situations whose reaction is not the usual one, in whole cycles: what is at the target, what the log says, and that a second
//! cycle has nothing to do.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::sync::Arc;

use provost_connector::Context;
use provost_engine::cases::Named;
use provost_engine::decide::Answer;
use provost_engine::{CycleStatus, EngineError, Progress, RunOptions};
use provost_model::Explain;
use provost_store::EventRow;
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
    assert_eq!(
        (report.status, report.counts.unlinked, report.counts.writes()),
        (CycleStatus::Done, 2, 0),
        "{report:?}"
    );
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
async fn who_is_let_go_is_counted_and_shown_before() {
    let fixture = Fixture::with(spec(json!({ "deleted": "unlink" }))).await;
    fixture.write_people(30);
    fixture.run().await.unwrap();
    fixture.write_hr(fixture.people(30, |at| if at < 20 { None } else { person(at) }));
    let linked = async || fixture.engine.store().job(&fixture.job).await.unwrap().unwrap().linked["person"];
    let options = RunOptions { full: true, reconcile: false };
    let (cx, progress) = (Context::new("test"), Arc::<Progress>::default());
    let plan = fixture.engine.plan(&fixture.job, &fixture.spec, options, progress, &cx).await.unwrap();
    assert_eq!(plan.planned, [("unlink".parse().unwrap(), 20)], "{plan:?}");
    let events = fixture.events().await;
    let planned: Vec<&EventRow> = events.iter().filter(|event| event.action == "unlink").collect();
    assert!(planned.len() == 20 && planned.iter().all(|event| event.changes.contains("First")), "{planned:#?}");
    let report = fixture.run().await.unwrap();
    assert_eq!((report.status, report.counts.unlinked, linked().await), (CycleStatus::Held, 0, 30), "{report:?}");
    assert!(
        report.note.as_ref().is_some_and(|note| note.contains("20 disables, deletes and unlinks of 30")),
        "{report:?}"
    );
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

/// A case by the object's id, with its accounts in order and their owners.
async fn case(fixture: &Fixture, id: &str) -> (String, Vec<(String, Option<u8>, Option<String>)>) {
    let cx = provost_connector::Context::new("test");
    let trace = fixture.engine.case(&fixture.job, &fixture.spec, named(id), &cx).await.unwrap();
    let candidates = trace.candidates.into_iter();
    let told = candidates.map(|one| (one.target_id.to_string(), one.score, one.linked_with.map(|id| id.to_string())));
    (trace.case.waiting.row.code.to_string(), told.collect())
}

fn named(id: &str) -> Named<'_> {
    Named { class: None, id }
}

async fn answer(fixture: &Fixture, id: &str, answer: Answer) -> Result<(), EngineError> {
    let cx = provost_connector::Context::new("test");
    fixture.engine.answer(&fixture.job, &fixture.spec, named(id), answer, "bea", &cx).await.map(drop)
}

/// Matched by the department, of which nobody has one alone.
async fn ambiguous() -> Fixture {
    let mut spec = support::spec();
    spec.objects[0].matching = serde_json::from_value(json!([{ "target": "dept", "source": "[dept]" }])).unwrap();
    let fixture = Fixture::with(spec).await;
    let accounts = "login,name,dept,active\notto,Otto Krause,D1,true\nfirst1,FIRST1 Last-1,D1,true\n";
    std::fs::write(fixture.path("app.csv"), accounts).unwrap();
    fixture.write_hr(fixture.people(2, |at| (at == 1).then(|| person(1).unwrap())));
    fixture
}

#[tokio::test]
async fn a_case_is_listed_and_answered_and_the_next_cycle_acts_on_it() {
    let fixture = ambiguous().await;
    let report = fixture.run().await.unwrap();
    assert_eq!((report.counts.failed, report.counts.adopted, report.counts.created), (1, 0, 0), "{report:?}");
    let cases = fixture.engine.cases(&fixture.job).await.unwrap();
    assert_eq!(cases.len(), 1, "{cases:?}");
    let (code, candidates) = case(&fixture, "p1").await;
    assert_eq!(code, "PRV-0512");
    let [likely, other] = &candidates[..] else { panic!("{candidates:?}") };
    assert_eq!((likely.0.as_str(), other.0.as_str()), ("first1", "otto"), "{candidates:?}");
    assert!(likely.1 > Some(60) && other.1 < Some(50), "{candidates:?}");

    for (wrong, code) in [(Answer::Adopt("zoe".into()), "PRV-0543"), (Answer::Update, "PRV-0543")] {
        let refused = answer(&fixture, "p1", wrong).await.unwrap_err();
        assert_eq!(refused.code().as_str(), code, "{refused}");
    }
    assert_eq!(answer(&fixture, "p2", Answer::Create).await.unwrap_err().code().as_str(), "PRV-0542");
    answer(&fixture, "p1", Answer::Adopt("first1".into())).await.unwrap();
    let told = fixture.engine.cases(&fixture.job).await.unwrap();
    assert_eq!(told[0].answer.as_ref().map(|row| (row.reaction.as_str(), row.who.as_str())), Some(("adopt", "bea")));
    let report = fixture.run().await.unwrap();
    assert_eq!((report.counts.adopted, report.counts.created, report.counts.failed), (1, 0, 0), "{report:?}");
    assert!(row(&fixture, "otto").is_some_and(|row| row.contains("Otto Krause")), "{}", fixture.app());
    assert!(fixture.engine.cases(&fixture.job).await.unwrap().is_empty());
    assert!(fixture.engine.store().answers(&fixture.job).await.unwrap().is_empty(), "acted on");
    let (events, app) = (fixture.events().await.len(), fixture.app());
    fixture.run().await.unwrap();
    assert_eq!((fixture.events().await.len(), fixture.app()), (events, app), "silent");
    let log = fixture.events().await;
    assert!(log.iter().any(|e| e.action == "answer" && e.reason == "bea answered about `p1`: adopt `first1`"));
}

#[tokio::test]
async fn none_of_the_accounts_may_be_meant() {
    let fixture = ambiguous().await;
    fixture.run().await.unwrap();
    answer(&fixture, "p1", Answer::Create).await.unwrap();
    let report = fixture.run().await.unwrap();
    assert_eq!((report.counts.adopted, report.counts.created, report.counts.failed), (0, 1, 0), "{report:?}");
    assert_eq!(fixture.app_lines(), 3);
    assert!(fixture.engine.cases(&fixture.job).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_account_of_somebody_else_is_not_given_away() {
    let fixture = ambiguous().await;
    fixture.run().await.unwrap();
    answer(&fixture, "p1", Answer::Adopt("first1".into())).await.unwrap();
    fixture.run().await.unwrap();
    // p4 has the same department, and with it the same accounts.
    fixture.write_hr(fixture.people(5, |at| [1, 4].contains(&at).then(|| person(at).unwrap())));
    fixture.run().await.unwrap();
    let (_, candidates) = case(&fixture, "p4").await;
    assert!(candidates.contains(&(
        "first1".into(),
        candidates.iter().find(|c| c.0 == "first1").unwrap().1,
        Some("p1".into())
    )));
    let refused = answer(&fixture, "p4", Answer::Adopt("first1".into())).await.unwrap_err();
    assert!(refused.to_string().contains("is linked with `p1`"), "{refused}");
}

#[tokio::test]
async fn an_answer_is_to_what_was_asked_and_to_nothing_later() {
    let fixture = Fixture::with(spec(json!({ "changed": "ask" }))).await;
    fixture.write_people(3);
    fixture.run().await.unwrap();
    let (good, hacked) = (fixture.app(), fixture.app().replace("First1 ", "Hacked "));
    assert_ne!(good, hacked);
    std::fs::write(fixture.path("app.csv"), &hacked).unwrap();
    fixture.run_with(RECONCILE).await.unwrap();
    assert_eq!((fixture.app(), case(&fixture, "p1").await.0), (hacked.clone(), "PRV-0541".to_owned()));
    answer(&fixture, "p1", Answer::Update).await.unwrap();
    // Somebody mends it by hand: nothing is asked any more.
    std::fs::write(fixture.path("app.csv"), &good).unwrap();
    fixture.run_with(RECONCILE).await.unwrap();
    assert!(fixture.engine.store().answers(&fixture.job).await.unwrap().is_empty());
    assert!(fixture.engine.cases(&fixture.job).await.unwrap().is_empty());
    std::fs::write(fixture.path("app.csv"), &hacked).unwrap();
    fixture.run_with(RECONCILE).await.unwrap();
    assert_eq!(fixture.app(), hacked, "asked again");
    answer(&fixture, "p1", Answer::Update).await.unwrap();
    fixture.run_with(RECONCILE).await.unwrap();
    assert_eq!(fixture.app(), good, "answered");
}

/// The rule asks twice about p1, each time something else.
#[tokio::test]
async fn an_answer_to_another_question_is_none() {
    // Nothing matches: he is to get an account. By the next cycle somebody made one by hand.
    let fixture = Fixture::with(spec(json!({ "new": "ask" }))).await;
    std::fs::write(fixture.path("app.csv"), "login,name,dept,active\nzoe,Zoe,D7,true\n").unwrap();
    fixture.write_hr(fixture.people(2, |at| (at == 1).then(|| person(1).unwrap())));
    fixture.run().await.unwrap();
    for (wrong, word) in [(Answer::Adopt("zoe".into()), "--create")] {
        let refused = answer(&fixture, "p1", wrong).await.unwrap_err();
        assert!(refused.to_string().contains(word), "{refused}");
    }
    answer(&fixture, "p1", Answer::Create).await.unwrap();
    std::fs::write(fixture.path("app.csv"), "login,name,dept,active\np1,By Hand,D9,true\n").unwrap();
    let report = fixture.run().await.unwrap();
    assert_eq!((report.counts.failed, report.counts.created, report.counts.adopted), (1, 0, 0), "{report:?}");
    let cases = fixture.engine.cases(&fixture.job).await.unwrap();
    assert_eq!((cases[0].waiting.row.situation.as_deref(), &cases[0].answer), (Some("matched"), &None), "{cases:#?}");
    // Asked anew, and answered anew.
    answer(&fixture, "p1", Answer::Update).await.unwrap();
    let report = fixture.run().await.unwrap();
    assert_eq!((report.counts.failed, report.counts.created, report.counts.adopted), (0, 0, 1), "{report:?}");

    // He leaves and is back: his account is switched on for no other answer than `--update`.
    let fixture = Fixture::with(spec(json!({ "changed": "ask", "returned": "ask" }))).await;
    fixture.write_people(3);
    fixture.run().await.unwrap();
    std::fs::write(fixture.path("app.csv"), fixture.app().replace("First1 ", "Hacked ")).unwrap();
    fixture.run_with(RECONCILE).await.unwrap();
    answer(&fixture, "p1", Answer::Update).await.unwrap();
    fixture.write_hr(fixture.people(3, |at| (at != 1).then(|| person(at).unwrap())));
    assert_eq!(fixture.run().await.unwrap().counts.disabled, 1);
    fixture.write_people(3);
    let report = fixture.run().await.unwrap();
    assert_eq!((report.counts.failed, report.counts.enabled), (1, 0), "{report:?}");
    for wrong in [Answer::Adopt("p1".into()), Answer::Create] {
        let refused = answer(&fixture, "p1", wrong).await.unwrap_err();
        assert!(refused.to_string().contains("answer `--update`"), "{refused}");
    }
    answer(&fixture, "p1", Answer::Update).await.unwrap();
    assert_eq!(fixture.run().await.unwrap().counts.enabled, 1);
    assert!(fixture.engine.store().answers(&fixture.job).await.unwrap().is_empty(), "acted on");
}
