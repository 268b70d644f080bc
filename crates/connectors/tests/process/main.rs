//! The process connector with real children: `cards.py`, which has faults on request, and this build's own connectors behind
//! their lines.
#![cfg(all(feature = "process", unix))]
// The helpers are test code outside of test functions.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod approval;
mod faults;
mod limits;
mod peer;
mod secrets;
#[cfg(feature = "file")]
mod served;
mod support;
