//! Sends what is stored as planned: the disables and deletes of a cycle that passed its guard, a plan that somebody
//! applies, a held cycle that somebody releases. One way for all three.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use provost_model::{Action, AttributePath, Change, ChangeOp, Text, Value};
use provost_store::EventRow;
use serde::Deserialize;

use super::Cycle;
use super::intent::{Detail, Intent};
use super::masked::{is_masked, unmask};
use super::notes::{Note, Notes, announce};
use super::ownerless::owned;
use super::pool::{Pool, Targets, Unit, taken_targets};
use super::turn::{Turn, key};
use crate::decide::Act;
use crate::error::EngineError;
use crate::rule::Rule;

const PAGE: i64 = 500;

/// Sends every open operation of `plan`, in its order.
pub(super) async fn apply_planned(
    cycle: &Arc<Cycle>,
    notes: &Notes,
    pool: &Pool,
    plan: &str,
) -> Result<(), EngineError> {
    let max_batch = cycle.target.capabilities().max_batch.max(1);
    let mut after = 0;
    let mut begun = HashSet::new();
    loop {
        let events = cycle.store.open_events(plan, after, PAGE).await?;
        let Some(last) = events.last() else { break };
        after = last.seq;
        let mut batch = Vec::new();
        let mut intents = intents(cycle, plan, events).await?;
        let mut overtaken = Vec::new();
        // Somebody got the account since this was planned.
        let ownerless = intents.iter().filter(|intent| intent.is_ownerless());
        let accounts: Vec<&str> = ownerless.filter_map(|intent| intent.act.target_id.as_deref()).collect();
        let owned = owned(cycle, &accounts).await?;
        let claims = intents.iter().filter(|intent| intent.claims());
        let mut claimed = Targets::new();
        claims.for_each(|intent| claimed.entry(intent.rule).or_default().extend(intent.act.target_id.clone()));
        let taken = taken_targets(cycle, claimed).await?;
        intents.retain(|intent| {
            let goes = intent.act.target_id.as_ref().is_none_or(|id| {
                let is_owned = intent.is_ownerless() && owned.contains(id);
                let is_taken = intent.claims() && taken.contains(&(intent.rule, id.clone()));
                !is_owned && !is_taken
            });
            overtaken.extend(intent.event.filter(|_| !goes));
            goes
        });
        // What the source says of an object comes before what the target does, and one operation takes its link along.
        intents.retain(|intent| {
            let is_first = begun.insert(key(intent.rule, &intent.source_id));
            overtaken.extend(intent.event.filter(|_| !is_first));
            is_first
        });
        intents.retain_mut(|intent| match cycle.turns.take(intent.rule, &intent.source_id) {
            Some(turn) => {
                intent.turn = turn;
                true
            }
            // It left meanwhile, and the lane has seen to it.
            None => {
                overtaken.extend(intent.event);
                false
            }
        });
        for seq in overtaken {
            notes.note(Note::Superseded(seq)).await?;
        }
        announce(cycle, notes, &intents).await?;
        for intent in intents {
            batch.push(intent);
            if batch.len() >= max_batch {
                pool.submit(Unit::Apply(std::mem::take(&mut batch))).await?;
            }
        }
        if !batch.is_empty() {
            pool.submit(Unit::Apply(batch)).await?;
        }
    }
    pool.drain().await?;
    notes.flush().await
}

/// Whether every operation of the plan still stands on what it was made on: the links are as they were.
pub(crate) async fn check_unmoved(cycle: &Cycle, plan: &str) -> Result<(), EngineError> {
    let mut after = 0;
    loop {
        let events = cycle.store.open_events(plan, after, PAGE).await?;
        let Some(last) = events.last() else { return Ok(()) };
        after = last.seq;
        let details: Vec<Option<i64>> =
            events.iter().map(|event| detail(event).map(|d| d.link_changed)).collect::<Result<_, _>>()?;
        let names: Vec<(Text, String)> =
            events.iter().map(|event| (Text::from(&*event.source_id), event.name.clone())).collect();
        for (intent, (was, (id, name))) in
            intents(cycle, plan, events).await?.iter().zip(details.into_iter().zip(names))
        {
            let now = intent.link.as_ref().map(|link| link.changed);
            if now != was {
                let message = format!("`{name}` ({id}) was provisioned in another way since the plan was made");
                return Err(EngineError::Moved { message });
            }
        }
    }
}

fn detail(event: &EventRow) -> Result<Detail, EngineError> {
    event.detail.as_deref().and_then(|text| serde_json::from_str(text).ok()).ok_or_else(|| EngineError::Plan {
        plan: event.cycle.to_string(),
        message: format!("the stored operation {} cannot be read", event.seq),
        hint: "make a new plan",
    })
}

/// Stored rows as intents again, with the links of today, in the rows' order.
async fn intents(cycle: &Cycle, plan: &str, events: Vec<EventRow>) -> Result<Vec<Intent>, EngineError> {
    let broken = |message: String| EngineError::Plan { plan: plan.to_owned(), message, hint: "make a new plan" };
    let mut links = std::collections::HashMap::new();
    for (at, rule) in cycle.job.rules.iter().enumerate() {
        let ids: Vec<&str> =
            events.iter().filter(|event| event.class == rule.from).map(|event| event.source_id.as_str()).collect();
        for link in cycle.store.links(&cycle.job.name, &rule.from, &ids).await? {
            links.insert((at, link.source_id.clone()), link);
        }
    }
    let mut intents = Vec::with_capacity(events.len());
    for event in events {
        let Some(rule) = cycle.job.rules.iter().position(|rule| rule.from == event.class) else {
            return Err(broken(format!("the job has no rule for class `{}` any more", event.class)));
        };
        let mut detail = detail(&event)?;
        let stored: Vec<Stored> = serde_json::from_str(&event.changes)
            .map_err(|error| broken(format!("the stored changes of `{}` cannot be read: {error}", event.name)))?;
        let action = event.action.parse().map_err(|()| broken(format!("`{}` is no action", event.action)))?;
        // What these tell is only what goes with the account or its link.
        let stored = if matches!(action, Action::Delete | Action::Unlink) { Vec::new() } else { stored };
        let mut changes: Vec<Change> = stored.into_iter().map(|change| change.restore(cycle.rule(rule))).collect();
        // References are kept apart, by the objects that they point at.
        if cycle.rule(rule).has_references {
            changes.retain(|change| !cycle.rule(rule).mapping(&change.path.to_string()).is_some_and(|m| m.reference));
        }
        if is_masked(cycle.rule(rule), &changes, detail.base.as_ref()) {
            let found = cycle.source.get(&cycle.cx, &event.class, &event.source_id).await;
            let record = found.map_err(|error| super::planner::source(cycle, error))?;
            unmask(cycle.rule(rule), record.as_ref(), cycle.now, &mut changes, detail.base.as_mut())
                .map_err(|why| broken(format!("the operation on `{}` cannot be sent: {why}", event.name)))?;
        }
        let link = links.remove(&(rule, event.source_id.clone())).map(Box::new);
        intents.push(Intent {
            rule,
            source_id: event.source_id,
            name: Text::from(event.name),
            reason: Cow::Owned(event.reason),
            mark: detail.mark,
            link,
            act: Act {
                action,
                target_id: event.target_id,
                adopted: detail.adopted,
                changes,
                references: None,
                state: detail.state,
                leaves: detail.leaves,
                base: detail.base,
            },
            references: detail.references,
            event: Some(event.seq),
            turn: Turn::default(),
            record: None,
            seen: None,
        });
    }
    Ok(intents)
}

/// A change as an event keeps it.
#[derive(Deserialize)]
pub(super) struct Stored {
    pub path: AttributePath,
    #[serde(default)]
    pub before: Option<Value>,
    /// `add` where the values join those that are there, `remove` where they leave these.
    #[serde(default)]
    pub op: Option<ChangeOp>,
    /// None takes the value away.
    #[serde(default)]
    pub after: Option<Value>,
}

impl Stored {
    /// Paths are shared with the rule where they are the rule's, so that masking knows them again.
    fn restore(self, rule: &Rule) -> Change {
        let mapping = rule.mappings.iter().find(|mapping| *mapping.path == self.path);
        let path = mapping.map_or_else(|| Arc::new(self.path), |mapping| mapping.path.clone());
        let change = match self.after {
            Some(value) => Change::new(path, self.op.unwrap_or(ChangeOp::Set), value),
            None => Change::unset(path),
        };
        change.was(self.before)
    }
}
