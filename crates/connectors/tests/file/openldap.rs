//! LDIF against OpenLDAP's own tools, on a database of the test's own: what `slapcat` writes is read, and what is written here
//! `slapadd` and `slapmodify` take. `scripts/deps` installs them; no server runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use provost_model::Action::{Create, Delete, Update};
use provost_model::{ChangeOp, Value};
use serde_json::json;

use crate::support::{Place, apply, operation, request, shown};

const CONFIG: &str = "include /etc/ldap/schema/core.schema\ninclude /etc/ldap/schema/cosine.schema\n\
    include /etc/ldap/schema/inetorgperson.schema\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n\
    database mdb\nsuffix dc=example\nrootdn cn=admin,dc=example\nmaxsize 10485760\n";

/// A database in a folder.
struct Directory(tempfile::TempDir);

impl Directory {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let config = format!("{CONFIG}directory {}\n", folder.path().join("data").display());
        std::fs::write(folder.path().join("slapd.conf"), config).unwrap();
        Self(folder)
    }

    fn run(&self, tool: &str, file: &Path) -> String {
        let tool: PathBuf = ["/usr/sbin", tool].iter().collect();
        let output = Command::new(&tool).arg("-f").arg(self.0.path().join("slapd.conf")).arg("-l").arg(file).output();
        let output = output.unwrap_or_else(|error| panic!("{}: {error}; run scripts/deps", tool.display()));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{}: {said}\n{}", tool.display(), std::fs::read_to_string(file).unwrap());
        said
    }
}

const NASTY: [&str; 8] =
    ["plain", " leading", "trailing ", ": < #", "two\nlines\r", "Zoë 😀 \u{202e}שלום", "\\ \" , + ; <x>", "- ]]> &lt;"];

#[tokio::test]
async fn openldap_takes_what_is_written_and_its_dump_is_read() {
    let directory = Directory::new();
    let place = Place::new(
        "a.ldif",
        "\ndn: dc=example\nobjectClass: dcObject\nobjectClass: organization\no: x\ndc: example\n\n",
    );
    let settings = json!({"write": true, "key": "dn", "object_class": "inetOrgPerson", "binary": ["jpegPhoto"]});
    let session = place.session(settings.clone()).await;
    let person = |n: usize| {
        let text = |value: &str| Value::text(value);
        let long = "äbc ".repeat(500) + ".";
        operation(
            Create,
            None,
            &[
                ("dn", Value::text(format!("uid=p{n},dc=example"))),
                ("uid", Value::text(format!("p{n}"))),
                ("cn", Value::List(vec![text(NASTY[n]), text("another")])),
                ("sn", text(NASTY[n])),
                ("description", text(&long)),
                ("jpegPhoto", text("/9j/4AAQSkZJRg==")),
            ],
        )
    };
    let people: Vec<_> = (0..NASTY.len()).map(person).collect();
    let outcomes = apply(&*session, &people).await;
    assert!(!outcomes.contains("Invalid"), "{outcomes}");
    directory.run("slapadd", &place.path());
    // Changes for slapmodify, whose outcome the dump shows.
    let changes = Place::empty("changes.ldif");
    let writer = json!({"write": "changes", "key": "dn", "object_class": "inetOrgPerson", "binary": ["jpegPhoto"]});
    let writer = changes.session(writer).await;
    let with_op = |op, mut operation: provost_model::Operation| {
        operation.changes[0].op = op;
        operation
    };
    let outcomes = apply(
        &*writer,
        &[
            operation(
                Create,
                None,
                &[
                    ("dn", "uid=new,dc=example".into()),
                    ("uid", "new".into()),
                    ("cn", NASTY[5].into()),
                    ("sn", NASTY[1].into()),
                ],
            ),
            operation(
                Update,
                Some("uid=p1,dc=example"),
                &[("sn", NASTY[4].into()), ("description", Value::Null), ("title", Value::Null)],
            ),
            with_op(
                ChangeOp::Add,
                operation(
                    Update,
                    Some("uid=p2,dc=example"),
                    &[("cn", Value::List(vec![NASTY[3].into(), "second ".into()]))],
                ),
            ),
            with_op(ChangeOp::Remove, operation(Update, Some("uid=p3,dc=example"), &[("cn", "another".into())])),
            operation(Delete, Some("uid=p0,dc=example"), &[]),
        ],
    )
    .await;
    assert_eq!(outcomes.lines().count(), 5, "{outcomes}");
    assert!(!outcomes.contains(':'), "{outcomes}");
    // Written as LDAP holds it: a value twice, as `: < #` is in p3's cn, would be refused by the directory.
    directory.run("slapmodify", &changes.path());
    let dump = Place::empty("dump.ldif");
    directory.run("slapcat", &dump.path());
    let reader = json!({"key": "uid", "object_class": "inetOrgPerson", "binary": ["jpegPhoto"]});
    let session = dump.session(reader).await;
    let found = shown(&*session, request()).await;
    assert!(found.ends_with(&format!("complete {}", NASTY.len())), "{found}");
    let json_of = |id: &str| -> serde_json::Value {
        let line = found.lines().find(|line| line.starts_with(&format!("{id} {{"))).unwrap();
        serde_json::from_str(&line[id.len() + 1..]).unwrap()
    };
    let long = "äbc ".repeat(500) + ".";
    for (n, text) in NASTY.iter().enumerate().skip(4) {
        let entry = json_of(&format!("p{n}"));
        assert_eq!(entry["sn"], *text, "{n}");
        assert_eq!(entry["cn"], json!([text, "another"]));
        assert_eq!((entry["description"].as_str().unwrap(), &entry["jpegPhoto"]), (&*long, &json!("/9j/4AAQSkZJRg==")));
    }
    assert_eq!(json_of("new")["cn"], NASTY[5]);
    assert_eq!((&json_of("p1")["sn"], &json_of("p1")["description"]), (&json!(NASTY[4]), &json!(null)));
    assert_eq!(json_of("p2")["cn"], json!([NASTY[2], "another", NASTY[3], "second "]));
    assert_eq!(json_of("p3")["cn"], NASTY[3]);
    assert!(!found.contains("\np0 "));
}
