//! Reads the target as a whole and compares it with what was sent: drift is repaired, a missing account is made again,
//! accounts that nobody linked are left alone, or handed over to `ownerless` where the rule says more.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::StreamExt;
use provost_connector::{ScanItem, ScanRequest, Scope};
use provost_model::{ObjectId, Record};
use provost_store::{LinkRow, LinkState};

use super::Cycle;
use super::find::names;
use super::intent::Intent;
use super::known::id_hash;
use super::notes::{Note, Notes, Told};
use super::outcome::Place;
use super::ownerless::{self, TOLD};
use super::planner::intent;
use super::pool::{Pool, Unit};
use super::turn::Turn;
use crate::decide::{Verdict, drifted, repair, vanished};
use crate::error::EngineError;
use crate::rule::Rule;

const PAGE: usize = 1000;

/// What the read of the target said about one class.
#[derive(Debug, Default)]
pub(super) struct Reconciled {
    /// Accounts that no source object is linked with.
    pub orphans: u64,
    /// Source objects whose account is missing; they have to be looked at again.
    pub missing: Vec<ObjectId>,
    /// What is to be done with orphans, should nobody turn out to be meant to have them.
    pub ownerless: Vec<Intent>,
}

pub(super) async fn class(
    cycle: &Arc<Cycle>,
    notes: &Notes,
    pool: &Pool,
    at: usize,
) -> Result<Reconciled, EngineError> {
    let rule = cycle.rule(at);
    let failed = |error| EngineError::Connection { role: "target", connection: cycle.job.target.clone(), error };
    notes.flush().await?;
    // What is compared; references are the second pass's.
    let compared = rule.mappings.iter().filter(|mapping| !mapping.reference).map(|mapping| &*mapping.path);
    let matched = rule.matching.first().map(|matching| &matching.path);
    let switch = rule.enablement.as_ref().map(|enablement| &enablement.path);
    let attributes = Some(names(compared.chain(switch).chain(matched)));
    let request = ScanRequest { page_size: PAGE, attributes, ..ScanRequest::full(rule.to.clone()) };
    let mut scan = cycle.target.scan(&cycle.cx, request).await.map_err(failed)?;
    let mut seen = HashSet::new();
    let mut reconciled = Reconciled::default();
    let (mut received, mut nameless) = (0, None);
    let (mut values, mut doubles) = (Values::default(), 0);
    let end = loop {
        let page = scan.next(&cycle.cx).await.map_err(failed)?;
        received += page.received();
        nameless = nameless.or_else(|| page.nameless().map(|fault| fault.error.to_string()));
        // What cannot be read is there.
        seen.extend(page.faults.iter().filter_map(|fault| fault.id.as_ref()).map(|id| id_hash(id)));
        let records: Vec<Record> = page
            .items
            .into_iter()
            .filter_map(|item| if let ScanItem::Upsert(record) = item { Some(record) } else { None })
            .collect();
        seen.extend(records.iter().map(|record| id_hash(&record.id)));
        let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
        let links = cycle.store.links_by_target(&cycle.job.name, &rule.from, &ids).await?;
        let by_target: std::collections::HashMap<&str, &LinkRow> =
            links.iter().filter_map(|link| Some((link.target_id.as_deref()?, link))).collect();
        let unlinked = records.iter().map(|record| record.id.as_str()).filter(|id| !by_target.contains_key(id));
        let others = ownerless::owned(cycle, &unlinked.collect::<Vec<_>>()).await?;
        for record in &records {
            match by_target.get(record.id.as_str()) {
                Some(link) => drift(cycle, notes, pool, at, link, record).await?,
                None if others.contains(&record.id) => {}
                None => {
                    reconciled.orphans += 1;
                    match ownerless::intended(rule, at, record) {
                        Ok(intent) => reconciled.ownerless.push(intent),
                        Err(reason) if reconciled.orphans <= TOLD => {
                            let name = ownerless::name(rule, record);
                            ownerless::tell(notes, at, record.id.clone(), name, reason).await?;
                        }
                        Err(_) => {}
                    }
                }
            }
            if let Some((value, first)) = values.double(rule, record) {
                doubles += 1;
                if doubles <= TOLD {
                    let reason = format!("the account `{first}` has the same {value}");
                    duplicate(notes, rule, at, record, reason).await?;
                }
            }
        }
        if let Some(end) = page.end {
            break end;
        }
    };
    match end.gap(received).or(nameless) {
        // What is being repaired ends first: a file that is asked while it is written anew gives no answer.
        None => {
            pool.drain().await?;
            missing(cycle, notes, pool, at, &seen, &mut reconciled).await?;
        }
        Some(gap) => {
            tracing::warn!(reason = gap, "the target was not read to its end: nobody counts as missing");
            for intent in std::mem::take(&mut reconciled.ownerless).into_iter().take(TOLD as usize) {
                let reason = format!("{}; it stays: the target was not read to its end", intent.reason);
                let account = intent.act.target_id.unwrap_or_default();
                ownerless::tell(notes, at, account, intent.name, reason).await?;
            }
        }
    }
    pool.drain().await?;
    notes.flush().await?;
    Ok(reconciled)
}

fn place(rule: usize, link: LinkRow, turn: Turn) -> Place {
    Place {
        rule,
        source_id: link.source_id.clone(),
        name: link.name.as_str().into(),
        mark: link.mark.clone(),
        link: Some(Box::new(link)),
        targets: Default::default(),
        turn,
        seen: None,
    }
}

/// What the rule wants in place of the usual repair.
async fn instead(
    rule: &Rule,
    notes: &Notes,
    verdict: Verdict,
    reason: std::borrow::Cow<'static, str>,
    place: Place,
) -> Result<(), EngineError> {
    notes
        .note(match verdict {
            Verdict::Act(act) => Note::Planned(intent(rule, place, reason, act, None, &[])),
            Verdict::Fault(fault) => Note::Fault(place, fault),
            _ => Note::Told(Box::new(Told {
                rule: place.rule,
                source_id: place.source_id,
                target_id: place.link.and_then(|link| link.target_id),
                name: place.name,
                action: "report",
                reason: reason.into_owned(),
            })),
        })
        .await
}

/// An account that has the same matching value as another.
async fn duplicate(notes: &Notes, rule: &Rule, at: usize, record: &Record, reason: String) -> Result<(), EngineError> {
    let (name, target_id) = (ownerless::name(rule, record), Some(record.id.clone()));
    let (source_id, action) = (ObjectId::default(), "duplicate");
    notes.note(Note::Told(Box::new(Told { rule: at, source_id, target_id, name, action, reason }))).await
}

/// The accounts of a class by the value that they are matched by, to find two of one value.
#[derive(Default)]
struct Values(HashMap<u64, ObjectId>);

impl Values {
    /// The account that has the record's value as well, if another one came before.
    fn double(&mut self, rule: &Rule, record: &Record) -> Option<(String, ObjectId)> {
        let path = &rule.matching.first()?.path;
        let text = path.get(&record.attributes).filter(|value| !value.is_unassigned())?.to_string();
        let folded = if rule.mapping(&path.to_string()).is_some_and(|m| m.case_exact) {
            text.clone()
        } else {
            text.to_lowercase()
        };
        match self.0.entry(id_hash(&folded)) {
            Entry::Vacant(free) => {
                free.insert(record.id.clone());
                None
            }
            Entry::Occupied(first) => Some((format!("{path} `{text}`"), first.get().clone())),
        }
    }
}

async fn drift(
    cycle: &Arc<Cycle>,
    notes: &Notes,
    pool: &Pool,
    at: usize,
    link: &LinkRow,
    record: &Record,
) -> Result<(), EngineError> {
    let rule = cycle.rule(at);
    let Some(turn) = cycle.turns.take(at, &link.source_id) else { return Ok(()) };
    let Some((act, reason)) = repair(rule, link, record) else {
        if cycle.answer(at, &link.source_id).is_some() {
            // What was asked about is over; the answer must not serve for something else later.
            return notes.note(Note::Touch(place(at, link.clone(), turn))).await;
        }
        return Ok(());
    };
    let place = place(at, link.clone(), turn);
    let (act, reason) = match drifted(rule, cycle.answer(at, &link.source_id), act, reason) {
        (Verdict::Act(act), reason) => (act, reason),
        (verdict, reason) => return instead(rule, notes, verdict, reason, place).await,
    };
    let intent = intent(rule, place, reason, act, None, &[]);
    if !cycle.streams() || intent.act.action.is_destructive() {
        return notes.note(Note::Planned(intent)).await;
    }
    pool.submit(Unit::Apply(vec![intent])).await
}

/// Links whose account was not seen at the target lose it; their objects are looked at again. Each is asked for by its id first:
/// a list may have ended too early and have said that it was whole, or lag behind.
async fn missing(
    cycle: &Arc<Cycle>,
    notes: &Notes,
    pool: &Pool,
    at: usize,
    seen: &HashSet<u64>,
    reconciled: &mut Reconciled,
) -> Result<(), EngineError> {
    let rule = cycle.rule(at);
    let mut after: Option<String> = None;
    loop {
        let links = cycle.store.link_page(&cycle.job.name, &rule.from, after.as_deref(), PAGE as i64).await?;
        let Some(last) = links.last() else { return Ok(()) };
        after = Some(last.source_id.to_string());
        let unseen = links.into_iter().filter_map(|link| {
            let target_id = link.target_id.clone()?;
            // An account that left on purpose may be gone for good.
            let is_there = seen.contains(&id_hash(&target_id)) || link.state == LinkState::Disabled;
            (!is_there).then_some((link, target_id))
        });
        let asked: Vec<_> = unseen
            .map(|(link, id)| async move {
                let found = cycle.target.get(&cycle.cx, &rule.to, &id).await;
                (link, found)
            })
            .collect();
        let in_flight = cycle.target.capabilities().max_in_flight.max(1);
        let mut asked = futures_util::stream::iter(asked).buffer_unordered(in_flight);
        while let Some((mut link, found)) = asked.next().await {
            match found {
                Ok(None) => {}
                Ok(Some(record)) => {
                    drift(cycle, notes, pool, at, &link, &record).await?;
                    continue;
                }
                Err(error) if error.scope == Scope::Job => {
                    return Err(EngineError::Connection {
                        role: "target",
                        connection: cycle.job.target.clone(),
                        error,
                    });
                }
                Err(error) => {
                    tracing::warn!(source.id = %link.source_id, error = %error, "it cannot be told whether the account is there");
                    continue;
                }
            }
            let Some(turn) = cycle.turns.take(at, &link.source_id) else { continue };
            if let Some((verdict, reason)) = vanished(rule, &link, cycle.answer(at, &link.source_id)) {
                let place = place(at, link, turn);
                instead(rule, notes, verdict, reason, place).await?;
                continue;
            }
            reconciled.missing.push(link.source_id.clone());
            if cycle.plan_only {
                continue;
            }
            link.target_id = None;
            link.sent = None;
            link.mark.clear();
            link.state = LinkState::Failed;
            notes.note(Note::Relink(Box::new(link), turn)).await?;
        }
    }
}
