//! What changed since a cursor: by a watermark column, or by a history table.
//!
//! A cursor holds the highest value of the order and digests of the rows near it, since a transaction may commit behind one
//! with a higher value: what lies within `overlap` is read again, and what was told before is left out. A watermark sees no
//! deletes; a history table does, when its triggers write them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use provost_connector::{ConnectorError, Context, Cursor, End, ErrorCode, Scan, ScanFault, ScanItem, ScanPage};
use provost_model::{Digest, ObjectId, Timestamp, Value};
use serde::{Deserialize, Serialize};

use super::children::{self, Asked};
use super::db::{Db, Purpose, Tx};
use super::select::{self, Made, Selection};
use super::statement::{Dialect, Param, Sql};
use super::table::{Changes, Column, Kind, Table};
use super::{fault, ident, value};

/// Rows of a history that one read takes; the next one follows at once.
const MOST: usize = 50_000;

/// Digests that a cursor holds: at most 16 KiB with them.
const REMEMBERED: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    /// The highest value of the order, as text; none for an empty table.
    #[serde(rename = "w")]
    order: Option<String>,
    /// Eight bytes of each digest.
    #[serde(rename = "s", default)]
    seen: String,
}

impl Place {
    fn read(cursor: &Cursor) -> Result<(Self, HashSet<u64>), ConnectorError> {
        let expired = || {
            ConnectorError::new(ErrorCode::CursorExpired, "the place in the change feed cannot be read")
                .hint("a full read follows by itself")
        };
        let place: Place = serde_json::from_str(&cursor.0).map_err(|_| expired())?;
        let bytes = BASE64.decode(place.seen.as_bytes()).map_err(|_| expired())?;
        let seen = bytes.as_chunks::<8>().0.iter().map(|chunk| u64::from_le_bytes(*chunk)).collect();
        Ok((place, seen))
    }

    fn cursor(order: Option<String>, seen: &[u64]) -> Option<Cursor> {
        let bytes: Vec<u8> = seen.iter().take(REMEMBERED).flat_map(|digest| digest.to_le_bytes()).collect();
        let place = Place { order, seen: BASE64.encode(bytes) };
        serde_json::to_string(&place).ok().map(|text| Cursor(text.into()))
    }
}

/// The value that lies `overlap` before this one.
fn before(text: &str, column: &Column, overlap: u32) -> String {
    match column.kind {
        Kind::Integer => {
            text.parse::<i64>().map_or_else(|_| text.to_owned(), |n| n.saturating_sub(overlap.into()).to_string())
        }
        Kind::Timestamp => match text.parse::<Timestamp>() {
            Ok(time) => time.checked_sub(jiff::SignedDuration::from_secs(overlap.into())).unwrap_or(time).to_string(),
            Err(_) => text.to_owned(),
        },
        _ => text.to_owned(),
    }
}

/// Whether a value is at or behind another.
fn reaches(have: &str, low: &str, column: &Column) -> bool {
    match column.kind {
        Kind::Integer => have.parse::<i64>().ok() >= low.parse().ok(),
        Kind::Timestamp => have.parse::<Timestamp>().ok() >= low.parse().ok(),
        _ => have == low,
    }
}

fn small(digest: Digest) -> u64 {
    digest.0 as u64
}

/// The highest value of a column.
async fn highest(
    cx: &Context,
    asked: &mut Asked<'_>,
    column: &Column,
    from: impl FnOnce(&mut Sql),
    dialect: Dialect,
) -> Result<Option<String>, ConnectorError> {
    let mut sql = Sql::new(dialect, "select ");
    value::select(&mut sql, column);
    sql.push(" from ");
    from(&mut sql);
    sql.push(" where t.").name(&column.name).push(" is not null order by t.").name(&column.name).push(" desc limit 1");
    let what = format!("reading the highest `{}`", column.name);
    let rows = asked.rows(cx, sql).await.map_err(|trouble| fault::read(trouble, &what))?;
    let Some(row) = rows.first() else { return Ok(None) };
    let unreadable = || ConnectorError::new(ErrorCode::Unreadable, format!("{what}: it cannot be read"));
    let cell = row.cell(0).map_err(|_| unreadable())?;
    let value = value::read(cell, column).map_err(|_| unreadable())?;
    Ok(value.to_text().map(|text| text.into_owned()))
}

/// The place where the feed ends now.
pub(super) async fn now(cx: &Context, db: &Db, table: &Table) -> Result<Option<Cursor>, ConnectorError> {
    let order = latest(cx, db, table).await?;
    Ok(Place::cursor(order, &[]))
}

/// The highest value of the order, as text.
pub(super) async fn latest(cx: &Context, db: &Db, table: &Table) -> Result<Option<String>, ConnectorError> {
    let asked = &mut Asked::Db(db);
    match &table.changes {
        None => Ok(None),
        Some(Changes::Watermark { column, .. }) => {
            let from = |sql: &mut Sql| {
                table.from.write(sql);
            };
            highest(cx, asked, &table.columns[*column], from, table.dialect).await
        }
        Some(Changes::History(history)) => {
            let from = |sql: &mut Sql| {
                sql.table(&history.table).push(" as t");
            };
            highest(cx, asked, &history.order, from, table.dialect).await
        }
    }
}

/// The rows that a watermark says changed: a full read with a condition.
pub(super) struct Since {
    column: usize,
    overlap: u32,
    from: Option<String>,
    seen: HashSet<u64>,
    highest: Option<String>,
    fresh: Vec<u64>,
}

impl Since {
    pub(super) fn new(column: usize, overlap: u32, cursor: &Cursor) -> Result<Self, ConnectorError> {
        let (place, seen) = Place::read(cursor)?;
        Ok(Self { column, overlap, from: place.order, seen, highest: None, fresh: Vec::new() })
    }

    /// Looks how far the feed goes in this snapshot.
    pub(super) async fn open(
        &mut self,
        cx: &Context,
        tx: &mut Tx,
        table: &Table,
        selection: &mut Selection,
    ) -> Result<(), ConnectorError> {
        selection.with(self.column);
        let from = |sql: &mut Sql| {
            table.from.write(sql);
        };
        self.highest = highest(cx, &mut Asked::Tx(tx), &table.columns[self.column], from, table.dialect).await?;
        Ok(())
    }

    pub(super) fn condition(&self, sql: &mut Sql, table: &Table) {
        let Some(from) = &self.from else { return };
        let column = &table.columns[self.column];
        let low = before(from, column, self.overlap);
        let param = value::bind(&Value::text(low), column).unwrap_or(Param::Null);
        sql.push(" and t.").name(&column.name).push(" >= ");
        value::place(sql, param, column);
    }

    /// Whether the row was told before; notes those that the next read sees again.
    pub(super) fn is_known(&mut self, made: &Made, table: &Table) -> bool {
        let digest = small(made.digest());
        let column = &table.columns[self.column];
        let low = self.highest.as_deref().map(|text| before(text, column, self.overlap));
        if let (Some(low), Some(have)) = (low, made.watermark.as_ref().and_then(Value::to_text))
            && reaches(&have, &low, column)
        {
            self.fresh.push(digest);
        }
        self.seen.contains(&digest)
    }

    pub(super) fn cursor(&mut self) -> Option<Cursor> {
        Place::cursor(self.highest.take().or(self.from.take()), &self.fresh)
    }
}

/// A history table's changes, each object once, as it is now.
pub(super) struct Feed {
    table: Arc<Table>,
    selection: Selection,
    page_size: usize,
    tx: Option<Tx>,
    /// Ids with their keys; and whether the history says that they are gone.
    waiting: VecDeque<(ObjectId, Vec<Param>, bool)>,
    counted: u64,
    end: Option<(Option<Cursor>, bool)>,
}

pub(super) async fn open_feed(
    cx: &Context,
    db: &Db,
    table: Arc<Table>,
    request: &provost_connector::ScanRequest,
    cursor: &Cursor,
) -> Result<Feed, ConnectorError> {
    let Some(Changes::History(history)) = &table.changes else {
        return Err(ConnectorError::new(ErrorCode::NotSupported, "the class has no history table"));
    };
    let (place, seen) = Place::read(cursor)?;
    let what = format!("reading table `{}`", history.table);
    let mut tx = db.begin(cx, Purpose::Snapshot).await.map_err(|trouble| fault::read(trouble, &what))?;
    let low = place.order.as_deref().map(|text| before(text, &history.order, history.overlap));
    let bound = |text: &str| value::bind(&Value::text(text), &history.order).unwrap_or(Param::Null);
    // Where more waits than one read takes, it ends with a whole value of the order, so that none of its rows is lost.
    let mut sql = tx.sql("select ");
    value::select(&mut sql, &history.order);
    sql.push(" from ").table(&history.table).push(" as t where t.").name(&history.order.name).push(" is not null");
    let floor = |sql: &mut Sql| {
        if let Some(low) = &low {
            sql.push(" and t.").name(&history.order.name).push(" >= ");
            value::place(sql, bound(low), &history.order);
        }
    };
    floor(&mut sql);
    sql.push(" order by t.").name(&history.order.name).push(" limit 1 offset ").number(MOST + seen.len());
    let rows = tx.rows(cx, sql).await.map_err(|trouble| fault::read(trouble, &what))?;
    let top = rows.first().map(|row| text_at(row, 0, &history.order)).transpose()?;

    let mut sql = tx.sql("select ");
    value::select(&mut sql, &history.order);
    for column in history.key.iter().chain(&history.kind) {
        value::select(sql.push(", "), column);
    }
    sql.push(" from ").table(&history.table).push(" as t where t.").name(&history.order.name).push(" is not null");
    floor(&mut sql);
    if let Some(top) = &top {
        sql.push(" and t.").name(&history.order.name).push(" <= ");
        value::place(&mut sql, bound(top), &history.order);
    }
    sql.push(" order by t.").name(&history.order.name);
    let rows = tx.rows(cx, sql).await.map_err(|trouble| fault::read(trouble, &what))?;
    let (mut order, mut digests, mut last) = (place.order.clone(), Vec::new(), HashMap::new());
    for (at, row) in rows.iter().enumerate() {
        let here = text_at(row, 0, &history.order)?;
        let mut texts = vec![here.clone()];
        for (place, column) in history.key.iter().chain(&history.kind).enumerate() {
            texts.push(text_at(row, place + 1, column)?);
        }
        let digest = small(Digest::of_bytes(texts.join("\u{1f}").as_bytes()));
        digests.push((here.clone(), digest));
        order = Some(here);
        if seen.contains(&digest) {
            continue;
        }
        let key: Vec<Value> = texts[1..=history.key.len()].iter().map(|text| Value::text(text.as_str())).collect();
        if let Some(id) = ident::of(&key.iter().collect::<Vec<_>>()) {
            let gone = history.kind.is_some() && history.deleted.iter().any(|word| *word == texts[texts.len() - 1]);
            last.insert(id, (at, gone));
        }
    }
    let floor = order.as_deref().map(|text| before(text, &history.order, history.overlap));
    let near: Vec<u64> = digests
        .iter()
        .filter(|(here, _)| floor.as_deref().is_some_and(|floor| reaches(here, floor, &history.order)))
        .map(|(_, digest)| *digest)
        .collect();
    let mut found: Vec<_> = last.into_iter().collect();
    found.sort_by_key(|(_, (at, _))| *at);
    let waiting = found.into_iter().filter_map(|(id, (_, gone))| Some((id.clone(), ident::params(&id, &table)?, gone)));
    Ok(Feed {
        selection: Selection::of(&table, request.attributes.as_deref()),
        page_size: request.page_size.clamp(1, ident::LIST_MAX),
        tx: Some(tx),
        waiting: waiting.collect(),
        counted: 0,
        end: Some((Place::cursor(order, &near), top.is_some())),
        table,
    })
}

fn text_at(row: &super::row::Row, at: usize, column: &Column) -> Result<String, ConnectorError> {
    let unreadable =
        || ConnectorError::new(ErrorCode::Unreadable, format!("the history's column `{}` cannot be read", column.name));
    let cell = row.cell(at).map_err(|_| unreadable())?;
    let value = value::read(cell, column).map_err(|_| unreadable())?;
    Ok(value.to_text().map(|text| text.into_owned()).unwrap_or_default())
}

#[async_trait]
impl Scan for Feed {
    async fn next(&mut self, cx: &Context) -> Result<ScanPage, ConnectorError> {
        cx.check()?;
        let mut page = ScanPage::default();
        let Some(tx) = &mut self.tx else { return Ok(page) };
        let part: Vec<_> = self.waiting.drain(..self.waiting.len().min(self.page_size)).collect();
        let there: Vec<Vec<Param>> = part.iter().filter(|(_, _, gone)| !gone).map(|(_, key, _)| key.clone()).collect();
        let mut found: HashMap<ObjectId, Made> = HashMap::new();
        let mut bad: HashMap<ObjectId, ConnectorError> = HashMap::new();
        if !there.is_empty() {
            let mut sql = tx.sql("");
            self.selection.write(&mut sql, &self.table);
            let key: Vec<&Column> = self.table.key_columns().collect();
            ident::among(sql.push(" and "), &key, &there);
            let what = format!("reading {}", self.table.label());
            let rows = tx.rows(cx, sql).await.map_err(|trouble| fault::read(trouble, &what))?;
            let mut made = Vec::with_capacity(rows.len());
            for row in &rows {
                match select::make(row, &self.selection, &self.table) {
                    Ok(one) => made.push(one),
                    Err(one) => match one.id {
                        Some(id) => {
                            bad.insert(id, one.error);
                        }
                        None => return Err(one.error),
                    },
                }
            }
            children::adopt(cx, &mut Asked::Tx(tx), &self.table, &self.selection, &mut made).await?;
            found.extend(made.into_iter().map(|one| (one.record.id.clone(), one)));
        }
        for (id, _, _) in part {
            match (found.remove(&id), bad.remove(&id)) {
                (Some(made), _) => page.items.push(ScanItem::Upsert(made.into_record())),
                (None, Some(error)) => page.faults.push(ScanFault { place: id.0.clone(), id: Some(id), error }),
                (None, None) => page.items.push(ScanItem::Tombstone(id)),
            }
        }
        self.counted += page.received();
        if self.waiting.is_empty() {
            let (cursor, more) = self.end.take().unwrap_or_default();
            page.end = Some(End { cursor, more, ..End::complete(self.counted) });
            if let Some(tx) = self.tx.take() {
                tx.rollback().await;
            }
        }
        Ok(page)
    }
}
