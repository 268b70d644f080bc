//! The directory's errors in the words of the contract.

use provost_connector::{ConnectorError, ErrorCode, Scope};
use provost_model::Explain;
use provost_scim::ScimError;
use provost_store::StoreError;

use crate::DirectoryError;

pub(super) fn unknown_class(class: &str) -> ConnectorError {
    ConnectorError::new(ErrorCode::InvalidConfig, format!("the directory has no class `{class}`"))
        .hint("the directory has the classes User and Group")
        .scope(Scope::Class)
}

/// The database's trouble is the job's: nothing of the call was done, and the next one fares no better.
pub(super) fn store_error(error: &StoreError) -> ConnectorError {
    let code = match error {
        StoreError::Corrupt { .. } | StoreError::Nul(_) | StoreError::Refused(_) => ErrorCode::Internal,
        _ => ErrorCode::Unavailable,
    };
    let message = format!("the directory's store: {error}");
    with_hint(ConnectorError::new(code, message).scope(Scope::Job), error)
}

pub(super) fn unsupported(error: &ScimError) -> ConnectorError {
    with_hint(ConnectorError::new(ErrorCode::NotSupported, error.to_string()), error)
}

pub(super) fn to_connector(error: &DirectoryError) -> ConnectorError {
    let message = || error.to_string();
    let new = |code| with_hint(ConnectorError::new(code, message()), error);
    match error {
        DirectoryError::UnknownKind { kind } => unknown_class(kind),
        DirectoryError::NotFound { .. } => new(ErrorCode::NotFound),
        DirectoryError::AlreadyExists { attribute, existing_id, .. } => {
            let mut taken = new(ErrorCode::AlreadyExists).at(attribute.clone());
            taken.existing_id = Some(existing_id.clone());
            taken
        }
        DirectoryError::VersionMismatch { .. } => new(ErrorCode::PreconditionFailed),
        DirectoryError::Required { attribute } => new(ErrorCode::MissingRequired).at(attribute.clone()),
        DirectoryError::UnknownMember { .. } | DirectoryError::UnknownReference { .. } => {
            new(ErrorCode::Dependency).at("members")
        }
        DirectoryError::Invalid { path, .. } => new(ErrorCode::InvalidValue).at(path.clone()),
        DirectoryError::Scim(_) => new(ErrorCode::InvalidValue),
        DirectoryError::Store(StoreError::Corrupt { .. }) => new(ErrorCode::Internal),
        DirectoryError::Store(error) => store_error(error),
    }
}

fn with_hint(mut error: ConnectorError, from: &dyn Explain) -> ConnectorError {
    error.hint = from.hint().map(|hint| hint.into_owned());
    error
}
