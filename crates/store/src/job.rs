//! What is known about a job between two cycles: where to go on reading, what the last complete read held, whether it waits.

use std::collections::BTreeMap;

use provost_model::{ClassName, CycleId, JobName, Text};
use serde::{Deserialize, Serialize};

use crate::db::{Param, Record, Row};
use crate::{JobState, Result, Store, StoreError, Transaction};

/// One job's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRow {
    pub name: JobName,
    /// Of the rules that the marks in `link` were made with; another digest means that all objects are looked at again.
    pub rules_digest: String,
    /// Where the next incremental read begins, by source class.
    pub cursors: BTreeMap<ClassName, Text>,
    /// Objects in the last complete read, by source class.
    pub counts: BTreeMap<ClassName, i64>,
    /// Links with a target id, by source class.
    pub linked: BTreeMap<ClassName, i64>,
    pub state: JobState,
    /// The cycle whose plan waits for somebody.
    pub held_plan: Option<CycleId>,
    pub note: Option<String>,
    pub last_cycle: Option<CycleId>,
    pub last_success: Option<i64>,
    /// Cycles that failed in a row.
    pub failures: i64,
    pub updated: i64,
}

impl JobRow {
    /// A job that never ran.
    pub fn new(name: JobName) -> Self {
        Self {
            name,
            rules_digest: String::new(),
            cursors: BTreeMap::new(),
            counts: BTreeMap::new(),
            linked: BTreeMap::new(),
            state: JobState::Active,
            held_plan: None,
            note: None,
            last_cycle: None,
            last_success: None,
            failures: 0,
            updated: 0,
        }
    }
}

impl Record for JobRow {
    const TABLE: &'static str = "job";
    const COLUMNS: &'static [&'static str] = &[
        "name",
        "rules_digest",
        "cursors",
        "counts",
        "linked",
        "state",
        "held_plan",
        "note",
        "last_cycle",
        "last_success",
        "failures",
        "updated",
    ];
    const KEY: &'static [&'static str] = &["name"];
    type Key<'a> = &'a str;

    fn key(&self) -> &str {
        &self.name
    }

    fn values<'a>(&'a self, put: &mut dyn FnMut(Param<'a>)) {
        put((&self.name).into());
        put((&self.rules_digest).into());
        put(json(&self.cursors).into());
        put(json(&self.counts).into());
        put(json(&self.linked).into());
        put(self.state.as_str().into());
        put((&self.held_plan).into());
        put(Param::free_option(&self.note));
        put((&self.last_cycle).into());
        put(self.last_success.into());
        put(self.failures.into());
        put(self.updated.into());
    }

    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self {
            name: row.id()?,
            rules_digest: row.text()?,
            cursors: row.json(Self::TABLE)?,
            counts: row.json(Self::TABLE)?,
            linked: row.json(Self::TABLE)?,
            state: row.word()?,
            held_plan: row.id_option()?,
            note: row.text_option()?,
            last_cycle: row.id_option()?,
            last_success: row.int_option()?,
            failures: row.int()?,
            updated: row.int()?,
        })
    }
}

pub(crate) fn json<T: Serialize>(map: &BTreeMap<ClassName, T>) -> String {
    serde_json::to_string(map).expect("a map of texts to texts or numbers is JSON")
}

impl Store {
    pub async fn job(&self, name: &str) -> Result<Option<JobRow>> {
        let mut sql = JobRow::select(self.db().sql());
        sql.push(" where name = ").bind(name);
        self.db().row(sql).await?.map(|mut row| JobRow::read(&mut row)).transpose()
    }

    /// All jobs by name.
    pub async fn jobs(&self) -> Result<Vec<JobRow>> {
        let mut sql = JobRow::select(self.db().sql());
        sql.push(" order by name");
        JobRow::read_all(self.db().rows(sql).await?)
    }
}

impl Transaction {
    pub async fn save_job(&mut self, job: &JobRow) -> Result<()> {
        self.upsert(std::slice::from_ref(job)).await
    }

    /// Removes a job with its links, references and escrow, and what was said about it. Events and cycles stay until they are
    /// pruned.
    pub async fn forget_job(&mut self, name: &str) -> Result<(), StoreError> {
        for text in [
            "delete from reference where job = $1",
            "delete from escrow where job = $1",
            "delete from answer where job = $1",
            "delete from link where job = $1",
            "delete from quarantine where job = $1",
            "delete from job_control where job = $1",
            "delete from guard_exception where job = $1",
            "delete from job where name = $1",
        ] {
            let sql = self.fixed(text).value(name);
            self.run(sql).await?;
        }
        Ok(())
    }

    /// Forgets which accounts the job's objects have, and with that what failed for them and what they refer to.
    pub async fn forget_links(&mut self, job: &str) -> Result<()> {
        for text in [
            "delete from reference where job = $1",
            "delete from escrow where job = $1",
            "delete from link where job = $1",
        ] {
            let sql = self.fixed(text).value(job);
            self.run(sql).await?;
        }
        Ok(())
    }
}
