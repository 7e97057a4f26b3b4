//! madsim's runtime around a run, in builds that have it (`--cfg madsim`, rule R6).
//!
//! While its runtime is active, madsim intercepts all reads of the operating system's clocks and randomness, and
//! answers them from the seed. A run needs neither; madsim guards against a library that reads them (rule R3).
//! Without the flag a run has no such guard and gives the same trace hash, which `.ci/run` checks.

use record::Nanos;

/// Whether madsim guards the runs of this build, that is, whether it was built with `--cfg madsim`.
pub const GUARDED: bool = cfg!(madsim);

pub(crate) use inner::{Clock, with_runtime};

#[cfg(madsim)]
mod inner {
    use std::time::Duration;

    use super::Nanos;

    /// The clock that the process reads during the run.
    pub(crate) struct Clock(madsim::time::TimeHandle);

    impl Clock {
        pub(crate) fn advance(&self, by: Nanos) {
            self.0.advance(Duration::from_nanos(by));
        }
    }

    /// Does the work as the only task of a runtime. madsim draws the order of ready tasks, and 50 to 100 ns that
    /// pass at every poll. With a single task that never waits, these draws do not affect a run (rule R2).
    pub(crate) fn with_runtime<T>(seed: u64, work: impl FnOnce(&Clock) -> T) -> T {
        let runtime = madsim::runtime::Runtime::with_seed_and_config(seed, madsim::Config::default());
        runtime.block_on(async { work(&Clock(madsim::time::TimeHandle::current())) })
    }
}

#[cfg(not(madsim))]
mod inner {
    use super::Nanos;

    /// Nothing to advance: the process reads the computer's clock.
    pub(crate) struct Clock;

    impl Clock {
        pub(crate) fn advance(&self, _: Nanos) {}
    }

    /// Does the work on this thread.
    pub(crate) fn with_runtime<T>(_: u64, work: impl FnOnce(&Clock) -> T) -> T {
        work(&Clock)
    }
}
