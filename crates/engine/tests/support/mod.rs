//! A job between two files in a temporary folder: the whole engine over the real file connector and a real store.
#![allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use provost_connector::{
    Applied, Capabilities, CheckResult, Connector, ConnectorError, Context, Cursor, End, ErrorCode, FindRequest, Host,
    LookupRequest, Page, Scan, ScanItem, ScanMode, ScanPage, ScanRequest, Secret, Session, Settings,
};
use provost_connectors::file::FileConnector;
use provost_engine::{Connections, CycleReport, Engine, EngineError, JobSpec, Progress, RunOptions};
use provost_model::clock::ManualClock;
use provost_model::{ConnectionName, JobName, ObjectId, Operation, Record, Schema};
use provost_store::{EventQuery, EventRow, Store};
use serde_json::json;

pub const DAY_MS: i64 = 86_400_000;

pub struct Fixture {
    files: Arc<Files>,
    pub folder: tempfile::TempDir,
    pub engine: Engine,
    pub clock: ManualClock,
    pub job: JobName,
    pub spec: JobSpec,
}

struct Files {
    files: HashMap<String, (serde_json::Value, PathBuf)>,
    way: Way,
    changes: Changes,
    /// Whether the target refuses what it is sent.
    refuses: Arc<AtomicBool>,
}

/// What a target is like that a file is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    /// It says that it can be asked by any attribute, as directories can.
    Askable,
    /// Of each read the first object is lost on the way, and nothing says so but the number at the end.
    Lossy,
    /// The same of the source.
    Torn,
    /// The source tells changes since a cursor: those that the test says there are.
    Feeding,
}

/// A read that loses its first object.
struct LossyScan {
    scan: Box<dyn Scan>,
    lost: bool,
}

#[async_trait]
impl Scan for LossyScan {
    async fn next(&mut self, cx: &Context) -> Result<ScanPage, ConnectorError> {
        let mut page = self.scan.next(cx).await?;
        if !self.lost && !page.items.is_empty() {
            page.items.remove(0);
            self.lost = true;
        }
        Ok(page)
    }
}

/// What changed at a source since it was last asked, and how many of these are a page; what was told is forgotten.
pub type Changes = Arc<Mutex<(Vec<ScanItem>, usize)>>;

/// A file that tells its changes, as directories can.
struct Feeding {
    file: Arc<dyn Session>,
    capabilities: Capabilities,
    changes: Changes,
}

struct Told {
    items: Vec<ScanItem>,
    page: usize,
    given: u64,
}

#[async_trait]
impl Scan for Told {
    async fn next(&mut self, _: &Context) -> Result<ScanPage, ConnectorError> {
        let rest = self.items.split_off(self.items.len().min(self.page));
        let items = std::mem::replace(&mut self.items, rest);
        self.given += items.len() as u64;
        let end = End { cursor: Some(Cursor("1".into())), ..End::complete(self.given) };
        Ok(ScanPage { items, end: self.items.is_empty().then_some(end), ..ScanPage::default() })
    }
}

#[async_trait]
impl Session for Feeding {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
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
    async fn lookup(&self, cx: &Context, request: LookupRequest) -> Result<Vec<Vec<Record>>, ConnectorError> {
        self.file.lookup(cx, request).await
    }
    async fn scan(&self, cx: &Context, request: ScanRequest) -> Result<Box<dyn Scan>, ConnectorError> {
        match request.mode {
            ScanMode::Changes { cursor: None } => Ok(Box::new(Told { items: Vec::new(), page: 1, given: 0 })),
            ScanMode::Changes { .. } => {
                let (items, page) = std::mem::take(&mut *self.changes.lock().unwrap());
                Ok(Box::new(Told { items, page: page.max(1), given: 0 }))
            }
            ScanMode::Full => self.file.scan(cx, request).await,
        }
    }
    async fn apply(&self, cx: &Context, operations: &[Operation]) -> Vec<Applied> {
        self.file.apply(cx, operations).await
    }
}

/// A file of which one can ask by any column.
struct Askable {
    file: Arc<dyn Session>,
    capabilities: Capabilities,
    lossy: bool,
    refuses: Arc<AtomicBool>,
}

#[async_trait]
impl Session for Askable {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
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
    async fn lookup(&self, cx: &Context, request: LookupRequest) -> Result<Vec<Vec<Record>>, ConnectorError> {
        self.file.lookup(cx, request).await
    }
    async fn scan(&self, cx: &Context, request: ScanRequest) -> Result<Box<dyn Scan>, ConnectorError> {
        let scan = self.file.scan(cx, request).await?;
        Ok(if self.lossy { Box::new(LossyScan { scan, lost: false }) } else { scan })
    }
    async fn apply(&self, cx: &Context, operations: &[Operation]) -> Vec<Applied> {
        if self.refuses.load(Ordering::Acquire) {
            let error = ConnectorError::new(ErrorCode::Constraint, "not today");
            return operations.iter().map(|operation| Applied::failed(operation.id.clone(), error.clone())).collect();
        }
        self.file.apply(cx, operations).await
    }
}

struct NoSecrets;

#[async_trait]
impl Host for NoSecrets {
    async fn secret(&self, handle: &str) -> Result<Secret, ConnectorError> {
        panic!("no secret {handle} in this test")
    }
}

#[async_trait]
impl Connections for Files {
    async fn session(&self, name: &ConnectionName) -> Result<Arc<dyn Session>, ConnectorError> {
        let (settings, base) = &self.files[name.as_str()];
        let settings = Settings::new(settings.as_object().unwrap().clone(), base);
        let file = FileConnector::default().configure(settings, Arc::new(NoSecrets)).await?;
        if self.way == Way::Feeding && name == "hr" {
            let mut capabilities = file.capabilities().clone();
            capabilities.classes.iter_mut().for_each(|class| class.changes = true);
            let changes = self.changes.clone();
            return Ok(Arc::new(Feeding { file, capabilities, changes }));
        }
        let other = if self.way == Way::Torn { "hr" } else { "app" };
        if self.way == Way::Plain || name != other {
            return Ok(file);
        }
        let mut capabilities = file.capabilities().clone();
        if self.way == Way::Askable {
            capabilities.classes.iter_mut().for_each(|class| class.lookup = vec!["*".into()]);
        }
        let (lossy, refuses) = (matches!(self.way, Way::Lossy | Way::Torn), self.refuses.clone());
        Ok(Arc::new(Askable { file, capabilities, lossy, refuses }))
    }
}

pub fn spec() -> JobSpec {
    serde_json::from_value(json!({
        "source": "hr", "target": "app",
        "objects": [{
            "from": "person", "to": "account",
            "scope": "status ne \"prospect\"",
            "match": [{"target": "login", "source": "[id]"}],
            "attributes": {
                "login": "[id]",
                "name": "Join(\" \", [first], [last])",
                "dept": "[dept]",
                "active": "IIF([status] = \"left\", \"false\", \"true\")"
            }
        }]
    }))
    .unwrap()
}

impl Fixture {
    pub async fn new() -> Self {
        Self::with(spec()).await
    }

    pub async fn with(spec: JobSpec) -> Self {
        Self::over(spec, Way::Plain).await
    }

    /// With a target of whose reads an object is lost.
    pub async fn lossy(spec: JobSpec) -> Self {
        Self::over(spec, Way::Lossy).await
    }

    /// With a source of whose reads an object is lost.
    pub async fn torn(spec: JobSpec) -> Self {
        Self::over(spec, Way::Torn).await
    }

    /// With a source that tells its changes.
    pub async fn feeding(spec: JobSpec) -> Self {
        Self::over(spec, Way::Feeding).await
    }

    /// With a target that can be asked by any attribute.
    pub async fn askable(spec: JobSpec) -> Self {
        Self::over(spec, Way::Askable).await
    }

    async fn over(spec: JobSpec, way: Way) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let hr = json!({"path": "hr.csv", "class": "person", "key": "id", "references": {"boss": "person"}});
        let app = json!({
            "path": "app.csv", "class": "account", "key": "login", "write": true,
            "enabled": {"column": "active", "on": "true", "off": "false"}
        });
        let base = folder.path().to_owned();
        let files = [("hr", hr), ("app", app)].map(|(name, json)| (name.to_owned(), (json, base.clone())));
        let clock = ManualClock::at("2026-11-22T08:00:00Z".parse().unwrap());
        let store = Store::open("sqlite::memory:").await.unwrap();
        let files = Arc::new(Files { files: files.into(), way, changes: Changes::default(), refuses: Arc::default() });
        let engine = Engine::new(store, files.clone(), Arc::new(clock.clone()));
        Self { files, folder, engine, clock, job: "hr-to-app".into(), spec }
    }

    pub fn connections(&self) -> Arc<dyn Connections> {
        self.files.clone()
    }

    /// What the source says next of its changes.
    pub fn changes(&self, items: Vec<ScanItem>) {
        self.pages(items, usize::MAX);
    }

    /// The same, in pages of so many.
    pub fn pages(&self, items: Vec<ScanItem>, page: usize) {
        *self.files.changes.lock().unwrap() = (items, page);
    }

    /// Whether the target refuses what it is sent, each operation by itself.
    pub fn refuse_writes(&self, refuses: bool) {
        self.files.refuses.store(refuses, Ordering::Release);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write_hr(&self, text: impl AsRef<[u8]>) {
        std::fs::write(self.path("hr.csv"), text).unwrap();
    }

    /// People `p0` to `p{n-1}`; `row` may replace or drop one.
    pub fn people(&self, n: usize, row: impl Fn(usize) -> Option<String>) -> String {
        let mut text = String::from("id,first,last,dept,status,boss\n");
        for at in 0..n {
            if let Some(line) = row(at) {
                text.push_str(&line);
                text.push('\n');
            }
        }
        text
    }

    pub fn write_people(&self, n: usize) {
        self.write_hr(self.people(n, person));
    }

    pub fn app(&self) -> String {
        std::fs::read_to_string(self.path("app.csv")).unwrap_or_default()
    }

    pub fn app_lines(&self) -> usize {
        self.app().lines().count().saturating_sub(1)
    }

    pub async fn run(&self) -> Result<CycleReport, EngineError> {
        self.run_with(RunOptions::default()).await
    }

    pub async fn run_with(&self, options: RunOptions) -> Result<CycleReport, EngineError> {
        self.clock.advance_ms(60_000);
        self.engine.run(&self.job, &self.spec, options, Arc::<Progress>::default(), &Context::new("test")).await
    }

    pub async fn events(&self) -> Vec<EventRow> {
        let query = EventQuery { limit: 10_000, newest_first: false, ..EventQuery::default() };
        self.engine.store().events(&query).await.unwrap()
    }
}

pub fn person(at: usize) -> Option<String> {
    Some(format!("p{at},First{at},Last{at},D{},active,", at % 3))
}

pub fn is_file(path: &Path) -> bool {
    path.is_file()
}
