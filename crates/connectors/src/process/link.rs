//! One child as a partner in conversation: requests out, answers back to whom they belong, and what it means for each when
//! the child ends before it answered.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use provost_connector::protocol::params::Cancel;
use provost_connector::protocol::{Id, MAX_LINE, Meta, message, method};
use provost_connector::{ConnectorError, Context, ErrorCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::config::Limits;
use crate::program::secrets::Secrets;
use crate::program::{LOOK, overdue};

/// How long a write is still waited for after its caller gave up: its outcome is worth more than the time.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why a child is no more.
#[derive(Debug, Clone)]
pub(super) struct End {
    /// What happened, for people, as the end of a sentence about the program.
    pub why: String,
    /// It was ended since it did not keep to the protocol.
    pub broke_protocol: bool,
}

enum Answer {
    Result(String),
    Refused(Result<ConnectorError, String>),
    Ended(End),
}

#[derive(Default)]
struct Requests {
    /// By id; also those that nobody waits for any more, since their answers still come.
    open: HashMap<i64, oneshot::Sender<Answer>>,
    end: Option<End>,
}

/// A request that has no result.
pub(super) enum Failed {
    /// It was never sent.
    Before(ConnectorError),
    /// It has this many bytes, more than the program takes in a line; it was not sent.
    TooLong(usize),
    /// The program's own word.
    Told(ConnectorError),
    /// It was sent, and what came of it is not known.
    Lost(ConnectorError),
}

impl From<Failed> for ConnectorError {
    /// For what only reads, where being lost does no harm.
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Before(error) | Failed::Told(error) | Failed::Lost(error) => error,
            Failed::TooLong(bytes) => ConnectorError::new(
                ErrorCode::InvalidValue,
                format!("the request takes {bytes} bytes, more than the program takes in a line"),
            ),
        }
    }
}

pub(super) struct Link {
    pub name: String,
    pub limits: Limits,
    pub secrets: Arc<Secrets>,
    /// Lines to write; an empty one closes the stream.
    pub out: mpsc::Sender<Vec<u8>>,
    /// Asks the child to end.
    pub stop: CancellationToken,
    /// Ends the child now, and why.
    pub broken: Mutex<Option<End>>,
    pub kill: CancellationToken,
    /// The child has ended, and all that there is to know about it is known.
    pub gone: CancellationToken,
    requests: Mutex<Requests>,
    last: AtomicI64,
    /// Lines that came: how one tells a busy program from one that hangs.
    pub heard: AtomicU64,
    /// The longest line that the program takes.
    pub child_line: AtomicUsize,
    pub places: Semaphore,
    last_error: Mutex<Option<String>>,
}

impl Link {
    pub fn new(name: String, limits: Limits, secrets: Arc<Secrets>, out: mpsc::Sender<Vec<u8>>) -> Self {
        Self {
            name,
            limits,
            secrets,
            out,
            stop: CancellationToken::new(),
            broken: Mutex::default(),
            kill: CancellationToken::new(),
            gone: CancellationToken::new(),
            requests: Mutex::default(),
            last: AtomicI64::new(0),
            heard: AtomicU64::new(0),
            child_line: AtomicUsize::new(MAX_LINE),
            places: Semaphore::new(1),
            last_error: Mutex::default(),
        }
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        // The map is whole between any two statements.
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_alive(&self) -> bool {
        self.requests().end.is_none() && !self.stop.is_cancelled() && !self.kill.is_cancelled()
    }

    /// What the child wrote last to its standard error, without secrets.
    pub fn note_error_line(&self, line: String) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
    }

    pub fn last_error_line(&self) -> Option<String> {
        let line = self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        Some(line.chars().take(200).collect())
    }

    /// The child breaks what it owes; it is ended, and whoever waits is told why.
    pub fn fail(&self, why: String, broke_protocol: bool) {
        let why = self.secrets.mask(&why).into_owned();
        tracing::warn!(program = self.name, reason = why, "the program is ended");
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(End { why, broke_protocol });
        self.kill.cancel();
    }

    /// The child is no more. Every request that is open has lost its answer.
    pub fn end(&self, end: End) {
        let open = {
            let mut requests = self.requests();
            requests.end.get_or_insert_with(|| end.clone());
            std::mem::take(&mut requests.open)
        };
        for (_, waiting) in open {
            let _ = waiting.send(Answer::Ended(end.clone()));
        }
        self.gone.cancel();
    }

    /// Hands an answer to who asked; false when nobody did.
    pub fn answered(&self, id: &Id, result: &str) -> bool {
        self.hand_over(id, || Answer::Result(result.to_owned()))
    }

    pub fn refused(&self, id: &Id, error: Result<ConnectorError, String>) -> bool {
        self.hand_over(id, || Answer::Refused(error))
    }

    fn hand_over(&self, id: &Id, answer: impl FnOnce() -> Answer) -> bool {
        let waiting = match id {
            Id::Number(id) => self.requests().open.remove(id),
            Id::Text(_) => None,
        };
        // Whoever asked may have given up since.
        waiting.map(|waiting| waiting.send(answer())).is_some()
    }

    /// Asks and waits. `write`: the answer is waited for a little longer than the caller does.
    pub async fn call<P: Serialize, R: DeserializeOwned>(
        self: &Arc<Self>,
        cx: &Context,
        method: &'static str,
        params: &P,
        write: bool,
    ) -> Result<R, Failed> {
        let limit = match method {
            method::INITIALIZE | method::VALIDATE => self.limits.start_timeout,
            _ => self.limits.request_timeout,
        };
        let cx = &cx.within(limit);
        cx.check().map_err(Failed::Before)?;
        let _place = tokio::select! {
            place = self.places.acquire() => place,
            error = overdue(cx) => return Err(Failed::Before(error)),
        };
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let line = message::request(&Id::Number(id), method, &Meta::of(cx), params).map_err(Failed::Before)?;
        if line.len() - 1 > self.child_line.load(Ordering::Relaxed) {
            return Err(Failed::TooLong(line.len() - 1));
        }
        let (send, mut answer) = oneshot::channel();
        {
            let mut requests = self.requests();
            if let Some(end) = &requests.end {
                return Err(Failed::Before(self.ended(method, end)));
            }
            requests.open.insert(id, send);
        }
        let mut asked = Asked { link: self, id, sent: false, settled: false };
        tokio::select! {
            place = self.out.reserve() => match place {
                Ok(place) => place.send(line),
                Err(_) => return Err(Failed::Before(self.ended(method, &End { why: "it ended".to_owned(), broke_protocol: false }))),
            },
            error = overdue(cx) => return Err(Failed::Before(error)),
        }
        asked.sent = true;
        let in_time = tokio::select! {
            answer = &mut answer => Ok(answer),
            error = overdue(cx) => Err(error),
        };
        let answer = match in_time {
            Ok(answer) => answer,
            Err(error) => {
                asked.cancel();
                let late = if write { tokio::time::timeout(PATIENCE, answer).await.ok() } else { None };
                late.ok_or_else(|| Failed::Lost(self.given_up(method, error)))?
            }
        };
        asked.settled = true;
        match answer {
            Ok(Answer::Result(result)) => message::read(&result).map_err(|error| {
                let message = format!(
                    "the program `{}` answered `{method}` with something else than it should: {error}",
                    self.name
                );
                Failed::Lost(ConnectorError::new(ErrorCode::Protocol, message).hint("this is a defect of the program"))
            }),
            Ok(Answer::Refused(Ok(error))) => Err(Failed::Told(self.secrets.mask_error(error))),
            Ok(Answer::Refused(Err(reason))) => {
                let message = format!(
                    "the program `{}` answered `{method}` with an error that cannot be read: {reason}",
                    self.name
                );
                Err(Failed::Lost(
                    ConnectorError::new(ErrorCode::Protocol, message).hint("this is a defect of the program"),
                ))
            }
            Ok(Answer::Ended(end)) => Err(Failed::Lost(self.ended(method, &end))),
            Err(_) => Err(Failed::Lost(self.ended(method, &End { why: "it ended".to_owned(), broke_protocol: false }))),
        }
    }

    /// Sends a request whose answer does not matter.
    pub fn tell<P: Serialize>(self: &Arc<Self>, method: &'static str, params: &P) {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let Ok(line) = message::request(&Id::Number(id), method, &Meta::default(), params) else { return };
        {
            let mut requests = self.requests();
            if requests.end.is_some() {
                return;
            }
            requests.open.insert(id, oneshot::channel().0);
        }
        self.post(line);
    }

    /// Sends a line without waiting, which is for those who cannot.
    fn post(&self, line: Vec<u8>) {
        if let Err(mpsc::error::TrySendError::Full(line)) = self.out.try_send(line)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let out = self.out.clone();
            runtime.spawn(async move { out.send(line).await });
        }
    }

    fn ended(&self, method: &str, end: &End) -> ConnectorError {
        let code = if end.broke_protocol { ErrorCode::Protocol } else { ErrorCode::Unavailable };
        let message = format!("the program `{}` did not answer `{method}`: {}", self.name, end.why);
        ConnectorError::new(code, message).hint(LOOK)
    }

    fn given_up(&self, method: &str, error: ConnectorError) -> ConnectorError {
        if error.code != ErrorCode::Timeout {
            return error;
        }
        let message = format!("the program `{}` did not answer `{method}` in time", self.name);
        ConnectorError::new(ErrorCode::Timeout, message).hint("see what it waits for, or set `request_timeout` higher")
    }
}

/// A request under way. Given up, in whatever way, it is cancelled, and its answer is owed still.
struct Asked<'a> {
    link: &'a Arc<Link>,
    id: i64,
    sent: bool,
    settled: bool,
}

impl Asked<'_> {
    fn cancel(&mut self) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        if let Ok(line) = message::notification(method::CANCEL, &Cancel { id: Id::Number(self.id) }) {
            self.link.post(line);
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let heard = self.link.heard.load(Ordering::Relaxed);
            runtime.spawn(watch(Arc::downgrade(self.link), self.id, heard, self.link.limits.stop_timeout));
        }
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if self.sent {
            self.cancel();
        } else {
            self.link.requests().open.remove(&self.id);
        }
    }
}

/// A program that says nothing at all after it was asked to give up hangs, and would keep everybody waiting for ever.
async fn watch(link: Weak<Link>, id: i64, heard: u64, patience: Duration) {
    tokio::time::sleep(patience).await;
    let Some(link) = link.upgrade() else { return };
    let owes = link.requests().open.contains_key(&id);
    if owes && link.heard.load(Ordering::Relaxed) == heard {
        let seconds = patience.as_secs_f64();
        link.fail(format!("it did not answer within {seconds} s after it was asked to give up"), false);
    }
}
