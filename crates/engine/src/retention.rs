//! How long the log, discarded plans and pushes are kept, and the work of throwing away what is older: by the page, with a pause
//! after each, so that cycles hardly notice.

use std::collections::BTreeMap;
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

/// `retention: { log: 400d, plans: 90d, pushes: 90d }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionSpec {
    /// Events, and cycles of which none is left.
    pub log: Period,
    /// Operations of plans that were discarded.
    pub plans: Period,
    /// Pushed operations that every job has read, and the requests they came with.
    pub pushes: Period,
}

impl Default for RetentionSpec {
    fn default() -> Self {
        let days = |days: i64| Period { ms: days * DAY_MS };
        Self { log: days(400), plans: days(90), pushes: days(90) }
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
}

impl Pruned {
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Engine {
    /// Throws away what is older than the specification says; with `dry` only counts it, cycles excepted.
    pub async fn prune(
        &self,
        keep: &RetentionSpec,
        jobs: &BTreeMap<JobName, JobSpec>,
        dry: bool,
        cx: &Context,
    ) -> Result<Pruned, EngineError> {
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
            let (count, through) = self.walk(&cut, if dry { 0 } else { place }, dry, cx).await?;
            pruned.discarded = count;
            if !dry && through > place {
                let mut tx = self.store.begin().await?;
                tx.put_memo(PLANS_PLACE, &through.to_string()).await?;
                tx.commit().await?;
            }
        }
        self.prune_pushes(jobs, pushes, dry, &mut pruned, cx).await?;
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
        let mut read: BTreeMap<(&ConnectionName, ClassName), i64> = BTreeMap::new();
        for (name, spec) in jobs {
            let row = self.store.job(name).await?;
            for rule in &spec.objects {
                let class = ClassName::from(rule.from.as_str());
                let cursor = row.as_ref().and_then(|row| row.cursors.get(&class)?.parse::<i64>().ok());
                let place = read.entry((&spec.source, class)).or_insert(i64::MAX);
                // A job without a cursor reads everything, but nobody knows from when on.
                *place = (*place).min(cursor.unwrap_or(0));
            }
        }
        for ((connection, class), through) in read {
            loop {
                let limit = if dry { i64::MAX } else { PAGE };
                let gone = self.store.prune_pushed(connection, &class, through, before_ms, limit, dry).await?;
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

async fn rest(cx: &Context) -> Result<(), EngineError> {
    tokio::select! {
        () = cx.cancel.cancelled() => Err(EngineError::Cancelled),
        () = tokio::time::sleep(PAUSE) => Ok(()),
    }
}

/// Prunes every day until `cx` is cancelled.
pub async fn keep(engine: Engine, spec: RetentionSpec, jobs: BTreeMap<JobName, JobSpec>, cx: Context) {
    let mut wait = FIRST;
    loop {
        tokio::select! {
            () = cx.cancel.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = EVERY;
        match engine.prune(&spec, &jobs, false, &cx).await {
            Ok(pruned) if pruned.is_nothing() => {}
            Ok(pruned) => tracing::info!(
                events = pruned.events,
                discarded = pruned.discarded,
                cycles = pruned.cycles,
                pushed = pruned.pushed,
                requests = pruned.push_requests,
                "threw away what was older than it is kept"
            ),
            Err(EngineError::Cancelled) => return,
            Err(error) => tracing::warn!(error = %error, "old records could not be thrown away"),
        }
    }
}
