//! At most so many requests a second, shared by all users of one session; obeys the target's own word on waiting.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use provost_model::{ObjectId, Operation, Record, Schema};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::*;

/// Spaces requests evenly (a bucket of one), which is what targets with short windows want. A `throttled` answer with a
/// time moves everybody's next turn behind it.
pub struct RateLimit {
    inner: Arc<dyn Session>,
    pace: Arc<Pace>,
}

impl RateLimit {
    pub fn new(inner: Arc<dyn Session>, per_second: f64) -> Self {
        let gap = Duration::from_secs_f64(1.0 / per_second.clamp(0.001, 1e6));
        Self { inner, pace: Arc::new(Pace { gap, next_turn: Mutex::new(Instant::now()) }) }
    }
}

/// When the next request may go out.
struct Pace {
    gap: Duration,
    next_turn: Mutex<Instant>,
}

impl Pace {
    async fn turn(&self, cx: &Context, requests: u32) -> Result<(), ConnectorError> {
        let start = {
            let mut next = self.next_turn.lock().await;
            let start = (*next).max(Instant::now());
            *next = start + self.gap * requests;
            start
        };
        cx.sleep(start.saturating_duration_since(Instant::now())).await
    }

    async fn obey(&self, error: &ConnectorError) {
        if let (ErrorCode::Throttled, Some(ms)) = (error.code, error.after_ms) {
            let mut next = self.next_turn.lock().await;
            *next = (*next).max(Instant::now() + Duration::from_millis(ms));
        }
    }

    async fn limited<T>(
        &self,
        cx: &Context,
        requests: usize,
        call: impl Future<Output = Result<T, ConnectorError>>,
    ) -> Result<T, ConnectorError> {
        self.turn(cx, u32::try_from(requests).unwrap_or(u32::MAX)).await?;
        let result = call.await;
        if let Err(error) = &result {
            self.obey(error).await;
        }
        result
    }
}

/// A scan whose pages wait for their turn.
struct LimitedScan {
    inner: Box<dyn Scan>,
    pace: Arc<Pace>,
}

#[async_trait]
impl Scan for LimitedScan {
    fn repeats(&self) -> bool {
        self.inner.repeats()
    }

    async fn next(&mut self, cx: &Context) -> Result<ScanPage, ConnectorError> {
        self.pace.limited(cx, 1, self.inner.next(cx)).await
    }
}

#[async_trait]
impl Session for RateLimit {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }
    async fn schema(&self, cx: &Context) -> Result<Schema, ConnectorError> {
        self.pace.limited(cx, 1, self.inner.schema(cx)).await
    }
    async fn test(&self, cx: &Context) -> Vec<CheckResult> {
        self.inner.test(cx).await
    }
    async fn get(&self, cx: &Context, class: &str, id: &ObjectId) -> Result<Option<Record>, ConnectorError> {
        self.pace.limited(cx, 1, self.inner.get(cx, class, id)).await
    }
    async fn find(&self, cx: &Context, request: FindRequest) -> Result<Page, ConnectorError> {
        self.pace.limited(cx, 1, self.inner.find(cx, request)).await
    }
    async fn lookup(&self, cx: &Context, request: LookupRequest) -> Result<Vec<Vec<Record>>, ConnectorError> {
        let requests = request.values.len();
        self.pace.limited(cx, requests, self.inner.lookup(cx, request)).await
    }
    async fn count(&self, cx: &Context, class: &str) -> Result<u64, ConnectorError> {
        self.pace.limited(cx, 1, self.inner.count(cx, class)).await
    }
    async fn revision(&self, cx: &Context, class: &str) -> Result<Option<provost_model::Text>, ConnectorError> {
        self.pace.limited(cx, 1, self.inner.revision(cx, class)).await
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
        // Most sessions ask for nothing before the first page.
        let inner = self.pace.limited(cx, 0, self.inner.scan(cx, request)).await?;
        Ok(Box::new(LimitedScan { inner, pace: self.pace.clone() }))
    }
    async fn apply(&self, cx: &Context, operations: &[Operation]) -> Vec<Applied> {
        let requests = u32::try_from(operations.len()).unwrap_or(u32::MAX);
        if let Err(error) = self.pace.turn(cx, requests).await {
            return operations.iter().map(|op| Applied::failed(op.id.clone(), error.clone())).collect();
        }
        let results = self.inner.apply(cx, operations).await;
        for applied in &results {
            if let Outcome::Failed(error) = &applied.outcome {
                self.pace.obey(error).await;
            }
        }
        results
    }
}
