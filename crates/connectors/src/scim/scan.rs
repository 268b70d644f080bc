//! Reading a class to its end, and saying truthfully whether it was the end (checklist C8).
//!
//! Pages shift while a target is written to: an object created or deleted meanwhile moves the others. So the walk counts
//! the ids it saw, compares them with the target's total, and calls itself complete only when both agree and the total
//! never fell. Where a target gives no total, a walk that ended cleanly has to do.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use provost_connector::{ConnectorError, Context, End, ErrorCode, KnownDigests, Scan, ScanItem, ScanPage, ScanRequest};
use provost_model::{ClassName, Digest, Record, Text};
use provost_scim::client::{ListAnswer, Paging};

use super::members::Largest;
use super::read::{get, list, note_members, page_size, without_members};
use super::session::{Class, Target};
use super::wire::Query;

/// How often a walk whose cursor expired is started again.
const RESTARTS: u32 = 3;

/// A full scan of one class.
pub struct FullScan {
    target: Arc<Target>,
    class: ClassName,
    page_size: usize,
    /// Whether the caller needs members, so that they are asked for.
    members: bool,
    known: Option<Arc<dyn KnownDigests>>,
    place: Place,
    /// Short digests of the ids seen: eight bytes an object, whatever its id.
    seen: HashSet<u64>,
    total: Option<u64>,
    fell: bool,
    largest: Largest,
    restarts: u32,
    /// Objects that a walk from the front will meet once more: that these come again says nothing about the target.
    again: usize,
}

enum Place {
    Index(u64),
    Cursor(Text),
    /// Everything comes in one answer.
    Whole,
    Ended,
}

impl FullScan {
    pub fn new(target: Arc<Target>, class: ClassName, request: &ScanRequest) -> Self {
        let place = match target.dialect.paging {
            Paging::Index => Place::Index(1),
            Paging::Cursor => Place::Cursor(Text::default()),
            Paging::None => Place::Whole,
        };
        let wants = |names: &Vec<Text>| names.iter().any(|name| name.to_ascii_lowercase().starts_with("members"));
        Self {
            page_size: page_size(&target, request.page_size),
            members: target.dialect.members_readable && request.attributes.as_ref().is_none_or(wants),
            known: request.known.clone(),
            seen: HashSet::new(),
            total: None,
            fell: false,
            largest: Largest::default(),
            restarts: 0,
            again: 0,
            target,
            class,
            place,
        }
    }

    async fn page(&self, cx: &Context) -> Result<ListAnswer, ConnectorError> {
        let class = self.target.class(&self.class)?;
        let mut query = Query::new(&class.endpoint);
        if !self.members {
            query = without_members(class, query);
        }
        let count = self.page_size;
        let query = match &self.place {
            Place::Index(start) => query.with("startIndex", start).with("count", count),
            Place::Cursor(cursor) => query.with("cursor", cursor).with("count", count),
            Place::Whole => query,
            Place::Ended => return Err(ConnectorError::new(ErrorCode::Internal, "the scan has ended already")),
        };
        list(cx, &self.target, class, query).await
    }

    /// Takes note of a page; the records that were not there before, and whether there were others.
    fn fresh(&mut self, records: Vec<Record>) -> (Vec<Record>, bool) {
        let received = records.len();
        let fresh: Vec<Record> = records
            .into_iter()
            .filter(|record| self.seen.insert(Digest::of_bytes(record.id.as_bytes()).0 as u64))
            .collect();
        let repeated = fresh.len() < received;
        (fresh, repeated)
    }

    /// Where the walk goes on, or how it ended.
    fn advance(&mut self, received: u64, fresh: u64, next: Option<Text>) -> Option<End> {
        match &mut self.place {
            Place::Index(start) => {
                *start += received;
                let reached = self.total.is_some_and(|total| *start > total);
                // An empty page ends every walk. A page of nothing new means that the target does not page, or starts
                // again from the front behind its end, as some do.
                (received == 0 || reached || fresh == 0).then(|| self.end(received > 0 && fresh == 0))
            }
            Place::Cursor(cursor) => match next {
                Some(next) if next == *cursor || (received > 0 && fresh == 0 && self.again == 0) => {
                    Some(self.end(true))
                }
                Some(next) => {
                    *cursor = next;
                    None
                }
                None => Some(self.end(false)),
            },
            Place::Whole | Place::Ended => Some(self.end(next.is_some())),
        }
    }

    /// `doubtful`: the walk ended because the target repeated itself, or has more than it gives.
    fn end(&mut self, doubtful: bool) -> End {
        self.place = Place::Ended;
        let count = self.seen.len() as u64;
        match self.total {
            Some(total) if total != count => End::incomplete(
                count,
                format!("the target says it has {total} objects of class {}, and returned {count}", self.class),
            ),
            Some(_) if self.fell => End::incomplete(
                count,
                "objects were deleted at the target during the read, so that others may have been passed over",
            ),
            None if doubtful => End::incomplete(count, "the target repeats its pages and gives no total"),
            _ => End::complete(count),
        }
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

/// Each object by its id, for targets whose lists leave attributes out. One that is gone meanwhile is left out.
async fn whole(
    cx: &Context,
    target: &Target,
    class: &Class,
    records: Vec<Record>,
) -> Result<Vec<Record>, ConnectorError> {
    let reads = records.into_iter().map(|record| async move { get(cx, target, class, &record.id).await });
    let read: Vec<Option<Record>> = stream::iter(reads).buffered(target.dialect.max_in_flight).try_collect().await?;
    Ok(read.into_iter().flatten().collect())
}

#[async_trait]
impl Scan for FullScan {
    async fn next(&mut self, cx: &Context) -> Result<ScanPage, ConnectorError> {
        cx.check()?;
        let page = match self.page(cx).await {
            // The position was lost, not what was seen: from the front again, over what is known.
            Err(error) if error.code == ErrorCode::CursorExpired && self.restarts < RESTARTS => {
                self.restarts += 1;
                tracing::info!(class = %self.class, error = %error, "the read starts again");
                self.place = Place::Cursor(Text::default());
                (self.total, self.again) = (None, self.seen.len());
                return Ok(ScanPage { items: Vec::new(), faults: Vec::new(), end: None });
            }
            page => page?,
        };
        let received = page.records.len() as u64;
        if page.total_results.is_some() {
            self.fell |= page.total_results < self.total;
            self.total = page.total_results;
        }
        let (mut records, repeated) = self.fresh(page.records);
        if repeated && self.again == 0 {
            tracing::debug!(class = %self.class, "target repeated objects on a page");
        }
        let fresh = records.len() as u64;
        let repeats = received - fresh;
        let class = self.target.class(&self.class)?;
        let asked_for = self.members || !self.target.dialect.members_readable;
        if !self.target.dialect.lists_whole {
            records = whole(cx, &self.target, class, records).await?;
        }
        for record in &mut records {
            note_members(&self.target, class, asked_for, record);
            if self.members {
                self.largest.judge(cx, &self.target, class, record).await;
            }
        }
        let items = records.into_iter().map(|record| self.item(record)).collect();
        let end = self.advance(received, fresh, page.next_cursor);
        self.again = self.again.saturating_sub(usize::try_from(repeats).unwrap_or(usize::MAX));
        Ok(ScanPage { items, faults: Vec::new(), end })
    }
}
