//! Which object of the source is which object of the target, and what was last seen and sent.
//!
//! `mark` answers "has this object changed since we last looked" for a whole class at once: the engine loads all marks in
//! pages ([`Store::marks_page`]) and skips the objects whose mark is there. Everything else is read for the changed ones only.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashSet};

use provost_model::{ClassName, JobName, ObjectId};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::db::{LIST_MAX, Param, Record, Row, Sql};
use crate::layout::Shape;
use crate::store::texts;
use crate::{LinkState, Result, Store, Transaction};

const MARKS_PAGE: &str = include_str!("../sql/marks_page.sql");
const BY_TARGET: &str = " and target_hash is not null and target_hash in ";
const LEAVING: &str = " and leaves is not null and leaves <= ";

/// The mark of a leaver who is switched off and gone: as long as any, and of no object. There is nothing to look at again until
/// he returns.
pub const GONE: &str = "gone----------------------------";

/// One link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRow {
    pub job: JobName,
    /// The source's class.
    pub class: ClassName,
    pub source_id: ObjectId,
    pub target_id: Option<ObjectId>,
    pub state: LinkState,
    /// 32 hexadecimal digits: 64 bits of the source id's digest and 64 of the source record's; empty when the object has to be
    /// looked at again.
    pub mark: String,
    /// When a leaver's grace period ends.
    pub leaves: Option<i64>,
    /// The newest event of this object.
    pub event: Option<i64>,
    pub changed: i64,
    /// For people.
    pub name: String,
    /// What the target holds by our last write: a JSON object of path to value, or, to be saved, text in a layout.
    pub sent: Option<String>,
}

/// What stands for a target id in the index, in 32 bits because SQLite keeps those in four bytes. Among a million links one id
/// in four thousand shares it with another, so that the id itself has to be compared, too.
fn target_hash(id: &str) -> i64 {
    i64::from(xxh3_64(id.as_bytes()) as i32)
}

/// The marks of some links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarksPage {
    /// 32 characters each, without anything between; links without a mark are left out.
    pub marks: String,
    /// The last source id of the page: where the next begins.
    pub ids_last: String,
}

impl Record for LinkRow {
    const TABLE: &'static str = "link";
    const COLUMNS: &'static [&'static str] = &[
        "job",
        "class",
        "source_id",
        "target_id",
        "target_hash",
        "state",
        "mark",
        "leaves",
        "event",
        "changed",
        "name",
        "sent",
    ];
    const KEY: &'static [&'static str] = &["job", "class", "source_id"];
    type Key<'a> = (&'a str, &'a str, &'a str);

    fn key(&self) -> Self::Key<'_> {
        (&self.job, &self.class, &self.source_id)
    }

    fn values<'a>(&'a self, put: &mut dyn FnMut(Param<'a>)) {
        put((&self.job).into());
        put((&self.class).into());
        put((&self.source_id).into());
        put((&self.target_id).into());
        put(self.target_id.as_deref().map(target_hash).into());
        put(self.state.as_str().into());
        put((&self.mark).into());
        put(self.leaves.into());
        put(self.event.into());
        put(self.changed.into());
        put(Param::free(&self.name));
        put((&self.sent).into());
    }

    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self {
            job: row.id()?,
            class: row.id()?,
            source_id: row.id()?,
            target_id: {
                let id = row.id_option()?;
                row.int_option()?;
                id
            },
            state: row.word()?,
            mark: row.text()?,
            leaves: row.int_option()?,
            event: row.int_option()?,
            changed: row.int()?,
            name: row.text()?,
            sent: row.text_option()?,
        })
    }
}

impl Store {
    /// The links of these source ids, in no order; ids without a link are left out.
    pub async fn links<I: Borrow<str>>(&self, job: &str, class: &str, ids: &[I]) -> Result<Vec<LinkRow>> {
        self.links_in(job, class, " and source_id in ", &texts(ids)).await
    }

    /// The links of these target ids, in no order. Two links may share a target.
    pub async fn links_by_target<I: Borrow<str>>(&self, job: &str, class: &str, ids: &[I]) -> Result<Vec<LinkRow>> {
        let wanted: HashSet<&str> = ids.iter().map(Borrow::borrow).collect();
        let mut hashes: Vec<i64> = wanted.iter().map(|id| target_hash(id)).collect();
        // In order, neighbours of the index are looked at together.
        hashes.sort_unstable();
        hashes.dedup();
        let mut found = self.links_in(job, class, BY_TARGET, &hashes).await?;
        found.retain(|link| link.target_id.as_deref().is_some_and(|id| wanted.contains(id)));
        Ok(found)
    }

    async fn links_in<'a, V>(
        &self,
        job: &'a str,
        class: &'a str,
        within: &'static str,
        values: &[V],
    ) -> Result<Vec<LinkRow>>
    where
        V: Copy + Into<Param<'a>>,
    {
        let mut found = Vec::with_capacity(values.len());
        for chunk in values.chunks(LIST_MAX) {
            let mut sql = LinkRow::select(self.db().sql());
            sql.push(" where job = ").bind(job).push(" and class = ").bind(class).push(within).list(chunk);
            found.extend(self.read_links(sql).await?);
        }
        Ok(found)
    }

    async fn read_links(&self, sql: Sql<'_>) -> Result<Vec<LinkRow>> {
        let mut links = LinkRow::read_all(self.db().rows(sql).await?)?;
        self.spell_out(links.iter_mut().filter_map(|link| link.sent.as_mut()), Shape::Object, LinkRow::TABLE).await?;
        Ok(links)
    }

    /// Up to `limit` links after the source id `after`, by source id.
    pub async fn link_page(&self, job: &str, class: &str, after: Option<&str>, limit: i64) -> Result<Vec<LinkRow>> {
        let mut sql = LinkRow::select(self.db().sql());
        sql.push(" where job = ").bind(job).push(" and class = ").bind(class);
        sql.push(" and source_id > ").bind(after.unwrap_or(""));
        sql.push(" order by source_id limit ").bind(limit);
        self.read_links(sql).await
    }

    /// Up to `limit` source ids after `after`, in order.
    pub async fn link_ids_page(
        &self,
        job: &str,
        class: &str,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<ObjectId>> {
        let mut sql = self.db().sql();
        sql.push("select source_id from link where job = ").bind(job).push(" and class = ").bind(class);
        sql.push(" and source_id > ").bind(after.unwrap_or(""));
        sql.push(" order by source_id limit ").bind(limit);
        self.db().rows(sql).await?.map(|mut row| row.id()).collect()
    }

    /// Up to `limit` source ids after `after`, in order, of links without a mark: those that have to be looked at again.
    /// Leavers that are switched off and gone are not among them: they carry [`GONE`].
    pub async fn unmarked_ids(&self, job: &str, class: &str, after: Option<&str>, limit: i64) -> Result<Vec<ObjectId>> {
        let mut sql = self.db().sql();
        sql.push("select source_id from link where mark = '' and job = ").bind(job);
        sql.push(" and class = ").bind(class).push(" and source_id > ").bind(after.unwrap_or(""));
        sql.push(" order by source_id limit ").bind(limit);
        self.db().rows(sql).await?.map(|mut row| row.id()).collect()
    }

    /// Links whose grace period has ended, earliest first.
    pub async fn links_leaving(&self, job: &str, now_ms: i64, limit: i64) -> Result<Vec<LinkRow>> {
        let mut sql = LinkRow::select(self.db().sql());
        sql.push(" where job = ").bind(job).push(LEAVING).bind(now_ms);
        sql.push(" order by leaves, class, source_id limit ").bind(limit);
        self.read_links(sql).await
    }

    /// The marks of up to `limit` links after the source id `after`; none when there are no more. Take large pages: 50,000
    /// marks are 1.6 MB.
    pub async fn marks_page(
        &self,
        job: &str,
        class: &str,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Option<MarksPage>> {
        let sql = self.db().fixed(MARKS_PAGE).value(job).value(class).value(after.unwrap_or("")).value(limit);
        let Some(mut row) = self.db().row(sql).await? else { return Ok(None) };
        let (marks, last) = (row.text_option()?, row.text_option()?);
        Ok(last.map(|ids_last| MarksPage { marks: marks.unwrap_or_default(), ids_last }))
    }

    /// The exact number of links by class. Reads them all: for doctor, not for a cycle.
    pub async fn count_links(&self, job: &str) -> Result<BTreeMap<ClassName, i64>> {
        let sql = self.db().fixed("select class, count(*) from link where job = $1 group by class").value(job);
        self.db().rows(sql).await?.map(|mut row| Ok((row.id()?, row.int()?))).collect()
    }

    /// How many objects of each class are known to be at the source: links, but for leavers who are switched off and gone. Reads
    /// them all: for what somebody does by hand, not for each cycle.
    pub async fn count_present(&self, job: &str) -> Result<BTreeMap<ClassName, i64>> {
        let sql = self.db().fixed("select class, count(*) from link where job = $1 and mark <> $2 group by class");
        self.db().rows(sql.value(job).value(GONE)).await?.map(|mut row| Ok((row.id()?, row.int()?))).collect()
    }
}

impl Transaction {
    /// Writes links whole; of two with one key the later wins.
    pub async fn save_links(&mut self, links: &[LinkRow]) -> Result<()> {
        self.upsert(links).await
    }

    pub async fn delete_links<I: Borrow<str>>(&mut self, job: &str, class: &str, ids: &[I]) -> Result<u64> {
        self.on_objects("delete from link", job, class, "source_id", &texts(ids)).await
    }

    /// Forgets what was last seen of all objects of a job, or of one class, so that the next cycle looks at them again; but for
    /// those who are gone and switched off.
    pub async fn clear_marks(&mut self, job: &str, class: Option<&str>) -> Result<u64> {
        let mut sql = self.sql();
        sql.push("update link set mark = '' where mark <> '' and mark <> ").bind(GONE).push(" and job = ").bind(job);
        if let Some(class) = class {
            sql.push(" and class = ").bind(class);
        }
        self.run(sql).await
    }

    /// Forgets what was last seen of these objects.
    pub async fn clear_marks_of<I: Borrow<str>>(&mut self, job: &str, class: &str, ids: &[I]) -> Result<u64> {
        self.on_objects("update link set mark = ''", job, class, "source_id", &texts(ids)).await
    }

    /// Runs `verb where job = … and class = … and column in (ids)` in chunks.
    pub(crate) async fn on_objects(
        &mut self,
        verb: &'static str,
        job: &str,
        class: &str,
        column: &'static str,
        ids: &[&str],
    ) -> Result<u64> {
        let mut touched = 0;
        for chunk in ids.chunks(LIST_MAX) {
            let mut sql = self.sql();
            sql.push(verb).push(" where job = ").bind(job).push(" and class = ").bind(class);
            sql.push(" and ").push(column).push(" in ").list(chunk);
            touched += self.run(sql).await?;
        }
        Ok(touched)
    }
}
