//! The scheduler with a store and a source, on a clock that the test moves.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use provost_connector::{ConnectorError, Context, Session};
use provost_engine::scheduler::{self, Listener};
use provost_engine::{Connections, CycleReport, Engine, EngineError};
use provost_model::{Clock, ConnectionName, JobName, Timestamp};
use provost_store::Store;
use serde_json::json;
use support::Fixture;
use tokio::time::Instant;

/// Follows tokio's clock, which the tests pause and move.
#[derive(Clone)]
struct Paused {
    start: Timestamp,
    at: Instant,
}

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        self.start.checked_add(jiff::SignedDuration::try_from(self.at.elapsed()).unwrap()).unwrap()
    }
}

/// Notes that a cycle has begun, which the clock waits for.
struct Gate {
    connections: Arc<dyn Connections>,
    busy: Arc<AtomicBool>,
}

#[async_trait]
impl Connections for Gate {
    async fn session(&self, name: &ConnectionName) -> Result<Arc<dyn Session>, ConnectorError> {
        self.busy.store(true, Ordering::SeqCst);
        self.connections.session(name).await
    }
}

struct Day {
    fixture: Fixture,
    clock: Paused,
    /// When cycles ended, and how: `06:00 done`.
    heard: Arc<Mutex<Vec<String>>>,
    cx: Context,
    store: Store,
    busy: Arc<AtomicBool>,
    /// While a blocking task waits for this to go, tokio's clock does not run ahead of the store's threads.
    _still: std::sync::mpsc::Sender<()>,
}

impl Day {
    /// A job with this schedule from a time of 23 November 2026 on, a Monday.
    async fn from(time: &str, schedule: serde_json::Value) -> Self {
        let mut spec = support::spec();
        spec.schedule = serde_json::from_value(schedule).unwrap();
        let fixture = Fixture::with(spec).await;
        fixture.write_people(5);
        let start = format!("2026-11-23T{time}Z").parse().unwrap();
        tokio::time::pause();
        let clock = Paused { start, at: Instant::now() };
        let mut fixture = fixture;
        let store = fixture.engine.store().clone();
        let busy = Arc::<AtomicBool>::default();
        let gate = Gate { connections: fixture.connections(), busy: busy.clone() };
        fixture.engine = Engine::new(store.clone(), Arc::new(gate), Arc::new(clock.clone()));
        let (still, ends) = std::sync::mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || ends.recv());
        Self { fixture, clock, heard: Arc::default(), cx: Context::new("day"), store, busy, _still: still }
    }

    fn start(&self) -> tokio::task::JoinHandle<()> {
        let (heard, clock, busy) = (self.heard.clone(), self.clock.clone(), self.busy.clone());
        let listener: Listener = Arc::new(move |_: &JobName, result: &Result<CycleReport, EngineError>| {
            let how = match result {
                Ok(report) => format!("{:?}", report.status).to_lowercase(),
                Err(error) => error.to_string(),
            };
            // A cycle takes as long as the store takes, while this clock goes on: five minutes are near enough.
            let time = clock.now().to_zoned(jiff::tz::TimeZone::UTC).time();
            heard.lock().unwrap().push(format!("{:02}:{:02} {how}", time.hour(), time.minute() / 5 * 5));
            busy.store(false, Ordering::SeqCst);
        });
        let jobs = vec![(self.fixture.job.clone(), self.fixture.spec.clone())];
        tokio::spawn(scheduler::run(self.fixture.engine.clone(), jobs, listener, self.cx.clone()))
    }

    async fn until(&self, time: &str) {
        let time: Timestamp = format!("2026-11-23T{time}Z").parse().unwrap();
        while self.clock.now() < time {
            tokio::time::advance(Duration::from_secs(5)).await;
            // Whoever waits for the store gets his answer before the clock goes on.
            for _ in 0..8 {
                self.store.job(&self.fixture.job).await.unwrap();
            }
            while self.busy.load(Ordering::SeqCst) {
                tokio::time::advance(Duration::from_millis(1)).await;
                self.store.job(&self.fixture.job).await.unwrap();
            }
        }
    }

    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.heard.lock().unwrap())
    }
}

#[tokio::test]
async fn at_times_of_the_clock_and_not_in_a_blackout() {
    let schedule = json!({ "cron": "*/30 6-8 * * *", "timezone": "Europe/Zurich", "blackout": "06:45-08:10" });
    let day = Day::from("04:50:00", schedule).await;
    let task = day.start();
    day.until("07:45:00").await;
    day.cx.cancel.cancel();
    task.await.unwrap();
    assert_eq!(day.heard(), ["05:00 done", "05:30 done", "07:10 done", "07:30 done"]);
}

#[tokio::test]
async fn paused_resumed_and_asked_for_by_another_process() {
    let day = Day::from("06:00:00", json!({ "every": "10m" })).await;
    let task = day.start();
    day.until("06:15:00").await;
    assert_eq!(day.heard(), ["06:00 done", "06:10 done"]);
    day.store.pause(&day.fixture.job, None, 1).await.unwrap();
    day.until("06:45:00").await;
    assert_eq!(day.heard(), [""; 0]);
    // What was due meanwhile follows at once.
    day.store.resume(&day.fixture.job).await.unwrap();
    day.until("06:47:00").await;
    assert_eq!(day.heard(), ["06:45 done"]);
    day.until("06:50:00").await;
    day.store.wake_job(&day.fixture.job).await.unwrap();
    day.until("06:52:00").await;
    assert_eq!(day.heard(), ["06:50 done"]);
    day.cx.cancel.cancel();
    task.await.unwrap();
}
