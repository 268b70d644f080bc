//! What all requests share.

use std::sync::Arc;

use provost_connector::Secret;
use provost_directory::Directory;
use provost_model::Clock;
use provost_store::Store;

use crate::metrics::Metrics;
use crate::writer::Writer;

/// Who may call.
#[derive(Clone)]
pub enum Token {
    /// Tokens of the store, made by `provost token create`.
    Stored,
    /// This one token: for an application that is played on loopback.
    Fixed(Secret),
}

/// Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct ServerState(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub directory: Directory,
    pub store: Store,
    pub clock: Arc<dyn Clock>,
    pub token: Token,
    /// The address that clients use, where it is not the one of the request.
    pub public_url: Option<String>,
    pub writer: Writer,
    pub metrics: Arc<Metrics>,
}

impl ServerState {
    /// Needs a tokio runtime: writes go through a task that commits what arrives together in one transaction.
    pub fn new(directory: Directory, store: Store, clock: Arc<dyn Clock>, token: Token) -> Self {
        let metrics = Arc::new(Metrics::default());
        let writer = Writer::start(directory.clone(), metrics.clone());
        Self(Arc::new(Inner { directory, store, clock, token, public_url: None, writer, metrics }))
    }

    /// The base of all addresses in answers, without a slash at its end.
    pub fn public_url(self, url: impl Into<String>) -> Self {
        let inner = &self.0;
        Self(Arc::new(Inner {
            directory: inner.directory.clone(),
            store: inner.store.clone(),
            clock: inner.clock.clone(),
            token: inner.token.clone(),
            public_url: Some(url.into()),
            writer: inner.writer.clone(),
            metrics: inner.metrics.clone(),
        }))
    }
}
