//! Connectors of one's own: a program, in any language, that speaks the contract over its standard streams.
//!
//! [`config`] the settings, `program` what is started and whether that is approved, [`link`] one child with its requests under
//! way, `child` its life, `keeper` when it is started again, `session` and `scan` the contract. The messages are `provost_connector::protocol`'s. `docs.md` is for those
//! who connect one, `docs/custom-connectors.md` for those who write one.

mod child;
mod config;
mod keeper;
mod link;
mod program;
mod scan;
mod session;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use provost_connector::layers::Answers;
use provost_connector::{
    Connector, ConnectorError, Context, ErrorCode, Host, Manifest, Secret, Session, SettingProblem, Settings,
};

use config::Config;
use keeper::{History, Keeper};
use session::ProcessSession;

pub use program::digest_of;

/// The connector `process`.
pub struct ProcessConnector {
    manifest: Manifest,
    /// How programs fared, by what they are: a session that could not be opened leaves nothing else behind.
    histories: Mutex<HashMap<String, Arc<History>>>,
}

impl Default for ProcessConnector {
    fn default() -> Self {
        Self {
            manifest: Manifest {
                name: "process".into(),
                title: "Program of your own".into(),
                description: "Whatever a program reads and writes that speaks the connector protocol".into(),
                source: true,
                target: true,
            },
            histories: Mutex::default(),
        }
    }
}

impl ProcessConnector {
    fn history(&self, config: &Config) -> Arc<History> {
        let key = format!("{}\n{:?}", config.approved.as_deref().unwrap_or_default(), config.settings);
        self.histories.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone()
    }
}

#[async_trait]
impl Connector for ProcessConnector {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Our own settings, the program's digest, and then what the program says of its settings.
    fn validate(&self, settings: &Settings) -> Vec<SettingProblem> {
        let config = match config::read(settings) {
            Ok(config) => config,
            Err(problems) => return problems,
        };
        if let Err(error) = program::approve(&config) {
            return vec![problem(error)];
        }
        ask_program(config).unwrap_or_else(|error| vec![problem(error)])
    }

    async fn configure(&self, settings: Settings, host: Arc<dyn Host>) -> Result<Arc<dyn Session>, ConnectorError> {
        let config = config::require(&settings)?;
        let history = self.history(&config);
        let keeper = Arc::new(Keeper::new(config, host, history));
        let cx = Context::new("configure");
        let capabilities = keeper.open(&cx).await?;
        // A program that skips an operation or answers in another order is held to the contract here, so that whoever uses
        // the session without the usual layers may rely on it.
        Ok(Arc::new(Answers::new(Arc::new(ProcessSession::new(keeper, capabilities)))))
    }
}

fn problem(error: ConnectorError) -> SettingProblem {
    SettingProblem { path: error.path.unwrap_or_default(), message: error.message, hint: error.hint }
}

/// Starts the program for this one question. In a thread of its own, since checks are no asynchronous work and may be made
/// from within such.
fn ask_program(config: Config) -> Result<Vec<SettingProblem>, ConnectorError> {
    let failed = |what: String| ConnectorError::new(ErrorCode::Internal, format!("the program was not asked: {what}"));
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| failed(error.to_string()))?;
        runtime.block_on(async {
            let keeper = Keeper::new(config, Arc::new(NoSecrets), Arc::default());
            let problems = keeper.validate(&Context::new("validate")).await;
            keeper.close().await;
            problems
        })
    });
    thread.join().unwrap_or_else(|_| Err(ConnectorError::new(ErrorCode::Internal, "the program was not asked")))
}

/// Settings are checked without secrets.
struct NoSecrets;

#[async_trait]
impl Host for NoSecrets {
    async fn secret(&self, handle: &str) -> Result<Secret, ConnectorError> {
        let message = format!("the secret `{handle}` is not given out while settings are checked");
        Err(ConnectorError::new(ErrorCode::NotSupported, message))
    }
}
