//! Writing: what a batch makes of a file, and what it leaves alone.

use provost_connector::Context;
use provost_model::Action::{Create, Delete, Disable, Enable, Update};
use provost_model::{Change, ChangeOp, Operation, Value};
use serde_json::{Value as Json, json};

use crate::support::{Place, apply, operation, request, shown};

fn with(settings: Json) -> Json {
    let mut settings = settings;
    settings["write"] = json!(true);
    settings
}

fn text(value: &str) -> Value {
    Value::text(value)
}

/// Applies to a file; the outcomes and the file afterwards.
async fn written(settings: Json, content: &str, operations: &[Operation]) -> (String, String) {
    let place = Place::new("a.csv", content);
    let session = place.session(with(settings)).await;
    let outcomes = apply(&*session, operations).await;
    assert_eq!(place.names(), [".a.csv.lock", "a.csv"], "nothing is left behind");
    (outcomes, place.content())
}

#[tokio::test]
async fn a_new_file_gets_its_header_from_the_operations() {
    let place = Place::empty("new.csv");
    let session = place.session(with(json!({"key": "userName", "enabled": {"column": "active"}}))).await;
    assert_eq!(shown(&*session, request()).await, "complete 0");
    let schema = session.schema(&Context::new("test")).await.unwrap();
    assert!(schema.classes[0].open && schema.classes[0].keys == ["userName"]);
    let operations = [
        operation(
            Create,
            None,
            &[
                ("userName", text("ada")),
                ("name.familyName", text("Lovelace, née Byron")),
                ("emails[type eq \"work\"].value", text("ada@example.org")),
                ("First Name", text("Ädä")),
                ("age", Value::Integer(36)),
                ("external", Value::Boolean(false)),
            ],
        ),
        operation(Create, None, &[("userName", text("bob")), ("note", text("two\nlines")), ("age", Value::Null)]),
        operation(Create, None, &[("note", text("nobody"))]),
    ];
    assert_eq!(
        apply(&*session, &operations).await,
        "ada {\"age\":\"36\",\"external\":\"false\"}\nbob\nMissingRequired: a new row needs its key, `userName` [map a value to `userName`]"
    );
    assert_eq!(
        place.content(),
        "userName,name.familyName,\"emails[type eq \"\"work\"\"].value\",First Name,age,external,active,note\n\
         ada,\"Lovelace, née Byron\",ada@example.org,Ädä,36,false,true,\nbob,,,,,,true,\"two\nlines\"\n"
    );
    assert!(shown(&*session, request()).await.ends_with("complete 2"));
}

#[tokio::test]
async fn rows_change_and_others_stay_byte_for_byte() {
    let content =
        "id , name,mail,active\r\n1,\"Ada\",a@x,yes\r\n2,\"Bob\" ,b@x,yes\r\n3,Cäsar,,yes\r\n4,\"Dora\",,yes\r\n";
    let settings = json!({"enabled": {"column": "active", "on": "yes", "off": "no"}});
    let (outcomes, content) = written(
        settings,
        &content.replace("\"Bob\" ", "\"Bob\""),
        &[
            operation(Update, Some("1"), &[("mail", text("ada@x")), ("phone", text("+45 1"))]),
            operation(Disable, Some("3"), &[("NAME", text("Cäsar (left)"))]),
            operation(Delete, Some("4"), &[]),
            operation(Create, None, &[("id", text("5")), ("name", text("Eve \"E\" 李"))]),
            operation(Update, Some("5"), &[("mail", text("e@x"))]),
            operation(Create, None, &[("id", text("2")), ("name", text("again"))]),
            operation(Update, Some("9"), &[("name", text("nobody"))]),
            operation(Delete, Some("9"), &[]),
            operation(Enable, Some("2"), &[]),
        ],
    )
    .await;
    assert_eq!(
        outcomes,
        "1\n3\n4\n5\n5\nAlreadyExists: a.csv has a row `2` [match it instead of creating it]\nNotFound: a.csv has no row `9`\n9\n2"
    );
    assert_eq!(
        content,
        "id , name,mail,active,phone\r\n1,Ada,ada@x,yes,+45 1\r\n2,\"Bob\",b@x,yes,\r\n3,Cäsar (left),,no,\r\n\
         5,\"Eve \"\"E\"\" 李\",e@x,yes,\r\n"
    );
}

#[tokio::test]
async fn operations_that_a_file_cannot_do() {
    let complex = Value::Complex([("a", "b")].into_iter().collect());
    let stale = Operation { if_match: Some("v1".into()), ..operation(Update, Some("1"), &[("a", text("y"))]) };
    let other = Operation { class: "group".into(), ..operation(Delete, Some("1"), &[]) };
    for (settings, operation, expected) in [
        (
            json!({}),
            operation(Disable, Some("1"), &[]),
            "NotSupported: a.csv has no column that switches an account off",
        ),
        (
            json!({}),
            operation(Update, Some("1"), &[("id", text("2"))]),
            "NotSupported: `id` is the key of the row and does not change",
        ),
        (
            json!({}),
            operation(Update, Some("1"), &[("a", Value::List(vec![text("x"), text("y")]))]),
            "InvalidValue: column `a` holds one value, not 2",
        ),
        (
            json!({}),
            operation(Update, Some("1"), &[("a", complex)]),
            "InvalidValue: column `a` cannot hold a complex value",
        ),
        (
            json!({}),
            operation(Update, Some("1"), &[("a", text("x\0"))]),
            "InvalidValue: the value of `a` holds a NUL character",
        ),
        (
            json!({"max_field_bytes": 3}),
            operation(Update, Some("1"), &[("a", text("xxxx"))]),
            "InvalidValue: the value of `a` has 4 bytes, more than 3",
        ),
        (
            json!({"quote": "none"}),
            operation(Update, Some("1"), &[("a", text("x,y"))]),
            "InvalidValue: the value of `a` holds the delimiter, and the file has no quoting",
        ),
        (
            json!({"quote": "none"}),
            operation(Update, Some("1"), &[("a", text("x\ny"))]),
            "InvalidValue: the value of `a` has a line break, and the file has no quoting",
        ),
        (
            json!({"null_values": ["NULL"]}),
            operation(Update, Some("1"), &[("a", text("NULL"))]),
            "InvalidValue: the value of `a` would read back as another one",
        ),
        (
            json!({"trim": true}),
            operation(Update, Some("1"), &[("a", text(" x"))]),
            "InvalidValue: the value of `a` would read back as another one",
        ),
        (
            json!({"multi": {"a": ";"}}),
            operation(Update, Some("1"), &[("a", Value::List(vec![text("x;y")]))]),
            "InvalidValue: the value of `a` would read back as another one",
        ),
        (
            json!({"encoding": "windows-1252"}),
            operation(Update, Some("1"), &[("a", text("Łódź"))]),
            "InvalidValue: the value of `a` has characters that windows-1252 lacks",
        ),
        (json!({}), operation(Update, None, &[]), "MissingRequired: the update names no row"),
        (json!({}), stale, "NotSupported: the rows of a file have no versions to compare"),
        (json!({}), other, "NotSupported: a.csv holds objects of class `person`, not `group`"),
    ] {
        let (outcome, content) = written(settings.clone(), "id,a\n1,x\n", &[operation]).await;
        assert!(outcome.starts_with(expected), "{settings}\nfound    {outcome}\nexpected {expected}");
        assert_eq!(content, "id,a\n1,x\n");
    }
    let place = Place::new("a.csv", "1,x\n");
    let session = place.session(with(json!({"header": false, "columns": ["id", "a"]}))).await;
    let outcome = apply(
        &*session,
        &[operation(Update, Some("1"), &[("b", text("y"))]), operation(Update, Some("1"), &[("a", text("y"))])],
    )
    .await;
    assert!(
        outcome.starts_with("InvalidValue: a.csv has no column `b`, and no header to name a new one in"),
        "{outcome}"
    );
    assert_eq!(place.content(), "1,y\n");
    let place = Place::new("a.csv", "id,a\n1,x\n");
    let outcome = apply(&*place.session(json!({})).await, &[operation(Delete, Some("1"), &[])]).await;
    assert_eq!(outcome, "NotSupported: a.csv is not written: the connection is a source [set write: true]");
}

#[tokio::test]
async fn files_that_are_not_rewritten() {
    for (settings, content, expected) in [
        (
            json!({}),
            "id,a\n1,x",
            "Unreadable: a.csv is not rewritten: line 2 has no line end, so another program may be writing the file",
        ),
        (json!({}), "id,a\n1,x\n2,\"y\n", "Unreadable: a.csv is not rewritten: line 3 has a quote that does not close"),
        (json!({}), "", "Unreadable: a.csv is empty, not even a header"),
        (json!({}), "name,a\n1,x\n", "SchemaChanged: a.csv has no column `id`"),
        (
            json!({}),
            "id,a\n2\n1,x\n",
            "Unreadable: a.csv is not rewritten: line 2 cannot be read, so no column can be added",
        ),
    ] {
        let operations = [operation(Update, Some("1"), &[("a", text("y")), ("b", text("new"))])];
        let (outcome, after) = written(settings, content, &operations).await;
        assert!(outcome.starts_with(expected), "found    {outcome}\nexpected {expected}");
        assert_eq!(after, content);
    }
}

#[tokio::test]
async fn broken_rows_and_duplicates_are_left_for_the_scan_to_report() {
    let content = "id,a\n1,x\n2,y,z\n1,again\n3,z\n3,again\n";
    let operations = [
        operation(Update, Some("1"), &[("a", text("new"))]),
        operation(Update, Some("2"), &[("a", text("new"))]),
        operation(Delete, Some("3"), &[]),
    ];
    let (outcome, content) = written(json!({}), content, &operations).await;
    assert!(
        outcome
            .starts_with("1\nInvalidValue: the row cannot be read: a.csv:3:3: the row has 3 cells, the header has 2"),
        "{outcome}"
    );
    assert!(outcome.ends_with("\n3"), "{outcome}");
    assert_eq!(content, "id,a\n1,new\n2,y,z\n1,again\n");
}

#[tokio::test]
async fn several_values_are_added_and_removed() {
    let change = |op, value| {
        let mut operation = operation(Update, Some("1"), &[("groups", text("-"))]);
        operation.changes = vec![Change { op, value, ..operation.changes[0].clone() }];
        operation
    };
    let list = |values: &[&str]| Value::List(values.iter().map(|value| text(value)).collect());
    let multi = json!({"multi": {"groups": ";"}, "references": {"groups": "group"}});
    for (settings, before, operation, after) in [
        (multi.clone(), "a;b", change(ChangeOp::Add, list(&["b", "c"])), "a;b;c"),
        (multi.clone(), "", change(ChangeOp::Add, Value::reference("group", "c")), "c"),
        (multi.clone(), "a;b;c", change(ChangeOp::Remove, list(&["b", "x"])), "a;c"),
        (multi.clone(), "a", change(ChangeOp::Remove, text("a")), ""),
        (multi.clone(), "a;b", change(ChangeOp::Unset, Value::Null), ""),
        (multi.clone(), "a;b", change(ChangeOp::Set, list(&["x", "y"])), "x;y"),
        (json!({}), "", change(ChangeOp::Add, text("b")), "b"),
        (json!({}), "a", change(ChangeOp::Remove, text("a")), ""),
        (json!({}), "a", change(ChangeOp::Remove, text("b")), "a"),
    ] {
        let (_, content) =
            written(settings.clone(), &format!("id,groups\n1,{before}\n"), std::slice::from_ref(&operation)).await;
        assert_eq!(content, format!("id,groups\n1,{after}\n"), "{settings} {operation:?}");
    }
    let (outcome, _) = written(json!({}), "id,groups\n1,a\n", &[change(ChangeOp::Add, text("b"))]).await;
    assert!(outcome.starts_with("Constraint: `groups` has a value and holds only one"), "{outcome}");
}

#[tokio::test]
async fn encodings_marks_and_guards_are_kept() {
    let operations = [
        operation(Update, Some("1"), &[("a", text("Zoë"))]),
        operation(Create, None, &[("id", text("-2")), ("a", text("=1+1"))]),
    ];
    for (settings, before) in [
        (json!({}), "\u{feff}id,a\n1,ä\n".as_bytes().to_vec()),
        (json!({"encoding": "windows-1252"}), b"id,a\n1,\xe4\n".to_vec()),
        (json!({}), "\u{feff}id,a\n1,ä\n".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        (json!({"encoding": "utf-16be"}), "id,a\n1,ä\n".encode_utf16().flat_map(u16::to_be_bytes).collect()),
    ] {
        let place = Place::new("a.csv", &before);
        let session = place.session(with(settings)).await;
        assert_eq!(apply(&*session, &operations).await, "1\n-2");
        let found = shown(&*session, request()).await;
        assert_eq!(found, "1 {\"id\":\"1\",\"a\":\"Zoë\"}\n-2 {\"id\":\"-2\",\"a\":\"=1+1\"}\ncomplete 2");
        assert_eq!(std::fs::read(place.path()).unwrap()[..6], before[..6], "the mark and the encoding");
    }
    let (_, content) = written(json!({"formula_guard": true}), "id,a\n1,x\n", &operations).await;
    assert_eq!(content, "id,a\n1,Zoë\n'-2,'=1+1\n");
}

#[tokio::test]
async fn nothing_to_do_leaves_the_file_untouched() {
    let place = Place::new("a.csv", "id,a\n1,\"x\"\n");
    let before = std::fs::metadata(place.path()).unwrap();
    let session = place.session(with(json!({}))).await;
    let operations =
        [operation(Update, Some("1"), &[("a", text("x")), ("b", Value::Null)]), operation(Delete, Some("2"), &[])];
    assert_eq!(apply(&*session, &operations).await, "1\n2");
    let after = std::fs::metadata(place.path()).unwrap();
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
    assert_eq!(place.content(), "id,a\n1,\"x\"\n");
    assert!(session.apply(&Context::new("test"), &[]).await.is_empty());
}

#[cfg(unix)]
#[tokio::test]
async fn mode_and_symbolic_link_are_kept() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let place = Place::new("real.csv", "id,a\n1,x\n");
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o664)).unwrap();
    std::os::unix::fs::symlink("real.csv", place.folder.path().join("link.csv")).unwrap();
    let session = place.session(with(json!({"path": "link.csv"}))).await;
    assert_eq!(apply(&*session, &[operation(Update, Some("1"), &[("a", text("y"))])]).await, "1");
    assert_eq!(place.content(), "id,a\n1,y\n");
    assert_eq!(std::fs::metadata(place.path()).unwrap().mode() & 0o777, 0o664);
    assert!(place.folder.path().join("link.csv").is_symlink());
}

#[tokio::test]
async fn a_file_that_was_written_and_is_gone_is_no_empty_target() {
    let place = Place::empty("a.csv");
    let session = place.session(with(json!({}))).await;
    assert_eq!(apply(&*session, &[operation(Create, None, &[("id", text("1"))])]).await, "1");
    std::fs::remove_file(place.path()).unwrap();
    let found = shown(&*session, request()).await;
    assert!(
        found.starts_with("Unavailable: `")
            && found.contains("was written before and is gone [restore it; or remove `"),
        "{found}"
    );
    let outcome = apply(&*session, &[operation(Create, None, &[("id", text("2"))])]).await;
    assert!(outcome.contains("was written before and is gone"), "{outcome}");
    std::fs::remove_file(place.folder.path().join(".a.csv.lock")).unwrap();
    assert_eq!(shown(&*session, request()).await, "complete 0");
}

#[tokio::test]
async fn writers_of_one_file_take_turns() {
    let place = Place::new("a.csv", "id\n");
    // Two connections, as two jobs have them.
    let sessions = [place.session(with(json!({}))).await, place.session(with(json!({}))).await];
    let mut tasks = Vec::new();
    for n in 0..20 {
        let session = sessions[n % 2].clone();
        tasks.push(tokio::spawn(async move {
            apply(&*session, &[operation(Create, None, &[("id", text(&n.to_string()))])]).await
        }));
    }
    for (n, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap(), n.to_string());
    }
    assert!(shown(&*sessions[0], request()).await.ends_with("complete 20"));
}

#[tokio::test]
async fn a_cancelled_write_changes_nothing() {
    let place = Place::new("a.csv", "id,a\n1,x\n");
    let session = place.session(with(json!({}))).await;
    let cx = Context::new("test");
    cx.cancel.cancel();
    let applied = session.apply(&cx, &[operation(Delete, Some("1"), &[])]).await;
    assert!(matches!(&applied[0].outcome, provost_connector::Outcome::Failed(error) if error.message == "cancelled"));
    assert_eq!(place.content(), "id,a\n1,x\n");
}
