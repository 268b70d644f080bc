//! Tries again what may safely be tried again: reads, and writes that never left.
//!
//! A write whose outcome is unknown is never repeated here; only the engine can look first. Item errors are the
//! engine's business too (escrow); this layer only rides out a target that is briefly away or asks for patience.

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
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { tries: 5, first_wait: Duration::from_millis(200), longest_wait: Duration::from_secs(60) }
    }
}

impl RetryPolicy {
    /// The wait before the next try, or `None` when there is none.
    fn wait(&self, error: &ConnectorError, tries_done: u32, seed: u64) -> Option<Duration> {
        let worth_it = matches!(error.code, ErrorCode::Unavailable | ErrorCode::Throttled | ErrorCode::Timeout);
        if !worth_it || tries_done >= self.tries {
            return None;
        }
        if let Some(ms) = error.after_ms {
            let asked = Duration::from_millis(ms);
            return (asked <= self.longest_wait).then_some(asked);
        }
        let full = self.first_wait.saturating_mul(1 << (tries_done - 1).min(16)).min(self.longest_wait);
        // Half fixed, half by a cheap hash of the caller's seed: enough to keep callers from marching in step.
        let jitter = (seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32;
        Some(full / 2 + full.mul_f64(0.5 * f64::from(jitter) / f64::from(u32::MAX)))
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
            let seed = std::ptr::from_ref(cx) as u64 ^ u64::from(tries);
            let Some(wait) = self.wait(&error, tries, seed) else { return Err(error) };
            tracing::debug!(error = %error, try_number = tries, wait_ms = wait.as_millis() as u64, "retry");
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
    async fn scan(&self, cx: &Context, request: ScanRequest) -> Result<Box<dyn Scan>, ConnectorError> {
        self.policy.repeat(cx, || self.inner.scan(cx, request.clone())).await
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
                if let Some(time) = self.policy.wait(error, tries, at as u64 + u64::from(tries)) {
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
