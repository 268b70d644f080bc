//! Drives the SCIM connector, layers included, as the engine does: `requests URL create|lookup [users] [in flight]`.
//! Prints microseconds of CPU (user and system) a user. Run it against `provost-bench sink`, reset before each round.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use provost_connector::layers::{RetryPolicy, stack};
use provost_connector::{Connector, ConnectorError, Context, Host, LookupRequest, Outcome, Secret, Session, Settings};
use provost_connectors::scim::ScimConnector;
use provost_model::{Action, AttributePath, Change, ObjectId, Operation, OperationId, Value};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

struct Secrets;

#[async_trait]
impl Host for Secrets {
    async fn secret(&self, _handle: &str) -> Result<Secret, ConnectorError> {
        Ok(Secret::new("bench"))
    }
}

/// The attributes that the benchmark's jobs map.
fn paths() -> Vec<Arc<AttributePath>> {
    let core = [
        "externalId",
        "userName",
        "name.formatted",
        "name.familyName",
        "name.givenName",
        "displayName",
        "nickName",
        "title",
        "userType",
        "preferredLanguage",
        "timezone",
        "active",
        "emails[type eq \"work\"].value",
        "phoneNumbers[type eq \"work\"].value",
        "phoneNumbers[type eq \"mobile\"].value",
        "addresses[type eq \"work\"].locality",
        "addresses[type eq \"work\"].country",
    ];
    let enterprise = ["employeeNumber", "costCenter", "organization", "division", "department"];
    let core = core.iter().map(|path| (*path).to_owned());
    let all = core.chain(enterprise.iter().map(|name| format!("{ENTERPRISE}:{name}")));
    all.map(|path| Arc::new(path.parse().unwrap())).collect()
}

fn changes(paths: &[Arc<AttributePath>], n: u64) -> Vec<Change> {
    let login = format!("given.familyname{n}");
    let values = [
        format!("{n:06}").into(),
        format!("{login}@example.org").into(),
        format!("Given Familyname{n}").into(),
        format!("Familyname{n}").into(),
        "Given".into(),
        format!("Given Familyname{n}").into(),
        "Given".into(),
        "Senior Engineer".into(),
        "Employee".into(),
        "en".into(),
        "Europe/Zurich".into(),
        Value::Boolean(true),
        format!("{login}@example.org").into(),
        format!("+41 44 555 {n:06}").into(),
        format!("+41 79 555 {n:06}").into(),
        "Zurich".into(),
        "CH".into(),
        format!("{n:06}").into(),
        "CC-4100".into(),
        "Example Group".into(),
        "Technology".into(),
        "Platform Engineering".into(),
    ];
    paths.iter().zip(values).map(|(path, value): (_, Value)| Change::set(Arc::clone(path), value)).collect()
}

/// User and system microseconds of this process.
fn cpu_us() -> (u64, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    (fields[11].parse::<u64>().unwrap() * 10_000, fields[12].parse::<u64>().unwrap() * 10_000)
}

async fn one(session: &dyn Session, cx: &Context, paths: &[Arc<AttributePath>], look: bool, n: u64) {
    let changes = changes(paths, n);
    if look {
        let path = (*paths[1]).clone();
        let request = LookupRequest { class: "User".into(), path, values: vec![changes[1].value.clone()] };
        assert!(session.lookup(cx, request).await.unwrap().iter().all(Vec::is_empty));
    }
    let id = OperationId::from(n.to_string().as_str());
    let operation = Operation {
        id,
        action: Action::Create,
        class: "User".into(),
        target_id: None::<ObjectId>,
        changes,
        if_match: None,
    };
    let applied = session.apply(cx, std::slice::from_ref(&operation)).await;
    assert!(matches!(&applied[0].outcome, Outcome::Done(_)), "{applied:?}");
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let look = arguments.get(1).is_some_and(|work| work == "lookup");
    let users: u64 = arguments.get(2).map_or(50_000, |users| users.parse().unwrap());
    let in_flight: usize = arguments.get(3).map_or(32, |in_flight| in_flight.parse().unwrap());
    let settings = serde_json::json!({"url": arguments[0], "token": {"secret": "x"}, "max_in_flight": in_flight});
    let serde_json::Value::Object(settings) = settings else { unreachable!() };
    let session = ScimConnector::default().configure(Settings::new(settings, "."), Arc::new(Secrets)).await.unwrap();
    let session = stack(session, RetryPolicy::default(), None);
    let (cx, paths, next) = (Context::new("bench"), Arc::new(paths()), Arc::new(AtomicU64::new(0)));
    let (before, start) = (cpu_us(), Instant::now());
    let mut tasks = Vec::new();
    for _ in 0..in_flight {
        let (session, cx, paths, next) = (Arc::clone(&session), cx.clone(), Arc::clone(&paths), Arc::clone(&next));
        tasks.push(tokio::spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= users {
                    return;
                }
                one(&*session, &cx, &paths, look, n).await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let after = cpu_us();
    let each = |us: u64| us as f64 / users as f64;
    let (user, system) = (each(after.0 - before.0), each(after.1 - before.1));
    println!(
        "{:.1} us a user ({user:.1} user, {system:.1} system), {:.0}/s",
        user + system,
        users as f64 / start.elapsed().as_secs_f64()
    );
}
