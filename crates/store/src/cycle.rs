//! The runs of the jobs, with what came of them.

use std::collections::BTreeMap;

use provost_model::{ClassName, CycleId, JobName, Text};
use serde::{Deserialize, Serialize};

use crate::db::{Param, Record, Row};
use crate::{CycleKind, CycleStatus, Result, Store, Transaction};

/// One run of a job, or one stored plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleRow {
    pub id: CycleId,
    pub job: JobName,
    pub kind: CycleKind,
    pub status: CycleStatus,
    pub started: i64,
    pub finished: Option<i64>,
    /// JSON.
    pub summary: String,
    pub note: Option<String>,
    /// How far it read the source, by class; empty unless it was done, or is held for what it would take away.
    pub cursors: BTreeMap<ClassName, Text>,
    /// Digest of its [rules](Store::rulebook), which are the plan's for a cycle that applies one; none from before they were kept.
    pub rulebook: Option<Text>,
}

impl Record for CycleRow {
    const TABLE: &'static str = "cycle";
    const COLUMNS: &'static [&'static str] =
        &["id", "job", "kind", "status", "started", "finished", "summary", "note", "cursors", "rulebook"];
    const KEY: &'static [&'static str] = &["id"];
    type Key<'a> = &'a str;

    fn key(&self) -> &str {
        &self.id
    }

    fn values<'a>(&'a self, put: &mut dyn FnMut(Param<'a>)) {
        put((&self.id).into());
        put((&self.job).into());
        put(self.kind.as_str().into());
        put(self.status.as_str().into());
        put(self.started.into());
        put(self.finished.into());
        put((&self.summary).into());
        put(Param::free_option(&self.note));
        put(crate::job::json(&self.cursors).into());
        put(self.rulebook.as_deref().into());
    }

    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self {
            id: row.id()?,
            job: row.id()?,
            kind: row.word()?,
            status: row.word()?,
            started: row.int()?,
            finished: row.int_option()?,
            summary: row.text()?,
            note: row.text_option()?,
            cursors: row.json(Self::TABLE)?,
            rulebook: row.id_option()?,
        })
    }
}

impl Store {
    pub async fn cycle(&self, id: &str) -> Result<Option<CycleRow>> {
        let mut sql = CycleRow::select(self.db().sql());
        sql.push(" where id = ").bind(id);
        self.db().row(sql).await?.map(|mut row| CycleRow::read(&mut row)).transpose()
    }

    /// The newest cycles of a job, newest first.
    pub async fn cycles(&self, job: &str, limit: i64) -> Result<Vec<CycleRow>> {
        let mut sql = CycleRow::select(self.db().sql());
        sql.push(" where job = ").bind(job).push(" order by started desc, id desc limit ").bind(limit);
        CycleRow::read_all(self.db().rows(sql).await?)
    }

    /// Plans that wait to be applied, released or discarded, newest first.
    pub async fn plans(&self, job: Option<&str>, limit: i64) -> Result<Vec<CycleRow>> {
        let mut sql = CycleRow::select(self.db().sql());
        sql.push(" where status in ('planned', 'held')");
        if let Some(job) = job {
            sql.push(" and job = ").bind(job);
        }
        sql.push(" order by started desc, id desc limit ").bind(limit);
        CycleRow::read_all(self.db().rows(sql).await?)
    }
}

impl Store {
    /// The rules that cycles of this digest had.
    pub async fn rulebook(&self, digest: &str) -> Result<Option<String>> {
        let sql = self.db().fixed("select body from rulebook where digest = $1").value(digest);
        self.db().row(sql).await?.map(|mut row| row.text()).transpose()
    }

    /// Deletes the rules that no cycle had which is left.
    pub async fn prune_rulebooks(&self) -> Result<u64> {
        let sql = "delete from rulebook where digest not in (select rulebook from cycle where rulebook is not null)";
        self.db().write(self.db().fixed(sql)).await
    }
}

impl Transaction {
    /// Keeps the rules of a cycle; those that are there stay.
    pub async fn save_rulebook(&mut self, digest: &str, body: &str) -> Result<()> {
        let sql = self.fixed("insert into rulebook (digest, body) values ($1, $2) on conflict (digest) do nothing");
        self.run(sql.value(digest).value(body)).await.map(drop)
    }

    pub async fn save_cycle(&mut self, cycle: &CycleRow) -> Result<()> {
        self.upsert(std::slice::from_ref(cycle)).await
    }
}
