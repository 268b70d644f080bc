//! The whole way from two HR files to SCIM servers that others wrote: joiners, movers, leavers, managers and groups.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod peer_support;

use std::collections::BTreeSet;

use peer_support::{Hr, Which, World, person};
use provost_engine::{CycleKind, CycleStatus};
use serde_json::json;

async fn start(which: Which, people: u32) -> World {
    let world = World::new(which, Hr::new(people)).await;
    let (report, _) = world.settle("initial").await;
    assert_eq!((report.kind, report.status), (CycleKind::Initial, CycleStatus::Done), "{report:?}");
    assert_eq!(report.counts.created, u64::from(people) + 3, "{report:?}");
    assert_eq!(report.counts.failed, 0, "{:#?}", world.failures().await);
    world.silent("after the initial cycle").await;
    world
}

impl World {
    /// A run over unchanged data sends nothing, and asks for no object.
    async fn silent(&self, what: &str) {
        let (report, writes) = self.settle(what).await;
        assert_eq!((writes, report.counts.writes(), report.counts.failed), (0, 0, 0), "{what}: {report:?}");
        let discovery = ["ServiceProviderConfig", "ResourceTypes", "Schemas"];
        let asked: Vec<String> = self.proxy.recent().into_iter().map(|exchange| exchange.target).collect();
        assert!(asked.iter().all(|path| discovery.iter().any(|name| path.ends_with(name))), "{what}: {asked:?}");
    }
}

#[tokio::test]
async fn people_and_groups_arrive_and_a_second_run_is_silent() {
    for which in Which::BOTH {
        let world = start(which, 12).await;
        // One create each, one change each for eleven managers and three member lists, and not one more.
        let world_again = World::new(which, Hr::new(12)).await;
        let (_, writes) = world_again.settle("initial").await;
        assert!(writes <= 12 + 3 + 11 + 3, "{which:?}: {writes} writes");
        assert_eq!(world_again.proxy.count("POST", ""), 15, "{which:?}");
        world.proxy.reset();
        let report = world.reconcile().await;
        assert_eq!((world.proxy.writes(), report.counts.writes()), (0, 0), "{which:?}: {report:?}");
    }
}

#[tokio::test]
async fn movers_are_updated_by_what_changed_alone() {
    for which in Which::BOTH {
        let mut world = start(which, 9).await;
        world.hr.person(3).title = "Countess".into();
        world.hr.person(4).dept = "Poetry".into();
        let (report, writes) = world.settle("two movers").await;
        assert_eq!((report.counts.updated, writes), (2, 2), "{which:?}: {report:?}");
        // A title that is taken away, and a new login: the account stays the same one.
        let id = world.id_of("p5@example.org").await;
        world.hr.person(5).title = String::new();
        world.hr.person(5).login = "married@example.org".into();
        let (report, writes) = world.settle("a title cleared, a login changed").await;
        assert_eq!((report.counts.updated, report.counts.created, writes), (1, 0, 1), "{which:?}: {report:?}");
        assert_eq!(world.id_of("married@example.org").await, id);
        world.silent("after the movers").await;
    }
}

#[tokio::test]
async fn leavers_are_switched_off_and_on_and_deleted() {
    for which in Which::BOTH {
        let mut world = start(which, 12).await;
        world.hr.person(4).active = false;
        let (report, writes) = world.settle("one left").await;
        assert_eq!((report.counts.disabled, writes), (1, 1), "{which:?}: {report:?}");
        world.silent("after a disable").await;

        let id = world.id_of("p4@example.org").await;
        world.hr.person(4).active = true;
        world.hr.person(4).title = "Back".into();
        let (report, writes) = world.settle("one came back").await;
        assert_eq!((report.counts.enabled, report.counts.updated, writes), (1, 0, 1), "{which:?}: {report:?}");
        assert_eq!(world.id_of("p4@example.org").await, id);

        world.hr.remove(7);
        let (report, _) = world.settle("one is gone").await;
        assert_eq!(report.counts.deleted, 1, "{which:?}: {report:?}");
        world.silent("after a delete").await;

        // Somebody who was never there and has left is not created; a joiner is, with boss and team.
        world.hr.people.insert(20, person(20));
        world.hr.team(1).members.insert(20);
        let (report, writes) = world.settle("a joiner").await;
        // One create that names the boss, who has an account already, and one member of one group.
        assert_eq!((report.counts.created, writes), (1, 2), "{which:?}: {report:?}");
        world.silent("after a joiner").await;
    }
}

#[tokio::test]
async fn managers_change_and_go() {
    for which in Which::BOTH {
        let mut world = start(which, 6).await;
        world.hr.person(3).boss = Some(1);
        world.hr.person(4).boss = None;
        let (_, writes) = world.settle("one other boss, one without").await;
        assert_eq!(writes, 2, "{which:?}");
        // Two who are each other's boss, and one who is his own.
        world.hr.person(0).boss = Some(5);
        world.hr.person(1).boss = Some(1);
        world.settle("circles").await;
        world.silent("after the managers").await;
    }
}

#[tokio::test]
async fn members_come_and_go_as_deltas() {
    for which in Which::BOTH {
        let mut world = start(which, 12).await;
        world.hr.team(0).members.remove(&3);
        world.hr.team(0).members.insert(4);
        world.hr.team(1).members.clear();
        let (_, writes) = world.settle("members moved").await;
        assert!(writes <= 3, "{which:?}: {writes} writes for two groups");
        assert_eq!(world.proxy.count("PUT", ""), 0);
        world.silent("after the members").await;

        let id = world.group_id("Looms").await;
        world.hr.team(1).name = "Weavers".into();
        world.hr.team(1).members = BTreeSet::from([1, 2]);
        world.settle("renamed, and filled again").await;
        assert_eq!(world.group_id("Weavers").await, id, "{which:?}: the same group");

        world.hr.teams.remove(&2);
        let (report, writes) = world.settle("a group is gone").await;
        assert_eq!((report.counts.deleted, writes), (1, 1), "{which:?}: {report:?}");
        world.silent("after the group").await;
    }
}

/// A member or a boss who comes into scope later is sent then.
#[tokio::test]
async fn references_heal_when_the_other_end_arrives() {
    for which in Which::BOTH {
        let mut hr = Hr::new(6);
        let late = hr.people.remove(&3).unwrap();
        let mut world = World::new(which, hr.clone()).await;
        // The files name somebody who is not there.
        world.hr.people.insert(3, late.clone());
        world.hr.person(5).boss = Some(3);
        world.spec.objects[0].scope = Some("id ne \"p3\"".into());
        world.run().await;
        assert_eq!(peer_support::all(&world.http, "/Users").await.len(), 5);
        world.spec.objects[0].scope = None;
        let (report, _) = world.settle("p3 came into scope").await;
        assert_eq!((report.counts.created, report.counts.failed), (1, 0), "{which:?}: {report:?}");
        world.silent("after it healed").await;
    }
}

#[tokio::test]
async fn accounts_and_groups_that_exist_are_adopted() {
    for which in Which::BOTH {
        let world = World::new(which, Hr::new(9)).await;
        let user = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": "p2@example.org", "externalId": "old", "active": true, "title": "Old",
            "emails": [{"type": "work", "value": "p2@example.org"}],
        });
        let made = world.http.send("POST", "/Users", Some(&user)).await.unwrap();
        let id = made.text("/id").to_owned();
        let group = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Looms",
        });
        let group_id = world.http.send("POST", "/Groups", Some(&group)).await.unwrap().text("/id").to_owned();
        let (report, _) = world.settle("adopted").await;
        assert_eq!((report.counts.adopted, report.counts.created), (2, 10), "{which:?}: {report:?}");
        assert_eq!(world.id_of("p2@example.org").await, id);
        assert_eq!(world.group_id("Looms").await, group_id);
        world.silent("after the adoption").await;
    }
}

#[tokio::test]
async fn reconcile_repairs_what_was_changed_at_the_target() {
    for which in Which::BOTH {
        let world = start(which, 9).await;
        let (changed, off) = (world.id_of("p3@example.org").await, world.id_of("p4@example.org").await);
        world
            .meddle(&format!("/Users/{changed}"), json!([{"op": "replace", "path": "title", "value": "Hacked"}]))
            .await;
        world.meddle(&format!("/Users/{off}"), json!([{"op": "replace", "path": "active", "value": false}])).await;
        world
            .meddle(
                &format!("/Groups/{}", world.group_id("Looms").await),
                json!([{"op": "replace", "path": "displayName", "value": "X"}]),
            )
            .await;
        world.proxy.reset();
        let report = world.run().await;
        assert_eq!(world.proxy.writes(), 0, "{which:?}: an incremental cycle does not look at the target: {report:?}");
        let report = world.reconcile().await;
        world.agrees("repaired", &report).await;
        assert_eq!(world.proxy.writes(), 3, "{which:?}: {report:?}");
        world.silent("after the repair").await;
    }
}

/// An account that somebody deleted at the target is made again, with its boss and in its groups.
#[tokio::test]
async fn reconcile_makes_missing_accounts_again_with_their_references() {
    for which in Which::BOTH {
        let world = start(which, 9).await;
        for login in ["p3@example.org", "p0@example.org"] {
            let path = format!("/Users/{}", world.id_of(login).await);
            assert_eq!(world.http.send("DELETE", &path, None).await.unwrap().status, 204);
        }
        let path = format!("/Groups/{}", world.group_id("Bridges").await);
        assert_eq!(world.http.send("DELETE", &path, None).await.unwrap().status, 204);
        let report = world.reconcile().await;
        assert_eq!(report.counts.created, 3, "{which:?}: {report:?}");
        world.agrees("made again", &report).await;
        world.silent("after they were made again").await;
    }
}

/// A value that the target cannot be asked for is one person's fault and no one else's.
#[tokio::test]
async fn an_odd_login_holds_nobody_else_up() {
    // This peer answers 400 to a filter with a quote in it.
    let mut world = start(Which::Scimmy, 30).await;
    for at in 40..60 {
        world.hr.people.insert(at, person(at));
    }
    world.hr.person(45).login = "\"o\"\"dd@example.org\"".into();
    let report = world.run().await;
    assert_eq!(report.status, CycleStatus::Done, "{report:?}");
    assert_eq!((report.counts.created, report.counts.failed, report.escrowed), (19, 1, 1), "{report:?}");
    assert!(world.failures().await[0].contains("p45 evaluate"), "{:?}", world.failures().await);
    world.hr.person(45).login = "even@example.org".into();
    let (report, _) = world.settle("mended").await;
    assert_eq!((report.counts.created, report.escrowed), (1, 0), "{report:?}");
}

/// Somebody deleted a group and a user at the target, and the next thing that Provost does there is an update.
#[tokio::test]
async fn what_vanished_is_made_again_when_an_update_finds_out() {
    for which in Which::BOTH {
        let mut world = start(which, 9).await;
        for path in [
            format!("/Groups/{}", world.group_id("Looms").await),
            format!("/Users/{}", world.id_of("p2@example.org").await),
        ] {
            assert_eq!(world.http.send("DELETE", &path, None).await.unwrap().status, 204);
        }
        world.hr.team(1).members.insert(0);
        world.hr.person(2).title = "Back".into();
        let report = world.run().await;
        assert_eq!((report.status, report.counts.failed), (CycleStatus::Done, 2), "{which:?}: {report:?}");
        let (report, _) = world.settle("made again").await;
        assert_eq!((report.counts.created, report.counts.failed, report.escrowed), (2, 0, 0), "{which:?}: {report:?}");
        world.silent("after that").await;
    }
}

/// Nobody tells the client anything of the peer: a trial finds out how jobs have to speak to it.
#[tokio::test]
async fn what_a_trial_finds_is_enough_for_jobs() {
    for which in Which::BOTH {
        let mut world = World::tried(which, Hr::new(24)).await;
        let (report, _) = world.settle("initial").await;
        assert_eq!((report.counts.created, report.counts.failed), (27, 0), "{report:?}");
        world.hr.person(3).title = "Moved".into();
        world.hr.person(4).active = false;
        world.hr.person(5).boss = None;
        world.hr.team(0).members.remove(&6);
        world.hr.team(1).members.insert(6);
        world.hr.remove(7);
        let (report, _) = world.settle("movers and leavers").await;
        assert_eq!(report.counts.failed, 0, "{report:?}");
        let (report, writes) = world.settle("silent").await;
        assert_eq!((writes, report.counts.failed), (0, 0), "{report:?}");
    }
}
