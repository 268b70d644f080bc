//! How long the log, discarded plans, pushes and the names of the deleted are kept, and the work of throwing away what is older:
//! by the page, with a pause after each, so that cycles hardly notice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use provost_connector::Context;
use provost_model::{ClassName, ConnectionName, JobName};
use provost_store::prune::{Cut, Old};
use serde::{Deserialize, Serialize};

use crate::engine::Engine;
use crate::error::EngineError;
use crate::spec::{JobSpec, Period};

/// Rows that one transaction looks at.
const PAGE: i64 = 1_000;
const PAUSE: Duration = Duration::from_millis(20);
/// How often `provost serve` looks, and how long after its start first.
const EVERY: Duration = Duration::from_secs(24 * 3600);
const FIRST: Duration = Duration::from_secs(5 * 60);
const DAY_MS: i64 = 86_400_000;
const PLANS_PLACE: &str = "discarded pruned through";

/// `retention: { log: 400d, plans: 90d, pushes: 90d, deleted: 90d }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionSpec {
    /// Events, and cycles of which none is left.
    pub log: Period,
    /// Operations of plans that were discarded.
    pub plans: Period,
    /// Pushed operations that every job has read, and the requests they came with.
    pub pushes: Period,
    /// What the directory remembers of users and groups that were deleted, once every job has read past it.
    pub deleted: Period,
}

impl Default for RetentionSpec {
    fn default() -> Self {
        let days = |days: i64| Period { ms: days * DAY_MS };
        Self { log: days(400), plans: days(90), pushes: days(90), deleted: days(90) }
    }
}

/// What went, or would go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Pruned {
    pub events: u64,
    pub discarded: u64,
    pub cycles: u64,
    pub pushed: u64,
    pub push_requests: u64,
    pub deleted: u64,
}

/// What is kept how long, and who still has to read it.
#[derive(Debug, Clone, Default)]
pub struct Records {
    pub spec: RetentionSpec,
    pub jobs: BTreeMap<JobName, JobSpec>,
    /// The connection whose objects are in this store, the directory.
    pub directory: Option<ConnectionName>,
}

impl Pruned {
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Engine {
    /// Throws away what is older than the specification says; with `dry` only counts it, cycles excepted.
    pub async fn prune(&self, records: &Records, dry: bool, cx: &Context) -> Result<Pruned, EngineError> {
        let keep = &records.spec;
        let now = self.clock.now_ms();
        let before = |period: Period| now.saturating_sub(period.ms);
        let (log, plans, pushes) = (before(keep.log), before(keep.plans), before(keep.pushes));
        let mut pruned = Pruned::default();
        let cut = self.store.cut(Old::Any, log).await?;
        if !dry {
            // First, so that nobody takes for whole what is being taken away.
            self.store.note_pruned(log).await?;
        }
        let (count, through) = self.walk(&cut, 0, dry, cx).await?;
        pruned.events = count;
        if plans > log {
            let place = self.store.memo(PLANS_PLACE).await?.and_then(|text| text.parse().ok()).unwrap_or(0);
            let cut = self.store.cut(Old::Discarded, plans).await?;
            // Of what is older than the log everything was counted.
            let (count, through) = self.walk(&cut, through.max(place), dry, cx).await?;
            pruned.discarded = count;
            // What waits may be given up later.
            let through = through.min(self.store.first_open().await?.unwrap_or(i64::MAX));
            if !dry && through > place {
                let mut tx = self.store.begin().await?;
                tx.put_memo(PLANS_PLACE, &through.to_string()).await?;
                tx.commit().await?;
            }
        }
        self.prune_pushes(&records.jobs, pushes, dry, &mut pruned, cx).await?;
        if let Some(directory) = &records.directory {
            self.forget_deleted(&records.jobs, directory, before(keep.deleted), dry, &mut pruned, cx).await?;
        }
        if !dry {
            while self.store.prune_spans(through, PAGE).await? > 0 {
                rest(cx).await?;
            }
            // What was pushed is told by the cycle that read it.
            let cycles = log.min(pushes);
            loop {
                let gone = self.store.prune_cycles(cycles, PAGE).await?;
                pruned.cycles += gone;
                if gone == 0 {
                    break;
                }
                rest(cx).await?;
            }
            self.store.prune_rulebooks().await?;
        }
        Ok(pruned)
    }

    /// To the end of the cut: what went, and the last number that was looked at.
    async fn walk(&self, cut: &Cut, from: i64, dry: bool, cx: &Context) -> Result<(u64, i64), EngineError> {
        let (mut total, mut after) = (0, from);
        while let Some(page) = self.store.prune_events(cut, after, PAGE, dry).await? {
            total += page.count;
            after = page.last;
            rest(cx).await?;
        }
        Ok((total, after))
    }

    /// What was pushed goes once every job has read past it. A class that no job reads stays.
    async fn prune_pushes(
        &self,
        jobs: &BTreeMap<JobName, JobSpec>,
        before_ms: i64,
        dry: bool,
        pruned: &mut Pruned,
        cx: &Context,
    ) -> Result<(), EngineError> {
        let classes: BTreeSet<(&ConnectionName, &ClassName)> =
            jobs.values().flat_map(|spec| spec.objects.iter().map(|rule| (&spec.source, &rule.from))).collect();
        for (connection, class) in classes {
            let through = self.read_through(jobs, connection, class).await?.unwrap_or(0);
            loop {
                let limit = if dry { i64::MAX } else { PAGE };
                let gone = self.store.prune_pushed(connection, class, through, before_ms, limit, dry).await?;
                pruned.pushed += gone;
                if dry || gone == 0 {
                    break;
                }
                rest(cx).await?;
            }
        }
        loop {
            let limit = if dry { i64::MAX } else { PAGE };
            let gone = self.store.prune_push_requests(before_ms, limit, dry).await?;
            pruned.push_requests += gone;
            if dry || gone == 0 {
                return Ok(());
            }
            rest(cx).await?;
        }
    }
}

impl Engine {
    /// How far all jobs have read the feed of a class; none where no job reads it.
    async fn read_through(
        &self,
        jobs: &BTreeMap<JobName, JobSpec>,
        connection: &ConnectionName,
        class: &str,
    ) -> Result<Option<i64>, EngineError> {
        let mut through = None;
        for (name, spec) in jobs.iter().filter(|(_, spec)| spec.source == *connection) {
            if !spec.objects.iter().any(|rule| rule.from.eq_ignore_ascii_case(class)) {
                continue;
            }
            let row = self.store.job(name).await?;
            let cursors = row.iter().flat_map(|row| &row.cursors);
            let places = cursors.filter(|(of, _)| of.eq_ignore_ascii_case(class));
            // A job without a cursor reads everything, but nobody knows from when on.
            let place = places.map(|(_, cursor)| cursor.parse().unwrap_or(0)).min().unwrap_or(0);
            through = Some(through.map_or(place, |through: i64| through.min(place)));
        }
        Ok(through)
    }

    /// Forgets who was deleted in the directory once every job has read past it. A reader that nobody here knows of is told by
    /// the feed that it begins later.
    async fn forget_deleted(
        &self,
        jobs: &BTreeMap<JobName, JobSpec>,
        directory: &ConnectionName,
        before_ms: i64,
        dry: bool,
        pruned: &mut Pruned,
        cx: &Context,
    ) -> Result<(), EngineError> {
        for kind in self.store.tombstone_kinds().await? {
            let through = self.read_through(jobs, directory, &kind).await?.unwrap_or(i64::MAX);
            let Some(last) = self.store.last_tombstone(&kind, through, before_ms).await? else { continue };
            if dry {
                pruned.deleted += self.store.prune_tombstones(&kind, last, before_ms, i64::MAX, true).await?;
                continue;
            }
            self.store.note_feed_begin(&kind, last).await?;
            loop {
                let gone = self.store.prune_tombstones(&kind, last, before_ms, PAGE, false).await?;
                pruned.deleted += gone;
                if gone == 0 {
                    break;
                }
                rest(cx).await?;
            }
        }
        Ok(())
    }
}

async fn rest(cx: &Context) -> Result<(), EngineError> {
    tokio::select! {
        () = cx.cancel.cancelled() => Err(EngineError::Cancelled),
        () = tokio::time::sleep(PAUSE) => Ok(()),
    }
}

/// Prunes every day until `cx` is cancelled.
pub async fn keep(engine: Engine, records: Records, cx: Context) {
    let mut wait = FIRST;
    loop {
        tokio::select! {
            () = cx.cancel.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = EVERY;
        match engine.prune(&records, false, &cx).await {
            Ok(pruned) if pruned.is_nothing() => {}
            Ok(pruned) => tracing::info!(
                events = pruned.events,
                discarded = pruned.discarded,
                cycles = pruned.cycles,
                pushed = pruned.pushed,
                requests = pruned.push_requests,
                deleted = pruned.deleted,
                "threw away what was older than it is kept"
            ),
            Err(EngineError::Cancelled) => return,
            Err(error) => tracing::warn!(error = %error, "old records could not be thrown away"),
        }
    }
}
