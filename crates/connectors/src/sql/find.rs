//! One object by id, objects by a filter, objects by the values of one attribute, and how many there are.

use std::collections::HashMap;

use provost_connector::{ConnectorError, Context, Cursor, ErrorCode, FindRequest, LookupRequest, Page};
use provost_lang::ScopeFilter;
use provost_model::{AttributePath, ObjectId, Record, Value};

use super::children::{self, Asked};
use super::db::Db;
use super::read::onward;
use super::row::{Cell, Row};
use super::select::{self, Made, Selection};
use super::statement::{Dialect, Param, Sql};
use super::table::{Column, Compares, Kind, Table};
use super::{fault, filter, ident, value};

/// Rows that are judged at once where the database cannot tell which are meant.
const JUDGED: usize = 1_000;

fn begin(table: &Table, selection: &Selection) -> Sql {
    let mut sql = Sql::new(table.dialect, "");
    selection.write(&mut sql, table);
    sql
}

async fn made(
    cx: &Context,
    asked: &mut Asked<'_>,
    table: &Table,
    selection: &Selection,
    sql: Sql,
) -> Result<Vec<Made>, ConnectorError> {
    let what = format!("reading {}", table.label());
    let rows: Vec<Row> = asked.rows(cx, sql).await.map_err(|trouble| fault::read(trouble, &what))?;
    let mut made = Vec::with_capacity(rows.len());
    for row in &rows {
        made.push(select::make(row, selection, table).map_err(|bad| bad.error)?);
    }
    children::adopt(cx, asked, table, selection, &mut made).await?;
    Ok(made)
}

pub(super) async fn get(
    cx: &Context,
    asked: &mut Asked<'_>,
    table: &Table,
    id: &ObjectId,
) -> Result<Option<Record>, ConnectorError> {
    let Some(key) = ident::params(id, table) else { return Ok(None) };
    let selection = Selection::of(table, None);
    let mut sql = begin(table, &selection);
    sql.push(" and ");
    ident::condition(&mut sql, &table.key_columns().collect::<Vec<_>>(), key, true);
    sql.push(" limit 2");
    let mut found = made(cx, asked, table, &selection, sql).await?;
    found.retain(|made| made.record.id == *id);
    if found.len() > 1 {
        let message = format!("{} has several rows with the key `{id}`", table.label());
        return Err(ConnectorError::new(ErrorCode::Unreadable, message).hint("`key` has to name unique columns"));
    }
    Ok(found.pop().map(Made::into_record))
}

pub(super) async fn find(cx: &Context, db: &Db, table: &Table, request: &FindRequest) -> Result<Page, ConnectorError> {
    let case_exact = |path: &AttributePath| is_case_exact(table, path);
    let judge = ScopeFilter::compile_with(&request.filter, &case_exact).map_err(|errors| {
        let message = errors.first().map(ToString::to_string).unwrap_or_default();
        ConnectorError::new(ErrorCode::NotSupported, message)
    })?;
    let condition = filter::compile(&request.filter, table)?;
    let selection = Selection::of(table, None);
    let key: Vec<&Column> = table.key_columns().collect();
    let wanted = request.page_size.clamp(1, 10_000);
    let mut last = match &request.cursor {
        None => None,
        Some(cursor) => Some(ident::params(&cursor.0, table).ok_or_else(|| {
            ConnectorError::new(ErrorCode::CursorExpired, "the place in the answer cannot be read").hint("ask again")
        })?),
    };
    let mut page = Page::default();
    // A few at first: a filter of one person finds one.
    let mut limit = wanted + 1;
    loop {
        let mut sql = begin(table, &selection);
        sql.push(" and (").append(condition.clone()).push(")");
        onward(&mut sql, &key, last.as_deref(), limit);
        let found = made(cx, &mut Asked::Db(db), table, &selection, sql.uncached()).await?;
        let drained = found.len() < limit;
        for one in found {
            let key = one.key.clone();
            if judge.matches(&one.record.attributes) {
                if page.records.len() == wanted {
                    page.next = page.records.last().map(|record| Cursor(record.id.0.clone()));
                    return Ok(page);
                }
                page.records.push(one.into_record());
            }
            last = Some(key);
        }
        if drained {
            return Ok(page);
        }
        limit = JUDGED.max(limit);
    }
}

fn is_case_exact(table: &Table, path: &AttributePath) -> bool {
    let column = table.position(path).map(|at| &table.columns[at]);
    let child = || table.child(&AttributePath::name(path.name.clone())).map(|at| &table.children[at].value);
    column.or_else(child).is_some_and(Column::case_exact)
}

/// Whether an attribute can be looked up: what the database compares can be compared again.
pub(super) fn can_look_up(column: &Column) -> bool {
    !column.array
        && !column.attribute.is_empty()
        && column.compares != Compares::Unknown
        && matches!(column.kind, Kind::Text | Kind::Integer | Kind::Uuid | Kind::Boolean)
}

/// The form in which two values of a column are the same or not.
fn comparable(value: &Value, column: &Column) -> String {
    let text = match value {
        Value::Boolean(flag) => flag.to_string(),
        other => other.to_text().map(|text| text.into_owned()).unwrap_or_default(),
    };
    if column.case_exact() || column.kind != Kind::Text { text } else { text.to_lowercase() }
}

pub(super) async fn lookup(
    cx: &Context,
    db: &Db,
    table: &Table,
    request: &LookupRequest,
) -> Result<Vec<Vec<Record>>, ConnectorError> {
    let path = &request.path;
    let child = table.child(path);
    let column = match (table.position(path), child) {
        (Some(at), _) => &table.columns[at],
        (None, Some(at)) => &table.children[at].value,
        (None, None) => return Err(not_askable(table, path)),
    };
    if !can_look_up(column) {
        return Err(not_askable(table, path));
    }
    let mut places: HashMap<String, Vec<usize>> = HashMap::new();
    let mut params: Vec<Vec<Param>> = Vec::new();
    for (at, value) in request.values.iter().enumerate().filter(|(_, value)| !value.is_unassigned()) {
        // A value that the column cannot hold is nobody's.
        let unbound = Column { max_chars: None, trims: false, ..column.clone() };
        let Ok(param) = value::bind(value, &unbound) else { continue };
        let cell = value::as_text(&param, column).map_or(Cell::Null, |text| Cell::Text(text.into()));
        let Ok(settled) = value::read(cell, column) else { continue };
        let entry = places.entry(comparable(&settled, column)).or_default();
        entry.push(at);
        params.push(vec![param]);
    }
    let selection = Selection::of(table, None);
    let mut found: Vec<Vec<Record>> = vec![Vec::new(); request.values.len()];
    for part in params.chunks(if table.dialect == Dialect::Postgres { usize::MAX } else { ident::LIST_MAX }) {
        let mut sql = begin(table, &selection);
        sql.push(" and ");
        match table.position(path) {
            Some(_) => ident::among(&mut sql, &[column], part),
            None => holders(&mut sql, table, child.unwrap_or_default(), part),
        }
        for one in made(cx, &mut Asked::Db(db), table, &selection, sql).await? {
            let record = one.into_record();
            let values = record.attributes.get(&column.attribute).map(Value::elements).unwrap_or_default();
            let mut given: Vec<usize> =
                values.iter().filter_map(|value| places.get(&comparable(value, column))).flatten().copied().collect();
            given.sort_unstable();
            given.dedup();
            for place in given {
                // The values of two parts may be equal in the database's eyes.
                if !found[place].iter().any(|have| have.id == record.id) {
                    found[place].push(record.clone());
                }
            }
        }
    }
    Ok(found)
}

/// Objects with one of these values in a child table.
fn holders(sql: &mut Sql, table: &Table, child: usize, values: &[Vec<Param>]) {
    let child = &table.children[child];
    sql.push("(");
    for (at, column) in table.key_columns().enumerate() {
        sql.next(at).push("t.").name(&column.name);
    }
    sql.push(") in (select ");
    for (at, column) in child.key.iter().enumerate() {
        sql.next(at).push("t.").name(&column.name);
    }
    sql.push(" from ").table(&child.table).push(" as t where ");
    ident::among(sql, &[&child.value], values);
    sql.push(")");
}

fn not_askable(table: &Table, path: &AttributePath) -> ConnectorError {
    ConnectorError::new(ErrorCode::NotSupported, format!("{} cannot be asked for `{path}`", table.label()))
        .hint("the class is read as a whole instead; or match by a column of plain texts or whole numbers")
}

pub(super) async fn count(cx: &Context, db: &Db, table: &Table) -> Result<u64, ConnectorError> {
    let mut sql = super::select::counting(table);
    select::live(&mut sql, table);
    let what = format!("counting {}", table.label());
    let rows = db.rows(cx, sql).await.map_err(|trouble| fault::read(trouble, &what))?;
    let count = rows.first().map(|row| row.number(0)).transpose().map_err(|error| select::unreadable(error, table))?;
    Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default())
}

/// The key of a row that has these values, for an object that is in the way of a create.
pub(super) fn same(filter: &[(usize, Param)], table: &Table) -> Sql {
    let selection = Selection::of(table, Some(&[]));
    let mut sql = begin(table, &selection);
    for (at, param) in filter {
        let column = &table.columns[*at];
        sql.push(" and t.").name(&column.name).push(" = ");
        value::place(&mut sql, param.clone(), column);
    }
    sql.push(" limit 2");
    sql.uncached()
}
