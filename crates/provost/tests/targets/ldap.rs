//! OpenLDAP, 389 Directory Server and Active Directory (Samba).

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use provost_testkit::ds389::{self, Ds389};
use provost_testkit::samba::{self, Samba};
use provost_testkit::slapd::{self, Slapd};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::{Target, tell};

const RULES: &str = r#"      - from: User
        to: person
        scope: active eq true
        match: [ { target: uid, source: "[userName]" } ]
        attributes:
          uid: "[userName]"
          cn: "[userName]"
          sn: "[name.familyName]"
          title: "[title]"
        leavers: { out_of_scope: disable, deleted: delete }
      - from: Group
        to: group
        match: [ { target: cn, source: "[displayName]" } ]
        attributes:
          cn: "[displayName]"
          member: "[members]"
"#;

/// An account has to have a password before it can be switched on.
const RULES_OF_ACTIVE_DIRECTORY: &str = r#"      - from: User
        to: person
        scope: active eq true
        match: [ { target: sAMAccountName, source: "[userName]" } ]
        attributes:
          sAMAccountName: "[userName]"
          cn: "[userName]"
          sn: "[name.familyName]"
          title: "[title]"
          unicodePwd: { value: "RandomString(20, 2, 2, 2, 2)", apply: create }
        leavers: { out_of_scope: disable, deleted: delete }
      - from: Group
        to: group
        match: [ { target: cn, source: "[displayName]" } ]
        attributes:
          cn: "[displayName]"
          member: "[members]"
"#;

/// How one of them is reached, and what it calls things.
struct Server {
    url: String,
    /// Without TLS, for the tools.
    plain: String,
    base: &'static str,
    admin: &'static str,
    password: &'static str,
    /// Classes, and further settings, as YAML.
    settings: String,
    rules: &'static str,
    login: &'static str,
    group: &'static str,
    switch: &'static str,
    is_off: fn(&str) -> bool,
}

type Entry = BTreeMap<String, Vec<String>>;

impl Server {
    fn tool(&self, name: &str) -> Command {
        let mut tool = Command::new(name);
        tool.args(["-x", "-H", &self.plain, "-D", self.admin, "-w", self.password]).kill_on_drop(true);
        tool
    }

    async fn add(&self, ldif: &str) {
        let mut tool = self.tool("ldapadd").stdin(Stdio::piped()).spawn().unwrap();
        let mut input = tool.stdin.take().unwrap();
        input.write_all(ldif.as_bytes()).await.unwrap();
        drop(input);
        assert!(tool.wait().await.unwrap().success(), "{ldif}");
    }

    async fn search(&self, filter: &str, attributes: &[&str]) -> Vec<Entry> {
        let mut tool = self.tool("ldapsearch");
        tool.args(["-LLL", "-o", "ldif-wrap=no", "-b", self.base, filter]).args(attributes);
        let done = tool.output().await.unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let text = String::from_utf8(done.stdout).unwrap();
        let entry = |block: &str| {
            let mut entry = Entry::new();
            for (name, value) in block.lines().filter_map(|line| line.split_once(": ")) {
                entry.entry(name.to_owned()).or_default().push(value.to_owned());
            }
            entry
        };
        // A domain controller also points at its other naming contexts.
        text.split("\n\n").map(entry).filter(|entry| entry.contains_key("dn")).collect()
    }
}

impl Target for Server {
    fn connection(&self, _: &Path) -> String {
        format!(
            "  target:\n    connector: ldap\n    url: {}\n    base: {}\n    bind: {{ dn: \"{}\", password: {{ secret: target }} }}\n{}",
            self.url, self.base, self.admin, self.settings
        )
    }

    fn rules(&self) -> &'static str {
        self.rules
    }

    fn password(&self) -> Option<&'static str> {
        Some(self.password)
    }

    async fn state(&self) -> Vec<String> {
        let mut people: Vec<String> = Vec::new();
        for one in self.search(&format!("(&({}=*)(title=*))", self.login), &[self.login, "title", self.switch]).await {
            let off = one.get(self.switch).is_some_and(|mark| (self.is_off)(&mark[0]));
            people.push(format!("{} {} {}", one[self.login][0], one["title"][0], if off { "off" } else { "on" }));
        }
        people.sort();
        let mut groups: Vec<String> = Vec::new();
        for one in self.search(&format!("(&(objectClass={})(member=*))", self.group), &["cn", "member"]).await {
            let first = |name: &String| name.split([',', '=']).nth(1).unwrap().to_owned();
            let mut members: Vec<String> = one["member"].iter().map(first).filter(|name| name != "nobody").collect();
            members.sort();
            groups.push(format!("{}: {}", one["cn"][0], members.join(",")));
        }
        // What a domain controller brings along is elsewhere.
        groups.retain(|group| group.starts_with('S') && !group.contains("Admin"));
        groups.sort();
        people.into_iter().chain(groups).collect()
    }
}

fn person(base: &str) -> String {
    format!("dn: uid=bob,{base}\nobjectClass: inetOrgPerson\nuid: bob\ncn: Bob\nsn: B\ntitle: old\n")
}

#[tokio::test]
async fn openldap() {
    let server = Slapd::start(&slapd::Options::default()).await.unwrap();
    let settings = format!(
        "    classes:\n      person: {{ base: \"{}\", object_classes: [inetOrgPerson], \
         enabled: {{ attribute: employeeType, on: active, off: gone }} }}\n      \
         group: {{ base: \"{}\", object_classes: [groupOfNames] }}\n",
        slapd::PEOPLE,
        slapd::GROUPS
    );
    let target = Server {
        url: server.url().to_owned(),
        plain: server.url().to_owned(),
        base: slapd::BASE,
        admin: slapd::ADMIN,
        password: slapd::PASSWORD,
        settings,
        rules: RULES,
        login: "uid",
        group: "groupOfNames",
        switch: "employeeType",
        is_off: |mark| mark == "gone",
    };
    target.add(&person(slapd::PEOPLE)).await;
    tell(target).await;
}

#[tokio::test]
async fn ds389() {
    let server = Ds389::start(true).await.unwrap();
    let settings = format!(
        "    classes:\n      person: {{ base: \"{}\", object_classes: [inetOrgPerson] }}\n      \
         group: {{ base: \"{}\", object_classes: [groupOfNames] }}\n",
        ds389::PEOPLE,
        ds389::GROUPS
    );
    let target = Server {
        url: server.url().to_owned(),
        plain: server.url().to_owned(),
        base: ds389::BASE,
        admin: ds389::ADMIN,
        password: ds389::PASSWORD,
        settings,
        rules: RULES,
        login: "uid",
        group: "groupOfNames",
        switch: "nsAccountLock",
        is_off: |mark| mark.eq_ignore_ascii_case("true"),
    };
    target.add(&person(ds389::PEOPLE)).await;
    tell(target).await;
}

#[tokio::test]
async fn active_directory() {
    let (server, folder) = (Samba::start().await.unwrap(), TempDir::new().unwrap());
    let authority = folder.path().join("ca.pem");
    std::fs::write(&authority, server.authority().pem()).unwrap();
    let settings = format!(
        "    ca: {}\n    classes:\n      person: {{ base: \"{}\", object_classes: [user] }}\n      \
         group: {{ base: \"{}\", object_classes: [group] }}\n",
        authority.display(),
        samba::USERS,
        samba::GROUPS
    );
    let target = Server {
        url: server.secure_url(),
        plain: server.url(),
        base: samba::BASE,
        admin: samba::ADMIN,
        password: samba::PASSWORD,
        settings,
        rules: RULES_OF_ACTIVE_DIRECTORY,
        login: "sAMAccountName",
        group: "group",
        switch: "userAccountControl",
        is_off: |number| number.parse::<i64>().unwrap() & 2 != 0,
    };
    let bob = format!(
        "dn: CN=bob,{}\nobjectClass: user\nsAMAccountName: bob\nsn: B\ntitle: old\nuserAccountControl: 544\n",
        samba::USERS
    );
    target.add(&bob).await;
    tell(target).await;
}
