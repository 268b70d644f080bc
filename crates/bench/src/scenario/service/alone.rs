//! What only our service is asked: a member more in a group of many, a walk over everybody, a filter that no index knows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::caller::Caller;
use super::server::Server;
use crate::error::{Error, Result};
use crate::machine::cpu;
use crate::people::{Person, user};
use crate::scenario::numbers::{Spread, percentile};
use crate::scenario::verdict::{Gate, Goal};
use crate::scenario::{Context, Outcome};

const MEMBER: Goal = Goal::at_most(24, "one member into a group of many, ms", Gate::Wall, 10.0, 5.0);
const WALK: Goal = Goal::at_least(25, "cursor walk: last tenth / first tenth, pages/s", Gate::Wall, 0.9, 0.95);

/// Members of one request while the group grows.
const CHUNK: usize = 1_000;
/// Resources of a page.
const PAGE: usize = 500;
/// Members that are added one by one.
const SINGLE: usize = 50;

pub struct Figures {
    users: usize,
    member_ms: Vec<f64>,
    whole_member_ms: f64,
    walk: (f64, f64),
    scan_ms: f64,
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
    #[serde(rename = "Resources")]
    resources: Vec<Identified>,
    next_cursor: Option<String>,
}

pub async fn measure(context: &Context, server: &Server) -> Result<Figures> {
    let users = context.users as usize;
    people(server, context).await?;
    let (ids, walk) = walk(server).await?;
    let mut caller = Caller::to(server);
    let group = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "many" });
    let made = caller.send(Method::POST, "/Groups", group.to_string(), &[201]).await?;
    let group = serde_json::from_slice::<Identified>(&made).map_err(Error::json("read a group"))?.id;
    let path = format!("/Groups/{group}");
    let minimal = [("prefer", "return=minimal")];
    let (many, single) = ids.split_at(ids.len().saturating_sub(SINGLE + 1));
    for chunk in many.chunks(CHUNK) {
        caller.send_with(Method::PATCH, &path, add(chunk), &minimal, &[204]).await?;
    }
    let mut member_ms = Vec::with_capacity(SINGLE);
    let (last, single) = single.split_last().ok_or_else(|| Error::Other("no users to add".to_owned()))?;
    for id in single {
        let start = Instant::now();
        caller.send_with(Method::PATCH, &path, add(std::slice::from_ref(id)), &minimal, &[204]).await?;
        member_ms.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    let start = Instant::now();
    caller.send(Method::PATCH, &path, add(std::slice::from_ref(last)), &[200]).await?;
    let whole_member_ms = start.elapsed().as_secs_f64() * 1000.0;
    let pid = server.pid.unwrap_or_default();
    let before = cpu::peak_memory_kib(pid).unwrap_or(0);
    let start = Instant::now();
    caller.send(Method::GET, "/Users?count=10&filter=title%20co%20%22zzz%22", String::new(), &[200]).await?;
    let scan_ms = start.elapsed().as_secs_f64() * 1000.0;
    let peak_kib = cpu::peak_memory_kib(pid).unwrap_or(0);
    let scan_grows_kib = peak_kib.saturating_sub(before);
    Ok(Figures { users, member_ms, whole_member_ms, walk, scan_ms, scan_grows_kib, peak_kib })
}

fn add(ids: &[String]) -> String {
    let members: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
    let operation = json!({ "op": "add", "path": "members", "value": members });
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation] }).to_string()
}

/// Fills the service up to the wanted number of users, others than those of the comparison.
async fn people(server: &Server, context: &Context) -> Result<()> {
    let (users, seed) = (context.users, context.seed ^ 0xa1);
    let next = Arc::new(AtomicU64::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..context.in_flight {
        let (mut caller, next) = (Caller::to(server), Arc::clone(&next));
        workers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= users {
                    return Ok::<_, Error>(());
                }
                let person = Person::new(seed, number);
                let body = user::json_of(&person).replace("@example.org", "@alone.example.org");
                caller.send(Method::POST, "/Users", body, &[201]).await?;
            }
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.map_err(|e| Error::Other(format!("worker ended early: {e}")))??;
    }
    Ok(())
}

/// All ids, and the pages a second of the first and the last tenth.
async fn walk(server: &Server) -> Result<(Vec<String>, (f64, f64))> {
    let mut caller = Caller::to(server);
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
            None => break,
        }
    }
    // The last page may be short, and the first pays for the connection.
    let full = &times[1.min(times.len() - 1)..times.len() - 1];
    let tenth = (full.len() / 10).max(1).min(full.len());
    let rate = |times: &[f64]| times.len() as f64 / times.iter().sum::<f64>();
    Ok((ids, (rate(&full[..tenth]), rate(&full[full.len() - tenth..]))))
}

impl Figures {
    pub fn tell(&self, outcome: &mut Outcome) {
        let micros: Vec<u32> = self.member_ms.iter().map(|ms| (ms * 1000.0) as u32).collect();
        let mut sorted = micros;
        sorted.sort_unstable();
        let (first, last) = self.walk;
        let one = |value: f64| Some(Spread { median: value, min: value, max: value });
        outcome.checks.push(MEMBER.judge(Spread::of(&self.member_ms)));
        outcome.checks.push(WALK.judge(one(last / first)));
        outcome.figure("group of", self.users as u64);
        outcome.figure("one member, p99 ms", f64::from(percentile(&sorted, 0.99)) / 1000.0);
        outcome.figure("one member with all in the answer, ms", self.whole_member_ms.round());
        outcome.figure("cursor walk, pages/s", json!({ "first tenth": first.round(), "last tenth": last.round() }));
        outcome.figure("filter without index, ms", self.scan_ms.round());
        outcome.figure("filter without index, more memory, KiB", self.scan_grows_kib);
        outcome.figure("peak memory, MiB", (self.peak_kib as f64 / 102.4).round() / 10.0);
    }
}
