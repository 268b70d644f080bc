//! Layers that wrap any session: each is a [`Session`](crate::Session) around another one.
//!
//! The order matters and [`stack`] is the one place that fixes it, from the outside in:
//! record (sees what the engine sees, retries included in the duration), concurrency (a retried call keeps its place, so
//! a struggling target is not given more callers), retry (each try passes the limiter), rate limit, and
//! answers (nearest the target: what it gives back, all others rely on).

mod answers;
mod concurrency;
mod rate;
mod record;
mod retry;

use std::sync::Arc;

pub use answers::Answers;
pub use concurrency::Concurrency;
pub use rate::RateLimit;
pub use record::{Call, Record, Recorder};
pub use retry::{LONGEST_ASKED, RetryPolicy, Retrying};

use crate::Session;

/// The usual layers around a session. `recorder` sees every call once.
pub fn stack(session: Arc<dyn Session>, policy: RetryPolicy, recorder: Option<Arc<dyn Recorder>>) -> Arc<dyn Session> {
    let limits = session.capabilities().clone();
    let session: Arc<dyn Session> = Arc::new(Answers::new(session));
    let limited: Arc<dyn Session> = match limits.requests_per_second {
        Some(rate) => Arc::new(RateLimit::new(session, rate)),
        None => session,
    };
    let retried: Arc<dyn Session> = Arc::new(Retrying::new(limited, policy));
    let bounded: Arc<dyn Session> = Arc::new(Concurrency::new(retried, limits.max_in_flight));
    match recorder {
        Some(recorder) => Arc::new(Record::new(bounded, recorder)),
        None => bounded,
    }
}
