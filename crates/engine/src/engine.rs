//! The door to the engine: runs, plans, releases. Each takes the job's lease first, so that one node at a time works on it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use provost_connector::{ConnectorError, Context, Session};
use provost_model::{Clock, ConnectionName, CycleId, JobName};
use provost_store::{CycleKind as StoredKind, CycleRow, CycleStatus as StoredStatus, JobRow, Lease, Store};

use crate::cycle::halt::Halt;
use crate::cycle::turn::Turns;
use crate::cycle::{self, Cycle, Patience};
use crate::error::EngineError;
use crate::guard;
use crate::lifesign::LifeSign;
use crate::progress::Progress;
use crate::quarantine;
use crate::report::{CycleKind, CycleReport};
use crate::rule::{self, Job};
use crate::spec::{JobSpec, ScheduleSpec};

/// How long a silent owner keeps a job, and how often a living one says so.
const LEASE_MS: i64 = 30_000;
const RENEW: Duration = Duration::from_secs(10);

/// Where the engine gets its sessions from: configured, wrapped in layers, shared by all jobs of a connection.
#[async_trait]
pub trait Connections: Send + Sync {
    async fn session(&self, name: &ConnectionName) -> Result<Arc<dyn Session>, ConnectorError>;
}

/// What a run shall read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunOptions {
    /// Look at every object again, whatever was seen before.
    pub full: bool,
    /// Read the target as well, and repair what differs.
    pub reconcile: bool,
}

/// What a cycle is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Run,
    RunEvenPaused,
    Plan,
}

/// Cheap to clone; clones share the store and the sessions.
#[derive(Clone)]
pub struct Engine {
    pub(crate) store: Store,
    pub(crate) connections: Arc<dyn Connections>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) patience: Patience,
    /// How often a running cycle looks whether its job was paused.
    look: Duration,
}

/// A job with its two sessions.
pub(crate) struct Opened {
    pub job: Arc<Job>,
    pub source: Arc<dyn Session>,
    pub target: Arc<dyn Session>,
    pub schedule: ScheduleSpec,
}

impl Engine {
    pub fn new(store: Store, connections: Arc<dyn Connections>, clock: Arc<dyn Clock>) -> Self {
        Self { store, connections, clock, patience: Patience::default(), look: cycle::halt::LOOK }
    }

    /// The same with another patience for creates whose outcome is in doubt.
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// The same with another time between two looks for a pause, for tests.
    pub fn looking_every(self, look: Duration) -> Self {
        Self { look, ..self }
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Compiles the job against what its connections have today.
    pub async fn check(&self, name: &JobName, spec: &JobSpec) -> Result<Arc<Job>, EngineError> {
        Ok(self.open(name, spec).await?.job)
    }

    /// One cycle: initial when the job is new or its rules changed, incremental otherwise.
    pub async fn run(
        &self,
        name: &JobName,
        spec: &JobSpec,
        options: RunOptions,
        progress: Arc<Progress>,
        cx: &Context,
    ) -> Result<CycleReport, EngineError> {
        if let Some(row) = self.store.control(name).await?
            && let Some(refusal) = cycle::halt::refusal(&row)
        {
            return Err(refusal);
        }
        self.conduct(name, spec, options, Mode::Run, progress, cx).await
    }

    /// One cycle by hand, of a job that may be paused. A pause that comes while it runs stops it.
    pub async fn run_even_paused(
        &self,
        name: &JobName,
        spec: &JobSpec,
        options: RunOptions,
        progress: Arc<Progress>,
        cx: &Context,
    ) -> Result<CycleReport, EngineError> {
        self.conduct(name, spec, options, Mode::RunEvenPaused, progress, cx).await
    }

    /// What a run would do, stored under the report's cycle id; nothing is sent.
    pub async fn plan(
        &self,
        name: &JobName,
        spec: &JobSpec,
        options: RunOptions,
        progress: Arc<Progress>,
        cx: &Context,
    ) -> Result<CycleReport, EngineError> {
        self.conduct(name, spec, options, Mode::Plan, progress, cx).await
    }

    async fn conduct(
        &self,
        name: &JobName,
        spec: &JobSpec,
        options: RunOptions,
        mode: Mode,
        progress: Arc<Progress>,
        cx: &Context,
    ) -> Result<CycleReport, EngineError> {
        let opened = match self.open(name, spec).await {
            Ok(opened) => opened,
            Err(error) if mode == Mode::Plan => return Err(error),
            Err(error) => {
                self.note_failure(name, spec, &error).await;
                return Err(error);
            }
        };
        let held = self.hold(name).await?;
        let result = self.conduct_held(&opened, &held.lease, options, mode, progress, cx).await;
        held.release(self).await;
        result
    }

    /// A cycle that could not even start shows in the job's state and in the log.
    async fn note_failure(&self, name: &JobName, spec: &JobSpec, failure: &EngineError) {
        let write = async {
            let now_ms = self.clock.now_ms();
            let mut row = self.store.job(name).await?.unwrap_or_else(|| JobRow::new(name.clone()));
            row.failures += 1;
            row.note = Some(failure.to_string());
            row.updated = now_ms;
            let id = CycleId::from(uuid::Uuid::now_v7().to_string());
            let code = provost_model::Explain::code(failure).to_string();
            let why = cycle::verdict(name, &id, StoredStatus::Failed, &code, failure.to_string(), now_ms);
            let before = self.store.quarantine(name).await?;
            let outcome = quarantine::Outcome::of(failure, row.failures);
            let verdict = quarantine::judge(&spec.quarantine, name, before.as_ref(), outcome, now_ms);
            let mut told = vec![why];
            told.extend(quarantine::event(name, &id, &verdict, now_ms));
            let mut tx = self.store.begin().await?;
            tx.save_job(&row).await?;
            if let quarantine::Verdict::In { row, .. } = &verdict {
                tx.save_quarantine(row).await?;
            }
            tx.append_events(&mut told).await?;
            tx.commit().await
        };
        if let Err(error) = write.await {
            tracing::error!(error = %error, "the failure of a job could not be recorded");
        }
    }

    /// One cycle under a lease that the caller holds.
    pub(crate) async fn cycle(
        &self,
        opened: &Opened,
        lease: &Lease,
        options: RunOptions,
        plan_only: bool,
        progress: Arc<Progress>,
        cx: &Context,
    ) -> Result<CycleReport, EngineError> {
        let mode = if plan_only { Mode::Plan } else { Mode::Run };
        self.conduct_held(opened, lease, options, mode, progress, cx).await
    }

    async fn conduct_held(
        &self,
        opened: &Opened,
        lease: &Lease,
        options: RunOptions,
        mode: Mode,
        progress: Arc<Progress>,
        cx: &Context,
    ) -> Result<CycleReport, EngineError> {
        let plan_only = mode == Mode::Plan;
        let job = &opened.job;
        let mut row = self.store.job(&job.name).await?.unwrap_or_else(|| JobRow::new(job.name.clone()));
        let changed = row.rules_digest != job.digest;
        let kind = match () {
            () if options.reconcile => CycleKind::Reconcile,
            () if changed || options.full || row.last_success.is_none() => CycleKind::Initial,
            () => CycleKind::Incremental,
        };
        let fresh = changed || options.full;
        if !plan_only {
            self.supersede(job, lease, &mut row).await?;
            self.end_exceptions(job).await?;
            if fresh {
                self.veil(job, lease).await?;
                // In one step with the new rules, so that a cycle that dies here is taken up under them.
                let mut tx = self.store.fenced(lease).await?;
                tx.clear_marks(&job.name, None).await?;
                row.rules_digest.clone_from(&job.digest);
                // Whoever takes it up must not read the source's changes alone.
                row.cursors.clear();
                tx.save_job(&row).await?;
                tx.commit().await?;
            }
        }
        if let Some(count) = row.counts.values().copied().reduce(|a, b| a.saturating_add(b)) {
            Progress::add(&progress.expected, u64::try_from(count).unwrap_or(0));
        }
        let cycle = Cycle {
            kind,
            progress,
            halt: Halt::new(mode == Mode::RunEvenPaused, self.look),
            turns: if plan_only { Turns::default() } else { Turns::shared() },
            plan_only,
            fresh,
            ..self.new_cycle(opened, lease, cx).await?
        };
        let renewal = self.keep(lease.clone(), cycle.cx.clone());
        let result = cycle::run(Arc::new(cycle), row).await;
        drop(renewal);
        result
    }

    /// A cycle that begins now. Nobody shares its objects, and it sends what it finds.
    pub(crate) async fn new_cycle(&self, opened: &Opened, lease: &Lease, cx: &Context) -> Result<Cycle, EngineError> {
        Ok(Cycle {
            id: CycleId::from(uuid::Uuid::now_v7().to_string()),
            kind: CycleKind::Incremental,
            job: opened.job.clone(),
            store: self.store.clone(),
            lease: lease.clone(),
            source: opened.source.clone(),
            target: opened.target.clone(),
            progress: Arc::default(),
            cx: cx.child(),
            now: self.clock.now(),
            chosen: Default::default(),
            indexes: Default::default(),
            patience: self.patience.clone(),
            halt: Default::default(),
            answers: self.answers(&opened.job.name).await?,
            turns: Turns::default(),
            plan_only: false,
            fresh: false,
        })
    }

    /// Takes out of the links what they recorded before it was sensitive.
    async fn veil(&self, job: &Job, lease: &Lease) -> Result<(), EngineError> {
        for rule in job.rules.iter().filter(|rule| rule.mappings.iter().any(|mapping| mapping.sensitive)) {
            let mut after: Option<String> = None;
            loop {
                let mut links = self.store.link_page(&job.name, &rule.from, after.as_deref(), 500).await?;
                let Some(last) = links.last() else { break };
                after = Some(last.source_id.to_string());
                links.retain_mut(|link| match cycle::veiled_text(rule, link) {
                    Some(sent) => link.sent.replace(sent).is_some(),
                    None => false,
                });
                if links.is_empty() {
                    continue;
                }
                let mut tx = self.store.fenced(lease).await?;
                tx.save_layouts(&[&rule.layout]).await?;
                tx.save_links(&links).await?;
                tx.commit().await?;
            }
        }
        Ok(())
    }

    /// What an interrupted cycle meant to take away may be gone. Whoever is to have it back gets all of it again.
    async fn doubt(&self, job: &Job, lease: &Lease, cycle: &CycleId) -> Result<(), EngineError> {
        let mut after = 0;
        loop {
            let events = self.store.open_events(cycle, after, 500).await?;
            let Some(last) = events.last() else { return Ok(()) };
            after = last.seq;
            let mut links = Vec::new();
            for rule in &job.rules {
                let of_rule = events.iter().filter(|event| event.class == rule.from);
                let ids: Vec<&str> = of_rule.map(|event| event.source_id.as_str()).collect();
                links.extend(self.store.links(&job.name, &rule.from, &ids).await?);
            }
            links.retain(|link| link.target_id.is_some());
            for link in &mut links {
                link.sent = Some(cycle::doubtful(job, link));
                link.mark.clear();
            }
            let mut tx = self.store.fenced(lease).await?;
            tx.save_links(&links).await?;
            tx.commit().await?;
        }
    }

    /// A newer cycle decides anew about what an older one held or left behind when it was interrupted.
    pub(crate) async fn supersede(&self, job: &Job, lease: &Lease, row: &mut JobRow) -> Result<(), EngineError> {
        let mut left: Vec<_> = self.store.cycles(&row.name, 20).await?;
        left.retain(|cycle| cycle.status == StoredStatus::Running || row.held_plan.as_ref() == Some(&cycle.id));
        if left.is_empty() {
            return Ok(());
        }
        // A plan that was interrupted sent nothing.
        let sends = |cycle: &&CycleRow| cycle.status == StoredStatus::Running && cycle.kind != StoredKind::Plan;
        for cycle in left.iter().filter(sends) {
            self.doubt(job, lease, &cycle.id).await?;
        }
        let mut tx = self.store.fenced(lease).await?;
        for mut cycle in left {
            tx.discard_events(&cycle.id).await?;
            let interrupted = cycle.status == StoredStatus::Running;
            cycle.status = if interrupted { StoredStatus::Failed } else { StoredStatus::Discarded };
            let note = if interrupted { "interrupted" } else { "a newer cycle decided anew" };
            cycle.note = Some(note.into());
            tx.save_cycle(&cycle).await?;
        }
        row.held_plan = None;
        tx.save_job(row).await?;
        tx.commit().await?;
        Ok(())
    }

    pub(crate) async fn open(&self, name: &JobName, spec: &JobSpec) -> Result<Opened, EngineError> {
        let cx = Context::new(name.as_str());
        let fail = |role, connection: &ConnectionName| {
            let connection = connection.clone();
            move |error| EngineError::Connection { role, connection, error }
        };
        let source = self.connections.session(&spec.source).await.map_err(fail("source", &spec.source))?;
        let target = self.connections.session(&spec.target).await.map_err(fail("target", &spec.target))?;
        let source_schema = source.schema(&cx).await.map_err(fail("source", &spec.source))?;
        let target_schema = target.schema(&cx).await.map_err(fail("target", &spec.target))?;
        let mut job = rule::compile(name, spec, &source_schema, &target_schema, target.capabilities())
            .map_err(|problems| EngineError::Rules { job: name.clone(), problems })?;
        job.exceptions = self.store.exceptions(Some(name.as_str())).await?;
        job.exceptions.retain(|row| guard::is_in_force(&job.guards, row));
        if job.is_sensitive() {
            let key = self.store.master_key().await?;
            job.rules.iter_mut().for_each(|rule| rule.veil = key.clone().into());
        }
        Ok(Opened { job: Arc::new(job), source, target, schedule: spec.schedule.clone() })
    }

    /// Takes the job's lease: one that is free, one that expired, or one whose owner is known to be dead.
    pub(crate) async fn hold(&self, name: &JobName) -> Result<Held, EngineError> {
        let key = format!("job/{name}");
        let owner = format!("{}/{}", std::process::id(), uuid::Uuid::now_v7());
        let sign = LifeSign::show(&self.store, &owner);
        let now_ms = self.clock.now_ms();
        let leases = self.store.leases().await?;
        LifeSign::sweep(&self.store, leases.iter().map(|row| row.owner.as_str()));
        let before = leases.into_iter().find(|row| row.key == key && !row.owner.is_empty());
        let dead = before.as_ref().and_then(|row| LifeSign::of_dead(&self.store, &row.owner));
        // A dead owner's lease counts as expired. That is a compare and set: whoever took the lease, or renewed it, in the
        // meantime has moved its expiry on, and the claim fails.
        let now_ms = match (&before, &dead) {
            (Some(row), Some(_)) => now_ms.max(row.expires),
            _ => now_ms,
        };
        match self.store.claim(&key, &owner, LEASE_MS, now_ms).await? {
            Some(lease) => {
                if dead.is_some() {
                    tracing::info!(job.name = %name, "the job's last owner died, taking over its lease");
                }
                Ok(Held { lease, _sign: sign })
            }
            None => {
                // Whoever has it may have come in between.
                let now = self.store.leases().await?.into_iter().find(|row| row.key == key && !row.owner.is_empty());
                let owner = now.or(before).map(|row| row.owner).unwrap_or_default();
                Err(EngineError::Busy { job: name.clone(), owner })
            }
        }
    }

    /// Says regularly that the owner lives; cancels the work once somebody else has the lease.
    pub(crate) fn keep(&self, lease: Lease, cx: Context) -> Renewal {
        let (store, clock) = (self.store.clone(), self.clock.clone());
        Renewal(tokio::spawn(async move {
            loop {
                tokio::time::sleep(RENEW).await;
                if let Err(error) = store.renew(&lease, LEASE_MS, clock.now_ms()).await {
                    tracing::error!(lease.key, error = %error, "the lease could not be renewed");
                    cx.cancel.cancel();
                    return;
                }
            }
        }))
    }
}

/// Renews a lease until it is dropped: also when the call that holds the lease is given up half-way.
pub(crate) struct Renewal(tokio::task::JoinHandle<()>);

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The lease of a job, held for one call.
pub(crate) struct Held {
    pub lease: Lease,
    /// Goes after the lease.
    _sign: Option<LifeSign>,
}

impl Held {
    /// Gives the lease back. A failure costs the next owner half a minute at most.
    pub async fn release(self, engine: &Engine) {
        let due = self.lease.due;
        if let Err(error) = engine.store.release(self.lease, due).await {
            tracing::warn!(error = %error, "the lease could not be released");
        }
    }
}
