//! A feed of changes loses nothing and says when it cannot go on.

use std::sync::Arc;

use provost_connector::{Cursor, ErrorCode, ScanMode, ScanRequest};
use provost_model::{Action, Change, ObjectId, Value};

use super::{Case, Played, Subject, Verdict, case, demand};
use crate::ground::{Ground, Read, parse};

const GROUP: &str = "changes";

pub(super) const CASES: &[Case] = &[
    case!(36, Standard, Changes, "what is made, changed and deleted appears after the cursor", appear),
    case!(37, Standard, Changes, "from the newest cursor on there is nothing", quiet),
    case!(38, Standard, Changes, "an older cursor tells the same once more", replay),
    case!(39, Standard, Changes, "a cursor without meaning is `cursor_expired`", garbage),
    case!(42, Standard, Changes, "what changes during a full read is not lost", meanwhile),
];

async fn since(ground: &Ground<'_>, class: &str, cursor: Option<Cursor>) -> Result<Read, Verdict> {
    let mode = ScanMode::Changes { cursor };
    let mut read = ground.scan(&*ground.session, ScanRequest { mode, ..ScanRequest::full(class) }).await?;
    // Piece by piece, where the feed gives it so.
    while read.end.more {
        let mode = ScanMode::Changes { cursor: read.end.cursor.clone() };
        let more = ground.scan(&*ground.session, ScanRequest { mode, ..ScanRequest::full(class) }).await?;
        read.records.extend(more.records);
        read.tombstones.extend(more.tombstones);
        read.end = more.end;
    }
    Ok(read)
}

async fn now(ground: &Ground<'_>, class: &str) -> Result<Cursor, Verdict> {
    let read = since(ground, class, None).await?;
    if !read.records.is_empty() || !read.tombstones.is_empty() {
        return Err(Verdict::failed("without a cursor it gives more than the newest cursor"));
    }
    read.end.cursor.ok_or_else(|| Verdict::failed("it gives no cursor"))
}

fn has(read: &Read, id: &ObjectId) -> bool {
    read.records.iter().any(|record| record.id == *id)
}

/// Somebody made, somebody changed, somebody deleted; in this order.
async fn stir(ground: &Ground<'_>, subject: Subject<'_>, cursor: &mut Cursor) -> Result<[ObjectId; 3], Verdict> {
    let sample = subject.sample()?;
    let can = subject.can()?;
    if !can.create || !can.update || !can.delete {
        return Err(Verdict::skipped("the connection does not write"));
    }
    let Some(free) = sample.free.first() else { return Err(Verdict::skipped("the sample names no `free` attribute")) };
    let (changed, deleted) = (ground.make(subject.name()).await?, ground.make(subject.name()).await?);
    *cursor = now(ground, subject.name()).await?;
    let made = ground.make(subject.name()).await?;
    let change = Change::set(Arc::new(parse(free)?), Value::text(format!("stirred {}", ground.next_number())));
    ground.apply(&ground.operation(Action::Update, subject.name(), Some(&changed), vec![change])).await?;
    ground.apply(&ground.operation(Action::Delete, subject.name(), Some(&deleted), Vec::new())).await?;
    Ok([made, changed, deleted])
}

async fn appear(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let mut cursor = Cursor(Default::default());
    let [made, changed, deleted] = stir(ground, subject, &mut cursor).await?;
    match since(ground, subject.name(), Some(cursor)).await {
        Ok(read) => {
            demand!(read.end.complete, "the feed was not read to its end: {:?}", read.end.reason);
            demand!(has(&read, &made), "who was made is missing");
            demand!(has(&read, &changed), "who was changed is missing");
            demand!(read.tombstones.contains(&deleted), "who was deleted is missing");
            demand!(!has(&read, &deleted), "who was deleted is told as if he were there");
            Ok(())
        }
        Err(verdict) => Err(verdict),
    }
}

async fn quiet(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let cursor = now(ground, subject.name()).await?;
    let read = since(ground, subject.name(), Some(cursor)).await?;
    demand!(read.end.complete, "the feed was not read to its end: {:?}", read.end.reason);
    demand!(read.records.is_empty() && read.tombstones.is_empty(), "{} changes", read.received);
    demand!(read.end.cursor.is_some(), "it gives no cursor");
    Ok(())
}

async fn replay(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let mut cursor = Cursor(Default::default());
    let ids = stir(ground, subject, &mut cursor).await?;
    let first = since(ground, subject.name(), Some(cursor.clone())).await?;
    let second = since(ground, subject.name(), Some(cursor)).await?;
    for id in &ids {
        let of = |read: &Read| {
            let record = read.records.iter().rfind(|record| record.id == *id).map(|record| record.attributes.clone());
            (record, read.tombstones.contains(id))
        };
        demand!(of(&first) == of(&second), "`{id}`: {:?}, and the second time {:?}", of(&first), of(&second));
    }
    Ok(())
}

async fn garbage(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    for text in ["", "garbage", "999999999999999999999999", "{\"a\":1}", "2999-01-01T00:00:00Z"] {
        let mode = ScanMode::Changes { cursor: Some(Cursor(text.into())) };
        let read = ground.scan(&*ground.session, ScanRequest { mode, ..ScanRequest::full(subject.name()) }).await;
        match read {
            Ok(_) => return Err(Verdict::Failed(format!("the cursor {text:?} is taken"))),
            Err(error) => demand!(error.code == ErrorCode::CursorExpired, "{text:?}: {:?}: {error}", error.code),
        }
    }
    Ok(())
}

/// The cursor first, then the full read, then the changes: whoever changes in between is in one of them.
async fn meanwhile(ground: &Ground<'_>, subject: Subject<'_>) -> Played {
    let sample = subject.sample()?;
    if !subject.can()?.create {
        return Err(Verdict::skipped("the connection does not write"));
    }
    let cursor = now(ground, subject.name()).await?;
    let cx = ground.cx();
    let request = ScanRequest { page_size: 1, ..ScanRequest::full(subject.name()) };
    let mut scan = ground.session.scan(&cx, request).await?;
    let mut seen: Vec<ObjectId> = Vec::new();
    let mut made = None;
    loop {
        let page = scan.next(&cx).await?;
        seen.extend(page.items.iter().map(|item| item.id().clone()));
        if page.end.is_some() {
            break;
        }
        if made.is_none() {
            let draft = ground.draft(subject.name(), sample).await?;
            made = Some(ground.apply(&draft).await?);
        }
    }
    let Some(made) = made else { return Err(Verdict::skipped("there is only one page")) };
    let read = since(ground, subject.name(), Some(cursor)).await?;
    demand!(seen.contains(&made) || has(&read, &made), "`{made}` is in neither");
    Ok(())
}
