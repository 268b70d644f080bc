//! Who may work on what: one lease per key, with a fence that grows with every owner.
//!
//! A node that was slow, or cut off, may believe that it still owns a job. [`Store::fenced`] therefore checks the fence inside
//! the transaction that writes: a lost lease cannot commit anything. Claims are one compare-and-set statement, the same on
//! both engines. PostgreSQL's clock decides about expiry there, the caller's on SQLite, which has no second machine.

use crate::{Result, Store, StoreError, Transaction};

const CLAIM: &str = include_str!("../sql/lease_claim.sql");
const RENEW: &str = include_str!("../sql/lease_renew.sql");
const RELEASE: &str = include_str!("../sql/lease_release.sql");
const DUE: &str = include_str!("../sql/lease_due.sql");
const WAKE: &str = include_str!("../sql/lease_wake.sql");
const SCHEDULE: &str = "insert into lease (key, owner, fence, expires, due, wakes) values ($1, '', 0, 0, $2, 0)
    on conflict (key) do update set due = excluded.due";
const FENCE: &str = "update lease set expires = expires where key = $1 and owner = $2 and fence = $3";
const LIST: &str = "select key, owner, fence, expires, due from lease order by key";
const FORGET: &str = "delete from lease where key = $1 and owner = ''";

/// The right to work on a key, until it expires or is released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    pub key: String,
    pub owner: String,
    pub fence: i64,
    /// When the key was due as it was claimed; hand it to [`Store::release`] to leave the schedule alone.
    pub due: i64,
    /// Counts calls of [`Store::wake`], so that one during the work is not lost.
    wakes: i64,
}

/// A row of the table, for people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LeaseRow {
    pub key: String,
    /// Empty when nobody holds it.
    pub owner: String,
    pub fence: i64,
    pub expires: i64,
    pub due: i64,
}

impl Store {
    /// Takes the lease when it is free or expired, whether due or not. `now_ms` counts on SQLite only.
    pub async fn claim(&self, key: &str, owner: &str, ttl_ms: i64, now_ms: i64) -> Result<Option<Lease>> {
        let sql = self.db().fixed(CLAIM).value(now_ms).value(key).value(owner).value(ttl_ms);
        let mut rows = self.db().write_returning(sql).await?;
        let Some(mut row) = rows.next() else { return Ok(None) };
        let (fence, due, wakes) = (row.int()?, row.int()?, row.int()?);
        Ok(Some(Lease { key: key.to_owned(), owner: owner.to_owned(), fence, due, wakes }))
    }

    /// Holds the lease for another `ttl_ms` from now. An expired lease that nobody took is still ours.
    pub async fn renew(&self, lease: &Lease, ttl_ms: i64, now_ms: i64) -> Result<()> {
        let sql = self.db().fixed(RENEW).value(now_ms).value(&lease.key).value(&lease.owner).value(lease.fence);
        match self.db().write(sql.value(ttl_ms)).await? {
            0 => Err(lease.lost()),
            _ => Ok(()),
        }
    }

    /// Gives the lease back and says when the key is due next. Somebody who called [`wake`](Self::wake) in the meantime is
    /// heard: then it is due at once.
    pub async fn release(&self, lease: Lease, next_due: i64) -> Result<()> {
        let sql = self.db().fixed(RELEASE).value(&lease.key).value(&lease.owner).value(lease.fence).value(lease.wakes);
        match self.db().write(sql.value(next_due)).await? {
            0 => Err(lease.lost()),
            _ => Ok(()),
        }
    }

    /// Free keys whose time has come and keys whose owner fell silent, longest due first.
    pub async fn due(&self, now_ms: i64) -> Result<Vec<String>> {
        let rows = self.db().rows(self.db().fixed(DUE).value(now_ms)).await?;
        rows.into_iter().map(|mut row| row.text()).collect()
    }

    /// Makes a key due at once, also when it is being worked on: then again after that.
    pub async fn wake(&self, key: &str) -> Result<()> {
        self.db().write(self.db().fixed(WAKE).value(key)).await.map(drop)
    }

    /// Sets when a key is due, for a new job or a new schedule.
    pub async fn schedule(&self, key: &str, due: i64) -> Result<()> {
        self.db().write(self.db().fixed(SCHEDULE).value(key).value(due)).await.map(drop)
    }

    /// Removes a key that nobody holds, for a job that is no longer configured.
    pub async fn forget_lease(&self, key: &str) -> Result<()> {
        self.db().write(self.db().fixed(FORGET).value(key)).await.map(drop)
    }

    pub async fn leases(&self) -> Result<Vec<LeaseRow>> {
        let rows = self.db().rows(self.db().fixed(LIST)).await?;
        rows.into_iter()
            .map(|mut row| {
                let (key, owner) = (row.text()?, row.text()?);
                Ok(LeaseRow { key, owner, fence: row.int()?, expires: row.int()?, due: row.int()? })
            })
            .collect()
    }

    /// A transaction that only the holder of the lease gets. The lease's row stays locked until it ends, so nobody can take
    /// the lease in between.
    pub async fn fenced(&self, lease: &Lease) -> Result<Transaction> {
        let mut transaction = self.begin().await?;
        let check = transaction.fixed(FENCE).value(&lease.key).value(&lease.owner).value(lease.fence);
        match transaction.run(check).await? {
            0 => Err(lease.lost()),
            _ => Ok(transaction),
        }
    }
}

impl Lease {
    fn lost(&self) -> StoreError {
        StoreError::LostLease { key: self.key.clone(), fence: self.fence }
    }
}
