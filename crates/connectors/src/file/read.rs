//! The full scan: one thread reads the file and hands over pages through a channel that holds one.
//!
//! Nothing here waits on a task per row, and memory depends on the page and on the keys seen, not on the file. When the
//! scan is dropped the channel closes and the thread ends at its next page.

use std::sync::Arc;

use async_trait::async_trait;
use provost_connector::{ConnectorError, Context, End, ErrorCode, KnownDigests, Scan, ScanItem, ScanPage, ScanRequest};
use provost_model::{ObjectId, Text};
use tokio::sync::mpsc;
use xxhash_rust::xxh3::xxh3_64;

use super::config::Config;
use super::fault::RowFault;
use super::rows::{Next, Rows};
use super::seen::Seen;
use super::table::{self, Table};

type Pages = Result<ScanPage, ConnectorError>;

/// Unchanged objects that weigh as much as a record.
const UNCHANGED: usize = 16;

/// Opens the file and starts reading; errors of the file as a whole are the scan's own.
pub(super) async fn scan(cx: &Context, config: Arc<Config>, request: ScanRequest) -> Result<FileScan, ConnectorError> {
    cx.check()?;
    let opened = super::blocking(cx, {
        let config = config.clone();
        move || if super::is_yet_to_come(&config)? { Ok(None) } else { table::open(&config).map(Some) }
    })
    .await?;
    let (send, pages) = mpsc::channel(1);
    match opened {
        None => {
            let _ = send.try_send(Ok(ScanPage { end: Some(End::complete(0)), ..ScanPage::default() }));
        }
        Some((rows, table)) => {
            let mut scanner = Scanner::new(config.clone(), rows, table, request);
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
    /// The current row of `rows` is this object.
    Object(ObjectId),
    /// The current row is the object that the filter of the caller knows.
    Known(ObjectId),
    Fault(RowFault),
    End(End),
}

/// Goes through the rows and keeps account of what the end may claim.
pub(super) struct Scanner {
    pub config: Arc<Config>,
    pub rows: Rows,
    pub table: Table,
    known: Option<Arc<dyn KnownDigests>>,
    wanted: Vec<bool>,
    page_size: usize,
    seen: Seen,
    count: u64,
    /// The line of a row with too few cells, as long as it is the last one.
    short: Option<u64>,
}

impl Scanner {
    pub fn new(config: Arc<Config>, rows: Rows, table: Table, request: ScanRequest) -> Self {
        let asked = |name: &Text| match &request.attributes {
            Some(names) => names.iter().any(|want| want.eq_ignore_ascii_case(name)),
            None => true,
        };
        let wanted = table.columns.iter().map(|column| asked(&column.name)).collect();
        let page_size = if request.page_size == 0 { 1000 } else { request.page_size.min(10_000) };
        Self { config, rows, table, known: request.known, wanted, page_size, seen: Seen::new(), count: 0, short: None }
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
                Found::Object(id) => match self.table.record(id, &self.rows, &self.wanted, &self.config) {
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

    /// The next row that is not blank. An [`Found::Object`] counts as seen, whatever becomes of its other cells.
    pub fn next(&mut self) -> Result<Found, ConnectorError> {
        loop {
            let next = self.rows.next(&self.config)?;
            let found = match next {
                Next::End => return Ok(Found::End(self.end(None))),
                // Without its end nothing is known about what follows.
                Next::Row | Next::TooLong if self.rows.is_open() => {
                    let reason = format!("the quote that opens on line {} never closes", self.open_line());
                    return Ok(Found::End(self.end(Some(reason))));
                }
                Next::TooLong => Found::Fault(self.too_long()),
                Next::Row => match self.row() {
                    Some(found) => found,
                    None => continue,
                },
            };
            let id = match &found {
                Found::Object(id) | Found::Known(id) => Some(id),
                Found::Fault(fault) => fault.id.as_ref(),
                Found::End(_) => None,
            };
            self.count += u64::from(id.is_some());
            return Ok(found);
        }
    }

    fn row(&mut self) -> Option<Found> {
        let (rows, config) = (&self.rows, &*self.config);
        self.short = (rows.count < self.table.columns.len()).then_some(rows.line);
        let id = match self.table.identify(rows, config) {
            Ok(Some(id)) => id,
            Ok(None) => return None,
            Err(fault) => return Some(Found::Fault(*fault)),
        };
        if rows.line_end().is_empty() && config.final_newline {
            let (last, hint) =
                ("the last row has no line end, so it may be cut short", "see why the scan is incomplete");
            let fault = self.table.row_fault(rows, config, ErrorCode::Unreadable, last.into(), hint);
            return Some(Found::Fault(fault));
        }
        if let Some(first) = self.seen.insert(xxh3_64(id.as_bytes()), rows.line) {
            let message = format!("line {} has the key of line {first} again; the first one counts", rows.line);
            let fault = self
                .table
                .row_fault(rows, config, ErrorCode::Constraint, message, "keep one row per key in the export")
                .column(self.table.keys[0])
                .id(Some(ObjectId::from(&*id)));
            return Some(Found::Fault(fault));
        }
        let known = self.known.as_ref().is_some_and(|known| known.is_unchanged(&id, self.table.digest(rows)));
        let id = ObjectId::from(&*id);
        Some(if known { Found::Known(id) } else { Found::Object(id) })
    }

    fn too_long(&self) -> RowFault {
        let message = "the row is longer than a row may be; what follows on its lines was passed over".to_owned();
        let hint = "look for a quote that is not closed, and check `quote` and `delimiter`";
        self.table
            .row_fault(&self.rows, &self.config, ErrorCode::InvalidValue, message, hint)
            .id(None)
            .column(self.rows.cells().len())
    }

    /// The line on which the cell begins whose quote is open.
    fn open_line(&self) -> u64 {
        self.rows.line + self.rows.cells().last().map_or(0, |cell| u64::from(cell.lines))
    }

    fn end(&self, reason: Option<String>) -> End {
        let file = &self.config.file;
        let cut = reason.or_else(|| {
            if self.config.final_newline && self.rows.is_cut() {
                Some(format!(
                    "the last line, {}, has no line end, so the file may be cut short (hint: export it again; \
                     if this export never ends its last line, set final_newline: optional)",
                    self.rows.line
                ))
            } else {
                self.short
                    .map(|line| format!("the last row, line {line}, has too few cells, so the file may be cut short"))
            }
        });
        match self.rows.input.disturbance(&self.config.path).or(cut) {
            Some(reason) => End::incomplete(self.count, format!("{file}: {reason}")),
            None => End::complete(self.count),
        }
    }
}
