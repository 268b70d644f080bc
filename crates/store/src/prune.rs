//! Deleting what is older than somebody wants to keep, by the page: the log, discarded plans, cycles of which nothing is left,
//! what was pushed, and what the directory remembers of the deleted. Each call is a small transaction of its own, so that a running cycle waits for none of them.
//!
//! What stays whatever its age: events of plans that are open and of cycles that run, and the last event of each link.

use provost_model::{ClassName, ConnectionName, CycleId, Text};

use crate::db::{LIST_MAX, Sql};
use crate::{Result, Store};

const OPEN: &str = "select id from cycle where status in ('planned', 'held', 'running')";
const FIRST_OPEN: &str = "select min(first_seq) - 1 from event_span where cycle in
    (select id from cycle where status in ('planned', 'held', 'running'))";
const BOUND: &str = "select seq from event where created >= $1 order by seq limit 1";
const PAGE: &str =
    "select max(seq) from (select seq from event where seq > $1 and seq < $2 order by seq limit $3) as page";
/// The last event of a link says what its account is like.
const LAST: &str = " and not exists (select 1 from link where link.job = event.job and link.class = event.class
    and link.source_id = event.source_id and link.event = event.seq)";
const SPANS: &str = "delete from event_span where cycle in (select s.cycle from event_span s where s.last_seq <= $1
    and not exists (select 1 from event e where e.seq >= s.first_seq and e.seq <= s.last_seq and e.cycle = s.cycle)
    limit $2)";
/// The newest cycle of a job tells when the next one is due.
const CYCLES: &str = "id in (select c.id from cycle c where c.started < $1
    and c.status not in ('planned', 'held', 'running')
    and not exists (select 1 from event_span s where s.cycle = c.id)
    and not exists (select 1 from job j where j.last_cycle = c.id)
    and c.started < (select max(n.started) from cycle n where n.job = c.job) limit $2)";
/// The newest operation of a class says how far the feed has come.
const PUSHED: &str = "seq in (select seq from push_operation where connection = $1 and class = $2 and seq <= $3
    and created < $4 and seq < (select max(seq) from push_operation where connection = $1 and class = $2)
    order by seq limit $5)";
const REQUESTS: &str = "id in (select id from push_request where created < $1 limit $2)";

const TOMBSTONE_KINDS: &str = "select distinct kind from resource where deleted is not null order by kind";
const LAST_TOMBSTONE: &str =
    "select max(seq) from resource where kind = $1 and deleted is not null and seq <= $2 and deleted < $3";
const TOMBSTONES: &str = " from resource where kind = $1 and seq in (select seq from resource where kind = $1
    and deleted is not null and seq <= $2 and deleted < $3 order by seq limit $4)";

/// Which events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Old {
    Any,
    /// Operations that were given up.
    Discarded,
}

/// A part of the log from which something goes.
#[derive(Debug, Clone)]
pub struct Cut {
    pub old: Old,
    pub before_ms: i64,
    /// Where the first event begins that is young enough.
    bound: i64,
    /// Plans that are open and cycles that run.
    open: Vec<CycleId>,
}

/// What one page of a walk found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrunedPage {
    /// The last number that was looked at.
    pub last: i64,
    /// Events that went, or would go.
    pub count: u64,
}

impl Store {
    /// Begins a walk through the events from before this time.
    pub async fn cut(&self, old: Old, before_ms: i64) -> Result<Cut> {
        let rows = self.db().rows(self.db().fixed(OPEN)).await?;
        let open = rows.into_iter().map(|mut row| row.id()).collect::<Result<_>>()?;
        let bound = self.db().row(self.db().fixed(BOUND).value(before_ms)).await?;
        let bound = bound.map_or(Ok(i64::MAX), |mut row| row.int())?;
        Ok(Cut { old, before_ms, bound, open })
    }

    /// Deletes what goes among the next `limit` events after a number, or only counts it. None at the end of the walk.
    pub async fn prune_events(&self, cut: &Cut, after: i64, limit: i64, dry: bool) -> Result<Option<PrunedPage>> {
        let page = self.db().row(self.db().fixed(PAGE).value(after).value(cut.bound).value(limit)).await?;
        let Some(last) = page.map(|mut row| row.int_option()).transpose()?.flatten() else { return Ok(None) };
        let mut sql = self.db().sql();
        sql.push(if dry { "select count(*) from event" } else { "delete from event" });
        sql.push(" where seq > ")
            .bind(after)
            .push(" and seq <= ")
            .bind(last)
            .push(" and created < ")
            .bind(cut.before_ms);
        sql.push(match cut.old {
            Old::Any => " and status not in ('planned', 'held')",
            Old::Discarded => " and status = 'discarded'",
        });
        for open in cut.open.chunks(LIST_MAX) {
            let open: Vec<&str> = open.iter().map(|id| id.as_str()).collect();
            sql.push(" and cycle not in ").list(&open);
        }
        sql.push(LAST);
        Ok(Some(PrunedPage { last, count: self.deleted(sql, dry).await? }))
    }

    /// The number before the first event of a plan that is open or a cycle that runs.
    pub async fn first_open(&self) -> Result<Option<i64>> {
        let row = self.db().row(self.db().fixed(FIRST_OPEN)).await?;
        row.map_or(Ok(None), |mut row| row.int_option())
    }

    /// Deletes up to `limit` spans of cycles of whose events none is left, of those that end at a number at the latest.
    pub async fn prune_spans(&self, through: i64, limit: i64) -> Result<u64> {
        self.db().write(self.db().fixed(SPANS).value(through).value(limit)).await
    }

    /// Deletes up to `limit` cycles from before this time that are over and of which no event is left.
    pub async fn prune_cycles(&self, before_ms: i64, limit: i64) -> Result<u64> {
        let mut sql = self.db().sql();
        sql.push("delete from cycle where ").push(CYCLES);
        self.db().write(sql.value(before_ms).value(limit)).await
    }

    /// Deletes up to `limit` pushed operations on a class from before this time, up to a number that all readers have seen.
    pub async fn prune_pushed(
        &self,
        connection: &ConnectionName,
        class: &ClassName,
        through: i64,
        before_ms: i64,
        limit: i64,
        dry: bool,
    ) -> Result<u64> {
        let mut sql = self.db().sql();
        sql.push(if dry { "select count(*) from push_operation where " } else { "delete from push_operation where " });
        sql.push(PUSHED);
        let sql = sql.value(connection.as_str()).value(class).value(through).value(before_ms).value(limit);
        self.deleted(sql, dry).await
    }

    /// Deletes up to `limit` requests of pushes from before this time.
    pub async fn prune_push_requests(&self, before_ms: i64, limit: i64, dry: bool) -> Result<u64> {
        let mut sql = self.db().sql();
        sql.push(if dry { "select count(*) from push_request where " } else { "delete from push_request where " });
        sql.push(REQUESTS);
        self.deleted(sql.value(before_ms).value(limit), dry).await
    }

    /// The kinds of which the directory remembers somebody who was deleted.
    pub async fn tombstone_kinds(&self) -> Result<Vec<Text>> {
        let rows = self.db().rows(self.db().fixed(TOMBSTONE_KINDS)).await?;
        rows.into_iter().map(|mut row| row.id()).collect()
    }

    /// The last number, up to this one, of a resource that was deleted before this time.
    pub async fn last_tombstone(&self, kind: &str, through: i64, before_ms: i64) -> Result<Option<i64>> {
        let sql = self.db().fixed(LAST_TOMBSTONE).value(kind).value(through).value(before_ms);
        self.db().row(sql).await?.map_or(Ok(None), |mut row| row.int_option())
    }

    /// Forgets up to `limit` resources that were deleted before this time, up to a number that all readers of the feed have seen
    /// and that was [noted](Self::note_feed_begin).
    pub async fn prune_tombstones(
        &self,
        kind: &str,
        through: i64,
        before_ms: i64,
        limit: i64,
        dry: bool,
    ) -> Result<u64> {
        let mut sql = self.db().sql();
        sql.push(if dry { "select count(*)" } else { "delete" }).push(TOMBSTONES);
        self.deleted(sql.value(kind).value(through).value(before_ms).value(limit), dry).await
    }

    /// Remembers that the feed of a kind does not tell all deletions up to this number any more; it never moves back.
    pub async fn note_feed_begin(&self, kind: &str, through: i64) -> Result<()> {
        let name = feed_memo(kind);
        let mut tx = self.begin().await?;
        let earlier = tx.memo(&name).await?.and_then(|text| text.parse::<i64>().ok());
        if earlier.is_none_or(|earlier| earlier < through) {
            tx.put_memo(&name, &through.to_string()).await?;
        }
        tx.commit().await
    }

    /// The place in the feed of a kind from which on it is whole; 0 where nothing was forgotten.
    pub async fn feed_begin(&self, kind: &str) -> Result<i64> {
        Ok(self.memo(&feed_memo(kind)).await?.and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    async fn deleted(&self, sql: Sql<'_>, dry: bool) -> Result<u64> {
        if !dry {
            return self.db().write(sql).await;
        }
        let count = self.db().row(sql).await?.map_or(Ok(0), |mut row| row.int())?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Remembers that the log is whole from this time on at the earliest; it never moves back.
    pub async fn note_pruned(&self, before_ms: i64) -> Result<()> {
        let mut tx = self.begin().await?;
        let earlier = tx.memo(PRUNED).await?.and_then(|text| text.parse::<i64>().ok());
        if earlier.is_none_or(|earlier| earlier < before_ms) {
            tx.put_memo(PRUNED, &before_ms.to_string()).await?;
        }
        tx.commit().await
    }

    /// From when on the log is whole; none where nothing was pruned yet.
    pub async fn pruned_before(&self) -> Result<Option<i64>> {
        Ok(self.memo(PRUNED).await?.and_then(|text| text.parse().ok()))
    }
}

const PRUNED: &str = "log pruned before";

fn feed_memo(kind: &str) -> String {
    format!("feed pruned through: {kind}")
}
