//! What only our service is asked: a walk over everybody, a filter that no index knows, a member more in a group of many.
//! A service of its own, so that there are exactly as many users as it says, and its memory is that of this work.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::caller::Caller;
use super::load::each_worker;
use super::request;
use super::server::Server;
use crate::error::{Error, Result};
use crate::machine::cpu;
use crate::scenario::numbers::{Spread, percentile};
use crate::scenario::verdict::{Check, Gate, Goal};
use crate::scenario::{Context, Outcome};

const MEMBER: Goal = Goal::at_most(24, "one member into a group of many, ms", Gate::Wall, 10.0, 5.0);
const WALK: Goal = Goal::at_least(25, "cursor walk: last tenth / first tenth, pages/s", Gate::Wall, 0.9, 0.95);

/// From here on a population is the one that the goals are about.
const MANY: u64 = 100_000;
/// Members of one request while the group grows.
const CHUNK: usize = 1_000;
/// Resources of a page.
const PAGE: usize = 500;
/// Walks from the first page to the last.
const WALKS: usize = 3;
/// Members that are added one by one, and one more whose answer holds them all.
const SINGLE: usize = 50;
/// Times the filter is asked.
const SCANS: usize = 5;
/// How often memory is looked at while the filter runs.
const LOOK: Duration = Duration::from_millis(2);

/// What was found. Times are in milliseconds, memory in KiB.
struct Figures {
    members: usize,
    member_ms: Vec<f64>,
    whole_member_ms: f64,
    /// Pages a second of the first and the last tenth, for each walk.
    walks: Vec<(f64, f64)>,
    scan_ms: Vec<f64>,
    scan_grows_kib: u64,
    peak_kib: u64,
}

#[derive(Deserialize)]
struct Identified {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(rename = "Resources", default)]
    resources: Vec<Identified>,
    next_cursor: Option<String>,
}

/// Starts a service in `folder`, asks it and tells.
pub async fn run(context: &Context, binary: &Path, folder: &Path, outcome: &mut Outcome) -> Result<()> {
    let server = Server::provost(binary, folder, "").await?;
    let users = context.users.max(1) + SINGLE as u64 + 1;
    people(&server, context, users).await?;
    let (mut ids, mut walks) = (Vec::new(), Vec::new());
    for _ in 0..WALKS {
        let (found, rates) = walk(&server).await?;
        if found.len() as u64 != users {
            return Err(Error::Other(format!("a walk over {users} users found {}", found.len())));
        }
        ids = found;
        walks.push(rates);
    }
    let (scan_ms, scan_grows_kib) = scan(&server).await?;
    let (many, single) = ids.split_at(ids.len() - SINGLE - 1);
    let (member_ms, whole_member_ms) = members(&server, many, single).await?;
    let peak_kib = server.pid().and_then(cpu::peak_memory_kib).unwrap_or(0);
    let members = many.len();
    Figures { members, member_ms, whole_member_ms, walks, scan_ms, scan_grows_kib, peak_kib }.tell(outcome);
    Ok(())
}

/// The checks, unmeasured.
pub fn skipped() -> [Check; 2] {
    [MEMBER.judge(None), WALK.judge(None)]
}

async fn people(server: &Server, context: &Context, users: u64) -> Result<()> {
    let (next, seed) = (Arc::new(AtomicU64::new(0)), context.seed);
    let workers = each_worker(context.in_flight, || {
        let (mut caller, next) = (Caller::to(&server.address), Arc::clone(&next));
        async move {
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= users {
                    return Ok(Vec::<()>::new());
                }
                request::create(&mut caller, seed, number).await?;
            }
        }
    });
    workers.await.map(drop)
}

/// All ids, and the pages a second of the first and the last tenth.
async fn walk(server: &Server) -> Result<(Vec<String>, (f64, f64))> {
    let mut caller = Caller::to(&server.address);
    let (mut ids, mut times, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let path = format!("/Users?count={PAGE}&cursor={cursor}");
        let start = Instant::now();
        let answer = caller.send(Method::GET, &path, String::new(), &[200]).await?;
        times.push(start.elapsed().as_secs_f64());
        let page: Page = serde_json::from_slice(&answer).map_err(Error::json("read a page"))?;
        ids.extend(page.resources.into_iter().map(|resource| resource.id));
        match page.next_cursor {
            Some(next) => cursor = next,
            None => return Ok((ids, tenths(&times))),
        }
    }
}

/// Pages a second of the first and the last tenth of a walk: without its last page, which may be short, and its first, which
/// pays for the connection.
fn tenths(seconds: &[f64]) -> (f64, f64) {
    let full = match seconds {
        [_, full @ .., _] if !full.is_empty() => full,
        all => all,
    };
    let tenth = (full.len() / 10).max(1).min(full.len());
    let rate = |times: &[f64]| times.len() as f64 / times.iter().sum::<f64>();
    (rate(&full[..tenth]), rate(&full[full.len() - tenth..]))
}

/// Milliseconds of each, and by how many KiB the service's memory grew beyond what it had before the first, at most.
async fn scan(server: &Server) -> Result<(Vec<f64>, u64)> {
    let pid = server.pid().unwrap_or_default();
    let before = cpu::memory_kib(pid).unwrap_or(0);
    let ended = Arc::new(AtomicBool::new(false));
    let watcher = {
        let ended = Arc::clone(&ended);
        // The highest ever (VmHWM) would hide a growth below what loading had used.
        std::thread::spawn(move || {
            let mut most = 0;
            while !ended.load(Relaxed) {
                most = cpu::memory_kib(pid).unwrap_or(0).max(most);
                std::thread::sleep(LOOK);
            }
            most
        })
    };
    let mut caller = Caller::to(&server.address);
    let mut times = Vec::with_capacity(SCANS);
    let mut failed = None;
    for _ in 0..SCANS {
        let start = Instant::now();
        let path = "/Users?count=10&filter=title%20co%20%22x%22";
        if let Err(error) = caller.send(Method::GET, path, String::new(), &[200]).await {
            failed = Some(error);
            break;
        }
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    ended.store(true, Relaxed);
    let most = watcher.join().map_err(|_| Error::Other("who watches memory ended early".to_owned()))?;
    failed.map_or(Ok((times, most.saturating_sub(before))), Err)
}

/// Makes a group of `many`, adds `single` one by one: milliseconds of each, and of the last, whose answer is the whole group.
async fn members(server: &Server, many: &[String], single: &[String]) -> Result<(Vec<f64>, f64)> {
    let mut caller = Caller::to(&server.address);
    let group = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "many" });
    let made = caller.send(Method::POST, "/Groups", group.to_string(), &[201]).await?;
    let path = format!("/Groups/{}", request::id_of(&made)?);
    let minimal = [("prefer", "return=minimal")];
    for chunk in many.chunks(CHUNK) {
        caller.send_with(Method::PATCH, &path, add(chunk), &minimal, &[204]).await?;
    }
    let (last, single) = single.split_last().ok_or_else(|| Error::Other("no users to add".to_owned()))?;
    let mut times = Vec::with_capacity(single.len());
    for id in single {
        let start = Instant::now();
        caller.send_with(Method::PATCH, &path, add(std::slice::from_ref(id)), &minimal, &[204]).await?;
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    let start = Instant::now();
    let answer = caller.send(Method::PATCH, &path, add(std::slice::from_ref(last)), &[200]).await?;
    let whole = start.elapsed().as_secs_f64() * 1000.0;
    let group: Value = serde_json::from_slice(&answer).map_err(Error::json("read a group"))?;
    let (found, wanted) = (group["members"].as_array().map_or(0, Vec::len), many.len() + single.len() + 1);
    if found != wanted {
        return Err(Error::Other(format!("the group has {found} members, and {wanted} were added")));
    }
    Ok((times, whole))
}

fn add(ids: &[String]) -> String {
    let members: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
    let operation = json!({ "op": "add", "path": "members", "value": members });
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation] }).to_string()
}

impl Figures {
    fn tell(&self, outcome: &mut Outcome) {
        let mut micros: Vec<u32> = self.member_ms.iter().map(|ms| (ms * 1000.0) as u32).collect();
        micros.sort_unstable();
        let ratios: Vec<f64> = self.walks.iter().map(|(first, last)| last / first).collect();
        let median = |pick: fn(&(f64, f64)) -> f64| {
            Spread::of(&self.walks.iter().map(pick).collect::<Vec<_>>()).map(|spread| spread.median.round())
        };
        let applies = self.members as u64 >= MANY;
        outcome.checks.push(MEMBER.judge_if(applies, Spread::of(&self.member_ms)));
        outcome.checks.push(WALK.judge_if(applies, Spread::of(&ratios)));
        outcome.figure("group of", self.members as u64);
        outcome.figure("one member, p99 ms", f64::from(percentile(&micros, 0.99)) / 1000.0);
        outcome.figure("one member with all in the answer, ms", self.whole_member_ms.round());
        let pages = json!({ "first tenth": median(|walk| walk.0), "last tenth": median(|walk| walk.1) });
        outcome.figure("cursor walk, pages/s", pages);
        outcome.figure("filter without index, ms", json!(Spread::of(&self.scan_ms).map(Spread::rounded)));
        outcome.figure("filter without index, more memory, KiB", self.scan_grows_kib);
        outcome.figure("peak memory, MiB", (self.peak_kib as f64 / 102.4).round() / 10.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_a_walk() {
        for (seconds, wanted) in [
            (&[9.0, 0.5, 0.25, 9.0][..], (2.0, 4.0)),
            (&[9.0, 0.5, 9.0], (2.0, 2.0)),
            (&[0.5, 0.25], (2.0, 4.0)),
            (&[0.5], (2.0, 2.0)),
        ] {
            assert_eq!(tenths(seconds), wanted, "{seconds:?}");
        }
        let slower: Vec<f64> = (0..42).map(|page| if page < 21 { 0.25 } else { 0.5 }).collect();
        assert_eq!(tenths(&slower), (4.0, 2.0), "four pages of forty at each end");
    }
}
