//! Reads one class of the source page by page and decides about each object. The only place where a cycle of a million
//! and one of three differ is how much of it is skipped.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use provost_connector::{End, ErrorCode, ScanFault, ScanItem, ScanMode, ScanPage, ScanRequest};
use provost_model::{Action, AttributePath, ObjectId, Record, Text};
use provost_store::{EscrowRow, EventQuery, EventStatus, GONE, LinkRow, LinkState, ReferenceRow};
use tokio::sync::mpsc;

use super::find::{Finder, look_up_page, matching_values};
use super::intent::{Intent, ReferenceDelta};
use super::known::{Known, id_hash, mark};
use super::notes::{Note, Notes, announce};
use super::outcome::{Place, Settled, Targets};
use super::pool::{Ask, Decided, Instead, Pool, Unit, claim, decided, meant, taken_targets, targets, unasked};
use super::wishes::{delta, inline};
use super::{ClassRead, Cycle, absent};
use crate::decide::{Act, Decision, Source, Subject, Target, Verdict, decide};
use crate::error::EngineError;
use crate::progress::Progress;
use crate::report::CycleKind;
use crate::rule::Rule;

/// Objects of one page. Small enough that a page stays in the processor's cache on its way from the source to the workers.
const PAGE: usize = 250;
/// Marks per query: 1.6 MB of text.
const MARKS: i64 = 50_000;

/// Reads, decides and hands over one class. Returns how the read ended; units may still be under way.
pub(super) async fn class(
    cycle: &Arc<Cycle>,
    notes: &Notes,
    pool: &Pool,
    cursors: &std::collections::BTreeMap<provost_model::ClassName, Text>,
    at: usize,
) -> Result<ClassRead, EngineError> {
    let rule = cycle.rule(at);
    let can = cycle.source.capabilities().class(&rule.from).cloned().unwrap_or_default();
    let feed = cursors
        .get(&rule.from)
        .filter(|_| cycle.kind == CycleKind::Incremental && can.changes && !rule.volatile)
        .map(|text| provost_connector::Cursor(text.clone()));
    let mut planner = Planner::new(cycle, notes, pool, at).await?;
    if let Some(cursor) = feed {
        let begun = cursor.clone();
        match planner.read(ScanMode::Changes { cursor: Some(cursor) }).await {
            Err(EngineError::Connection { error, .. }) if error.code == ErrorCode::CursorExpired => {
                tracing::info!(job.name = %cycle.job.name, class = %rule.from, "the cursor expired, reading everything");
            }
            other => {
                let end = other?;
                planner.retry_escrows().await?;
                planner.finish().await?;
                absent::leaving(cycle, notes, at, &planner.due_leavers).await?;
                let incomplete = planner.judge(&end);
                return Ok(ClassRead {
                    incomplete,
                    count: end.count,
                    // What was left to the lane changed after this read began; where it ended may be before the lane's start.
                    cursor: if cycle.turns.left_some(at) { Some(begun) } else { end.cursor },
                    more: end.more,
                    grown: planner.grown,
                    ..ClassRead::default()
                });
            }
        }
    }
    let lane_start = cycle.turns.start_of(at);
    // The cursor first, then everything: what changes while the full read runs comes with the next feed.
    let cursor = if can.changes {
        let request = planner.request(ScanMode::Changes { cursor: None });
        let mut scan = cycle.source.scan(&cycle.cx, request).await.map_err(|e| source(cycle, e))?;
        scan.next(&cycle.cx).await.map_err(|e| source(cycle, e))?.end.and_then(|end| end.cursor)
    } else {
        None
    };
    // Where nobody can tell which place is the earlier one, the next cycle begins where this one did.
    let lane_first = cycle.turns.is_open();
    planner.load_known().await?;
    let end = planner.read(ScanMode::Full).await?;
    planner.finish().await?;
    let incomplete = planner.judge(&end);
    if incomplete.is_none() && planner.has_links {
        absent::find(cycle, notes, at, &planner.known, &planner.seen).await?;
    }
    absent::leaving(cycle, notes, at, &planner.due_leavers).await?;
    let cursor = match cycle.turns.left_some(at) {
        true if lane_first => lane_start,
        _ => cursor,
    };
    Ok(ClassRead { incomplete, count: end.count, cursor, full: true, ..ClassRead::default() })
}

/// Decides about objects that somebody named.
pub(super) async fn records(
    cycle: &Arc<Cycle>,
    notes: &Notes,
    pool: &Pool,
    at: usize,
    records: Vec<Record>,
) -> Result<(), EngineError> {
    let mut planner = Planner::new(cycle, notes, pool, at).await?;
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    let links = planner.links(&ids).await?;
    planner.records(records, links).await?;
    planner.finish().await
}

/// Looks again at objects by id, after their accounts were found missing.
pub(super) async fn again(
    cycle: &Arc<Cycle>,
    notes: &Notes,
    pool: &Pool,
    at: usize,
    ids: Vec<ObjectId>,
) -> Result<(), EngineError> {
    if ids.is_empty() {
        return Ok(());
    }
    let mut planner = Planner::new(cycle, notes, pool, at).await?;
    planner.fetch(&ids).await?;
    planner.finish().await
}

pub(super) fn source(cycle: &Cycle, error: provost_connector::ConnectorError) -> EngineError {
    EngineError::Connection { role: "source", connection: cycle.job.source.clone(), error }
}

struct Planner<'c> {
    cycle: &'c Arc<Cycle>,
    notes: &'c Notes,
    pool: &'c Pool,
    at: usize,
    /// Some object of the class has a row in the links.
    has_links: bool,
    known: Arc<Known>,
    /// Hashes of ids that were read, but for those who are known to be unchanged.
    seen: HashSet<u64>,
    is_feed: bool,
    /// Ids handed over in this read of a feed; one that comes again waits for the first.
    dispatched: HashSet<ObjectId>,
    /// Of those in this read of a feed, who has an operation that waits for the end of the cycle.
    planned: HashSet<ObjectId>,
    /// Heard of in this cycle, so that the end of a grace period decides nothing a second time.
    due_leavers: HashSet<ObjectId>,
    /// Accounts that were found for an object in this read.
    claimed: HashSet<ObjectId>,
    finder: Option<Finder>,
    batch: Vec<Intent>,
    /// Intents of this page whose references have to be written down first.
    announced: Vec<Intent>,
    received: u64,
    /// By how many objects the class has grown, as the feed tells.
    grown: i64,
    nameless_fault: Option<String>,
}

impl<'c> Planner<'c> {
    async fn new(
        cycle: &'c Arc<Cycle>,
        notes: &'c Notes,
        pool: &'c Pool,
        at: usize,
    ) -> Result<Planner<'c>, EngineError> {
        let some = cycle.store.link_ids_page(&cycle.job.name, &cycle.rule(at).from, None, 1).await?;
        Ok(Self {
            cycle,
            notes,
            pool,
            at,
            has_links: !some.is_empty(),
            known: Arc::default(),
            seen: HashSet::new(),
            is_feed: false,
            dispatched: HashSet::new(),
            planned: HashSet::new(),
            due_leavers: HashSet::new(),
            claimed: HashSet::new(),
            finder: None,
            batch: Vec::new(),
            announced: Vec::new(),
            received: 0,
            grown: 0,
            nameless_fault: None,
        })
    }

    fn rule(&self) -> &'c Rule {
        self.cycle.rule(self.at)
    }

    /// Loads what was seen last time, so that unchanged objects cost a comparison.
    async fn load_known(&mut self) -> Result<(), EngineError> {
        let (cycle, rule) = (self.cycle, self.rule());
        // Of a cycle that looks at everybody anew the marks are gone; a plan leaves them, and they tell who was there.
        if !self.has_links || cycle.fresh && !cycle.plan_only {
            return Ok(());
        }
        let mut marks = Vec::new();
        let mut after: Option<String> = None;
        while let Some(page) = cycle.store.marks_page(&cycle.job.name, &rule.from, after.as_deref(), MARKS).await? {
            Known::extend(&mut marks, &page.marks);
            after = Some(page.ids_last);
        }
        let due = cycle.store.escrows_due(&cycle.job.name, cycle.now_ms(), 100_000).await?;
        let due = due.iter().filter(|row| row.class == rule.from).map(|row| &row.source_id);
        self.known = Arc::new(Known::new(marks, due));
        Ok(())
    }

    /// Whether an object that equals what was seen last time needs no look.
    fn skips_unchanged(&self) -> bool {
        !self.rule().volatile && self.cycle.kind != CycleKind::Reconcile && !self.cycle.fresh
    }

    fn request(&self, mode: ScanMode) -> ScanRequest {
        let known = (mode == ScanMode::Full && self.skips_unchanged() && self.known.len() > 0)
            .then(|| self.known.clone() as Arc<dyn provost_connector::KnownDigests>);
        let rule = self.rule();
        let requested = rule.requested.clone();
        ScanRequest { mode, page_size: PAGE, known, requested, ..ScanRequest::full(rule.from.clone()) }
    }

    /// Reads to the end. One page is fetched ahead while another is decided.
    async fn read(&mut self, mode: ScanMode) -> Result<End, EngineError> {
        let cycle = self.cycle;
        let full = mode == ScanMode::Full;
        self.is_feed = !full;
        let mut scan = cycle.source.scan(&cycle.cx, self.request(mode)).await.map_err(|e| source(cycle, e))?;
        let (sender, mut pages) = mpsc::channel::<Result<ScanPage, provost_connector::ConnectorError>>(2);
        let reader_cycle = cycle.clone();
        let reader = tokio::spawn(async move {
            loop {
                let start = Instant::now();
                let page = scan.next(&reader_cycle.cx).await;
                Progress::spent(&reader_cycle.progress.phases.read, start.elapsed());
                let last = page.as_ref().map_or(true, |page| page.end.is_some());
                if sender.send(page).await.is_err() || last {
                    return;
                }
            }
        });
        let mut end = None;
        while let Some(page) = pages.recv().await {
            let mut page = page.map_err(|e| source(cycle, e))?;
            end = page.end.take();
            self.page(page, full).await?;
        }
        reader.abort();
        Ok(end.unwrap_or_else(|| End::incomplete(self.received, "the source stopped answering before its end")))
    }

    /// Why this read proves nothing about who left, if so.
    fn judge(&self, end: &End) -> Option<String> {
        let nameless = || self.nameless_fault.as_ref();
        end.gap(self.received)
            .or_else(|| nameless().map(|fault| format!("a row without a readable key may be anybody's: {fault}")))
    }

    async fn page(&mut self, page: ScanPage, full: bool) -> Result<(), EngineError> {
        let cycle = self.cycle;
        let start = Instant::now();
        self.received += page.received();
        Progress::add(&cycle.progress.read, page.items.len() as u64);
        let mut unchanged = 0;
        let mut records = Vec::with_capacity(page.items.len());
        let mut gone = Vec::new();
        let items = if full { page.items } else { last_of_each(page.items) };
        for item in items {
            match item {
                // Noted as seen when its digest was compared.
                ScanItem::Unchanged(_) => unchanged += 1,
                ScanItem::Upsert(record) => {
                    if full && !self.see(&record.id) {
                        self.fault(twice(&record.id)).await?;
                        continue;
                    }
                    records.push(record);
                }
                ScanItem::Tombstone(id) => gone.push(id),
            }
        }
        // After the objects: a row that repeats a key is a fault with the key of an object that is fine.
        for fault in page.faults {
            self.fault(fault).await?;
        }
        let waits = |id: &&ObjectId| self.planned.contains(*id) || !cycle.streams() && self.dispatched.contains(*id);
        let overtaken: Vec<ObjectId> =
            records.iter().map(|record| &record.id).chain(&gone).filter(waits).cloned().collect();
        let again = |id: &ObjectId| self.dispatched.contains(id);
        if !full && records.iter().map(|record| &record.id).chain(&gone).any(again) {
            // The first change of the object has to be in the store before the second is decided.
            self.finish().await?;
            self.notes.flush().await?;
            self.dispatched.clear();
        }
        self.give_up(overtaken).await?;
        let ids: Vec<&str> = records.iter().map(|record| &*record.id).chain(gone.iter().map(|id| &**id)).collect();
        let known = self.links(&ids).await?;
        if !full {
            let is_there = |id: &ObjectId| known.get(id).is_some_and(|link| link.mark != GONE);
            let new = records.iter().filter(|record| !is_there(&record.id)).count();
            let left = gone.iter().filter(|id| is_there(id)).count();
            self.grown += new as i64 - left as i64;
        }
        unchanged += self.records(records, known.clone()).await?;
        for id in gone {
            self.gone(id, &known).await?;
        }
        Progress::add(&cycle.progress.unchanged, unchanged);
        Progress::spent(&cycle.progress.phases.decide, start.elapsed());
        if cycle.target.capabilities().max_batch <= PAGE {
            self.send_batch().await?;
        }
        Ok(())
    }

    /// Notes that the object is there; false when it came before in this read. Of those who are known the table cannot tell:
    /// a connector that compares digests has marked them as seen there itself.
    fn see(&mut self, id: &ObjectId) -> bool {
        let hash = id_hash(id);
        self.known.see(hash);
        self.seen.insert(hash)
    }

    async fn fault(&mut self, fault: ScanFault) -> Result<(), EngineError> {
        match &fault.id {
            Some(id) => {
                let hash = id_hash(id);
                if !self.known.see(hash) {
                    self.seen.insert(hash);
                }
                self.due_leavers.insert(id.clone());
            }
            None => {
                self.nameless_fault.get_or_insert_with(|| format!("{}: {}", fault.place, fault.error));
            }
        }
        self.notes.note(Note::ReadFault(self.at, fault)).await
    }

    async fn links(&self, ids: &[&str]) -> Result<HashMap<ObjectId, Box<LinkRow>>, EngineError> {
        if !self.has_links {
            return Ok(HashMap::new());
        }
        let rows = self.cycle.store.links(&self.cycle.job.name, &self.rule().from, ids).await?;
        Ok(rows.into_iter().map(|row| (row.source_id.clone(), Box::new(row))).collect())
    }

    /// Decides about objects that are there. Returns how many were unchanged after all.
    async fn records(
        &mut self,
        records: Vec<Record>,
        mut links: HashMap<ObjectId, Box<LinkRow>>,
    ) -> Result<u64, EngineError> {
        let (cycle, rule) = (self.cycle, self.rule());
        let references = self.references(&links).await?;
        let targets = self.referenced(&records).await?;
        let skips = self.skips_unchanged();
        let mut unchanged = 0;
        let mut asks = Vec::new();
        for record in records {
            let link = links.remove(&record.id);
            let mark = mark(&record.id, record.digest());
            // A connector that cannot compare digests itself sends everything; the mark tells here.
            let hash = id_hash(&record.id);
            let is_known = self.known.is_seen(hash).is_some() && !self.known.is_due(hash);
            if skips && is_known && link.as_ref().is_some_and(|link| link.mark == mark) {
                unchanged += 1;
                continue;
            }
            // Who left while this read was under way is the lane's, and comes again with the next one.
            let Some(turn) = cycle.turns.take(self.at, &record.id) else { continue };
            if link.as_ref().and_then(|link| link.leaves).is_some_and(|end| end <= cycle.now_ms()) {
                self.due_leavers.insert(record.id.clone());
            }
            let Decision { verdict, reason, name } = decide(&Subject {
                rule,
                id: &record.id,
                source: Source::Present(&record),
                link: link.as_deref(),
                target: Target::Unknown,
                answer: cycle.answer(self.at, &record.id),
                now: cycle.now,
            });
            let (source_id, targets) = (record.id.clone(), targets.clone());
            let mut place = Place { rule: self.at, source_id, name, mark, link, targets, turn, seen: None };
            if is_told(&verdict, &place) {
                place.seen = seen(rule, &record, &verdict);
            }
            match verdict {
                Verdict::Ask(projection) | Verdict::Choose(projection) => {
                    let record = Box::new(record);
                    match matching_values(rule, &record, cycle.now) {
                        Ok(values) => asks.push(Ask { place, record, projection, values }),
                        // Also where nothing can match: without matching value an account could never be found again.
                        Err(fault) => self.notes.note(Note::Fault(place, fault)).await?,
                    }
                }
                Verdict::Act(act) => {
                    let had: &[ReferenceRow] = references.get(&record.id).map_or(&[], Vec::as_slice);
                    let intent = intent(rule, place, reason, act, None, had);
                    self.dispatch(intent).await?;
                }
                Verdict::InStep => {
                    unchanged += 1;
                    if place.link.as_ref().is_some_and(|link| link.mark != place.mark) {
                        self.notes.note(Note::Touch(place)).await?;
                    }
                }
                Verdict::Skip | Verdict::Forget => self.notes.note(Note::Skip(place, reason.into_owned())).await?,
                Verdict::Fault(fault) => {
                    // Only what is in scope is evaluated: whoever comes back with a fault is back all the same.
                    if let Some(link) = &mut place.link {
                        link.leaves = None;
                    }
                    self.notes.note(Note::Fault(place, fault)).await?;
                }
            }
        }
        self.asks(asks).await?;
        self.send_announced().await?;
        Ok(unchanged)
    }

    /// The target ids of everything that these records refer to by single-valued references.
    async fn referenced(&self, records: &[Record]) -> Result<Targets, EngineError> {
        let (cycle, rule) = (self.cycle, self.rule());
        let mut ids: HashMap<provost_model::ClassName, HashSet<ObjectId>> = HashMap::new();
        for mapping in rule.mappings.iter().filter(|mapping| mapping.reference && !mapping.multi) {
            let Some(attribute) = mapping.expression.direct_attribute() else { continue };
            let path = attribute.parse::<AttributePath>().ok();
            for record in records {
                let value = record.attributes.get(attribute).or_else(|| path.as_ref()?.get(&record.attributes));
                if let Some(to) = value.and_then(|value| mapping.points_to(value)) {
                    ids.entry(to.class).or_default().insert(to.id);
                }
            }
        }
        let mut targets = HashMap::new();
        for (class, ids) in ids {
            let ids: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
            for link in cycle.store.links(&cycle.job.name, &class, &ids).await? {
                if let Some(target) = link.target_id {
                    targets.insert((class.clone(), link.source_id), target);
                }
            }
        }
        Ok(Arc::new(targets))
    }

    async fn references(
        &self,
        links: &HashMap<ObjectId, Box<LinkRow>>,
    ) -> Result<HashMap<ObjectId, Vec<ReferenceRow>>, EngineError> {
        let mut found: HashMap<ObjectId, Vec<ReferenceRow>> = HashMap::new();
        if self.rule().has_references && !links.is_empty() {
            let ids: Vec<&str> = links.keys().map(|id| &**id).collect();
            for row in self.cycle.store.references(&self.cycle.job.name, &self.rule().from, &ids).await? {
                found.entry(row.key.source_id.clone()).or_default().push(row);
            }
        }
        Ok(found)
    }

    /// Objects without link: find out whether they exist at the target, in the way that costs least.
    async fn asks(&mut self, mut asks: Vec<Ask>) -> Result<(), EngineError> {
        if asks.is_empty() {
            return Ok(());
        }
        let (cycle, rule) = (self.cycle, self.rule());
        if self.finder.is_none() {
            self.finder = Some(Finder::choose(cycle, rule).await?);
        }
        if matches!(self.finder, Some(Finder::Bulk)) {
            return self.ask_page(asks).await;
        }
        let mut found = Vec::new();
        for ask in asks.drain(..) {
            self.hand_over(&ask.place.source_id);
            let absent = match &self.finder {
                Some(Finder::Empty) => true,
                Some(Finder::Index(index)) => index.is_absent(&ask.values),
                _ => false,
            };
            if absent {
                self.carry_out(ask, &[]).await?;
            } else if cycle.target.capabilities().max_lookup > 1 || rule.has_choices {
                found.push(ask);
            } else {
                self.pool.submit(Unit::Ask(ask)).await?;
            }
        }
        if found.is_empty() { Ok(()) } else { self.ask_page(found).await }
    }

    async fn ask_page(&mut self, asks: Vec<Ask>) -> Result<(), EngineError> {
        let (cycle, rule) = (self.cycle, self.rule());
        let found = look_up_page(cycle, rule, &asks).await?;
        let records = found.iter().map(|found| (self.at, found.as_deref().unwrap_or_default()));
        let mut taken = taken_targets(cycle, targets(records)).await?;
        // Those of earlier pages may not be in the store yet.
        taken.extend(self.claimed.iter().map(|id| (self.at, id.clone())));
        for (ask, found) in asks.into_iter().zip(found) {
            let found = found.map(|found| meant(cycle, &ask, found));
            let found = found.map_err(|error| Instead::Fault(unasked(&error)));
            let claimed = found.and_then(|found| {
                let answer = cycle.answer(self.at, &ask.place.source_id);
                claim(rule, &mut taken, &ask, answer, &found).map(|()| found)
            });
            match claimed {
                Ok(found) => {
                    self.claimed.extend(found.iter().map(|record| record.id.clone()));
                    self.carry_out(ask, &found).await?;
                }
                Err(note) => self.notes.note(note.about(ask.place)).await?,
            }
        }
        Ok(())
    }

    async fn carry_out(&mut self, ask: Ask, found: &[Record]) -> Result<(), EngineError> {
        match decided(self.cycle, ask, found).await? {
            Decided::Note(note) => self.notes.note(note).await,
            Decided::Send(intent) => self.dispatch(intent).await,
        }
    }

    async fn gone(&mut self, id: ObjectId, links: &HashMap<ObjectId, Box<LinkRow>>) -> Result<(), EngineError> {
        self.due_leavers.insert(id.clone());
        if self.is_feed {
            self.planned.insert(id.clone());
        }
        match links.get(&id) {
            Some(link) => absent::gone(self.cycle, self.notes, self.at, link.clone()).await,
            None => Ok(()),
        }
    }

    /// Sends an intent on its way: at once, or into the plan.
    async fn dispatch(&mut self, mut intent: Intent) -> Result<(), EngineError> {
        let cycle = self.cycle;
        let silent = intent.is_silent() && !intent.act.adopted;
        if silent
            && intent
                .link
                .as_ref()
                .is_some_and(|link| link.state == intent.act.state && link.leaves == intent.act.leaves)
        {
            let references = std::mem::take(&mut intent.references);
            let place = Place::from(intent);
            return match references.is_empty() {
                true if place.link.as_ref().is_some_and(|link| link.mark == place.mark) => Ok(()),
                true => self.notes.note(Note::Touch(place)).await,
                // A plan shows references when they are sent; until then they are only wished.
                false if cycle.plan_only => Ok(()),
                false => self.notes.note(Note::References(place, references)).await,
            };
        }
        if !cycle.streams() || intent.act.action.is_destructive() {
            if self.is_feed {
                self.planned.insert(intent.source_id.clone());
            }
            return self.notes.note(Note::Planned(intent)).await;
        }
        if intent.is_silent() {
            let target_id = intent.act.target_id.clone().unwrap_or_default();
            let done = provost_connector::Done { target_id, ..Default::default() };
            return self.notes.note(Note::Settled(Settled { intent, result: Ok(done), duration_ms: 0 })).await;
        }
        if intent.announced(&cycle.job.name).is_empty() {
            return self.push(intent).await;
        }
        self.hand_over(&intent.source_id);
        self.announced.push(intent);
        Ok(())
    }

    /// Sends what waited for its references to be written down: one write for a page of them.
    async fn send_announced(&mut self) -> Result<(), EngineError> {
        let intents = std::mem::take(&mut self.announced);
        announce(self.cycle, self.notes, &intents).await?;
        for intent in intents {
            self.push(intent).await?;
        }
        Ok(())
    }

    async fn push(&mut self, intent: Intent) -> Result<(), EngineError> {
        self.hand_over(&intent.source_id);
        self.batch.push(intent);
        if self.batch.len() >= self.cycle.target.capabilities().max_batch {
            self.send_batch().await?;
        }
        Ok(())
    }

    async fn send_batch(&mut self) -> Result<(), EngineError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.pool.submit(Unit::Apply(std::mem::take(&mut self.batch))).await
    }

    /// What was planned for these does not count any more: they changed again.
    async fn give_up(&mut self, ids: Vec<ObjectId>) -> Result<(), EngineError> {
        if ids.is_empty() {
            return Ok(());
        }
        self.notes.flush().await?;
        for id in ids {
            self.planned.remove(&id);
            let (cycle, status) = (Some(self.cycle.id.clone()), Some(EventStatus::Planned));
            let query = EventQuery { cycle, status, source_id: Some(id), ..EventQuery::default() };
            for event in self.cycle.store.events(&query).await? {
                if event.class == self.rule().from {
                    self.notes.note(Note::Superseded(event.seq)).await?;
                }
            }
        }
        Ok(())
    }

    /// Remembers who was handed over, in a feed: a full read knows every object once.
    fn hand_over(&mut self, id: &ObjectId) {
        if self.is_feed {
            self.dispatched.insert(id.clone());
        }
    }

    /// Waits until everything of this class is settled.
    async fn finish(&mut self) -> Result<(), EngineError> {
        self.send_batch().await?;
        self.pool.drain().await
    }

    /// Whether the feed that was read just now has decided about the object.
    fn is_decided(&self, id: &ObjectId) -> bool {
        self.dispatched.contains(id) || self.planned.contains(id)
    }

    /// A feed does not bring back what failed; those whose time has come are fetched.
    async fn retry_escrows(&mut self) -> Result<(), EngineError> {
        let (cycle, class) = (self.cycle, &self.rule().from);
        let due = cycle.store.escrows_due(&cycle.job.name, cycle.now_ms(), 10_000).await?;
        let due = due.into_iter().filter(|row| row.class == *class && !self.is_decided(&row.source_id));
        let (gone, there): (Vec<_>, Vec<_>) = due.partition(|row| row.gone);
        let ids = |rows: Vec<EscrowRow>| rows.into_iter().map(|row| row.source_id).collect::<Vec<_>>();
        let (gone, there) = (ids(gone), ids(there));
        self.fetch(&there).await?;
        for chunk in gone.chunks(PAGE) {
            let back = self.fetch(chunk).await?;
            let gone: Vec<&str> = chunk.iter().filter(|id| !back.contains(*id)).map(|id| id.as_str()).collect();
            let links = self.links(&gone).await?;
            for link in links.into_values() {
                self.due_leavers.insert(link.source_id.clone());
                absent::gone(cycle, self.notes, self.at, link).await?;
            }
        }
        Ok(())
    }

    /// Reads objects by id and decides about them. Gives those that are there.
    async fn fetch(&mut self, ids: &[ObjectId]) -> Result<HashSet<ObjectId>, EngineError> {
        let (cycle, class) = (self.cycle, &self.rule().from);
        let mut there = HashSet::new();
        for chunk in ids.chunks(PAGE) {
            let mut records = Vec::new();
            for id in chunk {
                // Not found proves nothing here; a complete read or a tombstone will.
                records.extend(cycle.source.get(&cycle.cx, class, id).await.map_err(|e| source(cycle, e))?);
            }
            let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
            let links = self.links(&ids).await?;
            there.extend(records.iter().map(|record| record.id.clone()));
            self.records(records, links).await?;
        }
        Ok(there)
    }
}

/// What a decision saw, for the log: as far as what was decided does not tell it anyway.
pub(super) fn seen(rule: &Rule, record: &Record, verdict: &Verdict) -> Option<Box<str>> {
    let changes = match verdict {
        Verdict::Act(act) => act.changes.as_slice(),
        _ => &[],
    };
    rule.reads.text(record, changes).map(String::into_boxed_str)
}

/// Whether the log will tell of the decision; of those that ask first it is said when they are answered.
fn is_told(verdict: &Verdict, place: &Place) -> bool {
    match verdict {
        Verdict::Act(act) => act.action != Action::Update || !act.changes.is_empty(),
        Verdict::Skip | Verdict::Forget => place.link.as_ref().is_none_or(|link| link.state != LinkState::Skipped),
        Verdict::Fault(_) => true,
        Verdict::Ask(_) | Verdict::Choose(_) | Verdict::InStep => false,
    }
}

fn twice(id: &ObjectId) -> ScanFault {
    let error = provost_connector::ConnectorError::new(ErrorCode::Constraint, "the source returned this object twice")
        .hint("make the key unique in the source");
    ScanFault { place: Text::from(id.as_str()), id: Some(id.clone()), error }
}

/// An act with what the references have to become.
pub(super) fn intent(
    rule: &Rule,
    place: Place,
    reason: Cow<'static, str>,
    mut act: Act,
    record: Option<Box<Record>>,
    had: &[ReferenceRow],
) -> Intent {
    let mut references = match act.references.take() {
        Some(wishes) => {
            let has_account = place.link.as_ref().is_some_and(|link| link.target_id.is_some());
            delta(rule, &place.source_id, has_account, wishes, had)
        }
        None => ReferenceDelta::default(),
    };
    let sends = act.action != provost_model::Action::Update || !act.changes.is_empty();
    if sends && (act.target_id.is_some() || rule.references_in_create) {
        inline(rule, &mut references, &place.targets);
    }
    let link = place.link;
    // A link that failed or was skipped says nothing about the target.
    let act = if act.target_id.is_none() { Act { state: LinkState::Linked, ..act } } else { act };
    Intent {
        rule: place.rule,
        source_id: place.source_id,
        name: place.name,
        reason,
        mark: place.mark,
        link,
        act,
        references,
        event: None,
        turn: place.turn,
        record,
        seen: place.seen,
    }
}

/// The last change of each object: in a page of a feed an object may come several times, and what it is now counts.
fn last_of_each(mut items: Vec<ScanItem>) -> Vec<ScanItem> {
    let mut seen = HashSet::with_capacity(items.len());
    let mut last: Vec<bool> = items.iter().rev().map(|item| seen.insert(item.id().clone())).collect();
    drop(seen);
    items.retain(|_| last.pop().unwrap_or(true));
    items
}
