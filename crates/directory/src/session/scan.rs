//! Reading a class in pages by id, or what changed since a place in the feed.

use std::sync::Arc;

use async_trait::async_trait;
use provost_connector::{
    ConnectorError, Context, Cursor, End, ErrorCode, KnownDigests, Scan, ScanFault, ScanItem, ScanMode, ScanPage,
    ScanRequest,
};
use provost_model::{ObjectId, Text};
use provost_store::ResourceRow;

use super::error::{store_error, to_connector, unknown_class};
use super::record::{self, Beside, Lists};
use crate::{Directory, DirectoryError};

/// Rows of one page at most.
pub(super) const PAGE: usize = 1000;

/// A scan under way.
pub(super) struct DirectoryScan {
    directory: Directory,
    kind: Text,
    place: Place,
    page: usize,
    wanted: Option<Vec<Text>>,
    requested: Vec<Text>,
    known: Option<Arc<dyn KnownDigests>>,
    /// The feed's end when the scan began: everything up to it is seen by this scan.
    top: i64,
    count: u64,
}

enum Place {
    /// All objects after this id.
    After(ObjectId),
    /// All changes after this number.
    Since(i64),
    /// Nothing but the cursor is wanted.
    Cursor,
}

impl DirectoryScan {
    pub async fn start(directory: Directory, kind: Text, request: ScanRequest) -> Result<Self, ConnectorError> {
        let top = directory.store().directory_seq().await.map_err(|error| store_error(&error))?;
        let place = match request.mode {
            ScanMode::Full => Place::After(ObjectId::default()),
            ScanMode::Changes { cursor: None } => Place::Cursor,
            ScanMode::Changes { cursor: Some(Cursor(text)) } => match text.parse::<i64>() {
                Ok(since) if (0..=top).contains(&since) => {
                    if since < directory.store().feed_begin(&kind).await.map_err(|error| store_error(&error))? {
                        let message = "the directory has forgotten who was deleted after this place of its change feed";
                        return Err(ConnectorError::new(ErrorCode::CursorExpired, message)
                            .hint("read the class in full; `retention: { deleted: … }` says how long it remembers"));
                    }
                    Place::Since(since)
                }
                _ => {
                    let message = "the directory's change feed has no such place";
                    return Err(ConnectorError::new(ErrorCode::CursorExpired, message)
                        .hint("read the class in full; the store may have been restored from a backup"));
                }
            },
        };
        let page = request.page_size.clamp(1, PAGE);
        let ScanRequest { attributes: wanted, requested, known, .. } = request;
        Ok(Self { directory, kind, place, page, wanted, requested, known, top, count: 0 })
    }

    fn end(&self) -> End {
        End { cursor: Some(Cursor(self.top.to_string().into())), ..End::complete(self.count) }
    }

    /// The next rows, and whether they are the last.
    async fn rows(&mut self) -> Result<Vec<ResourceRow>, ConnectorError> {
        let store = self.directory.store();
        let limit = self.page as i64;
        let rows = match &self.place {
            Place::After(id) => store.resource_page(&self.kind, Some(id), limit).await,
            Place::Since(seq) => store.resource_changes(&self.kind, *seq, limit).await,
            Place::Cursor => return Ok(Vec::new()),
        };
        let rows = rows.map_err(|error| store_error(&error))?;
        if let Place::Since(seq) = &self.place {
            // Noted before anybody is forgotten: whoever is missing from these rows has been noted by now.
            let begin = store.feed_begin(&self.kind).await.map_err(|error| store_error(&error))?;
            if *seq < begin {
                let message = "the directory forgot who was deleted while its change feed was read";
                return Err(ConnectorError::new(ErrorCode::Unreadable, message).hint("the next cycle reads everything"));
            }
        }
        if let Some(last) = rows.last() {
            match &mut self.place {
                Place::After(id) => id.clone_from(&last.id),
                Place::Since(seq) => {
                    *seq = last.seq;
                    // Numbers are given under the lock that is held until the commit: all below this one is seen too.
                    self.top = self.top.max(last.seq);
                }
                Place::Cursor => {}
            }
        }
        Ok(rows)
    }

    fn take(&mut self, row: ResourceRow, beside: Beside, page: &mut ScanPage) {
        self.count += 1;
        if row.deleted.is_some() {
            page.items.push(ScanItem::Tombstone(row.id));
            return;
        }
        if let Some(known) = &self.known
            && known.is_unchanged(&row.id, record::digest(&row, &beside))
        {
            page.items.push(ScanItem::Unchanged(row.id));
            return;
        }
        match record::record(&row, beside) {
            Ok(mut record) => {
                provost_connector::scan::project(&mut record.attributes, self.wanted.as_deref());
                page.items.push(ScanItem::Upsert(record));
            }
            Err(error) => page.faults.push(ScanFault {
                place: format!("{} {}", row.kind, row.id).into(),
                id: Some(row.id),
                error: to_connector(&DirectoryError::Store(error)),
            }),
        }
    }
}

#[async_trait]
impl Scan for DirectoryScan {
    async fn next(&mut self, cx: &Context) -> Result<ScanPage, ConnectorError> {
        cx.check()?;
        let directory = self.directory.clone();
        let kind = directory.kind(&self.kind).ok_or_else(|| unknown_class(&self.kind))?;
        let rows = self.rows().await?;
        let last = rows.len() < self.page;
        let mut lists = Lists::load(&directory, kind, &rows, &self.requested).await?;
        let mut page = ScanPage { items: Vec::with_capacity(rows.len()), ..ScanPage::default() };
        for row in rows {
            let beside = lists.take(&row.id);
            self.take(row, beside, &mut page);
        }
        page.end = last.then(|| self.end());
        Ok(page)
    }
}
