//! A SCIM target with the ways and the failures of others, for testing provisioning clients.
//!
//! It is the product's own SCIM service over a store in memory, so there is no second implementation of SCIM; a layer in
//! front of it rewrites requests and answers. [`Dialect`] says how the target differs from the RFC, [`Rule`] and [`Fault`]
//! what breaks and when. Start with [`FakeTarget::start`].

mod dialect;
mod fault;
mod quirk;
mod target;

pub use dialect::Dialect;
pub use fault::{Fault, Rule};
pub use target::{Error, FakeTarget, Options, Request};
