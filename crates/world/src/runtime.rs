//! Guards a run against libraries that read the computer's clock or randomness, in builds with `--cfg madsim`.
//!
//! madsim is a simulator of the operating system for Rust programs. While its runtime is active, it intercepts all
//! reads of the operating system's clocks and randomness, and answers them from a seed. A run of etcdsim must not
//! read either (rule R3 of ARCHITECTURE.md), and the code of etcdsim does not. If a library does, it then at least
//! gets the same values every time. Builds without the flag have no such guard (rule R6). Their runs give the same
//! trace hashes, which `.ci/run` checks.

use trace::Nanos;

/// Whether madsim guards the runs of this build, that is, whether it was built with `--cfg madsim`.
pub const GUARDED: bool = cfg!(madsim);

pub(crate) use inner::{Clock, with_runtime};

#[cfg(madsim)]
mod inner {
    use std::time::Duration;

    use super::Nanos;

    /// The clock that this process sees during the run instead of the computer's.
    pub(crate) struct Clock(madsim::time::TimeHandle);

    impl Clock {
        /// Moves the clock forward, to follow the virtual time of the run.
        pub(crate) fn advance(&self, by: Nanos) {
            self.0.advance(Duration::from_nanos(by));
        }
    }

    /// Does the work as the only task of a runtime of madsim. madsim draws at random in which order tasks run that
    /// are ready, and how much time (50 to 100 ns) passes each time it polls one. The work is a single task that
    /// never waits, so these draws do not affect it (rule R2: all randomness of a run comes from its keys).
    pub(crate) fn with_runtime<T>(seed: u64, work: impl FnOnce(&Clock) -> T) -> T {
        let runtime = madsim::runtime::Runtime::with_seed_and_config(seed, madsim::Config::default());
        runtime.block_on(async { work(&Clock(madsim::time::TimeHandle::current())) })
    }
}

#[cfg(not(madsim))]
mod inner {
    use super::Nanos;

    /// Does nothing: without madsim, this process sees the computer's clock.
    pub(crate) struct Clock;

    impl Clock {
        pub(crate) fn advance(&self, _: Nanos) {}
    }

    /// Does the work on this thread, without a runtime.
    pub(crate) fn with_runtime<T>(_: u64, work: impl FnOnce(&Clock) -> T) -> T {
        work(&Clock)
    }
}
