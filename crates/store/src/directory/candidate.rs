//! Ids of the resources that an index finds, in the order of their ids and a page at a time: so that a query over many
//! never holds them all, and several indexes can be merged.

use provost_model::ObjectId;

use super::resource::USER;
use crate::db::{Dialect, LIST_MAX, Sql};
use crate::{Result, Store};

/// The greatest character: nothing that begins with a text is greater than the text and this.
const LAST: char = '\u{10ffff}';

/// What an index is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    Id,
    /// The userName or displayName, prepared for comparison.
    NameKey,
    ExternalId,
}

/// What is looked for in an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Candidates {
    /// One of these keys, at most [`Candidates::KEYS_MAX`].
    Keys(Column, Vec<String>),
    /// One of these hashes in the table `value`, as many at most.
    Values(Vec<i64>),
    /// A key that begins so.
    Prefix(Column, String),
    /// The groups that have this object as a direct member.
    GroupsOf(String),
    /// The members of this group and of the groups in it.
    MembersOf(String),
}

impl Candidates {
    pub const KEYS_MAX: usize = LIST_MAX;

    /// Whether a text is asked for that no row can have.
    fn is_impossible(&self) -> bool {
        match self {
            Self::Keys(_, keys) => keys.iter().all(|key| key.contains('\0')),
            Self::Values(hashes) => hashes.is_empty(),
            Self::Prefix(_, text) | Self::GroupsOf(text) | Self::MembersOf(text) => text.contains('\0'),
        }
    }
}

impl Store {
    /// Up to `limit` ids after one, ascending; those of other kinds may be among them.
    pub async fn candidates(&self, kind: &str, wanted: &Candidates, after: &str, limit: i64) -> Result<Vec<ObjectId>> {
        if wanted.is_impossible() || after.contains('\0') {
            return Ok(Vec::new());
        }
        let mut sql = self.db().sql();
        statement(&mut sql, kind, wanted, after);
        sql.push(" order by 1 limit ").bind(limit);
        self.db().rows(sql).await?.map(|mut row| row.id()).collect()
    }
}

fn statement<'a>(sql: &mut Sql<'a>, kind: &'a str, wanted: &'a Candidates, after: &'a str) {
    match wanted {
        Candidates::Keys(column, keys) => {
            let keys: Vec<&str> = keys.iter().map(String::as_str).filter(|key| !key.contains('\0')).collect();
            begin(sql, kind, column).push(" in ").list(&keys);
            sql.push(" and id > ").bind(after);
        }
        Candidates::Values(hashes) => {
            sql.push("select distinct id from value where hash in ").list(hashes);
            sql.push(" and id > ").bind(after);
        }
        Candidates::Prefix(column, text) => {
            begin(sql, kind, column).push(" >= ").bind(text.as_str()).push(" and ");
            name(sql, kind, column).push(" < ").bind(format!("{text}{LAST}"));
            sql.push(" and id > ").bind(after);
        }
        Candidates::GroupsOf(member) => {
            sql.push("select group_id from member where member_id = ").bind(member.as_str());
            sql.push(" and group_id > ").bind(after);
        }
        Candidates::MembersOf(group) => {
            // Only groups are walked through; `union` ends cycles.
            sql.push("with recursive below (id) as (select ");
            sql.bind(group.as_str());
            // Else PostgreSQL does not know of what type the value is, nor how it sorts.
            sql.push(if sql.dialect() == Dialect::Postgres { "::text collate \"C\"" } else { "" });
            sql.push(" union select m.member_id from member m join below b on m.group_id = b.id");
            sql.push(" where m.member_kind = 'Group')");
            sql.push(" select distinct member_id from member where group_id in (select id from below)");
            sql.push(" and member_id > ").bind(after);
        }
    }
}

/// Ends with the column that is compared.
fn begin<'s, 'a>(sql: &'s mut Sql<'a>, kind: &'a str, column: &'a Column) -> &'s mut Sql<'a> {
    match column {
        Column::Id => sql.push("select id from resource where deleted is null and kind = ").bind(kind).push(" and "),
        Column::NameKey if kind == USER => sql.push("select id from resource where user_name is not null and "),
        // The empty text keeps SQLite from the primary key.
        Column::NameKey => {
            sql.push("select id from resource where kind || '' = ").bind(kind).push(" and name_key is not null and ")
        }
        Column::ExternalId => {
            sql.push("select id from resource where kind || '' = ").bind(kind).push(" and external_id is not null and ")
        }
    };
    name(sql, kind, column)
}

fn name<'s, 'a>(sql: &'s mut Sql<'a>, kind: &str, column: &Column) -> &'s mut Sql<'a> {
    sql.push(match column {
        Column::Id => "id",
        Column::NameKey if kind == USER => "user_name",
        Column::NameKey => "name_key",
        Column::ExternalId => "external_id",
    })
}
