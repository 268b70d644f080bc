//! An earlier decision once more: from the source values that its event kept, by the rules that its cycle had.

use provost_lang::{Context as LangContext, Expression, Outcome, REDACTED};
use provost_model::{Attributes, Record, Timestamp, Value};
use provost_store::{EventQuery, EventRow};

use super::recorded::{Masks, entry};
use super::{evaluate, time};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::report::{AsOf, Explanation, MatchTrace};
use crate::rule::Rule;
use crate::rule::rulebook::Rulebook;
use crate::spec::JobSpec;

/// Events that are read at a time in search of one that tells.
const PAGE: i64 = 50;
/// The newest cycle that decided something about the object.
const LAST: &str = "last";

impl Engine {
    /// Fills in what the newest decision, or that of a cycle, saw and made of it. False when there is none.
    pub(super) async fn replay(
        &self,
        told: &mut Explanation,
        spec: &JobSpec,
        cycle: Option<&str>,
    ) -> Result<bool, EngineError> {
        let Some(event) = self.telling(told, cycle.filter(|cycle| *cycle != LAST)).await? else { return Ok(false) };
        let row = self.store.cycle(&event.cycle).await?;
        let book = match row.and_then(|row| row.rulebook) {
            Some(digest) => self.store.rulebook(&digest).await?,
            None => None,
        };
        let mut job = match book {
            Some(text) => Rulebook::job(&text, &told.job),
            None => Err("they are not kept any more".to_owned()),
        };
        let seen: Attributes =
            event.seen.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let mut record = Record::new(event.class.clone(), event.source_id.clone());
        record.attributes = seen;
        told.changes.clear();
        told.matching.clear();
        let note = match &mut job {
            Ok(job) => match job.rules.iter_mut().find(|rule| rule.from == event.class) {
                Some(rule) => {
                    let sent = entry(&event, None, &Masks::of(rule)).changes;
                    rule.reads.complete(&mut record.attributes, |path| {
                        let path = path.to_string();
                        sent.iter().find(|change| change.path == path)?.after.clone()
                    });
                    hide(rule, spec);
                    let rule = &*rule;
                    let now = Timestamp::from_millisecond(event.created).unwrap_or_default();
                    evaluate(told, rule, &record, now);
                    told.matching = matching(rule, &record, &event, now);
                    told.changes = entry(&event, None, &Masks::of(rule)).changes;
                    None
                }
                None => Some(format!("the rules of then have none for class `{}`", event.class)),
            },
            Err(why) => Some(format!("the rules of then cannot be read: {why}")),
        };
        if note.is_some() {
            // Without them nobody knows what must not be shown.
            (told.source, told.scope, told.mappings) = (Vec::new(), Vec::new(), Vec::new());
        }
        told.decision = event.action.clone();
        told.reason.clone_from(&event.reason);
        told.as_of = Some(AsOf { at: time(event.created), cycle: event.cycle, note });
        Ok(true)
    }

    /// The newest event about the object that says what was seen.
    async fn telling(&self, told: &Explanation, cycle: Option<&str>) -> Result<Option<EventRow>, EngineError> {
        let mut query = EventQuery {
            job: Some(told.job.clone()),
            source_id: Some(told.source_id.clone()),
            cycle: cycle.map(Into::into),
            limit: PAGE,
            ..EventQuery::default()
        };
        loop {
            let page = self.store.events(&query).await?;
            let Some(last) = page.last() else { return Ok(None) };
            query.before_seq = Some(last.seq);
            let found = page.into_iter().find(|event| event.class == told.class && event.seen.is_some());
            if found.is_some() {
                return Ok(found);
            }
        }
    }
}

/// What is sensitive by today's rules is so in what was, too.
fn hide(rule: &mut Rule, spec: &JobSpec) {
    let masks = Masks::written(spec, &rule.from);
    for mapping in &mut rule.mappings {
        mapping.sensitive |= masks.mask(&mapping.key).is_some();
    }
    let environment = spec.environment();
    let today = spec.objects.iter().filter(|today| today.from.as_str() == rule.from.as_str());
    for text in today.flat_map(|today| &today.attributes).map(|(_, mapping)| &mapping.value) {
        match Expression::compile_with(text, &environment) {
            Ok(expression) => rule.redacted.extend(expression.redacted_attributes().cloned()),
            // What an expression hides that cannot be read nobody knows: all that was read.
            Err(_) => rule.redacted.extend(rule.reads.names().cloned()),
        }
    }
}

/// What the target was asked, as the rules say, and what the event tells of the answer: it names the account that was taken over,
/// and one that is made matches nothing.
fn matching(rule: &Rule, record: &Record, event: &EventRow, now: Timestamp) -> Vec<MatchTrace> {
    let is_question = matches!(event.code.as_deref(), Some("PRV-0512" | "PRV-0514" | "PRV-0541"));
    let is_made = event.action.as_str() == "create";
    if !is_made && !is_question && event.action.as_str() != "link" {
        return Vec::new();
    }
    let context = LangContext::new(&record.attributes, now);
    let traces = rule.matching.iter().map(|matching| {
        let (value, note) = match matching.source.eval(&context) {
            Ok(Outcome::Value(value)) if !value.is_unassigned() => (Some(value), None),
            Ok(_) => (None, Some("the source has no value".to_owned())),
            Err(error) => (None, Some(error.to_string())),
        };
        let value = value.map(|value| if matching.source.is_redacted() { Value::text(REDACTED) } else { value });
        MatchTrace { target: matching.path.to_string(), value, found: Vec::new(), note }
    });
    let mut traces: Vec<MatchTrace> = traces.collect();
    let mut asked: Vec<&mut MatchTrace> = traces.iter_mut().filter(|trace| trace.value.is_some()).collect();
    match (&event.target_id, asked.as_mut_slice()) {
        _ if is_made => {}
        (Some(account), [only]) => only.found.push(account.clone()),
        (Some(account), several) => {
            several.iter_mut().for_each(|trace| trace.note = Some(format!("one of these found {account}")));
        }
        // The reason names what was found.
        (None, asked) => asked.iter_mut().for_each(|trace| trace.note = Some("see the reason".to_owned())),
    }
    traces
}
