//! The machine's clock and memory: for figures that are about the machine and not about the cluster.
//!
//! The only module of the workspace that reads a real clock (rule R3). Nothing it tells enters a run.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "how long a run took is told to people and decides nothing inside it"
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
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib =
        line.and_then(|line| line.trim().strip_suffix("kB")).and_then(|kib| kib.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn memory_is_told() {
        assert!(super::peak_rss_bytes() > 1 << 20);
    }
}
