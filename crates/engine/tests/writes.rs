//! Writes that could do harm: lists of members in pieces, creates in doubt, refusals that are about one of many.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod peer_support;

use std::collections::BTreeSet;

use peer_support::{Hr, Team, World};
use provost_fake::parse_fault;
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
