//! What a status means, apart from any protocol over HTTP. A protocol with a finer word (a scimType) refines the result.
//!
//! | status | read | write |
//! | --- | --- | --- |
//! | 3xx that is not followed | invalid_config | invalid_config |
//! | 400, 422 | not_supported (the query is refused) | invalid_value |
//! | 401 | auth_failed | auth_failed |
//! | 402, 507 | quota_exhausted | quota_exhausted |
//! | 403 | permission_denied | permission_denied |
//! | 404, 410 | not_found | not_found |
//! | 405, 501 | not_supported | not_supported |
//! | 408, 425 | unavailable | unavailable: the target says it did not begin |
//! | 409, 423 | conflict | conflict (a create: already_exists, by the caller) |
//! | 412, 428 | precondition_failed | precondition_failed |
//! | 413, 414, 431 | not_supported | constraint |
//! | 424 | dependency | dependency |
//! | 429 | throttled | throttled |
//! | 503 | throttled | throttled; unknown_outcome when a gateway says that the connection broke |
//! | 521, 523, 525, 526 | unavailable | unavailable: the gateway had no connection |
//! | 500, 502, 504, other 5xx | unavailable | **unknown_outcome**: an error midway, or a gateway that gave up waiting |
//! | anything else | protocol | protocol |

use std::time::Duration;

use hyper::header;
use provost_connector::{ConnectorError, ErrorCode};
use provost_model::clock::{Clock, SystemClock, Timestamp};

use super::{Answer, Effect};

/// An answer that is no success, as an error. `what` names the request, `detail` is the target's own explanation, made
/// presentable, or empty.
pub fn refusal(answer: &Answer, effect: Effect, what: &str, detail: &str) -> ConnectorError {
    let code = code(answer, effect);
    let message = match (detail, code) {
        ("", ErrorCode::UnknownOutcome) => format!("{what} may have been done"),
        ("", _) => format!("{what} was refused"),
        (detail, ErrorCode::UnknownOutcome) => format!("{what} may have been done: {detail}"),
        (detail, _) => format!("{what} was refused: {detail}"),
    };
    let mut error = ConnectorError::new(code, message).status(answer.status.as_u16());
    error.hint = hint(code).map(str::to_owned);
    if matches!(code, ErrorCode::Throttled | ErrorCode::Unavailable)
        && let Some(wait) = retry_after(answer, SystemClock.now())
    {
        error = error.after_ms(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    }
    error
}

/// The table above.
fn code(answer: &Answer, effect: Effect) -> ErrorCode {
    let write = effect == Effect::Write;
    match answer.status.as_u16() {
        300..=399 => ErrorCode::InvalidConfig,
        400 | 422 if write => ErrorCode::InvalidValue,
        400 | 422 => ErrorCode::NotSupported,
        401 => ErrorCode::AuthFailed,
        402 | 507 => ErrorCode::QuotaExhausted,
        403 => ErrorCode::PermissionDenied,
        404 | 410 => ErrorCode::NotFound,
        405 | 501 => ErrorCode::NotSupported,
        408 | 425 => ErrorCode::Unavailable,
        409 | 423 => ErrorCode::Conflict,
        412 | 428 => ErrorCode::PreconditionFailed,
        413 | 414 | 431 if write => ErrorCode::Constraint,
        413 | 414 | 431 => ErrorCode::NotSupported,
        424 => ErrorCode::Dependency,
        429 => ErrorCode::Throttled,
        503 if write && broke_behind_gateway(answer) => ErrorCode::UnknownOutcome,
        503 => ErrorCode::Throttled,
        521 | 523 | 525 | 526 => ErrorCode::Unavailable,
        500..=599 if write => ErrorCode::UnknownOutcome,
        500..=599 => ErrorCode::Unavailable,
        _ => ErrorCode::Protocol,
    }
}

fn hint(code: ErrorCode) -> Option<&'static str> {
    Some(match code {
        ErrorCode::AuthFailed => "check the secret behind `token`, `basic` or `header`, and that it has not expired",
        ErrorCode::PermissionDenied => "give the account behind the credentials the right to do this at the target",
        ErrorCode::InvalidConfig => "set `url` to the address that the target really has",
        ErrorCode::UnknownOutcome => "Provost looks at the target before it tries again",
        ErrorCode::QuotaExhausted => "free a licence or raise the quota at the target",
        ErrorCode::Throttled => "lower `requests_per_second` or `max_in_flight` if this happens often",
        _ => return None,
    })
}

/// Envoy, and what is built on it, answers 503 also when the connection to the service broke under way; nginx and HAProxy
/// use 502 for that. "connection failure", "overflow" and the like were before the request.
fn broke_behind_gateway(answer: &Answer) -> bool {
    let text = answer.body.get(..answer.body.len().min(400)).unwrap_or_default();
    let has = |words: &str| text.windows(words.len()).any(|window| window == words.as_bytes());
    has("upstream connect error or disconnect/reset")
        && (has("connection termination") || has("reset reason: remote reset"))
}

/// `Retry-After` as a wait from now: seconds, or a date (RFC 9110 section 10.2.3). A date is taken against the target's own
/// `Date`, so that clocks that differ do not matter.
pub fn retry_after(answer: &Answer, now: Timestamp) -> Option<Duration> {
    let text = answer.header(header::RETRY_AFTER)?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        // Some targets send fractions; nobody means more than a day.
        return (0.0..=86_400.0).contains(&seconds).then(|| Duration::from_secs_f64(seconds));
    }
    let until = http_date(text)?;
    let now = answer.header(header::DATE).and_then(http_date).unwrap_or(now);
    let seconds = until.as_second().saturating_sub(now.as_second());
    (seconds <= 86_400).then(|| Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}
