//! What plain code does without Provost: batched inserts into SQLite (`insert`), and finding out what changed in a CSV
//! (`compare`). Each runs as a process of its own, so that its CPU and memory are its alone.

mod compare;
mod insert;

use serde::{Deserialize, Serialize};

pub use compare::compare;
pub use insert::insert;

/// What a baseline prints: one JSON line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    pub rows: u64,
    pub seconds: f64,
    pub rows_per_second: f64,
    /// Microseconds of CPU a row.
    pub cpu_us: f64,
    pub peak_memory_kib: u64,
    /// Rows that were found to differ (compare only).
    pub changed: u64,
}

impl Report {
    fn new(rows: u64, seconds: f64, cpu_us: u64, changed: u64) -> Self {
        let peak_memory_kib = crate::machine::cpu::peak_memory_kib(std::process::id()).unwrap_or(0);
        let rate = rows as f64 / seconds;
        Self {
            rows,
            seconds,
            rows_per_second: rate,
            cpu_us: cpu_us as f64 / rows.max(1) as f64,
            peak_memory_kib,
            changed,
        }
    }
}
