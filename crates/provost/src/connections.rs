//! Sessions of configured connections: opened on first use, kept, with the usual layers around each.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use provost_connector::layers::{RetryPolicy, stack};
use provost_connector::{Connector, ConnectorError, Context, ErrorCode, Host, Session};
use provost_engine::Connections;
use provost_model::ConnectionName;
use provost_push::CONNECTOR;
use provost_store::Store;
use tokio::sync::{Mutex, OnceCell};

use crate::config::{Configuration, DIRECTORY};

/// All connections of a configuration.
pub struct Configured {
    configuration: Arc<Configuration>,
    connectors: Vec<Arc<dyn Connector>>,
    host: Arc<dyn Host>,
    store: Store,
    /// One cell per name, so that a slow system keeps only those waiting who want it.
    sessions: Mutex<HashMap<ConnectionName, Slot>>,
}

type Slot = Arc<OnceCell<Arc<dyn Session>>>;

impl Configured {
    pub fn new(
        configuration: Arc<Configuration>,
        connectors: Vec<Arc<dyn Connector>>,
        host: Arc<dyn Host>,
        store: Store,
    ) -> Self {
        Self { configuration, connectors, host, store, sessions: Mutex::default() }
    }

    async fn open(&self, name: &ConnectionName) -> Result<Arc<dyn Session>, ConnectorError> {
        let spec = self.configuration.connections.get(name);
        let session = match spec {
            Some(spec) if spec.connector == CONNECTOR => {
                let settings = self.configuration.settings(spec).read()?;
                let registry = self.configuration.types.public_registry().clone();
                provost_push::session(self.store.clone(), name.clone(), &settings, registry)
            }
            Some(spec) if spec.connector != DIRECTORY => {
                let connector = self.connectors.iter().find(|connector| connector.manifest().name == spec.connector);
                let missing = || {
                    let message = format!("there is no connector `{}`", spec.connector);
                    ConnectorError::new(ErrorCode::InvalidConfig, message).at("connector")
                };
                let connector = connector.ok_or_else(missing)?;
                // Opening asks the system what it is like, which may fail in passing as any other request.
                let open = || connector.configure(self.configuration.settings(spec), self.host.clone());
                RetryPolicy::default().repeat(&Context::new("configure"), open).await?
            }
            None if name != DIRECTORY => {
                let message = format!("there is no connection `{name}`");
                return Err(
                    ConnectorError::new(ErrorCode::InvalidConfig, message).hint("declare it under `connections:`")
                );
            }
            _ => {
                let file = spec.and_then(|spec| self.configuration.directory_file(spec));
                crate::setup::directory(&self.store, file, self.configuration.types.clone()).await?
            }
        };
        Ok(stack(session, RetryPolicy::default(), None))
    }
}

#[async_trait]
impl Connections for Configured {
    async fn session(&self, name: &ConnectionName) -> Result<Arc<dyn Session>, ConnectorError> {
        let slot = self.sessions.lock().await.entry(name.clone()).or_default().clone();
        slot.get_or_try_init(|| self.open(name)).await.cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setup::Setup;

    #[tokio::test]
    async fn what_a_connection_may_ask_for_is_shared_by_all_its_jobs() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("people.csv"), "id\n1\n").unwrap();
        let file = folder.path().join("provost.yaml");
        std::fs::write(&file, "connections:\n  hr: { connector: file, path: people.csv, key: id }\n").unwrap();
        let store = Store::open("sqlite::memory:").await.unwrap();
        let setup = Setup::new(Configuration::load(&file).unwrap(), store);
        // Pace and number of requests under way are counted by the layers around the session, so it has to be one.
        let [one, other] =
            [setup.connections.session(&"hr".into()).await, setup.connections.session(&"hr".into()).await];
        assert!(Arc::ptr_eq(&one.unwrap(), &other.unwrap()));
    }
}
