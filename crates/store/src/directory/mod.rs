//! The directory's tables: resources with their change sequence, and group members.
//!
//! Bodies are text that the store does not look into. Every write takes its place in one sequence, in the transaction that
//! writes: its row is locked until the commit, so whoever reads the feed up to a number has seen everything below it.

pub mod candidate;
pub mod member;
pub mod resource;
pub mod value;

pub use candidate::{Candidates, Column};
pub use member::MemberRow;
pub use resource::{Lookup, ResourceRow};
pub use value::ValueRow;
