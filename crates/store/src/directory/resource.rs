//! Table `resource`: one row a user or group. Deleted ones stay as tombstones, which the change feed shows.

use std::borrow::Borrow;
use std::ops::RangeInclusive;

use provost_model::{ObjectId, Text};
use serde::{Deserialize, Serialize};

use crate::db::{Each, LIST_MAX, Param, Record, Row, Rows, Sql};
use crate::store::texts;
use crate::{Result, Store, StoreError, Transaction};

/// The kind whose names are unique.
pub(super) const USER: &str = "User";

const NEXT: &str = "update sequence set value = value + $1 where name = 'directory' returning value";

/// One resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceRow {
    /// The resource type: `User`, `Group`.
    pub kind: Text,
    pub id: ObjectId,
    /// Given by the writing transaction.
    pub seq: i64,
    /// 1 for a new resource, one more with each change.
    pub version: i64,
    /// The userName or displayName, prepared by the caller for comparison. Unique among living users; empty for tombstones.
    pub name_key: String,
    pub external_id: Option<String>,
    /// The user this one reports to.
    pub manager: Option<ObjectId>,
    pub created: i64,
    pub modified: i64,
    pub deleted: Option<i64>,
    /// JSON; empty for a tombstone.
    pub body: String,
}

/// By what [`Store::resources_by`] looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    Id,
    NameKey,
    ExternalId,
}

impl Record for ResourceRow {
    const TABLE: &'static str = "resource";
    const COLUMNS: &'static [&'static str] = &[
        "kind",
        "id",
        "seq",
        "version",
        "user_name",
        "name_key",
        "external_id",
        "manager",
        "created",
        "modified",
        "deleted",
        "body",
    ];
    const KEY: &'static [&'static str] = &["kind", "id"];
    type Key<'a> = (&'a str, &'a str);

    fn key(&self) -> Self::Key<'_> {
        (&self.kind, &self.id)
    }

    fn values<'a>(&'a self, put: &mut dyn FnMut(Param<'a>)) {
        put(self.kind.as_str().into());
        put((&self.id).into());
        put(self.seq.into());
        put(self.version.into());
        let name = Some(self.name_key.as_str()).filter(|name| !name.is_empty());
        put(name.filter(|_| self.kind == USER).into());
        put(name.filter(|_| self.kind != USER).into());
        put((&self.external_id).into());
        put((&self.manager).into());
        put(self.created.into());
        put(self.modified.into());
        put(self.deleted.into());
        put((&self.body).into());
    }

    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self {
            kind: row.id()?,
            id: row.id()?,
            seq: row.int()?,
            version: row.int()?,
            name_key: {
                let user_name = row.text_option()?;
                row.text_option()?.or(user_name).unwrap_or_default()
            },
            external_id: row.text_option()?,
            manager: row.id_option()?,
            created: row.int()?,
            modified: row.int()?,
            deleted: row.int_option()?,
            body: row.text()?,
        })
    }
}

impl Store {
    /// Living resources whose column has one of these values, in no order.
    pub async fn resources_by<I: Borrow<str>>(&self, kind: &str, by: Lookup, values: &[I]) -> Result<Vec<ResourceRow>> {
        let values = texts(values);
        let mut found = Vec::with_capacity(values.len());
        for chunk in values.chunks(LIST_MAX) {
            let mut sql = ResourceRow::select(self.db().sql());
            condition(&mut sql, kind, by).list(chunk);
            found.extend(of_kind(self.db().rows(sql).await?, kind)?);
        }
        Ok(found)
    }

    /// Up to `limit` living resources after an id, by id.
    pub async fn resource_page(&self, kind: &str, after: Option<&str>, limit: i64) -> Result<Vec<ResourceRow>> {
        let mut sql = ResourceRow::select(self.db().sql());
        sql.push(" where deleted is null and kind = ").bind(kind).push(" and id > ").bind(after.unwrap_or(""));
        sql.push(" order by id limit ").bind(limit);
        ResourceRow::read_all(self.db().rows(sql).await?)
    }

    /// Up to `limit` living resources from an offset, by id: for index paging.
    pub async fn resource_slice(&self, kind: &str, offset: i64, limit: i64) -> Result<Vec<ResourceRow>> {
        let mut sql = ResourceRow::select(self.db().sql());
        sql.push(" where deleted is null and kind = ").bind(kind);
        sql.push(" order by id limit ").bind(limit).push(" offset ").bind(offset);
        ResourceRow::read_all(self.db().rows(sql).await?)
    }

    /// Up to `limit` resources that changed after a sequence number, tombstones included, in the order of the changes.
    pub async fn resource_changes(&self, kind: &str, after: i64, limit: i64) -> Result<Vec<ResourceRow>> {
        let mut sql = ResourceRow::select(self.db().sql());
        sql.push(" where kind = ").bind(kind).push(" and seq > ").bind(after);
        sql.push(" order by seq limit ").bind(limit);
        ResourceRow::read_all(self.db().rows(sql).await?)
    }

    /// The newest sequence number of all resources.
    pub async fn directory_seq(&self) -> Result<i64> {
        let row = self.db().row(self.db().fixed("select value from sequence where name = 'directory'")).await?;
        row.map_or(Ok(0), |mut row| row.int())
    }

    /// Living resources of a kind. Counts them: exact, and as slow as a scan of an index.
    pub async fn count_resources(&self, kind: &str) -> Result<i64> {
        let mut sql = self.db().sql();
        living(sql.push("select count(*) from resource"), kind);
        self.db().row(sql).await?.map_or(Ok(0), |mut row| row.int())
    }

    /// Whether there is any living resource of the kind.
    pub async fn has_resources(&self, kind: &str) -> Result<bool> {
        let mut sql = self.db().sql();
        living(sql.push("select 1 from resource"), kind).push(" limit 1");
        Ok(self.db().row(sql).await?.is_some())
    }

    /// Living resources whose ids are among these, as ids alone.
    pub async fn resources_among<I: Borrow<str>>(&self, kind: &str, ids: &[I]) -> Result<Vec<ObjectId>> {
        let ids = texts(ids);
        let mut found = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(LIST_MAX) {
            let sql = among(self.db().sql(), kind, chunk);
            read_ids(self.db().rows(sql).await?, &mut found)?;
        }
        Ok(found)
    }
}

/// The condition for all living resources of a kind, on the index of their names.
fn living<'s, 'a>(sql: &'s mut Sql<'a>, kind: &'a str) -> &'s mut Sql<'a> {
    match kind {
        USER => sql.push(" where user_name is not null"),
        // The empty text keeps SQLite from the primary key.
        _ => sql.push(" where name_key is not null and kind || '' = ").bind(kind),
    }
}

fn among<'a>(mut sql: Sql<'a>, kind: &'a str, ids: &[&'a str]) -> Sql<'a> {
    sql.push("select id from resource where deleted is null and kind = ").bind(kind).push(" and id in ").list(ids);
    sql
}

fn read_ids(rows: Rows, into: &mut Vec<ObjectId>) -> Result<()> {
    for mut row in rows {
        into.push(row.id()?);
    }
    Ok(())
}

/// Ends before the list. Names and external ids are looked for in all kinds; [`of_kind`] sorts them out.
fn condition<'s, 'a>(sql: &'s mut Sql<'a>, kind: &'a str, by: Lookup) -> &'s mut Sql<'a> {
    match by {
        Lookup::NameKey if kind == USER => sql.push(" where user_name is not null and user_name in "),
        Lookup::NameKey => sql.push(" where name_key is not null and name_key in "),
        Lookup::Id => sql.push(" where deleted is null and kind = ").bind(kind).push(" and id in "),
        Lookup::ExternalId => sql.push(" where external_id is not null and external_id in "),
    }
}

fn of_kind(rows: Rows, kind: &str) -> Result<Vec<ResourceRow>> {
    let mut rows = ResourceRow::read_all(rows)?;
    rows.retain(|row| row.kind == kind && row.deleted.is_none());
    Ok(rows)
}

impl Transaction {
    /// Living resources whose column has one of these values, as this transaction sees them.
    pub async fn resources_by<I: Borrow<str>>(
        &mut self,
        kind: &str,
        by: Lookup,
        values: &[I],
    ) -> Result<Vec<ResourceRow>> {
        let values = texts(values);
        let mut found = Vec::with_capacity(values.len());
        for chunk in values.chunks(LIST_MAX) {
            let mut sql = ResourceRow::select(self.sql());
            condition(&mut sql, kind, by).list(chunk);
            found.extend(of_kind(self.rows(sql).await?, kind)?);
        }
        Ok(found)
    }

    /// Living resources whose ids are among these, as ids alone.
    pub async fn resources_among<I: Borrow<str>>(&mut self, kind: &str, ids: &[I]) -> Result<Vec<ObjectId>> {
        let ids = texts(ids);
        let mut found = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(LIST_MAX) {
            let sql = among(self.sql(), kind, chunk);
            read_ids(self.rows(sql).await?, &mut found)?;
        }
        Ok(found)
    }

    /// Which of these names living users have, and who has them.
    pub async fn user_names_taken<I: Borrow<str>>(&mut self, names: &[I]) -> Result<Vec<(String, ObjectId)>> {
        let names = texts(names);
        let mut found = Vec::new();
        for chunk in names.chunks(LIST_MAX) {
            let mut sql = self.sql();
            sql.push("select user_name, id from resource where user_name is not null and user_name in ").list(chunk);
            for mut row in self.rows(sql).await? {
                found.push((row.text()?, row.id()?));
            }
        }
        Ok(found)
    }

    /// Up to `limit` living resources that report to one of these.
    pub async fn reports_of<I: Borrow<str>>(&mut self, managers: &[I], limit: i64) -> Result<Vec<ResourceRow>> {
        let managers = texts(managers);
        let mut found = Vec::new();
        for chunk in managers.chunks(LIST_MAX) {
            let left = limit - found.len() as i64;
            if left <= 0 {
                break;
            }
            let mut sql = ResourceRow::select(self.sql());
            sql.push(" where manager is not null and deleted is null and manager in ").list(chunk);
            sql.push(" limit ").bind(left);
            found.extend(ResourceRow::read_all(self.rows(sql).await?)?);
        }
        Ok(found)
    }

    /// Inserts new resources and gives them their sequence numbers.
    pub async fn insert_resources(&mut self, rows: &mut [ResourceRow]) -> Result<()> {
        self.number(rows).await?;
        self.insert(rows).await
    }

    /// Overwrites resources, tombstones among them, and gives them new sequence numbers.
    pub async fn update_resources(&mut self, rows: &mut [ResourceRow]) -> Result<()> {
        self.number(rows).await?;
        self.upsert(rows).await
    }

    /// As [`update_resources`](Self::update_resources) for rows whose name, external id and manager are as they were: their
    /// indexes are left alone, which halves the work.
    pub async fn update_bodies(&mut self, rows: &mut [ResourceRow]) -> Result<()> {
        self.number(rows).await?;
        let mut statement = Each::insert::<ResourceRow>();
        statement.push(" on conflict (kind, id) do update set seq = excluded.seq, version = excluded.version, ");
        statement.push("modified = excluded.modified, body = excluded.body");
        self.each(&statement, rows, |row, put| row.values(put)).await.map(drop)
    }

    /// Gives living resources among these new sequence numbers and leaves all else as it is: what is computed about them
    /// changed.
    pub async fn move_resources<I: Borrow<str>>(&mut self, kind: &str, ids: &[I]) -> Result<()> {
        let ids = self.resources_among(kind, ids).await?;
        let places: Vec<(i64, &str)> = self.numbers(ids.len()).await?.zip(ids.iter().map(ObjectId::as_str)).collect();
        let mut statement = Each::new();
        statement.push("with moved (seq, kind, id) as (").values(3);
        statement.push(") update resource set seq = moved.seq from moved");
        statement.push(" where resource.kind = moved.kind and resource.id = moved.id");
        self.each(&statement, &places, |(seq, id), put| {
            put((*seq).into());
            put(kind.into());
            put((*id).into());
        })
        .await
        .map(drop)
    }

    async fn number(&mut self, rows: &mut [ResourceRow]) -> Result<()> {
        let numbers = self.numbers(rows.len()).await?;
        for (row, seq) in rows.iter_mut().zip(numbers) {
            row.seq = seq;
        }
        Ok(())
    }

    /// The next so many sequence numbers.
    async fn numbers(&mut self, count: usize) -> Result<RangeInclusive<i64>> {
        if count == 0 {
            return Ok(RangeInclusive::new(1, 0));
        }
        let next = self.fixed(NEXT).value(count as i64);
        match self.row(next).await? {
            Some(mut row) => {
                let last = row.int()?;
                Ok(last - count as i64 + 1..=last)
            }
            None => Err(StoreError::corrupt("sequence", "the row 'directory' is missing")),
        }
    }

    /// Takes the lock that orders directory writes before anything is read, so that what is checked stays true until the
    /// commit.
    pub async fn lock_directory(&mut self) -> Result<()> {
        let lock = self.fixed(NEXT).value(0);
        self.row(lock).await.map(drop)
    }
}
