//! Conditions that a target imposes: latency, a limit of requests a second, and faults. All of it decided before or
//! after the request is carried out, never inside it. Faults follow a seed, so that a run can be had again.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crate::random::nth;

/// What the sink imposes. The default is nothing at all.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Weather {
    /// Milliseconds before each answer; the timer is good for 1 to 1.5 ms more than asked for.
    pub latency_ms: u64,
    /// Requests a second, 0 for no limit. Beyond it: 429 with Retry-After.
    pub rate_limit: u32,
    /// Share of requests that go wrong, 0 to 1.
    pub fault_rate: f64,
    pub fault_seed: u64,
}

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// 500, nothing done.
    Error,
    /// 503 with Retry-After: 1, nothing done.
    Unavailable,
    /// Connection closed, nothing done.
    DropBefore,
    /// Done, then the connection closed: the client cannot know.
    DropAfter,
    /// Done, then 500.
    ErrorAfter,
}

const FAULTS: [Fault; 5] = [Fault::Error, Fault::Unavailable, Fault::DropBefore, Fault::DropAfter, Fault::ErrorAfter];

#[derive(Debug)]
pub struct Clouds {
    weather: Weather,
    arrivals: AtomicU64,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
    /// Until when the client was told to wait.
    closed_until: Option<Instant>,
}

/// Answer of the rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    Admitted,
    /// Wait this many whole seconds; `early` when the client was already waiting by our last word.
    Limited {
        retry_after: u64,
        early: bool,
    },
}

impl Clouds {
    #[must_use]
    pub fn new(weather: Weather) -> Self {
        // A bucket of a quarter of a second: strict enough that a client that fires a second's worth at once sees 429s.
        let tokens = (f64::from(weather.rate_limit) / 4.0).max(1.0);
        let bucket = Mutex::new(Bucket { tokens, filled: Instant::now(), closed_until: None });
        Self { weather, arrivals: AtomicU64::new(0), bucket }
    }

    #[must_use]
    pub fn latency(&self) -> Option<Duration> {
        (self.weather.latency_ms > 0).then(|| Duration::from_millis(self.weather.latency_ms))
    }

    #[must_use]
    pub fn admit(&self, now: Instant) -> Admission {
        if self.weather.rate_limit == 0 {
            return Admission::Admitted;
        }
        let rate = f64::from(self.weather.rate_limit);
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let gained = now.saturating_duration_since(bucket.filled).as_secs_f64() * rate;
        bucket.tokens = (bucket.tokens + gained).min((rate / 4.0).max(1.0));
        bucket.filled = now;
        if bucket.tokens >= 1.0 {
            bucket.tokens -= 1.0;
            return Admission::Admitted;
        }
        let early = bucket.closed_until.is_some_and(|until| now < until);
        let retry_after = ((1.0 - bucket.tokens) / rate).ceil().max(1.0) as u64;
        bucket.closed_until = Some(now + Duration::from_secs(retry_after));
        Admission::Limited { retry_after, early }
    }

    /// Whether this request goes wrong; call once a request.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        if self.weather.fault_rate <= 0.0 {
            return None;
        }
        let number = self.arrivals.fetch_add(1, Relaxed);
        let bits = nth(self.weather.fault_seed, number);
        let share = (bits >> 11) as f64 / (1_u64 << 53) as f64;
        (share < self.weather.fault_rate).then(|| FAULTS[(bits & 0x3FF) as usize % FAULTS.len()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_lets_about_r_through_and_says_when_to_come_back() {
        let clouds = Clouds::new(Weather { rate_limit: 100, ..Weather::default() });
        let start = Instant::now();
        let mut admitted = 0;
        for ms in 0..10_000_u64 {
            if clouds.admit(start + Duration::from_millis(ms)) == Admission::Admitted {
                admitted += 1;
            }
        }
        assert!((1_000..=1_030).contains(&admitted), "{admitted} in 10 s");
        let crowded = Clouds::new(Weather { rate_limit: 1, ..Weather::default() });
        assert_eq!(crowded.admit(start), Admission::Admitted);
        assert_eq!(crowded.admit(start), Admission::Limited { retry_after: 1, early: false });
        assert_eq!(crowded.admit(start), Admission::Limited { retry_after: 1, early: true });
    }

    #[test]
    fn faults_repeat_by_seed_at_the_rate_asked_for() {
        let run = |seed| {
            let clouds = Clouds::new(Weather { fault_rate: 0.05, fault_seed: seed, ..Weather::default() });
            (0..20_000).map(|_| clouds.fault()).collect::<Vec<_>>()
        };
        let faults = run(3);
        assert_eq!(faults, run(3));
        assert_ne!(faults, run(4));
        let count = faults.iter().flatten().count();
        assert!((850..1_150).contains(&count), "{count} of 20,000");
        assert!(FAULTS.iter().all(|f| faults.contains(&Some(*f))), "every kind occurs");
    }
}
