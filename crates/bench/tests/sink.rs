//! The sink as a client sees it: over HTTP, through the binary, as the scenarios run it.

// Clippy's permission for tests covers functions marked #[test], not what they call.
#![allow(clippy::unwrap_used)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

struct Sink {
    child: Child,
    host: String,
}

impl Sink {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_provost-bench"));
        let mut child =
            command.arg("sink").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let host = line.trim().strip_prefix("listening http://").unwrap().to_owned();
        Self { child, host }
    }

    /// Status (0 when the connection was dropped), head and body.
    fn raw(&self, method: &str, path: &str, body: &str) -> (u16, String, Value) {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok();
        let status = answer.get(9..12).and_then(|s| s.parse().ok()).unwrap_or(0);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        (status, head.to_lowercase(), serde_json::from_str(body).unwrap_or(Value::Null))
    }

    fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let (status, _, body) = self.raw(method, path, &text);
        (status, body)
    }

    fn get(&self, path: &str) -> Value {
        self.call("GET", path, Value::Null).1
    }

    fn create(&self, path: &str, body: Value) -> String {
        let (status, created) = self.call("POST", path, body);
        assert_eq!(status, 201, "{created}");
        created["id"].as_str().unwrap().to_owned()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It ends by itself at the end of its standard input; a test that hangs here found that it does not.
        assert!(self.child.wait().unwrap().success());
    }
}

#[test]
fn a_user_from_create_to_delete() {
    let sink = Sink::start(&[]);
    let id = sink.create("/Users", json!({"userName": "Ada", "externalId": "7", "id": "mine", "title": "x"}));
    let path = format!("/Users/{id}");
    let user = sink.get(&path);
    assert_eq!(
        (&user["userName"], &user["id"], &user["meta"]["resourceType"]),
        (&json!("Ada"), &json!(id), &json!("User"))
    );
    assert_eq!(sink.call("POST", "/Users", json!({"userName": "ADA"})).0, 409);
    assert_eq!(sink.call("POST", "/Users", json!({"title": "nobody"})).0, 400);

    for (filter, hits) in [
        ("userName%20eq%20%22ada%22", 1),
        ("userName+eq+%22bob%22", 0),
        ("externalId%20eq%20%227%22", 1),
        ("title%20eq%20%22x%22", 1),
    ] {
        assert_eq!(sink.get(&format!("/Users?filter={filter}"))["totalResults"], hits, "{filter}");
    }
    assert_eq!(sink.call("GET", "/Users?filter=userName%20sw%20%22a%22", Value::Null).0, 400);

    let patch = |path: &str, value: Value| json!({"Operations": [{"op": "Replace", "path": path, "value": value}]});
    assert_eq!(sink.call("PATCH", &path, patch("userName", json!("Grace"))).0, 200);
    assert_eq!(sink.get("/Users?filter=userName%20eq%20%22grace%22")["totalResults"], 1);
    assert_eq!(sink.get("/Users?filter=userName%20eq%20%22ada%22")["totalResults"], 0);
    assert_eq!(sink.call("PATCH", &path, patch("active", json!(false))).1["active"], false);

    sink.call("POST", "/__reset?counters", Value::Null);
    assert_eq!(sink.call("PATCH", &path, patch("active", json!(false))).0, 200);
    assert_eq!(
        sink.call("PUT", &path, json!({"userName": "Grace", "externalId": "7", "title": "x", "active": false})).0,
        200
    );
    assert_eq!(sink.call("PUT", &path, json!({"userName": "Grace"})).0, 200);
    assert_eq!(sink.call("DELETE", &path, Value::Null).0, 204);
    assert_eq!(sink.call("DELETE", &path, Value::Null).0, 404);
    let stats = sink.get("/__stats");
    assert_eq!(stats["noop_writes"], 2, "the PATCH and the first PUT changed nothing: {stats}");
    assert_eq!(stats["routes"]["PUT /Users/id"], json!({"200": 2}));
    assert_eq!(stats["routes"]["DELETE /Users/id"], json!({"204": 1, "404": 1}));
    assert_eq!((&stats["requests"], &stats["users"]), (&json!(5), &json!(0)));
    // The name is free again.
    sink.create("/Users", json!({"userName": "grace"}));
}

#[test]
fn pages_in_order_also_after_deletes() {
    let sink = Sink::start(&[]);
    let ids: Vec<String> = (0..5).map(|n| sink.create("/Users", json!({"userName": format!("u{n}")}))).collect();
    let names = |query: &str| -> Vec<String> {
        let list = sink.get(&format!("/scim/v2/Users{query}"));
        list["Resources"].as_array().unwrap().iter().map(|u| u["userName"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("?startIndex=2&count=2"), ["u1", "u2"]);
    sink.call("DELETE", &format!("/Users/{}", ids[0]), Value::Null);
    assert_eq!(names("?startIndex=2&count=2"), ["u2", "u3"]);
    assert_eq!(names("?startIndex=9"), Vec::<String>::new());
    assert_eq!(names("?count=0"), Vec::<String>::new());
}

#[test]
fn members_and_the_digest() {
    let fill = |order: [&str; 2]| {
        let sink = Sink::start(&[]);
        let ids = order.map(|name| sink.create("/Users", json!({"userName": name})));
        let group = sink.create("/Groups", json!({"displayName": "G", "members": [{"value": ids[0]}]}));
        let path = format!("/Groups/{group}");
        let operation =
            |op: &str, path: String, value: Value| json!({"Operations": [{"op": op, "path": path, "value": value}]});
        assert_eq!(sink.call("PATCH", &path, operation("add", "members".into(), json!([{"value": ids[1]}]))).0, 204);
        assert_eq!(sink.get(&path)["members"].as_array().unwrap().len(), 2);
        assert_eq!(sink.get(&format!("{path}?excludedAttributes=members")).get("members"), None);
        // Adding again changes nothing.
        sink.call("PATCH", &path, operation("add", "members".into(), json!([{"value": ids[1]}])));
        assert_eq!(sink.get("/__stats")["noop_writes"], 1);
        let gone = order.iter().position(|n| *n == "b").unwrap();
        let removed = format!("members[value eq \"{}\"]", ids[gone]);
        assert_eq!(sink.call("PATCH", &path, operation("remove", removed, Value::Null)).0, 204);
        assert_eq!(sink.get(&path)["members"].as_array().unwrap().len(), 1);
        let digest = sink.get("/__digest");
        assert_eq!((&digest["users"], &digest["groups"]), (&json!(2), &json!(1)));
        digest["digest"].as_str().unwrap().to_owned()
    };
    assert_eq!(fill(["a", "b"]), fill(["b", "a"]), "the order of creation, and with it the ids, does not matter");
}

#[test]
fn weather() {
    let limited = Sink::start(&["--rate-limit", "1"]);
    assert_eq!(limited.raw("GET", "/Users", "").0, 200);
    let (status, head, _) = limited.raw("GET", "/Users", "");
    assert!(status == 429 && head.contains("retry-after: 1"), "{status} {head}");

    let stormy = Sink::start(&["--fault-rate", "1", "--fault-seed", "3"]);
    let statuses: Vec<u16> =
        (0..40).map(|n| stormy.raw("POST", "/Users", &json!({"userName": format!("u{n}")}).to_string()).0).collect();
    for wanted in [0, 500, 503] {
        assert!(statuses.contains(&wanted), "{statuses:?}");
    }
    let stats = stormy.get("/__stats");
    assert_eq!(stats["faults"], 40);
    assert!(stats["users"].as_u64().unwrap() > 0, "some were created and the answer was lost: {stats}");
    assert!(stats["routes"]["POST /Users"]["dropped"].as_u64().unwrap() > 0);
}

#[test]
fn discovery() {
    let sink = Sink::start(&[]);
    let config = sink.get("/ServiceProviderConfig");
    assert_eq!((&config["patch"]["supported"], &config["filter"]["maxResults"]), (&json!(true), &json!(1000)));
    assert_eq!(sink.get("/ResourceTypes")["totalResults"], 2);
    assert_eq!(sink.get("/Schemas")["totalResults"], 3);
    assert_eq!(sink.call("GET", "/Nothing", Value::Null).0, 404);
}
