//! Leaves out faults and operations in a run with other draws.
//!
//! A failure may hang on a coincidence, such as a packet that is just late enough, and then nothing can be left out
//! without losing it. With other draws the smaller plan may meet another coincidence. The plan then has another seed.

use super::faults::FAULTS;
use super::operations::OPERATIONS;
use super::pairs::without;
use crate::shrink::trial::Trial;

/// How many other seeds each candidate gets; our choice.
const SEEDS: usize = 6;
/// With at most this many faults and operations, none are left out with other draws; our choice.
const SMALL_ENOUGH: usize = 2;

pub(super) fn draws(trial: &mut Trial<'_>) {
    let total = |trial: &Trial<'_>| {
        let (faults, operations) = ((FAULTS.count)(trial.best()), (OPERATIONS.count)(trial.best()));
        (faults, faults + operations)
    };
    let mut piece = total(trial).1.div_ceil(2);
    while piece > 0 && !trial.over() {
        let (faults, count) = total(trial);
        if count <= SMALL_ENOUGH {
            return;
        }
        let pieces = count.div_ceil(piece);
        let found = trial.first(pieces * SEEDS, &|plan, nth| {
            let from = nth / SEEDS * piece;
            let mut plan = without(plan, faults, &|number| (from..from + piece).contains(&number));
            plan.seed = plan.seed.wrapping_add(1 + (nth % SEEDS) as u64);
            Some(plan)
        });
        if found.is_none() {
            if piece == 1 {
                return;
            }
            piece = piece.div_ceil(2);
        }
    }
}
