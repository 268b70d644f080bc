//! Which configuration was in force when, and who brought it: every version is kept.

use provost_model::Text;
use serde::{Deserialize, Serialize};

use crate::db::{Param, Record, Row};
use crate::{Result, Store};

const ADD: &str = include_str!("../sql/config_add.sql");
const DELETE: &str = "delete from config where name = $1";

/// One version of one part of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigRow {
    pub name: Text,
    /// From 1.
    pub version: i64,
    pub body: String,
    pub author: String,
    pub created: i64,
}

impl Record for ConfigRow {
    const TABLE: &'static str = "config";
    const COLUMNS: &'static [&'static str] = &["name", "version", "body", "author", "created"];
    const KEY: &'static [&'static str] = &["name", "version"];
    type Key<'a> = (&'a str, i64);

    fn key(&self) -> Self::Key<'_> {
        (&self.name, self.version)
    }

    fn values<'a>(&'a self, put: &mut dyn FnMut(Param<'a>)) {
        put(self.name.as_str().into());
        put(self.version.into());
        put((&self.body).into());
        put((&self.author).into());
        put(self.created.into());
    }

    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self { name: row.id()?, version: row.int()?, body: row.text()?, author: row.text()?, created: row.int()? })
    }
}

impl Store {
    /// Adds the next version; its number. When two do so at once, one of them fails and may try again.
    pub async fn add_config(&self, name: &str, body: &str, author: &str, now_ms: i64) -> Result<i64> {
        let sql = self.db().fixed(ADD).value(name).value(body).value(author).value(now_ms);
        self.db().write_returning(sql).await?.next().map_or(Ok(0), |mut row| row.int())
    }

    /// The newest version.
    pub async fn config(&self, name: &str) -> Result<Option<ConfigRow>> {
        let mut sql = ConfigRow::select(self.db().sql());
        sql.push(" where name = ").bind(name).push(" order by version desc limit 1");
        self.db().row(sql).await?.map(|mut row| ConfigRow::read(&mut row)).transpose()
    }

    pub async fn config_version(&self, name: &str, version: i64) -> Result<Option<ConfigRow>> {
        let mut sql = ConfigRow::select(self.db().sql());
        sql.push(" where name = ").bind(name).push(" and version = ").bind(version);
        self.db().row(sql).await?.map(|mut row| ConfigRow::read(&mut row)).transpose()
    }

    /// All versions, newest first.
    pub async fn config_history(&self, name: &str) -> Result<Vec<ConfigRow>> {
        let mut sql = ConfigRow::select(self.db().sql());
        sql.push(" where name = ").bind(name).push(" order by version desc");
        ConfigRow::read_all(self.db().rows(sql).await?)
    }

    /// The newest version of every name, by name.
    pub async fn configs(&self) -> Result<Vec<ConfigRow>> {
        let mut sql = ConfigRow::select(self.db().sql());
        sql.push(" where (name, version) in (select name, max(version) from config group by name) order by name");
        ConfigRow::read_all(self.db().rows(sql).await?)
    }

    /// Deletes all versions; how many they were.
    pub async fn delete_config(&self, name: &str) -> Result<u64> {
        self.db().write(self.db().fixed(DELETE).value(name)).await
    }
}
