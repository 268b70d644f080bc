//! What a served connector answers to each method.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use provost_model::Text;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::message::Number;
use super::params::*;
use super::scans::{Scans, fit};
use super::{Id, MAX_LINE, VERSION, is_spoken, message, method};
use crate::*;

/// How long a session has for its own answer after its caller gave up.
const LINGER: Duration = Duration::from_millis(500);

/// One served connector.
pub(super) struct Server {
    pub connector: Arc<dyn Connector>,
    pub out: mpsc::Sender<Vec<u8>>,
    greeted: AtomicBool,
    session: RwLock<Option<Arc<dyn Session>>>,
    /// Requests under way, to cancel them.
    calls: Mutex<HashMap<Id, CancellationToken>>,
    /// What was asked of the host.
    asked: Mutex<HashMap<Id, oneshot::Sender<Result<String, ConnectorError>>>>,
    last: AtomicU64,
    scans: Scans,
    /// The longest line that the host takes.
    host_line: AtomicUsize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is held in these is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a request gets an error, with JSON-RPC's number for it.
pub(super) type Refusal = (Number, ConnectorError);

fn refused(error: ConnectorError) -> Refusal {
    (Number::Connector, error)
}

fn read<T: DeserializeOwned>(method: &str, params: &str) -> Result<T, Refusal> {
    message::read(params).map_err(|error| {
        let message = format!("the parameters of `{method}` cannot be read: {error}");
        (Number::BadParams, ConnectorError::new(ErrorCode::Protocol, message))
    })
}

impl Server {
    pub fn new(connector: Arc<dyn Connector>, out: mpsc::Sender<Vec<u8>>) -> Self {
        Self {
            connector,
            out,
            greeted: AtomicBool::new(false),
            session: RwLock::default(),
            calls: Mutex::default(),
            asked: Mutex::default(),
            last: AtomicU64::new(0),
            scans: Scans::default(),
            host_line: AtomicUsize::new(MAX_LINE),
        }
    }

    /// A token for a request; none when its id is that of another one.
    pub fn begin(&self, id: &Id, most: usize) -> Result<CancellationToken, Refusal> {
        let mut calls = lock(&self.calls);
        if calls.len() >= most {
            let message = format!("{most} requests are under way, and no more can be");
            return Err(refused(ConnectorError::new(ErrorCode::Throttled, message).after_ms(100)));
        }
        match calls.entry(id.clone()) {
            std::collections::hash_map::Entry::Occupied(_) => {
                let message = format!("the id {id} is that of a request under way");
                Err((Number::Invalid, ConnectorError::new(ErrorCode::Protocol, message)))
            }
            std::collections::hash_map::Entry::Vacant(place) => Ok(place.insert(CancellationToken::new()).clone()),
        }
    }

    pub fn finish(&self, id: &Id) {
        lock(&self.calls).remove(id);
    }

    /// The host asks for nothing more: the requests under way should end, and none gets a secret any more.
    pub fn hang_up(&self) {
        for token in lock(&self.calls).values() {
            token.cancel();
        }
        lock(&self.asked).clear();
    }

    /// Lets go of the session, which may hold the server in turn.
    pub fn close(&self) {
        *self.session.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub fn notice(&self, method: &str, params: &str) {
        // Other notifications are those of a later minor version.
        if method == method::CANCEL
            && let Ok(Cancel { id }) = message::read(params)
            && let Some(token) = lock(&self.calls).get(&id)
        {
            token.cancel();
        }
    }

    /// An answer of the host.
    pub fn answered(&self, id: &Id, answer: Result<String, ConnectorError>) {
        if let Some(asked) = lock(&self.asked).remove(id) {
            let _ = asked.send(answer);
        }
    }

    fn session(&self) -> Result<Arc<dyn Session>, Refusal> {
        let session = self.session.read().unwrap_or_else(PoisonError::into_inner).clone();
        session.ok_or_else(|| {
            (Number::Invalid, ConnectorError::new(ErrorCode::Protocol, "`configure` has to come before this request"))
        })
    }

    fn result<R: Serialize>(&self, id: &Id, result: &R) -> Result<Vec<u8>, Refusal> {
        let line = message::result(id, result).map_err(refused)?;
        let max = self.host_line.load(Ordering::Relaxed);
        if line.len() - 1 <= max {
            return Ok(line);
        }
        let message = format!("the answer takes {} bytes, more than the host takes in a line ({max})", line.len() - 1);
        Err(refused(ConnectorError::new(ErrorCode::Constraint, message).hint("set `max_line` higher, or ask for less")))
    }

    /// The line that answers a request.
    pub async fn answer(
        self: &Arc<Self>,
        id: &Id,
        method: &str,
        params: &str,
        cx: &Context,
    ) -> Result<Vec<u8>, Refusal> {
        if method == method::INITIALIZE {
            return self.initialize(id, params);
        }
        if !self.greeted.load(Ordering::Relaxed) {
            let error = ConnectorError::new(ErrorCode::Protocol, "`initialize` has to be the first request");
            return Err((Number::Invalid, error));
        }
        match method {
            method::VALIDATE => {
                let settings: Settings = read(method, params)?;
                self.result(id, &Validated { problems: self.connector.validate(&settings) })
            }
            method::CONFIGURE => {
                let settings: Settings = read(method, params)?;
                let host: Arc<dyn Host> = Arc::new(Remote { server: self.clone() });
                let session = within(cx, self.connector.configure(settings, host)).await.map_err(refused)?;
                let capabilities = session.capabilities().clone();
                *self.session.write().unwrap_or_else(PoisonError::into_inner) = Some(session);
                self.result(id, &Configured { capabilities })
            }
            method::PING => self.result(id, &Nothing {}),
            method::SCAN_NEXT => {
                let OfScan { scan } = read(method, params)?;
                self.next_page(id, &scan, cx).await.map_err(refused)
            }
            method::SCAN_CLOSE => {
                let OfScan { scan } = read(method, params)?;
                self.scans.remove(&scan);
                self.result(id, &Nothing {})
            }
            method::APPLY => self.apply(id, params, cx).await,
            _ => self.ask(id, method, params, cx).await,
        }
    }

    fn initialize(&self, id: &Id, params: &str) -> Result<Vec<u8>, Refusal> {
        let hello: Initialize = read(method::INITIALIZE, params)?;
        if !is_spoken(&hello.pcp) {
            let message = format!("the host speaks version {} of the protocol, this program {VERSION}", hello.pcp);
            return Err(refused(ConnectorError::new(ErrorCode::Protocol, message).hint("use versions that fit")));
        }
        self.host_line.store(hello.max_line, Ordering::Relaxed);
        self.greeted.store(true, Ordering::Relaxed);
        let connector = self.connector.manifest().clone();
        let version = env!("CARGO_PKG_VERSION").into();
        self.result(id, &Initialized { pcp: VERSION.into(), connector, version, max_line: MAX_LINE })
    }

    /// What only reads.
    async fn ask(&self, id: &Id, method: &str, params: &str, cx: &Context) -> Result<Vec<u8>, Refusal> {
        let session = self.session();
        match method {
            method::SCHEMA => self.result(id, &within(cx, session?.schema(cx)).await.map_err(refused)?),
            method::TEST => {
                let session = session?;
                let checks = within(cx, async { Ok(session.test(cx).await) }).await.map_err(refused)?;
                self.result(id, &Tested { checks })
            }
            method::GET => {
                let asked: Get = read(method, params)?;
                let record = within(cx, session?.get(cx, &asked.class, &asked.id)).await.map_err(refused)?;
                self.result(id, &Got { record })
            }
            method::FIND => {
                let asked: FindRequest = read(method, params)?;
                self.result(id, &within(cx, session?.find(cx, asked)).await.map_err(refused)?)
            }
            method::LOOKUP => {
                let asked: LookupRequest = read(method, params)?;
                let found = within(cx, session?.lookup(cx, asked)).await.map_err(refused)?;
                self.result(id, &Found { found })
            }
            method::COUNT => {
                let OfClass { class } = read(method, params)?;
                let count = within(cx, session?.count(cx, &class)).await.map_err(refused)?;
                self.result(id, &Counted { count })
            }
            method::REVISION => {
                let OfClass { class } = read(method, params)?;
                let revision = within(cx, session?.revision(cx, &class)).await.map_err(refused)?;
                self.result(id, &Revision { revision })
            }
            method::SCAN_OPEN => {
                let asked: ScanRequest = read(method, params)?;
                let scan = within(cx, session?.scan(cx, asked)).await.map_err(refused)?;
                let repeats = scan.repeats();
                self.result(id, &Opened { scan: self.scans.add(scan).map_err(refused)?, repeats })
            }
            _ => {
                let message = format!("there is no method `{}`", method.escape_debug());
                Err((Number::NoMethod, ConnectorError::new(ErrorCode::NotSupported, message)))
            }
        }
    }

    async fn next_page(&self, id: &Id, name: &str, cx: &Context) -> Result<Vec<u8>, ConnectorError> {
        let open = self.scans.get(name)?;
        let mut open = open.lock().await;
        let page = match open.held.pop_front() {
            Some(page) => page,
            None => {
                let next = within(cx, open.scan.next(cx)).await;
                // A call that failed may have taken a page with it.
                if next.is_err() && !(open.scan.repeats() && cx.check().is_ok()) {
                    self.scans.remove(name);
                }
                next?
            }
        };
        let line = fit(id, page, self.host_line.load(Ordering::Relaxed), &mut open.held);
        if line.is_err() {
            self.scans.remove(name);
        }
        line
    }

    /// Writes are waited for, whatever the caller wants: only the session knows what was done.
    async fn apply(&self, id: &Id, params: &str, cx: &Context) -> Result<Vec<u8>, Refusal> {
        let Apply { operations } = read(method::APPLY, params)?;
        let mut all = AppliedAll { results: self.session()?.apply(cx, &operations).await };
        let max = self.host_line.load(Ordering::Relaxed);
        let line = message::result(id, &all).map_err(refused)?;
        if line.len() - 1 <= max {
            return Ok(line);
        }
        // What was done outweighs by which request.
        for result in &mut all.results {
            match &mut result.outcome {
                Outcome::Done(done) => done.exchange = None,
                Outcome::Failed(error) => error.exchange = None,
            }
        }
        self.result(id, &all).map_err(|(number, error)| {
            let unknown = ConnectorError::new(ErrorCode::UnknownOutcome, error.message);
            (number, unknown.hint("set `max_line` higher"))
        })
    }
}

/// The work's own answer; or, soon after the caller gave up, an error.
async fn within<T>(cx: &Context, work: impl Future<Output = Result<T, ConnectorError>>) -> Result<T, ConnectorError> {
    let given_up = async {
        let deadline = async {
            match cx.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        };
        let error = tokio::select! {
            () = cx.cancel.cancelled() => ConnectorError::new(ErrorCode::Cancelled, "cancelled"),
            () = deadline => ConnectorError::new(ErrorCode::Timeout, "the deadline passed before the answer was there"),
        };
        tokio::time::sleep(LINGER).await;
        error
    };
    tokio::select! {
        done = work => done,
        error = given_up => Err(error),
    }
}

/// The host at the other end of the lines.
struct Remote {
    server: Arc<Server>,
}

#[async_trait]
impl Host for Remote {
    async fn secret(&self, handle: &str) -> Result<Secret, ConnectorError> {
        let id = Id::Text(Text::from(format!("h{}", self.server.last.fetch_add(1, Ordering::Relaxed) + 1)));
        let (send, answer) = oneshot::channel();
        lock(&self.server.asked).insert(id.clone(), send);
        let line = message::request(&id, method::HOST_SECRET, &Meta::default(), &OfSecret { handle: handle.into() })?;
        let gone = || ConnectorError::new(ErrorCode::Cancelled, "the host does not answer any more");
        self.server.out.send(line).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?.map(Secret::new)
    }
}
