//! What all requests share.

use std::collections::BTreeMap;
use std::sync::Arc;

use provost_connector::Secret;
use provost_directory::Directory;
use provost_model::{ClassName, Clock, ConnectionName, JobName, Text};
use provost_push::Inbox;
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
    pub inbox: Inbox,
    pub jobs: Arc<BTreeMap<JobName, JobEntry>>,
}

/// What the service has to know of a job.
#[derive(Debug, Clone, Default)]
pub struct JobEntry {
    /// Its source, where that is one to push into.
    pub pushed: Option<ConnectionName>,
    /// Whether it runs by itself.
    pub is_scheduled: bool,
    /// The endpoints of the SCIM service where its accounts are, by class of the source, if they are there.
    pub endpoints: BTreeMap<ClassName, Text>,
}

impl ServerState {
    /// Needs a tokio runtime: writes go through a task that commits what arrives together in one transaction.
    pub fn new(directory: Directory, store: Store, clock: Arc<dyn Clock>, token: Token) -> Self {
        let metrics = Arc::new(Metrics::default());
        let writer = Writer::start(directory.clone().keep_unknown_members(), metrics.clone());
        let (tokens, cursors, fixed) = (Arc::default(), Arc::default(), Arc::new(Client::fixed()));
        let inbox = Inbox::new(store.clone(), clock.clone(), directory.types().public_registry().clone());
        let (public_url, jobs) = (None, Arc::default());
        Self(Arc::new(Inner {
            directory,
            store,
            clock,
            token,
            tokens,
            fixed,
            cursors,
            public_url,
            writer,
            metrics,
            inbox,
            jobs,
        }))
    }

    /// The jobs of the configuration.
    pub fn jobs(mut self, jobs: BTreeMap<JobName, JobEntry>) -> Self {
        Arc::make_mut(&mut self.0).jobs = Arc::new(jobs);
        self
    }

    /// The base of all addresses in answers, `https://id.example.org`, for a server behind a proxy. Else answers repeat
    /// the host that the request names, with `http`.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        let url: String = url.into();
        Arc::make_mut(&mut self.0).public_url = Some(url.trim_end_matches('/').to_owned());
        self
    }
}
