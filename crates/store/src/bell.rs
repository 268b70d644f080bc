//! Wakes those in this process who wait for something to be committed, so that nobody has to ask the store every moment.
//! Other processes and nodes are not heard: for them a listener looks by itself, less often.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::{Result, Store};

/// How often a listener looks for what other processes committed: one short query.
const OTHERS: Duration = Duration::from_millis(250);

/// Rung after a commit that somebody may wait for.
#[derive(Debug)]
pub(crate) struct Bell(watch::Sender<()>);

impl Default for Bell {
    fn default() -> Self {
        Self(watch::Sender::new(()))
    }
}

impl Store {
    /// Says that something was committed that a job may wait for: a resource of the directory, a pushed object.
    pub fn ring(&self) {
        self.bell().0.send_replace(());
    }

    /// Waits until `is_there` says so, at most for `patience`. It is asked at once, whenever something was committed by this
    /// process, and every quarter of a second.
    pub async fn wait_for<F>(&self, patience: Duration, mut is_there: impl FnMut() -> F) -> Result<()>
    where
        F: Future<Output = Result<bool>>,
    {
        let end = Instant::now() + patience;
        let mut bell = self.bell().0.subscribe();
        while !is_there().await? {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            // An error would mean that the store is gone, which lives as long as this call.
            let _ = tokio::time::timeout(left.min(OTHERS), bell.changed()).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test(start_paused = true)]
    async fn a_listener_is_woken_by_a_commit_and_looks_by_itself_for_others() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let (there, asked) = (AtomicU32::new(0), AtomicU32::new(0));
        let wait = |patience| {
            store.wait_for(patience, || async {
                asked.fetch_add(1, Ordering::Relaxed);
                Ok(there.load(Ordering::Relaxed) > 0)
            })
        };
        let start = Instant::now();
        wait(Duration::from_secs(1)).await.unwrap();
        assert_eq!(start.elapsed().as_secs(), 1, "nothing happened");
        assert!((4..=6).contains(&asked.load(Ordering::Relaxed)), "{asked:?}");
        let start = Instant::now();
        let rings = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            there.store(1, Ordering::Relaxed);
            store.ring();
        };
        let (heard, ()) = tokio::join!(wait(Duration::from_secs(9)), rings);
        heard.unwrap();
        assert!(start.elapsed() < Duration::from_millis(20), "{:?}", start.elapsed());
    }
}
