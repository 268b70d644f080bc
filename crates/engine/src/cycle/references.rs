//! The second pass: references are sent once both ends have an account. What cannot be sent yet stays wished, so that a
//! reference heals itself in the cycle that brings the other object into scope.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use provost_connector::{ConnectorError, ErrorCode, Outcome, Scope};
use provost_model::{
    Action, AttributePath, Change, ChangeOp, ClassName, ObjectId, Operation, OperationId, Text, Value,
};
use provost_store::{EventRow, EventStatus, LinkState, PendingReference, ReferenceRow, ReferenceState};

use super::Cycle;
use super::notes::{Note, Notes};
use super::outcome::exchange_json;
use super::pool::still_there;
use super::text::references_text;
use crate::error::EngineError;
use crate::progress::Progress;
use crate::rule::{Mapping, Rule};

/// Pending references that are read at once; more where the target takes more of them in one request.
const PAGE: usize = 5000;
const LARGEST_PAGE: usize = 50_000;
/// Refusals in a row after which nothing is sent in smaller pieces.
const REFUSALS: usize = 64;

/// References of one object that go out together.
struct Send<'p> {
    operation: Operation,
    chunk: &'p [PendingReference],
    /// Of a list, so that its values may go out one by one as well.
    multi: bool,
}

impl<'p> Send<'p> {
    /// The same in two pieces; none where one value cannot go without the others.
    fn halves(&self) -> Option<[Send<'p>; 2]> {
        let path = &self.operation.changes.first()?.path;
        if !self.multi || self.chunk.len() < 2 {
            return None;
        }
        let (first, second) = self.chunk.split_at(self.chunk.len() / 2);
        let piece = |chunk: &'p [PendingReference], name: &str| Send {
            operation: Operation {
                id: OperationId::from(format!("{}{name}", self.operation.id)),
                changes: member_changes(path, chunk),
                ..self.operation.clone()
            },
            chunk,
            multi: true,
        };
        Some([piece(first, "a"), piece(second, "b")])
    }
}

pub(super) async fn second_pass(cycle: &Arc<Cycle>, notes: &Notes) -> Result<(), EngineError> {
    if !cycle.job.rules.iter().any(|rule| rule.has_references) {
        return Ok(());
    }
    let limits = cycle.target.capabilities();
    let limited = cycle.job.rules.iter().map(|rule| rule.max_values).filter(|most| *most <= LARGEST_PAGE);
    let page_size = limited.max().map_or(PAGE, |most| most.max(PAGE));
    let mut after = None;
    for number in 0_u64.. {
        let page = cycle.store.pending_references(&cycle.job.name, after.as_ref(), page_size as i64).await?;
        let Some(last) = page.last() else { break };
        let last_key = last.key.clone();
        let mut groups: Vec<Vec<&[PendingReference]>> =
            groups(&page).into_iter().map(|group| pieces(cycle, group)).collect();
        if page.len() == page_size {
            // The last object's references may go on in the next page: they wait, so that its changes go out together, and in
            // as few requests as the target takes.
            match groups.as_mut_slice() {
                [only] if only.len() > 1 => drop(only.pop()),
                [_] => {}
                _ => drop(groups.pop()),
            }
        }
        let sent_last = groups.last().and_then(|pieces| pieces.last()?.last());
        after = sent_last.map_or(Some(last_key), |pending| Some(pending.key.clone()));
        let mut sends = Vec::with_capacity(groups.len());
        for (at, piece) in groups.into_iter().flatten().enumerate() {
            sends.extend(prepare(cycle, piece, &format!("{number}.{at}")));
        }
        let mut running = FuturesUnordered::new();
        let mut result = Ok(());
        for lane in lanes(sends, limits.max_batch.max(1)) {
            if running.len() >= limits.max_in_flight.max(1) {
                result = running.next().await.unwrap_or(Ok(()));
            }
            if result.is_err() || cycle.halt.is_on() {
                break;
            }
            running.push(send_lane(cycle, notes, lane));
        }
        // What is under way ends, so that it is recorded.
        while let Some(ended) = running.next().await {
            result = result.and(ended);
        }
        result?;
        if let Some(paused) = cycle.halt.paused() {
            return Err(paused);
        }
    }
    notes.flush().await
}

/// Pending references by referring object and path; they come sorted by key.
fn groups(page: &[PendingReference]) -> Vec<&[PendingReference]> {
    page.chunk_by(|a, b| a.key.class == b.key.class && a.key.source_id == b.key.source_id && a.key.path == b.key.path)
        .collect()
}

/// Shares the sends out to those who carry them side by side. All sends to one object are in one lane, in their order: at many
/// targets a change of a list is a read and a write of the whole, and of two at once one would be lost. A lane is filled
/// with further objects up to one batch.
fn lanes(sends: Vec<Send<'_>>, batch: usize) -> Vec<Vec<Send<'_>>> {
    let mut objects: Vec<Vec<Send<'_>>> = Vec::new();
    let mut of: HashMap<(ClassName, Option<ObjectId>), usize> = HashMap::new();
    for send in sends {
        let key = (send.operation.class.clone(), send.operation.target_id.clone());
        let at = *of.entry(key).or_insert(objects.len());
        match objects.get_mut(at) {
            Some(object) => object.push(send),
            None => objects.push(vec![send]),
        }
    }
    let mut lanes: Vec<Vec<Send<'_>>> = Vec::new();
    for object in objects {
        match lanes.last_mut() {
            Some(lane) if lane.len() + object.len() <= batch => lane.extend(object),
            _ => lanes.push(object),
        }
    }
    lanes
}

/// Sends one batch after the other.
async fn send_lane(cycle: &Arc<Cycle>, notes: &Notes, mut lane: Vec<Send<'_>>) -> Result<(), EngineError> {
    let batch = cycle.target.capabilities().max_batch.max(1);
    let mut refused = 0;
    while !lane.is_empty() {
        let rest = lane.split_off(lane.len().min(batch));
        let mut left = send(cycle, notes, std::mem::replace(&mut lane, rest), &mut refused).await?;
        left.append(&mut lane);
        lane = left;
    }
    Ok(())
}

fn mapping_of<'c>(cycle: &'c Cycle, first: &PendingReference) -> Option<(&'c Rule, Option<&'c Mapping>)> {
    let rule = cycle.job.rules.iter().find(|rule| rule.from == first.key.class)?;
    Some((rule, rule.mapping(&first.key.path)))
}

/// An object's references of one path, as many at once as the target takes.
fn pieces<'p>(cycle: &Cycle, group: &'p [PendingReference]) -> Vec<&'p [PendingReference]> {
    let most = match group.first().and_then(|first| mapping_of(cycle, first)) {
        Some((rule, Some(mapping))) if mapping.multi => rule.max_values.max(1),
        _ => usize::MAX,
    };
    by_values(group, most)
}

/// Cuts so that no piece has more values than that, unless one reference alone has.
fn by_values(mut rest: &[PendingReference], most: usize) -> Vec<&[PendingReference]> {
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        let mut values = 0;
        let fits = rest.iter().take_while(|pending| {
            values += values_of(pending);
            values <= most
        });
        let (piece, others) = rest.split_at(fits.count().max(1));
        pieces.push(piece);
        rest = others;
    }
    pieces
}

/// How many values a reference adds or removes: two where another account was sent, or may have been, before.
fn values_of(pending: &PendingReference) -> usize {
    let other = pending.sent_target.as_ref().filter(|sent| Some(*sent) != pending.ref_target.as_ref());
    usize::from(pending.ref_target.is_some()) + usize::from(other.is_some())
}

fn prepare<'p>(cycle: &Cycle, chunk: &'p [PendingReference], number: &str) -> Option<Send<'p>> {
    let first = chunk.first()?;
    let (rule, mapping) = mapping_of(cycle, first)?;
    let multi = mapping.is_some_and(|mapping| mapping.multi);
    let path = mapping.map(|m| m.path.clone()).or_else(|| Some(Arc::new(first.key.path.parse().ok()?)))?;
    let id = format!("{}/{}/{}/{}/{number}", cycle.id, rule.from, first.key.source_id, first.key.path);
    let operation = Operation {
        id: OperationId::from(id),
        action: Action::Update,
        class: rule.to.clone(),
        target_id: Some(first.owner_target.clone()),
        changes: if multi { member_changes(&path, chunk) } else { single_change(&path, chunk) },
        if_match: None,
    };
    Some(Send { operation, chunk, multi })
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
            ReferenceState::Unwanted => {
                remove.extend(current);
                let other = pending.sent_target.clone().filter(|other| Some(other) != pending.ref_target.as_ref());
                remove.extend(other.map(|id| Value::Text(id.0)));
            }
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

/// Sends one batch. Gives back what is to be sent again in pieces: a piece that is refused for what it holds is halved until
/// the one that is in the way stands alone, so that the others do not wait for it for ever.
/// `refused` counts refusals in a row: a target that refuses everything is not asked for each value.
async fn send<'p>(
    cycle: &Arc<Cycle>,
    notes: &Notes,
    sends: Vec<Send<'p>>,
    refused: &mut usize,
) -> Result<Vec<Send<'p>>, EngineError> {
    let start = Instant::now();
    let (empty, full): (Vec<_>, Vec<_>) = sends.into_iter().partition(|send| send.operation.changes.is_empty());
    for send in empty {
        note(cycle, notes, &send, None, 0).await?;
    }
    let operations: Vec<Operation> = full.iter().map(|send| send.operation.clone()).collect();
    if operations.is_empty() {
        return Ok(Vec::new());
    }
    let applied = cycle.target.apply(&cycle.cx, &operations).await;
    let duration_ms = i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX);
    Progress::spent(&cycle.progress.phases.send, start.elapsed());
    let mut again = Vec::new();
    let mut result = Ok(());
    for (send, applied) in full.iter().zip(applied) {
        *refused = if matches!(applied.outcome, Outcome::Done(_)) { 0 } else { *refused + 1 };
        let noted = match applied.outcome {
            Outcome::Failed(error) if is_refusal(&error) && *refused <= REFUSALS => match send.halves() {
                Some(halves)
                    if error.code != ErrorCode::NotFound || owner_is_there(cycle, send).await == Some(true) =>
                {
                    again.extend(halves);
                    Ok(())
                }
                None if removes_nobody(cycle, send).await => note(cycle, notes, send, None, duration_ms).await,
                _ => note(cycle, notes, send, Some(Outcome::Failed(error)), duration_ms).await,
            },
            outcome => note(cycle, notes, send, Some(outcome), duration_ms).await,
        };
        // The others were done all the same, and are told.
        result = result.and(noted);
    }
    result.map(|()| again)
}

/// Whether the target refuses what the request holds, which may be one value of many.
fn is_refusal(error: &ConnectorError) -> bool {
    use ErrorCode::{Constraint, Dependency, InvalidValue, NotFound};
    error.scope == Scope::Item && matches!(error.code, NotFound | InvalidValue | Dependency | Constraint)
}

/// Whether the referring object is at the target: what was not found may be one that it refers to. None when nobody knows.
async fn owner_is_there(cycle: &Cycle, send: &Send<'_>) -> Option<bool> {
    let id = send.operation.target_id.as_ref()?;
    cycle.target.get(&cycle.cx, &send.operation.class, id).await.ok().map(|found| found.is_some())
}

/// Whether the piece only takes away an account that is not there any more: then it is done.
async fn removes_nobody(cycle: &Cycle, send: &Send<'_>) -> bool {
    let [only] = send.chunk else { return false };
    let class = cycle.job.rules.iter().find(|rule| rule.from == only.key.ref_class).map(|rule| &rule.to);
    let (ReferenceState::Unwanted, Some(class), Some(id)) = (only.state, class, &only.ref_target) else { return false };
    send.multi && matches!(cycle.target.get(&cycle.cx, class, id).await, Ok(None))
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
        seen: None,
        detail: None,
    };
    // What was never sent is only forgotten.
    let is_told = outcome.is_some() || !send.operation.changes.is_empty();
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
            if error.code == ErrorCode::NotFound && owner_is_there(cycle, send).await == Some(false) {
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
            if let Some(Outcome::Done(done)) = &done {
                event.detail = exchange_json(done.exchange.as_deref());
            }
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
    notes.note(Note::Sent { event: is_told.then(|| Box::new(event)), sent, gone }).await
}

/// The referring account is gone at the target: its link is void, and its object is looked at again.
async fn void(cycle: &Cycle, notes: &Notes, pending: &PendingReference) -> Result<(), EngineError> {
    let key = &pending.key;
    let rule = cycle.job.rules.iter().position(|rule| rule.from == key.class);
    // Whom the lane has it sees to itself.
    let Some(turn) = rule.and_then(|at| cycle.turns.take(at, &key.source_id)) else { return Ok(()) };
    let links = cycle.store.links(&cycle.job.name, &key.class, &[key.source_id.as_str()]).await?;
    for mut link in links.into_iter().filter(|link| link.target_id.as_ref() == Some(&pending.owner_target)) {
        link.target_id = None;
        link.sent = None;
        link.mark.clear();
        link.state = LinkState::Failed;
        notes.note(Note::Relink(Box::new(link), turn.clone())).await?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_piece_has_more_values_than_the_target_takes() {
        let pending = |sent: Option<&str>| PendingReference {
            key: Default::default(),
            state: ReferenceState::Wanted,
            owner_target: "group".into(),
            ref_target: Some("now".into()),
            sent_target: sent.map(Into::into),
        };
        let (one, two) = (pending(Some("now")), pending(Some("before")));
        for (pendings, most, want) in [
            (vec![&one; 5], 2, vec![2, 2, 1]),
            (vec![&two; 5], 4, vec![2, 2, 1]),
            (vec![&one, &two, &one, &one], 3, vec![2, 2]),
            (vec![&two; 3], 1, vec![1, 1, 1]),
            (vec![&one; 5], usize::MAX, vec![5]),
            (vec![], 3, vec![]),
        ] {
            let pendings: Vec<PendingReference> = pendings.into_iter().cloned().collect();
            let sizes: Vec<usize> = by_values(&pendings, most).iter().map(|piece| piece.len()).collect();
            assert_eq!(sizes, want, "{most}");
        }
    }
}
