//! PostgreSQL: databases are made, are apart from each other, and the server is shared. That it dies with its owner is
//! tested in `lifetime`.
#![allow(clippy::unwrap_used, reason = "tests")]

use provost_testkit::postgres;

#[tokio::test]
async fn a_fresh_database_answers() {
    let server = postgres::shared().await.unwrap();
    let url = postgres::fresh_database().await.unwrap();
    assert!(url.starts_with("postgres://"), "{url}");
    assert_eq!(server.psql(&url, "select 1").await.unwrap(), "1");
    assert_eq!(server.psql(&url, "select lower('ÄÖ')").await.unwrap(), "äö");
}

#[tokio::test]
async fn fresh_databases_are_apart() {
    let server = postgres::shared().await.unwrap();
    let (one, two) = tokio::join!(postgres::fresh_database(), postgres::fresh_database());
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one, two);
    server.psql(&one, "create table only_here (id int)").await.unwrap();
    let tables = "select count(*) from pg_tables where tablename = 'only_here'";
    assert_eq!(server.psql(&one, tables).await.unwrap(), "1");
    assert_eq!(server.psql(&two, tables).await.unwrap(), "0");
}

#[tokio::test]
async fn a_failed_statement_says_what_failed() {
    let server = postgres::shared().await.unwrap();
    let error = server.psql(server.url(), "select nonsense").await.unwrap_err().to_string();
    assert!(error.contains("nonsense") && error.contains("does not exist"), "{error}");
}

#[tokio::test]
async fn a_server_of_ones_own_takes_options() {
    let settings = vec![("max_connections".to_owned(), "17".to_owned())];
    let options = postgres::Options { durable: true, settings };
    let server = postgres::Server::start(options).await.unwrap();
    assert_eq!(server.psql(server.url(), "show fsync").await.unwrap(), "on");
    assert_eq!(server.psql(server.url(), "show max_connections").await.unwrap(), "17");
}

#[tokio::test]
async fn a_server_that_cannot_start_shows_its_log() {
    let options = postgres::Options { durable: false, settings: vec![("no_such_setting".to_owned(), "1".to_owned())] };
    let error = postgres::Server::start(options).await.unwrap_err().to_string();
    assert!(error.contains("ended with status 1") && error.contains("no_such_setting"), "{error}");
}
