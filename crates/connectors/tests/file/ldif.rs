//! LDIF: content and changes, read and written.

use std::sync::Arc;

use provost_connector::{Connector, Context, Cursor, ScanItem, ScanMode, ScanRequest, Session};
use provost_connectors::file::FileConnector;
use provost_model::Action::{Create, Delete, Disable, Update};
use provost_model::{Change, ChangeOp, Value};
use serde_json::{Value as Json, json};

use crate::support::{Place, apply, explained, operation, read, request, shown};

const ADA: &str =
    "dn: uid=ada,dc=x\nobjectClass: top\nobjectClass: inetOrgPerson\nuid: ada\ncn:: QcOkZGE=\nsn: Love\n lace\n";

#[tokio::test]
async fn content_records() {
    let content = format!(
        "version: 1\n# a comment\n that goes on\n{ADA}description:  two blanks\njpegPhoto:: /9j/4A==\nempty:\n\n\n# between\n\n\
         DN:: dWlkPULDtmIsZGM9eA==\r\nobjectclass: group\r\n\r\n# search result\nsearch: 2\nresult: 0 Success\n\n# numEntries: 2\n"
    );
    let settings = json!({"key": "dn", "binary": ["jpegPhoto"], "multi": ["uid"], "columns": {"sn": "last"}});
    assert_eq!(
        read("a.ldif", settings, &content).await,
        "uid=ada,dc=x {\"dn\":\"uid=ada,dc=x\",\"objectClass\":[\"top\",\"inetOrgPerson\"],\"uid\":[\"ada\"],\"cn\":\"Aäda\",\"last\":\
         \"Lovelace\",\"description\":\"two blanks\",\"jpegPhoto\":\"/9j/4A==\",\"empty\":\"\"}\n\
         uid=Böb,dc=x {\"dn\":\"uid=Böb,dc=x\",\"objectclass\":\"group\"}\ncomplete 2"
    );
    let settings = json!({"key": "uid", "object_class": "INETORGPERSON", "binary": ["jpegPhoto"]});
    let found = read("a.ldif", settings, &content).await;
    assert!(found.starts_with("ada {\"dn\":") && found.ends_with("complete 1"), "{found}");
    let settings = json!({"references": {"member": "person"}, "key": "dn"});
    let found = read("a.ldif", settings, "dn: cn=g\nmember: cn=a\nmember: cn=b\n\n").await;
    assert!(found.contains("[{\"ref\":{\"class\":\"person\",\"id\":\"cn=a\"}},{\"ref\":"), "{found}");
}

#[tokio::test]
async fn records_that_cannot_be_read() {
    let long = format!("description: {}", "x".repeat(70_000));
    for (line, expected) in [
        (
            "jpegPhoto:< file:///etc/passwd",
            "the value of `jpegPhoto` is to be read from elsewhere (`:<`) [write the value",
        ),
        ("cn:: ***", "the value of `cn` is no base64"),
        ("cn:: /w==", "the value of `cn` holds bytes that are no UTF-8 [name the attribute under `binary`"),
        ("no colon", "the line has no colon"),
        ("na me: x", "`na me` is no name of an attribute"),
        ("dn: cn=y", "`dn` stands inside a record [put an empty line between records]"),
        (&long, "the value of `description` has 70000 bytes, more than 65536"),
    ] {
        let content = format!("dn: cn=x\ncn: x\n{line}\n\ndn: cn=z\n\n");
        let found = read("a.ldif", json!({"key": "dn"}), &content).await;
        let expected = format!("cn=z {{\"dn\":\"cn=z\"}}\n! a.ldif:3 (cn=x) InvalidValue: {expected}");
        assert!(found.starts_with(&expected), "found    {found}\nexpected {expected}");
        let found = read("a.ldif", json!({"key": "cn"}), &content).await;
        assert!(found.contains("! a.ldif:3 InvalidValue"), "another key is not known: {found}");
    }
    let found = read("a.ldif", json!({"key": "dn"}), " x: y\n\ncn: x\n\ndn:\n\n").await;
    assert!(found.contains("! a.ldif:1 InvalidValue: the record begins with a blank"), "{found}");
    assert!(found.contains("! a.ldif:3 InvalidValue: the record begins with `cn`, not with `dn`"), "{found}");
    assert!(found.contains("! a.ldif:5 InvalidValue: the record has an empty `dn`"), "{found}");
    let found = read("a.ldif", json!({"key": "dn"}), "dn: cn=x\nchangetype: delete\n\n").await;
    assert!(
        found.starts_with(
            "Unreadable: a.ldif has a change record, line 1, and is read as content [set records: changes"
        )
    );
}

#[tokio::test]
async fn files_that_may_be_cut() {
    let optional = json!({"key": "dn", "final_newline": "optional"});
    for (settings, content, expected) in [
        (json!({"key": "dn"}), "", "Unreadable: a.ldif is empty"),
        (
            json!({"key": "dn"}),
            "dn: cn=x\n\ndn: cn=y\ncn: y\n",
            "cn=x {\"dn\":\"cn=x\"}\n! a.ldif:3 Unreadable: no empty line follows the last record, so it may be cut short [see why the \
             scan is incomplete]\nincomplete 1: a.ldif: no empty line follows the last record, line 3",
        ),
        (optional.clone(), "dn: cn=x\ncn: x\n", "cn=x {\"dn\":\"cn=x\",\"cn\":\"x\"}\ncomplete 1"),
        (optional, "dn: cn=x\ncn:: a", "! a.ldif:2 InvalidValue: the value of `cn` is no base64"),
        (
            json!({"key": "dn"}),
            "dn: cn=x\n\n# search result\nsearch: 2\nresult: 4 Size limit exceeded\n\n",
            "cn=x {\"dn\":\"cn=x\"}\nincomplete 1: a.ldif: the search that wrote it ended with result 4 Size limit exceeded",
        ),
    ] {
        let found = read("a.ldif", settings, content).await;
        assert!(found.starts_with(expected), "found    {found}\nexpected {expected}");
    }
}

#[test]
fn settings() {
    let place = Place::empty("a.ldif");
    for (settings, expected) in [
        (json!({"write": "changes"}), "key: changes name their entry by `dn`"),
        (json!({"records": "all"}), "records: `records` cannot be `all` here"),
        (json!({"records": "changes", "write": true}), "write: a file of changes is not written as content"),
        (json!({"encoding": "utf-8"}), "encoding: `encoding` has no meaning for format: ldif"),
        (json!({"multi": {"a": ";"}}), "multi: `multi`: invalid type"),
    ] {
        let problems = FileConnector::default().validate(&place.settings(settings.clone()));
        let shown: Vec<String> = problems.iter().map(|p| format!("{}: {}", p.path, p.message)).collect();
        assert!(shown[0].starts_with(expected), "{settings}\nfound    {shown:?}\nexpected {expected}");
    }
    let mut settings = place.settings(json!({}));
    settings.values.remove("key");
    assert!(FileConnector::default().validate(&settings).is_empty(), "the key is dn unless it is said");
}

/// A feed from a cursor: the items, and the next cursor.
async fn feed(session: &dyn Session, cursor: Option<Cursor>) -> Result<(String, Cursor), String> {
    let cx = Context::new("test");
    let request = ScanRequest { mode: ScanMode::Changes { cursor }, ..request() };
    let mut scan = session.scan(&cx, request).await.map_err(|error| explained(&error))?;
    let page = scan.next(&cx).await.map_err(|error| explained(&error))?;
    let received = page.received();
    let mut lines: Vec<String> = page
        .items
        .iter()
        .map(|item| match item {
            ScanItem::Upsert(record) => {
                format!("{} {}", record.id, serde_json::to_string(&record.attributes).unwrap())
            }
            other => format!("- {}", other.id()),
        })
        .collect();
    lines.extend(
        page.faults
            .iter()
            .map(|fault| format!("! {} {}: {}", fault.place, fault.id.clone().unwrap_or_default(), fault.error)),
    );
    let end = page.end.unwrap();
    assert!(end.complete && end.count == received);
    Ok((lines.join("\n"), end.cursor.unwrap()))
}

#[tokio::test]
async fn a_file_of_changes_is_a_feed() {
    let begin = "version: 1\n\ndn: cn=A,dc=x\ncn: A\nmail: a@x\nmail: b@x\n\ndn: cn=b,dc=x\nchangetype: add\ncn: b\n\n";
    let place = Place::new("a.ldif", begin);
    let session = place.session(json!({"records": "changes", "key": "dn"})).await;
    assert!(session.capabilities().class("person").unwrap().changes);
    let (found, start) = feed(&*session, None).await.unwrap();
    assert_eq!(found, "");
    let append = |text: &str| {
        use std::io::Write;
        let mut file = std::fs::OpenOptions::new().append(true).open(place.path()).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    assert_eq!(feed(&*session, Some(start.clone())).await.unwrap(), (String::new(), start.clone()));
    append(
        "dn: CN=a, DC=x\nchangetype: modify\nadd: mail\nmail: c@x\n-\ndelete: mail\nmail: A@x\n-\nreplace: sn\nsn: Ä\n-\n\n\
         dn: cn=b,dc=x\nchangetype: delete\n\n# by hand\ndn: cn=c,dc=x\nchangetype: add\ncn: c\n\n\
         dn: cn=c,dc=x\nchangetype: modrdn\nnewrdn: cn=d\ndeleteoldrdn: 1\n\n",
    );
    let (found, next) = feed(&*session, Some(start.clone())).await.unwrap();
    assert_eq!(
        found.replace("Ä", "Ae"),
        "cn=A,dc=x {\"dn\":\"cn=A,dc=x\",\"cn\":\"A\",\"mail\":[\"b@x\",\"c@x\"],\"sn\":\"Ae\"}\n\
         cn=d,dc=x {\"dn\":\"cn=d,dc=x\",\"cn\":\"d\"}\n- cn=b,dc=x\n- cn=c,dc=x"
    );
    // A change that is being written is left for the next time.
    append("dn: cn=d,dc=x\nchangetype: modify\nreplace: cn");
    assert_eq!(feed(&*session, Some(next.clone())).await.unwrap(), (String::new(), next.clone()));
    append("\ncn: d\ncn: e\n-\n\n");
    let (found, last) = feed(&*session, Some(next)).await.unwrap();
    assert_eq!(found, "cn=d,dc=x {\"dn\":\"cn=d,dc=x\",\"cn\":[\"d\",\"e\"]}");
    // The full read tells what all changes come to.
    let found = shown(&*session, request()).await;
    assert!(
        found.starts_with("cn=A,dc=x {") && found.contains("\ncn=d,dc=x {") && found.ends_with("complete 2"),
        "{found}"
    );
    // What the file does not tell.
    append(
        "dn: cn=z,dc=x\nchangetype: modify\nreplace: sn\nsn: z\n\ndn: cn=d,dc=x\nchangetype: modify\ndelete: mail\nmail: x\n\n",
    );
    let (found, _) = feed(&*session, Some(last.clone())).await.unwrap();
    assert_eq!(
        found,
        "! a.ldif:44 cn=z,dc=x: the file does not tell what it was before\n\
         ! a.ldif:49 cn=d,dc=x: a value that `mail` does not have was taken away"
    );
    append("dn: cn=q,dc=x\nchangetype: modify\nadd: a\na:< file:///x\n\n");
    let (found, _) = feed(&*session, Some(last.clone())).await.unwrap();
    assert!(found.contains("cn=q,dc=x: a change of it cannot be read: the value of `a` is to be read from elsewhere"));
    append("no record\n\n");
    let (found, _) = feed(&*session, Some(last.clone())).await.unwrap();
    assert!(found.ends_with(" : the line has no colon"), "{found}");
    // A file that was begun anew is no reason to take anybody for gone.
    std::fs::write(place.path(), begin).unwrap();
    assert!(
        feed(&*session, Some(last.clone())).await.unwrap_err().starts_with("Unreadable: a.ldif was replaced since")
    );
    std::fs::write(place.path(), format!("{begin}{}", "dn: cn=y\nchangetype: delete\n\n".repeat(50))).unwrap();
    let error = feed(&*session, Some(last)).await.unwrap_err();
    assert!(error.contains("it no longer begins with the changes that were read [bring back the file"), "{error}");
    assert!(feed(&*session, Some(Cursor("x".into()))).await.is_err());
}

fn with(settings: Json) -> Json {
    let mut settings = settings;
    settings["write"] = json!(true);
    settings["key"] = json!("dn");
    settings
}

#[tokio::test]
async fn content_is_written() {
    let place = Place::new(
        "a.ldif",
        format!(
            "version: 1\n# Ada's own\n{ADA}\n# Bob\ndn: uid=bob,dc=x\nuid: bob\n\ndn: uid=cy,dc=x\r\nuid: cy\r\nmail: c@x\r\n\r\n"
        ),
    );
    let settings = with(json!({"enabled": {"column": "pwdLockout", "on": "FALSE", "off": "TRUE"}}));
    let session = place.session(settings).await;
    let change = |op, value| {
        let mut operation = operation(Update, Some("uid=ada,dc=x"), &[("mail", Value::text("-"))]);
        operation.changes = vec![Change { op, value, ..operation.changes[0].clone() }];
        operation
    };
    let long = "0123456789".repeat(10);
    let outcomes = apply(
        &*session,
        &[
            operation(Update, Some("uid=ada,dc=x"), &[("sn", " :x\n".into()), ("description", long.as_str().into())]),
            change(ChangeOp::Add, Value::List(vec!["a@x".into(), "b@x".into()])),
            change(ChangeOp::Remove, Value::text("a@x")),
            operation(Delete, Some("uid=bob,dc=x"), &[]),
            operation(Disable, Some("uid=cy,dc=x"), &[("mail", Value::Null)]),
            operation(
                Create,
                None,
                &[
                    ("dn", "uid=d\\,e,dc=x".into()),
                    ("uid", "d,e".into()),
                    ("flag", Value::Boolean(true)),
                    ("n", Value::Integer(5)),
                ],
            ),
            operation(Create, None, &[("dn", "nonsense".into())]),
            operation(Create, None, &[("uid", "x".into())]),
            operation(Update, Some("uid=ada,dc=x"), &[("na me", "x".into())]),
            operation(Update, Some("uid=ada,dc=x"), &[("dn", "uid=ada,dc=y".into())]),
            operation(Update, Some("uid=none,dc=x"), &[("sn", "x".into())]),
        ],
    )
    .await;
    assert_eq!(
        outcomes,
        "uid=ada,dc=x\nuid=ada,dc=x\nuid=ada,dc=x\nuid=bob,dc=x\nuid=cy,dc=x\nuid=d\\,e,dc=x {\"flag\":\"TRUE\",\"n\":\"5\"}\n\
         InvalidValue: `dn` is no distinguished name [write it as in RFC 4514: cn=Ada\\, Lovelace,ou=people,dc=example]\n\
         MissingRequired: a new record needs its key, `dn` [map a value to `dn`]\n\
         InvalidValue: `na me` is no name of an LDAP attribute [name it in letters, digits and hyphens, with options after `;`]\n\
         NotSupported: `dn` is the key of the record and does not change [let the mapping write it on create only]\n\
         NotFound: a.ldif has no record `uid=none,dc=x`"
    );
    assert_eq!(
        place.content(),
        "version: 1\n# Ada's own\ndn: uid=ada,dc=x\nobjectClass: top\nobjectClass: inetOrgPerson\nuid: ada\ncn:: QcOkZGE=\n\
         sn:: IDp4Cg==\ndescription: 012345678901234567890123456789012345678901234567890123456789012\n \
         3456789012345678901234567890123456789\nmail: b@x\n\ndn: uid=cy,dc=x\r\nuid: cy\r\npwdLockout: TRUE\r\n\r\n\
         dn: uid=d\\,e,dc=x\nuid: d,e\nflag: TRUE\nn: 5\npwdLockout: FALSE\n\n"
    );
    let place = Place::empty("b.ldif");
    let session = place.session(with(json!({"object_class": "person"}))).await;
    assert_eq!(apply(&*session, &[operation(Create, None, &[("dn", "cn=a".into())])]).await, "cn=a");
    assert_eq!(place.content(), "dn: cn=a\nobjectClass: person\n\n");
    let wrong = operation(Update, Some("cn=a"), &[("objectClass", "device".into())]);
    assert!(apply(&*session, &[wrong]).await.starts_with("InvalidValue: the entry is none of object class `person`"));
    assert_eq!(apply(&*session, &[operation(Delete, Some("cn=a"), &[])]).await, "cn=a");
    assert_eq!(place.content(), "\n");
    assert_eq!(shown(&*session, request()).await, "complete 0");
    assert_eq!(apply(&*session, &[operation(Create, None, &[("dn", "cn=b".into())])]).await, "cn=b");
    assert_eq!(place.content(), "\ndn: cn=b\nobjectClass: person\n\n");
    std::fs::write(place.path(), "version: 1\n").unwrap();
    let found = shown(&*session, request()).await;
    assert!(found.starts_with("incomplete 0: b.ldif: nothing follows its version, so it may be cut short"), "{found}");
}

/// The name of an entry of another class is taken all the same.
#[tokio::test]
async fn entries_of_other_classes_are_left_alone() {
    let content = "dn: cn=a\nobjectClass: device\n\ndn: cn=b\nobjectClass: person\n\n";
    let place = Place::new("a.ldif", content);
    let session = place.session(with(json!({"object_class": "person"}))).await;
    let outcomes = apply(
        &*session,
        &[operation(Create, None, &[("dn", "cn=a".into()), ("sn", "x".into())]), operation(Delete, Some("cn=b"), &[])],
    )
    .await;
    let refused = "InvalidValue: the row cannot be read: a.ldif:1: the entry is none of object class `person`";
    assert!(outcomes.starts_with(refused) && outcomes.ends_with("\ncn=b"), "{outcomes}");
    assert_eq!(place.content(), "dn: cn=a\nobjectClass: device\n\n");
}

#[tokio::test]
async fn changes_are_written() {
    let place = Place::empty("a.ldif");
    let settings =
        json!({"write": "changes", "key": "dn", "enabled": {"column": "locked", "on": "FALSE", "off": "TRUE"}});
    let session = place.session(settings).await;
    assert!(!session.capabilities().class("person").unwrap().changes);
    let add =
        operation(Create, None, &[("dn", "cn=a,dc=x".into()), ("objectClass", "person".into()), ("sn", "Ä".into())]);
    let list = Value::List(vec!["cn=a,dc=x".into(), "cn=b,dc=x".into()]);
    let mut members = operation(Update, Some("cn=g,dc=x"), &[("member", list), ("x", "y".into())]);
    members.changes[0].op = ChangeOp::Add;
    members.changes[1].op = ChangeOp::Remove;
    let outcomes = apply(
        &*session,
        &[
            add.clone(),
            operation(Update, Some("CN=a, dc=x"), &[("sn", Value::Null), ("mail", "a@x".into())]),
            members,
            operation(Disable, Some("cn=old,dc=x"), &[]),
            operation(Delete, Some("cn=gone,dc=x"), &[]),
            operation(Create, None, &[("dn", "cn=b,dc=x".into())]),
            operation(Update, Some("cn=same,dc=x"), &[]),
        ],
    )
    .await;
    assert_eq!(
        outcomes,
        "cn=a,dc=x\nCN=a, dc=x\ncn=g,dc=x\ncn=old,dc=x\ncn=gone,dc=x\nMissingRequired: a new entry needs its object classes, \
         `objectClass` [map a value to `objectClass`, or set object_class]\ncn=same,dc=x"
    );
    let first = "dn: cn=a,dc=x\nchangetype: add\nobjectClass: person\nsn:: w4Q=\nlocked: FALSE\n\n\
         dn: CN=a, dc=x\nchangetype: modify\nreplace: sn\n-\nreplace: mail\nmail: a@x\n-\n\n\
         dn: cn=g,dc=x\nchangetype: modify\nadd: member\nmember: cn=a,dc=x\nmember: cn=b,dc=x\n-\ndelete: x\nx: y\n-\n\n\
         dn: cn=old,dc=x\nchangetype: modify\nreplace: locked\nlocked: TRUE\n-\n\n\
         dn: cn=gone,dc=x\nchangetype: delete\n\n";
    assert_eq!(place.content(), first);
    // The file is its own memory: what it adds is there, what it deletes is not.
    let outcomes = apply(
        &*session,
        &[
            add,
            operation(Delete, Some("cn=gone,dc=x"), &[]),
            operation(Update, Some("cn=gone,dc=x"), &[("sn", "x".into())]),
            operation(Delete, Some("cn=a,dc=x"), &[]),
        ],
    )
    .await;
    assert_eq!(
        outcomes,
        "AlreadyExists: a.ldif adds `cn=a,dc=x` [match it instead of creating it]\ncn=gone,dc=x\n\
         NotFound: a.ldif deletes the entry `cn=gone,dc=x`\ncn=a,dc=x"
    );
    assert_eq!(place.content(), format!("{first}dn: cn=a,dc=x\nchangetype: delete\n\n"));
    let found = shown(&*session, request()).await;
    assert!(found.starts_with("cn=g,dc=x {") && found.ends_with("complete 2"), "what was told so far: {found}");
    // Whoever applied the changes takes the file away, and the next one begins.
    std::fs::remove_file(place.path()).unwrap();
    assert_eq!(apply(&*session, &[operation(Delete, Some("cn=z"), &[])]).await, "cn=z");
    assert_eq!(place.content(), "dn: cn=z\nchangetype: delete\n\n");
    for (content, expected) in [
        ("dn: cn=a\nchangetype: delete\n", "line 1 begins a record without its end"),
        ("dn: cn=a\nchangetype: sing\n\n", "line 1 begins a record that cannot be read"),
    ] {
        std::fs::write(place.path(), content).unwrap();
        let outcome = apply(&*session, &[operation(Delete, Some("cn=z"), &[])]).await;
        assert!(
            outcome.starts_with("Unreadable: a.ldif is not rewritten: ") && outcome.contains(expected),
            "{outcome}"
        );
        assert_eq!(place.content(), content);
    }
    let _: Arc<dyn Session> = session;
}
