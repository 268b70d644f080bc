//! A SCIM target with the ways and the failures of others, for testing provisioning clients.
//!
//! It is the product's own SCIM service over a store in memory, so there is no second implementation of SCIM; a layer in
//! front of it rewrites requests and answers. [`Dialect`] says how the target differs from the RFC, [`Rule`] and [`Fault`]
//! what breaks and when, and [`Check`] what was seen of the client. Start with [`FakeTarget::start`].

mod conduct;
mod dialect;
mod fault;
mod quirk;
mod target;

pub use conduct::Check;
pub use dialect::{Dialect, MemberRemove, OpCase};
pub use fault::{Fault, Rule, parse as parse_fault};
pub use target::{Error, FakeTarget, Options, Request};
