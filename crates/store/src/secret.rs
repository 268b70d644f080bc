//! Secrets of connections (passwords, client secrets, tokens), sealed; the database alone does not give them away.
//!
//! How they are sealed is in [`crate::seal`]. There is no way to list their values.

use provost_model::Text;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::{MasterKey, Result, Store, StoreError};

const PUT: &str = "insert into secret (name, blob, created, updated) values ($1, $2, $3, $3)
    on conflict (name) do update set blob = excluded.blob, updated = excluded.updated";
const GET: &str = "select blob from secret where name = $1";
const LIST: &str = "select name, created, updated from secret order by name";
const ALL: &str = "select name, blob from secret order by name";
const RESEAL: &str = "update secret set blob = $2 where name = $1";
const DELETE: &str = "delete from secret where name = $1";

/// What may be shown of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SecretInfo {
    pub name: Text,
    pub created: i64,
    pub updated: i64,
}

impl Store {
    /// Sets a secret. The first one of a store makes the master key where there is none.
    pub async fn put_secret(&self, name: &str, value: &[u8], now_ms: i64) -> Result<()> {
        let sealed = self.master_key().await?.seal(name, value)?;
        self.db().write(self.db().fixed(PUT).value(name).value(sealed).value(now_ms)).await.map(drop)
    }

    /// A secret's value, wiped from memory when dropped.
    pub async fn secret(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>> {
        let Some(mut row) = self.db().row(self.db().fixed(GET).value(name)).await? else { return Ok(None) };
        self.master_key().await?.open(name, &row.text()?).map(Some)
    }

    pub async fn secrets(&self) -> Result<Vec<SecretInfo>> {
        let rows = self.db().rows(self.db().fixed(LIST)).await?;
        rows.into_iter()
            .map(|mut row| Ok(SecretInfo { name: row.id()?, created: row.int()?, updated: row.int()? }))
            .collect()
    }

    /// Whether it was there.
    pub async fn delete_secret(&self, name: &str) -> Result<bool> {
        Ok(self.db().write(self.db().fixed(DELETE).value(name)).await? > 0)
    }

    /// Seals all secrets with another master key, in one transaction; how many they were. Running programs have to be
    /// restarted with the new key.
    pub async fn reseal_secrets(&self, with: &MasterKey) -> Result<u64> {
        let old = self.master_key().await?;
        let mut transaction = self.begin().await?;
        let all = transaction.fixed(ALL);
        let mut count = 0;
        for mut row in transaction.rows(all).await? {
            let (name, sealed) = (row.text()?, row.text()?);
            let sealed = with.seal(&name, &old.open(&name, &sealed)?)?;
            let reseal = transaction.fixed(RESEAL).value(&name).value(sealed);
            count += transaction.run(reseal).await?;
        }
        transaction.commit().await?;
        Ok(count)
    }

    /// Whether every secret opens with this store's master key; the names of those that do not.
    pub async fn sealed_shut(&self) -> Result<Vec<String>> {
        let rows = self.db().rows(self.db().fixed(ALL)).await?;
        if rows.len() == 0 {
            return Ok(Vec::new());
        }
        let key = self.master_key().await?;
        let mut shut = Vec::new();
        for mut row in rows {
            let (name, sealed) = (row.text()?, row.text()?);
            if let Err(StoreError::Sealed { .. }) = key.open(&name, &sealed) {
                shut.push(name);
            }
        }
        Ok(shut)
    }
}
