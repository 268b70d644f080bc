//! The words of the domain: values, records, attribute paths, filters as data, schemas, changes, operations.
//!
//! No I/O, no async runtime, no protocol. Every other crate speaks in these types, and all of them derive serde once, so
//! that an in-process trait, a child process and an agent carry the same messages.
//! Start with [`Value`], then [`Record`], [`AttributePath`] and [`Operation`].

pub mod attributes;
pub mod clock;
pub mod digest;
pub mod explain;
pub mod filter;
pub mod id;
pub mod operation;
pub mod path;
pub mod place;
pub mod record;
pub mod schema;
pub mod value;

pub use attributes::Attributes;
pub use clock::{Clock, SystemClock, Timestamp};
pub use compact_str::CompactString as Text;
pub use digest::Digest;
pub use explain::{Code, Explain, Severity};
pub use filter::{Filter, Operator, Term};
pub use id::{ClassName, ConnectionName, CycleId, JobName, ObjectId, OperationId, PlanId};
pub use operation::{Action, Change, ChangeOp, Operation};
pub use path::AttributePath;
pub use place::Place;
pub use record::{Incomplete, Record};
pub use schema::{APP_ROLE_ASSIGNMENTS, AttributeSchema, AttributeType, ClassSchema, Mutability, Schema};
pub use value::{Reference, Value};
