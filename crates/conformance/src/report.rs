//! What came of the cases.

use serde::Serialize;

use crate::Level;

/// What became of one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Passed,
    Failed,
    /// The connection does not promise what the case tries, or the sample does not allow it.
    NotApplicable,
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaseReport {
    /// Stable: `24`.
    pub number: u16,
    pub group: &'static str,
    /// The class that was tried; none for what belongs to the connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// What must hold, as a sentence.
    pub title: &'static str,
    pub state: State,
    /// What was seen otherwise, or why the case does not apply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    pub took_ms: u64,
}

/// All cases of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    pub connector: String,
    pub level: Level,
    pub cases: Vec<CaseReport>,
    /// Objects that could not be removed again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_behind: Vec<String>,
}

impl Report {
    pub fn count(&self, state: State) -> usize {
        self.cases.iter().filter(|case| case.state == state).count()
    }

    /// Nothing failed, and nothing was left at the peer.
    pub fn passed(&self) -> bool {
        self.count(State::Failed) == 0 && self.left_behind.is_empty()
    }

    /// The failures, one a line, for people and for the message of a test.
    pub fn failures(&self) -> String {
        let failed = self.cases.iter().filter(|case| case.state == State::Failed);
        let lines = failed.map(|case| {
            let class = case.class.as_deref().map(|class| format!(" [{class}]")).unwrap_or_default();
            format!("{:>3}{class} {}: {}\n", case.number, case.title, case.message.as_deref().unwrap_or(""))
        });
        let left = self.left_behind.iter().map(|id| format!("left behind: {id}\n"));
        lines.chain(left).collect()
    }
}
