//! What is pushed: numbers in the order of commits, objects as the last operation left them, and which cycle read how far.

use provost_model::ClassName;
use provost_store::{CycleKind, CycleRow, CycleStatus, PushOperationRow, PushRecordRow, PushRequestRow, Store};

use crate::{Place, event, job};

crate::on_both!(operations_and_objects, two_who_push_wait_for_each_other, cycles_by_how_far_they_read);

fn operation(seq: i64, id: usize) -> PushOperationRow {
    PushOperationRow {
        seq,
        job: job(),
        bulk_id: format!("b{seq}").into(),
        digest: format!("{seq:032x}"),
        connection: "hr".into(),
        class: "User".into(),
        source_id: format!("p{id:04}").into(),
        method: "POST".into(),
        created: 1_000,
        body: Some(format!(r#"{{"n":{seq}}}"#)),
    }
}

fn record(operation: &PushOperationRow) -> PushRecordRow {
    PushRecordRow {
        connection: operation.connection.clone(),
        class: operation.class.clone(),
        source_id: operation.source_id.clone(),
        seq: operation.seq,
        body: operation.body.clone().unwrap(),
    }
}

fn request(id: &str) -> PushRequestRow {
    PushRequestRow { id: id.into(), job: job(), created: 1_000, client: "feed\0".into(), operations: "[]".into() }
}

/// Pushes operations on these people; their rows.
async fn push(store: &Store, id: &str, people: &[usize]) -> Vec<PushOperationRow> {
    let mut tx = store.begin().await.unwrap();
    let last = tx.lock_push().await.unwrap();
    let rows: Vec<_> = people.iter().zip(last + 1..).map(|(person, seq)| operation(seq, *person)).collect();
    tx.add_push(&request(id), &rows).await.unwrap();
    tx.save_push_records(&rows.iter().map(record).collect::<Vec<_>>()).await.unwrap();
    tx.commit().await.unwrap();
    rows
}

async fn operations_and_objects(place: Place) {
    let store = &place.store;
    assert_eq!(store.push_last("hr", "User").await.unwrap(), 0);
    let first = push(store, "r1", &(0..1_200).collect::<Vec<_>>()).await;
    let second = push(store, "r2", &[7, 3, 7]).await;
    assert_eq!((first[0].seq, second[2].seq, store.push_last("hr", "User").await.unwrap()), (1, 1_203, 1_203));
    assert_eq!(store.push_changes("hr", "User", 1_198, 3).await.unwrap(), [&first[1_198..], &second[..1]].concat());
    for (connection, class) in [("other", "User"), ("hr", "Group")] {
        assert_eq!(store.push_changes(connection, class, 0, 3).await.unwrap(), []);
        assert_eq!(store.push_count(connection, class).await.unwrap(), 0);
    }
    assert_eq!(store.push_record("hr", "User", "p0007").await.unwrap(), Some(record(&second[2])));
    assert_eq!(store.push_page("hr", "User", "p0003", 2).await.unwrap(), [record(&first[4]), record(&first[5])]);
    let numbers: Vec<i64> = (1..=1_203).collect();
    let mut found = store.push_operations(&numbers).await.unwrap();
    found.sort_by_key(|row| row.seq);
    assert_eq!(found, [first.clone(), second].concat());
    let kept = store.push_request("hr-to-crm", "r1").await.unwrap().unwrap();
    assert_eq!(kept.client, "feed\u{fffd}");
    assert_eq!(store.push_request("another", "r1").await.unwrap(), None);

    let mut tx = store.begin().await.unwrap();
    assert_eq!(tx.push_named("hr-to-crm", &["b2", "b9999"]).await.unwrap(), first[1..2]);
    assert_eq!(tx.push_named("another", &["b2"]).await.unwrap(), []);
    tx.delete_push_records("hr", "User", &["p0007", "p0003"]).await.unwrap();
    assert_eq!(tx.push_records("hr", "User", &["p0007", "p0002"]).await.unwrap(), [record(&first[2])]);
    tx.commit().await.unwrap();
    assert_eq!(store.push_count("hr", "User").await.unwrap(), 1_198);

    // One name, one operation.
    let mut tx = store.begin().await.unwrap();
    let again = PushOperationRow { seq: 2_000, ..operation(2, 2) };
    assert!(tx.add_push(&request("r3"), &[again]).await.is_err());
}

async fn two_who_push_wait_for_each_other(place: Place) {
    let mut tasks = Vec::new();
    for at in 0..8 {
        let store = place.store.clone();
        tasks.push(tokio::spawn(async move { push(&store, &format!("r{at}"), &[1; 20]).await }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let all = place.store.push_changes("hr", "User", 0, 1_000).await.unwrap();
    assert!(all.iter().zip(1..).all(|(row, seq)| row.seq == seq) && all.len() == 160);
    assert_eq!(place.store.push_record("hr", "User", "p0001").await.unwrap().unwrap().seq, 160);
}

async fn cycles_by_how_far_they_read(place: Place) {
    let cycle = |number: i64, cursor: &str| CycleRow {
        id: format!("c{number}").into(),
        job: job(),
        kind: CycleKind::Incremental,
        status: CycleStatus::Done,
        started: number * 10,
        finished: Some(number * 10 + 5),
        rulebook: None,
        summary: "{}".to_owned(),
        note: None,
        cursors: if cursor.is_empty() { Default::default() } else { [(ClassName::from("User"), cursor.into())].into() },
    };
    let mut tx = place.store.begin().await.unwrap();
    for (number, cursor) in [(1, "3"), (2, ""), (3, "5"), (4, "9"), (5, "")] {
        tx.save_cycle(&cycle(number, cursor)).await.unwrap();
    }
    tx.append_events(&mut [event(1, provost_store::EventStatus::Done), event(2, provost_store::EventStatus::Failed)])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let since = async |since, after: Option<&CycleRow>, limit| {
        let found = place.store.cycles_since("hr-to-crm", since, after, limit).await.unwrap();
        found.into_iter().map(|cycle| cycle.started / 10).collect::<Vec<_>>()
    };
    assert_eq!(since(0, None, 9).await, [1, 3, 4]);
    // The one that was under way then may have read it.
    assert_eq!(since(33, None, 9).await, [3, 4]);
    assert_eq!(since(25, None, 1).await, [1]);
    assert_eq!(since(25, Some(&cycle(1, "3")), 9).await, [3, 4]);
    assert_eq!(place.store.cycles_since("another", 0, None, 9).await.unwrap(), []);

    let events = place.store.events_in("c1", &["u000002", "u000009"]).await.unwrap();
    assert_eq!(events.iter().map(|event| event.source_id.as_str()).collect::<Vec<_>>(), ["u000002"]);
    assert_eq!(place.store.events_in("c2", &["u000002"]).await.unwrap(), []);
}
