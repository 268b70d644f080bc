//! Who holds the writing connection, and what becomes of it: callers that go away half-way, failures inside a transaction,
//! others who write the same file, and batches larger than any page.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use provost_model::Explain as _;
use provost_store::{ResourceRow, Store, StoreError, StoreOptions};

use crate::{Place, event, link};

crate::on_both!(
    a_caller_that_goes_away_leaves_nothing_open,
    a_failed_bulk_write_writes_nothing,
    two_stores_on_one_database,
    a_batch_of_forty_thousand,
    a_closed_store_says_so,
);

const JOB: &str = "hr-to-crm";

/// Begins something, lets it get as far as `polls` polls bring it, and goes away.
async fn give_up<F: Future>(future: F, polls: usize) {
    let mut future = pin!(future);
    for _ in 0..polls {
        let ready = poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_ready())).await;
        if ready {
            return;
        }
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
}

async fn a_caller_that_goes_away_leaves_nothing_open(place: Place) {
    let store = &place.store;
    for polls in 0..12 {
        give_up(
            async {
                let mut tx = store.begin().await.unwrap();
                tx.save_links(&[link(1), link(2)]).await.unwrap();
                tx.append_events(&mut [event(1, provost_store::EventStatus::Done)]).await.unwrap();
                store.links(JOB, "User", &["u000001"]).await.unwrap();
                std::future::pending::<()>().await;
            },
            polls,
        )
        .await;
        give_up(store.wake("key"), polls).await;
        give_up(store.links(JOB, "User", &["u000001"]), polls).await;
        // The next one finds a connection without a transaction, and nothing of the last one's.
        assert_eq!(store.link_page(JOB, "User", None, 10).await.unwrap(), [], "{polls}");
        let mut tx = store.begin().await.unwrap();
        tx.save_links(&[link(3)]).await.unwrap();
        tx.delete_links(JOB, "User", &["u000003"]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(store.event_counts("c1").await.unwrap(), []);
    }
}

async fn a_failed_bulk_write_writes_nothing(place: Place) {
    let row = |id: &str, name: &str| ResourceRow {
        kind: "User".into(),
        id: id.into(),
        seq: 0,
        version: 1,
        name_key: name.to_owned(),
        external_id: None,
        manager: None,
        created: 0,
        modified: 0,
        deleted: None,
        body: "{}".to_owned(),
    };
    let mut tx = place.store.begin().await.unwrap();
    tx.save_links(&[link(1)]).await.unwrap();
    let error = tx.insert_resources(&mut [row("a", "one"), row("b", "two"), row("c", "one")]).await.unwrap_err();
    assert!(matches!(error, StoreError::Refused(_)), "{error}");
    // Whether this is an error differs between the engines; nothing is written on either.
    drop(tx.commit().await);
    assert!(!place.store.has_resources("User").await.unwrap());
    assert_eq!(place.store.link_page(JOB, "User", None, 10).await.unwrap(), []);
    let mut tx = place.store.begin().await.unwrap();
    tx.insert_resources(&mut [row("a", "one"), row("b", "two")]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(place.store.count_resources("User").await.unwrap(), 2);
}

async fn two_stores_on_one_database(place: Place) {
    let other = Store::open(&place.url).await.unwrap();
    let add = async |store: &Store, from: usize| {
        for number in 0..50 {
            let mut tx = store.begin().await.unwrap();
            tx.save_links(&[link(from + number)]).await.unwrap();
            tx.append_events(&mut [event(number, provost_store::EventStatus::Done)]).await.unwrap();
            tx.commit().await.unwrap();
        }
    };
    tokio::join!(add(&place.store, 0), add(&other, 1_000));
    assert_eq!(other.link_page(JOB, "User", None, 1_000).await.unwrap().len(), 100);
    assert_eq!(place.store.event_counts("c1").await.unwrap()[0].count, 100);
    other.close().await;
    assert_eq!(place.store.link_page(JOB, "User", None, 1_000).await.unwrap().len(), 100);
}

async fn a_batch_of_forty_thousand(place: Place) {
    let links: Vec<_> = (0..40_000).map(link).collect();
    let mut tx = place.store.begin().await.unwrap();
    tx.save_links(&links).await.unwrap();
    tx.save_links(&links[..100]).await.unwrap();
    tx.commit().await.unwrap();
    let found = place.store.link_page(JOB, "User", None, 50_000).await.unwrap();
    assert!(found == links);
    let targets: Vec<_> = links.iter().step_by(7).filter_map(|link| link.target_id.clone()).collect();
    assert_eq!(place.store.links_by_target(JOB, "User", &targets).await.unwrap().len(), targets.len());
}

async fn a_closed_store_says_so(place: Place) {
    let tx = place.store.begin().await.unwrap();
    let closing = tokio::spawn({
        let store = place.store.clone();
        async move { store.close().await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!closing.is_finished(), "closed under an open transaction");
    drop(tx);
    closing.await.unwrap();
    for error in [place.store.begin().await.unwrap_err(), place.store.jobs().await.unwrap_err()] {
        assert_eq!(error.code().as_str(), "PRV-0401", "{error}");
    }
    Store::open(&place.url).await.unwrap();
}

/// Within the process it is the queue that ends, between processes SQLite's own lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_for_the_writer_ends() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("provost.db").display());
    let options = StoreOptions { wait: Duration::from_millis(200), ..StoreOptions::default() };
    let (one, other) =
        (Store::open_with(&url, options.clone()).await.unwrap(), Store::open_with(&url, options).await.unwrap());
    let held = one.begin().await.unwrap();
    for store in [&one, &other] {
        let error = store.begin().await.unwrap_err();
        assert!(matches!(error, StoreError::Busy(_)), "{error}");
        assert!(matches!(store.wake("key").await, Err(StoreError::Busy(_))));
    }
    drop(held);
    other.begin().await.unwrap().rollback().await.unwrap();
    one.wake("key").await.unwrap();
}
