//! The cases. Each is one promise of the contract with a number that stays; a folder's file is a group.

mod changes;
mod configuration;
mod faults;
mod hostile;
mod membership;
mod reading;
mod schema;
mod storm;
mod writing;

use std::fmt::Display;

use futures_util::future::LocalBoxFuture;
use provost_connector::{ClassCapabilities, ConnectorError};

use crate::Level;
use crate::ground::Ground;
use crate::sample::ClassSample;

/// What a case is played on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Once.
    Connection,
    /// Each class that can be read in full.
    Read,
    /// Each class with a feed of changes.
    Changes,
    /// Each class that can be written.
    Write,
}

/// The class that a case is played on now, and what may be made of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'g> {
    pub class: Option<&'g ClassCapabilities>,
    pub sample: Option<&'g ClassSample>,
}

impl<'g> Subject<'g> {
    pub fn name(&self) -> &'g str {
        self.class.map_or("", |class| class.name.as_str())
    }

    /// What may be made; else the case does not apply.
    pub fn sample(&self) -> Result<&'g ClassSample, Verdict> {
        let none = || Verdict::NotApplicable("the sample says nothing of this class".to_owned());
        self.sample.ok_or_else(none)
    }

    pub fn can(&self) -> Result<&'g ClassCapabilities, Verdict> {
        self.class.ok_or_else(|| Verdict::failed("no class"))
    }
}

/// One promise.
pub(crate) struct Case {
    pub number: u16,
    pub group: &'static str,
    pub title: &'static str,
    pub level: Level,
    pub needs: Needs,
    pub play: for<'a> fn(&'a Ground<'a>, Subject<'a>) -> LocalBoxFuture<'a, Verdict>,
}

/// How a case ended.
#[derive(Debug)]
pub(crate) enum Verdict {
    Passed,
    NotApplicable(String),
    Failed(String),
}

impl Verdict {
    pub fn failed(why: impl Display) -> Self {
        Verdict::Failed(why.to_string())
    }

    pub fn skipped(why: impl Display) -> Self {
        Verdict::NotApplicable(why.to_string())
    }
}

/// A call that should have succeeded.
impl From<ConnectorError> for Verdict {
    fn from(error: ConnectorError) -> Self {
        Verdict::Failed(format!("{:?}: {error}", error.code))
    }
}

/// The body of a case: ends early with the verdict that an error is.
pub(crate) type Played = Result<(), Verdict>;

impl From<Played> for Verdict {
    fn from(played: Played) -> Self {
        match played {
            Ok(()) => Verdict::Passed,
            Err(verdict) => verdict,
        }
    }
}

/// Fails the case with the message when the condition does not hold.
macro_rules! demand {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::cases::Verdict::Failed(format!($($message)+)));
        }
    };
}
pub(crate) use demand;

/// `case!(number, level, needs, "title", function)`, in a file that names its `GROUP`.
macro_rules! case {
    ($number:literal, $level:ident, $needs:ident, $title:literal, $play:path) => {
        $crate::cases::Case {
            number: $number,
            group: GROUP,
            title: $title,
            level: $crate::Level::$level,
            needs: $crate::cases::Needs::$needs,
            play: |ground, subject| Box::pin(async move { $play(ground, subject).await.into() }),
        }
    };
}
pub(crate) use case;

/// All cases in the order they are played: what writes comes after what reads, what breaks comes last.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    let groups: [&[Case]; 9] = [
        configuration::CASES,
        schema::CASES,
        reading::CASES,
        writing::CASES,
        hostile::CASES,
        membership::CASES,
        changes::CASES,
        faults::CASES,
        storm::CASES,
    ];
    groups.into_iter().flatten()
}
