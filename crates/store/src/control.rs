//! What people say about a job while it may be running: that it is paused, that it shall run at once. Written at any time and
//! by anybody, so it is not in the job's row, which the cycle that holds the lease writes as a whole.

use provost_model::JobName;
use serde::{Deserialize, Serialize};

use crate::db::{Param, Record, Row};
use crate::{Result, Store};

const PAUSE: &str = "insert into job_control (job, paused, pause_reason, wakes) values ($1, $2, $3, 0)
    on conflict (job) do update set paused = excluded.paused, pause_reason = excluded.pause_reason";
const RESUME: &str = "update job_control set paused = null, pause_reason = null where job = $1 and paused is not null";
const WAKE: &str = "insert into job_control (job, paused, pause_reason, wakes) values ($1, null, null, 1)
    on conflict (job) do update set wakes = job_control.wakes + 1";

/// What was said about one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlRow {
    pub job: JobName,
    /// Since when it is paused.
    pub paused: Option<i64>,
    pub pause_reason: Option<String>,
    /// Grows with every request to run at once.
    pub wakes: i64,
}

impl Record for ControlRow {
    const TABLE: &'static str = "job_control";
    const COLUMNS: &'static [&'static str] = &["job", "paused", "pause_reason", "wakes"];
    const KEY: &'static [&'static str] = &["job"];
    type Key<'a> = &'a str;

    fn key(&self) -> &str {
        &self.job
    }

    fn values<'a>(&'a self, put: &mut dyn FnMut(Param<'a>)) {
        put((&self.job).into());
        put(self.paused.into());
        put(Param::free_option(&self.pause_reason));
        put(self.wakes.into());
    }

    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self { job: row.id()?, paused: row.int_option()?, pause_reason: row.text_option()?, wakes: row.int()? })
    }
}

impl Store {
    /// All jobs about which something was said, by name.
    pub async fn controls(&self) -> Result<Vec<ControlRow>> {
        let mut sql = ControlRow::select(self.db().sql());
        sql.push(" order by job");
        ControlRow::read_all(self.db().rows(sql).await?)
    }

    pub async fn control(&self, job: &str) -> Result<Option<ControlRow>> {
        let mut sql = ControlRow::select(self.db().sql());
        sql.push(" where job = ").bind(job);
        self.db().row(sql).await?.map(|mut row| ControlRow::read(&mut row)).transpose()
    }

    /// Pauses the job from now on; one that is paused already gets the new time and reason.
    pub async fn pause(&self, job: &str, reason: Option<&str>, now_ms: i64) -> Result<()> {
        let reason = reason.map(Param::free).unwrap_or(Param::Text(None));
        self.db().write(self.db().fixed(PAUSE).value(job).value(now_ms).value(reason)).await.map(drop)
    }

    /// Takes the pause back; whether there was one.
    pub async fn resume(&self, job: &str) -> Result<bool> {
        Ok(self.db().write(self.db().fixed(RESUME).value(job)).await? > 0)
    }

    /// Asks for a cycle as soon as the job may run.
    pub async fn wake_job(&self, job: &str) -> Result<()> {
        self.db().write(self.db().fixed(WAKE).value(job)).await.map(drop)
    }
}
