//! Writing many rows by few statements: multi-row VALUES, the one bulk path of both engines.
//!
//! Rows go out in powers of two, so that a table needs some eight prepared statements whatever the sizes of its pages.

use std::collections::HashSet;
use std::hash::Hash;

use super::{Param, Row, Sql, Transaction};
use crate::Result;

/// Values per statement, far below the engines' limits of 32,766 and 65,535. On SQLite, 512 to 16,384 made no difference
/// beyond the noise of a busy machine (examples/throughput.rs); on PostgreSQL it was not varied.
const VALUES: usize = 2048;

/// A type that is one row of one table.
pub trait Record: Sized {
    const TABLE: &'static str;
    const COLUMNS: &'static [&'static str];
    /// The primary key's columns.
    const KEY: &'static [&'static str];
    type Key<'a>: Hash + Eq
    where
        Self: 'a;

    fn key(&self) -> Self::Key<'_>;
    /// The values in the order of `COLUMNS`.
    fn values<'a>(&'a self, put: &mut dyn FnMut(Param<'a>));
    /// Reads `COLUMNS` in their order.
    fn read(row: &mut Row) -> Result<Self>;

    /// Appends `select COLUMNS from TABLE`.
    fn select<'a>(mut sql: Sql<'a>) -> Sql<'a> {
        sql.push("select ").names(Self::COLUMNS).push(" from ").push(Self::TABLE);
        sql
    }

    fn read_all(rows: Vec<Row>) -> Result<Vec<Self>> {
        rows.into_iter().map(|mut row| Self::read(&mut row)).collect()
    }
}

/// Cuts rows into powers of two that keep a statement below some two thousand values.
pub fn chunks<T>(mut rows: &[T], columns: usize) -> impl Iterator<Item = &[T]> {
    let most = previous_power_of_two((VALUES / columns.max(1)).max(1));
    std::iter::from_fn(move || {
        if rows.is_empty() {
            return None;
        }
        let size = previous_power_of_two(rows.len().min(most));
        let (chunk, rest) = rows.split_at(size);
        rows = rest;
        Some(chunk)
    })
}

fn previous_power_of_two(number: usize) -> usize {
    1 << number.ilog2()
}

impl Transaction {
    /// Inserts rows whose keys are new.
    pub async fn insert<T: Record>(&mut self, rows: &[T]) -> Result<()> {
        let rows: Vec<&T> = rows.iter().collect();
        for chunk in chunks(&rows, T::COLUMNS.len()) {
            let sql = insert_text(self.sql(), chunk);
            self.run(sql).await?;
        }
        Ok(())
    }

    /// Inserts rows and overwrites those whose keys are there. Of two rows with one key the later wins.
    pub async fn upsert<T: Record>(&mut self, rows: &[T]) -> Result<()> {
        // PostgreSQL refuses to touch a row twice in one statement.
        let mut seen = HashSet::with_capacity(rows.len());
        let mut distinct: Vec<&T> = rows.iter().rev().filter(|row| seen.insert(row.key())).collect();
        distinct.reverse();
        for chunk in chunks(&distinct, T::COLUMNS.len()) {
            let mut sql = insert_text(self.sql(), chunk);
            sql.push(" on conflict (").names(T::KEY).push(") do update set ");
            for (at, column) in T::COLUMNS.iter().filter(|column| !T::KEY.contains(column)).enumerate() {
                sql.push(if at > 0 { ", " } else { "" }).push(column).push(" = excluded.").push(column);
            }
            self.run(sql).await?;
        }
        Ok(())
    }
}

fn insert_text<'a, T: Record>(mut sql: Sql<'a>, rows: &[&'a T]) -> Sql<'a> {
    sql.push("insert into ").push(T::TABLE).push(" (").names(T::COLUMNS).push(") values ");
    for (at, row) in rows.iter().enumerate() {
        sql.push(if at > 0 { ", (" } else { "(" });
        let mut first = true;
        row.values(&mut |value| {
            if !first {
                sql.push(", ");
            }
            first = false;
            sql.bind(value);
        });
        sql.push(")");
    }
    sql
}

#[cfg(test)]
mod tests {
    use super::chunks;

    #[test]
    fn chunks_are_powers_of_two() {
        let rows = [(); 300];
        let sizes = |columns| chunks(&rows, columns).map(<[()]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(16), [128, 128, 32, 8, 4]);
        assert_eq!(sizes(1), [256, 32, 8, 4]);
        assert_eq!(chunks(&rows[..0], 3).count(), 0);
    }
}
