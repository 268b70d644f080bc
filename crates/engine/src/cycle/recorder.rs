//! The one writer of a cycle: collects notes from all tasks and writes them by the page, each page one fenced transaction
//! with events, links, references, escrow and the job's counters together. A cycle that lost its lease writes nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use provost_model::{Action, ClassName, ObjectId};
use provost_store::{EscrowRow, EventStatus, JobRow, Layout, LinkRow};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::Cycle;
use super::notes::{Note, Notes, Reader, pad};
use super::outcome::{Builder, Rows};
use super::turn::{Key, Turn, key};
use crate::error::EngineError;
use crate::guard::{self, Exceeded, Intended};
use crate::progress::Progress;
use crate::rule::Job;

pub(crate) struct Recorder {
    notes: Notes,
    task: JoinHandle<Result<JobRow, EngineError>>,
    ledger: Ledger,
}

/// What the guards count: the objects that the job has at the target, and what the cycle means to do to them.
#[derive(Clone, Default)]
pub(super) struct Ledger {
    linked: Arc<Mutex<BTreeMap<ClassName, i64>>>,
    intended: Arc<Mutex<Intended>>,
    /// Whom the cycle means to take something from.
    leaving: Arc<Mutex<HashSet<Key>>>,
    /// Accounts that the cycle means to take over.
    claimed: Arc<Mutex<HashSet<ObjectId>>>,
    /// Failures of objects that have no account, or of which nobody knows.
    unsettled: Arc<AtomicU64>,
}

impl Ledger {
    async fn linked(&self) -> BTreeMap<ClassName, u64> {
        let linked = self.linked.lock().await;
        linked.iter().map(|(class, count)| (class.clone(), u64::try_from(*count).unwrap_or(0))).collect()
    }

    /// Books what the cycle will do once everything is read.
    pub async fn plan(&self, rule: usize, id: &ObjectId, action: Action) {
        self.intended.lock().await.add(rule, action);
        if action.is_destructive() {
            self.leaving.lock().await.insert(key(rule, id));
        }
    }

    /// Books what cannot wait, unless the guards or a wish for approval forbid it beside all that is booked. Nobody is counted
    /// twice.
    pub async fn admit(&self, job: &Job, rule: usize, id: &ObjectId, action: Action) -> Result<(), Exceeded> {
        let linked = self.linked().await;
        let is_planned = self.leaving.lock().await.contains(&key(rule, id));
        let mut intended = self.intended.lock().await;
        let mut more = intended.clone();
        if !is_planned {
            more.add(rule, action);
        }
        guard::check(job, &more, &linked, &[])?;
        *intended = more;
        Ok(())
    }
}

impl Recorder {
    pub fn start(cycle: Arc<Cycle>, job: JobRow) -> Self {
        let (notes, reader) = pad();
        let ledger = Ledger { linked: Arc::new(Mutex::new(job.linked.clone())), ..Ledger::default() };
        let writer = Writer { cycle, job, ledger: ledger.clone(), escrows: HashMap::new(), laid_out: BTreeSet::new() };
        Self { notes, task: tokio::spawn(writer.run(reader)), ledger }
    }

    pub fn notes(&self) -> Notes {
        self.notes.clone()
    }

    /// Objects that the job has at the target, by source class, as recorded so far.
    pub async fn linked(&self) -> BTreeMap<ClassName, u64> {
        self.ledger.linked().await
    }

    /// Operations stored as planned so far, and what overtook them.
    pub async fn intended(&self) -> Intended {
        self.ledger.intended.lock().await.clone()
    }

    /// Accounts that are planned to be taken over.
    pub async fn claimed(&self) -> HashSet<ObjectId> {
        self.ledger.claimed.lock().await.clone()
    }

    /// How often an object without account failed so far, also in a plan, which leaves no escrow.
    pub fn unsettled(&self) -> u64 {
        self.ledger.unsettled.load(Ordering::Acquire)
    }

    pub(super) fn ledger(&self) -> Ledger {
        self.ledger.clone()
    }

    /// Ends the recorder once every other handle is dropped, and gives the job's row back with its counters.
    pub async fn finish(self) -> Result<JobRow, EngineError> {
        drop(self.notes);
        match self.task.await {
            Ok(result) => result,
            Err(_) => Err(EngineError::Cancelled),
        }
    }
}

struct Writer {
    cycle: Arc<Cycle>,
    job: JobRow,
    ledger: Ledger,
    escrows: HashMap<(ClassName, ObjectId), EscrowRow>,
    /// Rules whose layout this cycle has saved.
    laid_out: BTreeSet<usize>,
}

impl Writer {
    async fn run(mut self, notes: Reader) -> Result<JobRow, EngineError> {
        for row in self.cycle.store.escrows(&self.cycle.job.name).await? {
            self.escrows.insert((row.class.clone(), row.source_id.clone()), row);
        }
        while let Some(page) = notes.page().await {
            self.write(page).await?;
        }
        Ok(self.job)
    }

    async fn write(&mut self, page: Vec<Note>) -> Result<(), EngineError> {
        let start = Instant::now();
        let mut flushed = Vec::new();
        let turns: Vec<Turn> = page.iter().filter_map(Note::turn).cloned().collect();
        let cycle = self.cycle.clone();
        let now_ms = cycle.now_ms();
        let rows =
            Rows { links: Vec::with_capacity(page.len()), events: Vec::with_capacity(page.len()), ..Rows::default() };
        let mut builder = Builder { cycle: &cycle, escrows: &mut self.escrows, now_ms, rows };
        let homeless = page.iter().filter(|note| note.is_unsettled()).count();
        self.ledger.unsettled.fetch_add(homeless as u64, Ordering::AcqRel);
        for note in page {
            match note {
                // A plan leaves the links as they are; it tells what it would do and what it cannot.
                Note::Fault(place, fault) if cycle.plan_only => builder.fault_event(&place, &fault, None),
                Note::Touch(_) | Note::Skip(..) | Note::Forget(..) | Note::References(..) | Note::Relink(..)
                    if cycle.plan_only => {}
                Note::Touch(place) => builder.touch(&place),
                Note::Skip(place, reason) => builder.skip(&place, reason),
                Note::Told(told) => builder.told(*told),
                Note::Forget(rule, id) => builder.forget(rule, id),
                Note::Fault(place, fault) => builder.fault(&place, &fault),
                Note::ReadFault(rule, fault) => builder.read_fault(rule, &fault),
                Note::Planned(intent) => {
                    self.ledger.plan(intent.rule, &intent.source_id, intent.act.action).await;
                    if let (true, Some(account)) = (intent.act.adopted, &intent.act.target_id) {
                        self.ledger.claimed.lock().await.insert(account.clone());
                    }
                    builder.planned(&intent);
                }
                Note::Superseded(seq) => builder.finish_event(0, seq, EventStatus::Discarded, None, None, None),
                Note::Settled(settled) => builder.settled(settled),
                Note::References(place, delta) => {
                    builder.touch(&place);
                    builder.references(&delta);
                }
                Note::Sent { event, sent, gone } => {
                    let failed = event.as_ref().is_some_and(|event| event.status == EventStatus::Failed);
                    Progress::add(&cycle.progress.failed_references, u64::from(failed));
                    builder.rows.events.extend(event.map(|event| *event));
                    builder.rows.references.extend(sent);
                    builder.rows.dropped_references.extend(gone);
                }
                Note::Relink(link, _) => {
                    builder.unlinked(&link);
                    builder.rows.links.push((*link, None));
                }
                Note::Flush(done) => flushed.push(done),
            }
        }
        let rows = builder.rows;
        self.store(rows).await?;
        drop(turns);
        Progress::spent(&cycle.progress.phases.record, start.elapsed());
        for done in flushed {
            // Whoever waited may be gone; the write stands all the same.
            let _ = done.send(());
        }
        Ok(())
    }

    async fn store(&mut self, mut rows: Rows) -> Result<(), EngineError> {
        let cycle = &self.cycle;
        let job = &cycle.job.name;
        let mut tx = cycle.store.fenced(&cycle.lease).await?;
        let layouts: Vec<&Layout> = rows
            .rules
            .difference(&self.laid_out)
            .map(|rule| cycle.rule(*rule))
            .flat_map(|rule| [&rule.layout, &rule.reads.layout])
            .collect();
        tx.save_layouts(&layouts).await?;
        tx.append_events(&mut rows.events).await?;
        tx.finish_events(&rows.outcomes).await?;
        let links: Vec<LinkRow> = rows
            .links
            .into_iter()
            .map(|(mut link, event)| {
                link.event = event.map(|at| rows.events[at].seq).or(link.event);
                link
            })
            .collect();
        tx.save_links(&links).await?;
        for (class, ids) in &rows.forgotten {
            tx.delete_links(job, class, ids).await?;
            tx.delete_references_of(job, class, ids).await?;
        }
        for (class, ids) in &rows.voided {
            tx.delete_references_of(job, class, ids).await?;
        }
        for (class, ids) in &rows.reopened {
            tx.reopen_references_to(job, class, ids).await?;
        }
        tx.delete_references(job, &rows.dropped_references).await?;
        tx.save_references(&rows.references).await?;
        tx.save_escrows(&rows.escrows).await?;
        for (class, ids) in &rows.released {
            tx.delete_escrows(job, class, ids).await?;
        }
        for (class, ids) in &rows.answered {
            tx.delete_answers(job, class, ids).await?;
        }
        if !rows.linked.is_empty() {
            for (class, change) in &rows.linked {
                *self.job.linked.entry(class.clone()).or_default() += change;
            }
            tx.save_job(&self.job).await?;
        }
        tx.commit().await?;
        self.laid_out.append(&mut rows.rules);
        self.ledger.linked.lock().await.clone_from(&self.job.linked);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cycle::job_for_tests;
    use crate::spec::LimitSpec;

    #[tokio::test]
    async fn a_leaver_who_overtakes_his_own_plan_is_counted_once() {
        let mut job = job_for_tests();
        job.guards.leavers = LimitSpec { count: Some(2), percent: None, from: 20 };
        let (ledger, [ada, bea, cem]) = (Ledger::default(), ["ada", "bea", "cem"].map(ObjectId::from));
        ledger.plan(0, &ada, Action::Disable).await;
        ledger.admit(&job, 0, &ada, Action::Disable).await.unwrap();
        ledger.admit(&job, 0, &bea, Action::Delete).await.unwrap();
        let exceeded = ledger.admit(&job, 0, &cem, Action::Disable).await.unwrap_err();
        assert_eq!(exceeded.guard, "leavers");
        assert_eq!(ledger.intended.lock().await.list(), [(Action::Disable, 1), (Action::Delete, 1)]);
    }
}
