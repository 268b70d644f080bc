//! Provost's state: one [`Store`] over SQLite or PostgreSQL, with one code path and one SQL text.
//!
//! Read through the store; write through a [`Transaction`] from [`Store::begin`] or, for everything that a job owns, from
//! [`Store::fenced`], which fails when the job's lease is lost. Writes take slices and go out in bulk; there is no call per
//! object. One file per table; the engines' differences end in [`db`].
//!
//! Rules: times are milliseconds since 1970 UTC, ids compare by bytes, JSON is text that the store does not look into
//! (but see [`layout`]). A NUL character is refused in ids and JSON ([`StoreError::Nul`]) and replaced by U+FFFD in texts for
//! people (names, reasons, notes, messages), on both engines, because PostgreSQL cannot hold it.

pub mod answer;
pub mod audit;
mod bell;
pub mod config;
pub mod control;
pub mod cycle;
pub mod db;
pub mod directory;
pub mod error;
pub mod escrow;
pub mod event;
pub mod event_query;
pub mod exception;
pub mod job;
pub mod layout;
pub mod lease;
pub mod link;
pub mod memo;
pub mod prune;
pub mod push;
pub mod quarantine;
pub mod reference;
pub mod seal;
pub mod secret;
pub mod store;
pub mod token;
pub mod words;

pub use answer::AnswerRow;
pub use audit::AuditRow;
pub use config::ConfigRow;
pub use control::ControlRow;
pub use cycle::CycleRow;
pub use db::{Db, Transaction};
pub use directory::{Candidates, Column, Lookup, MemberRow, ResourceRow, ValueRow};
pub use error::{Result, StoreError};
pub use escrow::EscrowRow;
pub use event::{EventOutcome, EventRow};
pub use event_query::{EventCount, EventQuery};
pub use exception::ExceptionRow;
pub use job::JobRow;
pub use layout::Layout;
pub use lease::{Lease, LeaseRow};
pub use link::{GONE, LinkRow, MarksPage};
pub use push::{PushOperationRow, PushRecordRow, PushRequestRow};
pub use quarantine::QuarantineRow;
pub use reference::{PendingReference, ReferenceKey, ReferenceRow};
pub use seal::MasterKey;
pub use secret::SecretInfo;
pub use store::{Check, Size, Store, StoreOptions};
pub use token::{NewToken, TokenRow};
pub use words::{CycleKind, CycleStatus, EventStatus, JobState, LinkState, ReferenceState};
