//! Newtypes for identifiers and names, so that a job's name is never taken for an object's id.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::Text;

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Text);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }
        impl From<Text> for $name {
            fn from(text: Text) -> Self {
                Self(text)
            }
        }
        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }
        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )*};
}

text_id! {
    /// The identifier of an object in one connected system: opaque, compared exactly.
    ObjectId,
    /// A class of objects in one connected system (`User`, `Group`, `person`).
    ClassName,
    /// The name of a job in the configuration.
    JobName,
    /// The name of a connection in the configuration.
    ConnectionName,
    /// One run of a job; sorts by time (UUID version 7).
    CycleId,
    /// A stored plan: the cycle that computed it.
    PlanId,
    /// One intended operation; stable over retries, so it serves as idempotency key at targets that take one.
    OperationId,
}
