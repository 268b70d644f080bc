//! What a server's result (RFC 4511 section 4.1.9), or its absence, means.

use ldap3::{LdapError, LdapResult};
use provost_connector::{ConnectorError, ErrorCode};

/// Whether the server may have done something before the answer got lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Reads,
    Writes,
}

/// An answer that says no. `what` was asked, for people: `add uid=ada,dc=example,dc=org`.
pub fn of_result(result: &LdapResult, what: &str) -> ConnectorError {
    use ErrorCode::*;
    let (code, hint) = match result.rc {
        1 if result.text.contains("bind") => (AuthFailed, "check `bind`: the server wants somebody to sign in first"),
        2 | 12 | 17 | 18 | 69 | 71 | 92 => (NotSupported, "leave it out, or extend the server's schema"),
        3 => (Timeout, "raise the server's time limit for this user, or index what is searched"),
        4 | 11 => (QuotaExhausted, "raise the server's size limit for this user (olcLimits, nsSizeLimit, MaxPageSize)"),
        7 | 8 | 13 | 48 | 49 => (AuthFailed, "check `bind`, and that the server allows this way of signing in"),
        10 => (NotSupported, "the entry is on another server: connect to that one"),
        16 | 20 => (Conflict, "the entry was changed by somebody else; the next cycle looks again"),
        19 | 53 | 67 => {
            (Constraint, "the server's own rules forbid it (password policy, naming, referential integrity)")
        }
        21 | 34 | 64 => (InvalidValue, "the value does not have the form that the server's schema asks for"),
        32 => (NotFound, "the entry, or the container above it, is not there"),
        50 => (PermissionDenied, "give the user that signs in the right to do this"),
        51 => (Unavailable, "the server is busy; it is tried again"),
        52 => (Unavailable, "the server is starting, stopping or read-only for now"),
        65 if result.text.contains("require") => (MissingRequired, "map the attribute that the object class requires"),
        65 => (Constraint, "the object classes of the entry do not allow it"),
        66 => (Dependency, "the entry has others below it"),
        68 => (AlreadyExists, "an entry of this name is there already"),
        122 => (PreconditionFailed, "the entry is not the one that it was"),
        _ => (Internal, "the server's own log tells more"),
    };
    let text = if result.text.is_empty() { name(result.rc).to_owned() } else { result.text.clone() };
    ConnectorError::new(code, format!("{what}: {}", text.trim_end()))
        .status(u16::try_from(result.rc).unwrap_or(u16::MAX))
        .target_code(name(result.rc))
        .hint(hint)
}

/// No answer. `sent` tells whether the request may have reached the server.
pub fn of_error(error: &LdapError, what: &str, server: &str, effect: Effect) -> ConnectorError {
    match error {
        LdapError::LdapResult { result } => of_result(result, what),
        // The request was never handed to the connection.
        LdapError::OpSend { .. } | LdapError::FilterParsing | LdapError::AddNoValues => {
            ConnectorError::new(ErrorCode::Unavailable, format!("{what}: the connection to {server} is closed"))
        }
        _ if effect == Effect::Writes => {
            ConnectorError::new(ErrorCode::UnknownOutcome, format!("{what}: {server} did not answer: {error}"))
                .hint("it may have been done; it is looked at before it is tried again")
        }
        _ => ConnectorError::new(ErrorCode::Unavailable, format!("{what}: {server} did not answer: {error}")),
    }
}

/// No connection at all.
pub fn of_connect(error: &LdapError, server: &str) -> ConnectorError {
    let unavailable = |hint: &str| {
        ConnectorError::new(ErrorCode::Unavailable, format!("{server} cannot be reached: {error}")).hint(hint)
    };
    match error {
        LdapError::LdapResult { result } => of_result(result, "StartTLS"),
        error if format!("{error:?}").contains("InvalidCertificate") => unavailable(
            "the server's certificate is not trusted: set `ca` to that of its authority, and use the name it is made out to",
        ),
        _ => unavailable("check `url`, and that the server runs and lets this machine in"),
    }
}

/// The names of RFC 4511, as servers' logs have them.
pub fn name(code: u32) -> &'static str {
    match code {
        0 => "success",
        1 => "operationsError",
        2 => "protocolError",
        3 => "timeLimitExceeded",
        4 => "sizeLimitExceeded",
        7 => "authMethodNotSupported",
        8 => "strongerAuthRequired",
        10 => "referral",
        11 => "adminLimitExceeded",
        12 => "unavailableCriticalExtension",
        13 => "confidentialityRequired",
        16 => "noSuchAttribute",
        17 => "undefinedAttributeType",
        18 => "inappropriateMatching",
        19 => "constraintViolation",
        20 => "attributeOrValueExists",
        21 => "invalidAttributeSyntax",
        32 => "noSuchObject",
        34 => "invalidDNSyntax",
        48 => "inappropriateAuthentication",
        49 => "invalidCredentials",
        50 => "insufficientAccessRights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwillingToPerform",
        64 => "namingViolation",
        65 => "objectClassViolation",
        66 => "notAllowedOnNonLeaf",
        67 => "notAllowedOnRDN",
        68 => "entryAlreadyExists",
        69 => "objectClassModsProhibited",
        71 => "affectsMultipleDSAs",
        122 => "assertionFailed",
        _ => "other",
    }
}
