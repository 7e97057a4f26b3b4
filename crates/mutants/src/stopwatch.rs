//! Real time: for limits and progress, never for a result.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "only the wall clock shows a hang, and people want to know how long a trial takes"
)]

use std::time::{Duration, Instant};

/// Measures real time.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    pub fn start() -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
