//! A running SCIM server that others wrote, the same to hold whichever it is. The modules `scim2_server` and `scimmy` start
//! one and say what is odd about it.

use crate::{Http, process::Process};

/// A SCIM server on the loopback address; stopped on drop.
#[derive(Debug)]
pub struct Peer {
    pub(crate) process: Process,
    pub(crate) port: u16,
    /// The path below which the protocol is served: `/v2`.
    pub(crate) path: &'static str,
    pub(crate) token: &'static str,
}

impl Peer {
    /// Where the protocol is served, without a trailing slash: `http://127.0.0.1:8080/v2`.
    pub fn base_url(&self) -> String {
        format!("{}{}", self.origin(), self.path)
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The bearer token that it accepts.
    pub fn token(&self) -> &str {
        self.token
    }

    /// A client for its base URL, with its token.
    pub fn http(&self) -> Http {
        Http::new(self.base_url(), Some(self.token))
    }

    /// The process group of everything that belongs to it, for whoever counts what it uses.
    pub fn group(&self) -> u32 {
        self.process.group()
    }

    /// Everything it has printed so far.
    pub fn log(&self) -> String {
        self.process.log()
    }
}
