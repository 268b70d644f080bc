//! How SQLite is opened: one writer, a few readers, WAL, a page cache, and waiting instead of failing when busy.

use std::path::Path;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use super::Db;
use crate::{Result, StoreError, StoreOptions};

/// Rows that the connection's thread may be ahead of us; with few, each of them wakes a task.
const ROW_BUFFER: usize = 512;

/// Bytes of a page, for new files: rows are about a kilobyte, of which a page of SQLite's usual 4 KiB holds three.
const PAGE_BYTES: u32 = 16_384;

/// Pages that the log grows by between two checkpoints. Target ids come in no order, so that a page of links
/// touches most pages of their index; with SQLite's 1,000 small ones each transaction would write them to the file and wait for the disk.
const CHECKPOINT: u32 = 4_096;

impl Db {
    /// Opens the file, created when missing. One that is not `durable` may be damaged when the machine, not only the program,
    /// stops.
    pub(crate) async fn open_sqlite(path: &Path, durable: bool, options: &StoreOptions) -> Result<Self> {
        let common = SqliteConnectOptions::new()
            .filename(path)
            .synchronous(if durable { SqliteSynchronous::Normal } else { SqliteSynchronous::Off })
            .foreign_keys(true)
            .busy_timeout(options.wait)
            .row_buffer_size(ROW_BUFFER)
            .statement_cache_capacity(200)
            .page_size(PAGE_BYTES)
            .pragma("temp_store", "memory")
            .disable_statement_logging();
        let cache = |mib: u32| format!("-{}", u64::from(mib) * 1024);
        let write = common
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .pragma("wal_autocheckpoint", CHECKPOINT.to_string())
            .pragma("journal_size_limit", (CHECKPOINT * PAGE_BYTES).to_string())
            .pragma("cache_size", cache(options.writer_cache_mib));
        let read = common.pragma("query_only", "on").pragma("cache_size", cache(options.reader_cache_mib));

        let pool = |most: u32| {
            // A connection that sleeps costs nothing, and a closed one has lost its page cache.
            SqlitePoolOptions::new()
                .max_connections(most)
                .acquire_timeout(options.wait)
                .test_before_acquire(false)
                .idle_timeout(None)
                .max_lifetime(None)
        };
        let writer = connect(pool(1), write, path, options.wait).await?;
        let readers = pool(options.sqlite_readers.max(1)).connect_lazy_with(read);
        Ok(Self::Sqlite { writer, readers })
    }
}

/// Turning WAL on needs the file to itself and does not wait for it, so that several who open a new file at once have to
/// take turns.
async fn connect(
    pool: SqlitePoolOptions,
    options: SqliteConnectOptions,
    path: &Path,
    wait: Duration,
) -> Result<SqlitePool> {
    let step = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    loop {
        match pool.clone().connect_with(options.clone()).await.map_err(StoreError::from) {
            Err(StoreError::Busy(_)) if waited < wait => {
                tokio::time::sleep(step).await;
                waited += step;
            }
            Err(StoreError::Unavailable(reason)) => {
                return Err(StoreError::Url { url: format!("sqlite:{}", path.display()), reason });
            }
            result => return result,
        }
    }
}
