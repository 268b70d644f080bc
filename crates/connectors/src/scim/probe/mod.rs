//! Finds out what a target is like by trying it, with a few users and a group that it makes and removes again.
//!
//! What a target says about itself is often wrong, and what it does not say is what breaks jobs. So each thing is tried in the
//! way that the RFCs have, then in the ways that are seen in the field, and looked at afterwards; an answer alone proves
//! nothing. The result is a dialect, and a list of what was advertised and what was found. [`asker`] sends, [`notes`] keeps
//! what was found, the other parts each try one thing.

mod asker;
mod groups;
mod lists;
mod notes;
mod updates;
mod users;

use std::sync::Arc;
use std::time::Duration;

use provost_connector::{ConnectorError, Context, Host, Settings};
use provost_model::clock::{Clock, SystemClock};
use provost_scim::client::Dialect;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::config::Config;
use super::wire::object;
use crate::http::Method;
use asker::Asker;
use notes::Notes;
pub use notes::{Check, State};

/// How to try.
#[derive(Debug, Clone)]
pub struct Options {
    /// The domain of the names and e-mail addresses that are made up; targets may want one that is verified.
    pub domain: String,
    /// More attributes of the users, where the target wants some.
    pub user: Map<String, Json>,
}

impl Default for Options {
    fn default() -> Self {
        Self { domain: "example.com".to_owned(), user: Map::new() }
    }
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Probe {
    pub checks: Vec<Check>,
    /// Whatever differs from a target that nobody said anything of, or from what this one advertises.
    pub dialect: Map<String, Json>,
    /// What was made and could not be removed: `/Users/2819c223`, perhaps with ` (switched off)`.
    pub left_behind: Vec<String>,
    pub requests: u32,
}

/// What all parts share.
struct Trial<'a> {
    asker: Asker<'a>,
    notes: Notes,
    options: &'a Options,
    /// Tells the made-up names of one trial from others'.
    mark: String,
    users: String,
    groups: Option<String>,
    /// What was made: endpoint and id, in this order.
    made: Vec<(String, String)>,
    /// How updates have to be written, as far as is known.
    op: OpCase,
    patches: bool,
    /// How far queries lag behind.
    lag: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OpCase {
    Lower,
    Capital,
}

impl OpCase {
    fn word(self, op: &str) -> String {
        match self {
            OpCase::Lower => op.to_owned(),
            OpCase::Capital => format!("{}{}", op[..1].to_uppercase(), &op[1..]),
        }
    }
}

/// Tries a target. The settings' own dialect is not used: it is what is to be found out. Errors are of the connection as such;
/// whatever else the target refuses is a check.
pub async fn probe(
    cx: &Context,
    settings: &Settings,
    host: Arc<dyn Host>,
    options: &Options,
) -> Result<Probe, ConnectorError> {
    let mut settings = settings.clone();
    settings.values.remove("dialect");
    let config = Config::require(&settings)?;
    let client = super::client(config, &*host).await?;
    // Names that no trial before has used.
    let mark = format!("{:?} {}", SystemClock.now(), std::process::id());
    let mark = provost_model::Digest::of_bytes(mark.as_bytes()).to_string();
    let mut trial = Trial {
        asker: Asker::new(cx, &client),
        notes: Notes::default(),
        options,
        mark: mark.chars().filter(char::is_ascii_alphanumeric).take(8).collect(),
        users: "/Users".to_owned(),
        groups: Some("/Groups".to_owned()),
        made: Vec::new(),
        op: OpCase::Lower,
        patches: false,
        lag: Duration::ZERO,
    };
    let tried = trial.run().await;
    let left_behind = trial.clean_up().await;
    let Trial { asker, notes, .. } = trial;
    tried?;
    let (checks, dialect) = notes.finish(&Dialect::default());
    Ok(Probe { checks, dialect, left_behind, requests: asker.requests() })
}

impl Trial<'_> {
    async fn run(&mut self) -> Result<(), ConnectorError> {
        self.discover().await?;
        let Some(user) = self.first_user().await? else { return Ok(()) };
        // Only now is there somebody whom a target that ignores filters would list.
        self.nobody().await?;
        self.found_again(&user).await?;
        self.update(&user).await?;
        self.group(&user).await?;
        self.lists().await?;
        self.leave(&user).await
    }

    /// What the target says about itself.
    async fn discover(&mut self) -> Result<(), ConnectorError> {
        let mut config = self.asker.get("/ServiceProviderConfig").await?;
        if !config.is_success() {
            let other = self.asker.get("/ServiceProviderConfigs").await?;
            if other.is_success() {
                self.notes.set("config_path", json!("/ServiceProviderConfigs"), None);
                config = other;
            }
        }
        let types = self.asker.get("/ResourceTypes").await?;
        let schemas = self.asker.get("/Schemas").await?;
        let has = |what: bool, name: &str| what.then(|| name.to_owned());
        let known = [
            has(config.is_success(), "ServiceProviderConfig"),
            has(types.is_success(), "ResourceTypes"),
            has(schemas.is_success(), "Schemas"),
        ];
        let known: Vec<String> = known.into_iter().flatten().collect();
        if known.is_empty() {
            self.notes.set("discovery", json!(false), None);
        }
        let found = if known.is_empty() { "nothing about itself".to_owned() } else { known.join(", ") };
        self.notes.note("discovery", "what the target says about itself", None, found, State::Fine);
        if config.is_success() {
            self.notes.advertised = config.body;
        }
        for kind in types.resources() {
            let name = kind.get("name").or_else(|| kind.get("id")).and_then(Json::as_str).unwrap_or_default();
            let Some(endpoint) = kind.get("endpoint").and_then(Json::as_str) else { continue };
            let endpoint = format!("/{}", endpoint.trim_matches('/'));
            if name.eq_ignore_ascii_case("User") {
                self.users = endpoint;
            } else if name.eq_ignore_ascii_case("Group") {
                self.groups = Some(endpoint);
            }
        }
        Ok(())
    }

    /// Removes what was made, the last first.
    async fn clean_up(&mut self) -> Vec<String> {
        let mut left = Vec::new();
        while let Some((endpoint, id)) = self.made.pop() {
            let path = object(&endpoint, &id);
            let removed = self.asker.send(Method::DELETE, &path, None).await;
            // An answer is no proof: some only switch off. Some say 400 of what they do not know.
            let read = self.asker.get(&path).await;
            if !read.is_ok_and(|reply| matches!(reply.status, 400 | 404 | 410)) {
                let off = if removed.is_ok_and(|reply| reply.is_success()) { " (switched off)" } else { "" };
                left.push(format!("{path}{off}"));
            }
        }
        left
    }
}
