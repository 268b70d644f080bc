//! How unlinked objects are looked for at the target: chosen once per class, by what costs the fewest requests.

use std::sync::Arc;

use futures_util::StreamExt;
use provost_connector::{ConnectorError, ErrorCode, LookupRequest, Scope};
use provost_lang::{Context as LangContext, Outcome};
use provost_model::{AttributePath, Record, Text, Timestamp, Value};
use tokio::time::Instant;

use super::Cycle;
use super::index::Index;
use super::pool::Ask;
use crate::decide::Fault;
use crate::error::EngineError;
use crate::progress::Progress;
use crate::report::CycleKind;
use crate::rule::{Matching, Rule};
use crate::spec::LookupSpec;

/// Targets up to this size are read as a whole rather than asked object by object.
const INDEX_LIMIT: u64 = 250_000;

/// The way to find out whether an object exists at the target.
pub(super) enum Finder {
    /// The target has no objects of the class: nothing can match.
    Empty,
    /// The matching values of the whole class: what is not in it exists nowhere. A hit is looked up.
    Index(Arc<Index>),
    /// Many objects per question.
    Bulk,
    /// One question per object.
    Each,
}

impl Finder {
    pub async fn choose(cycle: &Cycle, rule: &Rule) -> Result<Self, EngineError> {
        let capabilities = cycle.target.capabilities();
        let can = capabilities.class(&rule.to);
        let askable = is_askable(cycle, rule);
        match rule.lookup {
            LookupSpec::Each if askable => return Ok(Finder::Each),
            LookupSpec::Scan => return Self::index(cycle, rule, askable).await,
            _ => {}
        }
        let count = match can {
            Some(can) if can.count => match cycle.target.count(&cycle.cx, &rule.to).await {
                Ok(count) => Some(count),
                // What it says cannot be true, or it says nothing.
                Err(error) if error.code == ErrorCode::NotSupported => None,
                Err(error) => return Err(target(cycle, error)),
            },
            _ => None,
        };
        if count == Some(0) {
            return Ok(Finder::Empty);
        }
        if askable && capabilities.max_lookup > 1 {
            return Ok(Finder::Bulk);
        }
        let small = count.is_some_and(|count| count <= INDEX_LIMIT);
        let can_scan = can.is_some_and(|can| can.scan);
        if !askable || (can_scan && small && cycle.kind != CycleKind::Incremental) {
            return Self::index(cycle, rule, askable).await;
        }
        Ok(Finder::Each)
    }

    async fn index(cycle: &Cycle, rule: &Rule, askable: bool) -> Result<Self, EngineError> {
        let index = cycle.indexes.get(cycle, rule, None).await.map_err(|e| target(cycle, e))?;
        if let Some(gap) = index.gap().filter(|_| askable) {
            // A target that cannot be read to its end is asked object by object; guessing would make duplicates.
            tracing::warn!(reason = gap, "the target was not read to its end, asking per object");
            return Ok(Finder::Each);
        }
        Ok(Finder::Index(index))
    }
}

/// What a scan is asked for, so that it shows what is at these paths: lists of members are not read by the way.
pub(super) fn names<'p>(paths: impl Iterator<Item = &'p AttributePath>) -> Vec<Text> {
    let all = paths.flat_map(|path| [Some(path.name.clone()), path.schema.clone(), Some(path.flat_name().into())]);
    all.flatten().collect()
}

/// Whether the target answers questions by all matching attributes of a rule.
pub(super) fn is_askable(cycle: &Cycle, rule: &Rule) -> bool {
    rule.matching.iter().all(|matching| can_ask(cycle, rule, matching))
}

fn can_ask(cycle: &Cycle, rule: &Rule, matching: &Matching) -> bool {
    cycle.target.capabilities().class(&rule.to).is_some_and(|can| can.can_look_up(&matching.path))
}

fn target(cycle: &Cycle, error: provost_connector::ConnectorError) -> EngineError {
    EngineError::Connection { role: "target", connection: cycle.job.target.clone(), error }
}

/// The values of the matching attributes for one object, in the order of precedence. An object without any is a fault.
pub(super) fn matching_values(rule: &Rule, record: &Record, now: Timestamp) -> Result<Vec<Option<Value>>, Fault> {
    let context = LangContext::new(&record.attributes, now);
    let mut values = Vec::with_capacity(rule.matching.len());
    for matching in &rule.matching {
        let outcome = matching.source.eval(&context).map_err(|error| Fault {
            situation: None,
            code: error.code.clone(),
            message: format!("the matching attribute `{}` failed: {error}", matching.path),
            hint: None,
        })?;
        values.push(match outcome {
            Outcome::Value(value) if !value.is_unassigned() => Some(match value {
                Value::Reference(reference) => Value::text(reference.id.0.clone()),
                other => other,
            }),
            _ => None,
        });
    }
    if values.iter().all(Option::is_none) {
        let names: Vec<String> = rule.matching.iter().map(|m| m.source.to_string()).collect();
        let message = format!("none of the matching attributes has a value: {}", names.join(", "));
        return Err(Fault::new("PRV-0511", message)
            .hint("give the object a value in the source, or match by another attribute"));
    }
    Ok(values)
}

/// Asks for one object by each matching attribute in turn, until one finds something. Where the target cannot be asked, what
/// it has is read as a whole, once for all who look; `since`: what was read before is too old.
pub(super) async fn look_up(
    cycle: &Cycle,
    rule: &Rule,
    values: &[Option<Value>],
    since: Option<Instant>,
) -> Result<Vec<Record>, ConnectorError> {
    for (at, (matching, value)) in rule.matching.iter().zip(values).enumerate() {
        let Some(value) = value else { continue };
        Progress::add(&cycle.progress.lookups, 1);
        let found = if can_ask(cycle, rule, matching) {
            let request =
                LookupRequest { class: rule.to.clone(), path: matching.path.clone(), values: vec![value.clone()] };
            cycle.target.lookup(&cycle.cx, request).await?.pop().unwrap_or_default()
        } else {
            let index = cycle.indexes.get(cycle, rule, since).await?;
            index.look_up(&*cycle.target, &cycle.cx, rule, at, value).await?
        };
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// What was found for one object, or why it could not be asked about.
pub(super) type Answer = Result<Vec<Record>, ConnectorError>;

/// For each value of one matching attribute what has it.
async fn look_up_values(
    cycle: &Cycle,
    rule: &Rule,
    at: usize,
    values: Vec<Value>,
) -> Result<Vec<Vec<Record>>, ConnectorError> {
    let matching = &rule.matching[at];
    if can_ask(cycle, rule, matching) {
        let request = LookupRequest { class: rule.to.clone(), path: matching.path.clone(), values };
        return cycle.target.lookup(&cycle.cx, request).await;
    }
    let index = cycle.indexes.get(cycle, rule, None).await?;
    let mut found = Vec::with_capacity(values.len());
    for value in &values {
        found.push(index.look_up(&*cycle.target, &cycle.cx, rule, at, value).await?);
    }
    Ok(found)
}

/// Asks for a page of objects: one question per matching attribute and [`Capabilities::max_lookup`] values, as many at once
/// as the target bears. A question that the target refuses is asked again for each of its values, so that one odd value is
/// one object's fault and not the cycle's end.
///
/// [`Capabilities::max_lookup`]: provost_connector::Capabilities
pub(super) async fn look_up_page(cycle: &Cycle, rule: &Rule, asks: &[Ask]) -> Result<Vec<Answer>, EngineError> {
    let mut found: Vec<Answer> = asks.iter().map(|_| Ok(Vec::new())).collect();
    for at in 0..rule.matching.len() {
        let is_open = |subject: &usize| matches!(&found[*subject], Ok(records) if records.is_empty());
        let open: Vec<usize> =
            (0..asks.len()).filter(is_open).filter(|subject| asks[*subject].values[at].is_some()).collect();
        let mut questions: Vec<Vec<usize>> =
            open.chunks(cycle.target.capabilities().max_lookup.max(1)).map(<[usize]>::to_vec).collect();
        while !questions.is_empty() {
            let asked = questions.drain(..).map(|subjects| {
                Progress::add(&cycle.progress.lookups, 1);
                let values = subjects.iter().filter_map(|subject| asks[*subject].values[at].clone()).collect();
                async move {
                    let found = look_up_values(cycle, rule, at, values).await;
                    (subjects, found)
                }
            });
            let asked: Vec<_> = asked.collect();
            let mut answers =
                futures_util::stream::iter(asked).buffer_unordered(cycle.target.capabilities().max_in_flight.max(1));
            while let Some((subjects, answer)) = answers.next().await {
                match answer {
                    Ok(records) => {
                        for (subject, records) in subjects.into_iter().zip(records) {
                            found[subject] = Ok(records);
                        }
                    }
                    Err(error) if error.scope == Scope::Job => return Err(target(cycle, error)),
                    Err(error) if subjects.len() == 1 => found[subjects[0]] = Err(error),
                    Err(_) => questions.extend(subjects.into_iter().map(|subject| vec![subject])),
                }
            }
        }
    }
    Ok(found)
}
