//! Random tables: written and scanned they are the same; and the splitter agrees with the `csv` crate.
//! Each prints its seed; `PROVOST_SEED` repeats one.

use provost_connector::Context;
use provost_model::{Action, AttributePath, Change, Operation, Value};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::support::{Place, apply, request, shown};

/// SplitMix64.
pub struct Random(u64);

impl Random {
    pub fn seeded(name: &str) -> Self {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
        let seed = std::env::var("PROVOST_SEED").ok().map_or(now, |text| text.parse().unwrap());
        println!("{name}: PROVOST_SEED={seed}");
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn text(&mut self, from: &[&str], most: usize) -> String {
        (0..self.below(most + 1)).map(|_| from[self.below(from.len())]).collect()
    }
}

const NASTY: [&str; 22] = [
    "a", "b", "Z", "0", ",", ";", "\t", "\"", "'", "\n", "\r", "\r\n", " ", "=", "-", "@", "|", "\\", "ä", "李", "😀",
    "\u{feff}",
];

#[tokio::test]
async fn what_is_written_is_read_back() {
    let mut random = Random::seeded("what_is_written_is_read_back");
    for round in 0..40 {
        let place = Place::empty("a.csv");
        let delimiter = [",", ";", "tab", "|"][random.below(4)];
        let encoding = ["utf-8", "utf-16", "utf-16be", "gb18030"][random.below(4)];
        let separator = ["/", "||", ", "][random.below(3)];
        let settings = json!({
            "write": true, "delimiter": delimiter, "encoding": encoding, "formula_guard": random.below(2) == 0,
            "multi": {"many": separator},
        });
        let session = place.session(settings.clone()).await;
        let names: Vec<String> = (0..1 + random.below(6)).map(|n| format!("{n}{}x", random.text(&NASTY, 4))).collect();
        let mut table: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
        for _ in 0..4 {
            let mut operations = Vec::new();
            let mut touched = std::collections::BTreeSet::new();
            for n in 0..random.below(30) {
                let known = table.keys().nth(random.below(table.len().max(1))).cloned();
                let id =
                    known.filter(|_| random.below(3) > 0).unwrap_or_else(|| format!("{}{n}", random.text(&NASTY, 6)));
                if !touched.insert(id.clone()) {
                    continue;
                }
                let mut changes = Vec::new();
                let mut values = BTreeMap::new();
                for name in &names {
                    if random.below(2) == 0 {
                        values.insert(name.clone(), Value::text(random.text(&NASTY, 12)));
                    }
                }
                if random.below(3) == 0 {
                    let many = (0..random.below(4))
                        .map(|_| Value::text(format!("m{}", random.text(&["x", "ä", "'", "\""], 3))));
                    values.insert("many".into(), Value::List(many.collect()));
                }
                for (name, value) in &values {
                    changes.push(Change::set(Arc::new(AttributePath::name(name.as_str())), value.clone()));
                }
                let action = match table.contains_key(&id) {
                    false => Action::Create,
                    true if random.below(4) == 0 => Action::Delete,
                    true => Action::Update,
                };
                match action {
                    Action::Delete => drop(table.remove(&id)),
                    _ => table.entry(id.clone()).or_default().extend(values),
                }
                if action == Action::Create {
                    changes.push(Change::set(Arc::new(AttributePath::name("id")), Value::text(id.as_str())));
                }
                let target_id = (action != Action::Create).then(|| id.as_str().into());
                let operation = format!("{n}").into();
                operations.push(Operation {
                    id: operation,
                    action,
                    class: "person".into(),
                    target_id,
                    changes,
                    if_match: None,
                });
            }
            let outcomes = apply(&*session, &operations).await;
            for error in ["InvalidValue", "NotFound", "AlreadyExists", "Unreadable"] {
                assert!(!outcomes.contains(error), "round {round} {settings} {outcomes}");
            }
        }
        if !place.path().exists() {
            continue;
        }
        let mut scan = session.scan(&Context::new("test"), request()).await.unwrap();
        let mut found = BTreeMap::new();
        loop {
            let page = scan.next(&Context::new("test")).await.unwrap();
            assert!(page.faults.is_empty(), "round {round} {settings} {:?}", page.faults);
            for item in page.items {
                let provost_connector::ScanItem::Upsert(record) = item else { panic!("{item:?}") };
                let values = record.attributes.iter().filter(|(name, value)| *name != "id" && !value.is_unassigned());
                found.insert(
                    record.id.to_string(),
                    values.map(|(n, v)| (n.to_owned(), v.clone())).collect::<BTreeMap<_, _>>(),
                );
            }
            if let Some(end) = page.end {
                assert!(end.complete, "{end:?}");
                break;
            }
        }
        for values in table.values_mut() {
            values.retain(|_, value| !value.is_unassigned());
        }
        assert_eq!(found, table, "round {round} {settings}");
    }
}

/// On text in which quotes stand where they belong, both split alike.
#[tokio::test]
async fn the_csv_crate_reads_the_same() {
    let mut random = Random::seeded("the_csv_crate_reads_the_same");
    for round in 0..100 {
        let width = 2 + random.below(5);
        let end = ["\n", "\r\n"][random.below(2)];
        let mut content =
            (0..width).map(|n| if n == 0 { "id".to_owned() } else { format!("c{n}") }).collect::<Vec<_>>().join(",")
                + end;
        for row in 0..random.below(200) {
            let mut cells = vec![row.to_string()];
            for _ in 1..width {
                cells.push(match random.below(3) {
                    0 => random.text(&["a", "ä", " ", "'", "=", "😀"], 40),
                    1 => format!("x{}", random.text(&["a\"", "\"\"", "b"], 8)),
                    _ => format!("\"{}\"", random.text(&["a", "\"\"", ",", "\n", "\r\n", "李"], 30)),
                });
            }
            content += &(cells.join(",") + end);
        }
        let mut expected = Vec::new();
        let mut oracle = csv::Reader::from_reader(content.as_bytes());
        let header = oracle.headers().unwrap().clone();
        for record in oracle.records() {
            let record = record.unwrap();
            let attributes: provost_model::Attributes = header
                .iter()
                .zip(record.iter())
                .map(|(name, text)| (name, if text.is_empty() { Value::Null } else { Value::text(text) }))
                .collect();
            expected.push(format!("{} {}", &record[0], serde_json::to_string(&attributes).unwrap()));
        }
        expected.push(format!("complete {}", expected.len()));
        let place = Place::new("a.csv", &content);
        let found = shown(&*place.session(json!({})).await, request()).await;
        assert_eq!(found, expected.join("\n"), "round {round}\n{content:?}");
    }
}

/// Whatever the bytes are, the scan ends: with an error, or with an end whose count is right.
#[tokio::test]
async fn any_bytes_come_to_an_end() {
    let mut random = Random::seeded("any_bytes_come_to_an_end");
    let pieces =
        ["id,a\n", "1,", "2", ",", "\"", "\"\"", "\n", "\r", "\r\n", "x", " ", "\0", "ä", "\u{feff}", "=", ";"];
    for _ in 0..1000 {
        let mut content = random.text(&pieces, 40).into_bytes();
        if random.below(2) == 0 {
            content = [b"id,a\n".to_vec(), content].concat();
        }
        if random.below(4) == 0 && !content.is_empty() {
            let at = random.below(content.len());
            content[at] = random.next() as u8;
        }
        let place = Place::new("a.csv", &content);
        let encoding = ["utf-8", "windows-1252", "shift_jis", "utf-16le"][random.below(4)];
        let quote = ["\"", "'", "none"][random.below(3)];
        let settings = json!({"encoding": encoding, "quote": quote, "trim": random.below(2) == 0, "delimiter": "auto"});
        let found = shown(&*place.session(settings).await, request()).await;
        assert!(!found.is_empty());
    }
}

/// The same for the other formats, whose files are made of pieces that mean something there.
#[tokio::test]
async fn any_pieces_come_to_an_end() {
    let mut random = Random::seeded("any_pieces_come_to_an_end");
    let columns = json!([{"name": "id", "width": 2}, {"name": "a", "start": 4, "width": 3}]);
    let xml = json!({"record": "a/b", "columns": {"@id": "id", "c": "c"}});
    let formats: [(&'static str, serde_json::Value, &[&str]); 5] = [
        (
            "a.jsonl",
            json!({}),
            &[
                "{\"id\":\"1\"}",
                "{",
                "}",
                "\"id\":",
                "\"",
                ":",
                ",",
                "[",
                "]",
                "1",
                "null",
                "\n",
                "\r\n",
                " ",
                "ä",
                "\\u",
            ],
        ),
        (
            "a.dat",
            json!({"format": "fixed", "columns": columns}),
            &["1 ", " ", "abc", "\n", "\r\n", "\r", "ä", "\0", "        "],
        ),
        (
            "a.ldif",
            json!({"key": "dn"}),
            &[
                "dn: cn=x\n",
                "dn:: ",
                "YQ==",
                "cn: y\n",
                " more\n",
                "\n",
                "\r\n",
                "# c\n",
                "version: 1\n",
                "a:< b\n",
                "-\n",
                "changetype: ",
                "ä",
            ],
        ),
        (
            "b.ldif",
            json!({"key": "dn", "records": "changes"}),
            &[
                "dn: cn=x,dc=y\n",
                "dn: cn=z\n",
                "changetype: modify\n",
                "changetype: add\n",
                "changetype: delete\n",
                "changetype: modrdn\n",
                "newrdn: cn=z\n",
                "deleteoldrdn: 1\n",
                "newsuperior: dc=q\n",
                "add: cn\n",
                "replace: cn\n",
                "delete: cn\n",
                "cn: x\n",
                "-\n",
                "\n",
                "\n\n",
                " ",
            ],
        ),
        (
            "a.xml",
            xml,
            &[
                "<a>",
                "</a>",
                "<b id='1'>",
                "</b>",
                "<b id='2'/>",
                "<c>",
                "</c>",
                "x",
                "&lt;",
                "&#0;",
                "]]>",
                "<![CDATA[",
                "<!--",
                "<?xml?>",
                "<!DOCTYPE a>",
            ],
        ),
    ];
    for _ in 0..300 {
        for (name, settings, pieces) in &formats {
            let mut content = random.text(pieces, 40).into_bytes();
            if random.below(4) == 0 && !content.is_empty() {
                let at = random.below(content.len());
                content[at] = random.next() as u8;
            }
            let place = Place::new(name, &content);
            let session = place.session(settings.clone()).await;
            let found = shown(&*session, request()).await;
            assert!(!found.is_empty());
            let changes =
                provost_connector::ScanMode::Changes { cursor: Some(provost_connector::Cursor("ldif:0:x".into())) };
            let asked = provost_connector::ScanRequest { mode: changes, ..request() };
            assert!(session.scan(&Context::new("test"), asked).await.is_err());
            session.schema(&Context::new("test")).await.ok();
        }
    }
}
