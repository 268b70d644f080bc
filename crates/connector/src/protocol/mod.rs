//! The contract between two programs: JSON-RPC 2.0 (<https://www.jsonrpc.org/specification>), one JSON text a line.
//!
//! The messages are the contract's own types; only what frames them is new here: [`message`] requests and answers, [`params`]
//! what they carry beside those types, [`line`](mod@line) the lines, [`serve`](fn@serve) a connector behind such lines. The
//! other end, which starts a program and makes a connector of it, is the connector `process`. `docs/custom-connectors.md`
//! tells the same to authors in any language.

pub mod line;
pub mod message;
pub mod params;
mod scans;
mod serve;
mod server;

pub use line::{LineError, Lines};
pub use message::{Id, Malformed, Message, RpcError};
pub use params::Meta;
pub use serve::serve;

/// The version of the protocol that this build speaks. A minor version only adds fields and methods.
pub const VERSION: &str = "1.0";

/// The longest line in bytes, its end not counted, unless `initialize` says otherwise.
pub const MAX_LINE: usize = 4 << 20;

/// The environment variable by which a program knows that it was started as a connector.
pub const VARIABLE: &str = "PROVOST_PCP";

/// The names of the methods.
pub mod method {
    pub const INITIALIZE: &str = "initialize";
    pub const VALIDATE: &str = "validate";
    pub const CONFIGURE: &str = "configure";
    pub const SCHEMA: &str = "schema";
    pub const TEST: &str = "test";
    pub const GET: &str = "get";
    pub const FIND: &str = "find";
    pub const LOOKUP: &str = "lookup";
    pub const COUNT: &str = "count";
    pub const REVISION: &str = "revision";
    pub const SCAN_OPEN: &str = "scan.open";
    pub const SCAN_NEXT: &str = "scan.next";
    pub const SCAN_CLOSE: &str = "scan.close";
    pub const APPLY: &str = "apply";
    pub const PING: &str = "ping";
    pub const SHUTDOWN: &str = "shutdown";
    /// A notification: the sender does not want the answer of this request any more, which still has to come.
    pub const CANCEL: &str = "$/cancel";
    /// From the program to its host: the value behind a handle of the settings.
    pub const HOST_SECRET: &str = "host.secret";
    /// A notification to the host: a line for its log.
    pub const LOG: &str = "log";
}

/// Whether the other side's version can be spoken with: the first number is the same.
pub fn is_spoken(version: &str) -> bool {
    let major = |version: &str| version.split('.').next().and_then(|number| number.parse::<u32>().ok());
    major(version).is_some() && major(version) == major(VERSION)
}
