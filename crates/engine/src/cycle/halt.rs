//! A pause that somebody asks for while a cycle runs, from any process: seen in the store, told to all tasks of the cycle.
//!
//! Other than a cancellation it breaks nothing off: what is at the target ends and is recorded. What was not begun is left
//! as if the cycle had never come to it, so that the next one does it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use provost_store::ControlRow;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::Cycle;
use crate::error::EngineError;

/// How often a cycle looks whether its job was paused.
pub(crate) const LOOK: Duration = Duration::from_secs(1);

/// Whether a cycle is to stop, and since when.
#[derive(Debug)]
pub(crate) struct Halt {
    token: CancellationToken,
    row: OnceLock<ControlRow>,
    /// Somebody runs the job by hand although it is paused.
    pub even_paused: bool,
    pub look: Duration,
}

impl Default for Halt {
    fn default() -> Self {
        Self { token: CancellationToken::new(), row: OnceLock::new(), even_paused: false, look: LOOK }
    }
}

impl Halt {
    pub fn new(even_paused: bool, look: Duration) -> Self {
        Self { even_paused, look, ..Self::default() }
    }

    pub fn is_on(&self) -> bool {
        self.token.is_cancelled()
    }

    /// The error that ends the cycle, once it is to stop.
    pub fn paused(&self) -> Option<EngineError> {
        self.row.get().and_then(refusal)
    }

    /// Gives up the work once the job is paused; it must hold nothing that is under way at the target.
    pub async fn or<T>(&self, work: impl Future<Output = Result<T, EngineError>>) -> Result<T, EngineError> {
        tokio::select! {
            biased;
            () = self.token.cancelled() => Err(self.paused().unwrap_or(EngineError::Cancelled)),
            result = work => result,
        }
    }
}

/// Why a job may not run, if it is paused.
pub(crate) fn refusal(row: &ControlRow) -> Option<EngineError> {
    let since_ms = row.paused?;
    Some(EngineError::Paused { job: row.job.clone(), since_ms, reason: row.pause_reason.clone() })
}

/// Looks for a pause that is newer than `known` until the handle is dropped.
pub(super) fn watch(cycle: &Arc<Cycle>, known: Option<i64>) -> AbortOnDropHandle<()> {
    let cycle = cycle.clone();
    AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            match cycle.store.control(&cycle.job.name).await {
                Ok(Some(row)) if row.paused.is_some() && row.paused != known => {
                    let _ = cycle.halt.row.set(row);
                    cycle.halt.token.cancel();
                    return;
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(error = %error, "whether the job is paused could not be read"),
            }
            tokio::time::sleep(cycle.halt.look).await;
        }
    }))
}
