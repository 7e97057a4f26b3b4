//! Leaves out faults. The end of a fault is a part of it, so both go together.

use crate::shrink::pieces::{Things, drop_pieces};
use crate::shrink::trial::Trial;

/// The faults of a plan, in their order.
pub(super) const FAULTS: Things = Things {
    count: |plan| plan.faults.len(),
    retain: |plan, keep| {
        let mut numbers = 0..;
        plan.faults.retain(|_| numbers.next().is_some_and(keep));
    },
};

pub(super) fn faults(trial: &mut Trial<'_>) {
    drop_pieces(trial, &FAULTS);
}
