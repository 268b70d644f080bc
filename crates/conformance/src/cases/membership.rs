//! Members come and go one by one, many at a time, and nobody else is touched.

use std::collections::BTreeSet;
use std::sync::Arc;

use provost_connector::ErrorCode;
use provost_model::{Action, AttributePath, Change, ChangeOp, ObjectId, Record, Value};

use super::writing::object;
use super::{Case, Played, Subject, Verdict, case, demand};
use crate::ground::{Ground, parse};

const GROUP: &str = "membership";
const MANY: usize = 25;

pub(super) const CASES: &[Case] = &[
    case!(60, Standard, Write, "members are added and removed, many at a time", members),
    case!(64, Standard, Write, "a member that is nobody is refused, and the others stay", nobody),
    case!(104, Standard, Write, "one who is gone is taken out of a group, and the others stay", gone),
];

async fn members_of(
    ground: &Ground<'_>,
    class: &str,
    id: &ObjectId,
    path: &AttributePath,
) -> Result<BTreeSet<String>, Verdict> {
    Ok(members_in(&object(ground, class, id).await?, path))
}

fn members_in(record: &Record, path: &AttributePath) -> BTreeSet<String> {
    let value = path.read(&record.attributes).map(|value| value.into_owned()).unwrap_or_default();
    let text = |value: &Value| match value {
        Value::Reference(reference) => reference.id.to_string(),
        Value::Complex(parts) => match parts.find("value") {
            Some(Value::Reference(reference)) => reference.id.to_string(),
            other => other.and_then(Value::as_text).unwrap_or_default().to_owned(),
        },
        value => value.as_text().unwrap_or_default().to_owned(),
    };
    value.elements().iter().filter(|value| !value.is_unassigned()).map(text).collect()
}

async fn members(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let Some(about) = &subject.sample()?.members else { return Err(Verdict::skipped("the sample names no members")) };
    let path = Arc::new(parse(&about.attribute)?);
    let group = ground.make(subject.name()).await?;
    let began = members_of(ground, subject.name(), &group, &path).await?;
    let mut people = Vec::new();
    for _ in 0..MANY {
        people.push(ground.make(&about.class).await?);
    }
    let most = subject.can()?.max_values_per_change.unwrap_or(usize::MAX);
    let change = async |op: ChangeOp, ids: &[ObjectId]| -> Played {
        for chunk in ids.chunks(most.clamp(1, MANY)) {
            let values = Value::List(chunk.iter().map(|id| Value::Text(id.0.clone())).collect());
            let change = Change::new(path.clone(), op, values);
            ground.apply(&ground.operation(Action::Update, subject.name(), Some(&group), vec![change])).await?;
        }
        Ok(())
    };
    let wanted = |people: &[ObjectId]| -> BTreeSet<String> {
        people.iter().map(ToString::to_string).chain(began.iter().cloned()).collect()
    };
    change(ChangeOp::Add, &people).await?;
    let have = members_of(ground, subject.name(), &group, &path).await?;
    demand!(have == wanted(&people), "{} of {MANY} are members", have.len());
    // Once more does no harm, and one that goes takes nobody along.
    change(ChangeOp::Add, &people[..2]).await?;
    change(ChangeOp::Remove, &people[..1]).await?;
    change(ChangeOp::Remove, &people[..1]).await?;
    let have = members_of(ground, subject.name(), &group, &path).await?;
    demand!(have == wanted(&people[1..]), "after one has gone {} are members", have.len());
    let read = ground.all(subject.name()).await?;
    let record = read.records.iter().find(|record| record.id == group);
    let seen = record.map(|record| members_in(record, &path)).unwrap_or_default();
    let is_cut = record.is_some_and(|record| record.is_incomplete(&path.name));
    demand!(is_cut || seen == have, "a full read gives {} members of {}", seen.len(), have.len());
    change(ChangeOp::Remove, &people[1..]).await?;
    let have = members_of(ground, subject.name(), &group, &path).await?;
    demand!(have == began, "after all have gone {have:?} are members");
    Ok(())
}

async fn nobody(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let Some(about) = &subject.sample()?.members else { return Err(Verdict::skipped("the sample names no members")) };
    let path = Arc::new(parse(&about.attribute)?);
    let group = ground.make(subject.name()).await?;
    let person = ground.make(&about.class).await?;
    let add = |id: &str| {
        let change = Change::new(path.clone(), ChangeOp::Add, Value::List(vec![Value::text(id)]));
        ground.operation(Action::Update, subject.name(), Some(&group), vec![change])
    };
    ground.apply(&add(&person)).await?;
    let before = members_of(ground, subject.name(), &group, &path).await?;
    // A person who was there a moment ago.
    let gone = ground.make(&about.class).await?;
    if ground.capabilities().class(&about.class).is_none_or(|can| !can.delete) {
        return Err(Verdict::skipped("members cannot be deleted"));
    }
    ground.apply(&ground.operation(Action::Delete, &about.class, Some(&gone), Vec::new())).await?;
    match ground.apply(&add(&gone)).await {
        // A peer that keeps any text as member has it now; one that knows better has passed it over.
        Ok(_) => {}
        Err(error) => {
            let codes = [ErrorCode::Dependency, ErrorCode::NotFound, ErrorCode::InvalidValue, ErrorCode::Constraint];
            demand!(codes.contains(&error.code), "{:?}: {error}", error.code);
            let after = members_of(ground, subject.name(), &group, &path).await?;
            demand!(after == before, "the members were {before:?} and are {after:?}");
        }
    }
    let after = members_of(ground, subject.name(), &group, &path).await?;
    demand!(before.is_subset(&after), "the members were {before:?} and are {after:?}");
    Ok(())
}

async fn gone(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let Some(about) = &subject.sample()?.members else { return Err(Verdict::skipped("the sample names no members")) };
    if ground.capabilities().class(&about.class).is_none_or(|can| !can.delete) {
        return Err(Verdict::skipped("members cannot be deleted"));
    }
    let path = Arc::new(parse(&about.attribute)?);
    let group = ground.make(subject.name()).await?;
    let (stays, goes) = (ground.make(&about.class).await?, ground.make(&about.class).await?);
    let change = async |op: ChangeOp, ids: &[&ObjectId]| {
        let values = Value::List(ids.iter().map(|id| Value::Text(id.0.clone())).collect());
        let change = Change::new(path.clone(), op, values);
        ground.apply(&ground.operation(Action::Update, subject.name(), Some(&group), vec![change])).await
    };
    change(ChangeOp::Add, &[&stays, &goes]).await?;
    ground.apply(&ground.operation(Action::Delete, &about.class, Some(&goes), Vec::new())).await?;
    // Nobody of a name that the peer does not know, and one who was never there: both take nobody else along.
    for one in [&goes, &ObjectId::from("00000000-0000-4000-8000-000000000000")] {
        if let Err(error) = change(ChangeOp::Remove, &[one]).await {
            let codes = [ErrorCode::Dependency, ErrorCode::NotFound, ErrorCode::InvalidValue, ErrorCode::Constraint];
            demand!(codes.contains(&error.code), "{:?}: {error}", error.code);
        }
        let have = members_of(ground, subject.name(), &group, &path).await?;
        demand!(have.contains(stays.as_str()), "`{stays}` is gone, too: {have:?}");
    }
    let have = members_of(ground, subject.name(), &group, &path).await?;
    demand!(!have.contains(goes.as_str()), "`{goes}` is still a member: {have:?}");
    Ok(())
}
