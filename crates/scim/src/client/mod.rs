//! The client's side as data: what to send to a target that speaks SCIM in its own way, and how to read what it says.
//!
//! [`Dialect`] holds the ways of a target as a data file does; [`BodyWriter`] makes bodies from a plan's changes; the
//! functions of [`answer`] accept whatever real targets send. Requests, retries and tokens are the connector's.

pub mod answer;
mod dialect;
mod resource;
mod rule;
mod skeleton;
mod skim;
mod update;

pub use answer::{ErrorAnswer, ListAnswer, parse_error, parse_list, parse_resource};
pub use dialect::{
    BooleanForm, Deprovision, Dialect, MemberAdd, MemberRemove, OpCase, Paging, PatchStyle, SelectorOp, UpdateMethod,
};
pub use resource::BodyWriter;
pub use rule::{AttributeRule, Breach, RateRule, Rules, Writable};
pub use skim::skim_resource;
pub use update::UpdateBody;

#[cfg(test)]
mod tests;
