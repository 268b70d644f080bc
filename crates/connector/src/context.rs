//! What travels with every call: deadline, cancellation and the trace id for logs.

use std::time::{Duration, Instant};

use provost_model::Text;
use tokio_util::sync::CancellationToken;

use crate::{ConnectorError, ErrorCode};

/// Cheap to clone; a child made by [`Context::child`] is cancelled with its parent.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// When the caller stops waiting. The monotonic clock, since it bounds a wait and is never stored.
    pub deadline: Option<Instant>,
    pub cancel: CancellationToken,
    /// The cycle or request this call belongs to, for logs and for targets that take a trace header.
    pub trace: Text,
}

impl Context {
    pub fn new(trace: impl Into<Text>) -> Self {
        Self { trace: trace.into(), ..Self::default() }
    }

    /// The same context with at most `limit` from now on.
    pub fn within(&self, limit: Duration) -> Self {
        let end = Instant::now() + limit;
        Self { deadline: Some(self.deadline.map_or(end, |have| have.min(end))), ..self.clone() }
    }

    pub fn child(&self) -> Self {
        Self { cancel: self.cancel.child_token(), ..self.clone() }
    }

    /// An error when the work was cancelled or its time is over; connectors ask between requests.
    pub fn check(&self) -> Result<(), ConnectorError> {
        if self.cancel.is_cancelled() {
            return Err(ConnectorError::new(ErrorCode::Cancelled, "cancelled"));
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(ConnectorError::new(ErrorCode::Timeout, "the deadline passed before the request was sent"));
        }
        Ok(())
    }

    /// Waits, or returns early with an error when cancelled or when the deadline comes first.
    pub async fn sleep(&self, time: Duration) -> Result<(), ConnectorError> {
        let end = Instant::now() + time;
        let until = self.deadline.map_or(end, |deadline| deadline.min(end));
        tokio::select! {
            () = self.cancel.cancelled() => {}
            () = tokio::time::sleep_until(until.into()) => {}
        }
        self.check()
    }
}
