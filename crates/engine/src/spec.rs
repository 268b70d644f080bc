//! A job as the configuration says it: plain documents, not yet checked. Unknown keys are errors.
//!
//! [`crate::rule`] compiles a [`JobSpec`] against the schemas of its two connections.

use std::collections::BTreeMap;

use provost_lang::Environment;
use provost_model::{Action, ClassName, ConnectionName, Timestamp, Value};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::situation::{Situation, SituationsSpec};

/// `jobs: NAME: …` of the configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    pub source: ConnectionName,
    pub target: ConnectionName,
    #[serde(default)]
    pub schedule: ScheduleSpec,
    pub objects: Vec<RuleSpec>,
    #[serde(default)]
    pub guards: GuardsSpec,
    /// What somebody has to look at before it goes out.
    #[serde(default, skip_serializing_if = "ApprovalSpec::is_none")]
    pub approval: ApprovalSpec,
    /// When a failed object is tried again.
    #[serde(default, skip_serializing_if = "is_default")]
    pub escrow: EscrowSpec,
    /// When a job that fails as a whole is tried more rarely.
    #[serde(default, skip_serializing_if = "is_default")]
    pub quarantine: QuarantineSpec,
    /// What `DefaultDomain()` gives in this job; else that of the whole configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_domain: Option<String>,
    /// Which application the job serves, where the source knows who is assigned to applications.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned: Option<AssignedSpec>,
    /// Examples that `provost test` runs through the rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<TestSpec>,
    /// What all jobs of the configuration share: its tables and default domain. No key of the job itself.
    #[serde(skip)]
    pub shared: Environment,
}

impl JobSpec {
    /// What the job's expressions can use.
    pub fn environment(&self) -> Environment {
        match &self.default_domain {
            Some(domain) => self.shared.clone().with_default_domain(domain.as_str()),
            None => self.shared.clone(),
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// `assigned: Slack`, or in full `{application: Slack, scope: all}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AssignedSpec {
    /// By its name.
    pub application: String,
    pub scope: AssignedScope,
}

/// Who is provisioned. Scoping filters narrow it down further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AssignedScope {
    /// Those who are assigned, by themselves or through a group.
    #[default]
    Only,
    /// Everybody; the assignments give roles alone.
    All,
}

impl<'de> Deserialize<'de> for AssignedSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Assigned;

        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Full {
            application: String,
            #[serde(default)]
            scope: AssignedScope,
        }

        impl<'de> Visitor<'de> for Assigned {
            type Value = AssignedSpec;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the name of an application")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<AssignedSpec, E> {
                Ok(AssignedSpec { application: name.to_owned(), scope: AssignedScope::Only })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AssignedSpec, A::Error> {
                let Full { application, scope } = Full::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(AssignedSpec { application, scope })
            }
        }

        deserializer.deserialize_any(Assigned)
    }
}

/// When a job runs by itself under `provost serve`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleSpec {
    /// `change`: as soon as the source is seen to have changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<Trigger>,
    /// `30s`, `5m`, `2h`, `1d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Period>,
    /// `0 6 * * 1-5`: times of the clock, one or several.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_more")]
    pub cron: Vec<String>,
    /// What `cron` and `blackout` mean by a time; UTC when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// When no cycle starts by itself: `Mon-Fri 08:00-12:00`, `22:00-05:00`, `2026-12-24..2027-01-02`.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_more")]
    pub blackout: Vec<String>,
}

impl ScheduleSpec {
    /// Whether the job runs by itself at all.
    pub fn is_some(&self) -> bool {
        self.on.is_some() || self.every.is_some() || !self.cron.is_empty()
    }
}

/// A text, or a list of them.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Texts;

    impl<'de> Visitor<'de> for Texts {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a text or a list of texts")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Vec<String>, E> {
            Ok(vec![text.to_owned()])
        }
        fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
            let mut texts = Vec::new();
            while let Some(text) = list.next_element()? {
                texts.push(text);
            }
            Ok(texts)
        }
    }

    deserializer.deserialize_any(Texts)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    Change,
}

/// One class of the source and what becomes of its objects at the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleSpec {
    pub from: ClassName,
    pub to: ClassName,
    /// Which objects are provisioned, as a filter; all when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Matching attributes in the order they are tried.
    #[serde(rename = "match")]
    pub matching: Vec<MatchSpec>,
    /// How unlinked objects are looked for at the target.
    #[serde(default)]
    pub lookup: LookupSpec,
    /// Target attribute -> mapping.
    pub attributes: BTreeMap<String, MappingSpec>,
    #[serde(default)]
    pub flows: FlowsSpec,
    #[serde(default, skip_serializing_if = "LeaversSpec::is_empty")]
    pub leavers: LeaversSpec,
    /// What is done in which situation, where that is not the usual.
    #[serde(default, skip_serializing_if = "SituationsSpec::is_empty")]
    pub situations: SituationsSpec,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MatchSpec {
    pub target: String,
    /// A mapping expression over the source.
    pub source: String,
}

/// `auto` reads the target as a whole when that is cheaper, skips the question when the target is empty, and asks per
/// object otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LookupSpec {
    #[default]
    Auto,
    /// Ask for each object.
    Each,
    /// Read the whole class once per cycle.
    Scan,
}

/// `"expression"` in short, or in full with what Entra's mapping dialog offers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MappingSpec {
    pub value: String,
    /// `always`, or `create`: only when the object is created.
    pub apply: ApplySpec,
    /// Used on create when the source gives null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// What a null does to an existing value. (`null` itself would be a trap in YAML, where it is no text.)
    pub when_null: NullSpec,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApplySpec {
    #[default]
    Always,
    Create,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NullSpec {
    /// A null leaves the target alone, as in Entra.
    #[default]
    Keep,
    /// A null takes the value away at the target.
    Clear,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FullMapping {
    value: String,
    #[serde(default)]
    apply: ApplySpec,
    #[serde(default)]
    default: Option<Value>,
    #[serde(default)]
    when_null: NullSpec,
}

impl<'de> Deserialize<'de> for MappingSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MappingVisitor)
    }
}

struct MappingVisitor;

impl MappingVisitor {
    fn constant(text: String) -> MappingSpec {
        MappingSpec { value: text, apply: ApplySpec::default(), default: None, when_null: NullSpec::default() }
    }
}

impl<'de> Visitor<'de> for MappingVisitor {
    type Value = MappingSpec;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a mapping expression, or `{value: …, apply: …, default: …, when_null: …}`")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<MappingSpec, E> {
        Ok(Self::constant(text.to_owned()))
    }
    fn visit_bool<E: de::Error>(self, value: bool) -> Result<MappingSpec, E> {
        Ok(Self::constant(format!("\"{value}\"")))
    }
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<MappingSpec, E> {
        Ok(Self::constant(value.to_string()))
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<MappingSpec, E> {
        Ok(Self::constant(value.to_string()))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MappingSpec, A::Error> {
        let full = FullMapping::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Ok(MappingSpec { value: full.value, apply: full.apply, default: full.default, when_null: full.when_null })
    }
}

/// Which kinds of change flow at all (Entra's target object actions).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FlowsSpec {
    pub create: bool,
    pub update: bool,
    pub delete: bool,
}

impl Default for FlowsSpec {
    fn default() -> Self {
        Self { create: true, update: true, delete: true }
    }
}

/// What happens to accounts whose source object left: two rows of `situations:` in short.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LeaversSpec {
    #[serde(deserialize_with = "leaver", skip_serializing_if = "Option::is_none")]
    pub out_of_scope: Option<Reaction>,
    #[serde(deserialize_with = "leaver", skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Reaction>,
}

/// A reaction of which an error names only what these rows can have.
fn leaver<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Reaction>, D::Error> {
    let wrong = |_| de::Error::custom(format!("expected {}", Situation::Deleted.choices().join(", ")));
    Reaction::deserialize(deserializer).map(Some).map_err(wrong)
}

impl LeaversSpec {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is given, as rows of the table.
    pub fn rows(&self) -> SituationsSpec {
        let rows = [(Situation::OutOfScope, &self.out_of_scope), (Situation::Deleted, &self.deleted)];
        rows.into_iter().filter_map(|(situation, reaction)| Some((situation, reaction.clone()?))).collect()
    }
}

impl RuleSpec {
    /// The rows that differ from the usual table, however they are written.
    pub fn differing(&self) -> SituationsSpec {
        let mut rows = self.leavers.rows();
        rows.extend(self.situations.clone());
        rows
    }
}

/// What is done in a situation: a word, or `{disable: now, delete: 30d}`.
#[derive(Debug, Clone, PartialEq)]
pub enum Reaction {
    Create,
    /// Take the account over.
    Adopt,
    Update,
    /// Switch the account off; delete it where the target cannot.
    Disable,
    /// Switch it off now and delete it after the period, unless the person returns.
    DisableThenDelete(Period),
    Delete,
    /// Let go of the account, which stays as it is.
    Unlink,
    /// Leave everything as it is, and say so in the log.
    Report,
    /// Leave everything as it is until a person has answered.
    Ask,
}

const WORDS: [(&str, Reaction); 9] = [
    ("create", Reaction::Create),
    ("adopt", Reaction::Adopt),
    ("update", Reaction::Update),
    ("disable", Reaction::Disable),
    ("delete", Reaction::Delete),
    ("unlink", Reaction::Unlink),
    ("report", Reaction::Report),
    ("ask", Reaction::Ask),
    // As it was called before there was a table.
    ("keep", Reaction::Report),
];

impl Reaction {
    /// Its word in the configuration.
    pub fn word(&self) -> &'static str {
        match self {
            Self::DisableThenDelete(_) => "disable, then delete",
            other => WORDS.iter().find(|(_, reaction)| reaction == other).map_or("", |(word, _)| word),
        }
    }
}

impl Serialize for Reaction {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::DisableThenDelete(period) => Graced { disable: Now::Now, delete: *period }.serialize(serializer),
            other => serializer.serialize_str(other.word()),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ReactionText {
    Word(String),
    Graced(Graced),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Now {
    Now,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Graced {
    disable: Now,
    delete: Period,
}

impl<'de> Deserialize<'de> for Reaction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).take(8).collect();
        let wrong = || de::Error::custom(format!("expected {} or {{disable: now, delete: 30d}}", words.join(", ")));
        match ReactionText::deserialize(deserializer).map_err(|_| wrong())? {
            ReactionText::Word(text) => {
                WORDS.iter().find(|(word, _)| *word == text).map(|(_, reaction)| reaction.clone()).ok_or_else(wrong)
            }
            ReactionText::Graced(graced) => Ok(Self::DisableThenDelete(graced.delete)),
        }
    }
}

/// Limits on a plan. Over one of them the job holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GuardsSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create: Option<LimitSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update: Option<LimitSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable: Option<LimitSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete: Option<LimitSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlink: Option<LimitSpec>,
    /// Disables, deletes and unlinks together: the guard that is on by default.
    pub leavers: LimitSpec,
    /// How much smaller than the last one a whole read may be before somebody has to look: on by default as well.
    pub shrink: ShrinkSpec,
    /// Further limits for single classes of the source, against the linked objects of that class.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub classes: BTreeMap<ClassName, ClassGuardsSpec>,
}

/// Limits on one class.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClassGuardsSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create: Option<LimitSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update: Option<LimitSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disable: Option<LimitSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delete: Option<LimitSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unlink: Option<LimitSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leavers: Option<LimitSpec>,
    /// In place of that of the job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shrink: Option<ShrinkSpec>,
}

impl GuardsSpec {
    /// How much smaller a read of the class may be.
    pub fn shrink_of(&self, class: &ClassName) -> ShrinkSpec {
        self.classes.get(class).and_then(|guards| guards.shrink).unwrap_or(self.shrink)
    }

    /// Whether creates or updates are limited, so that none may go out before all are known.
    pub fn limits_growth(&self) -> bool {
        let of_class = |guards: &ClassGuardsSpec| guards.create.is_some() || guards.update.is_some();
        self.create.is_some() || self.update.is_some() || self.classes.values().any(of_class)
    }
}

/// `approval: always`, `approval: [delete, disable]` or `approval: { operations: 100 }`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ApprovalSpec {
    /// One operation of such a kind is enough.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<Action>,
    /// More operations than this, of whatever kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operations: Option<u64>,
}

impl ApprovalSpec {
    /// Nobody has to approve anything.
    pub fn is_none(&self) -> bool {
        self.kinds.is_empty() && self.operations.is_none()
    }

    /// Whether creates or updates may have to wait.
    pub fn limits_growth(&self) -> bool {
        self.operations.is_some() || self.kinds.iter().any(|kind| !kind.is_destructive())
    }
}

impl<'de> Deserialize<'de> for ApprovalSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Approval;

        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Full {
            #[serde(default)]
            kinds: Vec<Action>,
            #[serde(default)]
            operations: Option<u64>,
        }

        impl<'de> Visitor<'de> for Approval {
            type Value = ApprovalSpec;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(
                    "`always`, a list of `create`, `update`, `enable`, `disable`, `delete`, or `{ operations: 100 }`",
                )
            }
            fn visit_str<E: de::Error>(self, word: &str) -> Result<ApprovalSpec, E> {
                let kinds = match word.parse() {
                    Ok(kind) => vec![kind],
                    Err(()) if word == "always" => Action::ALL.to_vec(),
                    Err(()) => return Err(E::invalid_value(de::Unexpected::Str(word), &self)),
                };
                Ok(ApprovalSpec { kinds, operations: None })
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<ApprovalSpec, A::Error> {
                let kinds = Vec::deserialize(de::value::SeqAccessDeserializer::new(list))?;
                Ok(ApprovalSpec { kinds, operations: None })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ApprovalSpec, A::Error> {
                let Full { kinds, operations } = Full::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(ApprovalSpec { kinds, operations })
            }
        }

        deserializer.deserialize_any(Approval)
    }
}

impl Default for GuardsSpec {
    fn default() -> Self {
        let leavers = LimitSpec { count: None, percent: Some(20.0), from: 20 };
        let shrink = ShrinkSpec { count: None, percent: Some(50.0), from: five() };
        Self {
            create: None,
            update: None,
            disable: None,
            delete: None,
            unlink: None,
            leavers,
            shrink,
            classes: BTreeMap::new(),
        }
    }
}

/// More than `count` operations, or more than `percent` of the linked objects, are too many. The percentage counts only
/// from `from` linked objects up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitSpec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    #[serde(default = "twenty")]
    pub from: u64,
}

fn twenty() -> u64 {
    20
}

/// More than `count` objects fewer than at the last whole read of the class, or more than `percent` of that read, are too many
/// for leavers to be believed unseen. The percentage counts only from `from` objects up: a few, since the small classes are
/// those that no share of the linked objects protects.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShrinkSpec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    #[serde(default = "five")]
    pub from: u64,
}

impl From<ShrinkSpec> for LimitSpec {
    fn from(ShrinkSpec { count, percent, from }: ShrinkSpec) -> Self {
        Self { count, percent, from }
    }
}

fn five() -> u64 {
    5
}

/// When a failed object is tried again, and for how long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EscrowSpec {
    /// The waits from one try to the next; the last one stays. Provost's own when empty: short ones for passing trouble.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retry: Vec<Period>,
    /// An object that failed for so long is left alone until it changes at the source.
    pub give_up: Period,
}

impl Default for EscrowSpec {
    fn default() -> Self {
        Self { retry: Vec::new(), give_up: FOUR_WEEKS }
    }
}

/// When a job whose cycles fail as a whole is tried more rarely, and for how long. The numbers are of one cycle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QuarantineSpec {
    /// More than this share of the events are too many failures.
    pub percent: f64,
    /// The share counts only from so many failures up.
    pub from: u64,
    /// More failed objects than this are too many, whatever their share.
    pub count: u64,
    /// The same, with references that failed.
    pub all: u64,
    /// Cycles in a row that did not get through to one of the two systems.
    pub failures: u32,
    /// The waits from one attempt to the next; the last one stays.
    pub retry: Vec<Period>,
    /// After so long the job does not run by itself any more.
    pub give_up: Period,
}

const FOUR_WEEKS: Period = Period { ms: 28 * 86_400_000 };

impl Default for QuarantineSpec {
    fn default() -> Self {
        let retry = [15, 30, 60, 120, 240, 480, 960, 1440].map(|minutes| Period { ms: minutes * 60_000 });
        Self {
            percent: 40.0,
            from: 5_000,
            count: 40_000,
            all: 60_000,
            failures: 5,
            retry: retry.into(),
            give_up: FOUR_WEEKS,
        }
    }
}

impl QuarantineSpec {
    /// Milliseconds from the attempt that failed, the first of which is 1, to the next one.
    pub fn wait_ms(&self, tries: i64) -> i64 {
        step(&self.retry, tries).unwrap_or(86_400_000)
    }
}

/// The wait after so many tries; the last one of the list stays.
pub(crate) fn step(retry: &[Period], tries: i64) -> Option<i64> {
    let at = usize::try_from(tries - 1).unwrap_or(0).min(retry.len().checked_sub(1)?);
    retry.get(at).map(|period| period.ms)
}

/// One example of the configuration's `tests:`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestSpec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ClassName>,
    pub given: BTreeMap<String, Value>,
    /// What `Now()` gives; the time of the test when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Timestamp>,
    /// Values that others have at the target, for `SelectUniqueValue`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken: Vec<String>,
    /// What `DefaultDomain()` gives; that of the job when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Target attribute -> value. Attributes that are not named are not compared. `{ignored: true}` expects that the
    /// attribute is left alone.
    #[serde(default)]
    pub expect: BTreeMap<String, Value>,
    /// The rules ignore the object.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ignored: bool,
    /// The object is not in scope.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub out_of_scope: bool,
    /// The object fails: the code, or a part of the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A length of time, written `45s`, `5m`, `2h`, `30d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    pub ms: i64,
}

impl std::str::FromStr for Period {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(format!("`{text}` is no period; write for example 30s, 5m, 2h or 30d")),
        };
        let number: i64 = digits.parse().map_err(|_| format!("`{text}` is no period; write for example 30s or 5m"))?;
        number.checked_mul(unit_ms).map(|ms| Self { ms }).ok_or_else(|| format!("`{text}` is too long"))
    }
}

impl std::fmt::Display for Period {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (unit_ms, unit) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")] {
            if self.ms > 0 && self.ms % unit_ms == 0 {
                return write!(f, "{}{unit}", self.ms / unit_ms);
            }
        }
        write!(f, "{}ms", self.ms)
    }
}

impl Serialize for Period {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
