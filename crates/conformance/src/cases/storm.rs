//! Long runs: many objects, many rounds, faults at any time, and in the end the peer holds what was wanted.

use std::collections::BTreeMap;
use std::sync::Arc;

use provost_connector::ErrorCode;
use provost_model::{Action, Change, ObjectId, Value};

use super::configuration::proxied;
use super::{Case, Played, Subject, Verdict, case, demand};
use crate::ground::{Ground, parse};
use crate::proxy::Conduct;

const GROUP: &str = "load";
const ROUNDS: u64 = 300;

pub(super) const CASES: &[Case] =
    &[case!(76, Full, Write, "many rounds with faults end as the answers and a look say", storm)];

async fn storm(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let (sample, can) = (subject.sample()?, subject.can()?);
    let Some(free) = sample.free.first().filter(|_| can.create && can.update && can.delete) else {
        return Err(Verdict::skipped("the sample names no `free` attribute, or the connection does not write"));
    };
    let path = Arc::new(parse(free)?);
    let (proxy, settings) = proxied(ground).await?;
    let session = ground.kit.connector.configure(settings, ground.kit.host.clone()).await?;
    let mut wanted: BTreeMap<ObjectId, Option<String>> = BTreeMap::new();
    let mut random = ground.kit.first_number | 1;
    for round in 0..ROUNDS {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let dice = random >> 33;
        proxy.behave(if dice.is_multiple_of(5) { Conduct::LoseTurn(dice / 5 % 4) } else { Conduct::Pass });
        let somebody = wanted.keys().nth((dice as usize / 20) % wanted.len().max(1)).cloned();
        let operation = match (somebody, dice % 3) {
            (Some(id), 1) => {
                let change = Change::set(path.clone(), Value::text(format!("round {round}")));
                ground.operation(Action::Update, subject.name(), Some(&id), vec![change])
            }
            (Some(id), 2) => ground.operation(Action::Delete, subject.name(), Some(&id), Vec::new()),
            _ => ground.draft(subject.name(), sample).await?,
        };
        let outcome = ground.apply_over(&*session, &operation).await;
        proxy.behave(Conduct::Pass);
        match (outcome, operation.action) {
            (Ok(id), Action::Create) => drop(wanted.insert(id, None)),
            (Ok(id), Action::Update) => drop(wanted.insert(id, Some(format!("round {round}")))),
            (Ok(id), _) => drop(wanted.remove(&id)),
            (Err(error), _) if error.code == ErrorCode::UnknownOutcome => {
                look(ground, subject, &mut wanted, &path).await?
            }
            (Err(_), _) => {}
        }
    }
    let before = wanted.clone();
    look(ground, subject, &mut wanted, &path).await?;
    for (id, text) in before {
        let have = wanted.get(&id);
        demand!(have.is_some(), "`{id}` is gone, and nobody deleted it");
        demand!(text.is_none() || have == Some(&text), "`{id}` is {have:?}, and should be {text:?}");
    }
    wanted.keys().for_each(|id| ground.note(&subject.name().into(), id));
    Ok(())
}

/// What the peer says of those that the storm made, and of nobody else.
async fn look(
    ground: &Ground<'_>,
    subject: Subject<'_>,
    wanted: &mut BTreeMap<ObjectId, Option<String>>,
    path: &provost_model::AttributePath,
) -> Played {
    let read = ground.all(subject.name()).await?;
    wanted.retain(|id, _| read.records.iter().any(|record| record.id == *id));
    for record in &read.records {
        if let Some(text) = wanted.get_mut(&record.id) {
            *text = path.get(&record.attributes).and_then(Value::as_text).map(str::to_owned);
        }
    }
    Ok(())
}
