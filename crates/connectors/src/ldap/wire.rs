//! Connections to the server: opened when one is needed, signed in, used by one conversation at a time, kept for the next.
//!
//! The library's parsers of controls panic on malformed answers, so each conversation is a task of its own whose end,
//! however it ends, is an answer or an error.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ldap3::controls::RawControl;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError};
use provost_connector::{ConnectorError, Context, ErrorCode, Secret};
use rustls::ClientConfig;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::address::Server;
use super::config::{Config, Identity};
use super::fault::{self, Effect};

/// LDAP_SERVER_DOMAIN_SCOPE_OID (MS-ADTS section 3.1.1.3.4.1.4).
const DOMAIN_SCOPE: &str = "1.2.840.113556.1.4.1339";
const CONNECT: Duration = Duration::from_secs(10);

pub struct Wire {
    config: Arc<Config>,
    tls: Option<Arc<ClientConfig>>,
    password: Option<Secret>,
    idle: Mutex<Vec<Ldap>>,
    slots: Semaphore,
    /// The server that answered last.
    preferred: AtomicUsize,
    /// Searches are to stay within one naming context.
    one_context: AtomicBool,
}

/// What a conversation came to, and whether its connection is still good.
pub type Said<T> = Result<T, LdapError>;

impl Wire {
    pub fn new(config: Arc<Config>, tls: Option<Arc<ClientConfig>>, password: Option<Secret>) -> Self {
        let slots = Semaphore::new(config.max_in_flight);
        Self {
            config,
            tls,
            password,
            idle: Mutex::default(),
            slots,
            preferred: AtomicUsize::new(0),
            one_context: AtomicBool::new(false),
        }
    }

    /// An Active Directory refers to its other naming contexts at every search from the top; those are not asked for.
    pub fn stay_in_one_context(&self) {
        self.one_context.store(true, Ordering::Relaxed);
    }

    /// The controls of every search.
    pub fn controls(&self) -> Vec<RawControl> {
        match self.one_context.load(Ordering::Relaxed) {
            true => vec![RawControl { ctype: DOMAIN_SCOPE.to_owned(), crit: true, val: None }],
            false => Vec::new(),
        }
    }

    /// One conversation. `what` is for messages.
    pub async fn converse<T, F>(
        &self,
        cx: &Context,
        what: &str,
        effect: Effect,
        talk: impl FnOnce(Ldap) -> F + Send,
    ) -> Result<T, ConnectorError>
    where
        T: Send + 'static,
        F: Future<Output = Said<T>> + Send + 'static,
    {
        cx.check()?;
        let _slot = self.slots.acquire().await.map_err(|_| ConnectorError::new(ErrorCode::Internal, "closed"))?;
        let end = self.end(cx);
        let ldap = self.connection(cx).await?;
        let mut task = tokio::spawn(talk(ldap.clone()));
        let server = &self.config.server;
        tokio::select! {
            said = &mut task => match said {
                Ok(Ok(value)) => {
                    self.keep(ldap);
                    Ok(value)
                }
                Ok(Err(error)) => {
                    if let LdapError::LdapResult { .. } = error {
                        self.keep(ldap);
                    }
                    Err(fault::of_error(&error, what, server, effect))
                }
                Err(_) => {
                    let message = format!("{what}: {server} answered what cannot be read");
                    let code = if effect == Effect::Writes { ErrorCode::UnknownOutcome } else { ErrorCode::Protocol };
                    Err(ConnectorError::new(code, message).hint("check that `url` leads to an LDAP server"))
                }
            },
            () = cx.cancel.cancelled() => {
                task.abort();
                Err(self.late(what, effect, ErrorCode::Cancelled, "cancelled"))
            }
            () = tokio::time::sleep_until(end.into()) => {
                task.abort();
                Err(self.late(what, effect, ErrorCode::Timeout, "no answer in time"))
            }
        }
    }

    /// When this call stops waiting.
    pub fn end(&self, cx: &Context) -> Instant {
        let own = Instant::now() + self.config.timeout;
        cx.deadline.map_or(own, |deadline| deadline.min(own))
    }

    fn late(&self, what: &str, effect: Effect, code: ErrorCode, why: &str) -> ConnectorError {
        let code = if effect == Effect::Writes { ErrorCode::UnknownOutcome } else { code };
        ConnectorError::new(code, format!("{what} at {}: {why}", self.config.server))
    }

    /// A connection that somebody has used before, or a new one.
    async fn connection(&self, cx: &Context) -> Result<Ldap, ConnectorError> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(mut ldap) = idle else { break };
            if !ldap.is_closed() {
                return Ok(ldap);
            }
        }
        self.open(cx).await
    }

    /// A new connection, signed in, for one user alone: a scan keeps its own from the first page to the last.
    pub async fn open(&self, cx: &Context) -> Result<Ldap, ConnectorError> {
        tokio::select! {
            opened = self.sign_in() => opened,
            () = cx.cancel.cancelled() => Err(ConnectorError::new(ErrorCode::Cancelled, "cancelled")),
            () = tokio::time::sleep_until(self.end(cx).into()) => {
                Err(ConnectorError::new(ErrorCode::Timeout, format!("{} does not answer", self.config.server)))
            }
        }
    }

    /// The server that answered last comes first; who cannot be reached is passed over as long as there is another.
    async fn sign_in(&self) -> Result<Ldap, ConnectorError> {
        let servers = &self.config.servers;
        let first = self.preferred.load(Ordering::Relaxed);
        let mut failed = None;
        for at in (0..servers.len()).map(|step| (first + step) % servers.len()) {
            match self.open_at(&servers[at]).await {
                Ok(ldap) => {
                    self.preferred.store(at, Ordering::Relaxed);
                    return Ok(ldap);
                }
                Err(error) if error.code == ErrorCode::Unavailable => failed = failed.or(Some(error)),
                Err(error) => return Err(error),
            }
        }
        Err(failed.unwrap_or_else(|| ConnectorError::new(ErrorCode::Internal, "no server is configured")))
    }

    /// In a task of its own as well: the answer to a sign-in may be what the library's parsers break at.
    async fn open_at(&self, server: &Server) -> Result<Ldap, ConnectorError> {
        let mut task = JoinSet::new();
        let (config, tls, password) = (self.config.clone(), self.tls.clone(), self.password.clone());
        let (there, name) = (server.clone(), &server.name);
        task.spawn(async move { sign_in_at(&config, tls, password.as_ref(), &there).await });
        let said = async {
            match task.join_next().await {
                Some(Ok(opened)) => opened,
                _ => {
                    let message = format!("{name} answered what cannot be read");
                    Err(ConnectorError::new(ErrorCode::Protocol, message)
                        .hint("check that `url` leads to an LDAP server"))
                }
            }
        };
        // All of them get their turn within the time of one call; the only one has all of it.
        if self.config.servers.len() == 1 {
            return said.await;
        }
        tokio::time::timeout(share(&self.config), said)
            .await
            .unwrap_or_else(|_| Err(ConnectorError::new(ErrorCode::Unavailable, format!("{name} does not answer"))))
    }

    fn keep(&self, ldap: Ldap) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(ldap);
    }
}

fn share(config: &Config) -> Duration {
    config.timeout / u32::try_from(config.servers.len()).unwrap_or(u32::MAX).max(1)
}

async fn sign_in_at(
    config: &Config,
    tls: Option<Arc<ClientConfig>>,
    password: Option<&Secret>,
    server: &Server,
) -> Result<Ldap, ConnectorError> {
    let mut settings =
        LdapConnSettings::new().set_conn_timeout(CONNECT.min(share(config))).set_starttls(config.start_tls);
    if let Some(tls) = tls {
        settings = settings.set_config(tls);
    }
    let opened = LdapConnAsync::with_settings(settings, &server.url).await;
    let server = &server.name;
    let (driver, mut ldap) = opened.map_err(|error| fault::of_connect(&error, server))?;
    tokio::spawn(async move {
        if let Err(error) = driver.drive().await {
            tracing::debug!(%error, "an LDAP connection ended");
        }
    });
    let result = match &config.identity {
        Identity::Anonymous => return Ok(ldap),
        Identity::Simple(bind) => ldap.simple_bind(&bind.dn, password.map_or("", Secret::expose)).await,
        Identity::Certificate(_) => ldap.sasl_external_bind().await,
    };
    let what = match &config.identity {
        Identity::Simple(bind) => format!("{} does not let `{}` in", server, bind.dn),
        _ => format!("{server} does not let the certificate in"),
    };
    match result {
        Ok(result) if result.rc == 0 => Ok(ldap),
        Ok(result) => Err(fault::of_result(&result, &what)),
        Err(error) => Err(fault::of_error(&error, &what, server, Effect::Reads)),
    }
}
