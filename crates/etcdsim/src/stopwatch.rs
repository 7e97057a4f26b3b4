//! The machine's clock and memory: for figures that are about the machine and not about the cluster.
//!
//! The only module of the workspace that reads a real clock (rule R3). Nothing it measures enters a run.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "how long a run took is for people and decides nothing inside it"
)]

use std::time::{Duration, Instant};

/// Measures wall time.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins to measure. Not to be called from inside a run, where madsim answers with virtual time.
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// The wall time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The most memory this process has held so far, in bytes: `VmHWM` of `/proc/self/status`, so 0
/// where that file is not (other systems than Linux). It counts all threads and never goes down.
pub fn peak_rss_bytes() -> u64 {
    status_bytes("VmHWM:").unwrap_or(0)
}

/// A line of `/proc/self/status` that holds a size; `None` where there is no such file or line.
fn status_bytes(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Measures how much memory some work takes beside what was held before.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    before_bytes: u64,
}

impl Memory {
    /// Begins to measure, and forgets the peak so far; `None` where the system cannot (other systems than Linux).
    pub fn begin() -> Option<Memory> {
        // 5 resets the peak: proc(5).
        std::fs::write("/proc/self/clear_refs", "5").ok()?;
        Some(Memory { before_bytes: status_bytes("VmRSS:")? })
    }

    /// The most that was held since then beyond what was held at the beginning, in bytes.
    pub fn most(self) -> Option<u64> {
        Some(status_bytes("VmHWM:")?.saturating_sub(self.before_bytes))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn memory_is_told() {
        assert!(super::peak_rss_bytes() > 1 << 20);
    }
}
