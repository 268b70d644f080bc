//! From one SCIM system to another: references go along, and what the source does not show takes nothing away.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod peer_support;

use std::sync::Arc;

use async_trait::async_trait;
use peer_support::{ENTERPRISE, all, scim};
use provost_connector::{ConnectorError, Context, Session};
use provost_engine::spec::JobSpec;
use provost_engine::{Connections, CycleReport, Engine, RunOptions};
use provost_fake::{Dialect, FakeTarget, Options};
use provost_model::ConnectionName;
use provost_model::clock::ManualClock;
use provost_store::Store;
use provost_testkit::Http;
use serde_json::{Value as Json, json};

/// The connections `from` and `to`.
struct Two {
    from: FakeTarget,
    to: FakeTarget,
    /// What the client is told of the source.
    dialect: Json,
}

#[async_trait]
impl Connections for Two {
    async fn session(&self, name: &ConnectionName) -> Result<Arc<dyn Session>, ConnectorError> {
        let (target, dialect) =
            if name.as_str() == "from" { (&self.from, &self.dialect) } else { (&self.to, &Json::Null) };
        scim(target.url(), target.token(), &json!({ "dialect": dialect })).await
    }
}

struct World {
    two: Arc<Two>,
    engine: Engine,
    clock: ManualClock,
    spec: JobSpec,
    /// Past dialects and clients.
    from: Http,
    to: Http,
}

impl World {
    async fn new(source: &str, dialect: Json) -> Self {
        let start = |dialect| FakeTarget::start(Options { dialect, ..Options::default() });
        let source = match source {
            "small pages, no filters" => Dialect { filter: false, ..Dialect::named("small-pages").unwrap() },
            "lists without members" => Dialect { list_without: vec!["members".to_owned()], ..Dialect::default() },
            name => Dialect::named(name).unwrap(),
        };
        let (from, to) = (start(source).await.unwrap(), start(Dialect::default()).await.unwrap());
        let plain = [from.plain().await.unwrap(), to.plain().await.unwrap()];
        let [at_source, at_target] = [(&plain[0], from.token()), (&plain[1], to.token())]
            .map(|(url, token)| Http::new(url.clone(), Some(token)));
        let two = Arc::new(Two { from, to, dialect });
        let clock = ManualClock::at("2026-11-22T08:00:00Z".parse().unwrap());
        let store = Store::open("sqlite::memory:").await.unwrap();
        let engine = Engine::new(store, two.clone(), Arc::new(clock.clone()));
        let manager = format!("{ENTERPRISE}:manager");
        let spec = json!({ "source": "from", "target": "to", "objects": [
            {
                "from": "User", "to": "User",
                "match": [{ "target": "userName", "source": "[userName]" }],
                "attributes": {
                    "userName": "[userName]", "active": "[active]", "profileUrl": "[profileUrl]",
                    format!("{manager}.value"): format!("[{manager}]"),
                },
            },
            {
                "from": "Group", "to": "Group",
                "match": [{ "target": "displayName", "source": "[displayName]" }],
                "attributes": { "displayName": "[displayName]", "members": "[members]" },
            },
        ]});
        let spec = serde_json::from_value(spec).unwrap();
        Self { two, engine, clock, spec, from: at_source, to: at_target }
    }

    async fn user(&self, name: &str, boss: Option<&str>) -> String {
        let user = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
            "userName": name, "active": true, "profileUrl": format!("https://people.example/{name}"),
            ENTERPRISE: { "manager": boss.map(|id| json!({ "value": id })) },
        });
        let made = self.from.send("POST", "/Users", Some(&user)).await.unwrap();
        made.body["id"].as_str().unwrap_or_else(|| panic!("{:?}", made.body)).to_owned()
    }

    async fn set_members(&self, group: &str, ids: &[&str]) {
        let members: Vec<Json> = ids.iter().map(|id| json!({ "value": id })).collect();
        let group_now = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Engines", "members": members
        });
        let put = self.from.send("PUT", &format!("/Groups/{group}"), Some(&group_now)).await.unwrap();
        assert_eq!(put.status, 200, "{:?}", put.body);
    }

    async fn run(&self) -> CycleReport {
        self.clock.advance_ms(60_000);
        let job = "one-to-other".into();
        let report =
            self.engine.run(&job, &self.spec, RunOptions::default(), Arc::default(), &Context::new("test")).await;
        let report = report.unwrap();
        assert_eq!(report.counts.failed, 0, "{report:?}");
        report
    }

    /// The names of a group's members at the target.
    async fn members(&self) -> Vec<String> {
        let users = all(&self.to, "/Users").await;
        let groups = all(&self.to, "/Groups").await;
        let name = |member: &Json| {
            let user = users.iter().find(|user| user["id"] == member["value"]).unwrap();
            user["userName"].as_str().unwrap().to_owned()
        };
        let mut names: Vec<String> = groups[0]["members"].as_array().into_iter().flatten().map(name).collect();
        names.sort();
        names
    }
}

#[tokio::test]
async fn references_go_along() {
    let world = World::new("rfc", json!({})).await;
    let boss = world.user("boss", None).await;
    let [ada, bob] = [world.user("ada", Some(&boss)).await, world.user("bob", Some(&boss)).await];
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Engines",
        "members": [{ "value": ada }, { "value": bob }],
    });
    let group = world.from.send("POST", "/Groups", Some(&group)).await.unwrap().body["id"].as_str().unwrap().to_owned();
    assert_eq!(world.run().await.counts.created, 4);
    assert_eq!(world.members().await, ["ada", "bob"]);
    let users = all(&world.to, "/Users").await;
    let find = |name: &str| users.iter().find(|user| user["userName"] == name).unwrap();
    assert_eq!(find("ada")[ENTERPRISE]["manager"]["value"], find("boss")["id"]);
    assert_eq!(find("ada")["profileUrl"], "https://people.example/ada", "a URI is a value");
    world.set_members(&group, &[&bob, &boss]).await;
    world.run().await;
    assert_eq!(world.members().await, ["bob", "boss"]);
    let before = world.two.to.requests().len();
    assert_eq!(world.run().await.counts.writes(), 0);
    assert!(world.two.to.requests()[before..].iter().all(|request| request.method == "GET"), "the third run is silent");
}

/// The source shows two members of a group, whoever else is in it.
#[tokio::test]
async fn members_that_are_not_shown_stay() {
    // Known, and not known: without a word of it those who are not shown seem to have left.
    for (dialect, stay) in [(json!({ "members_shown": 2 }), true), (json!({ "members_shown": 0 }), false)] {
        let world = World::new("truncated", dialect).await;
        let mut ids = Vec::new();
        for name in ["ada", "bob", "cyd", "dan"] {
            ids.push(world.user(name, None).await);
        }
        let group = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Engines",
            "members": [{ "value": ids[0] }, { "value": ids[1] }],
        });
        let group =
            world.from.send("POST", "/Groups", Some(&group)).await.unwrap().body["id"].as_str().unwrap().to_owned();
        world.run().await;
        assert_eq!(world.members().await, ["ada", "bob"]);
        world.set_members(&group, &[&ids[2], &ids[3]]).await;
        world.run().await;
        let want: &[&str] = if stay { &["ada", "bob", "cyd", "dan"] } else { &["cyd", "dan"] };
        assert_eq!(world.members().await, want);
    }
}

/// The source shows members to those who read a group by its id, and to nobody else.
#[tokio::test]
async fn members_that_lists_leave_out_stay() {
    let world = World::new("lists without members", json!({})).await;
    let [ada, bob] = [world.user("ada", None).await, world.user("bob", None).await];
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Engines", "members": [{ "value": ada }],
    });
    let group = world.from.send("POST", "/Groups", Some(&group)).await.unwrap().body["id"].as_str().unwrap().to_owned();
    world.run().await;
    assert_eq!(world.members().await, ["ada"]);
    world.set_members(&group, &[&ada, &bob]).await;
    world.run().await;
    assert_eq!(world.members().await, ["ada", "bob"]);
    world.set_members(&group, &[]).await;
    world.run().await;
    assert!(world.members().await.is_empty());
    assert_eq!(world.run().await.counts.writes(), 0);
}

/// Somebody whom the source shows on its fourth page alone.
#[tokio::test]
async fn one_person_is_found_on_a_later_page() {
    let world = World::new("small pages, no filters", json!({ "filter": true })).await;
    for at in 0..10 {
        world.user(&format!("u{at}"), None).await;
    }
    let filter = "userName eq \"u9\"".parse().unwrap();
    let job = "one-to-other".into();
    let done = world.engine.provision(&job, &world.spec, &filter, false, &Context::new("test")).await.unwrap();
    assert_eq!(done.len(), 1, "{done:?}");
    assert_eq!(all(&world.to, "/Users").await.len(), 1);
}

/// Neither looking for accounts nor comparing them needs to know who is in a group.
#[tokio::test]
async fn members_at_the_target_are_not_read_by_the_way() {
    let world = World::new("rfc", json!({})).await;
    let ada = world.user("ada", None).await;
    let group = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Engines" });
    let mut full = group.clone();
    full["members"] = json!([{ "value": ada }]);
    world.from.send("POST", "/Groups", Some(&full)).await.unwrap();
    world.to.send("POST", "/Groups", Some(&group)).await.unwrap();
    world.run().await;
    let options = RunOptions { full: false, reconcile: true };
    let job = "one-to-other".into();
    world.engine.run(&job, &world.spec, options, Arc::default(), &Context::new("test")).await.unwrap();
    let lists: Vec<_> = world.two.to.requests().into_iter().filter(|seen| seen.target.contains("/Groups?")).collect();
    assert!(
        lists.len() >= 3 && lists.iter().all(|seen| seen.target.contains("excludedAttributes=members")),
        "{lists:#?}"
    );
    assert_eq!(world.members().await, ["ada"]);
}

/// Nobody says where the source cuts: it counts four users in a group of which it shows two.
#[tokio::test]
async fn a_source_that_cuts_is_found_out() {
    let world = World::new("truncated", json!({})).await;
    let mut ids = Vec::new();
    for name in ["ada", "bob", "cyd", "dan"] {
        ids.push(world.user(name, None).await);
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let group =
        json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Engines", "members": [] });
    let group = world.from.send("POST", "/Groups", Some(&group)).await.unwrap().body["id"].as_str().unwrap().to_owned();
    world.set_members(&group, &ids[2..]).await;
    world.run().await;
    let shown = world.members().await;
    world.set_members(&group, &ids).await;
    world.run().await;
    let now = world.members().await;
    assert!(shown.iter().all(|name| now.contains(name)), "nobody left, and {shown:?} became {now:?}");
}

/// Somebody joins, somebody leaves, somebody gets another manager; then none of it was meant.
#[tokio::test]
async fn references_go_back() {
    let world = World::new("rfc", json!({})).await;
    let [boss, chief] = [world.user("boss", None).await, world.user("chief", None).await];
    let [ada, bob] = [world.user("ada", Some(&boss)).await, world.user("bob", None).await];
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Engines",
        "members": [{ "value": ada }, { "value": bob }],
    });
    let group = world.from.send("POST", "/Groups", Some(&group)).await.unwrap().body["id"].as_str().unwrap().to_owned();
    world.run().await;
    let managers = async || {
        let users = all(&world.to, "/Users").await;
        let name_of = |id: &Json| users.iter().find(|user| user["id"] == *id).map(|user| user["userName"].clone());
        ["ada", "bob"].map(|name| {
            let user = users.iter().find(|user| user["userName"] == name).unwrap();
            name_of(&user[ENTERPRISE]["manager"]["value"]).and_then(|name| Some(name.as_str()?.to_owned()))
        })
    };
    let named = |one: Option<&str>, other: Option<&str>| [one.map(str::to_owned), other.map(str::to_owned)];
    assert_eq!(managers().await, named(Some("boss"), None));

    for (user, manager) in [(&ada, &chief), (&bob, &boss)] {
        let set = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [
            { "op": "replace", "path": format!("{ENTERPRISE}:manager.value"), "value": manager }
        ]});
        let patched = world.from.send("PATCH", &format!("/Users/{user}"), Some(&set)).await.unwrap();
        assert!(patched.status < 300, "{:?}", patched.body);
    }
    world.set_members(&group, &[&bob, &boss]).await;
    let changed = world.run().await;
    assert_eq!(managers().await, named(Some("chief"), Some("boss")));
    assert_eq!(world.members().await, ["bob", "boss"]);

    let spec_of = |_: &_| Some(world.spec.clone());
    let undone = world.engine.revert(&changed.cycle, &spec_of, false, Arc::default(), &Context::new("test")).await;
    let undone = undone.unwrap();
    assert_eq!(undone.counts.failed, 0, "{undone:?}");
    assert_eq!(managers().await, named(Some("boss"), None));
    assert_eq!(world.members().await, ["ada", "bob"]);
    assert_eq!(world.run().await.counts.writes(), 0, "nothing changed at the source");

    // And the opposite of that.
    let undone = world.engine.revert(&undone.cycle, &spec_of, false, Arc::default(), &Context::new("test")).await;
    assert_eq!(undone.unwrap().counts.failed, 0);
    assert_eq!(
        (managers().await, world.members().await),
        (named(Some("chief"), Some("boss")), vec!["bob".into(), "boss".into()])
    );
}
