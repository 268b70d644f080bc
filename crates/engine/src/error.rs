//! Why a cycle cannot go on as a whole. What concerns one object is an event and an escrow, not an error.

use std::borrow::Cow;

use provost_connector::{ConnectorError, ErrorCode};
use provost_model::{ClassName, Code, ConnectionName, Explain, JobName, Severity};
use provost_store::StoreError;

/// A job that cannot run, or had to stop. What was done until then is recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    #[error("job `{job}`: {} problem(s) in its rules; the first: {}", problems.len(), problems.first().map_or("", |p| p.message.as_str()))]
    Rules { job: JobName, problems: Vec<RuleProblem> },
    #[error("{role} `{connection}`: {error}")]
    Connection { role: &'static str, connection: ConnectionName, error: ConnectorError },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("job `{job}` is being run by `{owner}`")]
    Busy { job: JobName, owner: String },
    #[error("plan `{plan}`: {message}")]
    Plan { plan: String, message: String, hint: &'static str },
    #[error("cycle `{cycle}` cannot be reverted: {message}")]
    Revert { cycle: String, message: String, hint: &'static str },
    #[error("cycle `{cycle}` cannot be reverted: the log of that time was thrown away, it begins with {since}")]
    Pruned { cycle: String, since: String },
    #[error("the plan is stale: {message}")]
    Moved { message: String },
    #[error("the plan is over a guard: {message}")]
    OverGuard { message: String },
    #[error("job `{job}` holds nothing")]
    NothingHeld { job: JobName },
    #[error("job `{job}` has no case `{id}`")]
    NoCase { job: JobName, id: String },
    #[error("job `{job}` has cases of several objects `{id}`: of the classes {}", classes.iter().map(|class| class.as_str()).collect::<Vec<_>>().join(", "))]
    SeveralCases { job: JobName, id: String, classes: Vec<ClassName> },
    #[error("the case `{id}` of job `{job}` cannot be answered so: {reason}")]
    Answer { job: JobName, id: String, reason: String },
    #[error("job `{job}` holds for a reason that has no exception{}", if why.is_empty() { String::new() } else { format!(": {why}") })]
    NoException { job: JobName, why: String },
    #[error("filter: {message}")]
    Filter { message: String, hint: Option<String> },
    #[error("job `{job}` is paused since {}{}", since(*since_ms), reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default())]
    Paused { job: JobName, since_ms: i64, reason: Option<String> },
    #[error("cancelled")]
    Cancelled,
}

fn since(ms: i64) -> String {
    provost_model::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |at| at.to_string())
}

/// One problem of a job's rules, found before anything runs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RuleProblem {
    pub code: Code,
    pub severity: Severity,
    /// Where in the job's document: `objects[0].attributes."name.familyName"`.
    pub path: String,
    pub message: String,
    pub hint: Option<String>,
    /// The text that is wrong and the bytes in it that are meant, for underlining.
    pub source: Option<(String, std::ops::Range<usize>)>,
    /// Whether the key at the end of the path is meant, not its value.
    pub of_key: bool,
}

impl RuleProblem {
    pub fn new(code: Code, path: String, message: String) -> Self {
        Self { code, severity: Severity::Error, path, message, hint: None, source: None, of_key: false }
    }
}

impl Explain for EngineError {
    fn code(&self) -> Code {
        match self {
            EngineError::Rules { problems, .. } => {
                problems.first().map_or(Code::new("PRV-0501"), |problem| problem.code.clone())
            }
            EngineError::Connection { error, .. } => error.code(),
            EngineError::Store(error) => error.code(),
            EngineError::Busy { .. } => Code::new("PRV-0502"),
            EngineError::Plan { .. } => Code::new("PRV-0503"),
            EngineError::Revert { .. } => Code::new("PRV-0507"),
            EngineError::Pruned { .. } => Code::new("PRV-0551"),
            EngineError::Moved { .. } => Code::new("PRV-0504"),
            EngineError::OverGuard { .. } => Code::new("PRV-0531"),
            EngineError::NothingHeld { .. } => Code::new("PRV-0505"),
            EngineError::NoCase { .. } => Code::new("PRV-0542"),
            EngineError::Answer { .. } => Code::new("PRV-0543"),
            EngineError::SeveralCases { .. } => Code::new("PRV-0544"),
            EngineError::NoException { .. } => Code::new("PRV-0550"),
            EngineError::Filter { .. } => Code::new("PRV-0506"),
            EngineError::Paused { .. } => Code::new("PRV-0532"),
            EngineError::Cancelled => Code::new(ErrorCode::Cancelled.number()),
        }
    }

    fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            EngineError::Rules { problems, .. } => problems.first()?.hint.as_deref().map(Cow::Borrowed),
            EngineError::Connection { error, .. } => error.hint.as_deref().map(Cow::Borrowed),
            EngineError::Store(error) => error.hint(),
            EngineError::Busy { .. } => Some("wait for the running cycle, or look at `provost log --follow`".into()),
            EngineError::Plan { hint, .. } | EngineError::Revert { hint, .. } => Some(Cow::Borrowed(hint)),
            EngineError::Pruned { .. } => {
                Some("`provost run JOB --reconcile` brings the target to what the source says now".into())
            }
            EngineError::Moved { .. } => Some("make a new plan and look at it again".into()),
            EngineError::OverGuard { .. } => {
                Some("look at the plan again; with --over-guard it goes out all the same".into())
            }
            EngineError::NothingHeld { .. } => Some("`provost plan JOB` shows what the job would do".into()),
            EngineError::NoCase { job, .. } => Some(Cow::Owned(format!("`provost cases {job}` lists those there are"))),
            EngineError::SeveralCases { .. } => Some("name one of them with `--class`".into()),
            EngineError::Answer { job, id, .. } => {
                Some(Cow::Owned(format!("`provost cases show {job} {id}` shows the accounts in question")))
            }
            EngineError::NoException { .. } => {
                Some("release it this once, without --always; what has to be approved is set by `approval:`".into())
            }
            EngineError::Filter { hint, .. } => hint.as_deref().map(Cow::Borrowed),
            EngineError::Paused { job, .. } => Some(Cow::Owned(format!(
                "`provost resume {job}` lets it run again, `provost run {job} --even-paused` runs one cycle all the same"
            ))),
            EngineError::Cancelled => None,
        }
    }
}
