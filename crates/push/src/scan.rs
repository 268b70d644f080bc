//! Reading a class: every object by id, or the operations after a place in the feed.
//!
//! A read of the feed ends before the second operation on one object and says that there are more. So each operation is
//! decided when the one before it is done, also where that was a disable, which a cycle does last; and the log of a cycle
//! tells of one operation of an object at most.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use provost_connector::{
    ConnectorError, Context, Cursor, End, ErrorCode, KnownDigests, Scan, ScanFault, ScanItem, ScanMode, ScanPage,
    ScanRequest,
};
use provost_model::{ObjectId, Text};
use provost_scim::TypeSchema;

use crate::object;
use crate::session::{Feed, store_error};

/// Rows of one page at most.
pub(crate) const PAGE: usize = 1000;
/// Operations of one read of the feed: a watermark moves at the end of a cycle alone, so cycles should end now and then.
const READ: u64 = 20_000;

/// A scan under way.
pub(crate) struct PushScan {
    feed: Feed,
    types: Arc<TypeSchema>,
    place: Place,
    page: usize,
    wanted: Option<Vec<Text>>,
    known: Option<Arc<dyn KnownDigests>>,
    count: u64,
}

enum Place {
    /// All objects after this id.
    After(Text),
    /// All operations after this number, on objects that are not among these.
    Since(i64, HashSet<ObjectId>),
    /// Nothing but the cursor is wanted, which is this.
    Cursor(i64),
}

impl PushScan {
    pub async fn start(feed: Feed, types: Arc<TypeSchema>, request: ScanRequest) -> Result<Self, ConnectorError> {
        let last =
            || async { feed.store.push_last(&feed.name, types.name()).await.map_err(|error| store_error(&error)) };
        let place = match request.mode {
            ScanMode::Full => Place::After(Text::default()),
            ScanMode::Changes { cursor: None } => Place::Cursor(last().await?),
            ScanMode::Changes { cursor: Some(Cursor(text)) } => match text.parse::<i64>() {
                Ok(since) if (0..=last().await?).contains(&since) => Place::Since(since, HashSet::new()),
                _ => {
                    let message = "the feed of what was pushed has no such place";
                    return Err(ConnectorError::new(ErrorCode::CursorExpired, message)
                        .hint("read the class in full; the store may have been restored from a backup"));
                }
            },
        };
        let page = request.page_size.clamp(1, PAGE);
        let ScanRequest { attributes: wanted, known, .. } = request;
        Ok(Self { feed, types, place, page, wanted, known, count: 0 })
    }

    fn end(&self, more: bool) -> Option<End> {
        let cursor = match &self.place {
            Place::After(_) => None,
            Place::Since(seq, _) | Place::Cursor(seq) => Some(Cursor(seq.to_string().into())),
        };
        Some(End { cursor, more, ..End::complete(self.count) })
    }

    /// An object as it is after an operation; without a body it is gone.
    fn take(&mut self, id: ObjectId, body: Option<&str>, page: &mut ScanPage) {
        self.count += 1;
        let Some(body) = body else {
            page.items.push(ScanItem::Tombstone(id));
            return;
        };
        if self.known.as_ref().is_some_and(|known| known.is_unchanged(&id, object::digest(body))) {
            page.items.push(ScanItem::Unchanged(id));
            return;
        }
        match object::record(&self.types, &id, body) {
            Ok(mut record) => {
                provost_connector::scan::project(&mut record.attributes, self.wanted.as_deref());
                page.items.push(ScanItem::Upsert(record));
            }
            Err(error) => page.faults.push(ScanFault {
                place: format!("{} {id}", self.types.name()).into(),
                id: Some(id),
                error: store_error(&error),
            }),
        }
    }

    async fn objects(&mut self, after: &str) -> Result<ScanPage, ConnectorError> {
        let rows = self.feed.store.push_page(&self.feed.name, self.types.name(), after, self.page as i64).await;
        let rows = rows.map_err(|error| store_error(&error))?;
        let is_last = rows.len() < self.page;
        let mut page = ScanPage { items: Vec::with_capacity(rows.len()), ..ScanPage::default() };
        if let Some(last) = rows.last() {
            self.place = Place::After(last.source_id.0.clone());
        }
        for row in rows {
            self.take(row.source_id, Some(&row.body), &mut page);
        }
        page.end = if is_last { self.end(false) } else { None };
        Ok(page)
    }

    async fn operations(&mut self, since: i64) -> Result<ScanPage, ConnectorError> {
        let rows = self.feed.store.push_changes(&self.feed.name, self.types.name(), since, self.page as i64).await;
        let rows = rows.map_err(|error| store_error(&error))?;
        let is_last = rows.len() < self.page;
        let mut page = ScanPage { items: Vec::with_capacity(rows.len()), ..ScanPage::default() };
        for row in rows {
            let Place::Since(seq, seen) = &mut self.place else { break };
            if self.count >= READ || !seen.insert(row.source_id.clone()) {
                page.end = self.end(true);
                return Ok(page);
            }
            *seq = row.seq;
            self.take(row.source_id, row.body.as_deref(), &mut page);
        }
        page.end = if is_last { self.end(false) } else { None };
        Ok(page)
    }
}

#[async_trait]
impl Scan for PushScan {
    async fn next(&mut self, cx: &Context) -> Result<ScanPage, ConnectorError> {
        cx.check()?;
        match &self.place {
            Place::After(id) => {
                let id = id.clone();
                self.objects(&id).await
            }
            Place::Since(seq, _) => {
                let seq = *seq;
                self.operations(seq).await
            }
            Place::Cursor(_) => Ok(ScanPage { end: self.end(false), ..ScanPage::default() }),
        }
    }
}
