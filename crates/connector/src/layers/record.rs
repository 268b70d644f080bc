//! Tells a recorder about every call: the source of metrics, of the phase clock and of traces.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use provost_model::{ObjectId, Operation, Schema};

use crate::*;

/// One call that ended. Names and counts only, never values.
#[derive(Debug)]
pub struct Call<'a> {
    pub method: &'static str,
    /// Objects or operations the call was about.
    pub items: usize,
    pub duration: Duration,
    pub error: Option<&'a ConnectorError>,
}

/// Receives every call of a session. Called on the caller's task: it must not block.
pub trait Recorder: Send + Sync {
    fn called(&self, call: Call<'_>);
}

pub struct Record {
    inner: Arc<dyn Session>,
    recorder: Arc<dyn Recorder>,
}

impl Record {
    pub fn new(inner: Arc<dyn Session>, recorder: Arc<dyn Recorder>) -> Self {
        Self { inner, recorder }
    }

    async fn timed<T>(
        &self,
        method: &'static str,
        items: usize,
        call: impl Future<Output = Result<T, ConnectorError>>,
    ) -> Result<T, ConnectorError> {
        let start = Instant::now();
        let result = call.await;
        self.recorder.called(Call { method, items, duration: start.elapsed(), error: result.as_ref().err() });
        result
    }
}

#[async_trait]
impl Session for Record {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }
    async fn schema(&self, cx: &Context) -> Result<Schema, ConnectorError> {
        self.timed("schema", 1, self.inner.schema(cx)).await
    }
    async fn test(&self, cx: &Context) -> Vec<CheckResult> {
        self.inner.test(cx).await
    }
    async fn get(
        &self,
        cx: &Context,
        class: &str,
        id: &ObjectId,
    ) -> Result<Option<provost_model::Record>, ConnectorError> {
        self.timed("get", 1, self.inner.get(cx, class, id)).await
    }
    async fn find(&self, cx: &Context, request: FindRequest) -> Result<Page, ConnectorError> {
        self.timed("find", 1, self.inner.find(cx, request)).await
    }
    async fn lookup(
        &self,
        cx: &Context,
        request: LookupRequest,
    ) -> Result<Vec<Vec<provost_model::Record>>, ConnectorError> {
        let items = request.values.len();
        self.timed("lookup", items, self.inner.lookup(cx, request)).await
    }
    async fn count(&self, cx: &Context, class: &str) -> Result<u64, ConnectorError> {
        self.timed("count", 1, self.inner.count(cx, class)).await
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
        self.timed("scan", 1, self.inner.scan(cx, request)).await
    }
    async fn apply(&self, cx: &Context, operations: &[Operation]) -> Vec<Applied> {
        let start = Instant::now();
        let results = self.inner.apply(cx, operations).await;
        let error = results.iter().find_map(|applied| match &applied.outcome {
            Outcome::Failed(error) => Some(error),
            Outcome::Done(_) => None,
        });
        self.recorder.called(Call { method: "apply", items: operations.len(), duration: start.elapsed(), error });
        results
    }
}
