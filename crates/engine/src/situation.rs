//! What can be the case with an object and its account, and what is done about it: one table, the same in the configuration, in
//! `docs/situations.md` and here. [`decide`](crate::decide::decide) finds the situation and looks the reaction up; nothing
//! else does.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Index;

use serde::{Deserialize, Serialize};

use crate::spec::Reaction;

/// What is the case with an object of the source, its link and its account, or with an account alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Situation {
    /// In scope, and nothing matches at the target.
    New,
    /// In scope and without link, and one account matches that nobody has.
    Matched,
    /// Several accounts match.
    Ambiguous,
    /// The account that matches is linked with another object.
    Taken,
    /// There, but the scope does not have it any more.
    OutOfScope,
    /// There and in scope, and the source says that the account is to be off.
    Disabled,
    /// Gone from the source, by a proven read or by name.
    Deleted,
    /// In scope again, after it was out of scope or gone.
    Returned,
    /// The linked account is not at the target any more.
    Missing,
    /// The linked account is not as it was left at the target.
    Changed,
    /// An account that no object is linked with.
    Orphan,
}

use Situation::{Ambiguous, Changed, Deleted, Disabled, Matched, Missing, New, Orphan, OutOfScope, Returned, Taken};

impl Situation {
    pub const ALL: [Self; 11] =
        [New, Matched, Ambiguous, Taken, OutOfScope, Disabled, Deleted, Returned, Missing, Changed, Orphan];

    /// The key in the configuration.
    pub fn key(self) -> &'static str {
        match self {
            New => "new",
            Matched => "matched",
            Ambiguous => "ambiguous",
            Taken => "taken",
            OutOfScope => "out_of_scope",
            Disabled => "disabled",
            Deleted => "deleted",
            Returned => "returned",
            Missing => "missing",
            Changed => "changed",
            Orphan => "orphan",
        }
    }

    /// What is done when the configuration says nothing: the safe reaction.
    pub fn usual(self) -> Reaction {
        match self {
            New | Missing => Reaction::Create,
            Matched => Reaction::Adopt,
            Ambiguous | Taken => Reaction::Ask,
            OutOfScope | Disabled | Deleted => Reaction::Disable,
            Returned | Changed => Reaction::Update,
            Orphan => Reaction::Report,
        }
    }

    /// Words for all that can be chosen.
    pub fn choices(self) -> &'static [&'static str] {
        match self {
            New => &["create", "report", "ask"],
            Matched => &["adopt", "report", "ask"],
            Ambiguous | Taken => &["ask", "report"],
            OutOfScope | Deleted => &["disable", "delete", "{disable: now, delete: 30d}", "unlink", "report"],
            Disabled => &["disable", "delete", "{disable: now, delete: 30d}", "report"],
            Returned | Changed => &["update", "report", "ask"],
            Missing => &["create", "unlink", "report", "ask"],
            Orphan => &["report", "disable", "delete"],
        }
    }

    fn allows(self, reaction: &Reaction) -> bool {
        self.choices().iter().any(|choice| match reaction {
            Reaction::DisableThenDelete(_) => choice.starts_with('{'),
            other => *choice == other.word(),
        })
    }
}

impl fmt::Display for Situation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// `situations:` of a rule: what differs from the usual.
pub type SituationsSpec = BTreeMap<Situation, Reaction>;

/// The table of one rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Reactions([Reaction; Situation::ALL.len()]);

impl Default for Reactions {
    fn default() -> Self {
        Self(Situation::ALL.map(Situation::usual))
    }
}

impl Reactions {
    /// The usual table with what differs.
    ///
    /// # Errors
    /// The situations whose reaction is not one of theirs.
    pub fn with(differ: &SituationsSpec) -> Result<Self, Vec<Situation>> {
        let mut table = Self::default();
        let wrong: Vec<Situation> =
            differ.iter().filter(|(situation, reaction)| !situation.allows(reaction)).map(|(s, _)| *s).collect();
        if !wrong.is_empty() {
            return Err(wrong);
        }
        for (situation, reaction) in differ {
            table.0[*situation as usize] = reaction.clone();
        }
        Ok(table)
    }

    /// Whether an account can be under a grace period.
    pub fn have_grace(&self) -> bool {
        self.0.iter().any(|reaction| matches!(reaction, Reaction::DisableThenDelete(_)))
    }
}

impl Index<Situation> for Reactions {
    type Output = Reaction;

    fn index(&self, situation: Situation) -> &Reaction {
        &self.0[situation as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_its_usual_reaction_among_its_choices() {
        for (at, situation) in Situation::ALL.into_iter().enumerate() {
            assert_eq!(situation as usize, at, "{situation}: the order of the table");
            assert!(situation.allows(&situation.usual()), "{situation}");
            assert_eq!(serde_json::to_value(situation).unwrap(), situation.key());
            assert_eq!(Reactions::default()[situation], situation.usual());
            // Each choice can be written as it stands there.
            for choice in situation.choices() {
                let json = match choice.starts_with('{') {
                    true => serde_json::json!({ "disable": "now", "delete": "30d" }),
                    false => serde_json::json!(choice),
                };
                let reaction: Reaction = serde_json::from_value(json).unwrap();
                let table = Reactions::with(&[(situation, reaction.clone())].into()).unwrap();
                assert_eq!(table[situation], reaction);
            }
        }
        assert_eq!(Reactions::with(&[(New, Reaction::Delete), (Orphan, Reaction::Report)].into()), Err(vec![New]));
    }
}
