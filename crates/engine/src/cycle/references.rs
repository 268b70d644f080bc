//! The second pass: references are sent once both ends have an account. What cannot be sent yet stays wished, so that a
//! reference heals itself in the cycle that brings the other object into scope.

use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use provost_connector::{ErrorCode, Outcome};
use provost_model::{Action, AttributePath, Change, ChangeOp, Operation, OperationId, Text, Value};
use provost_store::{EventRow, EventStatus, LinkState, PendingReference, ReferenceRow, ReferenceState};

use super::Cycle;
use super::notes::{Note, Notes};
use super::pool::still_there;
use super::text::references_text;
use crate::error::EngineError;
use crate::progress::Progress;

const PAGE: i64 = 5000;

/// References of one object that go out together.
struct Send<'p> {
    operation: Operation,
    chunk: &'p [PendingReference],
}

pub(super) async fn second_pass(cycle: &Arc<Cycle>, notes: &Notes) -> Result<(), EngineError> {
    if !cycle.job.rules.iter().any(|rule| rule.has_references) {
        return Ok(());
    }
    let limits = cycle.target.capabilities();
    let mut after = None;
    loop {
        let page = cycle.store.pending_references(&cycle.job.name, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return notes.flush().await };
        let last_key = last.key.clone();
        let mut groups = groups(&page);
        if page.len() as i64 == PAGE && groups.len() > 1 {
            // The last object's references may go on in the next page; it waits, so that its changes go out together.
            groups.pop();
        }
        after =
            groups.last().and_then(|group| group.last()).map_or(Some(last_key), |pending| Some(pending.key.clone()));
        let mut sends = Vec::with_capacity(groups.len());
        for group in groups {
            prepare(cycle, group, &mut sends);
        }
        let mut running = FuturesUnordered::new();
        while !sends.is_empty() && !cycle.halt.is_on() {
            if running.len() >= limits.max_in_flight.max(1) {
                running.next().await.unwrap_or(Ok(()))?;
            }
            // Operations on one object follow each other in one batch, or the batch is one operation and they are apart
            // by chunks of one attribute, which may go out in any order.
            let rest = sends.split_off(sends.len().min(limits.max_batch.max(1)));
            running.push(send(cycle, notes, std::mem::replace(&mut sends, rest)));
        }
        while let Some(result) = running.next().await {
            result?;
        }
        if let Some(paused) = cycle.halt.paused() {
            return Err(paused);
        }
    }
}

/// Pending references by referring object and path; they come sorted by key.
fn groups(page: &[PendingReference]) -> Vec<&[PendingReference]> {
    page.chunk_by(|a, b| a.key.class == b.key.class && a.key.source_id == b.key.source_id && a.key.path == b.key.path)
        .collect()
}

fn prepare<'p>(cycle: &Cycle, group: &'p [PendingReference], sends: &mut Vec<Send<'p>>) {
    let Some(first) = group.first() else { return };
    let Some(rule) = cycle.job.rules.iter().find(|rule| rule.from == first.key.class) else { return };
    let mapping = rule.mapping(&first.key.path);
    let multi = mapping.is_some_and(|mapping| mapping.multi);
    let Some(path) = mapping.map(|m| m.path.clone()).or_else(|| Some(Arc::new(first.key.path.parse().ok()?))) else {
        return;
    };
    let chunk_size = if multi { rule.max_values.max(1) } else { group.len() };
    for (at, chunk) in group.chunks(chunk_size).enumerate() {
        let id = format!("{}/{}/{}/{}/{at}", cycle.id, rule.from, first.key.source_id, first.key.path);
        let operation = Operation {
            id: OperationId::from(id),
            action: Action::Update,
            class: rule.to.clone(),
            target_id: Some(first.owner_target.clone()),
            changes: if multi { member_changes(&path, chunk) } else { single_change(&path, chunk) },
            if_match: None,
        };
        sends.push(Send { operation, chunk });
    }
}

fn member_changes(path: &Arc<AttributePath>, chunk: &[PendingReference]) -> Vec<Change> {
    let (mut add, mut remove) = (Vec::new(), Vec::new());
    for pending in chunk {
        let current = pending.ref_target.clone().map(|id| Value::Text(id.0));
        match pending.state {
            ReferenceState::Wanted => {
                add.extend(current);
                // The account that was sent before was made again under another id.
                let stale = pending.sent_target.clone().filter(|sent| Some(sent) != pending.ref_target.as_ref());
                remove.extend(stale.map(|id| Value::Text(id.0)));
            }
            ReferenceState::Unwanted => remove.extend(current),
            ReferenceState::Sent => {}
        }
    }
    let mut changes = Vec::new();
    for (op, values) in [(ChangeOp::Add, add), (ChangeOp::Remove, remove)] {
        if !values.is_empty() {
            changes.push(Change::new(path.clone(), op, Value::List(values)));
        }
    }
    changes
}

fn single_change(path: &Arc<AttributePath>, chunk: &[PendingReference]) -> Vec<Change> {
    let wanted = chunk.iter().find(|pending| pending.state == ReferenceState::Wanted);
    let unwanted = chunk.iter().find(|pending| pending.state == ReferenceState::Unwanted);
    let before = unwanted.and_then(|pending| pending.ref_target.clone());
    let before = before.or_else(|| wanted.and_then(|pending| pending.sent_target.clone()));
    let change = match wanted.and_then(|pending| pending.ref_target.clone()) {
        Some(id) => Change::set(path.clone(), Value::Text(id.0)),
        None => Change::unset(path.clone()),
    };
    vec![change.was(before.map(|id| Value::Text(id.0)))]
}

async fn send(cycle: &Arc<Cycle>, notes: &Notes, sends: Vec<Send<'_>>) -> Result<(), EngineError> {
    let start = Instant::now();
    let (empty, full): (Vec<_>, Vec<_>) = sends.into_iter().partition(|send| send.operation.changes.is_empty());
    for send in empty {
        note(cycle, notes, &send, None, 0).await?;
    }
    let operations: Vec<Operation> = full.iter().map(|send| send.operation.clone()).collect();
    if operations.is_empty() {
        return Ok(());
    }
    let applied = cycle.target.apply(&cycle.cx, &operations).await;
    let duration_ms = i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX);
    Progress::spent(&cycle.progress.phases.send, start.elapsed());
    for (send, applied) in full.iter().zip(applied) {
        note(cycle, notes, send, Some(applied.outcome), duration_ms).await?;
    }
    Ok(())
}

/// Records what came of one object's references.
async fn note(
    cycle: &Arc<Cycle>,
    notes: &Notes,
    send: &Send<'_>,
    outcome: Option<Outcome>,
    duration_ms: i64,
) -> Result<(), EngineError> {
    let Some(first) = send.chunk.first() else { return Ok(()) };
    let now_ms = cycle.now_ms();
    let mut event = EventRow {
        seq: 0,
        job: cycle.job.name.clone(),
        cycle: cycle.id.clone(),
        class: first.key.class.clone(),
        source_id: first.key.source_id.clone(),
        target_id: Some(first.owner_target.clone()),
        action: Action::Update.as_str().into(),
        status: EventStatus::Done,
        code: None,
        created: now_ms,
        finished: Some(now_ms),
        duration_ms,
        name: String::new(),
        reason: reason(send.chunk),
        changes: references_text(&send.operation.changes),
        detail: None,
    };
    let (mut sent, mut gone) = (Vec::new(), Vec::new());
    match outcome {
        Some(Outcome::Failed(error)) if error.scope == provost_connector::Scope::Job => {
            return Err(EngineError::Connection { role: "target", connection: cycle.job.target.clone(), error });
        }
        Some(Outcome::Failed(error)) => {
            let rule = cycle.job.rules.iter().find(|rule| rule.from == first.key.class);
            if let Some(rule) = rule {
                still_there(cycle, rule, Some(&first.owner_target), &error).await?;
            }
            if error.code == ErrorCode::NotFound {
                void(cycle, notes, first).await?;
            }
            // The rows stay pending, so the next cycle tries again.
            Progress::add(&cycle.progress.failed, 1);
            event.status = EventStatus::Failed;
            event.code = Some(Text::from(error.code.number()));
            event.reason = format!("{}; failed: {error}", event.reason);
            event.detail = serde_json::to_string(&error).ok();
        }
        done => {
            Progress::add(&cycle.progress.updated, u64::from(done.is_some()));
            for pending in send.chunk {
                match pending.state {
                    ReferenceState::Wanted => sent.push(ReferenceRow {
                        job: cycle.job.name.clone(),
                        key: pending.key.clone(),
                        state: ReferenceState::Sent,
                        ref_target: pending.ref_target.clone(),
                    }),
                    _ => gone.push(pending.key.clone()),
                }
            }
        }
    }
    notes.note(Note::Sent { event: Box::new(event), sent, gone }).await
}

/// The referring account is gone at the target: its link is void, and its object is looked at again.
async fn void(cycle: &Cycle, notes: &Notes, pending: &PendingReference) -> Result<(), EngineError> {
    let key = &pending.key;
    let links = cycle.store.links(&cycle.job.name, &key.class, &[key.source_id.as_str()]).await?;
    for mut link in links.into_iter().filter(|link| link.target_id.as_ref() == Some(&pending.owner_target)) {
        link.target_id = None;
        link.sent = None;
        link.mark.clear();
        link.state = LinkState::Failed;
        notes.note(Note::Relink(Box::new(link))).await?;
    }
    Ok(())
}

fn reason(chunk: &[PendingReference]) -> String {
    let wanted = chunk.iter().filter(|pending| pending.state == ReferenceState::Wanted).count();
    let unwanted = chunk.len() - wanted;
    let path = chunk.first().map_or("", |pending| pending.key.path.as_str());
    match (wanted, unwanted) {
        (_, 0) => format!("{wanted} reference(s) of `{path}` can be sent now"),
        (0, _) => format!("{unwanted} reference(s) of `{path}` are gone"),
        _ => format!("{wanted} reference(s) of `{path}` to send, {unwanted} gone"),
    }
}
