//! Writing many rows: one statement with a list of VALUES ([`Each`]), the one bulk path of both engines.
//!
//! To PostgreSQL rows go out in powers of two, so that a table needs some eight prepared statements whatever the sizes of its
//! pages; to SQLite all at once, as one message to the thread that writes.

use std::collections::HashSet;
use std::hash::Hash;

use super::cells::Cells;
use super::{Dialect, Param, Row, Rows, Sql, Transaction};
use crate::Result;

/// Values per statement, far below PostgreSQL's limit of 65,535.
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

    fn read_all(rows: Rows) -> Result<Vec<Self>> {
        rows.map(|mut row| Self::read(&mut row)).collect()
    }
}

/// A statement for many rows: on PostgreSQL some hundred rows at once, on SQLite once for each row, which is the same text
/// with a list of one. SQLite is quicker so: it needs no journal to take half a statement back.
#[derive(Debug, Clone, Default)]
pub struct Each {
    head: String,
    tail: String,
    columns: usize,
    together: bool,
}

impl Each {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn push(&mut self, text: &'static str) -> &mut Self {
        if self.columns == 0 { &mut self.head } else { &mut self.tail }.push_str(text);
        self
    }

    /// Writes `a, b, c`.
    pub fn names(&mut self, names: &[&'static str]) -> &mut Self {
        for (at, name) in names.iter().enumerate() {
            self.push(if at > 0 { ", " } else { "" }).push(name);
        }
        self
    }

    /// Writes `values (…), (…)`, of so many columns.
    pub fn values(&mut self, columns: usize) -> &mut Self {
        self.push("values ");
        self.columns = columns;
        self
    }

    /// Runs it for many rows at once on SQLite, too: for what builds a table of its values before it begins.
    pub fn together(mut self) -> Self {
        self.together = true;
        self
    }

    /// `insert into TABLE (COLUMNS) values …`.
    pub fn insert<T: Record>() -> Self {
        let mut each = Self::new();
        each.push("insert into ").push(T::TABLE).push(" (").names(T::COLUMNS).push(") ").values(T::COLUMNS.len());
        each
    }

    fn for_one(&self) -> String {
        let places = vec!["?"; self.columns].join(", ");
        format!("{}({places}){}", self.head, self.tail)
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
    /// Runs a statement for these rows, whose values `read` puts out; how many rows it touched.
    pub async fn each<T>(
        &mut self,
        statement: &Each,
        rows: &[T],
        read: impl for<'a> Fn(&'a T, &mut dyn FnMut(Param<'a>)),
    ) -> Result<u64> {
        if rows.is_empty() {
            return Ok(0);
        }
        if let Self::Sqlite(on) = self
            && !statement.together
        {
            let fill = |values: &mut Cells| {
                let mut result = Ok(());
                for row in rows {
                    read(row, &mut |value| {
                        if result.is_ok() {
                            result = values.push_param(&value);
                        }
                    });
                }
                result
            };
            return on.each(statement.for_one(), statement.columns, fill).await;
        }
        let mut touched = 0;
        for chunk in chunks(rows, statement.columns) {
            let mut sql = self.sql();
            sql.append(&statement.head);
            for (at, row) in chunk.iter().enumerate() {
                sql.push(if at > 0 { ", (" } else { "(" });
                let mut first = true;
                read(row, &mut |value| {
                    sql.push(if first { "" } else { ", " }).bind(value);
                    first = false;
                });
                sql.push(")");
            }
            sql.append(&statement.tail);
            touched += self.run(sql).await?;
        }
        Ok(touched)
    }

    /// Inserts rows whose keys are new.
    pub async fn insert<T: Record>(&mut self, rows: &[T]) -> Result<()> {
        self.each(&Each::insert::<T>(), rows, |row, put| row.values(put)).await.map(drop)
    }

    /// Inserts rows and overwrites those whose keys are there. Of two rows with one key the later wins.
    pub async fn upsert<T: Record>(&mut self, rows: &[T]) -> Result<()> {
        let mut statement = Each::insert::<T>();
        statement.push(" on conflict (").names(T::KEY).push(") do update set ");
        for (at, column) in T::COLUMNS.iter().filter(|column| !T::KEY.contains(column)).enumerate() {
            statement.push(if at > 0 { ", " } else { "" }).push(column).push(" = excluded.").push(column);
        }
        if self.dialect() == Dialect::Sqlite {
            return self.each(&statement, rows, |row, put| row.values(put)).await.map(drop);
        }
        // PostgreSQL refuses to touch a row twice in one statement.
        let mut seen = HashSet::with_capacity(rows.len());
        let mut distinct: Vec<&T> = rows.iter().rev().filter(|row| seen.insert(row.key())).collect();
        distinct.reverse();
        self.each(&statement, &distinct, |row, put| row.values(put)).await.map(drop)
    }
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
