//! From the references that an object should have, and those that it had, to what has to change in the table of references.

use std::collections::HashSet;

use provost_model::{ObjectId, Text};
use provost_store::{ReferenceKey, ReferenceRow, ReferenceState};

use super::intent::{Inline, Lost, ReferenceDelta};
use super::outcome::Targets;
use crate::decide::Wishes;
use crate::rule::Rule;

/// Lets references go out with the operation where the other object has an account already.
pub(super) fn inline(rule: &Rule, references: &mut ReferenceDelta, targets: &Targets) {
    let single = |path: &str| rule.mapping(path).is_some_and(|mapping| !mapping.multi);
    for key in std::mem::take(&mut references.gained) {
        match targets.get(&(key.ref_class.clone(), key.ref_id.clone())) {
            Some(target) if single(&key.path) => {
                // The new value takes the old one's place, so the old one need not be taken away.
                let path = key.path.clone();
                let mut was = None;
                for lost in references.lost.extract_if(.., |lost| lost.key.path == path) {
                    was = lost.sent;
                    references.dropped.push(lost.key);
                }
                references.inline.push(Inline { sent: target.clone(), was, key });
            }
            _ => references.gained.push(key),
        }
    }
}

pub(super) fn delta(
    rule: &Rule,
    id: &ObjectId,
    has_account: bool,
    wishes: Wishes,
    had: &[ReferenceRow],
) -> ReferenceDelta {
    let Wishes { wanted, partly } = wishes;
    let wanted: HashSet<ReferenceKey> = wanted
        .into_iter()
        .map(|wish| ReferenceKey {
            class: rule.from.clone(),
            source_id: id.clone(),
            path: Text::from(wish.path.to_string()),
            ref_class: wish.to.class,
            ref_id: wish.to.id,
        })
        .collect();
    let mut delta = ReferenceDelta::default();
    let mut have = HashSet::new();
    for row in had {
        let is_wanted = wanted.contains(&row.key);
        match row.state {
            ReferenceState::Wanted | ReferenceState::Sent if is_wanted => {
                have.insert(&row.key);
            }
            _ if partly.contains(&row.key.path) => {}
            ReferenceState::Sent => {
                delta.lost.push(Lost { key: row.key.clone(), sent: row.ref_target.clone() });
            }
            // Wanted again before it was taken away: it is there.
            ReferenceState::Unwanted if is_wanted => {}
            // Still to be taken away, which is over once another one takes its place.
            ReferenceState::Unwanted if rule.mapping(&row.key.path).is_some_and(|mapping| !mapping.multi) => {
                delta.lost.push(Lost { key: row.key.clone(), sent: row.ref_target.clone() });
            }
            ReferenceState::Unwanted => {}
            // Wanted again for an account that was made again: the old one's is there all the same. And one of which nobody
            // heard that it arrived, or that Provost died over, may be there.
            ReferenceState::Wanted if has_account || row.ref_target.is_some() => {
                delta.lost.push(Lost { key: row.key.clone(), sent: row.ref_target.clone() });
            }
            ReferenceState::Wanted => delta.dropped.push(row.key.clone()),
        }
    }
    delta.gained = wanted.iter().filter(|key| !have.contains(key)).cloned().collect();
    delta.gained.sort();
    delta
}
