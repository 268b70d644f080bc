//! What the store alone tells of an object: its history, and what will happen next and when. Neither source nor target is
//! asked, so that it can be told for as long as the log is kept.

use provost_connector::{ConnectorError, Context, Exchange};
use provost_lang::{Expression, REDACTED};
use provost_model::{AttributePath, ClassName, Filter, JobName, ObjectId, Text, Value};
use provost_store::escrow::NEVER;
use provost_store::{EventQuery, EventRow, EventStatus, JobRow, LinkRow};
use serde::Deserialize;

use super::{link_trace, named_id, time};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::report::{ChangeTrace, Explanation, HistoryEntry, Upcoming};
use crate::rule::Rule;
use crate::scheduler::due::{self, Standing, Wait};
use crate::spec::{JobSpec, ScheduleSpec};
use crate::timetable::Timetable;

/// Earlier events that an explanation shows.
const HISTORY: i64 = 50;
/// Links that are read at a time in search of a name.
const PAGE: i64 = 1_000;

/// An object that the record knows.
pub(super) struct Known {
    pub class: ClassName,
    pub id: ObjectId,
    pub link: Option<LinkRow>,
}

impl Engine {
    /// What the record has of the objects that the filter names: as far as the source says so, else, for a filter of one `eq`,
    /// by id or by name.
    pub(super) async fn explain_recorded(
        &self,
        name: &JobName,
        spec: &JobSpec,
        filter: &Filter,
        why: &str,
        cx: &Context,
    ) -> Result<Vec<Explanation>, EngineError> {
        let mut all = Vec::new();
        for (class, id) in self.named_by_source(spec, filter, cx).await {
            let link = self.store.links(name, &class, &[id.as_str()]).await?.pop();
            all.push(Known { class, id, link });
        }
        if all.is_empty() {
            all = self.recorded(name, spec, filter).await?;
        }
        let mut explanations = Vec::new();
        for known in all {
            let masks = Masks::written(spec, &known.class);
            explanations.push(self.explain_known(name, spec, known, &masks, why).await?);
        }
        Ok(explanations)
    }

    pub(super) async fn explain_known(
        &self,
        name: &JobName,
        spec: &JobSpec,
        known: Known,
        masks: &Masks,
        why: &str,
    ) -> Result<Explanation, EngineError> {
        let Known { class, id, link } = known;
        let history = self.history(name, &class, &id, masks).await?;
        let upcoming = self.upcoming(name, &spec.schedule, &class, &id, link.as_ref()).await?;
        let next = upcoming.iter().find(|one| matches!(one.what.as_str(), "retry" | "delete" | "release"));
        let next = next.map(|one| one.text.clone());
        let people = link.as_ref().map(|link| link.name.as_str().into());
        Ok(Explanation {
            job: name.clone(),
            name: people.or_else(|| Some(history.first()?.name.as_str().into())).unwrap_or_default(),
            source: Vec::new(),
            scope: Vec::new(),
            in_scope: false,
            link: link.as_ref().map(link_trace),
            matching: Vec::new(),
            mappings: Vec::new(),
            decision: "unknown".into(),
            reason: "only the record is told".to_owned(),
            changes: Vec::new(),
            next,
            history: history.into_iter().map(|told| told.entry).collect(),
            upcoming,
            recorded_only: Some(why.to_owned()),
            as_of: None,
            source_id: id,
            class,
        })
    }

    pub(super) async fn recorded(
        &self,
        name: &JobName,
        spec: &JobSpec,
        filter: &Filter,
    ) -> Result<Vec<Known>, EngineError> {
        let Some(id) = named_id(filter) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for rule in &spec.objects {
            let class = ClassName::from(rule.from.as_str());
            let links = self.store.links(name, &class, &[id.as_str()]).await?;
            found.extend(links.into_iter().map(|link| Known {
                class: class.clone(),
                id: id.clone(),
                link: Some(link),
            }));
        }
        if !found.is_empty() {
            return Ok(found);
        }
        let query = EventQuery { job: Some(name.clone()), source_id: Some(id.clone()), ..EventQuery::default() };
        for event in self.store.events(&query).await? {
            if !found.iter().any(|known| known.class == event.class) {
                found.push(Known { class: event.class, id: id.clone(), link: None });
            }
        }
        if !found.is_empty() {
            return Ok(found);
        }
        let wanted = id.to_lowercase();
        for rule in &spec.objects {
            let class = ClassName::from(rule.from.as_str());
            let mut after: Option<String> = None;
            loop {
                let links = self.store.link_page(name, &class, after.as_deref(), PAGE).await?;
                let Some(last) = links.last() else { break };
                after = Some(last.source_id.to_string());
                let named = links.into_iter().filter(|link| link.name.to_lowercase() == wanted);
                found.extend(named.map(|link| Known {
                    class: class.clone(),
                    id: link.source_id.clone(),
                    link: Some(link),
                }));
            }
        }
        Ok(found)
    }

    /// What the log has of the object, newest first. The masks hide what was not sensitive yet when it was written.
    pub(super) async fn history(
        &self,
        job: &JobName,
        class: &ClassName,
        id: &ObjectId,
        masks: &Masks,
    ) -> Result<Vec<Told>, EngineError> {
        let mut query =
            EventQuery { job: Some(job.clone()), source_id: Some(id.clone()), limit: HISTORY, ..EventQuery::default() };
        let mut events = Vec::new();
        // Objects of two classes may have one id.
        loop {
            let page = self.store.events(&query).await?;
            let is_last = (page.len() as i64) < HISTORY;
            query.before_seq = page.last().map(|event| event.seq);
            events.extend(page.into_iter().filter(|event| event.class == *class));
            if is_last || events.len() as i64 >= HISTORY {
                break;
            }
        }
        events.truncate(HISTORY as usize);
        let mut failed = 0;
        let mut told: Vec<Told> = Vec::with_capacity(events.len());
        for event in events.iter().rev() {
            let tries = match event.status {
                EventStatus::Failed | EventStatus::Unknown if event.action != "give-up" => {
                    failed += 1;
                    Some(failed)
                }
                EventStatus::Done => Some(std::mem::take(&mut failed) + 1),
                _ => None,
            };
            told.push(Told { name: event.name.clone(), entry: entry(event, tries, masks) });
        }
        told.reverse();
        Ok(told)
    }

    /// What will happen to the object next, and when; and what keeps it from happening.
    pub(super) async fn upcoming(
        &self,
        job: &JobName,
        schedule: &ScheduleSpec,
        class: &ClassName,
        id: &ObjectId,
        link: Option<&LinkRow>,
    ) -> Result<Vec<Upcoming>, EngineError> {
        let row = self.store.job(job).await?.unwrap_or_else(|| JobRow::new(job.clone()));
        let mut upcoming = Vec::new();
        let mut add = |what: &str, at: Option<i64>, text: String| {
            upcoming.push(Upcoming { what: what.into(), at: at.map(time), text });
        };
        if let Some(plan) = &row.held_plan {
            let query = EventQuery {
                job: Some(job.clone()),
                cycle: Some(plan.clone()),
                source_id: Some(id.clone()),
                ..EventQuery::default()
            };
            let open = |event: &EventRow| matches!(event.status, EventStatus::Planned | EventStatus::Held);
            for event in self.store.events(&query).await?.iter().filter(|event| open(event)) {
                let text = format!(
                    "its {} waits in the held plan {plan}: `provost release {job}` or `provost discard {job}`",
                    event.action
                );
                add("release", None, text);
            }
        }
        let escrows = self.store.escrows(job).await?;
        match escrows.into_iter().find(|row| row.class == *class && row.source_id == *id) {
            Some(row) if row.next_try == NEVER => add(
                "retry",
                None,
                format!(
                    "failed {} times and is left alone until it changes at the source; `provost retry {job}` tries it again",
                    row.tries
                ),
            ),
            Some(row) => {
                let at = time(row.next_try);
                let text = format!(
                    "in escrow after {} tries, next try {at}, in the first cycle from then on: {} [{}]",
                    row.tries, row.message, row.code
                );
                add("retry", Some(row.next_try), text);
            }
            None => {}
        }
        if let Some(end) = link.and_then(|link| link.leaves) {
            add("delete", Some(end), format!("deleted at the target after {}", time(end)));
        }
        self.next_cycle(job, schedule, &row, &mut add).await?;
        upcoming.sort_by(|a, b| (a.at.is_none(), &a.at).cmp(&(b.at.is_none(), &b.at)));
        Ok(upcoming)
    }

    async fn next_cycle(
        &self,
        job: &JobName,
        schedule: &ScheduleSpec,
        row: &JobRow,
        add: &mut dyn FnMut(&str, Option<i64>, String),
    ) -> Result<(), EngineError> {
        let standing =
            Standing { control: self.store.control(job).await?, quarantine: self.store.quarantine(job).await? };
        if let Some(since) = standing.paused() {
            add("pause", None, format!("the job is paused since {}; `provost resume {job}`", time(since)));
        }
        if let Some(row) = &standing.quarantine {
            let at = (row.next_try != i64::MAX).then_some(row.next_try);
            let next = at.map_or_else(
                || "it does not run by itself any more".to_owned(),
                |at| format!("next attempt {}", time(at)),
            );
            let since = time(row.since);
            add(
                "quarantine",
                at,
                format!("the job is in quarantine since {since} [{}]: {}; {next}", row.code, row.reason),
            );
        }
        let table = match Timetable::compile(schedule, "") {
            Ok(table) if table.is_scheduled() => table,
            _ => {
                add("cycle", None, format!("the job runs by hand: `provost run {job}`"));
                return Ok(());
            }
        };
        let now = self.clock.now();
        let last = self.store.cycles(job, 1).await?.into_iter().next();
        let due = due::stored(&table, row, last.as_ref(), now);
        let (at, wait) = due::start(&table, due, &standing, now);
        // The reasons above have been told.
        if let Some(at) = at {
            let wait = if wait == Some(Wait::Blackout) { ", after a blackout" } else { "" };
            let change = if table.on_change { ", or when the source changes" } else { "" };
            let text = format!("next cycle {}{wait}{change}, under `provost serve`", table.tell(at));
            add("cycle", Some(at.as_millisecond()), text);
        }
        Ok(())
    }
}

/// An event with the name that the object had then.
pub(super) struct Told {
    pub name: String,
    pub entry: HistoryEntry,
}

/// What stands in place of the values of attributes that are sensitive by today's rules.
pub(super) struct Masks(Vec<(Text, &'static str)>);

impl Masks {
    pub fn of(rule: &Rule) -> Self {
        let sensitive = rule.mappings.iter().filter(|mapping| mapping.sensitive);
        Self(sensitive.map(|mapping| (mapping.key.clone(), mapping.mask())).collect())
    }

    /// Without source and target, whose schemas nobody can read then: those that the job's expressions redact. An expression that
    /// cannot be read hides what it gave.
    pub fn written(spec: &JobSpec, class: &ClassName) -> Self {
        let rules = spec.objects.iter().filter(|rule| rule.from == *class);
        let environment = spec.environment();
        let redacts = |text: &str| {
            Expression::compile_with(text, &environment).map_or(true, |expression| expression.is_redacted())
        };
        let attributes = rules.flat_map(|rule| &rule.attributes).filter(|(_, mapping)| redacts(&mapping.value));
        let key = |path: &String| path.parse::<AttributePath>().map_or_else(|_| path.clone(), |path| path.to_string());
        Self(attributes.map(|(path, _)| (Text::from(key(path)), REDACTED)).collect())
    }

    pub fn mask(&self, path: &str) -> Option<&'static str> {
        self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(path)).map(|(_, mask)| *mask)
    }
}

pub(super) fn entry(event: &EventRow, tries: Option<u32>, masks: &Masks) -> HistoryEntry {
    #[derive(Deserialize)]
    struct Stored {
        path: String,
        #[serde(default)]
        op: Option<Text>,
        #[serde(default)]
        before: Option<Value>,
        #[serde(default)]
        after: Option<Value>,
        #[serde(default)]
        value: Option<Value>,
    }
    /// Of a write that was done.
    #[derive(Default, Deserialize)]
    struct Detail {
        #[serde(default)]
        hint: Option<String>,
        #[serde(default)]
        exchange: Option<Exchange>,
    }
    let stored: Vec<Stored> = serde_json::from_str(&event.changes).unwrap_or_default();
    let detail = event.detail.as_deref().unwrap_or_default();
    let error: Option<ConnectorError> = serde_json::from_str(detail).ok();
    let detail: Detail = serde_json::from_str(detail).unwrap_or_default();
    let change = |change: Stored| {
        let mask = masks.mask(&change.path);
        let show = |value: Option<Value>| value.map(|value| mask.map_or(value, Value::text));
        ChangeTrace {
            op: change.op.unwrap_or_else(|| "set".into()),
            before: show(change.before),
            after: show(change.after.or(change.value)),
            path: change.path,
        }
    };
    HistoryEntry {
        at: time(event.created),
        cycle: event.cycle.clone(),
        action: event.action.clone(),
        status: event.status.as_str().into(),
        code: event.code.clone(),
        reason: event.reason.clone(),
        changes: stored.into_iter().map(change).collect(),
        target_id: event.target_id.clone(),
        finished: event.finished.map(time),
        duration_ms: event.duration_ms,
        tries,
        error: error.map(|error| error.message),
        hint: detail.hint,
        exchange: detail.exchange,
    }
}
