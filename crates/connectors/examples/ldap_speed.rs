//! How much of a bare client's speed is left: `cargo run --profile dist -p provost-connectors --example ldap_speed [ENTRIES]`.
//!
//! One OpenLDAP server of its own, ENTRIES people (50,000). A full read by the connector against a loop over the library
//! that it is built on and against `ldapsearch`; then creates at the same concurrency, by the connector and by the library.
//! Each pair is taken in turn several times in one run; medians of the ratios are printed.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement")]

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use ldap3::controls::{PagedResults, PostRead, RawControl};
use ldap3::{Ldap, LdapConnAsync, Scope, SearchEntry};
use provost_connector::{
    Connector as _, ConnectorError, Context, Host, Outcome, ScanRequest, Secret, Session, Settings,
};
use provost_connectors::ldap::LdapConnector;
use provost_model::{Action, Change, Operation, Value};
use provost_testkit::slapd::{self, Slapd};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 5;
const WRITES: usize = 3_000;
const AT_ONCE: usize = 8;

struct Password;

#[async_trait]
impl Host for Password {
    async fn secret(&self, _: &str) -> Result<Secret, ConnectorError> {
        Ok(Secret::new(slapd::PASSWORD))
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let entries: usize = std::env::args().nth(1).map_or(50_000, |text| text.parse().unwrap());
    let server = Slapd::start(&slapd::Options { ldif: ldif(entries), ..slapd::Options::default() }).await.unwrap();
    let settings = json!({
        "url": server.url(), "base": slapd::BASE, "max_in_flight": AT_ONCE,
        "bind": { "dn": slapd::ADMIN, "password": { "secret": "admin" } },
        "classes": { "person": { "base": slapd::PEOPLE, "object_classes": ["inetOrgPerson"] } },
    });
    let settings = Settings::new(settings.as_object().unwrap().clone(), ".");
    let session = LdapConnector::default().configure(settings, Arc::new(Password)).await.unwrap();
    let (mut to_loop, mut to_tool, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (own, count) = time(read(&*session)).await;
        assert_eq!(count, entries);
        let (bare, count) = time(bare_read(server.url())).await;
        assert_eq!(count, entries);
        let (tool, count) = time(tool_read(server.url())).await;
        assert_eq!(count, entries);
        to_loop.push(bare.as_secs_f64() / own.as_secs_f64());
        to_tool.push(tool.as_secs_f64() / own.as_secs_f64());
        times.push(own.as_secs_f64());
    }
    let rate = entries as f64 / median(&mut times);
    println!(
        "full read of {entries}: {rate:.0} entries/s, {:.2} of a bare loop (goal 0.8), {:.2} of ldapsearch (goal 0.35)",
        median(&mut to_loop),
        median(&mut to_tool)
    );
    let (mut ratios, mut alike, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (own, ()) = time(create(&*session, round)).await;
        let (bare, ()) = time(bare_create(server.url(), &format!("bare{round}"), false)).await;
        let (same, ()) = time(bare_create(server.url(), &format!("same{round}"), true)).await;
        ratios.push(bare.as_secs_f64() / own.as_secs_f64());
        alike.push(same.as_secs_f64() / own.as_secs_f64());
        rates.push(WRITES as f64 / own.as_secs_f64());
    }
    println!(
        "creates, {AT_ONCE} at once: {:.0}/s, {:.2} of a bare client (goal 0.9), {:.2} of one that asks for the new ids",
        median(&mut rates),
        median(&mut ratios),
        median(&mut alike)
    );
}

fn ldif(entries: usize) -> String {
    let mut text = String::new();
    for n in 0..entries {
        let people = slapd::PEOPLE;
        let _ = write!(
            text,
            "dn: uid=user{n},{people}\nobjectClass: inetOrgPerson\nuid: user{n}\ncn: First{n} Last{n}\nsn: Last{n}\n\
             givenName: First{n}\nmail: user{n}@example.org\ntelephoneNumber: +41 44 {n:07}\ntitle: Engineer\n\
             departmentNumber: {}\nemployeeNumber: {n}\nl: Zürich\n\n",
            n % 40
        );
    }
    text
}

async fn time<T>(work: impl Future<Output = T>) -> (Duration, T) {
    let start = Instant::now();
    let value = work.await;
    (start.elapsed(), value)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn read(session: &dyn Session) -> usize {
    let cx = Context::new("speed");
    let mut scan = session.scan(&cx, ScanRequest::full("person")).await.unwrap();
    let mut count = 0;
    loop {
        let page = scan.next(&cx).await.unwrap();
        count += page.items.len();
        if let Some(end) = page.end {
            assert!(end.complete);
            return count;
        }
    }
}

async fn connect(url: &str) -> Ldap {
    let (driver, mut ldap) = LdapConnAsync::new(url).await.unwrap();
    tokio::spawn(async move { driver.drive().await });
    ldap.simple_bind(slapd::ADMIN, slapd::PASSWORD).await.unwrap().success().unwrap();
    ldap
}

/// The same pages, and each entry as the library gives it.
async fn bare_read(url: &str) -> usize {
    let mut ldap = connect(url).await;
    let (mut cookie, mut count) = (Vec::new(), 0);
    loop {
        let control: RawControl = PagedResults { size: 1_000, cookie }.into();
        let wanted = vec!["*", "entryUUID", "createTimestamp", "modifyTimestamp", "memberOf"];
        let asked = ldap.with_controls(vec![control]).search(
            slapd::PEOPLE,
            Scope::Subtree,
            "(objectClass=inetOrgPerson)",
            wanted,
        );
        let (entries, result) = asked.await.unwrap().success().unwrap();
        count += entries.into_iter().map(SearchEntry::construct).filter(|entry| !entry.dn.is_empty()).count();
        cookie = result.ctrls.first().map(|control| control.1.parse::<PagedResults>().cookie).unwrap_or_default();
        if cookie.is_empty() {
            return count;
        }
    }
}

async fn tool_read(url: &str) -> usize {
    let mut command = tokio::process::Command::new("ldapsearch");
    command.args(["-x", "-LLL", "-o", "ldif-wrap=no", "-H", url, "-D", slapd::ADMIN, "-w", slapd::PASSWORD]);
    command.args(["-E", "pr=1000/noprompt", "-b", slapd::PEOPLE, "(objectClass=inetOrgPerson)"]);
    command.args(["*", "entryUUID", "createTimestamp", "modifyTimestamp", "memberOf"]);
    let output = command.output().await.unwrap();
    String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.starts_with("dn: ")).count()
}

fn attributes(name: &str) -> [(&'static str, String); 5] {
    [
        ("uid", name.to_owned()),
        ("cn", format!("First {name}")),
        ("sn", "Last".to_owned()),
        ("mail", format!("{name}@example.org")),
        ("title", "Engineer".to_owned()),
    ]
}

async fn create(session: &dyn Session, round: usize) {
    let cx = Context::new("speed");
    let one = async |n: usize| {
        let name = format!("own{round}-{n}");
        let set =
            |(attribute, value): (&str, String)| Change::set(Arc::new(attribute.parse().unwrap()), Value::text(value));
        let operation = Operation {
            id: name.as_str().into(),
            action: Action::Create,
            class: "person".into(),
            target_id: None,
            changes: attributes(&name).into_iter().map(set).collect(),
            if_match: None,
        };
        let applied = session.apply(&cx, &[operation]).await;
        assert!(matches!(applied[0].outcome, Outcome::Done(_)), "{applied:?}");
    };
    futures_util::stream::iter(0..WRITES).map(one).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

/// As many connections as requests at once, as the connector has.
async fn bare_create(url: &str, prefix: &str, asks_for_id: bool) {
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..AT_ONCE {
        let (url, prefix) = (url.to_owned(), prefix.to_owned());
        workers.spawn(async move {
            let mut ldap = connect(&url).await;
            for n in (worker..WRITES).step_by(AT_ONCE) {
                let name = format!("{prefix}-{n}");
                let mut entry: Vec<(String, HashSet<String>)> = attributes(&name)
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), HashSet::from([value])))
                    .collect();
                entry.push(("objectClass".to_owned(), HashSet::from(["inetOrgPerson".to_owned()])));
                if asks_for_id {
                    let post: RawControl = PostRead::new(vec!["entryUUID"]);
                    ldap.with_controls(vec![post]);
                }
                ldap.add(&format!("uid={name},{}", slapd::PEOPLE), entry).await.unwrap().success().unwrap();
            }
        });
    }
    while let Some(done) = workers.join_next().await {
        done.unwrap();
    }
}
