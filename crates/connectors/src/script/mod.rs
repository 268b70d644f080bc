//! A set of scripts as a connection: one lists the classes, one writes the objects, one takes operations; each call is a
//! process of its own. For what talks all the time see the connector `process`.
//!
//! [`config`] the settings, [`scripts`] what is started and whether that is approved, [`step`] one process from its first to its
//! last line, [`table`] rows of CSV, `read` the import, `write` the export, `session` the contract. Values go to scripts on
//! standard input alone, never into a command or an environment. `docs.md` is for those who write the scripts.

mod config;
mod line;
mod read;
mod scripts;
mod session;
mod step;
mod table;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use provost_connector::layers::Answers;
use provost_connector::{
    Connector, ConnectorError, Context, ErrorCode, Host, Manifest, Session, SettingProblem, Settings,
};

use scripts::Scripts;
use session::ScriptSession;

pub use scripts::digest_of;

/// The connector `script`.
pub struct ScriptConnector {
    manifest: Manifest,
}

impl Default for ScriptConnector {
    fn default() -> Self {
        Self {
            manifest: Manifest {
                name: "script".into(),
                title: "Scripts".into(),
                description: "Whatever scripts read and write: PowerShell, Python, shell, any interpreter".into(),
                source: true,
                target: true,
            },
        }
    }
}

#[async_trait]
impl Connector for ScriptConnector {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Our own settings, the scripts' digest, and then what the script `validate` says of its parameters.
    fn validate(&self, settings: &Settings) -> Vec<SettingProblem> {
        let config = match config::read(settings) {
            Ok(config) => config,
            Err(problems) => return problems,
        };
        let checked = Scripts::approve(config).and_then(ask_script);
        checked.unwrap_or_else(|error| {
            vec![SettingProblem { path: error.path.unwrap_or_default(), message: error.message, hint: error.hint }]
        })
    }

    async fn configure(&self, settings: Settings, host: Arc<dyn Host>) -> Result<Arc<dyn Session>, ConnectorError> {
        let config = config::require(&settings)?;
        let scripts = Scripts::approve_aside(config).await?;
        let session = ScriptSession::open(&Context::new("configure"), scripts, host).await?;
        Ok(Arc::new(Answers::new(Arc::new(session))))
    }
}

/// In a thread of its own, since checks are no asynchronous work and may be made from within such.
fn ask_script(scripts: Scripts) -> Result<Vec<SettingProblem>, ConnectorError> {
    if scripts.config.scripts.validate.is_none() {
        return Ok(Vec::new());
    }
    let failed = |what: &str| ConnectorError::new(ErrorCode::Internal, format!("the script was not asked: {what}"));
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| failed(&error.to_string()))?.block_on(session::validate(&scripts))
    });
    thread.join().unwrap_or_else(|_| Err(failed("it stopped")))
}
