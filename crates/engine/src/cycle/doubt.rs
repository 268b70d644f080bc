//! Creates whose fate nobody knows: the answer was lost, or it said that something was made and not what.
//!
//! They are looked for, more than once, since many targets show what was made only a while later. Only what several looks over
//! the whole of the cycle's [`Patience`] did not find is sent again, and never what the target said it had made: that is left in
//! doubt, and the next cycle looks for it before anything else. All this happens beside the workers, which go on.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use provost_connector::{ConnectorError, ErrorCode, Scope};
use provost_model::{Record, Value};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use super::find::{is_askable, look_up, matching_values};
use super::intent::Intent;
use super::pool::{InHand, Shared, must_look, send_again, settle, take_up, target};
use crate::error::EngineError;

/// Creates that are in doubt at once; with more the workers wait.
const MOST: usize = 500;
/// How often a create that was not found is sent again, before the object has to wait for the next cycle.
const RESENDS: usize = 2;

/// When an object that the target said it had made, and did not show, is looked at again: a cycle that comes sooner and does
/// not find it either would make a second one.
const SHOWN_WITHIN_MS: u64 = 15 * 60_000;

/// How long the engine waits for a target to show what it may have made.
#[derive(Debug, Clone)]
pub struct Patience {
    /// The waits between looks; the first look is at once.
    pub looks: Vec<Duration>,
}

impl Default for Patience {
    fn default() -> Self {
        Self { looks: [500, 1_500, 4_000, 9_000].map(Duration::from_millis).to_vec() }
    }
}

impl Patience {
    /// Looks without waiting: for tests, and for targets that show at once what they have.
    pub fn none() -> Self {
        Self { looks: Vec::new() }
    }
}

/// A create in doubt, or one that clashed with what is there.
pub(super) struct Doubt {
    pub intent: Intent,
    pub error: ConnectorError,
    pub duration_ms: i64,
}

/// Settles what comes, many at a time, with as many questions under way as the target bears.
pub(super) async fn settle_doubts(shared: Arc<Shared>, mut doubts: mpsc::Receiver<Doubt>, in_flight: usize) {
    let hands = Semaphore::new(in_flight);
    let mut running = FuturesUnordered::new();
    loop {
        tokio::select! {
            doubt = doubts.recv(), if running.len() < MOST => match doubt {
                Some(doubt) => running.push(resolve(&shared, &hands, doubt)),
                None => break,
            },
            Some(()) = running.next(), if !running.is_empty() => {}
        }
    }
    while running.next().await.is_some() {}
}

async fn resolve(shared: &Shared, hands: &Semaphore, doubt: Doubt) {
    let _in_hand = InHand(shared, 1);
    if let Err(error) = look_again(shared, hands, doubt).await {
        shared.fail(error);
    }
}

/// What a row of looks found out.
enum Seen {
    There(Vec<Record>),
    Absent,
    /// It could not be looked, or the cycle ends.
    Unknown,
}

async fn look_again(shared: &Shared, hands: &Semaphore, doubt: Doubt) -> Result<(), EngineError> {
    let Doubt { mut intent, mut error, duration_ms } = doubt;
    let cycle = &shared.cycle;
    let rule = cycle.rule(intent.rule);
    // A stored plan does not keep the source object; its matching values are asked for again.
    let record = match intent.record.take() {
        Some(record) => Some(record),
        None => cycle.source.get(&cycle.cx, &rule.from, &intent.source_id).await.ok().flatten().map(Box::new),
    };
    let Some(record) = record else { return settle(shared, intent, Err(error), duration_ms).await };
    // Without a value to look by nothing can be looked up, and nothing is sent again.
    let Ok(values) = matching_values(rule, &record, cycle.now) else {
        return settle(shared, intent, Err(error), duration_ms).await;
    };
    let mut resent = 0;
    loop {
        // Who clashed at once is there, and need not be waited for, unless it was this very create that made it.
        let patient = resent > 0 || error.code == ErrorCode::UnknownOutcome;
        match look(shared, hands, &intent, &values, patient).await? {
            Seen::There(found) => return take_up(shared, intent, record, values, found, error, duration_ms).await,
            // Looked, and it is not there: now, and only now, the create may be sent again.
            Seen::Absent if error.code == ErrorCode::UnknownOutcome && !error.was_done() && resent < RESENDS => {
                resent += 1;
                let _hand = hands.acquire().await;
                match send_again(cycle, &mut intent, error).await? {
                    Err(second) if must_look(&intent, &second) => error = second,
                    result => return settle(shared, intent, result, duration_ms).await,
                }
            }
            Seen::Absent | Seen::Unknown => {
                if error.was_done() && error.after_ms.is_none() {
                    error.after_ms = Some(SHOWN_WITHIN_MS);
                }
                return settle(shared, intent, Err(error), duration_ms).await;
            }
        }
    }
}

/// Looks until something is there, or patience is over.
async fn look(
    shared: &Shared,
    hands: &Semaphore,
    intent: &Intent,
    values: &[Option<Value>],
    patient: bool,
) -> Result<Seen, EngineError> {
    let cycle = &shared.cycle;
    let rule = cycle.rule(intent.rule);
    let since = Instant::now();
    let mut waits = if patient { cycle.patience.looks.clone() } else { Vec::new() };
    if is_askable(cycle, rule) {
        waits.insert(0, Duration::ZERO);
    } else {
        // Each look reads the whole class: one has to do, late enough to be worth it.
        waits = vec![waits.iter().sum()];
    }
    for wait in waits {
        if !wait.is_zero() && cycle.cx.sleep(wait).await.is_err() {
            return Ok(Seen::Unknown);
        }
        let found = {
            let _hand = hands.acquire().await;
            look_up(cycle, rule, values, Some(since)).await
        };
        match found {
            Ok(found) if !found.is_empty() => return Ok(Seen::There(found)),
            Ok(_) => {}
            Err(failed) if failed.scope == Scope::Job => return Err(target(cycle, failed)),
            Err(_) => return Ok(Seen::Unknown),
        }
    }
    Ok(Seen::Absent)
}
