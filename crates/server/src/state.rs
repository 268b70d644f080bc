//! What all requests share.

use std::sync::Arc;

use provost_connector::Secret;
use provost_directory::Directory;
use provost_model::Clock;
use provost_store::Store;

use crate::auth::{Client, Tokens};
use crate::metrics::Metrics;
use crate::scim::CursorKey;
use crate::writer::Writer;

/// Who may call.
#[derive(Clone)]
pub enum Token {
    /// Tokens of the store, made by `provost token create`. One that is revoked works for some seconds more.
    Stored,
    /// This one token: for an application that is played on loopback.
    Fixed(Secret),
}

/// Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct ServerState(pub(crate) Arc<Inner>);

#[derive(Clone)]
pub(crate) struct Inner {
    pub directory: Directory,
    pub store: Store,
    pub clock: Arc<dyn Clock>,
    pub token: Token,
    pub tokens: Arc<Tokens>,
    /// Whoever has the fixed token.
    pub fixed: Arc<Client>,
    pub cursors: Arc<CursorKey>,
    /// The address that clients use, where it is not the one of the request.
    pub public_url: Option<String>,
    pub writer: Writer,
    pub metrics: Arc<Metrics>,
}

impl ServerState {
    /// Needs a tokio runtime: writes go through a task that commits what arrives together in one transaction.
    pub fn new(directory: Directory, store: Store, clock: Arc<dyn Clock>, token: Token) -> Self {
        let metrics = Arc::new(Metrics::default());
        let writer = Writer::start(directory.clone().keep_unknown_members(), metrics.clone());
        let (tokens, cursors, fixed) = (Arc::default(), Arc::default(), Arc::new(Client::fixed()));
        let public_url = None;
        Self(Arc::new(Inner { directory, store, clock, token, tokens, fixed, cursors, public_url, writer, metrics }))
    }

    /// The base of all addresses in answers, `https://id.example.org`, for a server behind a proxy. Else answers repeat
    /// the host that the request names, with `http`.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        let url: String = url.into();
        Arc::make_mut(&mut self.0).public_url = Some(url.trim_end_matches('/').to_owned());
        self
    }
}
