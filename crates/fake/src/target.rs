//! The running target: the SCIM service behind a dialect and faults, and what it saw.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::service::{Service as _, service_fn};
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use provost_connector::Secret;
use provost_directory::Directory;
use provost_model::{SystemClock, Timestamp};
use provost_server::{ServerState, Token, router};
use provost_store::Store;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::conduct::{Conduct, Got, Sent};
use crate::quirk::{Refusal, inbound, outbound, stored};
use crate::{Check, Dialect, Fault, Rule};

/// Where the service has SCIM; the target has it at the same place.
const BASE: &str = "/scim/v2";

/// Where the report is, for anybody on this machine: it holds paths, and no bodies.
const REPORT: &str = "/fake/report";

/// Requests that are kept.
const MOST_REQUESTS: usize = 1_000_000;

const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// Why a target did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken, or not one of this machine.
    #[error("the fake target cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    /// The store in memory did not open.
    #[error("the fake target's store: {0}")]
    Store(#[from] provost_store::StoreError),
}

/// What a target is like.
#[derive(Debug, Clone)]
pub struct Options {
    /// A free port of loopback unless given.
    pub listen: SocketAddr,
    pub dialect: Dialect,
    /// The first rule that fires on a request decides what happens to it.
    pub faults: Vec<Rule>,
    /// The bearer token that clients must send.
    pub token: String,
}

impl Default for Options {
    fn default() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { listen, dialect: Dialect::default(), faults: Vec::new(), token: "fake".to_owned() }
    }
}

/// A request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The answer's status, also when a fault kept it from the client; none when the service was never asked.
    pub status: Option<u16>,
    pub fault: Fault,
}

/// A running target; stopped, its connections cut, on drop.
pub struct FakeTarget {
    url: String,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
    plain: Mutex<Vec<JoinHandle<()>>>,
}

struct Shared {
    dialect: Dialect,
    token: String,
    directory: Directory,
    service: TowerToHyperService<Router>,
    faults: Mutex<Vec<Rule>>,
    requests: Mutex<Vec<Request>>,
    conduct: Mutex<Conduct>,
}

/// Makes hyper close the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("dropped, as a fault says")]
struct Dropped;

impl FakeTarget {
    /// Starts an empty target. Needs a tokio runtime, whose task it is.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let address = options.listen;
        let failed = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let url = format!("http://{}{BASE}", listener.local_addr().map_err(failed)?);
        let (store, clock) = (Store::open("sqlite::memory:").await?, Arc::new(SystemClock));
        let directory = Directory::new(store.clone(), clock.clone());
        let token = Token::Fixed(Secret::new(options.token.as_str()));
        let service = router(ServerState::new(directory.clone(), store, clock, token));
        let conduct = Mutex::new(Conduct::new(&options.token));
        let shared = Arc::new(Shared {
            dialect: options.dialect,
            token: options.token,
            directory,
            service: TowerToHyperService::new(service),
            faults: Mutex::new(options.faults),
            requests: Mutex::default(),
            conduct,
        });
        let task = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { url, shared, task, plain: Mutex::default() })
    }

    /// The SCIM base, `http://127.0.0.1:4711/scim/v2`.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn token(&self) -> &str {
        &self.shared.token
    }

    /// Another address of the same target, past dialect and faults and unseen: for whoever looks what came of a client's work.
    pub async fn plain(&self) -> Result<String, Error> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let failed = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let url = format!("http://{}{BASE}", listener.local_addr().map_err(failed)?);
        let service = self.shared.service.clone();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                while connections.try_join_next().is_some() {}
                let service = service.clone();
                connections.spawn(async move {
                    let served = hyper::server::conn::http1::Builder::new();
                    drop(served.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        lock(&self.plain).push(task);
        Ok(url)
    }

    /// What the target holds, past dialect and faults.
    pub fn directory(&self) -> &Directory {
        &self.shared.directory
    }

    /// Replaces all rules; they count from nought.
    pub fn set_faults(&self, faults: Vec<Rule>) {
        *lock(&self.shared.faults) = faults;
    }

    /// The requests so far, oldest first; of very many the first.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.requests).clone()
    }

    /// What was seen of the client.
    pub fn report(&self) -> Vec<Check> {
        lock(&self.shared.conduct).report()
    }
}

impl Drop for FakeTarget {
    fn drop(&mut self) {
        self.task.abort();
        lock(&self.plain).iter().for_each(JoinHandle::abort);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, and its connections with it.
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let shared = shared.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| answer(shared.clone(), request));
            // An error here is a client that left, or a fault that was asked for.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(shared: Arc<Shared>, request: hyper::Request<Incoming>) -> Result<Response<Full<Bytes>>, Dropped> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    let (method, path) = (parts.method.to_string(), parts.uri.path().to_owned());
    let target = parts.uri.path_and_query().map_or_else(|| path.clone(), ToString::to_string);
    if path == REPORT {
        return Ok(report(&shared));
    }
    let fault = lock(&shared.faults).iter_mut().find_map(|rule| rule.fires(&method, &path)).unwrap_or_default();
    let place = {
        let mut requests = lock(&shared.requests);
        if requests.len() < MOST_REQUESTS {
            requests.push(Request { method: method.clone(), target, status: None, fault });
        }
        requests.len() - 1
    };
    let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let headers = parts.headers.clone();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let sent = Sent {
        method: &method,
        path: path.strip_prefix(BASE).unwrap_or(&path),
        query: &query,
        headers: &headers,
        body: &json,
        at: Instant::now(),
    };
    lock(&shared.conduct).asked(&sent);
    let mut inner = Inner::default();
    let answer = match fault {
        Fault::DropBefore => None,
        Fault::Status(status, retry_after) => {
            let detail = "a fault of the fake target".to_owned();
            let mut answer = refusal(&Refusal { status, scim_type: None, detail });
            if let Some(seconds) = retry_after {
                answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            Some(answer)
        }
        Fault::None | Fault::DropAfter | Fault::Slow(_) => {
            Some(serve(&shared, hyper::Request::from_parts(parts, body), &json, &mut inner).await?)
        }
    };
    let status = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
    let got = Got { status, fault, body: &inner.body, etag: inner.etag.as_deref(), filters: shared.dialect.filter };
    lock(&shared.conduct).answered(&sent, &got);
    if let Some(request) = lock(&shared.requests).get_mut(place) {
        request.status = (status > 0).then_some(status);
    }
    if let Fault::Slow(ms) = fault {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
    answer.filter(|_| fault != Fault::DropAfter).ok_or(Dropped)
}

/// What the service said, before the dialect.
#[derive(Default)]
struct Inner {
    body: Value,
    etag: Option<String>,
}

/// The service's answer, as the dialect has it.
async fn serve(
    shared: &Shared,
    request: hyper::Request<Bytes>,
    json: &Value,
    inner: &mut Inner,
) -> Result<Response<Full<Bytes>>, Dropped> {
    let dialect = &shared.dialect;
    let (mut parts, mut body) = request.into_parts();
    let method = parts.method.to_string();
    let mut is_query = false;
    if let Some(path) = parts.uri.path().strip_prefix(BASE) {
        let query = parts.uri.query().unwrap_or_default();
        is_query = matches!(path.trim_matches('/').split('/').count(), 0 | 1) || path.ends_with("/.search");
        let deactivates = method == "DELETE" && dialect.delete_deactivates && path.starts_with("/Users/");
        match inbound(dialect, &method, path, query, json) {
            Ok(place) => parts.uri = format!("{BASE}{place}").parse().map_err(|_| Dropped)?,
            Err(reason) => return Ok(dressed(dialect, refusal(&reason))),
        }
        let mut changed = json.clone();
        stored(dialect, &mut changed);
        if changed != *json {
            body = changed.to_string().into();
        }
        if deactivates {
            parts.method = hyper::Method::PATCH;
            parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
            let operation = json!({ "op": "replace", "path": "active", "value": false });
            body = json!({ "schemas": [PATCH], "Operations": [operation] }).to_string().into();
        }
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    let request = hyper::Request::from_parts(parts, Body::from(body));
    let answer = shared.service.call(request).await.map_err(|never| match never {})?;
    let (mut parts, body) = answer.into_parts();
    let mut body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    inner.etag = parts.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
    if parts.status == StatusCode::NOT_FOUND {
        parts.status = StatusCode::from_u16(dialect.unknown_id).unwrap_or(StatusCode::NOT_FOUND);
    }
    if let Ok(mut json) = serde_json::from_slice::<Value>(&body) {
        inner.body = json.clone();
        if !parts.status.is_success() && json.get("status").is_some() {
            json["status"] = parts.status.as_u16().to_string().into();
        }
        outbound(dialect, Timestamp::now(), is_query, &mut json);
        body = json.to_string().into();
    }
    let without_body = method == "PATCH" && dialect.empty_patch || method == "DELETE";
    if without_body && parts.status == StatusCode::OK {
        parts.status = StatusCode::NO_CONTENT;
        body = Bytes::new();
    }
    // Its length may have changed; hyper computes it.
    parts.headers.remove(header::CONTENT_LENGTH);
    Ok(dressed(dialect, Response::from_parts(parts, Full::new(body))))
}

/// What was seen so far, for whoever cannot ask the program.
fn report(shared: &Shared) -> Response<Full<Bytes>> {
    let checks = lock(&shared.conduct).report();
    let checks: Vec<Value> = checks
        .iter()
        .map(|check| {
            let mut json = serde_json::to_value(check).unwrap_or_default();
            json["state"] = check.state().into();
            json
        })
        .collect();
    let mut answer = Response::new(Full::new(Bytes::from(json!({ "checks": checks }).to_string())));
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

/// With the dialect's headers.
fn dressed(dialect: &Dialect, mut answer: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    let headers = answer.headers_mut();
    if let (Some(kind), Ok(own)) = (headers.get_mut(header::CONTENT_TYPE), HeaderValue::from_str(&dialect.content_type))
    {
        *kind = own;
    }
    if !dialect.location {
        headers.remove(header::LOCATION);
    }
    answer
}

/// A SCIM error (RFC 7644 section 3.12).
fn refusal(reason: &Refusal) -> Response<Full<Bytes>> {
    let mut body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": reason.status.to_string(),
        "detail": reason.detail,
    });
    if let Some(word) = reason.scim_type {
        body["scimType"] = word.into();
    }
    let mut answer = Response::new(Full::new(Bytes::from(body.to_string())));
    *answer.status_mut() = StatusCode::from_u16(reason.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
    answer
}

/// What is behind these locks is whole between any two statements, so that a panic elsewhere spoils nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
