//! What came of a request. Read from the log: an operation was handled by the first cycle of its job that read beyond its
//! number, and the events of its object in that cycle are its outcome. What a guard holds waits; where it was discarded, the
//! next cycle reads the operation again.

use std::collections::{BTreeMap, HashMap, HashSet};

use provost_connector::{ConnectorError, ErrorCode};
use provost_model::{ClassName, CycleId, JobName, ObjectId, Text};
use provost_store::{CycleRow, CycleStatus, EventRow, EventStatus, JobState, LinkRow, PushOperationRow};
use serde_json::{Value as Json, json};

use crate::accept::{Entry, Refusal};
use crate::{Inbox, PushError};

/// Cycles per query.
const CYCLES: i64 = 500;

/// A request and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    pub id: Text,
    pub job: JobName,
    /// When it was taken, milliseconds since 1970 UTC.
    pub created: i64,
    pub counts: Counts,
    /// Why operations still wait, where that is known, and what to do.
    pub hint: Option<String>,
    /// In the order of the request.
    pub operations: Vec<Outcome>,
}

/// How many operations of a request are how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Counts {
    /// Taken when the request came; the others were refused.
    pub accepted: usize,
    pub waiting: usize,
    pub done: usize,
    /// Refused ones among them.
    pub failed: usize,
}

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// As it was sent.
    pub method: Text,
    pub bulk_id: Option<Text>,
    pub state: State,
    /// It came before, and was not done again.
    pub repeated: bool,
    /// HTTP's word for it: 202 while it waits.
    pub status: u16,
    /// `create`, `update`, `disable`, … of the log; `unchanged` when nothing had to be done, `skip` when the object is not
    /// provisioned, `superseded` when a later operation of the request was read along with it.
    pub result: Option<Text>,
    /// Why, for people.
    pub reason: Option<String>,
    /// The source's class and the object's id at the target.
    pub target: Option<(ClassName, ObjectId)>,
    /// The cycle that handled it, for `provost log --cycle`.
    pub cycle: Option<CycleId>,
    /// The error in SCIM's form, with the error's number and a hint.
    pub response: Option<Json>,
}

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Waiting,
    Done,
    Failed,
}

impl Inbox {
    /// What came of a request of a job so far; none when there is no such request.
    pub async fn status(&self, job: &JobName, id: &str) -> Result<Option<Status>, PushError> {
        let Some(row) = self.store.push_request(job, id).await? else { return Ok(None) };
        let entries: Vec<Entry> = serde_json::from_str(&row.operations)
            .map_err(|error| provost_store::StoreError::corrupt("push_request", error.to_string()))?;
        let numbers: Vec<i64> = entries.iter().filter_map(Entry::number).collect();
        let operations: HashMap<i64, PushOperationRow> =
            self.store.push_operations(&numbers).await?.into_iter().map(|row| (row.seq, row)).collect();
        let readers = self.readers(job, &operations).await?;
        let log = self.log(job, &operations, &readers).await?;

        let mut counts = Counts::default();
        let mut outcomes = Vec::with_capacity(entries.len());
        for entry in entries {
            let number = entry.number();
            let repeated = matches!(entry, Entry::Repeated(_));
            let outcome = match entry {
                Entry::Refused(refusal) => refused(refusal),
                Entry::Taken(_) | Entry::Repeated(_) => {
                    let Some(operation) = number.and_then(|number| operations.get(&number)) else { continue };
                    Outcome { repeated, ..log.outcome(operation, readers.get(&operation.seq)) }
                }
            };
            counts.accepted += usize::from(number.is_some());
            match outcome.state {
                State::Waiting => counts.waiting += 1,
                State::Done => counts.done += 1,
                State::Failed => counts.failed += 1,
            }
            outcomes.push(outcome);
        }
        let hint = if counts.waiting > 0 { self.why_waiting(job).await? } else { None };
        Ok(Some(Status { id: row.id, job: row.job, created: row.created, counts, hint, operations: outcomes }))
    }

    /// The cycles that read each operation: those that are or were held, and at last the one that was done with it.
    async fn readers(
        &self,
        job: &JobName,
        operations: &HashMap<i64, PushOperationRow>,
    ) -> Result<HashMap<i64, Vec<CycleId>>, PushError> {
        let mut found: HashMap<i64, Vec<CycleId>> = HashMap::new();
        let mut open: Vec<&PushOperationRow> = operations.values().collect();
        let Some(since) = open.iter().map(|operation| operation.created).min() else { return Ok(found) };
        let mut last: Option<CycleRow> = None;
        loop {
            let page = self.store.cycles_since(job, since, last.as_ref(), CYCLES).await?;
            let is_last = (page.len() as i64) < CYCLES;
            for cycle in page {
                let is_done = cycle.status == CycleStatus::Done;
                open.retain(|operation| {
                    let place = cycle.cursors.get(&operation.class).and_then(|cursor| cursor.parse::<i64>().ok());
                    let is_read = place.is_some_and(|place| place >= operation.seq);
                    if is_read {
                        found.entry(operation.seq).or_default().push(cycle.id.clone());
                    }
                    !(is_read && is_done)
                });
                last = Some(cycle);
            }
            if is_last || open.is_empty() {
                return Ok(found);
            }
        }
    }

    async fn log(
        &self,
        job: &JobName,
        operations: &HashMap<i64, PushOperationRow>,
        readers: &HashMap<i64, Vec<CycleId>>,
    ) -> Result<Log, PushError> {
        let mut log = Log::default();
        let mut asked: BTreeMap<&CycleId, HashSet<&str>> = BTreeMap::new();
        let mut linked: BTreeMap<&ClassName, HashSet<&str>> = BTreeMap::new();
        for (number, cycle) in
            readers.iter().flat_map(|(number, cycles)| cycles.iter().map(move |cycle| (number, cycle)))
        {
            let Some(operation) = operations.get(number) else { continue };
            asked.entry(cycle).or_default().insert(&operation.source_id);
            linked.entry(&operation.class).or_default().insert(&operation.source_id);
            let key = (cycle.clone(), operation.class.clone(), operation.source_id.clone());
            let newest = log.newest.entry(key).or_default();
            *newest = (*newest).max(*number);
        }
        for (cycle, ids) in asked {
            let ids: Vec<&str> = ids.into_iter().collect();
            for event in self.store.events_in(cycle, &ids).await? {
                let key = (cycle.clone(), event.class.clone(), event.source_id.clone());
                log.events.entry(key).or_default().push(event);
            }
        }
        for (class, ids) in linked {
            let ids: Vec<&str> = ids.into_iter().collect();
            for link in self.store.links(job, class, &ids).await? {
                log.links.insert((class.clone(), link.source_id.clone()), link);
            }
        }
        Ok(log)
    }

    async fn why_waiting(&self, job: &JobName) -> Result<Option<String>, PushError> {
        let Some(row) = self.store.job(job).await? else { return Ok(None) };
        Ok(match (row.state, row.note) {
            (JobState::Held, note) => Some(format!(
                "the job is held by a guard{}; look at it with `provost log --job {job}`, then `provost release {job}` or \
                 `provost discard {job}`",
                note.map(|note| format!(": {note}")).unwrap_or_default()
            )),
            (_, Some(note)) if row.failures > 0 => Some(format!("the job's last cycle failed: {note}")),
            _ => None,
        })
    }
}

impl Entry {
    fn number(&self) -> Option<i64> {
        match self {
            Entry::Taken(number) | Entry::Repeated(number) => Some(*number),
            Entry::Refused(_) => None,
        }
    }
}

fn refused(refusal: Refusal) -> Outcome {
    Outcome {
        method: refusal.method,
        bulk_id: refusal.bulk_id,
        state: State::Failed,
        repeated: false,
        status: refusal.status,
        result: Some("refuse".into()),
        reason: None,
        target: None,
        cycle: None,
        response: Some(refusal.response),
    }
}

type Key = (CycleId, ClassName, ObjectId);

/// What the log has of the operations of a request.
#[derive(Default)]
struct Log {
    events: HashMap<Key, Vec<EventRow>>,
    /// The newest operation of the request on an object in a cycle: a cycle that reads everything sees an object as that
    /// left it.
    newest: HashMap<Key, i64>,
    links: HashMap<(ClassName, ObjectId), LinkRow>,
}

impl Log {
    fn outcome(&self, operation: &PushOperationRow, cycles: Option<&Vec<CycleId>>) -> Outcome {
        for cycle in cycles.into_iter().flatten() {
            let key = (cycle.clone(), operation.class.clone(), operation.source_id.clone());
            let all = self.events.get(&key).map_or(&[][..], Vec::as_slice);
            let events: Vec<&EventRow> = all.iter().filter(|event| event.status != EventStatus::Discarded).collect();
            if events.iter().any(|event| matches!(event.status, EventStatus::Planned | EventStatus::Held)) {
                break;
            }
            if all.is_empty() || !events.is_empty() {
                return self.settled(operation, key, &events);
            }
        }
        waiting(operation)
    }

    fn settled(&self, operation: &PushOperationRow, key: Key, events: &[&EventRow]) -> Outcome {
        let link = self.links.get(&(operation.class.clone(), operation.source_id.clone()));
        let id = events.iter().rev().find_map(|event| event.target_id.clone());
        let id = id.or_else(|| link.and_then(|link| link.target_id.clone()));
        let gone = if operation.method == "DELETE" { 204 } else { 200 };
        let done = Outcome {
            state: State::Done,
            status: gone,
            result: Some("unchanged".into()),
            target: id.map(|id| (operation.class.clone(), id)),
            cycle: Some(key.0.clone()),
            ..waiting(operation)
        };
        if self.newest.get(&key).is_some_and(|newest| *newest > operation.seq) {
            let reason = "a later operation on the object was read along with this one, and done in its place";
            return Outcome { result: Some("superseded".into()), reason: Some(reason.into()), ..done };
        }
        if let Some(event) = events.iter().find(|e| matches!(e.status, EventStatus::Failed | EventStatus::Unknown)) {
            return failed(event, done);
        }
        // References follow in events of their own.
        let Some(event) = events.first() else { return done };
        let status = if event.action == "create" { 201 } else { gone };
        Outcome { status, result: Some(event.action.clone()), reason: Some(event.reason.clone()), ..done }
    }
}

fn waiting(operation: &PushOperationRow) -> Outcome {
    Outcome {
        method: operation.method.clone(),
        bulk_id: Some(operation.bulk_id.clone()),
        state: State::Waiting,
        repeated: false,
        status: 202,
        result: None,
        reason: None,
        target: None,
        cycle: None,
        response: None,
    }
}

fn failed(event: &EventRow, done: Outcome) -> Outcome {
    let detail: Json = event.detail.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let error: Option<ConnectorError> = serde_json::from_value(detail.clone()).ok();
    let status = error.map_or(400, |error| status_of(error.code));
    let again = "it is tried again by itself; push the object again to try it sooner";
    let hint = match detail.get("hint").and_then(Json::as_str) {
        Some(hint) => format!("{hint}; {again}"),
        None => again.to_owned(),
    };
    let mut response = json!({
        "schemas": [provost_scim::urn::ERROR],
        "status": status.to_string(),
        "detail": event.reason,
        "hint": hint,
    });
    if let Some(code) = &event.code {
        response["code"] = json!(code);
    }
    if status == 409 {
        response["scimType"] = json!("uniqueness");
    }
    Outcome {
        state: State::Failed,
        status,
        result: Some(event.action.clone()),
        reason: Some(event.reason.clone()),
        response: Some(response),
        ..done
    }
}

fn status_of(code: ErrorCode) -> u16 {
    match code {
        ErrorCode::PermissionDenied | ErrorCode::AuthFailed | ErrorCode::AuthExpired => 403,
        ErrorCode::NotFound => 404,
        ErrorCode::AlreadyExists | ErrorCode::Conflict | ErrorCode::Dependency => 409,
        ErrorCode::PreconditionFailed => 412,
        ErrorCode::Throttled | ErrorCode::QuotaExhausted => 429,
        ErrorCode::NotSupported => 501,
        ErrorCode::Unavailable | ErrorCode::Timeout | ErrorCode::UnknownOutcome => 503,
        ErrorCode::Internal | ErrorCode::Protocol => 500,
        _ => 400,
    }
}
