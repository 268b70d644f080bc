//! Provost's own directory: users, groups, memberships and their change feed, over the store.
//!
//! Two doors lead to one executor. The engine comes through [`Directory::session`] and sees a connection like any other;
//! the SCIM service calls [`Directory::write`], [`Directory::get`] and [`Directory::query`]. No HTTP and no jobs here; what
//! SCIM means is `provost-scim`'s, what the tables hold is `provost-store`'s.
//! Start with [`write`], then [`execute`].

mod assignment;
pub mod directory;
pub mod error;
mod execute;
mod index;
mod kind;
mod membership;
pub mod query;
pub mod resource;
mod session;
pub mod types;
pub mod write;

pub use directory::Directory;
pub use error::DirectoryError;
pub use query::{Found, Page, Position, QueryPage, Walk};
pub use resource::{Member, Membership, Resource};
pub use types::Types;
pub use write::{Edit, MemberEdit, What, Write, Written};
