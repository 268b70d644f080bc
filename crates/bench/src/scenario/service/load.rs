//! The same requests for every server: creates, look-ups of users who are there by userName, PATCHes of two attributes. First
//! as fast as it goes for a while, then at half that rate, each request at its time whether the one before is answered
//! or not: so that a server that stalls is seen to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hyper::Method;
use serde::Deserialize;
use tokio::task::JoinSet;

use super::caller::Caller;
use super::server::Server;
use crate::error::{Error, Result};
use crate::people::{Person, user};
use crate::random::Random;
use crate::scenario::numbers::percentile;

/// How long each operation is measured.
const SPAN: Duration = Duration::from_millis(2_000);
/// Users before anything is measured.
const POPULATION: u64 = 2_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Create,
    LookUp,
    Patch,
}

impl Operation {
    pub const ALL: [Self; 3] = [Self::Create, Self::LookUp, Self::Patch];

    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::LookUp => "look up",
            Self::Patch => "patch",
        }
    }
}

/// One operation at one server.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// From the time a request should have been sent.
    pub half_p99_ms: f64,
}

/// All operations at one server, once.
#[derive(Debug, Clone)]
pub struct Round(Vec<Measured>);

impl Round {
    pub fn of(&self, operation: Operation) -> &Measured {
        &self.0[operation as usize]
    }
}

/// A server and the users it has by now.
pub struct Load<'s> {
    server: &'s Server,
    state: Arc<State>,
    in_flight: usize,
}

struct State {
    seed: u64,
    /// Users who are there, by their numbers from 0.
    made: AtomicU64,
    next: AtomicU64,
    ids: Vec<String>,
}

#[derive(Deserialize)]
struct Identified {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct List {
    total_results: u64,
}

impl<'s> Load<'s> {
    /// Gives the server its first users.
    pub async fn new(server: &'s Server, seed: u64, in_flight: usize) -> Result<Self> {
        let mut workers = JoinSet::new();
        let next = Arc::new(AtomicU64::new(0));
        for _ in 0..in_flight {
            let (mut caller, next) = (Caller::to(server), Arc::clone(&next));
            workers.spawn(async move {
                let mut made = Vec::new();
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    if number >= POPULATION {
                        return Ok::<_, Error>(made);
                    }
                    let body = user::json_of(&Person::new(seed, number));
                    let answer = caller.send(Method::POST, "/Users", body, &[201]).await?;
                    made.push(serde_json::from_slice::<Identified>(&answer).map_err(Error::json("read a user"))?.id);
                }
            });
        }
        let mut ids = Vec::new();
        while let Some(ended) = workers.join_next().await {
            ids.extend(ended.map_err(|e| Error::Other(format!("worker ended early: {e}")))??);
        }
        let state = State { seed, made: AtomicU64::new(POPULATION), next: AtomicU64::new(POPULATION), ids };
        Ok(Self { server, state: Arc::new(state), in_flight })
    }

    pub async fn round(&mut self) -> Result<Round> {
        let mut all = Vec::with_capacity(Operation::ALL.len());
        for operation in Operation::ALL {
            let (seconds, mut latencies) = self.drive(operation, None).await?;
            let per_second = latencies.len() as f64 / seconds;
            latencies.sort_unstable();
            let (_, mut late) = self.drive(operation, Some(per_second / 2.0)).await?;
            late.sort_unstable();
            let ms = |us: u32| f64::from(us) / 1000.0;
            all.push(Measured {
                per_second,
                p50_ms: ms(percentile(&latencies, 0.50)),
                p99_ms: ms(percentile(&latencies, 0.99)),
                half_p99_ms: ms(percentile(&late, 0.99)),
            });
        }
        Ok(Round(all))
    }

    /// Sends for a while; the seconds it took and the microseconds of each request. With a rate, each is sent at its time.
    async fn drive(&self, operation: Operation, rate: Option<f64>) -> Result<(f64, Vec<u32>)> {
        let (start, turn) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        let mut workers = JoinSet::new();
        for worker in 0..self.in_flight {
            let (mut caller, state, turn) = (Caller::to(self.server), Arc::clone(&self.state), Arc::clone(&turn));
            let mut random = Random::new(state.seed ^ worker as u64 ^ state.made.load(Relaxed));
            workers.spawn(async move {
                let mut latencies = Vec::new();
                loop {
                    let mut due = Instant::now();
                    if let Some(rate) = rate {
                        due = start + Duration::from_secs_f64(turn.fetch_add(1, Relaxed) as f64 / rate);
                        tokio::time::sleep_until(due.into()).await;
                    }
                    if due.duration_since(start) >= SPAN {
                        return Ok::<_, Error>(latencies);
                    }
                    send(operation, &state, &mut caller, &mut random).await?;
                    latencies.push(u32::try_from(due.elapsed().as_micros()).unwrap_or(u32::MAX));
                }
            });
        }
        let mut latencies = Vec::new();
        while let Some(ended) = workers.join_next().await {
            latencies.extend(ended.map_err(|e| Error::Other(format!("worker ended early: {e}")))??);
        }
        Ok((start.elapsed().as_secs_f64(), latencies))
    }
}

async fn send(operation: Operation, state: &State, caller: &mut Caller, random: &mut Random) -> Result<()> {
    match operation {
        Operation::Create => {
            let number = state.next.fetch_add(1, Relaxed);
            let body = user::json_of(&Person::new(state.seed, number));
            caller.send(Method::POST, "/Users", body, &[201]).await?;
        }
        Operation::LookUp => {
            let person = Person::new(state.seed, random.below(POPULATION));
            let path = format!("/Users?filter=userName%20eq%20%22{}%40example.org%22", person.login());
            let answer = caller.send(Method::GET, &path, String::new(), &[200]).await?;
            let list: List = serde_json::from_slice(&answer).map_err(Error::json("read a list"))?;
            if list.total_results != 1 {
                return Err(Error::Other(format!("{} users at {path} instead of one", list.total_results)));
            }
        }
        Operation::Patch => {
            let id = &state.ids[random.below(state.ids.len() as u64) as usize];
            let value = random.below(1 << 30);
            let body = format!(
                "{{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"],\"Operations\":[{{\"op\":\"replace\",\
                 \"path\":\"title\",\"value\":\"T {value}\"}},{{\"op\":\"replace\",\"path\":\"{}:department\",\
                 \"value\":\"D {value}\"}}]}}",
                user::ENTERPRISE
            );
            caller.send(Method::PATCH, &format!("/Users/{id}"), body, &[200, 204]).await?;
        }
    }
    Ok(())
}
