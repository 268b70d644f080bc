//! LDAP directories (RFC 4510 to 4519): OpenLDAP, 389 Directory Server, Active Directory and
//! whatever follows the RFCs, as source and target.
//!
//! `config` the settings, `wire` the connections, `shape` what the server is like (its schema by `catalogue`), `value` and
//! `entry` its values and entries as ours, `template`, `names` and `keys` distinguished names and whose they are, `filter`, `page`, `range`
//! and `read` the questions, `feed` what changed (`sync`, `changelog`, `usn`), `modification` and `write` the changes, `fault` what its results mean. `docs.md` is for people who connect a directory.

mod address;
mod catalogue;
mod changelog;
mod check;
mod config;
mod entry;
mod fault;
mod feed;
mod filter;
mod keys;
mod modification;
mod names;
mod page;
mod profile;
mod range;
mod read;
mod session;
mod shape;
mod switch;
mod sync;
mod template;
mod usn;
mod value;
mod wire;
mod write;

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use provost_connector::{
    Connector, ConnectorError, Context, ErrorCode, Host, Manifest, Rerouted, Session, SettingProblem, Settings,
};

use crate::tls;
use config::{Config, Identity};
use session::LdapSession;
use wire::Wire;

/// The connector `ldap`.
pub struct LdapConnector {
    manifest: Manifest,
}

impl Default for LdapConnector {
    fn default() -> Self {
        Self {
            manifest: Manifest {
                name: "ldap".into(),
                title: "LDAP directory".into(),
                description:
                    "People and groups of OpenLDAP, 389 Directory Server, Active Directory and other LDAP directories"
                        .into(),
                source: true,
                target: true,
            },
        }
    }
}

#[async_trait]
impl Connector for LdapConnector {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn validate(&self, settings: &Settings) -> Vec<SettingProblem> {
        Config::read(settings).err().unwrap_or_default()
    }

    fn rerouted(&self, settings: &Settings, to: SocketAddr) -> Option<Rerouted> {
        settings.rerouted("url", &[("ldap", 389), ("ldaps", 636)], to)
    }

    async fn configure(&self, settings: Settings, host: Arc<dyn Host>) -> Result<Arc<dyn Session>, ConnectorError> {
        let config = Config::read(&settings).map_err(|problems| match problems.into_iter().next() {
            Some(problem) => problem.into(),
            None => ConnectorError::new(ErrorCode::InvalidConfig, "the settings cannot be read"),
        })?;
        let (mut password, mut certificate) = (None, None);
        match &config.identity {
            Identity::Anonymous => {}
            Identity::Simple(bind) => {
                let secret = host.secret(&bind.password.secret).await?;
                // A server lets anybody in who gives a name and no password, as nobody (RFC 4513 section 5.1.2).
                if secret.expose().is_empty() {
                    let message = format!("the secret `{}` is empty", bind.password.secret);
                    return Err(ConnectorError::new(ErrorCode::AuthFailed, message)
                        .at("bind.password")
                        .hint("set it with `provost secret set`, or leave `bind` out to stay anonymous"));
                }
                password = Some(secret);
            }
            Identity::Certificate(own) => {
                let key = host.secret(&own.key.secret).await?;
                let chain = std::fs::read(&own.cert).map_err(|error| {
                    let message = format!("cannot read {}: {error}", own.cert.display());
                    ConnectorError::new(ErrorCode::InvalidConfig, message).at("client_certificate.cert")
                })?;
                certificate = Some(tls::Identity::read(&chain, key.expose().as_bytes())?);
            }
        }
        let encrypted = config.start_tls || config.servers.iter().any(|server| server.encrypted);
        let tls = match encrypted {
            true => Some(Arc::new(tls::config(config.ca.as_deref(), certificate)?)),
            false => None,
        };
        let cx = Context::new("configure").within(config.timeout);
        let config = Arc::new(config);
        let wire = Wire::new(config.clone(), tls, password);
        let shape = shape::discover(&cx, &wire, &config).await?;
        Ok(Arc::new(LdapSession::new(config, wire, shape)))
    }
}
