//! The hands of a cycle: a fixed number of workers that ask and write at the target, and the adopter, which takes over
//! accounts that exist. All decisions are [`decide`]'s; workers only carry questions and operations. Creates in doubt are
//! `doubt`'s.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use provost_connector::{Applied, ConnectorError, Done, ErrorCode, Outcome, Retry, Scope};
use provost_model::{Action, ObjectId, Operation, Record, Value};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::Cycle;
use super::choose::conclude;
use super::doubt::{Doubt, settle_doubts};
use super::find::look_up;
use super::intent::Intent;
use super::notes::{Note, Notes};
use super::outcome::{Place, Settled};
use super::planner::seen;
use super::queue::Queue;
use crate::decide::{Answer, Fault, Projection, Reply, Source, Subject, Target, Verdict, answer, project, wants_own};
use crate::error::EngineError;
use crate::progress::Progress;
use crate::rule::Rule;

/// Objects that may wait for a worker: enough that the workers never wait for the planner's next page.
const QUEUED: usize = 256;
/// Accounts that are taken over per look into the links.
const ADOPTIONS: usize = 100;

/// An object whose target has to be asked before anything is decided.
#[derive(Debug)]
pub(super) struct Ask {
    pub place: Place,
    pub record: Box<Record>,
    /// What the object should look like, worked out before it was known that the target has to be asked.
    pub projection: Projection,
    /// The values of the matching attributes, once they are known.
    pub values: Vec<Option<Value>>,
}

pub(super) enum Unit {
    Apply(Vec<Intent>),
    Ask(Ask),
}

/// An object and what the target has under its matching attributes.
struct Matched {
    ask: Ask,
    found: Vec<Record>,
}

pub(super) struct Pool {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

pub(super) struct Shared {
    pub cycle: Arc<Cycle>,
    notes: Notes,
    units: Queue<Unit>,
    matched: mpsc::UnboundedSender<Matched>,
    doubts: mpsc::Sender<Doubt>,
    open: AtomicUsize,
    idle: Notify,
    /// The first error that ends the cycle.
    failed: Mutex<Option<EngineError>>,
}

impl Shared {
    fn close(&self, units: usize) {
        if units > 0 && self.open.fetch_sub(units, Ordering::AcqRel) == units {
            self.idle.notify_waiters();
        }
    }

    pub fn fail(&self, error: EngineError) {
        self.failed().get_or_insert(error);
        self.cycle.cx.cancel.cancel();
    }

    fn failed(&self) -> MutexGuard<'_, Option<EngineError>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Units in somebody's hands. They count as done when he drops them; if that was a panic, the cycle ends.
pub(super) struct InHand<'s>(pub &'s Shared, pub usize);

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(EngineError::Cancelled);
        }
        self.0.close(self.1);
    }
}

impl Pool {
    pub fn start(cycle: &Arc<Cycle>, notes: Notes) -> Self {
        let workers = cycle.target.capabilities().max_in_flight.max(1);
        let (matched, found) = mpsc::unbounded_channel();
        let (doubts, doubtful) = mpsc::channel(1);
        let shared = Arc::new(Shared {
            cycle: cycle.clone(),
            notes,
            units: Queue::new((workers * 4).max(QUEUED)),
            matched,
            doubts,
            open: AtomicUsize::new(0),
            idle: Notify::new(),
            failed: Mutex::new(None),
        });
        let mut tasks = JoinSet::new();
        for _ in 0..workers {
            tasks.spawn(work(shared.clone()));
        }
        tasks.spawn(adopt(shared.clone(), found, workers));
        tasks.spawn(settle_doubts(shared.clone(), doubtful, workers));
        Self { shared, tasks }
    }

    /// Hands a unit to the next free worker; waits while all are busy.
    pub async fn submit(&self, unit: Unit) -> Result<(), EngineError> {
        self.shared.open.fetch_add(1, Ordering::AcqRel);
        // Whoever gives up waiting takes the unit back.
        let hand = InHand(&self.shared, 1);
        let weight = match &unit {
            Unit::Apply(intents) => intents.len(),
            Unit::Ask(_) => 1,
        };
        if self.shared.cycle.is_stopping() || self.shared.units.push(unit, weight).await.is_err() {
            return Err(self.error());
        }
        std::mem::forget(hand);
        Ok(())
    }

    /// The way past everything that waits.
    pub fn passage(&self) -> Passage {
        Passage(self.shared.clone())
    }

    /// Waits until nothing is under way, adoptions included.
    pub async fn drain(&self) -> Result<(), EngineError> {
        loop {
            let idle = self.shared.idle.notified();
            if self.shared.open.load(Ordering::Acquire) == 0 {
                break;
            }
            idle.await;
        }
        let failed = self.shared.failed().take();
        failed.map_or(Ok(()), Err)
    }

    /// Ends the workers and gives back the error that stopped the cycle, if one did.
    pub async fn stop(mut self) -> Option<EngineError> {
        // What is queued goes nowhere; what is under way ends, so that it is recorded.
        self.shared.close(self.shared.units.close());
        loop {
            let idle = self.shared.idle.notified();
            if self.shared.open.load(Ordering::Acquire) == 0 {
                break;
            }
            idle.await;
        }
        self.tasks.abort_all();
        let mut panic = None;
        while let Some(ended) = self.tasks.join_next().await {
            panic = panic.or(ended.err().and_then(|error| error.try_into_panic().ok()));
        }
        if let Some(panic) = panic {
            std::panic::resume_unwind(panic);
        }
        self.shared.failed().take()
    }

    fn error(&self) -> EngineError {
        self.shared.failed().take().unwrap_or(EngineError::Cancelled)
    }
}

/// Hands units to the workers before all that was submitted.
pub(super) struct Passage(Arc<Shared>);

impl Passage {
    /// The next free worker takes it. False when the cycle ends.
    pub fn overtake(&self, intents: Vec<Intent>) -> bool {
        let shared = &self.0;
        shared.open.fetch_add(1, Ordering::AcqRel);
        let hand = InHand(shared, 1);
        let weight = intents.len();
        let is_taken = !shared.cycle.is_stopping() && shared.units.overtake(Unit::Apply(intents), weight).is_ok();
        if is_taken {
            std::mem::forget(hand);
        }
        is_taken
    }
}

async fn work(shared: Arc<Shared>) {
    while let Some(unit) = shared.units.next().await {
        let _in_hand = InHand(&shared, 1);
        if !shared.cycle.is_stopping() {
            let result = match unit {
                Unit::Apply(intents) => apply(&shared, intents).await,
                Unit::Ask(ask) => ask_and_decide(&shared, ask).await,
            };
            if let Err(error) = result {
                shared.fail(error);
            }
        }
    }
}

/// Asks the target about one object. What does not exist is created right here; what exists goes to the adopter.
async fn ask_and_decide(shared: &Shared, ask: Ask) -> Result<(), EngineError> {
    let cycle = &shared.cycle;
    let rule = cycle.rule(ask.place.rule);
    let start = Instant::now();
    let found = look_up(cycle, rule, &ask.values, None).await;
    Progress::spent(&cycle.progress.phases.find, start.elapsed());
    match found {
        Ok(found) if found.is_empty() => carry_out(shared, ask, &[]).await,
        Ok(found) => {
            let found = meant(cycle, &ask, found);
            shared.open.fetch_add(1, Ordering::AcqRel);
            // The adopter lives as long as the pool.
            if shared.matched.send(Matched { ask, found }).is_err() {
                shared.close(1);
            }
            Ok(())
        }
        Err(error) if error.scope == Scope::Job => Err(target(cycle, error)),
        Err(error) => shared.notes.note(Note::Fault(ask.place, unasked(&error))).await,
    }
}

/// The target could not be asked about one object.
pub(super) fn unasked(error: &ConnectorError) -> Fault {
    Fault {
        code: provost_model::Explain::code(error),
        message: error.to_string(),
        hint: error.hint.clone(),
        situation: None,
    }
}

pub(super) fn target(cycle: &Cycle, error: ConnectorError) -> EngineError {
    EngineError::Connection { role: "target", connection: cycle.job.target.clone(), error }
}

/// Decides with what the target has, and does it.
async fn carry_out(shared: &Shared, ask: Ask, found: &[Record]) -> Result<(), EngineError> {
    if shared.cycle.is_stopping() {
        return Ok(());
    }
    match decided(&shared.cycle, ask, found).await? {
        Decided::Note(note) => shared.notes.note(note).await,
        Decided::Send(intent) => apply(shared, vec![intent]).await,
    }
}

/// What follows for an object without link from what the target has.
pub(super) enum Decided {
    Note(Note),
    Send(Intent),
}

pub(super) async fn decided(cycle: &Cycle, ask: Ask, found: &[Record]) -> Result<Decided, EngineError> {
    let rule = cycle.rule(ask.place.rule);
    let subject = Subject {
        rule,
        id: &ask.record.id,
        source: Source::Present(&ask.record),
        link: ask.place.link.as_deref(),
        target: Target::Matched(found),
        answer: cycle.answer(ask.place.rule, &ask.record.id),
        now: cycle.now,
    };
    let decision = answer(&subject, &ask.record, ask.projection);
    let name = decision.name.clone();
    let concluded = conclude(&*cycle.target, &cycle.cx, &cycle.chosen, &subject, &ask.record, decision).await;
    let decision = match concluded {
        Ok(decision) => decision,
        Err(error) if error.scope == Scope::Job => return Err(target(cycle, error)),
        Err(error) => return Ok(Decided::Note(Note::Fault(Place { name, ..ask.place }, unasked(&error)))),
    };
    let place = Place { name: decision.name, seen: seen(rule, &ask.record, &decision.verdict), ..ask.place };
    Ok(match decision.verdict {
        Verdict::Act(act) => {
            let intent = super::planner::intent(rule, place, decision.reason, act, Some(ask.record), &[]);
            if cycle.streams() && !intent.act.action.is_destructive() {
                Decided::Send(intent)
            } else {
                Decided::Note(Note::Planned(intent))
            }
        }
        Verdict::Fault(fault) => Decided::Note(Note::Fault(place, fault)),
        _ => Decided::Note(Note::Skip(place, decision.reason.into_owned())),
    })
}

/// Sends intents in one call and settles each.
async fn apply(shared: &Shared, mut intents: Vec<Intent>) -> Result<(), EngineError> {
    let cycle = &shared.cycle;
    let operations: Vec<Operation> =
        intents.iter_mut().map(|intent| intent.operation(cycle.rule(intent.rule), &cycle.id)).collect();
    let start = Instant::now();
    let applied = send(cycle, &operations).await;
    Progress::spent(&cycle.progress.phases.send, start.elapsed());
    let duration_ms = i64::try_from(start.elapsed().as_millis()).unwrap_or(i64::MAX);
    for (intent, operation) in intents.iter_mut().zip(operations) {
        intent.take_back(cycle.rule(intent.rule), operation);
    }
    let mut fatal = None;
    for (intent, applied) in intents.into_iter().zip(applied) {
        let result = match applied.outcome {
            Outcome::Done(done) => Ok(done),
            Outcome::Failed(error) => Err(error),
        };
        // What ends the cycle must not keep the rest of the batch from being recorded.
        let settled = match result {
            Err(error) if error.scope == Scope::Job => Err(target(cycle, error)),
            Err(error) if is_gone(&intent, &error) => settle(shared, intent, Ok(Done::default()), duration_ms).await,
            Err(error) if must_look(&intent, &error) => doubt(shared, Doubt { intent, error, duration_ms }).await,
            Err(error) if error.code == ErrorCode::UnknownOutcome => {
                send_twice(shared, intent, error, duration_ms).await
            }
            result => settle(shared, intent, result, duration_ms).await,
        };
        if let Err(error) = settled {
            fatal.get_or_insert(error);
        }
    }
    fatal.map_or(Ok(()), Err)
}

/// Hands over a create that has to be looked for.
async fn doubt(shared: &Shared, doubt: Doubt) -> Result<(), EngineError> {
    shared.open.fetch_add(1, Ordering::AcqRel);
    // Whoever settles doubts lives as long as the pool.
    if shared.doubts.send(doubt).await.is_err() {
        shared.close(1);
    }
    Ok(())
}

/// Setting the same values twice is harmless, so an update whose answer was lost is sent once more.
async fn send_twice(
    shared: &Shared,
    mut intent: Intent,
    error: ConnectorError,
    duration_ms: i64,
) -> Result<(), EngineError> {
    let cycle = &shared.cycle;
    let result = send_again(cycle, &mut intent, error).await?;
    if let Err(error) = &result {
        still_there(cycle, cycle.rule(intent.rule), intent.act.target_id.as_ref(), error).await?;
    }
    settle(shared, intent, result, duration_ms).await
}

/// After a write without an answer: whether the target can be read at all. One that is gone ends the cycle, before
/// everything else is sent there in vain and each object is told to have failed.
pub(super) async fn still_there(
    cycle: &Cycle,
    rule: &crate::rule::Rule,
    id: Option<&ObjectId>,
    error: &ConnectorError,
) -> Result<(), EngineError> {
    let Some(id) = id.filter(|_| error.code == ErrorCode::UnknownOutcome) else { return Ok(()) };
    match cycle.target.get(&cycle.cx, &rule.to, id).await {
        Err(gone) if gone.scope == Scope::Job => Err(target(cycle, gone)),
        _ => Ok(()),
    }
}

/// Operations that change nothing at the target are done without a request.
async fn send(cycle: &Cycle, operations: &[Operation]) -> Vec<Applied> {
    let is_silent = |operation: &Operation| match operation.action {
        Action::Update => operation.changes.is_empty(),
        action => action == Action::Unlink,
    };
    if !operations.iter().any(is_silent) {
        return cycle.target.apply(&cycle.cx, operations).await;
    }
    let mut results = Vec::with_capacity(operations.len());
    for operation in operations {
        if is_silent(operation) {
            let target_id = operation.target_id.clone().unwrap_or_default();
            results.push(Applied::done(operation.id.clone(), Done { target_id, ..Done::default() }));
        } else {
            results.extend(cycle.target.apply(&cycle.cx, std::slice::from_ref(operation)).await);
        }
    }
    results
}

/// Sends an intent once more, as the same operation, after `first` came of it. Fails with what ends the cycle.
pub(super) async fn send_again(
    cycle: &Cycle,
    intent: &mut Intent,
    first: ConnectorError,
) -> Result<Result<Done, ConnectorError>, EngineError> {
    let operation = intent.operation(cycle.rule(intent.rule), &cycle.id);
    let applied = cycle.target.apply(&cycle.cx, std::slice::from_ref(&operation)).await.pop();
    intent.take_back(cycle.rule(intent.rule), operation);
    match applied.map(|applied| applied.outcome) {
        Some(Outcome::Done(done)) => Ok(Ok(done)),
        Some(Outcome::Failed(second)) if second.scope == Scope::Job => Err(target(cycle, second)),
        Some(Outcome::Failed(second)) => Ok(Err(after_both(first, second))),
        // The connector broke its word and answered nothing.
        None => Ok(Err(first)),
    }
}

/// What is known after two tries that failed: that the second came to nothing does not tell what came of the first. Only a
/// target that refuses what it is asked refused it both times.
fn after_both(first: ConnectorError, second: ConnectorError) -> ConnectorError {
    let is_verdict = second.retry == Retry::WhenChanged || second.code == ErrorCode::NotFound;
    if is_verdict || first.code != ErrorCode::UnknownOutcome || second.code == ErrorCode::UnknownOutcome {
        return second;
    }
    ConnectorError { message: format!("{}; sent again: {}", first.message, second.message), ..first }
}

/// Taking away what is not there has succeeded.
fn is_gone(intent: &Intent, error: &ConnectorError) -> bool {
    error.code == ErrorCode::NotFound && intent.act.action.is_destructive()
}

/// A create that clashed, or whose answer was lost: look before anything else is done.
pub(super) fn must_look(intent: &Intent, error: &ConnectorError) -> bool {
    intent.act.action == Action::Create && matches!(error.code, ErrorCode::AlreadyExists | ErrorCode::UnknownOutcome)
}

/// Hands over an object whose create clashed with what was found.
pub(super) async fn take_up(
    shared: &Shared,
    intent: Intent,
    record: Box<Record>,
    values: Vec<Option<Value>>,
    found: Vec<Record>,
    error: ConnectorError,
    duration_ms: i64,
) -> Result<(), EngineError> {
    let cycle = &shared.cycle;
    // It was worked out once without fault for the create that clashed.
    let Ok(Some(projection)) = project(cycle.rule(intent.rule), &record, cycle.now) else {
        return settle(shared, intent, Err(error), duration_ms).await;
    };
    if let Some(seq) = intent.event {
        // What follows is another operation than the one that was planned, with an event of its own.
        shared.notes.note(Note::Superseded(seq)).await?;
    }
    let place = Place::from(intent);
    shared.open.fetch_add(1, Ordering::AcqRel);
    if shared.matched.send(Matched { ask: Ask { place, record, projection, values }, found }).is_err() {
        shared.close(1);
    }
    Ok(())
}

pub(super) async fn settle(
    shared: &Shared,
    mut intent: Intent,
    result: Result<Done, ConnectorError>,
    duration_ms: i64,
) -> Result<(), EngineError> {
    intent.record = None;
    shared.notes.note(Note::Settled(Settled { intent, result, duration_ms })).await
}

/// Takes over accounts that exist, unless another source object has them. Looks at the links of many at once, after
/// everything that was settled before is in the store.
async fn adopt(shared: Arc<Shared>, mut matched: mpsc::UnboundedReceiver<Matched>, in_flight: usize) {
    let mut page = Vec::new();
    while matched.recv_many(&mut page, ADOPTIONS).await > 0 {
        let _in_hand = InHand(&shared, page.len());
        if !shared.cycle.is_stopping()
            && let Err(error) = adopt_page(&shared, &mut page, in_flight).await
        {
            shared.fail(error);
        }
        page.clear();
    }
}

async fn adopt_page(shared: &Shared, page: &mut Vec<Matched>, in_flight: usize) -> Result<(), EngineError> {
    shared.notes.flush().await?;
    let matched = targets(page.iter().map(|matched| (matched.ask.place.rule, &matched.found[..])));
    let mut taken = taken_targets(&shared.cycle, matched).await?;
    let mut free = Vec::with_capacity(page.len());
    for matched in page.drain(..) {
        let place = &matched.ask.place;
        let (rule, answer) = (shared.cycle.rule(place.rule), shared.cycle.answer(place.rule, &place.source_id));
        match claim(rule, &mut taken, &matched.ask, answer, &matched.found) {
            Ok(()) => free.push(matched),
            Err(instead) => shared.notes.note(instead.about(matched.ask.place)).await?,
        }
    }
    let mut running = FuturesUnordered::new();
    for matched in free {
        if running.len() >= in_flight {
            running.next().await.unwrap_or(Ok(()))?;
        }
        running.push(take_over(shared, matched));
    }
    while let Some(result) = running.next().await {
        result?;
    }
    Ok(())
}

async fn take_over(shared: &Shared, matched: Matched) -> Result<(), EngineError> {
    carry_out(shared, matched.ask, &matched.found).await
}

/// Target ids by rule.
pub(super) type Targets = BTreeMap<usize, Vec<ObjectId>>;

pub(super) fn targets<'m>(matched: impl Iterator<Item = (usize, &'m [Record])>) -> Targets {
    let mut by_rule = Targets::new();
    for (rule, found) in matched {
        by_rule.entry(rule).or_default().extend(found.iter().map(|record| record.id.clone()));
    }
    by_rule
}

/// Those target objects that some source object is linked with already.
pub(super) async fn taken_targets(cycle: &Cycle, by_rule: Targets) -> Result<HashSet<(usize, ObjectId)>, EngineError> {
    let mut taken = HashSet::new();
    for (rule, ids) in by_rule {
        if ids.is_empty() {
            continue;
        }
        let links = cycle.store.links_by_target(&cycle.job.name, &cycle.rule(rule).from, &ids).await?;
        taken.extend(links.into_iter().filter_map(|link| Some((rule, link.target_id?))));
    }
    Ok(taken)
}

/// Of several accounts the one that somebody named, if it is among them.
pub(super) fn meant(cycle: &Cycle, ask: &Ask, mut found: Vec<Record>) -> Vec<Record> {
    if let Some(Reply { answer: Answer::Adopt(id), .. }) = cycle.answer(ask.place.rule, &ask.place.source_id)
        && let Some(at) = found.iter().position(|record| record.id == *id)
    {
        return vec![found.swap_remove(at)];
    }
    found
}

/// Why an account is not taken over.
pub(super) enum Instead {
    Fault(Fault),
    Skip(String),
}

impl Instead {
    pub fn about(self, place: Place) -> Note {
        match self {
            Self::Fault(fault) => Note::Fault(place, fault),
            Self::Skip(reason) => Note::Skip(place, reason),
        }
    }
}

/// Takes a matched account for this object, unless somebody else has it.
pub(super) fn claim(
    rule: &Rule,
    taken: &mut HashSet<(usize, ObjectId)>,
    ask: &Ask,
    answer: Option<&Reply>,
    found: &[Record],
) -> Result<(), Instead> {
    let [record] = found else { return Ok(()) };
    if wants_own(rule, &ask.place.source_id, answer, found) {
        return Ok(());
    }
    if taken.insert((ask.place.rule, record.id.clone())) {
        return Ok(());
    }
    Err(match crate::decide::taken(rule, &ask.place.source_id, &record.id) {
        (Verdict::Fault(fault), _) => Instead::Fault(fault),
        (_, reason) => Instead::Skip(reason.into_owned()),
    })
}
