//! Table `audit`: who made, changed or took away what lets others in. Kept beside the provisioning log, which is about people.

use serde::Serialize;

use crate::db::{Param, Record, Row};
use crate::{Result, Store, StoreError};

const NEXT: &str = "update sequence set value = value + 1 where name = 'audit' returning value";

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditRow {
    /// Given by the store.
    #[serde(skip)]
    pub seq: i64,
    /// Milliseconds since 1970 UTC.
    pub at: i64,
    /// A user of the machine, or a token's name.
    pub actor: String,
    /// `token.create`, `token.rotate`, `token.revoke`, `token.refused`
    pub action: String,
    /// A token's name.
    pub subject: String,
    /// For people.
    pub detail: String,
}

impl Record for AuditRow {
    const TABLE: &'static str = "audit";
    const COLUMNS: &'static [&'static str] = &["seq", "at", "actor", "action", "subject", "detail"];
    const KEY: &'static [&'static str] = &["seq"];
    type Key<'a> = i64;

    fn key(&self) -> i64 {
        self.seq
    }

    fn values<'a>(&'a self, put: &mut dyn FnMut(Param<'a>)) {
        put(self.seq.into());
        put(self.at.into());
        put(Param::free(&self.actor));
        put(self.action.as_str().into());
        put(Param::free(&self.subject));
        put(Param::free(&self.detail));
    }

    fn read(row: &mut Row) -> Result<Self> {
        Ok(Self {
            seq: row.int()?,
            at: row.int()?,
            actor: row.text()?,
            action: row.text()?,
            subject: row.text()?,
            detail: row.text()?,
        })
    }
}

impl Store {
    /// Writes an entry down; its `seq` is given here.
    pub async fn audit(&self, entry: AuditRow) -> Result<()> {
        let mut transaction = self.begin().await?;
        let next = transaction.fixed(NEXT);
        let seq = match transaction.row(next).await? {
            Some(mut row) => row.int()?,
            None => return Err(StoreError::corrupt("sequence", "the row 'audit' is missing")),
        };
        transaction.insert(&[AuditRow { seq, ..entry }]).await?;
        transaction.commit().await
    }

    /// The newest entries, newest first.
    pub async fn audits(&self, limit: i64) -> Result<Vec<AuditRow>> {
        let mut sql = AuditRow::select(self.db().sql());
        sql.push(" order by seq desc limit ").bind(limit);
        AuditRow::read_all(self.db().rows(sql).await?)
    }
}
