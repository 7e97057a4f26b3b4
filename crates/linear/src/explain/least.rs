//! The least conflict, not only one of which nothing can be spared.
//!
//! Take a set of operations that is no conflict, and add others as long as it is none: every conflict holds one
//! of those that could not be added, a *correction*. So many corrections are collected, and a least set is
//! looked for that meets each of them: no conflict is smaller. If that set is a conflict, it is a least one; if
//! not, it gives another correction. (The implicit hitting set method. No correction comes twice.)

use crate::model::Model;

use super::pool::Pool;

/// The least conflict among `all`, if it has at most `size` operations and can be found with so many trials.
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

/// What cannot be added to a set that is no conflict, if others are added first.
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

/// Adds operations to `chosen` until every correction holds one; whether `size` of them are enough.
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
