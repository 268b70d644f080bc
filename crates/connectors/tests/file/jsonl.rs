//! JSON lines: what is read, what is refused, what is written.

use provost_connector::Context;
use provost_model::Action::{Create, Delete, Disable, Enable, Update};
use provost_model::{Attributes, Change, ChangeOp, Value};
use serde_json::{Value as Json, json};

use crate::support::{Place, apply, digests, operation, read, request, shown};

const ADA: &str = r#"{"id":"1","name":{"family":"Lovelace"},"mails":["a@x","b@x"],"age":36,"active":true,"none":null}"#;

#[tokio::test]
async fn objects_are_read_as_they_stand() {
    let content = format!("{ADA}\n\n  {{\"id\":7}}  \r\n");
    let expected = format!("1 {ADA}\n7 {{\"id\":7}}\ncomplete 2");
    assert_eq!(read("a.jsonl", json!({}), &content).await, expected);
    assert_eq!(read("a.ndjson", json!({}), &content).await, expected);
    assert_eq!(read("a.txt", json!({"format": "jsonl"}), &content).await, expected);
    assert_eq!(read("a.jsonl", json!({}), format!("\u{feff}{content}")).await, expected);
    let utf16: Vec<u8> = format!("\u{feff}{content}").encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(read("a.jsonl", json!({}), utf16).await, expected);
    let optional = json!({"final_newline": "optional"});
    assert_eq!(read("a.jsonl", optional, content.trim_end()).await, expected);
    assert_eq!(read("a.jsonl", json!({}), "\n").await, "complete 0");
}

#[tokio::test]
async fn keys_references_and_renames() {
    let content =
        "{\"Person No\":1,\"at\":{\"b|\":2},\"boss\":3,\"team\":[{\"value\":\"x\"},{}],\"peers\":[\"4\",null]}\n";
    let settings = json!({
        "key": ["no", "boss"], "columns": {"Person No": "no"},
        "references": {"boss": "person", "team.value": "group", "peers": "person"},
    });
    let person = |id: &str| format!("{{\"ref\":{{\"class\":\"person\",\"id\":\"{id}\"}}}}");
    assert_eq!(
        read("a.jsonl", settings, content).await,
        format!(
            "1|3 {{\"no\":1,\"at\":{{\"b|\":2}},\"boss\":{},\"team\":[{{\"value\":{{\"ref\":{{\"class\":\"group\",\"id\":\"x\"}}}}}},{{}}],\
             \"peers\":[{},null]}}\ncomplete 1",
            person("3"),
            person("4")
        )
    );
    let settings = json!({"key": "meta.id"});
    assert_eq!(
        read("a.jsonl", settings, "{\"meta\":{\"id\":\"5\"}}\n").await,
        "5 {\"meta\":{\"id\":\"5\"}}\ncomplete 1"
    );
    // An object that looks like Provost's own notation of a reference is an object.
    let found =
        read("a.jsonl", json!({}), "{\"id\":\"1\",\"x\":{\"ref\":{\"class\":\"a\",\"id\":\"b\"},\"y\":1}}\n").await;
    assert!(found.ends_with("complete 1"), "{found}");
}

#[tokio::test]
async fn lines_that_cannot_be_read() {
    let deep = format!("{{\"id\":\"1\",\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
    let long = format!("{{\"id\":\"1\",\"a\":\"{}\"}}", "x".repeat(70_000));
    for (line, expected) in [
        ("{\"id\":\"1\"", "InvalidValue: EOF while parsing an object"),
        ("{\"id\":\"1\"} {", "InvalidValue: trailing characters"),
        ("[1]", "! a.jsonl:1:1 InvalidValue: the line holds no object but a list"),
        ("null", "! a.jsonl:1:1 InvalidValue: the line holds no object but null"),
        ("{\"id\":\"1\",\"a\":1,\"A\":2}", "InvalidValue: `A` stands twice in one object"),
        ("{\"id\":\"1\",\"a\":18446744073709551615}", "InvalidValue: a number is too large to be held exactly"),
        ("{\"id\":\"1\",\"a\":1e300}", "InvalidValue: a number is too large to be held exactly"),
        ("{\"id\":\"1\",\"a\":\"\\ud800\"}", "InvalidValue: "),
        ("{\"id\":\"1\",\"a\":\"\0\"}", "InvalidValue: control character"),
        ("{\"a\":\"1\"}", "! a.jsonl:1 MissingRequired: the key `id` has no single value"),
        ("{\"id\":\"\"}", "! a.jsonl:1 MissingRequired: the key `id` has no single value"),
        ("{\"id\":[\"1\"]}", "! a.jsonl:1 MissingRequired: the key `id` has no single value"),
        (&deep, "! a.jsonl:1:"),
        (&long, "! a.jsonl:1:70016 InvalidValue: a text has 70000 bytes, more than 65536"),
    ] {
        let found = read("a.jsonl", json!({}), format!("{line}\n{{\"id\":\"2\"}}\n")).await;
        let mut lines = found.lines();
        assert_eq!(lines.next(), Some("2 {\"id\":\"2\"}"), "{line}");
        let fault = lines.next().unwrap();
        assert!(fault.starts_with("! a.jsonl:1") && fault.contains(expected), "found    {fault}\nexpected {expected}");
        assert_eq!(lines.next(), Some("complete 1"), "the fault has no id, so nothing is proven: {line}");
    }
    let found = read("a.jsonl", json!({}), b"{\"id\":\"1\",\"a\":\"\xe4\"}\n").await;
    assert!(found.starts_with("! a.jsonl:1:16 InvalidValue: the line holds bytes that cannot be decoded"), "{found}");
    let found = read("a.jsonl", json!({}), "{\"id\":\"1\"}\n{\"id\":1}\n").await;
    assert!(found.contains("! a.jsonl:2 (1) Constraint: line 2 has the key of line 1 again"), "{found}");
    let much = format!("{{\"id\":\"1\",\"a\":\"{}\"}}\n{{\"id\":\"2\"}}\n", "x".repeat(40 << 20));
    let found = read("a.jsonl", json!({}), much).await;
    assert!(
        found.starts_with("2 {\"id\":\"2\"}\n! a.jsonl:1:1 InvalidValue: the line is longer than a line may be"),
        "{found}"
    );
}

#[tokio::test]
async fn files_that_may_be_cut() {
    for (settings, content, expected) in [
        (json!({}), "", "Unreadable: a.jsonl is empty [export it again"),
        (json!({}), "{\"id\":\"1\"}", "! a.jsonl:1:1 Unreadable: the last line has no line end"),
        (
            json!({}),
            "{\"id\":\"1\"}\n{\"id",
            "1 {\"id\":\"1\"}\n! a.jsonl:2:1 Unreadable: the last line has no line end",
        ),
        (
            json!({"final_newline": "optional"}),
            "{\"id\":\"1\"}\n{\"id",
            "1 {\"id\":\"1\"}\n! a.jsonl:2:4 InvalidValue: EOF while parsing a string",
        ),
        (json!({}), "PK\x03\x04\n", "Unreadable: a.jsonl is no file of JSON lines: it looks like a spreadsheet"),
        (json!({}), "<html>\n", "Unreadable: a.jsonl is no file of JSON lines: it looks like an HTML page"),
    ] {
        let found = read("a.jsonl", settings.clone(), content).await;
        assert!(found.starts_with(expected), "found    {found}\nexpected {expected}");
        assert!(found.starts_with("Unreadable") || found.contains("\nincomplete "), "{found}");
    }
}

#[tokio::test]
async fn known_lines_and_the_schema() {
    let place = Place::new("a.jsonl", format!("{ADA}\n{{\"id\":\"2\",\"age\":1.5}}\n"));
    let session = place.session(json!({})).await;
    let known = std::sync::Arc::new(digests(&*session).await);
    let asked = provost_connector::ScanRequest { known: Some(known), ..request() };
    assert_eq!(shown(&*session, asked.clone()).await, "= 1\n= 2\ncomplete 2");
    let other = place.session(json!({"references": {"age": "x"}})).await;
    assert!(!shown(&*other, asked).await.contains('='), "settings are part of the digest");
    let schema = session.schema(&Context::new("test")).await.unwrap();
    let class = &schema.classes[0];
    let shown = |name: &str| class.attribute(name).map(|a| format!("{:?} {}", a.kind, a.multi_valued)).unwrap();
    assert!(class.open && class.keys == ["id"]);
    assert_eq!(shown("age"), "Decimal false");
    assert_eq!(shown("mails"), "String true");
    assert_eq!(shown("active"), "Boolean false");
    assert_eq!(class.attribute("name").unwrap().sub_attributes[0].name, "family");
    let checks = session.test(&Context::new("test")).await;
    let checks: Vec<_> = checks.iter().map(|check| format!("{} {}", check.name, check.message)).collect();
    assert_eq!(checks[1..], ["key id", "rows the first 2 can be read"]);
}

#[tokio::test]
async fn questions_and_names_that_clash() {
    let place = Place::new(
        "a.jsonl",
        "{\"id\":\"1\",\"mails\":[{\"type\":\"work\",\"value\":\"A@x\"}],\"n\":5}\n{\"id\":\"2\"}\n",
    );
    let session = place.session(json!({})).await;
    let find = async |filter: &str| {
        let request = provost_connector::FindRequest::new("person", filter.parse().unwrap());
        let page =
            session.find(&Context::new("test"), request).await.map_err(|error| crate::support::explained(&error))?;
        Ok::<_, String>(page.records.iter().map(|record| record.id.to_string()).collect::<Vec<_>>().join(" "))
    };
    for (filter, expected) in [
        ("mails.value eq \"a@x\" and n eq 5", "1"),
        ("mails.type eq \"home\"", ""),
        ("id eq \"2\"", "2"),
        ("nothing eq \"x\"", ""),
    ] {
        assert_eq!(find(filter).await.unwrap(), expected, "{filter}");
    }
    for filter in ["id co \"1\"", "mails[type REGEX MATCH \"w.*\"].value eq \"a@x\"", "id eq \"1\" or id eq \"2\""] {
        assert!(find(filter).await.unwrap_err().starts_with("NotSupported"), "{filter}");
    }
    let found =
        read("a.jsonl", json!({"columns": {"Mail": "mail"}}), "{\"id\":\"1\",\"Mail\":\"a\",\"mail\":\"b\"}\n").await;
    assert!(found.starts_with("! a.jsonl:1:"), "{found}");
    let found =
        read("a.jsonl", json!({"columns": {"E-Mail": "mail"}}), "{\"id\":\"1\",\"E-Mail\":\"a\",\"mail\":\"b\"}\n")
            .await;
    assert!(found.contains("`mail` is there twice: by its own name and by `columns`"), "{found}");
}

#[tokio::test]
async fn a_file_that_changes_under_the_read_is_not_complete() {
    let content: String = (0..100).map(|n| format!("{{\"id\":\"{n}\"}}\n")).collect();
    for (name, settings, content) in [
        ("a.jsonl", json!({}), content),
        ("a.ldif", json!({"key": "dn"}), (0..100).map(|n| format!("dn: cn={n}\n\n")).collect()),
        (
            "a.xml",
            json!({"record": "a/b", "columns": {"@id": "id"}}),
            format!("<a>{}</a>", (0..100).map(|n| format!("<b id='{n}'/>")).collect::<String>()),
        ),
    ] {
        let place = Place::new(name, &content);
        let session = place.session(settings).await;
        let cx = Context::new("test");
        let mut scan = session.scan(&cx, request()).await.unwrap();
        scan.next(&cx).await.unwrap();
        std::fs::write(place.path(), format!("{content}\n")).unwrap();
        let end = loop {
            if let Some(end) = scan.next(&cx).await.unwrap().end {
                break end;
            }
        };
        let reason = end.reason.unwrap();
        assert!(!end.complete && reason.contains("bytes after) while it was read"), "{reason}");
    }
}

fn with(settings: Json) -> Json {
    let mut settings = settings;
    settings["write"] = json!(true);
    settings
}

#[tokio::test]
async fn what_is_written() {
    let place = Place::new("a.jsonl", format!("{ADA}\r\n{{\"id\": \"2\"}}\r\nno object\r\n{{\"id\":\"3\"}}\r\n"));
    let settings = with(json!({"enabled": {"column": "active"}, "references": {"boss": "person"}}));
    let session = place.session(settings).await;
    let change = |op, value| {
        let mut operation = operation(Update, Some("1"), &[("mails", Value::text("-"))]);
        operation.changes = vec![Change { op, value, ..operation.changes[0].clone() }];
        operation
    };
    let complex: Attributes = [("b", Value::Integer(1))].into_iter().collect();
    let outcomes = apply(
        &*session,
        &[
            operation(Update, Some("1"), &[("name.family", "King".into()), ("name.given", "Ada".into())]),
            change(ChangeOp::Add, Value::text("c@x")),
            change(ChangeOp::Remove, Value::List(vec!["a@x".into()])),
            operation(Disable, Some("1"), &[("age", Value::Null)]),
            operation(Enable, Some("3"), &[]),
            operation(
                Create,
                None,
                &[("id", "4".into()), ("boss", Value::reference("person", "1")), ("c", complex.into())],
            ),
            operation(Update, Some("4"), &[("emails[type eq \"work\"].value", "w@x".into())]),
            operation(Create, None, &[("id", "2".into())]),
            operation(Update, Some("9"), &[("a", "x".into())]),
            operation(Delete, Some("9"), &[]),
            operation(Update, Some("1"), &[("id", "5".into())]),
            operation(Create, None, &[("a", "x".into())]),
            operation(Update, Some("1"), &[("a", Value::Decimal(f64::NAN))]),
        ],
    )
    .await;
    assert_eq!(
        outcomes,
        "1\n1\n1\n1\n3\n4\n4\nAlreadyExists: a.jsonl has a record `2` [match it instead of creating it]\n\
         NotFound: a.jsonl has no record `9`\n9\n\
         NotSupported: `id` is the key of the record and does not change [let the mapping write it on create only]\n\
         MissingRequired: a new record needs its key, `id` [map a value to `id`]\n\
         InvalidValue: the value of `a` has a number that JSON cannot hold exactly [send it as a text]"
    );
    assert_eq!(
        place.content(),
        "{\"id\":\"1\",\"name\":{\"family\":\"King\",\"given\":\"Ada\"},\"mails\":[\"b@x\",\"c@x\"],\"active\":false,\"none\":null}\r\n\
         {\"id\": \"2\"}\r\nno object\r\n{\"id\":\"3\",\"active\":true}\r\n\
         {\"id\":\"4\",\"boss\":\"1\",\"c\":{\"b\":1},\"active\":true,\"emails\":[{\"type\":\"work\",\"value\":\"w@x\"}]}\r\n"
    );
    assert_eq!(place.names(), [".a.jsonl.lock", "a.jsonl"]);
}

#[tokio::test]
async fn the_last_object_leaves_a_file_that_is_no_cut_file() {
    let place = Place::empty("a.jsonl");
    let session = place.session(with(json!({}))).await;
    assert_eq!(shown(&*session, request()).await, "complete 0");
    assert_eq!(apply(&*session, &[operation(Create, None, &[("id", "1".into())])]).await, "1");
    assert_eq!(place.content(), "{\"id\":\"1\"}\n");
    assert_eq!(apply(&*session, &[operation(Delete, Some("1"), &[])]).await, "1");
    assert_eq!(place.content(), "\n");
    assert_eq!(shown(&*session, request()).await, "complete 0");
    std::fs::write(place.path(), "{\"id\":\"1\"}").unwrap();
    let outcome = apply(&*session, &[operation(Delete, Some("1"), &[])]).await;
    assert!(outcome.starts_with("Unreadable: a.jsonl is not rewritten: line 1 has no line end"), "{outcome}");
    let latin = Place::empty("a.jsonl");
    let session = latin.session(with(json!({"encoding": "windows-1252"}))).await;
    let values = [("id", "ä".into()), ("a", "😀 Łódź".into())];
    assert_eq!(apply(&*session, &[operation(Create, None, &values)]).await, "ä");
    assert_eq!(shown(&*session, request()).await, "ä {\"id\":\"ä\",\"a\":\"😀 Łódź\"}\ncomplete 1");
}
