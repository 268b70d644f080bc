//! The error taxonomy: a code, how far it reaches, and what to do about it. Retry reads these, never the text.

use std::borrow::Cow;
use std::fmt;

use provost_model::{Code, Explain, ObjectId, Text};
use serde::{Deserialize, Serialize};

use crate::Exchange;

/// What went wrong. Each code has a page under `docs/errors/` by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    InvalidConfig,
    AuthFailed,
    AuthExpired,
    PermissionDenied,
    /// Not reached: nothing was sent.
    Unavailable,
    Timeout,
    /// A write may have been done; look before trying again.
    UnknownOutcome,
    Throttled,
    QuotaExhausted,
    NotFound,
    AlreadyExists,
    Conflict,
    PreconditionFailed,
    InvalidValue,
    MissingRequired,
    Constraint,
    NotSupported,
    /// Another object has to exist first.
    Dependency,
    Partial,
    CursorExpired,
    SchemaChanged,
    /// The source cannot be read as what it should be (no CSV, wrong encoding, cut short).
    Unreadable,
    Cancelled,
    /// The other side broke its protocol.
    Protocol,
    Internal,
}

/// How far an error reaches: one object, one class, or the job as a whole (which counts towards quarantine).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    Item,
    Class,
    Job,
}

/// What may be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    Never,
    Backoff,
    /// After [`ConnectorError::after_ms`].
    After,
    NextCycle,
    /// When the source object or the configuration changes.
    WhenChanged,
    /// Read first, then decide.
    Verify,
}

/// One error of a connector. `message` names what failed on what; `hint` says what to do. Read from JSON, `scope` and `retry`
/// are those of the code unless they are said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Told")]
pub struct ConnectorError {
    pub code: ErrorCode,
    pub scope: Scope,
    pub retry: Retry,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
    /// The target's own status (an HTTP status, an LDAP result code) and word (a scimType).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_code: Option<Text>,
    /// The attribute or setting that is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Text>,
    /// The object that is in the way of an [`ErrorCode::AlreadyExists`], when the target names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing_id: Option<ObjectId>,
    /// The request that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Box<Exchange>>,
}

/// A [`ConnectorError`] as a program tells it, which may leave to the code what the code says.
#[derive(Deserialize)]
struct Told {
    code: ErrorCode,
    #[serde(default)]
    scope: Option<Scope>,
    #[serde(default)]
    retry: Option<Retry>,
    message: String,
    #[serde(default)]
    hint: Option<String>,
    #[serde(default)]
    after_ms: Option<u64>,
    #[serde(default)]
    target_status: Option<u16>,
    #[serde(default)]
    target_code: Option<Text>,
    #[serde(default)]
    path: Option<Text>,
    #[serde(default)]
    existing_id: Option<ObjectId>,
    #[serde(default)]
    exchange: Option<Box<Exchange>>,
}

impl From<Told> for ConnectorError {
    fn from(told: Told) -> Self {
        let usual = if told.after_ms.is_some() { Retry::After } else { told.code.retry() };
        Self {
            code: told.code,
            scope: told.scope.unwrap_or(told.code.scope()),
            retry: told.retry.unwrap_or(usual),
            message: told.message,
            hint: told.hint,
            after_ms: told.after_ms,
            target_status: told.target_status,
            target_code: told.target_code,
            path: told.path,
            existing_id: told.existing_id,
            exchange: told.exchange,
        }
    }
}

impl ConnectorError {
    /// An error with the code's usual scope and retry.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            scope: code.scope(),
            retry: code.retry(),
            message: message.into(),
            hint: None,
            after_ms: None,
            target_status: None,
            target_code: None,
            path: None,
            existing_id: None,
            exchange: None,
        }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn status(mut self, status: u16) -> Self {
        self.target_status = Some(status);
        self
    }

    pub fn target_code(mut self, code: impl Into<Text>) -> Self {
        self.target_code = Some(code.into());
        self
    }

    /// Whether the target said that the write was done, although nothing more is known of it: an object was made, and the
    /// answer does not tell which. Such a write is looked for, and never sent again on the strength of a look that came too
    /// early. A connector says so by [`ErrorCode::UnknownOutcome`] with the target's own status of success.
    pub fn was_done(&self) -> bool {
        self.code == ErrorCode::UnknownOutcome && matches!(self.target_status, Some(200..=299))
    }

    pub fn at(mut self, path: impl Into<Text>) -> Self {
        self.path = Some(path.into());
        self
    }

    pub fn during(mut self, exchange: Exchange) -> Self {
        self.exchange = Some(Box::new(exchange));
        self
    }

    pub fn after_ms(mut self, ms: u64) -> Self {
        self.after_ms = Some(ms);
        self.retry = Retry::After;
        self
    }

    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }
}

impl ErrorCode {
    /// The stable number of the code, with a page under `docs/errors/`.
    pub const fn number(self) -> &'static str {
        match self {
            ErrorCode::InvalidConfig => "PRV-0301",
            ErrorCode::AuthFailed => "PRV-0302",
            ErrorCode::AuthExpired => "PRV-0303",
            ErrorCode::PermissionDenied => "PRV-0304",
            ErrorCode::Unavailable => "PRV-0305",
            ErrorCode::Timeout => "PRV-0306",
            ErrorCode::UnknownOutcome => "PRV-0307",
            ErrorCode::Throttled => "PRV-0308",
            ErrorCode::QuotaExhausted => "PRV-0309",
            ErrorCode::NotFound => "PRV-0310",
            ErrorCode::AlreadyExists => "PRV-0311",
            ErrorCode::Conflict => "PRV-0312",
            ErrorCode::PreconditionFailed => "PRV-0313",
            ErrorCode::InvalidValue => "PRV-0314",
            ErrorCode::MissingRequired => "PRV-0315",
            ErrorCode::Constraint => "PRV-0316",
            ErrorCode::NotSupported => "PRV-0317",
            ErrorCode::Dependency => "PRV-0318",
            ErrorCode::Partial => "PRV-0319",
            ErrorCode::CursorExpired => "PRV-0320",
            ErrorCode::SchemaChanged => "PRV-0321",
            ErrorCode::Unreadable => "PRV-0322",
            ErrorCode::Cancelled => "PRV-0323",
            ErrorCode::Protocol => "PRV-0324",
            ErrorCode::Internal => "PRV-0325",
        }
    }

    const fn scope(self) -> Scope {
        use ErrorCode::*;
        match self {
            InvalidConfig | AuthFailed | AuthExpired | Unavailable | Timeout | Throttled | QuotaExhausted
            | CursorExpired | SchemaChanged | Unreadable | Cancelled | Protocol => Scope::Job,
            _ => Scope::Item,
        }
    }

    const fn retry(self) -> Retry {
        use ErrorCode::*;
        match self {
            AuthFailed | AuthExpired | Unavailable | Timeout | Throttled | Internal => Retry::Backoff,
            PermissionDenied | InvalidValue | MissingRequired | Constraint => Retry::WhenChanged,
            UnknownOutcome | NotFound | AlreadyExists | Conflict | PreconditionFailed | Partial => Retry::Verify,
            QuotaExhausted | Dependency | CursorExpired | SchemaChanged | Unreadable => Retry::NextCycle,
            InvalidConfig | NotSupported | Cancelled | Protocol => Retry::Never,
        }
    }
}

impl fmt::Display for ConnectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match (self.target_status, &self.target_code) {
            (Some(status), Some(code)) => write!(f, " (target answered {status} {code})"),
            (Some(status), None) => write!(f, " (target answered {status})"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for ConnectorError {}

impl Explain for ConnectorError {
    fn code(&self) -> Code {
        Code::new(self.code.number())
    }

    fn hint(&self) -> Option<Cow<'_, str>> {
        self.hint.as_deref().map(Cow::Borrowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_error_leaves_out_is_the_usual_of_its_code() {
        let error: ConnectorError = serde_json::from_str(r#"{"code":"already_exists","message":"taken"}"#).unwrap();
        assert_eq!(error, ConnectorError::new(ErrorCode::AlreadyExists, "taken"));
        let error: ConnectorError =
            serde_json::from_str(r#"{"code":"throttled","message":"wait","after_ms":7,"scope":"item"}"#).unwrap();
        assert_eq!(error, ConnectorError::new(ErrorCode::Throttled, "wait").after_ms(7).scope(Scope::Item));
        let all = ConnectorError::new(ErrorCode::Conflict, "a").hint("b").status(409).target_code("c").at("d");
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<ConnectorError>(&text).unwrap(), all);
    }
}
