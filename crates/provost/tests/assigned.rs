//! A job for those who are assigned to an application, with their roles, through the command line.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod run;

use std::sync::Arc;

use provost_directory::{Directory, Member, MemberEdit, Write};
use provost_model::ObjectId;
use provost_model::clock::SystemClock;
use provost_store::Store;
use run::Folder;

const CONFIGURATION: &str = r#"connections:
  accounts:
    connector: file
    path: accounts.csv
    class: account
    key: login
    write: true
    enabled: { column: status, on: active, off: left }
jobs:
  slack:
    source: directory
    target: accounts
    assigned: Slack
    objects:
      - from: User
        to: account
        scope: userName ne "root"
        match: [ { target: login, source: "[userName]" } ]
        attributes:
          login: "[userName]"
          role: Join("+", AppRoleAssignments([appRoleAssignments]))
"#;

/// What stands in the data folder, opened for the time of a change only.
struct People(Directory);

impl People {
    async fn open(folder: &Folder) -> Self {
        std::fs::create_dir_all(folder.path("data")).unwrap();
        let url = format!("sqlite:{}", folder.path("data/provost.db").display());
        Self(Directory::new(Store::open(&url).await.unwrap(), Arc::new(SystemClock)))
    }

    async fn create(&self, kind: &str, text: &str) -> ObjectId {
        self.write(Write::create(kind, serde_json::from_str(text).unwrap())).await
    }

    async fn write(&self, write: Write) -> ObjectId {
        self.0.write(vec![write]).await.unwrap().pop().unwrap().unwrap().resource.id
    }

    async fn assign(&self, application: &str, principal: &str, role: &str) -> ObjectId {
        let text = format!(
            r#"{{"application":{{"value":"{application}"}},"principal":{{"value":"{principal}"}},"role":"{role}"}}"#
        );
        self.create("Assignment", &text).await
    }
}

fn rows(folder: &Folder) -> Vec<String> {
    folder.run(&["run", "slack"]).ok();
    let text = std::fs::read_to_string(folder.path("accounts.csv")).unwrap();
    let mut rows: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
    rows.sort_unstable();
    rows
}

#[tokio::test]
async fn who_is_assigned_has_an_account_with_the_role() {
    let folder = Folder::new();
    folder.write("provost.yaml", CONFIGURATION);
    folder.write("accounts.csv", "login,role,status\n");
    let people = People::open(&folder).await;
    let mut ids = Vec::new();
    for name in ["ada", "bob", "cy", "root"] {
        ids.push(people.create("User", &format!(r#"{{"userName":"{name}"}}"#)).await);
    }
    let team = people.create("Group", r#"{"displayName":"Team"}"#).await;
    let all = people.create("Group", r#"{"displayName":"All"}"#).await;
    let members = |group: &ObjectId, ids: &[&ObjectId]| {
        let members = ids.iter().map(|id| Member::new((*id).clone())).collect();
        Write::members("Group", group.clone(), MemberEdit::Replace(members))
    };
    people.write(members(&team, &[&ids[1], &ids[3]])).await;
    people.write(members(&all, &[&team])).await;
    let slack = people.create("Application", r#"{"displayName":"Slack"}"#).await;
    let zoom = people.create("Application", r#"{"displayName":"Zoom"}"#).await;
    let ada = people.assign(&slack, &ids[0], "admin").await;
    people.assign(&slack, &all, "user").await;
    people.assign(&zoom, &ids[2], "admin").await;
    people.assign(&zoom, &ids[0], "owner").await;
    drop(people);
    assert_eq!(rows(&folder), ["ada,admin,active", "bob,user,active"]);
    let said = folder.run(&["explain", "slack", "--where", "userName eq \"cy\""]).ok();
    assert!(said.stdout.contains("not assigned to the application"), "{}", said.stdout);

    // One loses the assignment, one joins the team, one leaves it.
    let people = People::open(&folder).await;
    people.write(Write::delete("Assignment", ada)).await;
    people.write(members(&team, &[&ids[2]])).await;
    drop(people);
    assert_eq!(rows(&folder), ["ada,admin,left", "bob,user,left", "cy,user,active"]);

    // Everybody, with the roles of those who have some.
    folder.write(
        "provost.yaml",
        &CONFIGURATION.replace("assigned: Slack", "assigned: { application: Slack, scope: all }"),
    );
    assert_eq!(rows(&folder), ["ada,admin,active", "bob,user,active", "cy,user,active"]);
}

#[test]
fn only_the_directory_knows_who_is_assigned() {
    let folder = Folder::new();
    folder.write("people.csv", "login\nada\n");
    folder.write("accounts.csv", "login,role,status\n");
    let text = CONFIGURATION
        .replace("connections:", "connections:\n  hr: { connector: file, path: people.csv, class: User, key: login }")
        .replace("source: directory", "source: hr")
        .replace("userName", "login")
        .replace("Join(\"+\", AppRoleAssignments([appRoleAssignments]))", "[login]");
    folder.write("provost.yaml", &text);
    let said = folder.run(&["config", "check"]);
    assert_eq!(said.status, 1, "{}", said.stdout);
    assert!(said.stderr.contains("PRV-0521") && said.stderr.contains("`assigned`"), "{}", said.stderr);
}
