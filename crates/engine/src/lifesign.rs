//! Tells a lease owner that died from one that is slow, where that can be told: on SQLite, at once.
//!
//! A lease outlives its owner by up to half a minute, because a silent node on another machine may be alive. SQLite has no
//! other machine: whoever can reach the file shares a kernel, and the kernel knows. So each owner holds a lock on a file
//! beside the database, as long as it has the lease; the kernel drops the lock with the process, however that ends. Who
//! finds a lease taken looks for its owner's file: a lock that can be had proves the owner dead, and the lease is taken
//! over. One that is held, a missing file, a file system without locks prove nothing: then the lease has to expire.
//!
//! Why a lock and not host, boot id and process id in the owner's name: a process id says nothing in another container,
//! which has its own numbers and yet the same boot id, and numbers are given out again. The lock works wherever SQLite's
//! own locks do, and what breaks it would break the database first. Why a file for each owner and not one for the job: a
//! process that hung until its lease expired may wake up and still hold its file, while the lease is somebody else's.
//! On PostgreSQL leases expire; there is nothing on this machine that could tell.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use provost_store::Store;
use uuid::Uuid;

/// A locked file beside the database; removed with its owner.
#[derive(Debug)]
pub(crate) struct LifeSign {
    path: PathBuf,
    /// The lock is the open file's.
    _locked: File,
}

impl LifeSign {
    /// Shows that the owner lives. None where it cannot be shown; its lease then has to expire if it dies.
    pub fn show(store: &Store, owner: &str) -> Option<Self> {
        let path = place(store, owner)?;
        Self::lock(path, OpenOptions::new().write(true).create_new(true))
    }

    /// Proof that an owner is dead: its own sign, which goes away with this one. None when it lives or nobody can tell.
    pub fn of_dead(store: &Store, owner: &str) -> Option<Self> {
        let path = place(store, owner)?;
        Self::lock(path, OpenOptions::new().write(true))
    }

    /// Removes what is left of those who died without a lease: between showing their sign and claiming, or after giving
    /// the lease back. Signs of `owners`, who have one, stay, since they are the proof that takes it over.
    pub fn sweep<'o>(store: &Store, owners: impl Iterator<Item = &'o str>) {
        let Some(database) = database(store) else { return };
        let (Some(folder), Some(name)) = (database.parent(), database.file_name()) else { return };
        let prefix = format!("{}-lease-", name.to_string_lossy());
        let kept: Vec<PathBuf> = owners.filter_map(|owner| place(store, owner)).collect();
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for path in entries.flatten().map(|entry| database.with_file_name(entry.file_name())) {
            let is_sign = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix));
            if is_sign && !kept.contains(&path) {
                drop(Self::lock(path, OpenOptions::new().write(true)));
            }
        }
    }

    fn lock(path: PathBuf, open: &OpenOptions) -> Option<Self> {
        let file = open.open(&path).ok()?;
        file.try_lock().ok()?;
        Some(Self { path, _locked: file })
    }
}

impl Drop for LifeSign {
    fn drop(&mut self) {
        // Still locked, so that nobody takes it for a dead one's. What cannot be removed is an empty file, no more.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// `provost.db-lease-UUID`, in the manner of SQLite's own `provost.db-wal`. Only names that this module gave are looked at.
fn place(store: &Store, owner: &str) -> Option<PathBuf> {
    let database = database(store)?;
    let id = Uuid::try_parse(owner.rsplit('/').next()?).ok()?;
    let mut name = database.file_name()?.to_owned();
    name.push(format!("-lease-{id}"));
    Some(database.with_file_name(name))
}

fn database(store: &Store) -> Option<PathBuf> {
    store.db().file().map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn signs_of_those_who_died_without_a_lease_are_swept() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let owners = [(); 3].map(|()| format!("7/{}", Uuid::now_v7()));
        let [dead, holder, living] = &owners;
        for owner in [dead, holder] {
            std::fs::write(place(&store, owner).unwrap(), "").unwrap();
        }
        let sign = LifeSign::show(&store, living).unwrap();
        LifeSign::sweep(&store, [holder.as_str()].into_iter());
        let there = owners.each_ref().map(|owner| place(&store, owner).unwrap().exists());
        assert_eq!(there, [false, true, true]);
        drop(sign);
    }

    #[tokio::test]
    async fn a_living_owner_is_told_from_a_dead_one() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let owner = format!("7/{}", Uuid::now_v7());
        assert!(LifeSign::of_dead(&store, &owner).is_none(), "no file, no proof");
        let mut living = LifeSign::show(&store, &owner).unwrap();
        assert!(LifeSign::of_dead(&store, &owner).is_none(), "it lives");
        // As a kill leaves it: the file is there, the lock is not.
        let path = std::mem::take(&mut living.path);
        drop(living);
        let proof = LifeSign::of_dead(&store, &owner).unwrap();
        assert!(LifeSign::of_dead(&store, &owner).is_none(), "one taker at a time");
        drop(proof);
        assert!(!path.exists());
        assert!(LifeSign::of_dead(&store, "../../etc/passwd").is_none());
    }
}
