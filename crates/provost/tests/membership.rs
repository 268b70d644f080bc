//! A job from the directory whose scope and mappings read the groups of a user, through the command line.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod run;

use std::sync::Arc;

use provost_directory::{Directory, Member, MemberEdit, Write};
use provost_model::clock::SystemClock;
use provost_model::{Attributes, ObjectId};
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
  directory-to-accounts:
    source: directory
    target: accounts
    objects:
      - from: User
        to: account
        scope: groups[display eq "Sales"]
        match: [ { target: login, source: "[userName]" } ]
        attributes:
          login: "[userName]"
          teams: Join(" ", [groups.display])
"#;

/// What stands in the data folder, opened for the time of a change only: a job of the command line has it for itself.
struct People(Directory);

impl People {
    async fn open(folder: &Folder) -> Self {
        std::fs::create_dir_all(folder.path("data")).unwrap();
        let url = format!("sqlite:{}", folder.path("data/provost.db").display());
        Self(Directory::new(Store::open(&url).await.unwrap(), Arc::new(SystemClock)))
    }

    async fn create(&self, kind: &str, attribute: &str, name: &str) -> ObjectId {
        let attributes: Attributes = [(attribute, name)].into_iter().collect();
        self.write(Write::create(kind, attributes)).await
    }

    async fn write(&self, write: Write) -> ObjectId {
        self.0.write(vec![write]).await.unwrap().pop().unwrap().unwrap().resource.id
    }

    async fn members(&self, group: &ObjectId, ids: &[&ObjectId]) {
        let members = ids.iter().map(|id| Member::new((*id).clone())).collect();
        self.write(Write::members("Group", group.clone(), MemberEdit::Replace(members))).await;
    }

    async fn rename(&self, group: &ObjectId, name: &'static str) {
        let edit = move |attributes: &mut Attributes| {
            attributes.set("displayName", name);
            Ok(())
        };
        self.write(Write::edit("Group", group.clone(), edit)).await;
    }
}

#[tokio::test]
async fn joining_and_leaving_a_group_is_joining_and_leaving_the_scope() {
    let folder = Folder::new();
    folder.write("provost.yaml", CONFIGURATION);
    folder.write("accounts.csv", "login,teams,status\n");
    let cycle = |expected: &[&str]| {
        folder.run(&["run", "directory-to-accounts"]).ok();
        let text = std::fs::read_to_string(folder.path("accounts.csv")).unwrap();
        let mut rows: Vec<&str> = text.lines().skip(1).collect();
        rows.sort_unstable();
        assert_eq!(rows, expected);
    };
    let people = People::open(&folder).await;
    let (ada, bob) = (people.create("User", "userName", "ada").await, people.create("User", "userName", "bob").await);
    let sales = people.create("Group", "displayName", "Sales").await;
    let staff = people.create("Group", "displayName", "Staff").await;
    people.members(&staff, &[&ada, &bob]).await;
    drop(people);
    cycle(&[]);

    let people = People::open(&folder).await;
    people.members(&sales, &[&ada]).await;
    drop(people);
    cycle(&["ada,Sales Staff,active"]);
    let shown = folder.run(&["provision", "directory-to-accounts", "--dry-run", "--where", "userName eq \"ada\""]).ok();
    assert!(shown.stdout.contains("nothing that is mapped changed"), "in scope, too: {}", shown.stdout);

    let people = People::open(&folder).await;
    people.members(&sales, &[&bob]).await;
    people.rename(&staff, "Team").await;
    drop(people);
    cycle(&["ada,Sales Staff,left", "bob,Sales Team,active"]);

    // A full read that compares digests sees it, too.
    let people = People::open(&folder).await;
    people.members(&sales, &[&ada, &bob]).await;
    drop(people);
    folder.run(&["run", "directory-to-accounts", "--full"]).ok();
    cycle(&["ada,Sales Team,active", "bob,Sales Team,active"]);
}

/// The directory forgets who was deleted only once the job has read it; a job that was taken out meanwhile loses no leaver either.
#[tokio::test]
async fn no_leaver_is_lost_with_what_the_directory_forgets() {
    let folder = Folder::new();
    let job = CONFIGURATION.replace("        scope: groups[display eq \"Sales\"]\n", "");
    let configuration = |jobs: &str| format!("{jobs}retention: {{ deleted: 1ms }}\n");
    folder.write("provost.yaml", &configuration(&job));
    folder.write("accounts.csv", "login,teams,status\n");
    let cycle = |expected: &[&str]| {
        folder.run(&["run", "directory-to-accounts"]).ok();
        let text = std::fs::read_to_string(folder.path("accounts.csv")).unwrap();
        let mut rows: Vec<&str> = text.lines().skip(1).collect();
        rows.sort_unstable();
        assert_eq!(rows, expected);
    };
    let forgotten = || {
        let told = folder.run(&["prune", "--json"]).ok().stdout;
        serde_json::from_str::<serde_json::Value>(&told).unwrap()["deleted"].as_u64().unwrap()
    };
    let people = People::open(&folder).await;
    let (ada, bob) = (people.create("User", "userName", "ada").await, people.create("User", "userName", "bob").await);
    people.create("User", "userName", "eve").await;
    drop(people);
    cycle(&["ada,,active", "bob,,active", "eve,,active"]);

    let people = People::open(&folder).await;
    people.write(Write::delete("User", ada)).await;
    drop(people);
    assert_eq!(forgotten(), 0, "the job has not read it");
    cycle(&["ada,,left", "bob,,active", "eve,,active"]);
    assert_eq!(forgotten(), 1);
    cycle(&["ada,,left", "bob,,active", "eve,,active"]);

    let people = People::open(&folder).await;
    people.write(Write::delete("User", bob)).await;
    drop(people);
    let without = &job[..job.find("jobs:").unwrap()];
    folder.write("provost.yaml", &configuration(without));
    assert_eq!(forgotten(), 1, "nobody reads it");
    folder.write("provost.yaml", &configuration(&job));
    cycle(&["ada,,left", "bob,,left", "eve,,active"]);
}
