//! Undoing a cycle.

use std::sync::Arc;

use provost_connector::Context;
use provost_model::JobName;
use provost_store::{CycleRow, CycleStatus as StoredStatus, JobRow, Lease};

use crate::cycle::{self, Cycle};
use crate::engine::{Engine, Opened};
use crate::error::EngineError;
use crate::progress::Progress;
use crate::report::{CycleKind, CycleReport};
use crate::spec::JobSpec;

impl Engine {
    /// Plans the opposite of what the cycle did, by the log's record of it, and carries it out unless `plan_only`. Guards
    /// count as in any cycle: over one the job holds, and `release` lets it go out. What cannot be undone is in the log of
    /// the new cycle as `revert` that failed.
    pub async fn revert(
        &self,
        of: &str,
        spec_of: &(dyn Fn(&JobName) -> Option<JobSpec> + Sync),
        plan_only: bool,
        progress: Arc<Progress>,
        cx: &Context,
    ) -> Result<CycleReport, EngineError> {
        let row = self.revertible(of).await?;
        let spec = spec_of(&row.job).ok_or_else(|| EngineError::Revert {
            cycle: of.to_owned(),
            message: format!("its job `{}` is not configured", row.job),
            hint: "use the configuration it ran with",
        })?;
        let opened = self.open(&row.job, &spec).await?;
        let held = self.hold(&row.job).await?;
        let result = self.undo(&row.id, &opened, &held.lease, plan_only, progress, cx).await;
        held.release(self).await;
        result
    }

    async fn revertible(&self, of: &str) -> Result<CycleRow, EngineError> {
        let wrong = |message: &str, hint| EngineError::Revert { cycle: of.to_owned(), message: message.into(), hint };
        let row = self.store.cycle(of).await?;
        self.refuse_pruned(of, row.as_ref()).await?;
        let row = row.ok_or_else(|| wrong("there is no such cycle", "`provost log` names the cycle of each event"))?;
        match row.status {
            StoredStatus::Planned => Err(wrong("it is a plan and did nothing", "name a cycle that ran")),
            StoredStatus::Running => {
                Err(wrong("it is running, or was interrupted", "run the job once; then its end is known"))
            }
            _ => Ok(row),
        }
    }

    /// What is left of the log of a cycle after some of it was thrown away would undo it in part. Where not even its row is left,
    /// the time is in its id.
    async fn refuse_pruned(&self, of: &str, row: Option<&CycleRow>) -> Result<(), EngineError> {
        let Some(since) = self.store.pruned_before().await? else { return Ok(()) };
        let in_id = || {
            let (seconds, nanos) = uuid::Uuid::parse_str(of).ok()?.get_timestamp()?.to_unix();
            i64::try_from(seconds).ok()?.checked_mul(1_000)?.checked_add(i64::from(nanos / 1_000_000))
        };
        match row.map(|row| row.started).or_else(in_id) {
            Some(began) if began < since => {
                let time = provost_model::Timestamp::from_millisecond(since);
                let since = time.map_or_else(|_| since.to_string(), |time| format!("{time:.0}"));
                Err(EngineError::Pruned { cycle: of.to_owned(), since })
            }
            _ => Ok(()),
        }
    }

    /// The opposite of a cycle under a lease that the caller holds.
    pub(crate) async fn undo(
        &self,
        of: &str,
        opened: &Opened,
        lease: &Lease,
        plan_only: bool,
        progress: Arc<Progress>,
        cx: &Context,
    ) -> Result<CycleReport, EngineError> {
        let name = &opened.job.name;
        let mut row = self.store.job(name).await?.unwrap_or_else(|| JobRow::new(name.clone()));
        if !plan_only {
            self.supersede(&opened.job, lease, &mut row).await?;
        }
        let cycle = Cycle { kind: CycleKind::Revert, progress, plan_only, ..self.new_cycle(opened, lease, cx).await? };
        let renewal = self.keep(lease.clone(), cycle.cx.clone());
        let result = cycle::run_revert(Arc::new(cycle), row, of).await;
        drop(renewal);
        result
    }
}
