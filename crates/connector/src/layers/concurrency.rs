//! At most so many calls under way at the target.

use std::sync::Arc;

use async_trait::async_trait;
use provost_model::{ObjectId, Operation, Record, Schema};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::*;

/// Bounds the calls of all users of one session together. Scans are not counted: they hold no request between pages.
pub struct Concurrency {
    inner: Arc<dyn Session>,
    permits: Semaphore,
}

impl Concurrency {
    pub fn new(inner: Arc<dyn Session>, max_in_flight: usize) -> Self {
        Self { inner, permits: Semaphore::new(max_in_flight.max(1)) }
    }

    async fn permit(&self) -> Option<SemaphorePermit<'_>> {
        // The semaphore is never closed, so there is always a permit in the end.
        self.permits.acquire().await.ok()
    }
}

#[async_trait]
impl Session for Concurrency {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }
    async fn schema(&self, cx: &Context) -> Result<Schema, ConnectorError> {
        self.inner.schema(cx).await
    }
    async fn test(&self, cx: &Context) -> Vec<CheckResult> {
        self.inner.test(cx).await
    }
    async fn get(&self, cx: &Context, class: &str, id: &ObjectId) -> Result<Option<Record>, ConnectorError> {
        let _permit = self.permit().await;
        self.inner.get(cx, class, id).await
    }
    async fn find(&self, cx: &Context, request: FindRequest) -> Result<Page, ConnectorError> {
        let _permit = self.permit().await;
        self.inner.find(cx, request).await
    }
    async fn lookup(&self, cx: &Context, request: LookupRequest) -> Result<Vec<Vec<Record>>, ConnectorError> {
        let _permit = self.permit().await;
        self.inner.lookup(cx, request).await
    }
    async fn count(&self, cx: &Context, class: &str) -> Result<u64, ConnectorError> {
        self.inner.count(cx, class).await
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
        self.inner.scan(cx, request).await
    }
    async fn apply(&self, cx: &Context, operations: &[Operation]) -> Vec<Applied> {
        let _permit = self.permit().await;
        self.inner.apply(cx, operations).await
    }
}
