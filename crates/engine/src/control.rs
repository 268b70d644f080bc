//! What people say about a job: pause and resume, what becomes of failed objects, and beginning anew
//! (entra: synchronizationJob pause, start, restart).
//!
//! Nothing here reads a source or writes to a target. Each leaves an event, so that the log says who waited for whom.

use std::collections::{BTreeMap, HashMap};

use provost_model::{ClassName, CycleId, JobName, ObjectId};
use provost_store::{CycleStatus as StoredStatus, EscrowRow, EventRow, EventStatus, JobState};
use serde::Serialize;

use crate::cycle;
use crate::engine::Engine;
use crate::error::EngineError;

/// What `provost restart` forgets. Links stay unless they are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct RestartScope {
    /// The next cycle looks at every object again.
    pub watermark: bool,
    /// Failed objects are forgotten rather than tried again.
    pub escrows: bool,
    pub quarantine: bool,
    /// Which account belongs to whom: found again by the matching attributes. Implies the watermark.
    pub links: bool,
}

impl RestartScope {
    /// What is meant when nothing is named.
    pub const USUAL: Self = Self { watermark: true, escrows: true, quarantine: true, links: false };
    pub const FULL: Self = Self { links: true, ..Self::USUAL };

    fn words(self) -> String {
        let named = [
            (self.watermark || self.links, "watermark"),
            (self.escrows || self.links, "escrows"),
            (self.quarantine, "quarantine"),
            (self.links, "links"),
        ];
        named.iter().filter(|(is_named, _)| *is_named).map(|(_, word)| *word).collect::<Vec<_>>().join(", ")
    }
}

/// A failed object, with the name that people know it by.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Waiting {
    pub name: String,
    #[serde(flatten)]
    pub row: EscrowRow,
}

/// What becomes of failed objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The next cycle tries them.
    Retry,
    /// They are left alone until they change at the source.
    Ignore,
}

impl Engine {
    /// Keeps the job from running. A cycle that runs ends after what is under way, within about a second.
    pub async fn pause(&self, job: &JobName, reason: Option<&str>) -> Result<(), EngineError> {
        self.store.pause(job, reason, self.clock.now_ms()).await?;
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        self.tell(job, "pause", format!("the job was paused{reason}")).await
    }

    /// Lets a paused job run again; false when it was not paused.
    pub async fn resume(&self, job: &JobName) -> Result<bool, EngineError> {
        let was_paused = self.store.resume(job).await?;
        if was_paused {
            self.tell(job, "resume", "the job was resumed".to_owned()).await?;
        }
        Ok(was_paused)
    }

    /// All objects of the job that failed and wait, or are left alone, by class and id.
    pub async fn waiting(&self, job: &JobName) -> Result<Vec<Waiting>, EngineError> {
        let rows = self.store.escrows(job).await?;
        let mut ids: BTreeMap<ClassName, Vec<ObjectId>> = BTreeMap::new();
        for row in &rows {
            ids.entry(row.class.clone()).or_default().push(row.source_id.clone());
        }
        let mut names = HashMap::new();
        for (class, ids) in ids {
            for page in ids.chunks(1_000) {
                let page: Vec<&str> = page.iter().map(|id| id.as_str()).collect();
                let links = self.store.links(job, &class, &page).await?;
                names.extend(links.into_iter().map(|link| ((class.clone(), link.source_id), link.name)));
            }
        }
        let named = |row: EscrowRow| {
            let key = (row.class.clone(), row.source_id.clone());
            Waiting { name: names.remove(&key).unwrap_or_default(), row }
        };
        Ok(rows.into_iter().map(named).collect())
    }

    /// Decides about failed objects, also while a cycle runs. Returns how many there still were.
    pub async fn settle(&self, job: &JobName, objects: &[Waiting], fate: Fate) -> Result<u64, EngineError> {
        let mut ids: BTreeMap<&ClassName, Vec<&str>> = BTreeMap::new();
        for object in objects {
            ids.entry(&object.row.class).or_default().push(&object.row.source_id);
        }
        let mut settled = 0;
        let mut tx = self.store.begin().await?;
        for (class, ids) in ids {
            settled += match fate {
                Fate::Retry => tx.retry_escrows(job, class, &ids).await?,
                Fate::Ignore => tx.ignore_escrows(job, class, &ids).await?,
            };
        }
        tx.commit().await?;
        if settled > 0 {
            let (action, text) = match fate {
                Fate::Retry => ("retry", "to be tried in the next cycle"),
                Fate::Ignore => ("ignore", "to be left alone until they change at the source"),
            };
            self.tell(job, action, format!("{settled} failed object(s) {text}")).await?;
        }
        if fate == Fate::Retry {
            self.store.wake_job(job).await?;
        }
        Ok(settled)
    }

    /// Forgets what the scope names, and lets the job run at once. Refused while a cycle runs.
    pub async fn restart(&self, job: &JobName, scope: RestartScope) -> Result<(), EngineError> {
        let held = self.hold(job).await?;
        let result = self.forget(job, &held.lease, scope).await;
        held.release(self).await;
        result?;
        self.tell(job, "restart", format!("the job begins anew: {}", scope.words())).await?;
        Ok(self.store.wake_job(job).await?)
    }

    async fn forget(
        &self,
        job: &JobName,
        lease: &provost_store::Lease,
        scope: RestartScope,
    ) -> Result<(), EngineError> {
        let row = self.store.job(job).await?;
        let held_plan = row.as_ref().and_then(|row| row.held_plan.clone());
        let held_cycle = match held_plan.filter(|_| scope.links) {
            Some(plan) => self.store.cycle(&plan).await?,
            None => None,
        };
        let mut tx = self.store.fenced(lease).await?;
        if scope.escrows {
            tx.forget_escrows(job).await?;
        }
        if scope.quarantine {
            tx.end_quarantine(job).await?;
        }
        if scope.links {
            tx.forget_links(job).await?;
        }
        if let Some(mut cycle) = held_cycle {
            // It rests on links that are not there any more.
            tx.discard_events(&cycle.id).await?;
            cycle.status = StoredStatus::Discarded;
            cycle.note = Some("the job was restarted without its links".into());
            tx.save_cycle(&cycle).await?;
        }
        if let Some(mut row) = row {
            if scope.watermark || scope.links {
                // No digest equals it, so the next cycle is an initial one.
                row.rules_digest.clear();
                row.cursors.clear();
            }
            if scope.quarantine {
                row.failures = 0;
            }
            if scope.links {
                row.linked.clear();
                row.held_plan = None;
                row.state = JobState::Active;
            }
            tx.save_job(&row).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// An event about the job itself that belongs to no cycle.
    pub(crate) async fn tell(&self, job: &JobName, action: &str, reason: String) -> Result<(), EngineError> {
        let id = CycleId::from(uuid::Uuid::now_v7().to_string());
        let event = cycle::verdict(job, &id, StoredStatus::Done, "", reason, self.clock.now_ms());
        let event = EventRow { action: action.into(), status: EventStatus::Done, code: None, ..event };
        let mut tx = self.store.begin().await?;
        tx.append_events(&mut [event]).await?;
        tx.commit().await?;
        Ok(())
    }
}
