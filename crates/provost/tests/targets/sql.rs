//! PostgreSQL and MariaDB.

use std::path::Path;

use provost_testkit::{mariadb, postgres};

use super::{Target, tell};

const RULES: &str = r#"      - from: User
        to: person
        scope: active eq true
        match: [ { target: login, source: "[userName]" } ]
        attributes:
          login: "[userName]"
          title: "[title]"
        leavers: { out_of_scope: disable, deleted: delete }
      - from: Group
        to: team
        match: [ { target: name, source: "[displayName]" } ]
        attributes:
          name: "[displayName]"
          members: "[members]"
"#;

fn tables(identity: &str, text: &str) -> String {
    format!(
        "create table people (id {identity}, login {text} not null unique, title {text}, active boolean not null default true);
         create table team (id {identity}, name {text} not null unique);
         create table team_member (team bigint not null, person bigint not null, primary key (team, person));
         insert into people (login, title) values ('bob', 'old')"
    )
}

enum Database {
    Postgres(String),
    MariaDb(String),
}

impl Database {
    async fn run(&self, sql: &str) -> Vec<String> {
        let (found, between) = match self {
            Database::Postgres(url) => (postgres::shared().await.unwrap().psql(url, sql).await.unwrap(), '|'),
            Database::MariaDb(url) => {
                let name = url.rsplit('/').next().unwrap();
                (mariadb::shared().await.unwrap().run(name, sql).await.unwrap(), '\t')
            }
        };
        found.lines().map(|line| line.replace(between, " ")).collect()
    }
}

impl Target for Database {
    fn connection(&self, _: &Path) -> String {
        let (Database::Postgres(url) | Database::MariaDb(url)) = self;
        format!(
            "  target:\n    connector: sql\n    url: {url}\n    classes:\n      \
             person: {{ table: people, key: id, enabled: {{ column: active }} }}\n      \
             team:\n        table: team\n        key: id\n        \
             children: {{ members: {{ table: team_member, key: team, value: person, references: person }} }}\n"
        )
    }

    fn rules(&self) -> &'static str {
        RULES
    }

    fn password(&self) -> Option<&'static str> {
        None
    }

    async fn state(&self) -> Vec<String> {
        let people = "select login, title, case when active then 'on' else 'off' end from people order by login";
        let mut state = self.run(people).await;
        let members = "select t.name, p.login from team t left join team_member m on m.team = t.id \
                       left join people p on p.id = m.person order by t.name, p.login";
        let mut groups: Vec<String> = Vec::new();
        for row in self.run(members).await {
            let (group, login) = row.split_once(' ').unwrap();
            match groups.last_mut().filter(|last| last.starts_with(&format!("{group}: "))) {
                Some(last) => *last = format!("{last},{login}"),
                None => groups.push(format!("{group}: {login}")),
            }
        }
        state.append(&mut groups);
        state
    }
}

#[tokio::test]
async fn postgresql() {
    let database = Database::Postgres(postgres::fresh_database().await.unwrap());
    database.run(&tables("bigint generated always as identity primary key", "text")).await;
    tell(database).await;
}

#[tokio::test]
async fn mariadb() {
    let database = Database::MariaDb(mariadb::shared().await.unwrap().fresh_database().await.unwrap());
    database.run(&tables("bigint auto_increment primary key", "varchar(200)")).await;
    tell(database).await;
}
