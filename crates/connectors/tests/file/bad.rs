//! Files as they should not be: each with the place, the words and what may still be concluded.

use std::sync::Arc;

use provost_connector::{Context, ScanItem};
use serde_json::json;

use crate::support::{Place, explained, read, request, shown};

#[tokio::test]
async fn files_that_are_refused_as_a_whole() {
    let utf16: Vec<u8> = "id,name\n1,Ada\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = [b"\xff\xfe".to_vec(), utf16.clone()].concat();
    for (settings, content, expected) in [
        (
            json!({}),
            &b""[..],
            "Unreadable: a.csv is empty, not even a header [export it again; a file without people still has its header line]",
        ),
        (json!({}), b"\n\r\n", "Unreadable: a.csv has only blank lines, not even a header"),
        (
            json!({}),
            b"<!DOCTYPE html><html>",
            "Unreadable: a.csv is no delimited text file: it looks like an HTML page",
        ),
        (json!({}), b"\n <HTML>", "Unreadable: a.csv is no delimited text file: it looks like an HTML page"),
        (json!({}), b"<?xml version=\"1.0\"?>", "Unreadable: a.csv is no delimited text file: it looks like XML"),
        (json!({}), b"{\"error\": \"login\"}", "Unreadable: a.csv is no delimited text file: it looks like JSON"),
        (json!({}), b"[\n {\"id\": 1}]", "Unreadable: a.csv is no delimited text file: it looks like JSON"),
        (
            json!({}),
            b"PK\x03\x04zip",
            "Unreadable: a.csv is no delimited text file: it looks like a spreadsheet or zip archive",
        ),
        (json!({}), b"%PDF-1.7", "Unreadable: a.csv is no delimited text file: it looks like a PDF document"),
        (
            json!({}),
            b"\x7fELF\0\0\0\x01\0\0\0\0\0\x02\0\x03\0",
            "Unreadable: a.csv is no delimited text file: it looks like binary data",
        ),
        (
            json!({"encoding": "utf-8"}),
            &marked,
            "Unreadable: a.csv starts with the byte order mark of utf-16le, but `encoding` is utf-8 [set encoding: utf-16le, or leave `encoding` out]",
        ),
        (json!({}), &utf16, "Unreadable: a.csv looks like utf-16le without a byte order mark [set encoding: utf-16le]"),
        (
            json!({"encoding": "utf-16le"}),
            b"id,name\n1,Ada\n",
            "Unreadable: a.csv looks like plain text, but `encoding` is utf-16le [set encoding: utf-8]",
        ),
        (
            json!({}),
            b"id,n\xe4me\n1,Ada\n",
            "Unreadable: a.csv has a header that is no utf-8: column 2 holds bytes that cannot be decoded [set `encoding`",
        ),
        (json!({}), b"id,\"name\n1,Ada\n", "Unreadable: a.csv has a quote in its header, line 1, that never closes"),
        (json!({}), b"id,\"na\"me\n1,Ada\n", "Unreadable: a.csv has a header that cannot be read, line 1"),
        (
            json!({"key": "employee_id"}),
            b"employee-id,login\n",
            "SchemaChanged: a.csv has no column `employee_id`; its header is employee-id, login [did you mean `employee-id`? change `key`, or bring the column back]",
        ),
        (
            json!({"key": "employee_id"}),
            b"x,y\n",
            "SchemaChanged: a.csv has no column `employee_id`; its header is x, y [bring the column back, or change `key`]",
        ),
        (
            json!({}),
            b"id;name\n1;Ada\n",
            "SchemaChanged: a.csv has no column `id`; its header is id;name [the header seems to be separated by `;`: set delimiter: \";\"]",
        ),
        (json!({}), b"id\tname\n1\tAda\n", "[the header seems to be separated by tabs: set delimiter: tab]"),
        (json!({"references": {"boss": "person"}}), b"id,name\n", "SchemaChanged: a.csv has no column `boss`"),
        (json!({}), b"id,mail,x,Mail\n", "SchemaChanged: a.csv has two columns named `Mail`, columns 2 and 4"),
        (
            json!({"columns": {"x": "id"}}),
            b"id,x\n",
            "SchemaChanged: a.csv has two columns named `id`, columns 1 and 2",
        ),
    ] {
        let found = read("a.csv", settings.clone(), content).await;
        assert!(
            found.contains(expected),
            "{settings} {:?}\nfound    {found}\nexpected {expected}",
            String::from_utf8_lossy(content)
        );
    }
    let wide = format!("id{}\n", ",x".repeat(20_000));
    let found = read("a.csv", json!({}), wide).await;
    assert!(found.starts_with("Unreadable: a.csv has 20001 columns, more than 20000"), "{found}");
}

#[tokio::test]
async fn files_that_are_not_there() {
    let place = Place::empty("a.csv");
    let found = shown(&*place.session(json!({})).await, request()).await;
    assert!(found.starts_with("Unavailable: cannot read `"), "{found}");
    assert!(found.contains("[check `path`, and whether the export has run;"), "{found}");
    std::fs::create_dir(place.path()).unwrap();
    let found = shown(&*place.session(json!({})).await, request()).await;
    assert!(found.starts_with("Unreadable: ") && found.contains("is a folder [let `path` name a file]"), "{found}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_without_read_rights() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new("a.csv", "id\n1\n");
    std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(place.path()).is_ok() {
        return; // The superuser reads everything.
    }
    let found = shown(&*place.session(json!({})).await, request()).await;
    assert!(found.starts_with("PermissionDenied: cannot read `"), "{found}");
}

#[tokio::test]
async fn rows_that_are_refused() {
    let zip = "a cell that holds a line break has to be quoted, and empty cells still need their delimiters";
    let many = "a cell that holds the delimiter `,` has to be quoted";
    let utf8 = "set `encoding` to what the export writes; spreadsheets often write windows-1252";
    let once = "keep one row per key in the export";
    let fill = "every row needs its key; remove the row, or fill it in";
    for (settings, content, expected) in [
        // The key is in front, so a shift has not moved it.
        (json!({}), &b"id,a,b\n1,x,y\n2,x\n3,x,y\n"[..], format!("1 3 ! a.csv:3:3 (2) Unreadable: the row has 2 cells, the header has 3 [{zip}] complete 3")),
        (json!({}), b"id,a\n1,x,y,z\n3,x\n", format!("3 ! a.csv:2:3 (1) Unreadable: the row has 4 cells, the header has 2 [{many}] complete 2")),
        // It is not, or is itself what is cut: whose row this is nobody knows.
        (json!({"key": "b"}), b"a,b\n1,x,y\n3,x\n", format!("x ! a.csv:2:3 Unreadable: the row has 3 cells, the header has 2 [{many}] complete 1")),
        (json!({}), b"id,a\n1\n3,x\n", format!("3 ! a.csv:2:2 Unreadable: the row has 1 cell, the header has 2 [{zip}] complete 1")),
        // Lines 2 to 3 may be two people behind a stray quote.
        (json!({}), b"id,a,b\n1,\"x\n2,y\"\n3,x,y\n", format!("3 ! a.csv:2:3 Unreadable: the row has 2 cells, the header has 3 [{zip}] complete 1")),
        (json!({"header": false, "columns": ["id", "a"]}), b"1,x\n2,x,y\n3,x\n", format!("1 3 ! a.csv:2:3 (2) Unreadable: the row has 3 cells, `columns` has 2 [{many}] complete 3")),
        (json!({}), b"id,a\n,x\n2,x\n", format!("2 ! a.csv:2:1 MissingRequired: the key column `id` is empty [{fill}] complete 1")),
        (json!({"null_values": ["-"]}), b"id,a\n-,x\n2,x\n", format!("2 ! a.csv:2:1 MissingRequired: the key column `id` is empty [{fill}] complete 1")),
        (json!({"key": ["id", "a"]}), b"id,a\n1,\n2,x\n", format!("2|x ! a.csv:2:2 MissingRequired: the key column `a` is empty [{fill}] complete 1")),
        (json!({}), b"a,id\n\"x\ny\",1\nx,2\nz,1\n", format!("1 2 ! a.csv:5:2 (1) Constraint: line 5 has the key of line 2 again; the first one counts [{once}] complete 3")),
        (json!({}), b"id,a,b\n1,x,caf\xe9\n2,x,y\n", format!("2 ! a.csv:2:3 (1) InvalidValue: `b` holds bytes that are no utf-8, from byte 4 of the cell on [{utf8}] complete 2")),
        (json!({}), b"id,a\n1,\"\r\n\r\n\xff\"\n2,x\n", format!("2 ! a.csv:2:2 (1) InvalidValue: `a` holds bytes that are no utf-8, from byte 5 of the cell on [{utf8}] complete 2")),
        (json!({}), b"id,a\n\xe9,x\n2,x\n", format!("2 ! a.csv:2:1 InvalidValue: `id` holds bytes that are no utf-8, from byte 1 of the cell on [{utf8}] complete 1")),
        (json!({"encoding": "shift_jis"}), b"id,a\n1,\x83\x5c\x83\n2,x\n", "2 ! a.csv:2:2 (1) InvalidValue: `a` holds bytes that are no shift_jis, from byte 4 of the cell on".into()),
        (json!({}), b"id,a\n1,x\0y\n2,x\n", "2 ! a.csv:2:2 (1) InvalidValue: `a` holds a NUL byte [remove it in the export, or check `encoding`] complete 2".into()),
        (json!({}), b"id,a\n1\0,x\n2,x\n", "2 ! a.csv:2:1 InvalidValue: `id` holds a NUL byte [remove it in the export, or check `encoding`] complete 1".into()),
        (json!({}), b"id,a,b\n1,\"x\"y,z\n2,x,y\n", "2 ! a.csv:2:2 (1) InvalidValue: `a` has text after its closing quote [a quote inside a quoted cell has to be doubled] complete 2".into()),
        (json!({}), b"id,a,b\n1,\"x\n\"y,z\n2,x,y\n", "2 ! a.csv:2:2 InvalidValue: `a` has text after its closing quote [a quote inside a quoted cell has to be doubled] complete 1".into()),
        (json!({"max_field_bytes": 4}), b"id,a\n1,12345\n2,1234\n", "2 ! a.csv:2:2 (1) InvalidValue: `a` has 5 bytes, more than 4".into()),
        (json!({"max_field_bytes": 4}), b"id,a\n1,\"1\n345\"\n2,1234\n", "2 ! a.csv:2:2 InvalidValue: `a` has 5 bytes, more than 4".into()),
        (json!({"max_field_bytes": 4}), b"a,b,id\n\"\n\",12345,\"\n\"\n,,2\n", "2 ! a.csv:3:2 InvalidValue: `b` has 5 bytes, more than 4".into()),
    ] {
        let found = read("a.csv", settings.clone(), content).await;
        // Of the good rows the ids are enough.
        let lines = found.lines().map(|line| line.split_once(" {").map_or(line, |(id, _)| id));
        let found = lines.collect::<Vec<_>>().join(" ");
        assert!(found.starts_with(&expected), "{settings} {:?}\nfound    {found}\nexpected {expected}", String::from_utf8_lossy(content));
    }
}

#[tokio::test]
async fn reads_that_prove_nothing() {
    let hint = "(hint: export it again; if this export never ends its last line, set final_newline: optional)";
    for (settings, content, expected) in [
        (
            json!({}),
            "id,a\n1,x\n2,cut he",
            format!(
                "1 {{\"id\":\"1\",\"a\":\"x\"}}\n! a.csv:3 Unreadable: the last row has no line end, so it may be cut short \
                 [see why the scan is incomplete]\nincomplete 1: a.csv: the last line, 3, has no line end, so the file may be cut short {hint}"
            )
            .replace("a.csv:3 Unreadable", "a.csv:3 (2) Unreadable")
            .replace("incomplete 1", "incomplete 2"),
        ),
        (json!({}), "id,a", format!("incomplete 0: a.csv: the last line, 1, has no line end, so the file may be cut short {hint}")),
        (
            json!({"final_newline": "optional"}),
            "id,a,b\n1,x,y\n2,x",
            "1 {\"id\":\"1\",\"a\":\"x\",\"b\":\"y\"}\n! a.csv:3:3 (2) Unreadable: the row has 2 cells, the header has 3 [a cell that holds \
             a line break has to be quoted, and empty cells still need their delimiters]\nincomplete 2: a.csv: the last row, line 3, has \
             too few cells, so the file may be cut short"
                .into(),
        ),
        (
            json!({}),
            "id,a\n1,x\n2,\"y\n3,z\n4,z\n",
            "1 {\"id\":\"1\",\"a\":\"x\"}\nincomplete 1: a.csv: the quote that opens on line 3 never closes".into(),
        ),
        (
            json!({}),
            "id,a,b\n1,\"x\ny\",\"z\n",
            "incomplete 0: a.csv: the quote that opens on line 3 never closes".into(),
        ),
    ] {
        assert_eq!(read("a.csv", settings.clone(), content).await, expected, "{settings} {content:?}");
    }
}

/// A quote that never closes, or closes after more than memory should hold, in front of a large rest.
#[tokio::test]
async fn stray_quotes_do_not_fill_the_memory() {
    let rest = "5,some text to fill the line\n".repeat(1_000_000);
    let content = format!("id,a\n1,x\n2,\"y\n{rest}");
    let found = read("a.csv", json!({}), &content).await;
    assert_eq!(found, "1 {\"id\":\"1\",\"a\":\"x\"}\nincomplete 1: a.csv: the quote that opens on line 3 never closes");
    let found = read("a.csv", json!({}), format!("{content}\"\n3,z\n")).await;
    assert_eq!(
        found,
        "1 {\"id\":\"1\",\"a\":\"x\"}\n3 {\"id\":\"3\",\"a\":\"z\"}\n! a.csv:3:2 InvalidValue: the row is longer than a row may be; what \
         follows on its lines was passed over [look for a quote that is not closed, and check `quote` and `delimiter`]\ncomplete 2"
    );
}

#[tokio::test]
async fn files_that_change_under_the_read() {
    let content = |n: usize| (0..n).fold(String::from("id\n"), |text, id| format!("{text}{id}\n"));
    type Disturb = fn(&Place);
    let cases: [(Disturb, &str); 4] = [
        (
            |place| std::fs::write(place.path(), "id\n1\n").unwrap(),
            "a.csv: changed (293 bytes before, 5 bytes after) while it was read",
        ),
        (
            |place| {
                let file = std::fs::OpenOptions::new().append(true).open(place.path()).unwrap();
                file.set_modified(std::time::UNIX_EPOCH).unwrap();
            },
            "a.csv: changed while it was read",
        ),
        (
            |place| {
                std::fs::write(place.folder.path().join("new"), "id\n").unwrap();
                std::fs::rename(place.folder.path().join("new"), place.path()).unwrap();
            },
            "a.csv: was replaced while it was read",
        ),
        (|place| std::fs::remove_file(place.path()).unwrap(), "a.csv: was removed while it was read"),
    ];
    for (disturb, expected) in cases {
        let place = Place::new("a.csv", content(100));
        let cx = Context::new("test");
        let session = place.session(json!({})).await;
        let mut scan = session.scan(&cx, request()).await.unwrap();
        let first = scan.next(&cx).await.unwrap();
        assert!(matches!(first.items[..], [ScanItem::Upsert(_), ..]));
        disturb(&place);
        let mut end = None;
        while end.is_none() {
            end = scan.next(&cx).await.unwrap().end;
        }
        let end = end.unwrap();
        assert!(!end.complete);
        assert_eq!(end.reason.as_deref(), Some(expected));
    }
}

#[tokio::test]
async fn cancelled_and_late_callers_get_an_error() {
    let place = Place::new("a.csv", "id\n1\n");
    let session: Arc<dyn provost_connector::Session> = place.session(json!({})).await;
    let cx = Context::new("test");
    let mut scan = session.scan(&cx, request()).await.unwrap();
    cx.cancel.cancel();
    assert_eq!(explained(&scan.next(&cx).await.unwrap_err()), "Cancelled: cancelled");
    let late = Context::new("test").within(std::time::Duration::ZERO);
    assert!(session.schema(&late).await.is_err());
}
