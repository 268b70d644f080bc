//! Accounts that no object is linked with.

use std::borrow::Cow;

use provost_model::{Action, Attributes, Change, Record};
use provost_store::LinkState;

use super::diff::{same_at_target, switch};
use super::{Act, Verdict};
use crate::rule::Rule;
use crate::situation::Situation;
use crate::spec::Reaction;

/// What is to be done with an account that a whole read of the target shows and nobody is linked with. Whether it may be done is
/// for the cycle to say: only it knows who may still be meant to have the account.
pub fn orphan(rule: &Rule, account: &Record) -> (Verdict, Cow<'static, str>) {
    const WHY: &str = "no source object is linked with this account";
    let stays = |why: &str| (Verdict::InStep, format!("{WHY}; {why}").into());
    let act = |action, changes| Act {
        action,
        target_id: Some(account.id.clone()),
        adopted: false,
        changes,
        references: None,
        state: LinkState::Linked,
        leaves: None,
        base: Some(held(rule, account)),
    };
    match (&rule.reactions[Situation::Orphan], &rule.enablement) {
        (Reaction::Delete, _) if !rule.flows.delete => stays("the rule does not delete"),
        (Reaction::Delete, _) => (Verdict::Act(act(Action::Delete, Vec::<Change>::new())), WHY.into()),
        // To delete in its place is more than was said, of an account that nobody knows.
        (Reaction::Disable, None) => stays("the target cannot disable"),
        (Reaction::Disable, _) if !rule.flows.update => stays("the rule does not update"),
        (Reaction::Disable, Some(enablement)) => {
            let is_off = |value| same_at_target(value, &enablement.off, false);
            match enablement.path.get(&account.attributes) {
                Some(value) if is_off(value) => stays("it is switched off already"),
                _ => (Verdict::Act(act(Action::Disable, vec![switch(enablement, false)])), WHY.into()),
            }
        }
        _ => stays("it stays as it is"),
    }
}

/// What the account was read to have of the mapped attributes, for the log.
fn held(rule: &Rule, account: &Record) -> Attributes {
    let mut held = Attributes::new();
    for mapping in rule.mappings.iter().filter(|mapping| !mapping.reference) {
        if let Some(value) = mapping.path.get(&account.attributes) {
            held.push(mapping.key.clone(), value.clone());
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cycle::job_for_tests;
    use crate::situation::Reactions;

    #[test]
    fn a_target_that_cannot_disable_keeps_the_account() {
        let mut job = job_for_tests();
        let rule = &mut job.rules[0];
        rule.enablement = None;
        let account = Record::new("account", "zoe");
        for (reaction, want) in
            [(Reaction::Report, None), (Reaction::Disable, None), (Reaction::Delete, Some(Action::Delete))]
        {
            rule.reactions = Reactions::with(&[(Situation::Orphan, reaction.clone())].into()).unwrap();
            let action = match orphan(rule, &account).0 {
                Verdict::Act(act) => Some(act.action),
                _ => None,
            };
            assert_eq!(action, want, "{reaction:?}");
        }
    }
}
