//! One run of the kit.

use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use provost_connector::{Connector, ConnectorError, Context, Host, Settings};
use serde::{Deserialize, Serialize};

use crate::cases::{self, Case, Subject, Verdict};
use crate::ground::Ground;
use crate::report::{CaseReport, Report, State};
use crate::sample::Sample;

/// A case that hangs has failed.
const CASE_LIMIT: Duration = Duration::from_secs(120);

/// How much is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Configuration, schema and reading: nothing is written.
    Basic,
    /// Writing, changes and faults as well.
    #[default]
    Standard,
    /// Long runs as well.
    Full,
}

impl Level {
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Basic => "basic",
            Level::Standard => "standard",
            Level::Full => "full",
        }
    }
}

impl FromStr for Level {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        [Level::Basic, Level::Standard, Level::Full].into_iter().find(|level| level.as_str() == text).ok_or(())
    }
}

/// What is tried.
pub struct Kit {
    pub connector: Arc<dyn Connector>,
    pub settings: Settings,
    pub host: Arc<dyn Host>,
    pub sample: Sample,
    pub level: Level,
    /// Numbers of objects that this run makes begin here, so that two runs at one peer do not meet.
    pub first_number: u64,
}

impl Kit {
    /// Plays every case. Fails only when no session can be had at all, so that there is nothing to try.
    pub async fn run(&self, cx: &Context) -> Result<Report, ConnectorError> {
        let ground = Ground::prepare(self, cx).await?;
        if self.level > Level::Basic {
            ground.populate().await?;
        }
        let mut cases = Vec::new();
        for case in cases::all().filter(|case| case.level <= self.level) {
            for subject in ground.subjects(case) {
                cases.push(play(&ground, case, subject).await);
            }
        }
        let left_behind = ground.clear().await;
        let connector = self.connector.manifest().name.to_string();
        Ok(Report { connector, level: self.level, cases, left_behind })
    }
}

async fn play(ground: &Ground<'_>, case: &Case, subject: Subject<'_>) -> CaseReport {
    let start = Instant::now();
    let verdict = tokio::time::timeout(CASE_LIMIT, (case.play)(ground, subject)).await;
    let verdict = verdict.unwrap_or_else(|_| Verdict::failed(format!("no end after {CASE_LIMIT:?}")));
    let known = subject.sample.and_then(|sample| sample.known.get(&case.number));
    let (state, message) = match (verdict, known) {
        (Verdict::Failed(why), Some(known)) => {
            (State::NotApplicable, Some(format!("known of this peer: {known}; {why}")))
        }
        (Verdict::Passed, Some(known)) => (State::Failed, Some(format!("it passes, and the sample says: {known}"))),
        (verdict, _) => told(verdict),
    };
    let class = subject.class.map(|class| class.name.to_string());
    let took_ms = start.elapsed().as_millis() as u64;
    CaseReport { number: case.number, group: case.group, class, title: case.title, state, message, took_ms }
}

fn told(verdict: Verdict) -> (State, Option<String>) {
    match verdict {
        Verdict::Passed => (State::Passed, None),
        Verdict::NotApplicable(why) => (State::NotApplicable, Some(why)),
        Verdict::Failed(why) => (State::Failed, Some(why)),
    }
}
