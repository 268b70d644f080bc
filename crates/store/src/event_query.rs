//! Reading the provisioning log: by object, job, cycle, action, status and time.

use provost_model::{ClassName, CycleId, JobName, ObjectId, Text};
use serde::{Deserialize, Serialize};

use crate::db::{Record, Sql};
use crate::layout::Shape;
use crate::{EventRow, EventStatus, Result, Store};

/// Which events; what is absent does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventQuery {
    pub job: Option<JobName>,
    pub cycle: Option<CycleId>,
    pub source_id: Option<ObjectId>,
    pub action: Option<Text>,
    pub status: Option<EventStatus>,
    /// Created at this time or later.
    pub since: Option<i64>,
    /// Created before this time.
    pub until: Option<i64>,
    pub after_seq: Option<i64>,
    pub before_seq: Option<i64>,
    pub newest_first: bool,
    pub limit: i64,
}

impl Default for EventQuery {
    /// The newest hundred.
    fn default() -> Self {
        Self {
            job: None,
            cycle: None,
            source_id: None,
            action: None,
            status: None,
            since: None,
            until: None,
            after_seq: None,
            before_seq: None,
            newest_first: true,
            limit: 100,
        }
    }
}

/// A number of events of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventCount {
    pub action: Text,
    pub status: EventStatus,
    pub count: i64,
}

impl Store {
    /// Events by number.
    pub async fn events(&self, query: &EventQuery) -> Result<Vec<EventRow>> {
        let mut sql = EventRow::select(self.db().sql());
        sql.push(" where 1 = 1");
        if let Some(job) = &query.job {
            sql.push(" and job = ").bind(job);
        }
        if let Some(id) = &query.source_id {
            sql.push(" and source_id = ").bind(id);
        }
        if let Some(action) = &query.action {
            sql.push(" and action = ").bind(action.as_str());
        }
        if let Some(status) = query.status {
            status_is(&mut sql, status);
        }
        for (text, value) in [(" and created >= ", query.since), (" and created < ", query.until)] {
            if let Some(value) = value {
                sql.push(text).bind(value);
            }
        }
        match &query.cycle {
            Some(cycle) => {
                sql.push(" and cycle = ").bind(cycle);
                within(&mut sql, cycle, query.after_seq.unwrap_or(0), query.before_seq.unwrap_or(i64::MAX));
            }
            None => {
                for (text, value) in [(" and seq > ", query.after_seq), (" and seq < ", query.before_seq)] {
                    if let Some(value) = value {
                        sql.push(text).bind(value);
                    }
                }
            }
        }
        sql.push(if query.newest_first { " order by seq desc" } else { " order by seq" });
        sql.push(" limit ").bind(query.limit);
        self.read_events(sql).await
    }

    async fn read_events(&self, sql: Sql<'_>) -> Result<Vec<EventRow>> {
        let mut events = EventRow::read_all(self.db().rows(sql).await?)?;
        self.spell_out(events.iter_mut().map(|event| &mut event.changes), Shape::Changes, EventRow::TABLE).await?;
        let seen = events.iter_mut().filter_map(|event| event.seen.as_mut());
        self.spell_out(seen, Shape::Object, EventRow::TABLE).await?;
        Ok(events)
    }

    /// Planned and held events of a cycle after a number, by number.
    pub async fn open_events(&self, cycle: &str, after_seq: i64, limit: i64) -> Result<Vec<EventRow>> {
        let mut sql = EventRow::select(self.db().sql());
        sql.push(" where cycle = ").bind(cycle).push(" and status in ('planned', 'held')");
        within(&mut sql, cycle, after_seq, i64::MAX);
        sql.push(" order by seq limit ").bind(limit);
        self.read_events(sql).await
    }

    /// How many operations of a cycle wait, by class and action.
    pub async fn waiting_counts(&self, cycle: &str) -> Result<Vec<(ClassName, Text, i64)>> {
        let sql = self.db().fixed(
            "select class, action, count(*) from event where cycle = $1 and status in ('planned', 'held')
            and seq >= (select first_seq from event_span where cycle = $1)
            and seq <= (select last_seq from event_span where cycle = $1)
            group by class, action order by class, action",
        );
        let rows = self.db().rows(sql.value(cycle)).await?;
        rows.into_iter().map(|mut row| Ok((row.id()?, row.id()?, row.int()?))).collect()
    }

    /// How many events a cycle has of each action and status.
    pub async fn event_counts(&self, cycle: &str) -> Result<Vec<EventCount>> {
        let sql = self.db().fixed(
            "select action, status, count(*) from event where cycle = $1
            and seq >= (select first_seq from event_span where cycle = $1)
            and seq <= (select last_seq from event_span where cycle = $1)
            group by action, status order by action, status",
        );
        let rows = self.db().rows(sql.value(cycle)).await?;
        rows.into_iter()
            .map(|mut row| Ok(EventCount { action: row.id()?, status: row.word()?, count: row.int()? }))
            .collect()
    }
}

/// The numbers between two that a cycle's events can have. One bound at each end: of two, SQLite would take either.
fn within<'a>(sql: &mut Sql<'a>, cycle: &'a str, after: i64, before: i64) {
    sql.push(" and seq > (select case when first_seq > ").bind(after).push(" then first_seq - 1 else ").bind(after);
    sql.push(" end from event_span where cycle = ").bind(cycle);
    sql.push(") and seq < (select case when last_seq < ").bind(before).push(" then last_seq + 1 else ").bind(before);
    sql.push(" end from event_span where cycle = ").bind(cycle).push(")");
}

/// The word stands in the text, not among the values: only so can the partial index on failed events be used.
fn status_is(sql: &mut Sql<'_>, status: EventStatus) {
    sql.push(" and status = '").push(status.as_str()).push("'");
}
