//! A source that others push into: SCIM bulk requests of HR feeds, taken durably, read by jobs like any other source.
//!
//! ```text
//!  request ─► accept ─► one transaction: request, operations, objects ─► 202
//!                              │ operations after the watermark
//!                              ▼
//!                    session (a connection) ─► cycle of the job ─► events ─► status of the request
//! ```
//! [`Inbox::accept`] checks a request and stores it. Each operation becomes a change in the connection's feed, with the whole
//! object as it is after it; what a POST does not name stays as it was. [`session`] reads that feed, one change of an
//! object in a cycle and in the order of arrival, so that a second one is decided when the first is done. Nothing here
//! provisions: jobs do, with their scope, matching, mappings and guards. [`Inbox::status`] tells what came of a request out
//! of the log of the cycles that read its operations; it is kept nowhere else.

mod accept;
mod change;
mod error;
mod inbox;
mod object;
mod outcome;
mod scan;
mod session;
mod settings;

pub use accept::{MAX_OPERATIONS, Sender};
pub use error::PushError;
pub use inbox::Inbox;
pub use outcome::{Counts, Outcome, State, Status};
pub use session::session;
pub use settings::{CONNECTOR, Settings, manifest, schema, validate};
