//! The opposite of a deed. Pure: what was done and the link as it is now in, what is to be done and what stays out.

use std::borrow::Cow;
use std::sync::Arc;

use provost_model::{Action, AttributePath, Attributes, Change, ObjectId, Text};
use provost_store::{LinkRow, LinkState};

use super::super::intent::{Intent, ReferenceDelta};
use super::super::turn::Turn;
use super::deed::{Deed, Touched};
use crate::decide::{Act, classify, parse_sent, switch};
use crate::rule::Rule;

/// What undoes a deed.
pub(super) struct Opposite {
    pub act: Option<Act>,
    /// What stays, each with its reason, for people.
    pub left: Vec<String>,
}

pub(super) fn opposite(rule: &Rule, deed: &Deed, link: Option<&LinkRow>) -> Opposite {
    let account = link.and_then(|link| link.target_id.as_ref());
    match (deed.created, deed.deleted) {
        // Made and removed: nothing is left of it.
        (true, true) => Opposite { act: None, left: Vec::new() },
        (true, false) => made(rule, deed, link.filter(|_| account.is_some())),
        (false, true) if account.is_some() => stays("another account was made since"),
        (false, true) => again(rule, deed),
        (false, false) if deed.unlinked => hold(rule, deed, link),
        (false, false) => changed(rule, deed, link.filter(|_| account.is_some())),
    }
}

/// That of what was done to an account that nobody is linked with. Made again it would be an account of nobody's once more, with
/// another id.
pub(super) fn ownerless(rule: &Rule, deed: &Deed) -> Opposite {
    let off = |touched: &&Touched| {
        rule.enablement.as_ref().is_some_and(|by| touched.path == by.path && touched.is.as_ref() == Some(&by.off))
    };
    match (&rule.enablement, deed.attributes.iter().find(off)) {
        _ if deed.deleted => {
            stays("the account was deleted, and nobody was linked with it: it is not made again for nobody")
        }
        (Some(enablement), Some(_)) => {
            let changes = vec![switch(enablement, true)];
            let act = act(Action::Enable, deed.target_id.clone(), changes, LinkState::Linked);
            Opposite { act: Some(act), left: Vec::new() }
        }
        _ => Opposite { act: None, left: Vec::new() },
    }
}

fn stays(why: impl Into<String>) -> Opposite {
    Opposite { act: None, left: vec![why.into()] }
}

/// An account that was made is switched off, where that can be; otherwise it goes.
fn made(rule: &Rule, deed: &Deed, link: Option<&LinkRow>) -> Opposite {
    let Some(link) = link else { return stays("the account that was created is not linked any more") };
    if deed.target_id.is_some() && deed.target_id != link.target_id {
        return stays("another account was made since");
    }
    let (action, changes, state) = match &rule.enablement {
        Some(enablement) => {
            if parse_sent(rule, link).get(&enablement.path.to_string()) == Some(&enablement.off) {
                return Opposite { act: None, left: Vec::new() };
            }
            (Action::Disable, vec![switch(enablement, false)], LinkState::Disabled)
        }
        None => (Action::Delete, Vec::new(), LinkState::Linked),
    };
    Opposite { act: Some(act(action, link.target_id.clone(), changes, state)), left: Vec::new() }
}

/// An account that was deleted is made again, with what was known of it.
fn again(rule: &Rule, deed: &Deed) -> Opposite {
    let mut left = Vec::new();
    let mut changes = Vec::new();
    for Touched { path, was, .. } in &deed.attributes {
        let mapping = rule.mapping(&path.to_string());
        match was {
            Some(_) if mapping.is_some_and(|mapping| mapping.sensitive) => {
                left.push(format!("`{path}` is not set again: the log does not keep its value"));
            }
            Some(was) => changes.push(Change::set(shared(rule, path), was.clone())),
            None => {}
        }
    }
    if changes.is_empty() {
        return stays("the account was deleted, and the log does not say what it was like");
    }
    Opposite { act: Some(act(Action::Create, None, changes, LinkState::Linked)), left }
}

/// An account that was let go is linked once more, with what was known of it.
fn hold(rule: &Rule, deed: &Deed, link: Option<&LinkRow>) -> Opposite {
    match link.and_then(|link| link.target_id.as_ref()) {
        Some(account) if deed.target_id.as_ref() == Some(account) => return Opposite { act: None, left: Vec::new() },
        Some(_) => return stays("another account was linked since"),
        None => {}
    }
    let mut held = Attributes::new();
    for Touched { path, was, .. } in &deed.attributes {
        let mapping = rule.mapping(&path.to_string());
        // What the log does not keep is written in full when it changes next.
        let Some(was) = was.as_ref().filter(|_| !mapping.is_some_and(|mapping| mapping.sensitive)) else { continue };
        held.push(mapping.map_or_else(|| path.to_string().into(), |mapping| mapping.key.clone()), was.clone());
    }
    let by = rule.enablement.as_ref();
    let is_off = by.is_some_and(|by| held.find(&by.path.to_string()) == Some(&by.off));
    let state = if is_off { LinkState::Disabled } else { LinkState::Linked };
    let act = act(Action::Update, deed.target_id.clone(), Vec::new(), state);
    Opposite { act: Some(Act { adopted: true, base: Some(held), ..act }), left: Vec::new() }
}

fn changed(rule: &Rule, deed: &Deed, link: Option<&LinkRow>) -> Opposite {
    if deed.attributes.is_empty() {
        return Opposite { act: None, left: Vec::new() };
    }
    let Some(link) = link else { return stays("the account is not linked any more") };
    if deed.target_id.is_some() && deed.target_id != link.target_id {
        return stays("another account was made since");
    }
    let sent = parse_sent(rule, link);
    let mut left = Vec::new();
    let mut changes = Vec::new();
    for Touched { path, was, is } in &deed.attributes {
        let key = path.to_string();
        let mapping = rule.mapping(&key);
        // Before equality: masks are all alike.
        if mapping.is_some_and(|mapping| mapping.sensitive) {
            left.push(format!("`{path}` stays: the log does not keep its value"));
            continue;
        }
        if was == is {
            continue;
        }
        let now = sent.find(mapping.map_or(key.as_str(), |mapping| mapping.key.as_str()));
        if now != is.as_ref() && !(now.is_none() && mapping.is_none()) {
            // Either somebody changed it since, or it is as it was already.
            if now != was.as_ref() {
                left.push(format!("`{path}` stays: it was changed again since"));
            }
            continue;
        }
        let change = match was {
            Some(was) => Change::set(shared(rule, path), was.clone()),
            None => Change::unset(shared(rule, path)),
        };
        changes.push(change.was(is.clone()));
    }
    if changes.is_empty() {
        return Opposite { act: None, left };
    }
    let action = classify(rule, &changes);
    let state = match action {
        Action::Enable => LinkState::Linked,
        Action::Disable if rule.enablement_mapping.is_none() => LinkState::Disabled,
        _ => link.state,
    };
    Opposite { act: Some(act(action, link.target_id.clone(), changes, state)), left }
}

/// The mapping's own path, which texts of changes are written by.
fn shared(rule: &Rule, path: &AttributePath) -> Arc<AttributePath> {
    rule.mapping(&path.to_string()).map_or_else(|| Arc::new(path.clone()), |mapping| mapping.path.clone())
}

fn act(action: Action, target_id: Option<ObjectId>, changes: Vec<Change>, state: LinkState) -> Act {
    Act { action, target_id, adopted: false, changes, references: None, state, leaves: None, base: None }
}

/// The opposite on its way; none when there is nothing to do. Without an act of its own, what carries the references is an
/// update without changes.
pub(super) fn intent(
    rule: usize,
    id: &ObjectId,
    deed: &Deed,
    link: Option<Box<LinkRow>>,
    opposite: Option<Act>,
    references: ReferenceDelta,
) -> Option<Intent> {
    let silent = || {
        let link = link.as_deref().filter(|_| !references.is_empty())?;
        Some(act(Action::Update, link.target_id.clone(), Vec::new(), link.state))
    };
    let act = opposite.or_else(silent)?;
    let reason = match (deed.created, deed.deleted) {
        _ if deed.unlinked => "reverted: the account was let go",
        (true, _) => "reverted: the account was created",
        (_, true) => "reverted: the account was deleted",
        _ => "reverted: what was there before",
    };
    let name = if deed.name.is_empty() { id.as_str() } else { deed.name.as_str() };
    Some(Intent {
        rule,
        source_id: id.clone(),
        name: Text::from(name),
        reason: Cow::Borrowed(reason),
        // Unchanged at the source, it is left alone by the next cycle, unless the rules change.
        mark: link.as_ref().map(|link| link.mark.clone()).unwrap_or_default(),
        link,
        act,
        references,
        event: None,
        turn: Turn::default(),
        record: None,
        seen: None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::masked::tests::job;
    use provost_model::Value;
    use provost_store::EventRow;
    use serde_json::json;

    use super::*;

    fn event(action: &str, changes: serde_json::Value) -> EventRow {
        EventRow {
            action: action.into(),
            target_id: Some("t7".into()),
            name: "ada".into(),
            changes: changes.to_string(),
            ..super::super::super::verdict(
                &"job".into(),
                &"c".into(),
                provost_store::CycleStatus::Failed,
                super::super::LEFT,
                String::new(),
                0,
            )
        }
    }

    fn link(sent: serde_json::Value) -> LinkRow {
        LinkRow {
            job: "job".into(),
            class: "person".into(),
            source_id: "7".into(),
            target_id: Some("t7".into()),
            state: LinkState::Linked,
            mark: "m".into(),
            leaves: None,
            event: None,
            changed: 0,
            name: "ada".into(),
            sent: Some(sent.to_string()),
        }
    }

    /// `action: path before -> after, …; left`.
    fn told(events: &[EventRow], link: Option<&LinkRow>) -> String {
        let job = job();
        let rule = &job.rules[0];
        let mut deed = Deed::default();
        events.iter().for_each(|event| deed.add(rule, event).unwrap());
        let Opposite { act, left } = opposite(rule, &deed, link);
        let act = act.map_or("nothing".to_owned(), |act| {
            let changes = act.changes.iter().map(|change| {
                let show =
                    |value: Option<&Value>| value.map_or("-".into(), |value| value.to_text().unwrap().into_owned());
                format!(" {} {} to {}", change.path, show(change.before.as_ref()), show(change.after()))
            });
            format!("{}{}", act.action, changes.collect::<String>())
        });
        [vec![act], left].concat().join("; ")
    }

    #[test]
    fn what_was_written_goes_back() {
        let title = |before, after| event("update", json!([{"path": "title", "before": before, "after": after}]));
        for (events, sent, want) in [
            (vec![title("A", "B")], json!({"title": "B"}), "update title B to A"),
            (vec![title("A", "B"), title("B", "C")], json!({"title": "C"}), "update title C to A"),
            (vec![title("A", "B"), title("B", "A")], json!({"title": "A"}), "nothing"),
            (vec![title("A", "B")], json!({"title": "A"}), "nothing"),
            (vec![title("A", "B")], json!({"title": "D"}), "nothing; `title` stays: it was changed again since"),
            (
                vec![event("update", json!([{"path": "title", "after": "B"}]))],
                json!({"title": "B"}),
                "update title B to -",
            ),
            (vec![event("update", json!([{"path": "title", "before": "A"}]))], json!({}), "update title - to A"),
            (
                vec![event("update", json!([{"path": "password", "before": "[masked]", "after": "[masked]"}]))],
                json!({"password": "x"}),
                "nothing; `password` stays: the log does not keep its value",
            ),
            (vec![event("link", json!([]))], json!({}), "nothing"),
        ] {
            assert_eq!(told(&events, Some(&link(sent))), want);
        }
        let other = LinkRow { target_id: Some("t8".into()), ..link(json!({"title": "B"})) };
        assert_eq!(told(&[title("A", "B")], Some(&other)), "nothing; another account was made since");
        assert_eq!(told(&[title("A", "B")], None), "nothing; the account is not linked any more");
    }

    #[test]
    fn accounts_go_and_come_back() {
        let made = event("create", json!([{"path": "userName", "after": "ada"}]));
        let gone =
            event("delete", json!([{"path": "userName", "before": "ada"}, {"path": "password", "before": "[masked]"}]));
        let here = link(json!({"userName": "ada"}));
        // The target of this job cannot switch off.
        assert_eq!(told(std::slice::from_ref(&made), Some(&here)), "delete");
        assert_eq!(
            told(std::slice::from_ref(&made), None),
            "nothing; the account that was created is not linked any more"
        );
        let again = "create userName - to ada; `password` is not set again: the log does not keep its value";
        assert_eq!(told(std::slice::from_ref(&gone), None), again);
        assert_eq!(told(std::slice::from_ref(&gone), Some(&here)), "nothing; another account was made since");
        assert_eq!(told(&[made, gone], None), "nothing");
        let old = event("delete", json!([]));
        assert_eq!(told(&[old], None), "nothing; the account was deleted, and the log does not say what it was like");
    }
}
