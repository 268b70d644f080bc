//! Table `member`: who belongs to which group. A group's row in `resource` moves in the feed when its members change.

use std::borrow::Borrow;

use provost_model::ObjectId;
use serde::{Deserialize, Serialize};

use crate::db::{Each, LIST_MAX, Param, Record, Row, chunks};
use crate::store::texts;
use crate::{Result, Store, Transaction};

/// One membership.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MemberRow {
    pub group_id: ObjectId,
    pub member_id: ObjectId,
    /// `User` or `Group`.
    pub member_kind: String,
}

impl Record for MemberRow {
    const TABLE: &'static str = "member";
    const COLUMNS: &'static [&'static str] = &["group_id", "member_id", "member_kind"];
    const KEY: &'static [&'static str] = &["group_id", "member_id"];
    type Key<'a> = (&'a str, &'a str);

    fn key(&self) -> Self::Key<'_> {
        (&self.group_id, &self.member_id)
    }

    fn values<'a>(&'a self, put: &mut dyn FnMut(Param<'a>)) {
        put((&self.group_id).into());
        put((&self.member_id).into());
        put(self.member_kind.as_str().into());
    }

    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self { group_id: row.id()?, member_id: row.id()?, member_kind: row.text()? })
    }
}

impl Store {
    /// All members of these groups, by group and member.
    pub async fn members_of<I: Borrow<str>>(&self, groups: &[I]) -> Result<Vec<MemberRow>> {
        let groups = texts(groups);
        let mut found = Vec::new();
        for chunk in groups.chunks(LIST_MAX) {
            let mut sql = MemberRow::select(self.db().sql());
            sql.push(" where group_id in ").list(chunk).push(" order by group_id, member_id");
            found.extend(MemberRow::read_all(self.db().rows(sql).await?)?);
        }
        Ok(found)
    }

    /// The memberships of these objects, by object and group.
    pub async fn memberships_of<I: Borrow<str>>(&self, members: &[I]) -> Result<Vec<MemberRow>> {
        let members = texts(members);
        let mut found = Vec::new();
        for chunk in members.chunks(LIST_MAX) {
            let mut sql = MemberRow::select(self.db().sql());
            sql.push(" where member_id in ").list(chunk).push(" order by member_id, group_id");
            found.extend(MemberRow::read_all(self.db().rows(sql).await?)?);
        }
        Ok(found)
    }
}

/// SQLite looks pairs up in an index only when they come out of a select; values alone make it read the whole table.
const IN_PAIRS: &str = " where (group_id, member_id) in (select column1, column2 from (";
const PAIRS_END: &str = ") as pair)";

impl Transaction {
    /// Which of these memberships (group, member) are there already.
    pub async fn members_among(&mut self, pairs: &[(&str, &str)]) -> Result<Vec<(ObjectId, ObjectId)>> {
        let mut found = Vec::new();
        for chunk in chunks(pairs, 2) {
            let mut sql = self.sql();
            sql.push("select group_id, member_id from member").push(IN_PAIRS).push("values ");
            for (at, (group, member)) in chunk.iter().enumerate() {
                sql.push(if at > 0 { ", (" } else { "(" }).bind(*group).push(", ").bind(*member).push(")");
            }
            sql.push(PAIRS_END);
            for mut row in self.rows(sql).await? {
                found.push((row.id()?, row.id()?));
            }
        }
        Ok(found)
    }

    /// All members of these groups, as this transaction sees them.
    pub async fn members_of<I: Borrow<str>>(&mut self, groups: &[I]) -> Result<Vec<MemberRow>> {
        let groups = texts(groups);
        let mut found = Vec::new();
        for chunk in groups.chunks(LIST_MAX) {
            let mut sql = MemberRow::select(self.sql());
            sql.push(" where group_id in ").list(chunk).push(" order by group_id, member_id");
            found.extend(MemberRow::read_all(self.rows(sql).await?)?);
        }
        Ok(found)
    }

    /// These and all members of those that are groups, and of the groups in them; ascending, each once.
    pub async fn members_below<I: Borrow<str>>(&mut self, ids: &[I]) -> Result<Vec<ObjectId>> {
        let ids = texts(ids);
        let mut found: Vec<ObjectId> = ids.iter().map(|id| ObjectId::from(*id)).collect();
        for chunk in ids.chunks(LIST_MAX) {
            let mut sql = self.sql();
            sql.push("with recursive below (id) as (select member_id from member where group_id in ").list(chunk);
            sql.push(" union select m.member_id from member m join below b on m.group_id = b.id) select id from below");
            for mut row in self.rows(sql).await? {
                found.push(row.id()?);
            }
        }
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }

    /// The groups that have any of these as members, each once per five hundred ids.
    pub async fn groups_with<I: Borrow<str>>(&mut self, members: &[I]) -> Result<Vec<ObjectId>> {
        let members = texts(members);
        let mut found = Vec::new();
        for chunk in members.chunks(LIST_MAX) {
            let mut sql = self.sql();
            sql.push("select distinct group_id from member where member_id in ").list(chunk);
            for mut row in self.rows(sql).await? {
                found.push(row.id()?);
            }
        }
        Ok(found)
    }

    /// Adds members; those that are there stay.
    pub async fn add_members(&mut self, members: &[MemberRow]) -> Result<()> {
        self.upsert(members).await
    }

    /// Removes memberships (group, member).
    pub async fn remove_members(&mut self, pairs: &[(&str, &str)]) -> Result<u64> {
        let mut statement = Each::new();
        statement.push("delete from member").push(IN_PAIRS).values(2).push(PAIRS_END);
        self.each(&statement.together(), pairs, |(group, member), put| {
            put((*group).into());
            put((*member).into());
        })
        .await
    }

    /// Removes all memberships of deleted objects, as groups and as members.
    pub async fn forget_members<I: Borrow<str>>(&mut self, ids: &[I]) -> Result<()> {
        let ids = texts(ids);
        for chunk in ids.chunks(LIST_MAX) {
            let mut sql = self.sql();
            sql.push("delete from member where group_id in ").list(chunk);
            self.run(sql).await?;
            let mut sql = self.sql();
            sql.push("delete from member where member_id in ").list(chunk);
            self.run(sql).await?;
        }
        Ok(())
    }
}
