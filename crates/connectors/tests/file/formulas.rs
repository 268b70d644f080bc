//! Texts that a spreadsheet would run.

use provost_connector::Connector;
use provost_connectors::file::FileConnector;
use provost_model::Action::Create;
use serde_json::{Value as Json, json};

use crate::support::{Place, apply, operation, read, request, shown};

const FORMULAS: [&str; 9] = [
    "=cmd|' /C calc'!A0",
    "@SUM(A1)",
    "+cmd|' /C calc'!A0",
    "-1+HYPERLINK(\"x\")",
    "\t=1",
    "\r=1",
    "\n=1",
    "'=1",
    "＝1",
];
const HARMLESS: [&str; 7] = ["+45 (33) 12-34", "-2", "-", "a=b", " =1", "'quoted'", "'-2"];

async fn written(settings: Json, text: &str) -> (String, String, String) {
    let place = Place::empty("a.csv");
    let mut settings = settings;
    settings["write"] = json!(true);
    let session = place.session(settings).await;
    let outcome = apply(&*session, &[operation(Create, None, &[("id", "1".into()), ("a", text.into())])]).await;
    if !place.path().exists() {
        return (outcome, String::new(), String::new());
    }
    let found = shown(&*session, request()).await;
    let found = found.strip_prefix("1 ").and_then(|found| found.strip_suffix("\ncomplete 1")).unwrap();
    let found: Json = serde_json::from_str(found).unwrap();
    (outcome, place.content(), found["a"].as_str().unwrap().to_owned())
}

fn cell(text: &str) -> String {
    let quoted = text.contains(['"', '\n', '\r', ',']) || text.starts_with([' ', '\t']);
    if quoted { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[tokio::test]
async fn what_is_done_about_formulas() {
    for text in FORMULAS {
        for settings in [json!({}), json!({"formulas": "escape"})] {
            let (outcome, content, found) = written(settings, text).await;
            assert_eq!((outcome.as_str(), found.as_str()), ("1", text));
            assert_eq!(content, format!("id,a\n1,{}\n", cell(&format!("'{text}"))), "{text:?}");
        }
        let (outcome, content, found) = written(json!({"formulas": "keep"}), text).await;
        assert_eq!((outcome.as_str(), found.as_str()), ("1", text));
        assert_eq!(content, format!("id,a\n1,{}\n", cell(text)));
        let (outcome, ..) = written(json!({"formulas": "refuse"}), text).await;
        assert!(
            outcome.starts_with("InvalidValue: a spreadsheet would run the value of `a` as a formula [change"),
            "{outcome}"
        );
    }
    for text in HARMLESS {
        for word in ["escape", "keep", "refuse"] {
            let (outcome, content, found) = written(json!({"formulas": word}), text).await;
            assert_eq!((outcome.as_str(), found.as_str()), ("1", text), "{word}");
            assert_eq!(content, format!("id,a\n1,{}\n", cell(text)));
        }
    }
    // A source is read as it stands.
    assert!(read("a.csv", json!({}), "id,a\n1,'=x\n").await.contains("\"'=x\""));
    assert!(
        read("a.csv", json!({"formulas": "escape"}), "id,a\n'=1,'=x\n")
            .await
            .starts_with("=1 {\"id\":\"=1\",\"a\":\"=x\"}")
    );
}

#[test]
fn settings() {
    let place = Place::empty("a.csv");
    for (settings, expected) in [
        (json!({"formulas": "run"}), "`formulas` cannot be `run`"),
        (json!({"formulas": "keep", "formula_guard": true}), "`formula_guard` and `formulas` say the same"),
        (json!({"format": "jsonl", "formulas": "keep"}), "`formulas` has no meaning for format: jsonl"),
    ] {
        let problems = FileConnector::default().validate(&place.settings(settings));
        assert_eq!(problems[0].message, expected);
    }
}
