//! The head of a report: which code on which machine. Read from files alone; runs no other program.

use std::{fs, path::Path};

use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
pub struct Facts {
    /// Commit of the working directory's repository, or "unknown".
    pub commit: String,
    pub date: String,
    pub cores: usize,
    pub memory_mib: u64,
    pub kernel: String,
    pub cpu: String,
}

/// What this machine is, now.
#[must_use]
pub fn read() -> Facts {
    let line_of = |path: &str, key: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines().find(|l| l.starts_with(key)).and_then(|l| l.split_once(':')).map(|(_, v)| v.trim().to_owned())
    };
    let memory = line_of("/proc/meminfo", "MemTotal").unwrap_or_default();
    Facts {
        commit: commit(Path::new(".git")).unwrap_or_else(|| "unknown".to_owned()),
        // The wall clock is only printed; nothing of a measurement depends on it.
        date: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        memory_mib: memory.split(' ').next().and_then(|k| k.parse::<u64>().ok()).unwrap_or(0) / 1024,
        kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
        cpu: line_of("/proc/cpuinfo", "model name").unwrap_or_default(),
    }
}

fn commit(git: &Path) -> Option<String> {
    let head = fs::read_to_string(git.join("HEAD")).ok()?;
    let Some(name) = head.trim().strip_prefix("ref: ") else {
        return Some(head.trim().get(..12)?.to_owned());
    };
    let hash = fs::read_to_string(git.join(name)).ok().or_else(|| {
        let packed = fs::read_to_string(git.join("packed-refs")).ok()?;
        packed.lines().find_map(|l| l.strip_suffix(name)).map(str::to_owned)
    })?;
    Some(hash.trim().get(..12)?.to_owned())
}
