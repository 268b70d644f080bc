//! The opposite of a cycle: what its events say was done, undone, as the intents of a cycle of its own.
//!
//! ```text
//!  events of the cycle ─► Deed per object ─► opposite(link as it is now) ─► planned rows ─► guard ─► pool
//!                          (pure)               (pure)          └─► what cannot be undone: failed events
//! ```
//! Nothing is read from the source or the target, so that it works where these are the trouble. What a later cycle changed
//! again is left alone: the log says what was, and only the link says what is. From the guard on it is a cycle like any
//! other, so that it is held, released, explained and reverted as any other.

mod deed;
mod opposite;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use provost_model::{ClassName, ObjectId};
use provost_store::{EventQuery, EventRow, EventStatus, LinkRow, ReferenceRow, ReferenceState};

use super::Cycle;
use super::intent::{Lost, ReferenceDelta};
use super::notes::{Note, Notes};
use super::ownerless::is_ownerless;
use super::pool::taken_targets;
use crate::error::EngineError;
use crate::rule::Rule;
use deed::Deed;
use opposite::{Opposite, opposite};

/// What one event said cannot be undone; a page of its own says why that can be.
pub(crate) const LEFT: &str = "PRV-0540";
const PAGE: i64 = 500;

/// Notes the opposite of everything that the cycle `of` did, as planned.
pub(super) async fn intend(cycle: &Arc<Cycle>, notes: &Notes, of: &str) -> Result<(), EngineError> {
    let deeds = deeds(cycle, notes, of).await?;
    for (at, rule) in cycle.job.rules.iter().enumerate() {
        let Some(done) = deeds.get(&rule.from) else { continue };
        for page in done.chunks(PAGE as usize) {
            let ids: Vec<&str> = page.iter().map(|(id, _)| id.as_str()).collect();
            let mut links: HashMap<ObjectId, LinkRow> = HashMap::new();
            for link in cycle.store.links(&cycle.job.name, &rule.from, &ids).await? {
                links.insert(link.source_id.clone(), link);
            }
            let references = References::load(cycle, rule, page, &ids).await?;
            let taken = taken(cycle, at, page).await?;
            for (id, deed) in page {
                let link = links.remove(id).map(Box::new);
                let Opposite { mut act, mut left } = match is_ownerless(id, deed.target_id.as_ref()) && link.is_none() {
                    true => opposite::ownerless(rule, deed),
                    false => opposite(rule, deed, link.as_deref()),
                };
                if act
                    .take_if(|act| act.adopted && act.target_id.as_ref().is_some_and(|id| taken.contains(id)))
                    .is_some()
                {
                    left.push("the account that was let go is somebody else's by now".to_owned());
                }
                let delta = references.delta(rule, id, deed, link.is_some(), &mut left);
                for what in left {
                    tell(cycle, notes, rule, id, deed, what).await?;
                }
                if let Some(intent) = opposite::intent(at, id, deed, link, act, delta) {
                    notes.note(Note::Planned(intent)).await?;
                }
            }
        }
    }
    Ok(())
}

/// Accounts that were let go and that somebody is linked with by now.
async fn taken(cycle: &Cycle, rule: usize, page: &[(ObjectId, Deed)]) -> Result<HashSet<ObjectId>, EngineError> {
    let accounts = page.iter().filter(|(_, deed)| deed.unlinked).filter_map(|(_, deed)| deed.target_id.clone());
    let taken = taken_targets(cycle, [(rule, accounts.collect())].into()).await?;
    Ok(taken.into_iter().map(|(_, account)| account).collect())
}

/// What the cycle did, by class, in the order of its first events.
async fn deeds(
    cycle: &Cycle,
    notes: &Notes,
    of: &str,
) -> Result<HashMap<ClassName, Vec<(ObjectId, Deed)>>, EngineError> {
    let mut deeds: HashMap<ClassName, Vec<(ObjectId, Deed)>> = HashMap::new();
    let mut places: HashMap<(ClassName, ObjectId), usize> = HashMap::new();
    let mut query = EventQuery { cycle: Some(of.into()), newest_first: false, limit: PAGE, ..EventQuery::default() };
    loop {
        let events = cycle.store.events(&query).await?;
        let Some(last) = events.last() else { return Ok(deeds) };
        query.after_seq = Some(last.seq);
        for event in events {
            let Some(rule) = cycle.job.rules.iter().find(|rule| rule.from == event.class) else {
                if event.status == EventStatus::Done && !event.class.is_empty() {
                    let what = format!("the job has no rule for class `{}` any more", event.class);
                    tell_event(cycle, notes, &event, what).await?;
                }
                continue;
            };
            match event.status {
                EventStatus::Done => {}
                EventStatus::Unknown => {
                    let what = "whether it was done is not known: its answer was lost".to_owned();
                    tell_event(cycle, notes, &event, what).await?;
                    continue;
                }
                _ => continue,
            }
            let of_class = deeds.entry(event.class.clone()).or_default();
            let place = *places.entry((event.class.clone(), event.source_id.clone())).or_insert_with(|| {
                of_class.push((event.source_id.clone(), Deed::default()));
                of_class.len() - 1
            });
            if let Err(what) = of_class[place].1.add(rule, &event) {
                tell_event(cycle, notes, &event, what).await?;
            }
        }
    }
}

/// Lists something that stays as the cycle left it.
async fn tell(
    cycle: &Cycle,
    notes: &Notes,
    rule: &Rule,
    id: &ObjectId,
    deed: &Deed,
    what: String,
) -> Result<(), EngineError> {
    let event = EventRow {
        class: rule.from.clone(),
        source_id: id.clone(),
        target_id: deed.target_id.clone(),
        name: deed.name.clone(),
        ..super::verdict(&cycle.job.name, &cycle.id, provost_store::CycleStatus::Failed, LEFT, what, cycle.now_ms())
    };
    tell_row(cycle, notes, event).await
}

async fn tell_event(cycle: &Cycle, notes: &Notes, about: &EventRow, what: String) -> Result<(), EngineError> {
    let event = EventRow {
        class: about.class.clone(),
        source_id: about.source_id.clone(),
        target_id: about.target_id.clone(),
        name: about.name.clone(),
        ..super::verdict(&cycle.job.name, &cycle.id, provost_store::CycleStatus::Failed, LEFT, what, cycle.now_ms())
    };
    tell_row(cycle, notes, event).await
}

async fn tell_row(cycle: &Cycle, notes: &Notes, mut event: EventRow) -> Result<(), EngineError> {
    event.action = "revert".into();
    crate::progress::Progress::add(&cycle.progress.failed, 1);
    notes.note(Note::Sent { event: Some(Box::new(event)), sent: Vec::new(), gone: Vec::new() }).await
}

/// What a page of objects refers to now, and who stands behind the target ids that they referred to before.
struct References {
    now: HashMap<ObjectId, Vec<ReferenceRow>>,
    /// Source class and id by target id.
    owners: HashMap<ObjectId, (ClassName, ObjectId)>,
}

impl References {
    async fn load(cycle: &Cycle, rule: &Rule, page: &[(ObjectId, Deed)], ids: &[&str]) -> Result<Self, EngineError> {
        let mut found = Self { now: HashMap::new(), owners: HashMap::new() };
        if !rule.has_references {
            return Ok(found);
        }
        for row in cycle.store.references(&cycle.job.name, &rule.from, ids).await? {
            found.now.entry(row.key.source_id.clone()).or_default().push(row);
        }
        let before: HashSet<&str> = page.iter().flat_map(|(_, deed)| &deed.left).map(|(_, id)| id.as_str()).collect();
        let before: Vec<&str> = before.into_iter().collect();
        if before.is_empty() {
            return Ok(found);
        }
        // Ids are a class's own, so the first class that an attribute may point at has the better claim.
        for class in cycle.job.rules.iter().map(|rule| &rule.from).rev() {
            for link in cycle.store.links_by_target(&cycle.job.name, class, &before).await? {
                if let Some(target) = link.target_id {
                    found.owners.insert(target, (link.class, link.source_id));
                }
            }
        }
        Ok(found)
    }

    /// What has to change so that the object refers to what it referred to before.
    fn delta(
        &self,
        rule: &Rule,
        id: &ObjectId,
        deed: &Deed,
        is_linked: bool,
        left: &mut Vec<String>,
    ) -> ReferenceDelta {
        let mut delta = ReferenceDelta::default();
        if !is_linked || deed.created {
            return delta;
        }
        let now = self.now.get(id).map_or(&[][..], Vec::as_slice);
        for (path, target) in &deed.joined {
            let is_it = |row: &&ReferenceRow| {
                row.key.path == *path && row.state == ReferenceState::Sent && row.ref_target.as_ref() == Some(target)
            };
            delta
                .lost
                .extend(now.iter().filter(is_it).map(|row| Lost { key: row.key.clone(), sent: Some(target.clone()) }));
        }
        for (path, target) in &deed.left {
            let Some((ref_class, ref_id)) = self.owners.get(target).cloned() else {
                left.push(format!("`{path}`: nobody is linked with {target} any more"));
                continue;
            };
            let key = provost_store::ReferenceKey {
                class: rule.from.clone(),
                source_id: id.clone(),
                path: path.clone(),
                ref_class,
                ref_id,
            };
            if !now.iter().any(|row| row.key == key && row.state != ReferenceState::Unwanted) {
                delta.gained.push(key);
            }
        }
        delta
    }
}

/// The cycle that a stored plan is the opposite of.
pub(crate) fn reverted(note: Option<&str>) -> Option<&str> {
    note?.strip_prefix("revert ")
}

/// How a plan that is the opposite of a cycle is marked.
pub(crate) fn marked(of: &str) -> String {
    format!("revert {of}")
}
