//! Events: numbers, outcomes, queries.

use provost_model::Code;
use provost_store::{EventOutcome, EventQuery, EventStatus, Store};

use crate::{Place, event};

crate::on_both!(numbers_and_round_trip, numbers_follow_commits, outcomes_replace_intentions, queries, discarding);

async fn append(store: &Store, count: usize, status: EventStatus) -> Vec<provost_store::EventRow> {
    let mut events: Vec<_> = (0..count).map(|number| event(number, status)).collect();
    let mut tx = store.begin().await.unwrap();
    tx.append_events(&mut events).await.unwrap();
    tx.append_events(&mut []).await.unwrap();
    tx.commit().await.unwrap();
    events
}

async fn numbers_and_round_trip(place: Place) {
    let events = append(&place.store, 2_500, EventStatus::Planned).await;
    assert!(events.iter().map(|event| event.seq).eq(1..=2_500));
    let query = EventQuery { newest_first: false, limit: 10_000, ..EventQuery::default() };
    assert_eq!(place.store.events(&query).await.unwrap(), events);
    let more = append(&place.store, 2, EventStatus::Done).await;
    assert!(more.iter().map(|event| event.seq).eq(2_501..=2_502));
}

/// Whoever polls for what is after the last number it saw must not miss any.
async fn numbers_follow_commits(place: Place) {
    let writers: Vec<_> = (0..6)
        .map(|_| place.store.clone())
        .map(|store| {
            tokio::spawn(async move {
                for size in 1..=20 {
                    append(&store, size, EventStatus::Done).await;
                }
            })
        })
        .collect();
    let total: i64 = 6 * (1..=20).sum::<i64>();
    let (mut seen, mut last) = (0, 0);
    while last < total {
        let query = EventQuery { after_seq: Some(last), newest_first: false, limit: 10_000, ..EventQuery::default() };
        for event in place.store.events(&query).await.unwrap() {
            assert_eq!(event.seq, last + 1, "a number became visible after a later one");
            last = event.seq;
            seen += 1;
        }
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(seen, total);
}

async fn outcomes_replace_intentions(place: Place) {
    let mut events = append(&place.store, 1_500, EventStatus::Planned).await;
    let outcomes: Vec<_> = events[..1_100]
        .iter()
        .map(|event| EventOutcome {
            seq: event.seq,
            status: if event.seq % 10 == 0 { EventStatus::Failed } else { EventStatus::Done },
            code: (event.seq % 10 == 0).then(|| Code::new("PRV-0301")),
            target_id: (event.seq % 10 != 0).then(|| format!("t{}", event.seq).into()),
            detail: None,
            finished: 9_000 + event.seq,
            duration_ms: 12,
        })
        .collect();
    let mut tx = place.store.begin().await.unwrap();
    assert_eq!(tx.finish_events(&outcomes).await.unwrap(), 1_100);
    assert_eq!(tx.finish_events(&[EventOutcome { seq: 99_999, ..outcomes[0].clone() }]).await.unwrap(), 0);
    tx.commit().await.unwrap();

    for (event, outcome) in events.iter_mut().zip(&outcomes) {
        event.status = outcome.status;
        event.code = outcome.code.as_ref().map(|code| code.as_str().into());
        event.target_id = outcome.target_id.clone();
        event.finished = Some(outcome.finished);
        event.duration_ms = 12;
    }
    let query = EventQuery { newest_first: false, limit: 10_000, ..EventQuery::default() };
    assert_eq!(place.store.events(&query).await.unwrap(), events);

    let open = place.store.open_events("c1", 1_150, 100).await.unwrap();
    assert_eq!(open, events[1_150..1_250]);
    let counts = place.store.event_counts("c1").await.unwrap();
    let counts: Vec<_> = counts.iter().map(|count| (count.action.as_str(), count.status, count.count)).collect();
    assert_eq!(
        counts,
        [
            ("create", EventStatus::Done, 990),
            ("create", EventStatus::Failed, 110),
            ("create", EventStatus::Planned, 400)
        ]
    );
}

async fn queries(place: Place) {
    let mut events: Vec<_> = (0..40)
        .map(|number| {
            let status = if number % 4 == 0 { EventStatus::Failed } else { EventStatus::Done };
            let mut event = event(number % 10, status);
            event.created = number as i64;
            event.job = if number < 20 { "one" } else { "two" }.into();
            event.cycle = format!("c{}", number / 10).into();
            event.action = if number % 2 == 0 { "update" } else { "delete" }.into();
            event.detail = (number == 3).then(|| "{\"nul\":\"\\u0000\"}".to_owned());
            event
        })
        .collect();
    let mut tx = place.store.begin().await.unwrap();
    tx.append_events(&mut events).await.unwrap();
    tx.commit().await.unwrap();

    let all = EventQuery { limit: 1_000, ..EventQuery::default() };
    for (query, expected) in [
        (all.clone(), 40),
        (EventQuery { limit: 7, ..all.clone() }, 7),
        (EventQuery { job: Some("one".into()), ..all.clone() }, 20),
        (EventQuery { cycle: Some("c3".into()), ..all.clone() }, 10),
        (EventQuery { job: Some("two".into()), source_id: Some("u000003".into()), ..all.clone() }, 2),
        (EventQuery { action: Some("delete".into()), ..all.clone() }, 20),
        (EventQuery { job: Some("one".into()), status: Some(EventStatus::Failed), ..all.clone() }, 5),
        (EventQuery { since: Some(10), until: Some(12), ..all.clone() }, 2),
        (EventQuery { after_seq: Some(10), before_seq: Some(15), ..all.clone() }, 4),
        (EventQuery { job: Some("o' or '1'='1".into()), ..all.clone() }, 0),
    ] {
        let found = place.store.events(&query).await.unwrap();
        assert_eq!(found.len(), expected, "{query:?}");
        assert!(found.is_sorted_by_key(|event| -event.seq), "{query:?}");
    }
    let third = place.store.events(&EventQuery { after_seq: Some(3), before_seq: Some(5), ..all }).await.unwrap();
    assert_eq!(third, events[3..4]);
}

async fn discarding(place: Place) {
    append(&place.store, 10, EventStatus::Held).await;
    append(&place.store, 10, EventStatus::Done).await;
    let mut tx = place.store.begin().await.unwrap();
    assert_eq!(tx.discard_events("c1").await.unwrap(), 10);
    tx.commit().await.unwrap();
    assert_eq!(place.store.open_events("c1", 0, 100).await.unwrap(), []);
    let left = place.store.events(&EventQuery { status: Some(EventStatus::Discarded), ..EventQuery::default() }).await;
    assert_eq!(left.unwrap().len(), 10);
}
