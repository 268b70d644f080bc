//! The full scan: one thread reads the file and hands over pages through a channel that holds one.
//!
//! Nothing here waits on a task per row, and memory depends on the page and on the keys seen, not on the file. When the
//! scan is dropped the channel closes and the thread ends at its next page.

use std::sync::Arc;

use async_trait::async_trait;
use provost_connector::{
    ConnectorError, Context, Cursor, End, ErrorCode, KnownDigests, Scan, ScanItem, ScanPage, ScanRequest,
};
use provost_model::{ObjectId, Text};
use tokio::sync::mpsc;
use xxhash_rust::xxh3::xxh3_64;

use super::config::Config;
use super::fault::RowFault;
use super::format::{self, Reader, Step, item_error};
use super::seen::Seen;

type Pages = Result<ScanPage, ConnectorError>;

/// Unchanged objects that weigh as much as a record.
const UNCHANGED: usize = 16;

/// Opens the file and starts reading; errors of the file as a whole are the scan's own.
pub(super) async fn scan(cx: &Context, config: Arc<Config>, request: ScanRequest) -> Result<FileScan, ConnectorError> {
    cx.check()?;
    let opened = super::blocking(cx, {
        let config = config.clone();
        move || if super::is_yet_to_come(&config)? { Ok(None) } else { format::open(&config).map(Some) }
    })
    .await?;
    let (send, pages) = mpsc::channel(1);
    match opened {
        None => {
            let _ = send.try_send(Ok(ScanPage { end: Some(End::complete(0)), ..ScanPage::default() }));
        }
        Some(reader) => {
            let mut scanner = Scanner::new(config.clone(), reader, request);
            tokio::task::spawn_blocking(move || {
                loop {
                    let page = scanner.page();
                    let last = page.as_ref().map_or(true, |page| page.end.is_some());
                    if send.blocking_send(page).is_err() || last {
                        return;
                    }
                }
            });
        }
    }
    Ok(FileScan { pages, file: config.file.clone() })
}

/// What changed after a place in a file of changes, as one page.
pub(super) async fn changes(
    cx: &Context,
    config: Arc<Config>,
    cursor: Option<Cursor>,
) -> Result<FileScan, ConnectorError> {
    let file = config.file.clone();
    let page = super::blocking(cx, move || super::ldif::fold::changes(&config, cursor.as_ref())).await?;
    let (send, pages) = mpsc::channel(1);
    let _ = send.try_send(Ok(page));
    Ok(FileScan { pages, file })
}

/// A scan under way.
pub(super) struct FileScan {
    pages: mpsc::Receiver<Pages>,
    file: Text,
}

#[async_trait]
impl Scan for FileScan {
    async fn next(&mut self, cx: &Context) -> Result<ScanPage, ConnectorError> {
        cx.check()?;
        let page = tokio::select! {
            page = self.pages.recv() => page,
            error = super::interrupted(cx) => return Err(error),
        };
        page.unwrap_or_else(|| {
            Err(ConnectorError::new(ErrorCode::Internal, format!("the scan of {} has no further page", self.file)))
        })
    }
}

/// One step of [`Scanner::next`].
pub(super) enum Found {
    /// The reader's record is this object.
    Object(ObjectId),
    /// It is the object that the filter of the caller knows.
    Known(ObjectId),
    Fault(RowFault),
    End(End),
}

/// Goes through the records and keeps account of what the end may claim.
pub(super) struct Scanner {
    pub config: Arc<Config>,
    pub reader: Box<dyn Reader>,
    known: Option<Arc<dyn KnownDigests>>,
    page_size: usize,
    seen: Seen,
    count: u64,
    id: String,
}

impl Scanner {
    pub fn new(config: Arc<Config>, mut reader: Box<dyn Reader>, request: ScanRequest) -> Self {
        if let Some(names) = &request.attributes {
            reader.want(names);
        }
        let page_size = if request.page_size == 0 { 1000 } else { request.page_size.min(10_000) };
        let seen = Seen::new();
        Self { config, reader, known: request.known, page_size, seen, count: 0, id: String::new() }
    }

    fn page(&mut self) -> Pages {
        let mut page = ScanPage { items: Vec::with_capacity(self.page_size), ..ScanPage::default() };
        let mut unchanged = 0;
        // What is unchanged is an id and no more: handing it over in small pages would cost more than reading it.
        while page.items.len() + page.faults.len() - unchanged < self.page_size
            && unchanged < UNCHANGED * self.page_size
        {
            match self.next()? {
                Found::Known(id) => {
                    unchanged += 1;
                    page.items.push(ScanItem::Unchanged(id));
                }
                Found::Object(id) => match self.reader.record(id) {
                    Ok(record) => page.items.push(ScanItem::Upsert(record)),
                    Err(fault) => page.faults.push(fault.into_scan_fault(&self.config.file)),
                },
                Found::Fault(fault) => page.faults.push(fault.into_scan_fault(&self.config.file)),
                Found::End(end) => {
                    tracing::debug!(file = %self.config.file, complete = end.complete, count = end.count, "file read");
                    page.end = Some(end);
                    break;
                }
            }
        }
        Ok(page)
    }

    /// The next record. A [`Found::Object`] counts as seen, whatever becomes of its values.
    pub fn next(&mut self) -> Result<Found, ConnectorError> {
        let found = match self.reader.next(&mut self.id)? {
            Step::Record => self.object(),
            Step::Fault(fault) => Found::Fault(fault),
            Step::End(cut) => return Ok(Found::End(self.end(cut))),
        };
        let has_id = !matches!(&found, Found::Fault(fault) if fault.id.is_none());
        self.count += u64::from(has_id);
        Ok(found)
    }

    fn object(&mut self) -> Found {
        let (line, id) = (self.reader.line(), self.id.as_str());
        if let Some(first) = self.seen.insert(xxh3_64(id.as_bytes()), line) {
            let message = format!("line {line} has the key of line {first} again; the first one counts");
            let error = item_error(ErrorCode::Constraint, message, "keep one row per key in the export");
            return Found::Fault(self.reader.at_key(error).id(Some(ObjectId::from(id))));
        }
        let known = self.known.as_ref().is_some_and(|known| known.is_unchanged(id, self.reader.digest()));
        let id = ObjectId::from(id);
        if known { Found::Known(id) } else { Found::Object(id) }
    }

    fn end(&self, cut: Option<String>) -> End {
        match self.reader.disturbance().or(cut) {
            Some(reason) => End::incomplete(self.count, format!("{}: {reason}", self.config.file)),
            None => End::complete(self.count),
        }
    }
}
