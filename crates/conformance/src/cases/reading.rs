//! Reads are whole and exact, or say that they are not.

use std::collections::BTreeSet;
use std::time::Duration;

use provost_connector::{Context, ErrorCode, FindRequest, LookupRequest, ScanRequest};
use provost_model::{Filter, ObjectId, Record, Value};

use super::{Case, Played, Subject, Verdict, case, demand};
use crate::ground::{Ground, Read, parse};

const GROUP: &str = "reading";
/// Objects that single reads are tried with.
const SOME: usize = 20;

pub(super) const CASES: &[Case] = &[
    case!(32, Basic, Read, "a full read says that it is complete, and counts what it gave", complete),
    case!(24, Basic, Read, "an object by its id is the one that was read", by_id),
    case!(25, Basic, Read, "an unknown id is nobody", nobody),
    case!(26, Basic, Read, "only the attributes that were asked for, or more", selection),
    case!(27, Basic, Read, "objects are found by what can be looked up", look_up),
    case!(28, Basic, Read, "a filter is exact, or refused", filters),
    case!(29, Basic, Read, "pages of any size lose and repeat nobody", pages),
    case!(30, Basic, Read, "what nobody has finds nobody", nothing),
    case!(31, Basic, Read, "the count agrees with the read", count),
    case!(7, Basic, Read, "a read that is cancelled is not complete", cancelled),
    case!(8, Basic, Read, "a deadline that has passed ends a read", late),
];

async fn whole(ground: &Ground<'_>, subject: Subject<'_>) -> Result<Read, Verdict> {
    let read = ground.all(subject.name()).await?;
    if let Some(gap) = read.gap() {
        return Err(Verdict::Failed(format!("the read is not complete: {gap}")));
    }
    Ok(read)
}

async fn complete(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let read = whole(ground, subject).await?;
    let ids: BTreeSet<&ObjectId> = read.records.iter().map(|record| &record.id).collect();
    demand!(ids.len() == read.records.len(), "{} objects share {} ids", read.records.len(), ids.len());
    demand!(read.tombstones.is_empty(), "a full read tells of objects that are gone");
    demand!(ids.iter().all(|id| !id.is_empty()), "an object has no id");
    Ok(())
}

async fn by_id(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    for record in whole(ground, subject).await?.records.into_iter().take(SOME) {
        let Some(got) = ground.get(subject.name(), &record.id).await? else {
            return Err(Verdict::Failed(format!("`{}` was read and is nobody by its id", record.id)));
        };
        demand!(got.id == record.id, "asked for `{}`, got `{}`", record.id, got.id);
        for (name, value) in record.attributes.iter() {
            let have = got.attributes.find(name);
            let is_same = have.is_some_and(|have| same(have, value, true));
            demand!(
                is_same || value.is_unassigned(),
                "`{name}` of `{}`: {value:?} in the read, {have:?} by its id",
                record.id
            );
        }
    }
    Ok(())
}

async fn nobody(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let ids = ["00000000-0000-4000-8000-000000000000", "no such id", "*", "' or ''='", "../..", "x)(objectClass=*"];
    for id in ids {
        match ground.get(subject.name(), &id.into()).await {
            Ok(None) => {}
            Ok(Some(record)) => return Err(Verdict::Failed(format!("`{id}` is `{}`", record.id))),
            // A text that cannot be an id may be refused as such.
            Err(error) => demand!(
                matches!(error.code, ErrorCode::InvalidValue | ErrorCode::NotSupported | ErrorCode::NotFound),
                "`{id}`: {:?}: {error}",
                error.code
            ),
        }
    }
    Ok(())
}

async fn selection(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let all = whole(ground, subject).await?;
    let named = |record: &Record| record.attributes.iter().map(|(name, _)| name.to_owned()).next();
    let Some(name) = all.records.iter().find_map(named) else { return Err(Verdict::skipped("there is no object")) };
    let request = ScanRequest { attributes: Some(vec![name.as_str().into()]), ..ScanRequest::full(subject.name()) };
    let part = ground.scan(&*ground.session, request).await?;
    demand!(part.gap().is_none(), "the read of `{name}` alone is not complete");
    for record in &part.records {
        let Some(before) = all.records.iter().find(|other| other.id == record.id) else { continue };
        let (had, have) = (before.attributes.find(&name), record.attributes.find(&name));
        demand!(had.is_some() == have.is_some(), "`{name}` of `{}`: {had:?}, alone {have:?}", record.id);
    }
    for sensitive in ground.class(subject.name()).iter().flat_map(|class| &class.attributes) {
        if sensitive.mutability == provost_model::Mutability::WriteOnly {
            let shown = all.records.iter().find(|record| record.attributes.find(&sensitive.name).is_some());
            demand!(shown.is_none(), "`{}` is write-only, and read", sensitive.name);
        }
    }
    Ok(())
}

async fn look_up(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let can = subject.can()?;
    if can.lookup.is_empty() {
        return Err(Verdict::skipped("nothing can be looked up"));
    }
    let all = whole(ground, subject).await?;
    let Some(schema) = ground.class(subject.name()) else { return Err(Verdict::failed("no such class")) };
    let key = subject.sample.and_then(|sample| sample.key.clone());
    let names = can.lookup.iter().filter(|name| *name != "*").map(ToString::to_string).chain(key);
    for name in names {
        let path = parse(&name)?;
        let exact = schema.resolve(&path).is_some_and(|attribute| attribute.case_exact);
        let having = |record: &Record| path.get(&record.attributes).and_then(Value::as_text).map(str::to_owned);
        let texts: Vec<String> = all.records.iter().filter_map(having).take(SOME).collect();
        let most = ground.capabilities().max_lookup;
        for chunk in texts.chunks(most.max(1)) {
            let mut asked: Vec<String> = chunk.to_vec();
            if !exact && most > 1 {
                asked.truncate(most.div_ceil(2));
                asked.extend(asked.clone().iter().map(|text| text.to_uppercase()));
            }
            let values: Vec<Value> = asked.iter().map(Value::text).collect();
            let request = LookupRequest { class: subject.name().into(), path: path.clone(), values };
            let found = ground.session.lookup(&ground.cx(), request).await?;
            demand!(found.len() == asked.len(), "{} answers to {} questions", found.len(), asked.len());
            for (text, found) in asked.iter().zip(&found) {
                demand!(!found.is_empty(), "nobody is found by {name} `{text}`");
                let other = found.iter().find(|record| {
                    let values = path.values(&record.attributes);
                    !values.iter().any(|value| same(value, &Value::text(text), exact))
                });
                demand!(other.is_none(), "{name} `{text}` finds {other:?}");
            }
        }
    }
    Ok(())
}

/// Each operator over a text that some object has, against the same question asked of the full read.
async fn filters(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let sample = subject.sample()?;
    let all = whole(ground, subject).await?;
    let Some(schema) = ground.class(subject.name()) else { return Err(Verdict::failed("no such class")) };
    let mut answered = 0;
    for name in sample.key.iter().chain(&sample.free) {
        let path = parse(name)?;
        let exact = schema.resolve(&path).is_some_and(|attribute| attribute.case_exact);
        let text = |record: &Record| path.get(&record.attributes).and_then(Value::as_text).map(str::to_owned);
        let Some(some) = all.records.iter().find_map(text).filter(|text| text.chars().count() > 2) else { continue };
        let fold = |text: &str| if exact { text.to_owned() } else { text.to_lowercase() };
        let middle: String = some.chars().skip(1).take(2).collect();
        let begin: String = some.chars().take(2).collect();
        let end: String = some.chars().skip(some.chars().count() - 2).collect();
        let wanted = |holds: &dyn Fn(&str) -> bool| -> BTreeSet<ObjectId> {
            let does = |record: &&Record| {
                let values = path.values(&record.attributes);
                values.iter().filter_map(|value| value.as_text()).any(|have| holds(&fold(have)))
            };
            all.records.iter().filter(does).map(|record| record.id.clone()).collect()
        };
        let quoted = |text: &str| Value::text(text).to_json().to_string();
        let everybody: BTreeSet<ObjectId> = all.records.iter().map(|record| record.id.clone()).collect();
        let has = wanted(&|_| true);
        let cases = [
            (format!("{name} eq {}", quoted(&some)), wanted(&|have| have == fold(&some))),
            (format!("{name} co {}", quoted(&middle)), wanted(&|have| have.contains(&fold(&middle)))),
            (format!("{name} sw {}", quoted(&begin)), wanted(&|have| have.starts_with(&fold(&begin)))),
            (format!("{name} ew {}", quoted(&end)), wanted(&|have| have.ends_with(&fold(&end)))),
            (format!("{name} pr"), has.clone()),
            (format!("not ({name} pr)"), everybody.difference(&has).cloned().collect()),
            (format!("{name} eq {} or {name} pr", quoted("nobody has this")), has.clone()),
            (format!("{name} pr and {name} eq {}", quoted(&some)), wanted(&|have| have == fold(&some))),
        ];
        for (text, wanted) in cases {
            let Ok(filter) = text.parse::<Filter>() else { return Err(Verdict::failed(format!("bad filter {text}"))) };
            let mut found = BTreeSet::new();
            let mut request = FindRequest::new(subject.name(), filter);
            let refused = loop {
                match ground.session.find(&ground.cx(), request.clone()).await {
                    Ok(page) => {
                        found.extend(page.records.into_iter().map(|record| record.id));
                        request.cursor = page.next;
                    }
                    Err(error) if error.code == ErrorCode::NotSupported => break true,
                    Err(error) => return Err(Verdict::Failed(format!("`{text}`: {:?}: {error}", error.code))),
                }
                if request.cursor.is_none() {
                    break false;
                }
            };
            if !refused {
                answered += 1;
                let (more, less) = (found.difference(&wanted).next(), wanted.difference(&found).next());
                demand!(more.is_none() && less.is_none(), "`{text}` finds {more:?} too many, misses {less:?}");
            }
        }
    }
    if answered == 0 {
        return Err(Verdict::skipped("the connection takes no filter"));
    }
    Ok(())
}

async fn pages(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let all = whole(ground, subject).await?;
    let ids: BTreeSet<ObjectId> = all.records.into_iter().map(|record| record.id).collect();
    for page_size in [1, 2, 7, 100_000] {
        if ids.len() / page_size > 500 {
            continue;
        }
        let read =
            ground.scan(&*ground.session, ScanRequest { page_size, ..ScanRequest::full(subject.name()) }).await?;
        demand!(read.gap().is_none(), "by pages of {page_size} the read is not complete");
        let got: BTreeSet<ObjectId> = read.records.iter().map(|record| record.id.clone()).collect();
        demand!(got.len() == read.records.len(), "pages of {page_size} repeat somebody");
        demand!(got == ids, "pages of {page_size} give {} objects, not {}", got.len(), ids.len());
    }
    Ok(())
}

async fn nothing(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let sample = subject.sample()?;
    let Some(key) = &sample.key else { return Err(Verdict::skipped("the sample names no key")) };
    for text in
        ["nobody has this", "*", "\" or id pr or id eq \"", "' or 1=1 --", "x)(uid=*", "a\\2a", "%", "_", "\u{202e}"]
    {
        let request = FindRequest::new(subject.name(), Filter::eq(parse(key)?, Value::text(text)));
        match ground.session.find(&ground.cx(), request).await {
            Ok(page) => demand!(page.records.is_empty(), "`{text}` finds `{}`", page.records[0].id),
            Err(error) => demand!(
                matches!(error.code, ErrorCode::NotSupported | ErrorCode::InvalidValue),
                "`{text}`: {:?}: {error}",
                error.code
            ),
        }
    }
    Ok(())
}

async fn count(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    if !subject.can()?.count {
        return Err(Verdict::skipped("the connection does not count"));
    }
    let read = whole(ground, subject).await?;
    let count = ground.session.count(&ground.cx(), subject.name()).await?;
    demand!(count == read.end.count, "it counts {count} and reads {}", read.end.count);
    Ok(())
}

async fn cancelled(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let cx = Context::new("kit").child();
    let request = ScanRequest { page_size: 1, ..ScanRequest::full(subject.name()) };
    let mut scan = ground.session.scan(&cx, request).await?;
    cx.cancel.cancel();
    loop {
        match scan.next(&cx).await {
            Ok(page) => match page.end {
                // One page may have been under way.
                Some(end) if end.complete && end.count > 1 => {
                    return Err(Verdict::failed("the read went on to its end"));
                }
                Some(_) => return Ok(()),
                None => {}
            },
            Err(error) => {
                demand!(error.code == ErrorCode::Cancelled, "{:?}: {error}", error.code);
                return Ok(());
            }
        }
    }
}

async fn late(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let cx = Context::new("kit").within(Duration::ZERO);
    let session = &*ground.session;
    let error = match session.scan(&cx, ScanRequest::full(subject.name())).await {
        Err(error) => Some(error),
        Ok(mut scan) => scan.next(&cx).await.err(),
    };
    let Some(error) = error else { return Err(Verdict::failed("a page was read after the deadline")) };
    demand!(error.code == ErrorCode::Timeout, "{:?}: {error}", error.code);
    Ok(())
}

/// Whether two values say the same: the order of several values says nothing, a number may come as text.
pub(super) fn same(one: &Value, other: &Value, exact: bool) -> bool {
    let fold = |value: &Value| {
        let text = match value {
            Value::Reference(reference) => reference.id.to_string(),
            value => value.to_text().map_or_else(|| value.to_json().to_string(), |text| text.into_owned()),
        };
        if exact { text } else { text.to_lowercase() }
    };
    let sorted = |value: &Value| {
        let mut texts: Vec<String> = value.elements().iter().map(fold).collect();
        texts.sort();
        texts
    };
    sorted(one) == sorted(other)
}
