//! Creates, look-ups and PATCHes at one server. First as fast as it goes for a while, then at half that rate, each request at
//! its time whether the one before is answered or not: so that a server that stalls is seen to.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::caller::{Address, Caller};
use super::request::{self, Operation};
use crate::error::{Error, Result};
use crate::machine::cpu::CpuTime;
use crate::scenario::numbers::percentile;

/// How much is sent.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub seed: u64,
    /// Connections.
    pub in_flight: usize,
    /// Users before anything is measured; look-ups and PATCHes are about them.
    pub population: u64,
    /// How long each operation is measured, at each load.
    pub span: Duration,
}

/// One operation at one server.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    pub per_second: f64,
    /// CPU of the server a request; None where it cannot be seen.
    pub cpu_us: Option<f64>,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// From the time a request should have been sent.
    pub half_p99_ms: f64,
}

/// All operations at one server, once.
#[derive(Debug, Clone)]
pub struct Round(Vec<Measured>);

impl Round {
    #[must_use]
    pub fn of(&self, operation: Operation) -> &Measured {
        &self.0[operation as usize]
    }
}

/// A server and the users it has by now.
pub struct Load {
    address: Address,
    size: Size,
    state: Arc<State>,
}

struct State {
    /// Users who are there or on their way, by their numbers from 0.
    users: AtomicU64,
    /// Look-ups and PATCHes so far. Never set back, so that no two runs send the same.
    sent: AtomicU64,
    ids: Vec<String>,
}

/// When requests are due; a worker takes the next that nobody has.
type Due = Arc<Mutex<mpsc::UnboundedReceiver<Instant>>>;

impl Load {
    /// Gives the server its first users.
    pub async fn new(address: &Address, size: Size) -> Result<Self> {
        let next = Arc::new(AtomicU64::new(0));
        let made = each_worker(size.in_flight, || {
            let (mut caller, next) = (Caller::to(address), Arc::clone(&next));
            async move {
                let mut made = Vec::new();
                loop {
                    let number = next.fetch_add(1, Relaxed);
                    if number >= size.population {
                        return Ok(made);
                    }
                    made.push((number, request::create(&mut caller, size.seed, number).await?));
                }
            }
        });
        let mut made = made.await?;
        // By number, so that all servers are asked about the same people.
        made.sort_unstable();
        let ids = made.into_iter().map(|(_, id)| id).collect();
        let state = State { users: AtomicU64::new(size.population), sent: AtomicU64::new(0), ids };
        Ok(Self { address: address.clone(), size, state: Arc::new(state) })
    }

    /// How many users the server has.
    #[must_use]
    pub fn users(&self) -> u64 {
        self.state.users.load(Relaxed)
    }

    /// Every operation once at full and at half load. `cpu` says what the server has used so far.
    pub async fn round(&self, cpu: impl Fn() -> Option<CpuTime>) -> Result<Round> {
        let mut all = Vec::with_capacity(Operation::ALL.len());
        for operation in Operation::ALL {
            let before = cpu();
            let (per_second, latencies) = self.full(operation).await?;
            let used = cpu().zip(before).map(|(after, before)| after.since(before).total as f64);
            let requests = latencies.len() as f64;
            let late = self.paced(operation, per_second / 2.0).await?;
            let ms = |sorted: &[u32], share| f64::from(percentile(sorted, share)) / 1000.0;
            all.push(Measured {
                per_second,
                cpu_us: used.map(|us| us / requests),
                p50_ms: ms(&latencies, 0.50),
                p99_ms: ms(&latencies, 0.99),
                half_p99_ms: ms(&late, 0.99),
            });
        }
        Ok(Round(all))
    }

    /// As fast as it goes: answers a second, and the sorted microseconds of each request.
    async fn full(&self, operation: Operation) -> Result<(f64, Vec<u32>)> {
        let (start, size) = (Instant::now(), self.size);
        let workers = each_worker(size.in_flight, || {
            let (mut caller, state) = (Caller::to(&self.address), Arc::clone(&self.state));
            async move {
                let mut answered = Vec::new();
                while start.elapsed() < size.span {
                    let sent = Instant::now();
                    state.send(operation, &mut caller, size).await?;
                    answered.push((start.elapsed(), micros_since(sent)));
                }
                Ok(answered)
            }
        });
        let (ends, mut latencies): (Vec<Duration>, Vec<u32>) = workers.await?.into_iter().unzip();
        latencies.sort_unstable();
        Ok((rate(&ends, size.span), latencies))
    }

    /// So many requests a second (more than 0), evenly: the sorted microseconds of each from when it was due.
    pub async fn paced(&self, operation: Operation, rate: f64) -> Result<Vec<u32>> {
        let (due, pacer) = pace(rate, self.size.span);
        let workers = each_worker(self.size.in_flight, || {
            let (mut caller, state, size) = (Caller::to(&self.address), Arc::clone(&self.state), self.size);
            let queue = Arc::clone(&due);
            async move {
                let mut latencies = Vec::new();
                loop {
                    let next = queue.lock().await.recv().await;
                    let Some(due) = next else { return Ok(latencies) };
                    state.send(operation, &mut caller, size).await?;
                    latencies.push(micros_since(due));
                }
            }
        });
        let latencies = workers.await;
        // A failed run has to end too: without its reader the pacer stops at its next request.
        drop(due);
        pacer.join().map_err(|_| Error::Other("the pacer ended early".to_owned()))?;
        let mut latencies = latencies?;
        latencies.sort_unstable();
        Ok(latencies)
    }
}

impl State {
    async fn send(&self, operation: Operation, caller: &mut Caller, size: Size) -> Result<()> {
        if operation == Operation::Create {
            let number = self.users.fetch_add(1, Relaxed);
            return request::create(caller, size.seed, number).await.map(drop);
        }
        let n = self.sent.fetch_add(1, Relaxed);
        match operation {
            Operation::LookUp => request::look_up(caller, size.seed, n, size.population).await,
            _ => request::patch(caller, size.seed, n, &self.ids).await,
        }
    }
}

/// Answers a second while everything was sending, up to the last of them. A server that lets one connection wait for seconds
/// is not slow for all of them, so that what ends after the span does not count; and one that answers in waves was
/// at work on all when the span ends between two, so that the time ends with an answer.
fn rate(ends: &[Duration], span: Duration) -> f64 {
    let in_time: Vec<Duration> = ends.iter().copied().filter(|end| *end <= span).collect();
    let counted = if in_time.is_empty() { ends } else { &in_time };
    let last = counted.iter().max().copied().unwrap_or(span);
    counted.len() as f64 / last.as_secs_f64()
}

/// Says when each request is due, at that time. A thread of its own: the runtime's timer knows whole milliseconds only, as
/// long as some requests take.
fn pace(rate: f64, span: Duration) -> (Due, thread::JoinHandle<()>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let pacer = thread::spawn(move || {
        let start = Instant::now();
        for n in 0_u64.. {
            let after = Duration::from_secs_f64(n as f64 / rate);
            if after >= span {
                return;
            }
            thread::sleep((start + after).saturating_duration_since(Instant::now()));
            if sender.send(start + after).is_err() {
                return;
            }
        }
    });
    (Arc::new(Mutex::new(receiver)), pacer)
}

fn micros_since(start: Instant) -> u32 {
    u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX)
}

/// Runs as many of these as there are connections; everything that they found.
pub async fn each_worker<T, F>(workers: usize, mut work: impl FnMut() -> F) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<Vec<T>>> + Send + 'static,
{
    let mut running = JoinSet::new();
    for _ in 0..workers {
        running.spawn(work());
    }
    let mut found = Vec::new();
    while let Some(ended) = running.join_next().await {
        found.extend(ended.map_err(|e| Error::Other(format!("worker ended early: {e}")))??);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        let times = |ms: &[u64]| ms.iter().map(|ms| Duration::from_millis(*ms)).collect::<Vec<_>>();
        let span = Duration::from_millis(2_500);
        for (ends, wanted) in [
            (times(&[500, 1_000, 1_500, 2_000]), 2.0),
            // One connection starved; the others did two a second.
            (times(&[500, 1_000, 1_500, 2_000, 9_000]), 2.0),
            // Waves of three each second, one of them under way.
            (times(&[1_000, 1_000, 1_000, 2_000, 2_000, 2_000, 3_000, 3_000, 3_000]), 3.0),
            // Nothing in time.
            (times(&[4_000, 5_000]), 0.4),
        ] {
            assert!((rate(&ends, span) - wanted).abs() < 1e-9, "{ends:?}: {}", rate(&ends, span));
        }
    }
}
