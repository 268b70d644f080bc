//! What a change of a large group costs: a joiner one request, leavers as few as the target's limit allows, and nobody else is
//! read. A hundred thousand members are in memory at both ends; one test says what the requests of SCIM are like. And what a
//! reference becomes of which nobody heard that it was sent.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod peer_support;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use peer_support::{Hr, Team};
use provost_connector::{
    Applied, Capabilities, CheckResult, ClassCapabilities, ConnectorError, Context, Cursor, Done, End, ErrorCode,
    FindRequest, LookupRequest, Page, Scan, ScanItem, ScanMode, ScanPage, ScanRequest, Session,
};
use provost_engine::{Connections, CycleReport, CycleStatus, Engine, JobSpec, RunOptions};
use provost_model::clock::ManualClock;
use provost_model::{
    AttributeSchema, AttributeType, Change, ChangeOp, ClassSchema, ConnectionName, JobName, ObjectId, Operation,
    Record, Schema, Value,
};
use provost_store::{LinkRow, LinkState, ReferenceKey, ReferenceRow, ReferenceState, Store};
use serde_json::json;
use tokio::sync::Notify;

const MEMBERS: usize = 100_000;

/// Both ends: what the source tells next of its changes, and what was asked of the target.
#[derive(Default)]
struct Ends {
    changes: Mutex<Vec<ScanItem>>,
    /// Of the target.
    reads: Mutex<Vec<String>>,
    writes: Mutex<Vec<Operation>>,
    /// Provost dies once the target has done what it was told.
    deadly: AtomicBool,
    died: Notify,
}

struct Memory {
    ends: Arc<Ends>,
    is_source: bool,
    capabilities: Capabilities,
}

struct Told(Vec<ScanItem>);

#[async_trait]
impl Scan for Told {
    async fn next(&mut self, _: &Context) -> Result<ScanPage, ConnectorError> {
        let items = std::mem::take(&mut self.0);
        let end = End { cursor: Some(Cursor("1".into())), ..End::complete(items.len() as u64) };
        Ok(ScanPage { items, end: Some(end), ..ScanPage::default() })
    }
}

fn schema(is_source: bool) -> Schema {
    let text = |name| AttributeSchema::new(name, AttributeType::String);
    let (person, group) = if is_source { ("person", "group") } else { ("User", "Group") };
    let members = AttributeSchema {
        multi_valued: true,
        reference_classes: vec![person.into()],
        ..AttributeSchema::new("members", AttributeType::Reference)
    };
    let boss = AttributeSchema {
        reference_classes: vec![person.into()],
        ..AttributeSchema::new("boss", AttributeType::Reference)
    };
    let class = |name: &str, attributes| ClassSchema { name: name.into(), attributes, ..ClassSchema::default() };
    let people = class(person, vec![text("name"), text("title"), boss]);
    Schema { classes: vec![people, class(group, vec![text("name"), members])] }
}

#[async_trait]
impl Session for Memory {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
    async fn schema(&self, _: &Context) -> Result<Schema, ConnectorError> {
        Ok(schema(self.is_source))
    }
    async fn test(&self, _: &Context) -> Vec<CheckResult> {
        Vec::new()
    }
    async fn get(&self, _: &Context, class: &str, id: &ObjectId) -> Result<Option<Record>, ConnectorError> {
        self.read(format!("get {class} {id}"));
        Ok(None)
    }
    async fn find(&self, _: &Context, _: FindRequest) -> Result<Page, ConnectorError> {
        Err(ConnectorError::new(ErrorCode::NotSupported, "no search"))
    }
    async fn lookup(&self, _: &Context, request: LookupRequest) -> Result<Vec<Vec<Record>>, ConnectorError> {
        self.read(format!("lookup {} {:?}", request.class, request.values));
        Ok(vec![Vec::new(); request.values.len()])
    }
    async fn scan(&self, _: &Context, request: ScanRequest) -> Result<Box<dyn Scan>, ConnectorError> {
        if !self.is_source {
            self.read(format!("scan {}", request.class));
        }
        let items = match request.mode {
            ScanMode::Changes { cursor: None } => Vec::new(),
            _ => {
                let mut changes = self.ends.changes.lock().unwrap();
                let is_of_class =
                    |item: &ScanItem| matches!(item, ScanItem::Upsert(record) if record.class == request.class);
                changes.extract_if(.., |item| is_of_class(item)).collect()
            }
        };
        Ok(Box::new(Told(if self.is_source { items } else { Vec::new() })))
    }
    async fn apply(&self, _: &Context, operations: &[Operation]) -> Vec<Applied> {
        self.ends.writes.lock().unwrap().extend(operations.iter().cloned());
        if self.ends.deadly.load(Ordering::Relaxed) {
            self.ends.died.notify_one();
            return std::future::pending().await;
        }
        let done = |operation: &Operation| {
            let made = || ObjectId::from(format!("t-{}", operation.id.rsplit('/').next().unwrap()));
            let target_id = operation.target_id.clone().unwrap_or_else(made);
            Applied::done(operation.id.clone(), Done { target_id, requests: 1, ..Done::default() })
        };
        operations.iter().map(done).collect()
    }
}

impl Memory {
    fn read(&self, what: String) {
        self.ends.reads.lock().unwrap().push(what);
    }
}

struct Two([Arc<Memory>; 2]);

#[async_trait]
impl Connections for Two {
    async fn session(&self, name: &ConnectionName) -> Result<Arc<dyn Session>, ConnectorError> {
        Ok(self.0[usize::from(name.as_str() == "to")].clone())
    }
}

struct World {
    ends: Arc<Ends>,
    engine: Engine,
    clock: ManualClock,
    spec: JobSpec,
    job: JobName,
}

fn person(at: usize) -> ScanItem {
    ScanItem::Upsert(Record::new("person", format!("p{at}")).with("name", format!("Person {at}")))
}

fn group(members: Range<usize>) -> ScanItem {
    let members = members.map(|at| Value::reference("person", format!("p{at}"))).collect();
    ScanItem::Upsert(Record::new("group", "all").with("name", "All").with("members", Value::List(members)))
}

impl World {
    /// A job with a target that takes `at_once` members in a request.
    async fn new(at_once: Option<usize>) -> Self {
        let ends = Arc::<Ends>::default();
        let session = |is_source| {
            let class = |name: &str| ClassCapabilities {
                name: name.into(),
                scan: true,
                changes: is_source,
                create: true,
                update: true,
                delete: true,
                lookup: vec!["*".into()],
                max_values_per_change: at_once,
                ..ClassCapabilities::default()
            };
            let names = if is_source { ["person", "group"] } else { ["User", "Group"] };
            let capabilities = Capabilities {
                classes: names.map(class).into(),
                max_in_flight: 4,
                max_batch: 1,
                max_lookup: 1,
                ..Capabilities::default()
            };
            Arc::new(Memory { ends: ends.clone(), is_source, capabilities })
        };
        let clock = ManualClock::at("2026-11-22T08:00:00Z".parse().unwrap());
        let store = Store::open("sqlite::memory:").await.unwrap();
        let two = Two([session(true), session(false)]);
        let engine = Engine::new(store, Arc::new(two), Arc::new(clock.clone()));
        let spec = json!({ "source": "from", "target": "to", "objects": [
            {
                "from": "person", "to": "User", "match": [{ "target": "name", "source": "[name]" }],
                "attributes": { "name": "[name]", "title": "[title]", "boss": "[boss]" },
            },
            {
                "from": "group", "to": "Group", "match": [{ "target": "name", "source": "[name]" }],
                "attributes": { "name": "[name]", "members": "[members]" },
            },
        ]});
        let spec = serde_json::from_value(spec).unwrap();
        Self { ends, engine, clock, spec, job: "from-to".into() }
    }

    /// A job whose one group has `MEMBERS` members, all of them at the target. A target that takes `at_once` of them.
    async fn large(at_once: Option<usize>) -> Self {
        let world = Self::new(at_once).await;
        world.change(vec![person(0), group(0..1)]);
        assert_eq!(world.run().await.counts.created, 2);
        world.fill().await;
        world.sent();
        world.asked();
        world
    }

    /// Writes down what a hundred thousand creates and their members would have left behind.
    async fn fill(&self) {
        let store = self.engine.store();
        let first = store.links(&self.job, "person", &["p0"]).await.unwrap().remove(0);
        let links: Vec<LinkRow> = (1..MEMBERS)
            .map(|at| LinkRow {
                source_id: format!("p{at}").into(),
                target_id: Some(format!("t-p{at}").into()),
                ..first.clone()
            })
            .collect();
        assert_eq!(first.state, LinkState::Linked);
        let key = |at: usize| ReferenceKey {
            class: "group".into(),
            source_id: "all".into(),
            path: "members".into(),
            ref_class: "person".into(),
            ref_id: format!("p{at}").into(),
        };
        let references: Vec<ReferenceRow> = (0..MEMBERS)
            .map(|at| ReferenceRow {
                job: self.job.clone(),
                key: key(at),
                state: ReferenceState::Sent,
                ref_target: Some(format!("t-p{at}").into()),
            })
            .collect();
        let mut tx = store.begin().await.unwrap();
        tx.save_links(&links).await.unwrap();
        tx.save_references(&references).await.unwrap();
        tx.commit().await.unwrap();
    }

    fn change(&self, items: Vec<ScanItem>) {
        *self.ends.changes.lock().unwrap() = items;
    }

    async fn run(&self) -> CycleReport {
        self.clock.advance_ms(60_000);
        let (options, cx) = (RunOptions::default(), Context::new("test"));
        let report = self.engine.run(&self.job, &self.spec, options, Arc::default(), &cx).await.unwrap();
        assert_eq!((report.status, report.counts.failed), (CycleStatus::Done, 0), "{report:?}");
        report
    }

    fn sent(&self) -> Vec<Operation> {
        std::mem::take(&mut self.ends.writes.lock().unwrap())
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.ends.reads.lock().unwrap())
    }
}

fn values(change: &Change, op: ChangeOp) -> &[Value] {
    if change.op == op { change.value.elements() } else { &[] }
}

#[tokio::test]
async fn a_joiner_of_a_large_group_is_one_request() {
    let world = World::large(Some(1_000)).await;
    world.change(vec![group(0..MEMBERS)]);
    world.run().await;
    assert!(world.sent().is_empty(), "nobody joined");

    world.change(vec![person(MEMBERS), group(0..MEMBERS + 1)]);
    assert_eq!(world.run().await.counts.created, 1);
    let sent = world.sent();
    let (creates, others): (Vec<_>, Vec<_>) = sent.iter().partition(|operation| operation.target_id.is_none());
    assert_eq!((creates.len(), others.len()), (1, 1), "{sent:#?}");
    let [change] = others[0].changes.as_slice() else { panic!("{others:#?}") };
    assert_eq!(values(change, ChangeOp::Add), [Value::from(format!("t-p{MEMBERS}"))], "{change:?}");
    // Whether the newcomer has an account already, and nothing of the others.
    let asked = world.asked();
    assert!(asked.iter().all(|what| what.contains(&format!("Person {MEMBERS}"))), "{asked:#?}");

    // Somebody who has an account joins: that one request is all.
    world.change(vec![group(0..MEMBERS)]);
    world.run().await;
    let sent = world.sent();
    assert_eq!((sent.len(), sent[0].changes.len()), (1, 1), "{sent:#?}");
    assert_eq!(values(&sent[0].changes[0], ChangeOp::Remove).len(), 1, "{sent:#?}");
    world.change(vec![group(0..MEMBERS + 1)]);
    world.run().await;
    let sent = world.sent();
    assert_eq!((sent.len(), values(&sent[0].changes[0], ChangeOp::Add).len()), (1, 1), "{sent:#?}");
    assert!(world.asked().is_empty());
}

#[tokio::test]
async fn leavers_of_a_large_group_are_as_few_requests_as_the_target_takes() {
    for (at_once, leavers) in [(Some(1_000), 5_000), (Some(300), 5_000), (Some(3_000), 9_000), (Some(8_000), 20_000)] {
        let world = World::large(at_once).await;
        world.change(vec![group(0..MEMBERS - leavers)]);
        world.run().await;
        let sent = world.sent();
        let at_once = at_once.unwrap();
        let sizes: Vec<usize> = sent
            .iter()
            .map(|operation| {
                let [change] = operation.changes.as_slice() else { panic!("{operation:#?}") };
                values(change, ChangeOp::Remove).len()
            })
            .collect();
        println!("{leavers} leavers, {at_once} at once: {sizes:?}");
        assert_eq!(sizes.len(), leavers.div_ceil(at_once), "{sizes:?}");
        assert_eq!(sizes.iter().sum::<usize>(), leavers);
        assert!(sizes.iter().all(|size| *size <= at_once), "{sizes:?}");
        assert!(world.asked().is_empty());
        world.change(vec![group(0..MEMBERS - leavers)]);
        world.run().await;
        assert!(world.sent().is_empty());
    }
}

/// The same as requests of SCIM: of the group nothing is read, and nothing else of it is written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_joiner_is_one_patch() {
    let mut hr = Hr::new(260);
    hr.teams.clear();
    hr.teams.insert(0, Team { name: "All".into(), members: (0..259).collect() });
    let settings = json!({ "dialect": { "members_per_request": 50 } });
    let mut world = peer_support::World::fake("rfc", Vec::new(), hr, settings).await;
    world.settle("initial").await;
    let since = |world: &peer_support::World, before: usize| -> Vec<String> {
        let requests = world.fake.as_ref().unwrap().requests().split_off(before);
        let of_groups = requests.iter().filter(|seen| seen.target.contains("/Groups"));
        of_groups.map(|seen| seen.method.clone()).collect()
    };
    let before = world.fake.as_ref().unwrap().requests().len();
    world.hr.team(0).members.insert(259);
    world.settle("a joiner").await;
    assert_eq!(since(&world, before), ["PATCH"]);
    let before = world.fake.as_ref().unwrap().requests().len();
    world.hr.team(0).members = (0..135).collect::<BTreeSet<u32>>();
    world.settle("125 leavers").await;
    assert_eq!(since(&world, before), ["PATCH"; 3]);
}

/// A manager goes out with another change, Provost dies before it is written down, and the source thinks better of it. Nobody
/// knows that the manager was sent; that it may have been has to be known.
#[tokio::test]
async fn a_reference_that_was_sent_unheard_is_taken_back() {
    let worker = |title: &str, boss: Option<&str>| {
        let record = Record::new("person", "p2").with("name", "Worker").with("title", title);
        ScanItem::Upsert(match boss {
            Some(boss) => record.with("boss", Value::reference("person", boss)),
            None => record,
        })
    };
    for (before, after) in [(None, None), (Some("p0"), Some("p0")), (Some("p0"), None), (None, Some("p1"))] {
        let what = format!("{before:?}, {after:?}");
        let world = World::new(None).await;
        world.change(vec![person(0), person(1)]);
        world.run().await;
        world.change(vec![worker("Clerk", before)]);
        world.run().await;
        world.sent();
        world.change(vec![worker("Chief", Some("p1"))]);
        world.ends.deadly.store(true, Ordering::Relaxed);
        let cx = Context::new("test");
        let cycle = world.engine.run(&world.job, &world.spec, RunOptions::default(), Arc::default(), &cx);
        tokio::select! {
            report = cycle => panic!("{report:?}"),
            () = world.ends.died.notified() => {}
        }
        world.ends.deadly.store(false, Ordering::Relaxed);
        let sent = world.sent();
        assert_eq!((sent.len(), sent[0].changes.len()), (1, 2), "the title and the manager in one: {sent:#?}");

        world.change(vec![worker("Clerk", after)]);
        world.clock.advance_ms(3_600_000);
        world.run().await;
        let last =
            world.sent().iter().flat_map(|sent| sent.changes.clone()).rfind(|change| change.path.to_string() == "boss");
        let last = last.unwrap_or_else(|| panic!("{what}: the manager is not mended"));
        let want = after.map(|boss| Value::from(format!("t-{boss}")));
        assert_eq!(last.after().cloned(), want, "{what}: {last:?}");
        world.change(vec![worker("Clerk", after)]);
        world.run().await;
        assert!(world.sent().is_empty(), "{what}");
    }
}
