//! Stored plans: apply exactly what was shown, release or discard what a guard held.

use std::collections::HashMap;
use std::sync::Arc;

use provost_connector::Context;
use provost_model::{Digest, JobName};
use provost_store::{CycleRow, CycleStatus as StoredStatus, JobRow, JobState};

use crate::cycle::{self, Cycle, check_unmoved};
use crate::engine::{Engine, Opened, RunOptions};
use crate::error::EngineError;
use crate::progress::Progress;
use crate::report::{CycleKind, CycleReport};
use crate::rule::Job;
use crate::spec::JobSpec;

/// Somebody's word that what is held may go out.
#[derive(Debug, Clone, Default)]
pub struct Approval {
    /// The plan that was looked at; whatever is held when there is none.
    pub plan: Option<String>,
    /// Whose word, for the log.
    pub by: Option<String>,
}

impl Engine {
    /// Sends a stored plan. The job is planned once more first: when anything differs from what was shown, nothing is
    /// sent, and the error names what moved.
    pub async fn apply(
        &self,
        plan: &str,
        spec_of: &(dyn Fn(&JobName) -> Option<JobSpec> + Sync),
        over_guard: bool,
        progress: Arc<Progress>,
        cx: &Context,
    ) -> Result<CycleReport, EngineError> {
        let wrong = |message: &str, hint| EngineError::Plan { plan: plan.into(), message: message.into(), hint };
        let row = self.store.cycle(plan).await?;
        let row =
            row.ok_or_else(|| wrong("there is no such plan", "`provost plan JOB` prints the id of the plan it made"))?;
        if row.status != StoredStatus::Planned {
            let message = format!("it is {}, not planned", row.status);
            return Err(wrong(&message, "make a new plan with `provost plan JOB`"));
        }
        let spec = spec_of(&row.job)
            .ok_or_else(|| wrong("its job is not configured", "use the configuration it was made with"))?;
        let opened = self.open(&row.job, &spec).await?;
        let held = self.hold(&row.job).await?;
        let result = self.apply_held(&row, &opened, &held.lease, over_guard, progress, cx).await;
        held.release(self).await;
        result
    }

    async fn apply_held(
        &self,
        row: &CycleRow,
        opened: &Opened,
        lease: &provost_store::Lease,
        over_guard: bool,
        progress: Arc<Progress>,
        cx: &Context,
    ) -> Result<CycleReport, EngineError> {
        let again = match row.note.as_deref() {
            note if let Some(of) = cycle::reverted(note) => {
                self.undo(of, opened, lease, true, Arc::default(), cx).await?
            }
            note => {
                let options = RunOptions { full: note == Some("full"), reconcile: note == Some("reconcile") };
                self.cycle(opened, lease, options, true, Arc::default(), cx).await?
            }
        };
        let moved = self.difference(&opened.job, &row.id, &again.cycle).await?;
        let mut tx = self.store.fenced(lease).await?;
        tx.drop_plan(&again.cycle).await?;
        tx.commit().await?;
        if let Some(message) = moved {
            return Err(EngineError::Moved { message });
        }
        if let (Some(message), false) = (again.note, over_guard) {
            return Err(EngineError::OverGuard { message });
        }
        self.send(row, opened, lease, progress, cx).await
    }

    /// The first difference between two plans, in words; `None` when they intend the same.
    async fn difference(&self, job: &Job, old: &str, new: &str) -> Result<Option<String>, EngineError> {
        let mut intended = HashMap::new();
        let mut after = 0;
        loop {
            let events = self.store.open_events(old, after, 1000).await?;
            let Some(last) = events.last() else { break };
            after = last.seq;
            for event in events {
                intended.insert((event.class.clone(), event.source_id.clone()), fingerprint(job, &event));
            }
        }
        after = 0;
        loop {
            let events = self.store.open_events(new, after, 1000).await?;
            let Some(last) = events.last() else { break };
            after = last.seq;
            for event in events {
                match intended.remove(&(event.class.clone(), event.source_id.clone())) {
                    Some(was) if was == fingerprint(job, &event) => {}
                    Some(_) => {
                        return Ok(Some(format!(
                            "`{}` ({}) would now be changed in another way",
                            event.name, event.source_id
                        )));
                    }
                    None => {
                        let message =
                            format!("`{}` ({}) would now be affected: {}", event.name, event.source_id, event.action);
                        return Ok(Some(message));
                    }
                }
            }
        }
        let left = intended.into_keys().next();
        Ok(left.map(|(class, id)| format!("nothing has to be done any more for {class} {id}")))
    }

    async fn send(
        &self,
        row: &CycleRow,
        opened: &Opened,
        lease: &provost_store::Lease,
        progress: Arc<Progress>,
        cx: &Context,
    ) -> Result<CycleReport, EngineError> {
        let mut job = self.store.job(&row.job).await?.unwrap_or_else(|| JobRow::new(row.job.clone()));
        if job.rules_digest != opened.job.digest {
            let mut tx = self.store.fenced(lease).await?;
            tx.clear_marks(&row.job, None).await?;
            job.rules_digest.clone_from(&opened.job.digest);
            // Everybody is looked at again, not only who changes from now on.
            job.cursors.clear();
            tx.save_job(&job).await?;
            tx.commit().await?;
        }
        let reverts = cycle::reverted(row.note.as_deref()).is_some();
        let kind = if reverts { CycleKind::Revert } else { CycleKind::Incremental };
        let cycle = Cycle { id: row.id.clone(), kind, progress, ..self.new_cycle(opened, lease, cx).await? };
        check_unmoved(&cycle, &row.id).await?;
        let renewal = self.keep(lease.clone(), cycle.cx.clone());
        let result = cycle::run_plan(Arc::new(cycle), job, &row.id).await;
        drop(renewal);
        result
    }

    /// Lets the held part of a job's last cycle go out, once. The log says who wanted that.
    pub async fn release(
        &self,
        name: &JobName,
        spec: &JobSpec,
        approval: &Approval,
        progress: Arc<Progress>,
        cx: &Context,
    ) -> Result<CycleReport, EngineError> {
        let opened = self.open(name, spec).await?;
        let held = self.hold(name).await?;
        let result = async {
            let row = self.held_cycle(name).await?;
            if let Some(seen) = approval.plan.as_deref().filter(|seen| *seen != row.id.as_str()) {
                return Err(EngineError::Plan {
                    plan: seen.to_owned(),
                    message: format!("the job holds another plan by now, `{}`", row.id),
                    hint: "look at that one: `provost plans show PLAN`, `provost plans diff OLD NEW`",
                });
            }
            let by = approval.by.as_deref().map_or_else(String::new, |by| format!(" by {by}"));
            let (status, now_ms) = (StoredStatus::Done, self.clock.now_ms());
            let mut told = cycle::verdict(name, &row.id, status, "", format!("released{by}"), now_ms);
            (told.action, told.status, told.code) = ("release".into(), provost_store::EventStatus::Done, None);
            let mut tx = self.store.fenced(&held.lease).await?;
            tx.append_events(&mut [told]).await?;
            tx.commit().await?;
            self.send(&row, &opened, &held.lease, progress, cx).await
        };
        let result = result.await;
        held.release(self).await;
        result
    }

    /// Gives up the held part of a job's last cycle. Returns how many operations that were.
    pub async fn discard(&self, name: &JobName) -> Result<u64, EngineError> {
        let held = self.hold(name).await?;
        let result = async {
            let mut row = self.held_cycle(name).await?;
            let mut tx = self.store.fenced(&held.lease).await?;
            let discarded = tx.discard_events(&row.id).await?;
            row.status = StoredStatus::Discarded;
            row.note = Some("discarded by hand".into());
            tx.save_cycle(&row).await?;
            if let Some(mut job) = self.store.job(name).await? {
                job.state = JobState::Active;
                job.held_plan = None;
                job.note = None;
                tx.save_job(&job).await?;
            }
            tx.commit().await?;
            Ok(discarded)
        };
        let result = result.await;
        held.release(self).await;
        result
    }

    async fn held_cycle(&self, name: &JobName) -> Result<CycleRow, EngineError> {
        let nothing = || EngineError::NothingHeld { job: name.clone() };
        let plan = self.store.job(name).await?.and_then(|job| job.held_plan).ok_or_else(nothing)?;
        self.store.cycle(&plan).await?.ok_or_else(nothing)
    }
}

/// What a planned operation intends, apart from when and by which plan.
fn fingerprint(job: &Job, event: &provost_store::EventRow) -> Digest {
    let target = event.target_id.as_deref().unwrap_or_default();
    let changes = without_chance(job, event);
    let changes = changes.as_deref().unwrap_or(&event.changes);
    Digest::of_bytes(format!("{}\0{target}\0{changes}", event.action).as_bytes())
}

/// The changes without random values, which differ between any two plans: what was shown is what is sent. `None` where there
/// are none.
fn without_chance(job: &Job, event: &provost_store::EventRow) -> Option<String> {
    let rule = job.rules.iter().find(|rule| rule.from == event.class && rule.mappings.iter().any(|m| m.random))?;
    let mut changes: Vec<serde_json::Map<String, serde_json::Value>> = serde_json::from_str(&event.changes).ok()?;
    for change in &mut changes {
        let path = change.get("path").and_then(serde_json::Value::as_str);
        if path.and_then(|path| rule.mapping(path)).is_some_and(|mapping| mapping.random) {
            change.remove("after");
        }
    }
    serde_json::to_string(&changes).ok()
}
