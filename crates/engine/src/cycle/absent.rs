//! Who is missing from a complete read, and whose grace period is over. Everything found here waits for the guard.

use std::collections::HashSet;
use std::sync::Arc;

use provost_model::ObjectId;
use provost_store::{GONE, LinkRow, LinkState};

use super::Cycle;
use super::known::{Known, id_hash};
use super::notes::{Note, Notes};
use super::outcome::Place;
use super::planner::intent;
use super::turn::Turn;
use crate::decide::{Source, Subject, Target, Verdict, decide};
use crate::error::EngineError;

/// Links per query; small, so that a few leavers among a million cost a few pages.
const PAGE: i64 = 2000;

/// Decides about every link whose object was not seen. Only after a read that was proven complete.
pub(super) async fn find(
    cycle: &Arc<Cycle>,
    notes: &Notes,
    rule: usize,
    known: &Known,
    seen: &HashSet<u64>,
) -> Result<(), EngineError> {
    let (job, class) = (&cycle.job.name, &cycle.rule(rule).from);
    let is_absent = |id: &str| {
        let hash = id_hash(id);
        !known.is_seen(hash).unwrap_or_else(|| seen.contains(&hash))
    };
    // Whose grace period has ended is found by `leaving`, and only there.
    let not_due = |link: &LinkRow| link.leaves.is_none_or(|end| end > cycle.now_ms());
    if known.seen() < known.len() {
        // Marks are read again, not kept: they tell which pages of ids are worth reading.
        let mut after: Option<String> = None;
        while let Some(page) = cycle.store.marks_page(job, class, after.as_deref(), PAGE).await? {
            let mut marks = Vec::new();
            Known::extend(&mut marks, &page.marks);
            if marks.iter().any(|(hash, _)| known.is_seen(*hash) == Some(false)) {
                let ids = cycle.store.link_ids_page(job, class, after.as_deref(), PAGE).await?;
                let absent: Vec<&str> =
                    ids.iter().map(|id| id.as_str()).filter(|id| known.is_seen(id_hash(id)) == Some(false)).collect();
                for link in cycle.store.links(job, class, &absent).await?.into_iter().filter(not_due) {
                    gone(cycle, notes, rule, Box::new(link)).await?;
                }
            }
            after = Some(page.ids_last);
        }
    }
    // Links that have to be looked at again carry no mark, so no table of marks tells whether they were seen.
    let mut after: Option<String> = None;
    loop {
        let ids = cycle.store.unmarked_ids(job, class, after.as_deref(), PAGE).await?;
        let Some(last) = ids.last() else { return Ok(()) };
        after = Some(last.to_string());
        let absent: Vec<&str> = ids.iter().map(|id| id.as_str()).filter(|id| is_absent(id)).collect();
        for link in cycle.store.links(job, class, &absent).await?.into_iter().filter(not_due) {
            gone(cycle, notes, rule, Box::new(link)).await?;
        }
    }
}

/// Links whose grace period has ended, but for those that were `decided` about by what was read of them: somebody who is
/// back, and whose link is not written yet.
pub(super) async fn leaving(
    cycle: &Arc<Cycle>,
    notes: &Notes,
    rule: usize,
    decided: &HashSet<ObjectId>,
) -> Result<(), EngineError> {
    let class = &cycle.rule(rule).from;
    let links = cycle.store.links_leaving(&cycle.job.name, cycle.now_ms(), 100_000).await?;
    for link in links.into_iter().filter(|link| link.class == *class && !decided.contains(&link.source_id)) {
        gone(cycle, notes, rule, Box::new(link)).await?;
    }
    Ok(())
}

/// Notes what follows for an object that is gone from the source.
pub(super) async fn gone(
    cycle: &Arc<Cycle>,
    notes: &Notes,
    rule: usize,
    link: Box<LinkRow>,
) -> Result<(), EngineError> {
    let Some(turn) = cycle.turns.take(rule, &link.source_id) else { return Ok(()) };
    match judge(cycle, rule, link, turn) {
        Some(note) => notes.note(note).await,
        None => Ok(()),
    }
}

/// Decides about an object that is gone from the source.
pub(super) fn judge(cycle: &Cycle, rule: usize, link: Box<LinkRow>, turn: Turn) -> Option<Note> {
    let compiled = cycle.rule(rule);
    let decision = decide(&Subject {
        rule: compiled,
        id: &link.source_id,
        source: Source::Absent,
        link: Some(&link),
        target: Target::Unknown,
        answer: None,
        now: cycle.now,
    });
    // Whoever comes back is looked at again, whatever the digest says.
    let is_settled = match &decision.verdict {
        // Should it fail, that he is gone is still known.
        Verdict::Act(_) => true,
        Verdict::InStep => link.state == LinkState::Disabled,
        _ => false,
    };
    let mark = if is_settled { GONE } else { "" };
    let is_marked = link.mark == mark;
    let place = Place {
        rule,
        source_id: link.source_id.clone(),
        name: decision.name,
        mark: mark.to_owned(),
        link: Some(link),
        targets: Default::default(),
        turn,
        seen: None,
    };
    match decision.verdict {
        Verdict::Act(act) => Some(Note::Planned(intent(compiled, place, decision.reason, act, None, &[]))),
        Verdict::Forget => Some(Note::Forget(rule, place.source_id)),
        Verdict::InStep if !is_marked => Some(Note::Touch(place)),
        _ => None,
    }
}
