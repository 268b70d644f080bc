//! What was written is there, and what was not is not.

use std::sync::Arc;

use provost_connector::ErrorCode;
use provost_model::{Action, AttributePath, Change, ChangeOp, ObjectId, Record, Value};

use super::reading::same;
use super::{Case, Played, Subject, Verdict, case, demand};
use crate::ground::{Ground, parse};
use crate::sample::ClassSample;

const GROUP: &str = "writing";

pub(super) const CASES: &[Case] = &[
    case!(43, Standard, Write, "a create gives an id, and the object is there", create),
    case!(44, Standard, Write, "a second create is refused as `already_exists`", create_twice),
    case!(46, Standard, Write, "an attribute that is not there is refused, not passed over", unknown_attribute),
    case!(47, Standard, Write, "an attribute that cannot be written is refused", read_only),
    case!(48, Standard, Write, "an update changes what it names, twice the same, and nothing else", update),
    case!(49, Standard, Write, "a value is cleared", clear),
    case!(50, Standard, Write, "single values come and go, others stay", single_values),
    case!(55, Standard, Write, "an account is switched off and on, and reads so", switch),
    case!(56, Standard, Write, "what is deleted is gone, and deleting it again does no harm", delete),
    case!(57, Standard, Write, "an update of nobody is `not_found`", update_nobody),
    case!(59, Standard, Write, "one bad operation in a batch spoils no other", batch),
];

/// The value as the peer has it now.
async fn read(ground: &Ground<'_>, class: &str, id: &ObjectId, path: &AttributePath) -> Result<Option<Value>, Verdict> {
    let record = object(ground, class, id).await?;
    Ok(path.read(&record.attributes).map(|value| value.into_owned()).filter(|value| !value.is_unassigned()))
}

pub(super) async fn object(ground: &Ground<'_>, class: &str, id: &ObjectId) -> Result<Record, Verdict> {
    let gone = || Verdict::Failed(format!("`{id}` is not there"));
    ground.get(class, id).await?.ok_or_else(gone)
}

/// A new object, and what the sample allows on it.
async fn made<'s>(ground: &Ground<'_>, subject: Subject<'s>) -> Result<(&'s ClassSample, ObjectId), Verdict> {
    let sample = subject.sample()?;
    if !subject.can()?.create {
        return Err(Verdict::skipped("the connection does not create"));
    }
    Ok((sample, ground.make(subject.name()).await?))
}

fn free(sample: &ClassSample) -> Result<AttributePath, Verdict> {
    let Some(name) = sample.free.first() else { return Err(Verdict::skipped("the sample names no `free` attribute")) };
    Ok(parse(name)?)
}

async fn create(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let sample = subject.sample()?;
    if !subject.can()?.create {
        return Err(Verdict::skipped("the connection does not create"));
    }
    let draft = ground.draft(subject.name(), sample).await?;
    let id = ground.apply(&draft).await?;
    demand!(!id.is_empty(), "the create gives no id");
    let record = object(ground, subject.name(), &id).await?;
    let schema = ground.class(subject.name());
    for change in &draft.changes {
        let about = schema.and_then(|schema| schema.resolve(&change.path));
        if about.is_some_and(|about| about.sensitive || about.on_request) {
            continue;
        }
        let have = change.path.read(&record.attributes);
        let is_same = have.as_deref().is_some_and(|have| same(have, &change.value, true));
        demand!(is_same, "`{}` was sent as {:?} and is {have:?}", change.path, change.value);
    }
    let all = ground.all(subject.name()).await?;
    demand!(all.records.iter().any(|record| record.id == id), "`{id}` is not in a full read");
    Ok(())
}

async fn create_twice(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let sample = subject.sample()?;
    let Some(key) = sample.key.as_deref().filter(|_| subject.class.is_some_and(|can| can.create)) else {
        return Err(Verdict::skipped("the sample names no key"));
    };
    if sample.twins {
        return Err(Verdict::skipped("the peer allows two objects with the same key"));
    }
    let draft = ground.draft(subject.name(), sample).await?;
    let id = ground.apply(&draft).await?;
    let again = ground.operation(Action::Create, subject.name(), None, draft.changes.clone());
    let Err(error) = ground.apply(&again).await else { return Err(Verdict::failed("there are two now")) };
    demand!(error.code == ErrorCode::AlreadyExists, "{:?}: {error}", error.code);
    let existing = error.existing_id.filter(|existing| *existing != id);
    demand!(existing.is_none(), "`{id}` is in the way, and `{existing:?}` is named");
    let path = parse(key)?;
    let value = draft.changes.iter().find(|change| *change.path == path).map(|change| change.value.clone());
    let have = ground.all(subject.name()).await?;
    let twins = have.records.iter().filter(|record| {
        path.read(&record.attributes).zip(value.as_ref()).is_some_and(|(have, value)| same(&have, value, false))
    });
    let twins = twins.count();
    demand!(twins == 1, "{twins} objects have the same `{key}`");
    Ok(())
}

async fn unknown_attribute(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    if ground.class(subject.name()).is_none_or(|class| class.open) {
        return Err(Verdict::skipped("the class takes any attribute"));
    }
    let (_, id) = made(ground, subject).await?;
    let change = Change::set(Arc::new(AttributePath::name("noSuchAttributeAtAll")), Value::text("x"));
    let update = ground.operation(Action::Update, subject.name(), Some(&id), vec![change]);
    let Err(error) = ground.apply(&update).await else { return Err(Verdict::failed("it is accepted")) };
    let codes = [ErrorCode::NotSupported, ErrorCode::InvalidValue, ErrorCode::Constraint];
    demand!(codes.contains(&error.code), "{:?}: {error}", error.code);
    demand!(error.to_string().contains("noSuchAttributeAtAll"), "the error does not name it: {error}");
    Ok(())
}

async fn read_only(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let Some(name) = &subject.sample()?.read_only else {
        return Err(Verdict::skipped("the sample names no `read_only` attribute"));
    };
    let (_, id) = made(ground, subject).await?;
    let path = parse(name)?;
    let before = read(ground, subject.name(), &id, &path).await?;
    let change = Change::set(Arc::new(path.clone()), Value::text("20260101000000Z"));
    let update = ground.operation(Action::Update, subject.name(), Some(&id), vec![change]);
    demand!(ground.apply(&update).await.is_err(), "it is accepted");
    demand!(read(ground, subject.name(), &id, &path).await? == before, "it is another one now");
    Ok(())
}

async fn update(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let (sample, id) = made(ground, subject).await?;
    let path = free(sample)?;
    let before = object(ground, subject.name(), &id).await?;
    for _ in 0..2 {
        let change = Change::set(Arc::new(path.clone()), Value::text("one and the same"));
        ground.apply(&ground.operation(Action::Update, subject.name(), Some(&id), vec![change])).await?;
        let have = read(ground, subject.name(), &id, &path).await?;
        demand!(have == Some(Value::text("one and the same")), "`{path}` is {have:?}");
    }
    let after = object(ground, subject.name(), &id).await?;
    for change in ground.draft(subject.name(), sample).await?.changes.iter().filter(|change| *change.path != path) {
        let (had, have) = (change.path.read(&before.attributes), change.path.read(&after.attributes));
        demand!(had == have, "`{}` was {had:?} and is {have:?}", change.path);
    }
    Ok(())
}

async fn clear(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let (sample, id) = made(ground, subject).await?;
    let path = free(sample)?;
    if sample.create.keys().any(|name| parse(name).is_ok_and(|key| key == path)) {
        return Err(Verdict::skipped("the first `free` attribute is part of each create"));
    }
    let path = Arc::new(path);
    for change in [Change::set(path.clone(), Value::text("to be cleared")), Change::unset(path.clone())] {
        ground.apply(&ground.operation(Action::Update, subject.name(), Some(&id), vec![change])).await?;
    }
    let have = read(ground, subject.name(), &id, &path).await?;
    demand!(have.is_none(), "`{path}` is still {have:?}");
    // Nothing to clear is no error.
    let again = ground.operation(Action::Update, subject.name(), Some(&id), vec![Change::unset(path)]);
    ground.apply(&again).await?;
    Ok(())
}

async fn single_values(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let (sample, id) = made(ground, subject).await?;
    let Some(many) = &sample.many else { return Err(Verdict::skipped("the sample names no `many`")) };
    let [first, second, third, ..] = many.values.as_slice() else {
        return Err(Verdict::failed("`many` of the sample needs three values"));
    };
    let path = Arc::new(parse(&many.attribute)?);
    let list = |values: &[&Value]| Value::List(values.iter().map(|value| (*value).clone()).collect());
    let steps = [
        (vec![(ChangeOp::Set, list(&[first, second]))], vec![first, second]),
        (vec![(ChangeOp::Add, list(&[third]))], vec![first, second, third]),
        // What is there is added, and what is not is removed, without harm.
        (vec![(ChangeOp::Add, list(&[third]))], vec![first, second, third]),
        (vec![(ChangeOp::Remove, list(&[second]))], vec![first, third]),
        (vec![(ChangeOp::Remove, list(&[second]))], vec![first, third]),
        (vec![(ChangeOp::Remove, list(&[first])), (ChangeOp::Add, list(&[second]))], vec![second, third]),
    ];
    for (changes, wanted) in steps {
        let told = format!("{changes:?}");
        let changes = changes.into_iter().map(|(op, value)| Change::new(path.clone(), op, value)).collect();
        let update = ground.operation(Action::Update, subject.name(), Some(&id), changes);
        if let Err(error) = ground.apply(&update).await {
            return Err(Verdict::Failed(format!("{told}: {error}")));
        }
        let have = read(ground, subject.name(), &id, &path).await?.unwrap_or_default();
        demand!(same(&have, &list(&wanted), true), "after {told} `{path}` is {have:?}, not {wanted:?}");
    }
    Ok(())
}

async fn switch(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let Some(switch) = subject.can()?.enablement.clone() else {
        return Err(Verdict::skipped("the connection does not switch accounts off"));
    };
    let (_, id) = made(ground, subject).await?;
    for action in [Action::Disable, Action::Disable, Action::Enable, Action::Disable] {
        let (value, other) = match action {
            Action::Disable => (&switch.off, &switch.on),
            _ => (&switch.on, &switch.off),
        };
        let change = Change::set(Arc::new(switch.path.clone()), value.clone());
        ground.apply(&ground.operation(action, subject.name(), Some(&id), vec![change])).await?;
        let have = read(ground, subject.name(), &id, &switch.path).await?;
        let is_so = have.as_ref().is_some_and(|have| same(have, value, false))
            // An account that is on may have no mark at all.
            || (action == Action::Enable && have.is_none());
        demand!(is_so, "after {action} `{}` is {have:?}, not {value:?} (the other is {other:?})", switch.path);
    }
    Ok(())
}

async fn delete(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    if !subject.can()?.delete {
        return Err(Verdict::skipped("the connection does not delete"));
    }
    let (_, id) = made(ground, subject).await?;
    let other = ground.make(subject.name()).await?;
    let remove = || ground.operation(Action::Delete, subject.name(), Some(&id), Vec::new());
    ground.apply(&remove()).await?;
    demand!(ground.get(subject.name(), &id).await?.is_none(), "`{id}` is still there by its id");
    let all = ground.all(subject.name()).await?;
    demand!(all.records.iter().all(|record| record.id != id), "`{id}` is still there in a full read");
    demand!(all.records.iter().any(|record| record.id == other), "`{other}` is gone, too");
    // That it is gone is what was asked for; a peer may say so as well.
    if let Err(error) = ground.apply(&remove()).await {
        demand!(error.code == ErrorCode::NotFound, "{:?}: {error}", error.code);
    }
    Ok(())
}

async fn update_nobody(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let (sample, id) = made(ground, subject).await?;
    if !subject.can()?.delete {
        return Err(Verdict::skipped("the connection does not delete"));
    }
    ground.apply(&ground.operation(Action::Delete, subject.name(), Some(&id), Vec::new())).await?;
    let change = Change::set(Arc::new(free(sample)?), Value::text("x"));
    let update = ground.operation(Action::Update, subject.name(), Some(&id), vec![change]);
    let Err(error) = ground.apply(&update).await else { return Err(Verdict::failed("nobody is updated")) };
    demand!(error.code == ErrorCode::NotFound, "{:?}: {error}", error.code);
    Ok(())
}

async fn batch(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let most = ground.capabilities().max_batch.min(7);
    if most < 3 {
        return Err(Verdict::skipped("the connection takes one operation at a time"));
    }
    let (sample, first) = made(ground, subject).await?;
    let mut operations = Vec::new();
    for _ in 1..most {
        operations.push(ground.draft(subject.name(), sample).await?);
    }
    let change = Change::set(Arc::new(free(sample)?), Value::text("x"));
    let bad = ground.operation(Action::Update, subject.name(), Some(&"no such id".into()), vec![change]);
    operations.insert(operations.len() / 2, bad.clone());
    let applied = ground.session.apply(&ground.cx(), &operations).await;
    demand!(applied.len() == operations.len(), "{} outcomes for {}", applied.len(), operations.len());
    for (operation, applied) in operations.iter().zip(&applied) {
        demand!(operation.id == applied.operation, "the outcomes are in another order");
        match &applied.outcome {
            provost_connector::Outcome::Done(done) => {
                demand!(operation.id != bad.id, "what is not there was changed");
                ground.note(&operation.class, &done.target_id);
                object(ground, subject.name(), &done.target_id).await?;
            }
            provost_connector::Outcome::Failed(error) => {
                demand!(operation.id == bad.id, "a good operation failed: {error}");
            }
        }
    }
    object(ground, subject.name(), &first).await?;
    Ok(())
}
