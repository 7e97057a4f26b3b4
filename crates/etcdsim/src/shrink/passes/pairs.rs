//! Leaves out two faults or operations at once. What belongs together, such as a lock and its release, may only be
//! dispensable together.

use plan::Plan;

use super::faults::FAULTS;
use super::operations::OPERATIONS;
use crate::shrink::trial::Trial;

/// The most faults and operations of which all pairs are tried; our choice: 105 pairs.
const MOST: usize = 15;

pub(super) fn pairs(trial: &mut Trial<'_>) {
    loop {
        let (faults, operations) = ((FAULTS.count)(trial.best()), (OPERATIONS.count)(trial.best()));
        let count = faults + operations;
        if count > MOST {
            return;
        }
        let pairs: Vec<(usize, usize)> =
            (0..count).flat_map(|one| (one + 1..count).map(move |other| (one, other))).collect();
        let found = trial.first(pairs.len(), &|plan, nth| {
            let (one, other) = pairs[nth];
            Some(without(plan, faults, &|number| number == one || number == other))
        });
        if found.is_none() {
            return;
        }
    }
}

/// The plan without some of its faults and operations, which are numbered together, faults first.
pub(super) fn without(plan: &Plan, faults: usize, gone: &dyn Fn(usize) -> bool) -> Plan {
    let mut plan = plan.clone();
    (OPERATIONS.retain)(&mut plan, &|number| !gone(faults + number));
    (FAULTS.retain)(&mut plan, &|number| !gone(number));
    plan
}
