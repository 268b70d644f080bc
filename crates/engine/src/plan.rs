//! Stored plans: apply exactly what was shown, release or discard what a guard held.

use std::collections::HashMap;
use std::sync::Arc;

use provost_connector::Context;
use provost_model::{Action, Digest, JobName};
use provost_store::{CycleRow, CycleStatus as StoredStatus, ExceptionRow, JobRow, JobState};

use crate::cycle::{self, Cycle, check_unmoved};
use crate::engine::{Engine, Opened, RunOptions};
use crate::error::EngineError;
use crate::guard::{self, Intended};
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
    /// As much passes from now on without a word.
    pub always: bool,
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
            let exceptions = match approval.always {
                true => self.exceptions_for(&opened.job, &row, approval, now_ms).await?,
                false => Vec::new(),
            };
            let always = exceptions.iter().map(guard::words).collect::<Vec<_>>().join(", ");
            let always = if always.is_empty() { always } else { format!(", and always up to {always}") };
            let mut told = cycle::verdict(name, &row.id, status, "", format!("released{by}{always}"), now_ms);
            (told.action, told.status, told.code) = ("release".into(), provost_store::EventStatus::Done, None);
            let mut tx = self.store.fenced(&held.lease).await?;
            tx.save_exceptions(&exceptions).await?;
            tx.append_events(&mut [told]).await?;
            tx.commit().await?;
            self.send(&row, &opened, &held.lease, progress, cx).await
        };
        let result = result.await;
        held.release(self).await;
        result
    }

    /// Exceptions from the guards that hold this plan, each as far as the plan goes.
    async fn exceptions_for(
        &self,
        job: &Job,
        row: &CycleRow,
        approval: &Approval,
        now_ms: i64,
    ) -> Result<Vec<ExceptionRow>, EngineError> {
        let mut intended = Intended::default();
        for (class, action, count) in self.store.waiting_counts(&row.id).await? {
            let rule = job.rules.iter().position(|rule| rule.from == class);
            let action = Action::ALL.into_iter().find(|known| known.as_str() == action.as_str());
            if let (Some(rule), Some(action)) = (rule, action) {
                intended.add_many(rule, action, u64::try_from(count).unwrap_or(0));
            }
        }
        let linked = self.store.job(&job.name).await?.map(|job| job.linked).unwrap_or_default();
        let linked = linked.into_iter().map(|(class, count)| (class, u64::try_from(count).unwrap_or(0))).collect();
        let exceptions: Vec<ExceptionRow> = guard::exceeded(job, &intended, &linked)
            .into_iter()
            .filter_map(|exceeded| {
                let class = exceeded.class.clone().unwrap_or_default();
                Some(ExceptionRow {
                    job: job.name.clone(),
                    guard: exceeded.guard.into(),
                    limits: guard::limits(&job.guards, exceeded.guard, &class)?,
                    class,
                    operations: i64::try_from(exceeded.count).ok()?,
                    linked: i64::try_from(exceeded.linked).ok()?,
                    plan: row.id.clone(),
                    granted_by: approval.by.clone(),
                    created: now_ms,
                })
            })
            .collect();
        if exceptions.is_empty() {
            return Err(EngineError::NoException { job: job.name.clone(), why: row.note.clone().unwrap_or_default() });
        }
        Ok(exceptions)
    }

    /// Ends what was released "always"; how many exceptions that were. A cycle that runs ends under them.
    pub async fn reset_guards(&self, name: &JobName, by: Option<&str>) -> Result<u64, EngineError> {
        let mut tx = self.store.begin().await?;
        let ended = tx.end_exceptions(name, None).await?;
        tx.commit().await?;
        if ended > 0 {
            let by = by.map_or_else(String::new, |by| format!(" by {by}"));
            self.tell(name, "guard-reset", format!("{ended} exception(s) from guards ended{by}")).await?;
        }
        Ok(ended)
    }

    /// Ends the exceptions whose guard is configured otherwise by now.
    pub(crate) async fn end_exceptions(&self, job: &Job) -> Result<(), EngineError> {
        for row in self.store.exceptions(Some(job.name.as_str())).await? {
            if guard::is_in_force(&job.guards, &row) {
                continue;
            }
            let mut tx = self.store.begin().await?;
            tx.end_exceptions(&job.name, Some(&row)).await?;
            tx.commit().await?;
            let reason = format!("an exception ended, since its guard is configured otherwise: {}", guard::words(&row));
            self.tell(&job.name, "guard-reset", reason).await?;
        }
        Ok(())
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
