//! Collects the probes that a part of the member has reached, until the member reports them as facts. A probe
//! is an interesting state that the tests must reach.
//!
//! The set is in a `RefCell`, so that methods which only read can record a probe, too. A member is used by
//! one thread at a time.

use std::cell::RefCell;
use std::collections::BTreeSet;

use record::Probe;

/// The probes reached since the last [`Probes::take`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Probes(RefCell<BTreeSet<Probe>>);

impl Probes {
    /// Records a probe. Recording it twice has no effect.
    pub(crate) fn reached(&self, probe: Probe) {
        self.0.borrow_mut().insert(probe);
    }

    /// Removes and returns the recorded probes.
    pub(crate) fn take(&mut self) -> BTreeSet<Probe> {
        std::mem::take(self.0.get_mut())
    }
}
