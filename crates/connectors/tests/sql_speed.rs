//! Creates of 1,000 rows beside the quickest statement that does the same by hand, on PostgreSQL. Prints rows a second and
//! their ratio; nothing is asserted of time.
#![cfg(feature = "sql")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod sql_support;

use std::time::Instant;

use provost_model::Action;
use serde_json::json;
use sql_support::*;
use sqlx::Connection as _;

const ROWS: i64 = 1_000;
const ROUNDS: i64 = 20;

#[tokio::test]
async fn creates_beside_an_unnest_upsert() {
    let peer = peer(Kind::Postgres).await;
    for name in ["theirs", "ours"] {
        peer.run(&format!(
            "create table {name} (id bigint primary key, login varchar(80) not null unique, mail text, level int, active boolean)"
        ))
        .await;
    }
    let mut by_hand = sqlx::PgConnection::connect(&peer.url).await.unwrap();
    let session = peer.session(json!({"person": {"table": "ours", "key": "id"}})).await;
    let (mut theirs, mut ours) = (0.0, 0.0);
    for round in 0..=ROUNDS {
        let ids: Vec<i64> = (0..ROWS).map(|at| round * ROWS + at).collect();
        let logins: Vec<String> = ids.iter().map(|id| format!("user{id}")).collect();
        let mails: Vec<String> = ids.iter().map(|id| format!("user{id}@example.org")).collect();
        let levels: Vec<i32> = ids.iter().map(|id| (id % 7) as i32).collect();
        let began = Instant::now();
        sqlx::query(
            "insert into theirs select * from unnest($1::bigint[], $2::text[], $3::text[], $4::int[], $5::boolean[])
             on conflict (id) do update set login = excluded.login, mail = excluded.mail, level = excluded.level",
        )
        .bind(&ids)
        .bind(&logins)
        .bind(&mails)
        .bind(&levels)
        .bind(vec![true; ids.len()])
        .execute(&mut by_hand)
        .await
        .unwrap();
        let hand = began.elapsed().as_secs_f64();
        let operations: Vec<_> = ids
            .iter()
            .enumerate()
            .map(|(at, id)| {
                let changes = vec![
                    set("id", json!(id)),
                    set("login", json!(logins[at])),
                    set("mail", json!(mails[at])),
                    set("level", json!(levels[at])),
                    set("active", json!(true)),
                ];
                operation(Action::Create, "person", None, changes)
            })
            .collect();
        let began = Instant::now();
        let outcomes = apply_all(session.as_ref(), &operations).await;
        let connector = began.elapsed().as_secs_f64();
        assert!(outcomes.iter().zip(&ids).all(|(outcome, id)| outcome.as_ref().unwrap().target_id == *id.to_string()));
        // The first round prepares statements and fills caches.
        if round > 0 {
            theirs += hand;
            ours += connector;
        }
    }
    let rate = |seconds: f64| (ROWS * ROUNDS) as f64 / seconds;
    println!("by hand {:.0} rows/s, connector {:.0} rows/s, ratio {:.2}", rate(theirs), rate(ours), theirs / ours);
    let began = Instant::now();
    let (records, end) = scan(session.as_ref(), "person", 1000).await;
    assert!(end.complete && records.len() as i64 == ROWS * (ROUNDS + 1));
    println!("full read {:.0} rows/s", records.len() as f64 / began.elapsed().as_secs_f64());
}
