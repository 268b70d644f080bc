//! OpenLDAP.

use std::collections::BTreeMap;

use provost_testkit::slapd::{self, Slapd};

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

struct OpenLdap(Slapd);

impl Target for OpenLdap {
    fn connection(&self) -> String {
        format!(
            "  target:\n    connector: ldap\n    url: {}\n    base: {}\n    bind: {{ dn: \"{}\", password: {{ secret: target }} }}\n    \
             classes:\n      person: {{ base: \"{}\", object_classes: [inetOrgPerson], \
             enabled: {{ attribute: employeeType, on: active, off: gone }} }}\n      \
             group: {{ base: \"{}\", object_classes: [groupOfNames] }}\n",
            self.0.url(),
            slapd::BASE,
            slapd::ADMIN,
            slapd::PEOPLE,
            slapd::GROUPS
        )
    }

    fn rules(&self) -> &'static str {
        RULES
    }

    fn password(&self) -> Option<&'static str> {
        Some(slapd::PASSWORD)
    }

    async fn state(&self) -> Vec<String> {
        let entries = |text: String| -> Vec<BTreeMap<String, Vec<String>>> {
            let entry = |block: &str| {
                let mut entry: BTreeMap<String, Vec<String>> = BTreeMap::new();
                for (name, value) in block.lines().filter_map(|line| line.split_once(": ")) {
                    entry.entry(name.to_owned()).or_default().push(value.to_owned());
                }
                entry
            };
            text.split("\n\n").filter(|block| !block.trim().is_empty()).map(entry).collect()
        };
        let found = self.0.search("(objectClass=inetOrgPerson)", &["uid", "title", "employeeType"]).await.unwrap();
        let mut people: Vec<String> = entries(found)
            .into_iter()
            .map(|one| {
                let off = one.get("employeeType").is_some_and(|mark| mark[0] == "gone");
                format!("{} {} {}", one["uid"][0], one["title"][0], if off { "off" } else { "on" })
            })
            .collect();
        people.sort();
        let found = self.0.search("(objectClass=groupOfNames)", &["cn", "member"]).await.unwrap();
        let mut groups: Vec<String> = entries(found)
            .into_iter()
            .map(|one| {
                let login =
                    |name: &String| name.strip_prefix("uid=").map(|rest| rest.split(',').next().unwrap().to_owned());
                let mut members: Vec<String> = one["member"].iter().filter_map(login).collect();
                members.sort();
                format!("{}: {}", one["cn"][0], members.join(","))
            })
            .collect();
        groups.sort();
        people.into_iter().chain(groups).collect()
    }
}

#[tokio::test]
async fn openldap() {
    let bob =
        format!("dn: uid=bob,{}\nobjectClass: inetOrgPerson\nuid: bob\ncn: Bob\nsn: B\ntitle: old\n", slapd::PEOPLE);
    let server = Slapd::start(&slapd::Options { ldif: bob, ..slapd::Options::default() }).await.unwrap();
    tell(OpenLdap(server)).await;
}
