//! Keeps one, two or three faults and operations, and leaves all others out. Leaving pieces out ends where each piece is
//! needed by the way to the failure that is left, and another way may need fewer.

use plan::Plan;

use super::faults::FAULTS;
use super::operations::OPERATIONS;
use super::pairs::without;
use crate::shrink::trial::Trial;

/// The most faults and operations of which this is tried; our choice: 1,159 plans.
const MOST: usize = 19;
/// How many are kept at most.
const KEPT: u32 = 3;

pub(super) fn few(trial: &mut Trial<'_>) {
    let (faults, operations) = ((FAULTS.count)(trial.best()), (OPERATIONS.count)(trial.best()));
    let count = faults + operations;
    if count > MOST {
        return;
    }
    let mut kept: Vec<u32> = (1..1_u32 << count)
        .filter(|kept| kept.count_ones() <= KEPT && kept.count_ones() < count as u32)
        .collect();
    kept.sort_by_key(|kept| kept.count_ones());
    let part = |plan: &Plan, nth: usize| Some(without(plan, faults, &|number| kept[nth] & 1 << number == 0));
    trial.first(kept.len(), &part);
}
