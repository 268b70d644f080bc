//! Any connector behind lines: `provost connector serve`, and connectors of one's own that are written in Rust.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use provost_model::Text;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::message::{Number, error as error_line, read};
use super::params::{AnyParams, Nothing, SecretValue};
use super::server::Server;
use super::{Id, LineError, Lines, MAX_LINE, Malformed, Message, Meta, message, method};
use crate::{Connector, ConnectorError, ErrorCode};

/// Requests that may be under way; a host that sends more gets errors.
const MOST_CALLS: usize = 256;

/// Answers that may wait for a host that does not read.
const MOST_LINES: usize = 16;

/// How long writes under way have after the host said goodbye.
const GRACE: Duration = Duration::from_secs(10);

/// Serves a connector until the host asks for the end or closes `input`. Requests run at once and are answered as they are
/// done. The error is that of reading or writing the lines.
pub async fn serve(
    connector: Arc<dyn Connector>,
    input: impl AsyncRead + Unpin + Send,
    output: impl AsyncWrite + Unpin + Send + 'static,
) -> io::Result<()> {
    let (out, lines) = mpsc::channel(MOST_LINES);
    let writer = tokio::spawn(write(output, lines));
    let server = Arc::new(Server::new(connector, out.clone()));
    let mut calls = JoinSet::new();
    let end = take(&server, &mut calls, Lines::new(input, MAX_LINE)).await;
    server.hang_up();
    let _ = tokio::time::timeout(GRACE, async { while calls.join_next().await.is_some() {} }).await;
    calls.shutdown().await;
    server.close();
    let end = match end {
        Ok(Some(id)) => {
            if let Ok(line) = message::result(&id, &Nothing {}) {
                let _ = out.send(line).await;
            }
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(LineError::Io(error)) => Err(error),
        Err(error) => {
            let told = ConnectorError::new(ErrorCode::Protocol, format!("the input ends here: {error}"));
            if let Ok(line) = error_line(None, Number::Invalid, &told) {
                let _ = out.send(line).await;
            }
            Err(io::Error::new(io::ErrorKind::InvalidData, error))
        }
    };
    // Sessions may keep the server, and with it the channel; an empty line is the writer's end.
    let _ = out.send(Vec::new()).await;
    let written = writer.await.unwrap_or_else(|_| Err(io::Error::other("the writer of answers stopped")));
    end.and(written)
}

async fn write(mut output: impl AsyncWrite + Unpin, mut lines: mpsc::Receiver<Vec<u8>>) -> io::Result<()> {
    while let Some(line) = lines.recv().await {
        if line.is_empty() {
            break;
        }
        output.write_all(&line).await?;
        if lines.is_empty() {
            output.flush().await?;
        }
    }
    output.flush().await
}

/// Reads requests to the end; the id of a `shutdown`, when that was the end.
async fn take(
    server: &Arc<Server>,
    calls: &mut JoinSet<()>,
    mut lines: Lines<impl AsyncRead + Unpin>,
) -> Result<Option<Id>, LineError> {
    while let Some(line) = lines.next().await? {
        while calls.try_join_next().is_some() {}
        match Message::parse(line) {
            Ok(Message::Request { id, method, .. }) if method == method::SHUTDOWN => return Ok(Some(id)),
            Ok(Message::Request { id, method, params }) => request(server, calls, id, method, params).await,
            Ok(Message::Notification { method, params }) => server.notice(&method, params),
            Ok(Message::Result { id, result }) => {
                let value = read::<SecretValue>(result).map(|secret| secret.value).map_err(|error| {
                    ConnectorError::new(ErrorCode::Protocol, format!("the host's answer cannot be read: {error}"))
                });
                server.answered(&id, value);
            }
            Ok(Message::Error { id: Some(id), error }) => {
                let error = error.read().unwrap_or_else(|reason| ConnectorError::new(ErrorCode::Protocol, reason));
                server.answered(&id, Err(error));
            }
            Ok(Message::Error { id: None, error }) => tracing::debug!(error = error.message, "the host could not read"),
            Err(malformed) => {
                let number = match malformed {
                    Malformed::NotJson(_) => Number::NotJson,
                    Malformed::Invalid(_) => Number::Invalid,
                };
                let told = ConnectorError::new(ErrorCode::Protocol, format!("a line is not understood: {malformed}"));
                send_error(server, None, (number, told)).await;
            }
        }
    }
    Ok(None)
}

async fn request(server: &Arc<Server>, calls: &mut JoinSet<()>, id: Id, method: Text, params: &str) {
    let meta = read::<AnyParams>(params).map_or_else(|_| Meta::default(), |any| any.meta);
    let token = match server.begin(&id, MOST_CALLS) {
        Ok(token) => token,
        Err(refusal) => return send_error(server, Some(&id), refusal).await,
    };
    let cx = meta.context(token);
    if method == method::INITIALIZE {
        // What follows relies on it, so it does not run beside what follows.
        let answer = server.answer(&id, &method, params, &cx).await;
        return finish(server, &id, answer).await;
    }
    let (server, params) = (server.clone(), params.to_owned());
    calls.spawn(async move {
        let work = {
            let (server, id, method) = (server.clone(), id.clone(), method.clone());
            tokio::spawn(async move { server.answer(&id, &method, &params, &cx).await })
        };
        let answer = work.await.unwrap_or_else(|_| {
            let code = if method == method::APPLY { ErrorCode::UnknownOutcome } else { ErrorCode::Internal };
            Err((
                Number::Connector,
                ConnectorError::new(code, format!("`{method}` stopped by a defect of the connector")),
            ))
        });
        finish(&server, &id, answer).await;
    });
}

async fn finish(server: &Server, id: &Id, answer: Result<Vec<u8>, super::server::Refusal>) {
    // Before the answer is sent: whoever has it may use the id again.
    server.finish(id);
    match answer {
        Ok(line) => {
            let _ = server.out.send(line).await;
        }
        Err(refusal) => send_error(server, Some(id), refusal).await,
    }
}

async fn send_error(server: &Server, id: Option<&Id>, (number, error): super::server::Refusal) {
    if let Ok(line) = error_line(id, number, &error) {
        let _ = server.out.send(line).await;
    }
}
