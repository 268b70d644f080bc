//! What a note becomes in the store: rows of links, events, references and escrow, built by the page.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use provost_connector::{ConnectorError, Done, Exchange, ScanFault};
use provost_model::{Action, AttributePath, ClassName, Code, Explain, ObjectId, Text, Value};
use provost_store::escrow::NEVER;
use provost_store::{
    EscrowRow, EventOutcome, EventRow, EventStatus, GONE, LinkRow, LinkState, ReferenceKey, ReferenceRow,
    ReferenceState,
};

use super::intent::{Intent, ReferenceDelta};
use super::notes::Told;
use super::text::{changes_text, lost_text, sent_text, without};
use super::turn::Turn;
use super::{Cycle, retry};
use crate::decide::{Fault, parse_sent};
use crate::progress::Progress;
use crate::rule::Rule;
use crate::situation::Situation;

/// The object is not tried any more.
const GIVEN_UP: &str = "PRV-0535";

/// An intent that was sent, and what came of it.
#[derive(Debug)]
pub(crate) struct Settled {
    pub intent: Intent,
    pub result: Result<Done, ConnectorError>,
    pub duration_ms: i64,
}

/// Where a note about one source object belongs.
#[derive(Debug)]
pub(crate) struct Place {
    pub rule: usize,
    pub source_id: ObjectId,
    pub name: Text,
    pub mark: String,
    pub link: Option<Box<LinkRow>>,
    /// Target ids of objects that the page refers to, as far as they have one.
    pub targets: Targets,
    pub turn: Turn,
    /// What the decision saw of the source, for the log.
    pub seen: Option<Box<str>>,
}

impl From<Intent> for Place {
    fn from(intent: Intent) -> Self {
        Self {
            rule: intent.rule,
            source_id: intent.source_id,
            name: intent.name,
            mark: intent.mark,
            link: intent.link,
            targets: Targets::default(),
            turn: intent.turn,
            seen: intent.seen,
        }
    }
}

/// Target ids by source class and id.
pub(crate) type Targets = Arc<HashMap<(ClassName, ObjectId), ObjectId>>;

/// The rows of one transaction.
#[derive(Default)]
pub(super) struct Rows {
    pub links: Vec<(LinkRow, Option<usize>)>,
    pub forgotten: HashMap<ClassName, Vec<ObjectId>>,
    pub events: Vec<EventRow>,
    pub outcomes: Vec<EventOutcome>,
    pub references: Vec<ReferenceRow>,
    pub dropped_references: Vec<ReferenceKey>,
    pub escrows: Vec<EscrowRow>,
    pub released: HashMap<ClassName, Vec<ObjectId>>,
    /// Objects whose account is gone: who refers to them has to be sent the next one's id.
    pub reopened: HashMap<ClassName, Vec<ObjectId>>,
    /// Objects whose account is gone, and with it what it referred to.
    pub voided: HashMap<ClassName, Vec<ObjectId>>,
    /// Objects whose answer was acted on, or is not asked for any more.
    pub answered: HashMap<ClassName, Vec<ObjectId>>,
    /// Links that gained or lost their target, by class.
    pub linked: HashMap<ClassName, i64>,
    /// Rules whose layout the rows may use.
    pub rules: BTreeSet<usize>,
}

/// Builds rows; keeps what it has to remember between pages.
pub(super) struct Builder<'c> {
    pub cycle: &'c Cycle,
    /// Who waits in escrow, to count tries and to release.
    pub escrows: &'c mut HashMap<(ClassName, ObjectId), EscrowRow>,
    pub now_ms: i64,
    pub rows: Rows,
}

impl Builder<'_> {
    fn link(&self, rule: usize, place: &Place) -> LinkRow {
        match &place.link {
            Some(link) => {
                let mut link = LinkRow::clone(link);
                link.mark.clone_from(&place.mark);
                link.changed = self.now_ms;
                link
            }
            None => LinkRow {
                job: self.cycle.job.name.clone(),
                class: self.cycle.rule(rule).from.clone(),
                source_id: place.source_id.clone(),
                target_id: None,
                state: LinkState::Skipped,
                mark: place.mark.clone(),
                leaves: None,
                event: None,
                changed: self.now_ms,
                name: place.name.to_string(),
                sent: None,
            },
        }
    }

    fn event(&self, rule: usize, source_id: &ObjectId, name: &str, action: &str, reason: String) -> EventRow {
        EventRow {
            seq: 0,
            job: self.cycle.job.name.clone(),
            cycle: self.cycle.id.clone(),
            class: self.cycle.rule(rule).from.clone(),
            source_id: source_id.clone(),
            target_id: None,
            action: action.into(),
            status: EventStatus::Done,
            code: None,
            created: self.now_ms,
            finished: Some(self.now_ms),
            duration_ms: 0,
            name: name.to_owned(),
            reason,
            changes: "[]".into(),
            detail: None,
            seen: None,
        }
    }

    /// The object was looked at and nothing has to be sent.
    pub fn touch(&mut self, place: &Place) {
        let link = self.link(place.rule, place);
        self.release(place.rule, &place.source_id);
        self.rows.links.push((link, None));
    }

    /// Not provisioned. Only the first time is an event; the link keeps it from being asked again.
    pub fn skip(&mut self, place: &Place, reason: String) {
        let mut link = self.link(place.rule, place);
        self.release(place.rule, &place.source_id);
        let mut event = None;
        if place.link.as_ref().is_none_or(|link| link.state != LinkState::Skipped) {
            let mut row = self.event(place.rule, &place.source_id, &place.name, "skip", reason);
            row.status = EventStatus::Skipped;
            self.see(&mut row, place.rule, place.seen.as_deref());
            event = Some(self.rows.events.len());
            self.rows.events.push(row);
            Progress::add(&self.cycle.progress.skipped, 1);
        }
        link.state = LinkState::Skipped;
        self.rows.links.push((link, event));
    }

    pub fn told(&mut self, told: Told) {
        let Told { rule, source_id, target_id, name, action, reason } = told;
        let mut event = self.event(rule, &source_id, &name, action, reason);
        (event.status, event.target_id) = (EventStatus::Skipped, target_id);
        self.rows.events.push(event);
    }

    pub fn forget(&mut self, rule: usize, source_id: ObjectId) {
        self.release(rule, &source_id);
        self.rows.forgotten.entry(self.cycle.rule(rule).from.clone()).or_default().push(source_id);
    }

    /// The object cannot be provisioned as it is.
    pub fn fault(&mut self, place: &Place, fault: &Fault) {
        let mut link = self.link(place.rule, place);
        if link.target_id.is_none() {
            link.state = LinkState::Failed;
        }
        self.fault_event(place, fault, link.target_id.clone());
        self.rows.links.push((link, Some(self.rows.events.len() - 1)));
        self.escrow(place, fault.code.clone(), fault.message.clone(), fault.situation, None);
    }

    pub fn fault_event(&mut self, place: &Place, fault: &Fault, target_id: Option<ObjectId>) {
        Progress::add(&self.cycle.progress.failed, 1);
        let mut event = self.event(place.rule, &place.source_id, &place.name, "evaluate", fault.message.clone());
        event.status = EventStatus::Failed;
        event.code = Some(fault.code.as_str().into());
        event.target_id = target_id;
        event.detail = hint_json(fault.hint.as_deref());
        self.see(&mut event, place.rule, place.seen.as_deref());
        self.rows.events.push(event);
    }

    /// What was decided by.
    fn see(&mut self, event: &mut EventRow, rule: usize, seen: Option<&str>) {
        event.seen = seen.map(ToOwned::to_owned);
        if event.seen.is_some() {
            self.rows.rules.insert(rule);
        }
    }

    /// A row of the source that could not be read.
    pub fn read_fault(&mut self, rule: usize, fault: &ScanFault) {
        Progress::add(&self.cycle.progress.failed, 1);
        let id = fault.id.clone().unwrap_or_default();
        let mut event = self.event(rule, &id, &fault.place, "read", format!("{}: {}", fault.place, fault.error));
        event.status = EventStatus::Failed;
        event.code = Some(fault.error.code.number().into());
        event.detail = hint_json(fault.error.hint.as_deref());
        self.rows.events.push(event);
    }

    /// An intent that waits: for the guard, for approval, for `apply`.
    pub fn planned(&mut self, intent: &Intent) {
        let mut event = self.intended(intent);
        event.status = EventStatus::Planned;
        event.finished = None;
        event.detail = serde_json::to_string(&intent.detail(self.cycle.rule(intent.rule))).ok();
        self.rows.events.push(event);
    }

    fn intended(&mut self, intent: &Intent) -> EventRow {
        let act = &intent.act;
        let mut event =
            self.event(intent.rule, &intent.source_id, &intent.name, act.action.as_str(), intent.reason.to_string());
        event.target_id.clone_from(&act.target_id);
        self.rows.rules.insert(intent.rule);
        let rule = self.cycle.rule(intent.rule);
        event.changes = match (act.action, &intent.link) {
            (Action::Delete | Action::Unlink, Some(link)) => lost_text(rule, &parse_sent(rule, link)),
            (Action::Delete, None) => act.base.as_ref().map_or_else(|| "[]".into(), |held| lost_text(rule, held)),
            _ => changes_text(rule, &intent.told(rule)),
        };
        event.seen = intent.seen.as_deref().map(ToOwned::to_owned);
        event
    }

    pub fn settled(&mut self, settled: Settled) {
        let Settled { intent, result, duration_ms } = settled;
        match result {
            Ok(done) => self.done(intent, done, duration_ms),
            Err(mut error) => {
                hide_values(self.cycle.rule(intent.rule), &intent, &mut error);
                self.failed(intent, &error, duration_ms);
            }
        }
    }

    fn done(&mut self, intent: Intent, done: Done, duration_ms: i64) {
        let act = &intent.act;
        let progress = &self.cycle.progress;
        if act.adopted {
            Progress::add(&progress.adopted, 1);
        }
        let silent = intent.is_silent();
        if !silent {
            Progress::add(
                match act.action {
                    Action::Create => &progress.created,
                    Action::Update => &progress.updated,
                    Action::Enable => &progress.enabled,
                    Action::Disable => &progress.disabled,
                    Action::Delete => &progress.deleted,
                    Action::Unlink => &progress.unlinked,
                },
                1,
            );
        }
        let detail = exchange_json(done.exchange.as_deref());
        let target_id = if done.target_id.is_empty() { act.target_id.clone() } else { Some(done.target_id) };
        let event = (!silent || act.adopted || intent.event.is_some()).then(|| {
            let mut event = self.intended(&intent);
            event.target_id.clone_from(&target_id);
            event.duration_ms = duration_ms;
            event.detail.clone_from(&detail);
            if silent && act.adopted {
                event.action = "link".into();
            }
            event
        });
        let index = match (event, intent.event) {
            (_, Some(seq)) => {
                self.finish_event(duration_ms, seq, EventStatus::Done, None, target_id.clone(), detail);
                None
            }
            (Some(event), None) => {
                self.rows.events.push(event);
                Some(self.rows.events.len() - 1)
            }
            (None, None) => None,
        };
        if intent.is_ownerless() {
            return;
        }
        let class = self.cycle.rule(intent.rule).from.clone();
        let had_target = intent.link.as_ref().is_some_and(|link| link.target_id.is_some());
        self.release(intent.rule, &intent.source_id);
        if matches!(act.action, Action::Delete | Action::Unlink) {
            *self.rows.linked.entry(class.clone()).or_default() -= i64::from(had_target);
            // Who referred to the account refers to the next one, should its owner return.
            self.rows.reopened.entry(class.clone()).or_default().push(intent.source_id.clone());
            self.rows.forgotten.entry(class).or_default().push(intent.source_id);
            return;
        }
        *self.rows.linked.entry(class.clone()).or_default() += i64::from(!had_target);
        if !had_target && intent.link.is_some() {
            // Somebody may have been sent the id of an account before this one, after that was found missing.
            self.rows.reopened.entry(class.clone()).or_default().push(intent.source_id.clone());
        }
        self.references(&intent.references);
        self.rows.rules.insert(intent.rule);
        let link = LinkRow {
            job: self.cycle.job.name.clone(),
            class,
            target_id,
            state: act.state,
            leaves: act.leaves,
            event: intent.event.or_else(|| intent.link.as_ref().and_then(|link| link.event)),
            changed: self.now_ms,
            sent: Some(sent_text(self.cycle.rule(intent.rule), &intent)),
            source_id: intent.source_id,
            mark: intent.mark,
            name: intent.name.into(),
        };
        self.rows.links.push((link, index));
    }

    fn failed(&mut self, intent: Intent, error: &ConnectorError, duration_ms: i64) {
        Progress::add(&self.cycle.progress.failed, 1);
        let status = if error.code == provost_connector::ErrorCode::UnknownOutcome {
            EventStatus::Unknown
        } else {
            EventStatus::Failed
        };
        let code = Text::from(error.code.number());
        let detail = serde_json::to_string(error).ok();
        let index = match intent.event {
            Some(seq) => {
                self.finish_event(duration_ms, seq, status, Some(Code(error.code.number().into())), None, detail);
                None
            }
            None => {
                let mut event = self.intended(&intent);
                event.status = status;
                event.code = Some(code);
                event.reason = format!("{}; failed: {error}", intent.reason);
                event.detail = detail;
                event.duration_ms = duration_ms;
                self.rows.events.push(event);
                Some(self.rows.events.len() - 1)
            }
        };
        if intent.is_ownerless() {
            // The next reconcile finds it again.
            return;
        }
        let in_doubt = status == EventStatus::Unknown || error.code == provost_connector::ErrorCode::Partial;
        let touched: Vec<Arc<AttributePath>> = intent.act.changes.iter().map(|change| change.path.clone()).collect();
        let place = Place::from(intent);
        let mut link = self.link(place.rule, &place);
        if error.code == provost_connector::ErrorCode::NotFound && link.target_id.is_some() {
            // The linked account vanished: the next look matches anew, and creates where the rule says so.
            self.unlinked(&link);
            link.target_id = None;
            link.sent = None;
            link.mark.clear();
        }
        if link.mark == GONE {
            link.mark.clear();
        }
        if in_doubt && let Some(sent) = &link.sent {
            // Neither the old values nor the new ones are known to be there; what is written next is written in full.
            link.sent = Some(without(self.cycle.rule(place.rule), &link.source_id, sent, &touched));
            link.mark.clear();
        }
        if link.target_id.is_none() {
            link.state = LinkState::Failed;
        }
        self.rows.links.push((link, index));
        self.escrow(&place, error.code(), error.to_string(), None, Some(error));
    }

    /// Notes that the account of a link vanished.
    pub fn unlinked(&mut self, link: &LinkRow) {
        *self.rows.linked.entry(link.class.clone()).or_default() -= 1;
        self.rows.reopened.entry(link.class.clone()).or_default().push(link.source_id.clone());
        self.rows.voided.entry(link.class.clone()).or_default().push(link.source_id.clone());
    }

    pub fn finish_event(
        &mut self,
        duration_ms: i64,
        seq: i64,
        status: EventStatus,
        code: Option<Code>,
        target_id: Option<ObjectId>,
        detail: Option<String>,
    ) {
        self.rows.outcomes.push(EventOutcome {
            seq,
            status,
            code,
            target_id,
            detail,
            finished: self.now_ms,
            duration_ms,
        });
    }

    /// Brings the table of references to what the object should refer to; the second pass sends them.
    pub fn references(&mut self, delta: &ReferenceDelta) {
        let job = &self.cycle.job.name;
        let row =
            |key: &ReferenceKey, state| ReferenceRow { job: job.clone(), key: key.clone(), state, ref_target: None };
        self.rows.references.extend(delta.gained.iter().map(|key| row(key, ReferenceState::Wanted)));
        self.rows.references.extend(
            delta
                .lost
                .iter()
                .map(|lost| ReferenceRow { ref_target: lost.sent.clone(), ..row(&lost.key, ReferenceState::Unwanted) }),
        );
        self.rows.references.extend(
            delta.inline.iter().map(|with| ReferenceRow {
                ref_target: Some(with.sent.clone()),
                ..row(&with.key, ReferenceState::Sent)
            }),
        );
        self.rows.dropped_references.extend(delta.dropped.iter().cloned());
    }

    fn escrow(
        &mut self,
        place: &Place,
        code: Code,
        message: String,
        situation: Option<Situation>,
        error: Option<&ConnectorError>,
    ) {
        let key = (self.cycle.rule(place.rule).from.clone(), place.source_id.clone());
        // One that was left alone has changed since: that is another failure.
        let earlier = self.escrows.get(&key).filter(|row| row.next_try != NEVER);
        let tries = earlier.map_or(0, |row| row.tries) + 1;
        let first_failed = earlier.map_or(self.now_ms, |row| row.first_failed);
        let spec = &self.cycle.job.escrow;
        let next = self.now_ms.saturating_add(retry::wait_ms(spec, tries, error));
        let is_over = next > first_failed.saturating_add(spec.give_up.ms);
        if is_over {
            let reason = format!(
                "it failed {tries} times in {} and is left alone until it changes at the source: {message}",
                spec.give_up
            );
            let mut event = self.event(place.rule, &place.source_id, &place.name, "give-up", reason);
            event.status = EventStatus::Failed;
            event.code = Some(GIVEN_UP.into());
            self.rows.events.push(event);
        }
        let row = EscrowRow {
            job: self.cycle.job.name.clone(),
            class: key.0.clone(),
            source_id: place.source_id.clone(),
            tries,
            first_failed,
            next_try: if is_over { NEVER } else { next },
            code,
            message,
            gone: place.mark == GONE,
            situation: situation.map(|situation| situation.key().to_owned()),
        };
        self.rows.escrows.push(row.clone());
        self.escrows.insert(key, row);
    }

    fn release(&mut self, rule: usize, id: &ObjectId) {
        if self.cycle.answer(rule, id).is_some() {
            let class = self.cycle.rule(rule).from.clone();
            self.rows.answered.entry(class).or_default().push(id.clone());
        }
        if self.escrows.is_empty() {
            return;
        }
        let class = self.cycle.rule(rule).from.clone();
        if self.escrows.remove(&(class.clone(), id.clone())).is_some() {
            self.rows.released.entry(class).or_default().push(id.clone());
        }
    }
}

/// A shorter value would take parts of ordinary words along.
const SHORTEST: usize = 4;

/// Takes sensitive values that were sent out of what the target says about them.
fn hide_values(rule: &Rule, intent: &Intent, error: &mut ConnectorError) {
    for change in &intent.act.changes {
        let mapping = rule.mapping(&change.path.to_string()).filter(|mapping| mapping.sensitive);
        let Some(mapping) = mapping else { continue };
        for value in [Some(&change.value), change.before.as_ref()].into_iter().flatten().flat_map(Value::elements) {
            let Some(text) = value.to_text().filter(|text| text.len() >= SHORTEST) else { continue };
            for told in [Some(&mut error.message), error.hint.as_mut()].into_iter().flatten() {
                if told.contains(text.as_ref()) {
                    *told = told.replace(text.as_ref(), mapping.mask());
                }
                // What was cut short may have been cut in the middle of it.
                let Some(end) = told.rfind('…') else { continue };
                let ends = |at: &usize| text.is_char_boundary(*at) && told[..end].ends_with(&text[..*at]);
                if let Some(length) = (SHORTEST..text.len()).rev().find(ends) {
                    told.replace_range(end - length..end, mapping.mask());
                }
            }
        }
    }
}

/// What an event keeps of the request that did it.
pub(super) fn exchange_json(exchange: Option<&Exchange>) -> Option<String> {
    exchange.map(|exchange| serde_json::json!({ "exchange": exchange }).to_string())
}

fn hint_json(hint: Option<&str>) -> Option<String> {
    hint.map(|hint| serde_json::json!({ "hint": hint }).to_string())
}
