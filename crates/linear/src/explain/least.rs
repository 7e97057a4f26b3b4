//! Finds a least conflict: one with the fewest operations possible. (A *minimal* conflict is weaker: none of
//! its operations can be left out, but another conflict may have fewer.)
//!
//! This is the implicit hitting set method:
//!
//! 1. Take a set of operations that is no conflict, and add others as long as it stays none. The operations
//!    that could not be added are a *correction*. Every conflict contains at least one of them.
//! 2. Collect corrections, and find a smallest set that contains an operation of each. No conflict has fewer
//!    operations.
//! 3. If that set is a conflict, it is a least one. If not, it leads to a new correction by step 1.

use crate::model::Model;

use super::pool::Pool;

/// The least conflict among `all`, if it has at most `size` operations and is found within `trials_max` trials.
pub(super) fn least_conflict<M: Model>(
    pool: &mut Pool<'_, M>,
    all: &[u32],
    size: usize,
    trials_max: usize,
) -> Option<Vec<u32>> {
    let mut corrections: Vec<Vec<u32>> = Vec::new();
    let mut size_now = 1;
    let mut trials = 0;
    while size_now <= size && trials <= trials_max {
        let mut chosen = Vec::new();
        if !meets_all(&corrections, &mut chosen, size_now) {
            size_now += 1;
            continue;
        }
        chosen.sort_unstable();
        if pool.is_conflict(&chosen)? {
            return Some(chosen);
        }
        corrections.push(correction(pool, all, chosen)?);
        trials += all.len();
    }
    None
}

/// The correction that a set without a conflict leads to.
fn correction<M: Model>(pool: &mut Pool<'_, M>, all: &[u32], mut kept: Vec<u32>) -> Option<Vec<u32>> {
    let mut correction = Vec::new();
    for &place in all {
        let Err(slot) = kept.binary_search(&place) else { continue };
        kept.insert(slot, place);
        if pool.is_conflict(&kept)? {
            kept.remove(slot);
            correction.push(place);
        }
    }
    Some(correction)
}

/// Adds operations to `chosen` until it has one of every correction. Returns whether `size` operations suffice.
fn meets_all(corrections: &[Vec<u32>], chosen: &mut Vec<u32>, size: usize) -> bool {
    let unmet = corrections.iter().filter(|one| !one.iter().any(|place| chosen.contains(place)));
    let Some(least) = unmet.min_by_key(|one| one.len()) else { return true };
    if chosen.len() == size {
        return false;
    }
    least.iter().any(|&place| {
        chosen.push(place);
        let met = meets_all(corrections, chosen, size);
        if !met {
            chosen.pop();
        }
        met
    })
}
