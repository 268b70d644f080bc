//! From the HR file through the directory to real systems of every protocol, by the command line alone: joiners, movers and
//! leavers, groups, accounts that were there before, and a second run that has nothing to say.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod ldap;
mod ldif;
#[cfg(unix)]
mod program;
#[path = "../run/mod.rs"]
mod run;
mod sql;

use std::path::Path;
use std::sync::Arc;

use provost_connector::FindRequest;
use provost_directory::{Directory, Member, MemberEdit, Write};
use provost_model::clock::SystemClock;
use provost_model::{Attributes, Filter, ObjectId, Value};
use provost_store::Store;
use run::Folder;

/// A real system, and how it is looked at without Provost.
trait Target {
    /// The connection `target`, as YAML, for a configuration in this folder.
    fn connection(&self, folder: &Path) -> String;
    /// The object rules of the job from the directory, as YAML.
    fn rules(&self) -> &'static str;
    fn password(&self) -> Option<&'static str>;
    /// `login title on|off` for each account, then `group: login,login` for each group, sorted.
    async fn state(&self) -> Vec<String>;
}

const JOBS: &str = r#"jobs:
  hr-to-directory:
    source: hr
    target: directory
    objects:
      - from: person
        to: User
        match: [ { target: externalId, source: "[id]" } ]
        attributes:
          externalId: "[id]"
          userName: "[login]"
          name.familyName: "[last]"
          title: "[title]"
          active: IIF([status] = "left", "False", "True")
        leavers: { deleted: delete }
  directory-to-target:
    source: directory
    target: target
    objects:
"#;

struct Story {
    folder: Folder,
}

impl Story {
    fn new(target: &impl Target) -> Self {
        let folder = Folder::new();
        let hr = "  hr: { connector: file, path: people.csv, class: person, key: id }\n";
        let configuration =
            format!("connections:\n{hr}{}{JOBS}{}", target.connection(&folder.path("")), target.rules());
        folder.write("provost.yaml", &configuration);
        if let Some(password) = target.password() {
            folder.run_with(&["secret", "set", "target"], password).ok();
        }
        Self { folder }
    }

    fn people(&self, rows: &str) {
        self.folder.write("people.csv", &format!("id,login,last,title,status\n{rows}"));
        self.folder.run(&["run", "hr-to-directory"]).ok();
    }

    async fn directory(&self) -> Directory {
        let url = format!("sqlite:{}", self.folder.path("data/provost.db").display());
        Directory::new(Store::open(&url).await.unwrap(), Arc::new(SystemClock))
    }

    /// The group has exactly these members.
    async fn group(&self, name: &str, members: &[&str]) {
        let directory = self.directory().await;
        let session = directory.session();
        let find = async |class: &str, attribute: &str, name: &str| {
            let filter: Filter = format!("{attribute} eq \"{name}\"").parse().unwrap();
            let page = session.find(&provost_connector::Context::new("test"), FindRequest::new(class, filter)).await;
            page.unwrap().records.pop().map(|record| record.id)
        };
        let group: ObjectId = match find("Group", "displayName", name).await {
            Some(id) => id,
            None => {
                let mut attributes = Attributes::new();
                attributes.set("displayName", Value::text(name));
                let mut made = directory.write(vec![Write::create("Group", attributes)]).await.unwrap();
                made.pop().unwrap().unwrap().resource.id
            }
        };
        let mut ids = Vec::new();
        for member in members {
            ids.push(Member::new(find("User", "userName", member).await.unwrap()));
        }
        let edit = Write::members("Group", group, MemberEdit::Replace(ids));
        directory.write(vec![edit]).await.unwrap().pop().unwrap().unwrap();
    }

    /// A cycle to the target; how many writes it sent.
    fn cycle(&self) -> u64 {
        let told = self.folder.run(&["run", "directory-to-target", "--json"]).ok().stdout;
        let report: serde_json::Value = serde_json::from_str(&told).unwrap();
        let counts = report["counts"].as_object().unwrap_or_else(|| panic!("{told}"));
        assert_eq!(counts["failed"], 0, "{told}\n{}", self.folder.run(&["log"]).stdout);
        let writes = ["created", "updated", "enabled", "disabled", "deleted"];
        writes.iter().map(|name| counts[*name].as_u64().unwrap()).sum()
    }
}

/// The whole story. The target has an account `bob`, with the title `old`, before it begins.
async fn tell(target: impl Target) {
    let story = Story::new(&target);
    story.people("1,ada,Lovelace,Countess,here\n2,bob,Builder,Mason,here\n3,eve,O'Neill,\"Spy, \"\"x\"\"\",here\n");
    story.group("Sales", &["ada", "bob"]).await;
    assert!(story.cycle() > 0);
    let expected = ["ada Countess on", "bob Mason on", "eve Spy, \"x\" on", "Sales: ada,bob"];
    assert_eq!(target.state().await, expected, "joiners, and bob was there before");
    assert_eq!(story.cycle(), 0, "a second run is silent");

    story.people("1,ada,Lovelace,Queen,here\n2,bob,Builder,Mason,here\n3,eve,O'Neill,Spy,here\n");
    story.group("Sales", &["bob", "eve"]).await;
    story.group("Staff", &["ada"]).await;
    assert!(story.cycle() > 0);
    let expected = ["ada Queen on", "bob Mason on", "eve Spy on", "Sales: bob,eve", "Staff: ada"];
    assert_eq!(target.state().await, expected, "movers");

    story.people("1,ada,Lovelace,Queen,here\n2,bob,Builder,Mason,here\n3,eve,O'Neill,Spy,left\n");
    assert!(story.cycle() > 0);
    assert_eq!(target.state().await[2], "eve Spy off", "a leaver is switched off");
    story.people("1,ada,Lovelace,Queen,here\n2,bob,Builder,Mason,here\n3,eve,O'Neill,Spy,here\n");
    assert!(story.cycle() > 0);
    assert_eq!(target.state().await, expected, "and on again when she returns, a member as before");

    story.people("1,ada,Lovelace,Queen,here\n2,bob,Builder,Mason,here\n");
    assert!(story.cycle() > 0);
    let expected = ["ada Queen on", "bob Mason on", "Sales: bob", "Staff: ada"];
    assert_eq!(target.state().await, expected, "who is gone at the source is gone");
    assert_eq!(story.cycle(), 0, "a second run is silent");
}
