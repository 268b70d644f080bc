//! Values that nobody may see stand nowhere in the database, and a change of them is noticed all the same.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod peer_support;

use peer_support::{Hr, World};
use provost_connector::Context;
use provost_engine::RunOptions;
use serde_json::json;

/// A job that sends a password, one that is made once, and a department that is redacted.
async fn world(people: u32) -> World {
    let mut world = World::fake("rfc", Vec::new(), Hr::new(people), json!({})).await;
    let attributes = &mut world.spec.objects[0].attributes;
    let put = |name: &str, value: serde_json::Value| (name.to_owned(), serde_json::from_value(value).unwrap());
    attributes.extend([
        put("password", json!("Join(\"-\", \"Sesame\", [title], [id])")),
        put("nickName", json!({"value": "Redact(Join(\"-\", \"Hush\", [title], [id]))"})),
        put("profileUrl", json!({"value": "Redact(Join(\"-\", \"Once\", [id]))", "apply": "create"})),
    ]);
    world
}

/// Whether the bytes of the database, its log included, hold the text somewhere.
fn holds(world: &World, text: &str) -> bool {
    let files = std::fs::read_dir(world.folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let of_store = files.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("provost.db"));
    let found: Vec<bool> = of_store
        .map(|path| std::fs::read(path).unwrap().windows(text.len()).any(|part| part == text.as_bytes()))
        .collect();
    assert!(!found.is_empty());
    found.contains(&true)
}

fn holds_no_secret(world: &World, what: &str) {
    assert!(holds(world, "p1@example.org"), "{what}: the search finds nothing at all");
    for secret in ["Sesame", "Hush", "Once-"] {
        assert!(!holds(world, secret), "{what}: `{secret}` stands in the database");
    }
}

#[tokio::test]
async fn no_sensitive_value_stands_in_the_database() {
    let mut world = world(4).await;
    let (report, _) = world.settle("initial").await;
    assert_eq!((report.counts.created, report.counts.failed), (7, 0), "{report:?}");
    holds_no_secret(&world, "initial");
    let (_, writes) = world.settle("again").await;
    assert_eq!(writes, 0);

    // A change of a source value changes both; whoever did not change is left alone.
    world.hr.person(2).title = "Moved".into();
    let (report, writes) = world.settle("moved").await;
    assert_eq!((report.counts.updated, writes), (1, 1), "{report:?}");
    let users = peer_support::all(&world.http, "/Users").await;
    let user = users.iter().find(|user| user["userName"] == "p2@example.org").unwrap();
    assert_eq!(user["nickName"], "Hush-Moved-p2");
    let sent = world.fake.as_ref().unwrap().requests();
    assert!(format!("{sent:?}").contains("PATCH"));
    // Everybody is looked at again, and nothing is sent.
    let report = world.try_run(RunOptions { full: true, reconcile: false }).await.unwrap();
    assert_eq!((report.counts.updated, report.counts.failed), (0, 0), "{report:?}");
    holds_no_secret(&world, "looked at again");

    // What can be read at the target is repaired with its own value, not with what stands for it.
    let id = world.id_of("p3@example.org").await;
    world.meddle(&format!("/Users/{id}"), json!([{"op": "replace", "path": "nickName", "value": "else"}])).await;
    world.reconcile().await;
    let users = peer_support::all(&world.http, "/Users").await;
    let user = users.iter().find(|user| user["userName"] == "p3@example.org").unwrap();
    assert_eq!(user["nickName"], "Hush-Title3-p3");
    holds_no_secret(&world, "reconciled");

    // Nor does a plan keep any.
    world.hr.person(1).title = "Planned".into();
    world.write();
    let cx = Context::new("test");
    let plan =
        world.engine.plan(&world.job, &world.spec, RunOptions::default(), Default::default(), &cx).await.unwrap();
    holds_no_secret(&world, "planned");
    let spec = world.spec.clone();
    let spec_of = move |_: &provost_model::JobName| Some(spec.clone());
    world.engine.apply(&plan.cycle, &spec_of, false, Default::default(), &cx).await.unwrap();
    let (_, writes) = world.settle("applied").await;
    assert_eq!(writes, 0);
    holds_no_secret(&world, "applied");
}

/// A record that an older version wrote as it was is veiled by the first cycle, also of somebody who is gone.
#[tokio::test]
async fn older_records_are_veiled() {
    let mut world = world(3).await;
    world.settle("initial").await;
    let store = world.engine.store().clone();
    let mut links = world.links("person").await;
    for link in &mut links {
        let mut sent: serde_json::Value = serde_json::from_str(link.sent.as_deref().unwrap()).unwrap();
        sent["password"] = json!(format!("Sesame-bare-{}", link.source_id));
        sent["nickName"] = json!("Hush-bare");
        link.sent = Some(sent.to_string());
    }
    let mut tx = store.begin().await.unwrap();
    tx.save_links(&links).await.unwrap();
    let mut job = store.job(&world.job).await.unwrap().unwrap();
    job.rules_digest = "of an older version".into();
    tx.save_job(&job).await.unwrap();
    tx.commit().await.unwrap();
    world.hr.remove(2);
    world.spec.objects[0].leavers = serde_json::from_value(json!({"deleted": "keep"})).unwrap();
    world.run().await;
    let links = world.links("person").await;
    assert_eq!(links.len(), 3);
    for link in links {
        let sent = link.sent.unwrap();
        assert!(!sent.contains("bare"), "{sent}");
        assert!(sent.contains("$digest") && sent.contains("$sealed") && sent.contains("$masked"), "{sent}");
    }
}
