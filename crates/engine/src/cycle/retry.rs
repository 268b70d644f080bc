//! When a failed object is tried again: Entra's documented gaps for lasting failures, short ones for passing trouble.

use provost_connector::{ConnectorError, Retry};

use crate::spec::{EscrowSpec, step};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// Milliseconds until the next try after `tries` failures (1 after the first).
///
/// Passing trouble is retried after 1, 5, 15 and 60 minutes; then, as for everything else, 6, 12 and 24 hours after the
/// first failure and daily after that (entra: application-provisioning-quarantine-status). A target's own word on waiting
/// is obeyed. A failure that only a change can mend waits for the change, and is looked at daily in case the target
/// changed. Gaps of the configuration take the place of all of them but the target's word.
pub(super) fn wait_ms(spec: &EscrowSpec, tries: i64, error: Option<&ConnectorError>) -> i64 {
    if let Some(ms) = error.and_then(|error| error.after_ms) {
        return i64::try_from(ms).unwrap_or(HOUR);
    }
    if let Some(wait) = step(&spec.retry, tries) {
        return wait;
    }
    match (error.map(|error| error.retry), tries) {
        (Some(Retry::WhenChanged | Retry::Never), _) => 24 * HOUR,
        (Some(Retry::Backoff | Retry::After | Retry::Verify | Retry::NextCycle), 1) => MINUTE,
        (Some(_), 2) => 5 * MINUTE,
        (Some(_), 3) => 15 * MINUTE,
        (Some(_), 4) => HOUR,
        (_, 1) => 6 * HOUR,
        (_, 2) => 6 * HOUR,
        (_, 3) => 12 * HOUR,
        _ => 24 * HOUR,
    }
}

#[cfg(test)]
mod tests {
    use provost_connector::ErrorCode;

    use super::*;

    fn wait_ms(tries: i64, error: Option<&ConnectorError>) -> i64 {
        super::wait_ms(&EscrowSpec::default(), tries, error)
    }

    #[test]
    fn gaps_of_the_configuration() {
        let spec: EscrowSpec = serde_json::from_value(serde_json::json!({ "retry": ["6h", "12h", "24h"] })).unwrap();
        let passing = ConnectorError::new(ErrorCode::UnknownOutcome, "lost");
        for error in [None, Some(&passing)] {
            let waits: Vec<i64> = (1..=5).map(|tries| super::wait_ms(&spec, tries, error) / HOUR).collect();
            assert_eq!(waits, [6, 12, 24, 24, 24]);
        }
        let asked = ConnectorError::new(ErrorCode::Throttled, "slow down").after_ms(7_000);
        assert_eq!(super::wait_ms(&spec, 1, Some(&asked)), 7_000);
    }

    #[test]
    fn gaps_grow_and_the_target_is_obeyed() {
        let passing = ConnectorError::new(ErrorCode::UnknownOutcome, "lost");
        let waits: Vec<i64> = (1..=6).map(|tries| wait_ms(tries, Some(&passing)) / MINUTE).collect();
        assert_eq!(waits, [1, 5, 15, 60, 1440, 1440]);
        let asked = ConnectorError::new(ErrorCode::Throttled, "slow down").after_ms(7_000);
        assert_eq!(wait_ms(1, Some(&asked)), 7_000);
        assert_eq!(wait_ms(1, None), 6 * HOUR);
        let lasting = ConnectorError::new(ErrorCode::InvalidValue, "too long");
        assert_eq!(wait_ms(1, Some(&lasting)), 24 * HOUR);
    }
}
