//! The decision as a table: rule, source object, link and what is known of the target, and below them what is decided and
//! why. The cases are in `decide.txt`; its head says how they are written.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use provost_connector::{Capabilities, ClassCapabilities, Enablement};
use provost_engine::decide::{Act, Answer, Decision, Reply, Source, Subject, Target, Verdict, decide};
use provost_engine::rule::{Job, compile};
use provost_engine::spec::JobSpec;
use provost_model::{
    AttributePath, AttributeSchema, AttributeType, ChangeOp, ClassSchema, Incomplete, ObjectId, Record, Schema,
    Timestamp, Value,
};
use provost_store::{LinkRow, LinkState};
use serde_json::{Value as Json, json};

const CASES: &str = include_str!("decide.txt");
const NOW: &str = "2026-11-22T08:00:00Z";
const DAY_MS: i64 = 86_400_000;

/// Merges as RFC 7396 does.
fn merge(into: &mut Json, patch: &Json) {
    match (into, patch) {
        (Json::Object(into), Json::Object(patch)) => {
            for (name, value) in patch {
                if value.is_null() {
                    into.remove(name);
                } else {
                    merge(into.entry(name.clone()).or_insert(Json::Null), value);
                }
            }
        }
        (into, patch) => *into = patch.clone(),
    }
}

/// As `merge`, but null is a value: an attribute without one.
fn overlay(into: &mut Json, over: &Json) {
    into.as_object_mut().unwrap().extend(over.as_object().unwrap().clone());
}

fn job(patch: &Json) -> Job {
    let mut rule = json!({
        "from": "person", "to": "User",
        "scope": "status ne \"prospect\"",
        "match": [{"target": "userName", "source": "[login]"}],
        "attributes": {
            "userName": "[login]", "title": "[title]", "active": "IIF([status] = \"left\", \"False\", \"True\")"
        }
    });
    let mut patch = patch.clone();
    let can_disable = patch.as_object_mut().unwrap().remove("target_can_disable") != Some(json!(false));
    merge(&mut rule, &patch);
    let spec: JobSpec = serde_json::from_value(json!({"source": "hr", "target": "app", "objects": [rule]})).unwrap();
    let boss = AttributeSchema {
        reference_classes: vec!["person".into()],
        ..AttributeSchema::new("boss", AttributeType::Reference)
    };
    let person = ClassSchema { name: "person".into(), attributes: vec![boss], open: true, ..ClassSchema::default() };
    let attribute = AttributeSchema::new;
    let user = ClassSchema {
        name: "User".into(),
        attributes: vec![
            attribute("userName", AttributeType::String),
            attribute("displayName", AttributeType::String),
            attribute("title", AttributeType::String),
            attribute("active", AttributeType::Boolean),
            attribute("level", AttributeType::Integer),
            AttributeSchema { case_exact: true, ..attribute("nick", AttributeType::String) },
            AttributeSchema { multi_valued: true, ..attribute("roles", AttributeType::String) },
            AttributeSchema { multi_valued: true, ..attribute("duties", AttributeType::Complex) },
            attribute("manager", AttributeType::Reference),
        ],
        ..ClassSchema::default()
    };
    let enablement =
        Enablement { path: AttributePath::name("active"), on: Value::Boolean(true), off: Value::Boolean(false) };
    let class = ClassCapabilities {
        name: "User".into(),
        enablement: can_disable.then_some(enablement),
        lookup: vec!["*".into()],
        ..Default::default()
    };
    let capabilities = Capabilities { classes: vec![class], ..Capabilities::default() };
    let [source, target] = [person, user].map(|class| Schema { classes: vec![class] });
    compile(&"job".into(), &spec, &source, &target, &capabilities).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn record(class: &str, json: &Json) -> Record {
    let mut record = Record::new(class, json["id"].as_str().unwrap());
    for (name, value) in json.as_object().unwrap().iter().filter(|(name, _)| *name != "id") {
        record.attributes.push(name.as_str(), Value::from_json(value));
    }
    record
}

fn link(text: &str, now_ms: i64) -> LinkRow {
    let (words, over) = text.split_at(text.find('{').unwrap_or(text.len()));
    let mut words = words.split_whitespace();
    let state: LinkState = words.next().unwrap().parse().unwrap();
    let mut sent = json!({"userName": "ada", "title": "Countess", "active": true});
    if !over.is_empty() {
        overlay(&mut sent, &serde_json::from_str(over).unwrap());
        sent.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    }
    let has_account = matches!(state, LinkState::Linked | LinkState::Disabled);
    let days: Option<i64> = words.nth(1).map(|days| days.trim_end_matches('d').parse().unwrap());
    LinkRow {
        job: "job".into(),
        class: "person".into(),
        source_id: "7".into(),
        target_id: has_account.then(|| "u1".into()),
        state,
        mark: String::new(),
        leaves: days.map(|days| now_ms + days * DAY_MS),
        event: None,
        changed: 0,
        name: "Ada".into(),
        sent: has_account.then(|| sent.to_string()),
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or("-".into(), |value| value.to_json().to_string())
}

fn told(Decision { verdict, reason, name }: &Decision, now_ms: i64) -> String {
    let what = match verdict {
        Verdict::Ask(_) => "ask".into(),
        Verdict::Choose(_) => "choose".into(),
        Verdict::InStep => "in step".into(),
        Verdict::Skip => "skip".into(),
        Verdict::Forget => "forget".into(),
        Verdict::Fault(fault) => {
            assert_eq!(&fault.message, reason);
            format!("fault {}", fault.code)
        }
        Verdict::Act(act) => act_told(act, now_ms),
    };
    let name = if matches!(verdict, Verdict::Ask(_)) { String::new() } else { format!(" | {name}") };
    format!("{what} | {reason}{name}")
}

fn act_told(act: &Act, now_ms: i64) -> String {
    let mut text = act.action.to_string();
    text.push_str(if act.adopted { " an account that exists" } else { "" });
    text.push_str(&act.target_id.as_ref().map(|id| format!(" {id}")).unwrap_or_default());
    for change in &act.changes {
        let before = shown(change.before.as_ref());
        text.push_str(&match change.op {
            ChangeOp::Add => format!(", {}: {before} and {}", change.path, shown(Some(&change.value))),
            _ => format!(", {}: {before} to {}", change.path, shown(change.after())),
        });
    }
    if let Some(wishes) = &act.references {
        for wish in &wishes.wanted {
            text.push_str(&format!(", wants {} {}", wish.path, wish.to.id));
        }
        for path in &wishes.partly {
            text.push_str(&format!(", keeps other {path}"));
        }
    }
    if act.state != LinkState::Linked {
        text.push_str(&format!(", link {}", act.state));
    }
    if let Some(end) = act.leaves {
        text.push_str(&format!(", leaves in {}d", (end - now_ms) / DAY_MS));
    }
    text
}

/// One case: its lines by their first word.
fn decided(case: &str) -> String {
    let line = |word: &str| {
        case.lines().filter_map(|line| line.strip_prefix("  ")).find_map(|line| {
            let (first, rest) = line.split_once(' ')?;
            (first == word).then(|| rest.trim())
        })
    };
    let parse = |text: &str| -> Json { serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}\n{case}")) };
    let now: Timestamp = NOW.parse().unwrap();
    let now_ms = now.as_millisecond();
    let job = job(&line("rule").map_or(json!({}), parse));
    let mut source = json!({"id": "7", "login": "ada", "title": "Countess", "status": "active"});
    let gone = line("source") == Some("gone");
    if let Some(text) = line("source").filter(|_| !gone) {
        overlay(&mut source, &parse(text));
    }
    let mut source = record("person", &source);
    for attribute in line("cut").unwrap_or_default().split_whitespace() {
        let reason = "the source shows two at most".into();
        source.incomplete.push(Incomplete { attribute: attribute.into(), reason, have: Some(2), total: None });
    }
    let link = line("link").map(|text| link(text, now_ms));
    let account = |json: &Json| {
        let mut whole = json!({"id": "u1", "userName": "ada", "title": "Countess", "active": true});
        overlay(&mut whole, json);
        record("User", &whole)
    };
    let found: Vec<Record>;
    let target = match line("target").map(|text| text.split_once(' ').unwrap()) {
        None => Target::Unknown,
        Some(("finds", "nothing")) => Target::Matched(&[]),
        Some(("has", "nothing")) => Target::Current(None),
        Some(("finds", list)) => {
            found = parse(list).as_array().unwrap().iter().map(account).collect();
            Target::Matched(&found)
        }
        Some((_, one)) => {
            found = vec![account(&parse(one))];
            Target::Current(found.first())
        }
    };
    let id = ObjectId::from("7");
    let answer = line("answer").map(|text| match text.split_once(' ') {
        Some(("adopt", id)) => Answer::Adopt(id.into()),
        _ if text == "create" => Answer::Create,
        _ => Answer::Update,
    });
    let subject = |answer| Subject {
        rule: &job.rules[0],
        id: &id,
        source: if gone { Source::Absent } else { Source::Present(&source) },
        link: link.as_ref(),
        target,
        answer,
        now,
    };
    // An answer is to what was asked before; `taken` is asked elsewhere.
    let question = match decide(&subject(None)).verdict {
        Verdict::Fault(fault) => fault.question(),
        _ => String::new(),
    };
    let reply = answer.map(|answer| Reply { answer, question });
    let decision = decide(&subject(reply.as_ref()));
    told(&decision, now_ms)
}

#[test]
fn every_situation_has_its_verdict_and_its_reason() {
    let cases: Vec<&str> = CASES.split("\n\n").filter(|case| !case.trim_start().starts_with('#')).collect();
    assert!(cases.len() > 60, "{} cases", cases.len());
    let mut wrong = String::new();
    for case in cases {
        let expected = case.lines().find_map(|line| line.strip_prefix("  = ")).unwrap_or("(nothing)");
        let got = decided(case);
        if got != expected {
            wrong.push_str(&format!(
                "{}\n  expected {expected}\n  got      {got}\n",
                case.trim().lines().next().unwrap()
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
