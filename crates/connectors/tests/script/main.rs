//! The script connector with real interpreters: Python, and the system's shell.
#![cfg(all(feature = "script", unix))]
// The helpers are test code outside of test functions.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod export;
mod import;
mod settings;
mod support;
