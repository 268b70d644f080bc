//! Every connector passes the conformance kit against its real peer.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

#[cfg(feature = "file")]
mod file;
#[cfg(feature = "ldap")]
mod ldap;
#[cfg(all(feature = "process", unix))]
mod process;
#[cfg(feature = "scim")]
mod scim;
#[cfg(all(feature = "script", unix))]
mod script;
#[path = "../session/mod.rs"]
mod session;
#[cfg(feature = "sql")]
mod sql;

use std::path::Path;
use std::sync::Arc;

use provost_conformance::{Kit, Level, Report, Sample, State};
use provost_connector::{Connector, Context, Settings};
use serde_json::Value as Json;
use session::Secrets;

/// One connection and what may be made at its peer.
pub struct Trial<'t> {
    pub connector: Arc<dyn Connector>,
    pub base: &'t Path,
    pub settings: Json,
    pub secrets: &'t [(&'t str, &'t str)],
    pub sample: Json,
}

impl Trial<'_> {
    /// Runs the kit at the level that all built-in connectors have to pass; soak runs try more.
    pub async fn run(self) -> Report {
        let Json::Object(values) = self.settings else { panic!("settings are an object") };
        let kit = Kit {
            connector: self.connector,
            settings: Settings::new(values, self.base),
            host: Arc::new(Secrets::of(self.secrets)),
            sample: serde_json::from_value::<Sample>(self.sample).unwrap(),
            level: if std::env::var_os("PROVOST_SOAK").is_some() { Level::Full } else { Level::Standard },
            first_number: 1000,
        };
        kit.run(&Context::new("kit")).await.unwrap()
    }

    /// Runs the kit; nothing may fail, and at least so many cases must have been played.
    pub async fn pass(self, at_least: usize) {
        let name = self.connector.manifest().name.clone();
        let report = self.run().await;
        for case in report.cases.iter().filter(|case| case.state == State::NotApplicable) {
            eprintln!("{name}: {} {} does not apply: {:?}", case.number, case.title, case.message);
        }
        for case in report.cases.iter().filter(|case| case.took_ms > 2_000) {
            eprintln!("{name}: {} {:?} took {} ms", case.number, case.class, case.took_ms);
        }
        eprintln!("{name}: {} passed", report.count(State::Passed));
        assert!(report.passed(), "{name}:\n{}", report.failures());
        assert!(report.count(State::Passed) >= at_least, "{name}: only {} passed", report.count(State::Passed));
    }
}
