//! The built-in connectors, one folder each, all of one shape: `mod` (manifest, configure), `config`, `read`, `write`,
//! `docs.md`. They know the connector contract and their protocol; neither store nor engine.
//!
//! Each is a feature, so that one can be built and tested without the others.

#[cfg(feature = "file")]
pub mod file;
#[cfg(feature = "scim")]
pub mod http;
#[cfg(feature = "ldap")]
pub mod ldap;
#[cfg(feature = "process")]
pub mod process;
#[cfg(any(feature = "process", feature = "script"))]
mod program;
#[cfg(feature = "scim")]
pub mod scim;
#[cfg(feature = "script")]
pub mod script;
#[cfg(any(feature = "scim", feature = "ldap", feature = "sql"))]
mod setting;
#[cfg(feature = "sql")]
pub mod sql;
#[cfg(any(feature = "scim", feature = "ldap"))]
mod tls;

use std::sync::Arc;

use provost_connector::Connector;

/// Every connector of this build; the word after `connector:` is its manifest's name.
pub fn builtin() -> Vec<Arc<dyn Connector>> {
    vec![
        #[cfg(feature = "file")]
        Arc::new(file::FileConnector::default()),
        #[cfg(feature = "ldap")]
        Arc::new(ldap::LdapConnector::default()),
        #[cfg(feature = "process")]
        Arc::new(process::ProcessConnector::default()),
        #[cfg(feature = "scim")]
        Arc::new(scim::ScimConnector::default()),
        #[cfg(feature = "script")]
        Arc::new(script::ScriptConnector::default()),
        #[cfg(feature = "sql")]
        Arc::new(sql::SqlConnector::default()),
    ]
}
