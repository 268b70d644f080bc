//! The import: objects line by line as the script writes them, with proof at the end that these are all.

use std::collections::HashSet;

use async_trait::async_trait;
use provost_connector::{
    ConnectorError, Context, Cursor, End, ErrorCode, Scan, ScanFault, ScanItem, ScanMode, ScanPage, ScanRequest,
};
use provost_model::{ClassName, ObjectId, Record};
use xxhash_rust::xxh3::xxh3_128;

use super::line::Object;
use super::step::Step;
use super::table::Table;

/// The longest cursor, in bytes.
const LONGEST_CURSOR: usize = 16 << 10;

/// A scan under way. It holds one line back: the last one is no object.
pub(super) struct ScriptScan {
    step: Step,
    table: Option<Table>,
    class: ClassName,
    mode: ScanMode,
    page_size: usize,
    held: Option<(u64, String)>,
    /// Objects that the script wrote, readable or not.
    written: u64,
    /// Those that the pages told of.
    told: u64,
    seen: HashSet<u128>,
    over: bool,
}

impl ScriptScan {
    pub fn new(step: Step, table: Option<Table>, request: ScanRequest) -> Self {
        Self {
            step,
            table,
            class: request.class,
            mode: request.mode,
            page_size: request.page_size.clamp(1, 10_000),
            held: None,
            written: 0,
            told: 0,
            seen: HashSet::new(),
            over: false,
        }
    }

    /// The next line or, with a table, row; the last one excepted, which stays in `held`.
    async fn entry(&mut self, cx: &Context) -> Result<Option<(u64, String)>, ConnectorError> {
        while let Some(line) = self.step.line(cx).await? {
            let at = self.step.at;
            let line = match &mut self.table {
                None => line,
                Some(table) => match table.take(&line)? {
                    None => continue,
                    Some(row) if !table.has_header() => {
                        table.set_header(&row).map_err(|error| self.named(error))?;
                        continue;
                    }
                    Some(row) => row,
                },
            };
            if let Some(entry) = self.held.replace((at, line)) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    fn named(&self, error: ConnectorError) -> ConnectorError {
        ConnectorError { message: format!("`{}`: {}", self.step.name, error.message), ..error }
    }

    fn fault(&self, at: u64, id: Option<ObjectId>, code: ErrorCode, why: &str) -> ScanFault {
        let message = self.step.secrets.mask(why).into_owned();
        ScanFault { place: format!("{}:{at}", self.step.name).into(), id, error: ConnectorError::new(code, message) }
    }

    /// An entry as what it tells.
    fn read(&mut self, at: u64, text: &str) -> Result<ScanItem, ScanFault> {
        let item = match &self.table {
            Some(table) => match table.object(text) {
                Ok((id, attributes)) => ScanItem::Upsert(Record { attributes, ..Record::new(self.class.clone(), id) }),
                Err(bad) => return Err(self.fault(at, bad.id, ErrorCode::Unreadable, &bad.why)),
            },
            None => self.object(at, text)?,
        };
        if !self.seen.insert(xxh3_128(item.id().as_bytes())) {
            let why = "the script wrote this object before; the first one counts";
            return Err(self.fault(at, Some(item.id().clone()), ErrorCode::Constraint, why));
        }
        Ok(item)
    }

    fn object(&self, at: u64, text: &str) -> Result<ScanItem, ScanFault> {
        let unreadable = |why: &str| Err(self.fault(at, None, ErrorCode::Unreadable, why));
        let object: Object = match serde_json::from_str(text) {
            Ok(object) => object,
            Err(error) => return unreadable(&error.to_string()),
        };
        match (object.id, object.attributes, object.tombstone, object.fault) {
            (Some(id), Some(attributes), None, None) => {
                if object.class.as_ref().is_some_and(|class| !class.eq_ignore_ascii_case(&self.class)) {
                    let why = format!("it is no object of class `{}`, which was asked for", self.class);
                    return Err(self.fault(at, Some(id), ErrorCode::Protocol, &why));
                }
                let (etag, incomplete) = (object.etag, object.incomplete);
                Ok(ScanItem::Upsert(Record { attributes, etag, incomplete, ..Record::new(self.class.clone(), id) }))
            }
            (None, None, Some(id), None) if matches!(self.mode, ScanMode::Changes { .. }) => {
                Ok(ScanItem::Tombstone(id))
            }
            (None, None, Some(id), None) => {
                let why = "a full read has no tombstones: who is gone is not in it";
                Err(self.fault(at, Some(id), ErrorCode::Protocol, why))
            }
            (None, None, None, Some(fault)) => {
                Err(ScanFault { error: self.step.secrets.mask_error(fault.error), ..fault })
            }
            _ => unreadable("a line has `id` and `attributes`, or `tombstone`, or `fault`"),
        }
    }

    /// What the end of the output proves.
    async fn end(&mut self) -> Result<End, ConnectorError> {
        self.step.end().await?;
        let name = &self.step.name;
        let incomplete = |why: String| Ok(End::incomplete(self.told, format!("`{name}`: {why}")));
        if self.table.as_ref().is_some_and(Table::is_open) {
            return incomplete("its output ends within a quote".to_owned());
        }
        let Some((at, last)) = self.held.take() else { return incomplete("it wrote nothing".to_owned()) };
        let Ok(said) = serde_json::from_str::<End>(&last) else {
            return incomplete(format!("its last line, {at}, does not say {{\"complete\": true, \"count\": …}}"));
        };
        if let Some(gap) = said.gap(self.written) {
            return incomplete(self.step.secrets.mask(&gap).into_owned());
        }
        let cursor = said.cursor;
        match (&self.mode, &cursor) {
            (ScanMode::Changes { .. }, None) => return incomplete("it gave no cursor to go on from".to_owned()),
            (_, Some(Cursor(cursor))) if cursor.len() > LONGEST_CURSOR => {
                return incomplete(format!("its cursor has more than {LONGEST_CURSOR} bytes"));
            }
            (ScanMode::Changes { cursor: None }, Some(_)) if self.told > 0 => {
                return incomplete(
                    "without a cursor it is asked for the newest one alone, and wrote objects".to_owned(),
                );
            }
            _ => {}
        }
        Ok(End { cursor, more: said.more, ..End::complete(self.told) })
    }

    async fn page(&mut self, cx: &Context) -> Result<ScanPage, ConnectorError> {
        let mut page = ScanPage::default();
        while page.items.len() + page.faults.len() < self.page_size {
            let Some((at, text)) = self.entry(cx).await? else {
                page.end = Some(self.end().await?);
                break;
            };
            self.written += 1;
            match self.read(at, &text) {
                Ok(item) => {
                    self.told += 1;
                    page.items.push(item);
                }
                Err(fault) => {
                    self.told += u64::from(fault.id.is_some());
                    page.faults.push(fault);
                }
            }
        }
        Ok(page)
    }
}

#[async_trait]
impl Scan for ScriptScan {
    async fn next(&mut self, cx: &Context) -> Result<ScanPage, ConnectorError> {
        // Until the page is there: a call that is dropped half-way takes lines with it.
        if std::mem::replace(&mut self.over, true) {
            let message = format!("the read by `{}` has no further page", self.step.name);
            return Err(ConnectorError::new(ErrorCode::Unreadable, message).hint("it has to begin anew"));
        }
        let page = self.page(cx).await?;
        self.over = page.end.is_some();
        Ok(page)
    }
}
