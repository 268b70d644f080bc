//! Killed at any instant, the next run ends in the same state: no account doubled, none lost, no link to nowhere.
//!
//! A child process (this test binary again) runs one cycle after the other from an HR file of 5,000 people to a SCIM target
//! over HTTP, with its state in an SQLite file, and is killed by SIGKILL fifty times. Each time it is started again at once,
//! as a supervisor would; when it ends by itself while kills are left, the HR file moves on, so that kills fall into
//! creates, updates, deletes and the pass over the references. `PROVOST_SEED` repeats a run.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod peer_support;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use peer_support::{ENTERPRISE, all, file, scim};
use provost_bench::sink::{Sink, Weather, accept};
use provost_connector::{ConnectorError, Context, Session};
use provost_engine::{Connections, CycleStatus, Engine, EngineError, JobSpec, Progress, RunOptions};
use provost_model::{ConnectionName, JobName, SystemClock};
use provost_store::Store;
use provost_testkit::Http;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};

const PEOPLE: u64 = 5_000;
const KILLS: u32 = 50;
const JOB: &str = "hr-to-app";
const FOLDER: &str = "PROVOST_TEST_CRASH_FOLDER";
const URL: &str = "PROVOST_TEST_CRASH_URL";
/// What the child says when its cycle begins and how it ended; other lines are the test harness's.
const BEGINS: &str = "the cycle begins";
const ENDED: &str = "the cycle ended";

struct Wired {
    folder: PathBuf,
    url: String,
}

#[async_trait]
impl Connections for Wired {
    async fn session(&self, name: &ConnectionName) -> Result<Arc<dyn Session>, ConnectorError> {
        match name.as_str() {
            "app" => scim(&self.url, "any", &json!({})).await,
            _ => {
                let people =
                    json!({"path": "people.csv", "class": "person", "key": "id", "references": {"boss": "person"}});
                file(&self.folder, people).await
            }
        }
    }
}

fn spec() -> JobSpec {
    let manager = format!("{ENTERPRISE}:manager.value");
    serde_json::from_value(json!({
        "source": "hr", "target": "app",
        "objects": [{
            "from": "person", "to": "User",
            "match": [{"target": "userName", "source": "[login]"}],
            "attributes": {
                "userName": "[login]",
                "displayName": "Join(\" \", \"Person\", [id])",
                "title": "[title]",
                "active": "IIF([status] = \"left\", \"False\", \"True\")",
                manager: "[boss]",
            },
            "leavers": {"deleted": "delete"}
        }]
    }))
    .unwrap()
}

/// Whom the HR file has in its `version`: each moves some people, takes some away and brings as many.
fn people(version: u64) -> BTreeMap<String, Expected> {
    let mut people = BTreeMap::new();
    for at in version * 40..version * 40 + PEOPLE {
        let boss = (at % 10 == 3 && at > version * 40 + 3).then(|| format!("p{}", at - 3));
        let title = format!("Title {}", (at + version * u64::from(at % 3 == 0)) % 7);
        let active = at % 50 != 1 + version % 9;
        people.insert(format!("p{at}"), Expected { title, active, boss });
    }
    people
}

#[derive(Debug, Clone, PartialEq)]
struct Expected {
    title: String,
    active: bool,
    boss: Option<String>,
}

fn write_people(folder: &Path, version: u64) {
    let mut text = String::from("id,login,title,status,boss\n");
    for (id, Expected { title, active, boss }) in people(version) {
        let (status, boss) = (if active { "active" } else { "left" }, boss.unwrap_or_default());
        text.push_str(&format!("{id},{id}@example.org,{title},{status},{boss}\n"));
    }
    // As a careful exporter does: never half a file under the name that is read.
    std::fs::write(folder.join("people.new"), text).unwrap();
    std::fs::rename(folder.join("people.new"), folder.join("people.csv")).unwrap();
}

fn say(line: &str) {
    std::io::Write::write_all(&mut std::io::stdout(), format!("\n{line}\n").as_bytes()).unwrap();
    std::io::stdout().flush().unwrap();
}

/// One cycle, in the child alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_cycle() {
    let (Some(folder), Ok(url)) = (std::env::var_os(FOLDER), std::env::var(URL)) else { return };
    let folder = PathBuf::from(folder);
    let store = Store::open(&format!("sqlite:{}", folder.join("state.db").display())).await.unwrap();
    let engine = Engine::new(store, Arc::new(Wired { folder, url }), Arc::new(SystemClock));
    say(BEGINS);
    let progress = Arc::<Progress>::default();
    let job = JobName::from(JOB);
    match engine.run(&job, &spec(), RunOptions::default(), progress, &Context::new("crash")).await {
        Ok(report) if report.status == CycleStatus::Done => say(&format!("{ENDED}: {:?}", report.counts)),
        Ok(report) => panic!("{report:?}"),
        // The one thing that must not happen after a kill.
        Err(error @ EngineError::Busy { .. }) => panic!("a dead owner keeps the job: {error}"),
        Err(error) => panic!("{error}"),
    }
}

/// How a child ended.
#[derive(Debug, PartialEq)]
enum End {
    Killed,
    /// By itself; with what it counted.
    Itself(String),
}

/// Starts a child and kills it so long after its cycle began, unless it ends before.
async fn child(folder: &Path, url: &str, kill_after: Option<Duration>) -> End {
    let mut command = tokio::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child_cycle", "--nocapture", "--test-threads=1"]);
    command.env(FOLDER, folder).env(URL, url).env_remove("RUST_LOG");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let said = tokio::spawn(async move {
        let mut said = String::new();
        tokio::io::AsyncReadExt::read_to_string(&mut stderr, &mut said).await.unwrap();
        said
    });
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains(BEGINS) {
            break;
        }
    }
    let rest = async {
        let mut counts = None;
        while let Some(line) = lines.next_line().await.unwrap() {
            counts = line.strip_prefix(ENDED).map(str::to_owned).or(counts);
        }
        counts
    };
    let counts = match kill_after {
        Some(after) => match tokio::time::timeout(after, rest).await {
            Ok(counts) => counts,
            Err(_) => {
                child.start_kill().unwrap();
                child.wait().await.unwrap();
                return End::Killed;
            }
        },
        None => rest.await,
    };
    let status = child.wait().await.unwrap();
    match counts {
        Some(counts) if status.success() => End::Itself(counts),
        other => panic!("{status}, {other:?}: {}", said.await.unwrap()),
    }
}

/// The target has exactly the people of the file, each once, and the links say the same.
async fn check(folder: &Path, http: &Http, version: u64, ever: &mut BTreeSet<String>) {
    let expected = people(version);
    let users = all(http, "/Users").await;
    let text = |json: &serde_json::Value| json.as_str().unwrap_or_default().to_owned();
    let names: BTreeMap<String, String> = users
        .iter()
        .map(|user| (text(&user["id"]), text(&user["userName"]).trim_end_matches("@example.org").to_owned()))
        .collect();
    let mut accounts = BTreeMap::new();
    for user in &users {
        let boss = user[ENTERPRISE]["manager"]["value"].as_str();
        let boss = boss.map(|id| names.get(id).cloned().unwrap_or_else(|| format!("nobody, {id}")));
        let account =
            Expected { title: text(&user["title"]), active: user["active"].as_bool().unwrap_or_default(), boss };
        let twice = accounts.insert(names[&text(&user["id"])].clone(), account);
        assert!(twice.is_none(), "twice at the target: {user}");
    }
    for (id, account) in &accounts {
        assert!(expected.contains_key(id), "{id} should not be at the target in version {version}");
        assert_eq!(account, &expected[id], "{id} in version {version}");
    }
    // Who had left before ever being provisioned has no account.
    for (id, person) in &expected {
        if person.active {
            ever.insert(id.clone());
        }
        assert!(accounts.contains_key(id) || !person.active && !ever.contains(id), "{id} has no account");
    }
    let store = Store::open(&format!("sqlite:{}", folder.join("state.db").display())).await.unwrap();
    let links = store.link_page(JOB, "person", None, 1_000_000).await.unwrap();
    let mut linked = BTreeSet::new();
    for link in links {
        let Some(target) = &link.target_id else { continue };
        assert_eq!(names.get(target.as_str()).map(String::as_str), Some(link.source_id.as_str()), "{link:?}");
        assert!(linked.insert(target.to_string()), "{link:?} is the second of its account");
    }
    assert_eq!(linked.len(), accounts.len(), "every account is linked");
    let job = store.job(JOB).await.unwrap().unwrap();
    assert_eq!(job.linked.values().sum::<i64>(), linked.len() as i64, "the count of links that the guards go by");
    assert!(store.escrows(JOB).await.unwrap().is_empty());
    assert!(store.leases().await.unwrap().iter().all(|lease| lease.owner.is_empty()), "the lease was given back");
    store.close().await;
    let left: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("-lease-")), "no life signs are left: {left:?}");
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        limit.mul_f64(((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

/// An empty target.
async fn target() -> (String, Http) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/scim/v2", listener.local_addr().unwrap());
    tokio::spawn(accept(listener, Arc::new(Sink::new(url.clone(), Weather::default()))));
    (url.clone(), Http::new(url, None))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_kills_leave_no_trace() {
    let seed = match std::env::var("PROVOST_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => any_seed(),
    };
    say(&format!("PROVOST_SEED={seed}"));
    let mut dice = Dice(seed);

    // How long a cycle takes here and now, undisturbed.
    let (url, http) = target().await;
    let calm = tempfile::tempdir().unwrap();
    write_people(calm.path(), 0);
    let start = Instant::now();
    child(calm.path(), &url, None).await;
    let length = start.elapsed();
    check(calm.path(), &http, 0, &mut BTreeSet::new()).await;

    // What was done before a kill stays done, so kills within a tenth of the length cut a cycle up into many pieces and meet
    // it everywhere; every tenth comes at any instant.
    let (url, http) = target().await;
    let folder = tempfile::tempdir().unwrap();
    let (mut version, mut kills, mut tries) = (0, 0, 0);
    let mut ever = BTreeSet::new();
    write_people(folder.path(), version);
    while kills < KILLS {
        tries += 1;
        let most = if tries % 10 == 0 { length } else { length / 10 };
        match child(folder.path(), &url, Some(dice.below(most))).await {
            End::Killed => kills += 1,
            End::Itself(counts) => {
                say(&format!("version {version} ended by itself after {kills} kills{counts}"));
                check(folder.path(), &http, version, &mut ever).await;
                version += 1;
                write_people(folder.path(), version);
            }
        }
    }
    let counts = child(folder.path(), &url, None).await;
    say(&format!("version {version} in the end: {counts:?}; {kills} kills inside cycles, the first of {length:?}"));
    check(folder.path(), &http, version, &mut ever).await;
    // And that is the end of it: nothing is left to be done.
    let End::Itself(counts) = child(folder.path(), &url, None).await else { panic!("it was not killed") };
    assert!(counts.contains("created: 0, updated: 0, enabled: 0, disabled: 0, deleted: 0"), "{counts}");
    check(folder.path(), &http, version, &mut ever).await;
}

/// A fresh seed each run, printed.
fn any_seed() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}
