//! Requests without an answer: what went wrong, and whether the target may have acted on it all the same.
//!
//! hyper-util hands a request back when its connection broke before the request was begun; it then takes another connection
//! by itself, or reports `canceled` for a fresh one: **not sent**. Anything that breaks later is **maybe sent**, also the
//! idle connection that the target closes in the very moment in which we write to it: nobody can tell whether it read first.

use std::error::Error;
use std::time::Duration;

use hyper_util::client::legacy;
use provost_connector::{ConnectorError, ErrorCode};

/// What a request does at the target, which decides what a lost answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing; it may be repeated.
    Read,
    /// It changes something; it is repeated only when it was certainly not done.
    Write,
}

/// The connection failed. `what` names the request: `POST https://example.org/scim/v2/Users`.
pub fn from_client(error: &legacy::Error, effect: Effect, what: &str) -> ConnectorError {
    let cause = cause(error);
    if error.is_connect() {
        return not_reached(error, what, &cause);
    }
    match effect {
        Effect::Read => ConnectorError::new(ErrorCode::Unavailable, format!("{what} got no answer: {cause}")),
        Effect::Write if was_not_begun(error) => {
            ConnectorError::new(ErrorCode::Unavailable, format!("{what} was not sent: {cause}"))
        }
        Effect::Write => unknown(what, &cause),
    }
}

/// Time ran out. `handed_over` tells whether the request had a connection by then.
pub fn from_timeout(after: Duration, handed_over: bool, effect: Effect, what: &str) -> ConnectorError {
    let waited = format!("no answer within {} s", after.as_secs_f64());
    match (effect, handed_over) {
        (Effect::Read, true) => ConnectorError::new(ErrorCode::Timeout, format!("{what}: {waited}"))
            .hint("raise `timeout`, or lower `page_size` if the target is slow with long lists"),
        (Effect::Write, true) => unknown(what, &waited),
        (_, false) => ConnectorError::new(
            ErrorCode::Unavailable,
            format!("{what} was not sent: no connection within {} s", after.as_secs_f64()),
        ),
    }
}

/// A write whose fate nobody knows.
pub fn unknown(what: &str, cause: &str) -> ConnectorError {
    ConnectorError::new(ErrorCode::UnknownOutcome, format!("{what} may have been done: {cause}"))
        .hint("Provost looks at the target before it tries again")
}

fn not_reached(error: &(dyn Error + 'static), what: &str, cause: &str) -> ConnectorError {
    let not_reached = ConnectorError::new(ErrorCode::Unavailable, format!("{what} was not sent: {cause}"));
    match tls_error(error) {
        Some(rustls::Error::InvalidCertificate(_)) => not_reached
            .at("ca")
            .hint("set `ca` to the PEM file of the authority that issued the target's certificate, or correct the host in `url`"),
        Some(_) => not_reached.hint("the port in `url` may not speak TLS, or only an old version of it"),
        None => not_reached.hint("check host and port in `url`, and that the target runs and can be reached from here"),
    }
}

/// hyper's mark for a request that never left its queue.
fn was_not_begun(error: &legacy::Error) -> bool {
    error.source().and_then(|source| source.downcast_ref::<hyper::Error>()).is_some_and(hyper::Error::is_canceled)
}

/// rustls' own error sits inside one or two `io::Error`s, which do not show it as their source.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        let inside = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = inside.map(|inside| inside as &(dyn Error + 'static)).or_else(|| error.source());
    }
    None
}

/// The innermost error's text: the outer ones only say that sending failed. None of them holds an address or a header.
pub fn cause(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
