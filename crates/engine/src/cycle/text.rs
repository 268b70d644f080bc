//! Changes as text: what an event shows of them, and what a link remembers as sent. Written straight from the values, once
//! per person, with paths that were printed when the rule was compiled.

use std::borrow::Cow;
use std::sync::Arc;

use provost_model::{Attributes, Change, Text, Value};

use super::intent::Intent;
use super::masked::MASK;
use crate::rule::{Mapping, Rule};

/// Roughly what one attribute takes as text.
const EACH: usize = 64;

/// The changes with the mappings they come from. Changes are made in the order of the mappings, so one walk finds them all;
/// a change of no mapping (the flag of a leaver) has none.
fn with_mappings<'c>(rule: &'c Rule, changes: &'c [Change]) -> impl Iterator<Item = (&'c Change, Option<&'c Mapping>)> {
    let mut from = 0;
    changes.iter().map(move |change| {
        let is_it = |mapping: &Mapping| Arc::ptr_eq(&mapping.path, &change.path);
        let ahead = rule.mappings[from..].iter().position(is_it).map(|at| from + at);
        // Changes of a stored plan have paths of their own.
        let at = ahead.or_else(|| rule.mappings.iter().position(|m| is_it(m) || *m.path == *change.path));
        from = at.map_or(from, |at| at + 1);
        (change, at.map(|at| &rule.mappings[at]))
    })
}

fn quoted<'c>(change: &Change, mapping: Option<&'c Mapping>) -> Cow<'c, str> {
    match mapping {
        Some(mapping) => Cow::Borrowed(&mapping.quoted),
        None => Cow::Owned(serde_json::Value::from(change.path.to_string()).to_string()),
    }
}

/// A JSON array of `{path, before, after}`, sensitive values masked.
pub(super) fn changes_json(rule: &Rule, changes: &[Change]) -> String {
    let mut text = Json::with_capacity(changes.len() * (EACH + 20) + 2);
    for (at, (change, mapping)) in with_mappings(rule, changes).enumerate() {
        text.raw(if at == 0 { "[{\"path\":" } else { "},{\"path\":" }).raw(&quoted(change, mapping));
        let masked = mapping.is_some_and(|mapping| mapping.sensitive);
        for (name, value) in [(",\"before\":", change.before.as_ref()), (",\"after\":", change.after())] {
            match value {
                Some(_) if masked => text.raw(name).value(&Value::text(MASK)),
                Some(value) => text.raw(name).value(value),
                None => &mut text,
            };
        }
    }
    text.raw(if changes.is_empty() { "[]" } else { "}]" });
    text.into_string()
}

/// What the link records as sent once the act succeeded: a JSON object of path to value.
pub(super) fn sent_json(rule: &Rule, intent: &Intent) -> String {
    let changes = &intent.act.changes;
    let before = match (&intent.act.base, intent.link.as_ref().and_then(|link| link.sent.as_deref())) {
        (Some(base), _) => base.clone(),
        (None, Some(sent)) => serde_json::from_str(sent).unwrap_or_default(),
        (None, None) => Attributes::new(),
    };
    if before.is_empty() {
        return first_json(rule, changes);
    }
    let mut sent = before;
    for (change, mapping) in with_mappings(rule, changes) {
        let key = mapping.map_or_else(|| Text::from(change.path.to_string()), |mapping| mapping.key.clone());
        match change.after() {
            Some(value) => sent.set(key, value.clone()),
            None => {
                sent.remove(&key);
            }
        }
    }
    serde_json::to_string(&sent).unwrap_or_default()
}

/// The same where nothing was sent before: an account that was created.
fn first_json(rule: &Rule, changes: &[Change]) -> String {
    let mut text = Json::with_capacity(changes.len() * EACH + 2);
    let mut first = true;
    for (change, mapping) in with_mappings(rule, changes) {
        let Some(value) = change.after() else { continue };
        text.raw(if first { "{" } else { "," }).raw(&quoted(change, mapping)).raw(":").value(value);
        first = false;
    }
    text.raw(if first { "{}" } else { "}" });
    text.into_string()
}

/// JSON under way.
struct Json(Vec<u8>);

impl Json {
    fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    fn raw(&mut self, text: &str) -> &mut Self {
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    fn value(&mut self, value: &Value) -> &mut Self {
        // Writing to memory fails for no value there is.
        let _ = serde_json::to_writer(&mut self.0, value);
        self
    }

    fn into_string(self) -> String {
        String::from_utf8(self.0).unwrap_or_default()
    }
}
