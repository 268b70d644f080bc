//! Speaks with the connector as Provost does.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{json, Value};

struct Talk {
    child: Child,
    send: ChildStdin,
    lines: BufReader<ChildStdout>,
    folder: PathBuf,
    last: u64,
}

impl Talk {
    fn start(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("@NAME@-{}-{test}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_@NAME@"))
            .env("PROVOST_PCP", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (send, lines) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut talk = Self { child, send, lines, folder, last: 0 };
        talk.ask("initialize", json!({"pcp": "1.0"}));
        let base = talk.folder.clone();
        talk.ask("configure", json!({"values": {"file": "accounts.json"}, "base": base}));
        talk
    }

    fn say(&mut self, line: &str) -> Value {
        writeln!(self.send, "{line}").unwrap();
        let mut answer = String::new();
        self.lines.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    fn talk(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let id = self.last;
        let answer = self.say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string());
        assert_eq!(answer["id"], id);
        answer
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let answer = self.talk(method, params);
        assert!(answer["error"].is_null(), "{answer}");
        answer["result"].clone()
    }

    fn refused(&mut self, method: &str, params: Value) -> String {
        self.talk(method, params)["error"]["data"]["code"].as_str().unwrap().to_owned()
    }

    fn apply(&mut self, action: &str, id: Option<&str>, changes: Value) -> String {
        let operation = json!({"id": "o", "action": action, "class": "account", "target_id": id, "changes": changes});
        let outcome = &self.ask("apply", json!({"operations": [operation]}))["results"][0]["outcome"];
        let told = outcome["done"]["target_id"].as_str().or(outcome["failed"]["code"].as_str());
        told.unwrap().to_owned()
    }

    fn account(&mut self, id: &str) -> Value {
        self.ask("get", json!({"class": "account", "id": id}))["record"]["attributes"].clone()
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let ended = self.talk("shutdown", json!({}))["result"] == json!({}) && self.child.wait().unwrap().success();
        let _ = std::fs::remove_dir_all(&self.folder);
        assert!(ended || std::thread::panicking());
    }
}

#[test]
fn an_account_from_beginning_to_end() {
    let mut talk = Talk::start("account");
    let name = "Ada \"A\" \\ \u{2028} \u{1f600}";
    let changes = json!([{"path": "id", "op": "set", "value": "a1"}, {"path": "name", "op": "set", "value": name}]);
    assert_eq!(talk.apply("create", None, changes.clone()), "a1");
    assert_eq!(talk.apply("create", None, changes), "already_exists");
    assert_eq!(talk.account("a1")["name"], name);
    let changes = json!([
        {"path": "groups", "op": "add", "value": ["x", "y"]}, {"path": "groups", "op": "remove", "value": ["x"]},
        {"path": "name", "op": "unset"},
    ]);
    talk.apply("update", Some("a1"), changes);
    talk.apply("disable", Some("a1"), json!([]));
    assert_eq!(talk.account("a1"), json!({"id": "a1", "active": false, "groups": ["y"]}));
    for path in ["id", "colour"] {
        assert_eq!(talk.apply("update", Some("a1"), json!([{"path": path, "op": "set", "value": "x"}])), "invalid_value");
    }
    assert_eq!(talk.apply("delete", Some("a1"), json!([])), "a1");
    assert_eq!(talk.apply("delete", Some("a1"), json!([])), "not_found");
    assert!(talk.account("a1").is_null());
}

#[test]
fn a_scan_counts_what_it_gave_and_a_search_is_exact() {
    let mut talk = Talk::start("scan");
    for number in ["0", "1", "2", "3", "4"] {
        let changes = json!([{"path": "id", "op": "set", "value": number}, {"path": "mail", "op": "set", "value": format!("a\"{number}")}]);
        talk.apply("create", None, changes);
    }
    let scan = talk.ask("scan.open", json!({"class": "account", "mode": "full", "page_size": 2}));
    let mut seen = 0;
    let end = loop {
        let page = talk.ask("scan.next", scan.clone());
        seen += page["items"].as_array().unwrap().len();
        if page["end"].is_object() {
            break page["end"].clone();
        }
    };
    assert_eq!((seen, end), (5, json!({"complete": true, "count": 5})));
    assert_eq!(talk.refused("scan.next", scan), "protocol");
    assert_eq!(talk.refused("scan.open", json!({"class": "account", "mode": "changes", "page_size": 2})), "not_supported");
    let found = talk.ask("lookup", json!({"class": "account", "path": "mail", "values": ["x", "a\"3"]}));
    assert_eq!((&found["found"][0], &found["found"][1][0]["id"]), (&json!([]), &json!("3")));
    let search = |filter: &str| json!({"class": "account", "filter": filter, "page_size": 9});
    assert_eq!(talk.ask("find", search(r#"mail eq "a\"3""#))["records"][0]["id"], "3");
    assert_eq!(talk.refused("find", search(r#"mail sw "a""#)), "not_supported");
}

#[test]
fn what_is_wrong_is_refused() {
    let mut talk = Talk::start("wrong");
    assert_eq!(talk.refused("dance", json!({})), "not_supported");
    assert_eq!(talk.refused("get", json!({"class": "account"})), "protocol");
    assert_eq!(talk.say("hello")["error"]["data"]["code"], "protocol");
    assert_eq!(talk.refused("initialize", json!({"pcp": "2.0"})), "protocol");
    assert_eq!(talk.refused("configure", json!({"values": {}, "base": "/"})), "invalid_config");
    assert_eq!(talk.refused("ping", json!({"meta": {"deadlineMs": 0}})), "timeout");
    let problems = talk.ask("validate", json!({"values": {"fiel": "x"}, "base": "/"}));
    assert_eq!((&problems["problems"][0]["path"], &problems["problems"][1]["path"]), (&json!("file"), &json!("fiel")));
}
