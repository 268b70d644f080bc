//! The one error style of the workspace: a stable code, what failed on what, and a hint what to do.
//!
//! Each crate has its own error type (thiserror) and implements [`Explain`]; the command line, the log and the API render
//! all of them alike. A code has a page in `docs/errors/`.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A stable error code such as `PRV-0301`. Scripts may rely on it; texts may change.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(pub Cow<'static, str>);

impl Code {
    pub const fn new(code: &'static str) -> Self {
        Self(Cow::Borrowed(code))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How much a finding of a check weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It cannot work.
    #[default]
    Error,
    /// It works for some objects and fails for others.
    Warning,
}

impl Severity {
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// What every public error of the workspace can say beyond its text.
pub trait Explain: std::error::Error {
    /// The stable code, with a page under `docs/errors/`.
    fn code(&self) -> Code;

    /// What the reader should do next, as an imperative; shown after `hint:`.
    fn hint(&self) -> Option<Cow<'_, str>> {
        None
    }
}
