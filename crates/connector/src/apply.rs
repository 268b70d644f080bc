//! What came of each operation.

use provost_model::{Attributes, ObjectId, OperationId, Text};
use serde::{Deserialize, Serialize};

use crate::{ConnectorError, Exchange};

/// The outcome of one operation; [`Session::apply`](crate::Session::apply) returns one per operation, in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Applied {
    pub operation: OperationId,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Done(Done),
    Failed(ConnectorError),
}

/// The target's state after a write that succeeded.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Done {
    pub target_id: ObjectId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<Text>,
    /// Values that the target stored otherwise than they were sent, where the answer shows it.
    #[serde(default, skip_serializing_if = "Attributes::is_empty")]
    pub changed: Attributes,
    /// Requests this operation cost at the target.
    #[serde(default)]
    pub requests: u32,
    /// The last of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<Box<Exchange>>,
}

impl Applied {
    pub fn done(operation: OperationId, done: Done) -> Self {
        Self { operation, outcome: Outcome::Done(done) }
    }

    pub fn failed(operation: OperationId, error: ConnectorError) -> Self {
        Self { operation, outcome: Outcome::Failed(error) }
    }
}
