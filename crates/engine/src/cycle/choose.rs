//! `SelectUniqueValue`: which of the values that a mapping offers is free at the target. The decision stays pure: it asks for
//! a choice as it asks for the matching objects, and goes on with the value that was chosen.
//!
//! Values that objects of this cycle chose are reserved for them, since their accounts may still be on the way. Rules with
//! choices are carried out in the order of the source, so that a plan and the cycle that follows choose the same.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};

use provost_connector::{ConnectorError, Context, LookupRequest, Session};
use provost_model::{ClassName, ObjectId, Record, Text, Value};

use crate::decide::{Decision, Fault, Projected, Projection, Subject, Verdict, answer, fit};
use crate::rule::{Mapping, Rule};

/// Class and path at the target, and the value as the target compares it.
type Place = (ClassName, Text, Text);

/// The values that are reserved, each with the source object that has it.
#[derive(Debug, Default)]
pub(crate) struct Chosen(Mutex<HashMap<Place, ObjectId>>);

impl Chosen {
    /// Whether the object may have the value; nobody else may from then on.
    fn reserve(&self, rule: &Rule, mapping: &Mapping, value: &str, id: &ObjectId) -> bool {
        let value = if mapping.case_exact { Text::from(value) } else { Text::from(value.to_lowercase()) };
        let mut chosen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match chosen.entry((rule.to.clone(), mapping.key.clone(), value)) {
            // An object may be decided twice in one cycle.
            Entry::Occupied(by) => by.get() == id,
            Entry::Vacant(free) => {
                free.insert(id.clone());
                true
            }
        }
    }
}

/// Goes on with a decision that waits for a choice; others stay as they are. Fails when the target could not be asked.
pub(crate) async fn conclude(
    target: &dyn Session,
    cx: &Context,
    chosen: &Chosen,
    subject: &Subject<'_>,
    record: &Record,
    decision: Decision,
) -> Result<Decision, ConnectorError> {
    let Decision { verdict: Verdict::Choose(mut projection), name, .. } = decision else { return Ok(decision) };
    Ok(match choose(target, cx, subject.rule, &record.id, chosen, &mut projection).await? {
        Ok(()) => answer(subject, record, projection),
        Err(fault) => Decision { reason: fault.message.clone().into(), verdict: Verdict::Fault(fault), name },
    })
}

/// Puts a value in the place of every choice. A fault says that all are taken; an error, that the target could not be asked.
async fn choose(
    target: &dyn Session,
    cx: &Context,
    rule: &Rule,
    id: &ObjectId,
    chosen: &Chosen,
    projection: &mut Projection,
) -> Result<Result<(), Fault>, ConnectorError> {
    for (mapping, projected) in rule.mappings.iter().zip(&mut projection.0) {
        let Projected::Choice(choice) = projected else { continue };
        let mut free = None;
        for offer in &choice.offers {
            let value = match fit(mapping, Value::Text(offer.clone())) {
                Ok(Projected::Value(value)) => value,
                Ok(_) => continue,
                Err(fault) => return Ok(Err(fault)),
            };
            if !chosen.reserve(rule, mapping, offer, id) {
                continue;
            }
            let request = LookupRequest {
                class: rule.to.clone(),
                path: mapping.path.as_ref().clone(),
                values: vec![value.clone()],
            };
            if target.lookup(cx, request).await?.iter().all(Vec::is_empty) {
                free = Some(value);
                break;
            }
        }
        match free {
            Some(value) => *projected = Projected::Value(value),
            None => return Ok(Err(choice.otherwise.clone())),
        }
    }
    Ok(Ok(()))
}
