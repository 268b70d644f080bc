//! The connector contract: what every connected system looks like to the engine.
//!
//! [`Connector`] validates settings and opens a [`Session`]; a session reads ([`Session::scan`], [`Session::lookup`]),
//! writes ([`Session::apply`]) and says truthfully what it can do ([`Capabilities`]). The messages derive serde once, so
//! that an in-process trait, a child process and an agent carry the same contract. No protocol, no store, no engine here.
//!
//! Three rules that everything above relies on:
//! 1. **Completeness is proven.** Absence means deletion only after [`End::complete`] of a full scan; a scan that just
//!    stops is no end.
//! 2. **An outcome is known or said to be unknown.** A write whose answer was lost is [`ErrorCode::UnknownOutcome`].
//! 3. **Never approximate.** A filter, attribute or operation that cannot be done exactly is refused.

pub mod apply;
pub mod capability;
pub mod context;
pub mod error;
pub mod exchange;
pub mod layers;
pub mod protocol;
pub mod reroute;
pub mod scan;
pub mod session;
pub mod settings;

pub use apply::{Applied, Done, Outcome};
pub use capability::{Capabilities, ClassCapabilities, Enablement};
pub use context::Context;
pub use error::{ConnectorError, ErrorCode, Retry, Scope};
pub use exchange::Exchange;
pub use reroute::Rerouted;
pub use scan::{Cursor, End, KnownDigests, Page, Scan, ScanFault, ScanItem, ScanMode, ScanPage, ScanRequest};
pub use session::{CheckResult, CheckStatus, Connector, FindRequest, Host, LookupRequest, Manifest, Session};
pub use settings::{Secret, SettingProblem, Settings};
