//! read -> scope -> match -> map -> diff -> plan -> guard -> apply -> record: what makes a target agree with a source.
//!
//! [`Engine`] is the door. [`spec`] is what a job says, [`rule`] what it means, [`decide`] the one pure decision, [`cycle`]
//! the way of many objects through it. The engine knows sessions and the store; no connector by name, no HTTP, no SQL.

pub mod cases;
pub mod control;
mod cycle;
pub mod decide;
mod engine;
pub mod error;
pub mod explain;
pub mod guard;
mod lifesign;
mod ondemand;
mod plan;
pub mod progress;
mod quarantine;
pub mod report;
pub mod retention;
mod revert;
pub mod rule;
pub mod scheduler;
mod similarity;
pub mod situation;
pub mod spec;
pub mod timetable;

pub use cycle::Patience;
pub use engine::{Connections, Engine, RunOptions};
pub use error::{EngineError, RuleProblem};
pub use plan::Approval;
pub use progress::{Counts, Progress};
pub use report::{CycleKind, CycleReport, CycleStatus, Explanation, ProvisionReport};
pub use rule::Job;
pub use spec::JobSpec;
