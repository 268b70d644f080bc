//! Runs jobs by themselves: every so often, at times of the clock, and as soon as the source is seen to have changed.
//!
//! One task per job; a cycle takes no argument but its job, so a signal that is missed costs time and nothing else. What
//! other processes say (paused, run at once) and what the store knows (quarantine) is looked at by one more task for all
//! jobs. The job's lease keeps two nodes from running one job at once. When a job is due is in [`due`].

pub mod due;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use provost_connector::Context;
use provost_model::{JobName, Text, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::engine::{Engine, RunOptions};
use crate::error::EngineError;
use crate::progress::Progress;
use crate::report::{CycleReport, CycleStatus};
use crate::spec::JobSpec;
use crate::timetable::Timetable;
use due::{Ended, Standing};

/// How often a source that cannot be listened to is asked whether it changed, the store what was said about the jobs, and the
/// clock what time it is: a machine that slept, or whose clock was set, is no later than this.
const LOOK: Duration = Duration::from_secs(2);
/// How long a job waits that another node is running.
const BUSY_MS: i64 = 30_000;

/// Hears how each cycle ended.
pub type Listener = Arc<dyn Fn(&JobName, &Result<CycleReport, EngineError>) + Send + Sync>;

/// What the store says about all jobs.
type Board = BTreeMap<JobName, Standing>;

/// Runs all jobs that have a schedule until `cx` is cancelled.
pub async fn run(engine: Engine, jobs: Vec<(JobName, JobSpec)>, listener: Listener, cx: Context) {
    let (post, board) = watch::channel(Board::new());
    look(&engine, &post).await;
    let mut tasks = JoinSet::new();
    for (name, spec) in jobs.into_iter().filter(|(_, spec)| spec.schedule.is_some()) {
        match Timetable::compile(&spec.schedule, &format!("jobs.{name}.schedule")) {
            Ok(table) => {
                let (engine, board, listener, cx) = (engine.clone(), board.clone(), listener.clone(), cx.clone());
                let (post, due) = (post.clone(), engine.clock.now());
                let keeper = Keeper {
                    engine,
                    name,
                    spec,
                    table,
                    post,
                    board,
                    listener,
                    cx,
                    due,
                    seen: None,
                    wakes: 0,
                    failures: 0,
                };
                tasks.spawn(keeper.keep());
            }
            // One that has none at all says what is wrong, rather than nothing for ever.
            Err(problems) => listener(&name, &Err(EngineError::Rules { job: name.clone(), problems })),
        }
    }
    if tasks.is_empty() {
        return;
    }
    let watch = async {
        loop {
            tokio::time::sleep(LOOK).await;
            look(&engine, &post).await;
        }
    };
    tokio::select! {
        () = watch => {}
        () = async { while tasks.join_next().await.is_some() {} } => {}
    }
}

/// Puts up what the store says now; what it cannot tell stays as it was.
async fn look(engine: &Engine, post: &watch::Sender<Board>) {
    let read = async {
        Ok::<_, provost_store::StoreError>((engine.store.controls().await?, engine.store.quarantines().await?))
    };
    match read.await {
        Ok((controls, quarantines)) => {
            let mut board = Board::new();
            for row in controls {
                let job = row.job.clone();
                board.entry(job).or_default().control = Some(row);
            }
            for row in quarantines {
                let job = row.job.clone();
                board.entry(job).or_default().quarantine = Some(row);
            }
            post.send_if_modified(|there| {
                let differs = *there != board;
                *there = board;
                differs
            });
        }
        Err(error) => tracing::warn!(error = %error, "what was said about the jobs could not be read"),
    }
}

/// One job and what is remembered of it between two cycles.
struct Keeper {
    engine: Engine,
    name: JobName,
    spec: JobSpec,
    table: Timetable,
    post: watch::Sender<Board>,
    board: watch::Receiver<Board>,
    listener: Listener,
    cx: Context,
    due: Timestamp,
    /// The revisions of the source that were seen last.
    seen: Option<Vec<Text>>,
    wakes: i64,
    failures: u32,
}

impl Keeper {
    async fn keep(mut self) {
        self.wakes = self.standing().wakes();
        self.due = self.first().await;
        while self.wait().await {
            let started = self.engine.clock.now();
            let result = self
                .engine
                .run(&self.name, &self.spec, RunOptions::default(), Arc::<Progress>::default(), &self.cx)
                .await;
            let now = self.engine.clock.now();
            let ended = match &result {
                // Paused before it began: it stays due.
                Err(EngineError::Paused { .. }) => {
                    look(&self.engine, &self.post).await;
                    continue;
                }
                Err(EngineError::Busy { .. }) => {
                    (self.listener)(&self.name, &result);
                    self.due = now.checked_add(jiff::SignedDuration::from_millis(BUSY_MS)).unwrap_or(now);
                    continue;
                }
                Err(_) => {
                    self.failures = self.failures.saturating_add(1);
                    Ended::Failed(self.failures)
                }
                Ok(report) if report.more || report.status == CycleStatus::Paused => Ended::Unfinished,
                Ok(_) => Ended::Done,
            };
            (self.listener)(&self.name, &result);
            if result.is_ok() {
                self.failures = 0;
            }
            self.due = due::after(&self.table, started, now, ended);
            // What the cycle itself has stored, such as a quarantine, counts at once.
            look(&self.engine, &self.post).await;
        }
    }

    async fn first(&self) -> Timestamp {
        let now = self.engine.clock.now();
        let row = self.engine.store.job(&self.name).await.ok().flatten();
        let last = self.engine.store.cycles(&self.name, 1).await.ok().and_then(|cycles| cycles.into_iter().next());
        due::first(&self.table, row.as_ref(), last.as_ref(), now)
    }

    fn standing(&self) -> Standing {
        self.board.borrow().get(&self.name).cloned().unwrap_or_default()
    }

    /// Waits until the job is due and may run: by its time, a change of its source, or because somebody asked. False at the
    /// end of the work.
    async fn wait(&mut self) -> bool {
        loop {
            if self.cx.cancel.is_cancelled() {
                return false;
            }
            let standing = self.standing();
            let now = self.engine.clock.now();
            if self.wakes != standing.wakes() {
                self.wakes = standing.wakes();
                self.due = self.due.min(now);
            }
            // A source is left in peace while nothing would come of a change.
            let may_run = due::start(&self.table, now, &standing, now).0 == Some(now);
            if self.table.on_change && may_run {
                self.watch(now).await;
            }
            let at = due::start(&self.table, self.due, &standing, now).0;
            if at.is_some_and(|at| at <= now) {
                return true;
            }
            let nap = at.map_or(LOOK, |at| Duration::try_from(at.duration_since(now)).unwrap_or_default().min(LOOK));
            let listens = self.table.on_change && may_run;
            let Self { engine, spec, cx, seen, board, .. } = &mut *self;
            tokio::select! {
                () = cx.cancel.cancelled() => return false,
                Ok(()) = board.changed() => {}
                () = stirred(engine, spec, seen.as_deref(), cx, nap), if listens => {}
                () = tokio::time::sleep(nap) => {}
            }
        }
    }

    /// Looks whether the source changed: then the job is due.
    async fn watch(&mut self, now: Timestamp) {
        let Some(revision) = revision(&self.engine, &self.spec, &self.cx).await else { return };
        if self.seen.as_ref().is_some_and(|seen| *seen != revision) {
            self.due = self.due.min(now);
        }
        self.seen = Some(revision);
    }
}

/// Waits until the source may have changed since the revisions that were `seen`, at most for `patience`.
async fn stirred(engine: &Engine, spec: &JobSpec, seen: Option<&[Text]>, cx: &Context, patience: Duration) {
    let listen = async {
        let session = engine.connections.session(&spec.source).await.ok()?;
        let classes = spec.objects.iter().zip(seen?);
        let waits: Vec<_> = classes.map(|(rule, seen)| session.changed(cx, &rule.from, seen, patience)).collect();
        if waits.is_empty() {
            return None;
        }
        futures_util::future::select_all(waits).await.0.ok()
    };
    if listen.await.is_none() {
        tokio::time::sleep(patience).await;
    }
}

/// The revisions of all classes that the job reads; `None` when the source cannot tell, or not now.
async fn revision(engine: &Engine, spec: &JobSpec, cx: &Context) -> Option<Vec<Text>> {
    let session = engine.connections.session(&spec.source).await.ok()?;
    let mut revisions = Vec::with_capacity(spec.objects.len());
    for rule in &spec.objects {
        revisions.push(session.revision(cx, &rule.from).await.ok()??);
    }
    Some(revisions)
}
