//! HTTP for connectors: one pooled client per connection, and one opinion on what an answer, or its absence, means.
//!
//! What matters most here is the difference between *not sent* and *maybe sent*: a write that may have reached the target
//! is `unknown_outcome` and is looked at before it is repeated. Nothing is retried here; the layers of `provost-connector` do
//! that, and keep the overall rate. Limits by method and address are kept here, where these are known. No JSON and no protocol: a connector brings its own.
//! Start with [`Client::send`]; [`status`] has the table of statuses; `docs/decisions/0002-http-client.md` says why hyper.

mod answer;
pub mod auth;
mod client;
mod failure;
mod grant;
mod limits;
mod pool;
pub mod status;
mod url;

pub use crate::setting::{Certificate, SecretHandle};
pub use crate::tls::Identity;
pub use answer::Answer;
pub use auth::{Auth, AuthHeader, Basic, Custom, OAuth};
pub use client::{Call, Client, Options};
pub use failure::Effect;
pub use grant::Grant;
pub use limits::Limit;
pub use url::BaseUrl;

pub use hyper::{Method, StatusCode, header};

#[cfg(test)]
mod tests;
