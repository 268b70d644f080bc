//! Child tables and memberships, changes by watermark and history, and statements of the administrator's own, over three
//! real databases.
#![cfg(feature = "sql")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod sql_support;

use provost_connector::{
    CheckStatus, Cursor, End, ErrorCode, FindRequest, LookupRequest, ScanItem, ScanMode, ScanRequest, Session,
};
use provost_model::{Action, AttributeType, ChangeOp, ObjectId, Value};
use serde_json::{Value as Json, json};
use sql_support::*;

macro_rules! over_all {
    ($($name:ident),* $(,)?) => {
        mod postgres { $(#[tokio::test] async fn $name() { super::$name(super::Kind::Postgres).await; })* }
        mod mariadb { $(#[tokio::test] async fn $name() { super::$name(super::Kind::MariaDb).await; })* }
        mod sqlite { $(#[tokio::test] async fn $name() { super::$name(super::Kind::Sqlite).await; })* }
    };
}

over_all!(
    members_and_addresses_come_and_go,
    children_of_compound_keys_and_queries,
    a_watermark_tells_what_changed,
    a_history_tells_what_went,
    own_statements_are_run_with_bound_values,
);

async fn groups(kind: Kind) -> Peer {
    let peer = peer(kind).await;
    let exact = peer.pick("", "collate utf8mb4_nopad_bin", "");
    peer.run(&format!(
        "create table people (id int primary key, login varchar(60) {exact});
         create table team (name varchar(60) {exact} primary key, note varchar(20));
         create table team_member (team varchar(60) {exact} not null, person int not null, primary key (team, person),
             foreign key (team) references team (name), foreign key (person) references people (id));
         create table team_mail (team varchar(60) {exact} not null, mail varchar(200) {exact})"
    ))
    .await;
    let rows: Vec<String> = (1..=1200).map(|at| format!("({at}, 'u{at}')")).collect();
    peer.run(&format!("insert into people values {}", rows.join(", "))).await;
    peer
}

fn classes() -> Json {
    json!({
        "person": {"table": "people", "key": "id"},
        "team": {"table": "team", "key": "name", "children": {
            "members": {"table": "team_member", "key": ["team"], "value": "person", "references": "person"},
            "emails": {"table": "team_mail", "key": "team", "value": "mail"},
        }},
    })
}

fn refs(ids: impl IntoIterator<Item = i64>) -> Json {
    json!(ids.into_iter().map(|id| json!({"ref": {"class": "person", "id": id.to_string()}})).collect::<Vec<_>>())
}

async fn team(session: &dyn Session, name: &str) -> (Vec<i64>, Vec<String>) {
    let record = session.get(&cx(), "team", &ObjectId::from(name)).await.unwrap().unwrap();
    let members = record.attributes.get("members").unwrap().elements();
    let mut members: Vec<i64> = members.iter().map(|one| one.as_reference().unwrap().id.parse().unwrap()).collect();
    let mails = record.attributes.get("emails").unwrap().elements();
    let mut mails: Vec<String> = mails.iter().map(|one| one.as_text().unwrap().to_owned()).collect();
    members.sort_unstable();
    mails.sort();
    (members, mails)
}

async fn members_and_addresses_come_and_go(kind: Kind) {
    let peer = groups(kind).await;
    let session = peer.session(classes()).await;
    let session = session.as_ref();
    let schema = session.schema(&cx()).await.unwrap();
    let members = schema.class("team").unwrap().attribute("members").unwrap().clone();
    assert_eq!((members.kind, members.multi_valued), (AttributeType::Reference, true));
    let changes = vec![
        set("name", json!("core")),
        set("members", refs(1..=1100)),
        set("emails", json!(["a@x", "it's, \"quoted\"\\", " a@x", "a@x"])),
    ];
    let done = apply(session, operation(Action::Create, "team", None, changes)).await.unwrap();
    assert_eq!(done.target_id.as_str(), "core");
    let (members, mails) = team(session, "core").await;
    assert_eq!((members.len(), mails), (1100, vec![" a@x".into(), "a@x".into(), "it's, \"quoted\"\\".into()]));

    // Twice is as once, also for what is not there.
    for _ in 0..2 {
        let changes = vec![
            change(ChangeOp::Remove, "members", refs((1..=1050).chain([1199]))),
            change(ChangeOp::Add, "members", refs([1100, 1101, 1102])),
            change(ChangeOp::Remove, "emails", json!(["a@x", "nobody"])),
            change(ChangeOp::Add, "emails", json!("b@x")),
        ];
        apply(session, operation(Action::Update, "team", Some("core"), changes)).await.unwrap();
        let (members, mails) = team(session, "core").await;
        assert_eq!(members, (1051..=1102).collect::<Vec<_>>());
        assert_eq!(mails, [" a@x", "b@x", "it's, \"quoted\"\\"]);
    }
    apply(session, operation(Action::Update, "team", Some("core"), vec![set("members", refs([3, 1060]))]))
        .await
        .unwrap();
    assert_eq!(team(session, "core").await.0, [3, 1060]);
    let unset = vec![change(ChangeOp::Unset, "emails", json!(null)), set("note", json!("n"))];
    apply(session, operation(Action::Update, "team", Some("core"), unset)).await.unwrap();
    assert_eq!(team(session, "core").await, (vec![3, 1060], vec![]));

    // A member that is not there yet: all of the operation waits, and nothing else of the batch.
    let late = operation(
        Action::Update,
        "team",
        Some("core"),
        vec![set("note", json!("lost")), change(ChangeOp::Add, "members", refs([5, 99_999]))],
    );
    let other = operation(Action::Create, "team", None, vec![set("name", json!("other")), set("members", refs([3]))]);
    let outcomes = apply_all(session, &[late, other]).await;
    let error = outcomes[0].as_ref().unwrap_err();
    assert_eq!((error.code, error.path.as_deref()), (ErrorCode::Dependency, Some("members")), "{error}");
    assert!(outcomes[1].is_ok());
    assert_eq!(team(session, "core").await.0, [3, 1060]);
    let missing = operation(Action::Update, "team", Some("none"), vec![change(ChangeOp::Add, "emails", json!("x"))]);
    assert_eq!(apply(session, missing).await.unwrap_err().code, ErrorCode::NotFound);
    assert_eq!(peer.number("select count(*) from team_mail where team = 'none'").await, 0);

    // Who has whom: asked by the child table.
    let request =
        LookupRequest { class: "team".into(), path: "members".parse().unwrap(), values: vec!["3".into(), "4".into()] };
    let found = session.lookup(&cx(), request).await.unwrap();
    assert_eq!((found[0].len(), found[1].len()), (2, 0));
    let page = session.find(&cx(), FindRequest::new("team", "members eq \"1060\"".parse().unwrap())).await.unwrap();
    assert_eq!(page.records.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["core"]);

    // In pages, with a query per child table and page.
    let many: Vec<_> = (0..150)
        .map(|at| {
            let changes = vec![
                set("name", json!(format!("t{at:03}"))),
                set("members", refs(1..=at % 4)),
                set("emails", json!(["m"])),
            ];
            operation(Action::Create, "team", None, changes)
        })
        .collect();
    assert!(apply_all(session, &many).await.iter().all(Result::is_ok));
    let (records, end) = scan(session, "team", 40).await;
    assert!(end.complete && records.len() == 152);
    for record in records.iter().filter(|record| record.id.starts_with('t')) {
        let wanted = record.id[1..].parse::<usize>().unwrap() % 4;
        assert_eq!(record.attributes.get("members").unwrap().elements().len(), wanted, "{}", record.id);
    }
    let mut request = ScanRequest::full("team");
    request.attributes = Some(vec!["name".into(), "emails".into()]);
    let (items, _) = drain(session.scan(&cx(), request).await.unwrap()).await;
    let ScanItem::Upsert(record) = &items[9] else { panic!("{:?}", items[9]) };
    assert!(record.attributes.get("members").is_none() && record.attributes.get("emails").is_some());
    // With its rows in the child tables.
    apply(session, operation(Action::Delete, "team", Some("core"), vec![])).await.unwrap();
    assert_eq!(peer.number("select count(*) from team_member where team = 'core'").await, 0);
    let busy = apply(session, operation(Action::Delete, "person", Some("3"), vec![])).await.unwrap_err();
    assert_eq!(busy.code, ErrorCode::Constraint);
    let deletes: Vec<_> =
        (0..150).map(|at| operation(Action::Delete, "team", Some(&format!("t{at:03}")), vec![])).collect();
    assert!(apply_all(session, &deletes).await.iter().all(Result::is_ok));
    assert_eq!(peer.number("select count(*) from team_mail").await, 0);
}

async fn children_of_compound_keys_and_queries(kind: Kind) {
    let peer = peer(kind).await;
    peer.run(
        "create table site (org varchar(10) not null, nr int not null, primary key (org, nr));
         create table tag (org varchar(10) not null, nr int not null, tag varchar(10), rank_no int);
         insert into site values ('a', 1), ('a', 2), ('b', 1);
         insert into tag values ('a', 1, 'x', 1), ('a', 1, 'y', 2), ('b', 1, 'x', 1), ('a', 1, 'x', 3), ('a', 2, null, 1), ('z', 9, 'q', 1)",
    )
    .await;
    let children = json!({"tags": {"table": "tag", "key": ["org", "nr"], "value": "tag"}, "ranks": {"table": "tag", "key": ["org", "nr"], "value": "rank_no"}});
    let session = peer
        .session(json!({
            "site": {"table": "site", "key": ["org", "nr"], "children": children},
            "seen": {"query": "select org, nr from site where nr < 3", "key": ["org", "nr"], "children": children},
        }))
        .await;
    for class in ["site", "seen"] {
        let (records, end) = scan(session.as_ref(), class, 2).await;
        assert!(end.complete, "{class}: {end:?}");
        let tags: Vec<Json> = records.iter().map(|record| json_of(record, "tags")).collect();
        assert_eq!(tags, [json!(["x", "y"]), json!([]), json!(["x"])], "{class}");
        assert_eq!(json_of(&records[0], "ranks"), json!([1, 2, 3]));
    }
    let id = ObjectId::from(json!(["a", "2"]).to_string());
    let changes = vec![change(ChangeOp::Add, "tags", json!(["n", "m"]))];
    apply(session.as_ref(), operation(Action::Update, "site", Some(&id), changes)).await.unwrap();
    let record = session.get(&cx(), "seen", &id).await.unwrap().unwrap();
    assert_eq!(json_of(&record, "tags"), json!(["m", "n"]));
    let request = LookupRequest { class: "site".into(), path: "tags".parse().unwrap(), values: vec!["x".into()] };
    assert_eq!(session.lookup(&cx(), request).await.unwrap()[0].len(), 2);
    let checks = session.test(&cx()).await;
    assert!(checks.iter().all(|check| check.status == CheckStatus::Ok), "{checks:?}");
}

async fn changes(session: &dyn Session, cursor: Option<Cursor>) -> (Vec<ScanItem>, End) {
    let request = ScanRequest { mode: ScanMode::Changes { cursor }, page_size: 3, ..ScanRequest::full("p") };
    drain(session.scan(&cx(), request).await.unwrap()).await
}

fn ids(items: &[ScanItem]) -> Vec<String> {
    let mut ids: Vec<String> = items
        .iter()
        .map(|item| match item {
            ScanItem::Upsert(record) => record.id.to_string(),
            ScanItem::Tombstone(id) => format!("-{id}"),
            ScanItem::Unchanged(id) => format!("={id}"),
        })
        .collect();
    ids.sort();
    ids
}

async fn a_watermark_tells_what_changed(kind: Kind) {
    let peer = peer(kind).await;
    let time = peer.pick("timestamptz(6)", "datetime(6)", "text");
    peer.run(&format!("create table p (id int primary key, v int, seq bigint, at {time})")).await;
    for (column, overlap) in [("seq", 0), ("seq", 5), ("at", 0)] {
        if kind == Kind::Sqlite && column == "at" {
            continue;
        }
        peer.run("delete from p").await;
        let session = peer
            .session(json!({"p": {"table": "p", "key": "id", "columns": {"seq": null},
                                  "changes": {"watermark": column, "overlap": overlap}}}))
            .await;
        let session = session.as_ref();
        assert!(session.capabilities().class("p").unwrap().changes);
        let (items, empty) = changes(session, None).await;
        assert!(items.is_empty() && empty.complete);
        let insert = |from: i64, to: i64, seq: i64| {
            let rows: Vec<String> =
                (from..=to).map(|id| format!("({id}, 1, {seq}, '2024-05-01 10:00:{seq:02}.5')")).collect();
            format!("insert into p values {}", rows.join(", "))
        };
        peer.run(&insert(1, 10, 20)).await;
        let (items, end) = changes(session, empty.cursor).await;
        assert!(end.complete && items.len() == 10 && !end.more, "{column}");
        assert!(session.revision(&cx(), "p").await.unwrap().is_some());
        let (items, end) = changes(session, end.cursor).await;
        assert!(items.is_empty() && end.complete, "{column}: {:?}", ids(&items));
        // Of the same moment as the last, and so seen by nobody who only looks behind it.
        peer.run(&insert(11, 12, 20)).await;
        peer.run(&insert(13, 13, 21)).await;
        peer.run("update p set v = 2, seq = 22, at = '2024-05-01 10:00:22' where id = 4").await;
        let (items, end) = changes(session, end.cursor).await;
        assert_eq!(ids(&items), ["11", "12", "13", "4"], "{column}");
        // Committed behind the highest: only where the overlap reaches.
        peer.run(&insert(14, 14, 19)).await;
        let (items, end) = changes(session, end.cursor).await;
        assert_eq!(ids(&items), if overlap > 0 { vec!["14"] } else { vec![] }, "{column}");
        let (items, _) = changes(session, end.cursor.clone()).await;
        assert!(items.is_empty());
        assert!(end.cursor.unwrap().0.len() < 16 << 10);
        let garbage = ScanRequest {
            mode: ScanMode::Changes { cursor: Some(Cursor("nonsense".into())) },
            ..ScanRequest::full("p")
        };
        let error = session.scan(&cx(), garbage).await.err().unwrap();
        assert_eq!(error.code, ErrorCode::CursorExpired);
    }
    let session = peer.session(json!({"p": {"table": "p", "key": "id"}})).await;
    let request = ScanRequest { mode: ScanMode::Changes { cursor: None }, ..ScanRequest::full("p") };
    assert_eq!(session.scan(&cx(), request).await.err().unwrap().code, ErrorCode::NotSupported);
}

async fn a_history_tells_what_went(kind: Kind) {
    let peer = peer(kind).await;
    let id = peer.pick(
        "nr bigint generated always as identity primary key",
        "nr bigint auto_increment primary key",
        "nr integer primary key autoincrement",
    );
    peer.run(&format!(
        "create table p (id varchar(20) primary key, v int); create table h ({id}, person varchar(20), op varchar(10))"
    ))
    .await;
    let session = peer
        .session(json!({"p": {"table": "p", "key": "id",
            "changes": {"table": "h", "key": "person", "order": "nr", "type": "op", "deleted": ["D", "gone"]}}}))
        .await;
    let session = session.as_ref();
    peer.run("insert into p values ('a', 1), ('b', 1), ('c', 1), ('d''x', 1)").await;
    let (_, start) = changes(session, None).await;
    peer.run(
        "insert into h (person, op) values ('a', 'I'), ('b', 'I'), ('a', 'U'), ('d''x', 'U'), ('b', 'D'), ('zz', 'U')",
    )
    .await;
    peer.run("delete from p where id = 'b'").await;
    let (items, end) = changes(session, start.cursor).await;
    assert_eq!(ids(&items), ["-b", "-zz", "a", "d'x"]);
    assert!(end.complete && end.count == 4);
    let (items, end) = changes(session, end.cursor).await;
    assert!(items.is_empty());
    peer.run("insert into p values ('b', 2); insert into h (person, op) values ('b', 'I'), ('c', 'D')").await;
    let (items, end) = changes(session, end.cursor).await;
    assert_eq!(ids(&items), ["-c", "b"]);
    assert_eq!(changes(session, end.cursor).await.0.len(), 0);
    assert!(session.revision(&cx(), "p").await.unwrap().is_some());
}

async fn own_statements_are_run_with_bound_values(kind: Kind) {
    let peer = peer(kind).await;
    let id = peer.pick(
        "id bigint generated always as identity primary key",
        "id bigint auto_increment primary key",
        "id integer primary key autoincrement",
    );
    peer.run(&format!(
        "create table acc ({id}, login varchar(80) unique, mail varchar(80), level int, state varchar(5))"
    ))
    .await;
    let statements = json!({
        "create": "insert into acc (login, mail, level, state) values (:login, :mail, :level, 'on') returning id -- :no",
        "update": "update acc set mail = :mail, level = :level, login = :login where id = :id",
        "disable": "update acc set state = 'off' where id = :id",
        "enable": "update acc set state = 'on' where id = :id",
        "delete": "delete from acc where id = :id",
    });
    let class =
        json!({"query": "select id, login, mail, level, state from acc", "key": "id", "statements": statements});
    let session = peer.session(json!({"acc": class})).await;
    let session = session.as_ref();
    let capabilities = session.capabilities().class("acc").unwrap();
    assert!(capabilities.create && capabilities.update && capabilities.delete);
    let hostile = "x'); drop table acc; --";
    let changes = vec![set("login", json!(hostile)), set("mail", json!(":login \\ \" $1")), set("level", json!(3))];
    let id = apply(session, operation(Action::Create, "acc", None, changes)).await.unwrap().target_id;
    let record = session.get(&cx(), "acc", &id).await.unwrap().unwrap();
    assert_eq!(text(&record, "login").as_deref(), Some(hostile));
    assert_eq!(text(&record, "mail").as_deref(), Some(":login \\ \" $1"));
    // What the operation does not name keeps what the row holds.
    apply(session, operation(Action::Update, "acc", Some(&id), vec![set("level", json!(4))])).await.unwrap();
    let record = session.get(&cx(), "acc", &id).await.unwrap().unwrap();
    assert_eq!((json_of(&record, "level"), text(&record, "login").as_deref()), (json!(4), Some(hostile)));
    apply(session, operation(Action::Disable, "acc", Some(&id), vec![])).await.unwrap();
    let record = session.get(&cx(), "acc", &id).await.unwrap().unwrap();
    assert_eq!(text(&record, "state").as_deref(), Some("off"));
    let twice = operation(Action::Create, "acc", None, vec![set("login", json!(hostile))]);
    assert_eq!(apply(session, twice).await.unwrap_err().code, ErrorCode::AlreadyExists);
    let bad = operation(Action::Update, "acc", Some(&id), vec![set("level", json!("many"))]);
    assert_eq!(apply(session, bad).await.unwrap_err().code, ErrorCode::InvalidValue);
    let one = operation(Action::Create, "acc", None, vec![set("login", json!("b"))]);
    let two = operation(Action::Delete, "acc", Some(&id), vec![]);
    let outcomes = apply_all(session, &[one, two.clone(), two]).await;
    assert!(outcomes[0].is_ok() && outcomes[1].is_ok());
    assert_eq!(outcomes[2].as_ref().unwrap_err().code, ErrorCode::NotFound);
    let page = session.find(&cx(), FindRequest::new("acc", "login eq \"b\"".parse().unwrap())).await.unwrap();
    assert_eq!(page.records[0].id, outcomes[0].as_ref().unwrap().target_id);
    assert_eq!(page.records[0].attributes.get("mail"), Some(&Value::Null));

    if kind == Kind::Sqlite {
        return;
    }
    let procedure = peer.pick(
        "create procedure hire(who varchar, nr int) language plpgsql as $$ begin
            if who = 'boss' then raise exception 'not %', who; end if;
            insert into acc (login, level) values (who, nr); end $$",
        "create procedure hire(who varchar(80), nr int) begin
            if who = 'boss' then signal sqlstate '45000' set message_text = 'not boss'; end if;
            insert into acc (login, level) values (who, nr); end",
        "",
    );
    peer.run(procedure).await;
    let class = json!({"table": "acc", "key": "id", "statements": {"create": "call hire(:login, :level);"}});
    let session = peer.session(json!({"acc": class})).await;
    let create =
        |login: &str| operation(Action::Create, "acc", None, vec![set("login", json!(login)), set("level", json!(9))]);
    // The procedure tells no id; the unique login does.
    let id = apply(session.as_ref(), create("it's")).await.unwrap().target_id;
    let record = session.get(&cx(), "acc", &id).await.unwrap().unwrap();
    assert_eq!((text(&record, "login").as_deref(), json_of(&record, "level")), (Some("it's"), json!(9)));
    let refused = apply(session.as_ref(), create("boss")).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::Constraint, "{refused}");
    assert!(!refused.to_string().contains("boss"));
}

/// An engine without transactions: what is read is never proven, and each row is written by itself.
#[tokio::test]
async fn tables_without_transactions_prove_nothing() {
    let peer = peer(Kind::MariaDb).await;
    peer.run("create table t (id int primary key, login varchar(20) not null unique) engine=myisam; insert into t values (1, 'a')")
        .await;
    let session = peer.session(json!({"t": {"table": "t", "key": "id"}})).await;
    let (records, end) = scan(session.as_ref(), "t", 10).await;
    assert_eq!((records.len(), end.complete), (1, false));
    assert!(end.reason.unwrap().contains("without transactions"));
    let create = |id: i64, login: &str| {
        operation(Action::Create, "t", None, vec![set("id", json!(id)), set("login", json!(login))])
    };
    let outcomes = apply_all(session.as_ref(), &[create(2, "b"), create(3, "a"), create(4, "d")]).await;
    assert!(outcomes[0].is_ok() && outcomes[2].is_ok());
    assert_eq!(outcomes[1].as_ref().unwrap_err().code, ErrorCode::AlreadyExists);
    assert_eq!(peer.number("select count(*) from t").await, 3);
    assert!(session.test(&cx()).await.iter().any(|check| check.status == CheckStatus::Warn));
}
