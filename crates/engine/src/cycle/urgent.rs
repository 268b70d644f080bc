//! The urgent lane: who leaves while a long cycle is under way does not wait for its end.
//!
//! The lane listens to the source's feed of changes beside the cycle. What it hears is decided by the same [`decide`], and only
//! what takes something away goes out, past everything that waits for a worker; the rest is left to the cycle and to the next
//! one. It takes away less freely than the cycle does: absence means nothing here, a change has to name the object; the guards
//! count what it sends with all that the cycle intends, and where they say no, or somebody wants to approve, the leaver waits.
//! Cycle and lane never work on one object at once ([`turn`](super::turn)).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use provost_connector::{Cursor, ScanItem, ScanMode, ScanRequest};
use provost_model::{Action, ObjectId, Record, Text};
use provost_store::LinkRow;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::intent::Intent;
use super::notes::Note;
use super::outcome::Place;
use super::planner::seen;
use super::pool::Passage;
use super::recorder::Ledger;
use super::turn::{Key, Turn, key};
use super::{Cycle, absent, planner};
use crate::decide::{Act, Source, Subject, Target, Verdict, decide};
use crate::error::EngineError;

/// How long a cycle has to take before it has a lane: whoever leaves within a short one is not late.
const OPENS: Duration = Duration::from_millis(100);
/// How often a source that cannot be listened to is asked for changes.
const LOOK: Duration = Duration::from_secs(2);
/// How long the lane rests between two looks, should the source never stop changing.
const PAUSE: Duration = Duration::from_millis(10);
const PAGE: usize = 250;
/// Changed objects that are looked at again once the cycle has come to them. More of them wait for the next cycle.
const REMEMBERED: usize = 20_000;

/// The lane of a cycle, until it is closed.
pub(super) struct Lane {
    task: Option<AbortOnDropHandle<()>>,
    close: CancellationToken,
}

impl Lane {
    /// Opens the lane of a cycle that shares its objects with one.
    pub fn open(cycle: &Arc<Cycle>, ledger: Ledger, passage: Passage) -> Self {
        let close = CancellationToken::new();
        let task = cycle.turns.are_shared().then(|| {
            let watch = Watch {
                cycle: cycle.clone(),
                ledger,
                passage,
                feeds: BTreeMap::new(),
                heard: HashMap::new(),
                passed: HashSet::new(),
            };
            let close = close.clone();
            AbortOnDropHandle::new(tokio::spawn(async move {
                tokio::select! {
                    () = close.cancelled() => {}
                    () = watch.keep(&close) => {}
                }
            }))
        });
        Self { task, close }
    }

    /// Lets nobody pass any more. What has passed is in the hands of the pool.
    pub async fn close(self) {
        self.close.cancel();
        if let Some(Err(error)) = match self.task {
            Some(task) => Some(task.await),
            None => None,
        } {
            tracing::error!(error = %error, "the urgent lane broke down");
        }
    }
}

/// A change as the feed told it.
#[derive(Debug, Clone)]
enum Heard {
    Changed(Box<Record>),
    Gone(ObjectId),
}

impl Heard {
    fn id(&self) -> &ObjectId {
        match self {
            Heard::Changed(record) => &record.id,
            Heard::Gone(id) => id,
        }
    }
}

/// Where the lane is in the feed of one class.
struct Feed {
    cursor: Cursor,
    /// The source's revision before the feed was read last.
    seen: Option<Text>,
}

struct Watch {
    cycle: Arc<Cycle>,
    ledger: Ledger,
    passage: Passage,
    /// By rule.
    feeds: BTreeMap<usize, Feed>,
    /// What changed and was not the lane's to do, or not yet.
    heard: HashMap<Key, Heard>,
    /// Who left by the lane.
    passed: HashSet<Key>,
}

impl Watch {
    async fn keep(mut self, close: &CancellationToken) {
        tokio::time::sleep(OPENS).await;
        let kept = async {
            self.begin().await?;
            while !self.feeds.is_empty() && !close.is_cancelled() {
                let cycle = self.cycle.clone();
                tokio::select! {
                    () = stirred(&cycle, &self.feeds) => self.look().await?,
                    free = cycle.turns.free() => self.again(free).await?,
                }
            }
            Ok::<_, EngineError>(())
        };
        if let Err(error) = kept.await {
            // The cycle itself will meet what is wrong, and say so.
            tracing::warn!(error = %error, "the urgent lane is closed: leavers wait for the end of the cycle");
        }
    }

    /// Finds the present end of each class's feed.
    async fn begin(&mut self) -> Result<(), EngineError> {
        let cycle = self.cycle.clone();
        cycle.turns.open();
        for (at, rule) in cycle.job.rules.iter().enumerate() {
            if !cycle.source.capabilities().class(&rule.from).is_some_and(|can| can.changes) {
                continue;
            }
            let failed = |error| planner::source(&cycle, error);
            let seen = cycle.source.revision(&cycle.cx, &rule.from).await.map_err(failed)?;
            let mut scan = cycle.source.scan(&cycle.cx, request(&cycle, at, None)).await.map_err(failed)?;
            let end = scan.next(&cycle.cx).await.map_err(failed)?.end;
            if let Some(cursor) = end.and_then(|end| end.cursor) {
                cycle.turns.start(at, cursor.clone());
                self.feeds.insert(at, Feed { cursor, seen });
            }
        }
        Ok(())
    }

    /// Reads what changed, and lets the leavers pass.
    async fn look(&mut self) -> Result<(), EngineError> {
        let cycle = self.cycle.clone();
        for at in self.feeds.keys().copied().collect::<Vec<_>>() {
            loop {
                let revision = cycle.source.revision(&cycle.cx, &cycle.rule(at).from).await;
                let seen = revision.map_err(|error| planner::source(&cycle, error))?;
                let Some(feed) = self.feeds.get(&at).filter(|feed| seen.is_none() || seen != feed.seen) else { break };
                let begun = feed.cursor.clone();
                let Some((cursor, more)) = self.follow(at, begun.clone()).await? else {
                    // Asked again from the same place, but not at once: it would still have changed.
                    tokio::time::sleep(LOOK).await;
                    break;
                };
                // A source that gives its changes piece by piece has more of them at the revision it had.
                let more = more && cursor != begun;
                self.feeds.insert(at, Feed { cursor, seen: seen.filter(|_| !more) });
                if !more {
                    break;
                }
            }
        }
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }

    /// Reads the changes since a place in the feed, page by page. Gives the place after them, and whether there are more; none
    /// when the feed did not come to its end.
    async fn follow(&mut self, at: usize, cursor: Cursor) -> Result<Option<(Cursor, bool)>, EngineError> {
        let cycle = self.cycle.clone();
        let failed = |error| planner::source(&cycle, error);
        let mut scan = cycle.source.scan(&cycle.cx, request(&cycle, at, Some(cursor))).await.map_err(failed)?;
        let mut received = 0;
        loop {
            let page = scan.next(&cycle.cx).await.map_err(failed)?;
            received += page.received();
            // Of several changes of one object the last one counts. One of a later page is asked about again.
            let mut last = HashMap::new();
            for item in page.items {
                let heard = match item {
                    ScanItem::Upsert(record) => Heard::Changed(Box::new(record)),
                    ScanItem::Tombstone(id) => Heard::Gone(id),
                    ScanItem::Unchanged(_) => continue,
                };
                last.insert(heard.id().clone(), heard);
            }
            self.consider(at, last.into_values().collect()).await?;
            if let Some(end) = page.end {
                let cursor = if end.gap(received).is_none() { end.cursor } else { None };
                return Ok(cursor.map(|cursor| (cursor, end.more)));
            }
        }
    }

    /// The cycle is done with these: whatever it made of them, the change is newer than what it had read.
    async fn again(&mut self, free: Vec<Key>) -> Result<(), EngineError> {
        let mut by_rule: BTreeMap<usize, Vec<Heard>> = BTreeMap::new();
        for key in free {
            if let Some(heard) = self.heard.remove(&key) {
                by_rule.entry(key.0).or_default().push(heard);
            }
        }
        for (at, changes) in by_rule {
            self.consider(at, changes).await?;
        }
        Ok(())
    }

    async fn consider(&mut self, at: usize, changes: Vec<Heard>) -> Result<(), EngineError> {
        let mut changes = changes.into_iter().peekable();
        while changes.peek().is_some() {
            // No more turns than can be looked at at once: what is seized the cycle passes over.
            self.consider_page(at, changes.by_ref().take(PAGE)).await?;
        }
        Ok(())
    }

    async fn consider_page(&mut self, at: usize, changes: impl Iterator<Item = Heard>) -> Result<(), EngineError> {
        let cycle = self.cycle.clone();
        let mut mine = Vec::new();
        for heard in changes {
            let key = key(at, heard.id());
            match cycle.turns.seize(key) {
                Some(turn) => mine.push((heard, turn)),
                None => self.remember(key, heard),
            }
        }
        let (mut passing, mut left) = (Vec::new(), Vec::new());
        // Read now that nobody else works on them.
        let ids: Vec<&str> = mine.iter().map(|(heard, _)| heard.id().as_str()).collect();
        let links = cycle.store.links(&cycle.job.name, &cycle.rule(at).from, &ids).await?;
        let mut links: HashMap<ObjectId, LinkRow> =
            links.into_iter().map(|link| (link.source_id.clone(), link)).collect();
        for (heard, turn) in &mine {
            let link = links.remove(heard.id()).map(Box::new);
            let mut leaver = leaver(&cycle, at, heard, link.clone(), turn);
            if leaver.is_some() {
                // The feed may be behind what the cycle has read: what the source says now counts.
                leaver = now(&cycle, at, heard).await?.and_then(|now| self::leaver(&cycle, at, &now, link, turn));
            }
            match leaver {
                Some(intent) if self.is_admitted(&intent).await => {
                    self.passed.insert(key(at, heard.id()));
                    passing.push(intent);
                }
                // Whoever left in this cycle is not given back to it, which may have read him before.
                None if self.passed.contains(&key(at, heard.id())) => {}
                _ => {
                    left.push(key(at, heard.id()));
                    self.remember(key(at, heard.id()), heard.clone());
                }
            }
        }
        // Given back first, then waited for: the lane does not wait for itself.
        drop(mine);
        left.into_iter().for_each(|key| cycle.turns.leave(key));
        let most = cycle.target.capabilities().max_batch.max(1);
        while !passing.is_empty() {
            let rest = passing.split_off(passing.len().min(most));
            if !self.passage.overtake(std::mem::replace(&mut passing, rest)) {
                break;
            }
        }
        Ok(())
    }

    async fn is_admitted(&self, intent: &Intent) -> bool {
        match self.ledger.admit(&self.cycle.job, intent.rule, &intent.source_id, intent.act.action).await {
            Ok(()) => true,
            Err(exceeded) => {
                tracing::info!(source.id = %intent.source_id, reason = exceeded.message, "a leaver waits for the guard");
                false
            }
        }
    }

    fn remember(&mut self, key: Key, heard: Heard) {
        if self.heard.len() < REMEMBERED || self.heard.contains_key(&key) {
            self.heard.insert(key, heard);
        }
    }
}

/// Waits until the source of one of the feeds may have changed.
async fn stirred(cycle: &Cycle, feeds: &BTreeMap<usize, Feed>) {
    let waits = feeds.iter().map(|(at, feed)| async move {
        let class = &cycle.rule(*at).from;
        let heard = match &feed.seen {
            Some(seen) => cycle.source.changed(&cycle.cx, class, seen, LOOK).await.is_ok(),
            None => false,
        };
        if !heard {
            tokio::time::sleep(LOOK).await;
        }
    });
    futures_util::future::select_all(waits.map(Box::pin)).await;
}

fn request(cycle: &Cycle, at: usize, cursor: Option<Cursor>) -> ScanRequest {
    let rule = cycle.rule(at);
    let mode = ScanMode::Changes { cursor };
    ScanRequest { mode, page_size: PAGE, requested: rule.requested.clone(), ..ScanRequest::full(rule.from.clone()) }
}

/// The change as the source has it now; none when it cannot tell: that somebody is not found says nothing unless the feed named
/// him as gone.
async fn now(cycle: &Cycle, at: usize, heard: &Heard) -> Result<Option<Heard>, EngineError> {
    let found = cycle.source.get(&cycle.cx, &cycle.rule(at).from, heard.id()).await;
    Ok(match (found.map_err(|error| planner::source(cycle, error))?, heard) {
        (Some(record), _) => Some(Heard::Changed(Box::new(record))),
        (None, Heard::Gone(_)) => Some(heard.clone()),
        (None, Heard::Changed(_)) => None,
    })
}

/// What is to be sent for somebody who leaves.
fn leaver(cycle: &Cycle, at: usize, heard: &Heard, link: Option<Box<LinkRow>>, turn: &Turn) -> Option<Intent> {
    let link = link.filter(|link| link.target_id.is_some())?;
    let intent = match heard {
        Heard::Gone(_) => match absent::judge(cycle, at, link, turn.clone())? {
            Note::Planned(intent) => intent,
            _ => return None,
        },
        Heard::Changed(record) => {
            let subject = Subject {
                rule: cycle.rule(at),
                id: &record.id,
                source: Source::Present(record),
                link: Some(&link),
                target: Target::Unknown,
                answer: None,
                now: cycle.now,
            };
            let decision = decide(&subject);
            let seen = seen(cycle.rule(at), record, &decision.verdict);
            let Verdict::Act(act) = decision.verdict else { return None };
            let place = Place {
                rule: at,
                source_id: record.id.clone(),
                name: decision.name,
                // References are not looked at here, so the next cycle looks at the object again.
                mark: String::new(),
                link: Some(link),
                targets: Default::default(),
                turn: turn.clone(),
                seen,
            };
            let act = Act { references: None, ..act };
            planner::intent(cycle.rule(at), place, decision.reason, act, None, &[])
        }
    };
    // To let an account go is not urgent.
    matches!(intent.act.action, Action::Disable | Action::Delete).then_some(intent)
}
