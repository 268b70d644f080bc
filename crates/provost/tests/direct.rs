//! Jobs without the directory in between: an LDAP server or a database is the source, a SCIM server the target, and after
//! the first cycle only what changed is read.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod run;

use std::collections::BTreeMap;
use std::process::Stdio;

use provost_testkit::slapd::{self, Slapd};
use provost_testkit::{Http, Peer, postgres, scim2_server};
use run::Folder;
use serde_json::Value as Json;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// What a cycle says of itself.
#[derive(Debug)]
struct Told {
    kind: String,
    read: u64,
    writes: u64,
}

fn cycle(folder: &Folder) -> Told {
    let told = folder.run(&["run", "direct", "--json"]).ok().stdout;
    let report: Json = serde_json::from_str(&told).unwrap();
    let counts = report["counts"].as_object().unwrap_or_else(|| panic!("{told}"));
    let of = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!((report["status"].as_str(), of("failed")), (Some("done"), 0), "{told}\n{}", folder.run(&["log"]).stdout);
    let writes = ["created", "updated", "enabled", "disabled", "deleted"].into_iter().map(of).sum();
    Told { kind: report["kind"].as_str().unwrap().to_owned(), read: of("read"), writes }
}

/// Who was told before may be told again, and some change without having been changed (`memberOf`): far fewer than there are.
const FEW: u64 = 10;
/// People to whom nothing happens.
const BYSTANDERS: usize = 50;

/// Only what changed was read, and nothing was to be done about it.
fn is_quiet(told: &Told) -> bool {
    told.kind == "incremental" && told.read < FEW && told.writes == 0
}

/// `login title` of each user, then `group: login,login`, sorted.
async fn state(peer: &Peer) -> Vec<String> {
    let http = Http::new(peer.base_url(), Some(peer.token()));
    let all = async |path: &str| http.get(path).await.unwrap().body["Resources"].as_array().unwrap().clone();
    let text = |one: &Json, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    let mut logins = BTreeMap::new();
    let mut lines = Vec::new();
    for user in all("/Users").await {
        logins.insert(text(&user, "id"), text(&user, "userName"));
        if text(&user, "title") == "Bystander" {
            continue;
        }
        lines.push(format!("{} {}", text(&user, "userName"), text(&user, "title")));
    }
    lines.sort();
    let mut groups = Vec::new();
    for group in all("/Groups").await {
        let login = |member: &Json| logins.get(&text(member, "value")).cloned().unwrap_or_else(|| "nobody".to_owned());
        let mut members: Vec<String> = group["members"].as_array().into_iter().flatten().map(login).collect();
        members.sort();
        groups.push(format!("{}: {}", text(&group, "displayName"), members.join(",")));
    }
    groups.sort();
    lines.into_iter().chain(groups).collect()
}

fn configure(peer: &Peer, source: &str, rules: &str, passwords: &[(&str, &str)]) -> Folder {
    let folder = Folder::new();
    let target = format!("  cloud: {{ connector: scim, url: \"{}\", token: {{ secret: cloud }} }}\n", peer.base_url());
    let job = format!("jobs:\n  direct:\n    source: source\n    target: cloud\n    objects:\n{rules}");
    folder.write("provost.yaml", &format!("connections:\n{target}{source}{job}"));
    for (name, value) in passwords.iter().chain(&[("cloud", peer.token())]) {
        folder.run_with(&["secret", "set", name], value).ok();
    }
    folder
}

/// The same story of both sources. `change` makes ada a queen, dan join, eve leave, and Sales be bob and dan.
async fn tell(peer: &Peer, folder: &Folder, change: impl AsyncFnOnce()) {
    let first = cycle(folder);
    assert_eq!((first.kind.as_str(), first.writes > 0), ("initial", true), "{first:?}");
    let expected = ["ada Countess", "bob Mason", "eve Spy", "Sales: ada,bob"];
    assert_eq!(state(peer).await, expected);
    let told = cycle(folder);
    assert!(is_quiet(&told), "{told:?}");

    change().await;
    let second = cycle(folder);
    assert!(
        second.kind == "incremental" && (4..FEW).contains(&second.read),
        "ada, dan, eve and Sales are read: {second:?}"
    );
    let expected = ["ada Queen", "bob Mason", "dan Clerk", "Sales: bob,dan"];
    assert_eq!(state(peer).await, expected);
    let told = cycle(folder);
    assert!(is_quiet(&told), "{told:?}");
}

async fn edit(tool: &str, server: &Slapd, text: &str) {
    let mut tool = Command::new(tool)
        .args(["-x", "-H", server.url(), "-D", slapd::ADMIN, "-w", slapd::PASSWORD])
        .stdin(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut input = tool.stdin.take().unwrap();
    input.write_all(text.as_bytes()).await.unwrap();
    drop(input);
    assert!(tool.wait().await.unwrap().success(), "{text}");
}

#[tokio::test]
async fn ldap_to_scim() {
    let people = slapd::PEOPLE;
    let person = |login: &str, title: &str| {
        format!(
            "dn: uid={login},{people}\nobjectClass: inetOrgPerson\nuid: {login}\ncn: {login}\nsn: {login}\ntitle: {title}\n\n"
        )
    };
    let group = format!(
        "dn: cn=Sales,{}\nobjectClass: groupOfNames\ncn: Sales\nmember: uid=ada,{people}\nmember: uid=bob,{people}\n",
        slapd::GROUPS
    );
    let others: String = (0..BYSTANDERS).map(|n| person(&format!("b{n}"), "Bystander")).collect();
    let ldif = [others, person("ada", "Countess"), person("bob", "Mason"), person("eve", "Spy"), group].concat();
    // A process has to find the changes of another one: only with a log of the server's own are they more than a full read.
    let sync = vec!["syncprov-sessionlog 100".to_owned()];
    let server = Slapd::start(&slapd::Options { ldif, sync, ..slapd::Options::default() }).await.unwrap();
    let peer = scim2_server::start().await.unwrap();
    let source = format!(
        "  source:\n    connector: ldap\n    url: {}\n    base: {}\n    bind: {{ dn: \"{}\", password: {{ secret: source }} }}\n",
        server.url(),
        slapd::BASE,
        slapd::ADMIN
    );
    let rules = r#"      - from: person
        to: User
        match: [ { target: userName, source: "[uid]" } ]
        attributes:
          userName: "[uid]"
          title: "[title]"
        leavers: { deleted: delete }
      - from: group
        to: Group
        match: [ { target: displayName, source: "[cn]" } ]
        attributes:
          displayName: "[cn]"
          members: "[member]"
"#;
    let folder = configure(&peer, &source, rules, &[("source", slapd::PASSWORD)]);
    tell(&peer, &folder, async || {
        edit("ldapadd", &server, &person("dan", "Clerk")).await;
        let changes = format!(
            "dn: uid=ada,{people}\nchangetype: modify\nreplace: title\ntitle: Queen\n\n\
             dn: cn=Sales,{}\nchangetype: modify\nreplace: member\nmember: uid=bob,{people}\nmember: uid=dan,{people}\n\n\
             dn: uid=eve,{people}\nchangetype: delete\n",
            slapd::GROUPS
        );
        edit("ldapmodify", &server, &changes).await;
    })
    .await;
}

/// The history of a table is kept by triggers.
const TABLES: &str = "
    create table people (id bigint primary key, login text not null unique, title text);
    create table team (id bigint primary key, name text not null);
    create table team_member (team bigint not null, person bigint not null, primary key (team, person));
    create table people_log (seq bigint generated always as identity primary key, id bigint not null, op text not null);
    create table team_log (seq bigint generated always as identity primary key, id bigint not null, op text not null);
    create function log_people() returns trigger language plpgsql as
      $$ begin insert into people_log (id, op) values (coalesce(new.id, old.id), left(tg_op, 1)); return null; end $$;
    create function log_team() returns trigger language plpgsql as
      $$ begin insert into team_log (id, op) values (coalesce(new.id, old.id), left(tg_op, 1)); return null; end $$;
    create function log_member() returns trigger language plpgsql as
      $$ begin insert into team_log (id, op) values (coalesce(new.team, old.team), 'U'); return null; end $$;
    create trigger log after insert or update or delete on people for each row execute function log_people();
    create trigger log after insert or update or delete on team for each row execute function log_team();
    create trigger log after insert or update or delete on team_member for each row execute function log_member();
    insert into people values (1, 'ada', 'Countess'), (2, 'bob', 'Mason'), (3, 'eve', 'Spy');
    insert into team values (7, 'Sales');
    insert into team_member values (7, 1), (7, 2)";

#[tokio::test]
async fn sql_to_scim() {
    let url = postgres::fresh_database().await.unwrap();
    let database = postgres::shared().await.unwrap();
    let others =
        format!("insert into people select 100 + n, 'b' || n, 'Bystander' from generate_series(1, {BYSTANDERS}) n");
    database.psql(&url, &format!("{TABLES}; {others}")).await.unwrap();
    let peer = scim2_server::start().await.unwrap();
    let source = format!(
        "  source:\n    connector: sql\n    url: {url}\n    classes:\n      \
         person: {{ table: people, key: id, changes: {{ table: people_log, key: id, order: seq, type: op, deleted: [D] }} }}\n      \
         team:\n        table: team\n        key: id\n        \
         children: {{ members: {{ table: team_member, key: team, value: person, references: person }} }}\n        \
         changes: {{ table: team_log, key: id, order: seq, type: op, deleted: [D] }}\n"
    );
    let rules = r#"      - from: person
        to: User
        match: [ { target: userName, source: "[login]" } ]
        attributes:
          userName: "[login]"
          title: "[title]"
        leavers: { deleted: delete }
      - from: team
        to: Group
        match: [ { target: displayName, source: "[name]" } ]
        attributes:
          displayName: "[name]"
          members: "[members]"
"#;
    let folder = configure(&peer, &source, rules, &[]);
    tell(&peer, &folder, async || {
        let changes = "update people set title = 'Queen' where id = 1; insert into people values (4, 'dan', 'Clerk');
             delete from people where id = 3; delete from team_member where person = 1;
             insert into team_member values (7, 4)";
        database.psql(&url, changes).await.unwrap();
    })
    .await;
}
