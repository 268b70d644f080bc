//! How long somebody who leaves keeps his account: from the change in the directory to the disable's arrival at the target,
//! while nothing else happens, and while an initial cycle of everybody runs in the same job.
//!
//! The real service with its schedule, and a target of our own that notes when each PATCH arrives. The time runs from the
//! moment before the change is sent to the directory, so the directory's own answer is in it.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, body::Incoming};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::child::measure;
use super::numbers::{Spread, percentile};
use super::service::caller::{Address, Caller};
use super::service::load::each_worker;
use super::service::request;
use super::service::server::Server;
use super::verdict::{Gate, Goal};
use super::{Context, Outcome, yaml};
use crate::error::{Error, Result};
use crate::people::Person;
use crate::random::nth;
use crate::sink::{Sink, Weather};

const IDLE: Goal = Goal::at_most(26, "leaver while nothing else happens, p99 ms", Gate::Wall, 250.0, 100.0);
const BUSY: Goal = Goal::at_most(27, "leaver during an initial cycle of everybody, p99 ms", Gate::Wall, 1_000.0, 250.0);

/// From here on a population is the one that the goals are about.
const MANY: u64 = 100_000;
/// People with an account before the initial cycle.
const STAFF: u64 = 2_000;
/// Who leaves while nothing else happens, and at most how many during the cycle.
const LEAVERS: u64 = 300;
/// How long the target takes for each request: a fast one in the same data centre.
const LATENCY_MS: u64 = 5;
/// Whoever is not disabled by then never will be.
const PATIENCE: Duration = Duration::from_secs(60);

const JOB: &str = "directory-to-app";

/// Arrival times of PATCHes by the path's id.
type Arrivals = Arc<Mutex<HashMap<String, Instant>>>;

pub fn run(context: &Context) -> Result<Outcome> {
    let mut outcome = Outcome::new("leavers", context.users, "(time)", context);
    let Some(binary) = context.engine.as_ref().and_then(|engine| engine.binary()) else {
        outcome.checks.extend([IDLE.judge(None), BUSY.judge(None)]);
        outcome.figure("hint", "only the real binary serves: --engine provost");
        return Ok(outcome);
    };
    let folder = context.scratch("leavers")?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::io("start runtime"))?;
    runtime.block_on(async {
        let bench = Bench::start(context, binary, &folder).await?;
        let idle = bench.idle().await?;
        let busy = bench.busy(context).await?;
        let applies = context.users >= MANY;
        for (goal, name, times) in [(IDLE, "idle", &idle), (BUSY, "busy", &busy.times)] {
            let p99 = f64::from(percentile(times, 0.99)) / 1000.0;
            outcome.checks.push(goal.judge_if(applies, Spread::of(&[p99])));
            let ms = |share| f64::from(percentile(times, share) / 10) / 100.0;
            let figures =
                json!({ "leavers": times.len(), "p50": ms(0.5), "p95": ms(0.95), "p99": ms(0.99), "max": ms(1.0) });
            outcome.figure(&format!("{name}, ms"), figures);
        }
        outcome.figure("initial cycle, s", (busy.seconds * 10.0).round() / 10.0);
        outcome.figure("accounts at the end", busy.accounts);
        Ok(outcome)
    })
}

struct Bench {
    seed: u64,
    server: Server,
    binary: std::path::PathBuf,
    folder: std::path::PathBuf,
    /// The target as a client sees it.
    target: Address,
    arrivals: Arrivals,
    /// Directory ids by number.
    staff: Vec<String>,
}

/// What was found during the initial cycle; times in microseconds, sorted.
struct Busy {
    times: Vec<u32>,
    seconds: f64,
    accounts: u64,
}

impl Bench {
    async fn start(context: &Context, binary: &Path, folder: &Path) -> Result<Self> {
        let arrivals = Arrivals::default();
        let host = serve(arrivals.clone()).await?;
        let config = yaml::fill(yaml::LEAVERS, &format!("http://{host}"), context.in_flight);
        let server = Server::provost(binary, folder, &config).await?;
        let target = Address { host, path: "/scim/v2".to_owned(), token: "bench".to_owned() };
        let (binary, folder) = (binary.to_owned(), folder.to_owned());
        let mut bench = Self { seed: context.seed, server, binary, folder, target, arrivals, staff: Vec::new() };
        bench.staff = bench.join(context, 0..STAFF).await?;
        bench.until(STAFF).await?;
        Ok(bench)
    }

    /// People with these numbers join the directory; their ids there.
    async fn join(&self, context: &Context, people: std::ops::Range<u64>) -> Result<Vec<String>> {
        let (next, seed) = (Arc::new(AtomicU64::new(people.start)), self.seed);
        let workers = each_worker(context.in_flight, || {
            let (mut caller, next) = (Caller::to(&self.server.address), Arc::clone(&next));
            let end = people.end;
            async move {
                let mut made = Vec::new();
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    if number >= end {
                        return Ok(made);
                    }
                    made.push((number, request::create(&mut caller, seed, number).await?));
                }
            }
        });
        let mut made: Vec<(u64, String)> = workers.await?.into_iter().collect();
        made.sort_unstable();
        Ok(made.into_iter().map(|(_, id)| id).collect())
    }

    /// Accounts at the target.
    async fn accounts(&self) -> Result<u64> {
        let mut caller = Caller::to(&self.target);
        let answer = caller.send(Method::GET, "/Users?count=0", String::new(), &[200]).await?;
        let list: Value = serde_json::from_slice(&answer).map_err(Error::json("read a list"))?;
        Ok(list["totalResults"].as_u64().unwrap_or(0))
    }

    /// Waits until the target has so many accounts.
    async fn until(&self, accounts: u64) -> Result<()> {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            let now = self.accounts().await?;
            if now >= accounts {
                return Ok(());
            }
            if now != last {
                (last, since) = (now, Instant::now());
            }
            if since.elapsed() > PATIENCE {
                return Err(Error::Other(format!("the target stays at {now} accounts of {accounts}")));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The target's id of a person; none without account.
    async fn account(&self, caller: &mut Caller, number: u64) -> Result<Option<String>> {
        let login = Person::new(self.seed, number).login();
        let path = format!("/Users?filter=userName%20eq%20%22{login}%40example.org%22");
        let answer = caller.send(Method::GET, &path, String::new(), &[200]).await?;
        let list: Value = serde_json::from_slice(&answer).map_err(Error::json("read a list"))?;
        Ok(list["Resources"][0]["id"].as_str().map(str::to_owned))
    }

    /// Somebody leaves: microseconds until the target heard of it.
    async fn leave(&self, directory: &mut Caller, id: &str, account: &str) -> Result<u32> {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{ "op": "replace", "path": "active", "value": false }],
        });
        let arrived = || self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).get(account).copied();
        if arrived().is_some() {
            return Err(Error::Other(format!("the account {account} was written before its owner left")));
        }
        let start = Instant::now();
        directory.send(Method::PATCH, &format!("/Users/{id}"), body.to_string(), &[200, 204]).await?;
        loop {
            if let Some(at) = arrived() {
                return Ok(u32::try_from(at.saturating_duration_since(start).as_micros()).unwrap_or(u32::MAX));
            }
            if start.elapsed() > PATIENCE {
                return Err(Error::Other(format!("nobody disabled {account} in {PATIENCE:?}")));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// One leaves after another, at odd moments.
    async fn idle(&self) -> Result<Vec<u32>> {
        let (mut directory, mut target) = (Caller::to(&self.server.address), Caller::to(&self.target));
        // Whatever the last cycle of the preparation set off is over.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let mut times = Vec::new();
        for number in 0..LEAVERS {
            tokio::time::sleep(Duration::from_millis(20 + nth(self.seed, number) % 200)).await;
            let account = self.account(&mut target, number).await?;
            let account = account.ok_or_else(|| Error::Other(format!("person {number} has no account")))?;
            times.push(self.leave(&mut directory, &self.staff[number as usize], &account).await?);
        }
        times.sort_unstable();
        Ok(times)
    }

    /// Everybody joins while the job is paused; then people leave while the job's initial cycle makes accounts.
    async fn busy(&self, context: &Context) -> Result<Busy> {
        self.provost(&["pause", JOB])?;
        self.join(context, STAFF..STAFF + context.users).await?;
        self.provost(&["restart", JOB])?;
        let before = self.accounts().await?;
        self.provost(&["resume", JOB])?;
        self.until(before + context.users / 50).await?;
        let start = Instant::now();
        let (mut directory, mut target) = (Caller::to(&self.server.address), Caller::to(&self.target));
        let mut times = Vec::new();
        // Of those with an account from before: everybody else's is made at a moment that nobody knows.
        for number in LEAVERS..STAFF {
            let account = self.account(&mut target, number).await?;
            let account = account.ok_or_else(|| Error::Other(format!("person {number} has no account")))?;
            times.push(self.leave(&mut directory, &self.staff[number as usize], &account).await?);
            if self.accounts().await? >= before + context.users * 19 / 20 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(nth(self.seed, number) % 60)).await;
        }
        self.until(before + context.users).await?;
        let seconds = start.elapsed().as_secs_f64();
        times.sort_unstable();
        Ok(Busy { times, seconds, accounts: self.accounts().await? })
    }

    /// A command on the same store as the service.
    fn provost(&self, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.binary);
        command.args(arguments).env("NO_COLOR", "1");
        measure(command, &self.folder).map(drop)
    }
}

/// The target, in this process: the sink behind an ear for PATCHes. Its address.
async fn serve(arrivals: Arrivals) -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(Error::io("listen"))?;
    let host = listener.local_addr().map_err(Error::io("listen"))?.to_string();
    let sink = Arc::new(Sink::new(format!("http://{host}"), Weather { latency_ms: LATENCY_MS, ..Weather::default() }));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).ok();
            let (sink, arrivals) = (Arc::clone(&sink), Arc::clone(&arrivals));
            tokio::spawn(async move {
                let service = service_fn(move |request: hyper::Request<Incoming>| {
                    if request.method() == Method::PATCH
                        && let Some(id) = request.uri().path().rsplit('/').next()
                    {
                        let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
                        arrivals.entry(id.to_owned()).or_insert_with(Instant::now);
                    }
                    let sink = Arc::clone(&sink);
                    async move { sink.handle(request).await }
                });
                http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
            });
        }
    });
    Ok(host)
}
