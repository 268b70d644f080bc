//! Changes as text: what an event shows of them, and what a link remembers as sent. Where there was nothing before (an account
//! that is created) both are values in the rule's [layout](provost_store::Layout), written straight from the changes; paths
//! would be three quarters of the text.

use std::sync::Arc;

use provost_model::{AttributePath, Attributes, Change, ChangeOp, ObjectId, Text, Value};
use provost_store::LinkRow;
use serde::Serialize;

use super::intent::Intent;
use crate::decide::parse_sent;
use crate::rule::{Job, Mapping, Rule, veil};

/// A change that is told with its path.
#[derive(Serialize)]
struct Told<'c> {
    path: String,
    /// Only where the values join those that are there, or leave them.
    #[serde(skip_serializing_if = "Option::is_none")]
    op: Option<ChangeOp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<&'c Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'c Value>,
}

impl<'c> Told<'c> {
    fn new(change: &'c Change, shown: impl Fn(&'c Value) -> &'c Value) -> Self {
        let op = matches!(change.op, ChangeOp::Add | ChangeOp::Remove).then_some(change.op);
        Self {
            path: change.path.to_string(),
            op,
            before: change.before.as_ref().map(&shown),
            after: change.after().or(op.map(|_| &change.value)).map(shown),
        }
    }
}

/// The changes with the places of the mappings they come from. Changes are made in the order of the mappings, so one walk
/// finds them all; a change of no mapping (the flag of a leaver) has none.
fn with_mappings<'c>(rule: &'c Rule, changes: &'c [Change]) -> impl Iterator<Item = (&'c Change, Option<usize>)> {
    let mut from = 0;
    changes.iter().map(move |change| {
        let is_it = |mapping: &Mapping| Arc::ptr_eq(&mapping.path, &change.path);
        let ahead = rule.mappings[from..].iter().position(is_it).map(|at| from + at);
        // Changes of a stored plan have paths of their own.
        let at = ahead.or_else(|| rule.mappings.iter().position(|m| is_it(m) || *m.path == *change.path));
        from = at.map_or(from, |at| at + 1);
        (change, at)
    })
}

/// The first values of attributes as text in the rule's layout; nothing if some change is more than that.
fn first<'c>(rule: &'c Rule, changes: &'c [Change], shown: impl Fn(usize, &'c Value) -> &'c Value) -> Option<String> {
    let mut values: Vec<Option<&Value>> = Vec::with_capacity(rule.mappings.len());
    for (change, at) in with_mappings(rule, changes) {
        let (at, value) = (at.filter(|at| *at >= values.len())?, change.after()?);
        if change.before.is_some() || matches!(value, Value::Null) {
            return None;
        }
        values.resize(at, None);
        values.push(Some(shown(at, value)));
    }
    (!values.is_empty()).then(|| rule.layout.write(values))
}

/// What an event shows: `{path, before, after}` of each change, sensitive values masked.
pub(super) fn changes_text(rule: &Rule, changes: &[Change]) -> String {
    let masks: Vec<Option<Value>> =
        rule.mappings.iter().map(|mapping| mapping.sensitive.then(|| Value::text(mapping.mask()))).collect();
    let laid_out = first(rule, changes, |at, value| masks[at].as_ref().unwrap_or(value));
    laid_out.unwrap_or_else(|| {
        let told = with_mappings(rule, changes).map(|(change, at)| {
            let mask = at.and_then(|at| masks[at].as_ref());
            let shown = |value| mask.unwrap_or(value);
            Told::new(change, shown)
        });
        serde_json::to_string(&told.collect::<Vec<_>>()).unwrap_or_default()
    })
}

/// What an event shows of references, which are ids of the target.
pub(super) fn references_text(changes: &[Change]) -> String {
    let told: Vec<Told<'_>> = changes.iter().map(|change| Told::new(change, |value| value)).collect();
    serde_json::to_string(&told).unwrap_or_default()
}

/// What goes with an account that is deleted, as the event shows it: the last values that were sent.
pub(super) fn lost_text(rule: &Rule, sent: &Attributes) -> String {
    let lost: Vec<Change> = sent
        .iter()
        .filter(|(_, value)| !value.is_unassigned())
        .filter_map(|(key, value)| {
            let path = rule.mapping(key).map(|mapping| mapping.path.clone());
            let path = path.or_else(|| Some(Arc::new(key.parse().ok()?)))?;
            Some(Change::unset(path).was(Some(value.clone())))
        })
        .collect();
    changes_text(rule, &lost)
}

/// What the link records as sent once the act succeeded.
pub(super) fn sent_text(rule: &Rule, intent: &Intent) -> String {
    let before = match (&intent.act.base, &intent.link) {
        (Some(base), _) => base.clone(),
        (None, Some(link)) => parse_sent(rule, link),
        (None, None) => Attributes::new(),
    };
    after(rule, &intent.source_id, before, &intent.act.changes)
}

/// The record of a link from before its values were sensitive, or were veiled; nothing where it may stay.
pub(crate) fn veiled_text(rule: &Rule, link: &LinkRow) -> Option<String> {
    let sent: Attributes = serde_json::from_str(link.sent.as_deref()?).ok()?;
    let is_bare = |mapping: &Mapping| {
        let value = sent.find(&mapping.key);
        mapping.sensitive && value.is_some_and(|value| !value.is_unassigned() && !veil::is_veiled(value))
    };
    rule.mappings.iter().any(is_bare).then(|| after(rule, &link.source_id, sent, &[]))
}

fn after(rule: &Rule, id: &ObjectId, mut sent: Attributes, changes: &[Change]) -> String {
    let veiled = rule.veil.of(id);
    if sent.is_empty() {
        let mut hidden: Vec<Option<Value>> = Vec::new();
        for (change, at) in with_mappings(rule, changes) {
            if let (Some(at), Some(value)) = (at, change.after())
                && let Some(value) = veiled.cover(&rule.mappings[at], value)
            {
                hidden.resize(rule.mappings.len(), None);
                hidden[at] = Some(value);
            }
        }
        if let Some(text) = first(rule, changes, |at, value| hidden.get(at).and_then(Option::as_ref).unwrap_or(value)) {
            return text;
        }
    }
    for (change, at) in with_mappings(rule, changes) {
        let key = at.map_or_else(|| Text::from(change.path.to_string()), |at| rule.mappings[at].key.clone());
        match change.after() {
            _ if change.op == ChangeOp::Add => sent.set(key.clone(), joined(sent.find(&key), &change.value)),
            Some(value) => sent.set(key, value.clone()),
            None => {
                sent.remove(&key);
            }
        }
    }
    for mapping in &rule.mappings {
        if let Some(hidden) = sent.find(&mapping.key).and_then(|value| veiled.cover(mapping, value)) {
            sent.set(mapping.key.clone(), hidden);
        }
    }
    let values: Vec<Option<&Value>> = rule.mappings.iter().map(|mapping| sent.find(&mapping.key)).collect();
    let all = values.iter().flatten().filter(|value| !matches!(value, Value::Null)).count() == sent.len();
    if all && !sent.is_empty() { rule.layout.write(values) } else { serde_json::to_string(&sent).unwrap_or_default() }
}

/// What a link records as sent, when nobody knows whether the account is there and on.
pub(crate) fn doubtful(job: &Job, link: &LinkRow) -> String {
    let rule = job.rules.iter().find(|rule| rule.from == link.class);
    let enablement = rule.and_then(|rule| rule.enablement.as_ref()).map(|enablement| enablement.path.to_string());
    let unknown: Attributes = enablement.into_iter().map(|path| (Text::from(path), Value::Null)).collect();
    serde_json::to_string(&unknown).unwrap_or_default()
}

/// What a link records as sent, when nobody knows whether these attributes were written. What a mapping gives is written
/// again where it is missing; whether the account is on is given by no mapping, so that the doubt has to be told.
pub(super) fn without(rule: &Rule, id: &ObjectId, sent: &str, paths: &[Arc<AttributePath>]) -> String {
    let mut sent: Attributes = serde_json::from_str(sent).unwrap_or_default();
    for path in paths {
        let key = path.to_string();
        match rule.mapping(&key) {
            Some(mapping) => drop(sent.remove(&mapping.key)),
            None => sent.set(key, Value::Null),
        }
    }
    after(rule, id, sent, &[])
}

/// A list with the values that were added to it.
fn joined(have: Option<&Value>, added: &Value) -> Value {
    let have = have.map(Value::elements).unwrap_or_default();
    Value::List(have.iter().chain(added.elements()).cloned().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::masked::tests::{MASK, job};
    use super::*;

    fn change(rule: &Rule, path: &str, value: impl Into<Value>) -> Change {
        Change::set(rule.mapping(path).unwrap().path.clone(), value.into())
    }

    fn laid_out(rule: &Rule, values: [Option<&str>; 3]) -> String {
        rule.layout.write(values.each_ref().map(Option::as_ref))
    }

    #[test]
    fn first_values_go_without_their_paths() {
        let job = job();
        let rule = &job.rules[0];
        assert_eq!(
            rule.mappings.iter().map(|mapping| &*mapping.key).collect::<Vec<_>>(),
            ["password", "title", "userName"]
        );
        let changes = [change(rule, "password", "secret"), change(rule, "userName", "ada")];
        assert_eq!(changes_text(rule, &changes), laid_out(rule, [Some(MASK), None, Some("ada")]));
        let id = &ObjectId::from("7");
        let first = after(rule, id, Attributes::new(), &changes);
        assert!(first.starts_with("[\"") && first.contains("ada") && !first.contains("secret"), "{first}");
        // So does a link's record that was changed since.
        let before = Attributes::from_iter([("title", "Dr"), ("userName", "ada")]);
        let later = [change(rule, "userName", "ada.l").was(Some("ada".into()))];
        assert_eq!(after(rule, id, before.clone(), &later), laid_out(rule, [None, Some("Dr"), Some("ada.l")]));
        let unset = [Change::unset(rule.mappings[1].path.clone()).was(Some("Dr".into()))];
        assert_eq!(after(rule, id, before, &unset), laid_out(rule, [None, None, Some("ada")]));
    }

    #[test]
    fn whatever_else_is_told_in_full() {
        let job = job();
        let rule = &job.rules[0];
        let told =
            |changes: &[Change]| serde_json::from_str::<serde_json::Value>(&changes_text(rule, changes)).unwrap();
        assert_eq!(told(&[]), json!([]));
        let update = change(rule, "password", "new").was(Some("old".into()));
        assert_eq!(told(&[update]), json!([{"path": "password", "before": MASK, "after": MASK}]));
        let unset = Change::unset(rule.mappings[1].path.clone()).was(Some("Dr".into()));
        assert_eq!(told(&[unset]), json!([{"path": "title", "before": "Dr"}]));
        assert_eq!(told(&[change(rule, "title", Value::Null)]), json!([{"path": "title", "after": null}]));
        // Against the order of the mappings: a plan is sent in the order it was stored in.
        let turned = [change(rule, "userName", "ada"), change(rule, "title", "Dr")];
        assert_eq!(told(&turned), json!([{"path": "userName", "after": "ada"}, {"path": "title", "after": "Dr"}]));
        let foreign = [Change::set(Arc::new("active".parse().unwrap()), false.into())];
        assert_eq!(told(&foreign), json!([{"path": "active", "after": false}]));

        let sent = |before, changes: &[Change]| {
            serde_json::from_str::<serde_json::Value>(&after(rule, &ObjectId::from("7"), before, changes)).unwrap()
        };
        assert_eq!(sent(Attributes::new(), &foreign), json!({"active": false}));
        assert_eq!(sent(Attributes::new(), &[]), json!({}));
        let older = Attributes::from_iter([("nickName", "A"), ("title", "Dr")]);
        assert_eq!(sent(older, &[]), json!({"nickName": "A", "title": "Dr"}));
    }
}
