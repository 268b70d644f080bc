//! Any system that speaks SCIM 2.0 (RFC 7643, 7644, 9865), as target and as source.
//!
//! What is SCIM as data (bodies, answers, schemas, the dialect of a target) is `provost-scim`; what is HTTP is
//! [`crate::http`]. Here the two meet: [`config`] the settings, [`discovery`] what the target says about itself, `read`,
//! `lookup`, `find`, `count`, `scan`, `write` and `bulk` the requests, `walk` and `members` the doubt about what was read,
//! [`refusal`] what the target's errors mean. Nothing is retried here, and no rate is kept: layers do that. `docs.md` is for people who connect a target.

mod bulk;
mod config;
mod count;
mod discovery;
mod find;
mod lookup;
mod members;
pub mod probe;
mod read;
mod refusal;
mod scan;
mod session;
mod test;
mod walk;
mod wire;
mod write;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use provost_connector::{
    Connector, ConnectorError, Context, ErrorCode, Host, Manifest, Rerouted, Session, SettingProblem, Settings,
};

use crate::http::header::HeaderMap;
use crate::http::{Certificate, Client, Identity, Options};
use config::Config;
use session::ScimSession;

/// The longest answer, in bytes: a group of half a million members, or a page of a thousand rich users.
const MAX_ANSWER: usize = 64 << 20;

/// The longest answer of a token endpoint, in bytes.
const MAX_TOKEN: usize = 64 << 10;

async fn identity(certificate: &Certificate, host: &dyn Host) -> Result<Identity, ConnectorError> {
    let key = host.secret(&certificate.key.secret).await?;
    let chain = std::fs::read(&certificate.cert).map_err(|error| {
        ConnectorError::new(ErrorCode::InvalidConfig, format!("cannot read {}: {error}", certificate.cert.display()))
            .at("client_certificate.cert")
    })?;
    Identity::read(&chain, key.expose().as_bytes())
}

/// The client of a connection; does not go online.
async fn client(config: Config, host: &dyn Host) -> Result<Client, ConnectorError> {
    let identity = match &config.certificate {
        Some(certificate) => Some(identity(certificate, host).await?),
        None => None,
    };
    let options = Options {
        base: config.base,
        headers: config.headers,
        ca: config.ca,
        identity,
        timeout: config.timeout,
        connect_timeout: config.timeout.min(Duration::from_secs(10)),
        max_in_flight: config.dialect.max_in_flight,
        limits: config.limits,
        max_answer: MAX_ANSWER,
    };
    let asking = Options {
        base: options.base.clone(),
        headers: HeaderMap::new(),
        ca: options.ca.clone(),
        identity: None,
        max_in_flight: 1,
        limits: Vec::new(),
        max_answer: MAX_TOKEN,
        ..options
    };
    let grant = config.auth.grant(host, asking).await?;
    let client = Client::new(options, config.auth.headers(host).await?)?;
    Ok(match grant {
        Some(grant) => client.with_grant(grant),
        None => client,
    })
}

/// The connector `scim`.
pub struct ScimConnector {
    manifest: Manifest,
}

impl Default for ScimConnector {
    fn default() -> Self {
        Self {
            manifest: Manifest {
                name: "scim".into(),
                title: "SCIM 2.0".into(),
                description: "Users and groups of any system that speaks SCIM 2.0".into(),
                source: true,
                target: true,
            },
        }
    }
}

#[async_trait]
impl Connector for ScimConnector {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn validate(&self, settings: &Settings) -> Vec<SettingProblem> {
        Config::read(settings).err().unwrap_or_default()
    }

    fn rerouted(&self, settings: &Settings, to: SocketAddr) -> Option<Rerouted> {
        settings.rerouted("url", &[("http", 80), ("https", 443)], to)
    }

    async fn configure(&self, settings: Settings, host: Arc<dyn Host>) -> Result<Arc<dyn Session>, ConnectorError> {
        let config = Config::require(&settings)?;
        let (dialect, given, timeout) = (config.dialect.clone(), config.given.clone(), config.timeout);
        let client = client(config, &*host).await?;
        let cx = Context::new("configure").within(timeout);
        let found = discovery::discover(&cx, &client, dialect, &given).await?;
        Ok(Arc::new(ScimSession::new(client, found)))
    }
}
