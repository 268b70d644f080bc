//! Objects that failed and wait for their next try.

use std::borrow::Borrow;

use provost_model::{ClassName, Code, JobName, ObjectId};
use serde::{Deserialize, Serialize};

use crate::db::{Param, Record, Row};
use crate::store::texts;
use crate::{Result, Store, Transaction};

/// The next try of an object that is left alone until it changes at the source.
pub const NEVER: i64 = i64::MAX;

/// One object that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EscrowRow {
    pub job: JobName,
    pub class: ClassName,
    pub source_id: ObjectId,
    pub tries: i64,
    pub first_failed: i64,
    /// [`NEVER`] for one that is left alone until it changes at the source.
    pub next_try: i64,
    /// Of the last failure.
    pub code: Code,
    pub message: String,
    /// The source has said that the object is gone, by name or by a proven read.
    pub gone: bool,
    /// What is the case, where a person is asked about it: a row of the table of situations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub situation: Option<String>,
}

impl Record for EscrowRow {
    const TABLE: &'static str = "escrow";
    const COLUMNS: &'static [&'static str] =
        &["job", "class", "source_id", "tries", "first_failed", "next_try", "code", "message", "gone", "situation"];
    const KEY: &'static [&'static str] = &["job", "class", "source_id"];
    type Key<'a> = (&'a str, &'a str, &'a str);

    fn key(&self) -> Self::Key<'_> {
        (&self.job, &self.class, &self.source_id)
    }

    fn values<'a>(&'a self, put: &mut dyn FnMut(Param<'a>)) {
        put((&self.job).into());
        put((&self.class).into());
        put((&self.source_id).into());
        put(self.tries.into());
        put(self.first_failed.into());
        put(self.next_try.into());
        put(self.code.as_str().into());
        put(Param::free(&self.message));
        put(i64::from(self.gone).into());
        put((&self.situation).into());
    }

    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self {
            job: row.id()?,
            class: row.id()?,
            source_id: row.id()?,
            tries: row.int()?,
            first_failed: row.int()?,
            next_try: row.int()?,
            code: Code(row.text()?.into()),
            message: row.text()?,
            gone: row.int()? != 0,
            situation: row.text_option()?,
        })
    }
}

impl Store {
    /// All objects of a job that wait, by class and source id.
    pub async fn escrows(&self, job: &str) -> Result<Vec<EscrowRow>> {
        let mut sql = EscrowRow::select(self.db().sql());
        sql.push(" where job = ").bind(job).push(" order by class, source_id");
        EscrowRow::read_all(self.db().rows(sql).await?)
    }

    /// Those whose time has come, longest due first.
    pub async fn escrows_due(&self, job: &str, now_ms: i64, limit: i64) -> Result<Vec<EscrowRow>> {
        let mut sql = EscrowRow::select(self.db().sql());
        sql.push(" where job = ").bind(job).push(" and next_try <= ").bind(now_ms);
        sql.push(" order by next_try, class, source_id limit ").bind(limit);
        EscrowRow::read_all(self.db().rows(sql).await?)
    }

    /// Of those, how many are left alone until they change at the source.
    pub async fn count_ignored(&self, job: &str) -> Result<i64> {
        let sql = self.db().fixed("select count(*) from escrow where job = $1 and next_try = $2");
        self.db().row(sql.value(job).value(NEVER)).await?.map_or(Ok(0), |mut row| row.int())
    }

    pub async fn count_escrows(&self, job: &str) -> Result<i64> {
        let sql = self.db().fixed("select count(*) from escrow where job = $1").value(job);
        self.db().row(sql).await?.map_or(Ok(0), |mut row| row.int())
    }
}

impl Transaction {
    pub async fn save_escrows(&mut self, escrows: &[EscrowRow]) -> Result<()> {
        self.upsert(escrows).await
    }

    /// Makes objects due at once; how many were there.
    pub async fn retry_escrows<I: Borrow<str>>(&mut self, job: &str, class: &str, ids: &[I]) -> Result<u64> {
        self.on_objects("update escrow set next_try = 0", job, class, "source_id", &texts(ids)).await
    }

    /// Leaves objects alone until they change at the source; how many were there.
    pub async fn ignore_escrows<I: Borrow<str>>(&mut self, job: &str, class: &str, ids: &[I]) -> Result<u64> {
        // [`NEVER`]
        self.on_objects("update escrow set next_try = 9223372036854775807", job, class, "source_id", &texts(ids)).await
    }

    /// Forgets all failures of a job, and what was answered about them; how many they were.
    pub async fn forget_escrows(&mut self, job: &str) -> Result<u64> {
        let answers = self.fixed("delete from answer where job = $1").value(job);
        self.run(answers).await?;
        let sql = self.fixed("delete from escrow where job = $1").value(job);
        self.run(sql).await
    }

    pub async fn delete_escrows<I: Borrow<str>>(&mut self, job: &str, class: &str, ids: &[I]) -> Result<u64> {
        self.on_objects("delete from escrow", job, class, "source_id", &texts(ids)).await
    }
}
