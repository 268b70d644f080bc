//! Columns of a fixed width.

use provost_connector::{Connector, Context};
use provost_connectors::file::FileConnector;
use provost_model::Action::{Create, Delete, Disable, Update};
use provost_model::Value;
use serde_json::{Value as Json, json};

use crate::support::{Place, apply, operation, read, request, shown};

fn layout(more: Json) -> Json {
    let mut settings = json!({"format": "fixed", "columns": [
        {"name": "id", "width": 4}, {"name": "name", "width": 8}, {"name": "code", "start": 15, "width": 3, "trim": false},
    ]});
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings
}

#[tokio::test]
async fn columns_are_cut_out_of_lines() {
    let content = "1   Zoë 李     A1 \n\n2             x  filler\n   3  Bob     \r\n";
    let found = read("a.dat", layout(json!({"null_values": ["Bob"]})), content).await;
    assert_eq!(
        found,
        "1 {\"id\":\"1\",\"name\":\"Zoë 李\",\"code\":\"A1 \"}\n2 {\"id\":\"2\",\"name\":null,\"code\":\"x  \"}\n\
         ! a.dat:4 Unreadable: the line has 14 characters, the columns need 17 [export it again; if this export leaves blanks \
         out at the ends of lines, set short_lines: true]\ncomplete 2"
    );
    let short = layout(json!({"short_lines": true, "references": {"name": "person"}}));
    let found = read("a.dat", short, "   3  Bob\n4\n").await;
    let bob = "{\"ref\":{\"class\":\"person\",\"id\":\"Bob\"}}";
    assert_eq!(
        found,
        format!(
            "3 {{\"id\":\"3\",\"name\":{bob},\"code\":null}}\n4 {{\"id\":\"4\",\"name\":null,\"code\":null}}\ncomplete 2"
        )
    );
    let header = layout(json!({"header": true}));
    assert_eq!(
        read("a.dat", header, "ID  NAME      .. COD\n1   Ada           \n").await,
        "1 {\"id\":\"1\",\"name\":\"Ada\",\"code\":null}\ncomplete 1"
    );
}

#[tokio::test]
async fn lines_that_cannot_be_read_and_files_that_may_be_cut() {
    for (content, expected) in [
        ("1   a\0            \n".to_owned(), "! a.dat:1:2 InvalidValue: `name` holds a NUL byte"),
        (format!("    {:14}\n", "x"), "! a.dat:1 MissingRequired: the key `id` has no single value"),
        (format!("1   {:14}\n1   {:14}\n", "a", "b"), "! a.dat:2 (1) Constraint: line 2 has the key of line 1 again"),
        (format!("1   {:14}\n2   {:14}", "a", "b"), "! a.dat:2 Unreadable: the last line has no line end"),
        ("".to_owned(), "Unreadable: a.dat is empty"),
    ] {
        let found = read("a.dat", layout(json!({})), &content).await;
        assert!(found.contains(expected), "found    {found}\nexpected {expected}");
        assert_eq!(found.contains("incomplete"), expected.contains("no line end"), "{found}");
    }
    let optional = layout(json!({"final_newline": "optional"}));
    let found = read("a.dat", optional, format!("1   {:14}\n2   b", "a")).await;
    assert!(found.ends_with("incomplete 1: a.dat: the last line, 2, is no whole record, so the file may be cut short"));
}

#[test]
fn settings() {
    let place = Place::empty("a.dat");
    for (settings, expected) in [
        (json!({"format": "fixed"}), "columns: a file of fixed columns needs `columns`"),
        (json!({"format": "fixd"}), "format: there is no format `fixd` [did you mean `fixed`?]"),
        (layout(json!({"delimiter": ";"})), "delimiter: `delimiter` has no meaning for format: fixed"),
        (layout(json!({"key": "no"})), "key: `columns` has no `no`"),
        (
            layout(json!({"columns": [{"name": "id", "width": 0}], "write": true})),
            "columns: the column `id` has no place",
        ),
        (layout(json!({"columns": [{"name": "id", "start": 0, "width": 1}]})), "columns: the column `id` has no place"),
        (layout(json!({"columns": [{"name": "id", "width": 9999999999u64}]})), "columns: the column `id` has no place"),
        (
            layout(
                json!({"write": true, "columns": [{"name": "id", "width": 3}, {"name": "b", "start": 3, "width": 3}]}),
            ),
            "columns: the columns `id` and `b` overlap",
        ),
    ] {
        let problems = FileConnector::default().validate(&place.settings(settings.clone()));
        let shown: Vec<String> = problems
            .iter()
            .map(|p| format!("{}: {} [{}]", p.path, p.message, p.hint.clone().unwrap_or_default()))
            .collect();
        assert!(shown[0].starts_with(expected), "{settings}\nfound    {shown:?}\nexpected {expected}");
    }
}

#[tokio::test]
async fn what_is_written() {
    let place = Place::new("a.dat", "1   Ada       A1 tail\r\nbroken\r\n2   Bob       B2 \r\n");
    let settings = layout(json!({"write": true, "enabled": {"column": "code", "on": "yes", "off": "no "}}));
    let session = place.session(settings).await;
    let schema = session.schema(&Context::new("test")).await.unwrap();
    assert!(!schema.classes[0].open && schema.classes[0].attributes.len() == 3);
    let outcomes = apply(
        &*session,
        &[
            operation(Update, Some("1"), &[("name", "李 Ä".into())]),
            operation(Disable, Some("1"), &[]),
            operation(Delete, Some("2"), &[]),
            operation(Create, None, &[("id", "3".into()), ("name", Value::Integer(5))]),
            operation(Update, Some("3"), &[("name", "123456789".into())]),
            operation(Update, Some("3"), &[("name", " x".into())]),
            operation(Update, Some("3"), &[("name", "x\ny".into())]),
            operation(Update, Some("3"), &[("code", "x".into())]),
            operation(Update, Some("3"), &[("other", "x".into())]),
            operation(Update, Some("3"), &[("name", Value::List(vec!["a".into(), "b".into()]))]),
        ],
    )
    .await;
    let lines: Vec<&str> = outcomes.lines().collect();
    let starts = [
        "1",
        "1",
        "2",
        "3 {\"name\":\"5\"}",
        "InvalidValue: the value of `name` has 9 characters, more than 8",
        "InvalidValue: the value of `name` would read back as another one",
        "InvalidValue: the value of `name` would read back as another one",
        "InvalidValue: the value of `code` would read back as another one",
        "InvalidValue: a.dat has no column `other`",
        "InvalidValue: column `name` cannot hold a list value",
    ];
    assert_eq!(lines.len(), starts.len(), "{outcomes}");
    lines.iter().zip(starts).for_each(|(found, start)| assert!(found.starts_with(start), "{outcomes}\n{start}"));
    assert_eq!(place.content(), "1   李 Ä       no tail\r\nbroken\r\n3   5         yes\r\n");
    let new = Place::empty("b.dat");
    let session = new.session(layout(json!({"write": true, "header": true}))).await;
    assert_eq!(shown(&*session, request()).await, "complete 0");
    assert_eq!(apply(&*session, &[operation(Create, None, &[("id", "7".into()), ("code", "abc".into())])]).await, "7");
    assert_eq!(new.content(), "id  name      cod\n7             abc\n");
    assert!(shown(&*session, request()).await.ends_with("complete 1"));
}
