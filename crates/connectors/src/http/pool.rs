//! The connections of a client: HTTP/1.1, kept open for a while, the one used last taken first.
//!
//! A connection carries one request at a time and goes back when its answer was read to the end; one that broke, or whose
//! answer was not read, is closed instead. Each has one timer for all its requests: moving it on costs next to nothing,
//! while making one per request would take the runtime's lock twice. No opinion here on what a failure means: see
//! [`super::failure`].

use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::Uri;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::http::uri::{Authority, Parts, PathAndQuery, Scheme};
use hyper::service::Service;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::service::TowerToHyperService;
use tokio::task::AbortHandle;
use tokio::time::Sleep;

/// Servers close idle connections after 5 s (Node), 15 s, 60 s or more. Closing first, a little before the strictest common
/// one, makes it rare that a write goes out on a connection that is being closed, whose outcome would be unknown.
const IDLE: Duration = Duration::from_secs(4);

/// How often idle connections are looked at.
const SWEEP: Duration = Duration::from_secs(1);

/// Where a connection leads: not always the client's own address, since redirects may change scheme and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub scheme: Scheme,
    pub authority: Authority,
}

impl Origin {
    /// The whole address of a request.
    pub fn address(&self, path: PathAndQuery) -> Uri {
        let mut parts = Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).expect("it has all three parts")
    }

    /// The other way round; `None` for an address without host.
    pub fn split(address: Uri) -> Option<(Self, PathAndQuery)> {
        let Parts { scheme, authority, path_and_query, .. } = address.into_parts();
        Some((Self { scheme: scheme?, authority: authority? }, path_and_query?))
    }
}

/// An open connection, held by one request.
pub struct Connection {
    pub sender: SendRequest<Full<Bytes>>,
    pub timer: Pin<Box<Sleep>>,
    /// Whether it carried a request before, so that the other side may have closed it in the meantime.
    pub used: bool,
    origin: Origin,
    task: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // hyper notices that nobody wants it any more only when its bytes are out, which a target that reads nothing may
        // put off for ever.
        if !self.sender.is_ready() {
            self.task.abort();
        }
    }
}

struct Idle {
    connection: Connection,
    since: Instant,
}

struct Shelf {
    idle: Vec<Idle>,
    /// Whether somebody will look for connections that were idle for too long.
    watched: bool,
}

/// Connections to one target.
pub struct Pool {
    connector: TowerToHyperService<HttpsConnector<HttpConnector>>,
    shelf: Arc<Mutex<Shelf>>,
    most_idle: usize,
}

impl Pool {
    pub fn new(connector: HttpsConnector<HttpConnector>, most_idle: usize) -> Self {
        let shelf = Shelf { idle: Vec::with_capacity(most_idle.min(64)), watched: false };
        Self { connector: TowerToHyperService::new(connector), shelf: Arc::new(Mutex::new(shelf)), most_idle }
    }

    /// An idle connection that was open when last looked at.
    pub fn take(&self, origin: &Origin, now: Instant) -> Option<Connection> {
        let mut shelf = lock(&self.shelf);
        loop {
            let at = shelf.idle.iter().rposition(|idle| idle.connection.origin == *origin)?;
            let Idle { connection, since } = shelf.idle.remove(at);
            if now.saturating_duration_since(since) < IDLE && !connection.sender.is_closed() {
                return Some(connection);
            }
        }
    }

    /// Opens a connection. Cancelled by dropping the future.
    pub async fn open(&self, origin: &Origin) -> Result<Connection, Box<dyn Error + Send + Sync>> {
        let to = origin.address(PathAndQuery::from_static("/"));
        let stream = self.connector.call(to).await?;
        let (mut sender, connection) = http1::Builder::new().handshake(stream).await?;
        let task = tokio::spawn(async move {
            // What breaks it is told to the request that it carries.
            connection.await.ok();
        });
        let task = task.abort_handle();
        sender.ready().await?;
        let timer = Box::pin(tokio::time::sleep(Duration::ZERO));
        Ok(Connection { sender, timer, used: false, origin: origin.clone(), task })
    }

    /// Takes a connection back whose answer was read to its end.
    pub fn put(&self, mut connection: Connection) {
        if connection.sender.is_closed() {
            return;
        }
        connection.used = true;
        let idle = Idle { connection, since: Instant::now() };
        let mut shelf = lock(&self.shelf);
        let same = shelf.idle.iter().filter(|have| have.connection.origin == idle.connection.origin).count();
        if same >= self.most_idle {
            return;
        }
        shelf.idle.push(idle);
        if !shelf.watched {
            shelf.watched = true;
            tokio::spawn(sweep(Arc::downgrade(&self.shelf)));
        }
    }
}

/// Closes what was idle for too long, until nothing is idle any more or the client is gone.
async fn sweep(shelf: Weak<Mutex<Shelf>>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let Some(shelf) = shelf.upgrade() else { return };
        let mut shelf = lock(&shelf);
        let now = Instant::now();
        shelf
            .idle
            .retain(|idle| now.saturating_duration_since(idle.since) < IDLE && !idle.connection.sender.is_closed());
        if shelf.idle.is_empty() {
            shelf.watched = false;
            return;
        }
    }
}

/// Nothing can be left half done under this lock, so that a panic elsewhere does not spoil it.
fn lock(shelf: &Mutex<Shelf>) -> MutexGuard<'_, Shelf> {
    shelf.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn connections_are_kept_for_their_origin_and_for_a_while() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority: Authority = listener.local_addr().unwrap().to_string().parse().unwrap();
        let origin = Origin { scheme: Scheme::HTTP, authority };
        let elsewhere = Origin { scheme: Scheme::HTTPS, ..origin.clone() };
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        let https = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(crate::tls::config(None, None).unwrap())
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let pool = Pool::new(https, 2);
        let mut held = Vec::new();
        let mut streams = Vec::new();
        for _ in 0..3 {
            held.push(pool.open(&origin).await.unwrap());
            streams.push(listener.accept().await.unwrap());
        }
        held.into_iter().for_each(|connection| pool.put(connection));
        let now = Instant::now();
        assert!(pool.take(&elsewhere, now).is_none());
        assert!(pool.take(&origin, now).is_some_and(|connection| connection.used), "one of two that were kept");
        assert!(pool.take(&origin, now + IDLE).is_none(), "the other one is too old by then");
        assert!(pool.take(&origin, now).is_none(), "and was closed");
    }
}
