//! The client of the scenario `service`, against the sink and against a server that closes after each answer.

// Clippy's permission for tests covers functions marked #[test], not what they call.
#![allow(clippy::unwrap_used)]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

use hyper::Method;
use provost_bench::{
    machine::cpu,
    scenario::service::{
        caller::{Address, Caller},
        load::{Load, Size},
        request::Operation,
    },
};
use serde_json::Value;

const SIZE: Size = Size { seed: 7, in_flight: 4, population: 60, span: Duration::from_millis(300) };

struct Sink {
    child: Child,
    address: Address,
}

impl Sink {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_provost-bench"));
        let mut child =
            command.arg("sink").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let host = line.trim().strip_prefix("listening http://").unwrap().to_owned();
        Self { child, address: Address { host, path: "/scim/v2".to_owned(), token: "any".to_owned() } }
    }

    fn ask(&self, method: &str, path: &str) -> Value {
        let mut stream = TcpStream::connect(&self.address.host).unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap_or(Value::Null)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_counts_and_none_is_sent_twice() {
    // Slow, so that most users are changed once a run: another run with the same numbers would change nothing.
    let sink = Sink::start(&["--latency-ms", "10"]);
    let load = Load::new(&sink.address, Size { in_flight: 1, ..SIZE }).await.unwrap();
    assert_eq!(sink.ask("GET", "/__stats")["users"], SIZE.population);
    for _ in 0..2 {
        let round = load.round(|| cpu::of(sink.child.id())).await.unwrap();
        for operation in Operation::ALL {
            let measured = round.of(operation);
            // One connection and 10 ms an answer.
            assert!(measured.per_second > 0.0 && measured.per_second <= 100.0, "{operation:?} {measured:?}");
            assert!(measured.cpu_us.is_some(), "{operation:?} {measured:?}");
            assert!(measured.p50_ms <= measured.p99_ms && measured.half_p99_ms > 0.0, "{operation:?} {measured:?}");
        }
    }
    let stats = sink.ask("GET", "/__stats");
    assert_eq!(stats["users"], load.users(), "{stats}");
    assert_eq!(stats["routes"]["POST /Users"]["201"], load.users(), "{stats}");
    assert!(stats["routes"]["GET /Users?filter"]["200"].as_u64().is_some_and(|n| n > 0), "{stats}");
    assert!(stats["routes"]["PATCH /Users/id"]["200"].as_u64().is_some_and(|n| n > 0), "{stats}");
    assert_eq!(stats["noop_writes"], 0, "a PATCH that changes nothing measures nothing: {stats}");
}

#[tokio::test(flavor = "multi_thread")]
async fn latency_counts_from_when_a_request_was_due() {
    // One connection to a server that takes 100 ms, asked every 25 ms: the n-th request, from 0, waits for those before it.
    let sink = Sink::start(&["--latency-ms", "100"]);
    let load = Load::new(&sink.address, Size { in_flight: 1, population: 2, ..SIZE }).await.unwrap();
    let micros = load.paced(Operation::LookUp, 40.0).await.unwrap();
    assert_eq!(micros.len(), 12, "all that were due are sent, and no more: {micros:?}");
    for (n, took) in (0..).zip(&micros) {
        assert!(*took >= 100_000 + 75_000 * n, "request {n}: {micros:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_answer_ends_the_run() {
    let sink = Sink::start(&[]);
    let load = Load::new(&sink.address, SIZE).await.unwrap();
    sink.ask("POST", "/__reset");
    let error = load.round(|| None).await.unwrap_err().to_string();
    assert!(error.contains("0 users at /Users?filter=userName"), "{error}");

    let mut caller = Caller::to(&sink.address);
    let error = caller.send(Method::GET, "/Users/nobody", String::new(), &[200]).await.unwrap_err().to_string();
    assert!(error.contains("answered 404 to GET /Users/nobody"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_closed_is_opened_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    // Each connection is good for one answer, as those of servers that speak HTTP/1.0.
    let server = std::thread::spawn(move || {
        (0..3)
            .map(|_| {
                let (stream, _) = listener.accept().unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
                let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
                (&stream).write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}").unwrap();
                head.join("\n")
            })
            .collect::<Vec<_>>()
    });
    let mut caller = Caller::to(&Address { host, path: "/v2".to_owned(), token: "t0ken".to_owned() });
    for n in 0..3 {
        let answer =
            caller.send_with(Method::GET, &format!("/Users/{n}"), String::new(), &[("x-n", "1")], &[200]).await;
        assert_eq!(answer.unwrap(), "{}");
    }
    for (n, head) in server.join().unwrap().iter().enumerate() {
        assert!(head.starts_with(&format!("GET /v2/Users/{n} HTTP/1.1")), "{head}");
        let head = head.to_lowercase();
        assert!(head.contains("authorization: bearer t0ken") && head.contains("x-n: 1"), "{head}");
    }
}
