//! The limits that a target sets by method and address, kept before it has to say so; and its word on waiting, which everybody
//! obeys who speaks to it.
//!
//! A limit is a window: no stretch of its length has more requests, wherever it begins. So a burst is possible as far as the
//! target allows one, and a target that counts in fixed windows is never offended.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::{Method, StatusCode};
use provost_connector::layers::LONGEST_ASKED;
use provost_connector::{ConnectorError, Context};
use provost_model::clock::{Clock, SystemClock};

use super::status::retry_after;
use super::{Answer, Call};

/// The first pause after a refusal that does not say how long, and the longest. It doubles while refusals go on.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// So many requests in a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// All when empty.
    pub methods: Vec<Method>,
    /// The beginning of the path; all when empty.
    pub path: String,
    /// At least 1.
    pub requests: usize,
    pub window: Duration,
}

/// All limits of one target.
#[derive(Debug, Default)]
pub(super) struct Limits {
    windows: Vec<Window>,
    pause: Mutex<Option<Instant>>,
    /// The last pause that was not asked for; none once something got through.
    unasked: Mutex<Option<Duration>>,
}

#[derive(Debug)]
struct Window {
    limit: Limit,
    /// When the last `requests` requests went out, or will.
    turns: Mutex<VecDeque<Instant>>,
}

impl Limits {
    pub fn new(limits: Vec<Limit>) -> Self {
        let windows = limits.into_iter().map(|limit| Window { limit, turns: Mutex::default() }).collect();
        Self { windows, pause: Mutex::default(), unasked: Mutex::default() }
    }

    /// Waits until the request may go out.
    pub async fn turn(&self, cx: &Context, call: &Call<'_>) -> Result<(), ConnectorError> {
        let now = Instant::now();
        let reserved = self.windows.iter().filter(|window| window.limit.applies(call)).map(|window| window.take(now));
        if let Some(turn) = reserved.max()
            && turn > now
        {
            cx.sleep(turn - now).await?;
        }
        loop {
            let until = *unpoisoned(&self.pause);
            match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(wait) if !wait.is_zero() => cx.sleep(wait).await?,
                _ => return Ok(()),
            }
        }
    }

    /// Takes note of a target that asks for patience.
    pub fn note(&self, answer: &Answer) {
        if !matches!(answer.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            *unpoisoned(&self.unasked) = None;
            return;
        }
        let asked = retry_after(answer, SystemClock.now()).filter(|wait| *wait <= LONGEST_ASKED);
        let wait = match asked {
            Some(wait) => wait,
            None if answer.status == StatusCode::TOO_MANY_REQUESTS => self.next_pause(),
            None => return,
        };
        let mut pause = unpoisoned(&self.pause);
        *pause = (*pause).max(Some(Instant::now() + wait));
    }

    /// How long everybody waits after one more refusal without a word on it. Those who were refused during a pause are part of
    /// the same refusal.
    fn next_pause(&self) -> Duration {
        let is_pausing = unpoisoned(&self.pause).is_some_and(|until| until > Instant::now());
        let mut unasked = unpoisoned(&self.unasked);
        let next = match *unasked {
            None => FIRST_PAUSE,
            Some(last) if is_pausing => last,
            Some(last) => (last * 2).min(LONGEST_PAUSE),
        };
        *unasked = Some(next);
        if is_pausing { Duration::ZERO } else { next }
    }
}

impl Limit {
    fn applies(&self, call: &Call<'_>) -> bool {
        (self.methods.is_empty() || self.methods.contains(&call.method)) && call.path.starts_with(&self.path)
    }
}

impl Window {
    /// Requests do not arrive in the moment they are sent; the target counts when they arrive.
    fn margin(&self) -> Duration {
        (self.limit.window / 10).min(Duration::from_millis(500))
    }

    /// The next turn that leaves no window too full.
    fn take(&self, now: Instant) -> Instant {
        let mut turns = unpoisoned(&self.turns);
        let mut turn = now;
        if turns.len() >= self.limit.requests.max(1)
            && let Some(oldest) = turns.pop_front()
        {
            turn = turn.max(oldest + self.limit.window + self.margin());
        }
        turns.push_back(turn);
        turn
    }
}

fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(requests: usize, window: Duration) -> Limit {
        Limit { methods: vec![Method::POST], path: "/Users".to_owned(), requests, window }
    }

    #[test]
    fn a_window_never_has_more_wherever_it_begins() {
        let second = Duration::from_secs(1);
        let window = Window { limit: limit(3, second), turns: Mutex::default() };
        let start = Instant::now();
        let turns: Vec<Duration> = (0..7).map(|_| window.take(start) - start).collect();
        assert_eq!(turns, [0, 0, 0, 1100, 1100, 1100, 2200].map(Duration::from_millis), "a tenth for the way");
        let later = window.take(start + second * 60);
        assert_eq!(later, start + second * 60, "who waited long enough does not wait");
    }

    #[test]
    fn a_limit_is_for_its_methods_and_addresses() {
        let limit = limit(1, Duration::from_secs(1));
        assert!(limit.applies(&Call::new(Method::POST, "/Users")));
        assert!(!limit.applies(&Call::get("/Users?filter=x")) && !limit.applies(&Call::new(Method::POST, "/Groups")));
        assert!(Limit { methods: Vec::new(), path: String::new(), ..limit }.applies(&Call::get("/Groups/1")));
    }

    #[tokio::test]
    async fn one_answer_makes_everybody_wait() {
        let limits = Limits::default();
        let mut headers = hyper::HeaderMap::new();
        headers.insert(hyper::header::RETRY_AFTER, hyper::header::HeaderValue::from_static("0.05"));
        let mut answer = Answer { status: StatusCode::OK, headers, body: bytes::Bytes::new(), cut: None };
        limits.note(&answer);
        assert!(unpoisoned(&limits.pause).is_none(), "a header of an answer that is fine");
        answer.status = StatusCode::TOO_MANY_REQUESTS;
        limits.note(&answer);
        let until = unpoisoned(&limits.pause).unwrap();
        limits.turn(&Context::new("test"), &Call::get("/Users")).await.unwrap();
        assert!(Instant::now() >= until);
    }

    /// Without a word on how long, everybody waits all the same, and longer each time.
    #[test]
    fn a_refusal_without_a_time_makes_everybody_wait_too() {
        let limits = Limits::default();
        let answer = |status| Answer { status, headers: hyper::HeaderMap::new(), body: bytes::Bytes::new(), cut: None };
        let mut pauses = Vec::new();
        for _ in 0..3 {
            limits.note(&answer(StatusCode::TOO_MANY_REQUESTS));
            // Refused along with the first: no further pause.
            limits.note(&answer(StatusCode::TOO_MANY_REQUESTS));
            pauses.extend(*unpoisoned(&limits.unasked));
            *unpoisoned(&limits.pause) = None;
        }
        assert_eq!(pauses, [FIRST_PAUSE, FIRST_PAUSE * 2, FIRST_PAUSE * 4]);
        limits.note(&answer(StatusCode::OK));
        limits.note(&answer(StatusCode::TOO_MANY_REQUESTS));
        assert_eq!(*unpoisoned(&limits.unasked), Some(FIRST_PAUSE));
        assert!(unpoisoned(&limits.pause).is_some());
    }
}
