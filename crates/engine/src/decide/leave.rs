//! Leavers: out of scope, or gone from the source. The reaction is the rule's; the safe one is the default.

use std::borrow::Cow;

use provost_model::{Action, Record, Text, Value};
use provost_store::{LinkRow, LinkState};

use super::diff::{parse_sent, switch};
use super::{Act, Decision, Subject, Verdict};
use crate::situation::Situation;
use crate::spec::{Period, Reaction};

pub(super) fn out_of_scope(subject: &Subject<'_>, record: &Record, why: &'static str) -> Decision {
    let name = subject.link.map_or_else(|| Text::from(record.id.as_str()), |link| link.name.as_str().into());
    if subject.link.is_none_or(|link| link.target_id.is_none()) {
        return Decision { verdict: Verdict::Skip, reason: why.into(), name };
    }
    let (verdict, reason) = react(subject, Situation::OutOfScope, why);
    Decision { verdict, reason, name }
}

pub(super) fn gone(subject: &Subject<'_>) -> Decision {
    let Some(link) = subject.link else {
        let name = Text::from(subject.id.as_str());
        return Decision { verdict: Verdict::InStep, reason: "gone, and never seen before".into(), name };
    };
    let name = Text::from(link.name.as_str());
    if link.target_id.is_none() {
        return Decision { verdict: Verdict::Forget, reason: "gone, and never provisioned".into(), name };
    }
    let (verdict, reason) = react(subject, Situation::Deleted, "gone from the source");
    Decision { verdict, reason, name }
}

fn react(subject: &Subject<'_>, situation: Situation, why: &'static str) -> (Verdict, Cow<'static, str>) {
    let (Some(link), rule) = (subject.link, subject.rule) else { return (Verdict::InStep, why.into()) };
    let now_ms = subject.now.as_millisecond();
    // A date from an earlier version of the rule counts only while the rule knows a period of grace at all.
    if rule.reactions.have_grace() && link.leaves.is_some_and(|end| end <= now_ms) {
        return delete(subject, format!("{why}, and the grace period is over").into());
    }
    let reaction = &rule.reactions[situation];
    match reaction {
        Reaction::Delete => delete(subject, why.into()),
        Reaction::Unlink => (Verdict::Act(letting_go(subject.link)), why.into()),
        Reaction::Disable | Reaction::DisableThenDelete(_) => {
            let leaves = grace(subject, reaction);
            let Some(enablement) = &rule.enablement else {
                return match reaction {
                    Reaction::Disable => delete(subject, format!("{why}; the target cannot disable").into()),
                    // Nothing to switch off: the account stays until its grace period ends.
                    _ => mark_leaver(subject, leaves, why),
                };
            };
            let sent = parse_sent(rule, link);
            let recorded = sent.get(&enablement.path.to_string());
            // A null is a doubt: he may have been switched on by a request of which nobody heard.
            let is_off = recorded == Some(&enablement.off);
            if is_off || link.state == LinkState::Disabled && recorded != Some(&Value::Null) {
                return mark_leaver(subject, leaves, why);
            }
            if !rule.flows.update {
                return (Verdict::InStep, format!("{why}; the rule does not update").into());
            }
            let act = Act {
                action: Action::Disable,
                target_id: link.target_id.clone(),
                adopted: false,
                changes: vec![switch(enablement, false)],
                references: None,
                state: LinkState::Disabled,
                leaves,
                base: None,
            };
            (Verdict::Act(act), why.into())
        }
        // The table allows no other here.
        _ => (Verdict::InStep, format!("{why}; the rule keeps the account").into()),
    }
}

/// When the account of a linked object is to be deleted, by this reaction: the date it has, or a new one.
pub(super) fn grace(subject: &Subject<'_>, reaction: &Reaction) -> Option<i64> {
    let Reaction::DisableThenDelete(Period { ms }) = reaction else { return None };
    let begun = subject.link.and_then(|link| link.leaves);
    begun.or_else(|| Some(subject.now.as_millisecond().saturating_add(*ms)))
}

/// The account is off already; only the link has to say why and until when.
fn mark_leaver(subject: &Subject<'_>, leaves: Option<i64>, why: &'static str) -> (Verdict, Cow<'static, str>) {
    let unchanged = subject.link.is_some_and(|link| link.state == LinkState::Disabled && link.leaves == leaves);
    if unchanged {
        return (Verdict::InStep, format!("{why}; already disabled").into());
    }
    let act = Act {
        action: Action::Update,
        target_id: subject.link.and_then(|link| link.target_id.clone()),
        adopted: false,
        changes: Vec::new(),
        references: None,
        state: LinkState::Disabled,
        leaves,
        base: None,
    };
    (Verdict::Act(act), why.into())
}

/// The account is let go, and stays as it is.
pub(super) fn letting_go(link: Option<&LinkRow>) -> Act {
    Act {
        action: Action::Unlink,
        target_id: link.and_then(|link| link.target_id.clone()),
        adopted: false,
        changes: Vec::new(),
        references: None,
        state: LinkState::Linked,
        leaves: None,
        base: None,
    }
}

pub(super) fn delete(subject: &Subject<'_>, reason: Cow<'static, str>) -> (Verdict, Cow<'static, str>) {
    if !subject.rule.flows.delete {
        return (Verdict::InStep, format!("{reason}; the rule does not delete").into());
    }
    let act = Act {
        action: Action::Delete,
        target_id: subject.link.and_then(|link| link.target_id.clone()),
        adopted: false,
        changes: Vec::new(),
        references: None,
        state: LinkState::Linked,
        leaves: None,
        base: None,
    };
    (Verdict::Act(act), reason)
}
