//! What a client of the service may do and how it likes to be spoken to: kept with its token, as JSON.

use std::sync::{Mutex, PoisonError};

use provost_scim::Policy;
use serde::{Deserialize, Serialize};

/// The settings of a client. Everything has a default: every type, no limit, all habits understood.
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
    /// Habits that it has besides those of the preset.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<Habit>,
    /// Habits of the preset that it does not have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<Habit>,
    /// Whether members that the directory does not have are refused (400); else they are kept as they are named.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub refuse_unknown_members: bool,
    /// The id of the user that `/Me` stands for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub me: Option<String>,
}

/// What a client sends other than the RFCs have it, or wants to be answered otherwise: each a switch of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Habit {
    /// `op` in any letter case: `Replace`.
    OpCase,
    /// `"True"` and `"False"` where a boolean belongs.
    StringBooleans,
    /// Members are removed by a list of values beside the path.
    MemberValueList,
    /// Objects without a path have keys with dots and URNs: `name.givenName`.
    DottedKeys,
    /// In a PATCH an id stands for `{"value": id}`, an element for a list of one, and the other way round.
    BareValues,
    /// `schemas` with the URNs of SCIM 1.
    OldUrns,
    /// In addresses: `+` for a blank, quotes as they are, a stray `&`.
    LooseQuery,
    /// A PATCH is answered by 204 and no body, unless attributes are asked for.
    EmptyPatch,
    /// The same for groups alone.
    EmptyGroupPatch,
    /// The answer to a PATCH has no members, unless they are asked for.
    NoMembersInPatch,
}

impl Habit {
    /// All, in the words of the settings.
    pub const WORDS: [&str; 10] = [
        "op-case",
        "string-booleans",
        "member-value-list",
        "dotted-keys",
        "bare-values",
        "old-urns",
        "loose-query",
        "empty-patch",
        "empty-group-patch",
        "no-members-in-patch",
    ];

    /// The habit of this word.
    pub fn of(word: &str) -> Option<Self> {
        serde_json::from_value(word.into()).ok()
    }
}

/// The habits of a family of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Everything that can be sent is understood; answers are those of the RFCs.
    #[default]
    Any,
    /// The letter of the RFCs: for those who want their client's mistakes to be told.
    Rfc,
    /// Microsoft Entra ID. A PATCH of a group has no body in its answer, as Microsoft advises.
    Entra,
    /// Okta keeps to the RFCs.
    Okta,
    OneLogin,
    /// authentik until the middle of 2026; later ones keep to the RFCs.
    Authentik,
}

impl Preset {
    /// All, in the words of the settings.
    pub const WORDS: [&str; 6] = ["any", "rfc", "entra", "okta", "onelogin", "authentik"];

    /// What its clients do.
    pub fn habits(self) -> &'static [Habit] {
        use Habit::{
            BareValues, DottedKeys, EmptyGroupPatch, LooseQuery, MemberValueList, OldUrns, OpCase, StringBooleans,
        };
        match self {
            Preset::Any => &[OpCase, StringBooleans, MemberValueList, DottedKeys, BareValues, OldUrns, LooseQuery],
            Preset::Rfc | Preset::Okta => &[],
            Preset::Entra => {
                &[OpCase, StringBooleans, MemberValueList, DottedKeys, BareValues, LooseQuery, EmptyGroupPatch]
            }
            Preset::OneLogin => &[OldUrns, LooseQuery],
            Preset::Authentik => &[MemberValueList],
        }
    }

    fn is_any(&self) -> bool {
        *self == Preset::Any
    }
}

impl ClientSettings {
    /// Whether the client has this habit.
    pub fn has(&self, habit: Habit) -> bool {
        !self.without.contains(&habit) && (self.with.contains(&habit) || self.preset.habits().contains(&habit))
    }

    /// What of a POST or PUT is understood.
    pub fn policy(&self) -> Policy {
        Policy {
            string_booleans: self.has(Habit::StringBooleans),
            any_op_case: self.has(Habit::OpCase),
            dotted_keys: self.has(Habit::DottedKeys),
            remove_by_value: self.has(Habit::MemberValueList),
            old_urns: self.has(Habit::OldUrns),
            ..Policy::strict()
        }
    }

    /// What of a PATCH is understood.
    pub fn patch_policy(&self) -> Policy {
        Policy { unwrap: self.has(Habit::BareValues), ..self.policy() }
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
        assert!(settings.may_see("user") && !settings.may_see("Group"));
        let text = r#"{"preset":"entra","with":["old-urns"],"without":["op-case"]}"#;
        let settings: ClientSettings = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&settings).unwrap(), text);
        let has =
            [Habit::OldUrns, Habit::OpCase, Habit::StringBooleans, Habit::EmptyPatch].map(|one| settings.has(one));
        assert_eq!(has, [true, false, true, false]);
        for word in Preset::WORDS {
            serde_json::from_value::<Preset>(word.into()).unwrap();
        }
        for word in Habit::WORDS {
            assert_eq!(serde_json::to_value(Habit::of(word).unwrap()).unwrap(), word);
        }
    }

    /// The policies of the library's two ends are those of the presets.
    #[test]
    fn any_is_all_and_rfc_is_none() {
        let of = |preset| ClientSettings { preset, ..ClientSettings::default() };
        let (any, rfc) = (of(Preset::Any), of(Preset::Rfc));
        assert_eq!((any.policy(), any.patch_policy()), (Policy::default(), Policy::patch()));
        assert_eq!((rfc.policy(), rfc.patch_policy()), (Policy::strict(), Policy::strict()));
    }
}
