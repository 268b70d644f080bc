//! Writes that could do harm: lists of members in pieces, creates in doubt, refusals that are about one of many.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod peer_support;

use std::collections::BTreeSet;

use peer_support::{Hr, Team, World};
use provost_fake::{Dialect, parse_fault};
use serde_json::json;

/// People, and one team with all of them.
fn one_team(people: u32) -> Hr {
    let mut hr = Hr::new(people);
    hr.teams.clear();
    hr.teams.insert(0, Team { name: "All".into(), members: (0..people).collect() });
    hr
}

/// Where a change of members is a read and a write of the whole list, the pieces of one change must not overtake each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pieces_of_one_list_of_members_follow_each_other() {
    for (dialect, settings) in [
        ("put-only", json!({ "update": "put", "etag": false, "members_per_request": 25 })),
        ("put-only", json!({ "update": "patch_then_put", "etag": false, "members_per_request": 25 })),
        ("rfc", json!({ "member_remove": "replace", "etag": false, "members_per_request": 25 })),
    ] {
        let what = format!("{dialect} {settings}");
        // The answer that was read is old by the time it comes.
        let slow = parse_fault("slow=20 GET /Groups/", 0).unwrap();
        let settings = json!({ "max_in_flight": 8, "dialect": settings });
        let mut world = World::fake(dialect, vec![slow], one_team(130), settings).await;
        let (report, _) = world.settle(&what).await;
        assert_eq!(report.counts.failed, 0, "{what}: {report:?}");
        world.hr.team(0).members = (65..130).collect::<BTreeSet<u32>>();
        let (report, _) = world.settle(&what).await;
        assert_eq!(report.counts.failed, 0, "{what}: {report:?}");
        assert_eq!(world.settle(&what).await.1, 0, "{what}");
    }
}

fn faults(lines: &[&str]) -> Vec<provost_testkit::Rule> {
    lines.iter().map(|line| parse_fault(line, 0).unwrap()).collect()
}

impl World {
    fn count(&self, method: &str, path: &str) -> usize {
        let requests = self.fake.as_ref().unwrap().requests();
        requests.iter().filter(|request| request.method == method && request.target.starts_with(path)).count()
    }
}

/// What the target said it has made is never made again on the strength of a search that does not show it yet.
#[tokio::test]
async fn what_was_made_and_is_not_shown_yet_is_not_made_twice() {
    // No `Location`, and half a body: nothing tells the id. Reads see nothing that was written lately.
    let world =
        World::fake("fortinet", faults(&["torn first=1 POST /Groups", "lag=1000 GET"]), one_team(1), json!({})).await;
    let report = world.run().await;
    assert_eq!((report.counts.created, report.counts.failed), (1, 1), "{report:?}");
    let failures = world.failures().await;
    assert!(
        failures[0].contains("create unknown PRV-0307") && failures[0].contains("did not say which"),
        "{failures:?}"
    );
    assert_eq!(world.count("POST", "/scim/v2/Groups"), 1);
    // Still not shown, still not made again: it is not looked at before its time.
    let report = world.run().await;
    assert_eq!(report.counts.failed, 0, "{report:?}");
    world.fake.as_ref().unwrap().set_faults(Vec::new());
    world.clock.advance_ms(25 * 3_600_000);
    let (report, _) = world.settle("shown").await;
    assert_eq!((report.counts.adopted, report.counts.created), (1, 0), "{report:?}");
    assert_eq!(world.count("POST", "/scim/v2/Groups"), 1);
}

/// The same in a bulk request whose answer cannot be read.
#[tokio::test]
async fn a_bulk_answer_that_cannot_be_read_makes_nothing_twice() {
    let settings = json!({ "dialect": { "bulk": true } });
    let lost = faults(&["torn first=1 POST /Bulk", "lag=1000 GET"]);
    let world = World::fake("rfc", lost, Hr::new(6), settings).await;
    let report = world.run().await;
    assert!(report.counts.failed >= 6, "{report:?}");
    assert_eq!(world.count("POST", "/scim/v2/Users"), 0, "none of them by itself");
    world.fake.as_ref().unwrap().set_faults(Vec::new());
    world.clock.advance_ms(25 * 3_600_000);
    world.settle("bulk").await;
}

/// A create whose answer was lost is looked for until the target shows it.
#[tokio::test]
async fn a_lost_create_is_looked_for_more_than_once() {
    let lost = faults(&["drop-after first=1 POST /Groups", "lag=2 GET"]);
    let world = World::fake("rfc", lost, one_team(0), json!({})).await;
    let report = world.run().await;
    assert_eq!((report.counts.adopted, report.counts.created, report.counts.failed), (1, 0, 0), "{report:?}");
    assert_eq!(world.count("POST", "/scim/v2/Groups"), 1);
}

/// A target that cannot be asked is read as a whole: accounts that exist are adopted, and creates in doubt are found.
#[tokio::test]
async fn a_target_without_filters_is_read_to_match() {
    let lost =
        faults(&["drop-after first=2 POST /Users", "drop-after first=1 POST /Groups", "drop-before nth=6 POST /Users"]);
    let settings = json!({ "dialect": { "filter": false } });
    let world = World::fake("no-filter", Vec::new(), Hr::new(9), settings).await;
    for at in [3, 5] {
        let body = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": format!("p{at}@example.org") });
        assert_eq!(world.http.send("POST", "/Users", Some(&body)).await.unwrap().status, 201);
    }
    world.fake.as_ref().unwrap().set_faults(lost);
    let (report, _) = world.settle("no filter").await;
    assert_eq!((report.counts.adopted, report.counts.failed), (2 + 3, 0), "{report:?}");
    let reads = world.count("GET", "/scim/v2/Users?");
    assert!(reads <= 12, "{reads} lists: one read is shared");
    assert_eq!(world.settle("again").await.1, 0);
    let explained = world
        .engine
        .explain(&world.job, &world.spec, &"id eq \"p3\"".parse().unwrap(), &Default::default())
        .await
        .unwrap();
    assert_eq!(explained.len(), 1);
}

/// An account is found by any of its values, not by the first alone.
#[tokio::test]
async fn an_account_is_matched_by_its_second_address() {
    let mut world = World::fake("rfc", Vec::new(), Hr::new(3), json!({})).await;
    let rule = &mut world.spec.objects[0];
    rule.matching[0].target = "emails.value".into();
    rule.lookup = serde_json::from_value(json!("scan")).unwrap();
    let emails =
        json!([{ "type": "home", "value": "home@example.org" }, { "type": "work", "value": "p1@example.org" }]);
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": "somebody", "emails": emails
    });
    assert_eq!(world.http.send("POST", "/Users", Some(&body)).await.unwrap().status, 201);
    let report = world.run().await;
    assert_eq!((report.counts.adopted, report.counts.created, report.counts.failed), (1, 2 + 3, 0), "{report:?}");
}

/// One member whom the target refuses keeps nobody else back, and a member who is no longer there need not be removed.
#[tokio::test]
async fn one_bad_member_keeps_no_others_back() {
    for status in [400, 404] {
        for more in [json!({}), json!({ "member_remove": "value_list" })] {
            let what = format!("{status} {more}");
            let strict = Dialect { absent_member: status, ..Dialect::default() };
            let mut world = World::fake_of(strict, Vec::new(), one_team(40), json!({ "dialect": more })).await;
            world.hr.team(0).members = (20..40).collect();
            world.settle(&what).await;
            let team = world.group_id("All").await;
            for at in [3, 17, 25, 26] {
                let id = world.id_of(&format!("p{at}@example.org")).await;
                assert_eq!(world.http.send("DELETE", &format!("/Users/{id}"), None).await.unwrap().status, 204);
            }
            // Twenty come, of whom two have no account any more; ten go, of whom two have gone already.
            world.hr.team(0).members = (0..20).chain(30..40).collect();
            let report = world.run().await;
            assert_eq!(report.counts.failed, 2, "{what}: {report:?} {:#?}", world.failures().await);
            assert_eq!(world.group_id("All").await, team, "{what}");
            let group = world.http.get(&format!("/Groups/{team}")).await.unwrap().body;
            assert_eq!(group["members"].as_array().unwrap().len(), 18 + 10, "{what}");
            // The accounts are made again, and their members follow.
            let report = world.reconcile().await;
            assert_eq!((report.counts.created, report.counts.failed), (4, 0), "{what}: {report:?}");
            assert_eq!(world.settle(&what).await.1, 0, "{what}");
            assert_eq!(world.group_id("All").await, team, "{what}");
        }
    }
}

/// A target that refuses every change of members is not asked for each member in each cycle.
#[tokio::test]
async fn who_refuses_everything_is_not_asked_for_ever() {
    let refusing = faults(&["status=400 PATCH /Groups"]);
    let world = World::fake("rfc", refusing, one_team(400), json!({ "max_in_flight": 4 })).await;
    world.run().await;
    let asked = world.count("PATCH", "/scim/v2/Groups");
    assert!(asked < 300, "{asked} requests");
    world.fake.as_ref().unwrap().set_faults(Vec::new());
    world.clock.advance_ms(25 * 3_600_000);
    world.settle("taken").await;
}

/// A list that ends too early and says that it is whole voids no link: who is missing from it is asked for by id.
#[tokio::test]
async fn a_list_that_lies_makes_nobody_missing() {
    let world = World::fake("small-pages", Vec::new(), Hr::new(24), json!({})).await;
    world.settle("initial").await;
    world.fake.as_ref().unwrap().set_faults(faults(&["early-end GET"]));
    let report = world.reconcile().await;
    let counts = report.counts;
    assert_eq!((counts.adopted, counts.writes(), counts.failed), (0, 0, 0), "{report:?}");
    // Who is really gone is made again.
    world.fake.as_ref().unwrap().set_faults(Vec::new());
    let id = world.id_of("p7@example.org").await;
    assert_eq!(world.http.send("DELETE", &format!("/Users/{id}"), None).await.unwrap().status, 204);
    let report = world.reconcile().await;
    assert_eq!((report.counts.created, report.counts.adopted, report.counts.failed), (1, 0, 0), "{report:?}");
    world.settle("whole again").await;
}
