//! A job from two HR files (people, and teams with members) to a SCIM server that others wrote, through a proxy that counts
//! and breaks: what the tests of real targets share. The files, the SCIM connector and its layers are the real ones.
#![allow(clippy::print_stdout, dead_code, clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use provost_connector::layers::{RetryPolicy, stack};
use provost_connector::{
    Applied, Capabilities, CheckResult, Connector, ConnectorError, Context, ErrorCode, FindRequest, Host,
    LookupRequest, Page, Scan, ScanRequest, Secret, Session, Settings,
};
use provost_connectors::file::FileConnector;
use provost_connectors::scim::ScimConnector;
use provost_connectors::scim::probe::{self, probe};
use provost_engine::{Connections, CycleReport, Engine, EngineError, JobSpec, Patience, Progress, RunOptions};
use provost_fake::{Dialect, FakeTarget, Options};
use provost_model::clock::ManualClock;
use provost_model::{ConnectionName, JobName, ObjectId, Operation, Record, Schema};
use provost_store::{EventQuery, EventRow, LinkRow, Store};
use provost_testkit::{CountingProxy, Http, Peer, Rule, scim2_server, scimmy};
use serde_json::{Value as Json, json};

pub const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// Knows one secret, `token`.
pub struct OneSecret(pub String);

#[async_trait]
impl Host for OneSecret {
    async fn secret(&self, handle: &str) -> Result<Secret, ConnectorError> {
        assert_eq!(handle, "token", "the only secret of these tests");
        Ok(Secret::new(self.0.clone()))
    }
}

/// Several sessions as one with all their classes: a job has one source, and a file has one class.
struct Combined {
    sessions: Vec<Arc<dyn Session>>,
    capabilities: Capabilities,
}

impl Combined {
    fn new(sessions: Vec<Arc<dyn Session>>) -> Self {
        let mut capabilities = sessions[0].capabilities().clone();
        capabilities.classes = sessions.iter().flat_map(|session| session.capabilities().classes.clone()).collect();
        Self { sessions, capabilities }
    }

    fn of(&self, class: &str) -> &dyn Session {
        let of_class = self.sessions.iter().find(|session| session.capabilities().class(class).is_some());
        of_class.unwrap_or_else(|| panic!("no file of class {class}")).as_ref()
    }
}

#[async_trait]
impl Session for Combined {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }
    async fn schema(&self, cx: &Context) -> Result<Schema, ConnectorError> {
        let mut classes = Vec::new();
        for session in &self.sessions {
            classes.extend(session.schema(cx).await?.classes);
        }
        Ok(Schema { classes })
    }
    async fn test(&self, cx: &Context) -> Vec<CheckResult> {
        self.sessions[0].test(cx).await
    }
    async fn get(&self, cx: &Context, class: &str, id: &ObjectId) -> Result<Option<Record>, ConnectorError> {
        self.of(class).get(cx, class, id).await
    }
    async fn find(&self, cx: &Context, request: FindRequest) -> Result<Page, ConnectorError> {
        self.of(&request.class).find(cx, request).await
    }
    async fn lookup(&self, cx: &Context, request: LookupRequest) -> Result<Vec<Vec<Record>>, ConnectorError> {
        self.of(&request.class).lookup(cx, request).await
    }
    async fn count(&self, cx: &Context, class: &str) -> Result<u64, ConnectorError> {
        self.of(class).count(cx, class).await
    }
    async fn scan(&self, cx: &Context, request: ScanRequest) -> Result<Box<dyn Scan>, ConnectorError> {
        self.of(&request.class).scan(cx, request).await
    }
    async fn apply(&self, _: &Context, operations: &[Operation]) -> Vec<Applied> {
        let refuse = |operation: &Operation| {
            Applied::failed(operation.id.clone(), ConnectorError::new(ErrorCode::NotSupported, "a source"))
        };
        operations.iter().map(refuse).collect()
    }
}

pub async fn file(folder: &Path, settings: Json) -> Result<Arc<dyn Session>, ConnectorError> {
    let settings = Settings::new(settings.as_object().unwrap().clone(), folder);
    FileConnector::default().configure(settings, Arc::new(OneSecret(String::new()))).await
}

/// The SCIM connector in its layers, as the product wires it, with shorter waits.
pub async fn scim(url: &str, token: &str, more: &Json) -> Result<Arc<dyn Session>, ConnectorError> {
    let mut values = json!({"url": url, "token": {"secret": "token"}});
    values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let settings = Settings::new(values.as_object().unwrap().clone(), std::env::temp_dir());
    let session = ScimConnector::default().configure(settings, Arc::new(OneSecret(token.to_owned()))).await?;
    let wait = Duration::from_millis(5);
    let waits = RetryPolicy { first_wait: wait, throttled_wait: wait, ..RetryPolicy::default() };
    Ok(stack(session, waits, None))
}

/// The connections `hr` and `app`.
struct Wired {
    folder: PathBuf,
    url: String,
    token: String,
    settings: Json,
    /// Set up once, as in the product.
    app: tokio::sync::OnceCell<Arc<dyn Session>>,
}

#[async_trait]
impl Connections for Wired {
    async fn session(&self, name: &ConnectionName) -> Result<Arc<dyn Session>, ConnectorError> {
        if name.as_str() == "app" {
            let app = self.app.get_or_try_init(|| scim(&self.url, &self.token, &self.settings)).await?;
            return Ok(app.clone());
        }
        let people = json!({"path": "people.csv", "class": "person", "key": "id", "references": {"boss": "person"}});
        let teams = json!({
            "path": "teams.csv", "class": "team", "key": "id",
            "multi": {"members": ";"}, "references": {"members": "person"}
        });
        let files = vec![file(&self.folder, people).await?, file(&self.folder, teams).await?];
        Ok(Arc::new(Combined::new(files)))
    }
}

pub fn spec() -> JobSpec {
    let department = format!("{ENTERPRISE}:department");
    let manager = format!("{ENTERPRISE}:manager.value");
    serde_json::from_value(json!({
        "source": "hr", "target": "app",
        "objects": [{
            "from": "person", "to": "User",
            "match": [{"target": "userName", "source": "[login]"}],
            "attributes": {
                "userName": "[login]",
                "externalId": "[id]",
                "displayName": "Join(\" \", [first], [last])",
                "name.givenName": "[first]",
                "name.familyName": "[last]",
                "title": {"value": "[title]", "when_null": "clear"},
                "active": "IIF([status] = \"left\", \"False\", \"True\")",
                "emails[type eq \"work\"].value": "[login]",
                department: "[dept]",
                manager: "[boss]",
            },
            "leavers": {"deleted": "delete"}
        }, {
            "from": "team", "to": "Group",
            "match": [{"target": "displayName", "source": "[name]"}],
            "attributes": {"displayName": "[name]", "members": "[members]"},
            "leavers": {"deleted": "delete"}
        }]
    }))
    .unwrap()
}

/// Who is in the HR system; written out as the two files.
#[derive(Debug, Clone, Default)]
pub struct Hr {
    pub people: BTreeMap<u32, Person>,
    pub teams: BTreeMap<u32, Team>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    pub login: String,
    pub title: String,
    pub dept: String,
    pub active: bool,
    pub boss: Option<u32>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Team {
    pub name: String,
    pub members: BTreeSet<u32>,
}

impl Hr {
    /// `people` people whose boss is person 0, and three teams that share them out.
    pub fn new(people: u32) -> Self {
        let mut hr = Self::default();
        for at in 0..people {
            hr.people.insert(at, person(at));
        }
        for (at, name) in ["Engines", "Looms", "Bridges"].into_iter().enumerate() {
            let members = (0..people).filter(|person| person % 3 == at as u32).collect();
            hr.teams.insert(at as u32, Team { name: name.into(), members });
        }
        hr
    }

    pub fn person(&mut self, at: u32) -> &mut Person {
        self.people.get_mut(&at).unwrap()
    }

    pub fn team(&mut self, at: u32) -> &mut Team {
        self.teams.get_mut(&at).unwrap()
    }

    /// Gone from the files altogether, as member and as boss, too.
    pub fn remove(&mut self, at: u32) {
        self.people.remove(&at);
        self.people.values_mut().filter(|person| person.boss == Some(at)).for_each(|person| person.boss = None);
        self.teams.values_mut().for_each(|team| team.members.retain(|member| *member != at));
    }

    fn people_csv(&self) -> String {
        let mut text = String::from("id,login,first,last,title,dept,status,boss\n");
        for (at, Person { login, title, dept, active, boss }) in &self.people {
            let status = if *active { "active" } else { "left" };
            let boss = boss.map(|boss| format!("p{boss}")).unwrap_or_default();
            text.push_str(&format!("p{at},{login},First{at},Last{at},{title},{dept},{status},{boss}\n"));
        }
        text
    }

    fn teams_csv(&self) -> String {
        let mut text = String::from("id,name,members\n");
        for (at, Team { name, members }) in &self.teams {
            let members: Vec<String> = members.iter().map(|member| format!("p{member}")).collect();
            text.push_str(&format!("t{at},{name},{}\n", members.join(";")));
        }
        text
    }

    /// What the target should have: one line an account and a group, by names and not by ids.
    pub fn expected(&self) -> Vec<String> {
        let login = |at: &u32| self.people[at].login.as_str();
        let mut lines = Vec::new();
        for (at, person) in &self.people {
            let boss = person.boss.as_ref().map_or("-", login);
            let title = if person.title.is_empty() { "-" } else { &person.title };
            let Person { login, dept, active, .. } = person;
            lines.push(format!("{login} p{at} First{at} Last{at} {title} {dept} {active} boss {boss} mail {login}"));
        }
        for team in self.teams.values() {
            let mut members: Vec<&str> = team.members.iter().map(login).collect();
            members.sort();
            lines.push(format!("group {}: {}", team.name, members.join(" ")));
        }
        lines.sort();
        lines
    }
}

pub fn person(at: u32) -> Person {
    Person {
        login: format!("p{at}@example.org"),
        title: format!("Title{}", at % 4),
        dept: format!("D{}", at % 3),
        active: true,
        boss: (at > 0).then_some(0),
    }
}

/// Everything that a SCIM server has, in the words of [`Hr::expected`]. Accounts of a reserved prefix are left out.
pub async fn held(http: &Http) -> Vec<String> {
    let (users, groups) = (all(http, "/Users").await, all(http, "/Groups").await);
    let text = |json: &Json| json.as_str().unwrap_or("-").to_owned();
    let names: BTreeMap<String, String> =
        users.iter().map(|user| (text(&user["id"]), text(&user["userName"]))).collect();
    let name = |id: &Json| match id.as_str() {
        Some(id) => names.get(id).cloned().unwrap_or_else(|| format!("?{id}")),
        None => "-".into(),
    };
    let mut lines = Vec::new();
    for user in &users {
        let mails: Vec<String> = user["emails"].as_array().unwrap().iter().map(|mail| text(&mail["value"])).collect();
        lines.push(format!(
            "{} {} {} {} {} {} {} boss {} mail {}",
            text(&user["userName"]),
            text(&user["externalId"]),
            text(&user["name"]["givenName"]),
            text(&user["name"]["familyName"]),
            text(&user["title"]),
            text(&user[ENTERPRISE]["department"]),
            user["active"],
            name(&user[ENTERPRISE]["manager"]["value"]),
            mails.join("+"),
        ));
    }
    for group in &groups {
        let none = Vec::new();
        let mut members: Vec<String> =
            group["members"].as_array().unwrap_or(&none).iter().map(|member| name(&member["value"])).collect();
        members.sort();
        lines.push(format!("group {}: {}", text(&group["displayName"]), members.join(" ")));
    }
    lines.sort();
    lines
}

/// All resources of an endpoint.
pub async fn all(http: &Http, endpoint: &str) -> Vec<Json> {
    let mut found: Vec<Json> = Vec::new();
    loop {
        let page = http.get(&format!("{endpoint}?startIndex={}&count=1000", found.len() + 1)).await.unwrap();
        assert_eq!(page.status, 200, "{:?}", page.body);
        let total = page.body["totalResults"].as_u64().unwrap() as usize;
        if found.len() < total {
            found.extend(page.body["Resources"].as_array().unwrap().iter().cloned());
        }
        if found.len() >= total {
            return found;
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Scim2Server,
    Scimmy,
    /// Ours, with the ways of another.
    Fake,
}

impl Which {
    pub const BOTH: [Which; 2] = [Which::Scim2Server, Which::Scimmy];
}

pub struct World {
    pub which: Which,
    pub peer: Option<Peer>,
    pub fake: Option<FakeTarget>,
    pub proxy: CountingProxy,
    /// Straight to the peer, past proxy and connector.
    pub http: Http,
    pub folder: tempfile::TempDir,
    pub engine: Engine,
    pub clock: ManualClock,
    pub job: JobName,
    pub spec: JobSpec,
    pub hr: Hr,
}

/// What a trial of a target says of it. It leaves so many objects behind, which nobody could remove.
pub async fn dialect_of(url: &str, token: &str, left: usize) -> Json {
    let settings = json!({ "url": url, "token": { "secret": "token" } });
    let settings = Settings::new(settings.as_object().unwrap().clone(), ".");
    let host = Arc::new(OneSecret(token.to_owned()));
    let found = probe(&Context::new("probe"), &settings, host, &probe::Options::default()).await.unwrap();
    println!("{url}: {}", Json::Object(found.dialect.clone()));
    let not_fine = found.checks.iter().filter(|check| check.state != probe::State::Fine);
    not_fine.for_each(|check| println!("  {}: {}", check.id, check.found));
    assert_eq!(found.left_behind.len(), left, "{:?}", found.left_behind);
    Json::Object(found.dialect)
}

impl World {
    pub async fn new(which: Which, hr: Hr) -> Self {
        Self::with(which, hr, json!({})).await
    }

    /// `settings`: further settings of the connection, as an administrator writes them.
    pub async fn with(which: Which, hr: Hr, mut settings: Json) -> Self {
        let peer = match which {
            Which::Scim2Server => scim2_server::start().await.unwrap(),
            Which::Scimmy => {
                // It answers 400 to a change of `manager.value` where there is no manager yet, so the manager goes as an
                // object.
                let dialect = settings.as_object_mut().unwrap().entry("dialect").or_insert_with(|| json!({}));
                dialect["patch_style"] = "pathless".into();
                scimmy::start().await.unwrap()
            }
            Which::Fake => panic!("World::fake makes it"),
        };
        let (url, token, http) = (peer.base_url(), peer.token().to_owned(), peer.http());
        Self::before(which, Some(peer), None, &url, &token, http, hr, settings).await
    }

    /// A peer whose dialect a trial finds out first.
    pub async fn tried(which: Which, hr: Hr) -> Self {
        let peer = match which {
            Which::Scim2Server => scim2_server::start().await.unwrap(),
            _ => scimmy::start().await.unwrap(),
        };
        let (url, token, http) = (peer.base_url(), peer.token().to_owned(), peer.http());
        let dialect = dialect_of(&url, &token, 0).await;
        Self::before(which, Some(peer), None, &url, &token, http, hr, json!({ "dialect": dialect })).await
    }

    /// A target of this dialect, with these faults, and a client with these settings.
    pub async fn fake(dialect: &str, faults: Vec<Rule>, hr: Hr, settings: Json) -> Self {
        Self::fake_of(Dialect::named(dialect).unwrap(), faults, hr, settings).await
    }

    /// A target with these ways.
    pub async fn fake_of(dialect: Dialect, faults: Vec<Rule>, hr: Hr, settings: Json) -> Self {
        let fake = FakeTarget::start(Options { dialect, faults, ..Options::default() }).await.unwrap();
        let (url, token) = (fake.url().to_owned(), fake.token().to_owned());
        let http = Http::new(fake.plain().await.unwrap(), Some(&token));
        Self::before(Which::Fake, None, Some(fake), &url, &token, http, hr, settings).await
    }

    #[expect(clippy::too_many_arguments, reason = "the two constructors above are its only callers")]
    async fn before(
        which: Which,
        peer: Option<Peer>,
        fake: Option<FakeTarget>,
        url: &str,
        token: &str,
        http: Http,
        hr: Hr,
        settings: Json,
    ) -> Self {
        let proxy = CountingProxy::start(url).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let wired = Wired {
            folder: folder.path().to_owned(),
            url: proxy.base_url().to_owned(),
            token: token.to_owned(),
            settings,
            app: tokio::sync::OnceCell::new(),
        };
        let clock = ManualClock::at("2026-11-22T08:00:00Z".parse().unwrap());
        let store = Store::open(&format!("sqlite:{}", folder.path().join("provost.db").display())).await.unwrap();
        let looks = [5, 20].map(Duration::from_millis).to_vec();
        let engine = Engine::new(store, Arc::new(wired), Arc::new(clock.clone())).with_patience(Patience { looks });
        Self { which, peer, fake, proxy, http, folder, engine, clock, job: "hr-to-app".into(), spec: spec(), hr }
    }

    /// Writes the HR files as they are now.
    pub fn write(&self) {
        std::fs::write(self.folder.path().join("people.csv"), self.hr.people_csv()).unwrap();
        std::fs::write(self.folder.path().join("teams.csv"), self.hr.teams_csv()).unwrap();
    }

    /// Writes the HR files and runs the job.
    pub async fn try_run(&self, options: RunOptions) -> Result<CycleReport, EngineError> {
        self.write();
        self.clock.advance_ms(60_000);
        self.engine.run(&self.job, &self.spec, options, Arc::<Progress>::default(), &Context::new("test")).await
    }

    pub async fn run(&self) -> CycleReport {
        match self.try_run(RunOptions::default()).await {
            Ok(report) => report,
            Err(error) => panic!("{:?}: {error}", self.which),
        }
    }

    pub async fn reconcile(&self) -> CycleReport {
        self.try_run(RunOptions { full: false, reconcile: true }).await.unwrap()
    }

    /// Runs, checks that the target is as the HR files say, and gives the report and the number of writes.
    pub async fn settle(&self, what: &str) -> (CycleReport, u64) {
        self.proxy.reset();
        let report = self.run().await;
        let writes = self.proxy.writes();
        self.agrees(what, &report).await;
        (report, writes)
    }

    /// The target is as the HR files say, and so are the links.
    pub async fn agrees(&self, what: &str, report: &CycleReport) {
        let (held, expected) = (held(&self.http).await, self.hr.expected());
        let differ =
            |a: &[String], b: &[String]| a.iter().filter(|line| !b.contains(line)).cloned().collect::<Vec<_>>();
        if held != expected {
            let failed: Vec<String> = self.failures().await;
            panic!(
                "{:?}, {what}\nat the target and not expected: {:#?}\nexpected and not there: {:#?}\n{report:?}\n{failed:#?}",
                self.which,
                differ(&held, &expected),
                differ(&expected, &held),
            );
        }
        self.links_agree(what).await;
    }

    /// Every link names an account that exists under the right name, and no account is linked twice.
    pub async fn links_agree(&self, what: &str) {
        let users = all(&self.http, "/Users").await;
        let names: BTreeMap<&str, &str> =
            users.iter().map(|user| (user["id"].as_str().unwrap(), user["userName"].as_str().unwrap())).collect();
        let mut seen = BTreeSet::new();
        for link in self.links("person").await {
            let Some(id) = &link.target_id else { continue };
            let at: u32 = link.source_id[1..].parse().unwrap();
            assert_eq!(names.get(id.as_str()).copied(), Some(&*self.hr.people[&at].login), "{what}: {link:?}");
            assert!(seen.insert(id.clone()), "{what}: linked twice: {link:?}");
        }
        assert_eq!(seen.len(), self.hr.people.len(), "{what}: everybody is linked");
    }

    pub async fn links(&self, class: &str) -> Vec<LinkRow> {
        self.engine.store().link_page(&self.job, class, None, 100_000).await.unwrap()
    }

    pub async fn events(&self) -> Vec<EventRow> {
        let query = EventQuery { limit: 100_000, newest_first: false, ..EventQuery::default() };
        self.engine.store().events(&query).await.unwrap()
    }

    /// Events that say that something failed, in short.
    pub async fn failures(&self) -> Vec<String> {
        let events = self.events().await.into_iter();
        let failed = events.filter(|event| event.status.as_str() != "done" && event.status.as_str() != "skipped");
        failed
            .map(|e| format!("{} {} {} {}: {}", e.source_id, e.action, e.status, e.code.unwrap_or_default(), e.reason))
            .collect()
    }

    /// The peer's id of an account.
    pub async fn id_of(&self, login: &str) -> String {
        let users = all(&self.http, "/Users").await;
        let user = users.iter().find(|user| user["userName"] == login);
        user.unwrap_or_else(|| panic!("no account {login}"))["id"].as_str().unwrap().to_owned()
    }

    pub async fn group_id(&self, name: &str) -> String {
        let groups = all(&self.http, "/Groups").await;
        let group = groups.iter().find(|group| group["displayName"] == name);
        group.unwrap_or_else(|| panic!("no group {name}"))["id"].as_str().unwrap().to_owned()
    }

    /// A PATCH straight at the peer.
    pub async fn meddle(&self, path: &str, operations: Json) {
        let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations});
        let answer = self.http.send("PATCH", path, Some(&body)).await.unwrap();
        assert!(matches!(answer.status, 200 | 204), "{:?}", answer.body);
    }
}
