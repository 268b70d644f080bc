//! The running target: the SCIM service behind a dialect and faults, and what it saw. What becomes of a request is in `answer`.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use provost_connector::Secret;
use provost_directory::Directory;
use provost_model::SystemClock;
use provost_server::{Mended, ServerState, Token, router};
use provost_store::Store;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::answer::answer;
use crate::conduct::Conduct;
use crate::lag::History;
use crate::limit::Limits;
use crate::token::Tokens;
use crate::{Check, Dialect, Fault, Rule};

/// Where the service has SCIM; the target has it at the same place.
pub(crate) const BASE: &str = "/scim/v2";

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
    /// The bearer token that clients must send; also the secret of the client `provost` at the token endpoint.
    pub token: String,
    /// How long tokens of the token endpoint are good.
    pub token_life: Duration,
    /// Whether faults and report may be asked for from other machines.
    pub remote_admin: bool,
}

impl Default for Options {
    fn default() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            listen,
            dialect: Dialect::default(),
            faults: Vec::new(),
            token: "fake".to_owned(),
            token_life: Duration::from_secs(3600),
            remote_admin: false,
        }
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

/// What all requests share.
pub(crate) struct Shared {
    pub dialect: Dialect,
    pub token: String,
    pub token_life: Duration,
    pub remote_admin: bool,
    directory: Directory,
    pub service: TowerToHyperService<Router>,
    pub faults: Mutex<Vec<Rule>>,
    pub requests: Mutex<Vec<Request>>,
    pub conduct: Mutex<Conduct>,
    pub tokens: Mutex<Tokens>,
    pub limits: Limits,
    pub history: Mutex<History>,
    /// The last page of each list, to be repeated.
    pub pages: Mutex<HashMap<String, Value>>,
    /// Users whom a DELETE switched off.
    pub deleted: Mutex<Vec<String>>,
}

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
        let conduct = Mutex::new(Conduct::new(&options.token, &options.dialect));
        let shared = Arc::new(Shared {
            dialect: options.dialect,
            token: options.token,
            token_life: options.token_life,
            remote_admin: options.remote_admin,
            directory,
            service: TowerToHyperService::new(service),
            faults: Mutex::new(options.faults),
            requests: Mutex::default(),
            conduct,
            tokens: Mutex::default(),
            limits: Limits::default(),
            history: Mutex::default(),
            pages: Mutex::default(),
            deleted: Mutex::default(),
        });
        let task = tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { url, shared, task, plain: Mutex::default() })
    }

    /// The SCIM base, `http://127.0.0.1:4711/scim/v2`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where tokens are given by OAuth 2.0 client credentials, to the client `provost` with the token as its secret.
    pub fn token_url(&self) -> String {
        self.url.replace(BASE, "/-/token")
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
        let Ok((stream, peer)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let shared = shared.clone();
        connections.spawn(async move {
            let stream = Mended::new(stream);
            let mended = stream.count();
            let service = service_fn(move |request| {
                let mended = mended.swap(0, Ordering::Relaxed) > 0;
                answer(shared.clone(), peer, mended, request)
            });
            // An error here is a client that left, or a fault that was asked for.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// What is behind these locks is whole between any two statements, so that a panic elsewhere spoils nothing.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
