//! Measures real time and memory: how fast the simulator is, not how fast the cluster is.
//!
//! This is the only module of the workspace that reads a real clock (rule R3 of ARCHITECTURE.md). No
//! measurement enters a run.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "how long a run took is for people and decides nothing inside the run"
)]

use std::time::{Duration, Instant};

/// Measures real time.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring. Do not call this inside a run, where madsim answers with virtual time.
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// The real time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The peak memory of this process so far, with all threads, in bytes: `VmHWM` of `/proc/self/status`. It is 0 on
/// systems other than Linux, which have no such file. Only `Memory::begin` resets the peak.
pub fn peak_rss_bytes() -> u64 {
    status_bytes("VmHWM:").unwrap_or(0)
}

/// A size from a line of `/proc/self/status`; `None` if there is no such file or line.
fn status_bytes(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Measures how much memory some work takes beyond what the process had before.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    before_bytes: u64,
}

impl Memory {
    /// Starts measuring and resets the peak; `None` if the system cannot do that (any system but Linux).
    pub fn begin() -> Option<Memory> {
        // 5 resets the peak: proc(5).
        std::fs::write("/proc/self/clear_refs", "5").ok()?;
        Some(Memory { before_bytes: status_bytes("VmRSS:")? })
    }

    /// The peak since [`Memory::begin`], minus the memory at that time, in bytes.
    pub fn most(self) -> Option<u64> {
        Some(status_bytes("VmHWM:")?.saturating_sub(self.before_bytes))
    }
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn memory_is_measured() {
        assert!(super::peak_rss_bytes() > 1 << 20);
    }
}
