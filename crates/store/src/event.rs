//! The provisioning log, and the plan: an operation and the event that tells its outcome are one row in two states.
//!
//! Sequence numbers come from a counter that is raised in the writing transaction and stays locked until that ends, so rows
//! become visible in the order of their numbers and a reader who asks for what is after a number misses nothing. Append last
//! in a transaction, to hold that lock shortly. Reading is in [`crate::event_query`].

use provost_model::{ClassName, Code, CycleId, JobName, ObjectId, Text};
use serde::{Deserialize, Serialize};

use crate::db::{Each, Param, Record, Row};
use crate::{EventStatus, Result, StoreError, Transaction};

const NEXT: &str = "update sequence set value = value + $1 where name = 'event' returning value";
const DISCARD: &str = "update event set status = 'discarded' where status in ('planned', 'held') and cycle = $1
    and seq >= (select first_seq from event_span where cycle = $1)
    and seq <= (select last_seq from event_span where cycle = $1)";
const DROP: &str = "delete from event where status in ('planned', 'held', 'failed') and cycle = $1
    and seq >= (select first_seq from event_span where cycle = $1)
    and seq <= (select last_seq from event_span where cycle = $1)";

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// Given by [`Transaction::append_events`].
    pub seq: i64,
    pub job: JobName,
    pub cycle: CycleId,
    pub class: ClassName,
    pub source_id: ObjectId,
    pub target_id: Option<ObjectId>,
    /// What was done: a [`provost_model::Action`], or another word of the engine.
    pub action: Text,
    pub status: EventStatus,
    pub code: Option<Text>,
    pub created: i64,
    pub finished: Option<i64>,
    pub duration_ms: i64,
    /// The object's display name.
    pub name: String,
    pub reason: String,
    /// A JSON array of `{path, op, before, after}`, `op` only where values join others; or, to be appended, text in a layout.
    pub changes: String,
    /// JSON.
    pub detail: Option<String>,
    /// What the decision saw of the source: `{attribute: value}`; or, to be appended, text in a layout. None where it saw nothing.
    pub seen: Option<String>,
}

/// What came of a planned event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventOutcome {
    pub seq: i64,
    pub status: EventStatus,
    pub code: Option<Code>,
    /// Replaces the planned one, if there is one.
    pub target_id: Option<ObjectId>,
    pub detail: Option<String>,
    pub finished: i64,
    pub duration_ms: i64,
}

impl Record for EventRow {
    const TABLE: &'static str = "event";
    const COLUMNS: &'static [&'static str] = &[
        "seq",
        "job",
        "cycle",
        "class",
        "source_id",
        "target_id",
        "action",
        "status",
        "code",
        "created",
        "finished",
        "duration_ms",
        "name",
        "reason",
        "changes",
        "detail",
        "seen",
    ];
    const KEY: &'static [&'static str] = &["seq"];
    type Key<'a> = i64;

    fn key(&self) -> i64 {
        self.seq
    }

    fn values<'a>(&'a self, put: &mut dyn FnMut(Param<'a>)) {
        put(self.seq.into());
        put((&self.job).into());
        put((&self.cycle).into());
        put((&self.class).into());
        put((&self.source_id).into());
        put((&self.target_id).into());
        put(self.action.as_str().into());
        put(self.status.as_str().into());
        put(self.code.as_deref().into());
        put(self.created.into());
        put(self.finished.into());
        put(self.duration_ms.into());
        put(Param::free(&self.name));
        put(Param::free(&self.reason));
        put((&self.changes).into());
        put((&self.detail).into());
        put((&self.seen).into());
    }

    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self {
            seq: row.int()?,
            job: row.id()?,
            cycle: row.id()?,
            class: row.id()?,
            source_id: row.id()?,
            target_id: row.id_option()?,
            action: row.id()?,
            status: row.word()?,
            code: row.id_option()?,
            created: row.int()?,
            finished: row.int_option()?,
            duration_ms: row.int()?,
            name: row.text()?,
            reason: row.text()?,
            changes: row.text()?,
            detail: row.text_option()?,
            seen: row.text_option()?,
        })
    }
}

impl Transaction {
    /// Gives the events their numbers, in their order, and writes them.
    pub async fn append_events(&mut self, events: &mut [EventRow]) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let count = events.len() as i64;
        let next = self.fixed(NEXT).value(count);
        let last = match self.row(next).await? {
            Some(mut row) => row.int()?,
            None => return Err(StoreError::corrupt("sequence", "the row 'event' is missing")),
        };
        for (event, seq) in events.iter_mut().zip(last - count + 1..) {
            event.seq = seq;
        }
        self.insert(events).await?;
        let mut statement = Each::new();
        statement.push("insert into event_span (cycle, first_seq, last_seq) ").values(3);
        statement.push(" on conflict (cycle) do update set last_seq = excluded.last_seq");
        self.each(&statement, &spans(events), |(cycle, first, last), put| {
            put((*cycle).into());
            put((*first).into());
            put((*last).into());
        })
        .await
        .map(drop)
    }

    /// Records what came of events, each of them once per call. Numbers that are not there are passed over; how many were
    /// there comes back.
    pub async fn finish_events(&mut self, outcomes: &[EventOutcome]) -> Result<u64> {
        let mut statement = Each::new();
        statement.push("with outcome (seq, status, code, target_id, detail, finished, duration_ms) as (").values(7);
        statement.push(") update event set status = outcome.status, code = outcome.code");
        statement.push(", target_id = coalesce(outcome.target_id, event.target_id)");
        statement.push(", detail = coalesce(outcome.detail, event.detail)");
        statement.push(", finished = outcome.finished, duration_ms = outcome.duration_ms");
        statement.push(" from outcome where event.seq = outcome.seq");
        self.each(&statement.together(), outcomes, |outcome, put| {
            put(outcome.seq.into());
            put(outcome.status.as_str().into());
            put(outcome.code.as_ref().map(Code::as_str).into());
            put((&outcome.target_id).into());
            put((&outcome.detail).into());
            put(outcome.finished.into());
            put(outcome.duration_ms.into());
        })
        .await
    }

    /// Deletes the open events of a cycle and the cycle itself: for a plan that was only made to be compared.
    pub async fn drop_plan(&mut self, cycle: &str) -> Result<()> {
        for text in [DROP, "delete from cycle where id = $1"] {
            let sql = self.fixed(text).value(cycle);
            self.run(sql).await?;
        }
        Ok(())
    }

    /// Marks all open events of a cycle as discarded; how many they were.
    pub async fn discard_events(&mut self, cycle: &str) -> Result<u64> {
        let sql = self.fixed(DISCARD).value(cycle);
        self.run(sql).await
    }
}

/// The first and the last number of each cycle among these events, which are in the order of their numbers.
fn spans(events: &[EventRow]) -> Vec<(&CycleId, i64, i64)> {
    let mut spans: Vec<(&CycleId, i64, i64)> = Vec::new();
    for event in events {
        // The newest first: nearly always there is one cycle alone.
        match spans.iter_mut().rev().find(|(cycle, ..)| **cycle == event.cycle) {
            Some((.., last)) => *last = event.seq,
            None => spans.push((&event.cycle, event.seq, event.seq)),
        }
    }
    spans
}
