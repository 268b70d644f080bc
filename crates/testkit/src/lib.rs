//! Launchers for the real programs that Provost's tests run against: PostgreSQL, MariaDB, OpenLDAP, two SCIM servers that others wrote, and a
//! proxy that counts and breaks requests between a client and any of them. Development only: nothing that ships depends on
//! this crate.
//!
//! Each launcher starts a real process on a free loopback port in a temporary folder, waits until it answers, and stops it
//! on drop. Nothing outlives its owner, not even when the test process is killed: [`process`] says how. What the programs
//! need is brought by `make deps`; when it is missing a launcher fails with an error that says so, it never skips.
//!
//! Environment: `PROVOST_TEST_WORK` the folder that `make deps` fills (default `.work` beside the root Makefile),
//! `PROVOST_TEST_POSTGRES` the URL of a server to use instead of starting one, `PROVOST_TEST_KEEP=1` keeps the temporary
//! folders with the programs' logs.

pub mod authority;
pub mod ds389;
pub mod error;
pub mod http;
pub mod mariadb;
pub mod peer;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod samba;
pub mod scim2_server;
pub mod scimmy;
pub mod slapd;

pub use error::Error;
pub use http::{Answer, Http};
pub use peer::Peer;
pub use process::{Workdir, free_port};
pub use proxy::{CountingProxy, Fault, Rule};
