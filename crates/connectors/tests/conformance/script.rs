//! Scripts in Python that keep accounts in a JSON file.

use std::process::Command;
use std::sync::Arc;

use provost_connector::Settings;
use provost_connectors::script::{ScriptConnector, digest_of};
use serde_json::json;

use super::Trial;

const SCHEMA: &str = r#"
import json
names = ["id", "name", "note"]
attributes = [{"name": name, "caseExact": True, "mutability": "immutable" if name == "id" else "readWrite"} for name in names]
attributes += [{"name": "groups", "multiValued": True, "caseExact": True}, {"name": "active", "type": "boolean"}]
print(json.dumps({"name": "account", "attributes": attributes, "keys": ["id"]}))
print('{"complete": true, "count": 1}')
"#;

const IMPORT: &str = r#"
import json, sys
store = json.load(open(json.loads(sys.stdin.readline())["parameters"]["store"]))
for id, account in store.items(): print(json.dumps({"id": id, "attributes": account}))
print(json.dumps({"complete": True, "count": len(store)}))
"#;

const EXPORT: &str = r#"
import json, sys
path = json.loads(sys.stdin.readline())["parameters"]["store"]
store, results = json.load(open(path)), []
known = ["id", "name", "note", "groups", "active"]
for line in sys.stdin:
    op = json.loads(line)
    id, changes, failed = op.get("target_id"), op.get("changes", []), None
    account = dict(store.get(id, {}))
    for change in changes:
        name, value, have = change["path"], change.get("value"), account.get(change["path"])
        if name not in known or (name == "id" and op["action"] != "create"):
            failed = {"code": "invalid_value", "message": f"`{name}` is not to be written", "path": name}
        elif change["op"] == "set": account[name] = value
        elif change["op"] == "unset": account.pop(name, None)
        else:
            values = value if isinstance(value, list) else [value]
            others = [one for one in have or [] if one not in values]
            account[name] = others if change["op"] == "remove" else (have or []) + [one for one in values if one not in (have or [])]
    if op["action"] == "create":
        id = account.get("id")
        if id in store: failed = {"code": "already_exists", "message": "taken", "existing_id": id}
    elif id not in store: failed = {"code": "not_found", "message": "nobody"}
    if not failed:
        if op["action"] == "delete": del store[id]
        else: store[id] = account
    results.append({"operation": op["id"], "outcome": {"failed": failed} if failed else {"done": {"target_id": id}}})
json.dump(store, open(path, "w"))
for result in results: print(json.dumps(result))
"#;

const VALIDATE: &str = r#"
import json, sys
parameters = json.loads(sys.stdin.readline())["parameters"]
problems = [{"path": name, "message": f"there is no parameter `{name}`", "hint": None} for name in parameters if name != "store"]
if not isinstance(parameters.get("store"), str): problems.append({"path": "store", "message": "`store` is a path", "hint": None})
for problem in problems: print(json.dumps(problem))
print(json.dumps({"complete": True, "count": len(problems)}))
"#;

/// The interpreter itself: what is found on the PATH may be a script that looks for it first, each time.
fn python() -> String {
    let asked = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    String::from_utf8(asked.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn scripts_in_python() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("schema.py", SCHEMA), ("import.py", IMPORT), ("export.py", EXPORT), ("validate.py", VALIDATE)]
    {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let store = folder.path().join("accounts.json");
    std::fs::write(&store, json!({"a1": {"id": "a1", "name": "Ada", "active": true}}).to_string()).unwrap();
    let mut settings = json!({
        "interpreter": [python(), "-IS"], "validate": "validate.py", "schema": "schema.py", "import": "import.py", "export": "export.py",
        "parameters": { "store": store }, "enabled": { "attribute": "active" },
    });
    let values = settings.as_object().cloned().unwrap();
    settings["approved"] = digest_of(&Settings::new(values, folder.path())).unwrap().into();
    let trial = Trial {
        connector: Arc::new(ScriptConnector::default()),
        base: folder.path(),
        settings,
        secrets: &[],
        sample: json!({ "account": {
            "create": { "id": "kit{n}", "name": "Kit {n}", "active": true },
            "key": "id",
            "free": ["note", "name"],
            "many": { "attribute": "groups", "values": ["red", "green", "blue"] },
        }}),
    };
    trial.pass(25).await;
}
