//! The values of child tables for a page of objects: one query per table and page, never per object.

use std::collections::{HashMap, HashSet};

use provost_connector::{ConnectorError, Context, ErrorCode};
use provost_model::{Digest, ObjectId, Value};

use super::db::{Db, Trouble, Tx};
use super::row::Row;
use super::select::{Made, Selection};
use super::statement::{Param, Sql};
use super::table::{Child, Column, From, Table};
use super::{fault, ident, value};

/// Where to ask: within a transaction, or at once.
pub(super) enum Asked<'a> {
    Tx(&'a mut Tx),
    Db(&'a Db),
}

impl Asked<'_> {
    pub(super) async fn rows(&mut self, cx: &Context, sql: Sql) -> Result<Vec<Row>, Trouble> {
        match self {
            Asked::Tx(tx) => tx.rows(cx, sql).await,
            Asked::Db(db) => db.rows(cx, sql).await,
        }
    }
}

/// Adds to each object what its child tables hold.
pub(super) async fn adopt(
    cx: &Context,
    asked: &mut Asked<'_>,
    table: &Table,
    selection: &Selection,
    page: &mut [Made],
) -> Result<(), ConnectorError> {
    for at in &selection.children {
        let child = &table.children[*at];
        let mut values: HashMap<ObjectId, Vec<Value>> =
            page.iter().map(|made| (made.record.id.clone(), Vec::new())).collect();
        for part in page.chunks(ident::LIST_MAX) {
            let keys: Vec<Vec<Param>> = part.iter().map(|made| made.key.clone()).collect();
            let what = format!("reading table `{}`", child.table);
            let rows =
                asked.rows(cx, statement(table, child, &keys)).await.map_err(|trouble| fault::read(trouble, &what))?;
            for row in rows {
                let (id, value) = take(&row, table, child)?;
                let Some(list) = values.get_mut(&id) else {
                    let message = format!("table `{}` spells a key otherwise than {} does", child.table, table.label());
                    return Err(ConnectorError::new(ErrorCode::Unreadable, message)
                        .hint("give both columns one type, or cast one of them in the query"));
                };
                list.push(value);
            }
        }
        for made in page.iter_mut() {
            let mut list = values.remove(&made.record.id).unwrap_or_default();
            // Two rows with one value are one value.
            let mut seen = HashSet::with_capacity(list.len());
            list.retain(|value| seen.insert(Digest::of_value(value)));
            made.adopt(child, list);
        }
    }
    Ok(())
}

/// The parent's own key with each value: the parent is joined, since the database may hold other spellings for equal.
fn statement(table: &Table, child: &Child, keys: &[Vec<Param>]) -> Sql {
    let mut sql = Sql::new(table.dialect, "select ");
    let key: Vec<&Column> = table.key_columns().collect();
    if !matches!(table.from, From::Table(_)) {
        // A query would have to run again for the join.
        let own: Vec<&Column> = child.key.iter().collect();
        for column in &own {
            value::select(&mut sql, column);
            sql.push(", ");
        }
        value::select(&mut sql, &child.value);
        sql.push(" from ").table(&child.table).push(" as t where ");
        ident::among(&mut sql, &own, keys);
        sql.push(" and t.").name(&child.value.name).push(" is not null order by t.").name(&child.value.name);
        return sql;
    }
    for column in &key {
        value::select(&mut sql, column);
        sql.push(", ");
    }
    sql.push("c.v from ");
    table.from.write(&mut sql).push(" join (select ");
    value::select(&mut sql, &child.value);
    sql.push(" as v, t.").name(&child.value.name).push(" as o");
    for (at, column) in child.key.iter().enumerate() {
        sql.push(", t.").name(&column.name).push(" as k").number(at);
    }
    sql.push(" from ").table(&child.table).push(" as t) as c on ");
    for (at, column) in key.iter().enumerate() {
        if at > 0 {
            sql.push(" and ");
        }
        sql.push("c.k").number(at).push(" = t.").name(&column.name);
    }
    sql.push(" where ");
    ident::among(&mut sql, &key, keys);
    sql.push(" and c.v is not null order by c.o");
    sql
}

fn take(row: &Row, table: &Table, child: &Child) -> Result<(ObjectId, Value), ConnectorError> {
    let wrong = |_| {
        let message = format!("table `{}`: a row cannot be read", child.table);
        ConnectorError::new(ErrorCode::Unreadable, message).at(child.attribute.clone())
    };
    let mut key = Vec::with_capacity(table.key.len());
    for (at, column) in table.key_columns().enumerate() {
        let cell = row.cell(at).map_err(|_| wrong(String::new()))?;
        key.push(value::read(cell, column).map_err(wrong)?);
    }
    let id = ident::of(&key.iter().collect::<Vec<_>>()).ok_or_else(|| wrong(String::new()))?;
    let cell = row.cell(key.len()).map_err(|_| wrong(String::new()))?;
    let value = value::read(cell, &child.value).map_err(wrong)?;
    Ok((id, point(child, value)))
}

/// The value as a reference, where the child table is one of references.
pub(super) fn point(child: &Child, value: Value) -> Value {
    match (&child.references, value.to_text()) {
        (Some(class), Some(text)) => Value::reference(class.clone(), text.as_ref()),
        _ => value,
    }
}
