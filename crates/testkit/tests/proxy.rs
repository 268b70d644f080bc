//! The proxy's faults, against an upstream of the test's own that remembers what reached it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Bytes, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use provost_testkit::{CountingProxy, Error, Fault, Http, Rule};
use serde_json::{Value, json};

type Seen = Arc<Mutex<Vec<String>>>;

/// Answers 201 with what it got: method, target, body.
async fn upstream() -> (String, Seen) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/base", listener.local_addr().unwrap());
    let seen = Seen::default();
    let kept = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let seen = Arc::clone(&kept);
            let service = service_fn(move |request: Request<Incoming>| {
                let seen = Arc::clone(&seen);
                async move {
                    let (parts, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    let text = format!("{} {} {}", parts.method, parts.uri, String::from_utf8_lossy(&body));
                    seen.lock().unwrap().push(text.clone());
                    let host = parts.headers["host"].to_str().unwrap();
                    let answer = json!({ "got": text, "host": host }).to_string();
                    let answer =
                        Response::builder().status(201).header("etag", "W/\"1\"").body(Full::new(Bytes::from(answer)));
                    Ok::<_, Infallible>(answer.unwrap())
                }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (url, seen)
}

async fn proxied() -> (CountingProxy, Http, Seen) {
    let (url, seen) = upstream().await;
    let proxy = CountingProxy::start(&url).await.unwrap();
    let http = Http::new(proxy.base_url(), None);
    (proxy, http, seen)
}

async fn post(http: &Http, path: &str) -> Result<u16, Error> {
    http.send("POST", path, Some(&Value::from(1))).await.map(|answer| answer.status)
}

#[tokio::test]
async fn passes_everything_on() {
    let (proxy, http, seen) = proxied().await;
    let answer = http.send("PATCH", "/Users/1?attributes=id", Some(&json!({ "a": 1 }))).await.unwrap();
    assert_eq!((answer.status, answer.headers["etag"].to_str().unwrap()), (201, "W/\"1\""));
    assert_eq!(*seen.lock().unwrap(), [r#"PATCH /base/Users/1?attributes=id {"a":1}"#]);
    assert!(proxy.base_url().contains(answer.text("/host")), "locations of the upstream point at the proxy");
    let recent = proxy.recent();
    let last = recent.last().unwrap();
    assert_eq!(
        (last.target.as_str(), last.status, last.fault),
        ("/base/Users/1?attributes=id", Some(201), Fault::None)
    );
    assert_eq!((proxy.writes(), proxy.count("PATCH", "/base/Users"), proxy.count("GET", "")), (1, 1, 0));
}

#[tokio::test]
async fn drop_before_keeps_it_from_the_upstream() {
    let (proxy, http, seen) = proxied().await;
    proxy.inject(Rule::new(Fault::DropBefore).method("POST").nth(2));
    assert_eq!(post(&http, "/Users").await.unwrap(), 201);
    assert!(matches!(post(&http, "/Users").await, Err(Error::NoAnswer { .. })));
    assert_eq!(post(&http, "/Users").await.unwrap(), 201);
    assert_eq!((seen.lock().unwrap().len(), proxy.count("POST", "")), (2, 3));
    assert_eq!(proxy.recent()[1].status, None);
}

#[tokio::test]
async fn drop_after_loses_only_the_answer() {
    let (proxy, http, seen) = proxied().await;
    proxy.inject(Rule::new(Fault::DropAfter).path("/base/Users").nth(1));
    assert_eq!(post(&http, "/Groups").await.unwrap(), 201);
    assert!(matches!(post(&http, "/Users").await, Err(Error::NoAnswer { .. })));
    assert_eq!(post(&http, "/Users").await.unwrap(), 201);
    assert_eq!(seen.lock().unwrap().len(), 3);
    let lost = &proxy.recent()[1];
    assert_eq!((lost.fault, lost.status), (Fault::DropAfter, Some(201)));
}

#[tokio::test]
async fn status_is_answered_in_the_upstreams_place() {
    let (proxy, http, seen) = proxied().await;
    proxy.inject(Rule::new(Fault::Status(429, Some(7))).first(1));
    let refused = http.get("/Users").await.unwrap();
    assert_eq!((refused.status, refused.headers["retry-after"].to_str().unwrap()), (429, "7"));
    assert_eq!(refused.text("/status"), "429");
    assert!(seen.lock().unwrap().is_empty());
    assert_eq!(http.get("/Users").await.unwrap().status, 201);

    proxy.inject(Rule::new(Fault::Status(503, None)));
    assert!(!http.get("/Users").await.unwrap().headers.contains_key("retry-after"));
    proxy.clear_faults();
    assert_eq!(http.get("/Users").await.unwrap().status, 201);
}

#[tokio::test]
async fn the_first_rule_that_fires_decides() {
    let (proxy, http, _) = proxied().await;
    proxy.inject(Rule::new(Fault::None).path("/base/Groups"));
    proxy.inject(Rule::new(Fault::Status(500, None)));
    assert_eq!((http.get("/Groups").await.unwrap().status, http.get("/Users").await.unwrap().status), (201, 500));
}

#[tokio::test]
async fn seeded_faults_repeat() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let (proxy, http, _) = proxied().await;
        proxy.inject(Rule::new(Fault::DropBefore).seeded(0.5, 42));
        let mut run = String::new();
        for _ in 0..20 {
            run.push(if post(&http, "/Users").await.is_ok() { '.' } else { 'x' });
        }
        runs.push(run);
    }
    assert!(runs[0].contains('.') && runs[0].contains('x'), "{}", runs[0]);
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn an_absent_upstream_is_502_and_a_dropped_proxy_is_gone() {
    let port = provost_testkit::free_port().unwrap();
    let proxy = CountingProxy::start(&format!("http://127.0.0.1:{port}")).await.unwrap();
    let http = Http::new(proxy.base_url(), None);
    assert_eq!(http.get("/").await.unwrap().status, 502);
    drop(proxy);
    tokio::task::yield_now().await;
    assert!(http.get("/").await.is_err());
}
