//! The fixed words in state columns, as enums: a word that nobody knows is a corrupt row, not a silent default.

use crate::{Result, StoreError};

/// An enum that is kept as a word.
pub(crate) trait Word: Sized + Copy + 'static {
    const TABLE: &'static str;
    fn from_word(word: &str) -> Option<Self>;

    fn parse(word: &str) -> Result<Self> {
        Self::from_word(word).ok_or_else(|| StoreError::corrupt(Self::TABLE, format!("unknown word {word:?}")))
    }
}

macro_rules! words {
    ($($(#[$doc:meta])* $table:literal $name:ident { $($(#[$note:meta])* $variant:ident = $word:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$note])* #[serde(rename = $word)] $variant),* }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl std::str::FromStr for $name {
            type Err = $crate::StoreError;
            fn from_str(word: &str) -> $crate::Result<Self> {
                $crate::words::Word::parse(word)
            }
        }
        impl $crate::words::Word for $name {
            const TABLE: &'static str = $table;
            fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    )*};
}

words! {
    "job" JobState {
        Active = "active",
        /// Waits for somebody to release or discard the plan in `held_plan`.
        Held = "held",
        /// Shown, never stored: see `job_control`.
        Paused = "paused",
        /// Shown, never stored: see `quarantine`.
        Quarantined = "quarantined",
    }
    "link" LinkState {
        Linked = "linked",
        Disabled = "disabled",
        /// Seen, and out of scope or without anything to do.
        Skipped = "skipped",
        Failed = "failed",
    }
    "event" EventStatus {
        Planned = "planned",
        Held = "held",
        Done = "done",
        Failed = "failed",
        Skipped = "skipped",
        /// The answer was lost: look at the target before trying again.
        Unknown = "unknown",
        Discarded = "discarded",
    }
    "cycle" CycleKind {
        Initial = "initial",
        Incremental = "incremental",
        Reconcile = "reconcile",
        OnDemand = "on-demand",
        Revert = "revert",
        Plan = "plan",
    }
    "cycle" CycleStatus {
        Running = "running",
        Done = "done",
        Failed = "failed",
        /// The source was not read to a proven end: nobody was disabled or deleted.
        Incomplete = "incomplete",
        Held = "held",
        Discarded = "discarded",
        Planned = "planned",
        /// Somebody paused the job: what was under way ended, the rest is the next cycle's.
        Paused = "paused",
    }
    "reference" ReferenceState {
        /// To be sent as soon as both ends have a target id.
        Wanted = "wanted",
        Sent = "sent",
        /// To be taken away at the target; `ref_target` says which id is there.
        Unwanted = "unwanted",
    }
}
