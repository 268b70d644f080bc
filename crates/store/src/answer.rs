//! What people answered about single objects. Written at any time and by anybody; a cycle reads all of its job's as it begins,
//! and takes away those that it has acted on.

use std::borrow::Borrow;

use provost_model::{ClassName, JobName, ObjectId};
use serde::{Deserialize, Serialize};

use crate::db::{Param, Record, Row};
use crate::store::texts;
use crate::{Result, Store, Transaction};

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerRow {
    pub job: JobName,
    pub class: ClassName,
    pub source_id: ObjectId,
    /// `adopt`, `create` or `update`.
    pub reaction: String,
    /// The account that is to be adopted.
    pub target_id: Option<ObjectId>,
    pub who: String,
    pub created: i64,
    /// Stands for the question; to another one it is no answer.
    pub question: String,
}

impl Record for AnswerRow {
    const TABLE: &'static str = "answer";
    const COLUMNS: &'static [&'static str] =
        &["job", "class", "source_id", "reaction", "target_id", "who", "created", "question"];
    const KEY: &'static [&'static str] = &["job", "class", "source_id"];
    type Key<'a> = (&'a str, &'a str, &'a str);

    fn key(&self) -> Self::Key<'_> {
        (&self.job, &self.class, &self.source_id)
    }

    fn values<'a>(&'a self, put: &mut dyn FnMut(Param<'a>)) {
        put((&self.job).into());
        put((&self.class).into());
        put((&self.source_id).into());
        put(self.reaction.as_str().into());
        put((&self.target_id).into());
        put(Param::free(&self.who));
        put(self.created.into());
        put(Param::free(&self.question));
    }

    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self {
            job: row.id()?,
            class: row.id()?,
            source_id: row.id()?,
            reaction: row.text()?,
            target_id: row.id_option()?,
            who: row.text()?,
            created: row.int()?,
            question: row.text()?,
        })
    }
}

impl Store {
    /// All answers of a job, by class and source id.
    pub async fn answers(&self, job: &str) -> Result<Vec<AnswerRow>> {
        let mut sql = AnswerRow::select(self.db().sql());
        sql.push(" where job = ").bind(job).push(" order by class, source_id");
        AnswerRow::read_all(self.db().rows(sql).await?)
    }
}

impl Transaction {
    /// Takes the place of an earlier answer about the same object.
    pub async fn save_answer(&mut self, row: &AnswerRow) -> Result<()> {
        self.upsert(std::slice::from_ref(row)).await
    }

    pub async fn delete_answers<I: Borrow<str>>(&mut self, job: &str, class: &str, ids: &[I]) -> Result<u64> {
        self.on_objects("delete from answer", job, class, "source_id", &texts(ids)).await
    }
}
