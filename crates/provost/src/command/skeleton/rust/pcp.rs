//! The Provost connector protocol: JSON-RPC 2.0, one JSON text a line, on standard input and output. One request after the
//! other; a thread reads ahead, so that cancels and secrets arrive while a request is worked on.

use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead, Write};
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{json, Value};

const VERSION: &str = "1.0";

/// An error that the host understands: its code (`not_found`, `already_exists`, `invalid_value`, …), a message, and what
/// else belongs to it (`hint`, `path`, `existing_id`, `after_ms`, `target_status`, `target_code`).
#[derive(Debug)]
pub struct Refused(pub Value);

pub type Answer = Result<Value, Refused>;

pub fn refuse<T>(code: &str, message: impl Into<String>) -> Result<T, Refused> {
    Err(Refused(json!({"code": code, "message": message.into()})))
}

impl Refused {
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0[name] = value.into();
        self
    }
}

/// A connector: what it says of itself, and what it answers to a method. `None` is a method that it does not have.
pub trait Connector {
    fn manifest(&self) -> Value;
    fn answer(&mut self, method: &str, params: &Value, call: &Call) -> Option<Answer>;
}

#[derive(Default)]
struct Wire {
    cancelled: Mutex<HashSet<String>>,
    answers: Mutex<HashMap<String, Sender<Value>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a method may ask while it works.
pub struct Call {
    wire: Arc<Wire>,
    id: String,
    deadline: Option<Instant>,
}

impl Call {
    /// Ends the work when nobody waits for it any more. Between two writes, never within one.
    pub fn check(&self) -> Result<(), Refused> {
        if lock(&self.wire.cancelled).contains(&self.id) {
            return refuse("cancelled", "cancelled");
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => refuse("timeout", "the deadline passed"),
            _ => Ok(()),
        }
    }

    /// The value behind `{"secret": handle}` of the settings.
    pub fn secret(&self, handle: &str) -> Result<String, Refused> {
        let (send, answer) = channel();
        let id = format!("c{}", self.id);
        lock(&self.wire.answers).insert(json!(id).to_string(), send);
        say(&json!({"jsonrpc": "2.0", "id": id, "method": "host.secret", "params": {"handle": handle}}));
        let Ok(answer) = answer.recv() else { return refuse("cancelled", "the host is gone") };
        match answer["result"]["value"].as_str() {
            Some(value) => Ok(value.to_owned()),
            None => Err(Refused(answer["error"]["data"].clone())),
        }
    }
}

fn say(message: &Value) {
    let mut out = io::stdout().lock();
    // A host that does not listen any more is noticed by the end of the input.
    let _ = writeln!(out, "{message}").and_then(|()| out.flush());
}

fn fail(id: &Value, number: i64, error: &Value) {
    say(&json!({"jsonrpc": "2.0", "id": id, "error": {"code": number, "message": error["message"], "data": error}}));
}

fn read(wire: &Wire, requests: &Sender<Value>) {
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        let message: Value = serde_json::from_str(&line).unwrap_or_default();
        let id = message["id"].to_string();
        if message["jsonrpc"] != "2.0" {
            fail(&Value::Null, -32700, &json!({"code": "protocol", "message": "a line is no JSON-RPC 2.0 message"}));
        } else if message["method"] == "$/cancel" {
            lock(&wire.cancelled).insert(message["params"]["id"].to_string());
        } else if message["method"].is_null() {
            if let Some(asked) = lock(&wire.answers).remove(&id) {
                let _ = asked.send(message);
            }
        } else if !message["id"].is_null() && requests.send(message).is_err() {
            break;
        }
    }
    // The host is gone, so whatever is under way is for nobody.
    std::process::exit(0);
}

/// Serves the connector until the host asks for the end.
pub fn serve(mut connector: impl Connector) {
    if std::env::var("PROVOST_PCP").as_deref() != Ok("1") {
        eprintln!("this is a connector: Provost starts it and speaks with it (docs/custom-connectors.md)");
        std::process::exit(64);
    }
    let wire = Arc::new(Wire::default());
    let (send, requests): (_, Receiver<Value>) = channel();
    let reading = wire.clone();
    std::thread::spawn(move || read(&reading, &send));
    for message in requests {
        let (id, method) = (&message["id"], message["method"].as_str().unwrap_or_default());
        if method == "shutdown" {
            say(&json!({"jsonrpc": "2.0", "id": id, "result": {}}));
            return;
        }
        let params = &message["params"];
        let left = params["meta"]["deadlineMs"].as_u64().map(Duration::from_millis);
        let deadline = left.and_then(|left| Instant::now().checked_add(left));
        let call = Call { wire: wire.clone(), id: id.to_string(), deadline };
        let answer = match (call.check(), method) {
            (Err(error), _) => Some(Err(error)),
            (Ok(()), "initialize") => Some(hello(&connector, params)),
            (Ok(()), "ping") => Some(Ok(json!({}))),
            (Ok(()), method) => connector.answer(method, params, &call),
        };
        match answer {
            Some(Ok(result)) => say(&json!({"jsonrpc": "2.0", "id": id, "result": result})),
            Some(Err(Refused(error))) => fail(id, -32000, &error),
            None => fail(id, -32601, &json!({"code": "not_supported", "message": format!("there is no method `{method}`")})),
        }
        lock(&wire.cancelled).remove(&call.id);
    }
}

fn hello(connector: &impl Connector, params: &Value) -> Answer {
    let theirs = params["pcp"].as_str().unwrap_or_default();
    if theirs.split('.').next() != VERSION.split('.').next() {
        return refuse("protocol", format!("the host speaks version {theirs}, this program {VERSION}"));
    }
    Ok(json!({"pcp": VERSION, "connector": connector.manifest(), "version": env!("CARGO_PKG_VERSION")}))
}
