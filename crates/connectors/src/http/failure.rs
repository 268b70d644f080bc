//! Requests without an answer: what went wrong, and whether the target may have acted on it all the same.
//!
//! hyper hands a request back when its connection broke before the request was begun; the client then takes another
//! connection, or gives up if it was a fresh one: **not sent**. Anything that breaks later is **maybe sent**, also the idle
//! connection that the target closes in the very moment in which we write to it: nobody can tell whether it read first.

use std::error::Error;
use std::time::Duration;

use provost_connector::{ConnectorError, ErrorCode};

/// What a request does at the target, which decides what a lost answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing; it may be repeated.
    Read,
    /// It changes something; it is repeated only when it was certainly not done.
    Write,
}

/// The connection broke under a request. `begun`: some of it may have been sent. `what` names the request:
/// `POST https://example.org/scim/v2/Users`.
pub fn from_connection(error: &hyper::Error, begun: bool, effect: Effect, what: &str) -> ConnectorError {
    let cause = cause(error);
    match effect {
        Effect::Read => ConnectorError::new(ErrorCode::Unavailable, format!("{what} got no answer: {cause}")),
        Effect::Write if !begun => ConnectorError::new(ErrorCode::Unavailable, format!("{what} was not sent: {cause}")),
        Effect::Write => unknown(what, &cause),
    }
}

/// There was no connection: nothing was sent.
pub fn from_connect(error: &(dyn Error + 'static), what: &str) -> ConnectorError {
    let not_reached = ConnectorError::new(ErrorCode::Unavailable, format!("{what} was not sent: {}", cause(error)));
    match tls_error(error) {
        Some(rustls::Error::InvalidCertificate(_)) => not_reached
            .at("ca")
            .hint("set `ca` to the PEM file of the authority that issued the target's certificate, or correct the host in `url`"),
        Some(_) => not_reached.hint("the port in `url` may not speak TLS, or only an old version of it"),
        None => not_reached.hint("check host and port in `url`, and that the target runs and can be reached from here"),
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
