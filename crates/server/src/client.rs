//! What a client of the service may do and how it likes to be spoken to: kept with its token, as JSON.

use std::sync::{Mutex, PoisonError};

use provost_scim::Policy;
use serde::{Deserialize, Serialize};

/// The settings of a client. Everything has a default: every type, no limit, all habits of the field.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientSettings {
    /// The resource types it may see, `User`; all when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// Requests a second, on each node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Requests that may come at once, over the rate; as many as come in a second unless said otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// How it sends and what it expects.
    #[serde(skip_serializing_if = "Preset::is_any")]
    pub preset: Preset,
    /// Whether a PATCH of a group is answered by 204 and no body; else as the preset has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub empty_group_patch: Option<bool>,
    /// Whether members that the directory does not have are refused (400); else they are kept as they are named.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refuse_unknown_members: bool,
    /// The id of the user that `/Me` stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub me: Option<String>,
}

/// The ways of a family of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Every habit is understood.
    #[default]
    Any,
    /// The letter of the RFCs: for those who want their client's mistakes to be told.
    Rfc,
    /// Microsoft Entra ID. A PATCH of a group has no body in its answer, as Microsoft advises.
    Entra,
    Okta,
    OneLogin,
}

impl Preset {
    /// All, in the words of the settings.
    pub const WORDS: [&str; 5] = ["any", "rfc", "entra", "okta", "onelogin"];

    fn is_any(&self) -> bool {
        *self == Preset::Any
    }
}

impl ClientSettings {
    /// What of a POST or PUT is understood.
    pub fn policy(&self) -> Policy {
        match self.preset {
            Preset::Rfc => Policy::strict(),
            _ => Policy::default(),
        }
    }

    /// What of a PATCH is understood.
    pub fn patch_policy(&self) -> Policy {
        match self.preset {
            Preset::Rfc => Policy::strict(),
            _ => Policy::patch(),
        }
    }

    pub fn has_empty_group_patch(&self) -> bool {
        self.empty_group_patch.unwrap_or(self.preset == Preset::Entra)
    }

    pub fn may_see(&self, kind: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|name| name.eq_ignore_ascii_case(kind))
    }
}

/// A bucket that fills with time: each request takes one out.
#[derive(Debug)]
pub(crate) struct Bucket {
    rate: f64,
    size: f64,
    state: Mutex<(f64, i64)>,
}

impl Bucket {
    pub fn new(rate: f64, burst: Option<u32>, now_ms: i64) -> Self {
        let size = burst.map_or(rate.max(1.0), f64::from);
        Self { rate, size, state: Mutex::new((size, now_ms)) }
    }

    /// Takes one; else the milliseconds until there is one.
    pub fn take(&self, now_ms: i64) -> Result<(), i64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, at) = &mut *state;
        *left = (*left + (now_ms - *at).max(0) as f64 / 1000.0 * self.rate).min(self.size);
        *at = now_ms.max(*at);
        if *left >= 1.0 {
            *left -= 1.0;
            return Ok(());
        }
        Err(((1.0 - *left) / self.rate * 1000.0).ceil() as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_fill_with_time() {
        let bucket = Bucket::new(2.0, Some(3), 0);
        let taken: Vec<_> = [0, 0, 0, 0, 400, 500, 500, 10_000].map(|now| bucket.take(now)).into();
        assert_eq!(taken, [Ok(()), Ok(()), Ok(()), Err(500), Err(100), Ok(()), Err(500), Ok(())]);
        // A clock that goes back gives nothing away.
        assert_eq!((bucket.take(0), bucket.take(10_000), bucket.take(10_000)), (Ok(()), Ok(()), Err(500)));
    }

    #[test]
    fn settings_are_small() {
        let settings: ClientSettings = serde_json::from_str("{}").unwrap();
        assert_eq!(
            (settings.clone(), serde_json::to_string(&settings).unwrap()),
            (ClientSettings::default(), "{}".into())
        );
        let text = r#"{"types":["User"],"rate":5.0,"preset":"entra"}"#;
        let settings: ClientSettings = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&settings).unwrap(), text);
        assert!(settings.has_empty_group_patch() && settings.may_see("user") && !settings.may_see("Group"));
        for word in Preset::WORDS {
            serde_json::from_value::<Preset>(word.into()).unwrap();
        }
    }
}
