//! The probes that parts of a member have reached and that the member has not yet reported.
//!
//! In a cell, because a read-only method may reach one too; a member is in one thread at a time.

use std::cell::RefCell;
use std::collections::BTreeSet;

use record::Probe;

/// Probes reached since they were last taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probes(RefCell<BTreeSet<Probe>>);

impl Probes {
    /// Records a probe. Recording it twice has no effect.
    pub(crate) fn reached(&self, probe: Probe) {
        self.0.borrow_mut().insert(probe);
    }

    /// Returns the recorded probes and forgets them.
    pub(crate) fn take(&mut self) -> BTreeSet<Probe> {
        std::mem::take(self.0.get_mut())
    }
}
