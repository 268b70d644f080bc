//! Faults between the connector and its peer: what is not known to be whole is not called whole, and what is not known to
//! be done is not called done.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use provost_connector::{ConnectorError, ErrorCode, ScanRequest, Session};
use provost_model::{Action, ObjectId, Operation};

use super::configuration::proxied;
use super::reading::same;
use super::{Case, Played, Subject, Verdict, case, demand};
use crate::ground::{Ground, parse};
use crate::proxy::{Conduct, Proxy};

const GROUP: &str = "faults";
/// Answers of one write that are lost in turn; more than any connector needs.
const MOST_TURNS: u64 = 24;
/// What a call to a silent peer may take at most when the caller waits `WAIT`.
const WAIT: Duration = Duration::from_secs(2);
/// Tries after an outage.
const TRIES: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) const CASES: &[Case] = &[
    case!(33, Standard, Read, "a read that is cut is never complete", cut_read),
    case!(65, Standard, Read, "a session outlives a peer that was away", outage),
    case!(67, Standard, Write, "a create whose answer is lost is not called done, nor called not done", lost_create),
    case!(68, Standard, Write, "a delete whose answer is lost neither", lost_delete),
    case!(70, Standard, Read, "a peer that says nothing is waited for no longer than asked", silence),
    case!(71, Standard, Read, "an answer without meaning is an error", garbled),
];

/// A session through a proxy.
async fn through(ground: &Ground<'_>) -> Result<(Proxy, Arc<dyn Session>), Verdict> {
    let (proxy, settings) = proxied(ground).await?;
    let session = ground.kit.connector.configure(settings, ground.kit.host.clone()).await?;
    session.schema(&ground.cx()).await?;
    Ok((proxy, session))
}

async fn cut_read(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    if let (Ok(sample), Ok(can)) = (subject.sample(), subject.can()) {
        // Something to be cut.
        for _ in 0..if can.create && !sample.create.is_empty() { 5 } else { 0 } {
            ground.make(subject.name()).await?;
        }
    }
    let (proxy, session) = through(ground).await?;
    let request = || ScanRequest { page_size: 3, ..ScanRequest::full(subject.name()) };
    proxy.behave(Conduct::Pass);
    let truth: BTreeSet<ObjectId> =
        ground.scan(&*session, request()).await?.records.into_iter().map(|record| record.id).collect();
    let bytes = proxy.bytes();
    for part in [1, 5, 20, 35, 50, 65, 80, 90, 97, 99] {
        proxy.behave(Conduct::CutAfter(bytes * part / 100));
        match ground.scan(&*session, request()).await {
            Err(error) => demand!(is_outage(&error), "cut at {part} %: {:?}: {error}", error.code),
            Ok(read) if read.gap().is_some() => {}
            // Cut behind the last byte that mattered.
            Ok(read) => {
                let ids: BTreeSet<ObjectId> = read.records.into_iter().map(|record| record.id).collect();
                demand!(ids == truth, "cut at {part} % it is called complete with {} of {}", ids.len(), truth.len());
            }
        }
    }
    Ok(())
}

fn is_outage(error: &ConnectorError) -> bool {
    matches!(error.code, ErrorCode::Unavailable | ErrorCode::Timeout | ErrorCode::Protocol | ErrorCode::Unreadable)
}

async fn outage(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let (proxy, session) = through(ground).await?;
    ground.scan(&*session, ScanRequest::full(subject.name())).await?;
    proxy.behave(Conduct::Refuse);
    let Err(error) = ground.scan(&*session, ScanRequest::full(subject.name())).await else {
        return Err(Verdict::failed("a peer that is away is read"));
    };
    demand!(error.code == ErrorCode::Unavailable, "{:?}: {error}", error.code);
    proxy.behave(Conduct::Pass);
    recovers(ground, subject, &*session).await
}

/// The peer is back: a read is complete, after a few tries at most, since a connection that broke shows only when it is used.
async fn recovers(ground: &Ground<'_>, subject: Subject<'_>, session: &dyn Session) -> Played {
    let mut tries = 0;
    loop {
        tries += 1;
        match ground.scan(session, ScanRequest::full(subject.name())).await {
            Ok(read) => match read.gap() {
                Some(gap) => return Err(Verdict::Failed(format!("afterwards a read is not complete: {gap}"))),
                None => return Ok(()),
            },
            Err(error) if is_outage(&error) && tries < TRIES => {}
            Err(error) => return Err(Verdict::Failed(format!("afterwards, try {tries}: {:?}: {error}", error.code))),
        }
    }
}

/// Plays the operation again and again, with the next answer lost each time, until nothing is lost any more. `holds` tells
/// whether the outcome may be so.
async fn lose_each(
    ground: &Ground<'_>,
    draft: impl AsyncFn() -> Result<Operation, Verdict>,
    holds: impl AsyncFn(&Operation, Result<ObjectId, ConnectorError>, u64) -> Played,
) -> Played {
    let (proxy, session) = through(ground).await?;
    for turn in 0..MOST_TURNS {
        let operation = draft().await?;
        proxy.behave(Conduct::LoseTurn(turn));
        let outcome = ground.apply_over(&*session, &operation).await;
        let struck = proxy.has_struck();
        proxy.behave(Conduct::Pass);
        holds(&operation, outcome, turn).await?;
        if !struck {
            return if turn == 0 { Err(Verdict::failed("a write needs no answer")) } else { Ok(()) };
        }
    }
    Err(Verdict::Failed(format!("one write needs more than {MOST_TURNS} answers")))
}

async fn lost_create(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let sample = subject.sample()?;
    let Some(key) = sample.key.as_deref().filter(|_| subject.class.is_some_and(|can| can.create)) else {
        return Err(Verdict::skipped("the sample names no key"));
    };
    let path = parse(key)?;
    let draft = async || Ok(ground.draft(subject.name(), sample).await?);
    lose_each(ground, draft, async |operation, outcome, turn| {
        let value = operation.changes.iter().find(|change| *change.path == path).map(|change| &change.value);
        let have = ground.all(subject.name()).await?;
        let twins: Vec<&ObjectId> = have
            .records
            .iter()
            .filter(|record| {
                path.read(&record.attributes).zip(value).is_some_and(|(have, value)| same(&have, value, true))
            })
            .map(|record| &record.id)
            .collect();
        twins.iter().for_each(|id| ground.note(&operation.class, id));
        demand!(twins.len() < 2, "with answer {turn} lost there are {} of it", twins.len());
        match outcome {
            Ok(id) => demand!(twins == [&id], "with answer {turn} lost `{id}` is called done, and is {twins:?}"),
            Err(error) if error.code == ErrorCode::UnknownOutcome => {}
            Err(error) => {
                demand!(is_outage(&error), "with answer {turn} lost: {:?}: {error}", error.code);
                let message = format!("{:?} says that nothing was done, and {twins:?} is there", error.code);
                demand!(twins.is_empty(), "with answer {turn} lost: {message}");
            }
        }
        Ok(())
    })
    .await
}

async fn lost_delete(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    if !subject.can()?.delete || !subject.can()?.create || subject.sample.is_none() {
        return Err(Verdict::skipped("the connection does not delete what it makes"));
    }
    let draft = async || {
        let id = ground.make(subject.name()).await?;
        Ok(ground.operation(Action::Delete, subject.name(), Some(&id), Vec::new()))
    };
    lose_each(ground, draft, async |operation, outcome, turn| {
        let Some(id) = &operation.target_id else { return Err(Verdict::failed("no id")) };
        let is_there = ground.get(subject.name(), id).await?.is_some();
        match outcome {
            Ok(_) => demand!(!is_there, "with answer {turn} lost it is called done, and `{id}` is there"),
            Err(error) if error.code == ErrorCode::UnknownOutcome => {}
            Err(error) => {
                demand!(is_outage(&error), "with answer {turn} lost: {:?}: {error}", error.code);
                demand!(is_there, "with answer {turn} lost: {:?} says that nothing was done", error.code);
            }
        }
        Ok(())
    })
    .await
}

async fn silence(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let (proxy, session) = through(ground).await?;
    proxy.behave(Conduct::Silence);
    let start = Instant::now();
    let asked = async {
        let cx = ground.cx().within(WAIT);
        let mut scan = session.scan(&cx, ScanRequest::full(subject.name())).await?;
        scan.next(&cx).await
    };
    let Ok(answer) = tokio::time::timeout(PATIENCE, asked).await else {
        return Err(Verdict::Failed(format!("after {PATIENCE:?} there is still no answer")));
    };
    let Err(error) = answer else { return Err(Verdict::failed("a peer that says nothing is read")) };
    let codes = [ErrorCode::Timeout, ErrorCode::Unavailable];
    demand!(codes.contains(&error.code), "after {:?}: {:?}: {error}", start.elapsed(), error.code);
    Ok(())
}

async fn garbled(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let (proxy, session) = through(ground).await?;
    proxy.behave(Conduct::Garble);
    match ground.scan_within(&*session, ScanRequest::full(subject.name()), WAIT).await {
        Err(error) => demand!(is_outage(&error), "{:?}: {error}", error.code),
        Ok(read) => demand!(read.gap().is_some(), "it is called complete with {} objects", read.records.len()),
    }
    proxy.behave(Conduct::Refuse);
    proxy.behave(Conduct::Pass);
    recovers(ground, subject, &*session).await
}
