//! Leavers overtake a long cycle: the real directory as source, a slow SCIM target, and a cycle that is under way.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

mod peer_support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use provost_connector::{ConnectorError, Context, Outcome, Session};
use provost_directory::Directory;
use provost_engine::{Connections, CycleReport, CycleStatus, Engine, JobSpec, Progress, RunOptions};
use provost_fake::{Dialect, FakeTarget, Options, Request};
use provost_model::{Action, AttributePath, Change, ConnectionName, ObjectId, Operation, Value};
use provost_push::{Inbox, Sender, Settings};
use provost_scim::Registry;
use provost_store::{EventQuery, EventRow, Store};
use provost_testkit::Http;
use serde_json::{Value as Json, json};

/// The directory and the target.
struct Wired {
    directory: Arc<dyn Session>,
    app: Arc<dyn Session>,
}

#[async_trait]
impl Connections for Wired {
    async fn session(&self, name: &ConnectionName) -> Result<Arc<dyn Session>, ConnectorError> {
        Ok(if name.as_str() == "app" { self.app.clone() } else { self.directory.clone() })
    }
}

/// People by user name: what they are called, and whether they are there.
type People = Mutex<BTreeMap<String, (String, bool)>>;

struct World {
    fake: FakeTarget,
    http: Http,
    directory: Arc<dyn Session>,
    engine: Engine,
    spec: JobSpec,
    /// The source's ids by user name.
    ids: BTreeMap<String, ObjectId>,
    /// Where the people come from when they are pushed, not kept in the directory: each with name and state.
    inbox: Option<(Inbox, People)>,
}

fn spec(more: Json) -> JobSpec {
    let mut spec = json!({
        "source": "directory", "target": "app",
        "objects": [{
            "from": "User", "to": "User",
            "match": [{ "target": "userName", "source": "[userName]" }],
            "attributes": { "userName": "[userName]", "displayName": "[displayName]", "active": "[active]" },
            "leavers": { "deleted": "delete" }
        }]
    });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(spec).unwrap()
}

fn set(path: &str, value: impl Into<Value>) -> Change {
    Change::set(Arc::new(path.parse::<AttributePath>().unwrap()), value.into())
}

impl World {
    async fn new(spec: JobSpec) -> Self {
        Self::with(spec, false).await
    }

    async fn with(spec: JobSpec, is_pushed: bool) -> Self {
        let options = Options { dialect: Dialect::named("rfc").unwrap(), ..Options::default() };
        let fake = FakeTarget::start(options).await.unwrap();
        let (url, token) = (fake.url().to_owned(), fake.token().to_owned());
        let http = Http::new(fake.plain().await.unwrap(), Some(&token));
        let app = peer_support::scim(&url, &token, &json!({ "max_in_flight": 4 })).await.unwrap();
        let store = Store::open("sqlite::memory:").await.unwrap();
        let clock = Arc::new(provost_model::clock::SystemClock);
        let directory = match is_pushed {
            true => provost_push::session(store.clone(), "hr".into(), &Settings::default(), Registry::core()),
            false => Directory::new(store.clone(), clock.clone()).session(),
        };
        let inbox = is_pushed.then(|| (Inbox::new(store.clone(), clock.clone(), Registry::core()), Mutex::default()));
        let wired = Wired { directory: directory.clone(), app };
        let engine = Engine::new(store, Arc::new(wired), clock);
        Self { fake, http, directory, engine, spec, ids: BTreeMap::new(), inbox }
    }

    fn set_slow(&self, ms: u64) {
        let fault = (ms > 0).then(|| provost_fake::parse_fault(&format!("slow={ms}"), 0).unwrap());
        self.fake.set_faults(fault.into_iter().collect());
    }

    async fn apply(&self, operation: Operation) -> ObjectId {
        let applied = self.directory.apply(&Context::new("test"), &[operation]).await.pop().unwrap();
        match applied.outcome {
            Outcome::Done(done) => done.target_id,
            Outcome::Failed(error) => panic!("{error}"),
        }
    }

    fn operation(&self, action: Action, name: &str, changes: Vec<Change>) -> Operation {
        let target_id = self.ids.get(name).cloned();
        Operation {
            id: format!("{action}/{name}").into(),
            action,
            class: "User".into(),
            target_id,
            changes,
            if_match: None,
        }
    }

    async fn join(&mut self, people: std::ops::Range<u32>) {
        for at in people {
            let name = format!("p{at}");
            if self.inbox.is_some() {
                self.push(&name, |person| *person = ("One".to_owned(), true)).await;
                self.ids.insert(name.clone(), name.as_str().into());
                continue;
            }
            let changes = vec![set("userName", name.as_str()), set("displayName", "One"), set("active", true)];
            let id = self.apply(self.operation(Action::Create, &name, changes)).await;
            self.ids.insert(name, id);
        }
    }

    async fn switch(&self, name: &str, active: bool) {
        if self.inbox.is_some() {
            return self.push(name, |person| person.1 = active).await;
        }
        self.apply(self.operation(Action::Update, name, vec![set("active", active)])).await;
    }

    async fn rename(&self, name: &str, to: &str) {
        if self.inbox.is_some() {
            return self.push(name, |person| person.0 = to.to_owned()).await;
        }
        self.apply(self.operation(Action::Update, name, vec![set("displayName", to)])).await;
    }

    async fn remove(&mut self, name: &str) {
        if let Some((inbox, people)) = &self.inbox {
            people.lock().unwrap().remove(name);
            self.ids.remove(name);
            send(inbox, json!({ "method": "DELETE", "path": format!("/Users/{name}") })).await;
            return;
        }
        self.apply(self.operation(Action::Delete, name, Vec::new())).await;
        self.ids.remove(name);
    }

    /// Pushes a person as a whole, after a change.
    async fn push(&self, name: &str, change: impl FnOnce(&mut (String, bool))) {
        let (inbox, people) = self.inbox.as_ref().unwrap();
        let data = {
            let mut people = people.lock().unwrap();
            let person = people.entry(name.to_owned()).or_default();
            change(person);
            json!({ "externalId": name, "userName": name, "displayName": person.0, "active": person.1 })
        };
        let operation = json!({ "method": "POST", "path": "/Users", "data": data });
        send(inbox, operation).await;
    }

    /// Who there is, and whether he is switched on; for those who are also the name that people know them by.
    async fn expected(&self) -> BTreeMap<String, Option<String>> {
        let mut expected = BTreeMap::new();
        for (name, id) in &self.ids {
            let record = self.directory.get(&Context::new("test"), "User", id).await.unwrap().unwrap();
            let shown = record.attributes.get("displayName").and_then(Value::as_text).unwrap_or_default().to_owned();
            let is_on = record.attributes.get("active") == Some(&Value::Boolean(true));
            expected.insert(name.clone(), is_on.then_some(shown));
        }
        expected
    }

    /// The same of the accounts.
    async fn shown(&self) -> BTreeMap<String, Option<String>> {
        let text = |json: &Json| json.as_str().unwrap().to_owned();
        let users = peer_support::all(&self.http, "/Users").await;
        let of = |user: Json| {
            (text(&user["userName"]), user["active"].as_bool().unwrap().then(|| text(&user["displayName"])))
        };
        users.into_iter().map(of).collect()
    }

    async fn run(&self) -> CycleReport {
        let cx = Context::new("test");
        let progress = Arc::<Progress>::default();
        self.engine.run(&"out".into(), &self.spec, RunOptions::default(), progress, &cx).await.unwrap()
    }

    /// Waits until the target has seen so many requests.
    async fn until(&self, requests: usize) {
        while self.fake.requests().len() < requests {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Account by user name: its id, and whether it is switched on.
    async fn accounts(&self) -> BTreeMap<String, (String, bool)> {
        let users = peer_support::all(&self.http, "/Users").await;
        let count = users.len();
        let text = |json: &Json| json.as_str().unwrap().to_owned();
        let of = |user: Json| (text(&user["userName"]), (text(&user["id"]), user["active"].as_bool().unwrap()));
        let accounts: BTreeMap<_, _> = users.into_iter().map(of).collect();
        assert_eq!(accounts.len(), count, "a duplicate");
        accounts
    }

    async fn events(&self) -> Vec<EventRow> {
        let query = EventQuery { limit: 10_000, newest_first: false, ..EventQuery::default() };
        self.engine.store().events(&query).await.unwrap()
    }
}

async fn send(inbox: &Inbox, operation: Json) {
    send_all(inbox, vec![operation]).await;
}

async fn send_all(inbox: &Inbox, mut operations: Vec<Json>) {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    for operation in &mut operations {
        operation["bulkId"] = json!(NUMBER.fetch_add(1, Ordering::Relaxed).to_string());
    }
    let (job, connection) = ("out".into(), "hr".into());
    let sender = Sender { job: &job, connection: &connection, client: "test", may_see: &|_| true };
    let body = json!({ "schemas": [provost_scim::urn::BULK_REQUEST], "Operations": operations });
    inbox.accept(sender, body.to_string().as_bytes()).await.unwrap();
}

fn is_write(request: &Request) -> bool {
    matches!(request.method.as_str(), "POST" | "PATCH" | "PUT" | "DELETE")
}

/// Where in the target's log the first request is of which this is true, and the last write.
fn places(requests: &[Request], is_it: impl Fn(&Request) -> bool) -> (usize, usize) {
    let first = requests.iter().position(is_it).unwrap_or_else(|| panic!("it never came"));
    (first, requests.iter().rposition(is_write).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leavers_do_not_wait_for_the_end_of_a_cycle() {
    let mut world = World::new(spec(json!({}))).await;
    world.join(0..60).await;
    assert_eq!(world.run().await.counts.created, 60);
    let accounts = world.accounts().await;
    world.join(60..400).await;
    world.set_slow(10);
    let from = world.fake.requests().len();
    let cycle = async { world.run().await };
    let leave = async {
        world.until(from + 80).await;
        world.switch("p7", false).await;
        world.apply(world.operation(Action::Delete, "p8", Vec::new())).await;
        // Nobody has an account for this one yet.
        world.switch("p399", false).await;
    };
    let (report, ()) = tokio::join!(cycle, leave);
    assert_eq!(report.status, CycleStatus::Done, "{report:?}");
    // The one without account may have got one before the change was read, and lost it again.
    assert!((1..=2).contains(&report.counts.disabled) && report.counts.deleted == 1, "{report:?}");
    let planned = report.planned.iter().map(|(_, count)| count).sum::<u64>();
    assert_eq!(planned, report.counts.disabled + report.counts.deleted, "{report:?}");
    let requests = world.fake.requests().split_off(from);
    let path = |name: &str| format!("/Users/{}", accounts[name].0);
    for (method, name) in [("PATCH", "p7"), ("DELETE", "p8")] {
        let (at, last) = places(&requests, |seen| seen.method == method && seen.target.ends_with(&path(name)));
        assert!(at < 80 + 120 && at + 100 < last, "{name}: {at} of {last}");
        let times = requests.iter().filter(|seen| seen.target.ends_with(&path(name)) && is_write(seen)).count();
        assert_eq!(times, 1, "{name}");
    }
    let events = world.events().await;
    let of =
        |id: &ObjectId| events.iter().filter(|e| e.source_id == *id).map(|e| e.action.as_str()).collect::<Vec<_>>();
    assert_eq!(of(&world.ids["p7"]), ["create", "disable"]);
    assert_eq!(of(&world.ids["p8"]), ["create", "delete"]);
    world.set_slow(0);
    world.run().await;
    let now = world.accounts().await;
    assert_eq!((now.len(), now["p7"].1, now.get("p399").is_none_or(|account| !account.1)), (399, false, true));
    let writes = world.fake.requests().iter().filter(|seen| is_write(seen)).count();
    world.run().await;
    assert_eq!(world.fake.requests().iter().filter(|seen| is_write(seen)).count(), writes, "silent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_read_before_somebody_left_is_not_sent_after() {
    let mut world = World::new(spec(json!({}))).await;
    // More pages than are read ahead: the one who leaves is in one that is, and again in one that is not.
    world.join(0..1600).await;
    world.run().await;
    let id = world.accounts().await["p600"].0.clone();
    for at in 0..1600 {
        world.rename(&format!("p{at}"), "Two").await;
    }
    world.set_slow(4);
    let from = world.fake.requests().len();
    let leave = async {
        world.until(from + 60).await;
        world.switch("p600", false).await;
        let is_its = |seen: &Request| seen.target.ends_with(&id) && is_write(seen);
        while !world.fake.requests()[from..].iter().any(is_its) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        world.rename("p600", "Three").await;
    };
    let (report, ()) = tokio::join!(world.run(), leave);
    assert_eq!(report.counts.disabled, 1, "{report:?}");
    let requests = world.fake.requests().split_off(from);
    let its: Vec<usize> =
        (0..requests.len()).filter(|at| requests[*at].target.ends_with(&id) && is_write(&requests[*at])).collect();
    assert!(its.len() == 1 && its[0] < 600, "{its:?} of {}", requests.len());
    assert!(!world.accounts().await["p600"].1, "switched on again");
    world.set_slow(0);
    world.run().await;
    let account = world.http.get(&format!("/Users/{id}")).await.unwrap().body;
    assert_eq!((&account["displayName"], &account["active"]), (&json!("Three"), &json!(false)));
}

/// The feed of what is pushed stops at the second operation on one object: what it says there is not what is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_switched_off_for_what_the_source_has_taken_back() {
    let mut world = World::with(spec(json!({})), true).await;
    world.join(0..60).await;
    world.run().await;
    let accounts = world.accounts().await;
    world.join(60..400).await;
    world.set_slow(10);
    let from = world.fake.requests().len();
    let back = async {
        world.until(from + 80).await;
        let person = |active| {
            let data = json!({ "externalId": "p7", "userName": "p7", "displayName": "One", "active": active });
            json!({ "method": "POST", "path": "/Users", "data": data })
        };
        send_all(&world.inbox.as_ref().unwrap().0, vec![person(false), person(true)]).await;
        // Whoever really leaves does so at once, and after them.
        world.switch("p8", false).await;
    };
    let cycle = async {
        let (cx, progress) = (Context::new("test"), Arc::<Progress>::default());
        let options = RunOptions { full: true, reconcile: false };
        world.engine.run(&"out".into(), &world.spec, options, progress, &cx).await.unwrap()
    };
    let (report, ()) = tokio::join!(cycle, back);
    assert_eq!((report.status, report.counts.disabled), (CycleStatus::Done, 1), "{report:?}");
    let requests = world.fake.requests().split_off(from);
    let of =
        |name: &str| requests.iter().filter(|seen| seen.target.contains(&accounts[name].0) && is_write(seen)).count();
    assert_eq!((of("p7"), of("p8")), (0, 1));
    assert!(world.accounts().await["p7"].1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guard_and_a_wish_for_approval_hold_the_lane_as_well() {
    for more in [json!({ "guards": { "leavers": { "count": 3 } } }), json!({ "approval": ["disable"] })] {
        let mut world = World::new(spec(more.clone())).await;
        world.join(0..40).await;
        world.run().await;
        world.join(40..200).await;
        world.set_slow(10);
        let from = world.fake.requests().len();
        let leave = async {
            world.until(from + 60).await;
            for at in 0..10 {
                world.switch(&format!("p{at}"), false).await;
            }
        };
        let (report, ()) = tokio::join!(world.run(), leave);
        let most = if more["approval"].is_null() { 3 } else { 0 };
        assert!(report.counts.disabled <= most, "{more}: {report:?}");
        world.set_slow(0);
        let held = world.run().await;
        assert_eq!(held.status, CycleStatus::Held, "{more}: {held:?}");
        let off = world.accounts().await.values().filter(|account| !account.1).count();
        assert!(off as u64 <= most, "{more}: {off}");
    }
}

/// The same numbers for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_and_goes_during_cycles_ends_as_the_directory_says() {
    come_and_go(false).await;
}

/// Of what is pushed each operation is a change of its own: the feed may be far behind the objects.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_pushed_during_cycles_ends_as_the_last_push_says() {
    come_and_go(true).await;
}

async fn come_and_go(is_pushed: bool) {
    let seeds = match std::env::var("PROVOST_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..12).collect(),
    };
    for seed in seeds {
        eprintln!("seed {seed}");
        let mut dice = Dice(seed);
        let mut world = World::with(spec(json!({ "guards": { "leavers": {} } })), is_pushed).await;
        world.join(0..120).await;
        let mut next = 120;
        for round in 0..3 {
            world.set_slow(6);
            let (engine, spec) = (world.engine.clone(), world.spec.clone());
            let cycle = tokio::spawn(async move {
                let (cx, progress) = (Context::new("test"), Arc::<Progress>::default());
                engine
                    .run(&"out".into(), &spec, RunOptions { full: round == 1, reconcile: round == 2 }, progress, &cx)
                    .await
            });
            while !cycle.is_finished() {
                tokio::time::sleep(Duration::from_millis(dice.below(12))).await;
                let names: Vec<String> = world.ids.keys().cloned().collect();
                let name = &names[dice.below(names.len() as u64) as usize];
                // On the way to what he is in the end.
                for _ in 0..dice.below(4) * u64::from(is_pushed) {
                    world.switch(name, dice.below(2) == 0).await;
                }
                match dice.below(10) {
                    0 => {
                        world.join(next..next + 3).await;
                        next += 3;
                    }
                    1 => world.remove(name).await,
                    2..=4 => world.rename(name, &format!("Name {}", dice.below(9))).await,
                    what => world.switch(name, what > 7).await,
                }
            }
            let report = cycle.await.unwrap().unwrap();
            assert_eq!(report.status, CycleStatus::Done, "seed {seed}: {report:?}");
        }
        world.set_slow(0);
        while world.run().await.more {}
        let expected = world.expected().await;
        world.accounts().await;
        let mut accounts = world.shown().await;
        // Who was never seen active has no account.
        let never: Vec<_> =
            expected.iter().filter(|(name, on)| on.is_none() && !accounts.contains_key(*name)).collect();
        accounts.extend(never.into_iter().map(|(name, _)| (name.clone(), None)));
        assert_eq!(accounts, expected, "seed {seed}");
        let writes = world.fake.requests().iter().filter(|seen| is_write(seen)).count();
        world.run().await;
        assert_eq!(world.fake.requests().iter().filter(|seen| is_write(seen)).count(), writes, "seed {seed}: silent");
    }
}
