//! What is older than it is kept, and what stays all the same; exceptions from guards.

use provost_store::prune::{Cut, Old};
use provost_store::{
    CycleKind, CycleRow, CycleStatus, EventQuery, EventStatus, ExceptionRow, PushOperationRow, PushRequestRow,
    ResourceRow, Store,
};

use crate::{Place, event, job, link};

crate::on_both!(
    old_events_go_by_the_page,
    discarded_ones_go_earlier,
    pushes_go_once_read,
    tombstones_go_by_the_page,
    exceptions,
);

fn cycle(id: &str, status: CycleStatus, started: i64) -> CycleRow {
    CycleRow {
        id: id.into(),
        job: job(),
        kind: CycleKind::Incremental,
        status,
        started,
        finished: None,
        rulebook: None,
        summary: "{}".into(),
        note: None,
        cursors: Default::default(),
    }
}

/// Events of a cycle, each a millisecond after the one before; their numbers.
async fn write(store: &Store, row: CycleRow, count: usize, status: EventStatus) -> Vec<i64> {
    let mut events: Vec<_> = (0..count).map(|number| event(number, status)).collect();
    for (event, created) in events.iter_mut().zip(row.started..) {
        (event.cycle, event.created) = (row.id.clone(), created);
    }
    let mut tx = store.begin().await.unwrap();
    tx.save_cycle(&row).await.unwrap();
    tx.append_events(&mut events).await.unwrap();
    tx.commit().await.unwrap();
    events.iter().map(|event| event.seq).collect()
}

/// Walks to the end; what went in each page.
async fn walk(store: &Store, cut: &Cut, limit: i64, dry: bool) -> Vec<u64> {
    let (mut after, mut counts) = (0, Vec::new());
    while let Some(page) = store.prune_events(cut, after, limit, dry).await.unwrap() {
        assert!(page.last > after);
        after = page.last;
        counts.push(page.count);
    }
    counts
}

async fn left(store: &Store, id: &str) -> usize {
    let query = EventQuery { cycle: Some(id.into()), limit: 1_000, ..EventQuery::default() };
    store.events(&query).await.unwrap().len()
}

async fn old_events_go_by_the_page(place: Place) {
    let store = &place.store;
    assert_eq!(store.size().await.unwrap().log_since, None);
    let first = write(store, cycle("c1", CycleStatus::Done, 1_000), 25, EventStatus::Done).await;
    write(store, cycle("held", CycleStatus::Held, 1_100), 6, EventStatus::Held).await;
    write(store, cycle("held", CycleStatus::Held, 1_110), 4, EventStatus::Done).await;
    write(store, cycle("plan", CycleStatus::Planned, 1_200), 5, EventStatus::Planned).await;
    write(store, cycle("runs", CycleStatus::Running, 1_300), 5, EventStatus::Done).await;
    write(store, cycle("c2", CycleStatus::Done, 1_400), 10, EventStatus::Failed).await;
    write(store, cycle("c3", CycleStatus::Done, 2_000), 10, EventStatus::Done).await;
    // One account has had nothing since its create.
    let mut tx = store.begin().await.unwrap();
    tx.save_links(&[provost_store::LinkRow { event: Some(first[7]), ..link(7) }]).await.unwrap();
    tx.commit().await.unwrap();

    let size = store.size().await.unwrap();
    assert!(size.bytes > 10_000 && size.free_bytes.is_none_or(|free| free < size.bytes), "{size:?}");
    assert_eq!(size.log_since, Some(1_000));
    let cut = store.cut(Old::Any, 2_000).await.unwrap();
    let counted = walk(store, &cut, 10, true).await;
    assert_eq!((counted.iter().sum::<u64>(), counted.len()), (34, 6), "{counted:?}");
    assert_eq!(left(store, "c1").await, 25, "a dry run deletes nothing");
    let gone = walk(store, &cut, 10, false).await;
    assert_eq!(gone, counted);
    for (id, expected) in [("c1", 1), ("held", 10), ("plan", 5), ("runs", 5), ("c2", 0), ("c3", 10)] {
        assert_eq!(left(store, id).await, expected, "{id}");
    }
    assert_eq!(walk(store, &cut, 10, false).await.iter().sum::<u64>(), 0);

    // Of the second cycle nothing is left, neither its place in the log nor itself.
    assert_eq!(store.prune_spans(i64::MAX, 100).await.unwrap(), 1);
    assert_eq!(store.prune_cycles(2_000, 100).await.unwrap(), 1);
    assert!(store.cycle("c2").await.unwrap().is_none());
    assert!(store.cycle("c1").await.unwrap().is_some());
    assert_eq!(store.pruned_before().await.unwrap(), None);
    for (before, expected) in [(2_000, 2_000), (1_500, 2_000), (2_500, 2_500)] {
        store.note_pruned(before).await.unwrap();
        assert_eq!(store.pruned_before().await.unwrap(), Some(expected));
    }
}

async fn discarded_ones_go_earlier(place: Place) {
    let store = &place.store;
    write(store, cycle("c1", CycleStatus::Done, 1_000), 10, EventStatus::Done).await;
    write(store, cycle("given up", CycleStatus::Discarded, 1_100), 10, EventStatus::Discarded).await;
    write(store, cycle("late", CycleStatus::Discarded, 2_000), 10, EventStatus::Discarded).await;
    let cut = store.cut(Old::Discarded, 2_000).await.unwrap();
    assert_eq!(walk(store, &cut, 7, false).await.iter().sum::<u64>(), 10);
    for (id, expected) in [("c1", 10), ("given up", 0), ("late", 10)] {
        assert_eq!(left(store, id).await, expected, "{id}");
    }
}

async fn pushes_go_once_read(place: Place) {
    let store = &place.store;
    let operation = |seq: i64, created: i64| PushOperationRow {
        seq,
        job: job(),
        bulk_id: format!("b{seq}").into(),
        digest: String::new(),
        connection: "hr".into(),
        class: "User".into(),
        source_id: "p".into(),
        method: "POST".into(),
        created,
        body: None,
    };
    let mut tx = store.begin().await.unwrap();
    for (id, numbers, created) in [("r1", 1..6, 1_000), ("r2", 6..9, 2_000)] {
        let rows: Vec<_> = numbers.map(|seq| operation(seq, created)).collect();
        let request =
            PushRequestRow { id: id.into(), job: job(), created, client: "feed".into(), operations: "[]".into() };
        tx.add_push(&request, &rows).await.unwrap();
    }
    tx.commit().await.unwrap();
    let (hr, user) = ("hr".into(), "User".into());
    let prune = |through, before, limit, dry| store.prune_pushed(&hr, &user, through, before, limit, dry);
    assert_eq!(prune(4, 2_000, 100, true).await.unwrap(), 4);
    assert_eq!(prune(4, 2_000, 3, false).await.unwrap(), 3);
    assert_eq!(prune(4, 2_000, 3, false).await.unwrap(), 1);
    assert_eq!(prune(4, 2_000, 3, false).await.unwrap(), 0, "nobody has read the fifth");
    // The newest stays: it says how far the feed has come.
    assert_eq!(prune(8, 9_000, 100, false).await.unwrap(), 3);
    assert_eq!(store.push_last("hr", "User").await.unwrap(), 8);
    assert_eq!(store.prune_push_requests(2_000, 100, true).await.unwrap(), 1);
    assert_eq!(store.prune_push_requests(2_000, 100, false).await.unwrap(), 1);
    assert!(store.push_request(&job(), "r2").await.unwrap().is_some());
}

async fn tombstones_go_by_the_page(place: Place) {
    let store = &place.store;
    let row = |kind: &str, number: i64, deleted: Option<i64>| ResourceRow {
        kind: kind.into(),
        id: format!("r{number}").as_str().into(),
        seq: 0,
        version: 2,
        name_key: deleted.map_or_else(|| format!("name{number}"), |_| String::new()),
        external_id: None,
        manager: None,
        created: 0,
        modified: 0,
        deleted,
        body: String::new(),
    };
    // Numbers 1 to 10; every other is deleted, each later than the one before.
    let mut rows: Vec<_> = (1..=10).map(|at| row("User", at, (at % 2 == 0).then_some(at * 100))).collect();
    rows.push(row("Group", 11, Some(100)));
    let mut tx = store.begin().await.unwrap();
    tx.insert_resources(&mut rows).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.tombstone_kinds().await.unwrap(), ["Group", "User"]);
    let last = |through, before| store.last_tombstone("User", through, before);
    assert_eq!(last(i64::MAX, 700).await.unwrap(), Some(6));
    assert_eq!(last(5, 700).await.unwrap(), Some(4), "somebody has read up to 5 only");
    assert_eq!(last(1, 700).await.unwrap(), None);
    let prune = |through, limit, dry| store.prune_tombstones("User", through, 700, limit, dry);
    assert_eq!(prune(6, 100, true).await.unwrap(), 3);
    assert_eq!(prune(6, 2, false).await.unwrap(), 2);
    assert_eq!(prune(6, 2, false).await.unwrap(), 1);
    assert_eq!(prune(6, 2, false).await.unwrap(), 0);
    let left: Vec<i64> = store.resource_changes("User", 0, 100).await.unwrap().iter().map(|row| row.seq).collect();
    assert_eq!(left, [1, 3, 5, 7, 8, 9, 10], "neither the living nor the young");
    assert_eq!(store.feed_begin("User").await.unwrap(), 0);
    for (through, expected) in [(6, 6), (4, 6), (8, 8)] {
        store.note_feed_begin("User", through).await.unwrap();
        assert_eq!(store.feed_begin("User").await.unwrap(), expected);
    }
    assert_eq!(store.feed_begin("Group").await.unwrap(), 0);
}

async fn exceptions(place: Place) {
    let store = &place.store;
    let row = |guard: &str, class: &str| ExceptionRow {
        job: job(),
        guard: guard.into(),
        class: class.into(),
        operations: 10,
        linked: 40,
        limits: "{}".into(),
        plan: "c1".into(),
        granted_by: Some("ada\0".into()),
        created: 7,
    };
    let rows = [row("delete", "User"), row("leavers", "")];
    let mut tx = store.begin().await.unwrap();
    tx.save_exceptions(&rows).await.unwrap();
    tx.save_exceptions(&[ExceptionRow { operations: 11, ..row("leavers", "") }]).await.unwrap();
    tx.commit().await.unwrap();
    let found = store.exceptions(Some(job().as_str())).await.unwrap();
    assert_eq!(found.iter().map(|row| row.operations).collect::<Vec<_>>(), [10, 11]);
    assert_eq!(found[0].granted_by.as_deref(), Some("ada\u{fffd}"));
    assert!(store.exceptions(Some("another")).await.unwrap().is_empty());
    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.end_exceptions(&job(), Some(&rows[0])).await.unwrap(), 1);
    assert_eq!(tx.end_exceptions(&job(), None).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert!(store.exceptions(None).await.unwrap().is_empty());
}
