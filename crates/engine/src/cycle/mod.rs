//! One cycle of one job, from the first page read to the watermark.
//!
//! ```text
//!  source.scan ─► planner ─► pool ─► target.apply ─► recorder ─► store (fenced)
//!      pages      decide()   │  └─► adopter (accounts that exist) ─┘
//!                    └─► planned rows (disables, deletes, plans) ─► guard ─► pool
//! ```
//! Creates and updates flow while the source is still being read; what takes something away is stored as planned and
//! waits for the proven end of the read and for the guard. Who leaves meanwhile overtakes all of it ([`urgent`]). Every
//! outcome and its link are one transaction that checks the lease. Nothing here knows a connector, a protocol or SQL.

mod absent;
pub(crate) mod choose;
mod doubt;
mod find;
pub(crate) mod halt;
pub(crate) mod index;
mod intent;
mod known;
mod masked;
mod notes;
mod outcome;
mod ownerless;
mod planned;
mod planner;
mod pool;
mod queue;
mod reconcile;
mod recorder;
mod references;
mod retry;
mod revert;
mod text;
pub(crate) mod turn;
mod urgent;
mod wishes;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use provost_connector::{Context, Cursor, Session};
use provost_model::{ClassName, CycleId, Digest, ObjectId, Record, Text, Timestamp};
use provost_store::{CycleRow, CycleStatus as StoredStatus, JobRow, JobState, Lease, Store};

use tokio_util::task::AbortOnDropHandle;

use crate::decide::Reply;
use crate::error::EngineError;
use crate::guard::{Intended, Size};
use crate::progress::Progress;
use crate::quarantine;
use crate::report::{CycleKind, CycleReport, CycleStatus};
use crate::rule::{Job, Rule};

pub use doubt::Patience;
#[cfg(test)]
pub(crate) use masked::tests::job as job_for_tests;
use planned::apply_planned;
pub(crate) use planned::check_unmoved;
use pool::Pool;
pub(crate) use recorder::Recorder;
pub(crate) use revert::{marked, reverted};
pub(crate) use text::{doubtful, veiled_text};

/// By class and source id.
pub(crate) type Answers = HashMap<ClassName, HashMap<ObjectId, Reply>>;

/// What all tasks of a cycle share.
pub(crate) struct Cycle {
    pub id: CycleId,
    pub kind: CycleKind,
    pub job: Arc<Job>,
    pub store: Store,
    pub lease: Lease,
    pub source: Arc<dyn Session>,
    pub target: Arc<dyn Session>,
    pub progress: Arc<Progress>,
    pub cx: Context,
    /// The time of the cycle: `Now()` gives the same to everybody.
    pub now: Timestamp,
    /// The unique values that were chosen for objects of this cycle.
    pub chosen: choose::Chosen,
    /// What was read of a target that is not asked object by object.
    pub indexes: index::Indexes,
    /// How long a create in doubt is looked for.
    pub patience: Patience,
    /// Somebody pauses the job.
    pub halt: halt::Halt,
    /// What people answered about single objects, as the cycle begins.
    pub answers: Answers,
    /// Who works on which object, while the urgent lane is open.
    pub turns: turn::Turns,
    /// Store everything as planned and send nothing.
    pub plan_only: bool,
    /// Look at every object, whatever was seen before.
    pub fresh: bool,
}

impl Cycle {
    pub fn rule(&self, at: usize) -> &Rule {
        &self.job.rules[at]
    }

    /// Whether nothing new is begun any more: cancelled, or paused.
    fn is_stopping(&self) -> bool {
        self.cx.cancel.is_cancelled() || self.halt.is_on()
    }

    /// Whether creates and updates may flow before the read is complete.
    fn streams(&self) -> bool {
        !self.plan_only && !self.job.guards.limits_growth() && !self.job.approval.limits_growth()
    }

    /// What somebody answered about an object.
    pub fn answer(&self, rule: usize, id: &str) -> Option<&Reply> {
        if self.answers.is_empty() {
            return None;
        }
        self.answers.get(&self.rule(rule).from)?.get(id)
    }

    pub fn now_ms(&self) -> i64 {
        self.now.as_millisecond()
    }
}

/// How the read of one class ended.
#[derive(Debug, Default)]
pub(crate) struct ClassRead {
    /// Why absence proves nothing, if so.
    pub incomplete: Option<String>,
    pub count: u64,
    pub cursor: Option<Cursor>,
    /// Changes were kept back for the next cycle.
    pub more: bool,
    /// The whole class was read, not only its changes.
    pub full: bool,
    /// By how many objects the class has grown, or shrunk, as far as its changes tell.
    pub grown: i64,
    /// Accounts at the target that nobody is linked with (reconcile).
    pub orphans: u64,
}

/// Runs the cycle to its end. What went out is recorded even when it fails.
pub(crate) async fn run(cycle: Arc<Cycle>, job_row: JobRow) -> Result<CycleReport, EngineError> {
    on_worker(conduct(cycle, job_row, Work::Source)).await
}

/// Sends a stored plan, or the held part of a cycle, in place of reading anything.
pub(crate) async fn run_plan(cycle: Arc<Cycle>, job_row: JobRow, plan: &str) -> Result<CycleReport, EngineError> {
    on_worker(conduct(cycle, job_row, Work::Plan(plan.to_owned()))).await
}

/// Undoes what another cycle did.
pub(crate) async fn run_revert(cycle: Arc<Cycle>, job_row: JobRow, of: &str) -> Result<CycleReport, EngineError> {
    on_worker(conduct(cycle, job_row, Work::Revert(of.to_owned()))).await
}

/// Named objects, through the same steps as everything else.
pub(crate) async fn run_records(
    cycle: Arc<Cycle>,
    job_row: JobRow,
    records: Vec<(usize, Record)>,
) -> Result<CycleReport, EngineError> {
    on_worker(conduct(cycle, job_row, Work::Records(records))).await
}

/// Runs a cycle on a thread of the runtime's. The caller may be on the program's first thread, from which each hand-over to
/// a worker would have to wake another one. Given up with the caller.
async fn on_worker<F>(work: F) -> Result<CycleReport, EngineError>
where
    F: Future<Output = Result<CycleReport, EngineError>> + Send + 'static,
{
    match AbortOnDropHandle::new(tokio::spawn(work)).await {
        Ok(result) => result,
        Err(broken) if broken.is_panic() => std::panic::resume_unwind(broken.into_panic()),
        Err(_) => Err(EngineError::Cancelled),
    }
}

/// What a cycle works on.
enum Work {
    Source,
    Plan(String),
    Revert(String),
    Records(Vec<(usize, Record)>),
}

async fn conduct(cycle: Arc<Cycle>, job_row: JobRow, work: Work) -> Result<CycleReport, EngineError> {
    let start = Instant::now();
    // What was held is sent under the cycle that read it.
    let plan = match &work {
        Work::Plan(plan) => cycle.store.cycle(plan).await?,
        Work::Source | Work::Revert(_) | Work::Records(_) => None,
    };
    let planned = plan.as_ref().and_then(|row| row.rulebook.clone());
    let digest = || Text::from(Digest::of_bytes(cycle.job.rulebook.as_bytes()).to_string());
    let (is_new, rulebook) = (planned.is_none(), planned.unwrap_or_else(digest));
    let (was, cursors) = plan.map_or((None, BTreeMap::new()), |row| (Some(row.status), row.cursors));
    // A job that is paused can be worked on by hand; a pause that comes now stops that as well.
    let known = match &work {
        Work::Source if !cycle.halt.even_paused => None,
        _ => cycle.store.control(&cycle.job.name).await?.and_then(|row| row.paused),
    };
    let mut cycle_row = CycleRow {
        id: cycle.id.clone(),
        job: cycle.job.name.clone(),
        kind: if cycle.plan_only { provost_store::CycleKind::Plan } else { cycle.kind.stored() },
        status: StoredStatus::Running,
        started: cycle.now_ms(),
        finished: None,
        summary: "{}".into(),
        note: None,
        cursors,
        rulebook: Some(rulebook.clone()),
    };
    let mut tx = cycle.store.fenced(&cycle.lease).await?;
    if is_new {
        tx.save_rulebook(&rulebook, &cycle.job.rulebook).await?;
    }
    tx.save_cycle(&cycle_row).await?;
    tx.commit().await?;

    let job_before = job_row.clone();
    let pauses = (!cycle.plan_only).then(|| halt::watch(&cycle, known));
    let recorder = Recorder::start(cycle.clone(), job_row);
    let pool = Pool::start(&cycle, recorder.notes());
    let lane = urgent::Lane::open(&cycle, recorder.ledger(), pool.passage());
    let partial = !matches!(work, Work::Source);
    let sends_plan = matches!(work, Work::Plan(_));
    let reverts = if let Work::Revert(of) = &work { Some(marked(of)) } else { None };
    let objects = async {
        match work {
            Work::Source => steps(&cycle, &recorder, &pool, &job_before).await,
            Work::Plan(plan) => send_plan(&cycle, &recorder, &pool, &plan).await,
            Work::Revert(of) => undo(&cycle, &recorder, &pool, &of).await,
            Work::Records(records) => send_records(&cycle, &recorder, &pool, records).await,
        }
    };
    let mut result = cycle.halt.or(objects).await;
    if result.as_ref().is_ok_and(|found| found.sends_references)
        && let Err(error) = references::second_pass(&cycle, &recorder.notes()).await
    {
        result = Err(error);
    }
    // What overtook the rest ends like it.
    lane.close().await;
    if let Ok(found) = &mut result
        && !partial
    {
        found.intended = recorder.intended().await;
    }
    if result.is_ok()
        && let Err(error) = pool.drain().await
    {
        result = Err(error);
    }
    // A pause breaks nothing off: what is under way at the target ends, and what came of it is recorded.
    if matches!(result, Err(EngineError::Paused { .. }))
        && let Err(error) = pool.drain().await
    {
        result = Err(error);
    }
    if let Some(error) = pool.stop().await {
        result = Err(error);
    }
    drop(pauses);
    let mut job_row = recorder.finish().await?;
    // What a failed cycle planned and did not send is decided anew. A stored plan stays: it may be released again.
    if result.is_err()
        && !sends_plan
        && let Err(error) = discard(&cycle, &cycle.id).await
    {
        tracing::warn!(error = %error, "what the failed cycle had planned could not be discarded");
    }
    let elapsed_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    if sends_plan && result.is_ok() {
        // Somebody has confirmed that the source is as small as it was read.
        let present = cycle.store.count_present(&cycle.job.name).await?;
        for (class, count) in &mut job_row.counts {
            *count = present.get(class).copied().unwrap_or(0).min(*count);
        }
    }
    let before = cycle.store.quarantine(&cycle.job.name).await?;
    let mut finished = finish(&cycle, &mut job_row, result, partial);
    let quarantine = judge(&cycle, &job_row, &mut finished, partial, before.as_ref());
    if finished.row_status == StoredStatus::Paused {
        // A plan that was stopped on its way can be sent on.
        finished.row_status = was.unwrap_or(StoredStatus::Paused);
    }

    cycle_row.status = finished.row_status;
    cycle_row.finished = Some(cycle_row.started.saturating_add_unsigned(elapsed_ms));
    cycle_row.summary = serde_json::to_string(&cycle.progress.counts()).unwrap_or_default();
    cycle_row.note = finished.note.clone().or_else(|| reverts.clone());
    cycle_row.cursors.extend(finished.cursors);
    if cycle.plan_only && finished.error.is_none() {
        // Applying a plan makes it once more, so it has to be known how it was made.
        cycle_row.note = match (cycle.kind, cycle.fresh) {
            (CycleKind::Revert, _) => reverts,
            (CycleKind::Reconcile, _) => Some("reconcile".into()),
            (_, true) => Some("full".into()),
            _ => None,
        };
    }
    let mut tx = cycle.store.fenced(&cycle.lease).await?;
    tx.save_cycle(&cycle_row).await?;
    if !cycle.plan_only {
        tx.save_job(&job_row).await?;
        match &quarantine {
            quarantine::Verdict::Stays => {}
            quarantine::Verdict::In { row, .. } => tx.save_quarantine(row).await?,
            quarantine::Verdict::Out => drop(tx.end_quarantine(&cycle.job.name).await?),
        }
        if let Some(told) = quarantine::event(&cycle.job.name, &cycle.id, &quarantine, cycle.now_ms()) {
            tx.append_events(&mut [told]).await?;
        }
        if let (Some(note), Some(code)) = (&finished.note, &finished.code) {
            let why = verdict(&cycle.job.name, &cycle.id, finished.row_status, code, note.clone(), cycle.now_ms());
            tx.append_events(&mut [why]).await?;
        }
    }
    tx.commit().await?;
    if let Some(error) = finished.error {
        return Err(error);
    }
    Ok(CycleReport {
        job: cycle.job.name.clone(),
        cycle: cycle.id.clone(),
        kind: cycle.kind,
        status: finished.status,
        counts: cycle.progress.counts(),
        duration_ms: elapsed_ms,
        note: finished.note,
        code: finished.code,
        hint: finished.hint,
        escrowed: u64::try_from(cycle.store.count_escrows(&cycle.job.name).await?).unwrap_or(0),
        planned: finished.planned,
        more: finished.more,
    })
}

/// The event that says why a cycle as a whole did not end as it should.
pub(crate) fn verdict(
    job: &provost_model::JobName,
    cycle: &CycleId,
    status: StoredStatus,
    code: &str,
    reason: String,
    now_ms: i64,
) -> provost_store::EventRow {
    let action = match status {
        StoredStatus::Held => "hold",
        StoredStatus::Paused => "pause",
        _ => "cycle",
    };
    provost_store::EventRow {
        seq: 0,
        job: job.clone(),
        cycle: cycle.clone(),
        class: ClassName::default(),
        source_id: provost_model::ObjectId::default(),
        target_id: None,
        // A held event is an operation that waits; this one only tells of those.
        status: if action == "cycle" { provost_store::EventStatus::Failed } else { provost_store::EventStatus::Done },
        action: action.into(),
        code: Some(code.into()),
        created: now_ms,
        finished: Some(now_ms),
        duration_ms: 0,
        name: String::new(),
        reason,
        changes: "[]".into(),
        seen: None,
        detail: None,
    }
}

/// What the steps of a cycle found out.
#[derive(Default)]
struct Found {
    reads: BTreeMap<ClassName, ClassRead>,
    intended: Intended,
    held: Option<crate::guard::Exceeded>,
    /// The objects are done; their references follow.
    sends_references: bool,
}

async fn steps(cycle: &Arc<Cycle>, recorder: &Recorder, pool: &Pool, before: &JobRow) -> Result<Found, EngineError> {
    let notes = recorder.notes();
    let mut found = Found::default();
    let mut ownerless = Vec::new();
    for at in 0..cycle.job.rules.len() {
        let mut read = planner::class(cycle, &notes, pool, &before.cursors, at).await?;
        if cycle.kind == CycleKind::Reconcile {
            let reconciled = reconcile::class(cycle, &notes, pool, at).await?;
            read.orphans = reconciled.orphans;
            planner::again(cycle, &notes, pool, at, reconciled.missing).await?;
            ownerless.extend(reconciled.ownerless);
        }
        found.reads.insert(cycle.rule(at).from.clone(), read);
    }
    // Once everybody is read: an account that one rule leaves over may be another's.
    let unproven = found.reads.iter().find(|(_, read)| read.incomplete.is_some());
    let unproven = unproven.map(|(class, _)| format!("the read of `{class}` was not proven complete"));
    ownerless::plan(cycle, recorder, pool, ownerless, unproven).await?;
    notes.flush().await?;
    found.intended = recorder.intended().await;
    if cycle.plan_only {
        found.held = guard(cycle, &found, &recorder.linked().await, before).err();
        return Ok(found);
    }
    if found.reads.values().any(|read| read.incomplete.is_some()) {
        // What would take something away rests on a read that proved nothing; the next good read decides anew.
        discard(cycle, &cycle.id).await?;
    } else if let Err(exceeded) = guard(cycle, &found, &recorder.linked().await, before) {
        found.held = Some(exceeded);
    } else {
        apply_planned(cycle, &notes, pool, &cycle.id).await?;
    }
    found.sends_references = true;
    Ok(found)
}

/// The limits, by what was read and by what is `before` the cycle known of the source.
fn guard(
    cycle: &Cycle,
    found: &Found,
    linked: &BTreeMap<ClassName, u64>,
    before: &JobRow,
) -> Result<(), crate::guard::Exceeded> {
    let last = |class| before.counts.get(class).map(|count| u64::try_from(*count).unwrap_or(0));
    let whole = found.reads.iter().filter(|(_, read)| read.full);
    let sizes: Vec<Size<'_>> = whole.map(|(class, read)| Size { class, last: last(class), now: read.count }).collect();
    crate::guard::check(&cycle.job, &found.intended, linked, &sizes)
}

async fn send_plan(cycle: &Arc<Cycle>, recorder: &Recorder, pool: &Pool, plan: &str) -> Result<Found, EngineError> {
    let notes = recorder.notes();
    apply_planned(cycle, &notes, pool, plan).await?;
    Ok(Found { sends_references: true, ..Found::default() })
}

async fn undo(cycle: &Arc<Cycle>, recorder: &Recorder, pool: &Pool, of: &str) -> Result<Found, EngineError> {
    let notes = recorder.notes();
    revert::intend(cycle, &notes, of).await?;
    notes.flush().await?;
    let mut found = Found { intended: recorder.intended().await, ..Found::default() };
    found.held = crate::guard::check(&cycle.job, &found.intended, &recorder.linked().await, &[]).err();
    if !cycle.plan_only && found.held.is_none() {
        apply_planned(cycle, &notes, pool, &cycle.id).await?;
        found.sends_references = true;
    }
    Ok(found)
}

async fn send_records(
    cycle: &Arc<Cycle>,
    recorder: &Recorder,
    pool: &Pool,
    records: Vec<(usize, Record)>,
) -> Result<Found, EngineError> {
    let notes = recorder.notes();
    for (at, record) in records {
        planner::records(cycle, &notes, pool, at, vec![record]).await?;
    }
    notes.flush().await?;
    let mut found = Found { intended: recorder.intended().await, ..Found::default() };
    match crate::guard::check(&cycle.job, &found.intended, &recorder.linked().await, &[]) {
        Ok(()) => apply_planned(cycle, &notes, pool, &cycle.id).await?,
        Err(exceeded) => found.held = Some(exceeded),
    }
    found.sends_references = true;
    Ok(found)
}

/// Gives up the open operations of a cycle.
pub(crate) async fn discard(cycle: &Cycle, plan: &str) -> Result<u64, EngineError> {
    let mut tx = cycle.store.fenced(&cycle.lease).await?;
    let discarded = tx.discard_events(plan).await?;
    tx.commit().await?;
    Ok(discarded)
}

struct Finished {
    row_status: StoredStatus,
    status: CycleStatus,
    note: Option<String>,
    code: Option<String>,
    hint: Option<String>,
    planned: Vec<(provost_model::Action, u64)>,
    cursors: BTreeMap<ClassName, Text>,
    more: bool,
    error: Option<EngineError>,
}

/// What becomes of the job's quarantine. Only cycles that read the source say something about it.
fn judge(
    cycle: &Cycle,
    job: &JobRow,
    finished: &mut Finished,
    partial: bool,
    before: Option<&provost_store::QuarantineRow>,
) -> quarantine::Verdict {
    if partial || cycle.plan_only || finished.status == CycleStatus::Paused {
        return quarantine::Verdict::Stays;
    }
    let outcome = match &finished.error {
        Some(error) => quarantine::Outcome::of(error, job.failures),
        None => quarantine::Outcome::Ended {
            counts: cycle.progress.counts(),
            failed_references: cycle.progress.failed_references.load(std::sync::atomic::Ordering::Relaxed),
        },
    };
    let verdict = quarantine::judge(&cycle.job.quarantine, &cycle.job.name, before, outcome, cycle.now_ms());
    if let (quarantine::Verdict::In { row, .. }, None) = (&verdict, &finished.note) {
        finished.note = Some(format!("the job is in quarantine: {}", row.reason));
        finished.hint = Some("the next cycles come more rarely; one that succeeds takes the job out".into());
    }
    verdict
}

/// Brings the job's row to what the cycle found: watermark, counts, held plan.
fn finish(cycle: &Cycle, job: &mut JobRow, result: Result<Found, EngineError>, partial: bool) -> Finished {
    let mut finished = Finished {
        row_status: StoredStatus::Done,
        status: CycleStatus::Done,
        note: None,
        code: None,
        hint: None,
        planned: Vec::new(),
        cursors: BTreeMap::new(),
        more: false,
        error: None,
    };
    job.updated = cycle.now_ms();
    let found = match result {
        Ok(found) => found,
        Err(error @ EngineError::Paused { .. }) => {
            if !partial {
                // What an earlier cycle held was given up when this one began.
                job.state = JobState::Active;
                job.last_cycle = Some(cycle.id.clone());
            }
            finished.row_status = StoredStatus::Paused;
            finished.status = CycleStatus::Paused;
            finished.note = Some(error.to_string());
            finished.code = Some(provost_model::Explain::code(&error).to_string());
            finished.hint = Some(format!(
                "nobody was disabled or deleted since; after `provost resume {}` the next cycle does the rest",
                cycle.job.name
            ));
            return finished;
        }
        Err(error) => {
            job.failures += 1;
            finished.row_status = StoredStatus::Failed;
            finished.note = Some(error.to_string());
            finished.code = Some(provost_model::Explain::code(&error).to_string());
            finished.error = Some(error);
            return finished;
        }
    };
    finished.planned = found.intended.list();
    if cycle.plan_only {
        finished.row_status = StoredStatus::Planned;
        finished.status = CycleStatus::Planned;
        if let Some(exceeded) = found.held {
            finished.code = Some(exceeded.guard_code().into());
            finished.note = Some(exceeded.message);
            finished.hint = Some("a cycle would hold; `provost apply PLAN --over-guard` does it all the same".into());
        }
        return finished;
    }
    let incomplete = found.reads.iter().find_map(|(class, read)| Some((class, read.incomplete.as_ref()?)));
    job.last_cycle = Some(cycle.id.clone());
    if !partial || job.held_plan.as_ref() == Some(&cycle.id) {
        // Named objects and other plans leave what is held where it is.
        job.held_plan = None;
        job.state = JobState::Active;
    }
    if let Some((class, why)) = incomplete {
        job.failures += 1;
        finished.row_status = StoredStatus::Incomplete;
        finished.status = CycleStatus::Incomplete;
        finished.note = Some(format!("the read of `{class}` proves nothing about who left: {why}"));
        finished.code = Some("PRV-0530".into());
        finished.hint = Some("nobody was disabled or deleted; mend the source and run again".into());
    } else if let Some(exceeded) = found.held {
        job.state = JobState::Held;
        job.held_plan = Some(cycle.id.clone());
        // Read and decided, but to be read again: the next cycle decides anew about what is held.
        finished.cursors = found.reads.into_iter().filter_map(|(class, read)| Some((class, read.cursor?.0))).collect();
        finished.row_status = StoredStatus::Held;
        finished.status = CycleStatus::Held;
        finished.code = Some(exceeded.guard_code().into());
        finished.note = Some(exceeded.message);
        finished.hint = Some(format!(
            "look at it with `provost log --cycle {}`, then `provost release {job}` or `provost discard {job}`",
            cycle.id,
            job = cycle.job.name
        ));
    } else if partial {
        job.failures = 0;
    } else {
        job.failures = 0;
        job.last_success = Some(cycle.now_ms());
        for (class, read) in found.reads {
            finished.more |= read.more;
            if let Some(cursor) = read.cursor {
                finished.cursors.insert(class.clone(), cursor.0.clone());
                job.cursors.insert(class.clone(), cursor.0);
            }
            if read.full {
                job.counts.insert(class, i64::try_from(read.count).unwrap_or(i64::MAX));
            } else if let Some(count) = job.counts.get_mut(&class) {
                *count = count.saturating_add(read.grown).max(0);
            }
        }
    }
    job.note.clone_from(&finished.note);
    finished
}
