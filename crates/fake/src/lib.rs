//! A SCIM target with the ways and the failures of others, for testing provisioning clients.
//!
//! It is the product's own SCIM service over a store in memory, so there is no second implementation of SCIM; a layer in
//! front of it rewrites requests and answers. [`Dialect`] says how the target differs from the RFC, [`Rule`] and [`Fault`]
//! what breaks and when, and [`Check`] what was seen of the client. Start with [`FakeTarget::start`].

mod address;
mod admin;
mod answer;
mod conduct;
mod dialect;
mod fault;
mod lag;
mod limit;
mod named;
mod pages;
mod quirk;
mod rule;
mod sending;
mod serve;
mod shape;
mod stored;
mod target;
mod token;

pub use conduct::Check;
pub use dialect::{Dialect, MemberRemove, OpCase, Rate};
pub use fault::{FAULTS, Fault};
pub use rule::{Rule, parse as parse_fault};
pub use target::{Error, FakeTarget, Options, Request};
