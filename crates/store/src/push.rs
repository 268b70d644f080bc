//! What others push: a push connection's objects, the operations that made them, and the requests that brought those.
//!
//! Operations are numbered under a lock that is held until the transaction ends ([`Transaction::lock_push`]), so that they
//! become visible in the order of their numbers and a reader who asks for what is after a number misses nothing. What came
//! of an operation is not kept here: the log tells, by the cycle that read so far ([`Store::cycles_since`]).

use std::borrow::Borrow;

use provost_model::{ClassName, ConnectionName, JobName, ObjectId, Text};
use serde::{Deserialize, Serialize};

use crate::db::{LIST_MAX, Param, Record, Row};
use crate::store::texts;
use crate::{CycleRow, EventRow, Result, Store, StoreError, Transaction};

const LOCK: &str = "update sequence set value = value where name = 'push' returning value";
const RAISE: &str = "update sequence set value = $1 where name = 'push'";
const LAST: &str = "select max(seq) from push_operation where connection = $1 and class = $2";

/// One object as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushRecordRow {
    pub connection: ConnectionName,
    pub class: ClassName,
    pub source_id: ObjectId,
    /// Of the operation that last touched it.
    pub seq: i64,
    /// JSON.
    pub body: String,
}

/// One operation that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushOperationRow {
    pub seq: i64,
    pub job: JobName,
    /// The client's name for it.
    pub bulk_id: Text,
    /// Of what was sent.
    pub digest: String,
    pub connection: ConnectionName,
    pub class: ClassName,
    pub source_id: ObjectId,
    /// `POST`, `PUT`, `PATCH`, `DELETE`
    pub method: Text,
    pub created: i64,
    /// The whole object after it, JSON; none when it is gone.
    pub body: Option<String>,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushRequestRow {
    pub id: Text,
    pub job: JobName,
    pub created: i64,
    /// Whose token it came with.
    pub client: String,
    /// JSON, for the connection that took it.
    pub operations: String,
}

impl Record for PushRecordRow {
    const TABLE: &'static str = "push_record";
    const COLUMNS: &'static [&'static str] = &["connection", "class", "source_id", "seq", "body"];
    const KEY: &'static [&'static str] = &["connection", "class", "source_id"];
    type Key<'a> = (&'a str, &'a str, &'a str);

    fn key(&self) -> Self::Key<'_> {
        (&self.connection, &self.class, &self.source_id)
    }

    fn values<'a>(&'a self, put: &mut dyn FnMut(Param<'a>)) {
        put(self.connection.as_str().into());
        put((&self.class).into());
        put((&self.source_id).into());
        put(self.seq.into());
        put((&self.body).into());
    }

    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self { connection: row.id()?, class: row.id()?, source_id: row.id()?, seq: row.int()?, body: row.text()? })
    }
}

impl Record for PushOperationRow {
    const TABLE: &'static str = "push_operation";
    const COLUMNS: &'static [&'static str] =
        &["seq", "job", "bulk_id", "digest", "connection", "class", "source_id", "method", "created", "body"];
    const KEY: &'static [&'static str] = &["seq"];
    type Key<'a> = i64;

    fn key(&self) -> i64 {
        self.seq
    }

    fn values<'a>(&'a self, put: &mut dyn FnMut(Param<'a>)) {
        put(self.seq.into());
        put((&self.job).into());
        put(self.bulk_id.as_str().into());
        put((&self.digest).into());
        put(self.connection.as_str().into());
        put((&self.class).into());
        put((&self.source_id).into());
        put(self.method.as_str().into());
        put(self.created.into());
        put((&self.body).into());
    }

    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self {
            seq: row.int()?,
            job: row.id()?,
            bulk_id: row.id()?,
            digest: row.text()?,
            connection: row.id()?,
            class: row.id()?,
            source_id: row.id()?,
            method: row.id()?,
            created: row.int()?,
            body: row.text_option()?,
        })
    }
}

impl Record for PushRequestRow {
    const TABLE: &'static str = "push_request";
    const COLUMNS: &'static [&'static str] = &["id", "job", "created", "client", "operations"];
    const KEY: &'static [&'static str] = &["id"];
    type Key<'a> = &'a str;

    fn key(&self) -> &str {
        &self.id
    }

    fn values<'a>(&'a self, put: &mut dyn FnMut(Param<'a>)) {
        put(self.id.as_str().into());
        put((&self.job).into());
        put(self.created.into());
        put(Param::free(&self.client));
        put((&self.operations).into());
    }

    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self { id: row.id()?, job: row.id()?, created: row.int()?, client: row.text()?, operations: row.text()? })
    }
}

impl Store {
    /// The number of the newest operation on a class; 0 for none.
    pub async fn push_last(&self, connection: &str, class: &str) -> Result<i64> {
        let sql = self.db().fixed(LAST).value(connection).value(class);
        Ok(self.db().row(sql).await?.map(|mut row| row.int_option()).transpose()?.flatten().unwrap_or(0))
    }

    /// Up to `limit` operations on a class after a number, by number.
    pub async fn push_changes(
        &self,
        connection: &str,
        class: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<PushOperationRow>> {
        let mut sql = PushOperationRow::select(self.db().sql());
        sql.push(" where connection = ").bind(connection).push(" and class = ").bind(class);
        sql.push(" and seq > ").bind(after).push(" order by seq limit ").bind(limit);
        PushOperationRow::read_all(self.db().rows(sql).await?)
    }

    /// Up to `limit` objects after an id, by id.
    pub async fn push_page(
        &self,
        connection: &str,
        class: &str,
        after: &str,
        limit: i64,
    ) -> Result<Vec<PushRecordRow>> {
        let mut sql = PushRecordRow::select(self.db().sql());
        sql.push(" where connection = ").bind(connection).push(" and class = ").bind(class);
        sql.push(" and source_id > ").bind(after).push(" order by source_id limit ").bind(limit);
        PushRecordRow::read_all(self.db().rows(sql).await?)
    }

    /// One object.
    pub async fn push_record(&self, connection: &str, class: &str, id: &str) -> Result<Option<PushRecordRow>> {
        let mut sql = PushRecordRow::select(self.db().sql());
        sql.push(" where connection = ").bind(connection).push(" and class = ").bind(class);
        sql.push(" and source_id = ").bind(id);
        self.db().row(sql).await?.map(|mut row| PushRecordRow::read(&mut row)).transpose()
    }

    /// How many objects a class has.
    pub async fn push_count(&self, connection: &str, class: &str) -> Result<i64> {
        let sql = self.db().fixed("select count(*) from push_record where connection = $1 and class = $2");
        self.db().row(sql.value(connection).value(class)).await?.map_or(Ok(0), |mut row| row.int())
    }

    /// A request of a job.
    pub async fn push_request(&self, job: &str, id: &str) -> Result<Option<PushRequestRow>> {
        let mut sql = PushRequestRow::select(self.db().sql());
        sql.push(" where id = ").bind(id).push(" and job = ").bind(job);
        self.db().row(sql).await?.map(|mut row| PushRequestRow::read(&mut row)).transpose()
    }

    /// Operations by their numbers, in no order.
    pub async fn push_operations(&self, numbers: &[i64]) -> Result<Vec<PushOperationRow>> {
        let mut found = Vec::with_capacity(numbers.len());
        for chunk in numbers.chunks(LIST_MAX) {
            let mut sql = PushOperationRow::select(self.db().sql());
            sql.push(" where seq in ").list(chunk);
            found.extend(PushOperationRow::read_all(self.db().rows(sql).await?)?);
        }
        Ok(found)
    }

    /// Up to `limit` cycles of a job that say how far they read, the oldest first: the one that was under way at a time, or
    /// the last before it, and those since. `after` is the last one of the page before.
    pub async fn cycles_since(
        &self,
        job: &str,
        since: i64,
        after: Option<&CycleRow>,
        limit: i64,
    ) -> Result<Vec<CycleRow>> {
        let mut sql = CycleRow::select(self.db().sql());
        sql.push(" where cursors <> '{}' and job = ").bind(job).push(" and started >= ");
        match after {
            Some(last) => {
                sql.bind(last.started).push(" and (started, id) > (").bind(last.started).push(", ");
                sql.bind(last.id.as_str()).push(")");
            }
            None => {
                sql.push("coalesce((select max(started) from cycle where job = ").bind(job);
                sql.push(" and cursors <> '{}' and started < ").bind(since).push("), 0)");
            }
        }
        sql.push(" order by started, id limit ").bind(limit);
        CycleRow::read_all(self.db().rows(sql).await?)
    }

    /// The events of some objects in one cycle, by number, without what they changed.
    pub async fn events_in(&self, cycle: &str, ids: &[&str]) -> Result<Vec<EventRow>> {
        let mut found = Vec::new();
        for chunk in ids.chunks(LIST_MAX) {
            let mut sql = EventRow::select(self.db().sql());
            sql.push(" where cycle = ").bind(cycle).push(" and source_id in ").list(chunk);
            sql.push(" order by seq");
            found.extend(EventRow::read_all(self.db().rows(sql).await?)?);
        }
        Ok(found)
    }
}

impl Transaction {
    /// Keeps others from pushing until the transaction ends; the last number that was given.
    pub async fn lock_push(&mut self) -> Result<i64> {
        let lock = self.fixed(LOCK);
        match self.row(lock).await? {
            Some(mut row) => row.int(),
            None => Err(StoreError::corrupt("sequence", "the row 'push' is missing")),
        }
    }

    /// Operations of a job by the client's names for them.
    pub async fn push_named<I: Borrow<str>>(&mut self, job: &str, bulk_ids: &[I]) -> Result<Vec<PushOperationRow>> {
        let mut found = Vec::new();
        for chunk in texts(bulk_ids).chunks(LIST_MAX) {
            let mut sql = PushOperationRow::select(self.sql());
            sql.push(" where job = ").bind(job).push(" and bulk_id in ").list(chunk);
            found.extend(PushOperationRow::read_all(self.rows(sql).await?)?);
        }
        Ok(found)
    }

    /// Objects by id, as this transaction sees them.
    pub async fn push_records<I: Borrow<str>>(
        &mut self,
        connection: &str,
        class: &str,
        ids: &[I],
    ) -> Result<Vec<PushRecordRow>> {
        let mut found = Vec::new();
        for chunk in texts(ids).chunks(LIST_MAX) {
            let mut sql = PushRecordRow::select(self.sql());
            sql.push(" where connection = ").bind(connection).push(" and class = ").bind(class);
            sql.push(" and source_id in ").list(chunk);
            found.extend(PushRecordRow::read_all(self.rows(sql).await?)?);
        }
        Ok(found)
    }

    /// Writes a request with its operations, whose numbers follow the one that [`lock_push`](Self::lock_push) gave.
    pub async fn add_push(&mut self, request: &PushRequestRow, operations: &[PushOperationRow]) -> Result<()> {
        self.insert(std::slice::from_ref(request)).await?;
        self.insert(operations).await?;
        let Some(last) = operations.last() else { return Ok(()) };
        let raise = self.fixed(RAISE).value(last.seq);
        self.run(raise).await.map(drop)
    }

    pub async fn save_push_records(&mut self, records: &[PushRecordRow]) -> Result<()> {
        self.upsert(records).await
    }

    pub async fn delete_push_records<I: Borrow<str>>(
        &mut self,
        connection: &str,
        class: &str,
        ids: &[I],
    ) -> Result<()> {
        for chunk in texts(ids).chunks(LIST_MAX) {
            let mut sql = self.sql();
            sql.push("delete from push_record where connection = ").bind(connection);
            sql.push(" and class = ").bind(class).push(" and source_id in ").list(chunk);
            self.run(sql).await?;
        }
        Ok(())
    }
}
