//! CPU time and memory of this process, of a child while it runs, and of all children that were waited for.
//! Own time is exact (the process CPU clock); children's comes from /proc in ticks of 10 ms, so that a child should use
//! at least half a second for its figure to mean anything.

use std::{fs, time::Duration};

use crate::error::{Error, Result};

/// Microseconds of CPU. `total` may be finer than `user + system`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CpuTime {
    pub total: u64,
    pub user: u64,
    pub system: u64,
}

impl CpuTime {
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            total: self.total.saturating_sub(before.total),
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
        }
    }
}

/// Ticks a second that /proc counts in; fixed at 100 by the kernel's interface on every architecture we build for.
const TICK_US: u64 = 10_000;

/// CPU of this process, all threads, so far.
#[must_use]
pub fn own() -> CpuTime {
    let clock = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let total = Duration::new(clock.tv_sec.unsigned_abs(), u32::try_from(clock.tv_nsec).unwrap_or(0));
    let (user, system) = stat_fields("/proc/self/stat", 0).unwrap_or_default();
    CpuTime { total: u64::try_from(total.as_micros()).unwrap_or(u64::MAX), user, system }
}

/// CPU of all children that have ended and were waited for, so far. The difference around one child is that child's.
pub fn ended_children() -> Result<CpuTime> {
    let (user, system) = stat_fields("/proc/self/stat", 2)?;
    Ok(CpuTime { total: user + system, user, system })
}

/// CPU of a process that still runs, all threads, so far; None once it has ended.
#[must_use]
pub fn of(pid: u32) -> Option<CpuTime> {
    let (user, system) = stat_fields(&format!("/proc/{pid}/stat"), 0).ok()?;
    Some(CpuTime { total: user + system, user, system })
}

/// CPU of all processes of a group that run now; None when there are none. What ended before is not in it.
#[must_use]
pub fn of_group(group: u32) -> Option<CpuTime> {
    let pids = fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let members = pids.filter(|&pid| group_of(pid) == Some(group)).filter_map(of);
    members.reduce(|a, b| CpuTime { total: a.total + b.total, user: a.user + b.user, system: a.system + b.system })
}

/// Field 5 of proc(5)'s `stat`.
fn group_of(pid: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(')')?.1.split_ascii_whitespace().nth(2)?.parse().ok()
}

/// User and system time in microseconds; `offset` 0 for the process itself, 2 for its children (proc(5), fields 14-17).
fn stat_fields(path: &str, offset: usize) -> Result<(u64, u64)> {
    let text = fs::read_to_string(path).map_err(Error::io("read process statistics"))?;
    // The command name is in brackets and may hold anything; what follows the last bracket is well formed.
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let field = |n: usize| rest.split_ascii_whitespace().nth(n).and_then(|t| t.parse::<u64>().ok()).unwrap_or(0);
    Ok((field(11 + offset) * TICK_US, field(12 + offset) * TICK_US))
}

/// Highest resident memory of a process in KiB (VmHWM), or None once it has ended.
#[must_use]
pub fn peak_memory_kib(pid: u32) -> Option<u64> {
    status_field(pid, "VmHWM:")
}

/// Resident memory of a process in KiB now (VmRSS), or None once it has ended.
#[must_use]
pub fn memory_kib(pid: u32) -> Option<u64> {
    status_field(pid, "VmRSS:")
}

fn status_field(pid: u32, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    text.lines().find_map(|l| l.strip_prefix(name))?.split_ascii_whitespace().next()?.parse().ok()
}

/// Bytes that a process has caused to be written to storage, or None once it has ended.
#[must_use]
pub fn written_bytes(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    text.lines().find_map(|l| l.strip_prefix("write_bytes:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_time_grows_and_memory_is_known() {
        let before = own();
        let mut x = 1_u64;
        for i in 0..20_000_000_u64 {
            x = std::hint::black_box(x.wrapping_mul(31).wrapping_add(i));
        }
        assert!(own().since(before).total > 0, "{x}");
        assert!(peak_memory_kib(std::process::id()).is_some_and(|kib| kib > 500));
    }

    #[test]
    fn a_child_is_seen_alone_and_in_its_group() {
        use std::os::unix::process::CommandExt as _;
        let mut command = std::process::Command::new("sh");
        let mut child = command.args(["-c", "while :; do :; done"]).process_group(0).spawn().unwrap();
        let pid = child.id();
        let busy = (0..1_000).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            of_group(pid).is_some_and(|cpu| cpu.total > 0) && of(pid).is_some_and(|cpu| cpu.total > 0)
        });
        let memory = memory_kib(pid);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(busy && memory.is_some_and(|kib| kib > 0), "{memory:?}");
        assert_eq!((of(pid), of_group(pid), memory_kib(pid)), (None, None, None), "it has ended");
    }
}
