//! Table `value`: attributes that resources are found by, as hashes. Different values may have one hash, so that whoever is
//! found is a candidate.
//!
//! The rows of a resource are written with it. Which attributes have rows is the directory's choice.

use provost_model::ObjectId;

use crate::db::{Each, LIST_MAX, Sql};
use crate::{Result, Store, Transaction};

const FORGET: &str = "delete from value where slot = $1";

/// One value of one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueRow {
    /// Stands for the resource type and the attribute.
    pub slot: i64,
    /// Stands for slot and value.
    pub hash: i64,
    pub id: ObjectId,
}

fn among<'a>(mut sql: Sql<'a>, hashes: &[i64]) -> Sql<'a> {
    sql.push("select hash, id from value where hash in ").list(hashes);
    sql
}

impl Store {
    /// Who has these hashes, in no order.
    pub async fn value_owners(&self, hashes: &[i64]) -> Result<Vec<(i64, ObjectId)>> {
        let mut found = Vec::with_capacity(hashes.len());
        for chunk in hashes.chunks(LIST_MAX) {
            for mut row in self.db().rows(among(self.db().sql(), chunk)).await? {
                found.push((row.int()?, row.id()?));
            }
        }
        Ok(found)
    }
}

impl Transaction {
    /// Adds values that are not there.
    pub async fn add_values(&mut self, rows: &[ValueRow]) -> Result<()> {
        let mut statement = Each::new();
        statement.push("insert into value (slot, hash, id) ").values(3);
        self.put_values(&statement, rows).await
    }

    /// Removes values.
    pub async fn remove_values(&mut self, rows: &[ValueRow]) -> Result<()> {
        let mut statement = Each::new();
        statement.push("with gone (slot, hash, id) as (").values(3);
        statement.push(") delete from value where hash in (select hash from gone)");
        statement.push(" and (slot, hash, id) in (select slot, hash, id from gone)");
        self.put_values(&statement, rows).await
    }

    async fn put_values(&mut self, statement: &Each, rows: &[ValueRow]) -> Result<()> {
        self.each(statement, rows, |row, put| {
            put(row.slot.into());
            put(row.hash.into());
            put((&row.id).into());
        })
        .await
        .map(drop)
    }

    /// Who has these hashes, as this transaction sees it.
    pub async fn value_owners(&mut self, hashes: &[i64]) -> Result<Vec<(i64, ObjectId)>> {
        let mut found = Vec::new();
        for chunk in hashes.chunks(LIST_MAX) {
            let sql = among(self.sql(), chunk);
            for mut row in self.rows(sql).await? {
                found.push((row.int()?, row.id()?));
            }
        }
        Ok(found)
    }

    /// Takes all rows of an attribute away.
    pub async fn forget_values(&mut self, slot: i64) -> Result<()> {
        let forget = self.fixed(FORGET).value(slot);
        self.run(forget).await.map(drop)
    }
}
