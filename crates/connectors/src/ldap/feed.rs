//! What changed since a cursor, by the feed that the server has: content synchronisation (`sync`), the retro changelog of
//! 389 Directory Server (`changelog`) or the update numbers of an Active Directory (`usn`).
//!
//! A feed that cannot tell all of what happened says that its cursor has expired, and the class is read as a whole. Dates
//! of modification are no feed: they say nothing of who was deleted.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use ldap3::SearchEntry;
use provost_connector::{
    ConnectorError, Context, Cursor, End, ErrorCode, Scan, ScanFault, ScanItem, ScanPage, ScanRequest,
};
use provost_model::{Digest, ObjectId, Text};
use serde::{Deserialize, Serialize};

use super::session::Inner;
use super::shape::ClassShape;
use super::{changelog, entry, filter, page, read, sync, usn, value};

/// Changes of one read that are kept in memory; for more, reading everything is cheaper.
pub const MOST: usize = 100_000;
/// Ids that one question asks for.
const CHUNK: usize = 50;
/// Sets of ids that are remembered, for as many cursors.
const KEPT: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Feed {
    Sync,
    Changelog,
    Usn,
}

/// What a cursor holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    pub feed: Feed,
    /// Of the class, as it was then: another filter finds other entries.
    pub of: Text,
    /// The server's own place.
    pub at: Text,
    /// Who was there, where so few were that they have room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Text>,
}

impl Mark {
    pub fn new(feed: Feed, shape: &ClassShape, at: impl Into<Text>) -> Self {
        Self { feed, of: fingerprint(shape), at: at.into(), ids: None }
    }

    fn read(cursor: &Cursor, feed: Feed, shape: &ClassShape) -> Result<Self, ConnectorError> {
        let mark: Option<Mark> = serde_json::from_str(&cursor.0).ok();
        let mark = mark.filter(|mark| mark.feed == feed && mark.of == fingerprint(shape));
        mark.ok_or_else(|| expired("the cursor is not one of this class and its feed as they are now"))
    }

    pub fn cursor(&self) -> Cursor {
        Cursor(serde_json::to_string(self).unwrap_or_default().into())
    }
}

fn fingerprint(shape: &ClassShape) -> Text {
    let class = &shape.class;
    let text = format!("{}\n{:?}\n{}\n{:?}", class.base, class.scope, class.filter, shape.id);
    Digest::of_bytes(text.as_bytes()).to_string().into()
}

/// The feed cannot go on from the cursor.
pub fn expired(why: impl Into<String>) -> ConnectorError {
    ConnectorError::new(ErrorCode::CursorExpired, why).hint("the class is read as a whole in the next cycle")
}

/// What a feed tells.
#[derive(Debug)]
pub struct Delta {
    /// Who is there, new or changed.
    pub entries: Vec<SearchEntry>,
    pub gone: Vec<ObjectId>,
    pub next: Cursor,
    /// Parts that are on other servers.
    pub referrals: usize,
}

/// An id as the server sends it: a set of a million of them takes some 20 MB.
pub type Uuid = [u8; 16];

/// Who was there at a cursor, as far as this session remembers.
#[derive(Debug, Default)]
pub struct Known(Mutex<Remembered>);

/// By cursor, and the cursors in the order in which they came.
type Remembered = (HashMap<Text, Arc<HashSet<Uuid>>>, VecDeque<Text>);

impl Known {
    pub fn remember(&self, cursor: &Cursor, ids: Arc<HashSet<Uuid>>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (sets, order) = &mut *kept;
        if sets.insert(cursor.0.clone(), ids).is_none() {
            order.push_back(cursor.0.clone());
        }
        while order.len() > KEPT {
            if let Some(oldest) = order.pop_front() {
                sets.remove(&oldest);
            }
        }
    }

    pub fn at(&self, cursor: &Cursor) -> Option<Arc<HashSet<Uuid>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.get(&cursor.0).cloned()
    }
}

/// A read of changes: all of them were fetched when it was opened, and are given by the page.
pub struct ChangeRead {
    inner: Arc<Inner>,
    class: usize,
    size: usize,
    entries: VecDeque<SearchEntry>,
    gone: VecDeque<ObjectId>,
    next: Cursor,
    referrals: usize,
    count: u64,
}

impl ChangeRead {
    pub async fn open(
        cx: &Context,
        inner: Arc<Inner>,
        class: usize,
        request: &ScanRequest,
        from: Option<&Cursor>,
    ) -> Result<Self, ConnectorError> {
        cx.check()?;
        let shape = &inner.shape.classes[class];
        let Some(feed) = shape.feed else {
            return Err(ConnectorError::new(
                ErrorCode::NotSupported,
                "this server has no feed of changes that is whole",
            )
            .hint("read it in full; docs.md of the connector says what to switch on at the server"));
        };
        let from = from.map(|cursor| Mark::read(cursor, feed, shape).map(|mark| (cursor, mark))).transpose()?;
        let wanted = entry::wanted(shape, request.attributes.as_deref());
        let delta = match feed {
            Feed::Sync => sync::since(cx, &inner, shape, wanted, from).await?,
            Feed::Changelog => changelog::since(cx, &inner, shape, wanted, from.map(|(_, mark)| mark)).await?,
            Feed::Usn => usn::since(cx, &inner, shape, wanted, from.map(|(_, mark)| mark)).await?,
        };
        Ok(Self {
            size: request.page_size.max(1),
            entries: delta.entries.into(),
            gone: delta.gone.into(),
            next: delta.next,
            referrals: delta.referrals,
            count: 0,
            inner,
            class,
        })
    }
}

#[async_trait]
impl Scan for ChangeRead {
    async fn next(&mut self, cx: &Context) -> Result<ScanPage, ConnectorError> {
        cx.check()?;
        let mut page = ScanPage::default();
        let shape = &self.inner.shape.classes[self.class];
        let some: Vec<SearchEntry> = self.entries.drain(..self.size.min(self.entries.len())).collect();
        let owners = self.inner.owners_of(cx, shape, &some).await?;
        for found in some {
            let name = found.dn.clone();
            match entry::record(found, shape, &owners) {
                Some(record) => {
                    self.inner.names.note(&record.id, &name);
                    page.items.push(ScanItem::Upsert(record));
                }
                None => {
                    page.faults.push(ScanFault { place: name.into(), id: None, error: read::without_id(shape) });
                }
            }
        }
        let room = self.size - page.items.len().min(self.size);
        for id in self.gone.drain(..room.min(self.gone.len())) {
            self.inner.names.forget(&id);
            page.items.push(ScanItem::Tombstone(id));
        }
        self.count += page.received();
        if self.entries.is_empty() && self.gone.is_empty() {
            page.end = Some(match self.referrals {
                0 => End { cursor: Some(self.next.clone()), ..End::complete(self.count) },
                parts => End::incomplete(self.count, format!("{parts} parts are on other servers (referrals)")),
            });
        }
        Ok(page)
    }
}

/// The entries of these ids, as far as they are of the class; the others.
pub async fn split(
    cx: &Context,
    inner: &Inner,
    shape: &ClassShape,
    wanted: &[String],
    ids: BTreeSet<ObjectId>,
) -> Result<(Vec<SearchEntry>, Vec<ObjectId>), ConnectorError> {
    let mut missing = ids.clone();
    let mut entries = Vec::new();
    let ids: Vec<ObjectId> = ids.into_iter().collect();
    for chunk in ids.chunks(CHUNK) {
        let any: String = chunk.iter().filter_map(|id| value::id_filter(shape.id, id)).collect();
        let asked = filter::within(shape, &format!("(|{any})"));
        let scope = shape.class.scope.into();
        for found in page::all(cx, &inner.wire, &shape.class.base, scope, asked, wanted.to_vec()).await? {
            if let Some(id) = value::id(&found, shape.id) {
                missing.remove(&id);
            }
            entries.push(found);
        }
    }
    Ok((entries, missing.into_iter().collect()))
}
