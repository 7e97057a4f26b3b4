//! The probes that parts of a member reached and that the member has not reported yet.
//!
//! Behind a cell, because a question that changes nothing may reach one, too; a member is in one thread at a time.

use std::cell::RefCell;
use std::collections::BTreeSet;

use record::Probe;

/// Probes reached since they were taken last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probes(RefCell<BTreeSet<Probe>>);

impl Probes {
    /// Notes a probe. Twice is once.
    pub(crate) fn reached(&self, probe: Probe) {
        self.0.borrow_mut().insert(probe);
    }

    /// Those noted, which are forgotten.
    pub(crate) fn take(&mut self) -> BTreeSet<Probe> {
        std::mem::take(self.0.get_mut())
    }
}
