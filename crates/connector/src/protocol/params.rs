//! What requests and answers carry, where it is not one of the contract's types as it stands.
//!
//! Parameters and results are objects, so that a later version can add to them; fields that are not known are passed over.
//! `find` and `lookup`, `scan.open`, `scan.next`, `schema`, `configure` and `validate` carry
//! [`FindRequest`](crate::FindRequest), [`LookupRequest`](crate::LookupRequest), [`ScanRequest`](crate::ScanRequest),
//! [`ScanPage`](crate::ScanPage), [`Schema`](provost_model::Schema) and [`Settings`](crate::Settings).

use std::borrow::Cow;
use std::time::{Duration, Instant};

use provost_model::{ClassName, ObjectId, Operation, Record, Text};
use serde::{Deserialize, Deserializer, Serialize};
use tokio_util::sync::CancellationToken;

use super::{Id, MAX_LINE};
use crate::{Applied, Capabilities, CheckResult, Context, Manifest, SettingProblem};

/// `meta` beside the parameters of any request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// How long the caller waits from now on, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub trace: Text,
}

/// The parameters of any request, for its `meta` alone.
#[derive(Debug, Default, Deserialize)]
pub(super) struct AnyParams {
    #[serde(default)]
    pub meta: Meta,
}

impl Meta {
    pub fn of(cx: &Context) -> Self {
        let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now()).as_millis();
        Self {
            deadline_ms: cx.deadline.map(|deadline| u64::try_from(left(deadline)).unwrap_or(u64::MAX)),
            trace: cx.trace.clone(),
        }
    }

    pub fn context(&self, cancel: CancellationToken) -> Context {
        // A deadline beyond what the clock can tell is none.
        let deadline = self.deadline_ms.and_then(|ms| Instant::now().checked_add(Duration::from_millis(ms)));
        Context { deadline, cancel, trace: self.trace.clone() }
    }
}

/// Of `ping`, `schema`, `test`, `shutdown`, and the result of what has none.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Nothing {}

/// Of `initialize`: the first request, once.
#[derive(Debug, Serialize, Deserialize)]
pub struct Initialize {
    /// The version that the host speaks.
    pub pcp: Text,
    /// The longest line in bytes that the host takes.
    #[serde(default = "max_line")]
    pub max_line: usize,
    /// Name and version of the host.
    #[serde(default)]
    pub host: Text,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Initialized {
    /// The version that the program speaks.
    pub pcp: Text,
    pub connector: Manifest,
    /// The program's own version.
    #[serde(default)]
    pub version: Text,
    /// The longest line in bytes that the program takes.
    #[serde(default = "max_line")]
    pub max_line: usize,
}

fn max_line() -> usize {
    MAX_LINE
}

/// The result of `configure`, which may be asked for again: secrets have changed, say.
#[derive(Debug, Serialize, Deserialize)]
pub struct Configured {
    pub capabilities: Capabilities,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Validated {
    pub problems: Vec<SettingProblem>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Tested {
    pub checks: Vec<CheckResult>,
}

/// Of `get`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Get {
    pub class: ClassName,
    pub id: ObjectId,
}

/// `null` is said: an answer that forgets the record does not mean that there is none.
#[derive(Debug, Serialize, Deserialize)]
pub struct Got {
    #[serde(deserialize_with = "said")]
    pub record: Option<Record>,
}

/// For each value of a `lookup` what has it, in the order of the values.
#[derive(Debug, Serialize, Deserialize)]
pub struct Found {
    pub found: Vec<Vec<Record>>,
}

/// Of `count` and `revision`.
#[derive(Debug, Serialize, Deserialize)]
pub struct OfClass {
    pub class: ClassName,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Counted {
    pub count: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Revision {
    #[serde(deserialize_with = "said")]
    pub revision: Option<Text>,
}

/// The result of `scan.open`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Opened {
    pub scan: Text,
    /// As [`Scan::repeats`](crate::Scan::repeats).
    #[serde(default)]
    pub repeats: bool,
}

/// Of `scan.next` and `scan.close`.
#[derive(Debug, Serialize, Deserialize)]
pub struct OfScan {
    pub scan: Text,
}

/// Of `apply`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Apply<'a> {
    pub operations: Cow<'a, [Operation]>,
}

/// The result of `apply`: one for each operation, in their order.
#[derive(Debug, Serialize, Deserialize)]
pub struct AppliedAll {
    pub results: Vec<Applied>,
}

/// Of `$/cancel`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Cancel {
    pub id: Id,
}

/// Of `host.secret`.
#[derive(Debug, Serialize, Deserialize)]
pub struct OfSecret {
    pub handle: Text,
}

/// The result of `host.secret`. Not for printing.
#[derive(Serialize, Deserialize)]
pub struct SecretValue {
    pub value: String,
}

/// Of `log`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Log {
    #[serde(default)]
    pub level: Text,
    pub message: String,
}

/// A field that may be null and may not be missing.
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Option::<T>::deserialize(deserializer)
}
