//! References between objects (manager, members) that are sent in a pass of their own, once both ends exist at the target.

use std::borrow::Borrow;

use provost_model::{ClassName, JobName, ObjectId, Text};
use serde::{Deserialize, Serialize};

use crate::db::{LIST_MAX, Param, Record, Row, chunks};
use crate::store::texts;
use crate::{ReferenceState, Result, Store, Transaction};

/// Planning a statement with many alternatives is dearer than its values tell.
const DELETE_FEWER: usize = 4;

const PENDING: &str = include_str!("../sql/pending_references.sql");

/// Which reference of a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct ReferenceKey {
    /// The referring object's source class.
    pub class: ClassName,
    pub source_id: ObjectId,
    /// The target's attribute path.
    pub path: Text,
    /// The referenced object's source class and id.
    pub ref_class: ClassName,
    pub ref_id: ObjectId,
}

/// One reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceRow {
    pub job: JobName,
    #[serde(flatten)]
    pub key: ReferenceKey,
    pub state: ReferenceState,
    /// The target id that was sent.
    pub ref_target: Option<ObjectId>,
}

/// A reference that can be sent or taken away now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingReference {
    #[serde(flatten)]
    pub key: ReferenceKey,
    /// Wanted or unwanted.
    pub state: ReferenceState,
    /// The referring object's target id.
    pub owner_target: ObjectId,
    /// The referenced object's target id: for a wanted reference the one to send; for an unwanted one the one that was sent,
    /// or may have been; none if nothing can have been.
    pub ref_target: Option<ObjectId>,
    /// For a wanted reference what is at the target by our last write, and is replaced. For an unwanted one the account that the
    /// referenced object has now: it may have been sent, and nobody heard that it arrived.
    pub sent_target: Option<ObjectId>,
}

impl Record for ReferenceRow {
    const TABLE: &'static str = "reference";
    const COLUMNS: &'static [&'static str] =
        &["job", "class", "source_id", "path", "ref_class", "ref_id", "state", "ref_target"];
    const KEY: &'static [&'static str] = &["job", "class", "source_id", "path", "ref_class", "ref_id"];
    type Key<'a> = (&'a str, &'a ReferenceKey);

    fn key(&self) -> Self::Key<'_> {
        (&self.job, &self.key)
    }

    fn values<'a>(&'a self, put: &mut dyn FnMut(Param<'a>)) {
        put((&self.job).into());
        put((&self.key.class).into());
        put((&self.key.source_id).into());
        put(self.key.path.as_str().into());
        put((&self.key.ref_class).into());
        put((&self.key.ref_id).into());
        put(self.state.as_str().into());
        put((&self.ref_target).into());
    }

    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self { job: row.id()?, key: read_key(row)?, state: row.word()?, ref_target: row.id_option()? })
    }
}

fn read_key(row: &mut Row) -> Result<ReferenceKey> {
    Ok(ReferenceKey {
        class: row.id()?,
        source_id: row.id()?,
        path: row.id()?,
        ref_class: row.id()?,
        ref_id: row.id()?,
    })
}

impl Store {
    /// The references of these referring objects, in no order.
    pub async fn references<I: Borrow<str>>(&self, job: &str, class: &str, ids: &[I]) -> Result<Vec<ReferenceRow>> {
        let ids = texts(ids);
        let mut found = Vec::new();
        for chunk in ids.chunks(LIST_MAX) {
            let mut sql = ReferenceRow::select(self.db().sql());
            sql.push(" where job = ").bind(job).push(" and class = ").bind(class);
            sql.push(" and source_id in ").list(chunk);
            found.extend(ReferenceRow::read_all(self.db().rows(sql).await?)?);
        }
        Ok(found)
    }

    /// Up to `limit` references after a key, by key, that are wanted or unwanted and whose ends have the target ids that
    /// takes.
    pub async fn pending_references(
        &self,
        job: &str,
        after: Option<&ReferenceKey>,
        limit: i64,
    ) -> Result<Vec<PendingReference>> {
        let first = ReferenceKey::default();
        let after = after.unwrap_or(&first);
        let sql = self.db().fixed(PENDING).value(job).value(&after.class).value(&after.source_id);
        let sql = sql.value(after.path.as_str()).value(&after.ref_class).value(&after.ref_id).value(limit);
        let rows = self.db().rows(sql).await?;
        rows.into_iter()
            .map(|mut row| {
                Ok(PendingReference {
                    key: read_key(&mut row)?,
                    state: row.word()?,
                    owner_target: row.id()?,
                    ref_target: row.id_option()?,
                    sent_target: row.id_option()?,
                })
            })
            .collect()
    }
}

impl Transaction {
    pub async fn save_references(&mut self, references: &[ReferenceRow]) -> Result<()> {
        self.upsert(references).await
    }

    pub async fn delete_references(&mut self, job: &str, keys: &[ReferenceKey]) -> Result<u64> {
        let mut touched = 0;
        for chunk in chunks(keys, 6 * DELETE_FEWER) {
            let mut sql = self.sql();
            // One key beside the other: for a list of tuples SQLite would read the whole table.
            sql.push("delete from reference where ");
            for (at, key) in chunk.iter().enumerate() {
                sql.push(if at > 0 { " or (job = " } else { "(job = " }).bind(job);
                sql.push(" and class = ").bind(&key.class).push(" and source_id = ").bind(&key.source_id);
                sql.push(" and path = ").bind(key.path.as_str()).push(" and ref_class = ").bind(&key.ref_class);
                sql.push(" and ref_id = ").bind(&key.ref_id).push(")");
            }
            touched += self.run(sql).await?;
        }
        Ok(touched)
    }

    /// Deletes all references of these referring objects.
    pub async fn delete_references_of<I: Borrow<str>>(&mut self, job: &str, class: &str, ids: &[I]) -> Result<u64> {
        self.on_objects("delete from reference", job, class, "source_id", &texts(ids)).await
    }

    /// Wants the references to these objects sent again, for objects that have a new target id. `ref_target` keeps what was
    /// sent. How many it were.
    pub async fn reopen_references_to<I: Borrow<str>>(&mut self, job: &str, ref_class: &str, ids: &[I]) -> Result<u64> {
        let ids = texts(ids);
        let mut touched = 0;
        for chunk in ids.chunks(LIST_MAX) {
            let mut sql = self.sql();
            sql.push("update reference set state = 'wanted' where state = 'sent' and job = ").bind(job);
            sql.push(" and ref_class = ").bind(ref_class).push(" and ref_id in ").list(chunk);
            touched += self.run(sql).await?;
        }
        Ok(touched)
    }
}
