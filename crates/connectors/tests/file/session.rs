//! Settings, manifest, schema, checks, look-ups and digests.

use std::sync::Arc;

use provost_connector::{CheckStatus, Connector, Context, FindRequest, ScanMode, ScanRequest, Session};
use provost_connectors::file::FileConnector;
use provost_model::schema::{AttributeType, Mutability};
use serde_json::json;

use crate::support::{Place, digests, explained, request, shown};

#[test]
fn settings_that_are_refused() {
    let place = Place::empty("a.csv");
    for (settings, expected) in [
        (json!({"kye": "id"}), "kye: the file connector has no setting `kye` [did you mean `key`?]"),
        (
            json!({"colour": 1}),
            "colour: the file connector has no setting `colour` [the settings of a file are path, class, key",
        ),
        (json!({"path": ""}), "path: `path` is missing [name the file"),
        (json!({"key": []}), "key: `key` is missing [name the column"),
        (json!({"key": 5}), "key: `key` has the wrong form [expected is a column's name or a list of names]"),
        (json!({"key": ["a", "A"]}), "key: `key` names `A` twice"),
        (json!({"delimiter": ";;"}), "delimiter: `;;` is no delimiter [give one ASCII character, `tab` or `auto`]"),
        (json!({"delimiter": "§"}), "delimiter: `§` is no delimiter"),
        (json!({"delimiter": "'", "quote": "'"}), "quote: `quote` and `delimiter` are the same character"),
        (json!({"quote": "ab"}), "quote: `ab` is no quote character"),
        (
            json!({"encoding": "windows-1522"}),
            "encoding: the encoding `windows-1522` is not known [did you mean `windows-1252`?]",
        ),
        (
            json!({"header": "yes"}),
            "header: `header`: invalid type: string \"yes\", expected a boolean [expected is true or false]",
        ),
        (json!({"header": false}), "columns: a file without header needs the names of its columns"),
        (json!({"columns": ["id"]}), "columns: `columns` is a list, but the file has a header"),
        (json!({"columns": {"a": "x", "b": "X"}}), "columns: two columns are renamed to `x`"),
        (
            json!({"header": false, "columns": ["login", "a"], "key": "logon"}),
            "key: `columns` has no `logon` [did you mean `login`?]",
        ),
        (json!({"header": false, "columns": ["id", "a", "A"]}), "columns: `columns` names `A` twice"),
        (json!({"multi": {"a": ""}}), "multi: a separator in `multi` is empty"),
        (json!({"max_field_bytes": 0}), "max_field_bytes: `max_field_bytes` is 0"),
        (json!({"final_newline": "maybe"}), "final_newline: `final_newline` cannot be `maybe`"),
        (json!({"enabled": {"column": "a", "of": "x"}}), "enabled: `enabled`: unknown field `of`"),
        (
            json!({"enabled": {"column": "a", "on": "x", "off": "x"}}),
            "enabled: `enabled.on` and `enabled.off` are the same text",
        ),
    ] {
        let problems = FileConnector::default().validate(&place.settings(settings.clone()));
        let shown: Vec<String> = problems
            .iter()
            .map(|p| format!("{}: {} [{}]", p.path, p.message, p.hint.clone().unwrap_or_default()))
            .collect();
        assert_eq!(problems.len(), 1, "{settings} {shown:?}");
        assert!(
            shown[0].to_lowercase().starts_with(&expected.to_lowercase()),
            "found    {}\nexpected {expected}",
            shown[0]
        );
    }
    let all = FileConnector::default().validate(&place.settings(json!({"kye": 1, "quote": "ab", "header": 1})));
    assert_eq!(all.len(), 3, "all problems at once");
}

#[tokio::test]
async fn schema_and_capabilities() {
    let place = Place::new("a.csv", "id,Full Name,boss,groups,\n1,Ada,,,\n");
    let settings = json!({
        "columns": {"Full Name": "name"}, "references": {"boss": "person"}, "multi": {"groups": "|"}, "class": "worker"
    });
    let session = place.session(settings.clone()).await;
    let class = session.capabilities().class("worker").unwrap();
    assert!(
        class.scan && !class.changes && !class.create && !class.update && !class.delete && class.enablement.is_none()
    );
    let schema = session.schema(&Context::new("test")).await.unwrap();
    let class = schema.class("worker").unwrap();
    assert_eq!(class.attributes.iter().map(|a| a.name.as_str()).collect::<Vec<_>>(), ["id", "name", "boss", "groups"]);
    assert_eq!(class.keys, ["id"]);
    assert!(!class.open);
    let id = class.attribute("id").unwrap();
    assert!(id.required && id.unique && id.case_exact && id.mutability == Mutability::Immutable);
    let boss = class.attribute("boss").unwrap();
    assert!(boss.kind == AttributeType::Reference && boss.reference_classes == ["person"]);
    assert!(class.attribute("groups").unwrap().multi_valued);

    let mut settings = settings;
    settings["write"] = json!(true);
    settings["enabled"] = json!({"column": "Full Name", "on": "1", "off": "0"});
    let session = place.session(settings).await;
    let class = session.capabilities().class("worker").unwrap();
    assert!(class.create && class.update && class.delete && class.lookup.is_empty());
    assert_eq!(class.enablement.as_ref().unwrap().path.to_string(), "name");
    assert!(session.schema(&Context::new("test")).await.unwrap().classes[0].open);
}

#[tokio::test]
async fn checks() {
    let show = |checks: Vec<provost_connector::CheckResult>| {
        let line = |c: provost_connector::CheckResult| {
            let hint = c.hint.map(|hint| format!(" [{hint}]")).unwrap_or_default();
            // The day is of no interest.
            let message = c.message.split(", last changed").next().unwrap().to_owned();
            format!("{} {:?} {message}{hint}", c.name, c.status)
        };
        checks.into_iter().map(line).collect::<Vec<_>>().join("\n")
    };
    let cx = Context::new("test");
    let place = Place::new("a.csv", "id,name\n1,Ada\n");
    assert_eq!(
        show(place.session(json!({"write": true})).await.test(&cx).await),
        "file Ok 14 bytes of utf-8\nheader Ok 2 columns, separated by `,`\nkey Ok id\nrows Ok the first 1 can be read\nfolder Ok files can be written"
    );
    assert_eq!(place.names(), ["a.csv"], "a test writes nothing");
    for (content, expected) in [
        (
            "id,name\n1,Ada\n,x\n2,y,z\n",
            "rows Warn 2 of the first 3 cannot be read; a.csv:3:1: the key column `id` is empty [every row needs its key",
        ),
        (
            "id,name\n1,Ada\n2",
            "rows Fail a.csv: the last line, 3, has no line end, so the file may be cut short (hint: ",
        ),
        (
            "id,name\n1\n2,Bob\n",
            "rows Warn 1 of the first 2 cannot be read; a.csv:2:2: the row has 1 cell, the header has 2",
        ),
        (
            "id,name\n1,\"Ada\n2",
            "rows Fail a.csv: the quote that opens on line 2 never closes [nothing is deleted on the word",
        ),
        (
            "mail,name\n1,Ada\n2",
            "header Fail a.csv has no column `id`; its header is mail, name [bring the column back, or change `key`]",
        ),
        ("<html>", "file Fail a.csv is no delimited text file: it looks like an HTML page"),
    ] {
        std::fs::write(place.path(), content).unwrap();
        let found = show(place.session(json!({})).await.test(&cx).await);
        assert!(found.contains(expected), "found    {found}\nexpected {expected}");
    }
    std::fs::remove_file(place.path()).unwrap();
    let checks = place.session(json!({})).await.test(&cx).await;
    assert!(checks.len() == 1 && checks[0].status == CheckStatus::Fail && checks[0].hint.is_some());
    let found = show(place.session(json!({"write": true})).await.test(&cx).await);
    assert_eq!(found, "file Ok a.csv does not exist yet; the first write creates it\nfolder Ok files can be written");
}

#[tokio::test]
async fn one_object_and_several() {
    let place = Place::new("a.csv", "id,mail,groups\nA,ada@x,g;h\nB,BOB@x,g\nC,bob@x,\n");
    let session = place.session(json!({"multi": {"groups": ";"}})).await;
    let cx = Context::new("test");
    let get =
        async |id: &str| session.get(&cx, "Person", &id.into()).await.unwrap().map(|record| record.attributes.len());
    assert_eq!((get("B").await, get("b").await, get("D").await), (Some(3), None, None));
    let find = async |filter: &str, page_size, cursor| {
        let request = FindRequest { page_size, cursor, ..FindRequest::new("person", filter.parse().unwrap()) };
        let page = session.find(&cx, request).await.map_err(|error| explained(&error))?;
        let ids = page.records.iter().map(|r| r.id.as_str()).collect::<Vec<_>>().join(" ");
        Ok::<_, String>((ids, page.next))
    };
    for (filter, expected) in [
        ("mail eq \"bob@X\"", "B C"),
        ("id eq \"B\"", "B"),
        ("id eq \"b\"", ""),
        ("groups eq \"g\" and mail eq \"ada@x\"", "A"),
    ] {
        assert_eq!(find(filter, 10, None).await.unwrap(), (expected.to_owned(), None), "{filter}");
    }
    let (first, cursor) = find("groups eq \"g\"", 1, None).await.unwrap();
    assert_eq!((first.as_str(), cursor.is_some()), ("A", true));
    assert_eq!(find("groups eq \"g\"", 1, cursor.clone()).await.unwrap(), ("B".to_owned(), None));
    for filter in ["mail co \"x\"", "nothing eq \"x\"", "id eq \"A\" or id eq \"B\"", "mail pr"] {
        let error = find(filter, 10, None).await.unwrap_err();
        assert!(error.starts_with("NotSupported: a file cannot be searched by `"), "{error}");
    }
    // A row that cannot be read may be the one that is asked for.
    std::fs::write(place.path(), "id,mail,groups\nA,ada@x,\nB,bob@x\nC,c@x,\n").unwrap();
    assert!(find("groups eq \"g\"", 1, cursor).await.unwrap_err().starts_with("CursorExpired"));
    assert_eq!((get("A").await, get("C").await), (Some(3), Some(3)));
    let error = explained(&session.get(&cx, "person", &"B".into()).await.unwrap_err());
    assert!(
        error.starts_with(
            "Unreadable: a.csv cannot be searched: a.csv:3:3: the row has 2 cells, the header has 3 [correct that row"
        ),
        "{error}"
    );
    // Nor does it keep others from being found.
    assert_eq!(find("mail eq \"c@x\"", 10, None).await.unwrap().0, "C");
    assert!(find("mail eq \"b@x\"", 10, None).await.is_err());
    let error = session.get(&cx, "group", &"A".into()).await.unwrap_err();
    assert_eq!(
        explained(&error),
        "NotSupported: a.csv holds objects of class `person`, not `group` [use `person`, or set class: group]"
    );
    let changes = ScanRequest { mode: ScanMode::Changes { cursor: None }, ..request() };
    assert!(shown(&*session, changes).await.starts_with("NotSupported: a file has no change feed"));
}

#[tokio::test]
async fn rows_that_are_known_are_told_by_their_digest() {
    let place = Place::new("a.csv", "id,a,b\n1,x,y\n2,x,y\n3,x,y\n");
    let session = place.session(json!({})).await;
    let known = Arc::new(digests(&*session).await);
    let asked = || ScanRequest { known: Some(known.clone()), ..request() };
    assert_eq!(shown(&*session, asked()).await, "= 1\n= 2\n= 3\ncomplete 3");
    // Other line ends and another order change no row.
    std::fs::write(place.path(), "id,a,b\r\n3,x,y\r\n1,x,yy\r\n2,x,y\r\n2,x,y\r\n").unwrap();
    assert_eq!(
        shown(&*session, asked()).await,
        "= 3\n1 {\"id\":\"1\",\"a\":\"x\",\"b\":\"yy\"}\n= 2\n! a.csv:5:1 (2) Constraint: line 5 has the key of line 4 again; the first \
         one counts [keep one row per key in the export]\ncomplete 4"
    );
    // The same bytes mean something else under another header, or under other settings.
    std::fs::write(place.path(), "id,b,a\n2,x,y\n").unwrap();
    assert_eq!(shown(&*session, asked()).await, "2 {\"id\":\"2\",\"b\":\"x\",\"a\":\"y\"}\ncomplete 1");
    std::fs::write(place.path(), "id,a,b\n2,x,y\n").unwrap();
    for settings in [
        json!({"null_values": ["x"]}),
        json!({"trim": true}),
        json!({"references": {"a": "person"}}),
        json!({"multi": {"a": ";"}}),
        json!({"columns": {"a": "c"}}),
        json!({"quote": "none"}),
        json!({"formula_guard": true}),
    ] {
        let session: Arc<dyn Session> = place.session(settings.clone()).await;
        let found = shown(&*session, asked()).await;
        assert!(found.starts_with("2 {"), "{settings} {found}");
    }
}

#[tokio::test]
async fn only_wanted_attributes_are_built() {
    let place = Place::new("a.csv", "id,a,b\n1,x,y\n");
    let session = place.session(json!({})).await;
    let asked = ScanRequest { attributes: Some(vec!["B".into()]), ..request() };
    assert_eq!(shown(&*session, asked).await, "1 {\"b\":\"y\"}\ncomplete 1");
}
