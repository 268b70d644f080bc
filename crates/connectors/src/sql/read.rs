//! A full read: one snapshot, page by page in the order of the key, complete only when as many rows came as the snapshot
//! counts.
//!
//! Pages are asked for by key (`key > last order by key limit n`) inside one repeatable-read transaction rather than by a
//! cursor: that is the same on every database, leaves the connection free for the child tables of the page, and an index
//! answers it. What changes are is in `changes`.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use provost_connector::{
    ConnectorError, Context, Cursor, End, KnownDigests, Scan, ScanFault, ScanItem, ScanPage, ScanRequest,
};
use provost_model::Text;

use super::changes::Since;
use super::children::{self, Asked};
use super::db::{Db, Purpose, Tx};
use super::fault;
use super::row::Row;
use super::select::{self, BadRow, Made, Selection};
use super::statement::{Param, Sql};
use super::table::{Column, Table};
use super::value;

/// Rows that are asked for at once where each question sorts everything, since no index has the key.
const UNSORTED: usize = 10_000;

pub(super) struct Reader {
    table: Arc<Table>,
    selection: Selection,
    page_size: usize,
    known: Option<Arc<dyn KnownDigests>>,
    /// None after the end.
    tx: Option<Tx>,
    /// Rows in the snapshot, and how many of them came.
    expected: u64,
    came: u64,
    /// The key of the last row.
    last: Option<Vec<Param>>,
    ahead: VecDeque<Row>,
    drained: bool,
    counted: u64,
    previous: Text,
    /// Why the end will not be complete.
    doubt: Option<Text>,
    /// Only rows that changed.
    since: Option<Since>,
}

/// Begins a read; what it sees is what is there now.
pub(super) async fn start(
    cx: &Context,
    db: &Db,
    table: Arc<Table>,
    request: &ScanRequest,
    since: Option<Since>,
) -> Result<Reader, ConnectorError> {
    let what = format!("reading {}", table.label());
    let broken = |trouble| fault::read(trouble, &what);
    let mut selection = Selection::of(&table, request.attributes.as_deref());
    let mut tx = db.begin(cx, Purpose::Snapshot).await.map_err(broken)?;
    let mut since = since;
    if let Some(since) = &mut since {
        since.open(cx, &mut tx, &table, &mut selection).await?;
    }
    let mut sql = select::counting(&table);
    select::live(&mut sql, &table);
    if let Some(since) = &since {
        since.condition(&mut sql, &table);
    }
    let rows = tx.rows(cx, sql).await.map_err(broken)?;
    let expected =
        rows.first().map(|row| row.number(0)).transpose().map_err(|error| select::unreadable(error, &table))?;
    // What an engine without transactions shows is no one moment.
    let doubt = (!table.transactional).then(|| {
        Text::from(format!(
            "{} has a storage engine without transactions, so no read of it is of one moment",
            table.label()
        ))
    });
    let page_size = request.page_size.clamp(1, 10_000);
    Ok(Reader {
        selection,
        page_size,
        known: request.known.clone(),
        tx: Some(tx),
        expected: expected.and_then(|count| u64::try_from(count).ok()).unwrap_or_default(),
        came: 0,
        last: None,
        ahead: VecDeque::new(),
        drained: false,
        counted: 0,
        previous: Text::default(),
        doubt,
        since,
        table,
    })
}

/// `and (key > last) order by key limit n`, written out column by column, which every database answers from an index.
pub(super) fn onward(sql: &mut Sql, key: &[&Column], last: Option<&[Param]>, limit: usize) {
    if let Some(last) = last {
        sql.push(" and (");
        for depth in 0..key.len() {
            sql.push(if depth > 0 { " or (" } else { "(" });
            for at in 0..=depth {
                if at > 0 {
                    sql.push(" and ");
                }
                sql.push("t.").name(&key[at].name).push(if at == depth { " > " } else { " = " });
                value::place(sql, last[at].clone(), key[at]);
            }
            sql.push(")");
        }
        sql.push(")");
    }
    sql.push(" order by ");
    for (at, column) in key.iter().enumerate() {
        sql.next(at).push("t.").name(&column.name);
    }
    sql.push(" limit ").number(limit);
}

impl Reader {
    async fn fill(&mut self, cx: &Context) -> Result<(), ConnectorError> {
        let Some(tx) = &mut self.tx else { return Ok(()) };
        let limit = if self.table.has_unique_key() { self.page_size } else { UNSORTED.max(self.page_size) };
        while self.ahead.len() < self.page_size && !self.drained {
            let key: Vec<&Column> = self.table.key_columns().collect();
            let mut sql = tx.sql("");
            self.selection.write(&mut sql, &self.table);
            if let Some(since) = &self.since {
                since.condition(&mut sql, &self.table);
            }
            onward(&mut sql, &key, self.last.as_deref(), limit);
            let what = format!("reading {}", self.table.label());
            let rows = tx.rows(cx, sql).await.map_err(|trouble| fault::read(trouble, &what))?;
            self.drained = rows.len() < limit;
            self.came += rows.len() as u64;
            if let Some(row) = rows.last() {
                let last = select::make(row, &self.selection, &self.table);
                self.last = match last {
                    Ok(made) => Some(made.key),
                    Err(bad) => bad.key,
                };
                if self.last.is_none() && !self.drained {
                    self.drained = true;
                    self.doubt.get_or_insert_with(|| "a key cannot be read, so that nothing behind it is found".into());
                }
            }
            self.ahead.extend(rows);
        }
        Ok(())
    }

    fn item(&mut self, made: Made) -> Option<ScanItem> {
        if self.since.as_mut().is_some_and(|since| since.is_known(&made, &self.table)) {
            return None;
        }
        let known = self.known.as_ref().is_some_and(|known| known.is_unchanged(&made.record.id, made.digest()));
        Some(if known { ScanItem::Unchanged(made.record.id) } else { ScanItem::Upsert(made.into_record()) })
    }

    fn fault(&self, bad: BadRow) -> ScanFault {
        let place = bad.id.as_ref().map_or_else(|| self.table.label(), |id| format!("{}: {id}", self.table.label()));
        ScanFault { place: place.into(), id: bad.id, error: bad.error }
    }

    fn end(&mut self) -> End {
        if self.came != self.expected {
            let (came, expected) = (self.came, self.expected);
            self.doubt.get_or_insert_with(|| {
                format!("{expected} rows were counted and {came} read: the columns of `key` are not unique, or some are null")
                    .into()
            });
        }
        let mut end = match self.doubt.take() {
            Some(reason) => End::incomplete(self.counted, reason),
            None => End::complete(self.counted),
        };
        if let Some(since) = &mut self.since {
            end.cursor = if end.complete { since.cursor() } else { None };
        }
        end
    }
}

#[async_trait]
impl Scan for Reader {
    async fn next(&mut self, cx: &Context) -> Result<ScanPage, ConnectorError> {
        cx.check()?;
        let mut page = ScanPage::default();
        if self.tx.is_none() {
            return Ok(page);
        }
        self.fill(cx).await?;
        let rows: Vec<Row> = self.ahead.drain(..self.ahead.len().min(self.page_size)).collect();
        let mut made = Vec::with_capacity(rows.len());
        for row in &rows {
            match select::make(row, &self.selection, &self.table) {
                Ok(one) if one.record.id.0 == self.previous && !self.previous.is_empty() => {
                    self.doubt.get_or_insert_with(|| {
                        format!("{} has several rows with one key; `key` has to be unique", self.table.label()).into()
                    });
                }
                Ok(one) => {
                    self.previous = one.record.id.0.clone();
                    made.push(one);
                }
                Err(bad) => {
                    match &bad.id {
                        Some(id) => self.previous = id.0.clone(),
                        // It may be anybody's, so nobody's absence is proven.
                        None => {
                            let doubt = || format!("{} has a row without a readable key", self.table.label()).into();
                            self.doubt.get_or_insert_with(doubt);
                        }
                    }
                    page.faults.push(self.fault(bad));
                }
            }
        }
        if !self.selection.children.is_empty() && !made.is_empty() {
            let table = self.table.clone();
            let Some(tx) = &mut self.tx else { return Ok(page) };
            children::adopt(cx, &mut Asked::Tx(tx), &table, &self.selection, &mut made).await?;
        }
        for one in made {
            if let Some(item) = self.item(one) {
                page.items.push(item);
            }
        }
        self.counted += page.received();
        if self.drained && self.ahead.is_empty() {
            page.end = Some(self.end());
            if let Some(tx) = self.tx.take() {
                tx.rollback().await;
            }
        }
        Ok(page)
    }
}

/// A scan that has nothing to tell but the place where the next one begins.
pub(super) struct Nothing(pub Option<Cursor>);

#[async_trait]
impl Scan for Nothing {
    async fn next(&mut self, _: &Context) -> Result<ScanPage, ConnectorError> {
        let end = self.0.take().map(|cursor| End { cursor: Some(cursor), ..End::complete(0) });
        Ok(ScanPage { end, ..ScanPage::default() })
    }
}
