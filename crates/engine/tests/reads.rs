//! All the ways in which a source gives fewer people than it has: nobody is taken away for any of them, and once the source is
//! whole again nothing is left to do. What counts is what arrives at the target, a SCIM service that keeps every request.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod peer_support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use peer_support::{all, file, scim};
use provost_connector::{
    Applied, Capabilities, CheckResult, ConnectorError, Context, FindRequest, Page, Scan, ScanRequest, Session,
};
use provost_engine::{Connections, CycleReport, CycleStatus, Engine, EngineError, JobSpec, RunOptions};
use provost_fake::{Dialect, FakeTarget, Options, parse_fault};
use provost_model::clock::ManualClock;
use provost_model::{ConnectionName, JobName, ObjectId, Operation, Record, Schema};
use provost_store::Store;
use provost_testkit::Http;
use serde_json::{Value as Json, json};

/// How a cycle over such a read ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ends {
    /// The read breaks off: the cycle fails.
    Failed,
    /// The read says, or shows, that it proves nothing about who is missing.
    Incomplete,
    /// Nothing tells the read from a true one. The guard holds.
    Held,
    /// The connector gets everything all the same.
    Whole,
}
use Ends::{Failed, Held, Incomplete, Whole};

/// What happens to a file.
enum Write {
    Text(fn(usize) -> String),
    /// It is written anew while it is read.
    Meanwhile,
}

/// How the file comes to hold too little. `n` people have accounts.
const FILES: [(&str, Write, Ends); 8] = [
    ("nothing at all, 0 bytes", Write::Text(|_| String::new()), Failed),
    ("the header alone", Write::Text(|_| people(0..0)), Held),
    ("cut in the middle of a row", Write::Text(|n| cut(n, n * 2 / 5, 7)), Incomplete),
    ("cut in the middle of its second last cell", Write::Text(|n| cut(n, n * 2 / 5, 14)), Incomplete),
    ("cut at the end of a line", Write::Text(|n| people(0..n * 2 / 5)), Held),
    ("without its front", Write::Text(|n| people(n * 3 / 5..n)), Held),
    ("another table", Write::Text(table), Failed),
    ("written while it is read", Write::Meanwhile, Incomplete),
];

/// What a SCIM source answers. It has four pages or more of people.
const ANSWERS: [(&str, &str, &[&str], Ends); 20] = [
    ("an error after the third page", "pages", &["pass first=3 GET /Users", "status=500,none GET /Users"], Failed),
    ("the same with other errors", "pages", &["pass first=3 GET /Users", "status=404 GET /Users"], Failed),
    ("connections that close", "pages", &["pass first=2 GET /Users", "drop-before GET /Users"], Failed),
    ("an answer that breaks off", "pages", &["cut GET /Users"], Failed),
    (
        "an answer that ends early and says it is whole",
        "pages",
        &["pass first=1 GET /Users", "torn GET /Users"],
        Failed,
    ),
    ("no answer in time", "pages", &["pass first=2 GET /Users", "slow=400 GET /Users"], Failed),
    ("a sign-in page", "pages", &["html GET /Users"], Failed),
    ("a sign-in page in the middle", "pages", &["pass first=2 GET /Users", "html GET /Users"], Failed),
    ("no body", "pages", &["blank GET /Users"], Failed),
    ("a page that comes twice", "pages", &["repeat-page GET /Users"], Incomplete),
    ("a page left out", "pages", &["skip-page GET /Users"], Incomplete),
    ("fewer on each page than the total says", "pages", &["short-list GET /Users"], Incomplete),
    ("a short last page", "pages", &["pass first=4 GET /Users", "short-list GET /Users"], Incomplete),
    ("somebody twice, and the numbers agree", "pages", &["twice GET /Users"], Incomplete),
    ("nobody, and says so", "pages", &["empty-list GET /Users"], Held),
    ("an end with the first page, and says so", "pages", &["early-end GET /Users"], Held),
    ("a cursor that is lost each time", "cursors", &["pass first=2 GET /Users", "expired-cursor GET /Users"], Failed),
    ("a cursor that is lost once", "cursors", &["expired-cursor nth=2 GET /Users"], Whole),
    ("the same page under each cursor", "cursors", &["repeat-page GET /Users"], Incomplete),
    ("no further cursor, and says so", "cursors", &["early-end GET /Users"], Held),
];

fn row(at: usize) -> String {
    format!("p{at},First{at},Department of {at}\n")
}

fn people(which: std::ops::Range<usize>) -> String {
    std::iter::once("id,first,dept\n".to_owned()).chain(which.map(row)).collect()
}

/// The first `whole` rows, and so many characters of the next.
fn cut(n: usize, whole: usize, characters: usize) -> String {
    assert!(whole < n);
    people(0..whole) + &row(whole)[..characters]
}

fn table(n: usize) -> String {
    let rows = (0..n).map(|at| format!("{at},{}\n", at * 3));
    std::iter::once("room,seats\n".to_owned()).chain(rows).collect()
}

/// A file that somebody begins to write anew once its read has begun.
struct Rewritten {
    file: Arc<dyn Session>,
    path: PathBuf,
    is_due: Arc<AtomicBool>,
}

#[async_trait]
impl Session for Rewritten {
    fn capabilities(&self) -> &Capabilities {
        self.file.capabilities()
    }
    async fn schema(&self, cx: &Context) -> Result<Schema, ConnectorError> {
        self.file.schema(cx).await
    }
    async fn test(&self, cx: &Context) -> Vec<CheckResult> {
        self.file.test(cx).await
    }
    async fn get(&self, cx: &Context, class: &str, id: &ObjectId) -> Result<Option<Record>, ConnectorError> {
        self.file.get(cx, class, id).await
    }
    async fn find(&self, cx: &Context, request: FindRequest) -> Result<Page, ConnectorError> {
        self.file.find(cx, request).await
    }
    /// In pages so small that the end is not read ahead.
    async fn scan(&self, cx: &Context, mut request: ScanRequest) -> Result<Box<dyn Scan>, ConnectorError> {
        if !self.is_due.swap(false, Ordering::Relaxed) {
            return self.file.scan(cx, request).await;
        }
        let text = std::fs::read_to_string(&self.path).unwrap();
        (request.page_size, request.known) = (1, None);
        let scan = self.file.scan(cx, request).await?;
        std::fs::write(&self.path, &text[..text.len() * 2 / 5]).unwrap();
        Ok(scan)
    }
    async fn apply(&self, cx: &Context, operations: &[Operation]) -> Vec<Applied> {
        self.file.apply(cx, operations).await
    }
}

enum Source {
    File(Arc<AtomicBool>),
    Scim(FakeTarget, Json),
}

struct Wired {
    folder: PathBuf,
    source: Source,
    app: FakeTarget,
}

#[async_trait]
impl Connections for Wired {
    async fn session(&self, name: &ConnectionName) -> Result<Arc<dyn Session>, ConnectorError> {
        if name.as_str() == "app" {
            return scim(self.app.url(), self.app.token(), &json!({})).await;
        }
        match &self.source {
            Source::Scim(fake, settings) => scim(fake.url(), fake.token(), settings).await,
            Source::File(is_due) => {
                let file = file(&self.folder, json!({"path": "people.csv", "class": "person", "key": "id"})).await?;
                Ok(Arc::new(Rewritten { file, path: self.folder.join("people.csv"), is_due: is_due.clone() }))
            }
        }
    }
}

/// A job whose `n` people all have an account, and whose next cycle has nothing to do.
struct World {
    n: usize,
    wired: Arc<Wired>,
    /// Straight to the target, past its memory of requests.
    http: Http,
    engine: Engine,
    clock: ManualClock,
    job: JobName,
    spec: JobSpec,
    folder: tempfile::TempDir,
}

impl World {
    async fn new(n: usize, guards: &Json, source: impl AsyncFnOnce(&Path) -> (Source, Json)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (source, rule) = source(folder.path()).await;
        let app = FakeTarget::start(Options::default()).await.unwrap();
        let http = Http::new(app.plain().await.unwrap(), Some(app.token()));
        let wired = Arc::new(Wired { folder: folder.path().to_owned(), source, app });
        let clock = ManualClock::at("2026-11-22T08:00:00Z".parse().unwrap());
        let engine = Engine::new(Store::open("sqlite::memory:").await.unwrap(), wired.clone(), Arc::new(clock.clone()));
        let spec = json!({ "source": "hr", "target": "app", "objects": [rule], "guards": guards });
        let spec = serde_json::from_value(spec).unwrap();
        let world = Self { n, wired, http, engine, clock, job: "hr-to-app".into(), spec, folder };
        assert_eq!(world.run().await.unwrap().counts.created, n as u64);
        assert_eq!(world.run().await.unwrap().counts.writes(), 0);
        world
    }

    /// Over a file with the columns `id`, `first` and `dept`.
    async fn of_file(n: usize, guards: &Json) -> Self {
        let rule = json!({
            "from": "person", "to": "User", "match": [{ "target": "userName", "source": "[id]" }],
            "attributes": { "userName": "[id]", "displayName": "[first]", "title": "[dept]" },
            "leavers": { "deleted": "delete" },
        });
        let write = async |folder: &Path| {
            std::fs::write(folder.join("people.csv"), people(0..n)).unwrap();
            (Source::File(Arc::default()), rule)
        };
        Self::new(n, guards, write).await
    }

    /// Over a SCIM service that gives its users in four pages or a few more.
    async fn of_scim(n: usize, guards: &Json, paging: &str) -> Self {
        let rule = json!({
            "from": "User", "to": "User", "match": [{ "target": "userName", "source": "[userName]" }],
            "attributes": { "userName": "[userName]", "displayName": "[displayName]", "active": "[active]" },
            "leavers": { "deleted": "disable" },
        });
        let start = async |_: &Path| {
            let dialect = Dialect { page_default: n / 4, page_max: n / 4, ..Dialect::default() };
            let fake = FakeTarget::start(Options { dialect, ..Options::default() }).await.unwrap();
            let http = Http::new(fake.plain().await.unwrap(), Some(fake.token()));
            for at in 0..n {
                let user = json!({
                    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": format!("p{at}"),
                    "displayName": format!("First{at}"), "active": true,
                });
                assert_eq!(http.send("POST", "/Users", Some(&user)).await.unwrap().status, 201);
            }
            let paging = if paging == "cursors" { "cursor" } else { "index" };
            (Source::Scim(fake, json!({ "timeout": "200ms", "dialect": { "paging": paging } })), rule)
        };
        Self::new(n, guards, start).await
    }

    async fn run(&self) -> Result<CycleReport, EngineError> {
        self.clock.advance_ms(3_600_000);
        self.engine.run(&self.job, &self.spec, RunOptions::default(), Arc::default(), &Context::new("test")).await
    }

    fn write(&self, text: &str) {
        std::fs::write(self.folder.path().join("people.csv"), text).unwrap();
    }

    /// Methods and addresses of what was sent to the target, but for reads.
    fn sent(&self) -> Vec<String> {
        let writes = |seen: &provost_fake::Request| seen.method != "GET" && !seen.target.contains("/.search");
        let requests = self.wired.app.requests();
        requests.iter().filter(|seen| writes(seen)).map(|seen| format!("{} {}", seen.method, seen.target)).collect()
    }

    /// The cycle of the bad read, one that finds the source whole again, and what reached the target in both.
    async fn check(&self, what: &str, ends: Ends, mend: impl FnOnce()) {
        let before = self.sent().len();
        let report = self.run().await;
        let told = match &report {
            Ok(report) => format!("{:?}, {}", report.status, report.note.as_deref().unwrap_or("-")),
            Err(error) => format!("failed, {error}"),
        };
        println!("{} people, {what}: {told}", self.n);
        let ended = match report.map(|report| report.status) {
            Err(_) => Failed,
            Ok(CycleStatus::Incomplete) => Incomplete,
            Ok(CycleStatus::Held) => Held,
            Ok(CycleStatus::Done) => Whole,
            Ok(other) => panic!("{what}: {other:?}"),
        };
        assert_eq!(ended, ends, "{what}: {told}");
        let sent = self.sent().split_off(before);
        assert!(sent.is_empty(), "{what}: {sent:#?}");

        mend();
        let report = self.run().await.unwrap();
        assert_eq!((report.status, report.counts.writes()), (CycleStatus::Done, 0), "{what}: {report:?}");
        let sent = self.sent().split_off(before);
        assert!(sent.is_empty(), "{what}, whole again: {sent:#?}");
        let users = all(&self.http, "/Users").await;
        let on = users.iter().filter(|user| user["active"] != false).count();
        assert_eq!((users.len(), on), (self.n, self.n), "{what}");
    }
}

/// With the guards that are there unless somebody says otherwise; and for a few people, whom no share of the linked objects
/// protects, in a job of which somebody switched that guard off.
fn worlds() -> [(usize, Json); 2] {
    [(100, json!({})), (12, json!({ "leavers": {} }))]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_too_short_takes_nobody_away() {
    for (n, guards) in worlds() {
        for (what, write, ends) in &FILES {
            let world = World::of_file(n, &guards).await;
            match (write, &world.wired.source) {
                (Write::Text(text), _) => world.write(&text(n)),
                (Write::Meanwhile, Source::File(is_due)) => is_due.store(true, Ordering::Relaxed),
                (Write::Meanwhile, Source::Scim(..)) => unreachable!(),
            }
            world.check(what, *ends, || world.write(&people(0..n))).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_hold_too_little_take_nobody_away() {
    for (n, guards) in worlds() {
        for (what, paging, faults, ends) in ANSWERS {
            let world = World::of_scim(n, &guards, paging).await;
            let Source::Scim(source, _) = &world.wired.source else { unreachable!() };
            source.set_faults(faults.iter().map(|line| parse_fault(line, 7).unwrap()).collect());
            world.check(what, ends, || source.set_faults(Vec::new())).await;
        }
    }
}

/// The file of somebody else, of the right form: its people come, as nobody can know better, and nobody goes. The cycle can be
/// taken back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_of_another_company_takes_nobody_away() {
    let cx = Context::new("test");
    let world = World::of_file(100, &json!({})).await;
    let before = world.sent().len();
    world.write(&people(500..600));
    let bad = world.run().await.unwrap();
    assert_eq!((bad.status, bad.counts.created), (CycleStatus::Held, 100), "{bad:?}");
    let sent = world.sent().split_off(before);
    assert!(sent.iter().all(|line| line == "POST /scim/v2/Users"), "{sent:#?}");

    world.write(&people(0..100));
    let spec_of = |_: &_| Some(world.spec.clone());
    let undone = world.engine.revert(&bad.cycle, &spec_of, false, Arc::default(), &cx).await.unwrap();
    assert_eq!(undone.status, CycleStatus::Held, "a hundred accounts are many: {undone:?}");
    let released = world.engine.release(&world.job, &world.spec, &Default::default(), Arc::default(), &cx).await;
    assert_eq!(released.unwrap().counts.disabled, 100);
    let report = world.run().await.unwrap();
    assert_eq!(report.status, CycleStatus::Held, "{report:?}");
    let released = world.engine.release(&world.job, &world.spec, &Default::default(), Arc::default(), &cx).await;
    assert_eq!(released.unwrap().counts.deleted, 100);
    assert_eq!(world.run().await.unwrap().counts.writes(), 0);
    let users = all(&world.http, "/Users").await;
    assert_eq!(users.iter().filter(|user| user["active"] != false).count(), 100);
    assert!(users.iter().all(|user| user["displayName"].as_str().unwrap().len() < "First500".len()), "{users:#?}");
}
