//! Why the directory refuses something, codes `PRV-0650` to `PRV-0657`. What SCIM or the store say keeps their codes.

use std::borrow::Cow;

use provost_model::{Code, Explain, ObjectId, Text};
use provost_scim::ScimError;
use provost_store::StoreError;

/// What can go wrong with one read or write. Values of attributes never stand in the text.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    #[error("the directory has no resource type `{kind}`")]
    UnknownKind { kind: Text },
    #[error("{kind} {id} does not exist")]
    NotFound { kind: Text, id: ObjectId },
    #[error("{attribute} is taken by {kind} {existing_id}")]
    AlreadyExists { kind: Text, attribute: Text, existing_id: ObjectId },
    #[error("{kind} {id} has changed: its version is {current}")]
    VersionMismatch { kind: Text, id: ObjectId, current: i64 },
    #[error("{attribute} is required")]
    Required { attribute: Text },
    #[error("member {id} does not exist")]
    UnknownMember { id: ObjectId },
    #[error("{path}: there is no {wanted} {id}")]
    UnknownReference { path: Text, wanted: Text, id: ObjectId },
    #[error("{path}: {reason}")]
    Invalid { path: Text, reason: String },
    #[error(transparent)]
    Scim(#[from] ScimError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DirectoryError {
    pub(crate) fn invalid(path: impl Into<Text>, reason: impl Into<String>) -> Self {
        Self::Invalid { path: path.into(), reason: reason.into() }
    }
}

impl Explain for DirectoryError {
    fn code(&self) -> Code {
        Code::new(match self {
            Self::UnknownKind { .. } => "PRV-0650",
            Self::NotFound { .. } => "PRV-0651",
            Self::AlreadyExists { .. } => "PRV-0652",
            Self::VersionMismatch { .. } => "PRV-0653",
            Self::Required { .. } => "PRV-0654",
            Self::UnknownMember { .. } => "PRV-0655",
            Self::Invalid { .. } => "PRV-0656",
            Self::UnknownReference { .. } => "PRV-0657",
            Self::Scim(error) => return error.code(),
            Self::Store(error) => return error.code(),
        })
    }

    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(match self {
            Self::UnknownKind { .. } => {
                "the directory has User, Group, and what `directory:` of the configuration declares"
            }
            Self::NotFound { .. } => "look for it by userName or externalId; it may have been deleted",
            Self::AlreadyExists { .. } => "update the one that is there, or choose another value",
            Self::VersionMismatch { .. } => "read it again and repeat the change on what it is now",
            Self::Required { .. } => "map a value to it that every object has",
            Self::UnknownMember { .. } => "create the member first, or leave it out",
            Self::Invalid { .. } => "correct the mapping or the request",
            Self::UnknownReference { .. } => "create it first, or name another one by its id",
            Self::Scim(error) => return error.hint(),
            Self::Store(error) => return error.hint(),
        }))
    }
}
