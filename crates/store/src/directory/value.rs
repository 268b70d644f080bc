//! Table `value`: attributes that resources are found by, as keys ready for comparison. A key may stand for more than one
//! value (long ones are cut), so what is found is a candidate.
//!
//! The rows of a resource are written with it. Which attributes have rows is the directory's choice.

use std::borrow::Borrow;

use provost_model::{ObjectId, Text};
use serde::{Deserialize, Serialize};

use crate::db::{Each, LIST_MAX, Param, Record, Row, Sql};
use crate::store::texts;
use crate::{Result, Store, Transaction};

const FORGET: &str = "delete from value where kind = $1 and path = $2";

/// One value of one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ValueRow {
    pub kind: Text,
    /// The attribute's full name.
    pub path: Text,
    pub key: String,
    pub id: ObjectId,
}

impl Record for ValueRow {
    const TABLE: &'static str = "value";
    const COLUMNS: &'static [&'static str] = &["kind", "path", "key", "id"];
    const KEY: &'static [&'static str] = Self::COLUMNS;
    type Key<'a> = (&'a str, &'a str, &'a str, &'a str);

    fn key(&self) -> Self::Key<'_> {
        (&self.kind, &self.path, &self.key, &self.id)
    }

    fn values<'a>(&'a self, put: &mut dyn FnMut(Param<'a>)) {
        put(self.kind.as_str().into());
        put(self.path.as_str().into());
        put((&self.key).into());
        put((&self.id).into());
    }

    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self { kind: row.id()?, path: row.id()?, key: row.text()?, id: row.id()? })
    }
}

fn among<'a>(mut sql: Sql<'a>, kind: &'a str, path: &'a str, keys: &[&'a str]) -> Sql<'a> {
    sql.push("select key, id from value where kind = ").bind(kind).push(" and path = ").bind(path);
    sql.push(" and key in ").list(keys);
    sql
}

impl Store {
    /// The resources that have one of these keys, in no order, each once per key.
    pub async fn value_owners<I: Borrow<str>>(&self, kind: &str, path: &str, keys: &[I]) -> Result<Vec<ObjectId>> {
        let keys = texts(keys);
        let mut found = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(LIST_MAX) {
            for mut row in self.db().rows(among(self.db().sql(), kind, path, chunk)).await? {
                row.str_option()?;
                found.push(row.id()?);
            }
        }
        Ok(found)
    }
}

impl Transaction {
    /// Adds values; those that are there stay.
    pub async fn add_values(&mut self, rows: &[ValueRow]) -> Result<()> {
        let mut statement = Each::insert::<ValueRow>();
        statement.push(" on conflict (kind, path, key, id) do nothing");
        self.each(&statement, rows, |row, put| row.values(put)).await.map(drop)
    }

    /// Removes values.
    pub async fn remove_values(&mut self, rows: &[ValueRow]) -> Result<()> {
        let mut statement = Each::new();
        statement.push("with gone (kind, path, key, id) as (").values(4);
        statement.push(") delete from value where (kind, path, key, id) in (select kind, path, key, id from gone)");
        self.each(&statement, rows, |row, put| row.values(put)).await.map(drop)
    }

    /// Who has these keys, as this transaction sees them.
    pub async fn value_owners<I: Borrow<str>>(
        &mut self,
        kind: &str,
        path: &str,
        keys: &[I],
    ) -> Result<Vec<(String, ObjectId)>> {
        let keys = texts(keys);
        let mut found = Vec::new();
        for chunk in keys.chunks(LIST_MAX) {
            let sql = among(self.sql(), kind, path, chunk);
            for mut row in self.rows(sql).await? {
                found.push((row.text()?, row.id()?));
            }
        }
        Ok(found)
    }

    /// Takes all rows of an attribute away.
    pub async fn forget_values(&mut self, kind: &str, path: &str) -> Result<()> {
        let forget = self.fixed(FORGET).value(kind).value(path);
        self.run(forget).await.map(drop)
    }
}
