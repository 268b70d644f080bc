//! A file of LDIF content. It holds one class, so that who is in which group stands with the person.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Target, tell};

const RULES: &str = r#"      - from: User
        to: person
        scope: active eq true
        match: [ { target: uid, source: "[userName]" } ]
        attributes:
          dn: Join("", "uid=", [userName], ",ou=people,dc=example,dc=org")
          uid: "[userName]"
          cn: "[userName]"
          sn: "[name.familyName]"
          title: "[title]"
          departmentNumber: "[groups.display]"
        leavers: { out_of_scope: disable, deleted: delete }
"#;

struct Ldif(TempDir);

impl Ldif {
    fn path(&self) -> PathBuf {
        self.0.path().join("people.ldif")
    }
}

impl Target for Ldif {
    fn connection(&self, _: &Path) -> String {
        format!(
            "  target:\n    connector: file\n    path: {}\n    key: uid\n    object_class: inetOrgPerson\n    \
             write: true\n    multi: [departmentNumber]\n    enabled: {{ column: employeeType, on: active, off: gone }}\n",
            self.path().display()
        )
    }

    fn rules(&self) -> &'static str {
        RULES
    }

    fn password(&self) -> Option<&'static str> {
        None
    }

    async fn state(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path()).unwrap();
        let mut people = Vec::new();
        let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for block in text.split("\n\n").filter(|block| block.contains("uid: ")) {
            let values = |name: &str| -> Vec<&str> {
                block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect()
            };
            let login = values("uid")[0].to_owned();
            let switch = if values("employeeType") == ["gone"] { "off" } else { "on" };
            people.push(format!("{login} {} {switch}", values("title")[0]));
            for group in values("departmentNumber") {
                groups.entry(group.to_owned()).or_default().push(login.clone());
            }
        }
        people.sort();
        for (group, mut logins) in groups {
            logins.sort();
            people.push(format!("{group}: {}", logins.join(",")));
        }
        people
    }
}

#[tokio::test]
async fn ldif() {
    let file = Ldif(TempDir::new().unwrap());
    let bob =
        "dn: uid=bob,ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: bob\ncn: Bob\nsn: B\ntitle: old\n\n";
    std::fs::write(file.path(), bob).unwrap();
    tell(file).await;
}
