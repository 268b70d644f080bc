//! Rows in one statement, with the ids that they got.
//!
//! PostgreSQL gets columns of values (`unnest`), so that the statement is the same for one row and for a thousand; the
//! others get lists of rows. Which returned row is whose is never taken on trust: what comes back is compared with what was
//! sent, and where that does not tell, the rows are inserted one by one.

use provost_connector::{ConnectorError, Context, ErrorCode};
use provost_model::{ObjectId, Value};

use super::batch::Stop;
use super::db::Tx;
use super::ident;
use super::row::Row;
use super::statement::{Dialect, Param, Sql, TableName};
use super::table::{Column, Kind, Table};
use super::value;

/// Values in one statement, below every database's limit.
const VALUES: usize = 16_000;

/// Rows in one list: longer ones are no quicker.
const ROWS: usize = 256;

/// Inserts rows with the same columns; their ids in the same order.
pub(super) async fn rows(
    cx: &Context,
    tx: &mut Tx,
    table: &Table,
    rows: &[&[(usize, Param)]],
) -> Result<Vec<ObjectId>, Stop> {
    let columns: Vec<usize> = rows.first().map(|row| row.iter().map(|(at, _)| *at).collect()).unwrap_or_default();
    let Some(name) = table.table() else { return Ok(Vec::new()) };
    let key_is_sent = table.key.iter().all(|at| columns.contains(at));
    let chunk = match tx.dialect() {
        Dialect::Postgres => rows.len().max(1),
        _ => ROWS.min(VALUES / columns.len().max(1)).max(1),
    };
    let mut ids = Vec::with_capacity(rows.len());
    for part in rows.chunks(chunk) {
        if !tx.returning {
            ids.extend(unanswered(cx, tx, table, name, &columns, part, key_is_sent).await?);
            continue;
        }
        let checked = checked(table, &columns);
        let mut sql = statement(tx.dialect(), table, name, &columns, part);
        sql.push(" returning ");
        let beside = checked.iter().filter(|at| !table.key.contains(at));
        for (at, column) in table.key.iter().chain(beside).enumerate() {
            value::show(sql.next(at), &table.columns[*column], "");
        }
        if part.len() != 1 && part.len() != ROWS && tx.dialect() != Dialect::Postgres {
            sql = sql.uncached();
        }
        let returned = tx.rows(cx, sql).await.map_err(Stop::from)?;
        ids.extend(assign(&returned, table, &checked, part)?);
    }
    Ok(ids)
}

/// The sent columns that tell rows apart: a unique one, or all of them. Two rows that are equal in all may be exchanged.
fn checked(table: &Table, columns: &[usize]) -> Vec<usize> {
    let unique = table.uniques.iter().find(|unique| unique.columns.iter().all(|at| columns.contains(at)));
    match unique {
        Some(unique) => unique.columns.clone(),
        None => columns.to_vec(),
    }
}

/// The ids of returned rows, when they come back in the order in which they were sent.
fn assign(
    returned: &[Row],
    table: &Table,
    checked: &[usize],
    sent: &[&[(usize, Param)]],
) -> Result<Vec<ObjectId>, Stop> {
    if returned.len() != sent.len() {
        let message = format!("{} took {} of {} rows", table.label(), returned.len(), sent.len());
        return Err(Stop::Refused(
            ConnectorError::new(ErrorCode::Constraint, message).hint("see its triggers and rules"),
        ));
    }
    let mut ids = Vec::with_capacity(sent.len());
    for (row, sent) in returned.iter().zip(sent) {
        let read = |place: usize, column: &Column| {
            row.cell(place).ok().and_then(|cell| value::read(cell, column).ok()).unwrap_or_default()
        };
        let key: Vec<Value> = table.key_columns().enumerate().map(|(place, column)| read(place, column)).collect();
        let mut beside = table.key.len();
        let same = checked.iter().all(|at| {
            let column = &table.columns[*at];
            let returned = match table.key.iter().position(|key| key == at) {
                Some(place) => key[place].clone(),
                None => {
                    beside += 1;
                    read(beside - 1, column)
                }
            };
            let param = sent.iter().find(|(have, _)| have == at).map(|(_, param)| param);
            param.is_some_and(|param| is_same(param, &returned, column))
        });
        if !same && returned.len() > 1 {
            return Err(Stop::Disorder);
        }
        let id = ident::of(&key.iter().collect::<Vec<_>>()).ok_or_else(|| {
            let message = format!("{} made a row without a key", table.label());
            Stop::Refused(ConnectorError::new(ErrorCode::Constraint, message).hint("map a value to each key column"))
        })?;
        ids.push(id);
    }
    Ok(ids)
}

fn is_same(sent: &Param, returned: &Value, column: &Column) -> bool {
    match sent {
        Param::Null => returned.is_null(),
        Param::Int(1) if column.kind == Kind::Boolean => *returned == Value::Boolean(true),
        Param::Int(0) if column.kind == Kind::Boolean => *returned == Value::Boolean(false),
        Param::Int(number) => *returned == Value::Integer(*number),
        Param::Text(text) if column.kind == Kind::Text => returned.as_text() == Some(text),
        // Compared where the form is one; other types would need the database's own eyes.
        other => value::as_text(other, column)
            .and_then(|text| value::settle(&Value::text(text), column))
            .is_some_and(|settled| settled == *returned),
    }
}

/// `insert into … (…) …` of rows.
fn statement(dialect: Dialect, table: &Table, name: &TableName, columns: &[usize], rows: &[&[(usize, Param)]]) -> Sql {
    let shown: Vec<&Column> = columns.iter().map(|at| &table.columns[*at]).collect();
    let tuples: Vec<Vec<&Param>> = rows.iter().map(|row| row.iter().map(|(_, param)| param).collect()).collect();
    into(dialect, name, &shown, &tuples)
}

/// `insert into table (columns) values (…), (…)`, in the dialect's quickest way.
pub(super) fn into(dialect: Dialect, name: &TableName, columns: &[&Column], rows: &[Vec<&Param>]) -> Sql {
    let mut sql = Sql::new(dialect, "insert into ");
    sql.table(name).push(" (");
    for (at, column) in columns.iter().enumerate() {
        sql.next(at).name(&column.name);
    }
    if dialect == Dialect::Postgres {
        sql.push(") select ");
        for (at, column) in columns.iter().enumerate() {
            sql.next(at).of_set("c", at, column.cast.as_ref());
        }
        sql.push(" from unnest(");
        for (at, column) in columns.iter().enumerate() {
            let set = rows.iter().map(|row| value::as_text(row[at], column)).collect();
            sql.next(at).bind(Param::Texts(set));
        }
        sql.push(") with ordinality as v(");
        for at in 0..columns.len() {
            sql.push("c").number(at).push(", ");
        }
        sql.push("n) order by v.n");
        return sql;
    }
    sql.push(") values ");
    for (place, row) in rows.iter().enumerate() {
        sql.next(place).push("(");
        for (at, (param, column)) in row.iter().zip(columns).enumerate() {
            value::place(sql.next(at), (*param).clone(), column);
        }
        sql.push(")");
    }
    sql
}

/// MySQL itself returns no rows: ids are those that were sent, or the number that it made last.
async fn unanswered(
    cx: &Context,
    tx: &mut Tx,
    table: &Table,
    name: &TableName,
    columns: &[usize],
    rows: &[&[(usize, Param)]],
    key_is_sent: bool,
) -> Result<Vec<ObjectId>, Stop> {
    if key_is_sent {
        let sql = statement(tx.dialect(), table, name, columns, rows);
        tx.run(cx, sql.uncached()).await.map_err(Stop::from)?;
        return rows.iter().map(|row| sent_id(table, row)).collect();
    }
    let generated = matches!(table.key.as_slice(), [at] if table.columns[*at].generated && table.columns[*at].kind == Kind::Integer);
    if !generated {
        let message = format!("{} makes its keys, and this MySQL does not tell them", table.label());
        return Err(Stop::Refused(
            ConnectorError::new(ErrorCode::NotSupported, message).hint("map a value to each key column"),
        ));
    }
    let mut ids = Vec::with_capacity(rows.len());
    for row in rows {
        let sql = statement(tx.dialect(), table, name, columns, std::slice::from_ref(row));
        tx.run(cx, sql).await.map_err(Stop::from)?;
        let last = tx.rows(cx, tx.sql("select cast(last_insert_id() as char)")).await.map_err(Stop::from)?;
        let id = last
            .first()
            .map(|row| row.word(0))
            .transpose()
            .map_err(|error| Stop::from(super::db::Trouble::Db(error)))?;
        ids.push(ObjectId::from(id.unwrap_or_default()));
    }
    Ok(ids)
}

fn sent_id(table: &Table, row: &[(usize, Param)]) -> Result<ObjectId, Stop> {
    let part = |at: &usize| {
        let column = &table.columns[*at];
        let param = row.iter().find(|(have, _)| have == at).map(|(_, param)| param.clone())?;
        value::settle(&Value::text(value::as_text(&param, column)?), column)
    };
    let key: Option<Vec<Value>> = table.key.iter().map(part).collect();
    key.and_then(|key| ident::of(&key.iter().collect::<Vec<_>>())).ok_or_else(|| {
        let message = format!("{}: a key cannot be null", table.label());
        Stop::Refused(ConnectorError::new(ErrorCode::MissingRequired, message).hint("map a value to each key column"))
    })
}
