//! Values that formats trip over, written and read back in every format that is written: equal, or refused by name.
//! Prints its seed; `PROVOST_SEED` repeats one.

use std::collections::BTreeMap;

use provost_connector::{Context, ErrorCode, Outcome, ScanItem};
use provost_model::{Action, Value};
use serde_json::{Value as Json, json};

use crate::random::Random;
use crate::support::{Place, operation, request};

const PIECES: [&str; 45] = [
    "a",
    "Z",
    "0",
    " ",
    "  ",
    "\t",
    "\"",
    "'",
    "''",
    ",",
    ";",
    "|",
    "\\",
    "\n",
    "\r",
    "\r\n",
    "\0",
    "=cmd|' /C calc'!A0",
    "+",
    "-",
    "@",
    ":",
    "::",
    "<",
    ":<",
    "< file:///etc/passwd",
    "#",
    "dn: cn=x",
    "changetype: delete",
    "version: 1",
    "]]>",
    "&lt;",
    "&",
    "<!--",
    "<?xml",
    "{",
    "}",
    "\\u0000",
    "\u{feff}",
    "\u{202e}",
    "שלום",
    "😀",
    "李",
    "e\u{301}",
    "\u{ffff}",
];

/// One value of a round: pieces, or a very long text.
fn value(random: &mut Random) -> String {
    match random.below(12) {
        0 => random.text(&PIECES[..6], 2) + &"long ä ".repeat(random.below(2000)),
        _ => random.text(&PIECES, 8),
    }
}

/// Every value comes back as it was sent, or its operation failed with a reason and left nothing behind.
pub async fn round_trips(name: &'static str, settings: Json, id: impl Fn(usize, &str) -> String) {
    let mut random = Random::seeded(&format!("hostile {settings}"));
    let (mut written, mut refused) = (0, 0);
    for round in 0..12 {
        let place = Place::empty(name);
        let session = place.session(settings.clone()).await;
        let key = settings.get("key").and_then(Json::as_str).unwrap_or("id").to_owned();
        let mut expected: BTreeMap<String, BTreeMap<&str, Value>> = BTreeMap::new();
        for batch in 0..3 {
            let mut operations = Vec::new();
            let mut meant = Vec::new();
            for n in 0..20 {
                let id = id(batch * 100 + n, &value(&mut random));
                let fields: BTreeMap<&str, Value> = ["description", "title", "note"]
                    .into_iter()
                    .filter_map(|name| Some((name, Value::text(value(&mut random)))).filter(|_| random.below(4) > 0))
                    .collect();
                let mut changes: Vec<(&str, Value)> = fields.iter().map(|(n, v)| (*n, v.clone())).collect();
                changes.push((&key, Value::text(id.as_str())));
                operations.push(operation(Action::Create, None, &changes));
                meant.push((id, fields));
            }
            // Some of what is there is changed.
            for (id, _) in expected.clone().into_iter().step_by(3) {
                let text = Value::text(value(&mut random));
                operations.push(operation(Action::Update, Some(&id), &[("title", text.clone())]));
                meant.push((id, BTreeMap::from([("title", text)])));
            }
            let applied = session.apply(&Context::new("test"), &operations).await;
            for (applied, (id, fields)) in applied.into_iter().zip(meant) {
                match applied.outcome {
                    Outcome::Done(done) => {
                        assert!(done.changed.is_empty(), "{settings} round {round} {:?}", done.changed);
                        assert_eq!(done.target_id.as_str(), id);
                        expected.entry(id).or_default().extend(fields);
                        written += 1;
                    }
                    Outcome::Failed(error) => {
                        let known = [ErrorCode::InvalidValue, ErrorCode::MissingRequired];
                        assert!(known.contains(&error.code), "{settings} round {round} {id:?} {error:?}");
                        assert!(error.hint.is_some() && !error.message.is_empty());
                        refused += 1;
                    }
                }
            }
        }
        let mut found = BTreeMap::new();
        let mut scan = session.scan(&Context::new("test"), request()).await.unwrap();
        loop {
            let page = scan.next(&Context::new("test")).await.unwrap();
            assert!(page.faults.is_empty(), "{settings} round {round} {:?}", page.faults);
            for item in page.items {
                let ScanItem::Upsert(record) = item else { panic!("{item:?}") };
                let of = |name| record.attributes.get(name).filter(|value| !value.is_unassigned()).cloned();
                let fields: BTreeMap<&str, Value> =
                    ["description", "title", "note"].into_iter().filter_map(|name| Some((name, of(name)?))).collect();
                found.insert(record.id.to_string(), fields);
            }
            if let Some(end) = page.end {
                assert!(end.complete, "{settings} round {round} {end:?}");
                break;
            }
        }
        expected.values_mut().for_each(|fields| fields.retain(|_, value| !value.is_unassigned()));
        assert_eq!(found, expected, "{settings} round {round}\n{}", place.content());
    }
    println!("hostile {settings}: {written} written and read back, {refused} refused");
    assert!(written > 100, "{settings}: hardly anything was tried: {written}");
}

#[tokio::test]
async fn delimited_text() {
    round_trips("a.csv", json!({"write": true}), |n, text| format!("{n}:{text}")).await;
}

#[tokio::test]
async fn json_lines() {
    round_trips("a.jsonl", json!({"write": true}), |n, text| format!("{n}:{text}")).await;
}

#[tokio::test]
async fn fixed_columns() {
    let column = |name| json!({"name": name, "width": 90});
    let columns = ["id", "title", "description", "note"].map(column);
    let settings = json!({"write": true, "format": "fixed", "columns": columns});
    round_trips("a.dat", settings, |n, text| format!("{n}:{text}")).await;
}

#[tokio::test]
async fn ldif_content() {
    let escaped = |text: &str| text.bytes().map(|byte| format!("\\{byte:02x}")).collect::<String>();
    let settings = json!({"write": true, "key": "dn"});
    round_trips("a.ldif", settings, |n, text| format!("cn={n}{},dc=example", escaped(text))).await;
}

/// A file of changes is its own memory, and tells what was sent.
#[tokio::test]
async fn ldif_changes() {
    let settings = json!({"write": "changes", "key": "dn", "object_class": "person"});
    round_trips("a.ldif", settings, |n, _| format!("cn={n},dc=example")).await;
}
