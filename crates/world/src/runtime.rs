//! madsim's runtime around a run, in builds that have it (`--cfg madsim`, rule R6).
//!
//! madsim intercepts the process's clocks and its randomness while its runtime is entered, so that whatever a
//! library reads of them is a function of the seed. A run needs none of that: it guards against what might
//! leak in (rule R3). Without the flag a run is bare, and gives the same trace hash; `.ci/run` checks this.

use record::Nanos;

/// Whether runs of this build are guarded, that is, whether it was built with `--cfg madsim`.
pub const GUARDED: bool = cfg!(madsim);

pub(crate) use inner::{Clock, entered};

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

    /// Does the work as the only task of a runtime. Other tasks would run when it yields the thread; no part
    /// of the cluster runs there, so madsim's own draws (the order of ready tasks, 50 to 100 ns after every
    /// poll) never affect it (rule R2).
    pub(crate) fn entered<T>(seed: u64, work: impl FnOnce(&Clock) -> T) -> T {
        let runtime = madsim::runtime::Runtime::with_seed_and_config(seed, madsim::Config::default());
        runtime.block_on(async { work(&Clock(madsim::time::TimeHandle::current())) })
    }
}

#[cfg(not(madsim))]
mod inner {
    use super::Nanos;

    /// No clock: the process reads the machine's.
    pub(crate) struct Clock;

    impl Clock {
        pub(crate) fn advance(&self, _: Nanos) {}
    }

    /// Does the work on this thread.
    pub(crate) fn entered<T>(_: u64, work: impl FnOnce(&Clock) -> T) -> T {
        work(&Clock)
    }
}
