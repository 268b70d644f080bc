//! Accounts that nobody is linked with, on their way out. They have no object, so nothing proves that nobody is meant to have
//! them but that everybody else is settled: each class read to its end, nobody without account in escrow, no takeover under way,
//! no other rule and no other job at this store that has the account.

use std::collections::HashSet;
use std::sync::Arc;

use provost_model::{ObjectId, Record, Text, Value};

use super::Cycle;
use super::intent::Intent;
use super::notes::{Note, Notes, Told};
use super::pool::Pool;
use super::recorder::Recorder;
use super::turn::Turn;
use crate::decide::{Verdict, orphan};
use crate::error::EngineError;
use crate::rule::Rule;

/// Accounts that the log tells of, of each kind; all of them are counted.
pub(super) const TOLD: u64 = 1_000;
const PAGE: usize = 1_000;

/// In the place of a source id: plans, turns and the log know an object by that, and such an account has none.
pub(super) fn key(account: &ObjectId) -> ObjectId {
    ObjectId::from(format!("account:{account}"))
}

/// Whether a row is about an account and no object.
pub(super) fn is_ownerless(source_id: &ObjectId, target_id: Option<&ObjectId>) -> bool {
    target_id.is_some_and(|account| source_id.strip_prefix("account:") == Some(account.as_str()))
}

/// What people know an account by.
pub(super) fn name(rule: &Rule, account: &Record) -> Text {
    let shown = rule.name_mapping.and_then(|at| rule.mappings[at].path.get(&account.attributes));
    shown.and_then(Value::as_text).map_or_else(|| account.id.0.clone(), Text::from)
}

/// What the rule wants done with an account; what stays as it is has its reason alone.
pub(super) fn intended(rule: &Rule, at: usize, account: &Record) -> Result<Intent, String> {
    match orphan(rule, account) {
        (Verdict::Act(act), reason) => Ok(Intent {
            rule: at,
            source_id: key(&account.id),
            name: name(rule, account),
            reason,
            mark: String::new(),
            link: None,
            act,
            references: Default::default(),
            event: None,
            turn: Turn::default(),
            record: None,
            seen: None,
        }),
        (_, reason) => Err(reason.into_owned()),
    }
}

/// Plans what is intended for accounts without owner, or says why they stay. `unproven` is the read that proves nothing.
pub(super) async fn plan(
    cycle: &Arc<Cycle>,
    recorder: &Recorder,
    pool: &Pool,
    accounts: Vec<Intent>,
    unproven: Option<String>,
) -> Result<(), EngineError> {
    if accounts.is_empty() {
        return Ok(());
    }
    let notes = recorder.notes();
    // Accounts that were made or taken over in this cycle are linked from here on.
    pool.drain().await?;
    notes.flush().await?;
    let stay = match unproven {
        Some(why) => Some(why),
        None => match recorder.unsettled() {
            0 => None,
            count => Some(format!("{count} object(s) have no account yet, of which one may be meant to have it")),
        },
    };
    let mut told = 0;
    let claimed = recorder.claimed().await;
    let mut accounts = accounts.into_iter().peekable();
    while accounts.peek().is_some() {
        let page: Vec<Intent> = accounts.by_ref().take(PAGE).collect();
        let ids: Vec<&str> = page.iter().filter_map(|intent| intent.act.target_id.as_deref()).collect();
        let owned = owned(cycle, &ids).await?;
        for intent in page {
            let Some(account) = &intent.act.target_id else { continue };
            if owned.contains(account) || claimed.contains(account) {
                continue;
            }
            match &stay {
                None => notes.note(Note::Planned(intent)).await?,
                Some(why) => {
                    told += 1;
                    if told <= TOLD {
                        let reason = format!("{}; it stays: {why}", intent.reason);
                        tell(&notes, intent.rule, account.clone(), intent.name, reason).await?;
                    }
                }
            }
        }
    }
    notes.flush().await
}

/// The log says that there is such an account.
pub(super) async fn tell(
    notes: &Notes,
    rule: usize,
    account: ObjectId,
    name: Text,
    reason: String,
) -> Result<(), EngineError> {
    let (source_id, target_id) = (ObjectId::default(), Some(account));
    notes.note(Note::Told(Box::new(Told { rule, source_id, target_id, name, action: "orphan", reason }))).await
}

/// Those accounts that somebody is linked with: by any rule, and by any job, since others may write to the same target. Where
/// two targets have accounts of one id, one of them stays that might go.
pub(super) async fn owned(cycle: &Cycle, accounts: &[&str]) -> Result<HashSet<ObjectId>, EngineError> {
    let mut owned = HashSet::new();
    if accounts.is_empty() {
        return Ok(owned);
    }
    for job in cycle.store.jobs().await? {
        for class in job.linked.keys() {
            let links = cycle.store.links_by_target(&job.name, class, accounts).await?;
            owned.extend(links.into_iter().filter_map(|link| link.target_id));
        }
    }
    Ok(owned)
}
