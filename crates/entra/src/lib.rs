//! Microsoft Entra's synchronization schema, both ways: what its admin centre and Graph export becomes a Provost job, and a
//! job becomes such a document.
//!
//! Nothing is lost silently: each direction returns, beside its result, a [`Note`] for every piece that has no counterpart,
//! with its place and the reason. `docs/entra.md` is the table of words; `docs/decisions/0015` tells why it is as it is.

mod definition;
mod export;
mod fields;
mod import;
mod json;
mod note;
mod scope;
mod source;
mod write;
mod yaml;

pub use export::{Exported, Known, export};
pub use import::{Imported, Names, import};
pub use json::{MAX_BYTES, MAX_DEPTH, decode};
pub use note::{Fault, Note, NoteKind};
pub use scope::MAX_GROUPS;
pub use yaml::{job_yaml, jobs_yaml};
