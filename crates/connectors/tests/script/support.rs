//! A folder of scripts and the store that they work on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use provost_connector::{
    Connector, ConnectorError, Context, End, ErrorCode, Host, Outcome, ScanFault, ScanItem, ScanMode, ScanRequest,
    Secret, Session, Settings,
};
use provost_connectors::script::{ScriptConnector, digest_of};
use provost_model::{Action, Change, ChangeOp, Operation, Value};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

pub const PASSWORD: &str = "correct horse battery";

/// What the Python scripts have in common: the request, the store, and the last line.
const COMMON: &str = r#"
import json, os, sys, time
request = json.loads(sys.stdin.readline())
parameters = request["parameters"]
def say(line): print(json.dumps(line, ensure_ascii=False), flush=True)
def end(count, **more): say({"complete": True, "count": count, **more})
def load():
    try: return json.load(open(parameters["store"]))
    except FileNotFoundError: return {}
def save(cards): json.dump(cards, open(parameters["store"], "w"))
sys.stdout.reconfigure(encoding="utf-8")
"#;

const SCHEMA: &str = r#"
say({"name": "card", "attributes": [{"name": "number", "caseExact": True}, {"name": "name"}, {"name": "zones"}], "keys": ["number"]})
end(1)
"#;

const IMPORT: &str = r#"
cards = load()
for id, card in cards.items(): say({"id": id, "attributes": card})
end(len(cards))
"#;

const EXPORT: &str = r#"
cards = load()
for line in sys.stdin:
    op = json.loads(line)
    id, changes = op.get("target_id"), op.get("changes", [])
    def fail(code, **more): say({"operation": op["id"], "outcome": {"failed": {"code": code, "message": "refused", **more}}})
    if op["action"] == "create":
        card = {change["path"]: change["value"] for change in changes}
        id = card["number"]
        if id in cards:
            fail("already_exists", existing_id=id)
            continue
        cards[id] = card
    elif id not in cards:
        fail("not_found")
        continue
    elif op["action"] == "delete": del cards[id]
    else:
        for change in changes:
            if change["op"] == "unset": cards[id].pop(change["path"], None)
            elif change["op"] == "set": cards[id][change["path"]] = change["value"]
            else:
                values = change["value"] if isinstance(change["value"], list) else [change["value"]]
                have = [one for one in cards[id].get(change["path"], []) if one not in values]
                cards[id][change["path"]] = have + values if change["op"] == "add" else have
    save(cards)
    say({"operation": op["id"], "outcome": {"done": {"target_id": id}}})
"#;

pub struct Place {
    pub folder: TempDir,
}

struct Keyring;

#[async_trait]
impl Host for Keyring {
    async fn secret(&self, handle: &str) -> Result<Secret, ConnectorError> {
        let unknown = || ConnectorError::new(ErrorCode::InvalidConfig, format!("there is no secret `{handle}`"));
        (handle == "card-token").then(|| Secret::new(PASSWORD)).ok_or_else(unknown)
    }
}

impl Place {
    pub fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        place.python("schema.py", SCHEMA);
        place.python("import.py", IMPORT);
        place.python("export.py", EXPORT);
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// A script with the common part in front.
    pub fn python(&self, name: &str, text: &str) {
        self.write(name, &format!("{COMMON}{text}"));
    }

    /// Settings with `more` over the usual ones, not approved yet; null takes one away.
    pub fn raw(&self, more: Json) -> Settings {
        let mut values = json!({
            "interpreter": ["python3"],
            "schema": "schema.py",
            "import": "import.py",
            "export": "export.py",
            "parameters": {"store": self.path("cards.json"), "token": {"secret": "card-token"}},
        });
        values.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let Json::Object(mut values) = values else { unreachable!() };
        values.retain(|_, value| !value.is_null());
        Settings::new(values, self.folder.path())
    }

    pub fn settings(&self, more: Json) -> Settings {
        let mut settings = self.raw(more);
        let digest = digest_of(&settings).unwrap();
        settings.values.insert("approved".into(), digest.into());
        settings
    }

    pub async fn try_open(&self, more: Json) -> Result<Arc<dyn Session>, ConnectorError> {
        ScriptConnector::default().configure(self.settings(more), Arc::new(Keyring)).await
    }

    pub async fn open(&self, more: Json) -> Arc<dyn Session> {
        self.try_open(more).await.unwrap()
    }

    pub fn put(&self, cards: Json) {
        self.write("cards.json", &cards.to_string());
    }

    pub fn stored(&self) -> Json {
        serde_json::from_str(&std::fs::read_to_string(self.path("cards.json")).unwrap_or("{}".into())).unwrap()
    }
}

pub fn cx() -> Context {
    Context::new("test").within(Duration::from_secs(60))
}

pub fn operation(id: &str, action: Action, target: Option<&str>, changes: Vec<Change>) -> Operation {
    Operation {
        id: id.into(),
        action,
        class: "card".into(),
        target_id: target.map(Into::into),
        changes,
        if_match: None,
    }
}

pub fn change(path: &str, op: ChangeOp, value: impl Into<Value>) -> Change {
    Change::new(Arc::new(provost_model::AttributePath::name(path)), op, value.into())
}

pub fn create(number: &str) -> Operation {
    let changes = vec![change("number", ChangeOp::Set, number), change("name", ChangeOp::Set, "Ada")];
    operation(&format!("create-{number}"), Action::Create, None, changes)
}

pub async fn apply(session: &dyn Session, operations: &[Operation]) -> Vec<Result<String, ConnectorError>> {
    let results = session.apply(&cx(), operations).await;
    assert_eq!(results.len(), operations.len());
    let told = results.into_iter().zip(operations).map(|(result, operation)| {
        assert_eq!(result.operation, operation.id);
        match result.outcome {
            Outcome::Done(done) => Ok(done.target_id.to_string()),
            Outcome::Failed(error) => Err(error),
        }
    });
    told.collect()
}

/// A whole read: records as `id attributes`, faults, and the end.
pub struct Whole {
    pub items: Vec<String>,
    pub faults: Vec<ScanFault>,
    pub end: End,
}

impl Whole {
    /// Why it proves nothing; none when it does.
    pub fn gap(&self) -> Option<String> {
        let named = self.faults.iter().filter(|fault| fault.id.is_some()).count();
        self.end.gap((self.items.len() + named) as u64)
    }
}

pub async fn read(session: &dyn Session, mode: ScanMode, page_size: usize) -> Result<Whole, ConnectorError> {
    let mut scan = session.scan(&cx(), ScanRequest { mode, page_size, ..ScanRequest::full("card") }).await?;
    let (mut items, mut faults) = (Vec::new(), Vec::new());
    loop {
        let page = scan.next(&cx()).await?;
        items.extend(page.items.into_iter().map(|item| match item {
            ScanItem::Upsert(record) => format!("{} {}", record.id, serde_json::to_string(&record.attributes).unwrap()),
            other => format!("{other:?}"),
        }));
        faults.extend(page.faults);
        if let Some(end) = page.end {
            return Ok(Whole { items, faults, end });
        }
    }
}

pub async fn full(session: &dyn Session) -> Result<Whole, ConnectorError> {
    read(session, ScanMode::Full, 2).await
}
