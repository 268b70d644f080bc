//! SQL, over the databases of Debian and SQLite.

use std::sync::Arc;

use provost_connectors::sql::SqlConnector;
use provost_testkit::{mariadb, postgres};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _};

use super::Trial;

/// People with addresses in a table of their own, and teams with members.
fn tables(identity: &str, text: &str) -> String {
    format!(
        "create table people (id {identity}, login {text} not null unique, note {text}, title {text}, active boolean not null);
         create table mail (person bigint not null, address {text} not null, primary key (person, address));
         create table team (id {identity}, name {text} not null unique, note {text});
         create table team_member (team bigint not null, person bigint not null, primary key (team, person))"
    )
}

async fn pass(url: &str, folder: &std::path::Path) {
    let trial = Trial {
        connector: Arc::new(SqlConnector::default()),
        base: folder,
        settings: json!({
            "url": url,
            "classes": {
                "person": {
                    "table": "people", "key": "id", "enabled": { "column": "active" },
                    "children": { "emails": { "table": "mail", "key": "person", "value": "address" } },
                },
                "team": {
                    "table": "team", "key": "id",
                    "children": { "members": {
                        "table": "team_member", "key": "team", "value": "person", "references": "person",
                    } },
                },
            },
        }),
        secrets: &[],
        sample: json!({
            "person": {
                "create": { "login": "kit{n}", "active": true },
                "key": "login",
                "free": ["note", "title"],
                "many": { "attribute": "emails", "values": ["a@example.org", "b@example.org", "c@example.org"] },
            },
            "team": {
                "create": { "name": "kit-team{n}" },
                "key": "name",
                "free": ["note"],
                "members": { "attribute": "members", "class": "person" },
            },
        }),
    };
    trial.pass(50).await;
}

#[tokio::test]
async fn postgresql() {
    let url = postgres::fresh_database().await.unwrap();
    let mut on = sqlx::PgConnection::connect(&url).await.unwrap();
    let sql = tables("bigint generated always as identity primary key", "text");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut on).await.unwrap();
    pass(&url, ".".as_ref()).await;
}

#[tokio::test]
async fn mariadb() {
    let url = mariadb::shared().await.unwrap().fresh_database().await.unwrap();
    let mut on = sqlx::MySqlConnection::connect(&url).await.unwrap();
    let sql = tables("bigint auto_increment primary key", "varchar(400) character set utf8mb4 collate utf8mb4_bin");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut on).await.unwrap();
    pass(&url, ".".as_ref()).await;
}

#[tokio::test]
async fn sqlite() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::File::create(folder.path().join("kit.db")).unwrap();
    let path = format!("sqlite:{}", folder.path().join("kit.db").display());
    let mut on = sqlx::SqliteConnection::connect(&path).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(tables("integer primary key", "text"))).execute(&mut on).await.unwrap();
    pass("sqlite:kit.db", folder.path()).await;
}
