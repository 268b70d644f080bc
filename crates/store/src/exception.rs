//! How far a guard of a job may be exceeded because somebody released that much "always". Never without an end: there is a
//! number of operations and a share of the linked objects in each.

use provost_model::{ClassName, CycleId, JobName, Text};
use serde::{Deserialize, Serialize};

use crate::db::{Param, Record, Row};
use crate::{Result, Store, Transaction};

/// One exception.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionRow {
    pub job: JobName,
    pub guard: Text,
    /// Empty where the guard counts the whole job.
    pub class: ClassName,
    /// As many operations pass.
    pub operations: i64,
    /// The objects that were linked then: no greater share passes.
    pub linked: i64,
    /// JSON: the limit as it was configured. With another one the exception has ended.
    pub limits: String,
    /// The plan that was released.
    pub plan: CycleId,
    pub granted_by: Option<String>,
    pub created: i64,
}

impl Record for ExceptionRow {
    const TABLE: &'static str = "guard_exception";
    const COLUMNS: &'static [&'static str] =
        &["job", "guard", "class", "operations", "linked", "limits", "plan", "granted_by", "created"];
    const KEY: &'static [&'static str] = &["job", "guard", "class"];
    type Key<'a> = (&'a str, &'a str, &'a str);

    fn key(&self) -> Self::Key<'_> {
        (&self.job, &self.guard, &self.class)
    }

    fn values<'a>(&'a self, put: &mut dyn FnMut(Param<'a>)) {
        put((&self.job).into());
        put(self.guard.as_str().into());
        put((&self.class).into());
        put(self.operations.into());
        put(self.linked.into());
        put((&self.limits).into());
        put((&self.plan).into());
        put(Param::free_option(&self.granted_by));
        put(self.created.into());
    }

    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self {
            job: row.id()?,
            guard: row.id()?,
            class: row.id()?,
            operations: row.int()?,
            linked: row.int()?,
            limits: row.text()?,
            plan: row.id()?,
            granted_by: row.text_option()?,
            created: row.int()?,
        })
    }
}

impl Store {
    /// The exceptions of a job, or of all of them, by job, guard and class.
    pub async fn exceptions(&self, job: Option<&str>) -> Result<Vec<ExceptionRow>> {
        let mut sql = ExceptionRow::select(self.db().sql());
        if let Some(job) = job {
            sql.push(" where job = ").bind(job);
        }
        sql.push(" order by job, guard, class");
        ExceptionRow::read_all(self.db().rows(sql).await?)
    }
}

impl Transaction {
    /// Grants exceptions; an earlier one of the same guard and class is replaced.
    pub async fn save_exceptions(&mut self, exceptions: &[ExceptionRow]) -> Result<()> {
        self.upsert(exceptions).await
    }

    /// Ends the exceptions of a job, one or all; how many there were.
    pub async fn end_exceptions(&mut self, job: &str, of: Option<&ExceptionRow>) -> Result<u64> {
        let mut sql = self.sql();
        sql.push("delete from guard_exception where job = ").bind(job);
        if let Some(row) = of {
            sql.push(" and guard = ").bind(row.guard.as_str()).push(" and class = ").bind(&row.class);
        }
        self.run(sql).await
    }
}
