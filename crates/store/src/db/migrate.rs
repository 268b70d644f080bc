//! Brings the tables to this program's version. The row of `store_schema` is the lock: whoever updates it first works, the
//! others wait for its transaction and then find nothing to do.
//!
//! A migration is never changed once released; a new one is appended to [`MIGRATIONS`]. There is no way back but a backup.

use super::{Db, Dialect, Transaction};
use crate::{Result, StoreError};

/// All migrations, in order; the first is version 1.
const MIGRATIONS: &[&str] = &[
    include_str!("../../sql/schema/0001-engine.sql"),
    include_str!("../../sql/schema/0002-service.sql"),
    include_str!("../../sql/schema/0003-directory.sql"),
    include_str!("../../sql/schema/0004-clients.sql"),
    include_str!("../../sql/schema/0005-values.sql"),
    include_str!("../../sql/schema/0006-push.sql"),
    include_str!("../../sql/schema/0007-leavers.sql"),
    include_str!("../../sql/schema/0008-control.sql"),
    include_str!("../../sql/schema/0009-answer.sql"),
    include_str!("../../sql/schema/0010-exception.sql"),
    include_str!("../../sql/schema/0011-tombstone.sql"),
    include_str!("../../sql/schema/0012-gone.sql"),
    include_str!("../../sql/schema/0013-rulebook.sql"),
];

const STATISTICS: &str = include_str!("../../sql/schema/sqlite-statistics.sql");

/// The schema version of this program.
pub const VERSION: i64 = MIGRATIONS.len() as i64;

const CREATE: &str = "create table if not exists store_schema (id bigint primary key, version bigint not null)";
const SEED: &str = "insert into store_schema (id, version) values (1, 0) on conflict (id) do nothing";
const LOCK: &str = "update store_schema set version = version where id = 1 returning version";
const RAISE: &str = "update store_schema set version = $1 where id = 1";
const READ: &str = "select version from store_schema where id = 1";

/// The words that differ: SQLite's, PostgreSQL's.
const WORDS: [(&str, &str, &str); 4] = [
    ("{key}", "text", "text collate \"C\""),
    ("{without_rowid}", "without rowid", ""),
    ("{integer_key}", "integer primary key", "bigint primary key"),
    ("{blob}", "blob", "bytea"),
];

impl Db {
    /// Applies what is missing; the versions before and after.
    pub(crate) async fn migrate(&self) -> Result<(i64, i64)> {
        self.prepare().await?;
        let mut transaction = self.begin().await?;
        let found = lock(&mut transaction).await?;
        if found > VERSION {
            return Err(StoreError::Newer { found, known: VERSION });
        }
        for text in &MIGRATIONS[found as usize..] {
            transaction.script(in_dialect(text, self.dialect())).await?;
        }
        if found < VERSION {
            if self.dialect() == Dialect::Sqlite {
                transaction.script(STATISTICS.to_owned()).await?;
            }
            let raise = transaction.fixed(RAISE).value(VERSION);
            transaction.run(raise).await?;
        }
        transaction.commit().await?;
        Ok((found, VERSION))
    }

    /// The version of the tables as they are.
    pub(crate) async fn schema_version(&self) -> Result<i64> {
        match self.row(self.fixed(READ)).await? {
            Some(mut row) => row.int(),
            None => Ok(0),
        }
    }

    /// Makes the table with the lock. Two who do so at once on PostgreSQL collide in its catalog in spite of `if not exists`;
    /// the one that lost finds the table when it tries again.
    async fn prepare(&self) -> Result<()> {
        let mut tries = 0;
        loop {
            tries += 1;
            let result = async {
                self.write(self.fixed(CREATE)).await?;
                self.write(self.fixed(SEED)).await
            };
            match result.await {
                Err(StoreError::Refused(_) | StoreError::Busy(_)) if tries < 5 => {}
                result => return result.map(drop),
            }
        }
    }
}

async fn lock(transaction: &mut Transaction) -> Result<i64> {
    let lock = transaction.fixed(LOCK);
    match transaction.row(lock).await? {
        Some(mut row) => row.int(),
        None => Err(StoreError::corrupt("store_schema", "its one row is missing")),
    }
}

fn in_dialect(text: &str, dialect: Dialect) -> String {
    WORDS.iter().fold(text.to_owned(), |text, (word, sqlite, postgres)| {
        text.replace(word, if dialect == Dialect::Sqlite { sqlite } else { postgres })
    })
}
