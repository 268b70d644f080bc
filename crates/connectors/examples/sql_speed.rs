//! How much of PostgreSQL's speed is left: `cargo run --profile dist -p provost-connectors --example sql_speed [ROUNDS]`.
//!
//! Creates of 1,000 rows by the connector beside the quickest statement that does the same by hand, an upsert of arrays; and a
//! full read beside a plain `select` by pages. Each pair is taken in turn ROUNDS times (20) in one run; medians of the ratios are
//! printed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a measurement")]

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use provost_connector::{
    Connector as _, ConnectorError, Context, ErrorCode, Host, Outcome, ScanRequest, Secret, Session, Settings,
};
use provost_connectors::sql::SqlConnector;
use provost_model::{Action, Change, Operation, Value};
use provost_testkit::postgres;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROWS: i64 = 1_000;
const UPSERT: &str =
    "insert into theirs select * from unnest($1::bigint[], $2::text[], $3::text[], $4::int[], $5::boolean[])
     on conflict (id) do update set login = excluded.login, mail = excluded.mail, level = excluded.level";

struct NoSecrets;

#[async_trait]
impl Host for NoSecrets {
    async fn secret(&self, handle: &str) -> Result<Secret, ConnectorError> {
        Err(ConnectorError::new(ErrorCode::InvalidConfig, format!("there is no secret `{handle}`")))
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let rounds: i64 = std::env::args().nth(1).map_or(20, |text| text.parse().unwrap());
    let url = postgres::fresh_database().await.unwrap();
    for name in ["theirs", "ours"] {
        let columns = "id bigint primary key, login varchar(80) not null unique, mail text, level int, active boolean";
        postgres::shared().await.unwrap().psql(&url, &format!("create table {name} ({columns})")).await.unwrap();
    }
    let mut by_hand = PgConnection::connect(&url).await.unwrap();
    let settings = json!({ "url": url, "classes": { "person": { "table": "ours", "key": "id" } } });
    let settings = Settings::new(settings.as_object().unwrap().clone(), ".");
    let session = SqlConnector::default().configure(settings, Arc::new(NoSecrets)).await.unwrap();
    let (mut ratios, mut rates) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let people: Vec<Person> = (0..ROWS).map(|at| Person::new(round * ROWS + at)).collect();
        let bare = create_by_hand(&mut by_hand, &people).await;
        let own = create(&*session, &people).await;
        // The first round prepares statements and fills caches.
        if round > 0 {
            ratios.push(bare / own);
            rates.push(ROWS as f64 / own);
        }
    }
    println!(
        "creates, {ROWS} at once: {:.0} rows/s, {:.2} of an upsert of arrays (goal 0.5)",
        median(&mut rates),
        median(&mut ratios)
    );
    let (mut ratios, mut rates) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let bare = read_by_hand(&mut by_hand, (rounds + 1) * ROWS).await;
        let own = read(&*session, (rounds + 1) * ROWS).await;
        ratios.push(bare / own);
        rates.push(((rounds + 1) * ROWS) as f64 / own);
    }
    println!(
        "full read of {}: {:.0} rows/s, {:.2} of a plain select by pages",
        (rounds + 1) * ROWS,
        median(&mut rates),
        median(&mut ratios)
    );
}

struct Person {
    id: i64,
    login: String,
    mail: String,
    level: i32,
}

impl Person {
    fn new(id: i64) -> Self {
        Self { id, login: format!("user{id}"), mail: format!("user{id}@example.org"), level: (id % 7) as i32 }
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn create_by_hand(connection: &mut PgConnection, people: &[Person]) -> f64 {
    let began = Instant::now();
    sqlx::query(UPSERT)
        .bind(people.iter().map(|one| one.id).collect::<Vec<_>>())
        .bind(people.iter().map(|one| one.login.clone()).collect::<Vec<_>>())
        .bind(people.iter().map(|one| one.mail.clone()).collect::<Vec<_>>())
        .bind(people.iter().map(|one| one.level).collect::<Vec<_>>())
        .bind(vec![true; people.len()])
        .execute(connection)
        .await
        .unwrap();
    began.elapsed().as_secs_f64()
}

async fn create(session: &dyn Session, people: &[Person]) -> f64 {
    let operation = |one: &Person| {
        let set = |name: &str, value: Value| Change::set(Arc::new(name.parse().unwrap()), value);
        Operation {
            id: one.login.as_str().into(),
            action: Action::Create,
            class: "person".into(),
            target_id: None,
            changes: vec![
                set("id", Value::Integer(one.id)),
                set("login", Value::text(&one.login)),
                set("mail", Value::text(&one.mail)),
                set("level", Value::Integer(one.level.into())),
                set("active", Value::Boolean(true)),
            ],
            if_match: None,
        }
    };
    let operations: Vec<Operation> = people.iter().map(operation).collect();
    let began = Instant::now();
    let applied = session.apply(&Context::new("speed"), &operations).await;
    let took = began.elapsed().as_secs_f64();
    for (applied, person) in applied.iter().zip(people) {
        let Outcome::Done(done) = &applied.outcome else { panic!("{applied:?}") };
        assert_eq!(*done.target_id, *person.id.to_string());
    }
    took
}

type Row = (i64, String, Option<String>, Option<i32>, Option<bool>);

/// The same pages, each row as the driver gives it.
async fn read_by_hand(connection: &mut PgConnection, rows: i64) -> f64 {
    let began = Instant::now();
    let (mut last, mut count) = (i64::MIN, 0);
    loop {
        let page: Vec<Row> =
            sqlx::query_as("select id, login, mail, level, active from theirs where id > $1 order by id limit 1000")
                .bind(last)
                .fetch_all(&mut *connection)
                .await
                .unwrap();
        count += page.len() as i64;
        let Some(end) = page.last() else { break };
        last = end.0;
    }
    assert_eq!(count, rows);
    began.elapsed().as_secs_f64()
}

async fn read(session: &dyn Session, rows: i64) -> f64 {
    let began = Instant::now();
    let cx = Context::new("speed");
    let mut scan = session.scan(&cx, ScanRequest::full("person")).await.unwrap();
    let mut count = 0;
    loop {
        let page = scan.next(&cx).await.unwrap();
        count += page.items.len() as i64;
        if let Some(end) = page.end {
            assert!(end.complete && count == rows);
            return began.elapsed().as_secs_f64();
        }
    }
}
