//! SQLite: one thread that writes and a few that read, each with a connection of its own, WAL, and waiting instead of
//! failing when busy.
//!
//! A call is one message to such a thread ([`lane`]) and one back, with all values and all rows in it; bulk writes are one
//! message per table ([`work`]). docs/decisions/0006 says why there is no driver in between.

pub mod lane;
mod transaction;
mod work;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

pub use lane::Lane;
pub use transaction::SqliteTransaction;
pub(super) use work::{Answer, Want, Work};

use super::Db;
use crate::{Result, StoreError, StoreOptions};

/// Bytes of a page, for new files. Rows are about half a kilobyte, of which SQLite's usual 4 KiB holds few, and each page of
/// the log is two calls of the system; but target ids and names come in no order, so that a new one dirties a whole page.
const PAGE_BYTES: u32 = 8_192;

/// Pages that the log grows by between two checkpoints, 64 MiB: pages of those indexes are written to the log again and again,
/// and to the file only then.
const CHECKPOINT: u32 = 8_192;

/// Prepared statements that a connection keeps.
const STATEMENTS: usize = 200;

/// How connections of one kind are opened.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    path: PathBuf,
    durable: bool,
    writes: bool,
    wait: Duration,
    cache_mib: u32,
}

impl SqliteOptions {
    fn open(&self) -> rusqlite::Result<Connection> {
        let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        flags.set(OpenFlags::SQLITE_OPEN_CREATE, self.writes);
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(self.wait)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        let own = match self.writes {
            true => format!(
                "pragma page_size = {PAGE_BYTES}; pragma journal_mode = wal; pragma wal_autocheckpoint = {CHECKPOINT};
                 pragma journal_size_limit = {}",
                CHECKPOINT * PAGE_BYTES
            ),
            false => "pragma query_only = on".to_owned(),
        };
        connection.execute_batch(&format!(
            "{own}; pragma synchronous = {}; pragma foreign_keys = on; pragma temp_store = memory; pragma cache_size = -{}",
            if self.durable { "normal" } else { "off" },
            u64::from(self.cache_mib) * 1024
        ))?;
        Ok(connection)
    }
}

impl Db {
    /// Opens the file, created when missing. One that is not `durable` may be damaged when the machine, not only the program,
    /// stops.
    pub(crate) async fn open_sqlite(path: &Path, durable: bool, options: &StoreOptions) -> Result<Self> {
        let read = SqliteOptions {
            path: path.to_owned(),
            durable,
            writes: false,
            wait: options.wait,
            cache_mib: options.reader_cache_mib,
        };
        let write = SqliteOptions { writes: true, cache_mib: options.writer_cache_mib, ..read.clone() };
        let writer = Lane::new(write, 1);
        connect(&writer, path, options.wait).await?;
        Ok(Self::Sqlite { writer, readers: Lane::new(read, options.sqlite_readers.max(1)) })
    }
}

/// Turning WAL on needs the file to itself and does not wait for it, so that several who open a new file at once have to
/// take turns.
async fn connect(writer: &Lane, path: &Path, wait: Duration) -> Result<()> {
    let step = Duration::from_millis(20);
    let mut waited = Duration::ZERO;
    loop {
        match writer.call(Work::Connect).await {
            Err(StoreError::Busy(_)) if waited < wait => {
                tokio::time::sleep(step).await;
                waited += step;
            }
            Err(StoreError::Unavailable(reason)) => {
                return Err(StoreError::Url { url: format!("sqlite:{}", path.display()), reason });
            }
            result => return result.map(drop),
        }
    }
}
