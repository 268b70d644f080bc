//! Writing child rows: what is there is looked at first, so that adding what is there and removing what is not are no change.

use std::collections::HashSet;

use provost_connector::Context;
use provost_model::ChangeOp;

use super::batch::Stop;
use super::db::Tx;
use super::ident;
use super::insert;
use super::plan::ChildChange;
use super::statement::{Dialect, Param, Sql};
use super::table::{Child, Column, Compares, Kind, Table};
use super::value;

/// Values that are named one by one in a statement, where an index cannot compare them exactly.
const SPELLED: usize = 100;

/// Rows of one INSERT.
const ROWS: usize = 500;

/// Brings the values of one object to what the change says.
pub(super) async fn change(
    cx: &Context,
    tx: &mut Tx,
    table: &Table,
    key: &[Param],
    change: &ChildChange,
) -> Result<(), Stop> {
    let child = &table.children[change.child];
    let there = there(cx, tx, child, key).await?;
    let asked: HashSet<&str> = change.values.iter().map(|(text, _)| text.as_str()).collect();
    let goes: Vec<Param> = match change.op {
        ChangeOp::Set | ChangeOp::Unset => {
            there.iter().filter(|(text, _)| !asked.contains(text.as_str())).map(|(_, param)| param.clone()).collect()
        }
        ChangeOp::Remove => {
            there.iter().filter(|(text, _)| asked.contains(text.as_str())).map(|(_, param)| param.clone()).collect()
        }
        ChangeOp::Add => Vec::new(),
    };
    let have: HashSet<&str> = there.iter().map(|(text, _)| text.as_str()).collect();
    let comes: Vec<&Param> = match change.op {
        ChangeOp::Set | ChangeOp::Add => {
            change.values.iter().filter(|(text, _)| !have.contains(text.as_str())).map(|(_, param)| param).collect()
        }
        _ => Vec::new(),
    };
    remove(cx, tx, child, key, &goes).await?;
    let rows: Vec<Vec<Param>> =
        comes.into_iter().map(|param| key.iter().cloned().chain([param.clone()]).collect()).collect();
    add(cx, tx, child, &rows).await
}

/// Every child row of rows that are about to go.
pub(super) async fn clear(cx: &Context, tx: &mut Tx, table: &Table, keys: &[Vec<Param>]) -> Result<(), Stop> {
    for child in &table.children {
        let columns: Vec<&Column> = child.key.iter().collect();
        for part in keys.chunks(ident::LIST_MAX) {
            let mut sql = tx.sql(match tx.dialect() {
                Dialect::MySql => "delete t from ",
                _ => "delete from ",
            });
            sql.table(&child.table).push(" as t where ");
            ident::among(&mut sql, &columns, part);
            tx.run(cx, sql).await.map_err(|trouble| Stop::at(trouble, &child.attribute))?;
        }
    }
    Ok(())
}

/// Values that are there, with the text that they are compared by.
async fn there(cx: &Context, tx: &mut Tx, child: &Child, key: &[Param]) -> Result<Vec<(String, Param)>, Stop> {
    let columns: Vec<&Column> = child.key.iter().collect();
    let mut sql = tx.sql("select ");
    value::select(&mut sql, &child.value);
    sql.push(" from ").table(&child.table).push(" as t where ");
    ident::condition(&mut sql, &columns, key.to_vec(), true);
    sql.push(" and t.").name(&child.value.name).push(" is not null");
    let rows = tx.rows(cx, sql).await.map_err(|trouble| Stop::at(trouble, &child.attribute))?;
    let mut there = Vec::with_capacity(rows.len());
    for row in &rows {
        let cell = row.cell(0).ok().and_then(|cell| value::read(cell, &child.value).ok());
        let Some(found) = cell else { continue };
        if let (Some(text), Ok(param)) = (found.to_text(), value::bind(&found, &child.value)) {
            there.push((text.into_owned(), param));
        }
    }
    Ok(there)
}

/// Inserts child rows; one that somebody else made meanwhile is there already.
pub(super) async fn add(cx: &Context, tx: &mut Tx, child: &Child, rows: &[Vec<Param>]) -> Result<(), Stop> {
    let columns: Vec<&Column> = child.key.iter().chain([&child.value]).collect();
    for part in rows.chunks(ROWS) {
        let mut sql = insert::into(
            tx.dialect(),
            &child.table,
            &columns,
            &part.iter().map(|row| row.iter().collect()).collect::<Vec<_>>(),
        );
        match tx.dialect() {
            Dialect::Postgres | Dialect::Sqlite => sql.push(" on conflict do nothing"),
            Dialect::MySql => {
                sql.push(" on duplicate key update ").name(&child.value.name).push(" = ").name(&child.value.name)
            }
        };
        if tx.dialect() != Dialect::Postgres && part.len() > 1 {
            sql = sql.uncached();
        }
        tx.run(cx, sql).await.map_err(|trouble| Stop::at(trouble, &child.attribute))?;
    }
    Ok(())
}

async fn remove(cx: &Context, tx: &mut Tx, child: &Child, key: &[Param], values: &[Param]) -> Result<(), Stop> {
    let columns: Vec<&Column> = child.key.iter().collect();
    let listed = child.value.compares == Compares::Exactly || child.value.kind != Kind::Text;
    for part in values.chunks(if listed { ident::LIST_MAX } else { SPELLED }) {
        let mut sql = tx.sql("delete from ");
        sql.table(&child.table);
        sql.push(" where ");
        ident::condition(&mut sql, &columns, key.to_vec(), false);
        sql.push(" and (");
        match (listed, tx.dialect()) {
            (true, Dialect::Postgres) => set(&mut sql, &child.value, part),
            (true, _) => list(&mut sql, &child.value, part),
            (false, _) => {
                for (at, param) in part.iter().enumerate() {
                    sql.push(if at > 0 { " or (" } else { "(" });
                    ident::equals(&mut sql, &child.value, param.clone(), false);
                    sql.push(")");
                }
            }
        }
        sql.push(")");
        tx.run(cx, sql.uncached()).await.map_err(|trouble| Stop::at(trouble, &child.attribute))?;
    }
    Ok(())
}

fn set(sql: &mut Sql, column: &Column, values: &[Param]) {
    let texts = Param::Texts(values.iter().map(|param| value::as_text(param, column)).collect());
    sql.name(&column.name).push(" = any(");
    match &column.cast {
        Some(cast) => sql.push("cast(").bind(texts).push(" as ").verbatim(cast).push("[]))"),
        None => sql.bind(texts).push(")"),
    };
}

fn list(sql: &mut Sql, column: &Column, values: &[Param]) {
    sql.name(&column.name).push(" in (");
    for (at, param) in values.iter().enumerate() {
        value::place(sql.next(at), param.clone(), column);
    }
    sql.push(")");
}
