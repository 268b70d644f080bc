//! Writing: a batch of operations becomes one new version of the file, put in place by one rename.
//!
//! `merge` streams the old file past the operations, `draft` is the new file until it is whole. What is of a format stands
//! behind the seam `merge::Writer`: `cells` and `edit` for rows of cells, `tree` for
//! trees of values, with a module for each notation. Writers of one file take turns: within the process by an async lock, between processes by a lock file, which
//! also remembers that the file was written before.

mod cells;
mod draft;
mod edit;
mod fixed;
mod jsonl;
mod ldif;
mod merge;
#[cfg(test)]
mod tests;
mod tree;

#[cfg(feature = "fuzzing")]
pub(super) use tree::Notation;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use provost_connector::{Applied, ConnectorError, Context, ErrorCode, Scope};
use provost_model::Operation;
use tokio::sync::OwnedMutexGuard;

use super::config::Config;
use super::input::io_error;

/// How long another process may hold the lock.
const PATIENCE: Duration = Duration::from_secs(30);

/// Does the operations, or says for each why not.
pub(super) async fn apply(cx: &Context, config: Arc<Config>, operations: &[Operation]) -> Vec<Applied> {
    let all =
        |error: ConnectorError| operations.iter().map(|op| Applied::failed(op.id.clone(), error.clone())).collect();
    if !config.write {
        let message = format!("{} is not written: the connection is a source", config.file);
        return all(ConnectorError::new(ErrorCode::NotSupported, message).hint("set write: true"));
    }
    if operations.len() > super::MAX_BATCH {
        let message = format!("{} operations at once, more than {}", operations.len(), super::MAX_BATCH);
        return all(ConnectorError::new(ErrorCode::NotSupported, message));
    }
    if operations.is_empty() {
        return Vec::new();
    }
    let path = match super::blocking(cx, {
        let config = config.clone();
        move || real_path(&config.path)
    })
    .await
    {
        Ok(path) => path,
        Err(error) => return all(error),
    };
    let turn = tokio::select! {
        turn = turn_of(&path).lock_owned() => turn,
        error = super::interrupted(cx) => return all(error),
    };
    // The thread is waited for, so that its outcome is known; when nobody waits any more, it stops before the rename.
    let child = CancelOnDrop(cx.child());
    let cx = child.0.clone();
    let batch = operations.to_vec();
    let work = move || {
        let _turn: OwnedMutexGuard<()> = turn;
        merge::run(&cx, &config, &path, &batch)
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(applied) => applied,
        Err(error) => all(ConnectorError::new(ErrorCode::UnknownOutcome, format!("the file writer stopped: {error}"))
            .scope(Scope::Job)),
    }
}

struct CancelOnDrop(Context);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel.cancel();
    }
}

/// The folder of a file.
pub(super) fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The lock file of a file that has been written before.
pub(super) fn was_written(path: &Path) -> Option<PathBuf> {
    let mark = lock_path(&real_path(path).ok()?);
    std::fs::metadata(&mark).is_ok_and(|meta| meta.len() > 0).then_some(mark)
}

fn lock_path(path: &Path) -> PathBuf {
    path.with_file_name(format!(".{}.lock", path.file_name().unwrap_or_default().to_string_lossy()))
}

/// Through symbolic links, so that the file they lead to is replaced and not the link.
fn real_path(path: &Path) -> Result<PathBuf, ConnectorError> {
    if let Ok(real) = std::fs::canonicalize(path) {
        return Ok(real);
    }
    let folder = folder(path);
    let real = std::fs::canonicalize(&folder).map_err(|error| io_error(&error, "write to", &folder))?;
    Ok(real.join(path.file_name().unwrap_or_default()))
}

/// The lock of this process for a file; static, because two connections may name the same file.
fn turn_of(path: &Path) -> Arc<tokio::sync::Mutex<()>> {
    static TURNS: Mutex<BTreeMap<PathBuf, Weak<tokio::sync::Mutex<()>>>> = Mutex::new(BTreeMap::new());
    let mut turns = TURNS.lock().unwrap_or_else(PoisonError::into_inner);
    turns.retain(|_, turn| turn.strong_count() > 0);
    if let Some(turn) = turns.get(path).and_then(Weak::upgrade) {
        return turn;
    }
    let turn = Arc::default();
    turns.insert(path.to_owned(), Arc::downgrade(&turn));
    turn
}

/// The lock file, held until it is dropped or the process ends.
struct Lock(File);

impl Lock {
    fn take(cx: &Context, path: &Path) -> Result<Self, ConnectorError> {
        let lock_path = lock_path(path);
        let file = OpenOptions::new().create(true).read(true).append(true).open(&lock_path);
        let file = file.map_err(|error| io_error(&error, "write", &lock_path))?;
        let pause = Duration::from_millis(50);
        let mut waited = Duration::ZERO;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::WouldBlock) if waited < PATIENCE => {
                    cx.check()?;
                    std::thread::sleep(pause);
                    waited += pause;
                }
                Err(TryLockError::WouldBlock) => {
                    let message = format!("another process has been writing `{}` for {PATIENCE:?}", path.display());
                    return Err(ConnectorError::new(ErrorCode::Unavailable, message)
                        .hint("let one process write a file; `fuser` names who holds the lock file"));
                }
                Err(TryLockError::Error(error)) => {
                    tracing::warn!(file = %lock_path.display(), %error, "this file system has no locks; going on without");
                    return Ok(Self(file));
                }
            }
        }
    }

    /// Leaves word that the file exists by our hand.
    fn mark(&mut self) -> std::io::Result<()> {
        if self.0.metadata()?.len() == 0 {
            self.0.write_all(b"Provost writes the file of this name; remove both to begin anew.\n")?;
        }
        Ok(())
    }
}
