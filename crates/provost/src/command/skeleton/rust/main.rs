//! @NAME@: accounts in a JSON file. Replace `Store` by your system and keep the rest.
//!
//! Three promises that Provost relies on:
//! 1. A scan says `complete` only when it saw everything. What a complete scan lacks may be deleted elsewhere.
//! 2. A write whose outcome is not known is `unknown_outcome`, never a failure.
//! 3. What cannot be done exactly is refused with `not_supported`, never done nearly.

mod pcp;

use std::collections::HashMap;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use pcp::{refuse, Answer, Call, Refused};
use serde_json::{json, Map, Value};

const CLASS: &str = "account";

fn attributes() -> Value {
    json!([
        {"name": "id", "required": true, "unique": true, "mutability": "immutable", "caseExact": true},
        {"name": "name", "caseExact": true},
        {"name": "mail", "caseExact": true},
        {"name": "note", "caseExact": true},
        {"name": "groups", "multiValued": true, "caseExact": true},
        {"name": "active", "type": "boolean"},
    ])
}

type Accounts = Map<String, Value>;

/// All accounts in one file, written whole and put in place at once, so that a crash leaves the old or the new one.
struct Store(PathBuf);

impl Store {
    fn read(&self) -> Result<Accounts, Refused> {
        match fs::read_to_string(&self.0) {
            Ok(text) => serde_json::from_str(&text).or_else(|_| refuse("unreadable", format!("{} is not JSON", self.0.display()))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Accounts::new()),
            Err(error) => refuse("unavailable", format!("cannot read {}: {error}", self.0.display())),
        }
    }

    fn write(&self, accounts: &Accounts) -> Result<(), Refused> {
        let new = self.0.with_extension("new");
        let put = || {
            let mut file = fs::File::create(&new)?;
            file.write_all(Value::from(accounts.clone()).to_string().as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &self.0)
        };
        put().or_else(|error| refuse("unavailable", format!("cannot write {}: {error}", self.0.display())))
    }
}

struct Scan {
    rest: std::vec::IntoIter<Value>,
    size: usize,
    seen: usize,
}

#[derive(Default)]
struct Badges {
    store: Option<Store>,
    scans: HashMap<String, Scan>,
    last: usize,
}

fn text<'a>(params: &'a Value, name: &str) -> Result<&'a str, Refused> {
    params[name].as_str().map_or_else(|| refuse("protocol", format!("`{name}` is missing")), Ok)
}

fn check_class(params: &Value) -> Result<(), Refused> {
    let class = text(params, "class")?;
    if class.eq_ignore_ascii_case(CLASS) {
        return Ok(());
    }
    refuse("not_supported", format!("there are objects of class `{CLASS}`, not `{class}`"))
}

fn record(id: &str, account: &Value) -> Value {
    let mut attributes = account.clone();
    attributes["id"] = id.into();
    json!({"class": CLASS, "id": id, "attributes": attributes})
}

/// The attribute of a path; paths of nested attributes are none of ours.
fn attribute(path: &str) -> Result<Value, Refused> {
    let all = attributes();
    let known = all.as_array().into_iter().flatten().find(|known| known["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case(path)));
    known.cloned().map_or_else(|| refuse("invalid_value", format!("there is no attribute `{path}`")), Ok)
}

fn name_of(known: &Value) -> &str {
    known["name"].as_str().unwrap_or_default()
}

fn matches(record: &Value, name: &str, value: &Value) -> bool {
    match &record["attributes"][name] {
        Value::Null => false,
        Value::Array(have) => have.contains(value),
        have => have == value,
    }
}

fn validate(params: &Value) -> Vec<Value> {
    let mut problems = Vec::new();
    let values = params["values"].as_object().cloned().unwrap_or_default();
    if !values.get("file").is_some_and(Value::is_string) {
        problems.push(json!({"path": "file", "message": "`file` is missing", "hint": "name the file of the accounts"}));
    }
    for name in values.keys().filter(|name| !["file", "token"].contains(&name.as_str())) {
        problems.push(json!({"path": name, "message": format!("unknown field `{name}`"), "hint": "known are: file, token"}));
    }
    problems
}

impl Badges {
    fn store(&self) -> Result<&Store, Refused> {
        self.store.as_ref().map_or_else(|| refuse("protocol", "`configure` comes first"), Ok)
    }

    fn configure(&mut self, params: &Value, call: &Call) -> Answer {
        if let Some(problem) = validate(params).first() {
            let told = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
            return refuse("invalid_config", told("message")).map_err(|error: Refused| error.with("path", &told("path")).with("hint", &told("hint")));
        }
        let values = &params["values"];
        // A system with a password gets it like this; the file needs none.
        if let Some(handle) = values["token"]["secret"].as_str() {
            call.secret(handle)?;
        }
        self.store = Some(Store(Path::new(text(params, "base")?).join(text(values, "file")?)));
        let account = json!({
            "name": CLASS, "scan": true, "create": true, "update": true, "delete": true, "count": true,
            "enablement": {"path": "active", "on": true, "off": false}, "lookup": ["id", "name", "mail"],
        });
        Ok(json!({"capabilities": {"classes": [account], "max_in_flight": 1, "max_batch": 100, "max_lookup": 100}}))
    }

    fn records(&self) -> Result<Vec<Value>, Refused> {
        Ok(self.store()?.read()?.iter().map(|(id, account)| record(id, account)).collect())
    }

    fn find(&self, name: &str, values: &[Value]) -> Result<Vec<Vec<Value>>, Refused> {
        let records = self.records()?;
        let having = |value: &Value| records.iter().filter(|record| matches(record, name, value)).cloned().collect();
        Ok(values.iter().map(having).collect())
    }

    fn search(&self, params: &Value) -> Answer {
        check_class(params)?;
        let term = text(params, "filter")?.split_once(" eq ");
        let value = term.and_then(|(_, value)| serde_json::from_str::<Value>(value).ok()).filter(|value| !value.is_null());
        let known = term.and_then(|(path, _)| attribute(path).ok());
        match (known, value) {
            (Some(known), Some(value)) if params["cursor"].is_null() => {
                Ok(json!({"records": self.find(name_of(&known), &[value])?.remove(0)}))
            }
            _ => refuse("not_supported", "only `attribute eq value` is searched for"),
        }
    }

    fn open(&mut self, params: &Value) -> Answer {
        check_class(params)?;
        if params["mode"] != "full" {
            return refuse("not_supported", "a file has no change feed");
        }
        // One look at the file is one state of it, whatever is written while the pages are fetched.
        let size = params["page_size"].as_u64().unwrap_or(1000).clamp(1, 10_000) as usize;
        let scan = Scan { rest: self.records()?.into_iter(), size, seen: 0 };
        self.last += 1;
        let name = format!("s{}", self.last);
        self.scans.insert(name.clone(), scan);
        Ok(json!({"scan": name}))
    }

    fn next(&mut self, params: &Value) -> Answer {
        let name = text(params, "scan")?;
        let Some(scan) = self.scans.get_mut(name) else { return refuse("protocol", "there is no such scan") };
        let items: Vec<Value> = scan.rest.by_ref().take(scan.size).map(|record| json!({"upsert": record})).collect();
        scan.seen += items.len();
        let mut page = json!({"items": items});
        if scan.rest.len() == 0 {
            page["end"] = json!({"complete": true, "count": scan.seen});
            self.scans.remove(name);
        }
        Ok(page)
    }

    fn apply_all(&self, params: &Value, call: &Call) -> Answer {
        // Nothing is written before the end, so that up to there each operation can still be refused.
        let (mut accounts, mut results) = (self.store()?.read()?, Vec::new());
        for operation in params["operations"].as_array().into_iter().flatten() {
            let outcome = match call.check().and_then(|()| apply(&mut accounts, operation)) {
                Ok(id) => json!({"done": {"target_id": id}}),
                Err(Refused(error)) => json!({"failed": error}),
            };
            results.push(json!({"operation": operation["id"], "outcome": outcome}));
        }
        self.store()?.write(&accounts)?;
        Ok(json!({"results": results}))
    }
}

fn apply(accounts: &mut Accounts, operation: &Value) -> Result<String, Refused> {
    check_class(operation)?;
    let changes = operation["changes"].as_array().cloned().unwrap_or_default();
    let action = text(operation, "action")?;
    if action == "create" {
        let mut account = json!({"active": true});
        changes.iter().try_for_each(|one| change(&mut account, one))?;
        let id = account["id"].as_str().unwrap_or_default().to_owned();
        if id.is_empty() {
            return refuse("missing_required", "an account needs an id");
        }
        if accounts.contains_key(&id) {
            return Err(Refused(json!({"code": "already_exists", "message": "there is an account with this id", "existing_id": id})));
        }
        account.as_object_mut().map(|account| account.remove("id"));
        accounts.insert(id.clone(), account);
        return Ok(id);
    }
    let id = text(operation, "target_id")?.to_owned();
    let Some(have) = accounts.get(&id) else { return refuse("not_found", "there is no such account") };
    match action {
        "delete" => {
            accounts.remove(&id);
        }
        "update" | "enable" | "disable" => {
            // Changed as a whole or not at all.
            let mut account = have.clone();
            for one in &changes {
                if attribute(text(one, "path")?)?["mutability"] == "immutable" {
                    return refuse("invalid_value", "`id` cannot be changed");
                }
                change(&mut account, one)?;
            }
            if action != "update" {
                account["active"] = (action == "enable").into();
            }
            accounts.insert(id.clone(), account);
        }
        _ => return refuse("not_supported", format!("accounts are not {action}d")),
    }
    Ok(id)
}

fn change(account: &mut Value, change: &Value) -> Result<(), Refused> {
    let known = attribute(text(change, "path")?)?;
    let (name, op, value) = (name_of(&known), text(change, "op")?, &change["value"]);
    let check = |value: &Value| {
        let fits = if known["type"] == "boolean" { value.is_boolean() } else { value.is_string() };
        if fits { Ok(()) } else { refuse("invalid_value", format!("`{name}` has a value of another type")) }
    };
    if op == "unset" || value.is_null() {
        account.as_object_mut().map(|account| account.remove(name));
    } else if known["multiValued"] != true {
        check(value)?;
        if op != "set" {
            return refuse("not_supported", format!("`{name}` has one value"));
        }
        account[name] = value.clone();
    } else {
        let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
        values.iter().try_for_each(check)?;
        let mut have = if op == "set" { Vec::new() } else { account[name].as_array().cloned().unwrap_or_default() };
        if op == "remove" {
            have.retain(|one| !values.contains(one));
        } else {
            // Added values that are there stay where they are.
            for one in values {
                if !have.contains(&one) {
                    have.push(one);
                }
            }
        }
        account[name] = have.into();
    }
    Ok(())
}

impl pcp::Connector for Badges {
    fn manifest(&self) -> Value {
        json!({"name": "@NAME@", "title": "@NAME@", "description": "Accounts in a JSON file", "source": true, "target": true})
    }

    fn answer(&mut self, method: &str, params: &Value, call: &Call) -> Option<Answer> {
        Some(match method {
            "validate" => Ok(json!({"problems": validate(params)})),
            "configure" => self.configure(params, call),
            "schema" => Ok(json!({"classes": [{"name": CLASS, "attributes": attributes(), "keys": ["id"]}]})),
            "test" => self.records().map(|all| json!({"checks": [{"name": "file", "status": "ok", "message": format!("{} accounts", all.len())}]})),
            "get" => check_class(params).and_then(|()| {
                let id = text(params, "id")?;
                Ok(json!({"record": self.store()?.read()?.get(id).map(|account| record(id, account))}))
            }),
            "find" => self.search(params),
            "lookup" => check_class(params).and_then(|()| {
                let known = attribute(text(params, "path")?)?;
                let values = params["values"].as_array().cloned().unwrap_or_default();
                Ok(json!({"found": self.find(name_of(&known), &values)?}))
            }),
            "count" => check_class(params).and_then(|()| Ok(json!({"count": self.store()?.read()?.len()}))),
            "revision" => check_class(params).and_then(|()| {
                let meta = fs::metadata(&self.store()?.0).ok();
                let stamp = meta.map(|meta| format!("{:?}-{}", meta.modified().ok(), meta.len()));
                Ok(json!({"revision": stamp.unwrap_or_else(|| "none".to_owned())}))
            }),
            "scan.open" => self.open(params),
            "scan.next" => self.next(params),
            "scan.close" => {
                self.scans.remove(params["scan"].as_str().unwrap_or_default());
                Ok(json!({}))
            }
            "apply" => self.apply_all(params, call),
            _ => return None,
        })
    }
}

fn main() {
    pcp::serve(Badges::default());
}
