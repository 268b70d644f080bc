//! Claims, fences and schedules. PostgreSQL goes by its own clock there, so expiry is tested with spans of its real time.

use std::sync::Arc;
use std::time::Duration;

use provost_model::{Clock as _, SystemClock};
use provost_store::StoreError;
use tokio::sync::Barrier;

use crate::{Place, link};

crate::on_both!(
    one_owner_at_a_time,
    an_old_fence_cannot_commit,
    a_claim_waits_for_the_fenced_transaction,
    concurrent_claims_never_double,
    due_and_wake,
    a_wake_during_the_work_is_heard,
);

const HOUR: i64 = 3_600_000;

fn now() -> i64 {
    SystemClock.now_ms()
}

async fn one_owner_at_a_time(place: Place) {
    let store = &place.store;
    let first = store.claim("job", "a", HOUR, now()).await.unwrap().unwrap();
    assert_eq!(store.claim("job", "b", HOUR, now()).await.unwrap(), None);
    assert_eq!(store.claim("job", "a", HOUR, now()).await.unwrap(), None);
    store.renew(&first, HOUR, now()).await.unwrap();
    store.release(first.clone(), 0).await.unwrap();
    assert!(matches!(store.release(first.clone(), 0).await, Err(StoreError::LostLease { .. })));
    let second = store.claim("job", "a", HOUR, now()).await.unwrap().unwrap();
    assert_eq!(second.fence, first.fence + 1);
    assert!(matches!(store.renew(&first, HOUR, now()).await, Err(StoreError::LostLease { .. })));
}

async fn an_old_fence_cannot_commit(place: Place) {
    let store = &place.store;
    // Expired as soon as it is claimed.
    let old = store.claim("job", "a", -1, now()).await.unwrap().unwrap();
    store.fenced(&old).await.unwrap().commit().await.unwrap();
    let new = store.claim("job", "b", HOUR, now()).await.unwrap().unwrap();
    let error = store.fenced(&old).await.unwrap_err();
    assert!(matches!(&error, StoreError::LostLease { key, .. } if key == "job"), "{error}");
    let mut tx = store.fenced(&new).await.unwrap();
    tx.save_links(&[link(1)]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(store.link_page("hr-to-crm", "User", None, 10).await.unwrap().len(), 1);
}

async fn a_claim_waits_for_the_fenced_transaction(place: Place) {
    let old = place.store.claim("job", "a", -1, now()).await.unwrap().unwrap();
    let mut tx = place.store.fenced(&old).await.unwrap();
    let store = place.store.clone();
    let claim = tokio::spawn(async move { store.claim("job", "b", HOUR, now()).await.unwrap().unwrap() });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!claim.is_finished(), "took the lease under a running transaction");
    tx.save_links(&[link(1)]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(claim.await.unwrap().fence, old.fence + 1);
    assert_eq!(place.store.link_page("hr-to-crm", "User", None, 10).await.unwrap().len(), 1);
}

async fn concurrent_claims_never_double(place: Place) {
    let barrier = Arc::new(Barrier::new(8));
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let (store, barrier) = (place.store.clone(), barrier.clone());
            tokio::spawn(async move {
                barrier.wait().await;
                let mut won = Vec::new();
                for key in 0..200 {
                    let key = format!("k{key}");
                    let claimed = store.claim(&key, &format!("owner-{task}"), HOUR, now()).await.unwrap();
                    won.extend(claimed.map(|lease| (lease.key, lease.fence)));
                }
                won
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    all.sort();
    assert_eq!(all.len(), 200);
    assert!(all.iter().all(|(_, fence)| *fence == 1));
    all.dedup();
    assert_eq!(all.len(), 200, "a key was claimed twice");
}

async fn due_and_wake(place: Place) {
    let store = &place.store;
    let start = now();
    store.schedule("later", start + HOUR).await.unwrap();
    store.schedule("soon", start - 1).await.unwrap();
    store.wake("woken").await.unwrap();
    // Died while it held the lease, although not due.
    store.schedule("dead", start + HOUR).await.unwrap();
    store.claim("dead", "a", -1, now()).await.unwrap().unwrap();
    store.schedule("held", start - 5).await.unwrap();
    let held = store.claim("held", "a", HOUR, now()).await.unwrap().unwrap();
    assert_eq!(store.due(now()).await.unwrap(), ["woken", "soon", "dead"]);
    let due = held.due;
    store.release(held, due).await.unwrap();
    assert_eq!(store.due(now()).await.unwrap(), ["woken", "held", "soon", "dead"]);
    store.wake("later").await.unwrap();
    store.forget_lease("woken").await.unwrap();
    store.forget_lease("dead").await.unwrap();
    assert_eq!(store.due(now()).await.unwrap(), ["later", "held", "soon", "dead"], "an owner's key was forgotten");
    assert_eq!(store.leases().await.unwrap().len(), 4);
}

async fn a_wake_during_the_work_is_heard(place: Place) {
    let store = &place.store;
    let lease = store.claim("job", "a", HOUR, now()).await.unwrap().unwrap();
    store.wake("job").await.unwrap();
    assert_eq!(store.due(now()).await.unwrap(), Vec::<String>::new());
    store.release(lease, now() + HOUR).await.unwrap();
    assert_eq!(store.due(now()).await.unwrap(), ["job"]);
    let lease = store.claim("job", "a", HOUR, now()).await.unwrap().unwrap();
    store.release(lease, now() + HOUR).await.unwrap();
    assert_eq!(store.due(now()).await.unwrap(), Vec::<String>::new());
}
