//! What the sink counted since the last reset. Counters are atomics, so that counting does not queue requests up.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use serde_json::{Map, Value, json};

use crate::machine::cpu::{self, CpuTime};

/// Rows of the request table. The names are what `__stats` prints and what scenarios look for.
pub const ROUTES: [&str; 16] = [
    "POST /Users",
    "GET /Users?filter",
    "GET /Users",
    "GET /Users/id",
    "PATCH /Users/id",
    "PUT /Users/id",
    "DELETE /Users/id",
    "POST /Groups",
    "GET /Groups?filter",
    "GET /Groups",
    "GET /Groups/id",
    "PATCH /Groups/id",
    "PUT /Groups/id",
    "DELETE /Groups/id",
    "discovery",
    "other",
];

/// Status 0 stands for a connection that a fault closed.
const STATUSES: [u16; 12] = [200, 201, 204, 400, 401, 404, 405, 409, 429, 500, 503, 0];

#[derive(Debug, Default)]
pub struct Stats {
    requests: [[AtomicU64; STATUSES.len()]; ROUTES.len()],
    /// PATCH and PUT requests that left the resource as it was.
    pub noop_writes: AtomicU64,
    in_flight: AtomicU64,
    peak_in_flight: AtomicU64,
    pub faults: AtomicU64,
    /// Requests that came while the client had been told to wait.
    pub early: AtomicU64,
    pub bytes_in: AtomicU64,
    cpu_at_reset: Mutex<CpuTime>,
}

/// Counts a request as in flight until dropped.
pub struct InFlight<'a>(&'a Stats);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

impl Stats {
    #[must_use]
    pub fn enter(&self) -> InFlight<'_> {
        let now = self.in_flight.fetch_add(1, Relaxed) + 1;
        self.peak_in_flight.fetch_max(now, Relaxed);
        InFlight(self)
    }

    /// Counts one answered request. `route` is an index into [`ROUTES`].
    pub fn count(&self, route: usize, status: u16) {
        let column = STATUSES.iter().position(|s| *s == status).unwrap_or(STATUSES.len() - 1);
        self.requests[route][column].fetch_add(1, Relaxed);
    }

    pub fn reset(&self) {
        self.requests.iter().flatten().for_each(|n| n.store(0, Relaxed));
        for n in [&self.noop_writes, &self.peak_in_flight, &self.faults, &self.early, &self.bytes_in] {
            n.store(0, Relaxed);
        }
        *self.cpu_at_reset.lock().unwrap_or_else(PoisonError::into_inner) = cpu::own();
    }

    /// The JSON of `GET /__stats`; times in microseconds.
    #[must_use]
    pub fn report(&self, users: usize, groups: usize) -> Value {
        let (mut routes, mut total, mut by_status) = (Map::new(), 0, Map::new());
        for (name, row) in ROUTES.iter().zip(&self.requests) {
            let mut counted = Map::new();
            for (status, n) in STATUSES.iter().zip(row) {
                let n = n.load(Relaxed);
                if n > 0 {
                    let label = if *status == 0 { "dropped".to_owned() } else { status.to_string() };
                    let before = by_status.get(&label).and_then(Value::as_u64).unwrap_or(0);
                    by_status.insert(label.clone(), json!(before + n));
                    counted.insert(label, json!(n));
                    total += n;
                }
            }
            if !counted.is_empty() {
                routes.insert((*name).to_owned(), Value::Object(counted));
            }
        }
        let cpu = cpu::own().since(*self.cpu_at_reset.lock().unwrap_or_else(PoisonError::into_inner));
        json!({
            "requests": total, "routes": routes, "statuses": by_status,
            "noop_writes": self.noop_writes.load(Relaxed), "peak_in_flight": self.peak_in_flight.load(Relaxed),
            "faults": self.faults.load(Relaxed), "early": self.early.load(Relaxed), "bytes_in": self.bytes_in.load(Relaxed),
            "users": users, "groups": groups, "cpu_us": cpu.total, "cpu_user_us": cpu.user, "cpu_system_us": cpu.system,
        })
    }
}
