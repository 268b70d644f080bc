//! The life of one child: what it writes is read to the end, what it asks is answered, and its end is told to all who wait.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use provost_connector::protocol::message::{self, Number};
use provost_connector::protocol::params::{Log, Nothing, OfSecret, SecretValue};
use provost_connector::protocol::{Id, LineError, Lines, Message, method};
use provost_connector::{ConnectorError, ErrorCode};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::process::Child;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use super::keeper::History;
use super::link::{End, Link};
use crate::program::errors::log_errors;
use crate::program::launch::{Group, Launched, ending, kill};

/// Requests of the program that may be under way.
const MOST_ASKED: usize = 64;

/// How long the rest of what an ended child wrote is waited for: something it started may hold the stream open.
const DRAIN: Duration = Duration::from_secs(1);

/// Lets the child live on its own; `link` is told of its end, and `history` when nobody had asked for that.
pub(super) fn run(link: Arc<Link>, launched: Launched, lines: mpsc::Receiver<Vec<u8>>, history: Arc<History>) {
    let Launched { mut child, group, folder } = launched;
    let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    if let Some(input) = input {
        let gone = link.gone.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = write(input, lines) => {}
                () = gone.cancelled() => {}
            }
        });
    }
    let logged = errors.map(|errors| {
        let (name, link) = (link.name.clone(), link.clone());
        tokio::spawn(log_errors(errors, move |line| {
            let line = link.secrets.mask(line).into_owned();
            tracing::debug!(program = name, line, "written to standard error");
            link.note_error_line(line);
        }))
    });
    tokio::spawn(async move {
        let end = match output {
            Some(output) => live(&link, &mut child, group, output).await,
            None => End { why: "it has no standard output".to_owned(), broke_protocol: false },
        };
        // Its last words belong to the reason.
        if let Some(logged) = logged {
            let _ = timeout(DRAIN, logged).await;
        }
        if !link.stop.is_cancelled() {
            history.note(&end);
        }
        link.end(end);
        drop(folder);
    });
}

/// To the child's end, and why it came.
async fn live(link: &Arc<Link>, child: &mut Child, group: Group, output: impl AsyncRead + Unpin) -> End {
    let mut reading = pin!(read(link, output));
    let ended = |why: String| End { why, broke_protocol: false };
    let said_why = |link: &Link| link.broken.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    tokio::select! {
        found = &mut reading => match found {
            Some(broken) => {
                kill(child, group);
                let _ = child.wait().await;
                broken
            }
            // It closed its output; a program that lives on without it can never answer again.
            None => match timeout(DRAIN, child.wait()).await {
                Ok(status) => {
                    group.kill();
                    ended(ending(status))
                }
                Err(_) => {
                    kill(child, group);
                    let _ = child.wait().await;
                    ended("it closed its standard output".to_owned())
                }
            },
        },
        status = child.wait() => {
            let status = ending(status);
            let rest = timeout(DRAIN, &mut reading).await;
            kill(child, group);
            rest.ok().flatten().unwrap_or_else(|| ended(status))
        }
        () = link.kill.cancelled() => {
            kill(child, group);
            let _ = child.wait().await;
            said_why(link).unwrap_or_else(|| ended("it was ended".to_owned()))
        }
        () = link.stop.cancelled() => {
            link.tell(method::SHUTDOWN, &Nothing {});
            let _ = link.out.send(Vec::new()).await;
            let goodbye = async {
                tokio::select! {
                    _ = child.wait() => {}
                    _ = async { let _ = (&mut reading).await; std::future::pending::<()>().await } => {}
                }
            };
            if timeout(link.limits.stop_timeout, goodbye).await.is_err() {
                tracing::warn!(program = link.name, "the program did not end when it was asked to, and is ended");
            }
            kill(child, group);
            let _ = child.wait().await;
            ended("it was asked to end".to_owned())
        }
    }
}

async fn write(mut input: impl AsyncWrite + Unpin, mut lines: mpsc::Receiver<Vec<u8>>) -> std::io::Result<()> {
    while let Some(line) = lines.recv().await {
        if line.is_empty() {
            break;
        }
        input.write_all(&line).await?;
        if lines.is_empty() {
            input.flush().await?;
        }
    }
    input.flush().await?;
    input.shutdown().await
}

/// Reads messages to the end of the stream, or to what is against the protocol.
async fn read(link: &Arc<Link>, output: impl AsyncRead + Unpin) -> Option<End> {
    let mut lines = Lines::new(output, link.limits.max_line);
    let asked = Arc::new(Semaphore::new(MOST_ASKED));
    loop {
        let broken = match lines.next().await {
            // What was cut off is of no use, and the child's end says more.
            Ok(None) | Err(LineError::Cut | LineError::Io(_)) => return None,
            Err(LineError::TooLong { max }) => Err(format!("it wrote a line of more than {max} bytes (`max_line`)")),
            Err(error @ LineError::NotUtf8) => Err(format!("it wrote what is no message: {error}")),
            Ok(Some(line)) => {
                link.heard.fetch_add(1, Ordering::Relaxed);
                take(link, line, &asked)
            }
        };
        if let Err(why) = broken {
            let why = link.secrets.mask(&why).into_owned();
            tracing::warn!(program = link.name, reason = why, "the program breaks the protocol and is ended");
            return Some(End { why, broke_protocol: true });
        }
    }
}

fn take(link: &Arc<Link>, line: &str, asked: &Arc<Semaphore>) -> Result<(), String> {
    match Message::parse(line).map_err(|error| format!("it wrote `{}` to its standard output: {error}", shown(line)))? {
        Message::Result { id, result } if !link.answered(&id, result) => Err(unknown(&id)),
        Message::Error { id: Some(id), error } if !link.refused(&id, error.read()) => Err(unknown(&id)),
        Message::Error { id: None, error } => Err(format!("it could not read a request: {}", error.message)),
        Message::Request { id, method, params } => {
            answer(link, id, &method, params, asked);
            Ok(())
        }
        Message::Notification { method, params } if method == method::LOG => {
            if let Ok(Log { level, message }) = message::read(params) {
                let (level, message) = (link.secrets.mask(&level), link.secrets.mask(&message));
                tracing::debug!(program = link.name, level = &*level, message = &*message, "told by the program");
            }
            Ok(())
        }
        // Other notifications are those of a later minor version.
        Message::Notification { .. } | Message::Result { .. } | Message::Error { .. } => Ok(()),
    }
}

fn unknown(id: &Id) -> String {
    format!("it answered a request {id} that is not open")
}

/// The beginning of a line, enough to find it in the program.
fn shown(line: &str) -> String {
    let start: String = line.chars().take(40).collect();
    let more = if start.len() < line.len() { "…" } else { "" };
    format!("{}{more}", start.escape_debug())
}

/// Answers a request of the program.
fn answer(link: &Arc<Link>, id: Id, method: &str, params: &str, asked: &Arc<Semaphore>) {
    let refuse = |number, error: ConnectorError| {
        let (link, line) = (link.clone(), message::error(Some(&id), number, &error));
        tokio::spawn(async move {
            if let Ok(line) = line {
                let _ = link.out.send(line).await;
            }
        });
    };
    let Ok(place) = asked.clone().try_acquire_owned() else {
        let error = ConnectorError::new(ErrorCode::Throttled, "too many requests of the program are under way");
        return refuse(Number::Connector, error);
    };
    if method != method::HOST_SECRET {
        let message = format!("the host has no method `{}`", method.escape_debug());
        return refuse(Number::NoMethod, ConnectorError::new(ErrorCode::NotSupported, message));
    }
    let handle = match message::read::<OfSecret>(params) {
        Ok(OfSecret { handle }) => handle,
        Err(error) => {
            let error = ConnectorError::new(ErrorCode::Protocol, format!("the parameters cannot be read: {error}"));
            return refuse(Number::BadParams, error);
        }
    };
    let link = link.clone();
    tokio::spawn(async move {
        let line = match link.secrets.give(&handle).await {
            Ok(secret) => message::result(&id, &SecretValue { value: secret.expose().to_owned() }),
            Err(error) => message::error(Some(&id), Number::Connector, &error),
        };
        if let Ok(line) = line {
            let _ = link.out.send(line).await;
        }
        drop(place);
    });
}
