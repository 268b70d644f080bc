//! Is the machine quiet? Wall times on a shared machine move by a factor of three, waits for the disk by twelve, so that
//! every run has a probe taken just before it and a pair counts as quiet only when both of its probes were.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use serde::Serialize;

use crate::error::{Error, Result};

/// Idle share from which a machine is called quiet.
pub const QUIET: f64 = 0.85;
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, Serialize)]
pub struct Probe {
    /// Share of all cores' time that was idle over one second, 0 to 1.
    pub idle: f64,
    /// Load average over the last minute.
    pub load: f64,
    /// Median of one 4 KiB write with sync, in milliseconds.
    pub sync_ms: f64,
}

impl Probe {
    #[must_use]
    pub fn quiet(&self) -> bool {
        self.idle >= QUIET
    }
}

/// Waits up to `patience` (30 s by default) for a quiet second, then probes the disk in `folder`. Never refuses: a noisy
/// probe marks the run instead.
pub fn probe(folder: &Path, patience: Option<Duration>) -> Result<Probe> {
    let until = Instant::now() + patience.unwrap_or(PATIENCE);
    let mut idle = idle_share()?;
    while idle < QUIET && Instant::now() < until {
        idle = idle_share()?;
    }
    Ok(Probe { idle, load: load(), sync_ms: sync_probe(folder)? })
}

fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|t| t.parse().ok()).unwrap_or(0.0)
}

/// Takes one second.
fn idle_share() -> Result<f64> {
    let before = cpu_line()?;
    sleep(Duration::from_secs(1));
    let after = cpu_line()?;
    let total = after.0.saturating_sub(before.0);
    let idle = after.1.saturating_sub(before.1);
    Ok(if total == 0 { 1.0 } else { idle as f64 / total as f64 })
}

/// (all, idle) ticks of the machine; waiting for the disk counts as idle, time stolen by other machines does not.
fn cpu_line() -> Result<(u64, u64)> {
    let text = fs::read_to_string("/proc/stat").map_err(Error::io("read machine statistics"))?;
    let ticks: Vec<u64> = text
        .lines()
        .next()
        .unwrap_or("")
        .split_ascii_whitespace()
        .skip(1)
        .take(8)
        .filter_map(|t| t.parse().ok())
        .collect();
    let idle = ticks.get(3).unwrap_or(&0) + ticks.get(4).unwrap_or(&0);
    Ok((ticks.iter().sum(), idle))
}

/// 200 writes of 4 KiB, each synced; the median.
fn sync_probe(folder: &Path) -> Result<f64> {
    let path = folder.join("sync-probe");
    let mut file = File::create(&path).map_err(Error::file("create", &path))?;
    let block = [0x5A_u8; 4096];
    let mut times = Vec::with_capacity(200);
    for _ in 0..200 {
        let start = Instant::now();
        file.write_all(&block).and_then(|()| file.sync_data()).map_err(Error::file("write", &path))?;
        times.push(start.elapsed().as_secs_f64() * 1_000.0);
    }
    fs::remove_file(&path).map_err(Error::file("remove", &path))?;
    Ok(crate::scenario::numbers::median(&times).unwrap_or(0.0))
}
