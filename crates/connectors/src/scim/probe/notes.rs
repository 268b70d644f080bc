//! What a trial found: checks for people, and the dialect.

use provost_scim::client::Dialect;
use serde::Serialize;
use serde_json::{Map, Value as Json};

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub id: &'static str,
    pub about: &'static str,
    /// What the target says about it; none when it says nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advertised: Option<String>,
    pub found: String,
    pub state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As the RFCs have it.
    Fine,
    /// In another way, which the dialect tells.
    Other,
    /// Other than advertised.
    Differs,
    /// Not at all, or not to be found out.
    Missing,
}

#[derive(Debug, Default)]
pub(super) struct Notes {
    /// The ServiceProviderConfig; null without one.
    pub advertised: Json,
    checks: Vec<Check>,
    /// Setting, value, and whether the target advertises something else.
    dialect: Vec<(&'static str, Json, bool)>,
}

impl Notes {
    /// What the target says of a feature.
    pub fn says(&self, feature: &str) -> Option<bool> {
        self.advertised.get(feature)?.get("supported")?.as_bool()
    }

    pub fn note(
        &mut self,
        id: &'static str,
        about: &'static str,
        advertised: Option<String>,
        found: impl Into<String>,
        state: State,
    ) {
        self.checks.push(Check { id, about, advertised, found: found.into(), state });
    }

    /// A feature that works or does not, against what is advertised.
    pub fn feature(&mut self, id: &'static str, about: &'static str, works: bool, found: impl Into<String>) {
        let says = self.says(id);
        let state = match says {
            Some(says) if says != works => State::Differs,
            _ if works => State::Fine,
            _ => State::Missing,
        };
        let advertised = says.map(|says| if says { "yes" } else { "no" }.to_owned());
        self.note(id, about, advertised, found, state);
    }

    pub fn is_set(&self, key: &str) -> bool {
        self.dialect.iter().any(|(known, ..)| *known == key)
    }

    /// A setting of the dialect, and what the target's own word would make of it.
    pub fn set(&mut self, key: &'static str, value: Json, advertised: Option<Json>) {
        let other = advertised.is_some_and(|advertised| advertised != value);
        self.dialect.retain(|(known, ..)| *known != key);
        self.dialect.push((key, value, other));
    }

    /// The checks, and the settings that are not the default or that the target's own word would change.
    pub fn finish(self, default: &Dialect) -> (Vec<Check>, Map<String, Json>) {
        let default = serde_json::to_value(default).unwrap_or_default();
        let differs = |(key, value, other): &(&str, Json, bool)| *other || default.get(key) != Some(value);
        let settings = self.dialect.into_iter().filter(differs).map(|(key, value, _)| (key.to_owned(), value));
        (self.checks, settings.collect())
    }
}
