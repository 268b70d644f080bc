//! Keeps a program running for one connection: starts it when it is needed, again after it ended, not too soon, and not at
//! all for a while when it ended too often.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use provost_connector::protocol::params::{Configured, Initialize, Initialized, Validated};
use provost_connector::protocol::{VARIABLE, VERSION, is_spoken, method};
use provost_connector::{Capabilities, ConnectorError, Context, ErrorCode, Host, Scope, SettingProblem};
use tokio::sync::mpsc;

use super::config::Config;
use super::link::{End, Link};
use super::program::{Kind, Program};
use super::{child, program};
use crate::program::launch::{Launch, Launched, launch};
use crate::program::secrets::Secrets;
use crate::program::{LOOK, overdue};

/// Lines that may wait for a program that does not read.
const MOST_LINES: usize = 16;

/// So many ends within this time park the connection for as long.
const MOST_CRASHES: usize = 3;
const WINDOW: Duration = Duration::from_secs(600);

/// The wait before a program is started again; four times as long after the next end.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// When a program ended without being asked to, and why.
#[derive(Debug, Default)]
pub(super) struct History(Mutex<VecDeque<(Instant, String)>>);

impl History {
    pub fn note(&self, end: &End) {
        let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ends.push_back((Instant::now(), end.why.clone()));
        if ends.len() > MOST_CRASHES {
            ends.pop_front();
        }
    }

    /// How long to wait before the next start; an error when there is none for now.
    fn wait(&self, name: &str) -> Result<Duration, ConnectorError> {
        let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ends.retain(|(at, _)| at.elapsed() < WINDOW);
        let Some((last, why)) = ends.back() else { return Ok(Duration::ZERO) };
        if ends.len() >= MOST_CRASHES {
            let left = WINDOW.saturating_sub(last.elapsed()).as_secs().div_ceil(60).max(1);
            let minutes = WINDOW.as_secs() / 60;
            let message = format!(
                "the program `{name}` ended {MOST_CRASHES} times within {minutes} minutes and is not started again before {left} \
                 minutes from now; the last time {why}"
            );
            return Err(ConnectorError::new(ErrorCode::Internal, message).scope(Scope::Job).hint(LOOK));
        }
        let wait = FIRST_WAIT * 4u32.pow(ends.len() as u32 - 1);
        Ok(wait.saturating_sub(last.elapsed()))
    }
}

/// The program of one connection.
pub(super) struct Keeper {
    pub config: Config,
    host: Arc<dyn Host>,
    history: Arc<History>,
    current: tokio::sync::Mutex<Option<Arc<Link>>>,
    /// For whoever lets go of the keeper without waiting.
    last: Mutex<Option<Arc<Link>>>,
    first: OnceLock<Capabilities>,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(link) = self.last.lock().unwrap_or_else(PoisonError::into_inner).take() {
            link.stop.cancel();
        }
    }
}

impl Keeper {
    pub fn new(config: Config, host: Arc<dyn Host>, history: Arc<History>) -> Self {
        Self { config, host, history, current: Default::default(), last: Default::default(), first: OnceLock::new() }
    }

    /// Starts the program for the first time.
    pub async fn open(&self, cx: &Context) -> Result<Capabilities, ConnectorError> {
        self.link(cx).await?;
        self.first
            .get()
            .cloned()
            .ok_or_else(|| ConnectorError::new(ErrorCode::Internal, "nothing is known of the program"))
    }

    /// The running program, configured; it is started where it does not run.
    pub async fn link(&self, cx: &Context) -> Result<Arc<Link>, ConnectorError> {
        let mut current = tokio::select! {
            current = self.current.lock() => current,
            error = overdue(cx) => return Err(error),
        };
        if let Some(link) = current.as_ref().filter(|link| link.is_alive()) {
            return Ok(link.clone());
        }
        if let Some(dead) = current.take() {
            // It may still be on its way out, and its end has to be noted first.
            tokio::select! {
                () = dead.gone.cancelled() => {}
                error = overdue(cx) => return Err(error),
            }
        }
        let (link, program) = self.start(cx).await?;
        match self.configure(cx, &link, &program).await {
            Ok(()) => {
                *current = Some(link.clone());
                Ok(link)
            }
            Err(error) => {
                link.stop.cancel();
                Err(error)
            }
        }
    }

    /// Asks the program what it says of its settings.
    pub async fn validate(&self, cx: &Context) -> Result<Vec<SettingProblem>, ConnectorError> {
        let (link, _) = self.start(cx).await?;
        let found: Result<Validated, _> = link.call(cx, method::VALIDATE, &self.config.settings, false).await;
        let under = |problem: SettingProblem| {
            let path =
                if problem.path.is_empty() { "settings".into() } else { format!("settings.{}", problem.path).into() };
            SettingProblem { path, ..problem }
        };
        Ok(found?.problems.into_iter().map(under).collect())
    }

    /// Ends the program and waits for that.
    pub async fn close(&self) {
        let link = self.last.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(link) = link {
            link.stop.cancel();
            link.gone.cancelled().await;
        }
    }

    async fn start(&self, cx: &Context) -> Result<(Arc<Link>, Program), ConnectorError> {
        let config = self.config.clone();
        // Each time anew: a program that was changed since must not come in by a crash.
        let program = tokio::task::spawn_blocking(move || program::approve(&config)).await.map_err(|error| {
            ConnectorError::new(ErrorCode::Internal, format!("the program was not looked at: {error}"))
        })??;
        let wait = self.history.wait(&program.name)?;
        if !wait.is_zero() {
            cx.sleep(wait).await?;
        }
        let launched = self.launch(&program)?;
        tracing::debug!(program = program.name, digest = program.digest, "the program is started");
        let (out, lines) = mpsc::channel(MOST_LINES);
        let secrets = Arc::new(Secrets::new(self.host.clone(), self.config.settings.values.values()));
        let link = Arc::new(Link::new(program.name.clone(), self.config.limits.clone(), secrets, out));
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(link.clone());
        child::run(link.clone(), launched, lines, self.history.clone());
        match self.greet(cx, &link).await {
            Ok(()) => Ok((link, program)),
            Err(error) => {
                link.stop.cancel();
                // Nobody's data has been seen yet, so what it wrote may be told.
                let words = link.last_error_line().map(|line| format!("; it wrote: {line}")).unwrap_or_default();
                Err(ConnectorError { message: format!("{}{words}", error.message), ..error })
            }
        }
    }

    fn launch(&self, program: &Program) -> Result<Launched, ConnectorError> {
        let Config { environment, folder, limits, .. } = &self.config;
        launch(&Launch {
            name: &program.name,
            argv: &program.argv,
            environment: environment.iter().chain(&program.environment).map(String::as_str).collect(),
            set: (VARIABLE, "1"),
            folder: folder.as_deref(),
            memory: limits.memory,
            cpu: limits.cpu,
        })
    }

    async fn greet(&self, cx: &Context, link: &Arc<Link>) -> Result<(), ConnectorError> {
        let hello = Initialize {
            pcp: VERSION.into(),
            max_line: self.config.limits.max_line,
            host: concat!("provost ", env!("CARGO_PKG_VERSION")).into(),
        };
        let said: Initialized = link.call(cx, method::INITIALIZE, &hello, false).await?;
        if !is_spoken(&said.pcp) {
            let version = said.pcp.escape_debug();
            let message =
                format!("the program `{}` speaks version {version} of the protocol, this host {VERSION}", link.name);
            return Err(
                ConnectorError::new(ErrorCode::Protocol, message).hint("get a version of the program that fits")
            );
        }
        link.child_line.store(said.max_line, std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }

    async fn configure(&self, cx: &Context, link: &Arc<Link>, program: &Program) -> Result<(), ConnectorError> {
        let Configured { capabilities } = link.call(cx, method::CONFIGURE, &self.config.settings, false).await?;
        let capabilities = self.bound(capabilities, program.kind);
        link.places.add_permits(capabilities.max_in_flight - 1);
        let first = self.first.get_or_init(|| capabilities.clone());
        if *first == capabilities {
            return Ok(());
        }
        let message = format!("the program `{}` can do something else than before it was started again", link.name);
        Err(ConnectorError::new(ErrorCode::SchemaChanged, message).hint("start Provost again, so that its jobs know"))
    }

    /// What of its abilities is used: what the settings and the manifest allow.
    fn bound(&self, mut capabilities: Capabilities, kind: Kind) -> Capabilities {
        let most = self.config.limits.max_in_flight.unwrap_or(usize::MAX).min(1_000);
        capabilities.max_in_flight = capabilities.max_in_flight.clamp(1, most);
        capabilities.max_batch = capabilities.max_batch.max(1);
        capabilities.max_lookup = capabilities.max_lookup.max(1);
        if kind == Kind::Source {
            for class in &mut capabilities.classes {
                (class.create, class.update, class.delete, class.enablement) = (false, false, false, None);
            }
        }
        capabilities
    }
}
