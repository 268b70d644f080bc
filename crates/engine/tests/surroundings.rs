//! What mappings need from outside: values that are free at the target, tables, the default domain, roles; and what must not
//! be seen of them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use provost_engine::{CycleKind, EngineError, JobSpec, RunOptions};
use provost_lang::{Environment, Table};
use provost_model::Filter;
use serde_json::json;
use support::{Fixture, spec};

/// The job of the fixture with one more mapping.
fn with(attribute: &str, mapping: serde_json::Value) -> JobSpec {
    let mut spec = spec();
    spec.objects[0].attributes.insert(attribute.into(), serde_json::from_value(mapping).unwrap());
    spec
}

const HR: &str = "id,first,last,dept,status,boss\np1,Ada,King,D1,active,\np2,Ada,King,D1,active,\n\
                  p3,ADA,KING,D1,active,\n";
const MAIL: &str =
    r#"SelectUniqueValue([first] & "." & [last], [first] & "." & [last] & "1", [first] & "." & [last] & "2")"#;

/// The mail addresses of the accounts, by login.
fn mails(fixture: &Fixture) -> Vec<String> {
    let mut lines: Vec<String> = fixture
        .app()
        .lines()
        .skip(1)
        .map(|line| format!("{} {}", line.split(',').next().unwrap(), line.rsplit(',').next().unwrap()))
        .collect();
    lines.sort();
    lines
}

async fn choosing(taken: &str) -> Fixture {
    let fixture = Fixture::askable(with("mail", json!({"value": MAIL, "apply": "create"}))).await;
    std::fs::write(fixture.path("app.csv"), format!("login,name,dept,active,mail\nx,X,,true,{taken}\n")).unwrap();
    fixture.write_hr(HR);
    fixture
}

#[tokio::test]
async fn people_of_one_name_get_different_values() {
    let fixture = choosing("nobody").await;
    let report = fixture.run().await.unwrap();
    assert_eq!((report.counts.created, report.counts.failed), (3, 0), "{report:?}");
    assert_eq!(mails(&fixture), ["p1 Ada.King", "p2 Ada.King1", "p3 ADA.KING2", "x nobody"]);
    let again = fixture.run_with(RunOptions { full: true, ..RunOptions::default() }).await.unwrap();
    assert_eq!(again.counts.writes(), 0, "{again:?}");
}

#[tokio::test]
async fn a_taken_value_is_passed_over_and_the_last_one_has_none() {
    let fixture = choosing("Ada.King").await;
    let report = fixture.run().await.unwrap();
    assert_eq!((report.counts.created, report.counts.failed), (2, 1), "{report:?}");
    assert_eq!(mails(&fixture), ["p1 Ada.King1", "p2 Ada.King2", "x Ada.King"]);
    let events = fixture.events().await;
    let failed = events.iter().find(|event| event.source_id.as_str() == "p3").unwrap();
    assert_eq!(failed.code.as_deref(), Some("PRV-0224"), "{failed:?}");
}

/// The account was made and nobody noted it: it is found by matching, and keeps what it has.
#[tokio::test]
async fn after_a_crash_no_further_value_is_taken() {
    let fixture = choosing("nobody").await;
    std::fs::write(fixture.path("app.csv"), "login,name,dept,active,mail\np2,Ada King,D1,true,Ada.King\n").unwrap();
    let report = fixture.run().await.unwrap();
    assert_eq!((report.counts.created, report.counts.adopted), (2, 1), "{report:?}");
    assert_eq!(mails(&fixture), ["p1 Ada.King1", "p2 Ada.King", "p3 ADA.KING2"]);
}

#[tokio::test]
async fn a_plan_chooses_as_the_cycle_does() {
    let fixture = choosing("Ada.King").await;
    let cx = provost_connector::Context::new("test");
    let options = RunOptions::default();
    let plan = fixture.engine.plan(&fixture.job, &fixture.spec, options, Default::default(), &cx).await.unwrap();
    let filter: Filter = "id eq \"p2\"".parse().unwrap();
    let told = fixture.engine.explain(&fixture.job, &fixture.spec, &filter, &cx).await.unwrap();
    assert_eq!(told[0].decision, "create", "{told:?}");
    let mail = told[0].changes.iter().find(|change| change.path == "mail").unwrap();
    assert_eq!(mail.after, Some("Ada.King1".into()), "asked about alone");
    let spec = fixture.spec.clone();
    let spec_of = move |_: &provost_model::JobName| Some(spec.clone());
    fixture.engine.apply(&plan.cycle, &spec_of, false, Default::default(), &cx).await.unwrap();
    assert_eq!(mails(&fixture), ["p1 Ada.King1", "p2 Ada.King2", "x Ada.King"]);
}

/// Chance differs from plan to plan; what was shown is what is sent.
#[tokio::test]
async fn a_plan_with_chance_is_not_stale() {
    let fixture = Fixture::with(with("key", json!({"value": "Guid()", "apply": "create"}))).await;
    fixture.write_hr(HR);
    let cx = provost_connector::Context::new("test");
    let options = RunOptions::default();
    let plan = fixture.engine.plan(&fixture.job, &fixture.spec, options, Default::default(), &cx).await.unwrap();
    let spec = fixture.spec.clone();
    let spec_of = move |_: &provost_model::JobName| Some(spec.clone());
    let report = fixture.engine.apply(&plan.cycle, &spec_of, false, Default::default(), &cx).await.unwrap();
    assert_eq!(report.counts.created, 3, "{report:?}");
}

#[tokio::test]
async fn what_cannot_work_is_found_before_any_object_is_read() {
    for (attribute, mapping, code) in [
        ("mail", json!(MAIL), "PRV-0209"),
        ("login", json!({"value": MAIL, "apply": "create"}), "PRV-0209"),
        ("mail", json!({"value": "SelectUniqueValue(Redact([first]), [last])", "apply": "create"}), "PRV-0209"),
        ("objectFilter", json!(MAIL), "PRV-0209"),
        ("key", json!("Guid()"), "PRV-0528"),
        ("mail", json!("DefaultDomain()"), "PRV-0225"),
        ("mail", json!("[emails[not (type REGEX MATCH \"w.*\")].value]"), "PRV-0210"),
        ("mails[type Greater_Than 3].value", json!("[id]"), "PRV-0522"),
        ("mail", json!("Lookup(\"none\", [dept])"), "PRV-0216"),
    ] {
        let fixture = Fixture::askable(with(attribute, mapping.clone())).await;
        fixture.write_hr(HR);
        let Err(EngineError::Rules { problems, .. }) = fixture.run().await else { panic!("{mapping} compiles") };
        assert_eq!(problems[0].code.as_str(), code, "{mapping}: {problems:?}");
    }
    // A file has no way to find rows by a column.
    let fixture = Fixture::with(with("mail", json!({"value": MAIL, "apply": "create"}))).await;
    fixture.write_hr(HR);
    let Err(EngineError::Rules { problems, .. }) = fixture.run().await else { panic!("it compiles") };
    assert_eq!(problems[0].code.as_str(), "PRV-0529", "{problems:?}");
}

#[tokio::test]
async fn a_changed_table_looks_at_everybody_again() {
    let table = |name: &str| Environment::new().with_table("depts", Table::from([("D1".into(), name.into())]));
    let mut spec = with("dept", json!("Lookup(\"depts\", [dept]) & \"@\" & DefaultDomain()"));
    spec.shared = table("Engines").with_default_domain("x.org");
    let mut fixture = Fixture::with(spec).await;
    fixture.write_hr(HR);
    fixture.run().await.unwrap();
    assert_eq!(fixture.app().matches("Engines@x.org").count(), 3, "{}", fixture.app());
    fixture.spec.shared = table("Looms").with_default_domain("x.org");
    fixture.spec.default_domain = Some("y.org".into());
    let report = fixture.run().await.unwrap();
    assert_eq!((report.kind, report.counts.updated), (CycleKind::Initial, 3), "{report:?}");
    assert_eq!(fixture.app().matches("Looms@y.org").count(), 3, "{}", fixture.app());
}

#[tokio::test]
async fn what_is_redacted_reaches_the_target_and_nothing_else() {
    let mut spec = with("dept", json!("Redact([dept])"));
    spec.objects[0].scope = Some("dept sw \"D\"".into());
    let fixture = Fixture::with(spec).await;
    fixture.write_hr("id,first,last,dept,status,boss\np1,Ada,King,D4711,active,\n");
    let cx = provost_connector::Context::new("test");
    let filter: Filter = "id eq \"p1\"".parse().unwrap();
    let told = fixture.engine.explain(&fixture.job, &fixture.spec, &filter, &cx).await.unwrap();
    assert!(!format!("{told:?}").contains("D4711"), "{told:?}");
    fixture.run().await.unwrap();
    assert!(fixture.app().contains("D4711"));
    let events = fixture.events().await;
    assert!(!format!("{events:?}").contains("D4711"), "{events:?}");
    assert!(format!("{events:?}").contains("[Redact]"), "{events:?}");
    let told = fixture.engine.explain(&fixture.job, &fixture.spec, &filter, &cx).await.unwrap();
    assert!(!format!("{told:?}").contains("D4711"), "{told:?}");
}
