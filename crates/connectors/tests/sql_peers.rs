//! Long because one suite tells each behaviour once, for all three databases.
//!
//! One suite over three real databases: accounts that come, change and go, values of every kind, reads that prove their end.
#![cfg(feature = "sql")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod sql_support;

use provost_connector::{CheckStatus, Cursor, ErrorCode, FindRequest, LookupRequest, Session};
use provost_lang::ScopeFilter;
use provost_model::{Action, AttributeType, ChangeOp, Filter, Mutability, ObjectId, Value};
use serde_json::json;
use sql_support::*;

/// Each function once per database.
macro_rules! over_all {
    ($($name:ident),* $(,)?) => {
        mod postgres { $(#[tokio::test] async fn $name() { super::$name(super::Kind::Postgres).await; })* }
        mod mariadb { $(#[tokio::test] async fn $name() { super::$name(super::Kind::MariaDb).await; })* }
        mod sqlite { $(#[tokio::test] async fn $name() { super::$name(super::Kind::Sqlite).await; })* }
    };
}

over_all!(
    an_account_lives_and_ends,
    every_value_comes_back,
    the_schema_is_the_catalogue,
    a_read_is_complete,
    one_bad_row_spoils_no_other,
    kinds_round_trip_or_are_refused,
    filters_find_exactly,
    keys_of_several_columns,
    deleted_rows_can_stay,
    errors_are_told_by_code,
    batches_of_all_shapes,
    an_unproven_read_is_never_complete,
);

/// Id made by the database, a unique login, and a switch.
async fn people(kind: Kind) -> Peer {
    let peer = peer(kind).await;
    let id = peer.pick(
        "id bigint generated always as identity primary key",
        "id bigint auto_increment primary key",
        "id integer primary key autoincrement",
    );
    let exact = peer.pick("", "collate utf8mb4_nopad_bin", "");
    peer.run(&format!(
        "create table people ({id}, login varchar(200) {exact} not null unique, mail varchar(200) {exact},
         level int, active boolean not null default true, note text {exact})"
    ))
    .await;
    peer
}

fn class() -> serde_json::Value {
    json!({"person": {"table": "people", "key": "id", "enabled": {"column": "active"}}})
}

fn lookup(path: &str, values: &[&str]) -> LookupRequest {
    let values = values.iter().map(|value| Value::text(*value)).collect();
    LookupRequest { class: "person".into(), path: path.parse().unwrap(), values }
}

async fn find(session: &dyn Session, class: &str, filter: &str) -> Vec<String> {
    let request = FindRequest::new(class, filter.parse().unwrap());
    let page = session.find(&cx(), FindRequest { page_size: 1000, ..request }).await.unwrap();
    assert_eq!(page.next, None);
    page.records.iter().map(|record| record.id.to_string()).collect()
}

async fn create(session: &dyn Session, login: &str) -> ObjectId {
    apply(session, operation(Action::Create, "person", None, vec![set("login", json!(login))])).await.unwrap().target_id
}

async fn an_account_lives_and_ends(kind: Kind) {
    let peer = people(kind).await;
    let session = peer.session(class()).await;
    let session = session.as_ref();
    let checks = session.test(&cx()).await;
    assert!(checks.iter().all(|check| check.status == CheckStatus::Ok), "{checks:?}");
    let changes = vec![
        set("login", json!("ada")),
        set("mail", json!("ada@example.org")),
        set("level", json!(7)),
        set("active", json!(true)),
    ];
    let done = apply(session, operation(Action::Create, "person", None, changes.clone())).await.unwrap();
    let id = done.target_id;
    let ada = session.get(&cx(), "Person", &id).await.unwrap().unwrap();
    assert_eq!((ada.id.clone(), ada.class.as_str()), (id.clone(), "person"));
    assert_eq!(text(&ada, "login").as_deref(), Some("ada"));
    assert_eq!(json_of(&ada, "level"), json!(7));
    assert_eq!(json_of(&ada, "active"), json!(true));
    assert_eq!(json_of(&ada, "note"), json!(null));

    let twice = apply(session, operation(Action::Create, "person", None, changes)).await.unwrap_err();
    assert_eq!((twice.code, twice.existing_id.as_ref()), (ErrorCode::AlreadyExists, Some(&id)));
    assert_eq!(twice.path.as_deref(), Some("login"));
    assert!(!twice.to_string().contains("ada"), "{twice}");

    let bob = create(session, "bob").await;
    let found = session.lookup(&cx(), lookup("login", &["bob", "nobody", "ada", "bob", ""])).await.unwrap();
    let ids: Vec<Vec<&str>> = found.iter().map(|found| found.iter().map(|one| one.id.as_str()).collect()).collect();
    assert_eq!(ids, [vec![bob.as_str()], vec![], vec![id.as_str()], vec![bob.as_str()], vec![]]);
    assert_eq!(session.count(&cx(), "person").await.unwrap(), 2);

    let changes = vec![
        set("mail", json!("countess@example.org")),
        change(ChangeOp::Unset, "level", json!(null)),
        set("note", json!("moved")),
    ];
    apply(session, operation(Action::Update, "person", Some(&id), changes)).await.unwrap();
    let ada = session.get(&cx(), "person", &id).await.unwrap().unwrap();
    assert_eq!(text(&ada, "mail").as_deref(), Some("countess@example.org"));
    assert_eq!(json_of(&ada, "level"), json!(null));
    // The same again changes nothing, and is no error.
    let again = vec![set("mail", json!("countess@example.org"))];
    apply(session, operation(Action::Update, "person", Some(&id), again)).await.unwrap();
    let other = vec![change(ChangeOp::Remove, "note", json!("other"))];
    apply(session, operation(Action::Update, "person", Some(&id), other)).await.unwrap();
    let ada = session.get(&cx(), "person", &id).await.unwrap().unwrap();
    assert_eq!(text(&ada, "note").as_deref(), Some("moved"));
    let moved = vec![change(ChangeOp::Remove, "note", json!("moved"))];
    apply(session, operation(Action::Update, "person", Some(&id), moved)).await.unwrap();

    let leaving = vec![set("mail", json!("left@example.org"))];
    apply(session, operation(Action::Disable, "person", Some(&id), leaving)).await.unwrap();
    let ada = session.get(&cx(), "person", &id).await.unwrap().unwrap();
    assert_eq!((json_of(&ada, "active"), text(&ada, "mail")), (json!(false), Some("left@example.org".to_owned())));
    assert_eq!(json_of(&ada, "note"), json!(null));
    apply(session, operation(Action::Enable, "person", Some(&id), vec![])).await.unwrap();
    let ada = session.get(&cx(), "person", &id).await.unwrap().unwrap();
    assert_eq!(json_of(&ada, "active"), json!(true));

    apply(session, operation(Action::Delete, "person", Some(&id), vec![])).await.unwrap();
    assert_eq!(session.get(&cx(), "person", &id).await.unwrap(), None);
    for action in [Action::Delete, Action::Disable] {
        let gone = apply(session, operation(action, "person", Some(&id), vec![])).await.unwrap_err();
        assert_eq!(gone.code, ErrorCode::NotFound);
    }
    let gone = apply(session, operation(Action::Update, "person", Some(&id), vec![set("note", json!("x"))])).await;
    assert_eq!(gone.unwrap_err().code, ErrorCode::NotFound);
    for odd in ["", "x", "007", "1; drop table people", "99999999999999999999"] {
        assert_eq!(session.get(&cx(), "person", &ObjectId::from(odd)).await.unwrap(), None, "{odd}");
    }
    assert_eq!(session.count(&cx(), "person").await.unwrap(), 1);
}

async fn every_value_comes_back(kind: Kind) {
    let peer = people(kind).await;
    let session = peer.session(class()).await;
    let session = session.as_ref();
    let long = "ä😀x".repeat(60);
    let huge = "0123456789abcdef".repeat(4000);
    for value in HOSTILE.into_iter().chain([long.as_str()]) {
        let changes = vec![set("login", json!(value)), set("note", json!(value))];
        let id = apply(session, operation(Action::Create, "person", None, changes)).await.unwrap().target_id;
        let record = session.get(&cx(), "person", &id).await.unwrap().unwrap();
        assert_eq!(text(&record, "login").as_deref(), Some(value));
        assert_eq!(text(&record, "note").as_deref(), Some(value));
        let found = session.lookup(&cx(), lookup("login", &[value])).await.unwrap();
        assert_eq!(found[0].len(), 1, "{value:?}");
        assert_eq!(found[0][0].id, id);
        let filter = Filter::eq("login".parse().unwrap(), value);
        let page = session.find(&cx(), FindRequest::new("person", filter)).await.unwrap();
        assert_eq!(page.records.len(), 1, "{value:?}");
        let twice = operation(Action::Create, "person", None, vec![set("login", json!(value))]);
        let error = apply(session, twice).await.unwrap_err();
        assert_eq!((error.code, error.existing_id), (ErrorCode::AlreadyExists, Some(id.clone())), "{value:?}");
        let changes = vec![set("mail", json!(value)), set("note", json!(huge))];
        apply(session, operation(Action::Update, "person", Some(&id), changes)).await.unwrap();
        let record = session.get(&cx(), "person", &id).await.unwrap().unwrap();
        assert_eq!(text(&record, "mail").as_deref(), Some(value));
        assert_eq!(text(&record, "note").map(|note| note.len()), Some(huge.len()));
    }
    let all: Vec<&str> = HOSTILE.into_iter().chain([long.as_str()]).collect();
    let (records, end) = scan(session, "person", 4).await;
    assert!(end.complete && records.len() == all.len());
    let mut logins: Vec<String> = records.iter().filter_map(|record| text(record, "login")).collect();
    let mut wanted: Vec<String> = all.iter().map(|value| (*value).to_owned()).collect();
    logins.sort();
    wanted.sort();
    assert_eq!(logins, wanted);
    for (value, code) in [("nul\0here", ErrorCode::InvalidValue), (huge.as_str(), ErrorCode::InvalidValue)] {
        // SQLite has no limit of its own.
        if kind == Kind::Sqlite && !value.contains('\0') {
            continue;
        }
        let error = apply(session, operation(Action::Create, "person", None, vec![set("login", json!(value))])).await;
        let error = error.unwrap_err();
        assert_eq!((error.code, error.path.as_deref()), (code, Some("login")));
    }
    // An empty text is a value.
    let id = apply(
        session,
        operation(Action::Create, "person", None, vec![set("login", json!("e")), set("note", json!(""))]),
    );
    let record = session.get(&cx(), "person", &id.await.unwrap().target_id).await.unwrap().unwrap();
    assert_eq!(json_of(&record, "note"), json!(""));
}

async fn the_schema_is_the_catalogue(kind: Kind) {
    let peer = people(kind).await;
    let session = peer
        .session(json!({"person": {"table": "people", "key": "id", "columns": {"mail": "email.work", "note": null},
                                   "references": {"level": "person"}}}))
        .await;
    let schema = session.schema(&cx()).await.unwrap();
    let class = schema.class("person").unwrap();
    let names: Vec<&str> = class.attributes.iter().map(|attribute| attribute.name.as_str()).collect();
    assert_eq!(names, ["id", "login", "email.work", "level", "active"]);
    let id = class.attribute("id").unwrap();
    let read_only = if kind == Kind::Sqlite { Mutability::Immutable } else { Mutability::ReadOnly };
    assert_eq!((id.kind, id.mutability, id.required), (AttributeType::Integer, read_only, false));
    let login = class.attribute("login").unwrap();
    assert!(login.required && login.unique && login.case_exact);
    let active = class.attribute("active").unwrap();
    assert_eq!((active.kind, active.required), (AttributeType::Boolean, false));
    assert_eq!(class.attribute("level").unwrap().kind, AttributeType::Reference);
    assert!(class.keys.iter().any(|key| key == "login") && !class.open);
    let capabilities = session.capabilities().class("person").unwrap().clone();
    assert!(capabilities.create && capabilities.delete && capabilities.scan && capabilities.count);
    assert!(capabilities.enablement.is_none() && !capabilities.changes);
    assert!(
        capabilities.can_look_up(&"email.work".parse().unwrap()) && !capabilities.can_look_up(&"note".parse().unwrap())
    );

    let changes = vec![set("login", json!("a")), set("email.work", json!("a@x"))];
    let id = apply(session.as_ref(), operation(Action::Create, "person", None, changes)).await.unwrap().target_id;
    let record = session.get(&cx(), "person", &id).await.unwrap().unwrap();
    assert_eq!(json_of(&record, "email.work"), json!("a@x"));
    assert_eq!(json_of(&record, "note"), json!("absent"));
    for hidden in ["note", "mail", "nothing"] {
        let error =
            apply(session.as_ref(), operation(Action::Update, "person", Some(&id), vec![set(hidden, json!("x"))]));
        assert_eq!(error.await.unwrap_err().code, ErrorCode::NotSupported, "{hidden}");
        let filter = format!("{hidden} eq \"x\"");
        let error = session.find(&cx(), FindRequest::new("person", filter.parse().unwrap())).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::NotSupported, "{hidden}");
    }
    let error =
        apply(session.as_ref(), operation(Action::Update, "person", Some(&id), vec![set("id", json!(9))])).await;
    assert_eq!(error.unwrap_err().code, ErrorCode::NotSupported);
    // A column that comes is seen, and one that goes is told.
    peer.run("alter table people add column room varchar(20)").await;
    let schema = session.schema(&cx()).await.unwrap();
    assert!(schema.class("person").unwrap().attribute("room").is_some());
    peer.run("alter table people drop column room").await;
    let error = session.get(&cx(), "person", &id).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::SchemaChanged);
}

async fn a_read_is_complete(kind: Kind) {
    let peer = people(kind).await;
    let session = peer.session(class()).await;
    let session = session.as_ref();
    let (records, end) = scan(session, "person", 10).await;
    assert!(records.is_empty() && end.complete && end.count == 0);
    let operations: Vec<_> = (0..1000)
        .map(|at| operation(Action::Create, "person", None, vec![set("login", json!(format!("u{at:04}")))]))
        .collect();
    let outcomes = apply_all(session, &operations).await;
    // Each operation is told the id of its own row, though all went at once.
    let found = session.lookup(&cx(), lookup("login", &["u0000", "u0500", "u0999"])).await.unwrap();
    for (found, at) in found.iter().zip([0, 500, 999]) {
        assert_eq!(found[0].id, outcomes[at].as_ref().unwrap().target_id);
    }
    for page_size in [1, 7, 400, 1000, 5000] {
        let (records, end) = scan(session, "person", page_size).await;
        assert!(end.complete, "{end:?}");
        let mut ids: Vec<_> = records.iter().map(|record| record.id.clone()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!((end.count, records.len(), ids.len()), (1000, 1000, 1000), "{page_size}");
    }
    // What comes while a read is under way is not part of it, and does not make it incomplete.
    let request = provost_connector::ScanRequest { page_size: 100, ..provost_connector::ScanRequest::full("person") };
    let mut under_way = session.scan(&cx(), request).await.unwrap();
    let first = under_way.next(&cx()).await.unwrap();
    assert_eq!((first.items.len(), first.end), (100, None));
    if kind != Kind::Sqlite {
        // SQLite's readers and writers wait for each other without a write-ahead log.
        peer.run("delete from people where login > 'u0900'").await;
        peer.run("insert into people (login) values ('zz')").await;
    }
    let (items, end) = drain(under_way).await;
    assert!(end.complete && items.len() == 900 && end.count == 1000, "{end:?}");
    // Digests are those of the content.
    let (one, _) = scan(session, "person", 50).await;
    let (two, _) = scan(session, "person", 77).await;
    assert!(one.iter().zip(&two).all(|(a, b)| a.raw_digest == b.raw_digest && a.raw_digest.is_some()));
    let id = one[5].id.clone();
    apply(session, operation(Action::Update, "person", Some(&id), vec![set("note", json!("new"))])).await.unwrap();
    let (three, _) = scan(session, "person", 50).await;
    let differing = one.iter().zip(&three).filter(|(a, b)| a.raw_digest != b.raw_digest).count();
    assert_eq!(differing, 1);
    // Only what is wanted.
    let mut request = provost_connector::ScanRequest::full("person");
    request.attributes = Some(vec!["Login".into()]);
    let (items, _) = drain(session.scan(&cx(), request).await.unwrap()).await;
    let provost_connector::ScanItem::Upsert(record) = &items[0] else { panic!("{:?}", items[0]) };
    let names: Vec<&str> = record.attributes.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["id", "login"]);
}

async fn one_bad_row_spoils_no_other(kind: Kind) {
    let peer = people(kind).await;
    let session = peer.session(class()).await;
    let session = session.as_ref();
    let old = create(session, "u050").await;
    let mut operations: Vec<_> = (0..100)
        .map(|at| operation(Action::Create, "person", None, vec![set("login", json!(format!("u{at:03}")))]))
        .collect();
    operations[70] = operation(Action::Create, "person", None, vec![set("mail", json!("x"))]);
    operations[71] =
        operation(Action::Create, "person", None, vec![set("login", json!("ok")), set("level", json!("many"))]);
    operations[72] = operation(Action::Delete, "person", Some("987654"), vec![]);
    operations[73] = operation(Action::Create, "person", None, vec![set("login", json!("u010"))]);
    operations[74] = operation(Action::Create, "group", None, vec![]);
    let outcomes = apply_all(session, &operations).await;
    let failed: Vec<_> = outcomes
        .iter()
        .enumerate()
        .filter_map(|(at, outcome)| outcome.as_ref().err().map(|error| (at, error.code)))
        .collect();
    assert_eq!(
        failed,
        [
            (50, ErrorCode::AlreadyExists),
            (70, ErrorCode::MissingRequired),
            (71, ErrorCode::InvalidValue),
            (72, ErrorCode::NotFound),
            (73, ErrorCode::AlreadyExists),
            (74, ErrorCode::NotSupported),
        ]
    );
    assert_eq!(outcomes[50].as_ref().unwrap_err().existing_id, Some(old));
    assert_eq!(outcomes[73].as_ref().unwrap_err().existing_id, Some(outcomes[10].as_ref().unwrap().target_id.clone()));
    assert_eq!(session.count(&cx(), "person").await.unwrap(), 1 + 100 - 6);
}

async fn kinds_round_trip_or_are_refused(kind: Kind) {
    let peer = peer(kind).await;
    peer.run(peer.pick(
        "create type mood as enum ('glad', 'sad');
         create table kinds (id uuid primary key, small smallint, big bigint, money numeric(10,2), wide numeric, ratio double precision,
         single real, flag boolean, day date, moment timestamptz(3), local timestamp, bytes bytea, doc jsonb, fixed char(5),
         short varchar(3), mood mood, tags text[], clock time)",
        "create table kinds (id uuid primary key, small smallint, big bigint, money decimal(10,2), wide decimal(40,10), ratio double,
         single float, flag boolean, day date, moment datetime(3), local timestamp(6) null, bytes varbinary(100), doc json, fixed char(5),
         short varchar(3), mood enum('glad', 'sad'), clock time)",
        "create table kinds (id uuid primary key, small smallint, big bigint, money decimal(10,2), wide numeric, ratio double,
         single real, flag boolean, day date, moment datetime, local timestamp, bytes blob, doc text, fixed char(5),
         short varchar(3), mood text, clock text)",
    ))
    .await;
    let session = peer.session(json!({"kind": {"table": "kinds", "key": "id"}})).await;
    let session = session.as_ref();
    let key = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
    let id =
        apply(session, operation(Action::Create, "kind", None, vec![set("id", json!(key))])).await.unwrap().target_id;
    assert_eq!(id.as_str(), key);
    let good = [
        ("small", json!(-32768), json!(-32768)),
        ("big", json!(i64::MIN), json!(i64::MIN)),
        ("big", json!("42"), json!(42)),
        ("money", json!(12345678.25), json!(12345678.25)),
        ("money", json!("-0.50"), json!(-0.5)),
        ("ratio", json!(0.1), json!(0.1)),
        ("ratio", json!(1.0e-7), json!(1.0e-7)),
        ("flag", json!(true), json!(true)),
        ("flag", json!("False"), json!(false)),
        ("day", json!("2024-02-29"), json!("2024-02-29")),
        ("moment", json!("2024-12-31T23:59:59.125Z"), json!("2024-12-31T23:59:59.125Z")),
        ("bytes", json!("AAECAwT/"), json!("AAECAwT/")),
        ("fixed", json!("äöü"), json!(if kind == Kind::Postgres { "äöü  " } else { "äöü" })),
        ("short", json!("a b"), json!("a b")),
        ("mood", json!("glad"), json!("glad")),
        ("clock", json!("23:59:58"), json!("23:59:58")),
        ("mood", json!(null), json!(null)),
    ];
    for (name, given, told) in &good {
        let changes = vec![set(name, given.clone())];
        apply(session, operation(Action::Update, "kind", Some(&id), changes))
            .await
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let record = session.get(&cx(), "kind", &id).await.unwrap().unwrap();
        let have = json_of(&record, name);
        let have = if *name == "fixed" { json!(have.as_str().unwrap().trim_end()) } else { have };
        let told = if *name == "fixed" { json!(told.as_str().unwrap().trim_end()) } else { told.clone() };
        // A decimal without fraction may come as a whole number from SQLite, which has one kind of both.
        assert_eq!(have, told, "{name}");
    }
    let mut bad = vec![
        ("small", json!("many")),
        ("big", json!(1.5)),
        ("money", json!("lots")),
        ("flag", json!("perhaps")),
        ("day", json!("2024-02-30")),
        ("moment", json!("soon")),
        ("bytes", json!("not base64!")),
        ("id", json!("other")),
    ];
    if kind != Kind::Sqlite {
        bad.extend([
            ("small", json!(40000)),
            ("money", json!("1.234")),
            ("money", json!("123456789012")),
            ("moment", json!("2024-12-31T23:59:59.1234Z")),
            ("fixed", json!("ab ")),
            ("fixed", json!("123456")),
            ("short", json!("abc ")),
            ("mood", json!("angry")),
        ]);
    }
    for (name, given) in bad {
        let error = apply(session, operation(Action::Update, "kind", Some(&id), vec![set(name, given.clone())])).await;
        let error = error.expect_err(&format!("{name} {given}"));
        let code = if name == "id" { ErrorCode::NotSupported } else { ErrorCode::InvalidValue };
        assert_eq!(error.code, code, "{name} {given}: {error}");
        assert!(!given.is_string() || !error.to_string().contains(given.as_str().unwrap()), "{error}");
    }
    if kind == Kind::Postgres {
        let tags = json!(["a,b", "c\"d\\e", " {} ", "NULL", "ä😀"]);
        apply(session, operation(Action::Update, "kind", Some(&id), vec![set("tags", tags.clone())])).await.unwrap();
        apply(session, operation(Action::Update, "kind", Some(&id), vec![set("doc", json!({"a": [1, "x"]}))]))
            .await
            .unwrap();
        let wide = json!("123456789012345678901234567890.123456789");
        apply(session, operation(Action::Update, "kind", Some(&id), vec![set("wide", wide.clone())])).await.unwrap();
        let record = session.get(&cx(), "kind", &id).await.unwrap().unwrap();
        assert_eq!((json_of(&record, "tags"), json_of(&record, "wide")), (tags, wide));
        assert_eq!(json_of(&record, "doc"), json!("{\"a\": [1, \"x\"]}"));
        apply(session, operation(Action::Update, "kind", Some(&id), vec![set("single", json!(0.1))])).await.unwrap();
        let record = session.get(&cx(), "kind", &id).await.unwrap().unwrap();
        assert_eq!(json_of(&record, "single"), json!(0.1));
        let local = vec![set("local", json!("2024-06-01T02:00:00+02:00"))];
        apply(session, operation(Action::Update, "kind", Some(&id), local)).await.unwrap();
        let record = session.get(&cx(), "kind", &id).await.unwrap().unwrap();
        assert_eq!(json_of(&record, "local"), json!("2024-06-01T00:00:00Z"));
    }
    let found = session
        .lookup(
            &cx(),
            LookupRequest { class: "kind".into(), path: "id".parse().unwrap(), values: vec![key.into(), "x".into()] },
        )
        .await
        .unwrap();
    assert_eq!((found[0].len(), found[1].len()), (1, 0));
}

/// Every filter finds what judging all records by it finds.
async fn filters_find_exactly(kind: Kind) {
    let peer = peer(kind).await;
    peer.run(&format!(
        "create table t (id int primary key, exact varchar(50) {}, folded varchar(50) {}, n int, flag boolean, moment {}, amount {})",
        peer.pick("", "collate utf8mb4_bin", ""),
        peer.pick("", "collate utf8mb4_general_ci", "collate nocase"),
        peer.pick("timestamptz", "datetime", "datetime"),
        peer.pick("numeric(8,2)", "decimal(8,2)", "decimal(8,2)"),
    ))
    .await;
    let session = peer.session(json!({"t": {"table": "t", "key": "id"}})).await;
    let session = session.as_ref();
    let texts =
        ["Ada", "ada", "ADA ", " ada", "", "Zoë", "ZOË", "zoe", "2024-01-02", "50%_x", "a\\b", "Ünï", "10", "true"];
    let mut operations = Vec::new();
    for (at, value) in texts.iter().enumerate() {
        let mut changes = vec![
            set("id", json!(at)),
            set("exact", json!(value)),
            set("folded", json!(value)),
            set("n", json!(at as i64 - 5)),
            set("amount", json!(format!("{}.50", at))),
        ];
        if at % 3 > 0 {
            changes.push(set("flag", json!(at % 3 == 1)));
            changes.push(set("moment", json!(format!("2024-01-{:02}T00:00:00Z", at + 1))));
        }
        operations.push(operation(Action::Create, "t", None, changes));
    }
    operations.push(operation(Action::Create, "t", None, vec![set("id", json!(99))]));
    assert!(apply_all(session, &operations).await.iter().all(Result::is_ok));
    let (records, _) = scan(session, "t", 100).await;
    let schema = session.schema(&cx()).await.unwrap();
    let class = schema.class("t").unwrap().clone();
    let operands: Vec<String> = texts.iter().map(|text| serde_json::to_string(text).unwrap()).collect();
    let mut filters: Vec<String> = Vec::new();
    for column in ["exact", "folded"] {
        for operator in ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "EQUALS", "Includes"] {
            filters.extend(operands.iter().map(|operand| format!("{column} {operator} {operand}")));
        }
        filters.extend(
            ["pr", "IS NULL", "eq null", "ne null", "eq 10", "eq true", "REGEX MATCH \"[a-z]+\""]
                .map(|rest| format!("{column} {rest}")),
        );
        filters.push(format!("{column} in (\"ada\", \"zoë\")"));
    }
    for rest in ["eq 3", "ne 3", "gt 3", "ge 3", "lt -3", "le 0", "eq \"3\"", "eq 2.5", "pr", "gt \"2\"", "eq \"x\""] {
        filters.push(format!("n {rest}"));
        filters.push(format!("not (n {rest})"));
    }
    for rest in ["eq true", "ne true", "eq \"False\"", "pr", "IS FALSE", "eq false"] {
        filters.push(format!("flag {rest}"));
        filters.push(format!("not (flag {rest})"));
    }
    for rest in ["eq 3.5", "gt 3.5", "le 3.50", "eq \"3.5\"", "ne 3.5"] {
        filters.push(format!("amount {rest}"));
    }
    for rest in [
        "eq \"2024-01-05T00:00:00Z\"",
        "gt \"2024-01-05\"",
        "le \"2024-01-05T01:00:00+01:00\"",
        "pr",
        "ne \"2024-01-02\"",
    ] {
        filters.push(format!("moment {rest}"));
    }
    filters.extend(
        [
            "exact eq \"ada\" and n gt 0",
            "exact eq \"ada\" or folded eq \"zoë\" or n eq 0",
            "not (exact eq \"ada\" and n gt -10)",
            "not (folded eq \"ada\") and not (exact pr)",
            "not (not (exact sw \"A\"))",
            "exact ne \"ada\" and flag ne true",
        ]
        .map(str::to_owned),
    );
    let mut matched = 0;
    for text in &filters {
        let filter: Filter = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        let exact =
            |path: &provost_model::AttributePath| class.resolve(path).is_some_and(|attribute| attribute.case_exact);
        let judge = ScopeFilter::compile_with(&filter, &exact).unwrap();
        let wanted: Vec<String> = records
            .iter()
            .filter(|record| judge.matches(&record.attributes))
            .map(|record| record.id.to_string())
            .collect();
        matched += wanted.len();
        assert_eq!(find(session, "t", text).await, wanted, "{text}");
    }
    assert!(matched > filters.len(), "{matched} of {}", filters.len());
    // By the page, and from a place that was told.
    let mut cursor: Option<Cursor> = None;
    let mut seen = Vec::new();
    loop {
        let request = FindRequest { page_size: 3, cursor, ..FindRequest::new("t", "n gt -4".parse().unwrap()) };
        let page = session.find(&cx(), request).await.unwrap();
        assert!(page.records.len() <= 3);
        seen.extend(page.records.iter().map(|record| record.id.to_string()));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, find(session, "t", "n gt -4").await);
    let request = LookupRequest {
        class: "t".into(),
        path: "folded".parse().unwrap(),
        values: vec!["ADA".into(), "nobody".into()],
    };
    let found = session.lookup(&cx(), request).await.unwrap();
    let folds = !class.attribute("folded").unwrap().case_exact;
    assert_eq!((found[0].len(), found[1].len()), (if folds { 2 } else { 0 }, 0));
}

async fn keys_of_several_columns(kind: Kind) {
    let peer = peer(kind).await;
    let exact = peer.pick("", "collate utf8mb4_nopad_bin", "");
    peer.run(&format!(
        "create table posts (org varchar(60) {exact} not null, number int not null, title varchar(60), primary key (org, number))"
    ))
    .await;
    let session = peer.session(json!({"post": {"table": "posts", "key": ["org", "number"]}})).await;
    let session = session.as_ref();
    let mut ids = Vec::new();
    for org in HOSTILE {
        for number in [-1, 10, 9] {
            let changes = vec![set("org", json!(org)), set("number", json!(number)), set("title", json!("t"))];
            let done = apply(session, operation(Action::Create, "post", None, changes)).await.unwrap();
            assert_eq!(done.target_id.as_str(), json!([org, number.to_string()]).to_string());
            ids.push(done.target_id);
        }
    }
    for page_size in [1, 4, 1000] {
        let (records, end) = scan(session, "post", page_size).await;
        assert!(end.complete && records.len() == ids.len(), "{end:?}");
        assert!(ids.iter().all(|id| records.iter().any(|record| record.id == *id)));
    }
    for id in &ids {
        let changes = vec![set("title", json!(id.as_str().len()))];
        apply(session, operation(Action::Update, "post", Some(id), changes)).await.unwrap();
        let record = session.get(&cx(), "post", id).await.unwrap().unwrap();
        assert_eq!(text(&record, "title"), Some(id.as_str().len().to_string()));
    }
    let deletes: Vec<_> = ids.iter().map(|id| operation(Action::Delete, "post", Some(id), vec![])).collect();
    assert!(apply_all(session, &deletes).await.iter().all(Result::is_ok));
    assert!(
        apply_all(session, &deletes)
            .await
            .iter()
            .all(|outcome| outcome.as_ref().unwrap_err().code == ErrorCode::NotFound)
    );
    assert_eq!(session.get(&cx(), "post", &ObjectId::from("plain")).await.unwrap(), None);
}

async fn deleted_rows_can_stay(kind: Kind) {
    let peer = peer(kind).await;
    let time = peer.pick("timestamptz", "datetime", "datetime");
    peer.run(&format!(
        "create table s (id int primary key, login varchar(30) unique, state varchar(10), gone_at {time})"
    ))
    .await;
    peer.run("insert into s values (1, 'a', 'live', null), (2, 'b', 'gone', null), (3, 'c', null, null)").await;
    for (soft, live) in [
        (json!({"column": "state", "value": "gone"}), vec!["1", "3"]),
        (json!({"column": "state", "value": "gone", "live": "live"}), vec!["1"]),
        (json!({"column": "gone_at", "value": "now()", "live": null}), vec!["1", "2", "3"]),
    ] {
        let session = peer.session(json!({"s": {"table": "s", "key": "id", "soft_delete": soft}})).await;
        let session = session.as_ref();
        let ids =
            |records: Vec<provost_model::Record>| records.iter().map(|one| one.id.to_string()).collect::<Vec<_>>();
        let (records, end) = scan(session, "s", 2).await;
        assert!(end.complete);
        assert_eq!(ids(records), live);
        assert_eq!(session.count(&cx(), "s").await.unwrap(), live.len() as u64);
        let found = find(session, "s", "login pr").await;
        assert_eq!(found, live);
        let there = session.get(&cx(), "s", &ObjectId::from("2")).await.unwrap().is_some();
        assert_eq!(there, live.contains(&"2"));
    }
    let soft = json!({"column": "gone_at", "value": "now()", "live": null});
    let session = peer.session(json!({"s": {"table": "s", "key": "id", "soft_delete": soft}})).await;
    let session = session.as_ref();
    apply(session, operation(Action::Delete, "s", Some("1"), vec![])).await.unwrap();
    assert_eq!(session.get(&cx(), "s", &ObjectId::from("1")).await.unwrap(), None);
    assert_eq!(peer.number("select count(*) from s where gone_at is not null").await, 1);
    for action in [Action::Delete, Action::Update] {
        let gone = apply(session, operation(action, "s", Some("1"), vec![])).await.unwrap_err();
        assert_eq!(gone.code, ErrorCode::NotFound, "{action}");
    }
    let taken = operation(Action::Create, "s", None, vec![set("id", json!(9)), set("login", json!("a"))]);
    let taken = apply(session, taken).await.unwrap_err();
    assert_eq!((taken.code, taken.existing_id.clone()), (ErrorCode::AlreadyExists, None));
    assert!(taken.message.contains("deleted row"), "{taken}");
    assert_eq!(
        apply(session, operation(Action::Delete, "s", Some("2"), vec![])).await.unwrap().target_id.as_str(),
        "2"
    );
}

async fn errors_are_told_by_code(kind: Kind) {
    let peer = people(kind).await;
    let engine = peer.pick("", "engine=innodb", "");
    peer.run(&format!(
        "create table org (id int primary key, name varchar(10) not null) {engine};
         create table member (id int primary key, org int not null, age int check (age > 0), foreign key (org) references org (id)) {engine};
         insert into org values (1, 'a')"
    ))
    .await;
    let classes = json!({
        "org": {"table": "org", "key": "id"},
        "member": {"table": "member", "key": "id", "references": {"org": "org"}},
        "fixed": {"table": "org", "key": "id", "write": false},
        "query": {"query": "select id, name from org -- all", "key": "id"},
    });
    let session = peer.session(classes).await;
    let session = session.as_ref();
    let member = |id: i64, org: i64, age: i64| {
        operation(
            Action::Create,
            "member",
            None,
            vec![set("id", json!(id)), set("org", json!(org)), set("age", json!(age))],
        )
    };
    apply(session, member(1, 1, 5)).await.unwrap();
    let record = session.get(&cx(), "member", &ObjectId::from("1")).await.unwrap().unwrap();
    assert_eq!(json_of(&record, "org"), json!({"ref": {"class": "org", "id": "1"}}));
    assert_eq!(apply(session, member(2, 7, 5)).await.unwrap_err().code, ErrorCode::Dependency);
    assert_eq!(apply(session, member(2, 1, -5)).await.unwrap_err().code, ErrorCode::InvalidValue);
    let busy = apply(session, operation(Action::Delete, "org", Some("1"), vec![])).await.unwrap_err();
    assert_eq!(busy.code, ErrorCode::Constraint, "{busy}");
    let unset = operation(Action::Update, "org", Some("1"), vec![change(ChangeOp::Unset, "name", json!(null))]);
    let missing = apply(session, unset).await.unwrap_err();
    assert_eq!((missing.code, missing.path.as_deref()), (ErrorCode::MissingRequired, Some("name")), "{missing}");
    for class in ["fixed", "query"] {
        let error = apply(session, operation(Action::Delete, class, Some("1"), vec![])).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::NotSupported);
        assert!(!session.capabilities().class(class).unwrap().delete);
        let (records, end) = scan(session, class, 10).await;
        assert!(end.complete && records.len() == 1 && text(&records[0], "name").as_deref() == Some("a"));
    }
    let off = apply(session, operation(Action::Disable, "org", Some("1"), vec![])).await.unwrap_err();
    assert_eq!(off.code, ErrorCode::NotSupported);
    for (classes, code) in [
        (json!({"x": {"table": "nothing", "key": "id"}}), ErrorCode::InvalidConfig),
        (json!({"x": {"table": "org", "key": "nothing"}}), ErrorCode::InvalidConfig),
        (json!({"x": {"query": "selekt 1", "key": "id"}}), ErrorCode::InvalidConfig),
        (
            json!({"x": {"table": "org", "key": "id", "enabled": {"column": "id", "on": "yes", "off": "no"}}}),
            ErrorCode::InvalidConfig,
        ),
        (
            json!({"x": {"table": "org", "key": "id", "statements": {"create": "insert into org values (:nothing)"}}}),
            ErrorCode::InvalidConfig,
        ),
    ] {
        let error = peer.try_session(classes.clone()).await.err().unwrap_or_else(|| panic!("{classes}"));
        assert_eq!(error.code, code, "{classes}: {error}");
        assert!(error.hint.is_some());
    }
}

async fn batches_of_all_shapes(kind: Kind) {
    let peer = people(kind).await;
    let session = peer.session(class()).await;
    let session = session.as_ref();
    let creates: Vec<_> = (0..300)
        .map(|at| {
            let mut changes = vec![set("login", json!(format!("u{at:03}")))];
            if at % 2 == 0 {
                changes.push(set("level", json!(at)));
            }
            operation(Action::Create, "person", None, changes)
        })
        .collect();
    let ids: Vec<ObjectId> =
        apply_all(session, &creates).await.into_iter().map(|outcome| outcome.unwrap().target_id).collect();
    let mut mixed = Vec::new();
    for (at, id) in ids.iter().enumerate() {
        mixed.push(match at % 5 {
            0 => operation(Action::Delete, "person", Some(id), vec![]),
            1 => operation(Action::Disable, "person", Some(id), vec![]),
            2 => operation(Action::Update, "person", Some(id), vec![set("note", json!(format!("n{at}")))]),
            3 => operation(Action::Update, "person", Some(id), vec![]),
            _ => operation(Action::Update, "person", Some(id), vec![set("login", json!("u001"))]),
        });
    }
    // One row twice, and rows that are not there.
    mixed.push(operation(Action::Update, "person", Some(&ids[2]), vec![set("note", json!("first"))]));
    mixed.push(operation(Action::Update, "person", Some(&ids[2]), vec![set("note", json!("last"))]));
    mixed.push(operation(Action::Update, "person", Some("424242"), vec![set("note", json!("x"))]));
    let outcomes = apply_all(session, &mixed).await;
    for (at, outcome) in outcomes.iter().enumerate().take(300) {
        match (at % 5, outcome) {
            (4, Err(error)) => assert_eq!(error.code, ErrorCode::Constraint),
            (0..=3, Ok(done)) => assert_eq!(done.target_id, ids[at]),
            other => panic!("{at}: {other:?}"),
        }
    }
    assert_eq!(outcomes[302].as_ref().unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(session.count(&cx(), "person").await.unwrap(), 240);
    let record = session.get(&cx(), "person", &ids[2]).await.unwrap().unwrap();
    assert_eq!(text(&record, "note").as_deref(), Some("last"));
    let record = session.get(&cx(), "person", &ids[7]).await.unwrap().unwrap();
    assert_eq!(text(&record, "note").as_deref(), Some("n7"));
    assert_eq!(find(session, "person", "active eq false").await.len(), 60);
    let deletes: Vec<_> = ids.iter().map(|id| operation(Action::Delete, "person", Some(id), vec![])).collect();
    let gone = apply_all(session, &deletes).await.iter().filter(|outcome| outcome.is_err()).count();
    assert_eq!((gone, session.count(&cx(), "person").await.unwrap()), (60, 0));
}

/// Rows without a key, and rows that share one.
async fn an_unproven_read_is_never_complete(kind: Kind) {
    let peer = peer(kind).await;
    for (name, rows) in [
        ("nulls", "(null, 'x'), (1, 'a'), (2, 'b'), (null, 'y')"),
        ("beside", "(1, 'a'), (2, 'b'), (2, 'c'), (3, 'd')"),
        ("apart", "(1, 'a'), (1, 'b'), (1, 'c'), (1, 'd'), (2, 'e')"),
    ] {
        peer.run(&format!("create table {name} (id int, v varchar(5)); insert into {name} values {rows}")).await;
        let session = peer.session(json!({"t": {"table": name, "key": "id"}})).await;
        for page_size in [1, 2, 3, 100] {
            let request = provost_connector::ScanRequest { page_size, ..provost_connector::ScanRequest::full("t") };
            let mut scan = session.scan(&cx(), request).await.unwrap();
            let (mut nameless, mut received) = (false, 0);
            let end = loop {
                let page = scan.next(&cx()).await.unwrap();
                nameless |= page.nameless().is_some();
                received += page.received();
                if let Some(end) = page.end {
                    break end;
                }
            };
            assert!(!end.complete && end.reason.is_some(), "{name} {page_size}: {end:?}");
            assert!(end.gap(received).is_some());
            assert!(name == "nulls" || !nameless);
        }
        let checks = session.test(&cx()).await;
        assert!(checks.iter().any(|check| check.status == CheckStatus::Warn), "{name}: {checks:?}");
    }
    // The second and third row of one key stand behind the end of what is asked for at once: only the count tells.
    let series = peer.pick(
        "select i, 'x' from generate_series(1, 10000) as s(i)",
        "select seq, 'x' from seq_1_to_10000",
        "with recursive s(i) as (select 1 union all select i + 1 from s where i < 10000) select i, 'x' from s",
    );
    peer.run(&format!(
        "create table far (id int, v varchar(5)); insert into far {series}; insert into far values (10000, 'y'), (10000, 'z')"
    ))
    .await;
    let session = peer.session(json!({"t": {"table": "far", "key": "id"}})).await;
    let (records, end) = scan(session.as_ref(), "t", 1000).await;
    assert_eq!((records.len(), end.complete), (10_000, false), "{end:?}");
    assert!(end.reason.unwrap().contains("10002 rows were counted and 10000 read"));
    // And with its rows gone it is complete again.
    peer.run("delete from far where v in ('y', 'z')").await;
    let (records, end) = scan(session.as_ref(), "t", 1000).await;
    assert!(end.complete && records.len() == 10_000, "{end:?}");
}

/// A trigger stores other values than were sent, so that returned rows cannot be told apart by them.
#[tokio::test]
async fn ids_are_right_where_a_trigger_changes_values() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let peer = people(kind).await;
        peer.run(peer.pick(
            "create function low() returns trigger language plpgsql as $$ begin new.login := lower(new.login); return new; end $$;
             create trigger low before insert on people for each row execute function low()",
            "create trigger low before insert on people for each row set new.login = lower(new.login)",
            "",
        ))
        .await;
        let session = peer.session(class()).await;
        let operations: Vec<_> = (0..40)
            .map(|at| operation(Action::Create, "person", None, vec![set("login", json!(format!("USER{at}")))]))
            .collect();
        let outcomes = apply_all(session.as_ref(), &operations).await;
        for (at, outcome) in outcomes.iter().enumerate() {
            let id = &outcome.as_ref().unwrap().target_id;
            let record = session.get(&cx(), "person", id).await.unwrap().unwrap();
            assert_eq!(text(&record, "login"), Some(format!("user{at}")), "{kind:?}");
        }
        assert_eq!(session.count(&cx(), "person").await.unwrap(), 40);
    }
}
