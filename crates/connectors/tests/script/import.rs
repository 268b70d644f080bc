//! What an import gives, and when it proves something.

use std::time::{Duration, Instant};

use provost_connector::{Context, Cursor, ErrorCode, FindRequest, LookupRequest, ScanMode, ScanRequest};
use provost_model::{AttributePath, Filter, Value};
use serde_json::json;

use crate::support::*;

fn three() -> serde_json::Value {
    json!({"1": {"number": "1", "name": "Ada"}, "2": {"number": "2", "name": "Bob"}, "3": {"number": "3", "name": "ADA"}})
}

#[tokio::test]
async fn a_class_is_read_as_a_whole() {
    let place = Place::new();
    place.put(three());
    let session = place.open(json!({})).await;
    let class = session.capabilities().class("card").unwrap();
    assert!(class.scan && class.create && class.update && class.delete && !class.changes);
    for size in [1, 2, 3, 100] {
        let whole = read(&*session, ScanMode::Full, size).await.unwrap();
        assert_eq!((whole.items.len(), whole.gap()), (3, None));
    }
    assert_eq!(full(&*session).await.unwrap().items[1], r#"2 {"name":"Bob","number":"2"}"#);
    place.put(json!({}));
    let whole = full(&*session).await.unwrap();
    assert_eq!((whole.items.len(), whole.gap()), (0, None));
}

#[tokio::test]
async fn objects_are_found_by_reading() {
    let place = Place::new();
    place.put(three());
    let session = place.open(json!({})).await;
    assert_eq!(session.get(&cx(), "card", &"3".into()).await.unwrap().unwrap().id, "3");
    assert_eq!(session.get(&cx(), "card", &"4".into()).await.unwrap(), None);
    let ids = |found: Vec<Vec<provost_model::Record>>| {
        found
            .into_iter()
            .map(|some| some.into_iter().map(|one| one.id.to_string()).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    let ask = |name: &str, values: &[&str]| LookupRequest {
        class: "card".into(),
        path: AttributePath::name(name),
        values: values.iter().map(|value| Value::text(*value)).collect(),
    };
    assert_eq!(ids(session.lookup(&cx(), ask("name", &["ada", "x"])).await.unwrap()), [vec!["1", "3"], vec![]]);
    let page =
        session.find(&cx(), FindRequest::new("card", Filter::eq(AttributePath::name("number"), "2"))).await.unwrap();
    assert_eq!(page.records.len(), 1);
    let error = session.find(&cx(), FindRequest::new("card", "name sw \"A\"".parse().unwrap())).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotSupported);
    // What is not read as a whole finds nobody, and says so.
    place.python("import.py", "say({'id': '1', 'attributes': {'number': '1'}})");
    let session = place.open(json!({})).await;
    assert!(session.get(&cx(), "card", &"1".into()).await.is_err(), "its line is held back, being the last");
    assert_eq!(session.lookup(&cx(), ask("number", &["9"])).await.unwrap_err().code, ErrorCode::Unreadable);
}

/// What an import that ends so proves.
async fn gap(script: &str) -> String {
    let place = Place::new();
    place.python("import.py", &format!("for n in '12': say({{'id': n, 'attributes': {{'number': n}}}})\n{script}"));
    match full(&*place.open(json!({})).await).await {
        Ok(whole) => whole.gap().unwrap_or_else(|| "complete".to_owned()),
        Err(error) => format!("{:?}: {error}", error.code),
    }
}

#[tokio::test]
async fn only_a_last_line_with_the_count_and_a_good_end_are_a_proof() {
    for (script, want) in [
        ("end(2)", "complete"),
        ("", "`import.py`: its last line, 2, does not say"),
        ("end(3)", "`import.py`: 3 objects were counted and 2 received"),
        ("say({'complete': False, 'count': 2, 'reason': 'the server hung up'})", "`import.py`: the server hung up"),
        ("say({'complete': True})", "does not say"),
        ("end(2); sys.exit(1)", "Unreadable: `import.py` did not do its work: it ended with status 1"),
        ("end(2); os.kill(os.getpid(), 9)", "did not do its work: it was ended by signal 9"),
        ("raise SystemExit('no')", "did not do its work: it ended with status 1"),
        ("print('{\"complete\": true, \"count\": 2}', end='')", "the output of `import.py` is cut"),
        ("end(2); print('done')", "does not say"),
        ("sys.stdout.buffer.write(b'\\xff\\n')", "Protocol: `import.py`, line 3: a line is not UTF-8"),
        ("say({'id': '3', 'attributes': {'x': 'x' * 5000000}}); end(3)", "wrote a line of more than 4194304 bytes"),
    ] {
        let told = gap(script).await;
        assert!(told.contains(want), "{script}: {told}");
    }
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_a_fault_of_its_own() {
    let place = Place::new();
    place.python(
        "import.py",
        r#"
say({"id": "1", "attributes": {}})
say({"id": "1", "attributes": {}})
say({"id": "2", "class": "door", "attributes": {}})
say({"tombstone": "3"})
say({"fault": {"place": "row 7", "id": "4", "error": {"code": "invalid_value", "message": "token " + parameters["token"]}}})
say({"id": "5", "attributes": {}, "colour": 1})
print("hello")
end(7)
"#,
    );
    let session = place.open(json!({})).await;
    let whole = full(&*session).await.unwrap();
    assert_eq!(whole.items.len(), 1);
    let told: Vec<String> = whole
        .faults
        .iter()
        .map(|fault| format!("{} {} {}", fault.place, fault.id.as_deref().unwrap_or("?"), fault.error))
        .collect();
    let starts = [
        "import.py:2 1 the script wrote this object before",
        "import.py:3 2 it is no object of class `card`",
        "import.py:4 3 a full read has no tombstones",
        "row 7 4 token ***",
        "import.py:6 ? unknown field `colour`",
        "import.py:7 ? expected value",
    ];
    for (told, start) in told.iter().zip(starts) {
        assert!(told.starts_with(start), "{told}");
    }
    assert_eq!(told.len(), starts.len());
    // Whoever is behind the lines without an id is not known, so nothing is proven by what the others say.
    assert_eq!(whole.faults.iter().filter(|fault| fault.id.is_none()).count(), 2);
}

#[tokio::test]
async fn rows_are_read_as_objects() {
    let place = Place::new();
    place.write(
        "import.sh",
        r#"read -r request
case $request in *'"mode":"full"'*) ;; *) exit 9 ;; esac
printf 'number;name;zones\n'
printf '1;"a;""b""\nc";lab|roof\n'
printf '2;{"complete": true};\n'
printf '3;;\n'
echo '{"complete": true, "count": 3}'
"#,
    );
    place.write(
        "schema.sh",
        "cat >/dev/null\necho '{\"name\": \"card\", \"attributes\": []}'\necho '{\"complete\": true, \"count\": 1}'\n",
    );
    let csv = json!({"key": "number", "delimiter": ";", "multi": {"zones": "|"}});
    let settings =
        json!({"interpreter": ["sh"], "schema": "schema.sh", "import": "import.sh", "export": null, "csv": csv});
    let session = place.open(settings.clone()).await;
    let whole = full(&*session).await.unwrap();
    assert_eq!(
        whole.items,
        [
            r#"1 {"number":"1","name":"a;\"b\"\nc","zones":["lab","roof"]}"#,
            r#"2 {"number":"2","name":"{\"complete\": true}","zones":null}"#,
            r#"3 {"number":"3","name":null,"zones":null}"#,
        ]
    );
    assert_eq!(whole.gap(), None);
    // An open quote swallows the last line, which then proves nothing.
    place.write("import.sh", "printf 'number;name;zones\\n1;\"a;\\n'\necho '{\"complete\": true, \"count\": 0}'\n");
    let whole = full(&*place.open(settings).await).await.unwrap();
    assert!(whole.gap().unwrap().contains("ends within a quote"), "{:?}", whole.gap());
}

#[tokio::test]
async fn changes_go_on_from_a_cursor() {
    let place = Place::new();
    place.python(
        "import.py",
        r#"
if request["mode"] == "changes" and request["cursor"] is None: end(0, cursor="c1")
elif request["mode"] == "changes":
    assert request["cursor"] == "c1", request
    say({"tombstone": "1"})
    say({"id": "2", "attributes": {"number": "2"}})
    end(2, cursor="c2")
else:
    end(0)
"#,
    );
    let without = place.open(json!({})).await;
    let changes = |cursor: Option<&str>| ScanMode::Changes { cursor: cursor.map(|cursor| Cursor(cursor.into())) };
    assert_eq!(read(&*without, changes(None), 9).await.err().unwrap().code, ErrorCode::NotSupported);
    let session = place.open(json!({"changes": true})).await;
    assert!(session.capabilities().class("card").unwrap().changes);
    let first = read(&*session, changes(None), 9).await.unwrap();
    assert_eq!((first.items.len(), first.gap(), first.end.cursor), (0, None, Some(Cursor("c1".into()))));
    let next = read(&*session, changes(Some("c1")), 9).await.unwrap();
    assert_eq!((next.items.len(), next.gap()), (2, None));
    assert_eq!(next.items[0], "Tombstone(ObjectId(\"1\"))");
    place.python("import.py", "end(0)");
    let session = place.open(json!({"changes": true})).await;
    let none = read(&*session, changes(Some("c1")), 9).await.unwrap();
    assert!(none.gap().unwrap().contains("no cursor to go on from"));
}

#[tokio::test]
async fn a_read_is_given_up_and_what_ran_for_it_ends() {
    let place = Place::new();
    place.python(
        "import.py",
        "say({'id': '1', 'attributes': {}})\nsay({'id': '2', 'attributes': {}})\nopen(parameters['store'] + '.pid', 'w').write(str(os.getpid()))\ntime.sleep(300)",
    );
    let session = place.open(json!({})).await;
    let pid = || std::fs::read_to_string(place.path("cards.json.pid")).unwrap();
    let gone = async |pid: String| {
        let end = Instant::now() + Duration::from_secs(20);
        // A child that nobody has waited for yet is a line `Z (zombie)`.
        while std::fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| !status.contains("State:\tZ")) {
            assert!(Instant::now() < end, "{pid} is still there");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    for cancelled in [true, false] {
        let context = if cancelled { Context::new("c") } else { Context::new("d").within(Duration::from_secs(2)) };
        let mut scan = session.scan(&context, ScanRequest { page_size: 5, ..ScanRequest::full("card") }).await.unwrap();
        let cancel = async {
            tokio::time::sleep(Duration::from_millis(1_000)).await;
            if cancelled {
                context.cancel.cancel();
            }
        };
        let (page, ()) = tokio::join!(scan.next(&context), cancel);
        let want = if cancelled { ErrorCode::Cancelled } else { ErrorCode::Timeout };
        assert_eq!(page.unwrap_err().code, want);
        assert_eq!(scan.next(&cx()).await.unwrap_err().code, ErrorCode::Unreadable, "it is over");
        drop(scan);
        gone(pid()).await;
    }
    let session = place.open(json!({"timeout": 1.5})).await;
    let error = full(&*session).await.err().unwrap();
    assert_eq!((error.code, &*error.message), (ErrorCode::Timeout, "`import.py` did not come to its end in time"));
}

#[tokio::test]
async fn what_a_script_started_ends_with_it() {
    let place = Place::new();
    let start = "import subprocess\nopen(parameters['store'] + '.pid', 'w').write(str(subprocess.Popen(['sleep', '300'], stdout=2).pid))";
    place.python("import.py", &format!("{start}\nend(0)"));
    let session = place.open(json!({})).await;
    assert_eq!(full(&*session).await.unwrap().gap(), None);
    let pid = std::fs::read_to_string(place.path("cards.json.pid")).unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while std::fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| !status.contains("State:\tZ")) {
        assert!(Instant::now() < end, "{pid} is still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
