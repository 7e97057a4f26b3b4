//! Counts how often each fault of a disk took effect, by the fault's name.

use std::collections::BTreeMap;

/// How often each fault took effect.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    /// Counts that a fault took effect `times` times.
    pub(super) fn add(&mut self, fault: &'static str, times: u64) {
        if times > 0 {
            *self.0.entry(fault).or_default() += times;
        }
    }

    /// All counts.
    pub(super) fn get(&self) -> &BTreeMap<&'static str, u64> {
        &self.0
    }
}
