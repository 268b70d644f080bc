//! The file connector against real files: what it reads and refuses, what it writes, and both together at random.
//! Text in, text out: [`support::shown`] prints a whole scan, faults and end included.
#![cfg(feature = "file")]
// The helpers are test code outside of test functions.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod bad;
mod fixed;
mod formulas;
mod good;
mod hostile;
mod jsonl;
mod ldif;
mod openldap;
mod random;
mod session;
mod sheet;
mod speed;
mod support;
mod write;
mod xml;
