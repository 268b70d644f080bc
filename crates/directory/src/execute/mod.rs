//! The one way into the tables: a list of writes becomes one transaction of a few bulk statements.
//!
//! The result is that of doing the writes one after the other, each by itself. To get there without a statement per write
//! they are cut into rounds in which no resource comes twice and deletions, which reach into other resources, come last; a
//! round loads, prepares, decides and flushes in bulk ([`prepare`], [`round`], [`flush`]). Batches hardly ever need a second round. All writers take the directory's lock first, on every
//! node, so that what a round has checked stays true until the commit.

mod flush;
mod id;
mod prepare;
mod round;

use std::collections::HashSet;

use provost_model::ObjectId;
use provost_store::{StoreError, Transaction};

use crate::{Directory, DirectoryError, Write, Written};

use id::Ids;
use prepare::Task;

/// What came of each write, in their order.
pub(crate) type Outcomes = Vec<Result<Written, DirectoryError>>;

/// The transaction as a whole failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub error: StoreError,
    /// The connection broke during the commit: it may have been done.
    pub unknown: bool,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self { error, unknown: false }
    }
}

impl Directory {
    pub(crate) async fn execute(&self, writes: Vec<Write>) -> Result<Outcomes, Failure> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        self.prepare().await?;
        let tasks = writes.into_iter().map(|write| Task::new(self, write)).collect();
        let mut tx = self.store().begin().await?;
        tx.lock_directory().await?;
        let outcomes = self.run(&mut tx, tasks).await?;
        if outcomes.iter().flatten().any(|written| written.changed) {
            let commit = tx.commit().await;
            commit.map_err(|error| Failure { unknown: matches!(error, StoreError::Unavailable(_)), error })?;
            self.store().ring();
        } else {
            tx.rollback().await?;
        }
        Ok(outcomes)
    }

    async fn run(
        &self,
        tx: &mut Transaction,
        tasks: Vec<Result<Task<'_>, DirectoryError>>,
    ) -> Result<Outcomes, StoreError> {
        let now = self.now_ms();
        let mut ids = Ids::at(now);
        let mut outcomes = Vec::with_capacity(tasks.len());
        let mut rest = tasks.into_iter().peekable();
        while rest.peek().is_some() {
            let (mut seen, mut deletes) = (HashSet::<ObjectId>::new(), false);
            let mut fits = |task: &Result<Task<'_>, DirectoryError>| {
                let Ok(task) = task else { return true };
                let in_order = task.is_delete() || !deletes;
                deletes |= task.is_delete();
                in_order && task.id().is_none_or(|id| seen.insert(id.clone()))
            };
            let mut batch = Vec::with_capacity(rest.len());
            while let Some(task) = rest.next_if(&mut fits) {
                batch.push(task);
            }
            outcomes.extend(round::run(self, tx, batch, now, &mut ids).await?);
        }
        Ok(outcomes)
    }
}
