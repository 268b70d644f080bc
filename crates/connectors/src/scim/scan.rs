//! Reading a class to its end. Whether it was the end `walk` says.

use std::sync::Arc;

use async_trait::async_trait;
use provost_connector::{
    ConnectorError, Context, ErrorCode, KnownDigests, Scan, ScanFault, ScanItem, ScanPage, ScanRequest,
};
use provost_model::{ClassName, Digest, Record, Text};
use provost_scim::client::ListAnswer;

use super::members::Largest;
use super::read::{list, note_members, page_size, reread, selecting};
use super::session::Target;
use super::walk::{Place, Walk};
use super::wire::{Query, object};

/// How often a walk whose cursor expired is started again.
const RESTARTS: u32 = 3;

/// A full scan of one class.
pub struct FullScan {
    target: Arc<Target>,
    class: ClassName,
    page_size: usize,
    /// Whether the caller needs members, so that they are asked for.
    members: bool,
    requested: Vec<Text>,
    known: Option<Arc<dyn KnownDigests>>,
    walk: Walk,
    largest: Largest,
    restarts: u32,
    /// Ids of objects that could not be read.
    left_out: Vec<Text>,
    /// Objects that were listed and are not there any more.
    gone: u64,
    /// Why the scan cannot go on: part of a page was lost.
    broken: Option<ConnectorError>,
}

impl FullScan {
    pub fn new(target: Arc<Target>, class: ClassName, request: &ScanRequest) -> Result<Self, ConnectorError> {
        let kind = target.class(&class)?;
        let wants = |names: &Vec<Text>| names.iter().any(|name| name.to_ascii_lowercase().starts_with("members"));
        let is_members = |name: &Text| name.eq_ignore_ascii_case("members");
        let comes =
            !kind.on_request.iter().any(|(name, _)| is_members(name)) || request.requested.iter().any(is_members);
        let page_size = page_size(&target, request.page_size);
        Ok(Self {
            page_size,
            members: target.dialect.members_readable && comes && request.attributes.as_ref().is_none_or(wants),
            requested: request.requested.clone(),
            known: request.known.clone(),
            walk: Walk::new(target.dialect.paging, page_size),
            largest: Largest::default(),
            restarts: 0,
            left_out: Vec::new(),
            gone: 0,
            broken: None,
            target,
            class,
        })
    }

    async fn page(&self, cx: &Context) -> Result<ListAnswer, ConnectorError> {
        let class = self.target.class(&self.class)?;
        let query = selecting(class, &self.requested, self.members, Query::new(&class.endpoint));
        let count = self.page_size;
        let query = match self.walk.place() {
            Place::Index(start) => query.with("startIndex", start).with("count", count),
            Place::Cursor(cursor) => query.with("cursor", cursor).with("count", count),
            Place::Whole => query,
            Place::Ended => return Err(ConnectorError::new(ErrorCode::Internal, "the scan has ended already")),
        };
        list(cx, &self.target, class, query).await
    }

    fn item(&self, record: Record) -> ScanItem {
        let mut record = record;
        // Times and versions in `meta` are no change of the object.
        let meta = record.attributes.remove("meta");
        let digest = Digest::of_attributes(&record.attributes);
        if self.known.as_ref().is_some_and(|known| known.is_unchanged(&record.id, digest)) {
            return ScanItem::Unchanged(record.id);
        }
        if let Some(meta) = meta {
            record.attributes.push("meta", meta);
        }
        record.raw_digest = Some(digest);
        ScanItem::Upsert(record)
    }
}

#[async_trait]
impl Scan for FullScan {
    /// A page that could not be had is asked for again; one that was had and could not be read to its end ends the scan.
    fn repeats(&self) -> bool {
        true
    }

    async fn next(&mut self, cx: &Context) -> Result<ScanPage, ConnectorError> {
        cx.check()?;
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let page = match self.page(cx).await {
            // The position was lost, not what was seen: from the front again, over what is known.
            Err(error) if error.code == ErrorCode::CursorExpired && self.restarts < RESTARTS => {
                self.restarts += 1;
                tracing::info!(class = %self.class, error = %error, "the read starts again");
                self.walk.restart();
                return Ok(ScanPage::default());
            }
            page => page?,
        };
        let taken = self.walk.take(page.records, page.total_results, page.next_cursor);
        let class = self.target.class(&self.class)?;
        let read = match reread(cx, &self.target, class, self.members, taken.fresh).await {
            Ok(read) => read,
            Err(error) => {
                self.broken = Some(error.clone());
                return Err(error);
            }
        };
        self.gone += read.gone;
        let mut faults = Vec::with_capacity(read.left_out.len());
        for (id, error) in read.left_out {
            self.left_out.push(id.as_str().into());
            faults.push(ScanFault { place: object(&class.endpoint, &id).into(), id: Some(id), error });
        }
        let asked_for = self.members || !self.target.dialect.members_readable;
        let mut items = Vec::with_capacity(read.records.len());
        for mut record in read.records {
            note_members(&self.target, class, asked_for, &mut record);
            if self.members {
                self.largest.judge(cx, &self.target, class, &mut record).await;
            }
            items.push(self.item(record));
        }
        let end = taken.end.map(|ended| ended.word(self.walk.count() - self.gone, &self.left_out));
        Ok(ScanPage { items, faults, end })
    }
}
