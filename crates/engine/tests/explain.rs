//! What `explain` tells of one person from the record: what was tried and answered, what comes next, and that much also when
//! nobody can be asked. What is sensitive is masked in all of it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod peer_support;
mod support;

use peer_support::{Hr, World};
use provost_connector::Context;
use provost_engine::{EngineError, Explanation, RunOptions};
use provost_model::Filter;
use serde_json::json;

fn set_faults(world: &World, lines: &[&str]) {
    let faults = lines.iter().map(|line| provost_fake::parse_fault(line, 0).unwrap());
    world.fake.as_ref().unwrap().set_faults(faults.collect());
}

async fn try_explain(world: &World, filter: &str) -> Result<Vec<Explanation>, EngineError> {
    let filter: Filter = filter.parse().unwrap();
    world.engine.explain(&world.job, &world.spec, &filter, &Context::new("test")).await
}

async fn explain(world: &World, filter: &str) -> Explanation {
    let mut told = try_explain(world, filter).await.unwrap();
    assert_eq!(told.len(), 1, "{filter}: {told:?}");
    told.remove(0)
}

fn next<'e>(told: &'e Explanation, what: &str) -> &'e provost_engine::report::Upcoming {
    let found = told.upcoming.iter().find(|next| next.what == what);
    found.unwrap_or_else(|| panic!("no {what} in {:?}", told.upcoming))
}

#[tokio::test]
async fn a_failure_is_told_with_its_request_its_answer_and_the_next_try() {
    let mut world = World::fake("rfc", Vec::new(), Hr::new(6), json!({})).await;
    world.spec.schedule = serde_json::from_value(json!({"every": "1h"})).unwrap();
    world.settle("initial").await;
    let id = world.id_of("p2@example.org").await;
    set_faults(&world, &["status=400"]);
    world.hr.person(2).title = "Moved".into();
    world.run().await;
    world.clock.advance_ms(49 * 3_600_000);
    world.run().await;
    set_faults(&world, &[]);

    let told = explain(&world, "id eq \"p2\"").await;
    let [second, first, manager, made] = &told.history[..] else { panic!("{:#?}", told.history) };
    assert_eq!((second.tries, first.tries, made.tries), (Some(2), Some(1), Some(1)), "{:#?}", told.history);
    assert_eq!((second.status.as_str(), second.action.as_str()), ("failed", "update"));
    let exchange = second.exchange.as_ref().unwrap();
    assert_eq!((exchange.request.as_str(), exchange.status), (format!("PATCH /Users/{id}").as_str(), Some(400)));
    assert!(second.error.as_ref().unwrap().contains("refused"), "{second:?}");
    let change = &second.changes[0];
    assert_eq!(
        (change.path.as_str(), &change.before, &change.after),
        ("title", &Some("Title2".into()), &Some("Moved".into()))
    );
    assert!(manager.exchange.as_ref().unwrap().request.starts_with("PATCH /Users/"), "{manager:?}");
    let exchange = made.exchange.as_ref().unwrap();
    assert_eq!((exchange.request.as_str(), exchange.status), ("POST /Users", Some(201)));
    assert!(made.finished.is_some());
    assert_eq!(told.recorded_only, None);

    let retry = next(&told, "retry");
    assert!(retry.at.is_some() && retry.text.starts_with("in escrow after 2 tries, next try 2026-11-"), "{retry:?}");
    assert_eq!(told.next.as_ref(), Some(&retry.text));
    let cycle = next(&told, "cycle");
    assert!(cycle.at.is_some() && cycle.text.starts_with("next cycle "), "{cycle:?}");
    world.engine.pause(&world.job, Some("audit")).await.unwrap();
    let told = explain(&world, "id eq \"p2\"").await;
    assert!(next(&told, "pause").text.contains("provost resume"), "{:?}", told.upcoming);
    assert!(!told.upcoming.iter().any(|next| next.what == "cycle"), "{:?}", told.upcoming);
}

#[tokio::test]
async fn the_record_is_told_when_nobody_can_be_asked_and_of_those_who_are_gone() {
    let mut world = World::fake("rfc", Vec::new(), Hr::new(6), json!({})).await;
    world.settle("initial").await;
    world.hr.remove(3);
    world.settle("gone").await;
    // His account was deleted, so that not even a link is left.
    let told = explain(&world, "id eq \"p3\"").await;
    assert!(told.recorded_only.as_ref().unwrap().contains("not in the source"), "{told:?}");
    assert_eq!(told.name, "First3 Last3");
    let actions: Vec<&str> = told.history.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["delete", "update", "create"], "{:#?}", told.history);
    let exchange = told.history[0].exchange.as_ref().unwrap();
    assert!(exchange.request.starts_with("DELETE /Users/"), "{exchange:?}");

    std::fs::remove_file(world.folder.path().join("people.csv")).unwrap();
    for filter in ["id eq \"p1\"", "displayName eq \"first1 last1\"", "id eq \"p3\""] {
        let told = explain(&world, filter).await;
        assert!(told.recorded_only.as_ref().unwrap().contains("people.csv"), "{told:?}");
        assert!(!told.history.is_empty() && !told.source.is_empty() && told.as_of.is_some(), "{told:?}");
    }
    // Of whom nothing is known the reason is told.
    assert!(try_explain(&world, "id eq \"nobody\"").await.unwrap_err().to_string().contains("people.csv"));
}

#[tokio::test]
async fn what_waits_in_a_held_plan_is_said_to_wait() {
    let mut world = World::fake("rfc", Vec::new(), Hr::new(30), json!({})).await;
    world.settle("initial").await;
    (1..20).for_each(|at| world.hr.remove(at));
    world.run().await;
    let told = explain(&world, "id eq \"p4\"").await;
    let waits = next(&told, "release");
    assert!(waits.text.starts_with("its delete waits in the held plan "), "{waits:?}");
    assert!(next(&told, "cycle").text.contains("by hand"), "{:?}", told.upcoming);
}

#[tokio::test]
async fn what_is_sensitive_is_masked_in_all_that_is_told() {
    let mut world = World::fake("rfc", Vec::new(), Hr::new(3), json!({})).await;
    let attributes = &mut world.spec.objects[0].attributes;
    attributes.insert("password".into(), serde_json::from_value(json!("Join(\"-\", \"Sesame\", [title])")).unwrap());
    attributes
        .insert("nickName".into(), serde_json::from_value(json!("Redact(Join(\"-\", \"Hush\", [title]))")).unwrap());
    world.settle("initial").await;
    // A target that repeats what it was sent.
    set_faults(&world, &["echo=400"]);
    world.hr.person(1).title = "Moved".into();
    world.try_run(RunOptions::default()).await.unwrap();
    let live = explain(&world, "id eq \"p1\"").await;
    let failed = live.history.iter().find(|entry| entry.status == "failed").unwrap();
    println!("{failed:?}");
    assert!(failed.error.as_ref().unwrap().contains("this is not taken"), "{failed:?}");
    assert!(failed.exchange.as_ref().unwrap().request_id.is_some(), "{failed:?}");
    std::fs::remove_file(world.folder.path().join("people.csv")).unwrap();
    let recorded = explain(&world, "id eq \"p1\"").await;
    for told in [live, recorded] {
        let told = serde_json::to_string(&told).unwrap();
        assert!(!told.contains("Sesame-") && !told.contains("Hush-"), "{told}");
        assert!(told.contains("[masked]") && told.contains("[Redact]"), "{told}");
    }
    let events = world.events().await;
    assert!(!format!("{events:?}").contains("Sesame-"), "{events:?}");
    let waiting = world.engine.store().escrows(&world.job).await.unwrap();
    assert!(!waiting.is_empty() && !format!("{waiting:?}").contains("Sesame-"), "{waiting:?}");
}

#[tokio::test]
async fn a_mapping_is_told_with_what_each_of_its_parts_gave() {
    let mut world = World::fake("rfc", Vec::new(), Hr::new(2), json!({})).await;
    let attributes = &mut world.spec.objects[0].attributes;
    attributes.insert(
        "nickName".into(),
        serde_json::from_value(json!("ToLower(IIF([id] = \"p1\", Left([title], 3), [login]))")).unwrap(),
    );
    world.settle("initial").await;
    let told = explain(&world, "id eq \"p1\"").await;
    let mapping = told.mappings.iter().find(|mapping| mapping.target == "nickName").unwrap();
    let [choice] = &mapping.steps[..] else { panic!("{mapping:#?}") };
    assert_eq!((choice.value.as_ref(), mapping.value.as_ref()), (Some(&"Tit".into()), Some(&"tit".into())));
    let parts: Vec<_> = choice.steps.iter().map(|step| (step.expression.as_str(), step.value.clone())).collect();
    // What was not taken is not told.
    assert_eq!(parts, [("[id] = \"p1\"", Some(true.into())), ("Left([title], 3)", Some("Tit".into()))]);
}

/// A password that comes as it is from a column: neither the column nor a part of an expression tells it, and an expression that
/// only looks at it does not either.
#[tokio::test]
async fn what_goes_into_a_sensitive_attribute_is_not_told_as_a_source_value() {
    let mut world = World::fake("rfc", Vec::new(), Hr::new(2), json!({})).await;
    world.hr.person(1).title = "Hush-hush".into();
    let attributes = &mut world.spec.objects[0].attributes;
    attributes.remove("title");
    attributes
        .insert("password".into(), serde_json::from_value(json!("Join(\"\", Left([title], 4), [title])")).unwrap());
    world.run().await;
    let told = explain(&world, "id eq \"p1\"").await;
    assert!(!serde_json::to_string(&told).unwrap().contains("Hush"), "{told:#?}");
    // Redacted by one mapping and looked at by another, which tells nothing of it but its own result.
    let attributes = &mut world.spec.objects[0].attributes;
    attributes.insert("password".into(), serde_json::from_value(json!("Redact([title])")).unwrap());
    attributes.insert(
        "nickName".into(),
        serde_json::from_value(json!("IIF(Left([title], 4) = \"Hush\", \"quiet\", \"loud\")")).unwrap(),
    );
    let told = explain(&world, "id eq \"p1\"").await;
    let text = serde_json::to_string(&told).unwrap();
    assert!(!text.contains("Hush-hush") && !text.contains("\"value\":\"Hush\""), "{told:#?}");
    assert!(text.contains("quiet"), "{told:#?}");
}

/// Masks are those of today's rules, also when the rules cannot be checked against source and target.
#[tokio::test]
async fn what_was_redacted_later_is_masked_also_when_nobody_can_be_asked() {
    let mut world = World::fake("rfc", Vec::new(), Hr::new(2), json!({})).await;
    world.settle("initial").await;
    let attributes = &mut world.spec.objects[0].attributes;
    attributes.insert("title".into(), serde_json::from_value(json!("Redact([title])")).unwrap());
    std::fs::remove_file(world.folder.path().join("people.csv")).unwrap();
    let told = explain(&world, "id eq \"p1\"").await;
    assert!(told.recorded_only.is_some(), "{told:?}");
    let text = serde_json::to_string(&told).unwrap();
    assert!(!text.contains("Title1") && text.contains("[Redact]"), "{told:#?}");
}

/// A source that answers says whom the filter means, also where ids and names do not, and the target is gone.
#[tokio::test]
async fn a_source_that_can_be_asked_says_whose_record_is_told() {
    let fixture = support::Fixture::new().await;
    fixture.write_people(5);
    fixture.run().await.unwrap();
    let target = fixture.folder.path().join("app.csv");
    std::fs::remove_file(&target).unwrap();
    std::fs::create_dir(&target).unwrap();
    let ask = async |filter: &str| {
        let filter: Filter = filter.parse().unwrap();
        fixture.engine.explain(&fixture.job, &fixture.spec, &filter, &Context::new("test")).await
    };
    for filter in ["last eq \"Last3\"", "last eq \"Last3\" and first eq \"First3\"", "id eq \"p3\""] {
        let told = ask(filter).await.unwrap_or_else(|error| panic!("{filter}: {error}"));
        assert_eq!(told.len(), 1, "{filter}: {told:?}");
        assert_eq!((told[0].source_id.as_str(), told[0].history.len()), ("p3", 1), "{filter}");
        assert!(told[0].recorded_only.as_ref().unwrap().contains("app.csv"), "{told:?}");
    }
    assert!(ask("last eq \"nobody\"").await.unwrap_err().to_string().contains("app.csv"));
}
