//! What a raw run prints: one JSON line, read back by the scenario that started it.

use serde::{Deserialize, Serialize};

use crate::{machine::cpu::CpuTime, scenario::numbers::percentile};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    pub users: u64,
    pub requests: u64,
    pub seconds: f64,
    pub users_per_second: f64,
    /// Microseconds of CPU a user: exact total, and how /proc splits it (ticks of 10 ms).
    pub cpu_us: f64,
    pub cpu_user_us: f64,
    pub cpu_system_us: f64,
    /// Microseconds of one request.
    pub p50_us: u32,
    pub p95_us: u32,
    pub p99_us: u32,
    pub peak_memory_kib: u64,
}

impl Report {
    #[must_use]
    pub fn new(users: u64, seconds: f64, cpu: CpuTime, mut latencies: Vec<u32>) -> Self {
        latencies.sort_unstable();
        let each = |us: u64| us as f64 / users.max(1) as f64;
        Self {
            users,
            requests: latencies.len() as u64,
            seconds,
            users_per_second: users as f64 / seconds,
            cpu_us: each(cpu.total),
            cpu_user_us: each(cpu.user),
            cpu_system_us: each(cpu.system),
            p50_us: percentile(&latencies, 0.50),
            p95_us: percentile(&latencies, 0.95),
            p99_us: percentile(&latencies, 0.99),
            peak_memory_kib: crate::machine::cpu::peak_memory_kib(std::process::id()).unwrap_or(0),
        }
    }
}
