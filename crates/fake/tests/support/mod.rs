//! What the tests of the fake target share: targets, bodies, and a client that sends exactly what it is told.
#![allow(dead_code, clippy::unwrap_used, reason = "tests")]

use provost_fake::{Dialect, FakeTarget, Options, Rule, parse_fault};
use provost_testkit::Http;
use provost_testkit::http::encode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
pub const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
pub const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

pub async fn target(dialect: &str) -> (FakeTarget, Http) {
    of(Dialect::named(dialect).unwrap()).await
}

pub async fn of(dialect: Dialect) -> (FakeTarget, Http) {
    let target = FakeTarget::start(Options { dialect, ..Options::default() }).await.unwrap();
    let http = Http::new(target.url(), Some(target.token()));
    (target, http)
}

pub fn rules(lines: &[&str]) -> Vec<Rule> {
    lines.iter().map(|line| parse_fault(line, 1).unwrap()).collect()
}

pub fn user(name: &str) -> Value {
    json!({ "schemas": [USER], "userName": name })
}

pub fn group(name: &str, members: &[String]) -> Value {
    let members: Vec<_> = members.iter().map(|id| json!({ "value": id })).collect();
    json!({ "schemas": [GROUP], "displayName": name, "members": members })
}

pub fn patch(op: &str, path: &str, value: Value) -> Value {
    json!({ "schemas": [PATCH], "Operations": [{ "op": op, "path": path, "value": value }] })
}

pub fn find(filter: &str) -> String {
    format!("/Users?filter={}", encode(filter))
}

/// Makes users of these names; their ids.
pub async fn make(http: &Http, names: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for name in names {
        let made = http.send("POST", "/Users", Some(&user(name))).await.unwrap();
        assert_eq!(made.status, 201, "{name}: {}", made.body);
        ids.push(made.text("/id").to_owned());
    }
    ids
}

/// The user names of a list.
pub fn names(list: &Value) -> Vec<&str> {
    let resources = list["Resources"].as_array().map(Vec::as_slice).unwrap_or_default();
    resources.iter().map(|user| user["userName"].as_str().unwrap()).collect()
}

pub fn state(target: &FakeTarget, id: &str) -> (&'static str, Option<String>) {
    let check = target.report().into_iter().find(|check| check.id == id).unwrap();
    (check.state(), check.evidence)
}

/// Sends these bytes, with `{token}` and a host filled in, and gives all that comes until the connection closes.
pub async fn raw(target: &FakeTarget, line: &str, headers: &[&str], body: &str) -> String {
    let host = target.url().trim_start_matches("http://").split('/').next().unwrap().to_owned();
    let mut text =
        format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for header in headers {
        text.push_str(&header.replace("{token}", target.token()));
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.push_str(body);
    let mut stream = TcpStream::connect(&host).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A connection that breaks is an answer, too.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}
