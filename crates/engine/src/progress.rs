//! Counters of a cycle under way: written by the pipeline, read by progress bars, the API and metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

/// Shared by reference; all counters only grow.
#[derive(Debug, Default)]
pub struct Progress {
    /// Objects the source returned, unchanged ones included.
    pub read: AtomicU64,
    /// Objects the source will return, once known (a count, or the last complete read); 0 when unknown.
    pub expected: AtomicU64,
    pub unchanged: AtomicU64,
    pub created: AtomicU64,
    pub updated: AtomicU64,
    pub enabled: AtomicU64,
    pub disabled: AtomicU64,
    pub deleted: AtomicU64,
    pub unlinked: AtomicU64,
    /// Accounts that existed at the target and were linked.
    pub adopted: AtomicU64,
    pub skipped: AtomicU64,
    pub failed: AtomicU64,
    /// Of those that failed, references.
    pub failed_references: AtomicU64,
    /// Requests that asked the target about one object.
    pub lookups: AtomicU64,
    /// Nanoseconds spent per phase, over all tasks: the phase clock.
    pub phases: Phases,
}

#[derive(Debug, Default)]
pub struct Phases {
    pub read: AtomicU64,
    pub decide: AtomicU64,
    pub find: AtomicU64,
    pub send: AtomicU64,
    pub record: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Counts {
    pub read: u64,
    pub unchanged: u64,
    pub created: u64,
    pub updated: u64,
    pub enabled: u64,
    pub disabled: u64,
    pub deleted: u64,
    /// Accounts that were let go. Nothing was sent.
    pub unlinked: u64,
    pub adopted: u64,
    pub skipped: u64,
    pub failed: u64,
    pub lookups: u64,
}

impl Counts {
    /// Operations that reached the target.
    pub fn writes(&self) -> u64 {
        self.created + self.updated + self.enabled + self.disabled + self.deleted
    }
}

impl Progress {
    pub fn counts(&self) -> Counts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            read: get(&self.read),
            unchanged: get(&self.unchanged),
            created: get(&self.created),
            updated: get(&self.updated),
            enabled: get(&self.enabled),
            disabled: get(&self.disabled),
            deleted: get(&self.deleted),
            unlinked: get(&self.unlinked),
            adopted: get(&self.adopted),
            skipped: get(&self.skipped),
            failed: get(&self.failed),
            lookups: get(&self.lookups),
        }
    }

    pub fn expected(&self) -> u64 {
        self.expected.load(Ordering::Relaxed)
    }

    pub(crate) fn add(counter: &AtomicU64, number: u64) {
        counter.fetch_add(number, Ordering::Relaxed);
    }

    pub(crate) fn spent(counter: &AtomicU64, time: Duration) {
        counter.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}
