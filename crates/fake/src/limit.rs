//! How many requests a target bears: at once, and in a sliding window of time.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Dialect;
use crate::dialect::Rate;

/// What came lately.
#[derive(Default)]
pub(crate) struct Limits {
    under_way: AtomicUsize,
    /// When the requests of each rate of the dialect came.
    windows: Mutex<Vec<VecDeque<Instant>>>,
}

/// A request under way.
pub(crate) struct Slot<'l>(&'l Limits);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Limits {
    /// A request begins; or what was exceeded, and after how long it may come again.
    pub fn enter(&self, dialect: &Dialect, method: &str, path: &str) -> Result<Slot<'_>, (String, Duration)> {
        let slot = Slot(self);
        let others = self.under_way.fetch_add(1, Ordering::Relaxed);
        if dialect.in_flight > 0 && others >= dialect.in_flight {
            return Err((format!("{} requests at once", others + 1), Duration::from_secs(1)));
        }
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        windows.resize_with(dialect.rates.len(), VecDeque::new);
        let now = Instant::now();
        let meant = |rate: &Rate| rate.means(method, path);
        for (rate, window) in dialect.rates.iter().zip(windows.iter_mut()).filter(|(rate, _)| meant(rate)) {
            let length = Duration::from_secs(rate.seconds.into());
            while window.front().is_some_and(|at| now.duration_since(*at) >= length) {
                window.pop_front();
            }
            if let Some(oldest) = window.front().filter(|_| window.len() >= rate.requests) {
                let wait = length.saturating_sub(now.duration_since(*oldest));
                return Err((format!("more than {} requests in {} s", rate.requests, rate.seconds), wait));
            }
        }
        for (_, window) in dialect.rates.iter().zip(windows.iter_mut()).filter(|(rate, _)| meant(rate)) {
            window.push_back(now);
        }
        Ok(slot)
    }
}

impl Rate {
    fn means(&self, method: &str, path: &str) -> bool {
        let in_path = if self.exact { path == self.path } else { path.starts_with(&self.path) };
        in_path && (self.methods.is_empty() || self.methods.iter().any(|one| one == method))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_target_bears() {
        let rate = |path: &str, exact| Rate { path: path.into(), exact, requests: 2, seconds: 60, ..Rate::default() };
        let dialect =
            Dialect { in_flight: 3, rates: vec![rate("/Users", false), rate("/Groups", true)], ..Dialect::default() };
        let limits = Limits::default();
        let ask = |path| limits.enter(&dialect, "GET", path).map(drop).is_ok();
        assert_eq!(
            ["/Users", "/Users/1", "/Users", "/Groups/1", "/Groups/1", "/Groups/1"].map(ask),
            [true, true, false, true, true, true]
        );
        let _three =
            ["/a", "/a", "/a"].map(|path| limits.enter(&dialect, "GET", path).unwrap_or_else(|_| unreachable!()));
        assert!(!ask("/a"));
        drop(_three);
        assert!(ask("/a"));
    }
}
