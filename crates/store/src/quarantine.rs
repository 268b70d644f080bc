//! Jobs whose cycles fail as a whole, and when the next attempt is.

use provost_model::{Code, JobName};
use serde::{Deserialize, Serialize};

use crate::db::{Param, Record, Row};
use crate::{Result, Store, Transaction};

/// One job in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineRow {
    pub job: JobName,
    pub since: i64,
    /// Of the last failure.
    pub code: Code,
    pub reason: String,
    /// Failed attempts, the one that led here included.
    pub tries: i64,
    /// [`i64::MAX`] once the job does not run by itself any more.
    pub next_try: i64,
}

impl Record for QuarantineRow {
    const TABLE: &'static str = "quarantine";
    const COLUMNS: &'static [&'static str] = &["job", "since", "code", "reason", "tries", "next_try"];
    const KEY: &'static [&'static str] = &["job"];
    type Key<'a> = &'a str;

    fn key(&self) -> &str {
        &self.job
    }

    fn values<'a>(&'a self, put: &mut dyn FnMut(Param<'a>)) {
        put((&self.job).into());
        put(self.since.into());
        put(self.code.as_str().into());
        put(Param::free(&self.reason));
        put(self.tries.into());
        put(self.next_try.into());
    }

    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self {
            job: row.id()?,
            since: row.int()?,
            code: Code(row.text()?.into()),
            reason: row.text()?,
            tries: row.int()?,
            next_try: row.int()?,
        })
    }
}

impl Store {
    /// All jobs in quarantine, by name.
    pub async fn quarantines(&self) -> Result<Vec<QuarantineRow>> {
        let mut sql = QuarantineRow::select(self.db().sql());
        sql.push(" order by job");
        QuarantineRow::read_all(self.db().rows(sql).await?)
    }

    pub async fn quarantine(&self, job: &str) -> Result<Option<QuarantineRow>> {
        let mut sql = QuarantineRow::select(self.db().sql());
        sql.push(" where job = ").bind(job);
        self.db().row(sql).await?.map(|mut row| QuarantineRow::read(&mut row)).transpose()
    }
}

impl Transaction {
    pub async fn save_quarantine(&mut self, row: &QuarantineRow) -> Result<()> {
        self.upsert(std::slice::from_ref(row)).await
    }

    /// Takes the job out; whether it was in.
    pub async fn end_quarantine(&mut self, job: &str) -> Result<bool> {
        let sql = self.fixed("delete from quarantine where job = $1").value(job);
        Ok(self.run(sql).await? > 0)
    }
}
