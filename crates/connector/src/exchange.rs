//! The request that an operation ended with, and what came back: for the log, as far as a connector knows it anyway.

use provost_model::Text;
use serde::{Deserialize, Serialize};

/// One request in short. Neither bodies nor queries: those hold people's data.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Exchange {
    /// Method and path: `PATCH /Users/42`.
    pub request: Text,
    /// The target's status; none when there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The target's own name for the request, which its support asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Text>,
}
