//! How long operations take when no fault touches them.
//!
//! A time is keyed by the operation's kind and its ordinal (rule R2), so taking a fault out of a plan changes
//! no other operation's time.

use keyed::{Draw, Keyed};
use plan::{DiskCall, Spread};

/// The times of a disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    model: plan::Disk,
    keyed: Keyed,
}

impl Timing {
    /// The times that `model` gives with the draws of `keyed`.
    pub(super) fn new(model: plan::Disk, keyed: Keyed) -> Timing {
        Timing { model, keyed }
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

/// A value of the spread; draws only where there is a choice.
#[inline]
pub(super) fn sample(spread: Spread, draw: impl FnOnce() -> Draw) -> u64 {
    match spread {
        Spread::Constant(value) => value,
        other => other.sample(draw()),
    }
}
