//! Tries again what may safely be tried again: reads, and writes that never left.
//!
//! A write whose outcome is unknown is never repeated here; only the engine can look first. Item errors are the
//! engine's business too (escrow); this layer only rides out a target that is briefly away or asks for patience.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use provost_model::{ObjectId, Operation, Record, Schema};

use crate::*;

/// How often and how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Tries in all, the first included.
    pub tries: u32,
    /// The wait after the first failure; doubles each time, with jitter of a half.
    pub first_wait: Duration,
    pub longest_wait: Duration,
    /// The same for a target that asks for patience and does not say how long: it is there, and will answer.
    pub throttled_tries: u32,
    pub throttled_wait: Duration,
    /// The longest wait that a target may ask for. One that asks for more ends the cycle, and the next one goes on.
    pub longest_asked: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            tries: 5,
            first_wait: Duration::from_millis(200),
            longest_wait: Duration::from_secs(60),
            throttled_tries: 8,
            throttled_wait: Duration::from_secs(1),
            longest_asked: LONGEST_ASKED,
        }
    }
}

impl RetryPolicy {
    /// The wait before the next try, or `None` when there is none.
    fn wait(&self, error: &ConnectorError, tries_done: u32) -> Option<Duration> {
        let (tries, first) = match error.code {
            ErrorCode::Throttled => (self.throttled_tries, self.throttled_wait),
            ErrorCode::Unavailable | ErrorCode::Timeout => (self.tries, self.first_wait),
            _ => return None,
        };
        if tries_done >= tries {
            return None;
        }
        if let Some(ms) = error.after_ms {
            let asked = Duration::from_millis(ms);
            return (asked <= self.longest_asked).then_some(asked);
        }
        let full = first.saturating_mul(1 << (tries_done - 1).min(16)).min(self.longest_wait);
        Some(full / 2 + full.mul_f64(0.5 * chance()))
    }

    /// Makes the call, and makes it again while it fails in a way that passes and the policy allows it.
    pub async fn repeat<T, F: Future<Output = Result<T, ConnectorError>>>(
        &self,
        cx: &Context,
        mut call: impl FnMut() -> F,
    ) -> Result<T, ConnectorError> {
        let mut tries = 1;
        loop {
            let error = match call().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let Some(wait) = self.wait(&error, tries) else { return Err(error) };
            tracing::debug!(error = %error, try_number = tries, wait_ms = wait.as_millis() as u64, "retry");
            if cx.sleep(wait).await.is_err() {
                return Err(error);
            }
            tries += 1;
        }
    }
}

/// From 0 to 1: keeps callers from marching in step.
fn chance() -> f64 {
    // Each state has keys of its own, which is chance enough and needs no generator.
    let hash = RandomState::new().build_hasher().finish();
    f64::from((hash >> 32) as u32) / f64::from(u32::MAX)
}

/// The longest time that a target may ask everybody to wait.
pub const LONGEST_ASKED: Duration = Duration::from_secs(10 * 60);

/// A scan whose pages are asked for again.
struct RetryingScan {
    inner: Box<dyn Scan>,
    policy: RetryPolicy,
}

#[async_trait]
impl Scan for RetryingScan {
    fn repeats(&self) -> bool {
        true
    }

    async fn next(&mut self, cx: &Context) -> Result<ScanPage, ConnectorError> {
        let mut tries = 1;
        loop {
            let error = match self.inner.next(cx).await {
                Ok(page) => return Ok(page),
                Err(error) => error,
            };
            let Some(wait) = self.policy.wait(&error, tries) else { return Err(error) };
            tracing::debug!(error = %error, try_number = tries, wait_ms = wait.as_millis() as u64, "retry of a page");
            if cx.sleep(wait).await.is_err() {
                return Err(error);
            }
            tries += 1;
        }
    }
}

pub struct Retrying {
    inner: Arc<dyn Session>,
    policy: RetryPolicy,
}

impl Retrying {
    pub fn new(inner: Arc<dyn Session>, policy: RetryPolicy) -> Self {
        Self { inner, policy }
    }
}

#[async_trait]
impl Session for Retrying {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }
    async fn schema(&self, cx: &Context) -> Result<Schema, ConnectorError> {
        self.policy.repeat(cx, || self.inner.schema(cx)).await
    }
    async fn test(&self, cx: &Context) -> Vec<CheckResult> {
        self.inner.test(cx).await
    }
    async fn get(&self, cx: &Context, class: &str, id: &ObjectId) -> Result<Option<Record>, ConnectorError> {
        self.policy.repeat(cx, || self.inner.get(cx, class, id)).await
    }
    async fn find(&self, cx: &Context, request: FindRequest) -> Result<Page, ConnectorError> {
        self.policy.repeat(cx, || self.inner.find(cx, request.clone())).await
    }
    async fn lookup(&self, cx: &Context, request: LookupRequest) -> Result<Vec<Vec<Record>>, ConnectorError> {
        self.policy.repeat(cx, || self.inner.lookup(cx, request.clone())).await
    }
    async fn count(&self, cx: &Context, class: &str) -> Result<u64, ConnectorError> {
        self.policy.repeat(cx, || self.inner.count(cx, class)).await
    }
    async fn revision(&self, cx: &Context, class: &str) -> Result<Option<provost_model::Text>, ConnectorError> {
        self.inner.revision(cx, class).await
    }
    async fn changed(
        &self,
        cx: &Context,
        class: &str,
        seen: &str,
        patience: std::time::Duration,
    ) -> Result<(), ConnectorError> {
        self.inner.changed(cx, class, seen, patience).await
    }
    async fn scan(&self, cx: &Context, request: ScanRequest) -> Result<Box<dyn Scan>, ConnectorError> {
        let inner = self.policy.repeat(cx, || self.inner.scan(cx, request.clone())).await?;
        Ok(if inner.repeats() { Box::new(RetryingScan { inner, policy: self.policy }) } else { inner })
    }

    /// Repeats those operations of the batch that were not sent; a `timeout` of a write counts as sent unless the
    /// connector says [`ErrorCode::Unavailable`] or [`ErrorCode::Throttled`].
    async fn apply(&self, cx: &Context, operations: &[Operation]) -> Vec<Applied> {
        let mut results = self.inner.apply(cx, operations).await;
        let mut tries = 1;
        loop {
            let mut again = Vec::new();
            let mut wait = Duration::ZERO;
            for (at, applied) in results.iter().enumerate() {
                let Outcome::Failed(error) = &applied.outcome else { continue };
                if error.code == ErrorCode::Timeout {
                    continue;
                }
                if let Some(time) = self.policy.wait(error, tries) {
                    again.push(at);
                    wait = wait.max(time);
                }
            }
            if again.is_empty() || cx.sleep(wait).await.is_err() {
                return results;
            }
            tries += 1;
            let repeated: Vec<Operation> = again.iter().map(|&at| operations[at].clone()).collect();
            for (at, applied) in again.into_iter().zip(self.inner.apply(cx, &repeated).await) {
                results[at] = applied;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn waits_grow_and_differ_and_have_an_end() {
        let policy = RetryPolicy::default();
        let error = |code| ConnectorError::new(code, "no");
        let waits =
            |error: &ConnectorError| -> Vec<Duration> { (1..).map_while(|tries| policy.wait(error, tries)).collect() };
        let away = waits(&error(ErrorCode::Unavailable));
        assert_eq!(away.len(), 4);
        let throttled = waits(&error(ErrorCode::Throttled));
        assert_eq!(throttled.len(), 7);
        for (at, wait) in throttled.iter().enumerate() {
            let full = (policy.throttled_wait * 2u32.pow(at as u32)).min(policy.longest_wait);
            assert!(full / 2 <= *wait && *wait <= full, "{at}: {wait:?}");
        }
        assert!(
            throttled.iter().sum::<Duration>() > Duration::from_secs(60),
            "more than a second's patience: {throttled:?}"
        );
        let first = || policy.wait(&error(ErrorCode::Throttled), 1);
        assert!(
            (0..50).map(|_| first()).collect::<std::collections::HashSet<_>>().len() > 40,
            "nobody marches in step"
        );
        assert_eq!(policy.wait(&error(ErrorCode::Throttled).after_ms(61_000), 1), Some(MS * 61_000));
        assert_eq!(policy.wait(&error(ErrorCode::Throttled).after_ms(3_600_000), 1), None);
        assert_eq!(policy.wait(&error(ErrorCode::InvalidValue), 1), None);
    }

    /// A scan of three pages, each of which fails twice.
    struct Shaky {
        pages: u64,
        fails: u32,
        repeats: bool,
    }

    #[async_trait]
    impl Scan for Shaky {
        fn repeats(&self) -> bool {
            self.repeats
        }
        async fn next(&mut self, _: &Context) -> Result<ScanPage, ConnectorError> {
            self.fails += 1;
            if !self.fails.is_multiple_of(3) {
                return Err(ConnectorError::new(ErrorCode::Unavailable, "away"));
            }
            self.pages += 1;
            Ok(ScanPage { end: (self.pages == 3).then(|| End::complete(0)), ..ScanPage::default() })
        }
    }

    #[tokio::test]
    async fn pages_are_asked_for_again_where_that_is_safe() {
        let policy = RetryPolicy { first_wait: MS, ..RetryPolicy::default() };
        let inner = Box::new(Shaky { pages: 0, fails: 0, repeats: true });
        let mut scan = RetryingScan { inner, policy };
        let mut ends = Vec::new();
        for _ in 0..3 {
            ends.push(scan.next(&Context::default()).await.unwrap().end.is_some());
        }
        assert_eq!(ends, [false, false, true]);
    }
}
