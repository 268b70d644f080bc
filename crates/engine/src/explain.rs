//! Why: for one object the whole trace, from the source's values to what was done and what comes next. Reads only. What the
//! store alone tells, also when nobody else can be asked, is in [`recorded`].

mod recorded;
mod replay;

use provost_connector::{ConnectorError, Context, LookupRequest};
use provost_lang::{ClauseVerdict, Context as LangContext, Outcome, Trace, Traced};
use provost_model::{ChangeOp, Filter, JobName, ObjectId, Operator, Record, Text, Timestamp, Value};
use provost_store::LinkRow;

use crate::cycle::choose::{Chosen, conclude};
use crate::cycle::index::Index;
use crate::decide::{Decision, Source, Subject, Target, Verdict, decide};
use crate::engine::{Engine, Opened};
use crate::error::EngineError;
use crate::report::{ChangeTrace, ClauseTrace, Explanation, LinkTrace, MappingTrace, MatchTrace, StepTrace};
use crate::rule::{Mapping, Rule};
use crate::spec::JobSpec;
use recorded::Masks;

impl Engine {
    /// Explains the source objects that satisfy the filter. Objects that left, and all when the source cannot be asked, are
    /// found in the record by their id or name, which the filter has to name by an `eq`.
    pub async fn explain(
        &self,
        name: &JobName,
        spec: &JobSpec,
        filter: &Filter,
        cx: &Context,
    ) -> Result<Vec<Explanation>, EngineError> {
        let mut told = self.explain_now(name, spec, filter, cx).await?;
        for explanation in told.iter_mut().filter(|told| told.recorded_only.is_some()) {
            self.replay(explanation, spec, None).await?;
        }
        Ok(told)
    }

    /// The same as it was in a cycle: `last`, or its id. Of objects that this cycle decided nothing about nothing is told.
    pub async fn explain_at(
        &self,
        name: &JobName,
        spec: &JobSpec,
        filter: &Filter,
        cycle: &str,
        cx: &Context,
    ) -> Result<Vec<Explanation>, EngineError> {
        let mut told = Vec::new();
        for mut explanation in self.explain_now(name, spec, filter, cx).await? {
            if self.replay(&mut explanation, spec, Some(cycle)).await? {
                told.push(explanation);
            }
        }
        Ok(told)
    }

    async fn explain_now(
        &self,
        name: &JobName,
        spec: &JobSpec,
        filter: &Filter,
        cx: &Context,
    ) -> Result<Vec<Explanation>, EngineError> {
        match self.explain_live(name, spec, filter, cx).await {
            Err(error @ (EngineError::Connection { .. } | EngineError::Rules { .. })) => {
                let told = self.explain_recorded(name, spec, filter, &error.to_string(), cx).await?;
                if told.is_empty() { Err(error) } else { Ok(told) }
            }
            result => result,
        }
    }

    async fn explain_live(
        &self,
        name: &JobName,
        spec: &JobSpec,
        filter: &Filter,
        cx: &Context,
    ) -> Result<Vec<Explanation>, EngineError> {
        let opened = self.open(name, spec).await?;
        let found = self.find(&opened, filter, cx).await?;
        let mut explanations = Vec::new();
        for (rule, record) in &found {
            explanations.push(self.explain_record(&opened, *rule, record, cx).await?);
        }
        if !explanations.is_empty() {
            return Ok(explanations);
        }
        for known in self.recorded(name, spec, filter).await? {
            let rule = opened.job.rules.iter().find(|rule| rule.from == known.class);
            explanations.push(match (rule, &known.link) {
                (Some(rule), Some(link)) => self.explain_gone(&opened, rule, link).await?,
                _ => {
                    let masks = rule.map_or_else(|| Masks::written(spec, &known.class), Masks::of);
                    self.explain_known(name, spec, known, &masks, "the object is not in the source now").await?
                }
            });
        }
        Ok(explanations)
    }

    pub(crate) async fn explain_record(
        &self,
        opened: &Opened,
        at: usize,
        record: &Record,
        cx: &Context,
    ) -> Result<Explanation, EngineError> {
        let rule = &opened.job.rules[at];
        let now = self.clock.now();
        let link = self.store.links(&opened.job.name, &rule.from, &[record.id.as_str()]).await?.pop();
        let linked = link.as_ref().is_some_and(|link| link.target_id.is_some());
        let mut matching = Vec::new();
        let mut matched = Vec::new();
        if !linked {
            matched = ask(opened, rule, record, now, cx, &mut matching).await?;
        }
        let answer = self.answer_about(&opened.job.name, &rule.from, &record.id).await?;
        let subject = Subject {
            rule,
            id: &record.id,
            source: Source::Present(record),
            link: link.as_ref(),
            target: if linked { Target::Unknown } else { Target::Matched(&matched) },
            answer: answer.as_ref(),
            now,
        };
        let decision = conclude(&*opened.target, cx, &Chosen::default(), &subject, record, decide(&subject)).await;
        let decision = decision.map_err(|error| EngineError::Connection {
            role: "target",
            connection: opened.job.target.clone(),
            error,
        })?;
        let mut explanation = self.outline(opened, rule, &record.id, link.as_ref(), decision).await?;
        evaluate(&mut explanation, rule, record, now);
        explanation.matching = matching;
        Ok(explanation)
    }

    async fn explain_gone(&self, opened: &Opened, rule: &Rule, link: &LinkRow) -> Result<Explanation, EngineError> {
        let decision = decide(&Subject {
            rule,
            id: &link.source_id,
            source: Source::Absent,
            link: Some(link),
            target: Target::Unknown,
            answer: None,
            now: self.clock.now(),
        });
        let mut explanation = self.outline(opened, rule, &link.source_id, Some(link), decision).await?;
        explanation.in_scope = false;
        explanation.reason = format!("not in the source now; {}", explanation.reason);
        explanation.recorded_only = Some("the object is not in the source now".into());
        Ok(explanation)
    }

    async fn outline(
        &self,
        opened: &Opened,
        rule: &Rule,
        id: &ObjectId,
        link: Option<&LinkRow>,
        decision: Decision,
    ) -> Result<Explanation, EngineError> {
        let (word, changes) = match &decision.verdict {
            Verdict::Act(act) => {
                let changes = act.changes.iter().map(|change| change_trace(rule, change)).collect();
                let silent = act.changes.is_empty() && act.action == provost_model::Action::Update;
                (if silent { "none" } else { act.action.as_str() }, changes)
            }
            Verdict::Fault(_) => ("fault", Vec::new()),
            Verdict::Skip => ("skip", Vec::new()),
            Verdict::Ask(_) | Verdict::Choose(_) | Verdict::InStep | Verdict::Forget => ("none", Vec::new()),
        };
        let class = &rule.from;
        let history = self.history(&opened.job.name, class, id, &Masks::of(rule)).await?;
        let history = history.into_iter().map(|told| told.entry).collect();
        let upcoming = self.upcoming(&opened.job.name, &opened.schedule, class, id, link).await?;
        let next = upcoming.iter().find(|one| matches!(one.what.as_str(), "retry" | "delete" | "release"));
        let next = next.map(|one| one.text.clone());
        Ok(Explanation {
            job: opened.job.name.clone(),
            class: rule.from.clone(),
            source_id: id.clone(),
            name: decision.name,
            source: Vec::new(),
            scope: Vec::new(),
            in_scope: true,
            link: link.map(link_trace),
            matching: Vec::new(),
            mappings: Vec::new(),
            decision: word.into(),
            reason: decision.reason.into_owned(),
            changes,
            next,
            history,
            upcoming,
            recorded_only: None,
            as_of: None,
        })
    }
}

/// What source, scope and mappings say of the object.
fn evaluate(explanation: &mut Explanation, rule: &Rule, record: &Record, now: Timestamp) {
    explanation.source = source_values(rule, record);
    explanation.in_scope = rule.leaves_out(&record.attributes).is_none();
    explanation.scope = match &rule.scope {
        Some(scope) => {
            scope.clauses(&record.attributes).into_iter().map(|verdict| clause_trace(rule, verdict)).collect()
        }
        None => Vec::new(),
    };
    explanation.mappings = mappings(rule, record, now);
}

fn link_trace(link: &LinkRow) -> LinkTrace {
    LinkTrace { target_id: link.target_id.clone(), state: link.state.as_str().into(), changed: time(link.changed) }
}

/// What has a value of a matching attribute. A target that cannot be asked is read as a whole.
async fn look_up(
    opened: &Opened,
    rule: &Rule,
    at: usize,
    value: Value,
    cx: &Context,
) -> Result<Vec<Record>, ConnectorError> {
    let path = &rule.matching[at].path;
    if opened.target.capabilities().class(&rule.to).is_some_and(|can| !can.can_look_up(path)) {
        let index = Index::read(&*opened.target, cx, rule).await?;
        return index.look_up(&*opened.target, cx, rule, at, &value).await;
    }
    let request = LookupRequest { class: rule.to.clone(), path: path.clone(), values: vec![value] };
    Ok(opened.target.lookup(cx, request).await?.pop().unwrap_or_default())
}

/// Asks the target by each matching attribute, and notes what was asked and found.
pub(crate) async fn ask(
    opened: &Opened,
    rule: &Rule,
    record: &Record,
    now: Timestamp,
    cx: &Context,
    traces: &mut Vec<MatchTrace>,
) -> Result<Vec<Record>, EngineError> {
    let context = LangContext::new(&record.attributes, now);
    for (at, matching) in rule.matching.iter().enumerate() {
        let mut trace = MatchTrace { target: matching.path.to_string(), value: None, found: Vec::new(), note: None };
        let value = match matching.source.eval(&context) {
            Ok(Outcome::Value(value)) if !value.is_unassigned() => value,
            Ok(_) => {
                trace.note = Some("the source has no value".into());
                traces.push(trace);
                continue;
            }
            Err(error) => {
                trace.note = Some(error.to_string());
                traces.push(trace);
                continue;
            }
        };
        let shown = if matching.source.is_redacted() { Value::text(provost_lang::REDACTED) } else { value.clone() };
        trace.value = Some(shown);
        match look_up(opened, rule, at, value, cx).await {
            Ok(found) => {
                trace.found = found.iter().map(|record| record.id.clone()).collect();
                traces.push(trace);
                if !found.is_empty() {
                    return Ok(found);
                }
            }
            Err(error) => {
                return Err(EngineError::Connection { role: "target", connection: opened.job.target.clone(), error });
            }
        }
    }
    Ok(Vec::new())
}

/// A clause begins with its attribute. One that only begins like a redacted one is hidden, too: better so than shown.
fn clause_trace(rule: &Rule, verdict: ClauseVerdict) -> ClauseTrace {
    let ClauseVerdict { clause, value, matched } = verdict;
    let begins_with = |name: &Text| clause.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name));
    let is_hidden = rule.redacted.iter().any(begins_with);
    let value = value.map(|value| if is_hidden { Value::text(provost_lang::REDACTED) } else { value });
    ClauseTrace { clause, value, matched }
}

/// The values of every attribute that the rule reads.
fn source_values(rule: &Rule, record: &Record) -> Vec<(Text, Value)> {
    let expressions = rule.mappings.iter().map(|m| &m.expression).chain(rule.matching.iter().map(|m| &m.source));
    let mut names: Vec<&Text> = expressions.flat_map(provost_lang::Expression::attributes).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .filter_map(|name| {
            let value = record.attributes.get(name).or_else(|| {
                let path: provost_model::AttributePath = name.parse().ok()?;
                path.get(&record.attributes)
            })?;
            let is_hidden = rule.redacted.contains(name);
            Some((name.clone(), if is_hidden { Value::text(provost_lang::REDACTED) } else { value.clone() }))
        })
        .collect()
}

fn mappings(rule: &Rule, record: &Record, now: Timestamp) -> Vec<MappingTrace> {
    let context = LangContext::new(&record.attributes, now);
    rule.mappings
        .iter()
        .map(|mapping| {
            let (value, note) = match mapping.expression.eval(&context) {
                Ok(Outcome::Clear) => (None, Some("clears the attribute".to_owned())),
                Ok(Outcome::Value(_)) if mapping.sensitive => (None, Some("masked".to_owned())),
                Ok(Outcome::Value(value)) => (Some(value), None),
                Ok(Outcome::IgnoreAttribute) => (None, Some("left alone".to_owned())),
                Ok(Outcome::IgnoreObject) => (None, Some("ignores the object".to_owned())),
                Err(error) => (None, Some(error.to_string())),
            };
            let expression = mapping.expression.source().to_owned();
            let steps = steps(rule, mapping, &context);
            MappingTrace { target: mapping.key.to_string(), expression, value, note, steps }
        })
        .collect()
}

/// What the parts gave. Of what nobody may see at the target no part is told either; a chance has another outcome each time.
fn steps(rule: &Rule, mapping: &Mapping, context: &LangContext<'_>) -> Vec<StepTrace> {
    if !mapping.readable || mapping.random {
        return Vec::new();
    }
    mapping.expression.trace(context).children.into_iter().map(|part| step(rule, part)).collect()
}

fn step(rule: &Rule, part: Trace) -> StepTrace {
    let text = part.expression.to_lowercase();
    let is_hidden = rule.redacted.iter().any(|name| text.contains(name.to_lowercase().as_str()));
    let (value, note) = match part.result {
        Traced::Redacted => (Some(Value::text(provost_lang::REDACTED)), None),
        Traced::Value(_) if is_hidden => (Some(Value::text(provost_lang::REDACTED)), None),
        Traced::Value(value) => (Some(value), None),
        Traced::IgnoreAttribute => (None, Some("left alone".to_owned())),
        Traced::IgnoreObject => (None, Some("ignores the object".to_owned())),
        Traced::Error(error) => (None, Some(error.to_string())),
    };
    let steps = part.children.into_iter().map(|part| step(rule, part)).collect();
    StepTrace { expression: part.expression, value, note, steps }
}

fn change_trace(rule: &Rule, change: &provost_model::Change) -> ChangeTrace {
    let path = change.path.to_string();
    let mask = rule.mapping(&path).filter(|mapping| mapping.sensitive).map(Mapping::mask);
    let show = |value: Option<&Value>| value.map(|value| mask.map_or_else(|| value.clone(), Value::text));
    let (op, after) = match change.op {
        ChangeOp::Unset => ("unset", None),
        ChangeOp::Set => ("set", Some(&change.value)),
        ChangeOp::Add => ("add", Some(&change.value)),
        ChangeOp::Remove => ("remove", Some(&change.value)),
    };
    ChangeTrace { path, op: op.into(), before: show(change.before.as_ref()), after: show(after) }
}

pub(super) fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| format!("{time:.0}"))
}

/// The id that a filter of one `eq` names, for objects that are not in the source any more.
pub(super) fn named_id(filter: &Filter) -> Option<ObjectId> {
    match filter {
        Filter::Term(term) if matches!(term.op, Operator::Eq | Operator::Equals) => {
            Some(ObjectId::from(term.value.to_text()?.as_ref()))
        }
        _ => None,
    }
}
