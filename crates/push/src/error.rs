//! Why a request is not taken.

use std::borrow::Cow;

use provost_model::{Code, Explain};
use provost_scim::ScimError;
use provost_store::StoreError;

/// What is wrong with a request as a whole. What is wrong with one operation is that operation's outcome.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PushError {
    /// It cannot be read, or is larger than a request may be.
    #[error("{0}")]
    Request(ScimError),
    /// None of its operations can be taken; the first one's error stands for all.
    #[error("none of the {count} operations can be taken; the first: {first}")]
    Nothing { count: usize, first: ScimError },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PushError {
    /// The status of the answer.
    pub fn status(&self) -> u16 {
        match self {
            PushError::Request(error) | PushError::Nothing { first: error, .. } => error.status,
            PushError::Store(_) => 503,
        }
    }
}

impl Explain for PushError {
    fn code(&self) -> Code {
        match self {
            PushError::Request(_) => Code::new("PRV-0801"),
            PushError::Nothing { .. } => Code::new("PRV-0805"),
            PushError::Store(_) => Code::new("PRV-0803"),
        }
    }

    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match self {
            PushError::Request(error) if error.status == 413 => "send several requests; their order is kept",
            PushError::Request(_) => "GET /api/v1/openapi.json shows what belongs into it",
            PushError::Nothing { first, .. } if first.status == 409 => {
                "give each operation a bulkId of its own, such as a UUID; send an operation again under its bulkId unchanged"
            }
            PushError::Nothing { first, .. } if first.status == 403 => "use a token that may see this resource type",
            PushError::Nothing { .. } => {
                "an operation is such as {\"method\": \"POST\", \"path\": \"/Users\", \"bulkId\": \"…\", \"data\": {\"externalId\": \"…\"}}"
            }
            PushError::Store(_) => "nothing was taken; send it again",
        }))
    }
}
