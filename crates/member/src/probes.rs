//! States worth reaching, by name, as parts of a member note them until the host tells of them.
//!
//! Behind a cell, because a question may reach one, too; a member is in one thread at a time.

use std::cell::RefCell;
use std::collections::BTreeSet;

/// Names noted since they were taken last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probes(RefCell<BTreeSet<&'static str>>);

impl Probes {
    /// Notes a state. Twice is once.
    pub(crate) fn reached(&self, name: &'static str) {
        self.0.borrow_mut().insert(name);
    }

    /// Those noted, which are forgotten.
    pub(crate) fn take(&mut self) -> BTreeSet<&'static str> {
        std::mem::take(self.0.get_mut())
    }
}
