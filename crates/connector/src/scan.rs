//! Reading a class: in full with proof of completeness, or what changed since a cursor.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use provost_model::{Attributes, ClassName, Digest, ObjectId, Record, Text};
use serde::{Deserialize, Serialize};

use crate::{ConnectorError, Context};

/// An opaque place in a connector's change feed; at most 16 KiB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub Text);

/// What a scan returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "mode")]
pub enum ScanMode {
    /// Every object of the class.
    Full,
    /// What changed after the cursor. Without one, nothing but the current cursor: the engine fetches it before a full
    /// scan, so that changes made during the scan are not lost.
    Changes { cursor: Option<Cursor> },
}

/// What to read.
#[derive(Clone, Serialize, Deserialize)]
pub struct ScanRequest {
    pub class: ClassName,
    #[serde(flatten)]
    pub mode: ScanMode,
    /// Only these attributes are needed; none means all. A connector may return more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Vec<Text>>,
    /// Attributes that are [`AttributeSchema::on_request`](provost_model::AttributeSchema) and needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requested: Vec<Text>,
    /// Objects a page should have; a hint.
    pub page_size: usize,
    /// Digests of what the engine has seen before. A connector with cheap raw digests answers
    /// [`ScanItem::Unchanged`] instead of building a record. Only in process.
    #[serde(skip)]
    pub known: Option<Arc<dyn KnownDigests>>,
}

impl ScanRequest {
    /// Everything about every object of a class.
    pub fn full(class: impl Into<ClassName>) -> Self {
        let class = class.into();
        Self { class, mode: ScanMode::Full, attributes: None, requested: Vec::new(), page_size: 1000, known: None }
    }
}

impl fmt::Debug for ScanRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScanRequest").field("class", &self.class).field("mode", &self.mode).finish_non_exhaustive()
    }
}

/// What the engine remembers of the source's objects.
pub trait KnownDigests: Send + Sync {
    /// Whether this object was last seen with this raw digest, and was handled to the end then.
    fn is_unchanged(&self, id: &str, digest: Digest) -> bool;
}

/// One thing a scan found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScanItem {
    /// The object as it is now.
    Upsert(Record),
    /// The object is there and equals what [`KnownDigests`] holds.
    Unchanged(ObjectId),
    /// The object is gone. Only in [`ScanMode::Changes`]; a full scan proves absence by its end.
    Tombstone(ObjectId),
}

impl ScanItem {
    /// Whose it is.
    pub fn id(&self) -> &ObjectId {
        match self {
            ScanItem::Upsert(record) => &record.id,
            ScanItem::Unchanged(id) | ScanItem::Tombstone(id) => id,
        }
    }
}

/// A row or object that could not be read. The others go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScanFault {
    /// Where: `people.csv:17:3` (file, line, column), a DN, a URL path.
    pub place: Text,
    /// Whose it is, when that much could be read. A fault without id leaves the whole scan unproven, since any object
    /// may be hidden behind it.
    pub id: Option<ObjectId>,
    pub error: ConnectorError,
}

/// Some items, in the system's order.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScanPage {
    pub items: Vec<ScanItem>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<ScanFault>,
    /// On the last page only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
}

/// The connector's word about how the scan ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// Everything in scope was seen. Only then may absence be read as deletion.
    pub complete: bool,
    /// How many objects the connector saw, faults with an id included; compared with what the engine received.
    pub count: u64,
    /// Where the next [`ScanMode::Changes`] goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
    /// Why the scan is not complete, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text>,
    /// Only in [`ScanMode::Changes`]: there are more changes, kept back because they have to be read by a later cycle, such
    /// as the second of one object. The next read, from `cursor`, should follow at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

impl ScanPage {
    /// Objects that the page tells of, as [`End::count`] counts them.
    pub fn received(&self) -> u64 {
        (self.items.len() + self.faults.iter().filter(|fault| fault.id.is_some()).count()) as u64
    }

    /// A row that may be anybody's, since its key could not be read; absence is not proven then.
    pub fn nameless(&self) -> Option<&ScanFault> {
        self.faults.iter().find(|fault| fault.id.is_none())
    }
}

impl End {
    pub fn complete(count: u64) -> Self {
        Self { complete: true, count, cursor: None, reason: None, more: false }
    }

    pub fn incomplete(count: u64, reason: impl Into<Text>) -> Self {
        Self { complete: false, count, cursor: None, reason: Some(reason.into()), more: false }
    }

    /// Why a read that ended so proves nothing about what is absent; none when it proves it. `received` is how many objects
    /// the caller got, faults with an id included: a page that was lost on the way shows in it.
    pub fn gap(&self, received: u64) -> Option<String> {
        if !self.complete {
            return Some(self.reason.as_deref().unwrap_or("it was not said to be complete").to_owned());
        }
        (self.count != received).then(|| format!("{} objects were counted and {received} received", self.count))
    }
}

/// A scan under way. Pulling pages is the flow control: nothing is read ahead beyond one page.
#[async_trait]
pub trait Scan: Send {
    /// Whether a call of [`next`](Scan::next) that failed left the scan where it was, so that it may be made again. Without
    /// that a page could be lost and the end prove nothing.
    fn repeats(&self) -> bool {
        false
    }

    /// The next page. After a page with an end there is none. Dropping a scan before its end is an incomplete read.
    async fn next(&mut self, cx: &Context) -> Result<ScanPage, ConnectorError>;
}

/// A page of a search.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    pub records: Vec<Record>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Cursor>,
}

/// Attributes that a scan of a class needs, as a projection; `None` keeps everything.
pub fn project(attributes: &mut Attributes, wanted: Option<&[Text]>) {
    if let Some(wanted) = wanted {
        attributes.retain(|name, _| wanted.iter().any(|want| want.eq_ignore_ascii_case(name)));
    }
}
