//! Opening, migrating, checking, backing up, and what goes through a transaction.

use provost_model::Explain as _;
use provost_store::{Db, JobRow, Store, StoreError};

use crate::{Place, link};

crate::on_both!(
    opening_again_changes_nothing,
    many_open_a_new_store_at_once,
    a_newer_schema_is_refused,
    a_healthy_store_checks_out,
    a_dropped_transaction_is_rolled_back,
    nul_is_refused_or_replaced,
    readers_do_not_wait_for_a_writer,
);

async fn opening_again_changes_nothing(place: Place) {
    let mut tx = place.store.begin().await.unwrap();
    tx.save_job(&JobRow::new("a".into())).await.unwrap();
    tx.commit().await.unwrap();
    let again = Store::open(&place.url).await.unwrap();
    assert_eq!(again.jobs().await.unwrap(), place.store.jobs().await.unwrap());
    assert_eq!(again.jobs().await.unwrap().len(), 1);
}

async fn many_open_a_new_store_at_once(place: Place) {
    // The place's own is open already, so take a new one.
    let url = match place.store.db() {
        Db::Sqlite { .. } => format!("sqlite:{}", place.folder.path().join("new.db").display()),
        Db::Postgres(_) => provost_testkit::postgres::fresh_database().await.unwrap(),
    };
    let tasks: Vec<_> =
        (0..8).map(|_| url.clone()).map(|url| tokio::spawn(async move { Store::open(&url).await })).collect();
    for task in tasks {
        let store = task.await.unwrap().unwrap();
        assert_eq!(store.check().await.unwrap().problems, Vec::<String>::new());
        assert_eq!(store.jobs().await.unwrap(), []);
    }
}

async fn a_newer_schema_is_refused(place: Place) {
    let raise = place.store.db().fixed("update store_schema set version = $1").value(999);
    place.store.db().write(raise).await.unwrap();
    let error = Store::open(&place.url).await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 999, .. }), "{error}");
    assert_eq!(error.code().as_str(), "PRV-0405");
    assert!(error.hint().is_some());
    assert_eq!(place.store.check().await.unwrap().problems.len(), 1);
}

async fn a_healthy_store_checks_out(place: Place) {
    let check = place.store.check().await.unwrap();
    assert_eq!(check.problems, Vec::<String>::new());
    assert!(check.schema >= 2);
    assert!(!check.version.is_empty());

    let copy = place.folder.path().join("it's a copy.db");
    let result = place.store.backup_to(&copy).await;
    match place.store.db() {
        Db::Sqlite { .. } => {
            result.unwrap();
            let opened = Store::open(&format!("sqlite:{}", copy.display())).await.unwrap();
            assert_eq!(opened.check().await.unwrap().problems, Vec::<String>::new());
            assert!(matches!(place.store.backup_to(&copy).await, Err(StoreError::Backup { .. })), "overwrote a file");
        }
        Db::Postgres(_) => assert!(result.unwrap_err().to_string().contains("pg_dump")),
    }
}

async fn a_dropped_transaction_is_rolled_back(place: Place) {
    let mut tx = place.store.begin().await.unwrap();
    tx.save_links(&[link(1)]).await.unwrap();
    drop(tx);
    let mut tx = place.store.begin().await.unwrap();
    tx.save_links(&[link(2)]).await.unwrap();
    tx.rollback().await.unwrap();
    let mut tx = place.store.begin().await.unwrap();
    tx.save_links(&[link(3)]).await.unwrap();
    tx.commit().await.unwrap();
    let found = place.store.link_page("hr-to-crm", "User", None, 10).await.unwrap();
    assert_eq!(found, [link(3)]);
}

async fn nul_is_refused_or_replaced(place: Place) {
    let mut odd = link(1);
    odd.name = "a\0b 'quoted' \"twice\" \\ ; drop table link; -- $1 ? ☃".to_owned();
    odd.source_id = "it's \"me\"; %_\\ $2 ?".into();
    let mut tx = place.store.begin().await.unwrap();
    tx.save_links(std::slice::from_ref(&odd)).await.unwrap();
    tx.commit().await.unwrap();
    let found = place.store.links("hr-to-crm", "User", &[odd.source_id.clone()]).await.unwrap();
    odd.name = odd.name.replace('\0', "\u{fffd}");
    assert_eq!(found, [odd]);

    let mut bad = link(2);
    bad.source_id = "u\0".into();
    let mut tx = place.store.begin().await.unwrap();
    let error = tx.save_links(&[link(3), bad]).await.unwrap_err();
    assert_eq!(error.code().as_str(), "PRV-0407");
    assert!(place.store.links("hr-to-crm", "User", &["u\0"]).await.is_err());
}

async fn readers_do_not_wait_for_a_writer(place: Place) {
    let mut tx = place.store.begin().await.unwrap();
    tx.save_links(&[link(1)]).await.unwrap();
    let read = place.store.link_page("hr-to-crm", "User", None, 10);
    assert_eq!(tokio::time::timeout(std::time::Duration::from_secs(10), read).await.unwrap().unwrap(), []);
    tx.commit().await.unwrap();
    assert_eq!(place.store.link_page("hr-to-crm", "User", None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_dropped_store_leaves_no_log_behind() {
    let place = crate::sqlite().await;
    let mut tx = place.store.begin().await.unwrap();
    tx.save_links(&[crate::link(1)]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(place.store.count_links("hr-to-crm").await.unwrap().len(), 1);
    let crate::Place { store, folder, .. } = place;
    drop(store);
    // The log is read from its start by whoever opens the file next, and is up to 64 MiB.
    let mut files: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["provost.db"]);
}

#[tokio::test]
async fn a_store_in_memory_reads_beside_its_writer() {
    let store = Store::open("sqlite::memory:").await.unwrap();
    let mut tx = store.begin().await.unwrap();
    tx.save_links(&[link(1)]).await.unwrap();
    assert_eq!(store.link_page("hr-to-crm", "User", None, 10).await.unwrap(), []);
    tx.commit().await.unwrap();
    assert_eq!(store.link_page("hr-to-crm", "User", None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn wrong_addresses_say_so() {
    for (url, code) in [
        ("mysql://x", "PRV-0406"),
        ("sqlite:", "PRV-0406"),
        ("sqlite:/nowhere/at/all/provost.db", "PRV-0406"),
        ("postgres://nobody:secret@127.0.0.1:1/none", "PRV-0401"),
        ("postgres://nobody:secret@127.0.0.1:none/none", "PRV-0406"),
    ] {
        let error = Store::open(url).await.unwrap_err();
        assert_eq!(error.code().as_str(), code, "{url}: {error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
