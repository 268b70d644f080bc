//! What goes wrong between the connector and real databases: credentials, rights, cut lines, locks, time.
#![cfg(feature = "sql")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod sql_support;

use std::time::Duration;

use provost_connector::{CheckStatus, ConnectorError, ErrorCode, ScanRequest, Session};
use provost_connectors::sql::SqlConnector;
use provost_model::Action;
use provost_testkit::{mariadb, postgres};
use serde_json::json;
use sql_support::wire::{Mode, Wire};
use sql_support::*;
use sqlx::{AssertSqlSafe, Connection as _};

const SERVERS: [Kind; 2] = [Kind::Postgres, Kind::MariaDb];

fn port(url: &str) -> u16 {
    let place = url.split('@').nth(1).unwrap().split('/').next().unwrap();
    place.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// A table behind a line that can be cut.
async fn behind(kind: Kind) -> (Peer, Wire, std::sync::Arc<dyn Session>) {
    let peer = peer(kind).await;
    peer.run("create table t (id int primary key, v varchar(2000))").await;
    let wire = Wire::before(port(&peer.url)).await;
    let url = peer.url.replace(&format!(":{}/", port(&peer.url)), &format!(":{}/", wire.port));
    let session =
        configure(json!({"url": url, "tls": "off", "timeout": 5, "classes": {"t": {"table": "t", "key": "id"}}})).await;
    (peer, wire, session.unwrap())
}

fn create(id: i64) -> provost_model::Operation {
    operation(Action::Create, "t", None, vec![provost_change("id", id), set("v", json!("needle"))])
}

fn provost_change(name: &str, value: i64) -> provost_model::Change {
    set(name, json!(value))
}

#[tokio::test]
async fn a_lost_answer_to_the_commit_is_unknown_and_nothing_else_is() {
    for kind in SERVERS {
        let (peer, wire, session) = behind(kind).await;
        apply(session.as_ref(), create(1)).await.unwrap();
        // A statement that was prepared before goes without its text, so its value is what is looked for.
        for (mode, code, rows) in [
            (Mode::LoseAnswerTo("needle"), ErrorCode::Unavailable, 1),
            (Mode::LoseRequest("needle"), ErrorCode::Unavailable, 1),
            (Mode::LoseRequest("commit"), ErrorCode::UnknownOutcome, 1),
            (Mode::LoseAnswerTo("commit"), ErrorCode::UnknownOutcome, 3),
        ] {
            wire.set(mode.clone());
            let outcomes = apply_all(session.as_ref(), &[create(2), create(3)]).await;
            wire.set(Mode::Pass);
            for outcome in outcomes {
                let error = outcome.unwrap_err();
                assert_eq!(error.code, code, "{kind:?} {mode:?}: {error}");
                assert!(!error.was_done());
            }
            assert_eq!(peer.number("select count(*) from t").await, rows, "{kind:?} {mode:?}");
        }
        // The next call has a new connection.
        assert_eq!(session.count(&cx(), "t").await.unwrap(), 3);
        let twice = apply(session.as_ref(), create(2)).await.unwrap_err();
        assert_eq!((twice.code, twice.existing_id), (ErrorCode::AlreadyExists, Some("2".into())));
    }
}

#[tokio::test]
async fn an_own_statement_without_its_answer_is_unknown() {
    for kind in SERVERS {
        let (peer, wire, _) = behind(kind).await;
        let url = peer.url.replace(&format!(":{}/", port(&peer.url)), &format!(":{}/", wire.port));
        let class = json!({"table": "t", "key": "id", "statements": {"create": "insert into t values (:id, :v)"}});
        let session =
            configure(json!({"url": url, "tls": "off", "timeout": 5, "classes": {"t": class}})).await.unwrap();
        wire.set(Mode::LoseAnswerTo("needle"));
        let error = apply(session.as_ref(), create(7)).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::UnknownOutcome, "{error}");
    }
}

#[tokio::test]
async fn a_read_that_was_cut_never_ends() {
    for kind in SERVERS {
        let (peer, wire, session) = behind(kind).await;
        let rows: Vec<String> = (1..=3000).map(|at| format!("({at}, '{}')", "v".repeat(200))).collect();
        peer.run(&format!("insert into t values {}", rows.join(", "))).await;
        for limit in [1_000, 50_000, 300_000] {
            wire.set(Mode::CutAfter(limit));
            let outcome = async {
                let request = ScanRequest { page_size: 500, ..ScanRequest::full("t") };
                let mut scan = session.scan(&cx(), request).await?;
                loop {
                    let page = scan.next(&cx()).await?;
                    assert!(page.end.is_none(), "{kind:?} {limit}");
                }
            };
            let outcome: Result<(), ConnectorError> = outcome.await;
            let error = outcome.unwrap_err();
            assert_eq!(error.code, ErrorCode::Unavailable, "{kind:?} {limit}: {error}");
        }
        wire.set(Mode::Pass);
        let (records, end) = scan(session.as_ref(), "t", 500).await;
        assert!(end.complete && records.len() == 3000);
    }
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let closed = provost_testkit::free_port().unwrap();
    let missing = std::env::temp_dir().join("provost-there-is-no-such.db");
    for url in [
        format!("postgres://x@127.0.0.1:{closed}/x"),
        format!("mysql://x@127.0.0.1:{closed}/x"),
        format!("sqlite:{}", missing.display()),
    ] {
        let error = configure(json!({"url": url, "timeout": 3, "classes": {"t": {"table": "t", "key": "id"}}})).await;
        let error = error.err().unwrap();
        assert_eq!(error.code, ErrorCode::Unavailable, "{url}: {error}");
        assert!(error.hint.is_some());
    }
    assert!(!missing.exists());
    // No database at all.
    let junk = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(junk.path(), "not a database, but long enough to be looked at as one".repeat(100)).unwrap();
    let url = format!("sqlite:{}", junk.path().display());
    let error = configure(json!({"url": url, "classes": {"t": {"table": "t", "key": "id"}}})).await.err().unwrap();
    assert_eq!(error.code, ErrorCode::Unreadable, "{error}");
}

/// A user with a password, who may only read.
async fn guarded(kind: Kind) -> (Peer, String) {
    let peer = match kind {
        Kind::MariaDb => peer(kind).await,
        _ => {
            // Everybody but the owner has to show a password.
            static SERVER: tokio::sync::OnceCell<postgres::Server> = tokio::sync::OnceCell::const_new();
            let server = SERVER
                .get_or_init(|| async {
                    use std::os::unix::fs::PermissionsExt as _;
                    let rules = std::env::temp_dir().join(format!("provost-hba-{}", std::process::id()));
                    let text = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
                    std::fs::write(&rules, text).unwrap();
                    std::fs::set_permissions(&rules, std::fs::Permissions::from_mode(0o644)).unwrap();
                    let settings = vec![("hba_file".to_owned(), rules.display().to_string())];
                    let server = postgres::Server::start(postgres::Options { durable: false, settings }).await.unwrap();
                    // Read at the start, and only then.
                    std::fs::remove_file(&rules).unwrap();
                    server
                })
                .await;
            let mut made = peer(kind).await;
            made.url = server.fresh_database().await.unwrap();
            made
        }
    };
    peer.run("create table t (id int primary key, v varchar(20)); insert into t values (1, 'a')").await;
    let name = format!("reader{}", port(&peer.url));
    match kind {
        Kind::MariaDb => {
            let database = peer.url.rsplit_once('/').unwrap().1;
            let password = PASSWORD.replace('\\', "\\\\").replace('\'', "''");
            let server = mariadb::shared().await.unwrap();
            let text = format!(
                "create or replace user {name}@'127.0.0.1' identified by '{password}'; grant select on {database}.* to {name}@'127.0.0.1'"
            );
            server.run("", &text).await.unwrap();
        }
        _ => {
            let password = PASSWORD.replace('\'', "''");
            peer.run(&format!("create user {name} password '{password}'; grant select on t to {name}")).await;
        }
    }
    let url = peer.url.replace("postgres@", "").replace("root@", "");
    (peer, format!("{url}|{name}"))
}

#[tokio::test]
async fn passwords_and_rights_are_told() {
    for kind in SERVERS {
        let (_peer, place) = guarded(kind).await;
        let (url, user) = place.split_once('|').unwrap();
        let classes = json!({"t": {"table": "t", "key": "id"}});
        let with = |secret: &str| json!({"url": url, "user": user, "password": {"secret": secret}, "classes": classes});
        let session = configure(with("password")).await.unwrap();
        assert_eq!(session.count(&cx(), "t").await.unwrap(), 1);
        let denied = apply(session.as_ref(), create(2)).await.unwrap_err();
        assert_eq!(denied.code, ErrorCode::PermissionDenied, "{denied}");
        if kind == Kind::Postgres {
            let checks = session.test(&cx()).await;
            let write = checks.iter().find(|check| check.name == "write t").unwrap();
            assert_eq!(write.status, CheckStatus::Warn);
            assert!(write.message.contains("INSERT, UPDATE, DELETE"), "{}", write.message);
        }
        let wrong = configure(with("wrong")).await.err().unwrap();
        assert_eq!(wrong.code, ErrorCode::AuthFailed, "{wrong}");
        let told = format!("{wrong:?} {denied:?}");
        assert!(!told.contains("not-it") && !told.contains(PASSWORD), "{told}");
        assert_eq!(configure(with("unknown")).await.err().unwrap().code, ErrorCode::InvalidConfig);
        let nobody = json!({"url": url, "user": "nobody_here", "password": {"secret": "wrong"}, "classes": classes});
        assert_eq!(configure(nobody).await.err().unwrap().code, ErrorCode::AuthFailed);
        // Encryption that is asked for is not done without: neither server has a certificate of ours.
        let verify =
            json!({"url": url, "user": user, "password": {"secret": "password"}, "tls": "verify", "classes": classes});
        assert_eq!(configure(verify).await.err().unwrap().code, ErrorCode::Unavailable);
    }
}

#[test]
fn settings_are_checked_offline() {
    use provost_connector::Connector as _;
    let connector = SqlConnector::default();
    let table = json!({"table": "t", "key": "id"});
    for (settings_in, path) in [
        (json!({"url": "postgres://ada:s3cret@h/x", "classes": {"t": table}}), "url"),
        (json!({"url": "oracle://h/x", "classes": {"t": table}}), "url"),
        (json!({"url": "postgres://h/x", "classes": {}}), "classes"),
        (json!({"url": "postgres://h/x", "classes": {"t": {"key": "id"}}}), "classes.t.table"),
        (
            json!({"url": "postgres://h/x", "classes": {"t": {"table": "t", "query": "q", "key": "id"}}}),
            "classes.t.table",
        ),
        (json!({"url": "postgres://h/x", "classes": {"t": {"table": "a.b.c", "key": "id"}}}), "classes.t.table"),
        (json!({"url": "postgres://h/x", "classes": {"t": {"table": "t", "key": []}}}), "classes.t.key"),
        (json!({"url": "postgres://h/x", "classes": {"t": table}, "timeout": "soon"}), "timeout"),
        (json!({"url": "postgres://h/x", "classes": {"t": table}, "max_in_flight": 0}), "max_in_flight"),
        (json!({"url": "postgres://h/x", "classes": {"t": table}, "ca": "no-such.pem"}), "ca"),
        (json!({"url": "postgres://h/x", "classes": {"t": table}, "password": "plain"}), ""),
        (json!({"url": "postgres://h/x", "classes": {"t": table}, "tabel": 1}), ""),
        (
            json!({"url": "postgres://h/x", "classes": {"t": {"table": "t", "key": "id", "statements": {"create": "select 'open"}}}}),
            "classes.t.statements.create",
        ),
        (
            json!({"url": "postgres://h/x", "classes": {"t": {"table": "t", "key": ["a", "b"], "children": {"m": {"table": "c", "key": "a", "value": "v"}}}}}),
            "classes.t.children",
        ),
        (
            json!({"url": "postgres://h/x", "classes": {"t": {"table": "t", "key": "id", "changes": {"watermark": "a", "table": "b"}}}}),
            "classes.t.changes",
        ),
        (
            json!({"url": "postgres://h/x", "classes": {"t": {"table": "t", "key": "id", "soft_delete": {"column": "c", "value": "now()"}}}}),
            "classes.t.soft_delete",
        ),
    ] {
        let problems = connector.validate(&settings(settings_in.clone()));
        assert_eq!(problems.first().map(|problem| problem.path.as_str()), Some(path), "{settings_in}: {problems:?}");
        assert!(problems.iter().all(|problem| problem.hint.is_some() && !format!("{problem:?}").contains("s3cret")));
    }
    assert!(
        connector
            .validate(&settings(json!({"connector": "sql", "url": "mysql://h/x", "classes": {"t": table}})))
            .is_empty()
    );
}

/// Holds a row until it is let go, by a connection of its own.
async fn hold(
    peer: &Peer,
    statement: &str,
) -> Box<dyn FnOnce() -> futures_util::future::BoxFuture<'static, ()> + Send> {
    use futures_util::FutureExt as _;
    let sql = AssertSqlSafe(statement.to_owned());
    match peer.kind {
        Kind::Postgres => {
            let mut on = sqlx::PgConnection::connect(&peer.url).await.unwrap();
            sqlx::raw_sql("begin").execute(&mut on).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut on).await.unwrap();
            Box::new(move || async move { sqlx::raw_sql("commit").execute(&mut on).await.map(|_| ()).unwrap() }.boxed())
        }
        Kind::MariaDb => {
            let mut on = sqlx::MySqlConnection::connect(&peer.url).await.unwrap();
            sqlx::raw_sql("begin").execute(&mut on).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut on).await.unwrap();
            Box::new(move || async move { sqlx::raw_sql("commit").execute(&mut on).await.map(|_| ()).unwrap() }.boxed())
        }
        Kind::Sqlite => {
            let mut on = sqlx::SqliteConnection::connect(&peer.url).await.unwrap();
            sqlx::raw_sql("begin immediate").execute(&mut on).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut on).await.unwrap();
            Box::new(move || async move { sqlx::raw_sql("commit").execute(&mut on).await.map(|_| ()).unwrap() }.boxed())
        }
    }
}

#[tokio::test]
async fn a_caller_who_stops_waiting_leaves_nothing_behind() {
    for kind in [Kind::Postgres, Kind::MariaDb, Kind::Sqlite] {
        let peer = peer(kind).await;
        peer.run("create table t (id int primary key, v varchar(20)); insert into t values (1, 'a'), (2, 'b')").await;
        let session = peer.session(json!({"t": {"table": "t", "key": "id"}})).await;
        let release = hold(&peer, "update t set v = 'held' where id = 1").await;
        let operations = [
            operation(Action::Create, "t", None, vec![set("id", json!(5))]),
            operation(Action::Update, "t", Some("1"), vec![set("v", json!("mine"))]),
        ];
        let late = cx().within(Duration::from_millis(400));
        let began = std::time::Instant::now();
        for applied in session.apply(&late, &operations).await {
            let provost_connector::Outcome::Failed(error) = applied.outcome else { panic!("{kind:?}") };
            assert_eq!(error.code, ErrorCode::Timeout, "{kind:?}: {error}");
        }
        let stopped = cx();
        let cancel = stopped.cancel.clone();
        let canceller = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            cancel.cancel();
        });
        for applied in session.apply(&stopped, &operations).await {
            let provost_connector::Outcome::Failed(error) = applied.outcome else { panic!("{kind:?}") };
            assert_eq!(error.code, ErrorCode::Cancelled, "{kind:?}: {error}");
        }
        canceller.await.unwrap();
        // Not the connection's own 20 seconds.
        assert!(began.elapsed() < Duration::from_secs(10), "{kind:?}: {:?}", began.elapsed());
        release().await;
        // What was sent may still be waited for by the server; it is rolled back before the connection is used again.
        let outcomes = apply_all(session.as_ref(), &operations).await;
        assert!(outcomes.iter().all(Result::is_ok), "{kind:?}: {outcomes:?}");
        assert_eq!(peer.number("select count(*) from t").await, 3, "{kind:?}");
    }
}

#[tokio::test]
async fn deadlocks_are_tried_again() {
    for kind in SERVERS {
        let peer = peer(kind).await;
        peer.run("create table t (id int primary key, v varchar(20)); insert into t values (1, 'a'), (2, 'b')").await;
        let session = peer.session(json!({"t": {"table": "t", "key": "id"}})).await;
        for round in 0..4 {
            let mine = format!("mine{round}");
            // Different columns apart, so that they go one after the other.
            let operations = [
                operation(Action::Update, "t", Some("2"), vec![set("v", json!(mine))]),
                operation(
                    Action::Update,
                    "t",
                    Some("1"),
                    vec![change(provost_model::ChangeOp::Unset, "v", json!(null))],
                ),
                operation(Action::Update, "t", Some("1"), vec![set("v", json!(mine))]),
            ];
            let other = async {
                let text = "update t set v = 'other' where id = 1";
                let again = "update t set v = 'other' where id = 2";
                // Whoever loses, the other one goes on.
                match kind {
                    Kind::Postgres => {
                        let mut on = sqlx::PgConnection::connect(&peer.url).await.unwrap();
                        sqlx::raw_sql("begin").execute(&mut on).await.unwrap();
                        sqlx::raw_sql(text).execute(&mut on).await.unwrap();
                        tokio::time::sleep(Duration::from_millis(200)).await;
                        let _ = sqlx::raw_sql(again).execute(&mut on).await;
                        let _ = sqlx::raw_sql("commit").execute(&mut on).await;
                    }
                    _ => {
                        let mut on = sqlx::MySqlConnection::connect(&peer.url).await.unwrap();
                        sqlx::raw_sql("begin").execute(&mut on).await.unwrap();
                        sqlx::raw_sql(text).execute(&mut on).await.unwrap();
                        tokio::time::sleep(Duration::from_millis(200)).await;
                        let _ = sqlx::raw_sql(again).execute(&mut on).await;
                        let _ = sqlx::raw_sql("commit").execute(&mut on).await;
                    }
                }
            };
            let us = async {
                tokio::time::sleep(Duration::from_millis(80)).await;
                apply_all(session.as_ref(), &operations).await
            };
            let ((), outcomes) = tokio::join!(other, us);
            assert!(outcomes.iter().all(Result::is_ok), "{kind:?}: {outcomes:?}");
            let record = session.get(&cx(), "t", &"1".into()).await.unwrap().unwrap();
            assert_eq!(text(&record, "v"), Some(mine));
        }
    }
}

/// A server with a certificate of an authority that nobody knows but who is told of it.
#[tokio::test]
async fn certificates_are_verified_as_asked() {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    use std::os::unix::fs::PermissionsExt as _;
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_cert = authority.self_signed(&authority_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let cert = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let put = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (cert, key) = (put("server.crt", cert.pem()), put("server.key", key.serialize_pem()));
    let ca = put("ca.crt", authority_cert.pem());
    // The server takes a key that its user owns; as root the tests run it as another user.
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let owner = std::process::Command::new("chown").arg("postgres").arg(&key).status();
    let _ = owner.map(|status| status.success());
    let settings = [
        ("ssl", "on".to_owned()),
        ("ssl_cert_file", cert.display().to_string()),
        ("ssl_key_file", key.display().to_string()),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value)).into();
    let server = postgres::Server::start(postgres::Options { durable: false, settings }).await.unwrap();
    let url = server.fresh_database().await.unwrap();
    server.psql(&url, "create table t (id int primary key)").await.unwrap();
    server
        .psql(&url, "create view v as select pid as id, ssl from pg_stat_ssl where pid = pg_backend_pid()")
        .await
        .unwrap();
    let other = tempfile::NamedTempFile::new().unwrap();
    let stranger = CertificateParams::new(Vec::new()).unwrap().self_signed(&KeyPair::generate().unwrap()).unwrap();
    std::fs::write(other.path(), stranger.pem()).unwrap();
    let named = url.replace("127.0.0.1", "localhost");
    for (url, tls, authority, encrypted) in [
        (&url, "verify", Some(ca.as_path()), Some(true)),
        (&url, "require", None, Some(true)),
        (&url, "prefer", None, Some(true)),
        (&url, "off", None, Some(false)),
        // An authority that did not sign it, none that is known, and another name.
        (&url, "verify", Some(other.path()), None),
        (&url, "verify", None, None),
        (&named, "verify", Some(ca.as_path()), None),
    ] {
        let mut values = json!({"url": url, "tls": tls, "timeout": 5, "classes": {"v": {"table": "v", "key": "id"}}});
        if let Some(authority) = authority {
            values["ca"] = json!(authority.display().to_string());
        }
        match (configure(values.clone()).await, encrypted) {
            (Ok(session), Some(encrypted)) => {
                let (records, _) = scan(session.as_ref(), "v", 10).await;
                assert_eq!(json_of(&records[0], "ssl"), json!(encrypted), "{values}");
            }
            (Err(error), None) => assert_eq!(error.code, ErrorCode::Unavailable, "{values}: {error}"),
            (Ok(_), None) => panic!("{values} was believed"),
            (Err(error), Some(_)) => panic!("{values}: {error}"),
        }
    }
}
