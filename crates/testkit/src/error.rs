//! What can go wrong while a peer is started or spoken to. These errors are read by developers in a failed test, so they
//! carry the end of the peer's log. They have no `PRV` number: no user of Provost ever meets them.

use std::{fmt, io, time::Duration};

/// Why a peer could not be started, or did not answer.
#[derive(thiserror::Error)]
pub enum Error {
    /// A program that `make deps` brings is not there.
    #[error("{what} is not installed: looked for {looked}\nhint: run `make deps`")]
    Missing { what: &'static str, looked: String },

    /// The operating system refused something while the peer was prepared.
    #[error("cannot {action} for {peer}: {source}")]
    System { peer: String, action: &'static str, source: io::Error },

    /// The peer ended before it was ready.
    #[error("{peer} ended with status {status} before it was ready; its log ends with:\n{log}")]
    Died { peer: String, status: String, log: String },

    /// The peer runs, but did not become ready in time.
    #[error("{peer} was not ready after {after:?}; its log ends with:\n{log}")]
    NotReady { peer: String, after: Duration, log: String },

    /// A certificate could not be made.
    #[error("cannot make a certificate: {reason}")]
    Certificate { reason: String },

    /// A request got no answer.
    #[error("{method} {url} got no answer: {reason}")]
    NoAnswer { method: String, url: String, reason: String },

    /// A statement sent through the peer's own client failed.
    #[error("the client failed on {url}: {reason}\nstatement: {statement}")]
    Statement { url: String, statement: String, reason: String },
}

/// The message itself, since what a developer sees of it is mostly a failed `unwrap`.
impl fmt::Debug for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{self}")
    }
}

impl Error {
    /// For `map_err`: an operating system error, while doing `action` for `peer`.
    pub(crate) fn system(peer: &str, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { peer: peer.to_owned(), action, source }
    }
}
