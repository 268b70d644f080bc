//! The wiring: configuration, store, connections and engine, put together for a command that works on the data directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use provost_connector::{ConnectorError, Context, ErrorCode, Session};
use provost_directory::{Directory, Types};
use provost_engine::Engine;
use provost_engine::spec::JobSpec;
use provost_model::{JobName, SystemClock};
use provost_store::{Store, StoreOptions};

use crate::cli::Global;
use crate::config::Configuration;
use crate::connections::Configured;
use crate::error::{Error, Result};
use crate::output::Output;
use crate::problem::{Problem, shown};
use crate::secrets::Secrets;

/// All that a job needs.
pub struct Setup {
    pub configuration: Arc<Configuration>,
    pub store: Store,
    pub connections: Arc<Configured>,
    pub engine: Engine,
}

impl Setup {
    /// Reads the configuration and opens the store.
    pub async fn open(global: &Global) -> Result<Self> {
        let configuration = Configuration::load(&global.config)?;
        let store = open_store(global).await?;
        Ok(Self::new(configuration, store))
    }

    pub fn new(configuration: Configuration, store: Store) -> Self {
        let configuration = Arc::new(configuration);
        let host = Arc::new(Secrets::new(store.clone()));
        let connectors = provost_connectors::builtin();
        let connections = Arc::new(Configured::new(configuration.clone(), connectors, host, store.clone()));
        let engine = Engine::new(store.clone(), connections.clone(), Arc::new(SystemClock));
        Self { configuration, store, connections, engine }
    }

    /// A job that has no problem that could be found offline.
    pub fn job(&self, name: &str) -> Result<(&JobName, &JobSpec)> {
        let (name, spec) = self.configuration.job(name)?;
        let problems = self.configuration.check_one(name, spec, &provost_connectors::builtin());
        match problems.iter().any(Problem::is_error) {
            false => Ok((name, spec)),
            true => Err(Error::Problems(problems)),
        }
    }
}

/// Where the state is kept.
pub fn data_folder(global: &Global) -> PathBuf {
    match &global.data {
        Some(folder) => folder.clone(),
        None => global.config.parent().unwrap_or(Path::new("")).join("data"),
    }
}

/// The address of the store.
pub fn store_url(global: &Global) -> String {
    match &global.database {
        Some(url) => url.clone(),
        None => format!("sqlite:{}", data_folder(global).join("provost.db").display()),
    }
}

/// Opens the store; makes the data folder where there is none.
pub async fn open_store(global: &Global) -> Result<Store> {
    let folder = data_folder(global);
    let mut options = StoreOptions::default();
    if global.database.is_none() {
        make_private(&folder).map_err(|error| {
            Problem::new("PRV-0703", format!("cannot make the data folder `{}`: {error}", shown(&folder)))
                .hint("name another one with --data DIR")
        })?;
    } else {
        options.master_key = Some(folder.join("master.key"));
    }
    Ok(Store::open_with(&store_url(global), options).await?)
}

/// The same for commands that mean a store that is there or is about to be: not in a folder that has nothing of Provost's,
/// where a new and empty one would only look as if something had been done.
pub async fn open_existing(global: &Global) -> Result<Store> {
    let named = global.database.is_some() || global.data.is_some();
    if !named && !global.config.is_file() && !data_folder(global).is_dir() {
        let config = shown(&global.config);
        let message = format!("this folder has no configuration `{config}` and no data folder");
        let problem = Problem::new("PRV-0710", message);
        return Err(problem.hint("go where they are, or name one: --config FILE, --data DIR, --database URL").into());
    }
    open_store(global).await
}

/// It holds names, addresses and the master key: nobody else's business.
fn make_private(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// The directory as a connection; in a database file of its own where one is named.
pub async fn directory(store: &Store, file: Option<PathBuf>, types: Types) -> Result<Arc<dyn Session>, ConnectorError> {
    let store = match file {
        None => store.clone(),
        Some(path) => Store::open(&format!("sqlite:{}", path.display())).await.map_err(|error| {
            let failed = ConnectorError::new(ErrorCode::Unavailable, format!("cannot open the directory: {error}"));
            failed.at("database").hint("check the path and that the folder can be written to")
        })?,
    };
    Ok(Directory::with_types(store, Arc::new(SystemClock), types).session())
}

/// A context that Ctrl-C and SIGTERM cancel. The second one ends the program at once.
pub fn context(output: Output, trace: &str) -> Context {
    let context = Context::new(trace);
    let cancel = context.cancel.clone();
    tokio::spawn(async move {
        interrupted().await;
        output.note("stopping after what is under way; once more ends at once");
        cancel.cancel();
        interrupted().await;
        #[expect(
            clippy::disallowed_methods,
            reason = "asked for twice: what is under way is recovered by the next cycle"
        )]
        std::process::exit(130);
    });
    context
}

async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
