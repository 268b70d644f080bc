//! An HTTP/1.1 proxy before one upstream: it counts every request, remembers the last ones, and breaks some on request.
//!
//! It stands between the client under test and a peer, so that a test can say "zero writes" or "the answer to the third
//! create got lost" of any peer. It holds whole bodies, forwards the client's `Host` (so locations that a peer makes point
//! at the proxy) and knows nothing of SCIM but that a POST to `.search` reads. It lives as tasks of the runtime that
//! started it, and stops when dropped. See [`Fault`] for what it can break, `tally` for what it counts.

mod tally;

pub use provost_fake::{Fault, Rule};
pub use tally::{Exchange, Tally, is_write};

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response,
    body::Incoming,
    header::{self, HeaderMap, HeaderValue},
    service::service_fn,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};

use crate::{Error, http::causes};

const NAME: &str = "the counting proxy";

/// Headers that belong to one connection, not to the message (RFC 9110 section 7.6.1).
const HOP_BY_HOP: [&str; 6] = ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"];

/// A running proxy; stopped, its connections cut, on drop.
#[derive(Debug)]
pub struct CountingProxy {
    base_url: String,
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    /// `http://127.0.0.1:8080`, without a path.
    upstream: String,
    client: Client<HttpConnector, Full<Bytes>>,
    rules: Mutex<Vec<Rule>>,
    tally: Mutex<Tally>,
}

/// Makes hyper close the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("dropped by the counting proxy as a test asked")]
struct Dropped;

impl CountingProxy {
    /// Starts a proxy before `upstream`, a base URL such as `http://127.0.0.1:8080/v2`.
    pub async fn start(upstream: &str) -> Result<Self, Error> {
        let authority = upstream.find("://").map_or(0, |at| at + 3);
        let origin_end = upstream[authority..].find('/').map_or(upstream.len(), |at| authority + at);
        let (origin, path) = upstream.split_at(origin_end);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(Error::system(NAME, "listen"))?;
        let port = listener.local_addr().map_err(Error::system(NAME, "listen"))?.port();
        // Below the five seconds after which Node closes an idle connection, so that none is used while it is being closed.
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(1))
            .pool_timer(TokioTimer::new())
            .build_http();
        let state =
            Arc::new(State { upstream: origin.to_owned(), client, rules: Mutex::default(), tally: Mutex::default() });
        let task = tokio::spawn(accept(listener, Arc::clone(&state)));
        let base_url = format!("http://127.0.0.1:{port}{}", path.trim_end_matches('/'));
        Ok(Self { base_url, state, task })
    }

    /// The upstream's base URL, through the proxy.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Adds a rule. The first rule that fires on a request decides what happens to it.
    pub fn inject(&self, rule: Rule) {
        lock(&self.state.rules).push(rule);
    }

    /// Forgets all rules.
    pub fn clear_faults(&self) {
        lock(&self.state.rules).clear();
    }

    /// Requests so far with this method (`""`: any) and a path that starts with `prefix` (`""`: any), those that were
    /// dropped or refused included.
    pub fn count(&self, method: &str, prefix: &str) -> u64 {
        lock(&self.state.tally).count(method, prefix)
    }

    /// Requests so far that may have changed something: all but GET, HEAD, OPTIONS and POST to `.search`.
    pub fn writes(&self) -> u64 {
        lock(&self.state.tally).writes()
    }

    /// The last requests, oldest first.
    pub fn recent(&self) -> Vec<Exchange> {
        lock(&self.state.tally).recent()
    }

    /// Counts from nought again and forgets the last requests; the rules stay.
    pub fn reset(&self) {
        lock(&self.state.tally).reset();
    }
}

impl Drop for CountingProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    // Dropped with this task, and its connections with it.
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        while connections.try_join_next().is_some() {}
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(move |request| serve(Arc::clone(&state), request));
            // An error here is a client that left, or a fault that was asked for.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn serve(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Dropped> {
    let method = request.method().to_string();
    let path = request.uri().path().to_owned();
    let target = request.uri().path_and_query().map_or_else(|| path.clone(), ToString::to_string);
    let fault = lock(&state.rules).iter_mut().find_map(|rule| rule.fires(&method, &path)).unwrap_or_default();
    let ticket = lock(&state.tally).begin(&method, &path, &target, fault);
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    let answer = match fault {
        Fault::DropBefore => return Err(Dropped),
        Fault::Status(code, retry_after) => refusal(code, retry_after, "asked for by a test"),
        // The others are faults of a target that knows what it answers: this passes them by.
        _ => match forward(&state, parts, &target, body).await {
            Ok(answer) => answer,
            Err(reason) => refusal(502, None, &reason),
        },
    };
    if let Fault::Slow(ms) = fault {
        tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
    }
    lock(&state.tally).end(ticket, answer.status().as_u16());
    if fault == Fault::DropAfter { Err(Dropped) } else { Ok(answer) }
}

async fn forward(
    state: &State,
    parts: hyper::http::request::Parts,
    target: &str,
    body: Bytes,
) -> Result<Response<Full<Bytes>>, String> {
    let mut request = Request::builder()
        .method(parts.method)
        .uri(format!("{}{target}", state.upstream))
        .body(Full::new(body))
        .map_err(|error| error.to_string())?;
    *request.headers_mut() = end_to_end(parts.headers);
    let answer = state.client.request(request).await.map_err(|error| causes(&error))?;
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.map_err(|error| causes(&error))?.to_bytes();
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = parts.status;
    *answer.headers_mut() = end_to_end(parts.headers);
    Ok(answer)
}

fn end_to_end(mut headers: HeaderMap) -> HeaderMap {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    headers
}

/// A SCIM error of the proxy's own (RFC 7644 section 3.12).
fn refusal(code: u16, retry_after: Option<u32>, reason: &str) -> Response<Full<Bytes>> {
    let body = serde_json::json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": code.to_string(),
        "detail": format!("{NAME}: {reason}"),
    });
    let mut answer = Response::new(Full::new(Bytes::from(body.to_string())));
    *answer.status_mut() = hyper::StatusCode::from_u16(code).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/scim+json"));
    if let Some(seconds) = retry_after {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds a lock of the proxy")
}
