//! The settings of a connection, and secrets that never show.

use std::fmt;
use std::path::{Path, PathBuf};

use provost_model::Text;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use zeroize::Zeroizing;

use crate::{ConnectorError, ErrorCode};

/// What the configuration says under a connection's name, secrets as handles (`{secret: name}`).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Settings {
    pub values: Map<String, Json>,
    /// The folder that relative paths start from: that of the configuration file.
    pub base: PathBuf,
}

/// One problem with the settings, found without going online.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SettingProblem {
    /// The setting, with dots (`token.secret`); empty for the settings as a whole.
    pub path: Text,
    pub message: String,
    pub hint: Option<String>,
}

impl Settings {
    pub fn new(values: Map<String, Json>, base: impl Into<PathBuf>) -> Self {
        Self { values, base: base.into() }
    }

    /// The settings as the connector's own type (which denies unknown fields).
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, SettingProblem> {
        T::deserialize(Json::Object(self.values.clone())).map_err(|error| SettingProblem {
            path: Text::default(),
            message: error.to_string(),
            hint: None,
        })
    }

    /// A path of the settings, relative ones from the configuration's folder.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.base.join(path)
    }
}

impl From<SettingProblem> for ConnectorError {
    fn from(problem: SettingProblem) -> Self {
        let mut error = ConnectorError::new(ErrorCode::InvalidConfig, problem.message).at(problem.path);
        error.hint = problem.hint;
        error
    }
}

/// A secret value in memory: wiped when dropped, never printed, never serialised.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The value itself, for the place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
