//! The divisor: the same users sent by a client that does nothing else. One HTTP/1.1 connection a worker, bare hyper, no
//! pool, no retries, no state. It knows the answers it needs and stops at the first that it did not expect.
//! Look next: `connection` (one worker's requests), `report` (what is printed).

mod connection;
mod report;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use hyper::Method;
use tokio::task::JoinSet;

pub use report::Report;

use crate::{
    error::{Error, Result},
    machine::cpu,
    people::{Person, user},
    random::choose,
};
use connection::Connection;

/// What each user costs the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Work {
    /// One POST.
    Create,
    /// One GET by userName that finds nothing, one POST.
    LookupCreate,
    /// One PATCH of title and department of a user that is there already.
    Patch,
}

#[derive(Debug, Clone)]
pub struct Plan {
    pub work: Work,
    /// `http://host:port`
    pub url: String,
    /// How many users to create or patch.
    pub users: u64,
    /// PATCH only: how many users the target holds, among which `users` are chosen at random.
    pub population: u64,
    pub in_flight: usize,
    /// Seed of the people.
    pub seed: u64,
    /// PATCH only: makes the choice and the new values differ from any other round's.
    pub round: u64,
}

/// Carries out a plan. The clock starts with all connections open and, for PATCH, all ids known.
pub fn run(plan: Plan) -> Result<Report> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::io("start runtime"))?;
    runtime.block_on(drive(Arc::new(plan)))
}

async fn drive(plan: Arc<Plan>) -> Result<Report> {
    let mut connections = Vec::with_capacity(plan.in_flight);
    for _ in 0..plan.in_flight.max(1) {
        connections.push(Connection::open(&plan.url).await?);
    }
    let targets = match (plan.work, connections.first_mut()) {
        (Work::Patch, Some(connection)) => Arc::new(ids(&plan, connection).await?),
        _ => Arc::new(Vec::new()),
    };
    let next = Arc::new(AtomicU64::new(0));
    let mut workers = JoinSet::new();
    let cpu_before = cpu::own();
    let start = Instant::now();
    for mut connection in connections {
        let (plan, next, targets) = (Arc::clone(&plan), Arc::clone(&next), Arc::clone(&targets));
        workers.spawn(async move {
            let mut latencies = Vec::with_capacity(2_048);
            loop {
                let index = next.fetch_add(1, Relaxed);
                if index >= plan.users.min(if plan.work == Work::Patch { targets.len() as u64 } else { u64::MAX }) {
                    return Ok::<_, Error>(latencies);
                }
                match plan.work {
                    Work::Create => create(&plan, &mut connection, index, &mut latencies).await?,
                    Work::LookupCreate => {
                        look_up(&plan, &mut connection, index, &mut latencies).await?;
                        create(&plan, &mut connection, index, &mut latencies).await?;
                    }
                    Work::Patch => patch(&plan, &mut connection, index, &targets, &mut latencies).await?,
                }
            }
        });
    }
    let mut latencies = Vec::new();
    while let Some(ended) = workers.join_next().await {
        latencies.extend(ended.map_err(|e| Error::Other(format!("worker ended early: {e}")))??);
    }
    let wall = start.elapsed().as_secs_f64();
    let cpu = cpu::own().since(cpu_before);
    Ok(Report::new(plan.users, wall, cpu, latencies))
}

async fn create(plan: &Plan, connection: &mut Connection, index: u64, latencies: &mut Vec<u32>) -> Result<()> {
    let body = user::json_of(&Person::new(plan.seed, index));
    let answer = connection.send(Method::POST, "/Users", body, 201, latencies).await?;
    // The engine must know the id to keep its link, so that reading it out belongs to the work.
    connection::id_of(&answer).map(drop)
}

async fn look_up(plan: &Plan, connection: &mut Connection, index: u64, latencies: &mut Vec<u32>) -> Result<()> {
    let path = lookup_path(&Person::new(plan.seed, index));
    let answer = connection.send(Method::GET, &path, String::new(), 200, latencies).await?;
    match connection::total_results(&answer)? {
        0 => Ok(()),
        n => Err(Error::Other(format!(
            "{n} users called {path} at a target that should be empty\nhint: reset the sink first"
        ))),
    }
}

async fn patch(
    plan: &Plan,
    connection: &mut Connection,
    n: u64,
    ids: &[String],
    latencies: &mut Vec<u32>,
) -> Result<()> {
    let body = format!(
        "{{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"],\"Operations\":[{{\"op\":\"replace\",\
         \"path\":\"title\",\"value\":\"Raw {} {n}\"}},{{\"op\":\"replace\",\"path\":\"{}:department\",\"value\":\"Raw {}\"}}]}}",
        plan.round,
        user::ENTERPRISE,
        plan.round,
    );
    let id = usize::try_from(n).ok().and_then(|n| ids.get(n)).map_or("", String::as_str);
    connection.send(Method::PATCH, &format!("/Users/{id}"), body, 200, latencies).await.map(drop)
}

fn lookup_path(person: &Person) -> String {
    format!("/Users?filter=userName%20eq%20%22{}%40example.org%22", person.login())
}

/// Ids of the users to patch, one lookup each, before the clock starts.
async fn ids(plan: &Plan, connection: &mut Connection) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for index in choose(plan.seed ^ plan.round, plan.population.max(plan.users), plan.users) {
        let path = lookup_path(&Person::new(plan.seed, index));
        let answer = connection.send(Method::GET, &path, String::new(), 200, &mut Vec::new()).await?;
        ids.push(connection::id_of_first(&answer)?);
    }
    Ok(ids)
}
