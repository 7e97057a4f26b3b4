//! How long operations take without faults: the plan has a distribution for reads, writes and syncs.
//!
//! The draw is keyed by the kind and the ordinal of the operation (rule R2). So a plan without one of its
//! faults has the same times for all operations.

use keyed::{Draw, Keyed};
use schedule::{DiskCall, Spread};

/// The times of a disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    model: schedule::Disk,
    keyed: Keyed,
}

impl Timing {
    /// Times from the distributions of `model`, with the draws of `keyed`.
    pub(super) fn new(model: schedule::Disk, keyed: Keyed) -> Timing {
        Timing { model, keyed }
    }

    /// From now on, draws come from this source.
    pub(super) fn reseed(&mut self, keyed: Keyed) {
        self.keyed = keyed;
    }

    /// How long the operation takes, in nanoseconds.
    #[inline]
    pub(super) fn takes(&self, call: DiskCall, ordinal: u64) -> u64 {
        let spread = match call {
            DiskCall::Read => self.model.read,
            DiskCall::Write => self.model.write,
            DiskCall::Sync => self.model.sync,
        };
        sample(spread, || self.keyed.draw(call as u64, ordinal))
    }
}

/// A value of the distribution; a constant needs no draw.
#[inline]
pub(super) fn sample(spread: Spread, draw: impl FnOnce() -> Draw) -> u64 {
    match spread {
        Spread::Constant(value) => value,
        other => other.sample(draw()),
    }
}
