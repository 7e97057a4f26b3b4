//! From "there is no order" to a few operations that show it.
//!
//! An engine that knows a conflict names it. Otherwise the cause is near the first return that the longest
//! order the search built does not hold: a few operations there are tried, then more, until they are a
//! conflict. Where that fails, the shortest prefix in time without an order is looked for by halving: a history
//! with an order has one up to any time, if what has not returned by then is taken for unknown.
//!
//! Then operations are forgotten, some at first and one by one in the end, as long as the rest is still a
//! conflict (see [`crate::validate`] for what that means). Every such trial is a search of its own, another
//! one than the verdict's or with other sums, so that a wrong verdict shows here.

pub(crate) mod exclusions;
mod least;
mod pool;

use crate::budget::Account;
use crate::check;
use crate::history::History;
use crate::model::Model;
use crate::report::{Conflict, Linearization};
use crate::slice::{Decision, Effort, Slice};

use pool::Pool;

/// The component that has no order.
pub(crate) struct Part<'a, M: Model> {
    pub(crate) model: &'a M,
    pub(crate) history: &'a History<M::Input, M::Output>,
    pub(crate) operations: &'a [u32],
}

/// What came of it.
pub(crate) enum Explained {
    Violation {
        conflict: Conflict,
        prefix: Vec<u32>,
        prefix_until: u64,
    },
    /// The verdict was wrong: this is an order.
    Linearizable(Linearization),
}

/// Another seed than that of the verdict.
const SEED: u64 = 0x0065_7870_6C61_696E;

const EFFORT: Effort = Effort::Search(SEED);

/// How often a conflict that is none is enlarged by what the engine took for granted.
const GROWTHS_MAX: usize = 4;

/// How often an earlier conflict is looked for before the one at hand is taken.
const EARLIER_MAX: usize = 2;

/// In a component of more operations a conflict is not shrunk before the others are put aside.
const MANY: usize = 1024;

/// Explains why the component has no order. `core` is a conflict if there is one, `deepest` the longest order
/// that was built.
pub(crate) fn explain<M: Model>(
    part: &Part<'_, M>,
    core: Option<Vec<u32>>,
    deepest: Vec<u32>,
    account: &Account<'_>,
) -> Explained {
    let Some(mut conflict) = core.and_then(|core| small(part, core, account)) else {
        return without_core(part, deepest, account);
    };
    let mut prefix = deepest;
    let mut until = returned_last(part, &conflict.operations);
    for _ in 0..EARLIER_MAX {
        match part.until(Some(until), account) {
            Decision::Linearizable(Linearization { order, .. }) => {
                prefix = order;
                break;
            }
            Decision::Violation { core: Some(earlier), .. } => {
                let Some(earlier) = small(part, earlier, account) else { break };
                until = returned_last(part, &earlier.operations);
                conflict = earlier;
            }
            Decision::Violation { .. } | Decision::Undecided { .. } | Decision::Deferred => break,
        }
    }
    Explained::Violation { conflict, prefix, prefix_until: until }
}

/// What is known with little work: what the engine named, or else a confirmation that there is no order.
pub(crate) fn bare<M: Model>(
    part: &Part<'_, M>,
    core: Option<Vec<u32>>,
    deepest: Vec<u32>,
    account: &Account<'_>,
) -> Explained {
    let core = core.and_then(|core| grown(part, core, account)).map(|(pool, kept)| pool.name(&kept));
    let mut operations = match core.or_else(|| recent(part, &deepest, account)) {
        Some(operations) => operations,
        None => {
            let whole = Slice::whole(part.operations);
            if let Decision::Linearizable(linearization) =
                check::decide(part.model, part.history, &whole, account, EFFORT)
            {
                return Explained::Linearizable(linearization);
            }
            part.operations.to_vec()
        }
    };
    // An engine may name an operation twice, and one that failed is no part of any order.
    operations.retain(|&index| !part.history.operation(index).failed());
    operations.sort_unstable_by_key(|&index| (part.history.operation(index).call, index));
    operations.dedup();
    let conflict = Conflict { operations, ..Conflict::default() };
    Explained::Violation { conflict, prefix: deepest, prefix_until: 0 }
}

/// A conflict where the search came to an end, if it is found the quick way.
fn recent<M: Model>(part: &Part<'_, M>, deepest: &[u32], account: &Account<'_>) -> Option<Vec<u32>> {
    let mut pool = Pool::new(part, part.operations.to_vec(), account);
    if !pool.is_quick() {
        return None;
    }
    let in_time = pool.answered_by(part.first_lacking(deepest));
    pool.recent(&in_time).map(|kept| pool.name(&kept))
}

/// The smallest conflict that is found in what an engine named, or with what it took for granted.
fn small<M: Model>(part: &Part<'_, M>, core: Vec<u32>, account: &Account<'_>) -> Option<Conflict> {
    let (mut pool, kept) = grown(part, core, account)?;
    let all = kept.clone();
    Some(pool.shrink(kept, &all))
}

/// A conflict of what an engine named, or with what it took for granted.
///
/// An engine may have used that an operation returned in time to rule another one out as the writer of some
/// value. Such an operation is among those that could matter.
fn grown<'a, M: Model>(
    part: &'a Part<'a, M>,
    mut core: Vec<u32>,
    account: &'a Account<'a>,
) -> Option<(Pool<'a, M>, Vec<u32>)> {
    for _ in 0..GROWTHS_MAX {
        core.sort_unstable();
        core.dedup();
        let mut pool = Pool::around(part, &core, account);
        let kept = pool.places(|index| core.binary_search(&index).is_ok());
        if pool.is_conflict(&kept)? {
            return Some((pool, kept));
        }
        core = pool.name(&pool.answered_by(u64::MAX));
    }
    None
}

/// How many trials the least conflict may take.
const LEAST_TRIALS_MAX: usize = 100_000;

/// A conflict of fewer operations than this one, as few as can be, if it is found.
pub(crate) fn least<M: Model>(
    part: &Part<'_, M>,
    conflict: &Conflict,
    account: &Account<'_>,
) -> Option<Conflict> {
    let mut pool = match part.operations.len() {
        0..=MANY => Pool::new(part, part.operations.to_vec(), account),
        _ => Pool::around(part, &conflict.operations, account),
    };
    let all = pool.answered_by(u64::MAX);
    let size = conflict.operations.len() - 1;
    let least = least::least_conflict(&mut pool, &all, size, LEAST_TRIALS_MAX)?;
    Some(pool.conflict(&least, true))
}

/// The same without a conflict to begin with.
fn without_core<M: Model>(part: &Part<'_, M>, deepest: Vec<u32>, account: &Account<'_>) -> Explained {
    let first_lacking = part.first_lacking(&deepest);
    let mut pool = Pool::new(part, part.operations.to_vec(), account);
    if pool.is_quick()
        && let Some(conflict) = among_returned(part, &mut pool, first_lacking, account)
    {
        return Explained::Violation { conflict, prefix: deepest, prefix_until: first_lacking };
    }
    let (prefix, until) = match halve(part, deepest, first_lacking, account) {
        Ok(found) => found,
        Err(linearization) => return Explained::Linearizable(linearization),
    };
    let conflict = among_returned(part, &mut pool, until, account).unwrap_or_else(|| {
        let operations = pool.name(&pool.answered_by(u64::MAX));
        Conflict { operations, ..Conflict::default() }
    });
    Explained::Violation { conflict, prefix, prefix_until: until }
}

/// A small conflict among the operations that returned by this time.
fn among_returned<'a, M: Model>(
    part: &'a Part<'a, M>,
    pool: &mut Pool<'a, M>,
    until: u64,
    account: &'a Account<'a>,
) -> Option<Conflict> {
    let in_time = pool.answered_by(until);
    let kept = pool.recent(&in_time)?;
    if pool.len() <= MANY {
        return Some(pool.shrink(kept, &in_time));
    }
    small(part, pool.name(&kept), account)
}

/// The longest prefix that is found to have an order, and the time of the return up to which it goes, given
/// one; or an order of all.
fn halve<M: Model>(
    part: &Part<'_, M>,
    mut prefix: Vec<u32>,
    first_lacking: u64,
    account: &Account<'_>,
) -> Result<(Vec<u32>, u64), Linearization> {
    let mut returns = part.answered_returns();
    returns.dedup();
    // Up to `returns[high]` inclusive there is no order, up to `returns[low]` exclusive there is.
    let (mut low, mut high) = (returns.partition_point(|&at| at < first_lacking), returns.len());
    let mut middle = low;
    while low < high && middle < returns.len() {
        // Nothing returns after the last moment that there is.
        match part.until(returns[middle].checked_add(1), account) {
            Decision::Linearizable(linearization) if middle + 1 == returns.len() => {
                return Err(linearization);
            }
            Decision::Linearizable(linearization) => (low, prefix) = (middle + 1, linearization.order),
            Decision::Violation { .. } => high = middle,
            Decision::Undecided { .. } | Decision::Deferred => break,
        }
        middle = low + (high - low) / 2;
    }
    let until = returns.get(high.min(returns.len().saturating_sub(1))).copied().unwrap_or(u64::MAX);
    Ok((prefix, until))
}

impl<M: Model> Part<'_, M> {
    /// Judges what happened before a time, or all of it.
    fn until(&self, until: Option<u64>, account: &Account<'_>) -> Decision {
        let slice = Slice { until, ..Slice::whole(self.operations) };
        check::decide(self.model, self.history, &slice, account, EFFORT)
    }

    /// The times of all answers, ascending.
    fn answered_returns(&self) -> Vec<u64> {
        let operations = self.operations.iter().map(|&index| self.history.operation(index));
        let mut returns: Vec<u64> = operations
            .filter(|operation| !operation.failed())
            .filter_map(|operation| operation.returned())
            .collect();
        returns.sort_unstable();
        returns
    }

    /// The first time of an answer whose operation is not in this order.
    fn first_lacking(&self, order: &[u32]) -> u64 {
        let mut present = order.to_vec();
        present.sort_unstable();
        let lacking = self.operations.iter().filter(|index| present.binary_search(index).is_err());
        let operations = lacking.map(|&index| self.history.operation(index));
        let returns =
            operations.filter(|operation| !operation.failed()).filter_map(|operation| operation.returned());
        returns.min().unwrap_or(u64::MAX)
    }
}

fn returned_last<M: Model>(part: &Part<'_, M>, operations: &[u32]) -> u64 {
    operations.iter().filter_map(|&index| part.history.operation(index).returned()).max().unwrap_or(u64::MAX)
}
